#include "base/base64.h"
#include "message/search.h"
#include "message/summary_testing.h"
#include <time.h>

static bool header_has(const char *block, const char *name, const char *text)
{
    struct needle *n = needle_new(span_cstr(text));
    bool found =
        name ? search_header(span_cstr(block), name, n) : search_header_any(span_cstr(block), n);
    needle_free(n);
    return found;
}

TEST(needles)
{
    char big[1026];
    memset(big, 'a', sizeof(big));
    needle_free(NULL);
    EXPECT(needle_new(SPAN("\xe9")) == NULL);
    EXPECT(needle_new(span_of(big, 1025)) == NULL);
    struct needle *n = needle_new(span_of(big, 1024));
    EXPECT(n != NULL);
    needle_free(n);
}

TEST(search_in_headers)
{
    static const char block[] =
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus\r\n K\xc3\xb6ln\r\nSubject: second\r\n"
        "X-Latin: caf\xe9\r\nX-Empty:\r\nX-Koi: =?koi8-r?q?=F0=D2=C9=D7=C5=D4?=\r\n\r\nSubject: "
        "body\r\n";
    static const struct {
        const char *name, *text;
        bool want;
    } rows[] = {
        {"subject",
         "GR\xc3\x9c\xc3\x9f"
         "E AUS k\xc3\x96ln",                   true },
        {"SUBJECT", "second",                   true },
        {"subject", "Gr=C3",                    false},
        {"subject", "body",                     false},
        {"subject", "latin",                    false},
        {"x-latin", "CAF\xc3\x89",              true },
        {"x-koi",   "\xd0\xbf\xd1\x80\xd0\xb8", true },
        {"x-empty", "",                         true },
        {"x-none",  "",                         false},
        {"x-empty", "x",                        false},
        {NULL,      "second",                   true },
        {NULL,      "x-latin: caf",             true },
        {NULL,      "body",                     false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_case(rows[i].text);
        EXPECT(header_has(block, rows[i].name, rows[i].text) == rows[i].want);
    }
}

static bool body_has(const struct parsed *p, const char *text)
{
    struct needle *n = needle_new(span_cstr(text));
    bool found = search_body(parsed_raw(p), &p->s, n);
    needle_free(n);
    return found;
}

TEST(search_in_bodies)
{
    struct parsed p;
    REQUIRE(parsed_text(
        &p,
        "Subject: head\nContent-Type: multipart/mixed; boundary=A\n\npreamble\n--A\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
        "R3LDvMOfZSBhdXMgS8O2bG4=\n--A\nContent-Type: text/html; "
        "charset=iso-2022-jp\n\n<b>\x1b$B$\"$$\x1b(B</b>\n--A\n"
        "Content-Type: application/octet-stream\n\nbinary\n--A\nContent-Type: message/rfc822\n\n"
        "Subject: inner =?utf-8?q?=C3=A9?=\n\nquoted\n--A\nContent-Transfer-Encoding: "
        "quoted-printable\n\n"
        "soft=\nbreak =E9\n--A--\n"));
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"gr\xc3\xbc\xc3\x9f"
         "e AUS K\xc3\x96LN", true },
        {"\xe3\x81\x82\xe3\x81\x84",   true },
        {"SOFTBREAK \xc3\xa9",         true },
        {"INNER \xc3\x89",             true },
        {"quoted",                     true },
        {"",                           true },
        {"binary",                     false},
        {"preamble",                   false},
        {"head",                       false},
        {"R3LD",                       false},
        {"softbreak x",                false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unit_case(rows[i].text);
        EXPECT(body_has(&p, rows[i].text) == rows[i].want);
    }
    parsed_done(&p);
}

static void put_text(void *arg, struct span name, bool first, struct span folded)
{
    if (first) {
        buf_putc(arg, '[');
        buf_put_span(arg, name);
        buf_putc(arg, ']');
    }
    buf_put_span(arg, folded);
}

/* What an index is made of: every text, in its order, folded, each begun once. */
TEST(texts_of_a_message)
{
    struct buf header BUF_AUTO = BUF(10000), body BUF_AUTO = BUF(10000);
    struct parsed p;
    REQUIRE(parsed_text(
        &p, "Subject: =?utf-8?q?Gr=C3=9C=C3=9Fe?=\nX-A:\n folded B\nContent-Type: multipart/mixed; "
            "boundary=A\n\n--A\nContent-Type: text/plain; charset=utf-8\n"
            "Content-Transfer-Encoding: base64\n\nS8OWTE4=\n--A\nContent-Type: image/png\n\nnone\n"
            "--A\nContent-Type: message/rfc822\n\nTo: X\n\nINNER\n--A--\n"));
    search_header_each(span_head(parsed_raw(&p), p.s.header_bytes), put_text, &header);
    search_body_each(parsed_raw(&p), &p.s, put_text, &body);
    EXPECT_STR(buf_cstr(&header), "[Subject]subject: gr\xc3\xbc\xc3\x9f"
                                  "e[X-A]x-a: folded b[Content-Type]content-type: "
                                  "multipart/mixed; boundary=a");
    EXPECT_STR(buf_cstr(&body), "[]k\xc3\xb6ln[To]to: x[]inner");
    parsed_done(&p);
}

