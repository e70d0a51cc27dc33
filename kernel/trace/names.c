// SPDX-License-Identifier: Apache-2.0
/*
 * Names of numbers: flags and enumerations as the headers of Linux call them. A set of flags is written
 * with bars between them, what has no name as a number. The values come from the headers; only what no
 * header for programs has is written out.
 *
 * In a set of flags a name that stands for several bits must come before those of its bits.
 */
#include <asm/ioctls.h>
#include <asm/prctl.h>
#include <linux/close_range.h>
#include <linux/eventpoll.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <linux/wait.h>
#include <kernel/trace/print.h>

struct name {
	uint32_t value;
	const char *text;
};

#define N(name)                         \
	{                               \
		(uint32_t)(name), #name \
	}

static const struct name access_mode[] = {N(O_RDONLY), N(O_WRONLY), N(O_RDWR)};
static const struct name descriptor[] = {
	N(O_CREAT),
	N(O_EXCL),
	N(O_NOCTTY),
	N(O_TRUNC),
	N(O_APPEND),
	N(O_NONBLOCK),
	N(O_SYNC),
	N(O_DSYNC),
	{FASYNC, "O_ASYNC"},
	N(O_DIRECT),
	N(O_LARGEFILE),
	N(O_NOFOLLOW),
	N(O_NOATIME),
	N(O_CLOEXEC),
	N(O_PATH),
	N(O_TMPFILE),
	N(O_DIRECTORY),
};
static const struct name prot[] = {
	N(PROT_NONE),
	N(PROT_READ),
	N(PROT_WRITE),
	N(PROT_EXEC),
	N(PROT_GROWSDOWN),
	N(PROT_GROWSUP),
};
static const struct name map[] = {
	N(MAP_SHARED_VALIDATE),
	N(MAP_SHARED),
	N(MAP_PRIVATE),
	N(MAP_FIXED),
	N(MAP_ANONYMOUS),
	N(MAP_32BIT),
	N(MAP_NORESERVE),
	N(MAP_POPULATE),
	N(MAP_NONBLOCK),
	N(MAP_GROWSDOWN),
	N(MAP_DENYWRITE),
	N(MAP_EXECUTABLE),
	N(MAP_LOCKED),
	N(MAP_STACK),
	N(MAP_HUGETLB),
	N(MAP_SYNC),
	N(MAP_FIXED_NOREPLACE),
};
static const struct name remap[] = {N(MREMAP_MAYMOVE), N(MREMAP_FIXED), N(MREMAP_DONTUNMAP)};
static const struct name advice[] = {
	N(MADV_NORMAL),
	N(MADV_RANDOM),
	N(MADV_SEQUENTIAL),
	N(MADV_WILLNEED),
	N(MADV_DONTNEED),
	N(MADV_FREE),
	N(MADV_REMOVE),
	N(MADV_DONTFORK),
	N(MADV_DOFORK),
	N(MADV_MERGEABLE),
	N(MADV_UNMERGEABLE),
	N(MADV_HUGEPAGE),
	N(MADV_NOHUGEPAGE),
	N(MADV_DONTDUMP),
	N(MADV_DODUMP),
	N(MADV_WIPEONFORK),
	N(MADV_KEEPONFORK),
	N(MADV_COLD),
	N(MADV_PAGEOUT),
	N(MADV_POPULATE_READ),
	N(MADV_POPULATE_WRITE),
};
static const struct name msync_flags[] = {N(MS_ASYNC), N(MS_INVALIDATE), N(MS_SYNC)};
static const struct name whence[] = {
	N(SEEK_SET),
	N(SEEK_CUR),
	N(SEEK_END),
	N(SEEK_DATA),
	N(SEEK_HOLE),
};
static const struct name access_kind[] = {{0, "F_OK"}, {4, "R_OK"}, {2, "W_OK"}, {1, "X_OK"}};
static const struct name at_flags[] = {
	N(AT_SYMLINK_NOFOLLOW),
	N(AT_SYMLINK_FOLLOW),
	N(AT_NO_AUTOMOUNT),
	N(AT_EMPTY_PATH),
};
static const struct name access_at[] = {N(AT_SYMLINK_NOFOLLOW), N(AT_EACCESS), N(AT_EMPTY_PATH)};
static const struct name unlink_at[] = {N(AT_REMOVEDIR)};
static const struct name statx_at[] = {
	N(AT_STATX_FORCE_SYNC),
	N(AT_STATX_DONT_SYNC),
	N(AT_SYMLINK_NOFOLLOW),
	N(AT_NO_AUTOMOUNT),
	N(AT_EMPTY_PATH),
	N(AT_STATX_SYNC_AS_STAT),
};
static const struct name statx_mask[] = {
	N(STATX_ALL),
	N(STATX_BASIC_STATS),
	N(STATX_TYPE),
	N(STATX_MODE),
	N(STATX_NLINK),
	N(STATX_UID),
	N(STATX_GID),
	N(STATX_ATIME),
	N(STATX_MTIME),
	N(STATX_CTIME),
	N(STATX_INO),
	N(STATX_SIZE),
	N(STATX_BLOCKS),
	N(STATX_BTIME),
	N(STATX_MNT_ID),
	N(STATX_DIOALIGN),
};
static const struct name rename_flags[] = {
	N(RENAME_NOREPLACE),
	N(RENAME_EXCHANGE),
	N(RENAME_WHITEOUT),
};
static const struct name lock[] = {N(LOCK_SH), N(LOCK_EX), N(LOCK_UN), N(LOCK_NB)};
static const struct name mask_how[] = {N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK)};
static const struct name itimer[] = {N(ITIMER_REAL), N(ITIMER_VIRTUAL), N(ITIMER_PROF)};
static const struct name clock[] = {
	N(CLOCK_REALTIME),
	N(CLOCK_MONOTONIC),
	N(CLOCK_PROCESS_CPUTIME_ID),
	N(CLOCK_THREAD_CPUTIME_ID),
	N(CLOCK_MONOTONIC_RAW),
	N(CLOCK_REALTIME_COARSE),
	N(CLOCK_MONOTONIC_COARSE),
	N(CLOCK_BOOTTIME),
	N(CLOCK_REALTIME_ALARM),
	N(CLOCK_BOOTTIME_ALARM),
	N(CLOCK_TAI),
};
static const struct name timer_flags[] = {N(TIMER_ABSTIME)};
static const struct name timerfd[] = {N(TFD_CLOEXEC), N(TFD_NONBLOCK)};
static const struct name timerfd_set[] = {N(TFD_TIMER_ABSTIME), N(TFD_TIMER_CANCEL_ON_SET)};
static const struct name limit_names[] = {
	N(RLIMIT_CPU),
	N(RLIMIT_FSIZE),
	N(RLIMIT_DATA),
	N(RLIMIT_STACK),
	N(RLIMIT_CORE),
	N(RLIMIT_RSS),
	N(RLIMIT_NPROC),
	N(RLIMIT_NOFILE),
	N(RLIMIT_MEMLOCK),
	N(RLIMIT_AS),
	N(RLIMIT_LOCKS),
	N(RLIMIT_SIGPENDING),
	N(RLIMIT_MSGQUEUE),
	N(RLIMIT_NICE),
	N(RLIMIT_RTPRIO),
	N(RLIMIT_RTTIME),
};
static const struct name rusage_who[] = {N(RUSAGE_SELF), N(RUSAGE_CHILDREN), N(RUSAGE_THREAD)};
static const struct name priority[] = {N(PRIO_PROCESS), N(PRIO_PGRP), N(PRIO_USER)};
static const struct name policy[] = {
	{SCHED_NORMAL, "SCHED_OTHER"},
	N(SCHED_FIFO),
	N(SCHED_RR),
	N(SCHED_BATCH),
	N(SCHED_IDLE),
	N(SCHED_DEADLINE),
};
static const struct name wait_flags[] = {
	N(WNOHANG),
	{WUNTRACED, "WSTOPPED"},
	N(WEXITED),
	N(WCONTINUED),
	N(WNOWAIT),
	N(__WNOTHREAD),
	N(__WALL),
	N(__WCLONE),
};
static const struct name id_type[] = {N(P_ALL), N(P_PID), N(P_PGID), N(P_PIDFD)};
static const struct name arch_code[] = {
	N(ARCH_SET_GS), N(ARCH_SET_FS), N(ARCH_GET_FS), N(ARCH_GET_GS), N(ARCH_GET_CPUID),
	N(ARCH_SET_CPUID), N(ARCH_GET_XCOMP_SUPP), N(ARCH_GET_XCOMP_PERM), N(ARCH_REQ_XCOMP_PERM),
	{0x3001, "ARCH_CET_STATUS"}, /* glibc asks; it never came into Linux's headers */
};
static const struct name epoll_op[] = {N(EPOLL_CTL_ADD), N(EPOLL_CTL_DEL), N(EPOLL_CTL_MOD)};
static const struct name epoll_create[] = {N(EPOLL_CLOEXEC)};
static const struct name eventfd[] = {
	{1, "EFD_SEMAPHORE"},
	{O_CLOEXEC, "EFD_CLOEXEC"},
	{O_NONBLOCK, "EFD_NONBLOCK"},
};
static const struct name signalfd[] = {{O_CLOEXEC, "SFD_CLOEXEC"}, {O_NONBLOCK, "SFD_NONBLOCK"}};
static const struct name memfd[] = {N(MFD_CLOEXEC), N(MFD_ALLOW_SEALING), N(MFD_HUGETLB)};
static const struct name random_flags[] = {N(GRND_NONBLOCK), N(GRND_RANDOM), N(GRND_INSECURE)};
static const struct name membarrier[] = {
	N(MEMBARRIER_CMD_QUERY),
	N(MEMBARRIER_CMD_GLOBAL),
	N(MEMBARRIER_CMD_GLOBAL_EXPEDITED),
	N(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED),
	N(MEMBARRIER_CMD_PRIVATE_EXPEDITED),
	N(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED),
	N(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE),
	N(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE),
};
static const struct name file_advice[] = {
	N(POSIX_FADV_NORMAL),
	N(POSIX_FADV_RANDOM),
	N(POSIX_FADV_SEQUENTIAL),
	N(POSIX_FADV_WILLNEED),
	N(POSIX_FADV_DONTNEED),
	N(POSIX_FADV_NOREUSE),
};
static const struct name fallocate[] = {
	N(FALLOC_FL_KEEP_SIZE),
	N(FALLOC_FL_PUNCH_HOLE),
	N(FALLOC_FL_COLLAPSE_RANGE),
	N(FALLOC_FL_ZERO_RANGE),
	N(FALLOC_FL_INSERT_RANGE),
	N(FALLOC_FL_UNSHARE_RANGE),
};
static const struct name close_range[] = {N(CLOSE_RANGE_UNSHARE), N(CLOSE_RANGE_CLOEXEC)};
static const struct name splice[] = {
	{1, "SPLICE_F_MOVE"},
	{2, "SPLICE_F_NONBLOCK"},
	{4, "SPLICE_F_MORE"},
	{8, "SPLICE_F_GIFT"},
};
static const struct name socket_domain[] = {
	{1, "AF_UNIX"},
	{2, "AF_INET"},
	{10, "AF_INET6"},
	{16, "AF_NETLINK"},
	{17, "AF_PACKET"},
};
static const struct name socket_type[] = {
	{5, "SOCK_SEQPACKET"},
	{3, "SOCK_RAW"},
	{2, "SOCK_DGRAM"},
	{1, "SOCK_STREAM"},
	{O_CLOEXEC, "SOCK_CLOEXEC"},
	{O_NONBLOCK, "SOCK_NONBLOCK"},
};
static const struct name file_type[] = {
	N(S_IFSOCK),
	N(S_IFLNK),
	N(S_IFREG),
	N(S_IFBLK),
	N(S_IFDIR),
	N(S_IFCHR),
	N(S_IFIFO),
};
static const struct name poll_events[] = {
	N(POLLIN),
	N(POLLPRI),
	N(POLLOUT),
	N(POLLRDNORM),
	N(POLLRDBAND),
	N(POLLWRNORM),
	N(POLLWRBAND),
	N(POLLMSG),
	N(POLLERR),
	N(POLLHUP),
	N(POLLRDHUP),
	N(POLLNVAL),
};
static const struct name epoll_events[] = {
	N(EPOLLIN),
	N(EPOLLPRI),
	N(EPOLLOUT),
	N(EPOLLRDNORM),
	N(EPOLLRDBAND),
	N(EPOLLWRNORM),
	N(EPOLLWRBAND),
	N(EPOLLMSG),
	N(EPOLLERR),
	N(EPOLLHUP),
	N(EPOLLRDHUP),
	N(EPOLLEXCLUSIVE),
	N(EPOLLWAKEUP),
	N(EPOLLONESHOT),
	N(EPOLLET),
};
static const struct name action[] = {
	N(SA_RESTORER),
	N(SA_ONSTACK),
	N(SA_RESTART),
	N(SA_NODEFER),
	N(SA_RESETHAND),
	N(SA_SIGINFO),
	N(SA_NOCLDSTOP),
	N(SA_NOCLDWAIT),
};
static const struct name stack[] = {N(SS_ONSTACK), N(SS_DISABLE), {1u << 31, "SS_AUTODISARM"}};
static const struct name clone_flags[] = {
	N(CLONE_VM),
	N(CLONE_FS),
	N(CLONE_FILES),
	N(CLONE_SIGHAND),
	N(CLONE_PIDFD),
	N(CLONE_PTRACE),
	N(CLONE_VFORK),
	N(CLONE_PARENT),
	N(CLONE_THREAD),
	N(CLONE_NEWNS),
	N(CLONE_SYSVSEM),
	N(CLONE_SETTLS),
	N(CLONE_PARENT_SETTID),
	N(CLONE_CHILD_CLEARTID),
	N(CLONE_DETACHED),
	N(CLONE_UNTRACED),
	N(CLONE_CHILD_SETTID),
	N(CLONE_NEWCGROUP),
	N(CLONE_NEWUTS),
	N(CLONE_NEWIPC),
	N(CLONE_NEWUSER),
	N(CLONE_NEWPID),
	N(CLONE_NEWNET),
	N(CLONE_IO),
};
static const struct name futex[] = {
	N(FUTEX_WAIT),
	N(FUTEX_WAKE),
	N(FUTEX_FD),
	N(FUTEX_REQUEUE),
	N(FUTEX_CMP_REQUEUE),
	N(FUTEX_WAKE_OP),
	N(FUTEX_LOCK_PI),
	N(FUTEX_UNLOCK_PI),
	N(FUTEX_TRYLOCK_PI),
	N(FUTEX_WAIT_BITSET),
	N(FUTEX_WAKE_BITSET),
	N(FUTEX_WAIT_REQUEUE_PI),
	N(FUTEX_CMP_REQUEUE_PI),
	N(FUTEX_LOCK_PI2),
};
static const struct name fcntl_command[] = {
	N(F_DUPFD),
	N(F_GETFD),
	N(F_SETFD),
	N(F_GETFL),
	N(F_SETFL),
	N(F_GETLK),
	N(F_SETLK),
	N(F_SETLKW),
	N(F_SETOWN),
	N(F_GETOWN),
	N(F_SETSIG),
	N(F_GETSIG),
	N(F_SETOWN_EX),
	N(F_GETOWN_EX),
	N(F_OFD_GETLK),
	N(F_OFD_SETLK),
	N(F_OFD_SETLKW),
	N(F_SETLEASE),
	N(F_GETLEASE),
	N(F_NOTIFY),
	N(F_DUPFD_CLOEXEC),
	N(F_SETPIPE_SZ),
	N(F_GETPIPE_SZ),
	N(F_ADD_SEALS),
	N(F_GET_SEALS),
};
static const struct name lock_type[] = {N(F_RDLCK), N(F_WRLCK), N(F_UNLCK)};
static const struct name descriptor_flags[] = {N(FD_CLOEXEC)};
static const struct name ioctl[] = {
	N(TCGETS),
	N(TCSETS),
	N(TCSETSW),
	N(TCSETSF),
	N(TCFLSH),
	N(TIOCSCTTY),
	N(TIOCGPGRP),
	N(TIOCSPGRP),
	N(TIOCGWINSZ),
	N(TIOCSWINSZ),
	N(TIOCGPTN),
	N(FIONREAD),
	N(FIONBIO),
	N(FIOASYNC),
	N(FIOCLEX),
	N(FIONCLEX),
	N(FICLONE),
	N(FICLONERANGE),
	N(BLKGETSIZE64),
	N(FS_IOC_GETFLAGS),
	N(FS_IOC_SETFLAGS),
};
static const struct name prctl[] = {
	N(PR_SET_PDEATHSIG),
	N(PR_GET_PDEATHSIG),
	N(PR_GET_DUMPABLE),
	N(PR_SET_DUMPABLE),
	N(PR_GET_KEEPCAPS),
	N(PR_SET_KEEPCAPS),
	N(PR_GET_TIMING),
	N(PR_SET_TIMING),
	N(PR_SET_NAME),
	N(PR_GET_NAME),
	N(PR_GET_SECCOMP),
	N(PR_SET_SECCOMP),
	N(PR_CAPBSET_READ),
	N(PR_CAPBSET_DROP),
	N(PR_GET_SECUREBITS),
	N(PR_SET_SECUREBITS),
	N(PR_SET_TIMERSLACK),
	N(PR_GET_TIMERSLACK),
	N(PR_SET_MM),
	N(PR_SET_CHILD_SUBREAPER),
	N(PR_SET_NO_NEW_PRIVS),
	N(PR_GET_NO_NEW_PRIVS),
	N(PR_SET_THP_DISABLE),
	N(PR_CAP_AMBIENT),
	N(PR_SET_VMA),
};
static const struct name signal_code[] = {
	N(SI_USER),
	N(SI_KERNEL),
	N(SI_QUEUE),
	N(SI_TIMER),
	N(SI_TKILL),
};

