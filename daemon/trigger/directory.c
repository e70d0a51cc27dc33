/* SPDX-License-Identifier: Apache-2.0 */
/* The trigger `directory`: see directory.h. Here its thread; directory_file.c makes events of files. */
#include "daemon/trigger/directory.h"

#include "daemon/clock.h"
#include "daemon/event/async.h"
#include "daemon/event/destination.h"
#include "daemon/log.h"
#include "daemon/state.h"
#include "host/cleanup.h"
#include "host/path.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define WATCHED                                                                      \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | \
		IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)
#define LOST (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)
/* After something could not be done. */
#define AGAIN_NS 2000000000ull
/* So often it is asked whether the path still leads to the directory that is watched. */
#define CHECK_NS 10000000000ull
#define NS_PER_MS 1000000ull

/* A trigger's state. */
struct watching {
	LIST_ENTRY(watching) link;
	bool stopping; /* atomic */
	bool ended; /* protected by the lock: the thread has let go of it */
	/* The thread's: */
	struct directory d;
	int watch; /* inotify's; -1: none. Two triggers of one directory have the same */
	bool scan; /* it is to be read as a whole */
	bool lost; /* inotify says that it was moved or removed */
	uint64_t young_ns, again_ns, check_ns; /* when to do what the name says; 0: not */
};

static struct {
	pthread_t thread;
	bool started;
	int inotify, wake;
	LIST_HEAD(, watching) all; /* the thread's */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* `ended` of one of them */
	/* protected by lock: */
	LIST_HEAD(, watching) incoming;
	bool stop;
} watcher = {.inotify = -1,
	.wake = -1,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER};

/* --- descriptions --- */

static const char *path_of(const json_t *settings)
{
	return trigger_text(settings, "path", NULL);
}

static int check(const json_t *settings, struct df_err *err)
{
	static const char *const known[] = {"path", "pattern", "body", NULL};
	const char *path = path_of(settings);
	const char *pattern = trigger_text(settings, "pattern", "*");
	const char *body = trigger_text(settings, "body", "file");
	DF_FREE char *clean = path ? strdup(path) : NULL;
	int error = trigger_check_keys(settings, "directory", known, err);

	if (error)
		return error;
	if (clean)
		df_path_clean(clean);
	if (!path || *path != '/' || strlen(path) >= PATH_MAX || !clean ||
		strcmp(clean, path) != 0 || strstr(path, "/../") || df_ends_with(path, "/.."))
		return df_err_set(err, -EINVAL,
			"path must be the absolute path of a directory, without . and .. in it");
	if (!pattern || !*pattern || strchr(pattern, '/'))
		return df_err_set(err, -EINVAL, "pattern must be one of file names, such as *.jpg");
	if (!body || (strcmp(body, "file") != 0 && strcmp(body, "event") != 0))
		return df_err_set(err, -EINVAL, "body must be event or file");
	return 0;
}

/* The directory that a destination writes to, if it is one and always the same. To be freed. */
static char *destination_directory(const char *text)
{
	struct destination to;
	DF_FREE char *results = state_path("results"), *path = NULL, *directory = NULL;

	if (!text || destination_parse(text, &to, NULL) || to.kind != DESTINATION_FILE || !results)
		return NULL;
	path = *to.value == '/' ? strdup(to.value) : df_path_join(results, to.value);
	directory = path ? df_dir_name(path) : NULL;
	if (!directory || strchr(directory, '{'))
		return NULL;
	return df_take_ptr(&directory);
}

/* A function whose results are events for itself would go on for ever. */
static int check_loop(int fd, const char *path, const char *text, struct df_err *err)
{
	DF_FREE char *directory = destination_directory(text);
	struct stat watched, written;

	if (!directory || stat(directory, &written) < 0 || fstat(fd, &watched) < 0 ||
		watched.st_ino != written.st_ino || watched.st_dev != written.st_dev)
		return 0;
	return df_err_set(err, -EINVAL,
		"results would go into the directory whose files are events, %s, and be events again; name another one",
		path);
}

static int prepare(const struct function_config *function, const json_t *settings,
	struct df_err *err)
{
	const char *path = path_of(settings);
	DF_CLOSE int fd = directory_open(path, err);
	int error;

	if (fd < 0)
		return fd;
	error = check_loop(fd, path, function->async.on_success, err);
	return error ? error : check_loop(fd, path, function->async.on_failure, err);
}

static void identify(const json_t *settings, struct df_str *text)
{
	df_str_add(text, path_of(settings));
}

/* --- one directory --- */

static bool is_shared(const struct watching *w)
{
	const struct watching *other;

	LIST_FOREACH(other, &watcher.all, link)
	{
		if (other != w && other->watch == w->watch)
			return true;
	}
	return false;
}

