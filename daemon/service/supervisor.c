/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: one thread that has all services' processes. Each turn it brings every service nearer to what is wanted of it, then waits
 * for what happens: an end, output, a check's connection, a time that is over, or a caller (wake_fd).
 *
 * The lock is held but while it waits. Nothing that is done with it blocks for longer than starting a process takes.
 */
#include "daemon/service/supervisor.h"

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/metrics.h"
#include "host/array.h"
#include "host/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A service that has nothing to be connected to is up when it has lived this long. */
#define SETTLE_NS 1000000000ull
#define PROBE_MS_MIN 20u /* between the checks until it is up, doubling */
#define PROBE_MS_MAX 200u
#define BACKOFF_MS_MIN 100u /* until it is started again, doubling */
#define BACKOFF_MS_MAX 30000u
#define BACKOFF_RESET_NS 60000000000ull /* of running */
#define KILL_AGAIN_NS 10000000000ull
#define TAIL_MAX 4096u
#define READ_BYTES 16384u
/* How soon output is looked at again while the log is behind. */
#define BEHIND_MS 20
#define MS 1000000ull

/* Entries of the poll list for each service. */
enum { AT_NET, AT_END, AT_OUT, AT_ERRORS, AT_CHECK, AT_EACH };

void supervisor_wake(void)
{
	const uint64_t one = 1;

	(void)!write(supervisor.wake_fd, &one, sizeof(one));
}

const char *service_state_text(enum service_state state)
{
	static const char *const texts[] = {
		[SERVICE_STOPPED] = "stopped",
		[SERVICE_STARTING] = "starting",
		[SERVICE_RUNNING] = "running",
		[SERVICE_STOPPING] = "stopping",
		[SERVICE_BACKING_OFF] = "backing off",
		[SERVICE_FAILED] = "failed",
	};

	return texts[state];
}

bool service_has_process(const struct service *s)
{
	return launched_is_there(&s->process);
}

/* --- what is said --- */

static void say(const struct service *s, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const struct service *s, enum log_level level, const char *format, ...)
{
	char text[512];
	va_list arguments;
	const struct log_event event = {.function = s->name, .level = level, .message = text};

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_event(s->function->tally->log, &event);
}

static void set_state(struct service *s, enum service_state state)
{
	s->state = state;
	pthread_cond_broadcast(&supervisor.changed);
}

/* --- checks --- */

/* Where to connect: what `health` names, else the first port that is published. False: nowhere. */
static bool find_port(const struct function_service *config, struct df_publish *publish)
{
	for (size_t i = 0; config->publish[i]; i++) {
		if (df_publish_parse(config->publish[i], publish, NULL) == 0 && !publish->udp &&
			(!config->health.port || publish->guest_port == config->health.port))
			return true;
	}
	return false;
}

static void become_up(struct service *s, uint64_t now_ns)
{
	s->up_ns = now_ns;
	s->trial = false;
	s->failed_checks = 0;
	s->check_ns = now_ns + s->function->config->service.health.every_ms * MS;
	df_str_clear(&s->tail);
	say(s, LOG_LEVEL_INFO, "up after %.1f ms", (double)(now_ns - s->started_ns) / 1e6);
	set_state(s, SERVICE_RUNNING);
}

static void signal_to(const struct service *s, int number)
{
	if (s->process.pid > 0)
		kill(s->process.pid, number);
}

/* Asks it to end, because of `cause`, and kills it if it does not. */
static void ask_to_end(struct service *s, uint64_t now_ns, const char *cause)
{
	snprintf(s->cause, sizeof(s->cause), "%s", cause);
	check_end(&s->check);
	signal_to(s, SIGTERM);
	s->due_ns = now_ns + s->function->config->service.stop_ms * MS;
	set_state(s, SERVICE_STOPPING);
}

static void judge_check(struct service *s, enum check_result result, uint64_t now_ns)
{
	const struct function_service *config = &s->function->config->service;
	char cause[160];

	if (s->state == SERVICE_STARTING && result == CHECK_GOOD) {
		become_up(s, now_ns);
	} else if (s->state == SERVICE_STARTING) {
		s->check_ns = now_ns + s->probe_ms * MS;
		s->probe_ms = s->probe_ms < PROBE_MS_MAX / 2 ? 2 * s->probe_ms : PROBE_MS_MAX;
	} else if (result == CHECK_GOOD) {
		s->check_ns = now_ns + config->health.every_ms * MS;
		s->failed_checks = 0;
	} else {
		s->check_ns = now_ns + config->health.every_ms * MS;
		s->failed_checks++;
		say(s, LOG_LEVEL_WARNING, "health check %u of %u failed: %s", s->failed_checks,
			config->health.failures, s->check.why);
		snprintf(cause, sizeof(cause), "%u health checks failed: %s", s->failed_checks,
			s->check.why);
		if (s->failed_checks >= config->health.failures)
			ask_to_end(s, now_ns, cause);
	}
}

