// SPDX-License-Identifier: Apache-2.0
/* Memory, strings and formatting: see lib.h. The compiler may emit calls to the mem* functions. */
#include <kernel/core/lib.h>

void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;

	for (; n && *p == *q; n--)
		p++, q++;
	return n ? *p - *q : 0;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--)
		a++, b++;
	return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

const char *str_last(const char *s, char c)
{
	const char *last = NULL;

	for (; *s; s++)
		if (*s == c)
			last = s;
	return last;
}

struct out {
	char *buf;
	size_t size, n; /* n: characters wanted so far */
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->buf[o->n] = c;
	o->n++;
}

struct spec {
	unsigned width, precision;
	bool zero, left, has_precision;
	bool capitals; /* of hexadecimal digits */
};

static void put_padded(struct out *o, const char *s, size_t n, const struct spec *sp)
{
	char pad = sp->zero && !sp->left ? '0' : ' ';
	size_t fill = sp->width > n ? sp->width - n : 0;

	if (pad == '0' && n && *s == '-') {
		put(o, *s++);
		n--;
	}
	for (; fill && !sp->left; fill--)
		put(o, pad);
	while (n--)
		put(o, *s++);
	for (; fill; fill--)
		put(o, ' ');
}

static void put_number(struct out *o, uint64_t v, bool negative, unsigned base,
	const struct spec *sp)
{
	char digits[24];
	unsigned i = sizeof(digits);

	do {
		digits[--i] = (sp->capitals ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
		v /= base;
	} while (v);
	if (negative)
		digits[--i] = '-';
	put_padded(o, digits + i, sizeof(digits) - i, sp);
}

static const char *read_spec(const char *f, struct spec *sp, va_list *args)
{
	for (;; f++) {
		if (*f == '0')
			sp->zero = true;
		else if (*f == '-')
			sp->left = true;
		else
			break;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		sp->width = sp->width * 10 + (unsigned)(*f - '0');
	if (*f != '.')
		return f;
	sp->has_precision = true;
	if (*++f == '*') {
		sp->precision = va_arg(*args, unsigned);
		return f + 1;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		sp->precision = sp->precision * 10 + (unsigned)(*f - '0');
	return f;
}

static void put_string(struct out *o, const char *s, const struct spec *sp)
{
	size_t n = 0;

	if (!s)
		s = "(null)";
	while ((!sp->has_precision || n < sp->precision) && s[n])
		n++;
	put_padded(o, s, n, sp);
}

int kvsnprintf(char *buf, size_t size, const char *f, va_list ap)
{
	struct out o = {buf, size, 0};
	va_list args;

	va_copy(args, ap);
	for (; *f; f++) {
		struct spec sp = {0};
		bool wide = false;
		int64_t i;
		char c;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = read_spec(f + 1, &sp, &args);
		for (; *f == 'l' || *f == 'z'; f++)
			wide = true;
		switch (*f) {
		case 'd':
		case 'i':
			i = wide ? va_arg(args, int64_t) : va_arg(args, int);
			put_number(&o, i < 0 ? -(uint64_t)i : (uint64_t)i, i < 0, 10, &sp);
			break;
		case 'X':
			sp.capitals = true;
			__attribute__((fallthrough));
		case 'u':
		case 'x':
		case 'o':
			put_number(&o, wide ? va_arg(args, uint64_t) : va_arg(args, unsigned),
				false,
				*f == 'u'           ? 10
					: *f == 'o' ? 8
						    : 16,
				&sp);
			break;
		case 'p':
			put(&o, '0');
			put(&o, 'x');
			put_number(&o, (uint64_t)va_arg(args, void *), false, 16, &sp);
			break;
		case 's':
			put_string(&o, va_arg(args, const char *), &sp);
			break;
		case 'c':
			c = (char)va_arg(args, int);
			put_padded(&o, &c, 1, &sp);
			break;
		default:
			put(&o, *f);
		}
	}
	va_end(args);
	if (size)
		buf[o.n < size ? o.n : size - 1] = 0;
	return (int)o.n;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}
