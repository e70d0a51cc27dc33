/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors that a person may read.
 *
 * A function that can fail for a reason a user should hear takes a `struct df_err *`, which the caller
 * allocates, and fills it in when it fails. The integer result stays the thing that code looks at; the
 * text is for the reader: what failed, on what, why, and what to do about it, in plain words, starting in
 * lower case and without a final full stop, so that main can print "dayfly: TEXT".
 *
 * No allocation, no locks: usable in any thread, also when memory has run out.
 */
#ifndef HOST_ERR_H
#define HOST_ERR_H

#define DF_ERR_TEXT_MAX 1024

struct df_err {
	/* What df_err_set() was given: -errno, or the failing function's own enum. 0: nothing is set. */
	int code;
	/* Always terminated. A text that does not fit ends in "...". */
	char text[DF_ERR_TEXT_MAX];
};

/*
 * Stores `code` and the formatted text in *err and returns `code`, so that a function can say
 * `return df_err_set(err, -ENOENT, "...")`. `err` may be NULL: then only the code is returned.
 * Control characters in the text are replaced by '?': file names may hold terminal escapes.
 */
int df_err_set(struct df_err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Appends to the text that is set: advice that only a caller further up can give. NULL is allowed. */
void df_err_add(struct df_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The plain words for an errno value (positive or negative), e.g. "no such file or directory".
 * A static text, in lower case, to stand at the end of a message. Never NULL.
 */
const char *df_errno_text(int error);

#endif
