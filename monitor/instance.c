// SPDX-License-Identifier: Apache-2.0
/*
 * Thawing: see instance.h.
 *
 * An event costs one entry into the guest. Before it: the event's lengths, time and random bytes go into
 * the boot page, the registers into the page that KVM shares with us. After it: the pages that were
 * written get their frozen bytes again, page-table entries their frozen values. Vector state and
 * selectors are reloaded by the pristine kernel's first instructions, which costs no call of KVM.
 */
#include <errno.h>
#include <fcntl.h>
#include <host/slot_state.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "guest_cpuid.h"
#include "instance.h"
#include "jail.h"
#include "verify.h"

/* A set of written pages up to so large is kept, whatever events write: see written.h. */
#define WRITTEN_KEPT 1024
/* How often a set that has grown beyond what events write is given up, in events. */
#define REVIEW_EVENTS 1024
/* A snapshot up to so large is copied for a single event. */
#define COPY_MAX (4u << 20)
#define PID_MAX 4194304

/* --- creation --- */

int instance_check_host(const struct df_snapshot *h, struct df_err *err)
{
	uint32_t have[DF_CPU_LEAVES];

	cpuid_features(have);
	for (unsigned n = 0; n < DF_CPU_LEAVES; n++)
		if (h->cpu[n] & ~have[n])
			return df_err_set(err, -ENOTSUP,
				"the snapshot was taken on a processor with features that this one"
				" has not (word %u, bits %#x); freeze the program here",
				n, h->cpu[n] & ~have[n]);
	if (h->xcr0 != cpuid_xcr0() || h->xsave_bytes != cpuid_xsave_bytes(h->xcr0))
		return df_err_set(err, -ENOTSUP,
			"the snapshot was taken on a processor with other vector registers;"
			" freeze the program here");
	if (h->abi_version != DF_ABI_VERSION)
		return df_err_set(err, -ENOTSUP,
			"the snapshot's kernel is of version %u, this monitor of version %u; freeze the"
			" program again",
			h->abi_version, DF_ABI_VERSION);
	return 0;
}

static void *system_page(const struct instance *i, uint64_t offset)
{
	return i->vm.memory.range[MEMORY_SYSTEM].host + offset;
}

/*
 * For one event: all pages are copied now. Where the host's page is writable and KVM logs nothing, it brings
 * in the seven neighbours of a page that the guest touches, which saves most of the faults of a first event.
 */
static void touch_all(struct instance *i)
{
	const struct pristine *p = i->pristine;

	for (uint32_t n = 0; n < p->header.extent_count; n++)
		if (p->extents[n].region < MEMORY_OUT)
			memory_touch(&i->vm.memory, (enum memory_region)p->extents[n].region,
				p->extents[n].first_page << DF_PAGE_SHIFT,
				(uint64_t)p->extents[n].pages << DF_PAGE_SHIFT);
}

/* Pages that every event writes: copied now, so that no event pays for that. */
static void touch_learned(struct instance *i)
{
	const struct pristine *p = i->pristine;

	for (uint32_t n = 0; n < p->header.learned_count; n++)
		memory_touch(&i->vm.memory, (enum memory_region)p->learned[n].region,
			p->learned[n].first_page << DF_PAGE_SHIFT,
			(uint64_t)p->learned[n].pages << DF_PAGE_SHIFT);
}

/* A region with a place of its own. Most programs have none of it. */
static int map_more(struct instance *i, enum memory_region r, gpa_t gpa, struct df_err *err)
{
	const struct df_snapshot *h = &i->pristine->header;
	struct memory *m = &i->vm.memory;
	int e = memory_reserve(m, r, gpa, h->region[r].max_bytes, err);

	e = e ? e : pristine_map(i->pristine, r, m, err);
	return e ? e : memory_plug(m, r, h->region[r].bytes, err);
}

