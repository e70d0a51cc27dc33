// SPDX-License-Identifier: Apache-2.0
/*
 * Program memory in the trace: strings, buffers and structures, as far as strace shows them in its short
 * form. Every function looks at the memory first and writes only when it could be read, so that a bad
 * address appears as what it is.
 */
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/stat.h>
#include <linux/eventpoll.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/times.h>
#include <linux/utsname.h>
#include <kernel/mm/user.h>
#include <kernel/trace/print.h>

#define PATH_SHOWN 512u
#define VARIABLES_MAX 100000u

/* --- bytes and strings --- */

static bool put_bytes(struct line *l, gva_t from, uint64_t n, bool hex)
{
	char bytes[STRING_SHOWN];
	size_t shown = min(n, (uint64_t)STRING_SHOWN);

	if (user_copy_from(bytes, (void *)from, shown))
		return false;
	line_quote(l, bytes, shown, hex);
	if (n > shown)
		line_put(l, "...");
	return true;
}

static bool put_string(struct line *l, gva_t from, size_t most)
{
	char text[PATH_SHOWN + 1];
	int64_t r = user_string(text, from, most + 1);

	if (r == -EFAULT)
		return false;
	line_quote(l, text, r < 0 ? most : (size_t)r, false);
	if (r < 0)
		line_put(l, "...");
	return true;
}

static bool put_path(struct traced *t, unsigned i)
{
	return put_string(&t->line, t->arg[i], PATH_SHOWN);
}

static bool put_in(struct traced *t, unsigned i)
{
	return put_bytes(&t->line, t->arg[i], t->arg[i + 1], false);
}

static bool put_out(struct traced *t, unsigned i)
{
	return put_bytes(&t->line, t->arg[i], (uint64_t)t->result, false);
}

static bool put_random(struct traced *t, unsigned i)
{
	return put_bytes(&t->line, t->arg[i], (uint64_t)t->result, true);
}

static bool put_strings(struct traced *t, unsigned i)
{
	gva_t string;

	if (user_get(&string, t->arg[i]))
		return false;
	line_put(&t->line, "[");
	for (unsigned n = 0; string; n++) {
		line_put(&t->line, "%s", n ? ", " : "");
		if (n == STRING_SHOWN) {
			line_put(&t->line, "...");
			break;
		}
		if (!put_string(&t->line, string, STRING_SHOWN))
			line_pointer(&t->line, string);
		if (user_get(&string, t->arg[i] + (n + 1) * 8))
			break;
	}
	line_put(&t->line, "]");
	return true;
}

static bool put_environment(struct traced *t, unsigned i)
{
	unsigned count = 0;
	gva_t string;

	while (count < VARIABLES_MAX && !user_get(&string, t->arg[i] + count * 8) && string)
		count++;
	line_put(&t->line, "0x%lx /* %u var%s */", t->arg[i], count, count == 1 ? "" : "s");
	return true;
}

/* moved: how many bytes the vector held, or UINT64_MAX for all. */
static bool put_vector(struct traced *t, unsigned i, uint64_t moved)
{
	uint64_t count = t->arg[i + 1];
	struct {
		gva_t base;
		uint64_t bytes;
	} v;

	if (count && user_get(&v, t->arg[i]))
		return false;
	line_put(&t->line, "[");
	for (unsigned n = 0; n < count; n++) {
		uint64_t bytes;

		line_put(&t->line, "%s", n ? ", " : "");
		if (n == STRING_SHOWN || user_get(&v, t->arg[i] + n * sizeof(v))) {
			line_put(&t->line, "...");
			break;
		}
		bytes = min(v.bytes, moved);
		moved -= moved == UINT64_MAX ? 0 : bytes;
		line_put(&t->line, "{iov_base=");
		if (!put_bytes(&t->line, v.base, bytes, false))
			line_pointer(&t->line, v.base);
		line_put(&t->line, ", iov_len=%lu}", v.bytes);
	}
	line_put(&t->line, "]");
	return true;
}

static bool put_iov(struct traced *t, unsigned i)
{
	return put_vector(t, i, UINT64_MAX);
}

static bool put_iov_out(struct traced *t, unsigned i)
{
	return put_vector(t, i, (uint64_t)t->result);
}

/* --- times --- */

