#include "base/check.h"
#include "nntp/wildmat.h"
#include "unit/unit.h"

TEST(match)
{
    static const struct {
        const char *wildmat, *name;
        bool want;
    } rows[] = {
        {"*",          "a.b",        true },
        {"a.b",        "a.b",        true },
        {"a.b",        "a.bc",       false},
        {"a.?",        "a.b",        true },
        {"a.?",        "a.bc",       false},
        {"a.?",        "a.\xc3\xbc", true }, /* one character, two bytes */
        {"*.c",        "a.b.c",      true },
        {"a*b*c",      "aXbYbZc",    true },
        {"a*b*c",      "aXbYbZd",    false},
        {"*,!a.*",     "a.b",        false},
        {"*,!a.*",     "b.a",        true },
        {"*,!a.*,a.b", "a.b",        true }, /* the rightmost match decides */
        {"!a.b",       "a.b",        false},
        {"",           "a",          false},
        {"**",         "",           true },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].wildmat);
        EXPECT_INT(wildmat_match(span_cstr(rows[i].wildmat), span_cstr(rows[i].name)),
                   rows[i].want);
    }
}

TEST(valid)
{
    static const struct {
        const char *wildmat;
        bool want;
    } rows[] = {
        {"*",        true },
        {"a,b",      true },
        {"a,!b",     true },
        {"",         false},
        {",",        false},
        {"a,",       false},
        {",a",       false},
        {"!",        false},
        {"!!a",      false},
        {"a!b",      false},
        {"[a]",      false},
        {"a b",      false},
        {"a\\b",     false},
        {"\xff",     false},
        {"\xc3\xbc", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].wildmat);
        EXPECT_INT(wildmat_valid(span_cstr(rows[i].wildmat)), rows[i].want);
    }
}

/* The worst pattern must not take exponential time. */
TEST(no_blowup)
{
    char pattern[201], name[501];
    for (size_t i = 0; i < 200; i++)
        pattern[i] = i % 2 ? '*' : 'a';
    memset(name, 'a', 500);
    name[499] = 'b';
    EXPECT(!wildmat_match(span_of(pattern, 199), span_of(name, 500)));
    EXPECT(wildmat_match(span_of(pattern, 200), span_of(name, 500)));
}
