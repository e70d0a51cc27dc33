// SPDX-License-Identifier: Apache-2.0
/*
 * `dayfly-monitor thaw`: one event, from standard input to standard output, in a pristine copy of a
 * program that a snapshot file holds. `dayfly thaw` becomes this process, so that nothing is passed on and
 * nobody is waited for.
 */
#ifndef MONITOR_THAW_H
#define MONITOR_THAW_H

/* The arguments behind `thaw`. Result: exit status, as host/outcome.h says. */
int thaw_main(int argc, char **argv);

#endif
