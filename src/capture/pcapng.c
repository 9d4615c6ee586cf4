#include "capture/pcapng.h"

#include "base/check.h"
#include "base/codec.h"

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, STATISTICS = 5, PACKET = 6, MAGIC = 0x1a2b3c4d };
enum { OPT_END = 0, IF_NAME = 2, IF_FILTER = 11, SHB_USERAPPL = 4, ISB_RECEIVED = 4, ISB_DROP = 5 };

static void pad(struct buf *out, size_t n)
{
    while (n++ % 4 != 0)
        wr_u8(out, 0);
}

static void option(struct buf *out, unsigned code, struct span value)
{
    wr_u16(out, (uint16_t)code);
    wr_u16(out, (uint16_t)value.n);
    wr_raw(out, value.p, value.n);
    pad(out, value.n);
}

static void option_u64(struct buf *out, unsigned code, uint64_t v)
{
    struct buf b BUF_AUTO = BUF(8);

    wr_u64(&b, v);
    option(out, code, buf_span(&b));
}

/* A block: its length stands in front and behind. */
static void block(struct buf *out, uint32_t type, const struct buf *body)
{
    uint32_t n = (uint32_t)body->n + 12;

    CHECK(body->n % 4 == 0);
    wr_u32(out, type);
    wr_u32(out, n);
    wr_raw(out, body->p, body->n);
    wr_u32(out, n);
}

void pcapng_header(struct buf *out, int link, uint32_t snap, const char *interface,
                   const char *filter)
{
    struct buf b BUF_AUTO = BUF(65536);

    wr_u32(&b, MAGIC);
    wr_u16(&b, 1);
    wr_u16(&b, 0);
    wr_i64(&b, -1);
    option(&b, SHB_USERAPPL, SPAN("sealpost capture"));
    wr_u32(&b, OPT_END);
    block(out, SECTION, &b);
    buf_clear(&b);
    wr_u16(&b, (uint16_t)link);
    wr_u16(&b, 0);
    wr_u32(&b, snap);
    option(&b, IF_NAME, span_head(span_cstr(interface), 200));
    if (filter[0] != '\0') {
        struct buf f BUF_AUTO = BUF(32768);
        wr_u8(&f, 0); /* libpcap's syntax */
        buf_put_span(&f, span_head(span_cstr(filter), 30000));
        option(&b, IF_FILTER, buf_span(&f));
    }
    wr_u32(&b, OPT_END);
    block(out, INTERFACE, &b);
}

static void time_of(struct buf *out, int64_t us)
{
    wr_u32(out, (uint32_t)((uint64_t)us >> 32));
    wr_u32(out, (uint32_t)us);
}

void pcapng_packet(struct buf *out, int64_t us, struct span frame, uint32_t wire_bytes)
{
    uint32_t n = 32 + (uint32_t)((frame.n + 3) / 4 * 4);

    wr_u32(out, PACKET);
    wr_u32(out, n);
    wr_u32(out, 0);
    time_of(out, us);
    wr_u32(out, (uint32_t)frame.n);
    wr_u32(out, wire_bytes);
    wr_raw(out, frame.p, frame.n);
    pad(out, frame.n);
    wr_u32(out, n);
}

void pcapng_statistics(struct buf *out, int64_t us, uint64_t received, uint64_t dropped)
{
    struct buf b BUF_AUTO = BUF(256);

    wr_u32(&b, 0);
    time_of(&b, us);
    option_u64(&b, ISB_RECEIVED, received);
    option_u64(&b, ISB_DROP, dropped);
    wr_u32(&b, OPT_END);
    block(out, STATISTICS, &b);
}
