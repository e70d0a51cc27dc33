/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: image/elf.c on any bytes, as a file that someone hands us to run. */
#include "image/elf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script_line line;
	struct elf_info info;
	struct df_err err;
	enum elf_kind kind = elf_inspect(data, size, &info);

	/* What the result promises must hold: the interpreter lies within the bytes. */
	if (info.interpreter) {
		const uint8_t *start = (const uint8_t *)info.interpreter;

		if (start < data || info.interpreter_length > (size_t)(data + size - start))
			abort();
	}
	if (kind == ELF_SCRIPT)
		(void)script_parse(data, size, &line);
	else if (kind != ELF_PROGRAM)
		elf_explain(kind, &info, "x", &err);
	return 0;
}
