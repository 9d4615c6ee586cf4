/*
 * post.c: POST. sealpost is the injecting agent of RFC 5537 section 3.5: it checks the
 * proto-article, fills in what may be missing and puts itself into Path. Everything else stays as
 * it was typed.
 */
#include "nntp/reader.h"

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "message/build.h"
#include "message/header.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    GROUPS_MAX = 20,
    AUTHORS_MAX = 100,
    FIELDS_MAX = 16 << 10,
    FUTURE_SECONDS = 86400 /* RFC 5537 3.5 step 3 */
};

struct post {
    struct span header, rest; /* of the proto-article: header with its empty line, and the body */
    struct store_recipient groups[GROUPS_MAX];
    size_t group_count;
    bool moderated, path_fits;
};

static int proto_sink(void *arg, struct span bytes)
{
    return store_body_write(arg, bytes);
}

static bool is_listed(const struct post *p, uint64_t group)
{
    for (size_t i = 0; i < p->group_count; i++)
        if (p->groups[i].id == group)
            return true;
    return false;
}

static bool once(struct span header, const char *name)
{
    return header_count(header, name) == 1;
}

/* field-name ":" SP, then text on this line and on each that goes on with it (RFC 5536 section
 * 2.2). NULL: every line of the header is such a one. */
static const char *check_lines(struct span header)
{
    struct span line;

    for (bool first = true; span_split(&header, '\n', &line); first = false) {
        struct span text = span_head(line, line.n - (line.n && line.p[line.n - 1] == '\r'));
        if (!text.n)
            break;
        if (text.p[0] == ' ' || text.p[0] == '\t') {
            if (first || !span_trim(text).n)
                return "A line of the header is empty but for blanks";
            continue;
        }
        size_t colon = 0;
        while (colon < text.n && text.p[colon] > ' ' && text.p[colon] < 0x7f &&
               text.p[colon] != ':')
            colon++;
        if (!colon || colon == text.n || text.p[colon] != ':')
            return "A line of the header is no field: name, colon, blank, text";
        if (!span_trim(span_skip(text, colon + 1)).n)
            return "A field of the header is empty";
        if (text.p[colon + 1] != ' ')
            return "A field of the header has no blank behind its colon";
    }
    return NULL;
}

/* A Path that some server has put itself into at injection: "!.POSTED", "!.POSTED.host". */
static bool path_is_posted(struct span value)
{
    struct span one;

    while (span_split(&value, '!', &one)) {
        one = span_trim(one);
        if (span_is(one, ".POSTED") || span_starts_nocase(one, SPAN(".POSTED.")))
            return true;
    }
    return false;
}

static bool is_from(struct session *s, struct span value)
{
    struct address *v;
    size_t n = address_list_parse(value, s->scratch, AUTHORS_MAX, &v);

    for (size_t i = 0; i < n; i++)
        if (!v[i].local.n || !v[i].domain.n)
            return false;
    return n != 0;
}

/* What an injecting agent must refuse (RFC 5537 3.5 steps 2 to 5); NULL: nothing. */
static const char *check_article(struct session *s, const struct post *p)
{
    static const char *const injected[] = {"Injection-Info", "Xref", "NNTP-Posting-Host",
                                           "NNTP-Posting-Date"};
    static const char *const needed[] = {"From", "Subject", "Newsgroups"};
    static const char *const at_most_one[] = {"Message-ID",  "Date",    "Path",
                                              "Followup-To", "Control", "Approved"};
    struct header_field f;
    const char *problem = check_lines(p->header);

    if (problem)
        return problem;
    for (size_t i = 0; i < sizeof(injected) / sizeof(injected[0]); i++)
        if (header_find(p->header, injected[i], &f))
            return "It has been injected already (Injection-Info, Xref or the like)";
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!once(p->header, needed[i]))
            return "From, Subject and Newsgroups must be there once each";
    for (size_t i = 0; i < sizeof(at_most_one) / sizeof(at_most_one[0]); i++)
        if (header_count(p->header, at_most_one[i]) > 1)
            return "A field that may be there once is there twice";
    if (header_find(p->header, "Path", &f) && path_is_posted(f.value))
        return "It has been injected already (.POSTED in Path)";
    header_find(p->header, "From", &f);
    if (!is_from(s, f.value))
        return "From is no list of addresses";
    if (header_find(p->header, "Control", &f))
        return "Control messages are not taken from readers";
    if (header_find(p->header, "Message-ID", &f)) {
        struct span v = f.value, id;
        if (!message_id_next(&v, &id) || id.n > 250 || !span_eq(span_trim(f.value), id))
            return "The Message-ID is malformed";
    }
    struct date date;
    if (header_find(p->header, "Date", &f)) {
        if (!date_parse_rfc5322(f.value, &date))
            return "The Date is malformed";
        if (date.seconds > clock_seconds() + FUTURE_SECONDS)
            return "The Date is in the future";
    }
    if (!span_trim(p->rest).n)
        return "The article has no body";
    return NULL;
}

