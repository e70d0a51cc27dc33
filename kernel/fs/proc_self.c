// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/PID: what the program can learn about itself. Fields that have no meaning here (page faults,
 * signals sent by others, priorities) read as zero.
 */
#include <kernel/fs/synth.h>

#include <kernel/core/ids.h>
#include <kernel/core/program.h>
#include <kernel/fs/system.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <kernel/time/clock.h>

/* --- descriptors --- */

/* Stands for an open file that is not of a file system: a pipe, a stream, an event descriptor. Opening it
 * gives the same description again. */
struct fd_node {
	struct node node;
	struct file *file;
};

static void fd_stat(struct node *n, struct stat *st)
{
	struct file *f = container_of(n, struct fd_node, node)->file;

	if (f->ops->stat && f->ops->stat(f, st) < 0)
		st->st_nlink = 1;
}

static int fd_open(struct node *n, unsigned flags, struct file **out)
{
	(void)flags;
	*out = container_of(n, struct fd_node, node)->file;
	file_ref(*out);
	return 0;
}

static void fd_release(struct node *n)
{
	struct fd_node *f = container_of(n, struct fd_node, node);

	file_unref(f->file);
	kfree(f);
}

static const struct node_ops fd_ops = {
	.stat = fd_stat,
	.open = fd_open,
	.release = fd_release,
};

static int fd_jump(int fd, struct node **out)
{
	static struct mount nowhere = {.type = "none"};
	struct file *f = fd_get(fd);
	struct node *n = f ? file_node(f) : NULL;
	struct fd_node *wrap;
	struct stat st = {.st_mode = S_IFIFO | 0600};

	if (!f)
		return -ENOENT;
	if (n) {
		*out = node_ref(n);
		return 0;
	}
	wrap = kzalloc(sizeof(*wrap));
	if (!wrap)
		return -ENOMEM;
	if (f->ops->stat && f->ops->stat(f, &st) < 0)
		st.st_mode = S_IFIFO | 0600;
	file_ref(f);
	wrap->file = f;
	wrap->node =
		(struct node){.ops = &fd_ops, .mount = &nowhere, .refs = 1, .mode = st.st_mode};
	*out = &wrap->node;
	return 0;
}

static void fd_target(struct text *t, int fd)
{
	struct file *f = fd_get(fd);
	struct stat st = {0};
	char *path;

	if (!f)
		return;
	if (f->ops->path && (path = kmalloc(PATH_BYTES_MAX))) {
		int n = f->ops->path(f, path, PATH_BYTES_MAX);
		if (n >= 0)
			text_add(t, "%s", path);
		kfree(path);
		if (n >= 0)
			return;
	}
	if (f->ops->stat && f->ops->stat(f, &st) < 0)
		st.st_ino = 0;
	if (f->ops->kind && strchr(f->ops->kind, ':'))
		text_add(t, "%s", f->ops->kind);
	else
		text_add(t, "%s:[%lu]", f->ops->kind ? f->ops->kind : "pipe", st.st_ino);
}

static void fd_info(struct text *t, int fd)
{
	struct file *f = fd_get(fd);

	if (f)
		text_add(t, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t0\n", f->pos,
			f->flags | (fd_cloexec(fd) ? O_CLOEXEC : 0));
}

/* --- memory --- */

static uint64_t mapped_bytes(void)
{
	struct vma *v;
	uint64_t bytes = 0;

	list_for_each(v, &vma_list, node)
		bytes += v->end - v->start;
	return bytes;
}

static uint64_t used_bytes(void)
{
	return mm_total_bytes() - mm_free_bytes();
}

static void add_mapping(struct text *t, const struct vma *v, char *path)
{
	struct stat st = {0};
	size_t start = t->used;
	const char *name = v->flags & VMA_STACK ? "[stack]"
		: v->flags & VMA_HEAP           ? "[heap]"
		: v->flags & VMA_WINDOW         ? "[event]"
						: "";

	if (v->file) {
		if (v->file->ops->stat && v->file->ops->stat(v->file, &st) < 0)
			st.st_ino = 0;
		if (v->file->ops->path && v->file->ops->path(v->file, path, PATH_BYTES_MAX) >= 0)
			name = path;
	}
	text_add(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end,
		v->prot & 1 ? 'r' : '-', v->prot & 2 ? 'w' : '-', v->prot & 4 ? 'x' : '-',
		v->flags & VMA_SHARED ? 's' : 'p', v->file ? v->offset : 0,
		(unsigned)(st.st_dev >> 8), (unsigned)(st.st_dev & 255), st.st_ino);
	if (*name) {
		for (size_t used = t->used - start; used < 73; used++)
			text_add(t, " ");
		text_add(t, "%s", name);
	}
	text_add(t, "\n");
}

static void maps(struct text *t, int id)
{
	char *path = kmalloc(PATH_BYTES_MAX);
	struct vma *v;

	(void)id;
	if (!path)
		return;
	list_for_each(v, &vma_list, node)
		add_mapping(t, v, path);
	kfree(path);
}

