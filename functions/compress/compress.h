/* SPDX-License-Identifier: Apache-2.0 */
/* compress: what is asked for, and doing it; main.c has parameters and event. */
#ifndef FUNCTIONS_COMPRESS_COMPRESS_H
#define FUNCTIONS_COMPRESS_COMPRESS_H

#include "functions/compress/codec.h"

/* The format by its name, or NULL. */
const struct codec *compress_codec(const char *name);

/*
 * Unpacks a job whose format is `codec`, or is found out (NULL). Returns 0, or -1 with the failure set: 400 for no data, 415 for data of no format
 * that is known.
 */
int compress_unpack(const struct codec *codec, struct job *job) __attribute__((warn_unused_result));

#endif
