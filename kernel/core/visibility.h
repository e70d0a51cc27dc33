// SPDX-License-Identifier: Apache-2.0
/* Included first in every kernel file (by the build): all symbols are of this one image, so no
 * reference goes through a global offset table. */
#pragma GCC visibility push(hidden)
