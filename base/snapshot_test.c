// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of the snapshot's checks: a true one passes, each change that makes it impossible is refused with
 * its reason, even when the checksum was made right again, and no damage leads outside the file (the copies
 * are heap blocks of just their size, for the address sanitizer).
 */
#include <base/snapshot.h>
#include <base/snapshot_sample.h>

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Checks a copy that has no byte more than the file. */
static int check_copy(const void *file, size_t bytes, const char **why)
{
	void *copy = calloc(1, bytes ? bytes : 1);
	int r;

	memcpy(copy, file, bytes);
	*why = "";
	r = df_snapshot_check(copy, bytes, why);
	free(copy);
	return r;
}

static void accepts_a_true_one(void **state)
{
	static struct sample s;
	const char *why;

	(void)state;
	sample_make(&s);
	assert_int_equal(check_copy(&s, sizeof(s), &why), 0);
	assert_int_equal(df_snapshot_check_memory(&s, sizeof(s), &why), 0);
	/* Nothing learned, no pages. */
	s.header.learned_count = s.header.extent_count = 0;
	s.header.data_bytes = 0;
	df_snapshot_seal(&s.header, s.extent, s.learned);
	assert_int_equal(check_copy(&s, sizeof(s), &why), 0);
}

static void says_what_is_wrong(void **state)
{
	static struct sample s;
	const char *why;

	(void)state;
	assert_int_equal(check_copy("", 0, &why), -EINVAL);
	assert_string_equal(why, "not a snapshot: the file is empty");
	assert_int_equal(check_copy("#!/bin/sh\n", 10, &why), -EINVAL);
	assert_string_equal(why, "not a snapshot");
	sample_make(&s);
	assert_int_equal(check_copy(&s, 100, &why), -EUCLEAN);
	assert_string_equal(why, "the file is cut off: 100 bytes are there");
	assert_int_equal(check_copy(&s, 12345, &why), -EUCLEAN);
	assert_string_equal(why, "the file is cut off: 12 KiB of 36 KiB are there");
	s.header.file_bytes = 1400000;
	assert_int_equal(check_copy(&s, sizeof(s), &why), -EUCLEAN);
	assert_string_equal(why, "the file is cut off: 36 KiB of 1.3 MiB are there");
	sample_make(&s);
	s.header.version = 7;
	assert_int_equal(check_copy(&s, sizeof(s), &why), -EOPNOTSUPP);
	assert_string_equal(why, "made by a newer dayfly (format 7, this one reads 2)");
	s.header.version = 0;
	assert_int_equal(check_copy(&s, sizeof(s), &why), -EOPNOTSUPP);
	assert_string_equal(why, "made by an older dayfly (format 0, this one reads 2)");
	sample_make(&s);
	s.header.abi_version = DF_ABI_VERSION + 1;
	df_snapshot_seal(&s.header, s.extent, s.learned);
	assert_int_equal(check_copy(&s, sizeof(s), &why), -EOPNOTSUPP);
	sample_make(&s);
	s.header.pid++;
	assert_int_equal(check_copy(&s, sizeof(s), &why), -EUCLEAN);
	assert_string_equal(why, "damaged: the checksum of its header is wrong");
	sample_make(&s);
	s.extent[2].first_page++;
	assert_int_equal(check_copy(&s, sizeof(s), &why), -EUCLEAN);
	assert_string_equal(why, "damaged: the checksum of its header is wrong");
	sample_make(&s);
	s.learned[1].pages++;
	assert_int_equal(check_copy(&s, sizeof(s), &why), -EUCLEAN);
	assert_string_equal(why, "damaged: the checksum of its header is wrong");
}

static void checks_memory(void **state)
{
	static struct sample s;
	const char *why;

	(void)state;
	sample_make(&s);
	s.page[SAMPLE_PAGES - 1][DF_PAGE_SIZE - 1] ^= 1;
	assert_int_equal(check_copy(&s, sizeof(s), &why), 0);
	assert_int_equal(df_snapshot_check_memory(&s, sizeof(s), &why), -EUCLEAN);
	assert_string_equal(why, "damaged: the checksum of its memory is wrong");
	s.header.data_bytes = UINT64_MAX & ~DF_PAGE_MASK;
	assert_int_equal(df_snapshot_check_memory(&s, sizeof(s), &why), -EUCLEAN);
	assert_int_equal(df_snapshot_check_memory(&s, 10, &why), -EUCLEAN);
}

