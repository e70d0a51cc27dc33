/* boot.hello: what every start-up time is quoted for. */
#include <stdio.h>

int main(void)
{
	puts("hello, world");
	return 0;
}
