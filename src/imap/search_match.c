/* search_match.c: one message against a search program. */
#include "imap/search.h"

#include "imap/moved.h"
#include "imap/preview.h"

#include "base/check.h"
#include "base/date.h"
#include "loop/fiber.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SUMMARY_ARENA_MAX = 2 << 20,
    TEXT_KEEP = 1 << 20,
    SUMMARY_ROOM = 8 << 10,
    SPARSE_FROM = 256 << 10,
    WORK_MAX = 256 << 10
};

void search_message_init(struct search_message *m, struct store *s)
{
    *m = (struct search_message){.store = s, .arena = arena_new(SUMMARY_ARENA_MAX), .text = BUF(0)};
    /* one block that nearly every summary fits into, kept by arena_reset */
    arena_alloc(m->arena, SUMMARY_ROOM);
    arena_reset(m->arena);
}

void search_message_done(struct search_message *m)
{
    arena_free(m->arena);
    buf_done(&m->text);
}

/* The first n bytes of prefix + body into m->text. */
static bool read_text(struct search_message *m, uint64_t n)
{
    if (m->text.n >= n)
        return true;
    m->text.max = (size_t)n;
    return moved_message_read(m->store, m->info, m->text.n, (size_t)n - m->text.n, &m->text) == 0;
}

/* Bytes [at, at + n) of the body into their place in m->text, which is as large as the message. */
static bool read_into_place(struct search_message *m, uint32_t at, uint32_t n)
{
    size_t place = (size_t)m->info->prefix_bytes + at;

    if (n == 0)
        return true;
    if (place > m->text.n || n > m->text.n - place)
        return false; /* the summary is of another message */
    struct buf window = {m->text.p + place, 0, n, n, false};
    return moved_message_read(m->store, m->info, place, n, &window) == 0;
}

/*
 * Of a large message only what is searched: its text parts and the headers of messages inside. The
 * rest stays zero pages that take no memory, so an attachment costs nothing.
 */
static bool read_text_parts(struct search_message *m)
{
    struct part_range part;
    char *room = calloc(1, m->info->size);

    CHECK(room);
    memcpy(room, m->text.p, m->header_bytes);
    buf_done(&m->text);
    m->text = (struct buf){room, m->info->size, m->info->size, m->info->size, false};
    for (uint32_t i = 0; i < m->summary.part_count; i++) {
        if (!summary_part_at(&m->summary, i, &part))
            continue;
        if (!read_into_place(m, part.inner_header_at, part.inner_header_bytes))
            return false;
        if (span_starts(part.type, SPAN("text/")) &&
            !read_into_place(m, part.body_at, part.body_bytes))
            return false;
    }
    return true;
}

/* What search_body looks at; the header has been read. */
static bool read_body(struct search_message *m)
{
    if (!m->has_body)
        m->has_body = m->info->size > SPARSE_FROM && m->text.n < m->info->size
                          ? read_text_parts(m)
                          : read_text(m, m->info->size);
    return m->has_body;
}

static bool read_summary(struct search_message *m)
{
    if (m->has_summary)
        return true;
    m->has_summary = moved_summary(m->store, m->info, m->arena, &m->summary) == 0;
    if (!m->has_summary && read_text(m, m->info->size)) {
        /* damaged: made anew */
        struct buf block BUF_AUTO = BUF(1 << 20);
        struct span body = span_skip(buf_span(&m->text), m->info->prefix_bytes);
        m->has_summary = summary_make(body, &message_limits_default, &block) == 0 &&
                         summary_open(arena_span(m->arena, buf_span(&block)), &m->summary);
    }
    if (m->has_summary) {
        uint64_t header = (uint64_t)m->info->prefix_bytes + m->summary.header_bytes;
        m->header_bytes = (size_t)(header < m->info->size ? header : m->info->size);
    }
    return m->has_summary;
}

bool search_message_summary(struct search_message *m)
{
    return read_summary(m);
}

static bool read_header(struct search_message *m)
{
    return read_summary(m) && read_text(m, m->header_bytes);
}

static struct span header_of(const struct search_message *m)
{
    return span_head(buf_span(&m->text), m->header_bytes);
}

/* Others have their turn after each so many bytes that were looked at, however often they are
 * looked at. */
static void work(struct search_message *m, size_t bytes)
{
    m->work += bytes;
    if (m->work > WORK_MAX && fiber_self()) {
        m->work = 0;
        fiber_yield();
    }
}

/* What could not be read does not match, and is counted once a message. */
static bool unreadable(struct search_message *m)
{
    m->unreadable++;
    return false;
}

