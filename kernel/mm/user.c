// SPDX-License-Identifier: Apache-2.0
/* Strings from program memory: see user.h. */
#include <kernel/mm/user.h>

int load_byte(const void *p); /* entry.S */

int64_t user_string(char *dst, gva_t src, size_t max)
{
	for (size_t i = 0; i < max; i++) {
		int c;

		if (!user_ok((void *)(src + i), 1))
			return -EFAULT;
		c = load_byte((void *)(src + i));
		if (c < 0)
			return c;
		dst[i] = (char)c;
		if (!c)
			return (int64_t)i;
	}
	return -ENAMETOOLONG;
}
