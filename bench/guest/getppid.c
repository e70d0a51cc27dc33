/* syscall.rewritten: nanoseconds for one getppid(), called where glibc calls it. */
#include <stdio.h>
#include <unistd.h>

#include "clock.h"

#define WARM 1000
#define CALLS 1000000

int main(void)
{
	for (int i = 0; i < WARM; i++)
		getppid();
	uint64_t start = now_ns();
	for (int i = 0; i < CALLS; i++)
		getppid();
	printf("%.2f\n", (double)(now_ns() - start) / CALLS);
	return 0;
}
