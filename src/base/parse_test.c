#include "base/parse.h"

#include "unit/unit.h"

static bool is_lower(unsigned char c)
{
    return c >= 'a' && c <= 'z';
}

TEST(literals)
{
    struct span c = SPAN("OK ok");

    EXPECT(!parse_char(&c, 'o'));
    EXPECT(!parse_lit(&c, "ok"));
    EXPECT(!parse_lit(&c, "OK ok!"));
    EXPECT(parse_lit_nocase(&c, "ok"));
    EXPECT(parse_char(&c, ' '));
    EXPECT(!parse_lit_nocase(&c, "oka"));
    EXPECT(parse_lit(&c, "ok"));
    EXPECT(parse_end(&c));
    EXPECT(!parse_char(&c, '\0'));
    EXPECT(parse_lit(&c, ""));
}

TEST(until)
{
    struct span c = SPAN("abc)d"), got = SPAN("unset");

    EXPECT(!parse_until(&c, ')', 2, &got));
    EXPECT(!parse_until(&c, '!', 100, &got));
    EXPECT_SPAN(got, SPAN("unset"));
    EXPECT_INT(c.n, 5);
    EXPECT(parse_until(&c, ')', 3, &got));
    EXPECT_SPAN(got, SPAN("abc"));
    EXPECT(parse_until(&c, ')', SIZE_MAX, &got));
    EXPECT_SPAN(got, SPAN(""));
    EXPECT_SPAN(c, SPAN(")d"));
}

TEST(runs)
{
    struct span c = SPAN("abc1"), got = SPAN("unset");

    EXPECT(!parse_while(&c, is_lower, 4, 9, &got));
    EXPECT(!parse_while(&c, is_lower, 1, 2, &got)); /* too long is not cut */
    EXPECT_SPAN(got, SPAN("unset"));
    EXPECT(parse_while(&c, is_lower, 3, 3, &got));
    EXPECT_SPAN(got, SPAN("abc"));
    EXPECT(!parse_while(&c, is_lower, 1, 9, &got));
    EXPECT(parse_while(&c, is_lower, 0, 9, &got));
    EXPECT_SPAN(got, SPAN(""));
    EXPECT_SPAN(c, SPAN("1"));
}

TEST(numbers)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t want;
        const char *rest;
    } rows[] = {
        {"12x",                   99,         true,  12,         "x"                   },
        {"100",                   99,         false, 0,          "100"                 },
        {"99",                    99,         true,  99,         ""                    },
        {"0",                     0,          true,  0,          ""                    },
        {"1",                     0,          false, 0,          "1"                   },
        {"x",                     9,          false, 0,          "x"                   },
        {"",                      9,          false, 0,          ""                    },
        {"-1",                    9,          false, 0,          "-1"                  },
        {"00009",                 9,          true,  9,          ""                    },
        {"4294967295",            UINT32_MAX, true,  UINT32_MAX, ""                    },
        {"4294967296",            UINT32_MAX, false, 0,          "4294967296"          },
        {"18446744073709551615.", UINT64_MAX, true,  UINT64_MAX, "."                   },
        {"18446744073709551616",  UINT64_MAX, false, 0,          "18446744073709551616"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span c = span_cstr(rows[i].text);
        uint64_t v = 77;
        uint32_t w = 77;

        unit_case(rows[i].text);
        EXPECT(parse_u64(&c, rows[i].max, &v) == rows[i].ok);
        EXPECT(v == (rows[i].ok ? rows[i].want : 77));
        EXPECT_SPAN(c, span_cstr(rows[i].rest));
        if (rows[i].max > UINT32_MAX)
            continue;
        c = span_cstr(rows[i].text);
        EXPECT(parse_u32(&c, (uint32_t)rows[i].max, &w) == rows[i].ok);
        EXPECT_INT(w, rows[i].ok ? rows[i].want : 77);
        EXPECT_SPAN(c, span_cstr(rows[i].rest));
    }
    unit_case(NULL);
}

TEST(fixed_digits)
{
    struct span c = SPAN("0712:1");
    unsigned v = 77;

    EXPECT(!parse_fixed_digits(&c, 3, &v)); /* four digits are not three and one more */
    EXPECT(!parse_fixed_digits(&c, 5, &v));
    EXPECT(!parse_fixed_digits(&c, 9, &v));
    EXPECT_INT(v, 77);
    EXPECT(parse_fixed_digits(&c, 4, &v));
    EXPECT_INT(v, 712);
    EXPECT_SPAN(c, SPAN(":1"));
}

TEST(words)
{
    struct span c = SPAN(" \tab  cdef "), got = SPAN("unset");

    EXPECT(!parse_word(&c, 1, &got));
    EXPECT_INT(c.n, 11);
    EXPECT(parse_word(&c, 2, &got));
    EXPECT_SPAN(got, SPAN("ab"));
    EXPECT(parse_word(&c, 9, &got));
    EXPECT_SPAN(got, SPAN("cdef"));
    EXPECT(!parse_word(&c, 9, &got));
    EXPECT_INT(parse_blanks(&c), 1);
    EXPECT_INT(parse_blanks(&c), 0);
    EXPECT(!parse_word(&c, 9, &got));
    EXPECT_SPAN(got, SPAN("cdef"));
}
