#include "message/mime.h"
#include "message/summary_testing.h"

/* kind header+bytes body+bytes lines parent, a node a line */
static void describe(const struct mime *m, struct buf *out)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct mime_node *n = &m->nodes[i];
        buf_printf(out, "%c %u+%u %u+%u %u ^%u\n", "LMR"[n->kind], n -> header_at,
                   n -> header_end - n -> header_at, n -> body_at, n -> body_end - n -> body_at,
                   n -> body_lines, n -> parent);
    }
}

#define MULTI "Content-Type: multipart/mixed; boundary=A\r\n\r\n"  /* 45 bytes */
#define INNER "Content-Type: multipart/mixed; boundary=AB\r\n\r\n" /* 46 bytes */
#define RFC822 "Content-Type: message/rfc822\r\n\r\n"              /* 32 bytes */

static const struct {
    const char *name, *in, *want;
} rows[] = {
    {"empty",                                      "",                                                               "L 0+0 0+0 0 ^0\n"                     },
    {"no body",                                    "A: b\r\n",                                                       "L 0+6 6+0 0 ^0\n"                     },
    {"no header",                                  "\r\nx\r\n",                                                      "L 0+2 2+3 1 ^0\n"                     },
    {"bare LF",                                    "A: b\n\nx\ny",                                                   "L 0+6 6+3 1 ^0\n"                     },
    {"two parts",
     MULTI "pre\r\n--A\r\n\r\none\r\n--A\r\nX: y\r\n\r\ntwo\r\nlines\r\n--A--\r\nepi\r\n",
     "M 0+45 45+54 11 ^0\nL 55+2 57+3 0 ^0\nL 67+8 75+10 1 ^0\n"                                                                                            },
    {"delimiter right behind a header",            MULTI "--A\r\n\r\n--A\r\nX: y\r\n--A--",
     "M 0+45 45+23 4 ^0\nL 50+2 52+0 0 ^0\nL 57+6 63+0 0 ^0\n"                                                                                              },
    {"never closed",                               MULTI "--A\r\n\r\nfoo\r\n",                                       "M 0+45 45+12 3 ^0\nL 50+2 52+5 1 ^0\n"},
    {"never opened",                               MULTI "foo\r\n",                                                  "M 0+45 45+5 1 ^0\nL 45+0 45+5 1 ^0\n" },
    {"no boundary parameter",                      "Content-Type: multipart/mixed\r\n\r\nfoo\r\n",
     "M 0+33 33+5 1 ^0\nL 33+0 33+5 1 ^0\n"                                                                                                                 },
    {"the outer delimiter closes the inner parts",
     MULTI "--A\r\n" INNER "--AB\r\n\r\nbar\r\n--A\r\n\r\nz\r\n--A--\r\n",
     "M 0+45 45+81 10 ^0\nM 50+46 96+11 2 ^0\nL 102+2 104+3 0 ^1\nL 114+2 116+1 0 ^0\n"                                                                     },
    {"the longest boundary wins",                  MULTI "--A\r\n" INNER "--AB\r\n\r\nx\r\n--AB--\r\n--A--\r\n",
     "M 0+45 45+77 8 ^0\nM 50+46 96+17 3 ^0\nL 102+2 104+1 0 ^1\n"                                                                                          },
    {"padding behind a delimiter",                 MULTI "--A  \t\r\n\r\nx\r\n--A-- \r\n",
     "M 0+45 45+21 4 ^0\nL 53+2 55+1 0 ^0\n"                                                                                                                },
    {"behind the last delimiter is epilogue",      MULTI "--A\r\n\r\nx\r\n--A--\r\n--A\r\n\r\ny\r\n",
     "M 0+45 45+27 7 ^0\nL 50+2 52+1 0 ^0\n"                                                                                                                },
    {"a message inside",                           RFC822 "S: x\r\n\r\nbody\r\n",                                    "R 0+32 32+14 3 ^0\nL 32+8 40+6 1 ^0\n"},
    {"a multipart in a message in a part",
     MULTI "--A\r\n" RFC822 INNER "--AB\r\n\r\nq\r\n--AB--\r\n--A--\r\n",
     "M 0+45 45+109 10 ^0\nR 50+32 82+63 5 ^0\nM 82+46 128+17 3 ^1\nL 134+2 136+1 0 ^2\n"                                                                   },
    {"a message part without a body",              MULTI "--A\r\nContent-Type: message/rfc822\r\n--A--\r\n",
     "M 0+45 45+42 3 ^0\nR 50+30 80+0 0 ^0\nL 80+0 80+0 0 ^1\n"                                                                                             },
    {"dashes that are no delimiter",               MULTI "--A\r\n\r\n--\r\n---A\r\n -A\r\n--B\r\n--A--",
     "M 0+45 45+32 6 ^0\nL 50+2 52+18 3 ^0\n"                                                                                                               },
    {"LF line ends",                               "Content-Type: multipart/mixed; boundary=A\n\n--A\n\nx\n--A--\n",
     "M 0+43 43+13 4 ^0\nL 47+1 48+1 0 ^0\n"                                                                                                                },
};

