/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For fuzz targets of the prebuilt functions, which free nothing: their process ends with its event. Here it does not, so what an input has
 * left is freed after it, also what libraries took. Needs AddressSanitizer; without it (replay) nothing is freed. One thread.
 */
#ifndef FUNCTIONS_COMMON_FUZZ_MEMORY_H
#define FUNCTIONS_COMMON_FUZZ_MEMORY_H

void fuzz_memory_begin(void);
void fuzz_memory_end(void);

#endif
