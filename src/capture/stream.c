#include "capture/stream.h"

#include "base/check.h"

#include <stdlib.h>

struct segment {
    struct segment *next;
    uint32_t seq;
    struct origin origin;
    uint32_t missing;
    size_t n;
    char bytes[];
};

/* Sequence numbers go round (RFC 9293 section 3.4). */
static int32_t distance(uint32_t from, uint32_t to)
{
    return (int32_t)(to - from);
}

void stream_init(struct stream *s)
{
    memset(s, 0, sizeof *s);
}

void stream_done(struct stream *s)
{
    while (s->waiting != NULL) {
        struct segment *g = s->waiting;
        s->waiting = g->next;
        free(g);
    }
    s->waiting_count = 0;
    s->waiting_bytes = 0;
}

void stream_begin(struct stream *s, uint32_t seq)
{
    if (s->begun)
        return;
    s->begun = true;
    s->next = seq;
}

/* ---- giving ------------------------------------------------------------------------------ */

static void remember(struct stream *s, struct span b)
{
    size_t skip = b.n > STREAM_HISTORY ? b.n - STREAM_HISTORY : 0;

    while (skip < b.n) {
        size_t at = (size_t)((s->at + skip) % STREAM_HISTORY), n = STREAM_HISTORY - at;
        n = n < b.n - skip ? n : b.n - skip;
        memcpy(s->history + at, b.p + skip, n);
        skip += n;
    }
}

static void give(struct stream *s, struct span b, const struct origin *o,
                 const struct stream_ops *ops, void *arg)
{
    if (b.n == 0)
        return;
    remember(s, b);
    ops->bytes(arg, b, s->at, o);
    s->at += b.n;
    s->next += (uint32_t)b.n;
}

static void skip(struct stream *s, uint32_t n, const struct stream_ops *ops, void *arg)
{
    if (n == 0)
        return;
    s->gaps++;
    s->gap_bytes += n;
    s->at += n;
    s->next += n;
    ops->gap(arg, n);
}

/* Bytes that lie `back` before the next one. */
static void give_again(struct stream *s, struct span b, uint64_t back, const struct origin *o,
                       const struct stream_ops *ops, void *arg)
{
    bool differs = false;

    if (b.n == 0)
        return;
    for (size_t i = 0; i < b.n; i++) {
        uint64_t behind = back - i; /* of the next byte; at least 1 */
        if (behind <= STREAM_HISTORY && behind <= s->at &&
            s->history[(s->at - behind) % STREAM_HISTORY] != (unsigned char)b.p[i])
            differs = true;
    }
    s->again++;
    s->differing += differs;
    ops->again(arg, b, differs, o);
}

/* A segment that begins at or before the next byte. */
static void take(struct stream *s, uint32_t seq, struct span b, uint32_t missing,
                 const struct origin *o, const struct stream_ops *ops, void *arg)
{
    uint32_t old = (uint32_t)distance(seq, s->next);
    struct origin rest = *o;
    struct span known = span_head(b, old);

    give_again(s, known, old, o, ops, arg);
    if (old > b.n) {
        old -= (uint32_t)b.n;
        missing = missing > old ? missing - old : 0;
        b = SPAN_EMPTY;
    } else {
        b = span_skip(b, old);
    }
    rest.at += (uint32_t)known.n;
    give(s, b, &rest, ops, arg);
    skip(s, missing, ops, arg);
}

/* ---- waiting ----------------------------------------------------------------------------- */

static void keep(struct stream *s, uint32_t seq, struct span b, uint32_t missing,
                 const struct origin *o)
{
    struct segment **at = &s->waiting, *g = malloc(sizeof *g + b.n);

    CHECK(g != NULL);
    *g = (struct segment){.seq = seq, .origin = *o, .missing = missing, .n = b.n};
    memcpy(g->bytes, b.p ? b.p : "", b.n);
    /* behind those with the same number: what came first wins */
    while (*at != NULL && distance((*at)->seq, seq) >= 0)
        at = &(*at)->next;
    g->next = *at;
    *at = g;
    s->waiting_count++;
    s->waiting_bytes += b.n;
    s->out_of_order++;
}

static void take_first(struct stream *s, const struct stream_ops *ops, void *arg)
{
    struct segment *g = s->waiting;

    s->waiting = g->next;
    s->waiting_count--;
    s->waiting_bytes -= g->n;
    take(s, g->seq, span_of(g->bytes, g->n), g->missing, &g->origin, ops, arg);
    free(g);
}

static void take_ready(struct stream *s, const struct stream_ops *ops, void *arg)
{
    while (s->waiting != NULL && distance(s->next, s->waiting->seq) <= 0)
        take_first(s, ops, arg);
}

static void force_first(struct stream *s, const struct stream_ops *ops, void *arg)
{
    int32_t hole = distance(s->next, s->waiting->seq);

    if (hole > 0)
        skip(s, (uint32_t)hole, ops, arg);
    take_ready(s, ops, arg);
}

void stream_segment(struct stream *s, uint32_t seq, struct span b, uint32_t missing,
                    const struct origin *o, const struct stream_ops *ops, void *arg)
{
    if (b.n == 0 && missing == 0)
        return;
    stream_begin(s, seq);
    if (distance(s->next, seq) <= 0) {
        take(s, seq, b, missing, o, ops, arg);
    } else {
        keep(s, seq, b, missing, o);
        while (s->waiting_count > STREAM_SEGMENTS_MAX || s->waiting_bytes > STREAM_WAITING_MAX)
            force_first(s, ops, arg);
    }
    take_ready(s, ops, arg);
}

void stream_fin(struct stream *s, uint32_t seq)
{
    s->fin_known = true;
    s->fin = seq;
}

bool stream_ended(const struct stream *s)
{
    return s->fin_known && s->begun && distance(s->fin, s->next) >= 0;
}

void stream_flush(struct stream *s, const struct stream_ops *ops, void *arg)
{
    while (s->waiting != NULL)
        force_first(s, ops, arg);
    /* the end is known, but not all that stands before it has come */
    if (s->begun && s->fin_known && distance(s->next, s->fin) > 0 &&
        distance(s->next, s->fin) < STREAM_WAITING_MAX)
        skip(s, (uint32_t)distance(s->next, s->fin), ops, arg);
}
