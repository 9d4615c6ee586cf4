#include "base/utf8.h"

#include "unit/unit.h"

TEST(validity)
{
    static const struct {
        struct span s;
        bool valid;
        const char *scrubbed;
    } rows[] = {
        {{"", 0},                                 true,  ""                                                },
        {{"abc", 3},                              true,  "abc"                                             },
        {{"0123456789abcdef\xc3\xa4", 18},        true,  "0123456789abcdef\xc3\xa4"                        },
        {{"\xdf\xbf\xe0\xa0\x80", 5},             true,  "\xdf\xbf\xe0\xa0\x80"                            },
        {{"\xed\x9f\xbf\xee\x80\x80", 6},         true,  "\xed\x9f\xbf\xee\x80\x80"                        },
        {{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8}, true,  "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"                },
        {{"a\0b", 3},
         true,                                           "a\xef\xbf\xbd"
         "b"                                                                                 },
        {{"\xc0\x80", 2},                         false, "\xef\xbf\xbd\xef\xbf\xbd"                        }, /* overlong NUL */
        {{"\xc1\xbf", 2},                         false, "\xef\xbf\xbd\xef\xbf\xbd"                        },
        {{"\xe0\x9f\xbf", 3},                     false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"            },
        {{"\xf0\x8f\xbf\xbf", 4},                 false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {{"\xed\xa0\x80", 3},                     false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"            }, /* surrogate */
        {{"\xf4\x90\x80\x80", 4},                 false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {{"\xf5", 1},                             false, "\xef\xbf\xbd"                                    },
        {{"\x80", 1},                             false, "\xef\xbf\xbd"                                    },
        {{"a\xc3", 2},                            false, "a\xef\xbf\xbd"                                   },
        {{"\xe2\x82", 2},                         false, "\xef\xbf\xbd\xef\xbf\xbd"                        },
        {{"\xf0\x90\x80", 3},                     false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"            },
        {{"\xf0\x90\x80"
          "x",
          4},
         false,                                          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"           },
        {{"01234567\xff"
          "01234567",
          17},
         false,                                          "01234567\xef\xbf\xbd"
         "01234567"                                                                         },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf b = BUF(100);
        unit_case(rows[i].scrubbed);
        EXPECT(utf8_valid(rows[i].s) == rows[i].valid);
        EXPECT(utf8_scrub(&b, rows[i].s));
        EXPECT_STR(buf_cstr(&b), rows[i].scrubbed);
    }
    unit_case(NULL);
    EXPECT(utf8_is_ascii(SPAN("plain text of more than eight")));
    EXPECT(!utf8_is_ascii(SPAN("plain text of more than \xc3\xa4")));
    EXPECT(utf8_is_ascii(SPAN_EMPTY));
}

TEST(every_code_point)
{
    for (uint32_t c = 0; c <= 0x110000; c += c < 0x20000 ? 1 : 257) {
        BUF_AUTO struct buf b = BUF(4);
        bool ok = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        uint32_t back = 0;

        EXPECT(utf8_put(&b, c));
        struct span s = buf_span(&b);
        EXPECT(utf8_valid(s) && utf8_next(&s, &back) && s.n == 0);
        EXPECT_INT(back, ok ? c : 0xfffd);
        EXPECT(!utf8_next(&s, &back));
    }
}

TEST(scrub_limit)
{
    BUF_AUTO struct buf b = BUF(5);

    EXPECT(!utf8_scrub(&b, SPAN("\xff\xff")));
    EXPECT(b.overflow);
}

TEST(utf7)
{
    static const struct {
        const char *utf7, *utf8;
    } rows[] = {
        {"",                                ""                                      },
        {"INBOX",                           "INBOX"                                 },
        {"Sent & Done",                     NULL                                    },
        {"Sent &- Done",                    "Sent & Done"                           },
        {"&-&-",                            "&&"                                    },
        {"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
         "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
        {"&AOQ-",                           "\xc3\xa4"                              },
        {"Entw&APw-rfe",                    "Entw\xc3\xbcrfe"                       },
        {"&AOQA9g-",                        "\xc3\xa4\xc3\xb6"                      },
        {"&2D3eAA-",                        "\xf0\x9f\x98\x80"                      },
        {"&AAk-",                           "\t"                                    },
    };
    static const char *const wrong[] = {
        "&",          "&AOQ",  "&AOQ=-",   "&AOR-",    /* bits left over */
        "&AO-",       "&A-",                           /* no whole unit */
        "&AOQAAAA-",  "&AEE-",                         /* 'A' must stand for itself */
        "&ACY-",                                       /* so must '&' */
        "&AOQ-&APY-",                                  /* two shifts side by side */
        "&2D0-",      "&3gA-", "&2D0AQQ-", "&3gDYPQ-", /* surrogates alone or reversed */
        "&AAA-",                                       /* NUL */
        "\xc3\xa4",   "a\tb",  "a\x7f",    "&AOQ/-",   "&AOQ -",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf b = BUF(200);
        unit_case(rows[i].utf7);
        if (!rows[i].utf8) {
            EXPECT(!utf7_imap_decode(&b, span_cstr(rows[i].utf7)));
            continue;
        }
        EXPECT(utf7_imap_decode(&b, span_cstr(rows[i].utf7)));
        EXPECT_STR(buf_cstr(&b), rows[i].utf8);
        buf_clear(&b);
        EXPECT(utf7_imap_encode(&b, span_cstr(rows[i].utf8)));
        EXPECT_STR(buf_cstr(&b), rows[i].utf7);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        BUF_AUTO struct buf b = BUF(200);
        buf_put_cstr(&b, "x");
        unit_case(wrong[i]);
        EXPECT(!utf7_imap_decode(&b, span_cstr(wrong[i])));
        EXPECT_SPAN(buf_span(&b), SPAN("x"));
    }
    unit_case(NULL);
    BUF_AUTO struct buf b = BUF(3);
    EXPECT(!utf7_imap_encode(&b, SPAN("\xff")));
    EXPECT(!utf7_imap_encode(&b, SPAN("a\0b")));
    EXPECT(!b.overflow);
    EXPECT(!utf7_imap_encode(&b, SPAN("\xc3\xa4")));
    EXPECT(b.overflow && b.n == 0);
    buf_clear(&b);
    EXPECT(!utf7_imap_decode(&b, SPAN("abcd")));
}

TEST(utf7_random_round_trip)
{
    for (int round = 0; round < 3000; round++) {
        BUF_AUTO struct buf name = BUF(200), text = BUF(400), back = BUF(200);
        for (size_t n = unit_random() % 12; n; n--) {
            uint64_t r = unit_random();
            static const uint32_t bound[4] = {0x7f, 0x7ff, 0xd7ff, 0x10ffff};
            uint32_t c = 1 + (uint32_t)((r >> 8) % bound[r & 3]);
            utf8_put(&name, c);
        }
        EXPECT(utf7_imap_encode(&text, buf_span(&name)));
        EXPECT(utf8_is_ascii(buf_span(&text)));
        EXPECT(utf7_imap_decode(&back, buf_span(&text)));
        EXPECT_SPAN(buf_span(&back), buf_span(&name));
    }
}
