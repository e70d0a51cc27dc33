/* SPDX-License-Identifier: Apache-2.0 */
/* What `dayfly deploy` takes from elsewhere than this host's programs: container images, and images of the store. */
#ifndef CLI_PLATFORM_STORED_H
#define CLI_PLATFORM_STORED_H

#include "cli/platform/keep.h"

/* A container image, unpacked. */
struct unpacked {
	char *directory; /* of our own; NULL: none */
};

/*
 * Unpacks `source` (an OCI layout, or an archive of one or of `docker save`) in a jailed child, and completes *m with what it says: root, and
 * where *m has none of its own, command, variables and working directory. `reference` is NULL or which image of several. unpacked_deinit
 * follows in any case. Returns 0 or the exit status with *err set.
 */
int unpack_container(struct unpacked *u, const char *source, const char *reference,
	struct manifest *m, struct df_err *err) __attribute__((warn_unused_result));

/* Removes it. */
void unpacked_deinit(struct unpacked *u);

/*
 * Is it the name or digest of an image in the store? Looks there; a store that cannot be read has none.
 */
bool stored_exists(const char *reference);

struct stored_deployment {
	const char *reference;
	const char *name; /* of the function; NULL: as the image says */
	uint64_t timeout_ms, concurrency; /* 0: as the image says */
	const struct program_options *options; /* of its flags --env and --memory count */
};

/*
 * The deployment of an image as the daemon takes it, and the name of the function, for the caller to free. keep_end follows in any
 * case. Returns 0 or the exit status with *err set.
 */
int stored_prepare(const struct stored_deployment *wanted, struct kept *kept, json_t **json,
	char **name, struct df_err *err) __attribute__((warn_unused_result));

#endif