#define FLAGS(kind, names) [kind] = {names, array_size(names), true}
#define ENUM(kind, names) [kind] = {names, array_size(names), false}
#define K(kind) (kind - KIND_NAMES)

static const struct {
	const struct name *names;
	uint8_t count;
	bool flags;
} sets[NAME_SETS] = {
	FLAGS(K(DESCRIPTOR), descriptor), /* K(OPEN): names_put_open */
	FLAGS(K(PROT), prot),
	FLAGS(K(MAP), map),
	FLAGS(K(REMAP), remap),
	ENUM(K(ADVICE), advice),
	FLAGS(K(MSYNC), msync_flags),
	ENUM(K(WHENCE), whence),
	FLAGS(K(ACCESS), access_kind),
	FLAGS(K(AT), at_flags),
	FLAGS(K(ACCESS_AT), access_at),
	FLAGS(K(UNLINK_AT), unlink_at),
	FLAGS(K(LINK_AT), at_flags),
	FLAGS(K(STATX_AT), statx_at),
	FLAGS(K(STATX_MASK), statx_mask),
	FLAGS(K(RENAME), rename_flags),
	FLAGS(K(LOCK), lock),
	ENUM(K(MASK_HOW), mask_how),
	ENUM(K(ITIMER), itimer),
	ENUM(K(CLOCK), clock),
	FLAGS(K(TIMER_FLAGS), timer_flags),
	FLAGS(K(TIMERFD), timerfd),
	FLAGS(K(TIMERFD_SET), timerfd_set),
	ENUM(K(RESOURCE), limit_names),
	ENUM(K(RUSAGE_WHO), rusage_who),
	ENUM(K(PRIORITY), priority),
	ENUM(K(POLICY), policy),
	FLAGS(K(WAIT), wait_flags),
	ENUM(K(ID_TYPE), id_type),
	ENUM(K(ARCH_CODE), arch_code),
	ENUM(K(EPOLL_OP), epoll_op),
	FLAGS(K(EPOLL_CREATE), epoll_create),
	FLAGS(K(EVENTFD), eventfd),
	FLAGS(K(SIGNALFD), signalfd),
	FLAGS(K(MEMFD), memfd),
	FLAGS(K(RANDOM_FLAGS), random_flags),
	ENUM(K(MEMBARRIER), membarrier),
	ENUM(K(FILE_ADVICE), file_advice),
	FLAGS(K(FALLOCATE), fallocate),
	FLAGS(K(CLOSE_RANGE), close_range),
	FLAGS(K(SPLICE), splice),
	ENUM(K(SOCKET_DOMAIN), socket_domain),
	FLAGS(K(SOCKET_TYPE), socket_type),
	ENUM(NAMES_ACCESS_MODE, access_mode),
	ENUM(NAMES_FILE_TYPE, file_type),
	FLAGS(NAMES_POLL, poll_events),
	FLAGS(NAMES_EPOLL, epoll_events),
	FLAGS(NAMES_ACTION, action),
	FLAGS(NAMES_STACK, stack),
	FLAGS(NAMES_CLONE, clone_flags),
	ENUM(NAMES_FUTEX, futex),
	ENUM(NAMES_FCNTL, fcntl_command),
	ENUM(NAMES_LOCK_TYPE, lock_type),
	FLAGS(NAMES_DESCRIPTOR_FLAGS, descriptor_flags),
	ENUM(NAMES_IOCTL, ioctl),
	ENUM(NAMES_PRCTL, prctl),
	ENUM(NAMES_SIGNAL_CODE, signal_code),
};

