/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly run -d`, `stop` and `start`: programs that the daemon keeps running. `dayfly deploy` makes services of manifests. */
#include "cli/platform/platform.h"

#include "cli/event.h"
#include "cli/net.h"
#include "cli/run_options.h"
#include "host/cleanup.h"
#include "host/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- how one is --- */

bool is_service(const json_t *function)
{
	return strcmp(member_text(function, "mode"), "service") == 0;
}

/* ", 127.0.0.1:8081 leads to its port 80" */
static void add_port(struct df_str *text, const char *published)
{
	char address[DF_IP_TEXT_MAX];
	struct df_publish p;

	if (df_publish_parse(published, &p, NULL))
		return;
	df_str_addf(text, ", %s%s leads to its port %u",
		df_ip_text(&p.address, p.host_port, address), p.udp ? "/udp" : "", p.guest_port);
}

int check_service_flags(const struct manifest *m, uint64_t timeout_ms, uint64_t concurrency,
	struct df_err *err)
{
	if (m->mode == MANIFEST_SERVICE && (timeout_ms || concurrency))
		return df_err_set(err, CLI_FAILED,
			"--timeout and --concurrency are for functions; %s is a service", m->name);
	return 0;
}

void print_service(const json_t *function)
{
	const json_t *service = json_object_get(function, "service"), *port;
	DF_STR struct df_str ports = DF_STR_EMPTY;
	size_t index;

	json_array_foreach(json_object_get(function, "publish"), index, port)
		add_port(&ports, json_string_value(port));
	printf("%s: %s%s\n", member_text(function, "name"), member_text(service, "state"),
		df_str_text(&ports));
}

/* --- run -d --- */

static bool copy_list(struct manifest_list *list, const char *const *from, size_t count)
{
	list->items = count ? calloc(count + 1, sizeof(*list->items)) : NULL;
	for (; list->items && list->count < count; list->count++) {
		list->items[list->count] = strdup(from[list->count]);
		if (!list->items[list->count])
			return false;
	}
	return list->count == count;
}

static int describe(const struct program_options *options, const struct net_options *net,
	const char *name, char **words, struct manifest *m, struct df_err *err)
{
	int status;

	describe_drop_dashes(words);
	status = describe_options(options, name, words, m, err);
	if (status)
		return status;
	if (*net->tap.name)
		return df_err_set(err, CLI_FAILED,
			"a service has no TAP device: leave out --net=tap:%s or -d", net->tap.name);
	m->mode = MANIFEST_SERVICE;
	m->features |= net->wanted ? MANIFEST_NET : 0;
	if (!copy_list(&m->egress, net->rules, net->rule_count) ||
		!copy_list(&m->publish, net->published, net->published_count))
		return df_err_set(err, CLI_FAILED, "out of memory");
	return manifest_check(m, err) ? CLI_FAILED : 0;
}

/* Asked first, because gathering takes a while. What is there is not replaced by a slip of the hand. */
static int check_name(const char *name, struct df_err *err)
{
	DF_FREE char *path = function_path(name, "/functions/", err);
	json_t *there = NULL;
	bool taken = false;
	int status = path ? client_call("GET", path, NULL, &there, err) : CLI_FAILED;

	if (!status)
		taken = strcmp(member_text(there, "state"), "Failed") != 0;
	json_decref(there);
	if (taken)
		return df_err_set(err, CLI_FAILED,
			"there is %s already; choose another --name, or remove it: dayfly rm %s",
			name, name);
	return status && err->code != -ENOENT ? status : 0;
}

static int find_name(const struct run_options *run, const char *program,
	char made[MANIFEST_NAME_MAX + 1], const char **name, struct df_err *err)
{
	if (run->name)
		return take_name(name, run->name, err);
	*name = describe_name(program, made);
	return *name ? 0
		     : df_err_set(err, -EINVAL,
			       "the service needs a name: dayfly run -d --name NAME %s", program);
}

/* cli/run.c has read the same flags, printed the page if it was asked for, and checked them. */
int command_run_service(int argc, char **argv)
{
	static struct program_options options;
	static struct run_options run;
	static struct net_options net;
	static const struct page page = {"run -d [FLAGS] PROGRAM [--] [ARGUMENTS]",
		"Makes a service of a program.\n", 1, PAGE_PROGRAM, WORDS_FILES, NULL};
	const struct flag_set sets[] = {
		{program_flags, &options}, {run_flags, &run}, {net_flags, &net}, {0}};
	char made[MANIFEST_NAME_MAX + 1];
	const char *name = NULL;
	struct manifest m = {0};
	json_t *function = NULL;
	struct df_err err = {0};
	int next, status;

	program_options_init(&options);
	status = page_flags(&page, sets, argc, argv, &next, &err);
	if (!status)
		status = find_name(&run, argv[next], made, &name, &err);
	if (!status)
		status = check_name(name, &err);
	if (!status)
		status = describe(&options, &net, name, argv + next, &m, &err);
	if (!status)
		status = deploy_manifest(&m, &function, &err);
	if (!status)
		print_service(function);
	json_decref(function);
	manifest_deinit(&m);
	return page_end(status, &err);
}

/* --- stop, start --- */

static int change(const struct page *page, const char *what, int argc, char **argv)
{
	const struct flag_set sets[] = {{0}};
	struct df_err err = {0};
	int next, status = page_flags(page, sets, argc, argv, &next, &err), result = CLI_OK;

	if (status)
		return page_end(status, &err);
	for (; next < argc; next++) {
		DF_FREE char *path = function_path(argv[next], "/functions/", &err);
		DF_FREE char *whole = path ? df_format("%s/%s", path, what) : NULL;
		json_t *function = NULL;

		status = whole ? client_call("POST", whole, NULL, &function, &err) : CLI_FAILED;
		if (status)
			result = cli_fail(&err, CLI_FAILED);
		else
			print_service(function);
		json_decref(function);
		if (err.code == -ECONNREFUSED)
			break;
	}
	return result;
}

static const struct page stop_page = {"stop NAME...",
	"Stops services: each gets SIGTERM, and is killed if it has not ended after its stop_time\n"
	"(10 s). They stay stopped, also when the daemon starts again, until `dayfly start`.\n"
	"`dayfly rm` removes one. The daemon itself is stopped by `dayfly down`.\n",
	1, PAGE_MANY, WORDS_FUNCTIONS, NULL};

int command_stop(int argc, char **argv)
{
	return change(&stop_page, "stop", argc, argv);
}

static const struct page start_page = {"start NAME...",
	"Starts services that were stopped, or have ended, and waits until they are up. The daemon\n"
	"itself is started by `dayfly up`.\n",
	1, PAGE_MANY, WORDS_FUNCTIONS, NULL};

int command_start(int argc, char **argv)
{
	return change(&start_page, "start", argc, argv);
}
