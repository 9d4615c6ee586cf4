#include "base/span.h"

#include "unit/unit.h"

#include <stdlib.h>

static const struct span empty = SPAN_EMPTY;

TEST(equal)
{
    static const struct {
        const char *a, *b;
        bool eq, eq_nocase;
    } rows[] = {
        {"",     "",     true,  true },
        {"a",    "a",    true,  true },
        {"a",    "A",    false, true },
        {"a",    "b",    false, false},
        {"ab",   "a",    false, false},
        {"@",    "`",    false, false},
        {"[",    "{",    false, false},
        {"AbZz", "aBzZ", false, true },
        {"\xc4", "\xe4", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span a = span_cstr(rows[i].a), b = span_cstr(rows[i].b);
        unit_case(rows[i].a);
        EXPECT(span_eq(a, b) == rows[i].eq);
        EXPECT(span_eq_nocase(a, b) == rows[i].eq_nocase);
        EXPECT(span_is(a, rows[i].b) == rows[i].eq_nocase);
        EXPECT(span_eq_cstr(a, rows[i].b) == rows[i].eq);
        EXPECT((span_cmp(a, b) == 0) == rows[i].eq);
        EXPECT((span_cmp_nocase(a, b) == 0) == rows[i].eq_nocase);
    }
    unit_case(NULL);
    EXPECT(span_eq(empty, SPAN("")));
    EXPECT(!span_eq(empty, SPAN("x")));
}

TEST(order)
{
    EXPECT(span_cmp(SPAN("a"), SPAN("ab")) < 0);
    EXPECT(span_cmp(SPAN("b"), SPAN("ab")) > 0);
    EXPECT(span_cmp(empty, SPAN("a")) < 0);
    EXPECT(span_cmp(SPAN("\xff"), SPAN("a")) > 0);
    EXPECT(span_cmp_nocase(SPAN("B"), SPAN("a")) > 0);
    EXPECT(span_cmp_nocase(SPAN("\xff"), SPAN("a")) > 0);
    EXPECT(span_cmp_nocase(SPAN("A"), SPAN("ab")) < 0);
}

TEST(ends)
{
    EXPECT(span_starts(SPAN("abc"), SPAN("ab")));
    EXPECT(span_starts(SPAN("abc"), empty));
    EXPECT(!span_starts(SPAN("abc"), SPAN("Ab")));
    EXPECT(!span_starts(SPAN("a"), SPAN("ab")));
    EXPECT(span_starts_nocase(SPAN("abc"), SPAN("AB")));
    EXPECT(!span_starts_nocase(SPAN("abc"), SPAN("bc")));
    EXPECT(span_ends_nocase(SPAN("mail.Example.ORG"), SPAN(".org")));
    EXPECT(!span_ends_nocase(SPAN("org"), SPAN(".org")));
}

TEST(find)
{
    struct span s = SPAN("a\0b,c,d");
    EXPECT_INT(span_find(s, ','), 3);
    EXPECT_INT(span_rfind(s, ','), 5);
    EXPECT_INT(span_find(s, '\0'), 1);
    EXPECT(span_find(s, 'x') == SPAN_NONE);
    EXPECT(span_find(empty, 'x') == SPAN_NONE);
    EXPECT(span_rfind(empty, 'x') == SPAN_NONE);
    EXPECT_INT(span_find_span(s, SPAN("c,d")), 4);
    EXPECT_INT(span_find_span(s, empty), 0);
    EXPECT(span_find_span(s, SPAN("c,e")) == SPAN_NONE);
    EXPECT(span_find_span(empty, SPAN("c")) == SPAN_NONE);
    EXPECT(span_has(s, 'd') && !span_has(s, 'e'));
}

TEST(cut)
{
    struct span s = SPAN("abcdef");
    EXPECT_SPAN(span_skip(s, 2), SPAN("cdef"));
    EXPECT_SPAN(span_skip(s, 9), empty);
    EXPECT_SPAN(span_head(s, 2), SPAN("ab"));
    EXPECT_SPAN(span_head(s, 9), s);
    EXPECT_SPAN(span_sub(s, 1, 2), SPAN("bc"));
    EXPECT_SPAN(span_sub(s, 5, 9), SPAN("f"));
    EXPECT_SPAN(span_sub(s, 9, 9), empty);
    EXPECT_SPAN(span_sub(s, 1, SIZE_MAX), SPAN("bcdef"));
    EXPECT_SPAN(span_skip(empty, 3), empty);
    EXPECT_SPAN(span_trim(SPAN(" \t\r\n a b\r\n ")), SPAN("a b"));
    EXPECT_SPAN(span_trim(SPAN(" \n")), empty);
    EXPECT_SPAN(span_chomp(SPAN("a\r\n")), SPAN("a"));
    EXPECT_SPAN(span_chomp(SPAN("a\n\n")), SPAN("a\n"));
    EXPECT_SPAN(span_chomp(SPAN("a\r")), SPAN("a\r"));
    EXPECT_SPAN(span_chomp(SPAN("\r\n")), empty);
}

TEST(to_number)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t want;
    } rows[] = {
        {"0",                       UINT64_MAX, true,  0         },
        {"007",                     7,          true,  7         },
        {"8",                       7,          false, 0         },
        {"",                        7,          false, 0         },
        {"-1",                      7,          false, 0         },
        {"1 ",                      7,          false, 0         },
        {"18446744073709551615",    UINT64_MAX, true,  UINT64_MAX},
        {"18446744073709551616",    UINT64_MAX, false, 0         },
        {"28446744073709551610",    UINT64_MAX, false, 0         },
        {"99999999999999999999999", UINT64_MAX, false, 0         },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t v = 77;
        unit_case(rows[i].text);
        EXPECT(span_to_u64(span_cstr(rows[i].text), rows[i].max, &v) == rows[i].ok);
        EXPECT(v == (rows[i].ok ? rows[i].want : 77));
    }
    unit_case(NULL);
}