static bool match_body(const struct search_node *n, struct search_message *m, bool header_too)
{
    if (!read_header(m))
        return unreadable(m);
    work(m, m->header_bytes);
    if (header_too && search_header_any(header_of(m), n->needle))
        return true;
    if (!read_body(m))
        return unreadable(m);
    work(m, m->text.n);
    return search_body(span_skip(buf_span(&m->text), m->info->prefix_bytes), &m->summary,
                       n->needle);
}

static bool match_sent(const struct search_node *n, struct search_message *m)
{
    if (!read_summary(m))
        return unreadable(m);
    if (m->summary.sent_seconds == INT64_MIN)
        return false;

    int64_t day = date_day((struct date){m->summary.sent_seconds, m->summary.sent_zone_minutes});
    return n->op == SEARCH_SENTBEFORE ? day < n->day
           : n->op == SEARCH_SENTON   ? day == n->day
                                      : day >= n->day;
}

/* The body alone tells most others apart; only then what stands before it is read. */
static bool match_object(const struct search_node *n, struct search_message *m)
{
    struct buf id BUF_AUTO = BUF(OBJECTID_MAX);
    char head[OBJECTID_MAX];

    if (n->op == SEARCH_THREADID) {
        objectid_thread(m->info, &id);
        return span_eq_cstr(buf_span(&id), n->name);
    }
    snprintf(head, sizeof(head), "M%016llx", (unsigned long long)m->info->body);
    if (strncmp(n->name, head, strlen(head)) != 0)
        return false;
    if (!objectid_email(m->store, m->info, &id))
        return unreadable(m);
    return span_eq_cstr(buf_span(&id), n->name);
}

/* Dates are compared without time and zone (RFC 9051 6.4.4): the day is that of the zone it was
 * written with. */
static int64_t received_day(const struct message_info *i)
{
    return date_day((struct date){i->received_seconds, i->received_zone});
}

/* Kept as UTC; there is no zone it came with. */
static int64_t saved_day(const struct message_info *i)
{
    return date_day((struct date){i->saved_seconds, 0});
}

static bool match(const struct search_node *n, struct search_message *m)
{
    const struct message_info *info = m->info;

    if (info->uid < n->next_uid && !rangeset_has(&n->maybe, info->uid))
        return false;
    switch (n->op) {
    case SEARCH_ALL:
        return true;
    case SEARCH_NONE:
        return false;
    case SEARCH_FLAGS:
        return (info->flags & n->mask) == n->want;
    case SEARCH_KEYWORD:
        return ((info->flags & n->mask) != 0) == (n->want != 0);
    case SEARCH_UIDS:
        return rangeset_has(&n->uids, info->uid);
    case SEARCH_LARGER:
        return info->size > n->want;
    case SEARCH_SMALLER:
        return info->size < n->want;
    case SEARCH_MODSEQ:
        return info->modseq >= n->want;
    case SEARCH_BEFORE:
        return received_day(info) < n->day;
    case SEARCH_ON:
        return received_day(info) == n->day;
    case SEARCH_SINCE:
        return received_day(info) >= n->day;
    case SEARCH_SAVEDBEFORE:
        return saved_day(info) < n->day;
    case SEARCH_SAVEDON:
        return saved_day(info) == n->day;
    case SEARCH_SAVEDSINCE:
        return saved_day(info) >= n->day;
    case SEARCH_YOUNGER:
        return info->received_seconds >= n->day;
    case SEARCH_OLDER:
        return info->received_seconds <= n->day;
    case SEARCH_EMAILID:
    case SEARCH_THREADID:
        return match_object(n, m);
    case SEARCH_SENTBEFORE:
    case SEARCH_SENTON:
    case SEARCH_SENTSINCE:
        return match_sent(n, m);
    case SEARCH_HEADER:
        if (!read_header(m))
            return unreadable(m);
        work(m, m->header_bytes);
        return search_header(header_of(m), n->name, n->needle);
    case SEARCH_BODY:
        return match_body(n, m, false);
    case SEARCH_TEXT:
        return match_body(n, m, true);
    case SEARCH_NOT:
        return !match(n->child, m);
    case SEARCH_AND:
        for (const struct search_node *i = n->child; i; i = i->next)
            if (!match(i, m))
                return false;
        return true;
    case SEARCH_OR:
        for (const struct search_node *i = n->child; i; i = i->next)
            if (match(i, m))
                return true;
        return false;
    }
    return false;
}

bool search_match(const struct search_program *p, struct search_message *m,
                  struct message_info *info)
{
    if (m->has_summary || m->text.n) {
        arena_reset(m->arena);
        if (m->text.cap > SPARSE_FROM)
            buf_done(&m->text);
        buf_clear(&m->text);
    }
    m->info = info;
    m->has_summary = m->has_body = false;
    m->header_bytes = 0;
    return match(p->root, m);
}