/* The newsgroups that are here; foreign names are no error as long as one is ours. NULL: fine. */
static const char *find_groups(struct session *s, struct post *p)
{
    struct buf names BUF_AUTO = BUF(8192);
    struct store_read read;
    struct header_field f;
    const char *problem = NULL;
    bool closed = false;

    header_find(p->header, "Newsgroups", &f);
    if (!header_unfold(f.value, &names))
        return "Too many newsgroups";
    if (store_read_begin(s->worker->store, &read) < 0)
        return "The store is not available, try again later";
    struct span rest = buf_span(&names), one;
    while (!problem && span_split(&rest, ',', &one)) {
        struct mailbox_info m;
        if (group_find(&read, span_trim(one), &m) < 0 || is_listed(p, m.id))
            continue;
        if (m.attributes & MAILBOX_NO_POST) {
            closed = true;
            continue;
        }
        if (p->group_count == GROUPS_MAX)
            problem = "Too many newsgroups";
        else
            p->groups[p->group_count++] =
                (struct store_recipient){.kind = RECIPIENT_FOLDER, .id = m.id};
        p->moderated = p->moderated || m.attributes & MAILBOX_MODERATED;
    }
    store_read_end(&read);
    if (!problem && !p->group_count)
        problem = closed ? "Posting to that newsgroup is not allowed"
                         : "None of the newsgroups is carried here";
    if (problem || !p->moderated)
        return problem;
    /* anybody could write the field: it counts from those who look after the groups */
    if (!header_find(p->header, "Approved", &f) || !(s->user.rights & GRANT_ADMIN))
        problem = "That newsgroup is moderated";
    return problem;
}

/* Fields in front: Path through us, and what was missing. */
static void put_fields(struct session *s, struct post *p, struct buf *out, struct buf *message_id)
{
    struct header_field f;
    struct buf path BUF_AUTO = BUF(8192);

    if (header_find(p->header, "Path", &f))
        header_unfold(f.value, &path);
    else
        buf_put_cstr(&path, "not-for-mail");
    p->path_fits = !path.overflow;
    buf_printf(out, "Path: %s!.POSTED!%.*s\r\n", reader_host(s), SPAN_ARG(buf_span(&path)));
    if (header_find(p->header, "Message-ID", &f)) {
        struct span v = f.value, id;
        message_id_next(&v, &id);
        buf_put_span(message_id, id);
    } else {
        build_message_id(message_id, span_cstr(s->conf->hostname));
        buf_printf(out, "Message-ID: %.*s\r\n", SPAN_ARG(buf_span(message_id)));
    }
    struct buf now BUF_AUTO = BUF(64);
    date_print_rfc5322(&now, (struct date){.seconds = clock_seconds()});
    if (!header_find(p->header, "Date", &f))
        buf_printf(out, "Date: %.*s\r\n", SPAN_ARG(buf_span(&now)));
    else if (!header_find(p->header, "Injection-Date", &f))
        buf_printf(out, "Injection-Date: %.*s\r\n", SPAN_ARG(buf_span(&now)));
    buf_printf(out, "Injection-Info: %s; mail-complaints-to=\"%s\"\r\n", reader_host(s),
               s->conf->postmaster);
}