TEST(to_cstr)
{
    char text[4] = "zzz";
    EXPECT(span_to_cstr(SPAN("abc"), text, sizeof text));
    EXPECT_STR(text, "abc");
    EXPECT(!span_to_cstr(SPAN("abcd"), text, sizeof text));
    EXPECT_STR(text, "");
    EXPECT(!span_to_cstr(SPAN("a\0b"), text, sizeof text));
    EXPECT_STR(text, "");
    EXPECT(span_to_cstr(empty, text, 1));

    char *copy = span_dup(SPAN("ab"));
    EXPECT_STR(copy, "ab");
    free(copy);
    copy = span_dup(empty);
    EXPECT_STR(copy, "");
    free(copy);
}

TEST(split)
{
    struct span s = SPAN("a,,b,"), head;
    EXPECT(span_split(&s, ',', &head));
    EXPECT_SPAN(head, SPAN("a"));
    EXPECT(span_split(&s, ',', &head));
    EXPECT_SPAN(head, SPAN(""));
    EXPECT(span_split(&s, ',', &head));
    EXPECT_SPAN(head, SPAN("b"));
    EXPECT(!span_split(&s, ',', &head));
    s = SPAN("whole");
    EXPECT(span_split(&s, ',', &head));
    EXPECT_SPAN(head, SPAN("whole"));
    EXPECT_INT(s.n, 0);
}

TEST(letters)
{
    EXPECT(ascii_lower('A') == 'a' && ascii_lower('Z') == 'z' && ascii_lower('@') == '@');
    EXPECT(ascii_lower('[') == '[' && ascii_upper('{') == '{' && ascii_upper('`') == '`');
    EXPECT(ascii_upper('a') == 'A' && ascii_upper('z') == 'Z');
    EXPECT(ascii_lower('\xc4') == '\xc4');
    EXPECT(ascii_is_digit('0') && ascii_is_digit('9') && !ascii_is_digit('/') &&
           !ascii_is_digit(':'));
    EXPECT(ascii_is_alpha('a') && ascii_is_alpha('Z') && !ascii_is_alpha('_') &&
           !ascii_is_alpha('\xe4'));
}
