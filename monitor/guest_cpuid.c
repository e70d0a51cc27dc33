// SPDX-License-Identifier: Apache-2.0
/* CPUID for guests: see guest_cpuid.h. */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest_cpuid.h"

#define XCR0_WANTED 0xe7ULL /* x87, SSE, AVX, AVX-512 */
#define ENTRIES_MAX 128
#define BOOT_ID_BYTES 37

#define LEAF_FEATURES 1
#define LEAF_CACHE_DESCRIPTORS 2
#define LEAF_CACHES 4
#define LEAF_MORE_FEATURES 7
#define LEAF_XSTATE 0xd
#define LEAF_EXTENDED 0x80000001

struct table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entry[ENTRIES_MAX];
};

struct cache_file {
	char boot_id[BOOT_ID_BYTES + 3];
	struct table table;
};

static int read_boot_id(char *out)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, BOOT_ID_BYTES);

	if (fd >= 0)
		close(fd);
	return n == BOOT_ID_BYTES ? 0 : -EIO;
}

static bool cache_load(const char *path, struct cache_file *f)
{
	char boot_id[BOOT_ID_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	bool good;

	if (fd < 0)
		return false;
	good = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
		!(st.st_mode & 022) && read(fd, f, sizeof(*f)) == sizeof(*f) &&
		!read_boot_id(boot_id) && !memcmp(boot_id, f->boot_id, BOOT_ID_BYTES) &&
		f->table.head.nent <= ENTRIES_MAX;
	close(fd);
	return good;
}

/* Best effort: written beside and renamed, so that a reader sees all or nothing. */
static void cache_store(const char *path, struct cache_file *f)
{
	char temporary[4096];
	int fd;
	bool good;

	if (read_boot_id(f->boot_id) ||
		snprintf(temporary, sizeof(temporary), "%s.%d", path, getpid()) >=
			(int)sizeof(temporary))
		return;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	good = write(fd, f, sizeof(*f)) == sizeof(*f);
	close(fd);
	if (!good || rename(temporary, path))
		unlink(temporary);
}

static struct kvm_cpuid_entry2 *find(struct table *t, uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < t->head.nent; i++)
		if (t->entry[i].function == function && t->entry[i].index == index)
			return &t->entry[i];
	return NULL;
}

/* A cache size as a one-byte descriptor of leaf 2: the largest that does not promise too much. */
struct descriptor {
	uint32_t kib;
	uint8_t code;
};

static uint8_t descriptor_of(const struct descriptor *d, unsigned n, uint32_t kib)
{
	uint8_t code = 0;

	for (unsigned i = 0; i < n && d[i].kib <= kib; i++)
		code = d[i].code;
	return code;
}

/*
 * Leaf 2 of current processors says "see leaf 4", and C libraries then walk leaf 4 for each of a dozen
 * questions. Descriptors in leaf 2 answer them at once.
 */
static void describe_caches(struct table *t)
{
	static const struct descriptor level2[] = {
		{256, 0x7a}, {512, 0x7f}, {1024, 0x78}, {2048, 0x7d}};
	static const struct descriptor level3[] = {{2048, 0xe2}, {4096, 0xe3}, {8192, 0xe4},
		{12288, 0xea}, {18432, 0xeb}, {24576, 0xec}};
	struct kvm_cpuid_entry2 *two = find(t, LEAF_CACHE_DESCRIPTORS, 0), *e;
	uint32_t kib[4] = {0};

	if (!two || !(two->eax & 0xff))
		return;
	for (uint32_t i = 0; (e = find(t, LEAF_CACHES, i)) && (e->eax & 31); i++)
		if ((e->eax & 31) != 2 && (e->eax >> 5 & 7) < 4)
			kib[e->eax >> 5 & 7] = (uint32_t)(((uint64_t)(e->ebx >> 22) + 1) *
					((e->ebx >> 12 & 0x3ff) + 1) * ((e->ebx & 0xfff) + 1) *
					(e->ecx + 1ULL) >>
				10);
	if (kib[1] < 32 || !kib[2])
		return;
	two->eax = 0x00302c01; /* 32 KiB of each level-1 cache */
	two->ebx = two->ecx = 0;
	two->edx = (uint32_t)descriptor_of(level2, 4, kib[2]) |
		(uint32_t)descriptor_of(level3, 6, kib[3]) << 8;
}

/* Takes away what dayfly does not keep. */
static uint64_t restrict_features(struct table *t)
{
	struct kvm_cpuid_entry2 *e = find(t, LEAF_XSTATE, 0);
	uint64_t xcr0 = 0;

	if (e) {
		xcr0 = XCR0_WANTED & (e->eax | (uint64_t)e->edx << 32);
		e->eax = (uint32_t)xcr0;
		e->edx = 0;
	}
	e = find(t, LEAF_MORE_FEATURES, 0);
	if (e) {
		e->edx &= ~(1u << 22 | 1u << 24 | 1u << 25); /* AMX */
		e->ecx &= ~(1u << 3 | 1u << 4); /* protection keys */
	}
	e = find(t, LEAF_FEATURES, 0);
	if (e)
		e->ecx |= 1u << 27; /* OSXSAVE, as CR4 says */
	return xcr0;
}

static struct cache_file shown;
static uint64_t shown_xcr0;

int cpuid_load(int kvm_fd, const char *cache, struct df_err *err)
{
	if (!cache || !cache_load(cache, &shown)) {
		memset(&shown, 0, sizeof(shown));
		shown.table.head.nent = ENTRIES_MAX;
		if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &shown.table))
			return df_err_set(err, -errno, "KVM_GET_SUPPORTED_CPUID: %s",
				df_errno_text(errno));
		if (cache)
			cache_store(cache, &shown);
	}
	describe_caches(&shown.table);
	shown_xcr0 = restrict_features(&shown.table);
	return 0;
}

int cpuid_set(int vcpu_fd, struct df_err *err)
{
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, &shown.table))
		return df_err_set(err, -errno, "KVM_SET_CPUID2: %s", df_errno_text(errno));
	return 0;
}

uint64_t cpuid_xcr0(void)
{
	return shown_xcr0;
}

/* The words of a leaf, as shown and as the processor has them: paravirtual KVM shows its own. */
static void add_leaf(uint32_t leaf, uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
	const struct kvm_cpuid_entry2 *e = find(&shown.table, leaf, 0);
	uint32_t a, b, c, d;

	if (!__get_cpuid_count(leaf, 0, &a, &b, &c, &d))
		b = c = d = 0;
	*ebx |= b | (e ? e->ebx : 0);
	*ecx |= c | (e ? e->ecx : 0);
	*edx |= d | (e ? e->edx : 0);
}

void cpuid_features(uint32_t words[DF_CPU_LEAVES])
{
	uint32_t no_features = 0; /* numbers of this processor */

	memset(words, 0, DF_CPU_LEAVES * sizeof(words[0]));
	add_leaf(LEAF_FEATURES, &no_features, &words[0], &words[1]);
	add_leaf(LEAF_MORE_FEATURES, &words[2], &words[3], &words[4]);
	add_leaf(LEAF_EXTENDED, &no_features, &words[5], &words[6]);
}

uint32_t cpuid_xsave_bytes(uint64_t xcr0)
{
	uint32_t bytes = 576, size, offset, c, d;

	for (unsigned i = 2; i < 63; i++) {
		if (!(xcr0 >> i & 1))
			continue;
		__cpuid_count(LEAF_XSTATE, i, size, offset, c, d);
		if (offset + size > bytes)
			bytes = offset + size;
	}
	return bytes;
}