static void checks_the_root_image(void **state)
{
	static uint8_t file[(2 << 20) + 100];
	struct sample *s = (struct sample *)file;
	const char *why;

	(void)state;
	sample_make(s);
	s->header.root_offset = 2 << 20;
	s->header.root_bytes = 100;
	df_snapshot_seal(&s->header, s->extent, s->learned);
	assert_int_equal(check_copy(file, sizeof(file), &why), 0);
	assert_int_equal(check_copy(file, sizeof(file) - 1, &why), -EUCLEAN);
	assert_string_equal(why, "the file is cut off: 2 MiB of 2 MiB are there");
	s->header.root_bytes = 0;
	df_snapshot_seal(&s->header, s->extent, s->learned);
	assert_int_equal(check_copy(file, sizeof(file), &why), -EUCLEAN);
	s->header.root_bytes = UINT64_MAX;
	df_snapshot_seal(&s->header, s->extent, s->learned);
	assert_int_equal(check_copy(file, sizeof(file), &why), -EUCLEAN);
	s->header.root_bytes = 100;
	s->header.root_offset = 2 << 19;
	df_snapshot_seal(&s->header, s->extent, s->learned);
	assert_int_equal(check_copy(file, sizeof(file), &why), -EUCLEAN);
	file[0] ^= 1;
	assert_int_not_equal(df_snapshot_root_checksum(file, 65536),
		df_snapshot_root_checksum(file + 1, 65536));
	assert_int_equal(df_snapshot_root_checksum(file, 65536),
		df_snapshot_root_checksum(file, 100000));
	assert_int_equal(df_snapshot_root_checksum("123456789", 9), 0xe3069283);
}

/* One field of the file set to a value. */
struct change {
	size_t at, bytes;
	uint64_t value;
};
#define FIELD(name, value)                                                                         \
	{                                                                                          \
		offsetof(struct sample, name), sizeof(((struct sample *)0)->name), (uint64_t)value \
	}
#define MAX(name) FIELD(name, -1)
#define FAR (1ULL << 40)