static void write_time(struct line *l, const int64_t v[2], const char *unit)
{
	line_put(l, "{tv_sec=%ld, tv_%s=%ld}", v[0], unit, v[1]);
}

bool memory_put_time(struct line *l, gva_t from, const char *unit)
{
	int64_t v[2];

	if (user_get(&v, from))
		return false;
	write_time(l, v, unit);
	return true;
}

static bool put_timespec(struct traced *t, unsigned i)
{
	return memory_put_time(&t->line, t->arg[i], "nsec");
}

static bool put_timeval(struct traced *t, unsigned i)
{
	return memory_put_time(&t->line, t->arg[i], "usec");
}

static bool put_times(struct traced *t, gva_t from, const char *unit)
{
	int64_t v[4];

	if (user_get(&v, from))
		return false;
	for (unsigned i = 0; i < 4; i += 2) {
		line_put(&t->line, "%s", i ? ", " : "[");
		if (v[i + 1] == (1 << 30) - 1)
			line_put(&t->line, "UTIME_NOW");
		else if (v[i + 1] == (1 << 30) - 2)
			line_put(&t->line, "UTIME_OMIT");
		else
			write_time(&t->line, v + i, unit);
	}
	line_put(&t->line, "]");
	return true;
}

static bool put_timespecs(struct traced *t, unsigned i)
{
	return put_times(t, t->arg[i], "nsec");
}

static bool put_timevals(struct traced *t, unsigned i)
{
	return put_times(t, t->arg[i], "usec");
}

static bool put_interval(struct traced *t, gva_t from, const char *unit)
{
	int64_t v[4];

	if (user_get(&v, from))
		return false;
	line_put(&t->line, "{it_interval=");
	write_time(&t->line, v, unit);
	line_put(&t->line, ", it_value=");
	write_time(&t->line, v + 2, unit);
	line_put(&t->line, "}");
	return true;
}

static bool put_itimerspec(struct traced *t, unsigned i)
{
	return put_interval(t, t->arg[i], "nsec");
}

static bool put_itimerval(struct traced *t, unsigned i)
{
	return put_interval(t, t->arg[i], "usec");
}

static bool put_zone(struct traced *t, unsigned i)
{
	int32_t v[2];

	if (user_get(&v, t->arg[i]))
		return false;
	line_put(&t->line, "{tz_minuteswest=%d, tz_dsttime=%d}", v[0], v[1]);
	return true;
}

/* --- signals --- */

static bool put_sigset(struct traced *t, unsigned i)
{
	uint64_t set;

	if (user_get(&set, t->arg[i]))
		return false;
	names_put_signals(&t->line, set);
	return true;
}

static bool put_sigmask(struct traced *t, unsigned i)
{
	uint64_t v[2], set;

	if (user_get(&v, t->arg[i]) || (v[0] && user_get(&set, v[0])))
		return false;
	line_put(&t->line, "{sigmask=");
	if (v[0])
		names_put_signals(&t->line, set);
	else
		line_put(&t->line, "NULL");
	line_put(&t->line, ", sigsetsize=%lu}", v[1]);
	return true;
}

static bool put_sigaction(struct traced *t, unsigned i)
{
	struct {
		gva_t handler;
		uint64_t flags;
		gva_t restorer;
		uint64_t mask;
	} a;

	if (user_get(&a, t->arg[i]))
		return false;
	if (a.handler <= 1)
		line_put(&t->line, "{sa_handler=%s", a.handler ? "SIG_IGN" : "SIG_DFL");
	else
		line_put(&t->line, "{sa_handler=0x%lx", a.handler);
	line_put(&t->line, ", sa_mask=");
	names_put_signals(&t->line, a.mask);
	line_put(&t->line, ", sa_flags=");
	names_put(&t->line, ACTION_FLAGS, a.flags);
	if (a.flags & SA_RESTORER)
		line_put(&t->line, ", sa_restorer=0x%lx", a.restorer);
	line_put(&t->line, "}");
	return true;
}

static bool put_stack(struct traced *t, unsigned i)
{
	stack_t s;

	if (user_get(&s, t->arg[i]))
		return false;
	line_put(&t->line, "{ss_sp=");
	line_pointer(&t->line, (gva_t)s.ss_sp);
	line_put(&t->line, ", ss_flags=");
	names_put(&t->line, STACK_FLAGS, (uint32_t)s.ss_flags);
	line_put(&t->line, ", ss_size=%lu}", s.ss_size);
	return true;
}

