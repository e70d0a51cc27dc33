/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest, `dayfly.yaml`: what a function is made of and how it is to be run. docs/manifest.md says what each key means.
 *
 * All keys, with their types, ranges and defaults, stand in one table (manifest_schema.c); reading, writing, freeing and the
 * test of the documentation go over that table. YAML is read with libyaml into a bounded tree (manifest_yaml.h): anchors and
 * aliases are refused, so a small file cannot become a large one.
 *
 * A manifest that parses is valid in itself: names, ranges, patterns. Whether files, functions and buckets exist, and
 * whether the daemon at hand has the trigger, is for the caller to find out. Not locked; no global state.
 */
#ifndef IMAGE_MANIFEST_H
#define IMAGE_MANIFEST_H

#include "host/err.h"
#include "host/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_FILE_NAME "dayfly.yaml"
#define MANIFEST_BYTES_MAX (256u << 10)
#define MANIFEST_NAME_MAX 64

/* Bits of manifest.features. The names are the kernel's. */
enum manifest_feature {
	MANIFEST_FILES = 1 << 0,
	MANIFEST_TMP = 1 << 1,
	MANIFEST_TASKS = 1 << 2,
	MANIFEST_EVENTS = 1 << 3,
	MANIFEST_SIGNALS = 1 << 4,
	MANIFEST_NET = 1 << 5,
};

/* The features in the order of their bits, NULL at the end. */
extern const char *const manifest_feature_names[];

enum manifest_mode { MANIFEST_FRESH, MANIFEST_WARM, MANIFEST_SERVICE };

/* When a service that has ended is started again. */
enum manifest_restart { MANIFEST_ALWAYS, MANIFEST_ON_FAILURE, MANIFEST_NEVER };

/* WAIT_ANY: wherever the program waits first. */
enum manifest_wait {
	MANIFEST_WAIT_ANY,
	MANIFEST_WAIT_STDIO,
	MANIFEST_WAIT_SDK,
	MANIFEST_WAIT_HTTP
};

enum manifest_trigger_kind {
	MANIFEST_HTTP,
	MANIFEST_OBJECT,
	MANIFEST_DIRECTORY,
	MANIFEST_SCHEDULE,
	MANIFEST_QUEUE,
};

/* Kinds of triggers in the order of the enum, NULL at the end; for messages. */
extern const char *const manifest_trigger_names[];

/* Bits of manifest_trigger.events. */
enum manifest_object_event { MANIFEST_CREATED = 1 << 0, MANIFEST_REMOVED = 1 << 1 };

/* What the body of an event is: a description of what happened (JSON), or the bytes of the object or file themselves. */
enum manifest_body { MANIFEST_BODY_EVENT, MANIFEST_BODY_CONTENT };

/* What happens to ticks of a schedule that came while the platform was down. */
enum manifest_missed { MANIFEST_MISSED_SKIP, MANIFEST_MISSED_ONCE, MANIFEST_MISSED_ALL };

enum manifest_destination_kind {
	MANIFEST_TO_NOTHING,
	MANIFEST_TO_FUNCTION,
	MANIFEST_TO_WEBHOOK,
	MANIFEST_TO_FILE,
	MANIFEST_TO_OBJECT,
};

/* Texts are owned by the manifest. An optional text that was not given is NULL. */
struct manifest_list {
	char **items; /* count of them and a NULL; NULL when empty */
	size_t count;
};

struct manifest_pair {
	char *name;
	char *value;
};

struct manifest_pairs {
	struct manifest_pair *items;
	size_t count;
};

/* One struct for all kinds: what does not belong to the kind is zero. */
struct manifest_trigger {
	uint32_t kind; /* enum manifest_trigger_kind */
	size_t line; /* where it stands in the file, for messages of the caller */
	char *path; /* HTTP: route besides /fn/NAME, begins with '/', or NULL. DIRECTORY: as written */
	struct manifest_list methods; /* HTTP: upper case; none: all of them */
	char *bucket; /* OBJECT */
	uint32_t events; /* OBJECT: bits of enum manifest_object_event */
	char *prefix; /* OBJECT: of keys, "" for any */
	char *suffix; /* OBJECT: of keys, "" for any */
	uint32_t body; /* OBJECT, DIRECTORY: enum manifest_body */
	char *pattern; /* DIRECTORY: fnmatch(3) of the file's name */
	char *cron; /* SCHEDULE: five fields; NULL when `every_ms` is set */
	uint64_t every_ms; /* SCHEDULE: 0 when `cron` is set */
	char *time_zone; /* SCHEDULE: as in TZ, "UTC" */
	uint32_t missed; /* SCHEDULE: enum manifest_missed */
	char *queue; /* QUEUE: its name */
	uint64_t batch; /* QUEUE: most messages in one event */
};

/* What a function or a webhook gets: the record of event and reply, or a successful function's reply itself. */
enum manifest_destination_body { MANIFEST_SEND_RECORD, MANIFEST_SEND_REPLY };

struct manifest_destination {
	uint32_t kind; /* enum manifest_destination_kind */
	size_t line;
	char *target; /* a function's name, an http(s) URL, a path template, "BUCKET/KEY-TEMPLATE" */
	uint32_t body; /* TO_FUNCTION, TO_WEBHOOK: enum manifest_destination_body */
};

