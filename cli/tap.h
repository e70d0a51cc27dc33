/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly run --net=tap:NAME[,address=ADDRESS/BITS][,gateway=ADDRESS][,dns=ADDRESS]`: the guest is on the network of a TAP device that whoever runs
 * this machine has made. Where its packets may go is their business.
 */
#ifndef CLI_TAP_H
#define CLI_TAP_H

#include "host/err.h"

#include <dayfly/net.h>
#include <net/if.h>
#include <stdbool.h>

struct tap_options {
	char name[IF_NAMESIZE]; /* empty: no TAP device */
	char dns[64]; /* the guest's name server; empty: none */
	struct df_net_config config;
};

/* Reads what is behind "tap:". -EINVAL with *err set. */
int tap_parse(struct tap_options *tap, const char *text, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Opens the device, O_CLOEXEC, for frames behind a struct df_net_frame, and fills in what config lacks: its MTU, and an address of the guest's
 * own. -errno with *err set.
 */
int tap_open(struct tap_options *tap, int *fd, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
