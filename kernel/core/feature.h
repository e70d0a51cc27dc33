// SPDX-License-Identifier: Apache-2.0
/*
 * Features: parts of the kernel that are in a guest only when named. Each is one library in the
 * build, one RX and one RW segment in the kernel image, and one struct feature, which is the only
 * way to it: the core never names a symbol of a feature. A feature may name the core's symbols and
 * those of the feature it needs.
 */
#ifndef KERNEL_FEATURE_H
#define KERNEL_FEATURE_H

#include <dayfly/boot.h>
#include <kernel/core/lib.h>

struct feature_call {
	uint16_t number; /* Linux system-call number */
	void *handler; /* int64_t (*)(six or fewer uint64_t-sized arguments) */
};

struct feature {
	const char *name;
	const struct feature_call *calls;
	unsigned call_count;
	/* Runs once at boot, core first and then in the order of the image; may fill hooks. */
	void (*init)(void);
};

/* Defines the header that the monitor reads and places it first in the feature's RX segment. */
#define FEATURE(ident, needed, init_function, call_table)         \
	extern char ident##_writable[]; /* kernel.lds */          \
	static const struct feature ident##_feature = {           \
		.name = #ident,                                   \
		.calls = (call_table),                            \
		.call_count = array_size(call_table),             \
		.init = (init_function),                          \
	};                                                        \
	__attribute__((section(".feature_header"), used))         \
	const struct df_feature_header ident##_feature_header = { \
		.magic = DF_FEATURE_MAGIC,                        \
		.name = #ident,                                   \
		.needs = needed,                                  \
		.feature = (gva_t)&ident##_feature,               \
		.writable = (gva_t)ident##_writable,              \
	}

#endif
