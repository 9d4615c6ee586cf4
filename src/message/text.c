#include "message/text.h"
#include "base/check.h"
#include "message/charset.h"
#include "message/transfer.h"
#include <stdlib.h>

enum { PIECE = 8192 };

struct text_source {
    struct span rest; /* still encoded */
    struct transfer transfer;
    struct charset *charset; /* NULL: of the ASCII kind, or unknown */
    struct buf utf8;
    size_t held; /* bytes at the start of `bytes` that wait for the rest of their character */
    bool ended;
    char bytes[PIECE];
};

struct text_source *text_open(struct span body, struct span encoding, struct span charset)
{
    struct text_source *t = malloc(sizeof(*t));
    CHECK(t);
    t->rest = body;
    t->transfer = (struct transfer){.kind = transfer_kind(encoding)};
    t->charset = charset_open(charset);
    t->utf8 = BUF(8 * PIECE);
    t->held = 0;
    t->ended = false;
    return t;
}

void text_close(struct text_source *t)
{
    if (!t)
        return;
    charset_close(t->charset);
    buf_done(&t->utf8);
    free(t);
}

/* How many bytes at the end of s may be the start of a UTF-8 sequence that goes on. */
static size_t unfinished(struct span s)
{
    for (size_t back = 1; back <= 3 && back <= s.n; back++) {
        unsigned char c = (unsigned char)s.p[s.n - back];
        if (c < 0x80)
            return 0;
        if (c >= 0xc0)
            return (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) > back ? back : 0;
    }
    return 0;
}

static void take_guessed(struct text_source *t, size_t n)
{
    size_t keep = t->ended ? 0 : unfinished(span_of(t->bytes, n));
    charset_guess(span_of(t->bytes, n - keep), &t->utf8);
    memmove(t->bytes, t->bytes + n - keep, keep);
    t->held = keep;
}

bool text_next(struct text_source *t, struct span *ret)
{
    buf_clear(&t->utf8);
    while (!t->ended && t->utf8.n == 0) {
        size_t n = t->held;
        n += transfer_decode(&t->transfer, &t->rest, t->bytes + n, PIECE - n);
        t->ended = t->rest.n == 0;
        if (t->charset)
            charset_feed(t->charset, span_of(t->bytes, n), t->ended, &t->utf8);
        else
            take_guessed(t, n);
    }
    *ret = buf_span(&t->utf8);
    return ret->n > 0;
}
