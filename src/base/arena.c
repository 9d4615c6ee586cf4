#include "base/arena.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif

#ifdef ARENA_ASAN
/* What was not handed out is poisoned, and every allocation has a red zone behind it. */
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
enum { RED_ZONE = 16 };
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
enum { RED_ZONE = 0 };
#endif

enum { ALIGN = 16, FIRST_BYTES = 1024, BLOCK_BYTES = 64 * 1024 };

struct block {
    struct block *older;
    size_t n, cap;
    _Alignas(ALIGN) char data[];
};

struct arena {
    struct block *newest;
    size_t used, max;
};

struct arena *arena_new(size_t max_bytes)
{
    struct arena *a = calloc(1, sizeof *a);

    CHECK(a);
    a->max = max_bytes;
    return a;
}

static void block_free(struct block *b)
{
    SHOW(b->data, b->cap);
    free(b);
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    while (a->newest) {
        struct block *b = a->newest;
        a->newest = b->older;
        block_free(b);
    }
    free(a);
}

void arena_reset(struct arena *a)
{
    while (a->newest && a->newest->older) {
        struct block *b = a->newest;
        a->newest = b->older;
        block_free(b);
    }
    if (a->newest) {
        struct block *b = a->newest;
        SHOW(b->data, b->cap);
        memset(b->data, 0, b->n);
        HIDE(b->data, b->cap);
        b->n = 0;
    }
    a->used = 0;
}

static void add_block(struct arena *a, size_t need)
{
    size_t cap = a->newest ? a->newest->cap * 2 : FIRST_BYTES;

    if (cap > BLOCK_BYTES)
        cap = BLOCK_BYTES;
    if (cap < need)
        cap = need;

    struct block *b = calloc(1, sizeof *b + cap);
    CHECK(b);
    b->cap = cap;
    b->older = a->newest;
    a->newest = b;
    HIDE(b->data, cap);
}

void *arena_try(struct arena *a, size_t n)
{
    if (n > a->max || n > SIZE_MAX / 2)
        return NULL;

    size_t step = (n + ALIGN - 1) / ALIGN * ALIGN;
    if (step == 0)
        step = ALIGN;
    if (step > a->max - a->used)
        return NULL;
    if (!a->newest || a->newest->cap - a->newest->n < step + RED_ZONE)
        add_block(a, step + RED_ZONE);

    struct block *b = a->newest;
    char *p = b->data + b->n;
    SHOW(p, n);
    b->n += step + RED_ZONE;
    a->used += step;
    return p;
}

void *arena_try_array(struct arena *a, size_t size, size_t count)
{
    size_t bytes;

    if (__builtin_mul_overflow(size, count, &bytes))
        return NULL;
    return arena_try(a, bytes);
}

void *arena_alloc(struct arena *a, size_t n)
{
    void *p = arena_try(a, n);

    CHECK(p);
    return p;
}

char *arena_dup(struct arena *a, struct span s)
{
    char *p = arena_try(a, s.n + 1);

    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

struct span arena_span(struct arena *a, struct span s)
{
    char *p = s.n ? arena_try(a, s.n) : NULL;

    if (!p)
        return SPAN_EMPTY;
    memcpy(p, s.p, s.n);
    return span_of(p, s.n);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);

    char *p = arena_try(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
