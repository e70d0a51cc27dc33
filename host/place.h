/* SPDX-License-Identifier: Apache-2.0 */
/* Where things of dayfly are on this host: its own programs, and the daemon's state. */
#ifndef HOST_PLACE_H
#define HOST_PLACE_H

/*
 * The path of one of dayfly's programs ("dayfly-monitor"), seen from this executable. In a build folder all of them lie beside each
 * other; installed, `dayfly` and `dayflyd` are in PREFIX/bin and the others in PREFIX/libexec/dayfly. No place is compiled in: a tree
 * that is moved as a whole still works. A program that is nowhere is named where it should lie beside this one, so that opening it fails
 * with that path. To be freed by the caller; NULL with errno set.
 */
char *df_place_program(const char *name) __attribute__((warn_unused_result));

/*
 * The daemon's state directory unless one is given: $DAYFLY_STATE, $XDG_DATA_HOME/dayfly, ~/.local/share/dayfly. To be freed by the
 * caller; NULL without memory.
 */
char *df_place_state(void) __attribute__((warn_unused_result));

#endif