static int map_block(struct instance *i, struct df_err *err)
{
	const struct df_snapshot *h = &i->pristine->header;
	struct memory *m = &i->vm.memory;
	int r = memory_reserve_block(m, h->region[MEMORY_TABLES].bytes,
		h->region[MEMORY_ARENA].max_bytes, err);

	r = r ? r : pristine_map(i->pristine, MEMORY_TABLES, m, err);
	r = r ? r : pristine_map(i->pristine, MEMORY_SYSTEM, m, err);
	r = r ? r : pristine_map(i->pristine, MEMORY_ARENA, m, err);
	return r ? r
		 : memory_plug_block(m, h->region[MEMORY_SYSTEM].bytes,
			   h->region[MEMORY_ARENA].bytes, err);
}

static int map_memory(struct instance *i, const struct instance_set *set, struct df_err *err)
{
	const struct df_snapshot *h = &i->pristine->header;
	struct memory *m = &i->vm.memory;
	int r = i->once ? 0 : written_enable(m, err);

	r = r ? r : map_block(i, err);
	r = r ? r : map_more(i, MEMORY_KHEAP, DF_GPA_KHEAP, err);
	r = r ? r : map_more(i, MEMORY_KSTACK, DF_GPA_KSTACK, err);
	r = r ? r : memory_map_window(m, MEMORY_OUT, DF_GPA_OUT, i->slot.out, set->out_bytes, err);
	r = r ? r : memory_map_window(m, MEMORY_IN, DF_GPA_IN, i->slot.in, set->in_bytes, err);
	r = r ? r : net_plug(&i->vm, err);
	r = r ? r
	      : memory_map_file(m, MEMORY_FILES, DF_GPA_FILES, set->root_fd, h->root_offset,
			h->root_bytes, err);
	if (r)
		return r;
	if (i->once && h->data_bytes <= COPY_MAX)
		touch_all(i);
	touch_learned(i);
	return i->once ? 0 : written_init(&i->written, m, err);
}

/* The registers of the freeze; everything else about the CPU is the same for all guests. */
static int take_registers(struct instance *i, struct df_err *err)
{
	const struct df_snapshot *h = &i->pristine->header;
	const uint64_t *g = h->general;
	struct kvm_sync_regs *s = &i->regs;

	s->regs = (struct kvm_regs){
		.rax = g[0],
		.rbx = g[1],
		.rcx = g[2],
		.rdx = g[3],
		.rsi = g[4],
		.rdi = g[5],
		.rbp = g[6],
		.r8 = g[7],
		.r9 = g[8],
		.r10 = g[9],
		.r11 = g[10],
		.r12 = g[11],
		.r13 = g[12],
		.r14 = g[13],
		.r15 = g[14],
		.rip = h->rip,
		.rsp = h->rsp,
		.rflags = h->rflags,
	};
	if (ioctl(i->vm.vcpu_fd, KVM_GET_SREGS, &s->sregs) ||
		ioctl(i->vm.vcpu_fd, KVM_GET_VCPU_EVENTS, &s->events))
		return df_err_set(err, -errno, "KVM_GET_SREGS: %s", df_errno_text(errno));
	return 0;
}

static int place(int *fd, int to, struct df_err *err)
{
	int r = jail_place(fd, to);

	return r ? df_err_set(err, r, "dup3: %s", df_errno_text(r)) : 0;
}

static int make_vm(struct instance *i, unsigned index, int kvm_fd, struct df_err *err)
{
	struct vm *vm = &i->vm;

	vm->kvm_fd = kvm_fd;
	vm->vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	if (vm->vm_fd < 0)
		return df_err_set(err, -errno, "KVM can not make a virtual machine: %s",
			df_errno_text(errno));
	if (place(&vm->vm_fd, JAIL_FD_VM + (int)index, err))
		return err->code;
	vm->memory.vm_fd = vm->vm_fd;
	return 0;
}

