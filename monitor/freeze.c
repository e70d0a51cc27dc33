// SPDX-License-Identifier: Apache-2.0
/*
 * From a program to a snapshot: see freeze.h.
 *
 *	boot      to the wait point; a program that ends before it comes to one is put back to its entry
 *	rehearse  an event runs, and shows which system-call sites trap and which pages fault
 *	prepare   put back, the guest rewrites these sites and shows these pages; this state is the snapshot
 *	rehearse  once more: which pages does an event write?
 */
#include <base/snapshot.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "freeze.h"
#include "guest_cpuid.h"
#include "jail.h"
#include "pristine.h"
#include "vm.h"
#include "wire.h"

#define NS_PER_MS 1000000ULL
#define BOOT_LIMIT_MS 30000
#define REHEARSAL_LIMIT_MS 10000
#define PREPARE_LIMIT_MS 10000
#define LEARNED_RUNS_MAX 4096

/* A guest that stands at a wait point, to be put back there. */
struct state {
	struct pristine memory;
	struct kvm_regs regs;
	uint64_t tables_used;
};

struct freezer {
	struct vm vm;
	struct wire wire;
	struct state entry, frozen;
	struct df_learned *learned;
	uint8_t *boot_log;
	uint64_t boot_log_bytes;
	uint32_t wait_point; /* enum df_wait_point: where it is frozen */
	struct df_page_run run[LEARNED_RUNS_MAX]; /* pages that an event writes */
	uint32_t runs;
	uint64_t event_pages;
	struct written written;
	struct df_ready ready;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
};

static int state_take(struct freezer *f, struct state *s, struct df_err *err)
{
	int r = vcpu_get_regs(&f->vm, &s->regs);

	clock_rebase(&f->vm.boot->time);
	s->tables_used = f->vm.tables.used;
	r = r ? r : pristine_copy(&s->memory, &f->vm.memory);
	return r ? df_err_set(err, r, "can not copy the guest: %s", df_errno_text(r)) : 0;
}

struct put_back {
	struct vm *vm;
	const struct pristine *from;
};

static void put_back(void *context, enum memory_region r, uint64_t page)
{
	const struct put_back *p = context;

	memcpy(p->vm->memory.range[r].host + (page << DF_PAGE_SHIFT),
		pristine_page(p->from, r, page), DF_PAGE_SIZE);
}

/* All of it, the slow way: nothing here is on the path of an event. */
static int state_restore(struct freezer *f, const struct state *s, struct df_err *err)
{
	struct put_back p = {&f->vm, &s->memory};
	int r = 0;

	pristine_compare(&s->memory, &f->vm.memory, put_back, &p);
	for (enum memory_region i = 0; i < MEMORY_FROZEN; i++)
		f->vm.memory.range[i].bytes = s->memory.header.region[i].bytes;
	f->vm.tables.used = s->tables_used;
	f->vm.tables.overflow = false;
	r = memory_replug_block(&f->vm.memory);
	if (!r &&
		(ioctl(f->vm.vcpu_fd, KVM_SET_SREGS, &f->sregs) ||
			ioctl(f->vm.vcpu_fd, KVM_SET_VCPU_EVENTS, &f->events) ||
			ioctl(f->vm.vcpu_fd, KVM_SET_REGS, &s->regs)))
		r = -errno;
	return r ? df_err_set(err, r, "can not put the guest back: %s", df_errno_text(r)) : 0;
}

/* Goes on behind DF_CALL_FREEZE, or boots, until the guest ends or stands at a wait point again. */
static void go_on(struct freezer *f, enum df_event_mode mode, uint64_t limit_ms)
{
	struct vm *vm = &f->vm;

	vm->boot->event.mode = mode;
	vm->request->request.result = 0;
	vm->ended = false;
	vm->outcome = 0;
	vm->wait_point = 0;
	/* The guest that stands at a wait point has forgotten what it did outside. */
	if (net_empty(&vm->net)) {
		vm_end(vm, DF_OUTCOME_STOPPED, 0, "stopped: the network does not answer");
		return;
	}
	events_limits(vm, limit_ms * NS_PER_MS, 0);
	vm_run(vm);
	events_idle(vm);
}

