// SPDX-License-Identifier: Apache-2.0
/* signalfd: signals as records to read. The reader's own signals and the program's are seen. */
#include <asm/fcntl.h>
#include <linux/eventpoll.h>
#include <linux/signalfd.h>
#include <kernel/core/file.h>
#include <kernel/mm/mm.h>
#include <kernel/signal/signal.h>

static uint64_t *mask_of(struct file *f)
{
	return f->data;
}

static struct signalfd_siginfo record_of(const siginfo_t *info)
{
	struct signalfd_siginfo r = {
		.ssi_signo = (uint32_t)info->si_signo,
		.ssi_errno = info->si_errno,
		.ssi_code = info->si_code,
	};

	if (info->si_code == SI_TIMER) {
		r.ssi_tid = (uint32_t)info->si_tid;
		r.ssi_overrun = (uint32_t)info->si_overrun;
	} else if (info->si_code <= 0) {
		r.ssi_pid = (uint32_t)info->si_pid;
		r.ssi_uid = info->si_uid;
	} else if (info->si_code != SI_KERNEL) {
		r.ssi_addr = (uint64_t)info->si_addr;
	}
	if (info->si_code < 0) {
		r.ssi_ptr = (uint64_t)info->si_ptr;
		r.ssi_int = info->si_int;
	}
	return r;
}

static int64_t signalfd_read(struct file *f, void *buf, size_t n, uint64_t *pos, unsigned flags)
{
	struct signalfd_siginfo record;
	siginfo_t info;
	size_t done = 0;
	int r;

	(void)pos;
	if (n < sizeof(record))
		return -EINVAL;
	while (n - done >= sizeof(record)) {
		if (signal_take(*mask_of(f), &info)) {
			record = record_of(&info);
			if (user_put((char *)buf + done, &record))
				return done ? (int64_t)done : -EFAULT;
			done += sizeof(record);
			continue;
		}
		if (done)
			break;
		if (flags & FILE_NONBLOCK)
			return -EAGAIN;
		r = wait_on(&signal_arrivals, DF_FOREVER);
		if (r)
			return r;
	}
	return (int64_t)done;
}

static unsigned signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct thread_signals *s = signals_of(current);
	uint64_t waiting = shared_pending.set | (s ? s->pending.set : 0);

	poll_wait(pt, &signal_arrivals);
	return waiting & *mask_of(f) ? EPOLLIN : 0;
}

static int signalfd_stat(struct file *f, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = 15;
	st->st_ino = (gva_t)f->data >> 4;
	st->st_mode = 0600;
	st->st_nlink = 1;
	st->st_blksize = 4096;
	return 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->data);
}

static const struct file_ops signalfd_ops = {
	.kind = "anon_inode:[signalfd]",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.stat = signalfd_stat,
	.release = signalfd_release,
};

static int64_t new_signalfd(uint64_t mask, int flags)
{
	uint64_t *data = kmalloc(sizeof(*data));
	struct file *f;
	int r;

	if (!data)
		return -ENOMEM;
	*data = mask;
	r = file_new(&signalfd_ops, O_RDWR | ((unsigned)flags & O_NONBLOCK), data, &f);
	if (r) {
		kfree(data);
		return r;
	}
	r = fd_install(f, 0, flags & SFD_CLOEXEC);
	if (r < 0)
		file_unref(f); /* and with it the data */
	return r;
}

int64_t sys_signalfd4(int fd, gva_t set, uint64_t set_bytes, int flags)
{
	uint64_t mask;
	struct file *f;

	if (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	if (set_bytes != sizeof(mask))
		return -EINVAL;
	if (user_get(&mask, set))
		return -EFAULT;
	mask &= ~UNBLOCKABLE;
	if (fd == -1)
		return new_signalfd(mask, flags);
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (f->ops != &signalfd_ops)
		return -EINVAL;
	*mask_of(f) = mask;
	wait_queue_wake(&signal_arrivals, EPOLLIN);
	return fd;
}

int64_t sys_signalfd(int fd, gva_t set, uint64_t set_bytes)
{
	return sys_signalfd4(fd, set, set_bytes, 0);
}
