#include "base/base64.h"

#include "unit/unit.h"

#include <stdlib.h>

TEST(known)
{
    static const struct {
        const char *plain, *base64, *url;
    } rows[] = {
        {"",                     "",         ""       },
        {"f",                    "Zg==",     "Zg"     },
        {"fo",                   "Zm8=",     "Zm8"    },
        {"foo",                  "Zm9v",     "Zm9v"   },
        {"foob",                 "Zm9vYg==", "Zm9vYg" },
        {"fooba",                "Zm9vYmE=", "Zm9vYmE"},
        {"\xff\xfe\xfd\xfb\xf0", "//79+/A=", "__79-_A"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf b = BUF(100);
        struct span plain = span_cstr(rows[i].plain);

        EXPECT(base64_encode(&b, plain));
        EXPECT_STR(buf_cstr(&b), rows[i].base64);
        buf_clear(&b);
        EXPECT(base64url_encode(&b, plain));
        EXPECT_STR(buf_cstr(&b), rows[i].url);
        buf_clear(&b);
        EXPECT(base64_decode(&b, span_cstr(rows[i].base64)));
        EXPECT_SPAN(buf_span(&b), plain);
        buf_clear(&b);
        EXPECT(base64url_decode(&b, span_cstr(rows[i].url)));
        EXPECT_SPAN(buf_span(&b), plain);
        buf_clear(&b);
        EXPECT(base64_decode_lenient(&b, span_cstr(rows[i].base64)));
        EXPECT_SPAN(buf_span(&b), plain);
    }
}

TEST(strict_refuses)
{
    static const char *const wrong[] = {
        "Z",    "Zg",    "Zg=",    "Zg===",        "=",        "==",   "====",     "Zm9v=",
        "Zh==", /* bits left over */
        "Zm9=", "Zm 9v", "Zm9v\n", "Zm9v\r\nZm9v", "Zg==Zg==", "_/79", "Zm9v!!!!", "Z===",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        BUF_AUTO struct buf b = BUF(100);
        buf_put_cstr(&b, "x");
        unit_case(wrong[i]);
        EXPECT(!base64_decode(&b, span_cstr(wrong[i])));
        EXPECT_SPAN(buf_span(&b), SPAN("x"));
    }
    unit_case(NULL);
    BUF_AUTO struct buf b = BUF(100);
    EXPECT(!base64url_decode(&b, SPAN("Zg==")));
    EXPECT(!base64url_decode(&b, SPAN("Z")));
    EXPECT(!base64url_decode(&b, SPAN("Zh")));
    EXPECT(!base64url_decode(&b, SPAN("+/79")));
}

TEST(lenient_takes)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"Zm9v\r\nYmFy\r\n",  "foobar"},
        {"Z m\t9-v",          "foo"   },
        {"Zm9vYg",            "foob"  },
        {"Zm9vY",             "foo"   },
        {"Zg==Zg==",          "f"     },
        {"!!!",               ""      },
        {"\x80\xff"
         "Zm9v\x80", "foo"   },
        {"Zh==",              "f"     },
        {"=Zm9v",             ""      },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf b = BUF(100);
        unit_case(rows[i].text);
        EXPECT(base64_decode_lenient(&b, span_cstr(rows[i].text)));
        EXPECT_STR(buf_cstr(&b), rows[i].want);
    }
    unit_case(NULL);
}

TEST(limits)
{
    BUF_AUTO struct buf b = BUF(4);

    EXPECT(base64_encode(&b, SPAN("abc")));
    buf_clear(&b);
    EXPECT(!base64_encode(&b, SPAN("abcd")));
    EXPECT(b.overflow);
    buf_clear(&b);
    EXPECT(!base64_decode(&b, SPAN("Zm9vYmE=")));
    buf_clear(&b);
    /* foreign bytes count for nothing: four bytes come out of a long text */
    EXPECT(base64_decode_lenient(&b, SPAN("Z\n\n\n\nm\n\n\n9\n\n\nv\n\n\nY\n\n\ng\n\n\n\n\n\n")));
    EXPECT_STR(buf_cstr(&b), "foob");
    buf_clear(&b);
    EXPECT(!base64_decode_lenient(&b, SPAN("Zm9vYmE=")));
    EXPECT(b.overflow);
    buf_clear(&b);
    EXPECT(!hex_encode(&b, SPAN("abc")));
}

TEST(hex)
{
    BUF_AUTO struct buf b = BUF(100);

    EXPECT(hex_encode(&b, SPAN("\x00\x1f\xff")));
    EXPECT_STR(buf_cstr(&b), "001fff");
    buf_clear(&b);
    EXPECT(hex_decode(&b, SPAN("001FfF")));
    EXPECT_SPAN(buf_span(&b), SPAN("\x00\x1f\xff"));
    buf_clear(&b);
    EXPECT(hex_decode(&b, SPAN("")));
    EXPECT(!hex_decode(&b, SPAN("0")));
    EXPECT(!hex_decode(&b, SPAN("0g")));
    EXPECT(!hex_decode(&b, SPAN("@1")));
    EXPECT_INT(b.n, 0);
}

TEST(random_round_trip)
{
    for (size_t n = 0; n < 300; n++) {
        unsigned char raw[300];
        BUF_AUTO struct buf text = BUF(500), back = BUF(300);

        for (size_t i = 0; i < n; i++)
            raw[i] = (unsigned char)(unit_random() >> 32);
        EXPECT(base64_encode(&text, span_of(raw, n)) && base64_decode(&back, buf_span(&text)));
        EXPECT_SPAN(buf_span(&back), span_of(raw, n));
        buf_clear(&text);
        buf_clear(&back);
        EXPECT(base64url_encode(&text, span_of(raw, n)) &&
               base64url_decode(&back, buf_span(&text)));
        EXPECT_SPAN(buf_span(&back), span_of(raw, n));
    }
}