/* An event with the body in the slot. What comes of it is nobody's business. */
static void rehearse(struct freezer *f, enum df_event_mode mode)
{
	const struct df_control *c = f->wire.slot[0].control;
	struct df_event *e = &f->vm.boot->event;
	uint64_t body = c->body_bytes, attributes = c->attribute_bytes;
	uint64_t room = f->wire.start.in_bytes - DF_IN_BODY;

	e->number = 1;
	e->body_bytes = body < room ? body : room;
	e->attribute_bytes = attributes < DF_IN_BODY ? attributes : 0;
	e->reply_max = f->wire.start.out_bytes - DF_OUT_REPLY;
	e->log_max = DF_OUT_LOG_MAX;
	f->vm.frozen = true;
	go_on(f, mode, REHEARSAL_LIMIT_MS);
	f->vm.frozen = false;
	/* A crash has been described; the event that meets it will describe it again. */
	f->vm.text_bytes = 0;
	f->vm.text[0] = 0;
}

static const char *http_port_text(const struct options *o)
{
	static char text[32];

	if (o->http_port)
		snprintf(text, sizeof(text), " to port %llu", (unsigned long long)o->http_port);
	return text;
}

static int boot(struct freezer *f, struct df_err *err)
{
	struct vm *vm = &f->vm;
	uint64_t limit = f->wire.start.boot_limit_ms ? f->wire.start.boot_limit_ms : BOOT_LIMIT_MS;
	int r;

	go_on(f, DF_MODE_BOOT, limit);
	if (vm->wait_point == DF_WAIT_POINT_ENTRY) {
		r = state_take(f, &f->entry, err);
		if (r)
			return r;
		go_on(f, DF_MODE_BOOT, limit);
	}
	f->wait_point = vm->wait_point;
	if (vm->wait_point > DF_WAIT_POINT_ENTRY)
		return 0;
	if (vm->outcome == DF_OUTCOME_WALL_TIME)
		return df_err_set(err, -ETIMEDOUT,
			"%s did not come to wait for %s%s within %llu ms", vm->program,
			vm->options->http ? "a connection" : "an event",
			http_port_text(vm->options), (unsigned long long)limit);
	if (vm->outcome != DF_OUTCOME_EXIT)
		return df_err_set(err, -ECHILD, "%s ended before it waited for an event%s",
			vm->program, vm->text_bytes ? "" : ": killed by a signal");
	if (vm->options->http)
		return df_err_set(err, -ECHILD,
			"%s ended with status %d before it waited for a connection%s", vm->program,
			vm->status, http_port_text(vm->options));
	if (!f->entry.tables_used)
		return df_err_set(err, -ECHILD, "%s can not be started", vm->program);
	/* It does not ask for input: it will run whole for each event. */
	f->ready.exit_status = (uint32_t)vm->status;
	f->wait_point = DF_WAIT_POINT_ENTRY;
	vm->text_bytes = 0;
	r = state_restore(f, &f->entry, err);
	vm->boot_log_bytes = 0;
	return r;
}

/* The log of the boot goes to the client, not into the snapshot. */
static void take_boot_log(struct freezer *f)
{
	uint8_t *log = f->wire.slot[0].out + DF_OUT_LOG;

	f->boot_log_bytes = f->vm.boot_log_bytes;
	memcpy(f->boot_log, log, f->boot_log_bytes);
	memset(log, 0, f->boot_log_bytes);
}

/* Lets the guest use what the rehearsal found out. When that fails the state from before stays. */
static int prepare(struct freezer *f, struct df_err *err)
{
	int r = state_take(f, &f->frozen, err);

	if (r)
		return r;
	rehearse(f, DF_MODE_REHEARSE);
	memcpy(f->learned, f->wire.slot[0].out + DF_OUT_ATTRIBUTES, sizeof(*f->learned));
	f->learned->arena_bytes = f->vm.memory.range[MEMORY_ARENA].bytes;
	r = state_restore(f, &f->frozen, err);
	if (r)
		return r;
	memcpy(f->wire.slot[0].out + DF_OUT_ATTRIBUTES, f->learned, sizeof(*f->learned));
	go_on(f, DF_MODE_PREPARE, PREPARE_LIMIT_MS);
	memset(f->wire.slot[0].out + DF_OUT_ATTRIBUTES, 0, sizeof(*f->learned));
	return f->vm.wait_point == f->wait_point ? state_take(f, &f->frozen, err)
						 : state_restore(f, &f->frozen, err);
}

