/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly fsck`: says what a snapshot is, and whether all of it is as it was written. */
#include "cli/cpu_names.h"
#include "cli/event.h"
#include "cli/page.h"

#include "base/erofs.h"
#include "base/snapshot.h"
#include "host/cleanup.h"
#include "host/json.h"
#include "image/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A snapshot was refused; dayfly itself did not fail. */
#define FSCK_STATUS 1

struct finding {
	const char *path;
	struct df_snapshot header; /* when has_header */
	bool has_header;
	uint64_t disk_bytes;
	/* Why it is refused; "": it is not. */
	char why[256];
	/* It is whole, but can not be thawed here; "": it can. */
	struct df_str elsewhere;
};

static bool has_feature(const char *features, const char *name)
{
	size_t length = strlen(name);

	while (*features) {
		size_t part = strcspn(features, ",");

		if (part == length && memcmp(features, name, length) == 0)
			return true;
		features += part + (features[part] == ',');
	}
	return false;
}

/* The root image, as far as it can be told without walking through all its files. NULL: it is good. */
static const char *check_root(const struct df_snapshot *header, const uint8_t *file)
{
	const uint8_t *root = file + header->root_offset;
	struct elf_info info;
	struct erofs image;

	if (!header->root_offset)
		return NULL;
	if (df_snapshot_root_checksum(root, header->root_bytes) != header->root_checksum)
		return "damaged: the checksum of its root image is wrong";
	/* Without a file system the image is the program. */
	if (has_feature(header->features, "files")
			? erofs_open(&image, root, header->root_bytes) != 0
			: elf_inspect(root, header->root_bytes, &info) != ELF_PROGRAM)
		return "damaged: its root image is none";
	return NULL;
}

static void check_cpu(struct finding *f)
{
	DF_STR struct df_str missing = DF_STR_EMPTY;

	cpu_names_add_missing(&missing, f->header.cpu);
	if (missing.length)
		df_str_addf(&f->elsewhere,
			"%sit may use instructions that this processor lacks: %s",
			f->elsewhere.length ? "; " : "", df_str_text(&missing));
}

static void check_bytes(struct finding *f, const uint8_t *file, uint64_t bytes)
{
	const char *why = NULL, *root;

	if (bytes >= sizeof(f->header))
		memcpy(&f->header, file, sizeof(f->header));
	if (df_snapshot_check(file, bytes, &why)) {
		snprintf(f->why, sizeof(f->why), "%s", why);
		return;
	}
	f->has_header = true;
	if (df_snapshot_check_memory(file, bytes, &why)) {
		snprintf(f->why, sizeof(f->why), "%s", why);
		return;
	}
	root = check_root(&f->header, file);
	if (root)
		snprintf(f->why, sizeof(f->why), "%s", root);
	check_cpu(f);
}

/* Returns 0, or CLI_FAILED with *err set when the file can not be looked at. */
static int check_file(struct finding *f, struct df_err *err)
{
	DF_CLOSE int fd = open(f->path, O_RDONLY | O_CLOEXEC);
	DF_UNMAP struct df_mapping map = DF_MAPPING_NONE;
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0)
		return df_err_set(err, CLI_FAILED, "%s: %s", f->path, df_errno_text(errno));
	if (!S_ISREG(now.st_mode))
		return df_err_set(err, CLI_FAILED, "%s is no file", f->path);
	f->disk_bytes = (uint64_t)now.st_blocks * 512;
	if (now.st_size > 0) {
		void *data = mmap(NULL, (size_t)now.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (data == MAP_FAILED)
			return df_err_set(err, CLI_FAILED, "%s: %s", f->path, df_errno_text(errno));
		map = (struct df_mapping){data, (size_t)now.st_size};
	}
	check_bytes(f, map.data, map.length);
	return CLI_OK;
}

static void print_finding(const struct finding *f)
{
	const struct df_snapshot *h = &f->header;
	char data[UNITS_BYTES], root[UNITS_BYTES], disk[UNITS_BYTES], memory[UNITS_BYTES];
	char boot[UNITS_BYTES], body[UNITS_BYTES], reply[UNITS_BYTES];
	DF_STR struct df_str cpu = DF_STR_EMPTY;

	if (!f->has_header) {
		printf("%s: %s\n", f->path, f->why);
		return;
	}
	cpu_names_add(&cpu, h->cpu);
	printf("%s: %s\n", f->path, *f->why ? f->why : "ok");
	printf("  program    %s\n", h->program);
	printf("  frozen at  %s, after %s\n", event_wait_point(h->wait_point),
		units_time(h->boot_ns, boot));
	printf("  memory     %s in %" PRIu64 " pages, of %s; an event writes %" PRIu64 " pages\n",
		units_size(h->data_bytes, data), h->data_bytes >> DF_PAGE_SHIFT,
		units_size(h->memory_bytes, memory), h->event_pages);
	printf("  root       %s\n",
		h->root_offset ? units_size(h->root_bytes, root) : "a file of its own");
	printf("  on disk    %s\n", units_size(f->disk_bytes, disk));
	printf("  events     bodies up to %s, replies up to %s\n",
		units_size(h->in_bytes - DF_IN_BODY, body),
		units_size(h->out_bytes - DF_OUT_REPLY, reply));
	printf("  features   %s\n", h->features);
	printf("  processor  %s\n", df_str_text(&cpu));
	printf("  kernel     build %08x, interface %u\n", h->kernel_build, h->abi_version);
	if (f->elsewhere.length)
		printf("  thaw       not here: %s\n", df_str_text(&f->elsewhere));
}

static void add_json(struct df_str *json, const struct finding *f)
{
	const struct df_snapshot *h = &f->header;
	DF_STR struct df_str cpu = DF_STR_EMPTY;
	char build[16];

	df_json_open(json, NULL, '{');
	df_json_text(json, "file", f->path);
	df_json_bool(json, "ok", !*f->why);
	if (*f->why)
		df_json_text(json, "why", f->why);
	if (f->has_header) {
		cpu_names_add(&cpu, h->cpu);
		snprintf(build, sizeof(build), "%08x", h->kernel_build);
		df_json_text(json, "program", h->program);
		df_json_text(json, "at", event_wait_point(h->wait_point));
		df_json_number(json, "boot_ns", h->boot_ns);
		df_json_number(json, "bytes", h->data_bytes);
		df_json_number(json, "memory_bytes", h->memory_bytes);
		df_json_number(json, "event_pages", h->event_pages);
		df_json_number(json, "root_bytes", h->root_bytes);
		df_json_number(json, "disk_bytes", f->disk_bytes);
		df_json_number(json, "body_max", h->in_bytes - DF_IN_BODY);
		df_json_number(json, "reply_max", h->out_bytes - DF_OUT_REPLY);
		df_json_text(json, "features", h->features);
		df_json_text(json, "processor", df_str_text(&cpu));
		df_json_text(json, "kernel_build", build);
		df_json_bool(json, "thaws_here", !*f->why && !f->elsewhere.length);
		if (f->elsewhere.length)
			df_json_text(json, "thaws_not_because", df_str_text(&f->elsewhere));
	}
	df_json_close(json, '}');
}

static const struct page page = {"fsck [FLAGS] FILE...",
	"Checks snapshots that `dayfly freeze` wrote, memory and root image included, and says\n"
	"what they hold.\n",
	1, PAGE_MANY, WORDS_FILES,
	"Exit status: 0 when all are whole, 1 when one is not, 125 when one cannot be read.\n"
	"A snapshot that is whole but was frozen on a processor with more instructions than\n"
	"this one is told so; freeze the program here.\n\n"
	"  dayfly fsck thumb.snap\n"
	"  dayfly fsck --json *.snap\n"};

int command_fsck(int argc, char **argv)
{
	struct event_options options;
	const struct flag_set sets[] = {{event_json_flags, &options}, {0}};
	DF_STR struct df_str json = DF_STR_EMPTY;
	int next, result, status = CLI_OK;
	struct df_err err = {0};

	event_options_init(&options);
	result = page_flags(&page, sets, argc, argv, &next, &err);
	if (result)
		return page_end(result, &err);
	df_json_open(&json, NULL, '[');
	for (; next < argc; next++) {
		struct finding finding = {.path = argv[next], .elsewhere = DF_STR_EMPTY};

		if (check_file(&finding, &err)) {
			status = cli_fail(&err, CLI_FAILED);
			continue;
		}
		if (*finding.why && !status)
			status = FSCK_STATUS;
		if (options.json)
			add_json(&json, &finding);
		else
			print_finding(&finding);
		df_str_deinit(&finding.elsewhere);
	}
	df_json_close(&json, ']');
	if (options.json)
		printf("%s\n", df_str_text(&json));
	return status;
}
