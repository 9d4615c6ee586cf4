#include "base/utf8.h"
#include "message/words.h"
#include "unit/unit.h"
#include <time.h>

TEST(words_decode)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"=?ISO-8859-1?Q?a?=",                     "a"                       },
        {"=?ISO-8859-1?Q?a?= b",                   "a b"                     },
        {"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=",  "ab"                      },
        {"=?ISO-8859-1?Q?a?=    =?utf-8?B?Yg==?=", "ab"                      },
        {"=?ISO-8859-1?Q?a_b?=",                   "a b"                     },
        {"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"                     },
        {"=?US-ASCII*EN?Q?Keith_Moore?=",          "Keith Moore"             },
        {"x=?utf-8?q?=C3=A9?=y",                   "x\xc3\xa9y"              },
        {"=?utf-8?q?=C3?= =?utf-8?q?=A9?=",        "\xc3\xa9"                },
        {"=?iso-2022-jp?b?GyRCJCIbKEI=?=",         "\xe3\x81\x82"            },
        {"=?shift_jis?q?=82=A0?=",                 "\xe3\x81\x82"            },
        {"=?gb2312?b?xOO6ww==?=",                  "\xe4\xbd\xa0\xe5\xa5\xbd"},
        {"=?koi8-r?q?=F0?=",                       "\xd0\x9f"                },
        {"=?x-nonsense?q?=C3?= z",                 "=?x-nonsense?q?=C3?= z"  },
        {"=?utf-8?x?abc?=",                        "=?utf-8?x?abc?="         },
        {"=?utf-8?q?abc",                          "=?utf-8?q?abc"           },
        {"=?utf-8?q?=41?=",                        "A"                       },
        {"=?utf-8?q?\?=",                          ""                        },
        {"=?",                                     "=?"                      },
        {"=?utf-8?q?a=0D=0Ab=00?=",                "a  b\xef\xbf\xbd"        },
        {"a = b ?= c",                             "a = b ?= c"              },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out BUF_AUTO = BUF(200);
        unit_case(rows[i].in);
        EXPECT(words_decode(span_cstr(rows[i].in), &out));
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
}

TEST(words_encode_and_decode_are_inverse)
{
    static const char *const rows[] = {
        "plain",
        "",
        "caf\xc3\xa9",
        "=?utf-8?q?x?=",
        "\xf0\x9f\x8e\x89 party \xe3\x81\x82",
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 and so "
        "on for a long time",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf coded BUF_AUTO = BUF(1000), back BUF_AUTO = BUF(1000);
        unit_case(rows[i]);
        EXPECT(words_encode(span_cstr(rows[i]), &coded));
        EXPECT(utf8_is_ascii(buf_span(&coded)));
        struct span rest = buf_span(&coded), word;
        while (span_starts(rest, SPAN("=?")) && span_split(&rest, ' ', &word))
            EXPECT(word.n <= 75);
        EXPECT(words_decode(buf_span(&coded), &back));
        EXPECT_SPAN(buf_span(&back), span_cstr(rows[i]));
    }
}

TEST(params)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {" a=b; c=\"d e\"",                    "a|b\nc|d e\n"              },
        {"a=\"x\\\"y\\\\z\"",                  "a|x\"y\\z\n"               },
        {"charset=us-ascii (Plain text); b=c", "charset|us-ascii\nb|c\n"   },
        {"name=This is it.txt; x=y",           "name|This is it.txt\nx|y\n"},
        {"a = b ;\r\n\tc = \"d\r\n e\"",       "a|b\nc|d e\n"              },
        {"junk; =x; a=b;;",                    "a|b\n"                     },
        {"a=\"unclosed",                       "a|unclosed\n"              },
        {"a=",                                 "a|\n"                      },
        {"",                                   ""                          },
        {"a=----=_Part;b=c",                   "a|----=_Part\nb|c\n"       },
        {"(comment) a=b",                      "a|b\n"                     },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf scratch BUF_AUTO = BUF(0), got BUF_AUTO = BUF(500);
        struct param_scan s;
        struct span name, value;
        unit_case(rows[i].in);
        param_scan_init(&s, span_cstr(rows[i].in), &scratch);
        while (param_next(&s, &name, &value)) {
            buf_put_span(&got, name);
            buf_putc(&got, '|');
            buf_put_span(&got, value);
            buf_putc(&got, '\n');
        }
        EXPECT_SPAN(buf_span(&got), span_cstr(rows[i].want));
    }
}

TEST(param_decode)
{
    static const struct {
        const char *in, *want; /* NULL: none */
    } rows[] = {
        {"filename=a.txt",                                                     "a.txt"             },
        {"filename*=UTF-8''%e2%82%ac%20rates",                                 "\xe2\x82\xac rates"},
        {"filename*=iso-8859-1'en'%A3%20rates; filename=x",                    "\xc2\xa3 rates"    },
        {"filename*0*=us-ascii'en'a%20; filename*1*=%2A; filename*2=\"b%20\"", "a *b%20"           },
        {"filename*1=b; filename*0=a",                                         "ab"                },
        {"filename=\"=?utf-8?q?=C3=A9?=\"",                                    "\xc3\xa9"          },
        {"filename*=nonsense''%e9",                                            "\xc3\xa9"          },
        {"filename*=plain",                                                    "plain"             },
        {"filename*x=1; name=y",                                               NULL                },
        {"filename*=utf-8'broken",                                             "utf-8'broken"      },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out BUF_AUTO = BUF(100);
        unit_case(rows[i].in);
        EXPECT(param_decode(span_cstr(rows[i].in), "filename", &out) == (rows[i].want != NULL));
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
}

TEST(words_are_linear)
{
    static const char *const traps[] = {
        "=?",           "=?a?q?",          "=?utf-8?q?", "=?utf-8?q?a?=", "=?utf-8?q?a?= ",
        "=?x-no?q?a?=", "=?a?q?=?utf-8?b?"};
    for (size_t t = 0; t < sizeof(traps) / sizeof(traps[0]); t++) {
        struct buf text BUF_AUTO = BUF(1 << 19), out BUF_AUTO = BUF(1 << 22);
        while (text.n < 1 << 18)
            buf_put_cstr(&text, traps[t]);
        clock_t start = clock();
        words_decode(buf_span(&text), &out);
        unit_case(traps[t]);
        EXPECT((clock() - start) * 1000 / CLOCKS_PER_SEC < 2000);
    }
}
