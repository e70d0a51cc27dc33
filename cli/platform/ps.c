/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly ps`. */
#include "cli/platform/platform.h"

#include "cli/event.h"

static const struct page page = {"ps [--json]",
	"Lists the processes that live now. Each serves one function and holds its microVMs\n"
	"(instances), of which some are busy with an event. A function without traffic has no\n"
	"process. MEMORY is what the process has for itself, page cache not counted.\n",
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

int command_ps(int argc, char **argv)
{
	static const char *const heads[] = {"FUNCTION", "VERSION", ">INSTANCES", ">BUSY", ">EVENTS",
		">MEMORY", ">AGE", ">IDLE", ">PID", NULL};
	bool json = false;
	const struct flag_set sets[] = {{page_json_flags, &json}, {0}};
	struct table table = {.heads = heads};
	json_t *answer = NULL, *process;
	struct df_err err = {0};
	size_t index;
	int next, status = page_flags(&page, sets, argc, argv, &next, &err);

	if (!status)
		status = client_call("GET", "/processes", NULL, &answer, &err);
	if (status)
		return page_end(status, &err);
	if (json) {
		status = print_json(json_object_get(answer, "processes"), &err);
	} else {
		json_array_foreach(json_object_get(answer, "processes"), index, process)
			add_process(&table, process);
		table_print(&table);
	}
	json_decref(answer);
	return page_end(status, &err);
}
