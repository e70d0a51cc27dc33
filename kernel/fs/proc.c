// SPDX-License-Identifier: Apache-2.0
/*
 * /proc and /sys: what programs and their libraries really read there. Numbers are those of this
 * machine and program; nothing is invented that a program could act on. /proc/PID is in proc_self.c.
 */
#include <kernel/fs/synth.h>

#include <kernel/core/ids.h>
#include <kernel/core/program.h>
#include <kernel/fs/system.h>
#include <kernel/mm/mm.h>
#include <kernel/time/clock.h>

#define TICKS_PER_S 100u /* USER_HZ */
#define KIB 1024u
#define FD_MAX_TEXT "4096"
_Static_assert(FD_MAX == 4096, "FD_MAX_TEXT");

/* --- the processor --- */

static void cpuid(uint32_t leaf, uint32_t r[4])
{
	uint32_t a, b, c, d;

	__asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(0));
	r[0] = a;
	r[1] = b;
	r[2] = c;
	r[3] = d;
}

/* Names of feature bits in the order of /proc/cpuinfo, "" where programs do not look. */
static const char flags_1_edx[] =
	"fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 - clflush - "
	"- - mmx fxsr sse sse2 ss ht - - -";
static const char flags_1_ecx[] =
	"pni pclmulqdq - - - - - - - ssse3 - - fma cx16 - - - - - sse4_1 sse4_2 - movbe popcnt "
	"- aes xsave - avx f16c rdrand hypervisor";
static const char flags_7_ebx[] =
	"fsgsbase - - bmi1 - avx2 - smep bmi2 erms - - - - - - avx512f avx512dq rdseed adx - "
	"avx512ifma - clflushopt clwb - - - avx512cd sha_ni avx512bw avx512vl";
static const char flags_81_edx[] =
	"- - - - - - - - - - - syscall - - - - - - - - nx - - - - - pdpe1gb rdtscp - lm - -";
static const char flags_81_ecx[] =
	"lahf_lm - - - - abm sse4a misalignsse - - - - - - - - fma4 - - - - - - - - - - - - - - -";

static void add_flags(struct text *t, uint32_t bits, const char *names)
{
	for (; *names; bits >>= 1) {
		const char *end = names;
		while (*end && *end != ' ')
			end++;
		if ((bits & 1) && *names != '-')
			text_add(t, " %.*s", (int)(end - names), names);
		names = *end ? end + 1 : end;
	}
}

static void cpuinfo(struct text *t, int id)
{
	uint32_t r[4], seven[4] = {0}, high[4] = {0}, name[13] = {0}, family, model;
	uint32_t vendor[4];
	const char *brand = (const char *)name;

	(void)id;
	cpuid(0, vendor);
	cpuid(0x80000000u, r);
	if (r[0] >= 0x80000004u)
		for (uint32_t i = 0; i < 3; i++)
			cpuid(0x80000002u + i, name + i * 4);
	if (r[0] >= 0x80000001u)
		cpuid(0x80000001u, high);
	if (vendor[0] >= 7)
		cpuid(7, seven);
	cpuid(1, r);
	family = r[0] >> 8 & 15;
	model = r[0] >> 4 & 15;
	if (family == 6 || family == 15)
		model |= (r[0] >> 16 & 15) << 4;
	if (family == 15)
		family += r[0] >> 20 & 255;
	while (*brand == ' ')
		brand++;
	text_add(t,
		"processor\t: 0\nvendor_id\t: %.4s%.4s%.4s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n",
		(char *)&vendor[1], (char *)&vendor[3], (char *)&vendor[2], family, model, brand);
	text_add(t, "stepping\t: %u\n", r[0] & 15);
	/* mult is ns per tick in 32.32. */
	uint64_t khz = boot_info->time.mult ? (1000000ULL << 32) / boot_info->time.mult : 0;
	text_add(t, "cpu MHz\t\t: %u.%03u\n", (unsigned)(khz / 1000), (unsigned)(khz % 1000));
	text_add(t,
		"physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\nfpu\t\t: yes\nflags\t\t:");
	add_flags(t, r[3], flags_1_edx);
	add_flags(t, r[2], flags_1_ecx);
	add_flags(t, seven[1], flags_7_ebx);
	add_flags(t, high[3], flags_81_edx);
	add_flags(t, high[2], flags_81_ecx);
	text_add(t, "\nclflush size\t: 64\ncache_alignment\t: 64\n\n");
}

/* --- the machine --- */

static void meminfo(struct text *t, int id)
{
	uint64_t total = mm_total_bytes() / KIB, left = mm_free_bytes() / KIB;

	(void)id;
	text_add(t, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n",
		total, left, left);
	text_add(t, "Buffers:        %8u kB\nCached:         %8u kB\nSwapCached:     %8u kB\n", 0,
		0, 0);
	text_add(t, "SwapTotal:      %8u kB\nSwapFree:       %8u kB\nShmem:          %8u kB\n", 0,
		0, 0);
	text_add(t, "Slab:           %8u kB\nSReclaimable:   %8u kB\n", 0, 0);
	text_add(t, "HugePages_Total: %7u\nHugepagesize:   %8u kB\n", 0, 2048);
}

static void machine_stat(struct text *t, int id)
{
	uint64_t up = clock_boottime(), busy = clock_process_cpu();
	uint64_t user = busy * TICKS_PER_S / NS_PER_S;
	uint64_t idle = (up > busy ? up - busy : 0) / (NS_PER_S / TICKS_PER_S);

	(void)id;
	text_add(t, "cpu  %lu 0 0 %lu 0 0 0 0 0 0\ncpu0 %lu 0 0 %lu 0 0 0 0 0 0\n", user, idle,
		user, idle);
	text_add(t, "intr 0\nctxt 0\nbtime %lu\nprocesses 1\nprocs_running %d\nprocs_blocked 0\n",
		(uint64_t)((clock_realtime() - up) / NS_PER_S), thread_runnable());
}

