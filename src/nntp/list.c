/* list.c: lists of newsgroups and of new articles (RFC 3977 sections 7.3 to 7.6, RFC 6048). */
#include "nntp/reader.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/parse.h"
#include "nntp/wildmat.h"
#include "store/annex.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LIST_MAX_BYTES = 64 << 20, STRETCH = 1000, DESCRIPTION_MAX = 400 };

typedef void line_fn(struct session *s, struct store_read *r, const struct mailbox_info *m,
                     struct buf *out);

struct listing {
    struct session *s;
    struct span wildmat; /* empty: all */
    int64_t since;
    line_fn *line;
    struct store_read *read;
    struct buf out;
};

static bool list_group(const struct mailbox_info *m, void *arg)
{
    struct listing *l = arg;
    if (m->attributes & MAILBOX_NEWSGROUP && m->created >= l->since &&
        (!l->wildmat.n || wildmat_match(l->wildmat, m->name)))
        l->line(l->s, l->read, m, &l->out);
    return !l->out.overflow;
}

static void list_groups(struct session *s, const char *status, struct listing *l)
{
    struct store_read read;

    if (store_read_begin(s->worker->store, &read) < 0) {
        reader_unavailable(s);
        return;
    }
    l->s = s;
    l->read = &read;
    l->out = BUF(LIST_MAX_BYTES);
    store_mailbox_each(&read, STORE_ACCOUNT_PUBLIC, list_group, l);
    store_read_end(&read);
    session_puts(s, status);
    session_put(s, buf_span(&l->out));
    session_puts(s, ".\r\n");
    buf_done(&l->out);
}

static void list_matching(struct session *s, struct command_line *c, const char *status,
                          line_fn *line)
{
    struct listing l = {.wildmat = span_trim(c->args), .line = line, .since = INT64_MIN};
    if (!reader_may_read(s))
        return;
    if (l.wildmat.n && !wildmat_valid(l.wildmat)) {
        reader_usage(s, c);
        return;
    }
    list_groups(s, status, &l);
}

/* y: posting allowed, n: not, m: moderated */
static char group_status(const struct mailbox_info *m)
{
    return m->attributes & MAILBOX_MODERATED ? 'm' : m->attributes & MAILBOX_NO_POST ? 'n' : 'y';
}

static void active_line(struct session *s, struct store_read *r, const struct mailbox_info *m,
                        struct buf *out)
{
    (void)s;
    buf_printf(out, "%.*s %" PRIu32 " %" PRIu32 " %c\r\n", SPAN_ARG(m->name), group_high(m),
               group_low(m), group_status(m));
}

static void counts_line(struct session *s, struct store_read *r, const struct mailbox_info *m,
                        struct buf *out)
{
    (void)s;
    buf_printf(out, "%.*s %" PRIu32 " %" PRIu32 " %" PRIu32 " %c\r\n", SPAN_ARG(m->name),
               group_high(m), group_low(m), m->messages, group_status(m));
}

static void times_line(struct session *s, struct store_read *r, const struct mailbox_info *m,
                       struct buf *out)
{
    buf_printf(out, "%.*s %" PRId64 " %s\r\n", SPAN_ARG(m->name), m->created, s->conf->postmaster);
}

/* What is said about a newsgroup is one line, whatever somebody wrote; without it, its name. */
static void description_line(struct session *s, struct store_read *r, const struct mailbox_info *m,
                             struct buf *out)
{
    struct span text;

    (void)s;
    if (store_note_get(r, m->id, 0, SPAN(NOTE_DESCRIPTION), &text) != 0 || text.n == 0)
        text = m->name;
    buf_printf(out, "%.*s\t", SPAN_ARG(m->name));
    for (size_t i = 0; i < text.n && i < DESCRIPTION_MAX; i++)
        buf_putc(out, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? ' ' : text.p[i]);
    buf_put_cstr(out, "\r\n");
}

static void name_line(struct session *s, struct store_read *r, const struct mailbox_info *m,
                      struct buf *out)
{
    (void)s;
    buf_printf(out, "%.*s\r\n", SPAN_ARG(m->name));
}

void cmd_list_active(struct session *s, struct command_line *c)
{
    list_matching(s, c, "215 Newsgroups follow\r\n", active_line);
}

/* What has no row of its own (RFC 3977 section 7.6.2). */
void cmd_list_alone(struct session *s, struct command_line *c)
{
    if (span_trim(c->args).n) {
        session_puts(s, "501 Unknown LIST keyword\r\n");
        session_error(s);
        return;
    }
    list_matching(s, c, "215 Newsgroups follow\r\n", active_line);
}

void cmd_list_counts(struct session *s, struct command_line *c)
{
    list_matching(s, c, "215 Newsgroups follow\r\n", counts_line);
}

void cmd_list_active_times(struct session *s, struct command_line *c)
{
    list_matching(s, c, "215 Times follow\r\n", times_line);
}

