/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells a person what takes so long: "gathering python3 ... 3 s" on standard error, after the first second, if that is a terminal.
 * What begins within something else is not told. Nothing else may be written to the terminal until progress_end. One thread.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

/* `what` and `whom` (or NULL) are printed with a space between them, and are borrowed until progress_end. */
void progress_begin(const char *what, const char *whom);

/* Takes it away again: once for each progress_begin. */
void progress_end(void);

#endif
