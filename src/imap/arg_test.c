#include "imap/arg.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdlib.h>

typedef bool (*string_fn)(struct span *c, struct arena *a, size_t max, struct span *ret);

/* {name, input, ok, value, rest} */
struct row {
    const char *name;
    struct span in;
    bool ok;
    struct span want, rest;
};

static void run_rows(const struct row *rows, size_t n, string_fn fn, size_t max)
{
    struct arena *a = arena_new(64 << 10);

    for (size_t i = 0; i < n; i++) {
        /* a copy of exact size, so that reading past the end is seen */
        char *copy = span_dup(rows[i].in);
        struct span c = span_of(copy, rows[i].in.n), before = c, got = SPAN("untouched");
        unit_case(rows[i].name);
        EXPECT_INT(fn(&c, a, max, &got), rows[i].ok);
        if (rows[i].ok) {
            EXPECT_SPAN(got, rows[i].want);
            EXPECT_SPAN(c, rows[i].rest);
        } else {
            EXPECT(c.p == before.p && c.n == before.n);
            EXPECT_SPAN(got, SPAN("untouched"));
        }
        /* every cut of a valid text either fails or leaves a prefix */
        for (size_t cut = 0; cut < before.n; cut++) {
            struct span part = span_head(before, cut);
            fn(&part, a, max, &got);
            EXPECT(part.n <= cut);
        }
        arena_reset(a);
        free(copy);
    }
    unit_case(NULL);
    arena_free(a);
}

TEST(astring)
{
    static const struct row rows[] = {
        {"atom",                SPAN("INBOX x"),                       true,  SPAN("INBOX"),              SPAN(" x")},
        {"resp-special",        SPAN("a]b)"),                          true,  SPAN("a]b"),                SPAN(")") },
        {"plus and braces",     SPAN("a}+ "),                          true,  SPAN("a}+"),                SPAN(" ") },
        {"quoted",              SPAN("\"a b\" c"),                     true,  SPAN("a b"),                SPAN(" c")},
        {"empty quoted",        SPAN("\"\""),                          true,  SPAN(""),                   SPAN("")  },
        {"pairs",               SPAN("\"a\\\"b\\\\\""),                true,  SPAN("a\"b\\"),             SPAN("")  },
        {"UTF-8 quoted",        SPAN("\"gr\xc3\xbc\xc3\x9f\""),        true,  SPAN("gr\xc3\xbc\xc3\x9f"),
         SPAN("")                                                                                                   },
        {"literal",             SPAN("{3}\r\na\r\nb"),                 true,  SPAN("a\r\n"),              SPAN("b") },
        {"literal plus",        SPAN("{3+}\r\nabc d"),                 true,  SPAN("abc"),                SPAN(" d")},
        {"empty literal",       SPAN("{0}\r\n"),                       true,  SPAN(""),                   SPAN("")  },
        {"wrong pair",          SPAN("\"a\\b\""),                      false, SPAN(""),                   SPAN("")  },
        {"not closed",          SPAN("\"abc"),                         false, SPAN(""),                   SPAN("")  },
        {"closed by a pair",    SPAN("\"abc\\\""),                     false, SPAN(""),                   SPAN("")  },
        {"CR in quoted",        SPAN("\"a\rb\""),                      false, SPAN(""),                   SPAN("")  },
        {"NUL in quoted",       SPAN("\"a\0b\""),                      false, SPAN(""),                   SPAN("")  },
        {"NUL in literal",      SPAN("{3}\r\na\0b"),                   false, SPAN(""),                   SPAN("")  },
        {"literal too short",   SPAN("{4}\r\nabc"),                    false, SPAN(""),                   SPAN("")  },
        {"literal without LF",  SPAN("{3}abc"),                        false, SPAN(""),                   SPAN("")  },
        {"huge literal",        SPAN("{18446744073709551616}\r\n"),    false, SPAN(""),                   SPAN("")  },
        {"over the limit",      SPAN("{21}\r\n123456789012345678901"), false, SPAN(""),                   SPAN("")  },
        {"atom over the limit", SPAN("123456789012345678901"),         false, SPAN(""),                   SPAN("")  },
        {"8-bit atom",          SPAN("\xc3\xbc"),                      false, SPAN(""),                   SPAN("")  },
        {"wildcard",            SPAN("%"),                             false, SPAN(""),                   SPAN("")  },
        {"nothing",             SPAN(""),                              false, SPAN(""),                   SPAN("")  },
    };
    run_rows(rows, ARRAY_LEN(rows), arg_astring, 20);
}

TEST(list_mailbox)
{
    static const struct row rows[] = {
        {"wildcards", SPAN("a%*] x"),  true,  SPAN("a%*]"), SPAN(" x")},
        {"quoted",    SPAN("\"% *\""), true,  SPAN("% *"),  SPAN("")  },
        {"group",     SPAN("(a)"),     false, SPAN(""),     SPAN("")  },
    };
    run_rows(rows, ARRAY_LEN(rows), arg_list_mailbox, 20);
}

TEST(nstring)
{
    static const struct row rows[] = {
        {"nil",    SPAN("nil)"),  true,  SPAN(""),  SPAN(")")},
        {"quoted", SPAN("\"x\""), true,  SPAN("x"), SPAN("") },
        {"atom",   SPAN("x"),     false, SPAN(""),  SPAN("") },
        {"nilly",  SPAN("NILL"),  false, SPAN(""),  SPAN("") },
    };
    run_rows(rows, ARRAY_LEN(rows), arg_nstring, 20);
}