static void put_enum(struct line *l, unsigned set, uint64_t value)
{
	for (unsigned i = 0; i < sets[set].count; i++) {
		if (sets[set].names[i].value == (uint32_t)value) {
			line_put(l, "%s", sets[set].names[i].text);
			return;
		}
	}
	line_hex(l, (uint32_t)value);
}

/* `bar`: something stands before them, so there is a bar before each and nothing for none. */
static void put_flags(struct line *l, unsigned set, uint64_t value, bool bar)
{
	bool first = !bar;

	for (unsigned i = 0; i < sets[set].count; i++) {
		const struct name *n = &sets[set].names[i];

		if (n->value ? (value & n->value) != n->value : value || bar)
			continue;
		line_put(l, "%s%s", first ? "" : "|", n->text);
		value &= ~(uint64_t)n->value;
		first = false;
		if (!n->value)
			return;
	}
	if (value)
		line_put(l, "%s0x%lx", first ? "" : "|", value);
	else if (first)
		line_put(l, "0");
}

void names_put(struct line *l, unsigned set, uint64_t value)
{
	if (set == K(OPEN))
		names_put_open(l, value);
	else if (sets[set].flags)
		put_flags(l, set, value, false);
	else
		put_enum(l, set, value);
}

void names_put_open(struct line *l, uint64_t flags)
{
	put_enum(l, NAMES_ACCESS_MODE, flags & O_ACCMODE);
	put_flags(l, K(DESCRIPTOR), (uint32_t)flags & ~(uint32_t)O_ACCMODE, true);
}

