/* SPDX-License-Identifier: Apache-2.0 */
/* Names that are typed: see platform.h. */
#include "cli/platform/platform.h"
#include "image/manifest.h"

#include <errno.h>

int take_name(const char **name, const char *value, struct df_err *err)
{
	if (!manifest_name_is_good(value))
		return df_err_set(err, -EINVAL,
			"--name %s is not a name: 1 to 64 letters and digits, with single - or _ between them",
			value);
	*name = value;
	return 0;
}
