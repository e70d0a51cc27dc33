/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and their time: see connection.h. */
#include "daemon/http/connection.h"

#include "daemon/clock.h"
#include "daemon/log.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define ANSWER_S 60u
#define ANSWER_RATE (64u << 10)

struct connection {
	LIST_ENTRY(connection) link; /* protected by connections.lock */
	int fd; /* libmicrohttpd's: good while this is in the list */
	uint64_t until_ns; /* atomic; 0: no limit */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t end;
	pthread_t thread;
	/* protected by lock: */
	bool ending;
	LIST_HEAD(, connection) list;
} connections = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void set(struct connection *c, unsigned int seconds)
{
	uint64_t until_ns = seconds ? clock_now_ns() + seconds * 1000000000ull : 0;

	__atomic_store_n(&c->until_ns, until_ns, __ATOMIC_RELAXED);
}

void connection_within(struct MHD_Connection *connection, unsigned int seconds)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (info && info->socket_context)
		set(info->socket_context, seconds);
}

void connection_answering(struct MHD_Connection *connection, uint64_t bytes)
{
	connection_within(connection, ANSWER_S + (unsigned int)(bytes / ANSWER_RATE));
}

static void begin(struct MHD_Connection *connection, void **state)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *c = info ? calloc(1, sizeof(*c)) : NULL;

	*state = c;
	if (!c)
		return;
	c->fd = info->connect_fd;
	set(c, CONNECTION_HEAD_S);
	pthread_mutex_lock(&connections.lock);
	LIST_INSERT_HEAD(&connections.list, c, link);
	pthread_mutex_unlock(&connections.lock);
}

void connection_changed(void *unused, struct MHD_Connection *connection, void **state,
	enum MHD_ConnectionNotificationCode code)
{
	struct connection *c = *state;

	(void)unused;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		begin(connection, state);
		return;
	}
	if (!c)
		return;
	/* The socket is closed after this. */
	pthread_mutex_lock(&connections.lock);
	LIST_REMOVE(c, link);
	pthread_mutex_unlock(&connections.lock);
	free(c);
	*state = NULL;
}

/* With the lock. Its thread sees the end of the connection, and does the rest. */
static void cut_late(uint64_t now_ns)
{
	struct connection *c;

	LIST_FOREACH(c, &connections.list, link)
	{
		uint64_t until_ns = __atomic_load_n(&c->until_ns, __ATOMIC_RELAXED);

		if (!until_ns || now_ns < until_ns)
			continue;
		__atomic_store_n(&c->until_ns, 0, __ATOMIC_RELAXED);
		(void)shutdown(c->fd, SHUT_RDWR);
		log_line(LOG_LEVEL_DEBUG, "http: a connection took too long and was cut");
	}
}

static void *watch(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&connections.lock);
	while (!connections.ending) {
		struct timespec next = clock_timespec(clock_now_ns() + 1000000000ull);

		(void)pthread_cond_timedwait(&connections.end, &connections.lock, &next);
		cut_late(clock_now_ns());
	}
	pthread_mutex_unlock(&connections.lock);
	return NULL;
}

int connections_init(void)
{
	pthread_condattr_t attributes;

	connections.ending = false;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&connections.end, &attributes);
	pthread_condattr_destroy(&attributes);
	return -pthread_create(&connections.thread, NULL, watch, NULL);
}

void connections_deinit(void)
{
	pthread_mutex_lock(&connections.lock);
	connections.ending = true;
	pthread_cond_signal(&connections.end);
	pthread_mutex_unlock(&connections.lock);
	pthread_join(connections.thread, NULL);
	pthread_cond_destroy(&connections.end);
}
