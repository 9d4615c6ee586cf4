#include "base/random.h"

#include "unit/unit.h"

TEST(bytes)
{
    unsigned char seen[256] = {0}, raw[16384];
    int distinct = 0;

    random_bytes(raw, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++)
        distinct += !seen[raw[i]]++;
    EXPECT_INT(distinct, 256); /* fails once in 10^25 */
    EXPECT(random_u64() != random_u64());
    random_bytes(NULL, 0);
}

TEST(below)
{
    int seen[7] = {0};

    for (int i = 0; i < 7000; i++) {
        uint64_t v = random_below(7);
        REQUIRE(v < 7);
        seen[v]++;
    }
    for (int i = 0; i < 7; i++)
        EXPECT(seen[i] > 700 && seen[i] < 1300); /* 10 standard deviations */
    EXPECT_INT(random_below(1), 0);
    EXPECT(random_below(UINT64_MAX) < UINT64_MAX);
}

TEST(token)
{
    BUF_AUTO struct buf a = BUF(100), b = BUF(100), small = BUF(9);

    random_token(&a, 100);
    random_token(&b, 100);
    EXPECT_INT(a.n, 100);
    EXPECT(!span_eq(buf_span(&a), buf_span(&b)));
    for (size_t i = 0; i < a.n; i++)
        EXPECT(ascii_is_digit(a.p[i]) || (a.p[i] >= 'a' && a.p[i] <= 'z'));
    random_token(&small, 10);
    EXPECT(small.overflow && small.n == 0);
}

TEST(secrets)
{
    char text[4] = "abc";

    EXPECT(secret_eq("abc", "abc", 3));
    EXPECT(!secret_eq("abc", "abd", 3));
    EXPECT(!secret_eq("abc", "Abc", 3));
    EXPECT(secret_eq("abc", "abd", 2));
    EXPECT(secret_eq(NULL, NULL, 0));
    secret_wipe(text, 3);
    EXPECT(memcmp(text, "\0\0\0", 4) == 0);
    secret_wipe(NULL, 0);
}
