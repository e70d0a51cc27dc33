/* hello.c - the smallest ordinary program; built with glibc and, where there is one, with musl. */
#include <stdio.h>

int main(void)
{
	puts("hello, world");
	return 0;
}
