// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls: copy the request once, check the copy, act on the copy (dayfly/hypercall.h).
 * Guest memory named by a request is reached through memory_at() only. The guest has one vCPU and it
 * stands still meanwhile, yet nothing here reads a guest value twice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "report.h"
#include "streams.h"
#include "vm.h"

#define TTY_BYTES 64
#define SIGNAL_MAX 64

/* The request can not be honoured and no correct kernel makes it. */
static int64_t malformed(struct vm *vm, const struct df_request *q, const char *why)
{
	vm_end(vm, DF_OUTCOME_STOPPED, 0, "stopped: the guest made an invalid request (%u: %s)",
		q->call, why);
	return -EINVAL;
}

/* Streams move data of the arena alone: a read into the stub or a page table would be an escape to
 * ring 0. */
static void *arena_at(const struct vm *vm, gpa_t gpa, uint64_t bytes)
{
	const struct memory_range *arena = &vm->memory.range[MEMORY_ARENA];

	if (gpa < arena->gpa || gpa - arena->gpa >= arena->bytes)
		return NULL;
	return memory_at(&vm->memory, gpa, bytes, true);
}

/* The kernel goes on to wait although a signal came: it was behind its last look. It must look again. */
static uint64_t wait_until(const struct vm *vm, uint64_t deadline_ns)
{
	return __atomic_load_n(&vm->request->host_signals, __ATOMIC_RELAXED) ? 0 : deadline_ns;
}

static int64_t call_transfer(struct vm *vm, const struct df_request *q)
{
	uint64_t stream = q->arg[0], bytes = q->arg[2];
	uint64_t deadline = wait_until(vm, q->arg[3]);
	bool reading = q->call == DF_CALL_READ;
	void *buf = bytes ? arena_at(vm, q->arg[1], bytes) : vm->request->data;

	if (stream > 2 || vm->has_events)
		return malformed(vm, q, "no such stream");
	if (!buf)
		return malformed(vm, q, "buffer outside the arena");
	if (reading)
		return stream_read(vm, (int)stream, buf, bytes, deadline);
	return stream_write(vm, (int)stream, buf, bytes, deadline);
}

static int64_t call_seek(struct vm *vm, const struct df_request *q)
{
	off_t r;

	if (q->arg[0] > 2 || vm->has_events)
		return malformed(vm, q, "no such stream");
	r = lseek((int)q->arg[0], (off_t)q->arg[1], (int)q->arg[2]);
	return r < 0 ? -errno : r;
}

static int64_t call_stat(struct vm *vm, const struct df_request *q)
{
	struct df_stream_stat st;

	if (q->arg[0] > 2 || vm->has_events)
		return malformed(vm, q, "no such stream");
	stream_stat((int)q->arg[0], &st);
	memcpy(vm->request->data, &st, sizeof(st));
	return 0;
}

/* A range may show arena frames with any protection, and the root image without write. */
static bool range_ok(const struct vm *vm, const struct df_map_range *r)
{
	const struct memory_range *arena = &vm->memory.range[MEMORY_ARENA];
	const struct memory_range *files = &vm->memory.range[MEMORY_FILES];
	uint64_t bytes = r->pages << DF_PAGE_SHIFT;

	if (!r->pages || r->pages >= 1ULL << 35 || r->prot > 7 ||
		((r->va | r->gpa) & DF_PAGE_MASK) || !df_va_is_program(r->va, bytes))
		return false;
	if (!r->prot)
		return !r->gpa && !r->copy_bytes;
	if (r->copy_bytes &&
		(r->copy_bytes > bytes || r->source < arena->gpa ||
			!memory_at(&vm->memory, r->gpa, r->copy_bytes, true) ||
			!memory_at(&vm->memory, r->source, r->copy_bytes, false)))
		return false;
	if (r->gpa >= arena->gpa && r->gpa - arena->gpa < arena->bytes)
		return bytes <= arena->bytes - (r->gpa - arena->gpa);
	return r->gpa >= files->gpa && r->gpa - files->gpa < files->bytes &&
		bytes <= files->bytes - (r->gpa - files->gpa) && !(r->prot & DF_PROT_WRITE);
}

/* KVM does not see what we write. */
static void copy_frames(struct vm *vm, const struct df_map_range *r)
{
	void *to = memory_at(&vm->memory, r->gpa, r->copy_bytes, true);

	memmove(to, memory_at(&vm->memory, r->source, r->copy_bytes, false), r->copy_bytes);
	if (vm->written)
		written_add_host(vm->written, to, r->copy_bytes);
}

static int64_t commit(struct vm *vm)
{
	int r = vm->tables.overflow && vm->written ? written_collect(vm->written) : 0;

	return r ? r : tables_commit(&vm->tables);
}

