/*
 * unit.h: the frame of all unit tests. A test file is a row of TEST(name) { ... } blocks; main is in unit.c.
 * A failed EXPECT prints file:line, what was wanted and what came, and the test goes on; REQUIRE ends it.
 */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef void (*unit_fn)(void);
void unit_register(const char *name, unit_fn fn);
void unit_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool unit_expect_int(const char *file, int line, const char *expr, int64_t got, int64_t want);
bool unit_expect_span(const char *file, int line, const char *expr, struct span got,
                      struct span want);
/* A reproducible random number; the seed is printed on failure and taken from UNIT_SEED. */
uint64_t unit_random(void);
/* The case being run, shown with each failure (for tables of inputs). NULL clears it. */
void unit_case(const char *name);

#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        unit_register(#name, test_##name);                                                         \
    }                                                                                              \
    static void test_##name(void)

#define EXPECT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            unit_fail(__FILE__, __LINE__, "%s", #cond);                                            \
    } while (0)
#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            unit_fail(__FILE__, __LINE__, "%s", #cond);                                            \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define EXPECT_INT(got, want)                                                                      \
    unit_expect_int(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
#define EXPECT_SPAN(got, want) unit_expect_span(__FILE__, __LINE__, #got, (got), (want))
#define EXPECT_STR(got, want)                                                                      \
    unit_expect_span(__FILE__, __LINE__, #got, span_cstr(got), span_cstr(want))

#endif
