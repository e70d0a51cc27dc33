// SPDX-License-Identifier: Apache-2.0
/*
 * What the CPUID instruction shows to a guest: what KVM supports on this host, less what dayfly does
 * not keep (protection keys, AMX), and with the cache sizes in the form that costs a starting program
 * the fewest CPUID instructions (each is an exit on many hosts).
 */
#ifndef MONITOR_GUEST_CPUID_H
#define MONITOR_GUEST_CPUID_H

#include <host/err.h>
#include <stdint.h>

/*
 * Sets the vCPU's CPUID and says which vector state it has (*xcr0). cache: file that remembers what
 * KVM supports, because asking takes KVM as long as making a VM; made when it is missing or of another
 * boot, ignored when it belongs to someone else. NULL: ask each time.
 */
int cpuid_set(int kvm_fd, int vcpu_fd, const char *cache, uint64_t *xcr0, struct df_err *err);

/* Bytes of an XSAVE area for xcr0, standard format. */
uint32_t cpuid_xsave_bytes(uint64_t xcr0);

#endif