static void begin_check(struct service *s, const struct df_publish *publish, uint64_t now_ns)
{
	const struct function_service *config = &s->function->config->service;

	if (!config->health.path)
		df_net_ask(&s->process.net);
	check_begin(&s->check, publish, config->health.path, config->health.timeout_ms);
	if (s->check.fd < 0)
		judge_check(s, CHECK_BAD, now_ns);
}

static void step_check(struct service *s, short revents, uint64_t now_ns)
{
	enum check_result result;

	if (s->check.fd < 0)
		return;
	result = check_step(&s->check, revents);
	if (result != CHECK_GOING_ON)
		judge_check(s, result, now_ns);
}

/* --- after its end --- */

/* It is started again a while later. */
static void back_off(struct service *s, uint64_t now_ns)
{
	s->backoff_ms = !s->backoff_ms               ? BACKOFF_MS_MIN
		: s->backoff_ms < BACKOFF_MS_MAX / 2 ? 2 * s->backoff_ms
						     : BACKOFF_MS_MAX;
	s->due_ns = now_ns + s->backoff_ms * MS;
	set_state(s, SERVICE_BACKING_OFF);
}

/* It has ended, or could not be started. `reason` is set. */
static void after_end(struct service *s, bool well, uint64_t now_ns)
{
	enum function_restart restart = s->function->config->service.restart;
	bool again = restart == RESTART_ALWAYS || (restart == RESTART_ON_FAILURE && !well);

	s->ends++;
	if (!s->wanted || supervisor.ending) {
		say(s, LOG_LEVEL_INFO, "stopped: %s", s->reason);
		set_state(s, SERVICE_STOPPED);
	} else if (s->trial || !again) {
		s->wanted = false;
		say(s, well && !s->trial ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "%s", s->reason);
		set_state(s, well && !s->trial ? SERVICE_STOPPED : SERVICE_FAILED);
	} else {
		back_off(s, now_ns);
		say(s, LOG_LEVEL_WARNING, "%s; started again in %.1f s", s->reason,
			s->backoff_ms / 1e3);
	}
}

/* --- output and ends --- */

static void add_tail(struct service *s, const char *bytes, size_t count)
{
	size_t drop;

	df_str_add_bytes(&s->tail, bytes, count);
	if (s->tail.failed || s->tail.length <= TAIL_MAX)
		return;
	drop = s->tail.length - TAIL_MAX;
	memmove(s->tail.data, s->tail.data + drop, TAIL_MAX);
	df_str_cut(&s->tail, TAIL_MAX);
}

static void put_line(void *context, char *line, size_t length)
{
	const struct stream *stream = context;

	log_output(stream->log, stream->service, stream->name, line, length);
}

static void begin_stream(struct stream *stream, struct log *log, const char *service,
	const char *name)
{
	stream->log = log;
	stream->service = service;
	stream->name = name;
	lines_begin(&stream->lines, put_line, stream);
}

/* Reads once. False: there is nothing more now. */
static bool take_output(struct service *s, int *fd, struct stream *stream)
{
	static char buffer[READ_BYTES];
	ssize_t got = *fd >= 0 ? read(*fd, buffer, sizeof(buffer)) : -1;

	if (got > 0) {
		lines_add(&stream->lines, buffer, (size_t)got);
		if (!s->up_ns)
			add_tail(s, buffer, (size_t)got);
		return true;
	}
	if (got == 0 || (*fd >= 0 && errno != EAGAIN && errno != EINTR)) {
		close(*fd);
		*fd = -1;
	}
	return false;
}

/* What a process left in its pipes, and no more than they hold: another process may have them open. */
static void drain(struct service *s)
{
	for (size_t i = 0; i < (1u << 20) / READ_BYTES; i++) {
		bool out = take_output(s, &s->process.out_fd, &s->out);
		bool errors = take_output(s, &s->process.error_fd, &s->errors);

		if (!out && !errors)
			break;
	}
	lines_end(&s->out.lines);
	lines_end(&s->errors.lines);
}

