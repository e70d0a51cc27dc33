/* SPDX-License-Identifier: Apache-2.0 */
/* For cppcheck, which does not look for system headers: those whose macros are more than a value. */
#include "/usr/include/x86_64-linux-gnu/sys/queue.h"
#include "/usr/include/jansson.h"
