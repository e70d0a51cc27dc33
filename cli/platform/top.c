/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly top`: a table that is drawn anew every other second, or once. */
#include "cli/platform/top.h"

#include "cli/event.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define INTERVAL_MS 2000
#define ONCE_MS 1000 /* between the two samples */
#define LINES_AROUND 4 /* of the screen that are no functions */

struct top_options {
	bool once, json;
};

static int set_once(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct top_options *)into)->once, value, err);
}

static int set_json(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct top_options *)into)->json, value, err);
}

static const struct flag top_flags[] = {
	{"--once", NULL, "look for a second, print one table and end", set_once},
	{"--json", NULL, "the same as JSON, for programs", set_json},
	{0},
};

static const struct page page = {"top [FLAGS]",
	"Shows what functions do now, the busiest first: events and failed ones a second, the\n"
	"time that half of them (P50) and 99 of 100 (P99) took at most, microVMs and how many are\n"
	"busy, memory, and how many events wait. Of services, how many run; `dayfly ps` tells more.\n"
	"Ends with q or Ctrl-C; without a terminal at once.\n",
	0, 0, WORDS_NONE, NULL};

/* --- printing --- */

static void print_head(const struct top_view *view)
{
	char age[UNITS_BYTES], memory[UNITS_BYTES], services[64] = "";

	if (view->services)
		snprintf(services, sizeof(services), " · %llu of %llu service%s running",
			(unsigned long long)view->services_running,
			(unsigned long long)view->services, view->services == 1 ? "" : "s");
	table_line(
		"dayflyd up %s · %zu function%s · %.0f events/s · %llu of %llu microVMs busy, %s in "
		"%llu process%s%s",
		units_age(view->uptime_ms, age), view->count, view->count == 1 ? "" : "s",
		view->total.events_per_s, (unsigned long long)view->total.busy,
		(unsigned long long)view->total.instances,
		units_size(view->total.memory_bytes, memory), (unsigned long long)view->processes,
		view->processes == 1 ? "" : "es", services);
	putchar('\n');
}

static void add_time(struct table *table, uint64_t ns)
{
	char text[UNITS_BYTES];

	table_add(table, "%s", ns ? units_time(ns, text) : "-");
}

static void add_rate(struct table *table, double rate)
{
	table_add(table, rate > 0 && rate < 9.95 ? "%.1f" : "%.0f", rate);
}

static void add_row(struct table *table, const struct top_row *row)
{
	char memory[UNITS_BYTES];

	table_add(table, "%s", row->name);
	add_rate(table, row->events_per_s);
	add_rate(table, row->errors_per_s);
	add_time(table, row->p50_ns);
	add_time(table, row->p99_ns);
	table_add(table, "%llu", (unsigned long long)row->instances);
	table_add(table, "%llu", (unsigned long long)row->busy);
	table_add(table, "%s", row->memory_bytes ? units_size(row->memory_bytes, memory) : "-");
	table_add(table, "%llu", (unsigned long long)row->queued);
}

static void print_view(const struct top_view *view, size_t most)
{
	static const char *const heads[] = {"FUNCTION", ">EVENTS/S", ">ERRORS/S", ">P50", ">P99",
		">INSTANCES", ">BUSY", ">MEMORY", ">WAITING", NULL};
	struct table table = {.heads = heads};
	size_t shown = view->count <= most ? view->count : most > 0 ? most - 1 : 0;

	print_head(view);
	for (size_t i = 0; i < shown; i++)
		add_row(&table, &view->rows[i]);
	table_print(&table);
	if (shown < view->count)
		printf("and %zu more\n", view->count - shown);
}

/* --- once --- */

static int show_once(bool json, struct df_err *err)
{
	struct top_sample before, after = {NULL, NULL};
	struct top_view view = {.rows = NULL};
	int status = top_sample_take(&before, err);

	if (status)
		return status;
	(void)poll(NULL, 0, ONCE_MS);
	status = top_sample_take(&after, err);
	if (!status)
		status = top_view_make(&before, &after, &view, err);
	if (!status && json) {
		json_t *all = top_view_json(&view);

		status = print_json(all, err);
		json_decref(all);
	} else if (!status) {
		print_view(&view, SIZE_MAX);
	}
	top_view_deinit(&view);
	top_sample_deinit(&before);
	top_sample_deinit(&after);
	return status;
}

/* --- on a terminal --- */

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

/* The terminal's other screen, without echo. False: it stayed as it was. */
static bool take_screen(struct termios *before)
{
	const struct sigaction action = {.sa_handler = end};
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, before) < 0)
		return false;
	raw = *before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	printf("\033[?1049h\033[?25l");
	return true;
}

static void leave_screen(const struct termios *before)
{
	printf("\033[?25h\033[?1049l");
	fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, before);
}

static size_t screen_lines(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row <= LINES_AROUND)
		return 1;
	return size.ws_row - LINES_AROUND;
}

static void wait_for_key(void)
{
	struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = 0;

	if (poll(&keys, 1, INTERVAL_MS) <= 0)
		return;
	if (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q')
		ended = 1;
}

static int draw(const struct top_sample *before, const struct top_sample *now, struct df_err *err)
{
	struct top_view view;
	int status = top_view_make(before, now, &view, err);

	if (status)
		return status;
	printf("\033[H\033[J");
	print_view(&view, screen_lines());
	fflush(stdout);
	top_view_deinit(&view);
	return 0;
}

static int watch(struct df_err *err)
{
	struct top_sample before = {NULL, NULL}, now = {NULL, NULL};
	struct termios terminal;
	int status = top_sample_take(&before, err);

	if (status)
		return status;
	if (!take_screen(&terminal)) {
		top_sample_deinit(&before);
		return show_once(false, err);
	}
	status = draw(&before, &before, err);
	while (!status && !ended) {
		wait_for_key();
		if (ended)
			break;
		status = top_sample_take(&now, err);
		if (!status)
			status = draw(&before, &now, err);
		top_sample_deinit(&before);
		before = now;
		now = (struct top_sample){NULL, NULL};
	}
	leave_screen(&terminal);
	top_sample_deinit(&before);
	return status;
}

int command_top(int argc, char **argv)
{
	struct top_options how = {false, false};
	const struct flag_set sets[] = {{top_flags, &how}, {0}};
	struct df_err err = {0};
	int next, status = page_flags(&page, sets, argc, argv, &next, &err);

	if (status)
		return page_end(status, &err);
	if (how.once || how.json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		status = show_once(how.json, &err);
	else
		status = watch(&err);
	return page_end(status, &err);
}
