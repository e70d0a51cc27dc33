// SPDX-License-Identifier: Apache-2.0
/* The kernel's own memory, which a program can write, and the pages that it shares with the monitor. */
#include "leave.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGES_MAX 4096
static uint64_t pages[PAGES_MAX];
static unsigned page_count;

static void collect(uint64_t from, uint64_t to)
{
	for (uint64_t va = from; va < to && page_count < PAGES_MAX; va += DF_PAGE_SIZE)
		if (writable(va))
			pages[page_count++] = va;
}

/* Before the freeze: what can be written, so that the event itself needs no fault. */
static void prepare(void)
{
	collect(DF_VA_KERNEL, DF_VA_KERNEL + DF_KERNEL_MAX);
	collect(DF_VA_SYSTEM, DF_VA_SYSTEM + DF_SYSTEM_PAGES * DF_PAGE_SIZE);
	collect(DF_VA_KHEAP, DF_VA_KHEAP + 0x40000);
	collect(DF_VA_KSTACK, DF_VA_KSTACK + DF_KSTACK_STRIDE);
	if (page_count < 10)
		broken("the kernel's pages can not be written");
	seed = 42;
}

static void leave(void)
{
	request(DF_CALL_EXIT, 0, 0, 0, 0);
}

static void overwrite(bool random)
{
	for (unsigned i = 0; i < page_count; i++) {
		volatile uint64_t *p = (volatile uint64_t *)pages[i];

		for (unsigned w = 0; w < DF_PAGE_SIZE / 8; w++)
			p[w] = random ? random_next() : secret();
	}
}

/* A program that uses a bit of everything finds the kernel whole. */
static void look_alive(void)
{
	char path[] = "/tmp/alive", text[20] = "";
	struct timespec now;
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || write(fd, "alive", 5) != 5 || lseek(fd, 0, SEEK_SET) ||
		read(fd, text, sizeof(text)) != 5 || strcmp(text, "alive"))
		leak("files do not work: %s", strerror(errno));
	close(fd);
	unlink(path);
	if (p == MAP_FAILED || !is_zero(p, 1 << 20) || munmap(p, 1 << 20))
		leak("memory does not work: %s", strerror(errno));
	if (clock_gettime(CLOCK_REALTIME, &now) || now.tv_sec < 1700000000)
		leak("the clock does not work");
	if (stat("/proc/self/exe", &st) || st.st_size < 100000)
		leak("the image does not work: %s", strerror(errno));
	if (syscall(9999) != -1 || errno != ENOSYS)
		leak("system calls do not work");
}

/* Nothing that the kernel keeps holds the secret. */
static void look(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < page_count; i++)
		n += count_secret((void *)pages[i], DF_PAGE_SIZE);
	if (n)
		leak("the kernel's %u pages hold the secret %lu times", page_count, n);
	look_alive();
}

static void kernel_secret_dirty(void)
{
	overwrite(false);
	leave();
}

static void kernel_random_dirty(void)
{
	overwrite(true);
	leave();
}

/* A few words here and there, which do not show at once. */
static void kernel_bits_dirty(void)
{
	for (unsigned i = 0; i < 20; i++)
		*(volatile uint64_t *)(pages[random_next() % page_count] +
			random_next() % 512 * 8) ^= 1ULL << random_next() % 64;
	leave();
}

/* The kernel stumbles over what it became. */
static void kernel_call_dirty(void)
{
	overwrite(true);
	syscall(SYS_getpid);
}

static void kernel_fault_dirty(void)
{
	overwrite(true);
	*(volatile int *)8 = 1;
}

static void kernel_spin_dirty(void)
{
	overwrite(true);
	for (;;)
		;
}

/* --- the request page --- */

static void request_page_dirty(void)
{
	volatile struct df_request_page *p = request_page();

	fill_secret((void *)p->data, sizeof(p->data));
	fill_secret((void *)p->rest, 256);
	fill_secret((void *)&p->stats, sizeof(p->stats));
	p->host_signals = ~0ULL;
	p->tick_pending = ~0ULL;
	p->out.reply_bytes = 1 << 19;
	p->out.log_bytes = 4096;
	p->out.attribute_bytes = 4096;
	p->out.status = 0xffff;
	leave();
}

/* Lengths that are no lengths. */
static void request_out_dirty(void)
{
	static unsigned which;
	volatile struct df_request_page *p = request_page();

	which = (unsigned)p->stats.main_tsc % 3;
	p->out.reply_bytes = which == 0 ? UINT64_MAX : 1;
	p->out.log_bytes = which == 1 ? UINT64_MAX - 8 : 1;
	p->out.attribute_bytes = which == 2 ? UINT32_MAX : 0;
	p->out.stopped = 99;
	leave();
}

/* --- what the monitor writes into the page, and texts that it takes --- */

static void raw_random_dirty(void)
{
	for (unsigned i = 0; i < 8; i++)
		request(DF_CALL_RANDOM, 256, 0, 0, 0);
	for (unsigned i = 0; i < 3; i++)
		request(DF_CALL_STAT, i, 0, 0, 0);
	leave();
}

