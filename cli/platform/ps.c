/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly ps`. */
#include "cli/platform/platform.h"

#include "cli/event.h"
#include "host/cleanup.h"

#include <stdio.h>
#include <string.h>

static const struct page page = {"ps [--json]",
	"Lists the processes that live now. Each serves one function and holds its microVMs\n"
	"(instances), of which some are busy with an event. A function without traffic has no\n"
	"process. MEMORY is what the process has for itself, page cache not counted. Below them,\n"
	"services, also those that do not run: how each is, how often it was started again, since\n"
	"when it runs, and which ports lead to it.\n",
	0, 0, WORDS_NONE, NULL};

static void add_process(struct table *table, const json_t *process)
{
	char memory[UNITS_BYTES], age[UNITS_BYTES], idle[UNITS_BYTES];
	uint64_t busy = member_number(process, "busy");

	table_add(table, "%s", member_text(process, "function"));
	table_add(table, "%s", member_text(process, "version"));
	table_add(table, "%llu", (unsigned long long)member_number(process, "instances"));
	table_add(table, "%llu", (unsigned long long)busy);
	table_add(table, "%llu", (unsigned long long)member_number(process, "events"));
	table_add(table, "%s", units_size(member_number(process, "memory_bytes"), memory));
	table_add(table, "%s", units_age(member_number(process, "age_ms"), age));
	table_add(table, "%s", busy ? "-" : units_age(member_number(process, "idle_ms"), idle));
	table_add(table, "%llu", (unsigned long long)member_number(process, "pid"));
}

/* "running", or "backing off, 3 s: it ended with exit status 1 after 20 ms" */
static void add_state(struct table *table, const json_t *service)
{
	const char *state = member_text(service, "state"), *reason = member_text(service, "reason");
	char age[UNITS_BYTES];

	if (strcmp(state, "backing off") == 0)
		table_add(table, "%s, %s: %s", state,
			units_age(member_number(service, "again_ms"), age), reason);
	else
		table_add(table, "%s%s%s", state, *reason ? ": " : "", reason);
}

static void add_service(struct table *table, const json_t *service)
{
	char memory[UNITS_BYTES], age[UNITS_BYTES];
	bool runs = member_number(service, "pid") != 0;
	DF_STR struct df_str ports = DF_STR_EMPTY;
	const json_t *port;
	size_t index;

	json_array_foreach(json_object_get(service, "publish"), index, port)
		df_str_addf(&ports, "%s%s", index ? " " : "", json_string_value(port));
	table_add(table, "%s", member_text(service, "name"));
	table_add(table, "%llu", (unsigned long long)member_number(service, "restarts"));
	table_add(table, "%s",
		runs ? units_size(member_number(service, "memory_bytes"), memory) : "-");
	table_add(table, "%s", runs ? units_age(member_number(service, "uptime_ms"), age) : "-");
	if (runs)
		table_add(table, "%llu", (unsigned long long)member_number(service, "pid"));
	else
		table_add(table, "-");
	table_add(table, "%s", ports.length ? df_str_text(&ports) : "-");
	/* Last, because a reason is long. */
	add_state(table, service);
}

static void print_processes(const json_t *processes)
{
	static const char *const heads[] = {"FUNCTION", "VERSION", ">INSTANCES", ">BUSY", ">EVENTS",
		">MEMORY", ">AGE", ">IDLE", ">PID", NULL};
	struct table table = {.heads = heads};
	const json_t *process;
	size_t index;

	json_array_foreach(processes, index, process) add_process(&table, process);
	table_print(&table);
}

static void print_services(const json_t *services)
{
	static const char *const heads[] = {
		"SERVICE", ">RESTARTS", ">MEMORY", ">UPTIME", ">PID", "PORTS", "STATE", NULL};
	struct table table = {.heads = heads};
	const json_t *service;
	size_t index;

	json_array_foreach(services, index, service) add_service(&table, service);
	table_print(&table);
}

int command_ps(int argc, char **argv)
{
	bool json = false;
	const struct flag_set sets[] = {{page_json_flags, &json}, {0}};
	json_t *answer = NULL, *processes, *services;
	struct df_err err = {0};
	int next, status = page_flags(&page, sets, argc, argv, &next, &err);

	if (!status)
		status = client_call("GET", "/processes", NULL, &answer, &err);
	if (status)
		return page_end(status, &err);
	processes = json_object_get(answer, "processes");
	services = json_object_get(answer, "services");
	if (json) {
		(void)json_array_extend(processes, services);
		status = print_json(processes, &err);
	} else if (json_array_size(services) == 0) {
		print_processes(processes);
	} else {
		if (json_array_size(processes)) {
			print_processes(processes);
			printf("\n");
		}
		print_services(services);
	}
	json_decref(answer);
	return page_end(status, &err);
}