static void detach(struct watching *w)
{
	df_cleanup_fd(&w->d.fd);
	w->d.fd = -1;
	if (w->watch >= 0 && !is_shared(w))
		(void)inotify_rm_watch(watcher.inotify, w->watch);
	w->watch = -1;
	w->lost = w->scan = false;
}

static void lose(struct watching *w, const char *why)
{
	detach(w);
	w->again_ns = clock_now_ns() + AGAIN_NS;
	trigger_problem(w->d.trigger, why);
}

/* Opens and watches it. From here on nothing is missed; what was there before is found by the scan. */
static void attach(struct watching *w)
{
	char link[64];
	struct df_err err = {0};

	w->again_ns = 0;
	w->d.fd = directory_open(w->d.path, &err);
	if (w->d.fd < 0) {
		lose(w, err.text);
		return;
	}
	/* By its descriptor: the path may lead elsewhere by now. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", w->d.fd);
	w->watch = inotify_add_watch(watcher.inotify, link, WATCHED);
	if (w->watch < 0) {
		(void)df_err_set(&err, -errno, "the directory cannot be watched: %s%s",
			df_errno_text(errno),
			errno == ENOSPC ? "; raise fs.inotify.max_user_watches" : "");
		lose(w, err.text);
		return;
	}
	w->scan = true;
	w->check_ns = clock_now_ns() + CHECK_NS;
	trigger_problem(w->d.trigger, NULL);
}

static bool is_still_there(const struct watching *w)
{
	struct stat opened, named;

	return fstat(w->d.fd, &opened) == 0 && lstat(w->d.path, &named) == 0 &&
		opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/* All that the time has come for. */
static void work_on(struct watching *w)
{
	uint64_t now_ns = clock_now_ns();

	if (w->d.fd >= 0 && (w->lost || w->check_ns <= now_ns)) {
		w->check_ns = now_ns + CHECK_NS;
		if (w->lost || !is_still_there(w))
			lose(w, "the directory is not there any more");
	}
	if (w->d.fd < 0 && w->again_ns <= now_ns)
		attach(w);
	if (w->d.fd < 0)
		return;
	if (w->again_ns && w->again_ns <= now_ns) {
		w->again_ns = 0;
		w->scan = true;
	}
	if (w->scan) {
		w->scan = false;
		directory_scan(&w->d);
	}
	if (w->young_ns && w->young_ns <= now_ns) {
		w->young_ns = 0;
		directory_take_young(&w->d);
	}
	directory_flush(&w->d);
	if (g_hash_table_size(w->d.young) && !w->young_ns)
		w->young_ns = clock_now_ns() + DIRECTORY_YOUNG_MS * NS_PER_MS;
	if (w->d.again && !w->again_ns)
		w->again_ns = clock_now_ns() + AGAIN_NS;
	w->d.again = false;
}

static uint64_t due_ns(const struct watching *w)
{
	uint64_t due = w->d.fd < 0 ? w->again_ns : w->check_ns;

	if (w->scan || w->lost)
		return 0;
	if (w->young_ns && w->young_ns < due)
		due = w->young_ns;
	if (w->again_ns && w->again_ns < due)
		due = w->again_ns;
	return due;
}

/* What inotify says about it. */
static void hear(struct watching *w, const struct inotify_event *event)
{
	if (event->mask & LOST)
		w->lost = true;
	if (!event->len || w->d.fd < 0)
		return;
	if (event->mask & (IN_DELETE | IN_MOVED_FROM))
		directory_gone(&w->d, event->name);
	else
		directory_put_off(&w->d, event->name, true);
	if (!w->young_ns)
		w->young_ns = clock_now_ns() + DIRECTORY_YOUNG_MS * NS_PER_MS;
}

/* --- the thread --- */

static void read_events(void)
{
	_Alignas(struct inotify_event) char buffer[65536];
	ssize_t got = read(watcher.inotify, buffer, sizeof(buffer));
	struct watching *w;

	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event = (const struct inotify_event *)&buffer[at];

		at += (ssize_t)(sizeof(*event) + event->len);
		LIST_FOREACH(w, &watcher.all, link)
		{
			if (event->mask & IN_Q_OVERFLOW)
				w->scan = w->d.fd >= 0;
			else if (w->watch == event->wd)
				hear(w, event);
		}
	}
}

/* Those that came; false when the thread is to end. */
static bool take_incoming(void)
{
	struct watching *w;
	uint64_t count;
	bool stop;

	(void)!read(watcher.wake, &count, sizeof(count));
	pthread_mutex_lock(&watcher.lock);
	while ((w = LIST_FIRST(&watcher.incoming))) {
		LIST_REMOVE(w, link);
		LIST_INSERT_HEAD(&watcher.all, w, link);
	}
	stop = watcher.stop;
	pthread_mutex_unlock(&watcher.lock);
	return !stop;
}

