/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's name server (nat/dns.c). The first byte says who sent the rest: the guest a question, or the host's server an answer to
 * a question for the rule's name, and for which family. Whatever comes, what is given to the guest is a DNS message of the size of what came at most, and only addresses of
 * the name that was asked for are pinned.
 */
#include "nat/dns.h"

#include <arpa/nameser.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NAME "api.internal"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t most;

static void check(int good)
{
	if (!good)
		abort();
}

static void answer(void *context, uint16_t port, const void *message, size_t bytes)
{
	static volatile unsigned char sink;

	(void)context;
	check(port == 4000 && bytes <= most && bytes >= 12);
	sink = ((const unsigned char *)message)[bytes - 1];
	(void)sink;
}

static void refused(void *context, const char *name)
{
	(void)context;
	check(strlen(name) <= DF_EGRESS_NAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns dns;
	static struct egress egress;
	struct dns_question asked = {.fd = -1, .port = 4000, .name = NAME};
	unsigned char message[DNS_MESSAGE_MAX];
	struct df_err err;

	if (size < 3 || size - 1 > sizeof(message))
		return 0;
	egress = (struct egress){0};
	check(egress_add(&egress, NAME ":443", &err) == 0);
	dns = (struct dns){.egress = &egress, .answer = answer, .refused = refused};
	for (int i = 0; i < DNS_PENDING_MAX; i++)
		dns.pending[i].fd = -1;
	most = size - 1;
	memcpy(message, data + 1, most);
	asked.type = data[0] & 2 ? ns_t_aaaa : ns_t_a;
	if (data[0] & 1) {
		memcpy(asked.sent_id, message, 2);
		dns_take(&dns, &asked, message, most, 1000);
	} else {
		dns_ask(&dns, 4000, message, most, 1000);
	}
	for (int i = 0; i < EGRESS_PINS_MAX; i++)
		check(!egress.pin[i].until_ms || egress.pin[i].rule == &egress.rule[0]);
	return 0;
}