static const struct change impossible[] = {
	FIELD(header.header_bytes, 4096),
	/* places */
	FIELD(header.extents_offset, 0),
	FIELD(header.extents_offset, sizeof(struct df_snapshot)),
	FIELD(header.extents_offset, 4097),
	FIELD(header.extents_offset, 8192),
	MAX(header.extents_offset),
	FIELD(header.extents_offset, -8),
	MAX(header.extent_count),
	FIELD(header.extent_count, 3),
	FIELD(header.extent_count, 0),
	FIELD(header.learned_offset, 4096),
	FIELD(header.learned_offset, 8192),
	FIELD(header.learned_offset, 4096 + 64 + 4),
	FIELD(header.learned_offset, -16),
	MAX(header.learned_count),
	FIELD(header.data_offset, 0),
	FIELD(header.data_offset, 4096),
	FIELD(header.data_offset, 8200),
	FIELD(header.data_offset, 12288),
	FIELD(header.data_offset, -4096),
	FIELD(header.data_bytes, 4096),
	FIELD(header.data_bytes, SAMPLE_PAGES * 4096 - 1),
	FIELD(header.data_bytes, (SAMPLE_PAGES + 1) * 4096),
	FIELD(header.data_bytes, -4096),
	FIELD(header.file_bytes, 0),
	FIELD(header.file_bytes, sizeof(struct sample) - 4096),
	FIELD(header.root_bytes, -1),
	FIELD(header.root_offset, 4096),
	FIELD(header.root_offset, -(1LL << 21)),
	/* extents and learned runs */
	FIELD(extent[0].region, DF_SNAPSHOT_REGIONS),
	MAX(extent[0].region),
	FIELD(extent[0].region, DF_SNAPSHOT_KHEAP),
	FIELD(extent[0].pages, 0),
	FIELD(extent[0].pages, 1),
	MAX(extent[0].pages),
	MAX(extent[0].first_page),
	FIELD(extent[0].first_page, 4094),
	FIELD(extent[0].first_page, 4095),
	FIELD(extent[1].first_page, 4096),
	FIELD(extent[1].first_page, 1),
	FIELD(extent[3].pages, 32),
	FIELD(extent[3].first_page, 46),
	FIELD(learned[0].region, DF_SNAPSHOT_REGIONS),
	FIELD(learned[1].first_page, 1),
	FIELD(learned[1].first_page, 4095),
	FIELD(learned[1].pages, 0),
	FIELD(learned[2].first_page, 48),
	FIELD(learned[2].region, DF_SNAPSHOT_KSTACK),
	MAX(learned[2].pages),
	/* regions */
	FIELD(header.region[DF_SNAPSHOT_ARENA].bytes, 0),
	FIELD(header.region[DF_SNAPSHOT_ARENA].bytes, (16 << 20) + 1),
	FIELD(header.region[DF_SNAPSHOT_ARENA].bytes, 128 << 20),
	FIELD(header.region[DF_SNAPSHOT_ARENA].bytes, 4095 * 4096),
	FIELD(header.region[DF_SNAPSHOT_ARENA].max_bytes, 32 << 20),
	FIELD(header.region[DF_SNAPSHOT_ARENA].max_bytes, 8 << 20),
	MAX(header.region[DF_SNAPSHOT_ARENA].max_bytes),
	FIELD(header.region[DF_SNAPSHOT_KHEAP].max_bytes, DF_KHEAP_MAX + 4096),
	FIELD(header.region[DF_SNAPSHOT_KHEAP].bytes, 4095),
	FIELD(header.region[DF_SNAPSHOT_KSTACK].bytes, 4096),
	FIELD(header.region[DF_SNAPSHOT_KSTACK].max_bytes, DF_KSTACK_MAX),
	FIELD(header.region[DF_SNAPSHOT_SYSTEM].max_bytes, 4 << 20),
	FIELD(header.region[DF_SNAPSHOT_SYSTEM].bytes, 42 * 4096),
	FIELD(header.region[DF_SNAPSHOT_TABLES].max_bytes, 512 << 20),
	FIELD(header.region[DF_SNAPSHOT_OUT].bytes, 4096),
	FIELD(header.region[DF_SNAPSHOT_OUT].max_bytes, 4 << 20),
	FIELD(header.memory_bytes, FAR),
	FIELD(header.memory_bytes, 0),
	FIELD(header.tables_used, 0),
	FIELD(header.tables_used, 513),
	MAX(header.tables_used),
	/* windows */
	FIELD(header.in_bytes, 0),
	FIELD(header.in_bytes, (4 << 20) + 4096),
	FIELD(header.in_bytes, 2LL << 30),
	FIELD(header.out_bytes, 0),
	FIELD(header.out_bytes, 4 << 20),
	FIELD(header.out.reply_bytes, (1 << 20) + 1),
	MAX(header.out.reply_bytes),
	MAX(header.out.log_bytes),
	MAX(header.out.attribute_bytes),
	MAX(header.out.stopped),
	/* system pages */
	FIELD(header.boot_page, 48 * 4096),
	FIELD(header.boot_page, 30 * 4096 + 8),
	FIELD(header.boot_page, 31 * 4096),
	MAX(header.boot_page),
	FIELD(header.request_page, 48 * 4096),
	FIELD(header.request_page, 35 * 4096),
	FIELD(header.apply_page, 30 * 4096),
	FIELD(header.apply_page, FAR),
	FIELD(header.stub_syscall, 0),
	FIELD(header.stub_syscall, DF_VA_STUB + 4096),
	/* the processor */
	FIELD(header.rip, 0),
	FIELD(header.rip, 1ULL << 47),
	MAX(header.rip),
	FIELD(header.rip, DF_VA_TABLES),
	FIELD(header.rsp, 0xffff800000000000),
	FIELD(header.rsp, 8),
	FIELD(header.rflags, 0x346),
	FIELD(header.rflags, 0x3246),
	FIELD(header.rflags, 0x4246),
	FIELD(header.rflags, 0x40246),
	FIELD(header.rflags, 1ULL << 32),
	FIELD(header.xcr0, 0),
	FIELD(header.xcr0, 1),
	MAX(header.xcr0),
	FIELD(header.xsave_bytes, 100),
	MAX(header.xsave_bytes),
	/* the program */
	FIELD(header.flags, 4),
	FIELD(header.reserved, 1),
	FIELD(header.wait_point, 0),
	FIELD(header.wait_point, DF_WAIT_POINT_COUNT),
	MAX(header.pid),
	MAX(header.monotonic_ns),
	MAX(header.boot_ns),
	FIELD(header.features, 0x1b),
};