static void let_go(struct watching *w)
{
	detach(w);
	LIST_REMOVE(w, link);
	pthread_mutex_lock(&watcher.lock);
	w->ended = true;
	pthread_cond_broadcast(&watcher.changed);
	pthread_mutex_unlock(&watcher.lock);
}

/* Does what is due; returns how long there is nothing else, in milliseconds. */
static int work(void)
{
	uint64_t next_ns = UINT64_MAX, now_ns;
	struct watching *w, *next;

	for (w = LIST_FIRST(&watcher.all); w; w = next) {
		next = LIST_NEXT(w, link);
		if (__atomic_load_n(&w->stopping, __ATOMIC_ACQUIRE)) {
			let_go(w);
			continue;
		}
		if (due_ns(w) <= clock_now_ns())
			work_on(w);
		if (due_ns(w) < next_ns)
			next_ns = due_ns(w);
	}
	if (next_ns == UINT64_MAX)
		return -1;
	now_ns = clock_now_ns();
	return next_ns <= now_ns ? 0 : (int)((next_ns - now_ns) / NS_PER_MS) + 1;
}

static void *run(void *unused)
{
	struct pollfd polled[] = {{watcher.inotify, POLLIN, 0}, {watcher.wake, POLLIN, 0}};

	while (take_incoming()) {
		read_events();
		(void)poll(polled, 2, work());
	}
	return unused;
}

/* --- starting and stopping --- */

static void wake(void)
{
	const uint64_t one = 1;

	(void)!write(watcher.wake, &one, sizeof(one));
}

static int load_mark(void *user, const struct queue_mark *mark)
{
	const struct watching *w = user;

	/* Owners that only begin the same are others. */
	if (strcmp(mark->owner, w->d.trigger->owner) == 0)
		g_hash_table_insert(w->d.seen, g_strdup(mark->key), g_strdup(mark->value));
	return 0;
}

static void free_watching(struct watching *w)
{
	g_hash_table_destroy(w->d.seen);
	g_hash_table_destroy(w->d.young);
	g_ptr_array_free(w->d.gone, TRUE);
	free(w);
}

static int start(struct trigger *trigger, struct df_err *err)
{
	struct watching *w = calloc(1, sizeof(*w));
	int error;

	if (!w)
		return df_err_set(err, -ENOMEM, "out of memory");
	w->watch = -1;
	w->d = (struct directory){
		.trigger = trigger,
		.path = path_of(trigger->settings),
		.pattern = trigger_text(trigger->settings, "pattern", "*"),
		.content = strcmp(trigger_text(trigger->settings, "body", "file"), "file") == 0,
		.stopping = &w->stopping,
		.fd = -1,
		.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
		.young = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.gone = g_ptr_array_new_with_free_func(g_free),
	};
	error = queue_each_mark(async_queue(), trigger->owner, load_mark, w);
	if (error) {
		free_watching(w);
		return df_err_set(err, error, "what was seen cannot be read: %s",
			df_errno_text(error));
	}
	trigger->state = w;
	pthread_mutex_lock(&watcher.lock);
	LIST_INSERT_HEAD(&watcher.incoming, w, link);
	pthread_mutex_unlock(&watcher.lock);
	wake();
	return 0;
}

static void stop(struct trigger *trigger)
{
	struct watching *w = trigger->state;

	__atomic_store_n(&w->stopping, true, __ATOMIC_RELEASE);
	wake();
	pthread_mutex_lock(&watcher.lock);
	while (!w->ended)
		pthread_cond_wait(&watcher.changed, &watcher.lock);
	pthread_mutex_unlock(&watcher.lock);
	free_watching(w);
}

const struct trigger_kind directory_kind = {
	.name = "directory",
	.check = check,
	.prepare = prepare,
	.identify = identify,
	.start = start,
	.stop = stop,
};

int directory_init(struct df_err *err)
{
	int error;

	/* The kernel's word that somebody wants to write to a file while it is asked whether somebody does. */
	signal(SIGIO, SIG_IGN);
	watcher.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watcher.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watcher.inotify < 0 || watcher.wake < 0)
		return df_err_set(err, -errno, "watching directories: %s", df_errno_text(errno));
	error = pthread_create(&watcher.thread, NULL, run, NULL);
	if (error)
		return df_err_set(err, -error, "starting the directories' thread failed: %s",
			df_errno_text(error));
	watcher.started = true;
	return 0;
}

void directory_deinit(void)
{
	if (watcher.started) {
		pthread_mutex_lock(&watcher.lock);
		watcher.stop = true;
		pthread_mutex_unlock(&watcher.lock);
		wake();
		pthread_join(watcher.thread, NULL);
		watcher.started = watcher.stop = false;
	}
	df_cleanup_fd(&watcher.inotify);
	df_cleanup_fd(&watcher.wake);
	watcher.inotify = watcher.wake = -1;
}
