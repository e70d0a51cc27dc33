// SPDX-License-Identifier: Apache-2.0
/*
 * `dayfly-monitor freeze`: boots a program to its wait point, rehearses an event, and writes the
 * snapshot. One client, one slot, one process; it ends when it has answered.
 */
#ifndef MONITOR_FREEZE_H
#define MONITOR_FREEZE_H

/* The arguments behind `freeze`. Result: exit status. */
int freeze_main(int argc, char **argv, char **envp);

#endif
