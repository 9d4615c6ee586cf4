/* base64, hex, UTF-8 and modified UTF-7: strict decoders accept exactly what the encoder writes. */
#include "base/base64.h"
#include "base/check.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool coder(struct buf *b, struct span s);

/* An accepted text is the only spelling of what it decodes to; every value survives the round. */
static void one_to_one(coder *encode, coder *decode, struct span s)
{
    BUF_AUTO struct buf a = BUF(1 << 20), b = BUF(1 << 20);

    if (decode(&a, s)) {
        CHECK(encode(&b, buf_span(&a)));
        CHECK(span_eq_nocase(buf_span(&b), s) &&
              (encode == hex_encode || span_eq(buf_span(&b), s)));
    }
    CHECK(!a.overflow);
    buf_clear(&a);
    buf_clear(&b);
    if (encode(&a, s)) {
        CHECK(decode(&b, buf_span(&a)));
        CHECK(span_eq(buf_span(&b), s));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = span_of(data, size > 1000 ? 1000 : size);
    BUF_AUTO struct buf b = BUF(1 << 20), small = BUF(5);

    one_to_one(base64_encode, base64_decode, s);
    one_to_one(base64url_encode, base64url_decode, s);
    one_to_one(hex_encode, hex_decode, s);
    one_to_one(utf7_imap_encode, utf7_imap_decode, s);
    CHECK(base64_decode_lenient(&b, s));
    base64_decode_lenient(&small, s);
    buf_clear(&b);
    CHECK(utf8_scrub(&b, s) && utf8_valid(buf_span(&b)) && !span_has(buf_span(&b), '\0'));
    CHECK(!utf8_valid(s) || span_has(s, '\0') || span_eq(buf_span(&b), s));
    CHECK(!utf8_is_ascii(s) || utf8_valid(s));
    return 0;
}
