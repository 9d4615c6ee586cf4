/*
 * arena.h: memory with one lifetime (process, session, command). Nothing is freed by itself; arena_reset empties all.
 * Zeroed memory, 16-byte aligned. Past `max` bytes arena_alloc returns NULL only from arena_try; arena_alloc aborts, so
 * use arena_try wherever input decides the size.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

struct arena;

struct arena *arena_new(size_t max_bytes);
void arena_free(struct arena *a);  /* NULL is fine */
void arena_reset(struct arena *a); /* keeps the first block */
void *arena_alloc(struct arena *a, size_t n);
void *arena_try(struct arena *a, size_t n); /* NULL over the limit */
void *arena_try_array(struct arena *a, size_t size,
                      size_t count);             /* NULL over the limit or past size_t */
char *arena_dup(struct arena *a, struct span s); /* with an ending NUL; NULL over the limit */
struct span arena_span(struct arena *a,
                       struct span s); /* a copy; {NULL,0} over the limit or for the empty span */
/* NULL over the limit */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t arena_used(const struct arena *a);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_try_array((a), sizeof(type), (size_t)(count)))

#endif
