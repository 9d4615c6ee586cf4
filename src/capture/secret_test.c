#include "capture/secret.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/check.h"
#include "unit/unit.h"

#define SECRET "geheim/Wort=17ü"

static unsigned find(struct span text, bool fold, size_t cut, struct secret_hit *ret)
{
    struct secrets *s = secrets_new();
    struct secret_scan scan = {0};
    struct secret_hit h;
    unsigned n = 0;

    EXPECT(secrets_add(s, "the word", SPAN(SECRET)));
    EXPECT(secrets_add(s, "another", SPAN("somethingelse")));
    for (size_t at = 0; at < text.n; at += cut) {
        size_t i = 0;
        while (secrets_scan(s, &scan, span_sub(text, at, cut), fold, &i, &h)) {
            n++;
            *ret = h;
            EXPECT_STR(h.name, "the word");
        }
    }
    secrets_free(s);
    return n;
}

static const struct {
    const char *name;
    struct span text;
    bool fold, found;
} cases[] = {
    {"as it is",                      SPAN("PASS " SECRET "\r\n"),                              false, true },
    {"quoted-printable",              SPAN("=67=65=68=65=69=6D=2F=57=6F=72=74=3D=31=37=C3=BC"), false, true },
    {"quoted-printable of odd bytes", SPAN("geheim=2FWort=3D17=C3=BC"),                         false, true },
    {"percent",                       SPAN("p=geheim%2FWort%3D17%C3%BC&q"),                     false, true },
    {"upper case",                    SPAN("GEHEIM/WORT=17\xc3\xbc"),                           false, true },
    {"hex",                           SPAN("67656865696d2f576f72743d3137c3bc"),                 false, true },
    {"utf-16le",
     SPAN("g\0e\0h\0e\0i\0m\0/\0W\0o\0r\0t\0=\0"
          "1\0"
          "7\0\xc3\0\xbc\0"),
     false,                                                                                            true },
    {"soft break",                    SPAN("gehe=\r\nim/Wor=\r\nt=3D17"),                       true,  false},
    {"soft breaks inside",            SPAN("gehe=\r\nim=2FWor=\r\nt=3D17=C3=BC"),               true,  true },
    {"without folding",               SPAN("gehe=\r\nim=2FWor=\r\nt=3D17=C3=BC"),               false, false},
    {"almost",                        SPAN("geheim/Wort=18\xc3\xbc"),                           true,  false},
    {"begins twice",                  SPAN("geheim/Wogeheim/Wort=17\xc3\xbc"),                  false, true },
};

TEST(forms)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 1; cut <= cases[i].text.n; cut += cut < 4 ? 1 : 7) {
            struct secret_hit h;
            unit_case(cases[i].name);
            EXPECT_INT(find(cases[i].text, cases[i].fold, cut, &h) > 0, cases[i].found);
        }
    unit_case(NULL);
}

/* Wherever it stands in encoded text, also with lines of 76. */
TEST(base64_anywhere)
{
    for (unsigned before = 0; before < 9; before++)
        for (unsigned wrap = 0; wrap < 2; wrap++) {
            struct buf in BUF_AUTO = BUF(500), out BUF_AUTO = BUF(1000), text BUF_AUTO = BUF(1000);
            struct secret_hit h;
            for (unsigned i = 0; i < before + 45; i++)
                buf_putc(&in, (char)unit_random());
            buf_put_cstr(&in, SECRET "and more");
            base64_encode(&out, buf_span(&in));
            for (size_t i = 0; i < out.n; i++) {
                if (wrap && i > 0 && i % 20 == 0)
                    buf_put_cstr(&text, "\r\n");
                buf_putc(&text, out.p[i]);
            }
            EXPECT_INT(find(buf_span(&text), true, text.n, &h) > 0, 1);
            EXPECT(span_starts(span_cstr(h.form), SPAN("base64")));
        }
}

TEST(place)
{
    struct secrets *s = secrets_new();
    struct secret_scan scan = {0};
    struct secret_hit h;
    size_t at = 0;

    EXPECT(!secrets_add(s, "short", SPAN("1234567")));
    EXPECT(secrets_add(s, "one", SPAN("12345678")));
    EXPECT(secrets_scan(s, &scan, SPAN("..12345678.."), false, &at, &h));
    EXPECT_INT(h.end, 10);
    EXPECT_INT(h.length, 8);
    EXPECT(!secrets_scan(s, &scan, SPAN("..12345678.."), false, &at, &h));
    secrets_free(s);
}

TEST(chance)
{
    struct buf b BUF_AUTO = BUF(1 << 20);
    struct secret_hit h;

    while (b.n < 1 << 20)
        buf_putc(&b, (char)unit_random());
    EXPECT_INT(find(buf_span(&b), true, 1 << 20, &h), 0);
}

/* Ciphertext is passed by in strides: none of them may step over a secret, wherever it stands and wherever packets cut it. */
TEST(no_stride_steps_over_it)
{
    static const struct span forms[] = {SPAN("12345678"), SPAN("MTIzNDU2Nz"),
                                        SPAN("3132333435363738")};
    struct secrets *s = secrets_new();

    secrets_add(s, "one", SPAN("12345678"));
    for (unsigned round = 0; round < 2000; round++) {
        struct buf b BUF_AUTO = BUF(400);
        struct span form = forms[round % ARRAY_LEN(forms)], rest;
        struct secret_scan scan = {0};
        size_t before = unit_random() % 60, after = unit_random() % 30, begun = 0, end = 0;
        struct secret_hit h;
        for (size_t i = 0; i < before; i++)
            buf_putc(&b, (char)(unit_random() | 0x80)); /* of no form */
        buf_put_span(&b, form);
        for (size_t i = 0; i < after; i++)
            buf_putc(&b, (char)(unit_random() | 0x80));
        rest = buf_span(&b);
        while (rest.n > 0 && end == 0) {
            struct span piece = span_head(rest, 1 + unit_random() % 40);
            size_t at = 0;
            if (secrets_scan(s, &scan, piece, false, &at, &h))
                end = begun + h.end;
            begun += piece.n;
            rest = span_skip(rest, piece.n);
        }
        EXPECT_INT(end, before + form.n);
    }
    secrets_free(s);
}