static void learn_page(struct freezer *f, enum memory_region r, uint64_t page)
{
	struct df_page_run *last = f->runs ? &f->run[f->runs - 1] : NULL;

	f->event_pages++;
	/* Neither what grew during the event nor what is put back in another way. */
	if (r == MEMORY_OUT || page >= f->frozen.memory.header.region[r].bytes >> DF_PAGE_SHIFT)
		return;
	if (last && last->region == (uint32_t)r && last->first_page + last->pages == page)
		last->pages++;
	else if (f->runs < LEARNED_RUNS_MAX)
		f->run[f->runs++] =
			(struct df_page_run){.region = (uint32_t)r, .pages = 1, .first_page = page};
}

/* Which pages does an event write? */
static int learn_pages(struct freezer *f, struct df_err *err)
{
	const struct memory *m = &f->vm.memory;
	int r = memory_track(&f->vm.memory);

	if (!r) {
		f->vm.written = &f->written;
		rehearse(f, DF_MODE_EVENT);
		written_add_host(&f->written, f->vm.request, sizeof(*f->vm.request));
		r = written_collect(&f->written);
	}
	if (r)
		return df_err_set(err, r, "KVM's dirty log: %s", df_errno_text(r));
	for (enum memory_region n = 0; n < MEMORY_FROZEN; n++)
		for (uint64_t page = 0; page < m->range[n].bytes >> DF_PAGE_SHIFT; page++)
			if (written_has(&f->written, n, page))
				learn_page(f, n, page);
	return 0;
}

static uint64_t offset_in_system(const struct vm *vm, const void *host)
{
	return (uint64_t)((const uint8_t *)host - vm->memory.range[MEMORY_SYSTEM].host);
}

static void put_general(const struct kvm_regs *r, uint64_t out[15])
{
	const uint64_t v[15] = {r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->r8,
		r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15};

	memcpy(out, v, sizeof(v));
}

static void fill_header(struct freezer *f)
{
	struct df_snapshot *h = &f->frozen.memory.header;
	const struct vm *vm = &f->vm;
	const struct kvm_regs *regs = &f->frozen.regs;
	const struct df_request_page *request =
		(const struct df_request_page *)(const void *)(f->frozen.memory
								       .memory[MEMORY_SYSTEM] +
			offset_in_system(vm, vm->request));
	const uint8_t *root = vm->memory.range[MEMORY_FILES].host;

	h->abi_version = DF_ABI_VERSION;
	h->kernel_build = vm->kernel.build;
	cpuid_features(h->cpu);
	h->xcr0 = vm->xcr0;
	h->xsave_bytes = vm->boot->xsave_bytes;
	h->tables_used = f->frozen.tables_used;
	h->boot_page = offset_in_system(vm, vm->boot);
	h->request_page = offset_in_system(vm, vm->request);
	h->apply_page = offset_in_system(vm, vm->tables.apply);
	h->stub_syscall = vm->kernel.stub_syscall;
	h->root_bytes = vm->root_bytes;
	h->root_checksum = df_snapshot_root_checksum(root, vm->root_bytes);
	h->flags = (vm->iopl3 ? DF_SNAPSHOT_IOPL3 : 0) | (vm->net.there ? DF_SNAPSHOT_NET : 0);
	h->rip = regs->rip;
	h->rsp = regs->rsp;
	h->rflags = regs->rflags;
	put_general(regs, h->general);
	h->wait_point = f->wait_point;
	h->pid = vm->boot->pid;
	h->monotonic_ns = vm->boot->time.monotonic_base_ns;
	h->boot_ns = f->ready.boot_ns;
	h->memory_bytes = vm->memory.range[MEMORY_ARENA].max_bytes;
	h->in_bytes = f->wire.start.in_bytes;
	h->out_bytes = f->wire.start.out_bytes;
	h->out = request->out;
	h->event_pages = f->event_pages;
	snprintf(h->program, sizeof(h->program), "%s", vm->program);
	snprintf(h->features, sizeof(h->features), "%s", vm->options->features);
}

