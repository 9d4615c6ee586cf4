#include "monitor/sts.h"

#include "unit/unit.h"

TEST(records)
{
    static const struct {
        const char *text, *id; /* NULL: none */
        bool broken;
    } rows[] = {
        {"v=STSv1; id=20160831085700Z;",                   "20160831085700Z", false},
        {"v=STSv1;id=a",                                   "a",               false},
        {"v=STSv1; other=x; id=1 ; ",                      "1",               false},
        {"v=STSv1;",                                       NULL,              true },
        {"v=STSv1; id=;",                                  NULL,              true },
        {"v=STSv1; id=a-b;",                               NULL,              true },
        {"v=STSv1; id=012345678901234567890123456789012;", NULL,              true },
        {"v=STSv1; id=1; id=2;",                           NULL,              true },
        {"v=STSv2; id=1;",                                 NULL,              false},
        {"v=spf1 -all",                                    NULL,              false},
        {"",                                               NULL,              false},
        {"id=1; v=STSv1;",                                 NULL,              false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[MTA_STS_ID_MAX + 1] = "";
        bool broken;
        unit_case(rows[i].text);
        EXPECT_INT(sts_record_parse(span_cstr(rows[i].text), id, &broken), rows[i].id != NULL);
        EXPECT_INT(broken, rows[i].broken);
        if (rows[i].id != NULL)
            EXPECT_STR(id, rows[i].id);
    }
    unit_case(NULL);
}

#define HEAD "version: STSv1\r\n"

TEST(policies)
{
    static const struct {
        const char *text, *wrong; /* NULL: it is fine */
        unsigned mx;
    } rows[] = {
        {HEAD "mode: enforce\r\nmx: mx.example.org\r\nmx: *.example.net\r\nmax_age: 604800\r\n",
         NULL,                                                                                                                                       2},
        {HEAD "mode: enforce\nmx: mx.example.org\nmax_age: 604800",                              NULL,                                               1},
        {"max_age:1\nmx:a.b\n\nmode:testing\nversion:STSv1\nsomething: else\n",                  NULL,                                               1},
        {HEAD "mode: none\r\nmax_age: 0\r\n",                                                    NULL,                                               0},
        {HEAD "mode: enforce\r\nmode: nonsense\r\nmx: a.b\r\nmax_age: 1\r\n",                    NULL,                                               1},
        {HEAD "mode: enforce\r\nmax_age: 1\r\n",                                                 "it names no mail server (mx)",                     0},
        {HEAD "mx: a.b\r\nmax_age: 1\r\n",                                                       "version, mode or max_age is missing in it",        0},
        {HEAD "mode: none\r\n",                                                                  "version, mode or max_age is missing in it",        0},
        {"mode: none\r\nmax_age: 1\r\n",                                                         "version, mode or max_age is missing in it",        0},
        {"version: STSv2\r\nmode: none\r\nmax_age: 1\r\n",                                       "its version is not STSv1",                         0},
        {HEAD "mode: Enforce\r\nmax_age: 1\r\n",                                                 "its mode is none of none, testing, enforce",       0},
        {HEAD "mode: none\r\nmax_age: 31557601\r\n",
         "its max_age is no number of seconds up to a year",                                                                                         0},
        {HEAD "mode: none\r\nmax_age: -1\r\n",                                                   "its max_age is no number of seconds up to a year",
         0                                                                                                                                            },
        {"<html>\n",                                                                             "a line of it has no colon",                        0},
        {"",                                                                                     "version, mode or max_age is missing in it",        0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sts_policy p;
        const char *wrong = sts_policy_parse(span_cstr(rows[i].text), &p);
        unit_case(rows[i].text);
        EXPECT_STR(wrong != NULL ? wrong : "", rows[i].wrong != NULL ? rows[i].wrong : "");
        if (rows[i].wrong == NULL)
            EXPECT_INT(p.mx_count, rows[i].mx);
    }
    unit_case(NULL);
}

TEST(names)
{
    struct sts_policy p;

    REQUIRE(sts_policy_parse(SPAN(HEAD "mode: enforce\nmx: mx.example.org\nmx: *.example.net\n"
                                       "max_age: 86400\n"),
                             &p) == NULL);
    EXPECT_INT(p.mode, MTA_STS_ENFORCE);
    EXPECT_INT(p.max_age, 86400);
    EXPECT(sts_policy_names(&p, SPAN("MX.example.org")));
    EXPECT(sts_policy_names(&p, SPAN("a.example.net")));
    EXPECT(!sts_policy_names(&p, SPAN("a.b.example.net")));
    EXPECT(!sts_policy_names(&p, SPAN("mx2.example.org")));
}
