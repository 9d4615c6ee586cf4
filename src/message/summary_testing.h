/* summary_testing.h: what the tests of this folder share. */
#ifndef MESSAGE_SUMMARY_TESTING_H
#define MESSAGE_SUMMARY_TESTING_H

#include "message/summary.h"
#include "unit/unit.h"
#include <stdlib.h>

/* LF, but not CR LF, as CR LF. */
static inline void put_crlf(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
            buf_putc(out, '\r');
        buf_putc(out, s.p[i]);
    }
}

struct parsed {
    char *raw; /* of exactly its size, so that reading past it is seen */
    size_t n;
    struct buf block;
    struct summary s;
};

static inline struct span parsed_raw(const struct parsed *p)
{
    return span_of(p->raw, p->n);
}

static inline bool parsed_limited(struct parsed *p, struct span raw, const struct message_limits *l)
{
    memset(p, 0, sizeof(*p));
    p->raw = malloc(raw.n + !raw.n);
    p->n = raw.n;
    p->block = BUF(64 << 20);
    if (raw.n)
        memcpy(p->raw, raw.p, raw.n);
    return summary_make(span_of(p->raw, raw.n), l, &p->block) == 0 &&
           summary_open(buf_span(&p->block), &p->s);
}

static inline bool parsed_init(struct parsed *p, struct span raw)
{
    return parsed_limited(p, raw, &message_limits_default);
}

static inline bool parsed_text(struct parsed *p, const char *lf_text)
{
    struct buf b BUF_AUTO = BUF(64 << 20);
    put_crlf(&b, span_cstr(lf_text));
    return parsed_init(p, buf_span(&b));
}

static inline void parsed_done(struct parsed *p)
{
    free(p->raw);
    buf_done(&p->block);
}

#endif