static void tell_end(struct service *s, int status, uint64_t now_ns)
{
	char how[96], after[32];
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "it was ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else if (code > 128 && code <= 128 + SIGSYS)
		snprintf(how, sizeof(how), "it ended with exit status %d, as of signal %d (%s)",
			code, code - 128, strsignal(code - 128));
	else
		snprintf(how, sizeof(how), "it ended with exit status %d", code);
	if (now_ns - s->started_ns < 10000 * MS)
		snprintf(after, sizeof(after), "%.0f ms", (double)(now_ns - s->started_ns) / 1e6);
	else
		snprintf(after, sizeof(after), "%.0f s", (double)(now_ns - s->started_ns) / 1e9);
	if (*s->cause)
		snprintf(s->reason, sizeof(s->reason), "%s; %s", s->cause, how);
	else
		snprintf(s->reason, sizeof(s->reason), "%s after %s", how, after);
}

/* All of it has ended, or ends now. Returns the monitor's status. */
static int end_process(struct service *s)
{
	int status = launched_reap(&s->process);

	check_end(&s->check);
	drain(s);
	launched_end(&s->process);
	return status;
}

static void take_end(struct service *s, uint64_t now_ns)
{
	int status = end_process(s);

	tell_end(s, status, now_ns);
	if (s->up_ns && now_ns - s->up_ns >= BACKOFF_RESET_NS)
		s->backoff_ms = 0;
	after_end(s, !*s->cause && WIFEXITED(status) && WEXITSTATUS(status) == 0, now_ns);
}

/* --- starting --- */

/* What dayfly-net has said, the last line of it. */
static void add_last_words(struct service *s)
{
	static const char own[] = "dayfly: ";
	const char *text = df_str_text(&s->tail), *line;
	size_t length = s->tail.length, used = strlen(s->reason);

	while (length && text[length - 1] == '\n')
		length--;
	line = length ? memrchr(text, '\n', length) : NULL;
	line = line ? line + 1 : text;
	length -= (size_t)(line - text);
	if (length > sizeof(own) - 1 && strncmp(line, own, sizeof(own) - 1) == 0) {
		line += sizeof(own) - 1;
		length -= sizeof(own) - 1;
		snprintf(s->reason + used, sizeof(s->reason) - used, ": %.*s", (int)length, line);
	}
}

static void fail_start(struct service *s, int error, const struct df_err *err, uint64_t now_ns)
{
	if (s->process.pid > 0)
		signal_to(s, SIGKILL);
	(void)end_process(s);
	if (error == -EPIPE) {
		snprintf(s->reason, sizeof(s->reason), "the network could not be set up");
		add_last_words(s);
	} else {
		snprintf(s->reason, sizeof(s->reason), "%.400s", err->text);
	}
	after_end(s, false, now_ns);
}

static void start_monitor(struct service *s, uint64_t now_ns)
{
	struct df_err err = {0};
	int error = launch_monitor(&supervisor.settings, s->function, &s->process, &err);

	if (error) {
		fail_start(s, error, &err, now_ns);
		return;
	}
	s->started_ns = s->check_ns = clock_now_ns();
	say(s, LOG_LEVEL_INFO, "started, pid %d", (int)s->process.pid);
}

static void start(struct service *s, uint64_t now_ns)
{
	struct log *log = s->function->tally->log;
	struct df_err err = {0};
	bool waits = false;
	int error;

	if (s->state == SERVICE_BACKING_OFF)
		s->restarts++;
	s->up_ns = 0;
	s->cause[0] = '\0';
	s->probe_ms = PROBE_MS_MIN;
	s->started_ns = now_ns;
	s->due_ns = now_ns + s->function->config->boot_timeout_ms * MS;
	df_str_clear(&s->tail);
	begin_stream(&s->out, log, s->name, "stdout");
	begin_stream(&s->errors, log, s->name, "stderr");
	set_state(s, SERVICE_STARTING);
	error = launch_begin(&supervisor.settings, s->function, &s->process, &waits, &err);
	if (error)
		fail_start(s, error, &err, now_ns);
	else if (!waits)
		start_monitor(s, now_ns);
}

/* dayfly-net is ready, or says that a connection was taken, or has ended: the service does not go on without it. */
static void take_net(struct service *s, uint64_t now_ns)
{
	int heard;

	if (s->process.pid < 0) {
		start_monitor(s, now_ns);
		return;
	}
	heard = df_net_heard(&s->process.net);
	if (heard < 0) {
		ask_to_end(s, now_ns, "its network (dayfly-net) has ended");
		signal_to(s, SIGKILL);
	} else if (heard && check_taken(&s->check) == CHECK_GOOD) {
		judge_check(s, CHECK_GOOD, now_ns);
	}
}

