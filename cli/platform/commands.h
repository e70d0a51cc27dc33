/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of dayfly-platform: ROW(name, "one line for `dayfly help`"). cli/main.c and platform/main.c make tables of it. */
#ifndef CLI_PLATFORM_COMMANDS_H
#define CLI_PLATFORM_COMMANDS_H

#define PLATFORM_COMMANDS(ROW)                                                    \
	ROW(up, "start dayflyd in the background")                                \
	ROW(down, "stop it, when what runs has ended")                            \
	ROW(init, "write dayfly.yaml for a program: watch it run")                \
	ROW(deploy, "freeze a program and serve it as a function")                \
	ROW(invoke, "call a function: standard input is the event")               \
	ROW(ls, "list functions")                                                 \
	ROW(ps, "list what lives now: services, and functions' microVMs")         \
	ROW(top, "watch rates, times and memory of functions")                    \
	ROW(logs, "print the log of a function or service")                       \
	ROW(inspect, "print all that is known of a function")                     \
	ROW(rm, "remove functions and services")                                  \
	ROW(stop, "stop a service; it stays stopped until `dayfly start`")        \
	ROW(start, "start a service that was stopped")                            \
	ROW(dead, "list, read and replay asynchronous events that were given up") \
	ROW(images, "list images; prune and check the store")                     \
	ROW(rmi, "remove images")                                                 \
	ROW(backup, "write all that dayflyd remembers to a file")                 \
	ROW(restore, "make a state directory from such a file")

#endif
