// SPDX-License-Identifier: Apache-2.0
/*
 * Signal frames, laid out as Linux lays them out on x86-64 (struct rt_sigframe and the XSAVE area with
 * its marks), because unwinders, debuggers and language runtimes look into them:
 *
 *   below the red zone, or at the top of the alternate stack
 *   XSAVE area, 64-byte aligned, followed by FP_XSTATE_MAGIC2
 *   siginfo, ucontext, address of the restorer   <- rsp of the handler, 8 below a multiple of 16
 *
 * rt_sigreturn takes the whole frame as the program's wish: selectors, reserved flags and the vector
 * state's header are checked or forced, so that no value can make the kernel fault.
 */
#include <kernel/arch/x86_64/arch.h>
#include <kernel/mm/mm.h>
#include <kernel/signal/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#define RED_ZONE 128
#define ALT_STACK_MIN 2048 /* MINSIGSTKSZ */
#define STACK_FLAG_BITS SS_AUTODISARM
#define HEADER_AT 512 /* of the XSAVE header in the area */
#define HEADER_BYTES 64
#define FX_BYTES 512
#define XFEATURES_FX 3ULL /* x87 and SSE: what the first 512 bytes hold */
/* AC OF DF TF SF ZF AF PF CF RF: flags that a frame may change */
#define CHANGEABLE_FLAGS 0x50dd5ULL

struct sigframe {
	gva_t restorer;
	struct ucontext uc;
	siginfo_t info;
};
_Static_assert(sizeof(struct sigframe) == 440, "as Linux");

/* Vector state on its way between CPU and program; used by one thread at a time (no preemption). */
static char *area;
static uint32_t mxcsr_mask;

static struct _fpx_sw_bytes *area_marks(void)
{
	return &((struct _fpstate_64 *)area)->sw_reserved;
}

static uint64_t *area_features(void)
{
	return (uint64_t *)(area + HEADER_AT);
}

void frame_init(void)
{
	uint64_t bytes = boot_info->xsave_bytes;
	char *raw = kzalloc(bytes + 64);

	if (!raw)
		panic("no memory for a signal frame");
	area = (char *)(((gva_t)raw + 63) & ~63ULL);
	arch_xsave(area);
	mxcsr_mask = ((struct _fpstate_64 *)area)->mxcsr_mask;
	if (!mxcsr_mask)
		mxcsr_mask = 0xffbf;
}

static bool within_stack(const struct alt_stack *alt, gva_t sp)
{
	return sp > alt->base && sp - alt->base <= alt->bytes;
}

/* A stack that disarms itself can be entered again at any time. */
static bool on_alt_stack(const struct alt_stack *alt, gva_t sp)
{
	return !(alt->flags & SS_AUTODISARM) && within_stack(alt, sp);
}

/* Where the frame goes, with *vectors the place of the XSAVE area. 0: it does not fit. */
static gva_t frame_place(const struct action *action, gva_t *vectors)
{
	const struct alt_stack *alt = &signals_of(current)->alt;
	gva_t sp = current->frame->rsp;
	bool on_alt = on_alt_stack(alt, sp);

	sp -= RED_ZONE;
	if ((action->flags & SA_ONSTACK) && alt->bytes && !on_alt_stack(alt, sp)) {
		sp = alt->base + alt->bytes;
		on_alt = true;
	}
	sp = (sp - boot_info->xsave_bytes - FP_XSTATE_MAGIC2_SIZE) & ~63ULL;
	*vectors = sp;
	sp = ((sp - sizeof(struct sigframe)) & ~15ULL) - 8;
	return on_alt && !within_stack(alt, sp) ? 0 : sp;
}

static int push_vectors(gva_t to)
{
	const uint32_t end = FP_XSTATE_MAGIC2;
	uint32_t bytes = boot_info->xsave_bytes;

	memset(area + HEADER_AT, 0, HEADER_BYTES);
	arch_xsave(area);
	*area_features() |= XFEATURES_FX;
	*area_marks() = (struct _fpx_sw_bytes){
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = bytes + FP_XSTATE_MAGIC2_SIZE,
		.xfeatures = boot_info->xcr0,
		.xstate_size = bytes,
	};
	if (user_copy_to((void *)to, area, bytes))
		return -EFAULT;
	return user_put(to + bytes, &end);
}

