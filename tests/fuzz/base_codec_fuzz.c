/* The reader, driven by a program of field types taken from the input; what it reads writes back to
 * the same bytes. */
#include "base/check.h"
#include "base/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void field(struct rd *r, uint8_t type, struct buf *out)
{
    char name[9];
    struct span s;

    switch (type % 9) {
    case 0:
        wr_u8(out, rd_u8(r));
        break;
    case 1:
        wr_u16(out, rd_u16(r));
        break;
    case 2:
        wr_u32(out, rd_u32(r));
        break;
    case 3:
        wr_u64(out, rd_u64(r));
        break;
    case 4:
        wr_i64(out, rd_i64(r));
        break;
    case 5:
        wr_bool(out, rd_bool(r));
        break;
    case 6:
        wr_varint(out, rd_varint(r));
        break;
    case 7:
        s = rd_span(r, 16);
        CHECK(s.n <= 16);
        wr_span(out, s);
        break;
    default:
        rd_cstr(r, name, sizeof name);
        wr_cstr(out, name);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t fields = size ? data[0] % 32 : 0;
    if (size < 1 + fields)
        return 0;

    struct span input = span_of(data + 1 + fields, size - 1 - fields);
    struct rd r = rd_of(input);
    BUF_AUTO struct buf out = BUF(1 << 16);

    for (size_t i = 0; i < fields; i++)
        field(&r, data[1 + i], &out);
    if (rd_done(&r))
        CHECK(span_eq(buf_span(&out), input));
    return 0;
}
