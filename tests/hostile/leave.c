// SPDX-License-Identifier: Apache-2.0
/* Chooses a hazard, takes one event, answers. See leave.h. */
#include "leave.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORD 8 /* bytes of the body that say what to do */
#define REPLY_MAX 16384

static char reply[REPLY_MAX];
static unsigned reply_bytes, leaks;

static void add(const char *kind, const char *format, va_list args)
{
	char line[300];
	int n;

	vsnprintf(line, sizeof(line), format, args);
	n = snprintf(reply + reply_bytes, REPLY_MAX - reply_bytes, "%s%s\n", kind, line);
	if (n > 0 && (unsigned)n < REPLY_MAX - reply_bytes)
		reply_bytes += (unsigned)n;
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add("", format, args);
	va_end(args);
}

void leak(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (leaks++ < 20)
		add("leak ", format, args);
	va_end(args);
}

void broken(const char *what)
{
	fprintf(stderr, "broken: %s: %s\n", what, strerror(errno));
	_exit(77);
}

uint64_t secret(void)
{
	static volatile uint64_t product = SECRET_PRODUCT, inverse = 0xf1de83e19937733dULL;

	return product * inverse;
}

void fill_secret(void *at, uint64_t bytes)
{
	volatile uint64_t *p = at;
	uint64_t value = secret();

	for (uint64_t i = 0; i < bytes / 8; i++)
		p[i] = value;
}

uint64_t count_secret(const void *at, uint64_t bytes)
{
	const volatile uint64_t *p = at;
	uint64_t n = 0;

	for (uint64_t i = 0; i < bytes / 8; i++)
		n += is_secret(p[i]);
	return n;
}

struct scan {
	uint64_t at, to, found, pages;
};

static void scan(void *arg)
{
	volatile struct scan *s = arg;

	while (s->at < s->to) {
		/* So that a fault leaves `at` on the page that it hit. */
		uint64_t n = count_secret((void *)s->at, DF_PAGE_SIZE);

		s->found += n;
		s->pages++;
		s->at += DF_PAGE_SIZE;
	}
}

/* Windows are mapped in large pages or not at all, mostly: a hole at their start is left in a large step. */
static void skip(void *arg)
{
	volatile struct scan *s = arg;

	s->at = s->at & DF_LARGE_MASK ? s->at + DF_PAGE_SIZE : s->at + DF_LARGE_SIZE;
}

uint64_t count_readable(uint64_t from, uint64_t to, uint64_t *pages)
{
	struct scan s = {.at = from, .to = to};

	caught_again(scan, skip, &s);
	*pages += s.pages;
	return s.found;
}

uint64_t hash(const void *at, uint64_t bytes)
{
	const volatile uint8_t *p = at;
	uint64_t h = 0xcbf29ce484222325ULL;

	for (uint64_t i = 0; i < bytes; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h;
}

bool is_zero(const void *at, uint64_t bytes)
{
	const volatile uint64_t *p = at;

	for (uint64_t i = 0; i < bytes / 8; i++)
		if (p[i])
			return false;
	return true;
}

/* Everything that ring 3 can read, but for the root image. */
static void scan_all(void)
{
	static const struct {
		const char *name;
		uint64_t from, bytes;
	} window[] = {
		{"kernel", DF_VA_KERNEL, DF_KERNEL_MAX},
		{"system", DF_VA_SYSTEM, DF_SYSTEM_PAGES * DF_PAGE_SIZE},
		{"kheap", DF_VA_KHEAP, 16 << 20},
		{"kstack", DF_VA_KSTACK, 64 * DF_KSTACK_STRIDE},
		{"in", DF_VA_IN, 4 << 20},
		{"out", DF_VA_OUT, 4 << 20},
		{"arena", DF_VA_ARENA, 64 << 20},
	};
	uint64_t all = 0;

	for (unsigned i = 0; i < sizeof(window) / sizeof(window[0]); i++) {
		uint64_t n = count_readable(window[i].from, window[i].from + window[i].bytes, &all);

		if (n)
			leak("the secret stands %lu times in the %s window", n, window[i].name);
	}
	if (all < 1000)
		leak("only %lu pages could be scanned", all);
}

static long take_read(void *buf, unsigned long bytes)
{
	return read(0, buf, bytes);
}
long (*take)(void *buf, unsigned long bytes) = take_read;

static const struct hazard *const tables[] = {
	hazards_memory, hazards_tables, hazards_kernel, hazards_cpu, hazards_system, hazards_event};

static int list(void)
{
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct hazard *h = tables[t]; h->name; h++)
			printf("%s%s%s%s%s\n", h->name, h->flags & HAZARD_GUEST ? " guest" : "",
				h->flags & HAZARD_ENDS ? " ends" : "",
				h->flags & HAZARD_BLIND ? " blind" : "",
				h->flags & HAZARD_LIMIT ? " limit" : "");
	return 0;
}

static const struct hazard *find(const char *name)
{
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct hazard *h = tables[t]; h->name; h++)
			if (!strcmp(h->name, name))
				return h;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct hazard *h = argc > 1 ? find(argv[1]) : NULL;
	char word[WORD + 1] = "";
	bool dirty, look, scans;

	if (!h)
		return argc < 2 ? list() : 99;
	if (h->prepare)
		h->prepare();
	if (take(word, WORD) <= 0)
		return 98;
	word[strcspn(word, " \n")] = 0;
	scans = !strcmp(word, "scan");
	look = scans || !strcmp(word, "look") || !strcmp(word, "both");
	dirty = !strcmp(word, "dirty") || !strcmp(word, "both");
	if (!look && !dirty)
		return 98;
	if (dirty)
		h->dirty();
	if (look)
		h->look();
	if (scans)
		scan_all();
	say("%s", !look ? "left" : leaks ? "leaks" : "clean");
	return write(1, reply, reply_bytes) == (ssize_t)reply_bytes ? 0 : 97;
}
