// SPDX-License-Identifier: Apache-2.0
/*
 * Hooks of the feature `freeze` into the core. All are NULL while it is absent or the guest runs without
 * events; it also takes them away and puts them back as the guest passes from boot to frozen.
 */
#ifndef KERNEL_CORE_FREEZE_H
#define KERNEL_CORE_FREEZE_H

#include <kernel/core/hypercall.h>
#include <kernel/core/thread.h>

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

/*
 * Of the feature `http`; NULL while it is absent. With it the program waits for connections, not for standard input,
 * which is empty; what it prints goes to the log.
 */
struct http_hooks {
	/* Does a thread wait for a connection? own: the current one, through a queue that it did not sleep on. */
	bool (*awaited)(bool *own);
	/* The event is there. */
	void (*arrived)(void);
};
extern const struct http_hooks *http_hooks;

/* True from the thaw on. The mode is the monitor's to write, so nothing of ours changes for it. */
static inline bool event_there(void)
{
	return boot_info->event.mode == DF_MODE_EVENT || boot_info->event.mode == DF_MODE_REHEARSE;
}

/* Bytes that the reply may have. */
static inline uint64_t event_reply_limit(void)
{
	uint64_t window = boot_info->out_bytes - DF_OUT_REPLY;

	return event_there() ? min(boot_info->event.reply_max, window) : window;
}

/* Ends the event because it passed a limit. */
static inline void event_stop(enum df_stop why)
{
	request_page->out.stopped = (uint16_t)why;
	program_exit(0, 0);
}

#endif
