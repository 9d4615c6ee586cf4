/*
 * Bodies on their way in. A small one grows in memory of our own and is put into the ring when it
 * is sent, so that a slow sender never holds ring space; a large one moves to the spool at once.
 */
#include "store/client.h"

#include "base/check.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAP_MAX = 256 << 10 };

static uint64_t heap_max(const struct store *s)
{
    uint64_t third = (uint64_t)s->ring.pages * s->ring.page_bytes / 3;
    return third < HEAP_MAX ? third : HEAP_MAX;
}

static bool in_spool(const struct store_body *b)
{
    return b->region.pages > 0;
}

static char *spool_at(const struct store_body *b)
{
    return b->store->spool.p + region_at(&b->store->spool, &b->region);
}

static int spool_take(struct store *s, uint64_t bytes, struct region *ret)
{
    uint64_t until = clock_mono_ms() + ROOM_TIMEOUT_MS;

    if (bytes > (uint64_t)s->spool.pages * s->spool.page_bytes)
        return -EMSGSIZE;
    while (!ring_take(&s->spool, bytes, ret)) {
        uint64_t now = clock_mono_ms();
        if (now >= until || s->closing)
            return -ETIMEDOUT;
        fiber_cond_wait(&s->room, until - now);
    }
    return 0;
}

int store_body_begin(struct store *s, uint64_t size_hint, uint64_t max_bytes,
                     struct store_body **ret)
{
    struct store_body *b;
    int err = 0;

    if (size_hint > max_bytes)
        return -EMSGSIZE;
    b = calloc(1, sizeof(*b));
    CHECK(b);
    b->store = s;
    b->max = max_bytes;
    buf_init(&b->heap, HEAP_MAX);
    buf_init(&b->block, message_limits_default.summary_bytes);
    if (size_hint > heap_max(s))
        err = spool_take(s, size_hint, &b->region);
    if (err) {
        store_body_free(b);
        return err;
    }
    *ret = b;
    return 0;
}

/* Room for `bytes` in the spool; what is there already comes along. */
static int spool_room(struct store_body *b, uint64_t bytes)
{
    struct store *s = b->store;
    struct region bigger;
    uint64_t want = bytes * 2 < b->max ? bytes * 2 : b->max;
    int err;

    if (in_spool(b) &&
        (bytes <= region_bytes(&s->spool, &b->region) || ring_grow(&s->spool, &b->region, want) ||
         ring_grow(&s->spool, &b->region, bytes)))
        return 0;
    if (!ring_take(&s->spool, want, &bigger)) {
        err = spool_take(s, bytes, &bigger);
        if (err)
            return err;
    }
    char *to = s->spool.p + region_at(&s->spool, &bigger);
    if (in_spool(b)) {
        memcpy(to, spool_at(b), b->size);
        ring_give(&s->spool, &b->region);
        fiber_cond_broadcast(&s->room);
    } else if (b->heap.n) {
        memcpy(to, b->heap.p, b->heap.n);
        buf_done(&b->heap);
    }
    b->region = bigger;
    return 0;
}

int body_to_spool(struct store_body *b)
{
    return in_spool(b) || b->size == 0 ? 0 : spool_room(b, b->size);
}

int store_body_write(struct store_body *b, struct span bytes)
{
    CHECK(!b->finished);
    if (bytes.n == 0)
        return 0;
    if (bytes.n > b->max - b->size)
        return -EMSGSIZE;
    if (!in_spool(b) && b->size + bytes.n <= heap_max(b->store)) {
        CHECK(buf_put_span(&b->heap, bytes));
    } else {
        int err = spool_room(b, b->size + bytes.n);
        if (err)
            return err;
        memcpy(spool_at(b) + b->size, bytes.p, bytes.n);
    }
    b->size += bytes.n;
    return 0;
}

uint64_t store_body_size(const struct store_body *b)
{
    return b->size;
}

struct span store_body_bytes(const struct store_body *b)
{
    return in_spool(b) ? span_of(spool_at(b), b->size) : buf_span(&b->heap);
}

int store_body_finish(struct store_body *b)
{
    int err;

    CHECK(!b->finished);
    err = summary_make(store_body_bytes(b), &message_limits_default, &b->block);
    if (err)
        return err;
    if (!summary_open(buf_span(&b->block), &b->summary))
        return -EIO;
    b->finished = true;
    return 0;
}

const struct summary *store_body_summary(const struct store_body *b)
{
    CHECK(b->finished);
    return &b->summary;
}

void store_body_free(struct store_body *b)
{
    if (!b)
        return;
    if (in_spool(b)) {
        ring_give(&b->store->spool, &b->region);
        fiber_cond_broadcast(&b->store->room);
    }
    buf_done(&b->heap);
    buf_done(&b->block);
    free(b);
}
