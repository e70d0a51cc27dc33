/*
 * What this machine's KVM costs by itself, measured from ring 3 as dayfly uses it:
 *
 *   bare exit    one exit by OUT and back into the guest
 *   bare trap    one system call: ring 3, the stub at LSTAR, ring 3 again, without an exit
 *
 * Prints the median of ROUNDS rounds, in nanoseconds for one.
 *
 * The stub is the least that works on every KVM. On VMX and SVM it runs in ring 0 and returns by sysretq; the
 * paravirtual KVM enters it in ring 3 (CS tells), where a jump returns.
 */
#include <time.h>

#include "bare.h"

#define ROUNDS 11
#define EXITS 500
#define TRAPS 2000 /* in one round, which also holds one exit */
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084

#define STRING_(x) #x
#define STRING(x) STRING_(x)

extern const char exit_code[], exit_code_end[], trap_code[], trap_code_end[], stub[], stub_end[];

__asm__(".pushsection .rodata\n"
	"exit_code:\n"
	"	out %al, $0x80\n"
	"	jmp exit_code\n"
	"exit_code_end:\n"
	"trap_code:\n"
	"	mov $" STRING(TRAPS) ", %ebx\n"
				     "1:	syscall\n"
				     "	dec %ebx\n"
				     "	jnz 1b\n"
				     "	out %al, $0x80\n"
				     "	jmp trap_code\n"
				     "trap_code_end:\n"
				     "stub:\n"
				     "	mov %cs, %edx\n"
				     "	test $3, %dl\n"
				     "	jz 1f\n"
				     "	jmp *%rcx\n"
				     "1:	sysretq\n"
				     "stub_end:\n"
				     ".popsection\n");

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void set_syscall_entry(struct bare_vm *vm)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[3];
	} msrs = {.head.nmsrs = 3,
		.entry = {
			/* sysretq loads SS from the high half + 8, CS from it + 16 */
			{.index = MSR_STAR,
				.data = (uint64_t)(BARE_SS_RING3 - 8) << 48 |
					(uint64_t)BARE_CS_RING0 << 32},
			{.index = MSR_LSTAR, .data = BARE_STUB},
			{.index = MSR_FMASK, .data = 0x200},
		}};

	memcpy(vm->memory + BARE_STUB, stub, (size_t)(stub_end - stub));
	bare_check(ioctl(vm->vcpu, KVM_SET_MSRS, &msrs) == 3, "KVM_SET_MSRS");
}

int main(int argc, char **argv)
{
	int trap = argc == 2 && strcmp(argv[1], "trap") == 0;
	struct bare_vm vm;
	double ns[ROUNDS];

	if (!trap && !(argc == 2 && strcmp(argv[1], "exit") == 0)) {
		fprintf(stderr, "usage: bare exit|trap\n");
		return 2;
	}
	if (trap)
		bare_init(&vm, trap_code, (size_t)(trap_code_end - trap_code));
	else
		bare_init(&vm, exit_code, (size_t)(exit_code_end - exit_code));
	set_syscall_entry(&vm);

	int exits = trap ? 1 : EXITS;
	bare_run(&vm); /* the first round warms up */
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();
		for (int i = 0; i < exits; i++)
			bare_run(&vm);
		ns[round] = (double)(now_ns() - start) / (trap ? TRAPS : EXITS);
	}
	qsort(ns, ROUNDS, sizeof ns[0], compare);
	printf("%.1f\n", ns[ROUNDS / 2]);
	return 0;
}
