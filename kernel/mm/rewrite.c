// SPDX-License-Identifier: Apache-2.0
/* Placeholder rules follow in the next commit. */
#include <kernel/mm/rewrite.h>

void rewrite_reset(void)
{
}