static void text(const char *s)
{
	memset(request_page()->data, 0, DF_DATA_BYTES);
	strcpy((char *)request_page()->data, s);
}

static void raw_panic_dirty(void)
{
	text("the secret of this event, which nobody else may see");
	request(DF_CALL_PANIC, 60, 0, 0, 0);
}

static void raw_fault_dirty(void)
{
	struct df_fault *f = (struct df_fault *)request_page()->data;

	memset(f, 0, DF_DATA_BYTES);
	f->signal = 11;
	f->vector = 14;
	f->regs.rip = secret();
	strcpy((char *)(f + 1), "400000-500000 r-xp 0 /secret\n");
	request(DF_CALL_FAULT, 0, 0, 0, 0);
}

static void raw_log_dirty(void)
{
	for (unsigned kind = 0; kind < DF_LOG_KIND_COUNT; kind++) {
		text("the secret of this event, which nobody else may see");
		request(DF_CALL_LOG, kind, 50, 0, 0);
	}
	leave();
}

static void raw_freeze_dirty(void)
{
	request(DF_CALL_FREEZE, DF_WAIT_POINT_STDIO, 0, 0, 0);
	leave();
}

/* Another event is for programs whose mode it is. */
static void raw_next_dirty(void)
{
	request(DF_CALL_NEXT, 0, 0, 0, 0);
	leave();
}

static void raw_thawed_dirty(void)
{
	request(DF_CALL_THAWED, 0, 0, 0, 0);
	leave();
}

/* Streams are not the monitor's any more. */
static void raw_stream_dirty(void)
{
	request(DF_CALL_READ, 0, DF_GPA_ARENA + (12 << 20), 65536, 0);
	leave();
}

static void raw_write_dirty(void)
{
	request(DF_CALL_WRITE, 1, DF_GPA_ARENA, 65536, 0);
	leave();
}

static void raw_seek_dirty(void)
{
	request(DF_CALL_SEEK, 0, 0, 0, 0);
	leave();
}

static void raw_tty_dirty(void)
{
	request(DF_CALL_TTY, 0, 0x5401, 0, 0);
	leave();
}

static void raw_wait_dirty(void)
{
	request(DF_CALL_WAIT, DF_WAIT_STDIN, DF_FOREVER, 0, 0);
	leave();
}

/* Ticks without end: no instruction of ours is reached any more, and a limit ends it. */
static void raw_timer_dirty(void)
{
	for (;;)
		request(DF_CALL_TIMER, 1, 1, 0, 0);
}

/* One tick, which comes when the event is over. */
static void raw_tick_dirty(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	request(DF_CALL_TIMER, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + 200000,
		500000, 0, 0);
	leave();
}

static void raw_unknown_dirty(void)
{
	request(DF_CALL_COUNT, 0, 0, 0, 0);
}

static void timer_look(void)
{
	struct timespec wait = {.tv_nsec = 3000000}, left = {0};

	if (nanosleep(&wait, &left))
		leak("a sleep was interrupted: %s", strerror(errno));
	look();
}

/* What it has learned in a rehearsal: the kernel reads it back before it is frozen again. */
static void learned_dirty(void)
{
	volatile uint64_t *p = (volatile uint64_t *)(DF_VA_OUT + DF_OUT_ATTRIBUTES);

	for (unsigned i = 0; i < DF_OUT_ATTRIBUTES_MAX / 8; i++)
		p[i] = i % 3 ? random_next() : DF_VA_ARENA + random_next() % (8 << 20);
	p[0] = DF_LEARNED_MAX | (uint64_t)DF_LEARNED_MAX << 32;
	request_page()->out.attribute_bytes = 0;
	leave();
}

#define RAW(name, look)                                                        \
	{                                                                      \
#name, prepare, name##_dirty, look, HAZARD_GUEST | HAZARD_ENDS \
	}
#define LIMITED(name)                                                                         \
	{                                                                                     \
#name, prepare, name##_dirty, look, HAZARD_GUEST | HAZARD_ENDS | HAZARD_LIMIT \
	}
const struct hazard hazards_kernel[] = {RAW(kernel_secret, look), RAW(kernel_random, look),
	RAW(kernel_bits, look), RAW(kernel_call, look), RAW(kernel_fault, look),
	LIMITED(kernel_spin), RAW(request_page, look), RAW(request_out, look),
	RAW(raw_random, look), RAW(raw_panic, look), RAW(raw_fault, look), RAW(raw_log, look),
	RAW(raw_freeze, look), RAW(raw_thawed, look), RAW(raw_next, look), RAW(raw_stream, look),
	RAW(raw_write, look), RAW(raw_seek, look), RAW(raw_tty, look), RAW(raw_wait, look),
	{"raw_timer", prepare, raw_timer_dirty, timer_look,
		HAZARD_GUEST | HAZARD_ENDS | HAZARD_LIMIT},
	RAW(raw_tick, timer_look), RAW(raw_unknown, look), RAW(learned, look), {0}};