TEST(mime_rows)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mime m;
        struct buf got BUF_AUTO = BUF(4096);
        mime_parse(span_cstr(rows[i].in), &message_limits_default, &m);
        describe(&m, &got);
        unit_case(rows[i].name);
        EXPECT_SPAN(buf_span(&got), span_cstr(rows[i].want));
        mime_done(&m);
    }
}

TEST(mime_types)
{
    static const struct {
        const char *header, *type, *subtype, *encoding;
        bool implied;
    } types[] = {
        {"",                                                 "text",  "plain", "7bit",             true },
        {"Content-Type: TEXT / html ; x=y\r\n",              "TEXT",  "html",  "7bit",             false},
        {"Content-Type: (c) image/png\r\n",                  "image", "png",   "7bit",             false},
        {"Content-Type: text\r\n",                           "text",  "plain", "7bit",             true },
        {"Content-Type: \r\n",                               "text",  "plain", "7bit",             true },
        {"Content-Type: /x\r\n",                             "text",  "plain", "7bit",             true },
        {"Content-Type: a/b\r\nContent-Type: c/d\r\n",       "a",     "b",     "7bit",             false},
        {"Content-Transfer-Encoding: Base64 (x)\r\n",        "text",  "plain", "Base64",           true },
        {"Content-Transfer-Encoding: quoted-printable;\r\n", "text",  "plain", "quoted-printable",
         true                                                                                           },
        {"Content-Transfer-Encoding: \"8bit\"\r\n",          "text",  "plain", "8bit",             true },
        {"Content-Transfer-Encoding: quoted printable\r\n",  "text",  "plain", "7bit",             true },
        {"Content-Transfer-Encoding: text/html\r\n",         "text",  "plain", "7bit",             true },
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct mime m;
        unit_case(types[i].header);
        mime_parse(span_cstr(types[i].header), &message_limits_default, &m);
        EXPECT_SPAN(m.nodes[0].type, span_cstr(types[i].type));
        EXPECT_SPAN(m.nodes[0].subtype, span_cstr(types[i].subtype));
        EXPECT_SPAN(mime_encoding(&m.nodes[0]), span_cstr(types[i].encoding));
        EXPECT(m.nodes[0].implied == types[i].implied);
        mime_done(&m);
    }
}

static uint32_t kinds(const struct mime *m, enum mime_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->count; i++)
        n += m->nodes[i].kind == kind;
    return n;
}

TEST(mime_limit_of_depth)
{
    struct buf b BUF_AUTO = BUF(1 << 22);
    struct mime m;
    for (int i = 0; i < 10000; i++)
        buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%05d\r\n\r\n--b%05d\r\n", i, i);
    mime_parse(buf_span(&b), &message_limits_default, &m);
    EXPECT(m.truncated);
    EXPECT_INT(kinds(&m, MIME_MULTIPART), 64);
    EXPECT_INT(m.count, 65);
    EXPECT_SPAN(m.nodes[64].type, SPAN("text"));
    EXPECT_INT(m.nodes[64].body_end, b.n);
    mime_done(&m);
    buf_clear(&b);
    for (int i = 0; i < 10000; i++)
        buf_put_cstr(&b, RFC822);
    mime_parse(buf_span(&b), &message_limits_default, &m);
    EXPECT_INT(kinds(&m, MIME_MESSAGE), 64);
    EXPECT(m.truncated);
    mime_done(&m);
}

TEST(mime_limit_of_parts)
{
    struct buf b BUF_AUTO = BUF(1 << 22);
    struct mime m;
    buf_put_cstr(&b, MULTI);
    for (int i = 0; i < 5000; i++)
        buf_put_cstr(&b, "--A\r\n\r\nx\r\n");
    buf_put_cstr(&b, "--A--\r\nepilogue\r\n");
    mime_parse(buf_span(&b), &message_limits_default, &m);
    EXPECT(m.truncated);
    EXPECT_INT(m.count, 1000);
    /* the last part has what was left out, up to the closing delimiter */
    EXPECT_INT(m.nodes[999].body_end, b.n - strlen("\r\n--A--\r\nepilogue\r\n"));
    EXPECT_INT(m.nodes[0].body_end, b.n);
    mime_done(&m);
}
