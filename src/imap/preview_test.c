#include "imap/preview.h"

#include "base/check.h"
#include "unit/unit.h"

static const struct {
    const char *text, *want;
    bool html;
} rows[] = {
    {"",                                         "",                     false},
    {" \r\n\t ",                                 "",                     false},
    {"a  b\r\n\r\nc",                            "a b c",                false},
    {"<p>a</p>",                                 "<p>a</p>",             false},
    {"<p>a</p><p>b",                             "a b",                  true },
    {"a&amp;b&nbsp;&lt;&bogus;",                 "a&b <&bogus;",         true },
    {"<style>x{}</style>a<script>y()</script>b", "a b",                  true },
    {"<STYLE type=x>x{}</Style>a",               "a",                    true },
    {"<!-- <p>x --> -->a",                       "-->a",                 true },
    {"<style>never ends",                        "",                     true },
    {"<!-- never ends",                          "",                     true },
    {"a <b",                                     "a",                    true },
    {"<styled>a",                                "a",                    true },
    {"\xc3\xbc\xe2\x82\xac",                     "\xc3\xbc\xe2\x82\xac", false},
    {"a\xc3",                                    "a",                    false},
};

TEST(rows)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(4096);
        preview_text(span_cstr(rows[i].text), rows[i].html, &b);
        EXPECT_SPAN(buf_span(&b), span_cstr(rows[i].want));
    }
}

/* So many characters, not bytes, and no half of one. */
TEST(an_end)
{
    struct buf b BUF_AUTO = BUF(4096), text BUF_AUTO = BUF(4096);

    for (int i = 0; i < 300; i++)
        buf_put_cstr(&text, "\xc3\xbc");
    preview_text(buf_span(&text), false, &b);
    EXPECT_INT(b.n, 2 * PREVIEW_CHARS);
    for (size_t cut = 0; cut < 20; cut++) {
        buf_clear(&b);
        preview_text(span_head(SPAN("<p>\xe2\x82\xac</p><b \xe2\x82\xac>"), cut), true, &b);
        EXPECT(b.n == 0 || b.n == 3);
    }
}
