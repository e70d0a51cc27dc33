/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections, and how long each may take for what it does. libmicrohttpd ends connections without traffic; one that sends or reads
 * a byte now and then would stay for ever. So each has a time by which it must be further, and a thread that looks once a second cuts
 * those that are not:
 *
 *	CONNECTION_HEAD_S     for the head of the first request
 *	CONNECTION_KEPT_S     from an answer to the head of the next one, waiting included
 *	CONNECTION_BODY_S     for a body
 *	connection_answering  for reading an answer that keeps something busy
 */
#ifndef DAEMON_CONNECTION_H
#define DAEMON_CONNECTION_H

#include <microhttpd.h>
#include <stdint.h>

#define CONNECTION_HEAD_S 20u
#define CONNECTION_KEPT_S 75u
#define CONNECTION_BODY_S 300u

/* Returns 0 or -errno. */
int connections_init(void) __attribute__((warn_unused_result));
void connections_deinit(void); /* when there are none any more */

/* For MHD_OPTION_NOTIFY_CONNECTION. */
void connection_changed(void *unused, struct MHD_Connection *connection, void **state,
	enum MHD_ConnectionNotificationCode code);

/* What it must do next is to be done in that many seconds; 0: there is no limit. */
void connection_within(struct MHD_Connection *connection, unsigned int seconds);

/* The client must have read so many bytes at 64 KiB/s, and a minute more. */
void connection_answering(struct MHD_Connection *connection, uint64_t bytes);

#endif
