// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel image: one ELF file with an RX and perhaps an RW segment per feature (dayfly/boot.h).
 * Only the segments of the chosen features get into guest memory; read-only ones are mapped from
 * the file, so that all monitors share them.
 */
#ifndef MONITOR_KERNEL_IMAGE_H
#define MONITOR_KERNEL_IMAGE_H

#include <dayfly/boot.h>
#include <host/err.h>

#define KERNEL_SEGMENTS_MAX (2 * DF_FEATURES_MAX + 2)

struct kernel_segment {
	gva_t va;
	uint64_t offset; /* in the file */
	uint64_t file_bytes;
	uint64_t pages;
	bool writable;
};

struct kernel_image {
	int fd;
	gva_t entry;
	unsigned segment_count;
	struct kernel_segment segment[KERNEL_SEGMENTS_MAX]; /* chosen ones */
	unsigned feature_count;
	gva_t feature[DF_FEATURES_MAX]; /* headers, core first */
	gva_t stub_vectors, stub_tick, stub_syscall;
	gva_t stub_frames, stub_frames_end; /* constant iretq frames of five words */
	uint64_t pages; /* of all chosen segments */
	uint32_t build; /* CRC-32C of their bytes, when they have been loaded */
};

/*
 * Opens `path` and chooses core and the comma-separated `features`. Unknown or incomplete names give
 * -EINVAL with the names there are. The file is ours, yet it is checked as if it were not.
 */
int kernel_image_open(struct kernel_image *k, const char *path, const char *features,
	struct df_err *err);

#endif
