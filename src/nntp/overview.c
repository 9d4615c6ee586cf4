/* overview.c: OVER and HDR (RFC 3977 sections 8.3 and 8.5), their forms XOVER and XHDR, and the
 * lists that describe them. */
#include "nntp/reader.h"

#include "base/parse.h"
#include "message/header.h"

#include <errno.h>
#include <inttypes.h>

enum {
    BATCH = 64,
    HEADER_READ_MAX = 1 << 20,
    SUMMARY_MAX = 1 << 20,
    AHEAD = 3, /* articles between asking memory for a summary and looking at it */
};

/* What a range or message-id argument names; articles are then taken in batches, so that no
 * snapshot is held while the client reads. */
struct selection {
    uint64_t group;
    struct range_arg range;
    bool by_id;
    struct message_info one;
};

static enum article_result select_articles(struct session *s, const struct command_line *c,
                                           struct span arg, struct selection *ret)
{
    struct reader *r = session_data(s);
    struct command_line asked = *c;
    struct article a;
    struct selection sel = {.group = r->group};

    asked.args = arg;
    if (arg.n && arg.p[0] != '<') {
        if (!reader_may_read(s))
            return ARTICLE_REFUSED;
        if (!range_parse(arg, &sel.range)) {
            reader_usage(s, c);
            return ARTICLE_REFUSED;
        }
        if (!r->group) {
            session_puts(s, "412 No newsgroup selected\r\n");
            return ARTICLE_REFUSED;
        }
    } else {
        if (article_by_arg(s, &asked, &a) != ARTICLE_FOUND)
            return ARTICLE_REFUSED;
        sel.by_id = !a.in_group;
        sel.one = a.m;
        sel.range = (struct range_arg){a.m.uid, a.m.uid};
    }
    *ret = sel;
    return ARTICLE_FOUND;
}

/* The next articles of the selection, moving it on. How many; negative: store error. */
static int next_batch(struct session *s, struct selection *sel, struct message_info batch[BATCH])
{
    struct store_read read;
    struct store_cursor cursor;
    int n = 0;

    if (sel->range.lo > sel->range.hi)
        return 0;
    if (sel->by_id) {
        sel->range.lo = sel->range.hi + 1;
        batch[0] = sel->one;
        return 1;
    }
    int err = store_read_begin(s->worker->store, &read);
    if (err < 0)
        return err;
    err = store_cursor_open(&read, sel->group, sel->range.lo, &cursor);
    if (err == 0) {
        while (n < BATCH && store_cursor_next(&cursor, &batch[n]) && batch[n].uid <= sel->range.hi)
            n++;
        store_cursor_close(&cursor);
    }
    store_read_end(&read);
    sel->range.lo = n ? batch[n - 1].uid + 1 : sel->range.hi + 1;
    return err < 0 ? err : n;
}

struct line {
    struct session *s;
    const struct selection *sel;
    struct buf block; /* for summaries */
    void *arg;
};
typedef void (*line_fn)(struct line *l, const struct message_info *m, struct buf *out);

/* One line an article. The status line goes out with the first; none found: the reply of RFC 3977
 * for that form. */
static void each_article(struct session *s, struct selection *sel, const char *status, line_fn fn,
                         void *arg)
{
    struct message_info batch[BATCH];
    struct buf out BUF_AUTO = BUF(4 << 20);
    struct line l = {s, sel, BUF(SUMMARY_MAX), arg};
    bool any = false;
    int n;

    while ((n = next_batch(s, sel, batch)) > 0 && !s->closing) {
        buf_clear(&out);
        if (!any)
            buf_put_cstr(&out, status);
        any = true;
        for (int i = 0; i < n; i++) {
            if (i + AHEAD < n)
                store_summary_ahead(s->worker->store, &batch[i + AHEAD]);
            fn(&l, &batch[i], &out);
            arena_reset(s->scratch);
        }
        session_put(s, buf_span(&out));
        session_give_turn(s);
    }
    buf_done(&l.block);
    if (!any && n < 0)
        reader_unavailable(s);
    else if (!any)
        session_puts(s, "423 No articles in that range\r\n");
    else if (n < 0)
        session_end(s); /* the list would look complete */
    else
        session_puts(s, ".\r\n");
}

/* A field that the prefix has, not the article's own header. */
static bool prefix_field(struct session *s, const struct message_info *m, const char *name,
                         struct buf *out)
{
    struct buf prefix BUF_AUTO = BUF(STORE_PREFIX_MAX);
    struct header_field f;

    return m->prefix_bytes &&
           store_message_read(s->worker->store, m, 0, m->prefix_bytes, &prefix) == 0 &&
           header_find(buf_span(&prefix), name, &f) && header_unfold(f.value, out);
}

/* What the prefix says and the body does not: the Message-ID and Subject that mail without them
 * got. */
static void put_overview(struct session *s, const struct message_info *m, const struct summary *sum,
                         struct buf *out)
{
    struct buf subject BUF_AUTO = BUF(STORE_PREFIX_MAX);
    struct span rest = sum->overview, field[5];

