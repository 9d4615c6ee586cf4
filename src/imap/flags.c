#include "imap/flags.h"

#include "base/check.h"

enum { SYSTEM_FLAGS = 5, SYSTEM_TEXT_MAX = 48 };

void keywords_read(struct store_read *r, uint64_t mailbox, struct keywords *ret)
{
    struct span names[STORE_KEYWORDS_MAX];
    unsigned n = store_mailbox_keywords(r, mailbox, names);
    size_t used = 0;

    ret->n = n > STORE_KEYWORDS_MAX ? STORE_KEYWORDS_MAX : n;
    for (unsigned i = 0; i < ret->n; i++) {
        struct span s = span_head(names[i], STORE_KEYWORD_BYTES_MAX);
        if (s.n)
            memcpy(ret->text + used, s.p, s.n);
        ret->name[i] = span_of(ret->text + used, s.n);
        used += s.n;
    }
}

uint64_t keywords_bit(const struct keywords *k, struct span name)
{
    for (unsigned i = 0; i < k->n; i++)
        if (span_eq_nocase(k->name[i], name))
            return STORE_KEYWORD(i);
    return 0;
}

uint64_t keywords_hash(const struct keywords *k)
{
    uint64_t h = k->n;

    for (unsigned i = 0; i < k->n; i++)
        h = h * UINT64_C(0x9e3779b97f4a7c15) + span_hash(k->name[i]);
    return h;
}

/* The text of each of the 32 sets of system flags, made once: FETCH FLAGS prints millions of them.
 */
static const struct span *system_text(uint64_t flags)
{
    static const char *const names[SYSTEM_FLAGS] = {"\\Seen", "\\Answered", "\\Flagged",
                                                    "\\Deleted", "\\Draft"};
    static char text[1 << SYSTEM_FLAGS][SYSTEM_TEXT_MAX];
    static struct span span[1 << SYSTEM_FLAGS];

    if (!span[0].p)
        for (unsigned set = 0; set < 1 << SYSTEM_FLAGS; set++) {
            size_t n = 0;
            for (unsigned i = 0; i < SYSTEM_FLAGS; i++)
                if (set & 1u << i) {
                    size_t len = strlen(names[i]);
                    CHECK(n + len + 2 < SYSTEM_TEXT_MAX);
                    if (n)
                        text[set][n++] = ' ';
                    memcpy(text[set] + n, names[i], len);
                    n += len;
                }
            span[set] = span_of(text[set], n);
        }
    return &span[flags & ((1 << SYSTEM_FLAGS) - 1)];
}

void flags_print(uint64_t flags, const struct keywords *k, struct buf *out)
{
    struct span system = *system_text(flags);
    char *p = buf_reserve(out, SYSTEM_TEXT_MAX + 2);

    if (!p)
        return;
    p[0] = '(';
    memcpy(p + 1, system.p, system.n);
    if (flags >> 8 == 0) {
        p[1 + system.n] = ')';
        buf_commit(out, system.n + 2);
        return;
    }
    buf_commit(out, system.n + 1);
    for (unsigned i = 0; k && i < k->n; i++)
        if (flags & STORE_KEYWORD(i)) {
            if (out->p[out->n - 1] != '(')
                buf_putc(out, ' ');
            buf_put_span(out, k->name[i]);
        }
    buf_putc(out, ')');
}