static void write_siginfo(struct line *l, const siginfo_t *s)
{
	line_put(l, "{si_signo=");
	names_put_signal(l, s->si_signo);
	line_put(l, ", si_code=");
	names_put(l, SIGNAL_CODE, (uint32_t)s->si_code);
	if (s->si_code == SI_TIMER)
		line_put(l, ", si_timerid=%d, si_overrun=%d", s->si_tid, s->si_overrun);
	else if (s->si_code <= 0)
		line_put(l, ", si_pid=%d, si_uid=%u", s->si_pid, s->si_uid);
	else if (s->si_code != SI_KERNEL)
		line_put(l, ", si_addr=%p", s->si_addr);
	line_put(l, "}");
}

static bool put_siginfo(struct traced *t, unsigned i)
{
	siginfo_t s;

	if (user_get(&s, t->arg[i]))
		return false;
	write_siginfo(&t->line, &s);
	return true;
}

void memory_put_siginfo(struct line *l, gva_t from)
{
	siginfo_t s;

	if (user_get(&s, from) == 0)
		write_siginfo(l, &s);
}

/* --- files --- */

static void write_device(struct line *l, uint64_t dev)
{
	line_put(l, "makedev(0x%lx, 0x%lx)", dev >> 8 & 0xfff,
		(dev & 0xff) | (dev >> 12 & 0xfff00));
}

static bool put_stat(struct traced *t, unsigned i)
{
	struct stat st;

	if (user_get(&st, t->arg[i]))
		return false;
	line_put(&t->line, "{st_mode=");
	names_put_mode(&t->line, st.st_mode);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		line_put(&t->line, ", st_rdev=");
		write_device(&t->line, st.st_rdev);
	} else {
		line_put(&t->line, ", st_size=%ld", st.st_size);
	}
	line_put(&t->line, ", ...}");
	return true;
}

static bool put_statx(struct traced *t, unsigned i)
{
	struct statx x;

	if (user_get(&x, t->arg[i]))
		return false;
	line_put(&t->line, "{stx_mask=");
	names_put(&t->line, STATX_MASK, x.stx_mask);
	line_put(&t->line, ", stx_attributes=");
	line_hex(&t->line, x.stx_attributes);
	line_put(&t->line, ", stx_mode=");
	names_put_mode(&t->line, x.stx_mode);
	line_put(&t->line, ", stx_size=%lu, ...}", (uint64_t)x.stx_size);
	return true;
}

static bool put_statfs(struct traced *t, unsigned i)
{
	uint64_t v[3]; /* type, block size, blocks */

	if (user_get(&v, t->arg[i]))
		return false;
	line_put(&t->line, "{f_type=0x%lx, f_bsize=%lu, f_blocks=%lu, ...}", v[0], v[1], v[2]);
	return true;
}

static bool put_entries(struct traced *t, unsigned i)
{
	unsigned entries = 0;
	uint16_t bytes;

	for (int64_t at = 0; at < t->result; at += bytes, entries++)
		if (user_get(&bytes, t->arg[i] + (uint64_t)at + 16) || !bytes)
			return false;
	line_put(&t->line, "0x%lx /* %u entries */", t->arg[i], entries);
	return true;
}

static bool put_offset(struct traced *t, unsigned i)
{
	int64_t offset;

	if (user_get(&offset, t->arg[i]))
		return false;
	line_put(&t->line, "[%ld]", offset);
	return true;
}

/* --- waiting for files --- */

/* found: only those with results, and these. */
static bool put_pollfds(struct traced *t, gva_t from, uint64_t count, bool found)
{
	struct pollfd p;
	unsigned shown = 0;

	if (count && user_get(&p, from))
		return false;
	line_put(&t->line, "[");
	for (uint64_t i = 0; i < count; i++) {
		if (user_get(&p, from + i * sizeof(p)))
			break;
		if (found && !p.revents)
			continue;
		line_put(&t->line, "%s", shown ? ", " : "");
		if (shown++ == STRING_SHOWN) {
			line_put(&t->line, "...");
			break;
		}
		line_put(&t->line, "{fd=%d, %sevents=", p.fd, found ? "r" : "");
		names_put(&t->line, POLL_EVENTS, (uint16_t)(found ? p.revents : p.events));
		line_put(&t->line, "}");
	}
	line_put(&t->line, "]");
	return true;
}

