// SPDX-License-Identifier: Apache-2.0
/*
 * Hooks of the feature `freeze` into the core. All are NULL while it is absent or the guest runs without
 * events; it also takes them away and puts them back as the guest passes from boot to frozen.
 */
#ifndef KERNEL_CORE_FREEZE_H
#define KERNEL_CORE_FREEZE_H

#include <dayfly/types.h>

struct file;

struct freeze_hooks {
	/* New reference to the file of a standard stream, in place of the monitor's. */
	struct file *(*stream)(int n);
	/* The program is loaded and will run when this returns. */
	void (*entry)(void);
	/* No thread can run. True: the event has come, look again. */
	bool (*idle)(void);
	/* A call that does not wait found nothing ready; its waiters are on the files' queues. True: the
	 * event has come, look again. */
	bool (*polled)(void);
	/* A system call trapped. True: leave the site as it is. */
	bool (*trap)(gva_t site, uint64_t nr);
	/* A fault at va was resolved. */
	void (*fault)(gva_t va, bool write);
};
extern struct freeze_hooks freeze_hooks;

#endif
