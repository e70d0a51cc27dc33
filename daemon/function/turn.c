/* SPDX-License-Identifier: Apache-2.0 */
/* Turns: see turn.h. */
#include "daemon/function/turn.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static struct {
	pthread_mutex_t lock;
	/* protected by lock: */
	LIST_HEAD(, turn) list;
} turns = {.lock = PTHREAD_MUTEX_INITIALIZER};

int turn_take(struct turn *turn, const char *name, struct df_err *err)
{
	struct turn *other;

	turn->name = name;
	pthread_mutex_lock(&turns.lock);
	LIST_FOREACH(other, &turns.list, link)
	{
		if (strcmp(other->name, name) == 0)
			break;
	}
	if (!other)
		LIST_INSERT_HEAD(&turns.list, turn, link);
	pthread_mutex_unlock(&turns.lock);
	return other
		? df_err_set(err, -EBUSY, "%s is being deployed, started or stopped just now", name)
		: 0;
}

void turn_end(struct turn *turn)
{
	pthread_mutex_lock(&turns.lock);
	LIST_REMOVE(turn, link);
	pthread_mutex_unlock(&turns.lock);
}
