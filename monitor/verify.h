// SPDX-License-Identifier: Apache-2.0
/*
 * DF_START_VERIFY: is an instance that was put back really pristine? Compares all guest memory with the
 * snapshot, page by page, and the CPU with what the first thaw showed. For tests; slow.
 */
#ifndef MONITOR_VERIFY_H
#define MONITOR_VERIFY_H

#include "instance.h"

int verify_init(struct instance *i, struct df_err *err);
/* After a reset: pages that differ. Each is named on standard error. */
uint32_t verify_memory(struct instance *i);
/* Before a thaw: lets KVM take the registers and looks whether it has them. Adds to i->leaks. */
int verify_cpu(struct instance *i);

#endif
