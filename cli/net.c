/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's network: see net.h. */
#include "cli/net.h"

#include "host/cleanup.h"
#include "host/egress_rule.h"
#include "host/net.h"
#include "host/path.h"
#include "host/place.h"
#include "host/publish.h"
#include "host/str.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TAP "tap:"

static int add(const char **list, size_t *count, const char *value, const char *flag,
	struct df_err *err)
{
	if (*count == NET_RULES_MAX)
		return df_err_set(err, -E2BIG, "there are more than %d %s flags", NET_RULES_MAX,
			flag);
	list[(*count)++] = value;
	return 0;
}

static int set_net(void *into, const char *value, struct df_err *err)
{
	struct net_options *net = into;
	struct df_egress_rule rule;
	struct df_err why;

	net->wanted = true;
	if (value && df_starts_with(value, TAP)) {
		if (*net->tap.name)
			return df_err_set(err, -EINVAL,
				"--net=%.100s: there is one TAP device already", value);
		return tap_parse(&net->tap, value + strlen(TAP), err);
	}
	if (!value)
		return 0;
	if (df_egress_rule_parse(value, &rule, &why))
		return df_err_set(err, why.code, "--net: %s", why.text);
	return add(net->rules, &net->rule_count, value, "--net", err);
}

static int set_net_rule(void *into, const char *value, struct df_err *err)
{
	if (value && df_starts_with(value, TAP))
		return df_err_set(err, -EINVAL, "--net=%.100s: a TAP device is for `dayfly run`",
			value);
	return set_net(into, value, err);
}

static int set_published(void *into, const char *value, struct df_err *err)
{
	struct net_options *net = into;
	struct df_publish publish;

	if (df_publish_parse(value, &publish, err))
		return err ? err->code : -EINVAL;
	net->wanted = true;
	return add(net->published, &net->published_count, value, "-p", err);
}

const struct flag net_flags[] = {
	{"--net", "[=RULE]",
		"a network; RULE opens any, NAME[:PORT], ADDRESS[/BITS][:PORT]; or tap:DEV",
		set_net},
	{"-p", "[ADDR:]PORT:PORT",
		"publish a port of the guest, on 127.0.0.1 or ADDR; /udp behind it", set_published},
	{0},
};

const struct flag net_event_flags[] = {
	{"--net", "[=RULE]", "a network; RULE opens any, NAME[:PORT], ADDRESS[/BITS][:PORT]",
		set_net_rule},
	{0},
};

int net_prepare(struct net_options *net, struct program_options *options, struct df_err *err)
{
	const char *name_server = NULL;

	if (!net->wanted)
		return 0;
	if (*net->tap.name) {
		if (net->rule_count || net->published_count)
			return df_err_set(err, CLI_FAILED,
				"--net=tap:%s is on a network of its administrator's, where neither --net=RULE nor -p have a meaning;"
				" leave them out, and filter there",
				net->tap.name);
		if (tap_open(&net->tap, &net->tap_fd, err) < 0)
			return CLI_FAILED;
		name_server = net->tap.dns;
	}
	return program_add_net(options, name_server, err);
}

int net_start_beside(const struct net_options *net, const char *program, unsigned int guests,
	struct df_net *started, struct df_err *err)
{
	DF_FREE char *path = df_place_program("dayfly-net");
	const struct df_net_options options = {
		.path = path,
		.program = df_base_name(program),
		.rules = net->rules,
		.rule_count = net->rule_count,
		.published = net->published,
		.published_count = net->published_count,
		.guests = guests,
		.errors = -1,
		.tap = *net->tap.name ? &net->tap.config : NULL,
		.tap_fd = net->tap_fd,
	};
	int error = path ? df_net_start(started, &options, err)
			 : df_err_set(err, -ENOMEM, "out of memory");

	if (error)
		return CLI_FAILED;
	error = df_net_wait(started, DF_NET_NO_LIMIT, err);
	if (error == -EPIPE)
		err->code = 0;
	return error ? CLI_FAILED : CLI_OK;
}

int net_start(const struct net_options *net, const char *program, char **word, struct df_err *err)
{
	struct df_net started;
	int status = net_start_beside(net, program, 1, &started, err);

	if (status)
		return status;
	df_net_inherit(&started);
	*word = df_format("%d,%d,%d,%d", started.device[0].memory, started.device[0].kick,
		started.device[0].wake, started.life);
	return CLI_OK;
}
