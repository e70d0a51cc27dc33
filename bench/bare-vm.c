/*
 * A process that makes a virtual machine, runs one instruction in it and exits: the floor under the start-up
 * time of anything that makes a machine per process. bench/run times the whole process.
 */
#include "bare.h"

int main(void)
{
	static const uint8_t code[] = {0xe6, BARE_PORT}; /* out %al, $BARE_PORT */
	struct bare_vm vm;

	bare_init(&vm, code, sizeof code);
	bare_run(&vm);
	return 0;
}
