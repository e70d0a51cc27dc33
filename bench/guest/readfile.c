/* file.read: nanoseconds to read the file that is named, from its start to its end, 256 KiB a call. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"

int main(int argc, char **argv)
{
	static char buffer[256 * 1024];
	ssize_t got;
	size_t total = 0;

	if (argc != 2)
		return 2;
	uint64_t start = now_ns();
	int fd = open(argv[1], O_RDONLY);
	while ((got = read(fd, buffer, sizeof buffer)) > 0)
		total += (size_t)got;
	uint64_t end = now_ns();
	if (got < 0 || total == 0) {
		perror(argv[1]);
		return 1;
	}
	printf("%llu\n", (unsigned long long)(end - start));
	return 0;
}
