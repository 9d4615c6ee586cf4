#include "smtp/path.h"
#include "unit/unit.h"

#include "base/check.h"

#include <stdlib.h>

TEST(paths)
{
    static const struct {
        const char *args, *prefix;
        bool postmaster, utf8;
        enum smtp_path_error want;
        const char *address, *domain;
        size_t parameters;
    } rows[] = {
        {"FROM:<a@b.test>",                 "FROM:", false, false, PATH_OK,         "a@b.test",           "b.test", 0},
        {"from: <a@b.test>",                "FROM:", false, false, PATH_OK,         "a@b.test",           "b.test", 0},
        {"FROM:<>",                         "FROM:", false, false, PATH_OK,         "",                   "",       0},
        {"TO:<>",                           "TO:",   true,  false, PATH_ADDRESS,    NULL,                 NULL,     0},
        {"TO:<PostMaster>",                 "TO:",   true,  false, PATH_OK,         "PostMaster",         "",       0},
        {"FROM:<postmaster>",               "FROM:", false, false, PATH_ADDRESS,    NULL,                 NULL,     0},
        {"TO:<@a,@b.test:c@d.test>",        "TO:",   true,  false, PATH_OK,         "c@d.test",           "d.test", 0},
        {"TO:<@a>",                         "TO:",   true,  false, PATH_SYNTAX,     NULL,                 NULL,     0},
        {"TO:<\"a>b\"@c.test>",             "TO:",   true,  false, PATH_OK,         "\"a>b\"@c.test",     "c.test", 0},
        {"TO:<\"a\\\">b\"@c.test>",         "TO:",   true,  false, PATH_OK,         "\"a\\\">b\"@c.test", "c.test", 0},
        {"TO:<\"a@c.test>",                 "TO:",   true,  false, PATH_SYNTAX,     NULL,                 NULL,     0},
        {"TO:a@b.test",                     "TO:",   true,  false, PATH_SYNTAX,     NULL,                 NULL,     0},
        {"TO<a@b.test>",                    "TO:",   true,  false, PATH_SYNTAX,     NULL,                 NULL,     0},
        {"TO:<a@b.test",                    "TO:",   true,  false, PATH_SYNTAX,     NULL,                 NULL,     0},
        {"",                                "TO:",   true,  false, PATH_SYNTAX,     NULL,                 NULL,     0},
        {"TO:<a@b.test> X",                 "TO:",   true,  false, PATH_OK,         "a@b.test",           "b.test", 1},
        {"TO:<a@b.test>  X=1 \t Y-2=3 ",    "TO:",   true,  false, PATH_OK,         "a@b.test",           "b.test", 2},
        {"TO:<a@b.test>X",                  "TO:",   true,  false, PATH_PARAMETERS, NULL,                 NULL,     0},
        {"TO:<a@b.test> X=",                "TO:",   true,  false, PATH_PARAMETERS, NULL,                 NULL,     0},
        {"TO:<a@b.test> X=1=2",             "TO:",   true,  false, PATH_PARAMETERS, NULL,                 NULL,     0},
        {"TO:<a@b.test> X x",               "TO:",   true,  false, PATH_PARAMETERS, NULL,                 NULL,     0},
        {"TO:<a@b.test> =1",                "TO:",   true,  false, PATH_PARAMETERS, NULL,                 NULL,     0},
        {"TO:<a@b.test> <c@d.test>",        "TO:",   true,  false, PATH_PARAMETERS, NULL,                 NULL,     0},
        {"TO:<\xc3\xa9@b.test>",            "TO:",   true,  false, PATH_NOT_ASCII,  NULL,                 NULL,     0},
        {"TO:<\xc3\xa9@b.test>",            "TO:",   true,  true,  PATH_OK,         "\xc3\xa9@b.test",    "b.test", 0},
        {"FROM:<\xc3\xa9@b.test> SMTPUTF8", "FROM:", false, false, PATH_OK,         "\xc3\xa9@b.test",
         "b.test",                                                                                                  1},
        {"TO:<\xe9@b.test>",                "TO:",   true,  true,  PATH_ADDRESS,    NULL,                 NULL,     0},
        {"TO:<a@b.test\r>",                 "TO:",   true,  false, PATH_ADDRESS,    NULL,                 NULL,     0},
        {"TO:<a @b.test>",                  "TO:",   true,  false, PATH_ADDRESS,    NULL,                 NULL,     0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smtp_path p = {0};
        unit_case(rows[i].args);
        EXPECT_INT(smtp_path_parse(span_cstr(rows[i].args), rows[i].prefix, rows[i].postmaster,
                                   rows[i].utf8, &p),
                   rows[i].want);
        if (rows[i].want != PATH_OK)
            continue;
        EXPECT_SPAN(p.address, span_cstr(rows[i].address));
        EXPECT_SPAN(p.domain, span_cstr(rows[i].domain));
        EXPECT_INT(p.parameter_count, rows[i].parameters);
    }
    unit_case(NULL);
}

TEST(too_many_parameters)
{
    struct buf args BUF_AUTO = BUF(10000);
    struct smtp_path p;

    buf_put_cstr(&args, "FROM:<a@b.test>");
    for (int i = 0; i < SMTP_PARAMETERS_MAX; i++)
        buf_printf(&args, " P%d=1", i);
    EXPECT_INT(smtp_path_parse(buf_span(&args), "FROM:", false, false, &p), PATH_OK);
    buf_put_cstr(&args, " Q");
    EXPECT_INT(smtp_path_parse(buf_span(&args), "FROM:", false, false, &p), PATH_PARAMETERS);
}

TEST(long_address)
{
    struct buf args BUF_AUTO = BUF(10000);
    struct smtp_path p;

    buf_put_cstr(&args, "TO:<");
    for (int i = 0; i < 400; i++)
        buf_putc(&args, 'a');
    buf_put_cstr(&args, "@b.test>");
    EXPECT_INT(smtp_path_parse(buf_span(&args), "TO:", true, false, &p), PATH_ADDRESS);
}

TEST(xtext)
{
    static const struct {
        const char *in;
        const char *want; /* NULL: malformed */
    } rows[] = {
        {"abc",    "abc"     },
        {"a+2Bb",  "a+b"     },
        {"+20",    " "       },
        {"+2b",    NULL      },
        {"+2",     NULL      },
        {"+",      NULL      },
        {"a b",    NULL      },
        {"a=b",    NULL      },
        {"+0D",    NULL      },
        {"+0A",    NULL      },
        {"+00",    NULL      },
        {"+7F",    NULL      },
        {"\xc3",   NULL      },
        {"+C3+A9", "\xc3\xa9"},
        {"",       ""        },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out BUF_AUTO = BUF(100);
        unit_case(rows[i].in);
        EXPECT_INT(xtext_decode(span_cstr(rows[i].in), &out), rows[i].want != NULL);
        if (rows[i].want)
            EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
    unit_case(NULL);
    struct buf out BUF_AUTO = BUF(100);
    EXPECT(xtext_decode_utf8(SPAN("j\xc3\xb6rg+2Bx"), &out));
    EXPECT_SPAN(buf_span(&out), SPAN("j\xc3\xb6rg+x"));
    EXPECT(!xtext_decode_utf8(SPAN("j\xf6rg"), &out));
    EXPECT(!xtext_decode_utf8(SPAN("\xc3\xb6 x"), &out));
}

TEST(xtext_and_back)
{
    for (int round = 0; round < 1000; round++) {
        char text[64];
        size_t n = unit_random() % sizeof(text);
        struct buf coded BUF_AUTO = BUF(400), back BUF_AUTO = BUF(100);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(32 + unit_random() % 95);
        EXPECT(xtext_encode(span_of(text, n), &coded));
        EXPECT(xtext_decode(buf_span(&coded), &back));
        EXPECT_SPAN(buf_span(&back), span_of(text, n));
    }
}

TEST(hosts)
{
    static const struct {
        const char *host;
        bool want;
    } rows[] = {
        {"mail.example.test", true },
        {"[192.0.2.1]",       true },
        {"[IPv6:::1]",        true },
        {"a_b",               true },
        {"localhost",         true },
        {"",                  false},
        {"a b",               false},
        {"a\r",               false},
        {"a(b)",              false},
        {"<a>",               false},
        {"\xc3\xa9",          false},
        {"a\"",               false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].host);
        EXPECT_INT(smtp_host_valid(span_cstr(rows[i].host)), rows[i].want);
    }
    unit_case(NULL);
}