static void save_registers(struct sigcontext *c, const struct frame *f)
{
	const struct thread_signals *s = signals_of(current);

	c->r8 = f->r8;
	c->r9 = f->r9;
	c->r10 = f->r10;
	c->r11 = f->r11;
	c->r12 = f->r12;
	c->r13 = f->r13;
	c->r14 = f->r14;
	c->r15 = f->r15;
	c->rdi = f->rdi;
	c->rsi = f->rsi;
	c->rbp = f->rbp;
	c->rbx = f->rbx;
	c->rdx = f->rdx;
	c->rax = f->rax;
	c->rcx = f->rcx;
	c->rsp = f->rsp;
	c->rip = f->rip;
	c->eflags = f->rflags;
	c->cs = DF_CS_USER;
	c->ss = DF_SS_USER;
	c->err = s->error;
	c->trapno = s->trap;
	c->cr2 = s->cr2;
}

static void restore_registers(struct frame *f, const struct sigcontext *c)
{
	f->r8 = c->r8;
	f->r9 = c->r9;
	f->r10 = c->r10;
	f->r11 = c->r11;
	f->r12 = c->r12;
	f->r13 = c->r13;
	f->r14 = c->r14;
	f->r15 = c->r15;
	f->rdi = c->rdi;
	f->rsi = c->rsi;
	f->rbp = c->rbp;
	f->rbx = c->rbx;
	f->rdx = c->rdx;
	f->rax = c->rax;
	f->rcx = c->rcx;
	f->rsp = c->rsp;
	f->rip = c->rip;
	f->rflags = (f->rflags & ~CHANGEABLE_FLAGS) | (c->eflags & CHANGEABLE_FLAGS);
}

/* iretq to an address that is not canonical would fault in the kernel. */
static bool can_jump_to(gva_t address)
{
	return address < 1ULL << 47;
}

int frame_push(const struct action *action, const siginfo_t *info, uint64_t return_mask)
{
	struct thread_signals *s = signals_of(current);
	struct frame *f = current->frame;
	struct sigframe out;
	gva_t vectors, place = frame_place(action, &vectors);

	if (!place || !(action->flags & SA_RESTORER) || !can_jump_to(action->handler))
		return -EFAULT;
	if (push_vectors(vectors))
		return -EFAULT;
	memset(&out, 0, sizeof(out));
	out.restorer = action->restorer;
	out.uc.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	out.uc.uc_stack.ss_sp = (void *)s->alt.base;
	out.uc.uc_stack.ss_flags = (int)s->alt.flags;
	out.uc.uc_stack.ss_size = s->alt.bytes;
	save_registers(&out.uc.uc_mcontext, f);
	out.uc.uc_mcontext.oldmask = return_mask;
	out.uc.uc_mcontext.fpstate = (void *)vectors;
	out.uc.uc_sigmask = return_mask;
	out.info = *info;
	if (user_put(place, &out))
		return -EFAULT;
	if (s->alt.flags & SS_AUTODISARM)
		s->alt = (struct alt_stack){.flags = SS_DISABLE};
	arch_xreset();
	f->rdi = (uint64_t)info->si_signo;
	f->rax = 0;
	f->rsi = place + offsetof(struct sigframe, info);
	f->rdx = place + offsetof(struct sigframe, uc);
	f->rip = action->handler;
	f->rsp = place;
	f->rflags &= ~0x10500ULL; /* TF, DF, RF */
	current->work |= WORK_RETURN;
	return 0;
}