void cmd_list_newsgroups(struct session *s, struct command_line *c)
{
    list_matching(s, c, "215 Descriptions follow\r\n", description_line);
}

void cmd_list_subscriptions(struct session *s, struct command_line *c)
{
    list_matching(s, c, "215 Newsgroups follow\r\n", name_line);
}

/* ------------------------------------------------------------------ since a time */

static bool parse_since(struct span *rest, int64_t *ret)
{
    struct span day, time, gmt;
    if (!parse_word(rest, 8, &day) || !parse_word(rest, 6, &time) ||
        !date_parse_nntp(day, time, clock_seconds(), ret))
        return false;
    if (parse_word(rest, 8, &gmt) && !span_is(gmt, "GMT") && !span_is(gmt, "UTC"))
        return false;
    return span_trim(*rest).n == 0;
}

void cmd_newgroups(struct session *s, struct command_line *c)
{
    struct listing l = {.line = active_line};
    struct span rest = c->args;

    if (!reader_may_read(s))
        return;
    if (!parse_since(&rest, &l.since)) {
        reader_usage(s, c);
        return;
    }
    list_groups(s, "231 New newsgroups follow\r\n", &l);
}

/* NEWNEWS: the groups that are wanted are found first; then the history is read in stretches, so
 * that neither a snapshot nor the loop is held for long. */
struct news {
    struct store_read *read;
    struct span wildmat;
    uint64_t *groups; /* ascending */
    size_t group_count, group_cap;
    struct buf *out;
    bool wanted;
    unsigned seen;       /* in this stretch */
    int64_t last;        /* arrival of the last one seen */
    int64_t stretch_end; /* where the next stretch starts; INT64_MAX: nowhere */
};

static int by_id(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool take_wanted(const struct mailbox_info *m, void *arg)
{
    struct news *n = arg;
    if (!(m->attributes & MAILBOX_NEWSGROUP) || !wildmat_match(n->wildmat, m->name))
        return true;
    if (n->group_count == n->group_cap) {
        n->group_cap = n->group_cap ? 2 * n->group_cap : 64;
        n->groups = realloc(n->groups, n->group_cap * sizeof(*n->groups));
        CHECK(n->groups);
    }
    n->groups[n->group_count++] = m->id;
    return true;
}

static bool in_wanted_group(uint64_t mailbox, uint32_t number, void *arg)
{
    struct news *n = arg;
    struct message_info still;

    n->wanted = bsearch(&mailbox, n->groups, n->group_count, sizeof(*n->groups), by_id) &&
                store_message_get(n->read, mailbox, number, &still) == 0;
    return !n->wanted;
}

static bool new_article(struct span message_id, int64_t arrived, void *arg)
{
    struct news *n = arg;

    if (n->seen >= STRETCH && arrived != n->last) { /* those of one second stay together */
        n->stretch_end = arrived;
        return false;
    }
    n->seen++;
    n->last = arrived;
    n->wanted = false;
    store_article_find(n->read, message_id, in_wanted_group, n);
    if (n->wanted) {
        buf_put_span(n->out, message_id);
        buf_put_cstr(n->out, "\r\n");
    }
    return !n->out->overflow;
}

static int find_wanted(struct session *s, struct news *n)
{
    int err = store_read_begin(s->worker->store, n->read);
    if (err < 0)
        return err;
    store_mailbox_each(n->read, STORE_ACCOUNT_PUBLIC, take_wanted, n);
    store_read_end(n->read);
    if (n->group_count)
        qsort(n->groups, n->group_count, sizeof(*n->groups), by_id);
    return 0;
}

static void list_news(struct session *s, struct news *n, int64_t since)
{
    session_puts(s, "230 New articles follow\r\n");
    while (n->group_count && since != INT64_MAX && !s->closing) {
        n->seen = 0;
        n->stretch_end = INT64_MAX;
        buf_clear(n->out);
        if (store_read_begin(s->worker->store, n->read) < 0) {
            session_end(s); /* the list would look complete */
            return;
        }
        store_history_since(n->read, since, new_article, n);
        store_read_end(n->read);
        session_put(s, buf_span(n->out));
        since = n->stretch_end;
        session_give_turn(s);
    }
    session_puts(s, ".\r\n");
}

void cmd_newnews(struct session *s, struct command_line *c)
{
    struct buf out BUF_AUTO = BUF(LIST_MAX_BYTES);
    struct store_read read;
    struct news n = {.read = &read, .out = &out};
    struct span rest = c->args;
    int64_t since;

    if (!reader_may_read(s))
        return;
    if (!parse_word(&rest, WILDMAT_MAX_BYTES, &n.wildmat) || !wildmat_valid(n.wildmat) ||
        !parse_since(&rest, &since)) {
        reader_usage(s, c);
        return;
    }
    if (find_wanted(s, &n) < 0)
        reader_unavailable(s);
    else
        list_news(s, &n, since);
    free(n.groups);
}
