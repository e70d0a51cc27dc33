// SPDX-License-Identifier: Apache-2.0
/*
 * Calls of the core that look different in a guest with events: prctl, which gives programs that ask the event
 * itself (dayfly/sdk.h), and mmap, since mapping standard input is a way to want it.
 */
#include <asm/unistd.h>
#include <dayfly/sdk.h>
#include <kernel/core/errno.h>
#include <kernel/freeze/freeze.h>
#include <kernel/mm/user.h>
#include <kernel/sys/table.h>
#include <linux/mman.h>

static call_handler *core_prctl, *core_mmap;
static unsigned waiting; /* threads in NEXT_EVENT without an event */
static const struct thread *taker; /* who got the event */

bool sdk_waits(void)
{
	return waiting;
}

static int64_t next_event(gva_t out, uint64_t size)
{
	const struct df_event *e = &boot_info->event;
	struct df_sdk_event event;
	int r;

	if (!size)
		return -EINVAL;
	if (taker == current && !(e->flags & DF_EVENT_WARM))
		program_exit(0, 0);
	if (taker == current) {
		freeze_next();
		taker = NULL;
	}
	/* One event, one taker: other threads wait for ever. */
	while (!event_there() || taker) {
		waiting++;
		r = input_sleep();
		waiting--;
		if (r)
			return r;
	}
	event = (struct df_sdk_event){
		.number = e->number,
		.body = DF_VA_IN + DF_IN_BODY,
		.body_bytes = e->body_bytes,
		.attributes = DF_VA_IN,
		.attribute_bytes = e->attribute_bytes,
		.reply = DF_VA_OUT + DF_OUT_REPLY,
		.reply_max = event_reply_limit(),
	};
	if (user_copy_to((void *)out, &event, min(size, (uint64_t)sizeof(event))))
		return -EFAULT;
	taker = current;
	return 0;
}

/* Pairs of zero-ended strings, the last of them complete? */
static bool are_pairs(const char *text, uint64_t bytes)
{
	unsigned ends = 0;

	for (uint64_t i = 0; i < bytes; i++)
		ends += !text[i];
	return !bytes || (!text[bytes - 1] && ends % 2 == 0);
}

/* A rehearsal has its notes where the attributes would go. */
static int put_attributes(const struct df_sdk_reply *reply)
{
	char *to = (char *)(DF_VA_OUT + DF_OUT_ATTRIBUTES);

	request_page->out.attribute_bytes = 0;
	if (boot_info->event.mode == DF_MODE_REHEARSE)
		return 0;
	if (user_copy_from(to, (const void *)reply->attributes, reply->attribute_bytes))
		return -EFAULT;
	if (!are_pairs(to, reply->attribute_bytes))
		return -EINVAL;
	request_page->out.attribute_bytes = (uint32_t)reply->attribute_bytes;
	return 0;
}

static int64_t put_reply(gva_t from, uint64_t size)
{
	struct df_sdk_reply reply = {0};
	struct df_out *out = &request_page->out;
	gva_t to = DF_VA_OUT + DF_OUT_REPLY;
	int r;

	if (!size)
		return -EINVAL;
	if (user_copy_from(&reply, (const void *)from, min(size, (uint64_t)sizeof(reply))))
		return -EFAULT;
	if (!event_there())
		return -EAGAIN;
	if ((reply.status && (reply.status < 100 || reply.status > 599)) ||
		(reply.flags & ~DF_REPLY_BODY))
		return -EINVAL;
	if (reply.attribute_bytes > DF_OUT_ATTRIBUTES_MAX)
		return -E2BIG;
	r = put_attributes(&reply);
	if (r)
		return r;
	if (reply.flags & DF_REPLY_BODY) {
		if (reply.body_bytes > event_reply_limit())
			event_stop(DF_STOP_REPLY_SIZE);
		/* The copy goes upwards, so a body that lies further up in the window moves down intact. */
		if (reply.body != to &&
			user_copy_from((void *)to, (const void *)reply.body, reply.body_bytes))
			return -EFAULT;
		out->reply_bytes = reply.body_bytes;
	}
	out->status = (uint16_t)reply.status;
	return 0;
}

static int64_t event_prctl(uint64_t option, uint64_t op, uint64_t argument, uint64_t size,
	uint64_t e, uint64_t f)
{
	if ((int)option != DF_PRCTL)
		return core_prctl(option, op, argument, size, e, f);
	switch (op) {
	case DF_PRCTL_NEXT_EVENT:
		return next_event(argument, size);
	case DF_PRCTL_REPLY:
		return put_reply(argument, size);
	default:
		return -EINVAL;
	}
}

static int64_t event_mmap(uint64_t at, uint64_t bytes, uint64_t prot, uint64_t flags, uint64_t fd,
	uint64_t offset)
{
	const struct file *f = flags & MAP_ANONYMOUS ? NULL : fd_get((int)fd);

	if (f && is_input(f)) {
		int r = input_wait(false);

		if (r)
			return r;
	}
	return core_mmap(at, bytes, prot, flags, fd, offset);
}

void sdk_init(void)
{
	call_handler **table = table_get();

	core_prctl = table[__NR_prctl];
	table[__NR_prctl] = event_prctl;
	core_mmap = table[__NR_mmap];
	table[__NR_mmap] = event_mmap;
}