static void statm(struct text *t, int id)
{
	(void)id;
	text_add(t, "%lu %lu 0 0 0 %lu 0\n", mapped_bytes() >> DF_PAGE_SHIFT,
		used_bytes() >> DF_PAGE_SHIFT, mapped_bytes() >> DF_PAGE_SHIFT);
}

/* --- the process and its threads --- */

/* Thread by its number; the first one stands for the process. */
static struct thread *thread_of(int id)
{
	struct thread *t;

	list_for_each(t, &thread_list, all)
		if (t->tid == tid_meant(id))
			return t;
	return list_entry(thread_list.next, struct thread, all);
}

static char state_of(const struct thread *t)
{
	return t->state == THREAD_RUNNABLE ? 'R' : 'S';
}

static void comm(struct text *t, int id)
{
	text_add(t, "%s\n", thread_of(id)->name);
}

static int64_t set_comm(int id, const char *text, size_t bytes)
{
	struct thread *th = thread_of(id);

	bytes = min(bytes, sizeof(th->name) - 1);
	memcpy(th->name, text, bytes);
	th->name[bytes] = 0;
	if (bytes > 0 && th->name[bytes - 1] == '\n')
		th->name[bytes - 1] = 0;
	return 0;
}

static void self_stat(struct text *t, int id)
{
	const struct thread *th = thread_of(id);
	uint64_t ticks = clock_process_cpu() / (NS_PER_S / 100);

	/* Fields as in proc(5), in order, zero where nothing is known. */
	text_add(t,
		"%d (%s) %c %u %u %u 0 -1 4194560 0 0 0 0 %lu 0 0 0 20 0 %d 0 0 %lu %lu 18446744073709551615 ",
		id, th->name, state_of(th), 0, system_pid(), system_pid(), ticks, thread_count,
		mapped_bytes(), used_bytes() >> DF_PAGE_SHIFT);
	text_add(t, "0 0 %lu 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 %lu %lu %lu %lu %lu 0\n",
		program.stack_top, program.brk_start, program.args_start, program.args_end,
		program.env_start, program.env_end);
}

