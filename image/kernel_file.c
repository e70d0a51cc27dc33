/* SPDX-License-Identifier: Apache-2.0 */
/* Build and size of a kernel: see kernel_file.h. */
#include "image/kernel_file.h"

#include "base/crc32c.h"
#include "host/cleanup.h"

#include <dayfly/boot.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX 64

struct reading {
	int fd;
	const char *features;
	gva_t writable[DF_FEATURES_MAX]; /* segments of features that are taken */
	unsigned int count;
};

static bool list_has(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = list; *at; at += strspn(at, ",")) {
		size_t part = strcspn(at, ",");

		if (part == length && memcmp(at, name, length) == 0)
			return true;
		at += part;
	}
	return false;
}

static bool is_taken(const struct reading *r, const char *name)
{
	return strcmp(name, "core") == 0 || strcmp(name, "freeze") == 0 ||
		list_has(r->features, name);
}

/* A segment of the stub, of the vDSO, or of a feature that is asked for. */
static bool takes(struct reading *r, const Elf64_Phdr *ph)
{
	struct df_feature_header header;

	if (ph->p_type != PT_LOAD || ph->p_memsz == 0)
		return false;
	for (unsigned int i = 0; (ph->p_flags & PF_W) && i < r->count; i++) {
		if (r->writable[i] == ph->p_vaddr)
			return true;
	}
	if (ph->p_flags & PF_W)
		return false;
	if (ph->p_vaddr == DF_VA_STUB || ph->p_vaddr == DF_VA_VDSO)
		return true;
	if (pread(r->fd, &header, sizeof(header), (off_t)ph->p_offset) != (ssize_t)sizeof(header) ||
		header.magic != DF_FEATURE_MAGIC || header.name[sizeof(header.name) - 1] ||
		!is_taken(r, header.name) || r->count == DF_FEATURES_MAX)
		return false;
	r->writable[r->count++] = header.writable;
	return true;
}

static int add_segment(const struct reading *r, const Elf64_Phdr *ph, struct kernel_file *kernel)
{
	DF_FREE char *bytes = NULL;

	if (ph->p_filesz > DF_KERNEL_MAX || ph->p_memsz > DF_KERNEL_MAX)
		return -EINVAL;
	bytes = malloc(ph->p_filesz + 1);
	if (!bytes)
		return -ENOMEM;
	if (pread(r->fd, bytes, ph->p_filesz, (off_t)ph->p_offset) != (ssize_t)ph->p_filesz)
		return -EINVAL;
	kernel->build = df_crc32c(kernel->build, bytes, ph->p_filesz);
	kernel->bytes += (ph->p_memsz + DF_PAGE_SIZE - 1) & ~(uint64_t)(DF_PAGE_SIZE - 1);
	return 0;
}

static int read_segments(struct reading *r, struct kernel_file *kernel)
{
	Elf64_Phdr headers[HEADERS_MAX];
	Elf64_Ehdr elf;
	int error = 0;

	if (pread(r->fd, &elf, sizeof(elf), 0) != (ssize_t)sizeof(elf) ||
		memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_phnum > HEADERS_MAX ||
		elf.e_phentsize != sizeof(*headers) ||
		pread(r->fd, headers, elf.e_phnum * sizeof(*headers), (off_t)elf.e_phoff) !=
			(ssize_t)(elf.e_phnum * sizeof(*headers)))
		return -EINVAL;
	for (unsigned int i = 0; !error && i < elf.e_phnum; i++) {
		if (takes(r, &headers[i]))
			error = add_segment(r, &headers[i], kernel);
	}
	return error || r->count ? error : -EINVAL;
}

int kernel_file_read(const char *path, const char *features, struct kernel_file *kernel,
	struct df_err *err)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct reading r = {.fd = fd, .features = features};
	struct kernel_file made = {0};
	int error = fd < 0 ? -errno : read_segments(&r, &made);

	if (error)
		return df_err_set(err, error, "the kernel %s: %s", path,
			error == -EINVAL ? "it is damaged or none of dayfly's"
					 : df_errno_text(error));
	*kernel = made;
	return 0;
}
