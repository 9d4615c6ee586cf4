/* report.c: telling the sender: failures, delays, deliveries that were asked to be confirmed (RFC
 * 3461 section 5, RFC 3464). */
#include "proc/relayd/relayd.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "message/build.h"
#include "message/header.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ORIGINAL_MAX = 1 << 20,
    REPORT_MAX = 8 << 20,
    EXPLANATION_MAX = 1 << 20,
    ARENA_MAX = 8 << 20
};

static const struct {
    const char *action, *subject, *explanation;
} kinds[REPORT_KINDS] = {
    [REPORT_FAILED] =
        {"failed",    "Undeliverable mail",
                         "Your message could not be delivered to the recipients below, and it will not "
         "be tried again."                                                    },
    [REPORT_DELAYED] = {"delayed",   "Delayed mail",
                         "Your message has not been delivered to the recipients below yet. You need "
                        "not send it again: it is still being tried."         },
    [REPORT_RELAYED] = {"relayed",   "Mail passed on",
                         "Your message was passed on to a server that does not confirm deliveries. "
                        "You will hear no more unless it fails."              },
    [REPORT_DELIVERED] = {"delivered", "Delivered mail",
                         "Your message was delivered to the recipients below."},
};

struct report {
    struct relay *r;
    struct job *job;
    const struct queue_item *item;
    struct relay_verdict *v;
    enum report_kind kind;
    struct arena *arena;
    struct build_report_recipient *rows;
    size_t count;
};

static void fill_rows(struct report *p)
{
    p->rows = ARENA_ARRAY(p->arena, struct build_report_recipient, p->item->count + 1);
    CHECK(p->rows);
    for (size_t i = 0; i < p->item->count; i++) {
        struct relay_verdict *v = &p->v[i];
        if (policy_report(p->r->conf, p->item, v, clock_seconds()) != p->kind)
            continue;
        p->rows[p->count++] = (struct build_report_recipient){
            .original = v->recipient->orcpt,
            .final = v->recipient->address,
            .action = span_cstr(kinds[p->kind].action),
            .status = policy_status(p->arena, v, p->kind),
            .remote_mta = span_cstr(v->host),
            .diagnostic = span_cstr(v->result.text),
        };
    }
}

/* The message, or its header where it is large or no more is wanted. A message that cannot be read
 * is reported without. */
static void read_original(const struct report *p, struct buf *out, bool *ret_headers_only)
{
    size_t size = p->item->size, want = size < ORIGINAL_MAX ? size : ORIGINAL_MAX;
    char *room = buf_reserve(out, want);
    ssize_t n = -1;
    int fd;

    if (room && job_body(p->job, &fd) == 0)
        n = pread(fd, room, want, 0);
    buf_commit(out, n > 0 ? (size_t)n : 0);
    *ret_headers_only = p->kind != REPORT_FAILED || p->item->ret_headers || size > ORIGINAL_MAX;
    if (*ret_headers_only)
        buf_truncate(out, header_block_bytes(buf_span(out)));
}

static void explain(const struct report *p, struct buf *out)
{
    buf_printf(out, "%s\n\n", kinds[p->kind].explanation);
    for (size_t i = 0; i < p->count; i++) {
        const struct build_report_recipient *row = &p->rows[i];
        buf_printf(out, "<%.*s>\n", SPAN_ARG(row->final));
        if (row->remote_mta.n)
            buf_printf(out, "    %.*s said:\n", SPAN_ARG(row->remote_mta));
        if (row->diagnostic.n)
            buf_printf(out, "    %.*s\n", SPAN_ARG(row->diagnostic));
    }
}

static bool write_report(const struct report *p, struct span to, struct buf *out)
{
    const struct conf *c = p->r->conf;
    struct buf original BUF_AUTO = BUF(ORIGINAL_MAX), from BUF_AUTO = BUF(400),
                        explanation BUF_AUTO = BUF(EXPLANATION_MAX);
    struct build_report b = {
        .reporting_mta = span_cstr(c->hostname),
        .to = to,
        .envelope_id = p->item->envid,
        .subject = span_cstr(kinds[p->kind].subject),
        .when = {.seconds = clock_seconds()},
        .arrival = {.seconds = p->item->queued_seconds},
        .recipients = p->rows,
        .recipient_count = p->count,
    };

    buf_printf(&from, "Mail Delivery System <%s>", c->postmaster);
    b.from = buf_span(&from);
    explain(p, &explanation);
    b.explanation = buf_span(&explanation);
    read_original(p, &original, &b.headers_only);
    b.original = buf_span(&original);
    return build_report(out, &b);
}

/* ------------------------------------------------------------------ to whom */
/* Where reports for an address of ours go, or remote. One recipient is enough: an alias' first.
 * suspends */
