#include "search/read.h"

#include "base/check.h"
#include "message/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SUMMARY_ARENA_MAX = 2 << 20, SPARSE_FROM = 256 << 10 };

struct sink {
    struct gram_set *set;
    struct gram_text text;
    bool body;
};

static void on_piece(void *arg, struct span name, bool first, struct span folded)
{
    struct sink *s = arg;

    if (first)
        s->text = gram_text_begin(s->body ? GRAM_BODY : gram_place_of(name));
    gram_text_add(&s->text, folded, s->set);
}

void read_grams_of(struct span raw, size_t body_at, const struct summary *s, struct gram_set *set)
{
    struct sink sink = {.set = set};

    search_header_each(span_head(raw, body_at + s->header_bytes), on_piece, &sink);
    sink.body = true;
    search_body_each(span_skip(raw, body_at), s, on_piece, &sink);
}

int read_prefix_hash(struct store *s, const struct message_info *m, uint64_t *ret)
{
    struct buf b BUF_AUTO = BUF(m->prefix_bytes);
    int e = store_message_read(s, m, 0, m->prefix_bytes, &b);

    if (e < 0 || b.n != m->prefix_bytes)
        return e < 0 ? e : -EIO;
    *ret = b.n ? XXH3_64bits(b.p, b.n) : 0;
    return 0;
}

static bool read_part(struct store *s, const struct message_info *m, uint64_t at, uint64_t n,
                      struct buf *whole)
{
    if (at > m->size || n > m->size - at)
        return false;
    struct buf window = {whole->p + at, 0, n, n, false};
    return n == 0 || (store_message_read(s, m, at, n, &window) == 0 && window.n == n);
}

/* As the session's search does it: what is not read stays zero. */
static bool read_text(struct store *s, const struct message_info *m, const struct summary *sum,
                      struct buf *out)
{
    uint64_t prefix = m->prefix_bytes;
    struct part_range part;

    if (m->size <= SPARSE_FROM)
        return store_message_read(s, m, 0, m->size, out) == 0 && out->n == m->size;
    out->p = calloc(1, m->size);
    CHECK(out->p);
    out->n = out->cap = m->size;
    if (!read_part(s, m, 0, prefix + sum->header_bytes, out))
        return false;
    for (uint32_t i = 0; i < sum->part_count; i++) {
        if (!summary_part_at(sum, i, &part))
            continue;
        if (!read_part(s, m, prefix + part.inner_header_at, part.inner_header_bytes, out))
            return false;
        if (span_starts(part.type, SPAN("text/")) &&
            !read_part(s, m, prefix + part.body_at, part.body_bytes, out))
            return false;
    }
    return true;
}

static bool read_summary(struct store *s, const struct message_info *m, struct arena *a,
                         struct summary *ret)
{
    struct buf body BUF_AUTO = BUF(m->size), block BUF_AUTO = BUF(1 << 20);

    if (store_summary(s, m, a, ret) == 0)
        return true;
    /* damaged: made anew, as a session does */
    return store_message_read(s, m, m->prefix_bytes, m->body_bytes, &body) == 0 &&
           summary_make(buf_span(&body), &message_limits_default, &block) == 0 &&
           summary_open(arena_span(a, buf_span(&block)), ret);
}

void read_grams(struct store *s, const struct message_info *m, struct gram_set *set)
{
    struct arena *a = arena_new(SUMMARY_ARENA_MAX);
    struct buf text BUF_AUTO = BUF(m->size);
    struct summary summary;

    if (read_summary(s, m, a, &summary) && read_text(s, m, &summary, &text))
        read_grams_of(buf_span(&text), m->prefix_bytes, &summary, set);
    else
        set->full = true;
    arena_free(a);
}
