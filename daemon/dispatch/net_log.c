/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of dayfly-net in functions' logs: see net_log.h. */
#include "daemon/dispatch/net_log.h"

#include "daemon/lines.h"
#include "daemon/log.h"
#include "host/cleanup.h"
#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct reader {
	LIST_ENTRY(reader) link;
	int fd;
	struct log *log; /* a reference */
	char *function, *prefix; /* "dayfly: NAME: ", which a line of its own log need not say */
	char version[24];
	struct lines lines;
};

static struct {
	pthread_mutex_t lock;
	/* protected by lock: */
	bool running;
	LIST_HEAD(, reader) readers;

	pthread_t thread;
	int epoll_fd, stop_fd;
} net_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	df_cleanup_fd(&reader->fd);
	log_unref(reader->log);
	free(reader->function);
	free(reader->prefix);
	free(reader);
}

static void say(void *context, char *line, size_t length)
{
	const struct reader *reader = context;
	const struct log_event event = {
		.function = reader->function,
		.version = reader->version,
		.level = LOG_LEVEL_WARNING,
		.message =
			line + (df_starts_with(line, reader->prefix) ? strlen(reader->prefix) : 0),
	};

	if (length)
		log_event(reader->log, &event);
}

static struct reader *reader_new(const struct function *function)
{
	const char *name = function->config->name;
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->fd = -1;
	lines_begin(&reader->lines, say, reader);
	reader->log = log_get(name);
	reader->function = strdup(name);
	reader->prefix = df_format("dayfly: %s: ", name);
	memcpy(reader->version, function->version, sizeof(reader->version));
	if (reader->log && reader->function && reader->prefix)
		return reader;
	reader_free(reader);
	return NULL;
}

static void read_some(struct reader *reader)
{
	char bytes[1024];
	ssize_t n = read(reader->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		lines_add(&reader->lines, bytes, (size_t)n);
		return;
	}
	lines_end(&reader->lines);
	pthread_mutex_lock(&net_log.lock);
	LIST_REMOVE(reader, link);
	pthread_mutex_unlock(&net_log.lock);
	reader_free(reader);
}

static void *read_all(void *unused)
{
	struct epoll_event events[16];

	(void)unused;
	for (;;) {
		int count = epoll_wait(net_log.epoll_fd, events, 16, -1);

		for (int i = 0; i < count; i++) {
			if (!events[i].data.ptr)
				return NULL;
			read_some(events[i].data.ptr);
		}
	}
}

/* With net_log.lock held. The daemon has no thread for this before the first function with a network. */
static int begin(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	int error = 0;

	if (net_log.running)
		return 0;
	net_log.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	net_log.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (net_log.epoll_fd < 0 || net_log.stop_fd < 0 ||
		epoll_ctl(net_log.epoll_fd, EPOLL_CTL_ADD, net_log.stop_fd, &event) < 0)
		error = -errno;
	if (!error)
		error = -pthread_create(&net_log.thread, NULL, read_all, NULL);
	if (error) {
		df_cleanup_fd(&net_log.epoll_fd);
		df_cleanup_fd(&net_log.stop_fd);
	}
	net_log.running = !error;
	return error;
}

/* Takes the reader. */
static int add(struct reader *reader)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
	int error;

	pthread_mutex_lock(&net_log.lock);
	error = begin();
	if (!error) {
		LIST_INSERT_HEAD(&net_log.readers, reader, link);
		if (epoll_ctl(net_log.epoll_fd, EPOLL_CTL_ADD, reader->fd, &event) < 0) {
			error = -errno;
			LIST_REMOVE(reader, link);
		}
	}
	pthread_mutex_unlock(&net_log.lock);
	if (error)
		reader_free(reader);
	return error;
}

int net_log_open(const struct function *function)
{
	struct reader *reader = reader_new(function);
	DF_CLOSE int theirs = -1;
	int ends[2], error;

	if (!reader)
		return -ENOMEM;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		error = -errno;
		reader_free(reader);
		return error;
	}
	reader->fd = ends[0];
	theirs = ends[1];
	error = add(reader);
	return error ? error : df_take_fd(&theirs);
}

void net_log_deinit(void)
{
	struct reader *reader;
	uint64_t one = 1;

	if (!net_log.running)
		return;
	(void)!write(net_log.stop_fd, &one, sizeof(one));
	pthread_join(net_log.thread, NULL);
	while ((reader = LIST_FIRST(&net_log.readers))) {
		LIST_REMOVE(reader, link);
		reader_free(reader);
	}
	close(net_log.epoll_fd);
	close(net_log.stop_fd);
	net_log.running = false;
}