struct manifest {
	char *name;
	struct manifest_list command; /* the program and its arguments */
	char *root; /* prepared directory or EROFS image of the host, as written; NULL: gather */
	struct manifest_list files; /* "HOST" or "HOST:GUEST", as written */
	uint32_t features; /* bits of enum manifest_feature */
	uint64_t memory_bytes;
	uint64_t timeout_ms; /* wall time of one event */
	uint64_t boot_timeout_ms; /* from the entry to the first wait */
	uint32_t mode; /* enum manifest_mode */
	uint64_t concurrency; /* events at a time */
	char *workdir; /* in the guest, absolute */
	struct manifest_pairs environment;
	struct manifest_pairs
		secrets; /* variable -> file of the host that holds the value, as written */
	uint32_t wait_point; /* enum manifest_wait */
	uint64_t port; /* MANIFEST_WAIT_HTTP: where the program listens */
	struct manifest_list
		egress; /* what it may reach outside: host/egress_rule.h; none: no network */
	char *reply_type; /* Content-Type of replies */
	char *rehearse; /* file of the host: body of the event that is rehearsed before the freeze; NULL: none */
	struct manifest_trigger *triggers;
	size_t trigger_count;
	struct {
		struct manifest_destination success, failure;
	} destinations;
	struct {
		uint64_t attempts; /* in all, the first included */
		uint64_t
			max_age_ms; /* after which an event that was not delivered is a dead letter */
		uint64_t backlog; /* events waiting on disk */
	} async;
	struct {
		uint64_t request_bytes; /* of a body */
		uint64_t reply_bytes;
		uint64_t waiting; /* synchronous events waiting for an instance; more: 429 */
		uint64_t
			log_bytes; /* kept of what the function writes to standard error, all events together */
		uint64_t log_age_ms;
	} limits;
	/* MANIFEST_SERVICE: */
	struct manifest_list publish; /* host/publish.h */
	struct {
		char *path; /* what HTTP asks for; NULL: connecting is all */
		uint64_t port; /* of the guest; 0: no checks */
		uint64_t every_ms, timeout_ms;
		uint64_t failures; /* in a row, until it is started anew */
	} health;
	uint32_t restart; /* enum manifest_restart */
	uint64_t stop_ms; /* from SIGTERM to SIGKILL */
	char *directory; /* of the file, absolute; relative paths are seen from here. NULL: not from a file */
};

/*
 * Fills *m with the defaults of all keys that have one. Any later use ends with manifest_deinit. Returns 0 or -ENOMEM (*m is then
 * empty).
 */
int manifest_init(struct manifest *m) __attribute__((warn_unused_result));

/* Frees what it owns; *m is zero afterwards. Zeroed memory is allowed. */
void manifest_deinit(struct manifest *m);

/*
 * Reads a manifest. `shown_name` stands at the start of messages ("dayfly.yaml:3: unknown key memroy; did you mean memory?").
 * Returns 0 with *m filled (and the caller's to deinit), -EINVAL when the text is not a good manifest, -EFBIG above
 * MANIFEST_BYTES_MAX, or -ENOMEM; *err is set and *m is zero. Reads no file.
 */
int manifest_parse(const char *text, size_t length, const char *shown_name, struct manifest *m,
	struct df_err *err) __attribute__((warn_unused_result));

/*
 * The same for a file, and m->directory is its directory. Also returns -errno of opening and reading. Blocks as files do.
 */
int manifest_load(const char *path, struct manifest *m, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Is a manifest that code has put together good? Says what manifest_parse would say of manifest_write's text, without a line.
 * Returns 0, -EINVAL with *err set, or -ENOMEM.
 */
int manifest_check(const struct manifest *m, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Appends it as YAML: keys in the table's order, those with their default value left out, except `features`, which is always
 * written. manifest_parse of the text gives an equal manifest. Running out of memory is remembered in *text.
 */
void manifest_write(const struct manifest *m, struct df_str *text);

/* Appends a text as a YAML value that fits any place in a line, in quotes if it has to be. */
void manifest_write_text(const char *text, struct df_str *into);

/* The same as manifest_write for a single key of the outermost mapping, also when its value is the default. */
void manifest_write_key(const struct manifest *m, const char *name, struct df_str *text);

/*
 * A host path of the manifest (root, the host part of files, secrets, rehearse, directories) as an absolute path: seen from m->directory, or from
 * the current directory without one. For the caller to free; NULL with errno set.
 */
char *manifest_host_path(const struct manifest *m, const char *path)
	__attribute__((warn_unused_result));

/*
 * Takes an entry of `files` apart. *host is as written, *guest absolute and cleaned (the absolute host path when only HOST
 * was given); both are the caller's to free. Returns 0 or -errno.
 */
int manifest_file(const struct manifest *m, const char *entry, char **host, char **guest)
	__attribute__((warn_unused_result));

/*
 * May a function be called that? 1 to MANIFEST_NAME_MAX letters and digits, with single '-' or '_' between them. Such a name is
 * also a file name, a label and an image reference.
 */
bool manifest_name_is_good(const char *name);

/* "64M", "1G", "1000000": K, M, G are powers of 1024; "KiB" and "k" are understood too. Returns 0 or -EINVAL. */
int manifest_parse_size(const char *text, uint64_t *bytes) __attribute__((warn_unused_result));

/* "500ms", "1.5s", "2m", "6h", "7d". At most three digits behind the point. Returns 0 or -EINVAL. */
int manifest_parse_duration(const char *text, uint64_t *ms) __attribute__((warn_unused_result));

#define MANIFEST_UNITS_BYTES 32

/* The shortest exact text that the two functions above read back: "64M", "1500ms". Return `text`. */
const char *manifest_say_size(uint64_t bytes, char text[MANIFEST_UNITS_BYTES]);
const char *manifest_say_duration(uint64_t ms, char text[MANIFEST_UNITS_BYTES]);

#endif
