/* memory.hello: hello, world, and then waits on standard input until its memory has been looked at. */
#include <stdio.h>

int main(void)
{
	puts("hello, world");
	fflush(stdout);
	return getchar() == EOF ? 0 : 1;
}
