/* article.c: ARTICLE, HEAD, BODY, STAT (RFC 3977 section 6.2), and what an article is for the other
 * commands. */
#include "nntp/reader.h"

#include "base/parse.h"
#include "message/header.h"

#include <errno.h>
#include <inttypes.h>

enum { CHUNK_BYTES = 32 << 10 };

/* ------------------------------------------------------------------ finding */

struct first_place {
    struct store_read *read;
    uint64_t preferred; /* the selected group */
    struct message_info m;
    bool found;
};

static bool take_place(uint64_t mailbox, uint32_t number, void *arg)
{
    struct first_place *f = arg;
    struct message_info m;
    if (store_message_get(f->read, mailbox, number, &m) < 0)
        return true;
    f->m = m;
    f->found = true;
    return mailbox != f->preferred;
}

static int find_by_id(struct session *s, struct span id, struct message_info *ret)
{
    struct reader *r = session_data(s);
    struct store_read read;
    struct first_place f = {.read = &read, .preferred = r->group};
    int err = store_read_begin(s->worker->store, &read);
    if (err < 0)
        return err;
    err = store_article_find(&read, id, take_place, &f);
    store_read_end(&read);
    if (err < 0)
        return err;
    if (!f.found)
        return -ENOENT;
    *ret = f.m;
    return 0;
}

static int find_by_number(struct session *s, uint64_t group, uint32_t number,
                          struct message_info *ret)
{
    struct store_read read;
    int err = store_read_begin(s->worker->store, &read);
    if (err < 0)
        return err;
    err = store_message_get(&read, group, number, ret);
    store_read_end(&read);
    return err;
}

static enum article_result refused(struct session *s, const char *reply)
{
    session_puts(s, reply);
    return ARTICLE_REFUSED;
}

enum article_result article_by_arg(struct session *s, const struct command_line *c,
                                   struct article *ret)
{
    struct reader *r = session_data(s);
    struct span arg = span_trim(c->args);
    uint64_t number = r->current;
    struct article a = {0};

    if (!reader_may_read(s))
        return ARTICLE_REFUSED;
    if (arg.n && arg.p[0] == '<') {
        int err = find_by_id(s, arg, &a.m);
        if (err == -ENOENT)
            return refused(s, "430 No article with that message-id\r\n");
        if (err < 0)
            return refused(s, "403 The store is not available, try again later\r\n");
        *ret = a;
        return ARTICLE_FOUND;
    }
    if (arg.n && !span_to_u64(arg, STORE_NUMBER_MAX, &number)) {
        reader_usage(s, c);
        return ARTICLE_REFUSED;
    }
    if (!r->group)
        return refused(s, "412 No newsgroup selected\r\n");
    if (!number && !arg.n)
        return refused(s, "420 No current article\r\n");
    int err = find_by_number(s, r->group, (uint32_t)number, &a.m);
    if (err == -ENOENT)
        return refused(s, arg.n ? "423 No article with that number\r\n"
                                : "420 The current article is gone\r\n");
    if (err < 0)
        return refused(s, "403 The store is not available, try again later\r\n");
    r->current = (uint32_t)number;
    a.in_group = true;
    *ret = a;
    return ARTICLE_FOUND;
}

/* Mail that came to a newsgroup without a Message-ID has got one in its prefix. */
static void message_id_from_prefix(struct session *s, const struct message_info *m, struct arena *a,
                                   struct summary *sum)
{
    struct buf prefix BUF_AUTO = BUF(STORE_PREFIX_MAX);
    struct header_field f;
    struct span value, id;

    if (store_message_read(s->worker->store, m, 0, m->prefix_bytes, &prefix) < 0 ||
        !header_find(buf_span(&prefix), "Message-ID", &f))
        return;
    value = f.value;
    if (message_id_next(&value, &id))
        sum->message_id = arena_span(a, id);
}

static int with_message_id(struct session *s, const struct message_info *m, struct arena *a,
                           int err, struct summary *sum)
{
    if (err == 0 && !sum->message_id.n && m->prefix_bytes)
        message_id_from_prefix(s, m, a, sum);
    if (err == 0 && !sum->message_id.n)
        sum->message_id = SPAN("<0>"); /* replies need one */
    return err;
}

int article_summary(struct session *s, const struct message_info *m, struct arena *a,
                    struct summary *ret)
{
    return with_message_id(s, m, a, store_summary(s->worker->store, m, a, ret), ret);
}

int article_summary_read(struct session *s, const struct message_info *m, struct buf *block,
                         struct summary *ret)
{
    int err = store_summary_read(s->worker->store, m, block, ret);
    return with_message_id(s, m, s->scratch, err, ret);
}

struct places {
    struct store_read *read;
    struct buf *out;
};

static bool put_place(uint64_t mailbox, uint32_t number, void *arg)
{
    struct places *p = arg;
    struct mailbox_info m;
    if (store_mailbox_get(p->read, mailbox, &m) == 0)
        buf_printf(p->out, " %.*s:%" PRIu32, SPAN_ARG(m.name), number);
    return true;
}

