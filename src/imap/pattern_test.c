#include "imap/pattern.h"

#include "base/check.h"
#include "unit/unit.h"

TEST(table)
{
    static const struct {
        const char *pattern, *name;
        bool want;
    } rows[] = {
        {"*",        "a/b/c",              true },
        {"%",        "a",                  true },
        {"%",        "a/b",                false},
        {"%/%",      "a/b",                true },
        {"%/%",      "a/b/c",              false},
        {"a/*",      "a/b/c",              true },
        {"a/*",      "a",                  false},
        {"a*",       "a",                  true },
        {"*c",       "a/b/c",              true },
        {"%c",       "a/b/c",              false},
        {"*%c",      "a/b/c",              true },
        {"a%/b",     "ax/b",               true },
        {"a%/b",     "a/x/b",              false},
        {"*a%b",     "a/ab",               true },
        {"",         "",                   true },
        {"",         "a",                  false},
        {"*",        "",                   true },
        {"inbox",    "INBOX",              true },
        {"InBoX/%",  "INBOX/a",            true },
        {"inb%",     "INBOX",              true },
        {"inbox",    "INBOXES",            false},
        {"INBOXES",  "INBOXES",            true },
        {"a",        "A",                  false},
        {"INBOX/A",  "INBOX/a",            false},
        {"x/inbox",  "x/INBOX",            false},
        {"Public/%", "Public/comp.lang.c", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].pattern);
        EXPECT_INT(pattern_match(span_cstr(rows[i].pattern), span_cstr(rows[i].name)),
                   rows[i].want);
    }
    unit_case(NULL);
}

/* The definition itself, slow. */
static bool slow_match(struct span p, struct span s)
{
    if (p.n == 0)
        return s.n == 0;
    if (p.p[0] == '*' || p.p[0] == '%') {
        for (size_t i = 0;; i++) {
            if (slow_match(span_skip(p, 1), span_skip(s, i)))
                return true;
            if (i == s.n || (p.p[0] == '%' && s.p[i] == '/'))
                return false;
        }
    }
    return s.n && p.p[0] == s.p[0] && slow_match(span_skip(p, 1), span_skip(s, 1));
}

TEST(against_definition)
{
    static const char pattern_letters[] = "ab/*%", name_letters[] = "ab/";

    for (unsigned i = 0; i < 200000; i++) {
        char p[8], s[10];
        size_t np = unit_random() % sizeof p, ns = unit_random() % sizeof s;
        for (size_t k = 0; k < np; k++)
            p[k] = pattern_letters[unit_random() % 5];
        for (size_t k = 0; k < ns; k++)
            s[k] = name_letters[unit_random() % 3];
        struct span ps = span_of(p, np), ss = span_of(s, ns);
        if (pattern_match(ps, ss) != slow_match(ps, ss)) {
            unit_fail(__FILE__, __LINE__, "pattern %.*s name %.*s", SPAN_ARG(ps), SPAN_ARG(ss));
            return;
        }
    }
}
