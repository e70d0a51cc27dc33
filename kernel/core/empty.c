// SPDX-License-Identifier: Apache-2.0
/* The build wants one source; the kernel is in its libraries. */
extern int dayfly_kernel_is_in_its_libraries;
