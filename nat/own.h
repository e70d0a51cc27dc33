/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's own addresses, which `any` does not open. The list is the kernel's at every time: one that the host gets while a guest runs (IPv6 changes
 * them by itself) is closed to it from then on.
 */
#ifndef NAT_OWN_H
#define NAT_OWN_H

#include "host/err.h"
#include "host/ip.h"

#include <stddef.h>

#define OWN_MAX 1024

struct own {
	struct in6_addr address[OWN_MAX];
	unsigned int count;
	bool unknown; /* the list is not whole any more: any address may be one of them */
};

/* Fills the list, and keeps it up to date from the loop (loop.h) on. Before the jail; once. -errno with *err set. */
int own_watch(struct own *own, struct df_err *err) __attribute__((warn_unused_result));

bool own_has(const struct own *own, const struct in6_addr *address);

/*
 * What the kernel says: `bytes` of whole netlink messages. 1: that was the end of a list that was asked for; 0: more may come; -EIO, or
 * -E2BIG: there are more than OWN_MAX.
 */
int own_take(struct own *own, const void *messages, size_t bytes)
	__attribute__((warn_unused_result));

#endif