static void uptime(struct text *t, int id)
{
	uint64_t up = clock_boottime() / (NS_PER_S / 100);
	uint64_t idle = up - min(up, clock_process_cpu() / (NS_PER_S / 100));

	(void)id;
	text_add(t, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
}

static void loadavg(struct text *t, int id)
{
	(void)id;
	text_add(t, "0.00 0.00 0.00 %d/%d %u\n", thread_runnable(), thread_count, system_pid());
}

static void self(struct text *t, int id)
{
	(void)id;
	text_add(t, "%u", system_pid());
}

static void thread_self(struct text *t, int id)
{
	(void)id;
	text_add(t, "%u/task/%d", system_pid(), tid_shown(current));
}

static int next_pid(int from)
{
	int pid = (int)system_pid();

	/* A number from before the freeze is not listed, but known. */
	if (pid_is_own(from))
		return from;
	return from <= pid ? pid : -1;
}

/* --- /proc/sys --- */

static void hostname(struct text *t, int id)
{
	(void)id;
	text_add(t, "%s\n", boot_info->host_name);
}

static void add_uuid(struct text *t, const uint8_t *b)
{
	for (int i = 0; i < 16; i++)
		text_add(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
			i == 6           ? (b[i] & 15) | 0x40
				: i == 8 ? (b[i] & 0x3f) | 0x80
					 : b[i]);
	text_add(t, "\n");
}

static void uuid(struct text *t, int id)
{
	uint8_t b[16];

	(void)id;
	random_bytes(b, sizeof(b));
	add_uuid(t, b);
}

static void boot_id(struct text *t, int id)
{
	static uint8_t b[16];
	static bool made;

	(void)id;
	if (!made)
		random_bytes(b, sizeof(b));
	made = true;
	add_uuid(t, b);
}

static const struct synth random_list[] = {
	SYNTH_FILE("boot_id", boot_id),
	SYNTH_FILE("uuid", uuid),
	SYNTH_FIXED("entropy_avail", "256\n"),
	SYNTH_FIXED("poolsize", "256\n"),
};
static const struct synth kernel_list[] = {
	SYNTH_FIXED("ostype", SYSTEM_NAME "\n"),
	SYNTH_FIXED("osrelease", SYSTEM_RELEASE "\n"),
	SYNTH_FIXED("version", SYSTEM_VERSION "\n"),
	SYNTH_FILE("hostname", hostname),
	SYNTH_FIXED("domainname", "(none)\n"),
	SYNTH_FIXED("pid_max", "4194304\n"),
	SYNTH_FIXED("threads-max", "4096\n"),
	SYNTH_FIXED("cap_last_cap", "40\n"),
	SYNTH_FIXED("ngroups_max", "65536\n"),
	SYNTH_DIR("random", random_list),
};
static const struct synth vm_list[] = {
	SYNTH_FIXED("overcommit_memory", "1\n"),
	SYNTH_FIXED("max_map_count", "1048576\n"),
	SYNTH_FIXED("mmap_min_addr", "65536\n"),
};
static const struct synth fs_list[] = {
	SYNTH_FIXED("pipe-max-size", "1048576\n"),
	SYNTH_FIXED("file-max", FD_MAX_TEXT "\n"),
	SYNTH_FIXED("nr_open", FD_MAX_TEXT "\n"),
};
static const struct synth core_list[] = {SYNTH_FIXED("somaxconn", "4096\n")};
static const struct synth net_list[] = {SYNTH_DIR("core", core_list)};
static const struct synth sysctl_list[] = {
	SYNTH_DIR("kernel", kernel_list),
	SYNTH_DIR("vm", vm_list),
	SYNTH_DIR("fs", fs_list),
	SYNTH_DIR("net", net_list),
};

static const struct synth proc_list[] = {
	SYNTH_LINK("self", self),
	SYNTH_LINK("thread-self", thread_self),
	SYNTH_LINK_TO("mounts", "self/mounts"),
	SYNTH_LINK_TO("net", "self/net"),
	SYNTH_FILE("cpuinfo", cpuinfo),
	SYNTH_FILE("meminfo", meminfo),
	SYNTH_FILE("stat", machine_stat),
	SYNTH_FILE("uptime", uptime),
	SYNTH_FILE("loadavg", loadavg),
	SYNTH_FIXED("version",
		SYSTEM_NAME " version " SYSTEM_RELEASE " (dayfly) " SYSTEM_VERSION "\n"),
	SYNTH_FIXED("cmdline", "\n"),
	SYNTH_FIXED("filesystems",
		"nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\toverlay\n\terofs\n"),
	SYNTH_DIR("sys", sysctl_list),
};

static const struct synth_more pids = {.next_id = next_pid, .child = &proc_pid};

const struct synth proc_tree = {
	.mode = S_IFDIR | 0555,
	.list = proc_list,
	.count = array_size(proc_list),
	.more = &pids,
};

static const struct synth cpu_list[] = {
	SYNTH_FIXED("online", "0\n"),
	SYNTH_FIXED("possible", "0\n"),
	SYNTH_FIXED("present", "0\n"),
};
static const struct synth system_list[] = {SYNTH_DIR("cpu", cpu_list)};
static const struct synth devices_list[] = {SYNTH_DIR("system", system_list)};
static const struct synth sys_list[] = {SYNTH_DIR("devices", devices_list)};

const struct synth sys_tree = {
	.mode = S_IFDIR | 0555,
	.list = sys_list,
	.count = array_size(sys_list),
};