static void apply(struct sample *s, const struct change *c)
{
	memcpy((uint8_t *)s + c->at, &c->value, c->bytes < 8 ? c->bytes : 8);
}

static void refuses_what_can_not_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
		static struct sample s;
		struct df_snapshot h;
		const char *why;

		sample_make(&s);
		apply(&s, &impossible[i]);
		/* The sum is right, as far as there is one: only the field is wrong. */
		h = s.header;
		if (h.extents_offset < sizeof(s) && h.learned_offset < sizeof(s) &&
			h.extents_offset + h.extent_count * 16ULL <= sizeof(s) &&
			h.learned_offset + h.learned_count * 16ULL <= sizeof(s))
			df_snapshot_seal(&s.header,
				(struct df_extent *)((uint8_t *)&s + h.extents_offset),
				(struct df_page_run *)((uint8_t *)&s + h.learned_offset));
		if (check_copy(&s, sizeof(s), &why) != -EUCLEAN || strstr(why, "checksum"))
			fail_msg("change %zu (offset %zu to %llx): %s", i, impossible[i].at,
				(unsigned long long)impossible[i].value, why);
	}
}

static void refuses_endless_strings(void **state)
{
	static struct sample s;
	const char *why;

	(void)state;
	for (int which = 0; which < 2; which++) {
		sample_make(&s);
		if (which)
			memset(s.header.program, 'x', sizeof(s.header.program));
		else
			memset(s.header.features, 'x', sizeof(s.header.features));
		df_snapshot_seal(&s.header, s.extent, s.learned);
		assert_int_equal(check_copy(&s, sizeof(s), &why), -EUCLEAN);
		assert_string_equal(why, "damaged: a text in it has no end");
	}
}

static void allows_io_privilege_to_the_test_only(void **state)
{
	static struct sample s;
	const char *why;

	(void)state;
	sample_make(&s);
	s.header.flags = DF_SNAPSHOT_IOPL3;
	s.header.rflags |= 0x3000;
	df_snapshot_seal(&s.header, s.extent, s.learned);
	assert_int_equal(check_copy(&s, sizeof(s), &why), 0);
}

/* Any single byte that is not padding: the checksum sees it. */
static void notices_every_changed_byte(void **state)
{
	static struct sample s;
	const char *why;
	size_t learned_end = offsetof(struct sample, learned) + sizeof(s.learned);

	(void)state;
	sample_make(&s);
	for (size_t at = 0; at < learned_end; at++) {
		if (at >= sizeof(s.header) && at < offsetof(struct sample, extent))
			continue;
		((uint8_t *)&s)[at] ^= 0x10;
		assert_int_not_equal(check_copy(&s, sizeof(s), &why), 0);
		assert_true(why[0]);
		((uint8_t *)&s)[at] ^= 0x10;
	}
	assert_int_equal(check_copy(&s, sizeof(s), &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_a_true_one),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(checks_memory),
		cmocka_unit_test(checks_the_root_image),
		cmocka_unit_test(refuses_what_can_not_be),
		cmocka_unit_test(refuses_endless_strings),
		cmocka_unit_test(allows_io_privilege_to_the_test_only),
		cmocka_unit_test(notices_every_changed_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