int relay_recipient(struct relay *r, struct arena *a, struct span to, struct store_recipient *ret)
{
    struct auth_target *targets = NULL;
    size_t count = 0;
    struct store_recipient one = {.kind = RECIPIENT_REMOTE, .address = to};
    int err = 0;

    switch (auth_resolve(r->auth, to, &targets, &count)) {
    case RESOLVED:
        err = -ENOENT;
        for (size_t i = 0; i < count && err; i++) {
            if (targets[i].kind == TARGET_FOLDER)
                continue;
            one.kind = targets[i].kind == TARGET_ACCOUNT ? RECIPIENT_INBOX : RECIPIENT_REMOTE;
            one.id = targets[i].id;
            one.address = arena_span(a, span_cstr(targets[i].address));
            err = 0;
        }
        free(targets);
        break;
    case RESOLVE_NOT_LOCAL:
        break;
    case RESOLVE_NONE:
    case RESOLVE_DISABLED:
        return -ENOENT;
    case RESOLVE_TEMPFAIL:
        return -EAGAIN;
    }
    *ret = one;
    return err;
}

/* Into the store, from <>: a report is never answered with a report, but its failure is told to the
 * postmaster (notify REPORT_NOTIFY), and the failure of that to nobody (NOTIFY_NEVER). Either way
 * the next server is asked for no report (RFC 3461 section 6.2). suspends */
static int deposit(const struct report *p, struct span to, uint8_t notify)
{
    struct buf text BUF_AUTO = BUF(REPORT_MAX);
    struct store_recipient one;
    struct store_delivered done;
    struct store_body *b = NULL;
    struct store_delivery d = {.recipients = &one,
                               .count = 1,
                               .received_seconds = clock_seconds(),
                               .prefix = SPAN("Return-Path: <>\r\n")};

    int err = relay_recipient(p->r, p->arena, to, &one);
    if (err)
        return err;
    one.notify = notify;
    if (one.kind == RECIPIENT_REMOTE)
        d.prefix = SPAN_EMPTY;
    if (!write_report(p, to, &text))
        return -E2BIG;
    err = store_body_begin(p->r->store, text.n, REPORT_MAX, &b);
    if (err == 0)
        err = store_body_write(b, buf_span(&text));
    if (err == 0)
        err = store_body_finish(b);
    if (err == 0)
        err = store_deliver(p->r->store, b, &d, &done);
    store_body_free(b);
    return err;
}

/* Will it be the same at the next try? A full mailbox may be emptied; as long as the message would
 * have been tried, its report is. */
static bool is_final(const struct report *p, int err)
{
    if (err == -EDQUOT)
        return policy_expired(p->r->conf, p->item, clock_seconds());
    return err == -ENOENT || err == -EACCES || err == -EINVAL || err == -E2BIG || err == -EMSGSIZE;
}

static int send_report(const struct report *p)
{
    const struct queue_item *item = p->item;
    struct span postmaster = span_cstr(p->r->conf->postmaster);
    int err = 0;

    if (item->sender.n) {
        err = deposit(p, item->sender, REPORT_NOTIFY);
        if (!err || !is_final(p, err))
            return err;
        log_warn("queue %" PRIu64 ": the report cannot be delivered to <%s> (%s)", item->id,
                 log_quote(item->sender), strerror(-err));
    }
    if (p->kind != REPORT_FAILED)
        return 0;
    err = deposit(p, postmaster, NOTIFY_NEVER);
    if (!err || !is_final(p, err))
        return err;
    log_error("queue %" PRIu64
              ": nobody could be told of the failure: nor the postmaster <%s> (%s)",
              item->id, log_quote(postmaster), strerror(-err));
    return 0;
}

int relay_report(struct relay *r, struct job *j, struct relay_verdict *v)
{
    const struct queue_item *item = job_item(j);
    int worst = 0;

    for (enum report_kind k = REPORT_FAILED; k < REPORT_KINDS; k++) {
        struct report p = {
            .r = r, .job = j, .item = item, .v = v, .kind = k, .arena = arena_new(ARENA_MAX)};
        fill_rows(&p);
        int err = p.count ? send_report(&p) : 0;
        if (err < 0) {
            log_error("queue %" PRIu64 ": the report could not be stored yet: %s", item->id,
                      strerror(-err));
            r->count.reports_failed++;
            worst = err;
        } else if (p.count) {
            r->count.reports[k]++;
        }
        arena_free(p.arena);
        for (size_t i = 0; k == REPORT_DELAYED && err == 0 && i < item->count; i++)
            v[i].delay_notified =
                v[i].delay_notified || policy_report(r->conf, item, &v[i], clock_seconds()) == k;
    }
    return worst;
}