static int make_vcpu(struct instance *i, unsigned index, struct df_err *err)
{
	int r = vcpu_create(&i->vm, err);

	return r ? r : place(&i->vm.vcpu_fd, JAIL_FD_VCPU + (int)index, err);
}

int instance_prepare(struct instance *i, int kvm_fd, unsigned index, struct df_err *err)
{
	int r = make_vm(i, index, kvm_fd, err);

	return r ? r : make_vcpu(i, index, err);
}

static int start_vcpu(struct instance *i, struct df_err *err)
{
	const struct df_snapshot *h = &i->pristine->header;
	int r = clock_init(&i->vm, err);

	r = r ? r : vcpu_start_state(&i->vm, h->rip, h->stub_syscall, i->vm.iopl3, err);
	return r ? r : take_registers(i, err);
}

/* What the program wrote before it was frozen starts every reply. */
static void put_back_prefix(struct instance *i)
{
	const struct df_out *out = &i->pristine->header.out;

	memcpy(i->slot.out + DF_OUT_REPLY, i->pristine->memory[MEMORY_OUT] + DF_OUT_REPLY,
		out->reply_bytes);
}

static int check_network(const struct df_snapshot *h, const struct net *net, struct df_err *err)
{
	bool frozen_with = h->flags & DF_SNAPSHOT_NET;

	if (frozen_with == net->there)
		return 0;
	return df_err_set(err, -EINVAL,
		frozen_with ? "the program was frozen with a network, and there is none now"
			    : "the program was frozen without a network; freeze it with one");
}

int instance_create(struct instance *i, const struct instance_set *set, const struct slot *slot,
	struct df_err *err)
{
	const struct df_snapshot *h = &set->pristine->header;
	struct vm *vm = &i->vm;
	int r;

	i->pristine = set->pristine;
	i->slot = *slot;
	i->in_bytes = set->in_bytes;
	i->out_bytes = set->out_bytes;
	i->verify = set->verify;
	i->once = set->once;
	vm->program = h->program;
	vm->iopl3 = h->flags & DF_SNAPSHOT_IOPL3;
	vm->has_events = vm->frozen = true;
	vm->warm = set->warm;
	vm->written = i->once ? NULL : &i->written;
	vm->net = slot->net;
	r = check_network(h, &vm->net, err);
	r = r ? r : map_memory(i, set, err);
	if (r)
		return r;
	put_back_prefix(i);
	vm->tables.memory = &vm->memory;
	if (tables_freeze(&vm->tables, h->tables_used))
		return df_err_set(err, -ENOMEM, "out of memory");
	vm->boot = system_page(i, h->boot_page);
	vm->request = system_page(i, h->request_page);
	vm->tables.apply = system_page(i, h->apply_page);
	i->frozen_time = vm->boot->time;
	vm->boot->in_bytes = i->in_bytes;
	vm->boot->out_bytes = i->out_bytes;
	vm->boot->flags = (vm->boot->flags & ~DF_BOOT_VERIFY) | (i->verify ? DF_BOOT_VERIFY : 0);
	r = start_vcpu(i, err);
	return r ? r : i->verify ? verify_init(i, err) : 0;
}

int instance_attach(struct instance *i, struct df_err *err)
{
	return events_thread(&i->vm, err);
}

/* --- before an event --- */

static void put_back(void *context, enum memory_region r, uint64_t page)
{
	struct instance *i = context;

	memcpy(i->vm.memory.range[r].host + (page << DF_PAGE_SHIFT),
		pristine_page(i->pristine, r, page), DF_PAGE_SIZE);
}

/* What others still use when an event is over: the client reads the reply, dayfly-net the last packets. */
static bool is_window(enum memory_region r)
{
	return r == MEMORY_OUT || r == MEMORY_NET;
}

static void put_back_memory(void *context, enum memory_region r, uint64_t page)
{
	if (!is_window(r))
		put_back(context, r, page);
}