void names_put_mode(struct line *l, unsigned mode)
{
	if (mode & S_IFMT) {
		put_enum(l, NAMES_FILE_TYPE, mode & S_IFMT);
		line_put(l, "|");
	}
	line_put(l, "0%03o", mode & 07777);
}

/* From number 1 on. */
static const char signal_names[][8] = {
	"HUP",
	"INT",
	"QUIT",
	"ILL",
	"TRAP",
	"ABRT",
	"BUS",
	"FPE",
	"KILL",
	"USR1",
	"SEGV",
	"USR2",
	"PIPE",
	"ALRM",
	"TERM",
	"STKFLT",
	"CHLD",
	"CONT",
	"STOP",
	"TSTP",
	"TTIN",
	"TTOU",
	"URG",
	"XCPU",
	"XFSZ",
	"VTALRM",
	"PROF",
	"WINCH",
	"IO",
	"PWR",
	"SYS",
	"RTMIN",
};

static void put_short_signal(struct line *l, unsigned signal)
{
	if (signal <= array_size(signal_names))
		line_put(l, "%.8s", signal_names[signal - 1]);
	else
		line_put(l, "RT_%u", signal - (unsigned)array_size(signal_names));
}

void names_put_signal(struct line *l, int signal)
{
	if (signal < 1 || signal > 64) {
		line_put(l, "%d", signal);
		return;
	}
	line_put(l, "SIG");
	put_short_signal(l, (unsigned)signal);
}

void names_put_signals(struct line *l, uint64_t set)
{
	unsigned count = 0;
	bool first = true;

	for (unsigned i = 0; i < 64; i++)
		count += set >> i & 1;
	if (count > 32) {
		line_put(l, "~");
		set = ~set;
	}
	line_put(l, "[");
	for (unsigned i = 0; i < 64; i++) {
		if (!(set >> i & 1))
			continue;
		line_put(l, "%s", first ? "" : " ");
		put_short_signal(l, i + 1);
		first = false;
	}
	line_put(l, "]");
}
