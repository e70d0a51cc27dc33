// SPDX-License-Identifier: Apache-2.0
/*
 * /dev: the character devices that programs expect, by number (a node made by mknod works as well), and
 * the links to descriptors. A tree of its own whatever the root image has in /dev.
 */
#include <kernel/fs/synth.h>

#include <asm/ioctls.h>
#include <kernel/core/hypercall.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>

#define DEV(major, minor) ((major) << 8 | (minor))

static int64_t read_end(struct file *f, void *buf, size_t bytes, uint64_t *pos, unsigned flags)
{
	(void)f, (void)buf, (void)bytes, (void)pos, (void)flags;
	return 0;
}

static int64_t write_all(struct file *f, const void *buf, size_t bytes, uint64_t *pos,
	unsigned flags)
{
	(void)f, (void)buf, (void)pos, (void)flags;
	return (int64_t)bytes;
}

static int64_t write_full(struct file *f, const void *buf, size_t bytes, uint64_t *pos,
	unsigned flags)
{
	(void)f, (void)buf, (void)pos, (void)flags;
	return bytes > 0 ? -ENOSPC : 0;
}

static int64_t read_zeroes(struct file *f, void *buf, size_t bytes, uint64_t *pos, unsigned flags)
{
	(void)f, (void)pos, (void)flags;
	return user_zero(buf, bytes) < 0 ? -EFAULT : (int64_t)bytes;
}

static int64_t read_random(struct file *f, void *buf, size_t bytes, uint64_t *pos, unsigned flags)
{
	uint8_t piece[256];
	size_t done = 0;

	(void)f, (void)pos, (void)flags;
	while (done < bytes) {
		size_t n = min(bytes - done, sizeof(piece));
		random_bytes(piece, n);
		if (user_copy_to((char *)buf + done, piece, n) < 0)
			return done > 0 ? (int64_t)done : -EFAULT;
		done += n;
	}
	return (int64_t)done;
}

static int64_t seek_nowhere(struct file *f, int64_t offset, int whence)
{
	(void)f, (void)offset, (void)whence;
	return 0;
}

/* Private mappings of /dev/zero: every page is the same zero page, which is copied when written. */
static int zero_frame(struct file *f, uint64_t index, bool write, gpa_t *gpa)
{
	static void *zeroes;

	(void)f, (void)index;
	if (write)
		return -ENOMEM;
	if (!zeroes)
		zeroes = frames_alloc(1);
	if (!zeroes)
		return -ENOMEM;
	*gpa = arena_gpa(zeroes);
	return 0;
}

#define DEVICE_OPS(ident, reader, writer, framer) \
	static const struct file_ops ident = {    \
		.read = (reader),                 \
		.write = (writer),                \
		.seek = seek_nowhere,             \
		.stat = node_file_stat,           \
		.frame = (framer),                \
		.path = node_file_path,           \
		.release = node_file_release,     \
	}

DEVICE_OPS(null_ops, read_end, write_all, NULL);
DEVICE_OPS(zero_ops, read_zeroes, write_all, zero_frame);
DEVICE_OPS(full_ops, read_zeroes, write_full, NULL);
DEVICE_OPS(random_ops, read_random, write_all, NULL);

/* The terminal is a stream that is one, if its descriptor is still open. */
static int open_terminal(struct file **out)
{
	for (int fd = 0; fd < 3; fd++) {
		struct file *f = fd_get(fd);
		struct stat st;
		if (!f || !f->ops->ioctl || !f->ops->stat || f->ops->stat(f, &st) < 0 ||
			!S_ISCHR(st.st_mode))
			continue;
		if (st.st_rdev >> 8 >= 136 ? st.st_rdev >> 8 < 144
					   : st.st_rdev >> 8 == 4 || st.st_rdev >> 8 == 5) {
			file_ref(f);
			*out = f;
			return 0;
		}
	}
	return -ENXIO;
}

int device_open(uint32_t rdev, struct node *n, unsigned flags, struct file **out)
{
	switch (rdev) {
	case DEV(1, 3):
		return node_file(&null_ops, n, flags, out);
	case DEV(1, 5):
		return node_file(&zero_ops, n, flags, out);
	case DEV(1, 7):
		return node_file(&full_ops, n, flags, out);
	case DEV(1, 8):
	case DEV(1, 9):
		return node_file(&random_ops, n, flags, out);
	case DEV(5, 0):
	case DEV(5, 1):
		return open_terminal(out);
	default:
		return -ENXIO;
	}
}

#define CHAR(n, permissions, major, minor)                                              \
	{                                                                               \
		.name = (n), .mode = S_IFCHR | (permissions), .rdev = DEV(major, minor) \
	}

static const struct synth dev_list[] = {
	CHAR("null", 0666, 1, 3),
	CHAR("zero", 0666, 1, 5),
	CHAR("full", 0666, 1, 7),
	CHAR("random", 0666, 1, 8),
	CHAR("urandom", 0666, 1, 9),
	CHAR("tty", 0666, 5, 0),
	CHAR("console", 0600, 5, 1),
	SYNTH_LINK_TO("fd", "/proc/self/fd"),
	SYNTH_LINK_TO("stdin", "/proc/self/fd/0"),
	SYNTH_LINK_TO("stdout", "/proc/self/fd/1"),
	SYNTH_LINK_TO("stderr", "/proc/self/fd/2"),
};

const struct synth dev_tree = {
	.mode = S_IFDIR | 0755,
	.list = dev_list,
	.count = array_size(dev_list),
};