    for (int i = 0; i < 5; i++) {
        size_t tab = span_find(rest, '\t');
        field[i] = tab == SPAN_NONE ? rest : span_head(rest, tab);
        rest = tab == SPAN_NONE ? SPAN_EMPTY : span_skip(rest, tab + 1);
    }
    if (field[0].n && !rest.n && span_eq(field[3], sum->message_id)) { /* as nearly always */
        buf_put_span(out, sum->overview);
        return;
    }
    field[3] = sum->message_id;
    if (!field[0].n && prefix_field(s, m, "Subject", &subject))
        field[0] = buf_span(&subject);
    for (int i = 0; i < 5; i++) {
        if (i)
            buf_putc(out, '\t');
        buf_put_span(out, field[i]);
    }
}

static void over_line(struct line *l, const struct message_info *m, struct buf *out)
{
    struct summary sum;

    if (article_summary_read(l->s, m, &l->block, &sum) < 0)
        return;
    size_t begin = out->n;
    buf_put_u64(out, l->sel->by_id ? 0 : m->uid);
    buf_putc(out, '\t');
    put_overview(l->s, m, &sum, out);
    buf_putc(out, '\t');
    buf_put_u64(out, m->size);
    buf_putc(out, '\t');
    buf_put_u64(out, sum.body_lines);
    buf_putc(out, '\t');
    article_xref(l->s, &sum, m, out);
    buf_put_cstr(out, "\r\n");
    if (out->overflow)
        buf_truncate(out, begin);
}

void cmd_over(struct session *s, struct command_line *c)
{
    struct selection sel;
    if (select_articles(s, c, span_trim(c->args), &sel) == ARTICLE_FOUND)
        each_article(s, &sel, "224 Overview follows\r\n", over_line, NULL);
}

/* ------------------------------------------------------------------ HDR */

static void put_field(struct line *l, const struct message_info *m, const char *name,
                      struct buf *out)
{
    struct session *s = l->s;
    struct buf header BUF_AUTO = BUF(HEADER_READ_MAX + STORE_PREFIX_MAX);
    struct summary sum;
    struct header_field f;

    if (article_summary_read(s, m, &l->block, &sum) < 0)
        return;
    if (span_is(span_cstr(name), ":bytes"))
        buf_put_u64(out, m->size);
    else if (span_is(span_cstr(name), ":lines"))
        buf_put_u64(out, sum.body_lines);
    else if (span_is(span_cstr(name), "Xref")) {
        struct buf xref BUF_AUTO = BUF(16384);
        article_xref(s, &sum, m, &xref);
        buf_put_span(out, span_skip(buf_span(&xref), strlen("Xref: ")));
    } else if (span_is(span_cstr(name), "Message-ID"))
        buf_put_span(out, sum.message_id);
    else if (store_message_read(s->worker->store, m, 0, (size_t)m->prefix_bytes + sum.header_bytes,
                                &header) == 0 &&
             header_find(buf_span(&header), name, &f)) {
        size_t from = out->n;
        header_unfold(f.value, out);
        for (size_t i = from; i < out->n; i++) /* RFC 3977 8.3.2: TAB and NUL as SP */
            if (out->p[i] == '\t' || out->p[i] == 0)
                out->p[i] = ' ';
    }
}

static void hdr_line(struct line *l, const struct message_info *m, struct buf *out)
{
    buf_put_u64(out, l->sel->by_id ? 0 : m->uid);
    buf_putc(out, ' ');
    put_field(l, m, l->arg, out);
    buf_put_cstr(out, "\r\n");
}

static bool field_name_valid(struct span s)
{
    if (s.n && s.p[0] == ':')
        return span_is(s, ":bytes") || span_is(s, ":lines");
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 33 || s.p[i] > 126 || s.p[i] == ':')
            return false;
    return s.n > 0;
}

void cmd_hdr(struct session *s, struct command_line *c)
{
    struct span rest = c->args, name, arg = SPAN_EMPTY;
    struct selection sel;
    char field[128];

    if (!parse_word(&rest, sizeof(field) - 1, &name) || !field_name_valid(name) ||
        !span_to_cstr(name, field, sizeof(field)) || (rest.n && !parse_word(&rest, 1000, &arg)) ||
        span_trim(rest).n) {
        reader_usage(s, c);
        return;
    }
    if (select_articles(s, c, arg, &sel) == ARTICLE_FOUND)
        each_article(s, &sel,
                     span_is(c->verb, "XHDR") ? "221 Header follows\r\n" : "225 Headers follow\r\n",
                     hdr_line, field);
}

/* ------------------------------------------------------------------ descriptions */

void cmd_list_overview_fmt(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "215 Order of "
                    "fields\r\nSubject:\r\nFrom:\r\nDate:\r\nMessage-ID:\r\nReferences:\r\n:"
                    "bytes\r\n:lines\r\nXref:full\r\n.\r\n");
}

void cmd_list_headers(struct session *s, struct command_line *c)
{
    struct span arg = span_trim(c->args);
    if (arg.n && !span_is(arg, "MSGID") && !span_is(arg, "RANGE")) {
        reader_usage(s, c);
        return;
    }
    session_puts(s, "215 Any field, and\r\n:\r\n:bytes\r\n:lines\r\n.\r\n");
}
