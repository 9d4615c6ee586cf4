#include "base/base64.h"
#include "message/transfer.h"
#include "unit/unit.h"

static const struct {
    const char *encoding, *in, *want;
} rows[] = {
    {"7bit",             "a=41\r\n",                     "a=41\r\n"     },
    {"",                 "a",                            "a"            },
    {"Base64",           "aGVsbG8=",                     "hello"        },
    {"base64",           "aGVs\r\nbG8",                  "hello"        },
    {"base64",           "aG*Vs bG8=aGVsbG8=",           "hellohello"   },
    {"base64",           "a",                            ""             },
    {"base64",           "aA",                           "h"            },
    {"quoted-printable", "a=3Db=\r\nc=20 \r\nd  =\r\ne", "a=bc \r\nd  e"},
    {"quoted-printable", "x=zz=4=",                      "x=zz=4="      },
    {"quoted-printable", "soft= \t\nx",                  "softx"        },
    {"quoted-printable", "trail  \t",                    "trail"        },
    {"quoted-printable", "in  side",                     "in  side"     },
    {"quoted-printable", "=c3=A9",                       "\xc3\xa9"     },
    {"x-uuencode",       "M1",                           "M1"           },
};

static void decode(const char *encoding, struct span in, size_t room, struct buf *out)
{
    struct transfer t = {.kind = transfer_kind(span_cstr(encoding))};
    char piece[64];
    while (in.n)
        buf_put(out, piece, transfer_decode(&t, &in, piece, room));
}

TEST(transfer_rows_in_any_piece)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t room = 1; room <= 64; room += room < 4 ? 1 : 20) {
            struct buf out BUF_AUTO = BUF(200);
            unit_case(rows[i].in);
            decode(rows[i].encoding, span_cstr(rows[i].in), room, &out);
            EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
        }
}

TEST(transfer_kinds)
{
    EXPECT_INT(transfer_kind(SPAN("QUOTED-PRINTABLE")), TRANSFER_QP);
    EXPECT_INT(transfer_kind(SPAN("x-uuencode")), TRANSFER_UNKNOWN);
    EXPECT_INT(transfer_kind(SPAN("8bits")), TRANSFER_IDENTITY);
}

TEST(transfer_base64_round)
{
    for (size_t n = 0; n < 60; n++) {
        char bytes[60];
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)unit_random();
        struct buf coded BUF_AUTO = BUF(200), out BUF_AUTO = BUF(200);
        base64_encode(&coded, span_of(bytes, n));
        decode("base64", buf_span(&coded), 7, &out);
        EXPECT_SPAN(buf_span(&out), span_of(bytes, n));
    }
}
