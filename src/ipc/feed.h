/*
 * feed.h: records from one process to another through shared memory, one way, without system calls: the writer never waits. What does
 * not fit is dropped and counted. Neither side trusts what the other writes into the memory: counters that make no sense are a full
 * feed for the writer and the end of the feed for the reader.
 *
 * The memory is a memfd of one page (counters) and a power of two of bytes, sealed against resizing by whoever makes it. A record: u32
 * length, the bytes, filled up to 8.
 */
#ifndef IPC_FEED_H
#define IPC_FEED_H

#include "base/err.h"
#include "base/span.h"

enum {
    FEED_RECORD_MAX = 66000,
    FEED_BYTES_MIN = 1 << 17,
    FEED_BYTES_MAX = 64 << 20,
};

struct feed;

/* Makes the memory; the maker reads. The descriptor (feed_fd) is for the writer. `bytes`: a power of two. */
int feed_make(size_t bytes, struct feed **ret, struct err *e);
/* The writer's end of what somebody else has made. The descriptor is taken, also where it is refused: -EINVAL. */
int feed_join(int take_fd, struct feed **ret, struct err *e);
void feed_free(struct feed *f); /* NULL is fine */
int feed_fd(const struct feed *f);

/* Writer. One record of two parts; false: dropped. */
bool feed_put(struct feed *f, struct span head, struct span rest);
/* Reader. Copies the next record to `room` (FEED_RECORD_MAX bytes): its length; 0: there is none; -EBADMSG: the writer breaks the form. */
int feed_get(struct feed *f, void *room);
/* Records and their bytes that did not fit, as the writer counts them. */
void feed_dropped(const struct feed *f, uint64_t *ret_records, uint64_t *ret_bytes);

#endif
