// SPDX-License-Identifier: Apache-2.0
/*
 * `dayfly-monitor serve`: the instances of one function, each on a thread of its own, for as long as the
 * client keeps its socket open. All are made before the first guest instruction; then the jail is locked.
 */
#ifndef MONITOR_SERVE_H
#define MONITOR_SERVE_H

/* The arguments behind `serve`. Result: exit status. */
int serve_main(int argc, char **argv);

#endif