/* The article as it will be stored: our fields, then what was typed but for its own Path. */
static int write_article(struct store_body *b, const struct post *p, struct span fields)
{
    struct span header = p->header, left = p->header;
    struct header_field f;
    int err = store_body_write(b, fields);

    while (err == 0 && header_next(&header, &f)) {
        if (!span_is(f.name, "Path"))
            continue;
        err = store_body_write(b, span_between(left.p, f.whole.p));
        left = span_skip(left, (size_t)(f.whole.p + f.whole.n - left.p));
    }
    if (err == 0)
        err = store_body_write(b, left);
    return err == 0 ? store_body_write(b, p->rest) : err;
}

static int deliver(struct session *s, struct post *p, struct store_body *proto)
{
    struct buf fields BUF_AUTO = BUF(FIELDS_MAX), id BUF_AUTO = BUF(300);
    struct store_body *article = NULL;
    struct store_delivered done;
    uint64_t max = s->vserver->limits.message_bytes + (uint64_t)FIELDS_MAX;

    put_fields(s, p, &fields, &id);
    if (fields.overflow || id.overflow || !p->path_fits)
        return -EMSGSIZE;
    int err = store_body_begin(s->worker->store, store_body_size(proto) + fields.n, max, &article);
    if (err == 0)
        err = write_article(article, p, buf_span(&fields));
    if (err == 0)
        err = store_body_finish(article);
    if (err == 0) {
        struct store_delivery d = {
            .grant = span_of(s->user.grant, s->user.grant_bytes),
            .sender = span_cstr(s->user.address),
            .received_seconds = clock_seconds(),
            .recipients = p->groups,
            .count = p->group_count,
            .news = true,
            .message_id = buf_span(&id),
        };
        err = store_deliver(s->worker->store, article, &d, &done);
    }
    store_body_free(article);
    if (err == 0)
        log_info("%s %s: %s posted to %zu newsgroups by %s", s->vserver->name,
                 conn_peer_text(s->conn), log_quote(buf_span(&id)), p->group_count,
                 s->user.account ? s->user.address : "a reader without login");
    return err;
}

static void answer(struct session *s, int err)
{
    switch (err) {
    case 0:
        session_puts(s, "240 Article posted\r\n");
        break;
    case -EEXIST:
        session_puts(s, "441 An article with that Message-ID has been here already\r\n");
        break;
    case -EMSGSIZE:
        session_printf(s, "441 Articles of more than %" PRIu32 " bytes are not taken\r\n",
                       s->vserver->limits.message_bytes);
        break;
    case -EILSEQ:
        session_puts(s, "441 Bare CR or LF, or NUL: lines end with CR LF\r\n");
        break;
    case -EACCES:
        session_puts(s, "441 Posting there is not allowed\r\n");
        break;
    default:
        session_puts(s, "441 The store is not available, try again later\r\n");
        break;
    }
}

void cmd_post(struct session *s, struct command_line *c)
{
    struct store_body *proto = NULL;
    struct post p = {0};
    struct dotted d;
    (void)c;

    if (!s->user.account && !s->vserver->anonymous_post) {
        session_puts(s, "480 Log in first\r\n");
        return;
    }
    if (s->user.account && !(s->user.rights & GRANT_POST)) {
        session_puts(s, "440 Posting is not allowed\r\n");
        return;
    }
    if (store_body_begin(s->worker->store, 0, s->vserver->limits.message_bytes, &proto) < 0) {
        reader_unavailable(s);
        return;
    }
    session_puts(s, "340 Send the article, end with CRLF.CRLF\r\n");
    if (session_read_dotted(s, proto_sink, proto, &d) == 0) {
        int err = d.sink ? d.sink : d.bare_cr || d.bare_lf || d.nul ? -EILSEQ : 0;
        struct span raw = store_body_bytes(proto);
        size_t header = header_block_bytes(raw);
        /* the header block ends with its empty line */
        p.header = span_head(raw, header);
        p.rest = span_skip(raw, header);
        const char *problem = err ? NULL : check_article(s, &p);
        if (!problem && !err)
            problem = find_groups(s, &p);
        if (problem)
            session_printf(s, "441 %s\r\n", problem);
        else
            answer(s, err ? err : deliver(s, &p, proto));
    }
    store_body_free(proto);
}