/* --- a turn --- */

static void kill_late(struct service *s, uint64_t now_ns)
{
	say(s, LOG_LEVEL_WARNING, "it did not end within %.1f s, and is killed",
		(double)s->function->config->service.stop_ms / 1e3);
	signal_to(s, SIGKILL);
	s->due_ns = now_ns + KILL_AGAIN_NS;
}

/* There is no monitor yet that could be asked to. */
static void end_unborn(struct service *s, uint64_t now_ns, const char *why)
{
	struct df_err err;

	fail_start(s, df_err_set(&err, -ETIMEDOUT, "%s", why), &err, now_ns);
}

static void step_starting(struct service *s, uint64_t now_ns)
{
	struct df_publish publish;
	char cause[160];

	if (s->process.pid < 0) {
		if (now_ns >= s->due_ns)
			end_unborn(s, now_ns, "its network (dayfly-net) was not ready in time");
	} else if (!find_port(&s->function->config->service, &publish)) {
		if (now_ns >= s->started_ns + SETTLE_NS)
			become_up(s, now_ns);
	} else if (now_ns >= s->due_ns) {
		snprintf(cause, sizeof(cause),
			"it was not up within %.1f s (boot_timeout): port %u: %s",
			(double)s->function->config->boot_timeout_ms / 1e3, publish.guest_port,
			*s->check.why ? s->check.why : "no answer");
		ask_to_end(s, now_ns, cause);
	} else if (s->check.fd < 0 && now_ns >= s->check_ns) {
		begin_check(s, &publish, now_ns);
	}
}

static void step_running(struct service *s, uint64_t now_ns)
{
	const struct function_service *config = &s->function->config->service;
	struct df_publish publish;

	if (config->health.port && s->check.fd < 0 && now_ns >= s->check_ns &&
		find_port(config, &publish))
		begin_check(s, &publish, now_ns);
}

static void step(struct service *s, uint64_t now_ns)
{
	bool wanted = s->wanted && !supervisor.ending;

	if (supervisor.aborting)
		signal_to(s, SIGKILL);
	switch (s->state) {
	case SERVICE_STOPPED:
	case SERVICE_FAILED:
		if (wanted)
			start(s, now_ns);
		break;
	case SERVICE_BACKING_OFF:
		if (!wanted)
			set_state(s, SERVICE_STOPPED);
		else if (now_ns >= s->due_ns)
			start(s, now_ns);
		break;
	case SERVICE_STOPPING:
		if (now_ns >= s->due_ns)
			kill_late(s, now_ns);
		break;
	case SERVICE_STARTING:
	case SERVICE_RUNNING:
		if (!wanted && s->process.pid < 0)
			end_unborn(s, now_ns, "it was stopped before it began");
		else if (!wanted)
			ask_to_end(s, now_ns, "");
		else if (s->state == SERVICE_STARTING)
			step_starting(s, now_ns);
		else
			step_running(s, now_ns);
		break;
	}
}

/* When step has something to do, if nothing happens. */
static uint64_t next_ns(const struct service *s)
{
	const struct function_service *config = &s->function->config->service;
	struct df_publish publish;

	if (s->check.fd >= 0)
		return check_until_ns(&s->check) < s->due_ns || s->state == SERVICE_RUNNING
			? check_until_ns(&s->check)
			: s->due_ns;
	switch (s->state) {
	case SERVICE_STARTING:
		if (s->process.pid < 0)
			return s->due_ns;
		if (!find_port(config, &publish))
			return s->started_ns + SETTLE_NS;
		return s->check_ns < s->due_ns ? s->check_ns : s->due_ns;
	case SERVICE_RUNNING:
		return config->health.port ? s->check_ns : UINT64_MAX;
	case SERVICE_STOPPING:
	case SERVICE_BACKING_OFF:
		return s->due_ns;
	default:
		return UINT64_MAX;
	}
}

static void free_gone(void)
{
	struct service *s, *next;

	for (s = LIST_FIRST(&supervisor.services); s; s = next) {
		next = LIST_NEXT(s, link);
		if (!s->gone || service_has_process(s))
			continue;
		LIST_REMOVE(s, link);
		function_unref(s->function);
		df_str_deinit(&s->tail);
		free(s);
	}
}