static int freeze(struct freezer *f, struct df_err *err)
{
	int r = boot(f, err);

	if (r)
		return r;
	f->ready.boot_ns = clock_now_ns() - f->vm.start_ns;
	take_boot_log(f);
	r = prepare(f, err);
	if (r)
		return r;
	r = learn_pages(f, err);
	if (r)
		return r;
	fill_header(f);
	r = pristine_write(&f->frozen.memory, JAIL_FD_SNAPSHOT, f->run, f->runs, err);
	if (r)
		return r;
	memcpy(f->wire.slot[0].out + DF_OUT_LOG, f->boot_log, f->boot_log_bytes);
	f->ready.wait_point = f->wait_point;
	f->ready.log_bytes = (uint32_t)f->boot_log_bytes;
	f->ready.snapshot_bytes = f->frozen.memory.header.data_bytes;
	f->ready.event_pages = f->event_pages;
	snprintf(f->ready.text, sizeof(f->ready.text), "%.1000s", f->vm.text);
	return 0;
}

/*
 * While the guest runs nobody reads the socket. A client that is gone must not leave us behind: its hang-up
 * raises SIGIO, whose default is the end. (So would any message, but there comes none.)
 */
static void end_with_client(bool on)
{
	fcntl(DF_WIRE_SOCKET, F_SETFL, on ? O_RDWR | O_ASYNC : O_RDWR);
}

static int set_up(struct freezer *f, const struct options *o, struct df_err *err)
{
	struct vm *vm = &f->vm;
	int r = vm_open(vm, o, err);

	fcntl(DF_WIRE_SOCKET, F_SETOWN, getpid());

	if (!r && !o->no_jail)
		r = jail_enter(1ULL << vm->kvm_fd | 1ULL << vm->vm_fd | 1ULL << vm->kernel.fd |
				1ULL << vm->root_fd,
			err);
	r = r ? r : wire_receive(&f->wire, false, err);
	end_with_client(true);
	vm->net = f->wire.slot[0].net;
	r = r ? r
	      : vm_set_windows(vm, f->wire.slot[0].in, f->wire.start.in_bytes, f->wire.slot[0].out,
			f->wire.start.out_bytes, err);
	r = r ? r : vm_create(vm, err);
	r = r ? r : events_thread(vm, err);
	r = r ? r : pristine_reserve(&f->entry.memory, &vm->memory, err);
	r = r ? r : pristine_reserve(&f->frozen.memory, &vm->memory, err);
	r = r ? r : written_init(&f->written, &vm->memory, err);
	if (r)
		return r;
	close(vm->kernel.fd);
	close(vm->root_fd);
	close(vm->kvm_fd);
	r = jail_place(&vm->vm_fd, JAIL_FD_VM);
	vm->memory.vm_fd = vm->vm_fd;
	r = r ? r : jail_place(&vm->vcpu_fd, JAIL_FD_VCPU);
	r = r ? r : jail_place(&f->wire.snapshot_fd, JAIL_FD_SNAPSHOT);
	f->learned = malloc(sizeof(*f->learned));
	f->boot_log = malloc(DF_OUT_LOG_MAX);
	if (r || !f->learned || !f->boot_log || ioctl(vm->vcpu_fd, KVM_GET_SREGS, &f->sregs) ||
		ioctl(vm->vcpu_fd, KVM_GET_VCPU_EVENTS, &f->events))
		return df_err_set(err, -ENOMEM, "can not set up: %s", df_errno_text(errno));
	return o->no_jail ? 0 : jail_lock(JAIL_FREEZE, err);
}

/* With the report about the guest, whose lines an error does not keep, and what the program wrote to standard error. */
static void refuse(struct freezer *f, const struct df_err *err)
{
	const volatile struct df_request_page *page = f->vm.request;
	uint64_t log_bytes = page ? page->out.log_bytes : 0;

	f->ready.error = err->code ? err->code : -EIO;
	f->ready.log_bytes = log_bytes <= DF_OUT_LOG_MAX ? (uint32_t)log_bytes : DF_OUT_LOG_MAX;
	snprintf(f->ready.text, sizeof(f->ready.text), "%.400s%s%.600s", err->text,
		f->vm.text_bytes ? ": " : "", f->vm.text_bytes ? f->vm.text : "");
	wire_answer(&f->ready);
}

int freeze_main(int argc, char **argv, char **envp)
{
	static struct freezer f;
	static struct options o;
	static struct df_err err;

	f.vm.start_ns = clock_now_ns();
	int r = options_parse(&o, argc, argv, envp, &err);

	r = r ? r : set_up(&f, &o, &err);
	r = r ? r : freeze(&f, &err);
	end_with_client(false);
	if (r)
		refuse(&f, &err);
	else
		wire_answer(&f.ready);
	/* Without what else is done at an end: a sanitizer's search for leaks is not possible in the jail. */
	_exit(0);
}
