/*
 * stream.h: one direction of a TCP connection put together from captured segments: in order, once, with what was lost named. Segments
 * out of order wait within limits; where they are used up, or the connection ends, the bytes in between count as a gap.
 *
 * Overlaps: bytes that came first win, as receivers have it. Bytes that come again are given to `again` and compared with those
 * that came first, as far back as STREAM_HISTORY: a difference means that two receivers may see different things.
 */
#ifndef CAPTURE_STREAM_H
#define CAPTURE_STREAM_H

#include "base/span.h"

enum {
    STREAM_SEGMENTS_MAX = 128,       /* that wait */
    STREAM_WAITING_MAX = 512 * 1024, /* their bytes */
    STREAM_HISTORY = 2048,
};

/* Where bytes come from. */
struct origin {
    uint64_t packet; /* number among those that were kept, from 1 */
    int64_t time_us; /* wall clock */
    uint32_t at;     /* offset in the frame of the first byte */
};

struct stream_ops {
    /* The next bytes; `at` is the place of the first of them in the stream. */
    void (*bytes)(void *arg, struct span bytes, uint64_t at, const struct origin *o);
    /* Bytes that came before; differs: not the same ones. */
    void (*again)(void *arg, struct span bytes, bool differs, const struct origin *o);
    void (*gap)(void *arg, uint64_t bytes);
};

struct segment;
struct stream {
    bool begun;    /* next is known */
    uint32_t next; /* sequence number */
    uint64_t at;   /* of next, from 0 */
    bool fin_known;
    uint32_t fin; /* sequence number behind the last byte */
    struct segment *waiting;
    unsigned waiting_count;
    size_t waiting_bytes;
    unsigned char history[STREAM_HISTORY];
    uint64_t again, out_of_order, differing, gaps, gap_bytes;
};

void stream_init(struct stream *s);
void stream_done(struct stream *s);
/* SYN: its sequence number; data begin behind it. */
void stream_begin(struct stream *s, uint32_t seq_of_first_byte);
/* A segment's payload; where nothing has begun it does here. `missing` bytes behind it were not
 * captured. */
void stream_segment(struct stream *s, uint32_t seq, struct span payload, uint32_t missing,
                    const struct origin *o, const struct stream_ops *ops, void *arg);
void stream_fin(struct stream *s, uint32_t seq);
bool stream_ended(const struct stream *s); /* all up to FIN was given */
/* Nothing more will come: what waits is given, with the gaps between. */
void stream_flush(struct stream *s, const struct stream_ops *ops, void *arg);

#endif
