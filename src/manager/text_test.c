#include "manager/text.h"

#include "base/check.h"
#include "unit/unit.h"

#include <locale.h>
#include <stdlib.h>

static void utf8(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
}

TEST(nothing_hidden_gets_through)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain",                    "plain"                   },
        {"\x1b[31mred",              "\\x1b[31mred"            },
        {"a\nb\r",                   "a\\nb\\x0d"              },
        {"tab\there",                "tab here"                },
        {"\x7f",                     "\\x7f"                   },
        {"\xc2\x9b"
         "31m",             "\\x9b31m"                }, /* C1 CSI */
        {"\xe2\x80\xae"
         "evil",            "\\u{202e}evil"           }, /* right-to-left override */
        {"\xe2\x81\xa6",             "\\u{2066}"               },
        {"\xe2\x80\x8b",             "\\u{200b}"               },
        {"\xef\xbb\xbf",             "\\u{feff}"               },
        {"\xf3\xa0\x81\x81",         "\\u{e0041}"              },
        {"\xff\xfe",                 "\xef\xbf\xbd\xef\xbf\xbd"}, /* not UTF-8 */
        {"J\xc3\xbcrgen",            "J\xc3\xbcrgen"           },
        {"\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(1000);
        unit_case(rows[i].out);
        text_put_safe(&b, span_cstr(rows[i].in), false);
        EXPECT_SPAN(buf_span(&b), span_cstr(rows[i].out));
    }
    unit_case(NULL);
    /* any bytes: no control ever comes out */
    for (unsigned k = 0; k < 2000; k++) {
        struct buf b BUF_AUTO = BUF(4000);
        char in[64];
        for (size_t i = 0; i < sizeof in; i++)
            in[i] = (char)unit_random();
        text_put_safe(&b, span_of(in, sizeof in), false);
        for (size_t i = 0; i < b.n; i++)
            EXPECT((unsigned char)b.p[i] >= 32 && b.p[i] != 127);
    }
}

TEST(lines_stay_where_they_are_ours)
{
    struct buf b BUF_AUTO = BUF(100);

    text_put_safe(&b, SPAN("a\nb\x1b\n"), true);
    EXPECT_SPAN(buf_span(&b), SPAN("a\nb\\x1b\n"));
}

TEST(widths)
{
    utf8();
    EXPECT_INT(text_width(SPAN("abc")), 3);
    EXPECT_INT(text_width(SPAN("J\xc3\xbcrgen")), 6);
    EXPECT_INT(text_width(SPAN("\xe6\x97\xa5\xe6\x9c\xac")), 4);
    EXPECT_INT(text_width(SPAN("e\xcc\x81")), 1); /* a combining accent */
    EXPECT_INT(text_width(SPAN_EMPTY), 0);
}

TEST(cutting)
{
    static const struct {
        const char *in;
        unsigned cells, used;
        const char *out;
    } rows[] = {
        {"abcdef",                               6, 6, "abcdef"                              },
        {"abcdef",                               5, 5, "abcd\xe2\x80\xa6"                    },
        {"abcdef",                               1, 1, "\xe2\x80\xa6"                        },
        {"abcdef",                               0, 0, ""                                    },
        {"",                                     5, 0, ""                                    },
 /* half of a wide character is none */
        {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5, 5, "\xe6\x97\xa5\xe6\x9c\xac\xe2\x80\xa6"},
        {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, 3, "\xe6\x97\xa5\xe2\x80\xa6"            },
    };

    utf8();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(1000);
        unit_case(rows[i].in);
        EXPECT_INT(text_put_cut(&b, span_cstr(rows[i].in), rows[i].cells), rows[i].used);
        EXPECT_SPAN(buf_span(&b), span_cstr(rows[i].out));
    }
    unit_case(NULL);
}

TEST(wrapping)
{
    static const struct {
        const char *in;
        unsigned cells;
        size_t n, skip;
    } rows[] = {
        {"one two three", 20, 13, 0},
        {"one two three", 7,  7,  1},
        {"one two three", 8,  7,  1},
        {"one two three", 6,  3,  1},
        {"onetwothree",   5,  5,  0},
        {"one   two",     4,  3,  3},
        {" x",            1,  1,  0},
        {"",              5,  0,  0},
        {"\xe6\x97\xa5",  1,  3,  0},
    };

    utf8();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t skip;
        unit_case(rows[i].in);
        EXPECT_INT(text_wrap(span_cstr(rows[i].in), rows[i].cells, &skip), rows[i].n);
        EXPECT_INT(skip, rows[i].skip);
    }
    unit_case(NULL);
    /* it always comes to an end */
    for (unsigned k = 0; k < 2000; k++) {
        char in[40];
        for (size_t i = 0; i < sizeof in; i++)
            in[i] = "ab  c\xc3\xa9\xe6"[unit_random() % 8];
        struct span rest = span_of(in, sizeof in);
        unsigned lines = 0, cells = 1 + (unsigned)(unit_random() % 9);
        while (rest.n > 0 && lines++ < 100) {
            size_t skip, n = text_wrap(rest, cells, &skip);
            rest = span_skip(rest, n + skip);
        }
        EXPECT_INT(rest.n, 0);
    }
}