static int64_t call_map(struct vm *vm, const struct df_request *q)
{
	struct df_map_range ranges[DF_MAP_RANGES_MAX];
	uint64_t n = q->arg[0];

	if (n > DF_MAP_RANGES_MAX)
		return malformed(vm, q, "too many ranges");
	memcpy(ranges, vm->request->data, n * sizeof(ranges[0]));
	for (uint64_t i = 0; i < n; i++) {
		int r;

		if (!range_ok(vm, &ranges[i]))
			return malformed(vm, q, "a range that may not be mapped");
		if (ranges[i].copy_bytes)
			copy_frames(vm, &ranges[i]);
		r = tables_map(&vm->tables, ranges[i].va, ranges[i].pages, ranges[i].gpa,
			ranges[i].prot, TABLES_USER);
		if (r) {
			commit(vm);
			return r;
		}
	}
	return commit(vm);
}

static int64_t call_grow(struct vm *vm, const struct df_request *q)
{
	uint64_t bytes = q->arg[1], unit = DF_LARGE_SIZE, left;
	struct memory_range *range;

	if (q->arg[0] >= DF_REGION_COUNT)
		return malformed(vm, q, "no such region");
	range = &vm->memory.range[q->arg[0]];
	left = range->max_bytes - range->bytes;
	if (q->arg[0] == DF_REGION_KSTACK)
		unit = 8 * DF_KSTACK_SIZE;
	/* Each growth doubles the region, so that there are few slots. */
	if (bytes < range->bytes && q->arg[0] != DF_REGION_KSTACK)
		bytes = range->bytes;
	if (bytes > left && q->arg[1] <= left)
		bytes = left;
	if (bytes > left)
		return -ENOMEM;
	bytes = (bytes + unit - 1) / unit * unit;
	if (bytes > left)
		bytes = left;
	if (!bytes || vm_grow(vm, (enum df_region)q->arg[0], bytes))
		return -ENOMEM;
	return (int64_t)(range->bytes + vm_grown_from((enum df_region)q->arg[0]));
}

/*
 * A frozen page that is given back would show the snapshot's bytes again. Pages that are zero stay as they
 * are: looking at a page that nobody has used takes no memory.
 */
static void zero_frames(struct vm *vm, uint8_t *host, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += DF_PAGE_SIZE) {
		uint8_t *page = host + at;

		if (!*page && !memcmp(page, page + 1, DF_PAGE_SIZE - 1))
			continue;
		memset(page, 0, DF_PAGE_SIZE);
		if (vm->written)
			written_add_host(vm->written, page, DF_PAGE_SIZE);
	}
}

static int64_t call_discard(struct vm *vm, const struct df_request *q)
{
	uint64_t gpa = q->arg[0], bytes = q->arg[1];
	void *host = arena_at(vm, gpa, bytes);

	if (!host || !bytes || ((gpa | bytes) & DF_PAGE_MASK))
		return malformed(vm, q, "not arena memory");
	if (vm->frozen) {
		zero_frames(vm, host, bytes);
		return 0;
	}
	return madvise(host, bytes, MADV_DONTNEED) ? -errno : 0;
}

static int64_t call_touch(struct vm *vm, const struct df_request *q)
{
	const struct memory_range *arena = &vm->memory.range[MEMORY_ARENA];

	if (q->arg[0] < arena->gpa || !memory_at(&vm->memory, q->arg[0], q->arg[1], true) ||
		((q->arg[0] | q->arg[1]) & DF_PAGE_MASK))
		return malformed(vm, q, "not arena memory");
	/* Only a hint, and pages that an event touches cost later ones. */
	if (!vm->frozen)
		memory_touch(&vm->memory, MEMORY_ARENA, q->arg[0] - arena->gpa, q->arg[1]);
	return 0;
}

static int64_t call_random(struct vm *vm, const struct df_request *q)
{
	if (!q->arg[0] || q->arg[0] > 256)
		return malformed(vm, q, "length");
	return getrandom(vm->request->data, q->arg[0], 0);
}

static int64_t call_tty(struct vm *vm, const struct df_request *q)
{
	uint8_t data[TTY_BYTES];
	int64_t r;

	if (q->arg[0] > 2 || vm->has_events)
		return malformed(vm, q, "no such stream");
	memcpy(data, vm->request->data, sizeof(data));
	r = stream_tty((int)q->arg[0], q->arg[1], data);
	if (!r)
		memcpy(vm->request->data, data, sizeof(data));
	return r;
}

static int64_t call_log(struct vm *vm, const struct df_request *q)
{
	char text[DF_DATA_BYTES + 1];

	if (q->arg[0] >= DF_LOG_KIND_COUNT || q->arg[1] > DF_DATA_BYTES)
		return malformed(vm, q, "log");
	memcpy(text, vm->request->data, q->arg[1]);
	text[q->arg[1]] = 0;
	report_log(vm, (enum df_log_kind)q->arg[0], text);
	return 0;
}

