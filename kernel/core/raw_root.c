// SPDX-License-Identifier: Apache-2.0
/* The root image as one file: see raw_root.h. */
#include <kernel/core/errno.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/program.h>
#include <kernel/core/raw_root.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>

static int64_t raw_read(struct file *f, void *buf, size_t n, uint64_t *pos, unsigned flags)
{
	uint64_t size = boot_info->files_bytes;

	(void)f;
	(void)flags;
	if (*pos >= size)
		return 0;
	n = min(n, (size_t)(size - *pos));
	if (user_copy_to(buf, files_va(*pos), n))
		return -EFAULT;
	*pos += n;
	return (int64_t)n;
}

static int raw_frame(struct file *f, uint64_t index, bool write, gpa_t *gpa)
{
	(void)f;
	if (write)
		return -EACCES;
	if (index >= df_page_up(boot_info->files_bytes) >> DF_PAGE_SHIFT)
		return -ENODATA;
	*gpa = DF_GPA_FILES + (index << DF_PAGE_SHIFT);
	return 0;
}

static int raw_path(struct file *f, char *buf, size_t size)
{
	(void)f;
	return ksnprintf(buf, size, "%s", program.path);
}

static const struct file_ops raw_ops = {.read = raw_read, .frame = raw_frame, .path = raw_path};

int raw_root_open(const char *path, struct file **out)
{
	/* The path that the monitor named is the image; there is nothing else. */
	if (!(boot_info->flags & DF_BOOT_RAW_ROOT) || (program.path && strcmp(path, program.path)))
		return -ENOENT;
	return file_new(&raw_ops, 0, NULL, out);
}
