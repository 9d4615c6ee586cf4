#include "capture/stream.h"

#include "base/buf.h"
#include "unit/unit.h"

struct got {
    struct buf bytes;
    uint64_t gaps, again, differing;
};

static void on_bytes(void *arg, struct span b, uint64_t at, const struct origin *o)
{
    struct got *g = arg;

    (void)o;
    EXPECT_INT(at, g->bytes.n + g->gaps);
    buf_put_span(&g->bytes, b);
}

static void on_again(void *arg, struct span b, bool differs, const struct origin *o)
{
    struct got *g = arg;

    (void)o;
    g->again += b.n;
    g->differing += differs;
}

static void on_gap(void *arg, uint64_t n)
{
    ((struct got *)arg)->gaps += n;
}

static const struct stream_ops ops = {on_bytes, on_again, on_gap};
static const struct origin here = {1, 0, 54};

static void put(struct stream *s, uint32_t seq, const char *text, struct got *g)
{
    stream_segment(s, seq, span_cstr(text), 0, &here, &ops, g);
}

TEST(in_order)
{
    struct got g = {.bytes = BUF(1000)};
    struct stream s;

    stream_init(&s);
    stream_begin(&s, 0xfffffffe); /* goes round */
    put(&s, 0xfffffffe, "abcd", &g);
    put(&s, 2, "ef", &g);
    EXPECT_SPAN(buf_span(&g.bytes), SPAN("abcdef"));
    stream_fin(&s, 4);
    EXPECT(stream_ended(&s));
    stream_done(&s);
    buf_done(&g.bytes);
}

TEST(overlaps)
{
    struct got g = {.bytes = BUF(1000)};
    struct stream s;

    stream_init(&s);
    stream_begin(&s, 10);
    put(&s, 10, "abcd", &g);
    put(&s, 12, "cdef", &g); /* half old, the same */
    EXPECT_INT(g.again, 2);
    EXPECT_INT(g.differing, 0);
    put(&s, 11, "XX", &g); /* all old, not the same */
    EXPECT_INT(g.differing, 1);
    EXPECT_SPAN(buf_span(&g.bytes), SPAN("abcdef"));
    put(&s, 20, "k", &g);
    put(&s, 16, "ghij", &g);
    EXPECT_SPAN(buf_span(&g.bytes), SPAN("abcdefghijk"));
    EXPECT_INT(s.out_of_order, 1);
    stream_done(&s);
    buf_done(&g.bytes);
}

TEST(gaps)
{
    struct got g = {.bytes = BUF(1000)};
    struct stream s;

    stream_init(&s);
    stream_begin(&s, 0);
    put(&s, 0, "ab", &g);
    put(&s, 5, "fg", &g);
    EXPECT_SPAN(buf_span(&g.bytes), SPAN("ab"));
    stream_flush(&s, &ops, &g);
    EXPECT_SPAN(buf_span(&g.bytes), SPAN("abfg"));
    EXPECT_INT(g.gaps, 3);
    EXPECT_INT(s.gap_bytes, 3);
    stream_segment(&s, 7, SPAN("h"), 4, &here, &ops, &g); /* snapped */
    EXPECT_INT(g.gaps, 7);
    stream_fin(&s, 14);
    stream_flush(&s, &ops, &g); /* the end is known, two bytes never came */
    EXPECT_INT(g.gaps, 9);
    EXPECT(stream_ended(&s));
    stream_done(&s);
    buf_done(&g.bytes);
}

TEST(limits)
{
    struct got g = {.bytes = BUF(100000)};
    struct stream s;

    stream_init(&s);
    stream_begin(&s, 0);
    for (uint32_t i = 0; i < 4 * STREAM_SEGMENTS_MAX; i++) {
        put(&s, 100 + 2 * i, "x", &g); /* each with a hole in front */
        EXPECT(s.waiting_count <= STREAM_SEGMENTS_MAX + 1);
    }
    EXPECT(g.gaps > 0);
    stream_done(&s);
    buf_done(&g.bytes);
}

/* Any order, any cuts, any repeats: the same bytes once. */
TEST(any_order)
{
    for (unsigned round = 0; round < 300; round++) {
        struct got g = {.bytes = BUF(10000)};
        struct stream s;
        char text[600];
        struct {
            uint32_t at, n;
        } parts[80];
        unsigned n = 0;
        uint32_t start = (uint32_t)unit_random();
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)unit_random();
        for (uint32_t at = 0; at < sizeof text;) {
            uint32_t k = 1 + (uint32_t)(unit_random() % 60);
            if (k > sizeof text - at)
                k = (uint32_t)(sizeof text - at);
            /* some overlap what stands before them */
            uint32_t back = unit_random() % 3 == 0 && at > 5 ? (uint32_t)(unit_random() % 5) : 0;
            if (n == 80)
                break;
            parts[n].at = at - back;
            parts[n++].n = k + back;
            at += k;
        }
        for (unsigned i = n; i > 1; i--) {
            unsigned k = (unsigned)(unit_random() % i);
            __typeof__(parts[0]) t = parts[i - 1];
            parts[i - 1] = parts[k];
            parts[k] = t;
        }
        stream_init(&s);
        stream_begin(&s, start);
        for (unsigned i = 0; i < n; i++)
            stream_segment(&s, start + parts[i].at, span_of(text + parts[i].at, parts[i].n), 0,
                           &here, &ops, &g);
        EXPECT_SPAN(buf_span(&g.bytes), span_of(text, sizeof text));
        EXPECT_INT(g.differing, 0);
        EXPECT_INT(g.gaps, 0);
        EXPECT_INT(s.waiting_count, 0);
        stream_done(&s);
        buf_done(&g.bytes);
    }
}
