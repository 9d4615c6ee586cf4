#include "manager/view.h"

#include "base/check.h"
#include "base/clock.h"
#include "manager/table.h"
#include "unit/unit.h"

#include <locale.h>
#include <stdlib.h>

static json_t *load(const char *text)
{
    struct err e;
    json_t *v = view_parse(span_cstr(text), "a test", &e);

    CHECK(v != NULL);
    return v;
}

TEST(values)
{
    enum { NOW = 1000000 };
    static const struct {
        const char *json;
        enum view_format format;
        const char *want;
    } rows[] = {
        {"\"text\"",                        VIEW_TEXT,     "text"                },
        {"17",                              VIEW_TEXT,     "17"                  },
        {"true",                            VIEW_TEXT,     "yes"                 },
        {"false",                           VIEW_TEXT,     "no"                  },
        {"null",                            VIEW_TEXT,     ""                    },
        {"[\"a\",\"b\",3]",                 VIEW_TEXT,     "a, b, 3"             },
        {"[]",                              VIEW_TEXT,     ""                    },
        {"[[[[[[\"deep\"]]]]]]",            VIEW_TEXT,     ""                    },
        {"[{\"address\":\"a@b\",\"x\":1}]", VIEW_TEXT,     "a@b"                 },
        {"512",                             VIEW_BYTES,    "512 B"               },
        {"1024",                            VIEW_BYTES,    "1.0 KiB"             },
        {"1536",                            VIEW_BYTES,    "1.5 KiB"             },
        {"-1",                              VIEW_BYTES,    "0 B"                 },
        {"9223372036854775807",             VIEW_BYTES,    "8388608 TiB"         },
        {"\"no number\"",                   VIEW_BYTES,    ""                    },
        {"0",                               VIEW_TIME,     ""                    },
        {"1795502505",                      VIEW_TIME,     "2026-11-24T06:41:45Z"},
        {"0",                               VIEW_DURATION, "0 s"                 },
        {"59",                              VIEW_DURATION, "59 s"                },
        {"60",                              VIEW_DURATION, "1 min"               },
        {"3661",                            VIEW_DURATION, "1 h 1 min"           },
        {"90061",                           VIEW_DURATION, "1 d 1 h"             },
        {"-5",                              VIEW_DURATION, "0 s"                 },
        {"1000060",                         VIEW_UNTIL,    "in 1 min"            },
        {"999940",                          VIEW_UNTIL,    "1 min ago"           },
        {"1000000",                         VIEW_UNTIL,    "now"                 },
        {"0",                               VIEW_UNTIL,    ""                    },
        {"true",                            VIEW_YES,      "yes"                 },
        {"false",                           VIEW_YES,      ""                    },
        {"[1,2,3]",                         VIEW_COUNT,    "3"                   },
        {"\"x\"",                           VIEW_COUNT,    "0"                   },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(1000), wrapped BUF_AUTO = BUF(1000);
        buf_printf(&wrapped, "{\"v\":%s}", rows[i].json);
        json_t *v = load(buf_cstr(&wrapped));
        unit_case(rows[i].json);
        view_value(json_object_get(v, "v"), rows[i].format, NOW, &b);
        EXPECT_SPAN(buf_span(&b), span_cstr(rows[i].want));
        json_decref(v);
    }
    unit_case(NULL);
}

TEST(paths)
{
    json_t *v = load("{\"a\":{\"b\":{\"c\":\"deep\"}},\"x\":1}");

    EXPECT_STR(view_string(v, "a.b.c"), "deep");
    EXPECT_STR(view_string(v, "a.b"), "");
    EXPECT_STR(view_string(v, "a.q.c"), "");
    EXPECT_STR(view_string(v, "x.y"), "");
    EXPECT_STR(view_string(NULL, "a"), "");
    EXPECT(view_get(v, "a.b") != NULL && view_get(v, "b") == NULL);
    json_decref(v);
}

static const struct view rows_of_test[] = {
    {"NAME", "name",         VIEW_TEXT,  0          },
    {"SIZE", "size",         VIEW_BYTES, 0          },
    {"WHO",  "cert.subject", VIEW_TEXT,  COLUMN_WRAP},
};

TEST(json_becomes_a_table)
{
    struct call c = {.out = BUF(10000)};
    json_t *all = load("[{\"name\":\"a\\u001b[31m\",\"size\":2048,\"cert\":{\"subject\":\"CN=x\"}},"
                       "{\"name\":\"b\"},17]");

    setlocale(LC_CTYPE, "C.UTF-8");
    view_list(&c, all, VIEW(rows_of_test), "none");
    EXPECT_SPAN(buf_span(&c.out), SPAN("NAME          SIZE  WHO\n"
                                       "a\\x1b[31m  2.0 KiB  CN=x\n"
                                       "b\n"
                                       "\n"));
    buf_clear(&c.out);
    view_list(&c, json_array(), VIEW(rows_of_test), "There are none.");
    EXPECT_SPAN(buf_span(&c.out), SPAN("There are none.\n"));
    buf_done(&c.out);
}

TEST(columns_without_a_word_are_left_out)
{
    struct call c = {.out = BUF(10000)};

    view_list(&c, load("[{\"name\":\"a\"},{\"name\":\"b\",\"size\":0}]"), VIEW(rows_of_test),
              "none");
    EXPECT_SPAN(buf_span(&c.out), SPAN("NAME  SIZE\na\nb      0 B\n"));
    buf_done(&c.out);
}

TEST(for_programs_it_stays_json)
{
    struct call c = {.out = BUF(10000)};
    struct err e;
    json_t *back;

    c.option[OPT_JSON] = "";
    view_list(&c, load("[{\"name\":\"J\\u00fcrgen\"}]"), VIEW(rows_of_test), "none");
    back = view_parse(buf_span(&c.out), "itself", &e);
    REQUIRE(back != NULL);
    EXPECT_STR(json_string_value(json_object_get(json_array_get(back, 0), "name")),
               "J\xc3\xbcrgen");
    json_decref(back);
    /* on a terminal nothing but ASCII */
    buf_clear(&c.out);
    c.columns = 80;
    view_object(&c, load("{\"n\":\"\\u202e\\u009b\"}"), NULL, 0);
    for (size_t i = 0; i < c.out.n; i++)
        EXPECT((unsigned char)c.out.p[i] < 127);
    buf_done(&c.out);
}

TEST(fields_that_are_empty_are_left_out)
{
    struct call c = {.out = BUF(10000)};

    view_object(&c, load("{\"name\":\"a\"}"), VIEW(rows_of_test));
    EXPECT_SPAN(buf_span(&c.out), SPAN("NAME  a\n"));
    buf_done(&c.out);
}

TEST(what_is_no_json)
{
    static const char *const bad[] = {"",    "{", "{\"a\":1,}", "{\"a\":1}x", "{\"a\":1,\"a\":2}",
                                      "\xff"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {""};
        EXPECT(view_parse(span_cstr(bad[i]), "a test", &e) == NULL);
        EXPECT(strstr(e.text, "a test") != NULL);
    }
}