TEST(flags)
{
    static const struct {
        const char *in;
        bool ok;
        uint64_t system;
        size_t keywords;
        const char *rest;
    } rows[] = {
        {"()",                           true,  0,                              0, "" },
        {"(\\Seen \\dELETED)x",          true,  STORE_SEEN | STORE_DELETED,     0, "x"},
        {"(\\Draft $Forwarded NonJunk)", true,  STORE_DRAFT,                    2, "" },
        {"($a $A $a)",                   true,  0,                              1, "" },
        {"\\Flagged \\Answered",         true,  STORE_FLAGGED | STORE_ANSWERED, 0, "" },
        {"\\Recent",                     false, 0,                              0, "" },
        {"(\\Unknown)",                  false, 0,                              0, "" },
        {"(\\Seen",                      false, 0,                              0, "" },
        {"(\\Seen )",                    false, 0,                              0, "" },
        {"(\\)",                         false, 0,                              0, "" },
        {"",                             false, 0,                              0, "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arg_flags f = {0};
        struct span c = span_cstr(rows[i].in);
        unit_case(rows[i].in);
        EXPECT_INT(arg_store_flags(&c, &f), rows[i].ok);
        if (rows[i].ok) {
            EXPECT_INT(f.system, rows[i].system);
            EXPECT_INT(f.keyword_count, rows[i].keywords);
            EXPECT_STR(rows[i].rest, rows[i].rest);
            EXPECT_SPAN(c, span_cstr(rows[i].rest));
        }
    }
    unit_case(NULL);
}

TEST(flags_limit)
{
    struct buf b BUF_AUTO = BUF(4096);
    struct arg_flags f = {0}, g = {0};

    buf_putc(&b, '(');
    for (unsigned i = 0; i < STORE_KEYWORDS_MAX; i++)
        buf_printf(&b, "%sk%u", i ? " " : "", i);
    struct span c = buf_span(&b);
    buf_putc(&b, ')');
    c = buf_span(&b);
    EXPECT(arg_flag_list(&c, &f));
    EXPECT_INT(f.keyword_count, STORE_KEYWORDS_MAX);
    EXPECT(!f.too_many);
    buf_truncate(&b, b.n - 1);
    buf_put_cstr(&b, " more)");
    c = buf_span(&b);
    EXPECT(arg_flag_list(&c, &g));
    EXPECT(g.too_many);
    EXPECT_INT(g.keyword_count, STORE_KEYWORDS_MAX);
    EXPECT_SPAN(c, SPAN_EMPTY);
}

TEST(announcement)
{
    static const struct {
        const char *in;
        bool ok, binary;
        uint64_t n;
    } rows[] = {
        {"{12}",      true,  false, 12},
        {"{12+}",     true,  false, 12},
        {"~{0+}\r\n", true,  true,  0 },
        {"{}",        false, false, 0 },
        {"{1",        false, false, 0 },
        {"{1-}",      false, false, 0 },
        {"~",         false, false, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span c = span_cstr(rows[i].in);
        uint64_t n = 0;
        bool binary = false;
        unit_case(rows[i].in);
        EXPECT_INT(arg_announcement(&c, &n, &binary), rows[i].ok);
        EXPECT_INT(n, rows[i].n);
        EXPECT_INT(binary, rows[i].binary);
        if (rows[i].ok)
            EXPECT(parse_end(&c));
    }
    unit_case(NULL);
}

TEST(dates)
{
    struct span c = SPAN("\"17-Jul-1996 02:44:25 -0700\" {3}");
    struct date d;
    int64_t day;

    EXPECT(arg_date_time(&c, &d));
    EXPECT_INT(d.seconds, 837596665);
    EXPECT_INT(d.zone_minutes, -420);
    EXPECT_SPAN(c, SPAN(" {3}"));
    c = SPAN("\"17-Jul-1996\"");
    EXPECT(!arg_date_time(&c, &d));
    c = SPAN("2-Jan-1970 x");
    EXPECT(arg_day(&c, &day));
    EXPECT_INT(day, 1);
    EXPECT_SPAN(c, SPAN(" x"));
    c = SPAN("\"1-Feb-1970\")");
    EXPECT(arg_day(&c, &day));
    EXPECT_INT(day, 31);
    c = SPAN("\"1-Feb-1970");
    EXPECT(!arg_day(&c, &day));
    c = SPAN("32-Feb-1970");
    EXPECT(!arg_day(&c, &day));
}

TEST(set_text)
{
    struct span c = SPAN("1:3,*,7:* x"), got;

    EXPECT(arg_set(&c, &got));
    EXPECT_SPAN(got, SPAN("1:3,*,7:*"));
    c = SPAN("$ x");
    EXPECT(arg_set(&c, &got));
    EXPECT_SPAN(got, SPAN("$"));
    EXPECT_SPAN(c, SPAN(" x"));
    c = SPAN("x");
    EXPECT(!arg_set(&c, &got));
}

TEST(printing)
{
    static const struct {
        struct span in;
        const char *want;
    } rows[] = {
        {SPAN("INBOX"),    "INBOX"          },
        {SPAN("a b"),      "\"a b\""        },
        {SPAN(""),         "\"\""           },
        {SPAN("nil"),      "\"nil\""        },
        {SPAN("a\"b\\c"),  "\"a\\\"b\\\\c\""},
        {SPAN("a%"),       "\"a%\""         },
        {SPAN("\xc3\xbc"), "\"\xc3\xbc\""   },
        {SPAN("a]"),       "\"a]\""         },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(100);
        struct arena *a = arena_new(4096);
        EXPECT(print_astring(&b, rows[i].in));
        EXPECT_SPAN(buf_span(&b), span_cstr(rows[i].want));
        /* what was printed reads back */
        struct span c = buf_span(&b), got;
        EXPECT(arg_astring(&c, a, 100, &got) && parse_end(&c));
        EXPECT_SPAN(got, rows[i].in);
        arena_free(a);
    }
}
