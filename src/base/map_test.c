#include "base/map.h"

#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

TEST(set_get_remove)
{
    struct map *m = map_new();
    int a, b;

    EXPECT(!map_get(m, SPAN("x")) && !map_remove(m, SPAN("x")));
    EXPECT(!map_set(m, SPAN("x"), &a));
    EXPECT(!map_set(m, SPAN_EMPTY, &b));
    EXPECT(map_get(m, SPAN("")) == &b);
    EXPECT(map_set(m, SPAN("x"), &b) == &a);
    EXPECT(!map_get(m, SPAN("X")) && !map_get(m, SPAN("x\0")));
    EXPECT_INT(map_size(m), 2);
    EXPECT(map_remove(m, SPAN("x")) == &b);
    EXPECT(!map_get(m, SPAN("x")));
    EXPECT_INT(map_size(m), 1);
    map_free(m);
    map_free(NULL);
}

TEST(keys_are_copied)
{
    struct map *m = map_new();
    char key[] = "abc";
    int v;

    map_set(m, span_cstr(key), &v);
    key[0] = 'z';
    EXPECT(map_get(m, SPAN("abc")) == &v);
    map_free(m);
}

static bool count_until_100(struct span key, void *value, void *arg)
{
    return ++*(int *)arg < 100;
}

/* Against an array as the truth, with removals that leave chains to repair. */
TEST(random_against_array)
{
    enum { KEYS = 700 };
    struct map *m = map_new();
    struct map64 *n = map64_new();
    void *truth[KEYS] = {0};
    size_t size = 0;

    for (int step = 0; step < 60000; step++) {
        uint64_t r = unit_random();
        size_t k = (r >> 8) % KEYS;
        char key[24];
        /* grow for a while, then shrink */
        bool add = (r & 7) < (step / 5000 % 2 ? 3 : 5);
        snprintf(key, sizeof key, "key-%zu", k);
        void *value = add ? &truth[r % KEYS] : NULL;
        void *old = add ? map_set(m, span_cstr(key), value) : map_remove(m, span_cstr(key));
        void *old64 = add ? map64_set(n, k * 8, value) : map64_remove(n, k * 8);
        EXPECT(old == truth[k] && old64 == truth[k]);
        size = size - (truth[k] != NULL) + (value != NULL);
        truth[k] = value;
    }
    EXPECT_INT(map_size(m), size);
    EXPECT_INT(map64_size(n), size);
    for (size_t k = 0; k < KEYS; k++) {
        char key[24];
        snprintf(key, sizeof key, "key-%zu", k);
        EXPECT(map_get(m, span_cstr(key)) == truth[k]);
        EXPECT(map64_get(n, k * 8) == truth[k]);
    }
    int seen = 0;
    if (size > 100) {
        map_each(m, count_until_100, &seen);
        EXPECT_INT(seen, 100);
    }
    map_free(m);
    map64_free(n);
}

static bool sum64(uint64_t key, void *value, void *arg)
{
    *(uint64_t *)arg += key;
    return true;
}

TEST(numbers)
{
    struct map64 *m = map64_new();
    int a, b;
    uint64_t sum = 0;

    EXPECT(!map64_get(m, 0) && !map64_remove(m, 0));
    EXPECT(!map64_set(m, 0, &a) && !map64_set(m, UINT64_MAX, &b) && !map64_set(m, 7, &b));
    EXPECT(map64_get(m, 0) == &a && map64_get(m, UINT64_MAX) == &b);
    map64_each(m, sum64, &sum);
    EXPECT(sum == 6);
    EXPECT(map64_remove(m, 0) == &a && !map64_get(m, 0));
    EXPECT_INT(map64_size(m), 2);
    map64_free(m);
    map64_free(NULL);
}
