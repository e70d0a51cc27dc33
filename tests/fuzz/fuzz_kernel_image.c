// SPDX-License-Identifier: Apache-2.0
/* Fuzz target of monitor/kernel_image.c: any file, opened as a kernel with some features named. */
#include "monitor/kernel_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const features[] = {
		"", "files,tmp", "tasks,events,signals,files,tmp,trace", "a,b,,core"};
	static int fd = -1;
	struct kernel_image k;
	char path[32];
	struct df_err err = {0};

	if (fd < 0)
		fd = memfd_create("kernel", 0);
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (!kernel_image_open(&k, path, features[i], &err)) {
			uint64_t pages = 0;

			for (unsigned s = 0; s < k.segment_count; s++)
				pages += k.segment[s].pages;
			/* vm.c reserves so much for the segments. */
			if (pages != k.pages || k.segment_count > KERNEL_SEGMENTS_MAX ||
				k.feature_count > DF_FEATURES_MAX)
				abort();
		}
		if (k.fd >= 0)
			close(k.fd);
	}
	return 0;
}
