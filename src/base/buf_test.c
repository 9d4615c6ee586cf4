#include "base/buf.h"

#include "unit/unit.h"

TEST(grows_to_its_limit)
{
    BUF_AUTO struct buf b = BUF(10);

    EXPECT(buf_put_cstr(&b, "12345"));
    EXPECT(buf_put_span(&b, SPAN("67890")));
    EXPECT_SPAN(buf_span(&b), SPAN("1234567890"));
    EXPECT(!buf_putc(&b, 'x'));
    EXPECT(b.overflow);
    EXPECT_INT(b.n, 10);
    /* sticky: a smaller piece that would fit is not taken either */
    buf_truncate(&b, 3);
    EXPECT(!buf_putc(&b, 'x'));
    EXPECT(!buf_printf(&b, "x"));
    EXPECT(!buf_reserve(&b, 1));
    EXPECT_SPAN(buf_span(&b), SPAN("123"));
    buf_clear(&b);
    EXPECT(!b.overflow && buf_putc(&b, 'x'));
    EXPECT_STR(buf_cstr(&b), "x");
}

TEST(all_or_nothing)
{
    BUF_AUTO struct buf b = BUF(4);

    EXPECT(!buf_put_cstr(&b, "12345"));
    EXPECT_INT(b.n, 0);
    buf_clear(&b);
    EXPECT(!buf_put(&b, "", SIZE_MAX));
    buf_clear(&b);
    EXPECT(buf_put_cstr(&b, "12") && !buf_put(&b, "", SIZE_MAX - 1));
    EXPECT_SPAN(buf_span(&b), SPAN("12"));
}

TEST(numbers)
{
    BUF_AUTO struct buf b = BUF(100);

    EXPECT(buf_put_u64(&b, 0) && buf_putc(&b, ' ') && buf_put_u64(&b, UINT64_MAX) &&
           buf_putc(&b, ' ') && buf_put_u64(&b, 1000));
    EXPECT_STR(buf_cstr(&b), "0 18446744073709551615 1000");
}

TEST(printf_at_every_length)
{
    /* at every room left: none, too little, just enough, with and without the place for the NUL */
    for (size_t max = 0; max < 200; max++) {
        BUF_AUTO struct buf b = BUF(max);
        size_t n = 0;
        while (buf_printf(&b, "%s", "abcdefg"))
            n += 7;
        EXPECT_INT(b.n, n);
        EXPECT_INT(n, max / 7 * 7);
        EXPECT(b.overflow);
        for (size_t i = 0; i < n; i++)
            EXPECT(b.p[i] == "abcdefg"[i % 7]);
    }
}

TEST(cstr_at_the_limit)
{
    for (size_t max = 0; max < 130; max++) {
        BUF_AUTO struct buf b = BUF(max);
        for (size_t i = 0; i < max; i++)
            EXPECT(buf_putc(&b, 'a'));
        EXPECT_INT(strlen(buf_cstr(&b)), max);
        EXPECT_INT(b.n, max);
    }
}

TEST(reserve_and_commit)
{
    BUF_AUTO struct buf b = BUF(100);
    char *at = buf_reserve(&b, 100);

    REQUIRE(at);
    memcpy(at, "abc", 3);
    EXPECT_INT(b.n, 0);
    buf_commit(&b, 3);
    EXPECT_SPAN(buf_span(&b), SPAN("abc"));
    EXPECT(buf_reserve(&b, 0));
    EXPECT(buf_reserve(&b, 97));
    EXPECT(!buf_reserve(&b, 98) && b.overflow);
}

TEST(consume_truncate_shrink)
{
    BUF_AUTO struct buf b = BUF(100);

    buf_put_cstr(&b, "abcdef");
    buf_consume(&b, 2);
    EXPECT_SPAN(buf_span(&b), SPAN("cdef"));
    buf_consume(&b, 0);
    buf_truncate(&b, 9);
    EXPECT_SPAN(buf_span(&b), SPAN("cdef"));
    buf_shrink(&b);
    EXPECT_SPAN(buf_span(&b), SPAN("cdef"));
    buf_truncate(&b, 1);
    buf_consume(&b, 1);
    EXPECT(b.n == 0 && b.p);
    buf_shrink(&b);
    EXPECT(!b.p && b.cap == 0);
    EXPECT(buf_putc(&b, 'x'));
    buf_done(&b);
    EXPECT(!b.p && b.max == 100);
    buf_done(NULL);
}
