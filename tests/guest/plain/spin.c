/* spin.c - says that it runs, then never ends and never asks the system for anything again. */
#include <unistd.h>

int main(void)
{
	if (write(1, "spinning\n", 9) != 9)
		return 1;
	for (;;)
		__asm__ volatile("pause");
}
