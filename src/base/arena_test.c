#include "base/arena.h"

#include "unit/unit.h"

TEST(zeroed_and_aligned)
{
    struct arena *a = arena_new(1 << 20);

    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 3000; n += 37) {
            char *p = arena_alloc(a, n);
            REQUIRE(p);
            EXPECT_INT((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < n; i++)
                if (p[i])
                    unit_fail(__FILE__, __LINE__, "byte %zu of %zu is not zero", i, n);
            memset(p, 0xaa, n);
        }
        arena_reset(a);
        EXPECT_INT(arena_used(a), 0);
    }
    arena_free(a);
    arena_free(NULL);
}

TEST(limit)
{
    struct arena *a = arena_new(64);

    EXPECT(arena_try(a, 48));
    EXPECT(!arena_try(a, 17));
    EXPECT(!arena_try(a, SIZE_MAX));
    EXPECT(!arena_try(a, SIZE_MAX - 8));
    EXPECT(arena_try(a, 16));
    EXPECT(!arena_try(a, 1));
    EXPECT(!arena_dup(a, SPAN("x")));
    EXPECT(!arena_span(a, SPAN("x")).p);
    EXPECT(!arena_printf(a, "%d", 5));
    EXPECT_INT(arena_used(a), 64);
    arena_reset(a);
    EXPECT(arena_try(a, 64));
    arena_free(a);
}

TEST(arrays)
{
    struct arena *a = arena_new(1 << 16);
    uint64_t *v = ARENA_ARRAY(a, uint64_t, 10);

    REQUIRE(v);
    v[9] = 1;
    EXPECT(!ARENA_ARRAY(a, uint64_t, SIZE_MAX / 8 + 2)); /* 8 bytes if it wrapped */
    arena_free(a);
}

TEST(copies)
{
    struct arena *a = arena_new(1000);
    struct span s = arena_span(a, SPAN("abc"));

    EXPECT_SPAN(s, SPAN("abc"));
    EXPECT(!arena_span(a, SPAN("")).p);
    EXPECT_STR(arena_dup(a, SPAN("abc")), "abc");
    EXPECT_STR(arena_dup(a, SPAN_EMPTY), "");
    EXPECT_STR(arena_printf(a, "%s-%d", "x", 5), "x-5");
    arena_free(a);
}