/* Bytes of a valid XSAVE area at `from`, or 0: only the legacy part counts. */
static uint32_t marked_bytes(gva_t from, const struct _fpx_sw_bytes *marks)
{
	uint32_t end;

	if (marks->magic1 != FP_XSTATE_MAGIC1 || marks->xstate_size < FX_BYTES + HEADER_BYTES ||
		marks->xstate_size > boot_info->xsave_bytes ||
		marks->xstate_size > marks->extended_size)
		return 0;
	if (user_get(&end, from + marks->xstate_size) || end != FP_XSTATE_MAGIC2)
		return 0;
	return marks->xstate_size;
}

/* Loads the vector state that lies at `from` in the program's memory. */
static int pop_vectors(gva_t from)
{
	struct _fpx_sw_bytes marks;
	uint32_t bytes;

	if (!from) {
		arch_xreset();
		return 0;
	}
	if (user_copy_from(area, (void *)from, FX_BYTES))
		return -EFAULT;
	marks = *area_marks();
	bytes = marked_bytes(from, &marks);
	if (((struct _fpstate_64 *)area)->mxcsr & ~mxcsr_mask)
		return -EFAULT;
	memset(area + HEADER_AT, 0, HEADER_BYTES);
	if (!bytes) {
		*area_features() = XFEATURES_FX;
	} else {
		if (user_copy_from(area + FX_BYTES, (void *)(from + FX_BYTES), bytes - FX_BYTES))
			return -EFAULT;
		*area_features() &= marks.xfeatures & boot_info->xcr0;
	}
	return arch_xrstor_user(area);
}

int64_t sys_rt_sigreturn(void)
{
	struct frame *f = current->frame;
	struct sigframe in;

	/* The handler's `ret` took the restorer's address off the stack. */
	if (user_get(&in, f->rsp - sizeof(in.restorer)))
		goto bad_frame;
	signal_set_blocked(in.uc.uc_sigmask);
	if (!can_jump_to(in.uc.uc_mcontext.rip))
		goto bad_frame;
	restore_registers(f, &in.uc.uc_mcontext);
	f->orig_rax = UINT64_MAX; /* whatever rax is, it is not the result of a call */
	if (pop_vectors((gva_t)in.uc.uc_mcontext.fpstate))
		goto bad_frame;
	/* Linux, too, goes on when the stack in the frame is not acceptable. */
	(void)!alt_stack_set(&signals_of(current)->alt, &in.uc.uc_stack, f->rsp);
	current->work |= WORK_RETURN;
	return (int64_t)f->rax;

bad_frame:
	f->orig_rax = UINT64_MAX;
	current->work |= WORK_RETURN;
	signal_force(SIGSEGV, SI_KERNEL, 0);
	return (int64_t)f->rax;
}

int alt_stack_set(struct alt_stack *alt, const stack_t *wanted, gva_t sp)
{
	int mode = wanted->ss_flags & (int)~STACK_FLAG_BITS;

	if (on_alt_stack(alt, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode != SS_DISABLE && wanted->ss_size < ALT_STACK_MIN)
		return -ENOMEM;
	alt->flags = (uint32_t)wanted->ss_flags;
	alt->base = mode == SS_DISABLE ? 0 : (gva_t)wanted->ss_sp;
	alt->bytes = mode == SS_DISABLE ? 0 : wanted->ss_size;
	return 0;
}

int64_t sys_sigaltstack(gva_t new_stack, gva_t old_stack)
{
	struct alt_stack *alt = &signals_of(current)->alt;
	gva_t sp = current->frame->rsp;
	stack_t wanted, old = {0};
	int r;

	if (new_stack && user_get(&wanted, new_stack))
		return -EFAULT;
	old.ss_sp = (void *)alt->base;
	old.ss_size = alt->bytes;
	old.ss_flags = !alt->bytes ? SS_DISABLE : on_alt_stack(alt, sp) ? SS_ONSTACK : 0;
	old.ss_flags |= (int)(alt->flags & STACK_FLAG_BITS);
	if (new_stack) {
		r = alt_stack_set(alt, &wanted, sp);
		if (r)
			return r;
	}
	return old_stack ? user_put(old_stack, &old) : 0;
}
