/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's settings: defaults, over them a file (YAML), over it the command line. docs/operation.md lists them.
 *
 * A setting is a member of struct settings, a row of the schema (type, range, default) and a row of settings_rows (flag, help, whether it can
 * change while the daemon runs), both in settings.c; unit test and page follow. Not locked: main.c's alone.
 */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include "image/manifest.h"
#include "image/manifest_schema.h"

#define SETTINGS_FILE_MAX (64u << 10) /* bytes */

/* Who may call. UNSET: nobody has said; that is AUTH_NONE on loopback, and not enough elsewhere. */
enum settings_auth { AUTH_UNSET, AUTH_NONE, AUTH_TOKEN };

struct settings {
	char *listen; /* "ADDRESS:PORT" */
	char *state; /* directory; NULL: the usual one */
	struct manifest_list hosts;
	struct {
		uint32_t invoke, metrics; /* enum settings_auth */
	} auth;
	uint64_t idle_ms;
	uint64_t instances, prepared, queue, connections;
	uint64_t queue_ms, stop_ms;
	uint64_t body_max; /* bytes */
	uint32_t log_level; /* enum log_level */
	struct {
		uint32_t echo; /* enum log_echo */
		uint64_t quota_bytes, age_ms;
	} logs;
	struct {
		uint64_t count, bytes, dead_ms;
	} events;
	struct {
		uint64_t keep_ms, quota_bytes; /* quota 0: no limit */
	} images;
	struct manifest_list webhook_allow;
	struct {
		char *listen; /* "ADDRESS:PORT", "none", or NULL: see settings.c */
		uint64_t quota; /* bytes of all bodies; 0: no limit */
	} objects;
	/* What only the command line has: */
	char *file; /* the settings file that was read, or NULL */
	bool no_jail, help, version;
};

struct setting_row {
	const char *name; /* "SECTION.KEY" in the file; NULL ends the table */
	const char *flag; /* "--NAME" */
	const char *argument, *help; /* in dayflyd --help */
	bool live; /* SIGHUP changes it */
};

extern const struct setting_row settings_rows[];
extern const struct schema_key settings_keys[];

/*
 * From defaults, file and command line. Without --settings the file is $XDG_CONFIG_HOME/dayfly/dayflyd.yaml (~/.config/...), if
 * there is one. Returns 0, for settings_deinit; -EINVAL (a wrong flag or value), -errno of reading the file, or -ENOMEM, with *err set.
 */
int settings_read(int argc, char **argv, struct settings *settings, struct df_err *err)
	__attribute__((warn_unused_result));
void settings_deinit(struct settings *settings);

/* Calls `each` for every setting that differs. */
void settings_compare(const struct settings *before, const struct settings *after,
	void (*each)(const struct setting_row *row));

/* The flags, for --help: a text to print. */
void settings_help(struct df_str *text);

#endif
