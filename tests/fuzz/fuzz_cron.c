/* SPDX-License-Identifier: Apache-2.0 */
/* Cron expressions (host/cron.h): one that is taken has a next minute within its bounds, and it fits itself. */
#include "host/cron.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t starts[] = {0, 29933775, -100000, 1577923200};
	char text[256];
	struct df_cron cron;
	struct df_err err;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (df_cron_parse(text, &cron, &err))
		return 0;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		int64_t found, again;

		if (!df_cron_next(&cron, starts[i], INT64_MAX, &found) || found < starts[i] ||
			!df_cron_next(&cron, found, found + 1, &again) || again != found)
			abort();
		if (found > starts[i] && df_cron_next(&cron, starts[i], found, &again))
			abort();
	}
	return 0;
}
