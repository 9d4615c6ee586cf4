#include "message/header.h"
#include "unit/unit.h"

static const char block[] = "From MAILER Mon Nov 24\r\n"
                            "Subject: one\r\n two\r\n"
                            "no field\r\n"
                            "X-Empty:\r\n"
                            "Sp ace: no\r\n"
                            "subject  : again\n"
                            "Last: end\r\n\r\nBody: no\r\n";

static const struct span whole = {block, sizeof(block) - 1};

TEST(header_next_gives_fields_only)
{
    static const struct {
        const char *name, *value, *whole;
    } want[] = {
        {"Subject", " one\r\n two", "Subject: one\r\n two\r\n"},
        {"X-Empty", "",             "X-Empty:\r\n"            },
        {"subject", " again",       "subject  : again\n"      },
        {"Last",    " end",         "Last: end\r\n"           },
    };
    struct span rest = whole;
    struct header_field f;
    for (size_t i = 0; i < 4; i++) {
        REQUIRE(header_next(&rest, &f));
        EXPECT_SPAN(f.name, span_cstr(want[i].name));
        EXPECT_SPAN(f.value, span_cstr(want[i].value));
        EXPECT_SPAN(f.whole, span_cstr(want[i].whole));
    }
    EXPECT(!header_next(&rest, &f));
    EXPECT_SPAN(rest, SPAN("\r\nBody: no\r\n"));
    rest = SPAN_EMPTY;
    EXPECT(!header_next(&rest, &f));
    rest = SPAN("A: b");
    EXPECT(header_next(&rest, &f));
    EXPECT_SPAN(f.value, SPAN(" b"));
}

TEST(header_block_bytes_counts_the_empty_line)
{
    static const struct {
        const char *raw;
        size_t want;
    } rows[] = {
        {"",                   0 },
        {"\r\n",               2 },
        {"\nbody",             1 },
        {"A: b\r\n\r\nbody",   8 },
        {"A: b\n\nbody",       6 },
        {"A: b\r\nbody",       10},
        {"A: b\r\n \r\n\r\nx", 11},
        {"A: b\r\r\n\r\nx",    9 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_case(rows[i].raw);
        EXPECT_INT(header_block_bytes(span_cstr(rows[i].raw)), rows[i].want);
    }
    EXPECT_INT(header_block_bytes(whole), sizeof(block) - 1 - strlen("Body: no\r\n"));
}

TEST(header_find_and_count)
{
    struct header_field f;
    REQUIRE(header_find(whole, "SUBJECT", &f));
    EXPECT_SPAN(f.value, SPAN(" one\r\n two"));
    EXPECT_INT(header_count(whole, "subject"), 2);
    EXPECT_INT(header_count(whole, "body"), 0);
    EXPECT(!header_find(whole, "From MAILER Mon Nov 24", &f));
}

TEST(header_unfold)
{
    static const struct {
        struct span in, want;
    } rows[] = {
        {SPAN(" a\r\n b"),            SPAN("a b")    },
        {SPAN(" a \r\n\t  b\r\n"),    SPAN("a b")    },
        {SPAN("a\n b"),               SPAN("a b")    },
        {SPAN("a\rb"),                SPAN("a b")    },
        {SPAN("a\0b"),                SPAN("ab")     },
        {SPAN("a  \t b"),             SPAN("a  \t b")},
        {SPAN(""),                    SPAN("")       },
        {SPAN(" \r\n "),              SPAN("")       },
        {SPAN("a\r\n \r\n \0\r\n b"), SPAN("a  b")   },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out BUF_AUTO = BUF(100);
        EXPECT(header_unfold(rows[i].in, &out));
        EXPECT_SPAN(buf_span(&out), rows[i].want);
    }
    struct buf small BUF_AUTO = BUF(2);
    EXPECT(!header_unfold(SPAN("abc"), &small));
}

TEST(header_decode)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {" plain",                                  "plain"       },
        {"=?utf-8?q?=C3=A9?=\r\n =?utf-8?q?_x?= y", "\xc3\xa9 x y"},
        {"caf\xe9",                                 "caf\xc3\xa9" },
        {"caf\xc3\xa9",                             "caf\xc3\xa9" },
        {"=?iso-8859-1?q?a=0D=0AX:_b?=",            "a  X: b"     },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out BUF_AUTO = BUF(100);
        EXPECT(header_decode(span_cstr(rows[i].in), &out));
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
}

TEST(header_select)
{
    const struct span names[] = {SPAN("last"), SPAN("SUBJECT")};
    struct buf out BUF_AUTO = BUF(1000);
    EXPECT(header_select(whole, names, 2, false, &out));
    EXPECT_SPAN(buf_span(&out),
                SPAN("Subject: one\r\n two\r\nsubject  : again\nLast: end\r\n\r\n"));
    buf_clear(&out);
    EXPECT(header_select(whole, names, 2, true, &out));
    EXPECT_SPAN(buf_span(&out), SPAN("X-Empty:\r\n\r\n"));
    buf_clear(&out);
    EXPECT(header_select(SPAN("A: b"), names, 0, true, &out));
    EXPECT_SPAN(buf_span(&out), SPAN("A: b\r\n\r\n"));
}

TEST(message_ids)
{
    static const struct {
        const char *in, *want; /* separated by "|" */
    } rows[] = {
        {"<a@b> <c@d>",                       "<a@b>|<c@d>|"},
        {"<a@b><c@d>",                        "<a@b>|<c@d>|"},
        {"Your message of \"x\" <a@b>, <no>", "<a@b>|"      },
        {"<a b@c> <<d@e> <f@g",               "<d@e>|"      },
        {"<\"a b\"@c> <@x> <x@> <a@\r\nb>",   "<\"a b\"@c>|"},
        {"",                                  ""            },
        {"<\"",                               ""            },
        {"<\"\\",                             ""            },
        {"<a@b@c>",                           "<a@b@c>|"    },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span rest = span_cstr(rows[i].in), id;
        struct buf got BUF_AUTO = BUF(200);
        while (message_id_next(&rest, &id)) {
            buf_put_span(&got, id);
            buf_putc(&got, '|');
        }
        unit_case(rows[i].in);
        EXPECT_SPAN(buf_span(&got), span_cstr(rows[i].want));
    }
}
