// SPDX-License-Identifier: Apache-2.0
/* Serving: see http_serve.h. */
#include "http_serve.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

int http_serve(MHD_AccessHandlerCallback answer, MHD_RequestCompletedCallback done)
{
	struct sockaddr_in on = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct MHD_Daemon *daemon;
	char byte;

	daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD,
		0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR, &on, MHD_OPTION_NOTIFY_COMPLETED,
		done, NULL, MHD_OPTION_END);
	if (!daemon)
		return 1;
	printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	(void)!read(0, &byte, 1);
	MHD_stop_daemon(daemon);
	return 0;
}
