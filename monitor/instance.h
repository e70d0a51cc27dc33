// SPDX-License-Identifier: Apache-2.0
/*
 * An instance: a microVM with the state of a snapshot, which serves one event after the other and is put
 * back to that state, byte for byte, between them; with DF_START_WARM only when the program did not ask for another event.
 * Used from one thread of its own.
 */
#ifndef MONITOR_INSTANCE_H
#define MONITOR_INSTANCE_H

#include "pristine.h"
#include "vm.h"
#include "wire.h"

struct instance {
	struct vm vm;
	struct written written;
	const struct pristine *pristine;
	struct slot slot;
	uint64_t in_bytes, out_bytes;
	bool verify, once;

	/* What each thaw sets, from the snapshot. */
	struct kvm_sync_regs regs;
	struct df_time frozen_time;
	int apply; /* DF_MAP_APPLY: the guest must repeat page-table edits first */

	uint64_t events; /* so far */
	uint64_t reset_ns; /* what putting back took last time */
	uint64_t reset_pages;
	bool give_up; /* the set of written pages begins anew with the next event */
	uint32_t leaks; /* with verify: differences after the last event */
	struct verify *verified; /* with verify: what the first thaw looked like */
};

/* What all instances of a process share. */
struct instance_set {
	int root_fd; /* with its offset and size in pristine->header */
	const struct pristine *pristine;
	uint64_t in_bytes, out_bytes;
	bool verify, once, warm; /* DF_START_VERIFY, DF_START_ONCE, DF_START_WARM */
};

/* Has this host what the program saw when it was frozen? -ENOTSUP with *err set. */
int instance_check_host(const struct df_snapshot *h, struct df_err *err);
/*
 * Makes the virtual machine and its vCPU of number `index`, of zeroed storage: what needs no snapshot and takes longest. From the
 * thread that makes all.
 */
int instance_prepare(struct instance *i, int kvm_fd, unsigned index, struct df_err *err);
/* The rest, with a snapshot. */
int instance_create(struct instance *i, const struct instance_set *set, const struct slot *slot,
	struct df_err *err);
/* From the instance's own thread, once. */
int instance_attach(struct instance *i, struct df_err *err);
/* Serves events until one can not be undone: -errno with *err set. 0: it was for one event only. */
int instance_serve(struct instance *i, struct df_err *err);

#endif
