// SPDX-License-Identifier: Apache-2.0
/* What a watched program needs, line by line into a file: see watch.h. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <host/write.h>

#define ROOM_BYTES (1u << 20)

int watch_open(struct vm *vm, struct df_err *err)
{
	const char *path = vm->options->watch;

	vm->watch_fd = -1;
	if (!path)
		return 0;
	vm->watch_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	vm->watch_room = ROOM_BYTES;
	return vm->watch_fd < 0
		? df_err_set(err, -errno, "--watch %s: %s", path, df_errno_text(errno))
		: 0;
}

void watch_line(struct vm *vm, const char *text)
{
	char line[DF_DATA_BYTES + 2];
	int bytes = snprintf(line, sizeof(line), "%s\n", text);

	/* The guest may say anything; a line is one, and there is an end to them. */
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			return;
	if (vm->watch_fd < 0 || (unsigned)bytes > vm->watch_room)
		return;
	vm->watch_room -= (unsigned)bytes;
	if (df_write(vm->watch_fd, line, (size_t)bytes))
		vm->watch_room = 0;
}

void watch_end(struct vm *vm)
{
	uint64_t frames = vm->request->stats.frames_used;
	char line[80];

	/* Whatever the guest did to its counters, it has no more than it was given. */
	if (frames > vm->options->memory_bytes >> DF_PAGE_SHIFT)
		frames = vm->options->memory_bytes >> DF_PAGE_SHIFT;
	snprintf(line, sizeof(line), "memory %llu", (unsigned long long)frames << DF_PAGE_SHIFT);
	watch_line(vm, line);
	snprintf(line, sizeof(line), "touched %llu",
		(unsigned long long)memory_resident(&vm->memory));
	watch_line(vm, line);
	snprintf(line, sizeof(line), "took_ns %llu",
		(unsigned long long)(clock_now_ns() - vm->start_ns));
	watch_line(vm, line);
}