/* An article that names one newsgroup is in that one only: nothing has to be looked up. */
static bool in_one_group(const struct reader *r, const struct summary *sum,
                         const struct message_info *m)
{
    return m->mailbox == r->group && sum->newsgroups.n && !span_has(sum->newsgroups, ',');
}

void article_xref(struct session *s, const struct summary *sum, const struct message_info *m,
                  struct buf *out)
{
    struct reader *r = session_data(s);
    struct store_read read;
    struct places p = {&read, out};

    buf_put_cstr(out, "Xref: ");
    buf_put_cstr(out, reader_host(s));
    if (in_one_group(r, sum, m)) {
        buf_putc(out, ' ');
        buf_put_cstr(out, r->group_name);
        buf_putc(out, ':');
        buf_put_u64(out, m->uid);
        return;
    }
    if (store_read_begin(s->worker->store, &read) < 0)
        return;
    size_t before = out->n;
    if (sum->message_id.n)
        store_article_find(&read, sum->message_id, put_place, &p);
    if (out->n == before) /* not in the history: appended by IMAP */
        put_place(m->mailbox, m->uid, &p);
    store_read_end(&read);
}

/* ------------------------------------------------------------------ sending */

/* Bytes [from, to) of prefix + body, dot-stuffed. False: they could not be read, the session ends.
 */
static bool send_range(struct session *s, const struct message_info *m, uint64_t from, uint64_t to,
                       struct dot_writer *w)
{
    struct buf chunk BUF_AUTO = BUF(CHUNK_BYTES);

    while (from < to && !s->closing) {
        size_t n = to - from < CHUNK_BYTES ? (size_t)(to - from) : CHUNK_BYTES;
        buf_clear(&chunk);
        if (store_message_read(s->worker->store, m, from, n, &chunk) < 0 || chunk.n == 0) {
            session_end(s); /* part of an article must not look like the whole */
            return false;
        }
        session_put_dotted(s, buf_span(&chunk), w);
        session_give_turn(s);
        from += chunk.n;
    }
    return !s->closing;
}

enum { PART_HEAD = 1, PART_BODY = 2 };

/* Where the header's fields end and its empty line begins; `head` is the end of both. Mail that
 * came without any body has no empty line. */
static uint64_t fields_end(struct session *s, const struct message_info *m, uint64_t head)
{
    struct buf tail BUF_AUTO = BUF(4);
    uint64_t from = head > 4 ? head - 4 : 0;

    if (from < m->prefix_bytes)
        from = m->prefix_bytes;
    if (store_message_read(s->worker->store, m, from, (size_t)(head - from), &tail) < 0)
        return head;
    struct span t = buf_span(&tail);
    bool whole = from == m->prefix_bytes; /* nothing but the empty line, perhaps */
    if (span_ends_nocase(t, SPAN("\n\r\n")) || (whole && span_eq(t, SPAN("\r\n"))))
        return head - 2;
    if (span_ends_nocase(t, SPAN("\n\n")) || (whole && span_eq(t, SPAN("\n"))))
        return head - 1;
    return head;
}

/* Prefix, Xref, the fields as they arrived. */
static bool send_head(struct session *s, const struct article *a, const struct summary *sum,
                      uint64_t end, struct dot_writer *w)
{
    struct buf xref BUF_AUTO = BUF(16384);

    article_xref(s, sum, &a->m, &xref);
    buf_put_cstr(&xref, "\r\n");
    if (!send_range(s, &a->m, 0, a->m.prefix_bytes, w))
        return false;
    session_put_dotted(s, buf_span(&xref), w);
    if (!send_range(s, &a->m, a->m.prefix_bytes, end, w))
        return false;
    if (!w->line_start)
        session_put_dotted(s, SPAN("\r\n"), w);
    return true;
}

static void send_parts(struct session *s, struct command_line *c, unsigned parts, const char *code)
{
    struct article a;
    struct summary sum;
    struct dot_writer w = DOT_WRITER;

    if (article_by_arg(s, c, &a) != ARTICLE_FOUND)
        return;
    if (article_summary(s, &a.m, s->scratch, &sum) < 0) {
        reader_unavailable(s);
        return;
    }
    session_printf(s, "%s %" PRIu32 " %.*s\r\n", code, a.in_group ? a.m.uid : 0,
                   SPAN_ARG(sum.message_id));
    if (!parts)
        return;
    uint64_t head = (uint64_t)a.m.prefix_bytes + sum.header_bytes;
    if (parts & PART_HEAD && !send_head(s, &a, &sum, fields_end(s, &a.m, head), &w))
        return;
    if (parts == (PART_HEAD | PART_BODY))
        session_put_dotted(s, SPAN("\r\n"), &w);
    if (parts & PART_BODY && !send_range(s, &a.m, head, a.m.size, &w))
        return;
    session_end_dotted(s, &w);
}

void cmd_article(struct session *s, struct command_line *c)
{
    send_parts(s, c, PART_HEAD | PART_BODY, "220");
}

void cmd_head(struct session *s, struct command_line *c)
{
    send_parts(s, c, PART_HEAD, "221");
}

void cmd_body(struct session *s, struct command_line *c)
{
    send_parts(s, c, PART_BODY, "222");
}

void cmd_stat(struct session *s, struct command_line *c)
{
    send_parts(s, c, 0, "223");
}
