/*
 * Captured packets through all of it: frames, reassembly, the plain grammar of every protocol, TLS records, secrets. The first byte chooses
 * protocol and policy, the second the link type; then pieces: two bytes of length and direction, what is in them. Half of the pieces are
 * frames as they are, half become the payload of a TCP segment that fits.
 */
#include "base/codec.h"
#include "capture/observe.h"
#include "capture/pcapng.h"

static const int links[] = {LINK_NULL, LINK_ETHERNET, LINK_RAW, LINK_SLL, LINK_SLL2, LINK_IPV6};

static void on_event(void *arg, const struct observe_event *e)
{
    struct buf *out = arg;

    buf_clear(out);
    buf_put_span(out, e->text);
}

static void segment(struct observe *o, bool server, uint32_t seq, unsigned flags,
                    struct span payload)
{
    struct buf b BUF_AUTO = BUF(70000);
    unsigned n = 40 + (unsigned)payload.n, from = server ? 25 : 40000, to = server ? 40000 : 25;
    unsigned char head[40] = {0x45,
                              0,
                              (unsigned char)(n >> 8),
                              (unsigned char)n,
                              0,
                              0,
                              0x40,
                              0,
                              64,
                              6,
                              0,
                              0,
                              127,
                              0,
                              0,
                              1,
                              127,
                              0,
                              0,
                              1,
                              (unsigned char)(from >> 8),
                              (unsigned char)from,
                              (unsigned char)(to >> 8),
                              (unsigned char)to,
                              (unsigned char)(seq >> 24),
                              (unsigned char)(seq >> 16),
                              (unsigned char)(seq >> 8),
                              (unsigned char)seq,
                              0,
                              0,
                              0,
                              0,
                              0x50,
                              (unsigned char)flags};

    buf_put(&b, head, sizeof head);
    buf_put_span(&b, payload);
    observe_packet(o, LINK_RAW, buf_span(&b), (uint32_t)b.n, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct rd r = rd_of(span_of(data, n));
    unsigned choice = rd_u8(&r), link = rd_u8(&r);
    struct observe_endpoint e = {.vserver = "v",
                                 .protocol = choice % PROTOCOL_COUNT,
                                 .policy = choice / PROTOCOL_COUNT % 4,
                                 .require_secure = choice & 128,
                                 .end = {.port = 25}};
    struct secrets *s = secrets_new();
    struct buf out = BUF(70000);
    struct observe *o;
    uint32_t seq[2] = {1, 1};

    secrets_add(s, "password", SPAN("geheim-und-lang"));
    o = observe_new(&e, 1, s, on_event, &out);
    segment(o, false, 0, TCP_SYN, SPAN_EMPTY);
    segment(o, true, 0, TCP_SYN | TCP_ACK, SPAN_EMPTY);
    while (r.n > 0 && !r.bad) {
        unsigned how = rd_u8(&r), length = rd_u8(&r);
        bool server = how & 1;
        struct span piece = rd_raw(&r, length < r.n ? length : r.n);
        if (how & 2) {
            observe_packet(o, links[link % 6], piece, (uint32_t)piece.n, 1);
            continue;
        }
        /* sometimes earlier, sometimes later than it should */
        segment(o, server, seq[server] + (how & 4 ? how >> 4 : 0) - (how & 8 ? how >> 4 : 0),
                how >> 4 & 4, piece);
        seq[server] += (uint32_t)piece.n;
    }
    observe_finish(o);
    observe_free(o);
    secrets_free(s);
    buf_done(&out);
    return 0;
}