static bool put_poll(struct traced *t, unsigned i)
{
	return put_pollfds(t, t->arg[i], t->arg[i + 1], false);
}

void memory_put_ready(struct traced *t)
{
	line_put(&t->line, " (");
	put_pollfds(t, t->arg[0], t->arg[1], true);
	line_put(&t->line, ")");
}

/* Descriptors below t->arg[0]. */
static bool put_fdset(struct traced *t, unsigned i)
{
	unsigned count = min((unsigned)t->arg[0], 1024u), shown = 0;
	uint64_t set[1024 / 64];

	if (user_copy_from(set, (void *)t->arg[i], (count + 63) / 64 * 8))
		return false;
	line_put(&t->line, "[");
	for (unsigned fd = 0; fd < count; fd++)
		if (set[fd / 64] >> fd % 64 & 1)
			line_put(&t->line, "%s%u", shown++ ? " " : "", fd);
	line_put(&t->line, "]");
	return true;
}

void memory_put_selected(struct traced *t)
{
	static const char names[][8] = {"", "in", "out", "except"};
	const char *separator = " (";

	for (unsigned i = 1; i <= 3; i++) {
		if (!t->arg[i])
			continue;
		line_put(&t->line, "%s%.8s ", separator, names[i]);
		put_fdset(t, i);
		separator = ", ";
	}
	if (t->arg[4]) {
		line_put(&t->line, "%sleft ", separator);
		memory_put_time(&t->line, t->arg[4], t->kinds[4] == TIMEVAL ? "usec" : "nsec");
		separator = ", ";
	}
	line_put(&t->line, "%s", separator[0] == ',' ? ")" : "");
}

static bool put_event_at(struct traced *t, gva_t from)
{
	struct epoll_event e;

	if (user_get(&e, from))
		return false;
	line_put(&t->line, "{events=");
	names_put(&t->line, EPOLL_EVENTS, e.events);
	line_put(&t->line, ", data={u32=%u, u64=%lu}}", (uint32_t)e.data, (uint64_t)e.data);
	return true;
}

static bool put_event(struct traced *t, unsigned i)
{
	return t->arg[1] != EPOLL_CTL_DEL && put_event_at(t, t->arg[i]);
}

static bool put_events(struct traced *t, unsigned i)
{
	line_put(&t->line, "[");
	for (int64_t n = 0; n < t->result; n++) {
		line_put(&t->line, "%s", n ? ", " : "");
		if (n == STRING_SHOWN ||
			!put_event_at(t, t->arg[i] + (uint64_t)n * sizeof(struct epoll_event))) {
			line_put(&t->line, "...");
			break;
		}
	}
	line_put(&t->line, "]");
	return true;
}

/* --- the rest --- */

static bool put_int(struct traced *t, unsigned i)
{
	int v;

	if (user_get(&v, t->arg[i]))
		return false;
	line_put(&t->line, "[%d]", v);
	return true;
}

static bool put_pipe(struct traced *t, unsigned i)
{
	int v[2];

	if (user_get(&v, t->arg[i]))
		return false;
	line_put(&t->line, "[%d, %d]", v[0], v[1]);
	return true;
}

static void write_limit(struct line *l, const char *name, uint64_t v)
{
	if (v == UINT64_MAX)
		line_put(l, "%s=RLIM64_INFINITY", name);
	else if (v > 1024 && v % 1024 == 0)
		line_put(l, "%s=%lu*1024", name, v / 1024);
	else
		line_put(l, "%s=%lu", name, v);
}

static bool put_limit(struct traced *t, unsigned i)
{
	struct rlimit64 v;

	if (user_get(&v, t->arg[i]))
		return false;
	write_limit(&t->line, "{rlim_cur", v.rlim_cur);
	write_limit(&t->line, ", rlim_max", v.rlim_max);
	line_put(&t->line, "}");
	return true;
}

static bool put_rusage(struct traced *t, unsigned i)
{
	int64_t v[4];

	if (user_get(&v, t->arg[i]))
		return false;
	line_put(&t->line, "{ru_utime=");
	write_time(&t->line, v, "usec");
	line_put(&t->line, ", ru_stime=");
	write_time(&t->line, v + 2, "usec");
	line_put(&t->line, ", ...}");
	return true;
}

