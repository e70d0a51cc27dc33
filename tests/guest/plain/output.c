/*
 * output.c - standard output and error: order, sizes, vectors. All of its output is compared.
 */
#include "../case.h"

#include <sys/uio.h>

int main(void)
{
	static char block[1 << 20], digits[1024][8];
	struct iovec v[1024];
	size_t expect = 0;

	setvbuf(stdout, NULL, _IOFBF, 4096);
	for (int i = 0; i < 1000; i++)
		printf("line %d of a buffered stream\n", i);
	fflush(stdout);
	for (int i = 0; i < 1024; i++) {
		v[i].iov_base = digits[i];
		v[i].iov_len = (size_t)snprintf(digits[i], sizeof digits[0], "%d ", i);
		expect += v[i].iov_len;
	}
	ssize_t n = writev(1, v, 1024);
	printf("\nCASE output.writev %s\n", yes(n == (ssize_t)expect));
	fflush(stdout);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] = i % 64 == 63 ? '\n' : (char)('A' + i / 64 % 26);
	size_t done = 0;
	while (done < sizeof block && (n = write(1, block + done, sizeof block - done)) > 0)
		done += (size_t)n;
	printf("CASE output.large %zu\n", done);
	fflush(stdout);
	for (int i = 0; i < 500; i++)
		write(1, "x", 1);
	printf("\nCASE output.zero %s\n", num(write(1, "", 0)));
	fflush(stdout);
	dprintf(1, "CASE output.dprintf %d\n", 5);
	fprintf(stderr, "error text, unbuffered\n");
	write(2, "error bytes \1\2\377\n", 16);
	printf("CASE output.done yes\n");
	return 0;
}