/* A long text with the words anywhere in it, over the borders of the inner pieces, too. */
TEST(search_across_pieces)
{
    static const char word[] = "F\xc3\xbcnfundzwanzig N\xc3\xa4gel";
    for (int round = 0; round < 40; round++) {
        struct buf text BUF_AUTO = BUF(1 << 20), raw BUF_AUTO = BUF(1 << 20);
        size_t lead = 8100 + unit_random() % 200;
        for (size_t i = 0; i < lead; i++)
            buf_put_cstr(&text, round % 3 ? "x" : "\xc3\xa9");
        buf_put_cstr(&text, word);
        buf_put_cstr(&text, " tail");
        buf_put_cstr(&raw, round % 2 ? "Content-Transfer-Encoding: base64\r\n\r\n" : "\r\n");
        if (round % 2)
            base64_encode(&raw, buf_span(&text));
        else
            buf_put_span(&raw, buf_span(&text));
        struct parsed p;
        REQUIRE(parsed_init(&p, buf_span(&raw)));
        EXPECT(body_has(&p, "F\xc3\x9cNFUNDZWANZIG n\xc3\x84gel"));
        EXPECT(!body_has(&p, "F\xc3\x9cNFUNDZWANZIG n\xc3\x84gelX"));
        struct part_range part;
        struct buf back BUF_AUTO = BUF(1 << 20);
        REQUIRE(summary_part(&p.s, NULL, 0, &part));
        EXPECT(part_text(buf_span(&raw), &part, &back));
        EXPECT_SPAN(buf_span(&back), buf_span(&text));
        parsed_done(&p);
    }
}

TEST(part_text)
{
    static const struct {
        const char *in, *want; /* NULL: no text */
        size_t max;
    } rows[] = {
        {"\nplain \xe9\n",                                         "plain \xc3\xa9\r\n", 100},
        {"\n12345\xc3\xa9",                                        "12345",              6  },
        {"Content-Type: text/x; charset=koi8-r\n\n\xf0",           "\xd0\x9f",           100},
        {"Content-Type: text/x; charset=unknown\n\n\xc3\xa9",      "\xc3\xa9",           100},
        {"Content-Type: image/png\n\nx",                           NULL,                 100},
        {"Content-Type: text/plain; charset=utf-16be\n"
         "Content-Transfer-Encoding: base64\n\nAGEAYg==", "ab",                 100},
        {"\n",                                                     "",                   100},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed p;
        struct part_range part;
        struct buf out BUF_AUTO = BUF(rows[i].max);
        unit_case(rows[i].in);
        REQUIRE(parsed_text(&p, rows[i].in));
        REQUIRE(summary_part(&p.s, NULL, 0, &part));
        EXPECT(part_text(parsed_raw(&p), &part, &out) == (rows[i].want != NULL));
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
        parsed_done(&p);
    }
}

/* The block says more than the body has: as after a damaged store. */
TEST(search_with_a_foreign_summary)
{
    struct parsed p;
    struct part_range part;
    struct buf out BUF_AUTO = BUF(100);
    REQUIRE(parsed_text(&p, "Subject: x\n\nsome text that is there\n"));
    struct needle *n = needle_new(SPAN("there"));
    EXPECT(search_body(parsed_raw(&p), &p.s, n));
    EXPECT(!search_body(span_head(parsed_raw(&p), 16), &p.s, n));
    EXPECT(!search_body(SPAN_EMPTY, &p.s, n));
    REQUIRE(summary_part(&p.s, NULL, 0, &part));
    EXPECT(part_text(SPAN_EMPTY, &part, &out) && out.n == 0);
    needle_free(n);
    parsed_done(&p);
}

TEST(search_is_linear)
{
    static const char *const traps[] = {"a", "aab", "=", " ", "=\r\n", "\xc3", "=?utf-8?q?"};
    for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
        struct buf b BUF_AUTO = BUF(4 << 20);
        struct parsed p;
        buf_put_cstr(&b, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
        while (b.n < 2 << 20)
            buf_put_cstr(&b, traps[i]);
        REQUIRE(parsed_init(&p, buf_span(&b)));
        clock_t start = clock();
        EXPECT(!body_has(
            &p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
        unit_case(traps[i]);
        EXPECT((clock() - start) * 1000 / CLOCKS_PER_SEC < 3000);
        parsed_done(&p);
    }
}
