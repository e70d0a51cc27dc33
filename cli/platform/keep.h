/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping what is deployed in the image store (docs/images.md). Each deployed image gets a name NAME:vN, N counting up, so that collecting
 * garbage never takes one that is in use; NAME:latest is the one that was deployed last. Results are 0 or the exit status with *err set.
 */
#ifndef CLI_PLATFORM_KEEP_H
#define CLI_PLATFORM_KEEP_H

#include "cli/program.h"
#include "image/manifest.h"
#include "image/store.h"

#include <jansson.h>

struct kept {
	struct image_store *store;
	struct image_info image; /* its name is NAME:vN */
	char *root_path; /* of the root in the store */
	bool fresh; /* the name is new, and taken back if the deployment fails */
};

/* The store of this user. */
int keep_open(struct image_store **store, struct df_err *err) __attribute__((warn_unused_result));

/* Adds what describe_prepare made. keep_end follows in any case. */
int keep_add(struct kept *kept, const struct manifest *m, const struct program_options *options,
	const struct program *program, struct df_err *err) __attribute__((warn_unused_result));

/* Gives an image of the store the next version of `name`, unless a version leads to it already. */
int keep_version(struct kept *kept, const char *name, const struct image_info *image,
	struct df_err *err) __attribute__((warn_unused_result));

/* The deployment has succeeded: `name`:latest is this image. Or it has failed: a fresh name goes. Frees what *kept has. */
int keep_end(struct kept *kept, const char *name, bool deployed, struct df_err *err)
	__attribute__((warn_unused_result));

/* Size of a kernel with these features ("files,tmp") in guest memory; 0 if the kernel cannot be read. */
uint64_t keep_kernel_bytes(const char *features);

/*
 * Which functions are made from which image, asked of the daemon: an object of digests, each with the list of their names. NULL with *err
 * set if it does not answer.
 */
json_t *keep_users(struct df_err *err) __attribute__((warn_unused_result));

#endif
