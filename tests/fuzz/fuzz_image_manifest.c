/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: manifests of any bytes. What is read as good must be written as something that is read as the same again.
 */
#include "image/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct manifest *m)
{
	struct df_str first = DF_STR_EMPTY, second = DF_STR_EMPTY;
	struct manifest again;

	manifest_write(m, &first);
	if (manifest_parse(df_str_text(&first), first.length, NULL, &again, NULL) < 0)
		abort();
	manifest_write(&again, &second);
	if (strcmp(df_str_text(&first), df_str_text(&second)) != 0)
		abort();
	manifest_deinit(&again);
	df_str_deinit(&first);
	df_str_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest m;
	struct df_err err = {0};

	if (manifest_parse((const char *)data, size, "dayfly.yaml", &m, &err) == 0) {
		write_and_read(&m);
		manifest_deinit(&m);
	} else if (!err.text[0]) {
		abort();
	}
	return 0;
}
