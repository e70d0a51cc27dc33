/* SPDX-License-Identifier: Apache-2.0 */
/* Mode service: see manifest_service.h. */
#include "image/manifest_service.h"

#include "host/publish.h"

/* In mode service alone. */
static const char *const own_keys[] = {"publish", "health", "restart", "stop_time", NULL};

/* What has to do with events, or with freezing. */
static const char *const other_keys[] = {"triggers", "destinations", "async", "wait_point", "port",
	"reply_type", "rehearse", "concurrency", "timeout", NULL};

static const struct node *find(const struct node *root, const char *const *keys)
{
	const struct node *node = NULL;

	for (; !node && *keys; keys++)
		node = node_get(root, *keys);
	return node;
}

/* The first port that is published as TCP, or whether `port` is. 0: no. */
static uint64_t published(const struct manifest *m, uint64_t port)
{
	struct df_publish publish;

	for (size_t i = 0; i < m->publish.count; i++) {
		if (df_publish_parse(m->publish.items[i], &publish, NULL) == 0 && !publish.udp &&
			(!port || publish.guest_port == port))
			return publish.guest_port;
	}
	return 0;
}

static int check_health(struct manifest *m, const struct node *health, const char *shown_name,
	struct df_err *err)
{
	if (!health)
		return 0;
	if (!published(m, m->health.port))
		return node_fail(err, shown_name, health->line,
			"health: a check connects to a port that is published as TCP, and there is no such; "
			"add it to publish, such as publish: [127.0.0.1:8080:80]");
	m->health.port = published(m, m->health.port);
	return 0;
}

int manifest_check_service(struct manifest *m, const struct node *root, const char *shown_name,
	struct df_err *err)
{
	bool service = m->mode == MANIFEST_SERVICE;
	const struct node *wrong = find(root, service ? other_keys : own_keys);

	if (wrong && service)
		return node_fail(err, shown_name, wrong->line,
			"%s is for functions; a service (mode: service) takes no events",
			wrong->key);
	if (wrong)
		return node_fail(err, shown_name, wrong->line,
			"%s is for services; add mode: service", wrong->key);
	if (m->publish.count > DF_PUBLISH_MAX)
		return node_fail(err, shown_name, node_get(root, "publish")->line,
			"publish can have %d ports", DF_PUBLISH_MAX);
	return check_health(m, node_get(root, "health"), shown_name, err);
}
