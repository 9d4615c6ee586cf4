#include "unit/unit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { UNIT_MAX = 512 };
static struct {
    const char *name;
    unit_fn fn;
} units[UNIT_MAX];
static size_t unit_count;
static const char *current, *current_case;
static int failures;
static uint64_t seed, state;

void unit_register(const char *name, unit_fn fn)
{
    if (unit_count == UNIT_MAX)
        abort();
    units[unit_count].name = name;
    units[unit_count++].fn = fn;
}

void unit_case(const char *name)
{
    current_case = name;
}

void unit_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    failures++;
    fprintf(stderr, "%s:%d: %s%s%s: ", file, line, current, current_case ? " / " : "",
            current_case ? current_case : "");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "  [UNIT_SEED=%" PRIu64 "]\n", seed);
}

bool unit_expect_int(const char *file, int line, const char *expr, int64_t got, int64_t want)
{
    if (got == want)
        return true;
    unit_fail(file, line, "%s is %" PRId64 ", wanted %" PRId64, expr, got, want);
    return false;
}

bool unit_expect_span(const char *file, int line, const char *expr, struct span got,
                      struct span want)
{
    if (span_eq(got, want))
        return true;
    unit_fail(file, line, "%s is\n<%.*s>, wanted\n<%.*s>", expr, SPAN_ARG(got), SPAN_ARG(want));
    return false;
}

uint64_t unit_random(void)
{
    /* xorshift64*: repeatable from the printed seed */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(2685821657736338717);
}

int main(int argc, char **argv)
{
    const char *env = getenv("UNIT_SEED");
    const char *only = argc > 1 ? argv[1] : NULL;
    size_t ran = 0;

    seed = env ? strtoull(env, NULL, 10) : (uint64_t)time(NULL) | 1;
    for (size_t i = 0; i < unit_count; i++) {
        if (only && strcmp(only, units[i].name) != 0)
            continue;
        current = units[i].name;
        current_case = NULL;
        state = seed;
        units[i].fn();
        ran++;
    }
    if (ran == 0) {
        fprintf(stderr, "no test ran\n");
        return 1;
    }
    printf("%zu tests, %d failures\n", ran, failures);
    return failures != 0;
}
