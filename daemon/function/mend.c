/* SPDX-License-Identifier: Apache-2.0 */
/* Freezing anew: see mend.h. */
#include "daemon/function/mend.h"

#include "daemon/function/deploy.h"

#include <errno.h>
#include <pthread.h>

static struct {
	pthread_t thread;
	bool started;
	bool ending; /* atomic */
} mending;

static void *mend(void *unused)
{
	struct function **list = registry_list(NULL);

	(void)unused;
	for (size_t i = 0; list && list[i]; i++) {
		if (__atomic_load_n(&mending.ending, __ATOMIC_RELAXED))
			break;
		if (list[i]->state == FUNCTION_PENDING)
			deploy_again(list[i]);
	}
	registry_list_free(list);
	return NULL;
}

int mend_start(struct df_err *err)
{
	int error = pthread_create(&mending.thread, NULL, mend, NULL);

	if (error)
		return df_err_set(err, -error, "starting a thread failed: %s",
			df_errno_text(error));
	mending.started = true;
	return 0;
}

void mend_stop(void)
{
	__atomic_store_n(&mending.ending, true, __ATOMIC_RELAXED);
	if (mending.started)
		pthread_join(mending.thread, NULL);
	mending.started = false;
}
