// SPDX-License-Identifier: Apache-2.0
/* The HTTP library of dayflyd, set up as dayflyd does: a thread for each connection. */
#ifndef BENCH_HTTP_SERVE_H
#define BENCH_HTTP_SERVE_H

#include <microhttpd.h>

/*
 * Serves on a free port of 127.0.0.1, which it prints, until standard input ends. `done` is called after each request, NULL: nothing. Returns the
 * exit status.
 */
int http_serve(MHD_AccessHandlerCallback answer, MHD_RequestCompletedCallback done);

#endif