static int64_t call_end(struct vm *vm, const struct df_request *q)
{
	uint8_t data[DF_DATA_BYTES];

	memcpy(data, vm->request->data, sizeof(data));
	if (q->call == DF_CALL_FAULT)
		report_fault(vm, data);
	else if (q->call == DF_CALL_PANIC)
		report_panic(vm, data, q->arg[0]);
	else if (q->arg[1] > SIGNAL_MAX)
		return malformed(vm, q, "no such signal");
	else if (q->arg[1])
		vm_end(vm, DF_OUTCOME_SIGNAL, (int)q->arg[1], NULL);
	else
		vm_end(vm, DF_OUTCOME_EXIT, (int)(q->arg[0] & 255), NULL);
	return 0;
}

/* A deadline of the guest on our clock. */
static uint64_t host_deadline(const struct vm *vm, uint64_t ns)
{
	uint64_t host = ns + vm->clock_ahead_ns;

	return !ns || ns == DF_FOREVER ? ns : host < ns ? DF_FOREVER : host;
}

static int64_t call_wait(struct vm *vm, const struct df_request *q)
{
	uint64_t deadline = host_deadline(vm, q->arg[1]);

	if (q->arg[0] > (vm->net.there ? 31 : 7) || (vm->has_events && (q->arg[0] & 7)))
		return malformed(vm, q, "interest");
	if (q->arg[0] & DF_WAIT_KICK)
		net_kick(&vm->net);
	/* No stream, no timer, no signal, and no packet was sent that could be answered: nobody would ever wake it. */
	if (vm->has_events && deadline == DF_FOREVER && !(vm->net.phase & 1)) {
		vm_end(vm, DF_OUTCOME_STOPPED, 0,
			"stopped: all threads wait for something that can not happen any more");
		return 0;
	}
	return streams_wait(vm, (unsigned)q->arg[0], wait_until(vm, deadline));
}

static int64_t call_timer(struct vm *vm, const struct df_request *q)
{
	/* A faster tick than 20 kHz would be a way to keep the host busy. */
	uint64_t interval = q->arg[1] && q->arg[1] < 50000 ? 50000 : q->arg[1];
	uint64_t deadline = host_deadline(vm, q->arg[0]);

	events_timer(vm, deadline == DF_FOREVER ? 0 : deadline, interval);
	return 0;
}

/* The run loop ends, and whoever started it takes the snapshot. */
static int64_t call_freeze(struct vm *vm, const struct df_request *q)
{
	if (!vm->has_events || vm->frozen || !q->arg[0] || q->arg[0] >= DF_WAIT_POINT_COUNT)
		return malformed(vm, q, "no time to freeze");
	vm->ended = true;
	vm->outcome = 0;
	vm->wait_point = (uint32_t)q->arg[0];
	vm->boot_log_bytes = q->arg[1] <= DF_OUT_LOG_MAX ? q->arg[1] : DF_OUT_LOG_MAX;
	return 0;
}

/* The event is over, and the run loop with it; the next one goes on behind the call. */
static int64_t call_next(struct vm *vm, const struct df_request *q)
{
	if (!vm->warm)
		return malformed(vm, q, "one event and no more");
	vm->waits = true;
	vm_end(vm, DF_OUTCOME_EXIT, 0, NULL);
	return 0;
}

static int64_t call_thawed(struct vm *vm, const struct df_request *q)
{
	if (!vm->thawed)
		return malformed(vm, q, "not asked for");
	return vm->thawed(vm);
}

static int64_t call_net_kick(struct vm *vm, const struct df_request *q)
{
	if (!vm->net.there)
		return malformed(vm, q, "no network");
	net_kick(&vm->net);
	return 0;
}

typedef int64_t call_function(struct vm *, const struct df_request *);

static call_function *const calls[DF_CALL_COUNT] = {
	[DF_CALL_EXIT] = call_end,
	[DF_CALL_WRITE] = call_transfer,
	[DF_CALL_READ] = call_transfer,
	[DF_CALL_SEEK] = call_seek,
	[DF_CALL_STAT] = call_stat,
	[DF_CALL_WAIT] = call_wait,
	[DF_CALL_MAP] = call_map,
	[DF_CALL_GROW] = call_grow,
	[DF_CALL_DISCARD] = call_discard,
	[DF_CALL_RANDOM] = call_random,
	[DF_CALL_TIMER] = call_timer,
	[DF_CALL_TTY] = call_tty,
	[DF_CALL_LOG] = call_log,
	[DF_CALL_FAULT] = call_end,
	[DF_CALL_PANIC] = call_end,
	[DF_CALL_TOUCH] = call_touch,
	[DF_CALL_FREEZE] = call_freeze,
	[DF_CALL_THAWED] = call_thawed,
	[DF_CALL_NEXT] = call_next,
	[DF_CALL_NET_KICK] = call_net_kick,
};

void vm_hypercall(struct vm *vm)
{
	struct df_request q;

	memcpy(&q, &vm->request->request, sizeof(q));
	if (q.call >= DF_CALL_COUNT || !calls[q.call]) {
		malformed(vm, &q, "unknown");
		return;
	}
	vm->request->request.result = calls[q.call](vm, &q);
}