struct polls {
	struct pollfd *fds;
	size_t count, capacity;
	int timeout_ms;
};

static void add_service(struct polls *polls, struct service *s, bool behind)
{
	struct pollfd *at = &polls->fds[polls->count];

	s->poll_at = (int)polls->count;
	/* While it ends, that its network does is no news. */
	at[AT_NET] = (struct pollfd){
		.fd = s->state == SERVICE_STOPPING ? -1 : s->process.net.life, .events = POLLIN};
	at[AT_END] = (struct pollfd){.fd = s->process.pid_fd, .events = POLLIN};
	/* Left out altogether, since the end of a pipe is reported unasked. */
	at[AT_OUT] = (struct pollfd){behind ? -1 : s->process.out_fd, POLLIN, 0};
	at[AT_ERRORS] = (struct pollfd){behind ? -1 : s->process.error_fd, POLLIN, 0};
	at[AT_CHECK] = (struct pollfd){s->check.fd, check_events(&s->check), 0};
	polls->count += AT_EACH;
}

/* The list for poll, and how long to wait. A program whose lines the log can not take waits in its next write. */
static int make_polls(struct polls *polls)
{
	uint64_t now_ns = clock_now_ns(), until_ns = UINT64_MAX;
	bool behind = log_is_behind();
	struct service *s;

	polls->count = 0;
	if (df_array_reserve(&polls->fds, &polls->capacity, 1, sizeof(*polls->fds)) < 0)
		return -ENOMEM;
	polls->fds[polls->count++] = (struct pollfd){.fd = supervisor.wake_fd, .events = POLLIN};
	LIST_FOREACH(s, &supervisor.services, link)
	{
		uint64_t next = next_ns(s);

		s->poll_at = -1;
		until_ns = next < until_ns ? next : until_ns;
		if (df_array_reserve(&polls->fds, &polls->capacity, polls->count + AT_EACH,
			    sizeof(*polls->fds)) == 0)
			add_service(polls, s, behind);
	}
	polls->timeout_ms = until_ns == UINT64_MAX ? -1
		: until_ns <= now_ns               ? 0
		: until_ns - now_ns > 1000000 * MS ? 1000000
						   : (int)((until_ns - now_ns + MS - 1) / MS);
	if (behind && (polls->timeout_ms < 0 || polls->timeout_ms > BEHIND_MS))
		polls->timeout_ms = BEHIND_MS;
	return 0;
}

static void take_events(struct service *s, const struct pollfd *fds, uint64_t now_ns)
{
	if (fds[AT_OUT].revents)
		take_output(s, &s->process.out_fd, &s->out);
	if (fds[AT_ERRORS].revents)
		take_output(s, &s->process.error_fd, &s->errors);
	step_check(s, fds[AT_CHECK].revents, now_ns);
	if (fds[AT_END].revents)
		take_end(s, now_ns);
	else if (fds[AT_NET].revents && s->state != SERVICE_STOPPING)
		take_net(s, now_ns);
}

/* Once more: wait, and see. With the lock, which is given up meanwhile. */
static void turn(struct polls *polls)
{
	const struct timespec pause = {0, 10000000};
	struct service *s;
	uint64_t count;
	int error = make_polls(polls), ready = -1;

	pthread_mutex_unlock(&supervisor.lock);
	if (error)
		nanosleep(&pause, NULL);
	else
		ready = poll(polls->fds, polls->count, polls->timeout_ms);
	pthread_mutex_lock(&supervisor.lock);
	if (ready < 0)
		return;
	if (polls->fds[0].revents)
		(void)!read(supervisor.wake_fd, &count, sizeof(count));
	LIST_FOREACH(s, &supervisor.services, link)
	{
		if (s->poll_at > 0)
			take_events(s, &polls->fds[s->poll_at], clock_now_ns());
	}
}

static bool is_over(void)
{
	const struct service *s;

	LIST_FOREACH(s, &supervisor.services, link)
	{
		if (service_has_process(s))
			return false;
	}
	return supervisor.aborting;
}

void *supervisor_run(void *unused)
{
	struct polls polls = {0};
	struct service *s;

	(void)unused;
	pthread_mutex_lock(&supervisor.lock);
	while (!is_over()) {
		free_gone();
		LIST_FOREACH(s, &supervisor.services, link)
		step(s, clock_now_ns());
		turn(&polls);
	}
	pthread_mutex_unlock(&supervisor.lock);
	free(polls.fds);
	return NULL;
}
