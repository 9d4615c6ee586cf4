/*
 * span.h: a borrowed run of bytes, not ended by NUL, never owned. Untrusted text is always a span.
 * All functions accept the empty span {NULL, 0}. Letters fold as ASCII only.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
#define SPAN_EMPTY ((struct span){NULL, 0})
/* for printf's "%.*s" */
#define SPAN_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct span span_of(const void *p, size_t n)
{
    return (struct span){(const char *)p, n};
}

static inline struct span span_cstr(const char *s)
{
    return s ? (struct span){s, strlen(s)} : SPAN_EMPTY;
}

/* from a to b, b excluded; both point into one object */
static inline struct span span_between(const char *a, const char *b)
{
    return (struct span){a, (size_t)(b - a)};
}

#define SPAN_NONE ((size_t)-1)

bool span_eq(struct span a, struct span b);
bool span_eq_nocase(struct span a, struct span b);
bool span_eq_cstr(struct span a, const char *b);
bool span_is(struct span a, const char *b); /* equal without case */
int span_cmp(struct span a, struct span b); /* bytewise, a prefix before what it begins; <0 0 >0 */
int span_cmp_nocase(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);
bool span_starts_nocase(struct span s, struct span prefix);
bool span_ends_nocase(struct span s, struct span suffix);
size_t span_find(struct span s, char c);                  /* index or SPAN_NONE */
size_t span_rfind(struct span s, char c);                 /* index or SPAN_NONE */
size_t span_find_span(struct span s, struct span needle); /* index or SPAN_NONE */
bool span_has(struct span s, char c);
struct span span_skip(struct span s, size_t n); /* without its first n bytes (or empty) */
struct span span_head(struct span s, size_t n); /* at most its first n bytes */
struct span span_sub(struct span s, size_t from, size_t n); /* clipped to s */
struct span span_trim(struct span s);  /* without SP, HT, CR, LF at both ends */
struct span span_chomp(struct span s); /* without one ending CRLF or LF */
/* The whole span as a number; false when empty, not all digits, or greater than max. */
bool span_to_u64(struct span s, uint64_t max, uint64_t *ret);
/* Copies with an ending NUL into dst of `size` bytes; false (dst empty) if it does not fit or s holds a NUL. */
bool span_to_cstr(struct span s, char *dst, size_t size);
char *span_dup(struct span s); /* heap copy with an ending NUL; free() it */
uint64_t
span_hash(struct span s); /* differs in every process: never write or send it (base/hash.h) */
/*
 * Splits at the first `sep`: head gets what stands before, s what follows. False at the end of s, so an ending `sep` has no
 * empty part behind it.
 */
bool span_split(struct span *s, char sep, struct span *ret_head);

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

#endif