static bool put_tms(struct traced *t, unsigned i)
{
	struct tms v;

	if (user_get(&v, t->arg[i]))
		return false;
	line_put(&t->line, "{tms_utime=%ld, tms_stime=%ld, tms_cutime=%ld, tms_cstime=%ld}",
		v.tms_utime, v.tms_stime, v.tms_cutime, v.tms_cstime);
	return true;
}

static bool put_sysinfo(struct traced *t, unsigned i)
{
	struct sysinfo v;

	if (user_get(&v, t->arg[i]))
		return false;
	line_put(&t->line, "{uptime=%ld, loads=[%lu, %lu, %lu], totalram=%lu, freeram=%lu, ...}",
		v.uptime, v.loads[0], v.loads[1], v.loads[2], v.totalram, v.freeram);
	return true;
}

static bool put_utsname(struct traced *t, unsigned i)
{
	struct new_utsname v;

	if (user_get(&v, t->arg[i]))
		return false;
	line_put(&t->line, "{sysname=\"%.64s\", nodename=\"%.64s\", ...}", v.sysname, v.nodename);
	return true;
}

/* As many bytes as the argument before says, or the result. CPUs above 63 are not there. */
static bool put_cpus(struct traced *t, unsigned i)
{
	uint64_t bytes = t->result > 0 ? (uint64_t)t->result : t->arg[i - 1], set = 0;
	unsigned shown = 0;

	if (user_copy_from(&set, (void *)t->arg[i], min(bytes, sizeof(set))))
		return false;
	line_put(&t->line, "[");
	for (unsigned cpu = 0; cpu < 64; cpu++)
		if (set >> cpu & 1)
			line_put(&t->line, "%s%u", shown++ ? " " : "", cpu);
	line_put(&t->line, "]");
	return true;
}

#define ROW(kind, function) [kind - KIND_READ] = function

static bool (*const functions[KIND_REST - KIND_READ])(struct traced *, unsigned) = {
	ROW(PATH, put_path),
	ROW(STRINGS, put_strings),
	ROW(ENVIRONMENT, put_environment),
	ROW(IN, put_in),
	ROW(IOV, put_iov),
	ROW(TIMESPEC, put_timespec),
	ROW(TIMESPECS, put_timespecs),
	ROW(TIMEVAL, put_timeval),
	ROW(TIMEVALS, put_timevals),
	ROW(ITIMERSPEC, put_itimerspec),
	ROW(ITIMERVAL, put_itimerval),
	ROW(SIGSET, put_sigset),
	ROW(SIGMASK, put_sigmask),
	ROW(SIGACTION, put_sigaction),
	ROW(STACK, put_stack),
	ROW(POLLFDS, put_poll),
	ROW(FDSET, put_fdset),
	ROW(LIMIT, put_limit),
	ROW(EVENT, put_event),
	ROW(OFFSET, put_offset),
	ROW(CPUS, put_cpus),
	ROW(INT_IN, put_int),
	ROW(OUT, put_out),
	ROW(RANDOM_OUT, put_random),
	ROW(OUT_PATH, put_path),
	ROW(IOV_OUT, put_iov_out),
	ROW(STAT, put_stat),
	ROW(STATX, put_statx),
	ROW(STATFS, put_statfs),
	ROW(DENTS, put_entries),
	ROW(TIMESPEC_OUT, put_timespec),
	ROW(LEFT, put_timespec),
	ROW(TIMEVAL_OUT, put_timeval),
	ROW(ZONE, put_zone),
	ROW(ITIMERSPEC_OUT, put_itimerspec),
	ROW(ITIMERVAL_OUT, put_itimerval),
	ROW(SIGSET_OUT, put_sigset),
	ROW(SIGACTION_OUT, put_sigaction),
	ROW(SIGINFO, put_siginfo),
	ROW(STACK_OUT, put_stack),
	ROW(EVENTS, put_events),
	ROW(PIPE, put_pipe),
	ROW(LIMIT_OUT, put_limit),
	ROW(RUSAGE, put_rusage),
	ROW(TMS, put_tms),
	ROW(SYSINFO, put_sysinfo),
	ROW(UTSNAME, put_utsname),
	ROW(CPUS_OUT, put_cpus),
	ROW(INT_OUT, put_int),
};

bool memory_put(struct traced *t, unsigned i)
{
	return functions[t->kinds[i] - KIND_READ](t, i);
}