static void put_back_window(void *context, enum memory_region r, uint64_t page)
{
	const struct instance *i = context;

	if (r == MEMORY_OUT)
		put_back(context, r, page);
	else if (r == MEMORY_NET)
		memset(i->vm.net.memory + (page << DF_PAGE_SHIFT), 0, DF_PAGE_SIZE);
}

/* Another one each time, and never the one that the program had before the freeze. */
static uint32_t new_pid(const struct instance *i, uint32_t old)
{
	uint32_t pid;

	memcpy(&pid, i->vm.boot->random, sizeof(pid));
	pid = 2 + pid % (PID_MAX - 4);
	while (pid == old || pid == i->pristine->header.pid)
		pid = pid < PID_MAX ? pid + 1 : 2;
	return pid;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The numbers of the event, copied once; -EINVAL when they are impossible. */
static int take_event(struct instance *i, struct df_control *copy)
{
	const struct df_control *c = i->slot.control;
	struct df_event *e = &i->vm.boot->event;

	copy->body_bytes = c->body_bytes;
	copy->attribute_bytes = c->attribute_bytes;
	copy->wall_limit_ns = c->wall_limit_ns;
	copy->cpu_limit_ns = c->cpu_limit_ns;
	copy->reply_max = c->reply_max;
	copy->log_max = c->log_max;
	if (copy->body_bytes > i->in_bytes - DF_IN_BODY || copy->attribute_bytes > DF_IN_BODY)
		return -EINVAL;
	e->mode = DF_MODE_EVENT;
	e->flags = i->vm.warm ? DF_EVENT_WARM : 0;
	e->number = i->events;
	e->body_bytes = copy->body_bytes;
	e->attribute_bytes = copy->attribute_bytes;
	e->reply_max = i->out_bytes - DF_OUT_REPLY;
	e->log_max = DF_OUT_LOG_MAX;
	if (copy->reply_max)
		e->reply_max = smaller(e->reply_max, copy->reply_max);
	if (copy->log_max)
		e->log_max = smaller(e->log_max, copy->log_max);
	return 0;
}

static void begin_event(struct vm *vm)
{
	vm->waits = false;
	vm->ended = false;
	vm->outcome = 0;
	vm->status = 0;
	vm->text[0] = 0;
	vm->text_bytes = 0;
}

static int thaw(struct instance *i)
{
	struct vm *vm = &i->vm;
	uint32_t old = vm->boot->pid;

	written_each(&i->written, put_back_window, i);
	if (getrandom(vm->boot->random, sizeof(vm->boot->random), 0) != sizeof(vm->boot->random))
		return -EIO;
	vm->boot->pid = new_pid(i, old);
	/* random is the seed of the guest's generator: the pid must not tell of it. */
	if (getrandom(vm->boot->random, sizeof(uint32_t), 0) != sizeof(uint32_t))
		return -EIO;
	clock_thaw(vm, &i->frozen_time, &vm->boot->time);
	vm->request->request.result = i->apply;
	vm->run->s.regs.regs = i->regs.regs;
	vm->run->s.regs.sregs = i->regs.sregs;
	vm->run->s.regs.events = i->regs.events;
	vm->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	begin_event(vm);
	return 0;
}

/* --- after it --- */

/* What the kernel says about why the program ended. */
static void name_limit(struct vm *vm, uint16_t stopped)
{
	bool failed = vm->outcome != DF_OUTCOME_EXIT || vm->status;

	switch (stopped) {
	case DF_STOP_REPLY_SIZE:
		vm_end(vm, DF_OUTCOME_REPLY_SIZE, 0, "stopped: the reply is larger than %llu bytes",
			(unsigned long long)vm->boot->event.reply_max);
		return;
	case DF_STOP_LOG_SIZE:
		vm_end(vm, DF_OUTCOME_LOG_SIZE, 0, "stopped: the log is larger than %llu bytes",
			(unsigned long long)vm->boot->event.log_max);
		return;
	case DF_STOP_MEMORY:
		if (failed && (vm->outcome == DF_OUTCOME_EXIT || vm->outcome == DF_OUTCOME_SIGNAL))
			vm_end(vm, DF_OUTCOME_MEMORY, 0,
				"stopped: the program needs more than its %llu MiB of memory",
				(unsigned long long)(vm->memory.range[MEMORY_ARENA].max_bytes >>
					20));
		return;
	default:
		return;
	}
}

/* Fills in the reply's numbers. The slot is the client's after that. */
static void answer(struct instance *i, uint64_t thaw_ns, uint64_t run_ns)
{
	struct df_control *c = i->slot.control;
	struct vm *vm = &i->vm;
	const struct df_event *e = &vm->boot->event;
	struct df_out out;

	memcpy(&out, &vm->request->out, sizeof(out));
	name_limit(vm, out.stopped);
	c->outcome = (uint32_t)vm->outcome;
	c->status = vm->status;
	c->reply_bytes = smaller(out.reply_bytes, e->reply_max);
	c->log_bytes = smaller(out.log_bytes, e->log_max);
	c->attribute_bytes_out = (uint32_t)smaller(out.attribute_bytes, DF_OUT_ATTRIBUTES_MAX);
	c->reply_status = out.status;
	c->thaw_ns = thaw_ns;
	c->run_ns = run_ns;
	c->pages = i->reset_pages;
	c->leaks = i->leaks;
	c->text_bytes = vm->text_bytes;
	memcpy(c->text, vm->text, vm->text_bytes + 1);
	df_slot_set(c, DF_SIDE_MONITOR, DF_SLOT_REPLY);
}

struct run {
	const struct memory *memory;
	enum memory_region region;
	uint64_t first, pages;
	bool window; /* drop the windows' pages, not all others */
};

static void drop_run(struct run *run)
{
	const struct memory_range *range = &run->memory->range[run->region];

	if (run->pages)
		madvise(range->host + (run->first << DF_PAGE_SHIFT), run->pages << DF_PAGE_SHIFT,
			run->window ? MADV_REMOVE : MADV_DONTNEED);
	run->pages = 0;
}

static void drop_page(void *context, enum memory_region r, uint64_t page)
{
	struct run *run = context;

	if (is_window(r) != run->window)
		return;
	if (run->pages && run->region == r && run->first + run->pages == page) {
		run->pages++;
		return;
	}
	drop_run(run);
	run->region = r;
	run->first = page;
	run->pages = 1;
}

/* The written pages go back to the system, and the instance shows the snapshot's own again. */
static void drop_written(struct instance *i, bool window)
{
	struct run run = {.memory = &i->vm.memory, .window = window};

	written_each(&i->written, drop_page, &run);
	drop_run(&run);
}

/*
 * Putting a page back costs a fraction of a microsecond, writing to one that was dropped up to 40. So a set
 * that is about as large as what events write, as the rehearsal saw it, is kept.
 */
static bool is_too_large(const struct instance *i)
{
	uint64_t usual = i->pristine->header.event_pages;

	if (i->events % REVIEW_EVENTS == 0 && i->written.count > 2 * usual + 64)
		return true;
	return i->written.count > WRITTEN_KEPT && i->written.count > 4 * usual;
}

/*
 * Puts everything back but the windows, which others may still be reading. A set that has become
 * large is given up: its pages are dropped now, and at the next thaw they are protected again.
 */
static int reset(struct instance *i)
{
	struct vm *vm = &i->vm;
	uint64_t start = clock_now_ns();
	int r = written_collect(&i->written);

	if (r)
		return r;
	net_close(&vm->net);
	written_add_host(&i->written, vm->request, sizeof(*vm->request));
	if (vm->tables.changed || vm->tables.apply->count || i->apply)
		written_add_host(&i->written, vm->tables.apply, sizeof(*vm->tables.apply));
	i->reset_pages = i->written.count;
	i->give_up = is_too_large(i);
	if (i->give_up)
		drop_written(i, false);
	else
		written_each(&i->written, put_back_memory, i);
	for (enum memory_region n = 0; n <= MEMORY_KSTACK; n++)
		vm->memory.range[n].bytes = i->pristine->header.region[n].bytes;
	i->apply = tables_reset(&vm->tables, i->pristine->memory[MEMORY_TABLES]);
	if (i->verify)
		i->leaks = verify_memory(i);
	i->reset_ns = clock_now_ns() - start;
	return i->apply < 0 ? i->apply : 0;
}

/* The set begins anew; the windows are pristine with it. */
static int begin_set(struct instance *i)
{
	int r;

	drop_written(i, true);
	r = written_clear(&i->written);
	touch_learned(i);
	put_back_prefix(i);
	i->give_up = false;
	return r;
}

/* An `out` of ours is over when the guest is out. Anything else KVM must finish before the registers
 * are set, or it would do so on top of them. */
static int finish_exit(struct vm *vm)
{
	if (vm->run->exit_reason == KVM_EXIT_IO && vm->run->io.direction == KVM_EXIT_IO_OUT)
		return 0;
	if (vm->run->exit_reason == KVM_EXIT_SHUTDOWN)
		return -EIO; /* the processor was reset; nobody can say to what */
	vm->run->immediate_exit = 1;
	if (!ioctl(vm->vcpu_fd, KVM_RUN, 0) || errno != EINTR)
		return -EIO;
	vm->run->immediate_exit = 0;
	return 0;
}

static void run_event(struct instance *i)
{
	struct df_control event;
	struct vm *vm = &i->vm;

	if (take_event(i, &event)) {
		vm_end(vm, DF_OUTCOME_STOPPED, 0, "the event does not fit into its window");
		return;
	}
	events_limits(vm, event.wall_limit_ns, event.cpu_limit_ns);
	vcpu_clean_selectors();
	vm_run(vm);
	events_idle(vm);
}

/* It did all it had to, and waits for more: another event goes on there. */
static bool is_kept(const struct vm *vm)
{
	return vm->waits && vm->outcome == DF_OUTCOME_EXIT && vm->status == 0;
}

static int make_ready(struct instance *i)
{
	int r;

	if (is_kept(&i->vm)) {
		/* Nothing was put back for it; clocks and random generator go on. */
		i->reset_ns = i->reset_pages = 0;
		begin_event(&i->vm);
		return 0;
	}
	r = net_settle(&i->vm.net);
	r = r || !i->give_up ? r : begin_set(i);
	r = r ? r : thaw(i);
	return r || !i->verify ? r : verify_cpu(i);
}

/* One event, from its arrival to an instance that is pristine or waits for the next one. */
static int serve_one(struct instance *i)
{
	uint64_t start = clock_now_ns(), entered;
	int r = make_ready(i);

	if (r)
		return r;
	i->events++;
	entered = clock_now_ns();
	run_event(i);
	answer(i, i->reset_ns + entered - start, clock_now_ns() - entered);
	if (i->once || is_kept(&i->vm))
		return 0;
	r = finish_exit(&i->vm);
	return r ? r : reset(i);
}

int instance_serve(struct instance *i, struct df_err *err)
{
	uint32_t state = df_slot_state(i->slot.control);

	for (;;) {
		int r = 0;

		if (state == DF_SLOT_EVENT)
			r = serve_one(i);
		if (r)
			return df_err_set(err, r, "an instance can not be made pristine again: %s",
				df_errno_text(r));
		if (i->once && i->events)
			return 0;
		state = df_slot_state(i->slot.control);
		if (state != DF_SLOT_EVENT)
			r = df_slot_wait(i->slot.control, DF_SIDE_MONITOR, state,
				DF_SLOT_NO_DEADLINE, &state);
	}
}
