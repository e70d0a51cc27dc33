/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access key that clients sign with: made once, kept in a file that the AWS clients read themselves
 * (AWS_SHARED_CREDENTIALS_FILE=FILE aws ...):
 *
 *	[default]
 *	aws_access_key_id = DFLY...
 *	aws_secret_access_key = ...
 *	region = us-east-1
 *
 * The file is 0600; one that others may read, or that belongs to someone else, is refused. Nothing is kept in memory
 * but what the caller holds. Any thread; files are read and written in place, so these functions block on the disk.
 */
#ifndef DAEMON_CREDENTIALS_H
#define DAEMON_CREDENTIALS_H

#include "host/err.h"

#define CREDENTIALS_ID_MAX 128
#define CREDENTIALS_SECRET_MAX 128

struct credentials {
	char access_key_id[CREDENTIALS_ID_MAX + 1]; /* A-Z a-z 0-9 _ - */
	char secret[CREDENTIALS_SECRET_MAX + 1]; /* printable, no spaces */
};

/* Makes a pair: 80 random bits in the id, 240 in the secret. Returns 0 or -errno (no random numbers). */
int credentials_generate(struct credentials *credentials) __attribute__((warn_unused_result));

/*
 * Writes the pair as profile "default" to `path`, 0600, beside first and renamed, both synchronised; an older file is replaced. `region`
 * is added for the clients' sake unless NULL. Returns 0 or -errno with *err set.
 */
int credentials_write(const char *path, const struct credentials *credentials, const char *region,
	struct df_err *err) __attribute__((warn_unused_result));

/*
 * Reads profile "default" of `path`; other profiles and keys are skipped. Returns 0, -ENOENT (no file), -EPERM (it is not
 * this user's own, or others may read it), -EINVAL (no such profile, or not a file of this form), -errno; with *err set.
 */
int credentials_load(const char *path, struct credentials *credentials, struct df_err *err)
	__attribute__((warn_unused_result));

/* Loads them, or makes and writes them if there is no file. Returns 0 or what the above return, with *err set. */
int credentials_ensure(const char *path, const char *region, struct credentials *credentials,
	struct df_err *err) __attribute__((warn_unused_result));

#endif
