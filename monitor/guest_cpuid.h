// SPDX-License-Identifier: Apache-2.0
/*
 * What the CPUID instruction shows to a guest: what KVM supports on this host, less what dayfly does
 * not keep (protection keys, AMX), and with the cache sizes in the form that costs a starting program
 * the fewest CPUID instructions (each is an exit on many hosts).
 */
#ifndef MONITOR_GUEST_CPUID_H
#define MONITOR_GUEST_CPUID_H

#include <dayfly/snapshot.h>
#include <host/err.h>
#include <stdint.h>

/*
 * Finds out what to show; once, before the functions below. cache: file that remembers what KVM supports, because asking takes
 * KVM as long as making a VM; made when it is missing or of another boot, ignored when it belongs to
 * someone else. NULL: ask.
 */
int cpuid_load(int kvm_fd, const char *cache, struct df_err *err);
/* Shows it to a vCPU. */
int cpuid_set(int vcpu_fd, struct df_err *err);
/* The vector state that guests have. */
uint64_t cpuid_xcr0(void);
/* Feature bits that a program can see: words of leaves 1, 7 and 0x80000001 (names in guest_cpuid.c). */
void cpuid_features(uint32_t words[DF_CPU_LEAVES]);

/* Bytes of an XSAVE area for xcr0, standard format. */
uint32_t cpuid_xsave_bytes(uint64_t xcr0);

#endif
