/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction sets by name: which of them a frozen program has seen, and may use. */
#ifndef CLI_CPU_NAMES_H
#define CLI_CPU_NAMES_H

#include "host/str.h"

#include <dayfly/snapshot.h>

/*
 * Appends the instruction sets in the words of struct df_snapshot.cpu: the x86-64 level (x86-64-ABI, 3.1.1) and what goes beyond it,
 * by the names of /proc/cpuinfo.
 */
void cpu_names_add(struct df_str *text, const uint32_t words[DF_CPU_LEAVES]);

/* Appends those of them that this processor does not have; nothing if it has all. */
void cpu_names_add_missing(struct df_str *text, const uint32_t words[DF_CPU_LEAVES]);

#endif
