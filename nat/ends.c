/* SPDX-License-Identifier: Apache-2.0 */
/* Who talks to whom: see ends.h. */
#include "nat/ends.h"

bool ends_same(const struct ends *a, const struct ends *b)
{
	return a->guest_port == b->guest_port && a->outside_port == b->outside_port &&
		IN6_ARE_ADDR_EQUAL(&a->outside, &b->outside);
}