static void status(struct text *t, int id)
{
	const struct thread *th = thread_of(id);

	text_add(t,
		"Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\nTgid:\t%u\nNgid:\t0\nPid:\t%d\nPPid:\t1\nTracerPid:\t0\n",
		th->name, fs_umask, state_of(th), state_of(th) == 'R' ? "running" : "sleeping",
		system_pid(), id);
	text_add(t, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t%u\nGroups:\t0 \n", 256);
	text_add(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n",
		mapped_bytes() >> 10, mapped_bytes() >> 10, used_bytes() >> 10, used_bytes() >> 10);
	text_add(t, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmSwap:\t       0 kB\nThreads:\t%d\n",
		used_bytes() >> 10, (program.stack_top - program.stack_low) >> 10, thread_count);
	text_add(t,
		"CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
		"CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n");
	text_add(t,
		"Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n"
		"voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
}

static void cmdline(struct text *t, int id)
{
	(void)id;
	text_bytes(t, (const void *)program.args_start, program.args_end - program.args_start);
}

static void environ(struct text *t, int id)
{
	(void)id;
	text_bytes(t, (const void *)program.env_start, program.env_end - program.env_start);
}

static void auxv(struct text *t, int id)
{
	(void)id;
	text_bytes(t, program.auxv, program.auxv_bytes);
}

static void exe(struct text *t, int id)
{
	(void)id;
	text_add(t, "%s", program.path);
}

static void cwd(struct text *t, int id)
{
	char *path = kmalloc(PATH_BYTES_MAX);

	(void)id;
	if (path && node_path(fs_cwd, path, PATH_BYTES_MAX) >= 0)
		text_add(t, "%s", path);
	kfree(path);
}

static int cwd_jump(int id, struct node **out)
{
	(void)id;
	*out = node_ref(fs_cwd);
	return 0;
}

static void limits(struct text *t, int id)
{
	static const char *const endless[] = {"Max cpu time", "Max file size", "Max data size",
		"Max resident set", "Max processes", "Max locked memory", "Max address space",
		"Max file locks", "Max pending signals"};

	(void)id;
	text_add(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < array_size(endless); i++)
		text_add(t, "%-25s %-20s %-20s\n", endless[i], "unlimited", "unlimited");
	text_add(t, "%-25s %-20lu %-20lu bytes\n", "Max stack size",
		program.stack_top - program.stack_low, program.stack_top - program.stack_low);
	text_add(t, "%-25s %-20u %-20u files\n", "Max open files", fd_limit(), FD_MAX);
}

static void self_mounts(struct text *t, int id)
{
	char path[64];

	(void)id;
	for (unsigned i = 0; i < mount_count; i++) {
		const struct mount *m = &mounts[i];
		if (node_path(m->root, path, sizeof(path)) >= 0)
			text_add(t, "%s %s %s %s 0 0\n", m->type, path, m->type,
				m->root->ops->change || !m->space ? "rw" : "ro");
	}
}

static void mountinfo(struct text *t, int id)
{
	char path[64];

	(void)id;
	for (unsigned i = 0; i < mount_count; i++) {
		const struct mount *m = &mounts[i];
		if (node_path(m->root, path, sizeof(path)) >= 0)
			text_add(t, "%u %u 0:%u / %s %s - %s %s rw\n", i + 1, i ? 1 : 0, m->dev,
				path, m->root->ops->change || !m->space ? "rw" : "ro", m->type,
				m->type);
	}
}

static int next_tid(int from)
{
	struct thread *t;
	int best = -1;

	list_for_each(t, &thread_list, all)
		if (tid_shown(t) >= from && (best < 0 || tid_shown(t) < best))
			best = tid_shown(t);
	return best;
}

/* --- /proc/self/net --- */

static void net_text(struct text *t, enum net_text which)
{
	size_t bytes = net_hooks.text ? net_hooks.text(which, NULL, 0) : 0;
	char *buf = bytes ? kmalloc(bytes + 1) : NULL;

	if (buf) {
		net_hooks.text(which, buf, bytes + 1);
		text_bytes(t, buf, bytes);
	}
	kfree(buf);
}

#define NET_FILE(name, which)                          \
	static void net_##name(struct text *t, int id) \
	{                                              \
		(void)id;                              \
		net_text(t, which);                    \
	}
NET_FILE(dev, NET_TEXT_DEV)
NET_FILE(if_inet6, NET_TEXT_IF_INET6)
NET_FILE(route, NET_TEXT_ROUTE)
NET_FILE(tcp, NET_TEXT_TCP)
NET_FILE(tcp6, NET_TEXT_TCP6)
NET_FILE(udp, NET_TEXT_UDP)
NET_FILE(udp6, NET_TEXT_UDP6)
NET_FILE(unix, NET_TEXT_UNIX)

static const struct synth net_list[] = {
	SYNTH_FILE("dev", net_dev),
	SYNTH_FILE("if_inet6", net_if_inet6),
	SYNTH_FILE("route", net_route),
	SYNTH_FILE("tcp", net_tcp),
	SYNTH_FILE("tcp6", net_tcp6),
	SYNTH_FILE("udp", net_udp),
	SYNTH_FILE("udp6", net_udp6),
	SYNTH_FILE("unix", net_unix),
};

static const struct synth_more fd_more = {.jump = fd_jump}, cwd_more = {.jump = cwd_jump},
			       comm_more = {.store = set_comm};
static const struct synth fd_child = {.mode = S_IFLNK | 0700, .text = fd_target, .more = &fd_more};
static const struct synth fdinfo_child = {.mode = S_IFREG | 0400, .text = fd_info};

static const struct synth task_list[] = {
	{.name = "comm", .mode = S_IFREG | 0644, .text = comm, .more = &comm_more},
	SYNTH_FILE("stat", self_stat),
	SYNTH_FILE("status", status),
};
static const struct synth task_child = {
	.mode = S_IFDIR | 0555, .list = task_list, .count = array_size(task_list)};

static const struct synth_more fds_more = {.next_id = fd_next, .child = &fd_child},
			       fdinfos_more = {.next_id = fd_next, .child = &fdinfo_child},
			       tasks_more = {.next_id = next_tid, .child = &task_child};
static const struct synth pid_list[] = {
	SYNTH_LINK("exe", exe),
	{.name = "cwd", .mode = S_IFLNK | 0777, .text = cwd, .more = &cwd_more},
	SYNTH_LINK_TO("root", "/"),
	{.name = "fd", .mode = S_IFDIR | 0500, .more = &fds_more},
	{.name = "fdinfo", .mode = S_IFDIR | 0500, .more = &fdinfos_more},
	{.name = "task", .mode = S_IFDIR | 0555, .more = &tasks_more},
	{.name = "comm", .mode = S_IFREG | 0644, .text = comm, .more = &comm_more},
	SYNTH_FILE("maps", maps),
	SYNTH_FILE("stat", self_stat),
	SYNTH_FILE("statm", statm),
	SYNTH_FILE("status", status),
	SYNTH_FILE("cmdline", cmdline),
	SYNTH_FILE("environ", environ),
	SYNTH_FILE("auxv", auxv),
	SYNTH_FILE("limits", limits),
	SYNTH_FILE("mounts", self_mounts),
	SYNTH_FILE("mountinfo", mountinfo),
	SYNTH_FIXED("cgroup", "0::/\n"),
	SYNTH_DIR("net", net_list),
};

const struct synth proc_pid = {
	.mode = S_IFDIR | 0555,
	.list = pid_list,
	.count = array_size(pid_list),
};
