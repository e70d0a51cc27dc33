/* SPDX-License-Identifier: Apache-2.0 */
/* ticks CRON ZONE FROM UNTIL: prints when a schedule ticks after FROM and not after UNTIL, in seconds since 1970. */
#include "daemon/trigger/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct schedule schedule;
	struct df_err err;
	int64_t at, until;

	if (argc != 5 || schedule_init(&schedule, 0, argv[1], argv[2], &err)) {
		fprintf(stderr, "ticks: %s\n", argc == 5 ? err.text : "four words");
		return 1;
	}
	until = strtoll(argv[4], NULL, 10) * 1000;
	for (at = strtoll(argv[3], NULL, 10) * 1000; (at = schedule_next(&schedule, at)) <= until;)
		printf("%" PRId64 "\n", at / 1000);
	schedule_deinit(&schedule);
	return 0;
}
