// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of what happens to a crash report before libdw sees a file: the text of mappings that
 * came from the guest (monitor/backtrace.c), cleaning of text, and the search for a path in an image
 * (monitor/backtrace/files.c). The input is text, a zero byte, and an EROFS image.
 */
#include "monitor/backtrace.h"
#include "monitor/backtrace/helper.h"
#include "monitor/report.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void find(const struct files *files, const char *path)
{
	uint8_t *data;
	uint64_t bytes;

	if (!files_find(files, path, &data, &bytes))
		return;
	if (data < files->data || bytes > files->bytes ||
		(uint64_t)(data - files->data) > files->bytes - bytes || !bytes)
		abort();
	sink = data[0];
	sink = data[bytes - 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct backtrace_module modules[BACKTRACE_MODULES];
	size_t text = strnlen((const char *)data, size), rest = size > text ? size - text - 1 : 0;
	char *maps = malloc(text + 1);
	uint8_t *image = malloc(rest ? rest : 1);
	struct files files = {.data = image, .bytes = rest};
	unsigned count;

	memcpy(maps, data, text);
	maps[text] = 0;
	memcpy(image, data + size - rest, rest);
	if (rest > 1024 + 8 + 4)
		image[1024 + 8] &= 0xfe; /* without the checksum, which no change would survive */
	count = backtrace_modules(maps, modules, BACKTRACE_MODULES);
	for (unsigned i = 0; i < count; i++) {
		if (strnlen(modules[i].path, BACKTRACE_PATH) == BACKTRACE_PATH ||
			modules[i].start >= modules[i].end)
			abort();
		find(&files, modules[i].path);
	}
	find(&files, "/a/b/c");
	report_clean(maps);
	free(maps);
	free(image);
	return 0;
}
