#include "base/utf8.h"
#include "message/charset.h"
#include "unit/unit.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *charset, *in, *want; /* NULL: unknown */
} rows[] = {
    {"utf-8",                                     "a\xc3\xa9",        "a\xc3\xa9"           },
    {"UTF-8",                                     "\xe9",             "\xc3\xa9"            },
    {"",                                          "\x80",             "\xe2\x82\xac"        },
    {"us-ascii",                                  "abc",              "abc"                 },
    {"iso-8859-1",                                "\xe9\x93",         "\xc3\xa9\xe2\x80\x9c"},
    {"ISO-8859-15",                               "\xa4",             "\xe2\x82\xac"        },
    {"windows-1251",                              "\xcf",             "\xd0\x9f"            },
    {"koi8-r",                                    "\xf0",             "\xd0\x9f"            },
    {"iso-8859-2",                                "\xb1",             "\xc4\x85"            },
    {"shift_jis",                                 "\x82\xa0\x5c",     "\xe3\x81\x82\\"      },
    {"euc-jp",                                    "\xa4\xa2",         "\xe3\x81\x82"        },
    {"iso-2022-jp",                               "\x1b$B$\"\x1b(B",  "\xe3\x81\x82"        },
    {"gb2312",                                    "\xc4\xe3",         "\xe4\xbd\xa0"        },
    {"gb18030",                                   "\x81\x30\x81\x30", "\xc2\x80"            },
    {"big5",                                      "\xa7\x41",         "\xe4\xbd\xa0"        },
    {"ks_c_5601-1987",                            "\xb0\xa1",         "\xea\xb0\x80"        },
    {"utf-7",                                     "+AOk-",            "\xc3\xa9"            },
    {"utf-16be",                                  "\xd8\x3c\xdf\x89", "\xf0\x9f\x8e\x89"    },
    {"euc-jp",                                    "\xa4",             "\xef\xbf\xbd"        },
    {"x-nonsense",                                "a",                NULL                  },
    {"utf-16,version=1",                          "a",                NULL                  },
    {"imap-mailbox-name",                         "&AOk-",            NULL                  },
    {"../../etc/passwd",                          "a",                NULL                  },
    {"0123456789012345678901234567890123456789x", "a",                NULL                  },
};

static size_t check_rows(void)
{
    size_t bad = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out BUF_AUTO = BUF(100);
        unit_case(rows[i].charset);
        bool ok = charset_to_utf8(span_cstr(rows[i].charset), span_cstr(rows[i].in), &out);
        bad += ok != (rows[i].want != NULL) || !span_eq(buf_span(&out), span_cstr(rows[i].want));
        EXPECT(ok == (rows[i].want != NULL));
        EXPECT(charset_known(span_cstr(rows[i].charset)) == ok);
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
    return bad;
}

/* In a process that has opened nothing yet and can open nothing: so it is in a jail. Must be the
 * first test. */
TEST(a_charset_no_file)
{
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {3, 3};
        if (setrlimit(RLIMIT_NOFILE, &none) != 0 || open("/dev/null", 0) >= 0)
            _exit(2);
        _exit(check_rows() == 0 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    EXPECT_INT(status, 0);
}

TEST(charset_rows)
{
    check_rows();
}

/* Whole, byte by byte and cut at random, a text is the same. */
TEST(charset_feed_at_any_cut)
{
    static const struct {
        const char *charset;
        struct span in;
    } texts[] = {
        {"iso-2022-jp", SPAN("ab\x1b$B$\"$$\x1b(Bcd\x1b$B$\"")},
        {"utf-16le",    SPAN("a\0<\xd8\x89\xdf<\xd8")         },
        {"gb18030",     SPAN("\x81\x30\x81\x30\xc4\xe3z")     },
        {"utf-7",       SPAN("+2DzfiQ- x")                    },
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buf whole BUF_AUTO = BUF(100);
        charset_to_utf8(span_cstr(texts[i].charset), texts[i].in, &whole);
        unit_case(texts[i].charset);
        EXPECT(whole.n > 0 && utf8_valid(buf_span(&whole)));
        for (int round = 0; round < 50; round++) {
            struct buf out BUF_AUTO = BUF(100);
            struct charset *c = charset_open(span_cstr(texts[i].charset));
            struct span rest = texts[i].in;
            REQUIRE(c);
            while (rest.n) {
                size_t n = round ? 1 + unit_random() % rest.n : 1;
                charset_feed(c, span_head(rest, n), n == rest.n, &out);
                rest = span_skip(rest, n);
            }
            charset_close(c);
            EXPECT_SPAN(buf_span(&out), buf_span(&whole));
        }
    }
}

TEST(charset_stops_at_the_limit)
{
    struct buf out BUF_AUTO = BUF(9);
    EXPECT(charset_to_utf8(SPAN("euc-jp"), SPAN("\xa4\xa2\xa4\xa2\xa4\xa2\xa4\xa2"), &out));
    EXPECT_SPAN(buf_span(&out), SPAN("\xe3\x81\x82\xe3\x81\x82"));
    buf_clear(&out);
    charset_guess(SPAN("12345678\xc3\xa9"), &out);
    EXPECT_SPAN(buf_span(&out), SPAN("12345678"));
}

/* A pair of surrogates at the border of the inner buffer. */
TEST(charset_pairs_at_borders)
{
    for (size_t lead = 505; lead < 520; lead++) {
        struct buf in BUF_AUTO = BUF(4000), out BUF_AUTO = BUF(4000);
        for (size_t i = 0; i < lead; i++)
            buf_put(&in, "\0a", 2);
        for (size_t i = 0; i < 10; i++)
            buf_put(&in, "\xd8\x3c\xdf\x89", 4);
        EXPECT(charset_to_utf8(SPAN("utf-16be"), buf_span(&in), &out));
        EXPECT_INT(out.n, lead + 40);
        EXPECT(utf8_valid(buf_span(&out)) &&
               span_find_span(buf_span(&out), SPAN("\xef\xbf\xbd")) == SPAN_NONE);
    }
}

/* More decoders at once than are kept, and one name twice. */
TEST(charset_open_many)
{
    static const char *const names[] = {"iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5",
                                        "iso-8859-6", "iso-8859-7", "iso-8859-9", "koi8-r",
                                        "koi8-u",     "koi8-r"};
    struct charset *open[10];
    for (size_t i = 0; i < 10; i++) {
        open[i] = charset_open(span_cstr(names[i]));
        EXPECT(open[i]);
    }
    EXPECT(open[7] != open[9]);
    for (size_t i = 0; i < 10; i++)
        charset_close(open[i]);
    charset_close(NULL);
}
