/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching a program for `dayfly init`: it is run, or frozen and thawed, in a microVM by `dayfly run --watch`, `freeze` and `thaw`, and what these
 * say is read. Nothing of the program runs on the host. Results are 0 or the exit status with *err set.
 */
#ifndef CLI_PLATFORM_WATCH_H
#define CLI_PLATFORM_WATCH_H

#include "host/child.h"
#include "image/manifest.h"

struct watcher {
	char *dayfly; /* the executable */
	char *directory; /* of our own, for passing files */
	const char *event; /* file, or NULL: no input */
	const char *limit; /* time for each run, as a word of the command line */
	unsigned int limit_ms;
};

/* What one run of the program showed. */
struct watched {
	uint32_t needs, tries; /* bits of enum manifest_feature */
	bool lacks_fork;
	char **missing; /* paths that it looked for in vain, absolute ones and others */
	size_t missing_count, missing_capacity;
	unsigned int port; /* on which it listens, 0: it does not; it was ended there */
	uint64_t memory_bytes, touched_bytes, took_ns;
	struct df_child_result result; /* its exit status and what it wrote */
};

/* A freeze, and the answer of a pristine copy to the event. */
struct frozen {
	enum manifest_wait wait_point; /* MANIFEST_WAIT_ANY: at its entry */
	struct df_child_result result;
};

int watch_init(struct watcher *w, struct df_err *err) __attribute__((warn_unused_result));
void watch_deinit(struct watcher *w);

/* Runs it with what the manifest says. *watched is the caller's to deinit, in any case. */
int watch_run(const struct watcher *w, const struct manifest *m, struct watched *watched,
	struct df_err *err) __attribute__((warn_unused_result));
void watched_deinit(struct watched *watched);

/* Freezes it, at the manifest's wait point if that is http, and has the event answered. frozen->result is the caller's to deinit, in any case. */
int watch_freeze(const struct watcher *w, const struct manifest *m, struct frozen *frozen,
	struct df_err *err) __attribute__((warn_unused_result));

/* Did both end and answer alike? */
bool watch_same(const struct df_child_result *one, const struct df_child_result *other);

/* Why it failed, as far as the last line that it wrote to standard error says. For the caller to free; NULL: nothing was written. */
char *watch_reason(const struct df_child_result *result) __attribute__((warn_unused_result));

#endif
