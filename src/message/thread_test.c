#include "message/thread.h"
#include "unit/unit.h"
#include <time.h>

TEST(base_subjects)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"hello",                         "HELLO"            },
        {"Re: hello",                     "HELLO"            },
        {"RE : re: Fw: FWD: hello",       "HELLO"            },
        {"re[2]: hello",                  "HELLO"            },
        {"[list] Re: [list] hello",       "HELLO"            },
        {"[a][b] hello",                  "HELLO"            },
        {"[a] [b]",                       "[B]"              },
        {"[only]",                        "[ONLY]"           },
        {"hello (fwd) (FWD)",             "HELLO"            },
        {"[Fwd: hello]",                  "HELLO"            },
        {"[fwd: Re: [x] hello (fwd)]",    "HELLO"            },
        {"Re:",                           ""                 },
        {"",                              ""                 },
        {"  a \t  b\r\n c  ",             "A B C"            },
        {"=?utf-8?q?Re:_=C3=A9t=C3=A9?=", "\xc3\x89T\xc3\x89"},
        {"Reality: x",                    "REALITY: X"       },
        {"[unclosed hello",               "[UNCLOSED HELLO"  },
        {"[a[b] x",                       "[A[B] X"          },
        {"Re: [fwd: x",                   "[FWD: X"          },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out BUF_AUTO = BUF(1000);
        unit_case(rows[i].in);
        EXPECT(thread_base_subject(span_cstr(rows[i].in), &out));
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
}

TEST(base_subject_is_linear)
{
    static const char *const traps[] = {"[a]", "re:", "[fwd:", "(fwd)", "[", "[a]re", "[a]re:"};
    for (size_t t = 0; t < sizeof(traps) / sizeof(traps[0]); t++) {
        struct buf text BUF_AUTO = BUF(1 << 21);
        while (text.n < 1 << 20)
            buf_put_cstr(&text, traps[t]);
        clock_t start = clock();
        thread_strip_subject(buf_span(&text));
        unit_case(traps[t]);
        EXPECT((clock() - start) * 1000 / CLOCKS_PER_SEC < 2000);
    }
}

static void references(const char *header, struct buf *out)
{
    struct fields f;
    fields_collect(span_cstr(header), &message_limits_default, &f);
    thread_references(&f, out);
}

TEST(references)
{
    static const struct {
        const char *header, *want;
    } rows[] = {
        {"References: <a@b>\r\n <c@d> junk <e@f>\r\n\r\n",  "<a@b> <c@d> <e@f>"},
        {"In-Reply-To: x <a@b> <c@d>\r\n\r\n",              "<a@b>"            },
        {"References: none\r\nIn-Reply-To: <c@d>\r\n\r\n",  "<c@d>"            },
        {"References: <a@b>\r\nIn-Reply-To: <c@d>\r\n\r\n", "<a@b>"            },
        {"Subject: x\r\n\r\n",                              ""                 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out BUF_AUTO = BUF(1000);
        unit_case(rows[i].header);
        references(rows[i].header, &out);
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
}

TEST(references_keep_the_first_and_the_last)
{
    struct buf header BUF_AUTO = BUF(1 << 20), out BUF_AUTO = BUF(1 << 20);
    buf_put_cstr(&header, "References:");
    for (int i = 0; i < 1500; i++)
        buf_printf(&header, " <%d@x>", i);
    buf_put_cstr(&header, "\r\n");
    references(buf_cstr(&header), &out);
    EXPECT(span_starts(buf_span(&out), SPAN("<0@x> <501@x> ")));
    EXPECT(span_ends_nocase(buf_span(&out), SPAN(" <1499@x>")));
}

TEST(senders)
{
    static const struct {
        const char *header, *want;
    } rows[] = {
        {"From: \"X\" <Joe@Example.ORG>, b@c\r\n", "joe@example.org"},
        {"From: G: A@b;\r\n",                      "a@b"            },
        {"From: root\r\n",                         ""               },
        {"To: a@b\r\n",                            ""               },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out BUF_AUTO = BUF(1000), scratch BUF_AUTO = BUF(0);
        struct fields f;
        fields_collect(span_cstr(rows[i].header), &message_limits_default, &f);
        thread_sender(&f, &out, &scratch);
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
}
