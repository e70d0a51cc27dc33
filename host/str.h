/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String builder: bytes are appended, the text is always terminated, and running out of memory is remembered
 * instead of being checked after every append: look at `failed` (or the result of df_str_take) once.
 */
#ifndef HOST_STR_H
#define HOST_STR_H

#include <stdbool.h>
#include <stddef.h>

struct df_str {
	char *data; /* NULL while empty; use df_str_text() to read */
	size_t length;
	size_t capacity;
	bool failed; /* an append found no memory; it and all later ones did nothing */
};

#define DF_STR_EMPTY ((struct df_str){NULL, 0, 0, false})
#define DF_STR __attribute__((cleanup(df_str_deinit)))

/* Frees the text; the builder is empty and usable afterwards. */
void df_str_deinit(struct df_str *str);

/* Forgets the text and a failure, keeps the memory. */
void df_str_clear(struct df_str *str);

void df_str_add_bytes(struct df_str *str, const void *bytes, size_t length);
void df_str_add(struct df_str *str, const char *text);
void df_str_addf(struct df_str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends bytes that others chose, for a terminal: control characters other than tabs become `?`. */
void df_str_add_plain(struct df_str *str, const char *text, size_t length);

/* Cuts the text to `length` bytes; does nothing when it is shorter. */
void df_str_cut(struct df_str *str, size_t length);

/* The text, terminated; never NULL. Valid until the next append. */
const char *df_str_text(const struct df_str *str);

/* Gives the text to the caller, who frees it; NULL if an append failed. The builder is empty afterwards. */
char *df_str_take(struct df_str *str) __attribute__((warn_unused_result));

/* A new string made like printf, to be freed by the caller; NULL without memory. */
char *df_format(const char *format, ...) __attribute__((format(printf, 1, 2), warn_unused_result));

bool df_starts_with(const char *text, const char *prefix);
bool df_ends_with(const char *text, const char *suffix);

/*
 * How many single-character insertions, deletions and replacements turn `a` into `b`: for "did you mean".
 * Texts above 63 bytes count as far away (SIZE_MAX).
 */
size_t df_edit_distance(const char *a, const char *b);

#endif
