/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object store as a part of the daemon: objects.h on disk, s3.h for clients, notify.h and deliver.h for functions. For main.c.
 *
 *	store_init      after state_open: what the triggers need to know
 *	store_start     after the queue, the triggers and http_start: events that a crash left are handed over, then clients may come
 */
#ifndef DAEMON_OBJECT_STORE_H
#define DAEMON_OBJECT_STORE_H

#include "daemon/object/s3.h"
#include "daemon/settings.h"

/* Both return 0 or -errno with *err set. Without a store (settings) they do nothing. */
int store_init(const struct settings *settings, struct df_err *err)
	__attribute__((warn_unused_result));
int store_start(const struct settings *settings, struct df_err *err)
	__attribute__((warn_unused_result));

/* As http_quiesce, http_active, http_stop. */
void store_quiesce(void);
unsigned int store_active(void);
void store_stop(void);
void store_deinit(void); /* after the queue's workers have ended */

/* Is there one? */
bool store_is_there(void);

/* Appends Prometheus text. */
void store_metrics(struct df_str *text);

#endif
