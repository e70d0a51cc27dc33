/* SPDX-License-Identifier: Apache-2.0 */
/* An event slot on the client's side: see slot.h. */
#include "host/slot.h"

#include "host/cleanup.h"
#include "host/slot_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

_Static_assert(DF_IN_BODY == DF_OUT_REPLY, "one size of window for bodies and replies");

uint64_t df_slot_window(uint64_t body_bytes)
{
	if (body_bytes > DF_WINDOW_MAX - DF_IN_BODY)
		return 0;
	return (DF_IN_BODY + body_bytes + DF_LARGE_MASK) & ~DF_LARGE_MASK;
}

static bool is_window(uint64_t bytes)
{
	return bytes >= DF_WINDOW_MIN && bytes <= DF_WINDOW_MAX && !(bytes & DF_LARGE_MASK);
}

/* A memory file of this size that can be sealed. -1 with errno set. */
static int make_file(const char *name, uint64_t bytes)
{
	DF_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	/* Kernels before Linux 6.3 do not know the last flag. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return -1;
	return df_take_fd(&fd);
}

/* NULL with errno set. */
static void *map_file(int fd, uint64_t bytes, int protection)
{
	void *at = mmap(NULL, (size_t)bytes, protection, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

int df_slot_init(struct df_slot *slot, uint64_t in_bytes, struct df_err *err)
{
	*slot = DF_SLOT_NONE;
	if (!is_window(in_bytes))
		return df_err_set(err, -EINVAL, "an event's window can not have %llu bytes",
			(unsigned long long)in_bytes);
	slot->control_fd = make_file("dayfly-control", DF_CONTROL_BYTES);
	if (slot->control_fd >= 0)
		slot->control =
			map_file(slot->control_fd, DF_CONTROL_BYTES, PROT_READ | PROT_WRITE);
	if (slot->control)
		slot->in_fd = make_file("dayfly-in", in_bytes);
	if (slot->in_fd >= 0)
		slot->in = map_file(slot->in_fd, in_bytes, PROT_READ | PROT_WRITE);
	slot->in_bytes = in_bytes;
	if (!slot->in)
		return df_err_set(err, -errno, "making an event's memory failed: %s",
			df_errno_text(errno));
	return 0;
}

/* Gives back what is behind the window that the event needs. */
static int cut(struct df_slot *slot, uint64_t in_bytes)
{
	if (in_bytes == slot->in_bytes)
		return 0;
	if (munmap(slot->in + in_bytes, (size_t)(slot->in_bytes - in_bytes)) < 0)
		return -1;
	slot->in_bytes = in_bytes;
	return ftruncate(slot->in_fd, (off_t)in_bytes);
}

int df_slot_seal(struct df_slot *slot, uint64_t in_bytes, uint64_t out_bytes, struct df_err *err)
{
	const int fixed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	uint64_t need = df_slot_window(slot->body_bytes);

	if (!in_bytes)
		in_bytes = need;
	if (!is_window(in_bytes) || in_bytes < need || in_bytes > slot->in_bytes ||
		!is_window(out_bytes))
		return df_err_set(err, -EINVAL,
			"an event's windows can not have %llu and %llu bytes",
			(unsigned long long)in_bytes, (unsigned long long)out_bytes);
	slot->out_fd = make_file("dayfly-out", out_bytes);
	if (slot->out_fd >= 0)
		slot->out = map_file(slot->out_fd, out_bytes, PROT_READ);
	slot->out_bytes = out_bytes;
	if (!slot->out || cut(slot, in_bytes) < 0 ||
		fcntl(slot->control_fd, F_ADD_SEALS, fixed) < 0 ||
		fcntl(slot->in_fd, F_ADD_SEALS, fixed | F_SEAL_FUTURE_WRITE) < 0 ||
		fcntl(slot->out_fd, F_ADD_SEALS, fixed) < 0)
		return df_err_set(err, -errno, "making an event's memory failed: %s",
			df_errno_text(errno));
	return 0;
}

int df_slot_wipe_out(struct df_slot *slot, struct df_err *err)
{
	if (fallocate(slot->out_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		    (off_t)slot->out_bytes) < 0)
		return df_err_set(err, -errno, "emptying an event's memory failed: %s",
			df_errno_text(errno));
	return 0;
}

void df_slot_deinit(struct df_slot *slot)
{
	if (slot->control)
		munmap(slot->control, DF_CONTROL_BYTES);
	if (slot->in)
		munmap(slot->in, (size_t)slot->in_bytes);
	if (slot->out)
		munmap((void *)slot->out, (size_t)slot->out_bytes);
	df_cleanup_fd(&slot->control_fd);
	df_cleanup_fd(&slot->in_fd);
	df_cleanup_fd(&slot->out_fd);
	*slot = DF_SLOT_NONE;
}

/* What the event before had more than this one. */
static void wipe(uint8_t *part, uint64_t bytes, uint64_t old_bytes)
{
	if (old_bytes > bytes)
		memset(part + bytes, 0, (size_t)(old_bytes - bytes));
}

static int put(uint8_t *part, uint64_t room, uint64_t *part_bytes, const void *bytes, size_t length)
{
	int result = length > room ? -E2BIG : 0;

	if (result)
		length = 0;
	if (length)
		memcpy(part, bytes, length);
	wipe(part, length, *part_bytes);
	*part_bytes = length;
	return result;
}

int df_slot_put_body(struct df_slot *slot, const void *bytes, size_t length)
{
	return put(slot->in + DF_IN_BODY, slot->in_bytes - DF_IN_BODY, &slot->body_bytes, bytes,
		length);
}

int df_slot_put_attributes(struct df_slot *slot, const void *bytes, size_t length)
{
	return put(slot->in, DF_IN_BODY, &slot->attribute_bytes, bytes, length);
}

/* read(2) that goes on after a signal. Returns -errno for an error. */
static ssize_t read_some(int fd, void *into, size_t bytes)
{
	ssize_t got;

	do {
		got = read(fd, into, bytes);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int df_slot_read_body(struct df_slot *slot, int fd)
{
	uint8_t *body = slot->in + DF_IN_BODY, beyond;
	uint64_t room = slot->in_bytes - DF_IN_BODY, bytes = 0;
	ssize_t got;

	do {
		/* A full window is asked for one byte more: was that the end? */
		got = bytes < room ? read_some(fd, body + bytes, (size_t)(room - bytes))
				   : read_some(fd, &beyond, 1);
		if (got > 0 && bytes == room)
			got = -E2BIG;
		if (got > 0)
			bytes += (uint64_t)got;
	} while (got > 0);
	if (got < 0) {
		memset(body, 0, (size_t)bytes);
		bytes = 0;
	}
	wipe(body, bytes, slot->body_bytes);
	slot->body_bytes = bytes;
	return (int)got;
}

void df_slot_describe(struct df_slot *slot, const struct df_slot_limits *limits)
{
	struct df_control *control = slot->control;

	slot->reply_max = limits->reply_bytes;
	slot->log_max = limits->log_bytes;
	control->body_bytes = slot->body_bytes;
	control->attribute_bytes = slot->attribute_bytes;
	control->wall_limit_ns = limits->wall_ns;
	control->cpu_limit_ns = limits->cpu_ns;
	control->reply_max = limits->reply_bytes;
	control->log_max = limits->log_bytes;
}

void df_slot_start(struct df_slot *slot, const struct df_slot_limits *limits)
{
	df_slot_describe(slot, limits);
	df_slot_set(slot->control, DF_SIDE_CLIENT, DF_SLOT_EVENT);
}

int df_slot_wait_reply(struct df_slot *slot, uint64_t deadline_ns)
{
	uint32_t state;
	int result =
		df_slot_wait(slot->control, DF_SIDE_CLIENT, DF_SLOT_EVENT, deadline_ns, &state);

	if (result)
		return result;
	return state == DF_SLOT_REPLY ? 0 : -EPIPE;
}

/* The numbers of the control page, each read once. */
static struct df_control copy_numbers(const struct df_control *from)
{
	const volatile struct df_control *control = from;

	return (struct df_control){
		.outcome = control->outcome,
		.status = control->status,
		.reply_bytes = control->reply_bytes,
		.log_bytes = control->log_bytes,
		.attribute_bytes_out = control->attribute_bytes_out,
		.reply_status = control->reply_status,
		.thaw_ns = control->thaw_ns,
		.run_ns = control->run_ns,
		.pages = control->pages,
		.leaks = control->leaks,
		.text_bytes = control->text_bytes,
	};
}

static bool status_fits(const struct df_control *c)
{
	switch (c->outcome) {
	case DF_OUTCOME_EXIT:
		return c->status >= 0 && c->status <= 255;
	case DF_OUTCOME_SIGNAL:
		return c->status >= 1 && c->status <= 64;
	default:
		return c->outcome > 0 && c->outcome < DF_OUTCOME_COUNT;
	}
}

static const char *what_is_wrong(const struct df_control *c, uint64_t out_bytes)
{
	if (!status_fits(c))
		return "an outcome that does not exist";
	if (c->reply_bytes > out_bytes - DF_OUT_REPLY)
		return "a reply longer than it may be";
	if (c->log_bytes > DF_OUT_LOG_MAX)
		return "a log longer than it may be";
	if (c->attribute_bytes_out > DF_OUT_ATTRIBUTES_MAX)
		return "more attributes than there may be";
	if (c->reply_status > UINT16_MAX)
		return "a status that does not exist";
	if (c->text_bytes >= DF_CONTROL_TEXT)
		return "a text longer than it may be";
	return NULL;
}

static int impossible(const char *what, struct df_err *err)
{
	return df_err_set(err, -EPROTO, "the monitor answered with %s; please report it", what);
}

int df_slot_reply_from(const struct df_control *control, const uint8_t *out, uint64_t out_bytes,
	struct df_slot_reply *reply, struct df_err *err)
{
	struct df_control c = copy_numbers(control);
	const char *wrong = what_is_wrong(&c, out_bytes);

	if (wrong)
		return impossible(wrong, err);
	reply->outcome = c.outcome;
	reply->status = c.status;
	reply->reply_status = c.reply_status;
	reply->body = out + DF_OUT_REPLY;
	reply->body_bytes = (size_t)c.reply_bytes;
	reply->log = out + DF_OUT_LOG;
	reply->log_bytes = (size_t)c.log_bytes;
	reply->attributes = out + DF_OUT_ATTRIBUTES;
	reply->attribute_bytes = c.attribute_bytes_out;
	reply->thaw_ns = c.thaw_ns;
	reply->run_ns = c.run_ns;
	reply->pages = c.pages;
	reply->leaks = c.leaks;
	memcpy(reply->text, control->text, c.text_bytes);
	reply->text[c.text_bytes] = '\0';
	return 0;
}

int df_slot_reply(const struct df_slot *slot, struct df_slot_reply *reply, struct df_err *err)
{
	int error = df_slot_reply_from(slot->control, slot->out, slot->out_bytes, reply, err);

	if (error)
		return error;
	/* Also what the event asked for, not only what the file holds. */
	if (slot->reply_max && reply->body_bytes > slot->reply_max)
		return impossible("a reply longer than it may be", err);
	if (slot->log_max && reply->log_bytes > slot->log_max)
		return impossible("a log longer than it may be", err);
	return 0;
}
