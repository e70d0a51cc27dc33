/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters of a prebuilt function. One table names them all; a value comes from the first of these that has it:
 *
 *	the query             http.query: width=320&height=200
 *	an attribute          of that name: `dayfly invoke --attribute width=320`, the header ce-width
 *	the command line      --width=320 or --width 320
 *	the environment       PREFIX_WIDTH: 320, of the manifest
 *	the table             its default
 *
 * Limits are not for a caller to lift: a parameter that is `fixed` is not taken from queries and attributes. One thread.
 */
#ifndef FUNCTIONS_COMMON_PARAMS_H
#define FUNCTIONS_COMMON_PARAMS_H

#include "functions/common/answer.h"

#include <dayfly.h>
#include <stdbool.h>
#include <stdint.h>

#define PARAMS_MAX 24

struct param {
	const char *name; /* lower-case letters and digits, '-' between; NULL ends a table */
	const char *fallback; /* never NULL */
	bool fixed;
	const char *help; /* a line for --help: "WIDTH: in pixels" */
};

struct params {
	const struct param *table;
	const char *values[PARAMS_MAX]; /* in the table's order; never NULL */
};

struct program {
	const char *name; /* of the executable: "image" */
	const char *prefix; /* of variables: "IMAGE_" */
	const char *about; /* first line of --help */
	const struct param *table;
};

/*
 * Reads command line and environment. --help is printed here, and ends the process with 0; a flag that is wrong with 2, and a
 * message. Values stay where they are: argv and the environment.
 */
void params_start(struct params *params, const struct program *program, int argc, char **argv);

/*
 * Adds what the event says. Returns 0, or -1 with *failure set: 400 for a name that is not known or not for callers. Decoded
 * values are never freed.
 */
int params_event(struct params *params, const struct df_event_view *event, struct failure *failure)
	__attribute__((warn_unused_result));

/* A whole number from `least` to `most`, else -1 with *failure set (400). */
int params_number(const struct params *params, unsigned index, uint64_t least, uint64_t most,
	uint64_t *number, struct failure *failure) __attribute__((warn_unused_result));

/* The same for bytes, with K, M or G (1024 each) behind. */
int params_size(const struct params *params, unsigned index, uint64_t most, uint64_t *bytes,
	struct failure *failure) __attribute__((warn_unused_result));

/* The index of the value in `words` (NULL at the end), else -1 with *failure set (400). */
int params_word(const struct params *params, unsigned index, const char *const *words,
	struct failure *failure) __attribute__((warn_unused_result));

#endif
