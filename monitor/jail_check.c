// SPDX-License-Identifier: Apache-2.0
/* `dayfly-monitor check-jail`, for `dayfly doctor`: enters and locks the jail, and ends. See jail_check.h. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jail.h"
#include "jail_check.h"

/* The jail wants a client's socket. */
static int make_socket(struct df_err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) ||
		(pair[0] != JAIL_FD_SOCKET && dup2(pair[0], JAIL_FD_SOCKET) < 0))
		return df_err_set(err, -errno, "no socket: %s", df_errno_text(errno));
	return 0;
}

int jail_check_main(void)
{
	struct df_err err = {0};
	int r = make_socket(&err);

	r = r ? r : jail_enter(0, &err);
	r = r ? r : jail_lock(JAIL_SERVE, &err);
	if (r)
		fprintf(stderr, "%s\n", err.text);
	_exit(r ? 1 : 0);
}
