// SPDX-License-Identifier: Apache-2.0
/* Reads the kernel's program headers and feature headers: see kernel_image.h. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel_image.h"

#define HEADERS_MAX 32

static bool list_has(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; *p; p += *p == ',') {
		size_t len = strcspn(p, ",");

		if (len == n && !memcmp(p, name, n))
			return true;
		p += len;
	}
	return false;
}

static int add_segment(struct kernel_image *k, const Elf64_Phdr *ph)
{
	struct kernel_segment *s = &k->segment[k->segment_count];

	if (k->segment_count == KERNEL_SEGMENTS_MAX || (ph->p_vaddr & DF_PAGE_MASK) ||
		(ph->p_offset & DF_PAGE_MASK) || ph->p_filesz > ph->p_memsz ||
		ph->p_memsz > DF_KERNEL_MAX || ph->p_vaddr < DF_VA_KERNEL ||
		ph->p_vaddr + ph->p_memsz > DF_VA_KHEAP)
		return -EINVAL;
	*s = (struct kernel_segment){
		.va = ph->p_vaddr,
		.offset = ph->p_offset,
		.file_bytes = ph->p_filesz,
		.pages = df_page_up(ph->p_memsz) >> DF_PAGE_SHIFT,
		.writable = ph->p_flags & PF_W,
	};
	k->segment_count++;
	k->pages += s->pages;
	return 0;
}

struct headers {
	Elf64_Phdr ph[HEADERS_MAX];
	unsigned count;
	gva_t writable[DF_FEATURES_MAX]; /* of chosen features */
	char known[HEADERS_MAX * 17 + 1]; /* names met, for the error text */
	char chosen[DF_FEATURES_MAX * 17];
};

/* One RX segment: a feature (chosen or not), or the stub. */
static int take_rx(struct kernel_image *k, struct headers *h, const Elf64_Phdr *ph,
	const char *features, struct df_err *err)
{
	struct df_feature_header f;

	if (ph->p_vaddr == DF_VA_STUB || ph->p_vaddr == DF_VA_VDSO)
		return add_segment(k, ph);
	if (pread(k->fd, &f, sizeof(f), (off_t)ph->p_offset) != sizeof(f) ||
		f.magic != DF_FEATURE_MAGIC || f.name[15] || f.needs[15])
		return -EINVAL;
	if (strcmp(f.name, "core")) {
		strcat(strcat(h->known, h->known[0] ? ", " : ""), f.name);
		if (!list_has(features, f.name))
			return 0;
		if (f.needs[0] && strcmp(f.needs, "core") && !list_has(features, f.needs))
			return df_err_set(err, -EINVAL, "the feature %s needs the feature %s",
				f.name, f.needs);
	}
	if (k->feature_count == DF_FEATURES_MAX)
		return -EINVAL;
	h->writable[k->feature_count] = f.writable;
	k->feature[k->feature_count++] = ph->p_vaddr;
	strcat(strcat(h->chosen, ","), f.name);
	return add_segment(k, ph);
}

static int take_rw(struct kernel_image *k, const struct headers *h, const Elf64_Phdr *ph)
{
	for (unsigned i = 0; i < k->feature_count; i++)
		if (h->writable[i] == ph->p_vaddr)
			return add_segment(k, ph);
	return 0;
}

static int check_names(const struct headers *h, const char *features, struct df_err *err)
{
	for (const char *p = features; *p; p += *p == ',') {
		size_t len = strcspn(p, ",");
		char name[17];

		snprintf(name, sizeof(name), "%.*s", (int)len, p);
		p += len;
		if (len && strcmp(name, "core") && !list_has(h->chosen, name))
			return df_err_set(err, -EINVAL, "there is no feature %s; there are %s",
				name, h->known);
	}
	return 0;
}

static int read_segments(struct kernel_image *k, const Elf64_Ehdr *eh, const char *features,
	struct df_err *err)
{
	struct headers h = {.count = eh->e_phnum};
	ssize_t bytes = (ssize_t)(h.count * sizeof(h.ph[0]));
	int r = 0;

	if (h.count > HEADERS_MAX || pread(k->fd, h.ph, (size_t)bytes, (off_t)eh->e_phoff) != bytes)
		return -EINVAL;
	for (unsigned i = 0; i < h.count && !r; i++) {
		const Elf64_Phdr *ph = &h.ph[i];

		if (ph->p_type != PT_LOAD || !ph->p_memsz)
			continue;
		r = (ph->p_flags & PF_W) ? take_rw(k, &h, ph) : take_rx(k, &h, ph, features, err);
	}
	return r ? r : check_names(&h, features, err);
}

/* The stub begins with a small directory of its entries (arch/x86_64/stub.S). */
static int read_stub(struct kernel_image *k)
{
	for (unsigned i = 0; i < k->segment_count; i++) {
		uint64_t entries[5];

		if (k->segment[i].va != DF_VA_STUB)
			continue;
		if (pread(k->fd, entries, sizeof(entries), (off_t)k->segment[i].offset) !=
			sizeof(entries))
			return -EINVAL;
		k->stub_syscall = entries[0];
		k->stub_vectors = entries[1];
		k->stub_tick = entries[2];
		k->stub_frames = entries[3];
		k->stub_frames_end = entries[4];
		return 0;
	}
	return -EINVAL;
}

int kernel_image_open(struct kernel_image *k, const char *path, const char *features,
	struct df_err *err)
{
	Elf64_Ehdr eh;
	int r;

	*k = (struct kernel_image){.fd = open(path, O_RDONLY | O_CLOEXEC)};
	if (k->fd < 0)
		return df_err_set(err, -errno, "kernel image %s: %s", path, df_errno_text(errno));
	err->code = 0;
	if (pread(k->fd, &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
		eh.e_machine != EM_X86_64)
		r = -EINVAL;
	else
		r = read_segments(k, &eh, features, err);
	k->entry = r ? 0 : eh.e_entry;
	if (!r)
		r = read_stub(k);
	if (r && !err->code)
		return df_err_set(err, r, "%s is not a dayfly kernel of this version", path);
	return r;
}
