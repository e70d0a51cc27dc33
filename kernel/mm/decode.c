// SPDX-License-Identifier: Apache-2.0
/* Instruction lengths: see decode.h. Encoding: Intel SDM volume 2, chapter 2 and appendix A. */
#include <kernel/core/lib.h>
#include <kernel/mm/decode.h>

/*
 * What follows each one-byte opcode: '.' nothing, 'm' ModRM, 'b' 'w' 'd' 1, 2, 4 bytes, 'q' 4 or with REX.W 8,
 * 'B' 'D' ModRM and 1 or 4 bytes, 'T' 'U' the same for TEST only (/0, /1), 'x' not here.
 */
static const char follows[256] = "mmmmbdxxmmmmbdxx" /* 00 */
				 "mmmmbdxxmmmmbdxx"
				 "mmmmbdxxmmmmbdxx"
				 "mmmmbdxxmmmmbdxx"
				 "xxxxxxxxxxxxxxxx" /* 40 */
				 "................"
				 "xxxmxxxxdDbB...."
				 "bbbbbbbbbbbbbbbb"
				 "BDxBmmmmmmmmmmmm" /* 80 */
				 "..........x....."
				 "xxxx....bd......"
				 "bbbbbbbbqqqqqqqq"
				 "BBw.xxBDx.w..bx." /* c0 */
				 "mmmmxxx.mmmmmmmm"
				 "bbbbbbbbddxb...."
				 "x.xx..TU......mm";

/* The same for opcodes behind 0f. */
static char follows_0f(uint8_t op)
{
	if ((op & 0xf0) == 0x80)
		return 'd';
	if ((op & 0xf8) == 0xc8 || (op & 0xf8) == 0x30 || op == 0x05 || op == 0x0b || op == 0x77 ||
		op == 0xa0 || op == 0xa1 || op == 0xa2 || op == 0xa8 || op == 0xa9)
		return '.';
	if ((op & 0xfc) == 0x70 || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 ||
		(op >= 0xc4 && op <= 0xc6))
		return 'B';
	return op < 0x10 || (op & 0xfc) == 0x24 || (op & 0xf8) == 0x38 ? 'x' : 'm';
}

static bool is_prefix(uint8_t b)
{
	return b == 0x66 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x64 || b == 0x65 ||
		(b & 0xe7) == 0x26;
}

/* ModRM, SIB and displacement. */
static unsigned modrm_length(const uint8_t *p)
{
	unsigned mod = p[0] >> 6, rm = p[0] & 7, n = 1;

	if (mod == 3)
		return 1;
	if (rm == 4)
		rm = p[n++] & 7;
	if (mod == 1)
		return n + 1;
	return mod == 2 || rm == 5 ? n + 4 : n;
}

unsigned instruction_length(const uint8_t *p)
{
	unsigned n = 0, word = 4;
	bool wide = false;
	char what;

	while (n < 6 && is_prefix(p[n]))
		if (p[n++] == 0x66)
			word = 2;
	if ((p[n] & 0xf0) == 0x40 && (p[n++] & 8)) {
		wide = true;
		word = 4;
	}
	if (p[n] != 0x0f) {
		what = follows[p[n]];
		/* Jumps and calls have 4 bytes whatever the prefixes. */
		if ((p[n] & 0xfe) == 0xe8)
			word = 4;
	} else if (p[++n] == 0x38 || p[n] == 0x3a) {
		what = p[n++] == 0x38 ? 'm' : 'B';
	} else {
		what = follows_0f(p[n]);
		word = 4;
	}
	n++;
	if (what == 'T' || what == 'U')
		what = p[n] & 0x30 ? 'm' : what == 'T' ? 'B' : 'D';
	switch (what) {
	case '.':
		return n;
	case 'b':
		return n + 1;
	case 'w':
		return n + 2;
	case 'd':
		return n + word;
	case 'q':
		return n + (wide ? 8 : word);
	case 'm':
		return n + modrm_length(p + n);
	case 'B':
		return n + modrm_length(p + n) + 1;
	case 'D':
		return n + modrm_length(p + n) + word;
	default:
		return 0;
	}
}

bool instruction_ends_flow(const uint8_t *p)
{
	/* ret may have a prefix (rep, bnd), an indirect jmp too (notrack, bnd). */
	if (*p == 0xf3 || *p == 0xf2 || *p == 0x3e)
		p++;
	if ((*p & 0xf0) == 0x40)
		p++;
	return *p == 0xc3 || *p == 0xc2 || *p == 0xe9 || *p == 0xeb || *p == 0xf4 ||
		(*p == 0xff && (p[1] & 0x38) == 0x20) || (*p == 0x0f && p[1] == 0x0b);
}

unsigned nop_length(const uint8_t *p)
{
	unsigned n = 0;

	while (p[n] == 0x66 || p[n] == 0x2e)
		n++;
	if (p[n] == 0x90 || (!n && p[0] == 0xcc))
		return n + 1;
	return p[n] == 0x0f && p[n + 1] == 0x1f ? n + 2 + modrm_length(p + n + 2) : 0;
}
