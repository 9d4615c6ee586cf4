/* report.c: telling the sender: failures, delays, deliveries that were asked to be confirmed (RFC
 * 3461 section 5, RFC 3464). */
#include "proc/relayd/relayd.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "message/build.h"
#include "message/header.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ORIGINAL_MAX = 1 << 20, REPORT_MAX = 4 << 20, SECONDS_AN_HOUR = 3600 };

enum kind { KIND_NONE, KIND_FAILED, KIND_DELAYED, KIND_RELAYED };

static const struct {
    const char *action, *subject, *explanation;
} kinds[] = {
    [KIND_FAILED] = {"failed",  "Undeliverable mail",
                     "Your message could not be delivered to the recipients below, and it will not "
                     "be tried again."                             },
    [KIND_DELAYED] = {"delayed", "Delayed mail",
                     "Your message has not been delivered to the recipients below yet. You need "
                      "not send it again: it is still being tried."},
    [KIND_RELAYED] = {"relayed", "Mail passed on",
                     "Your message was passed on to a server that does not confirm deliveries. "
                      "You will hear no more unless it fails."     },
};

static enum kind kind_of(const struct relay *r, const struct queue_item *item,
                         const struct relay_verdict *v)
{
    uint8_t notify = v->recipient->notify;
    int64_t waited = clock_seconds() - item->queued_seconds;

    if (notify & NOTIFY_NEVER)
        return KIND_NONE;
    if (v->expired || v->result->outcome == QUEUE_FAILED)
        return !notify || notify & NOTIFY_FAILURE ? KIND_FAILED : KIND_NONE;
    if (v->result->outcome == QUEUE_DELIVERED)
        return notify & NOTIFY_SUCCESS && !v->result->dsn ? KIND_RELAYED : KIND_NONE;
    if (v->delay_notified || waited < (int64_t)r->child->conf->delay_notice_hours * SECONDS_AN_HOUR)
        return KIND_NONE;
    return !notify || notify & NOTIFY_DELAY ? KIND_DELAYED : KIND_NONE;
}

/* "550 5.1.1 text": the enhanced status, or what the code alone says. Copied into the arena. */
static struct span status_of(struct arena *a, const struct relay_verdict *v, enum kind k)
{
    struct span text = span_cstr(v->result->text), code, status;
    char first = k == KIND_FAILED ? '5' : k == KIND_DELAYED ? '4' : '2';

    if (parse_word(&text, 3, &code) && parse_word(&text, 11, &status) && status.n >= 5 &&
        status.p[1] == '.' && ascii_is_digit(status.p[0]) && ascii_is_digit(status.p[2])) {
        char *own = arena_dup(a, status);
        own[0] = first;
        return span_cstr(v->expired ? "5.4.7" : own);
    }
    return span_cstr(v->expired     ? "5.4.7"
                     : first == '5' ? "5.0.0"
                     : first == '4' ? "4.0.0"
                                    : "2.0.0");
}

/* The message, or its header where it is large or the sender asked for no more. */
static bool read_original(const struct queue_item *item, int fd, struct buf *out,
                          bool *ret_headers_only)
{
    size_t want = item->size < ORIGINAL_MAX ? item->size : ORIGINAL_MAX;
    char *room = buf_reserve(out, want);
    ssize_t n = room ? pread(fd, room, want, 0) : -1;
    if (n < 0)
        return false;
    buf_commit(out, (size_t)n);
    *ret_headers_only = item->ret_headers || item->size > ORIGINAL_MAX;
    if (*ret_headers_only)
        buf_truncate(out, header_block_bytes(buf_span(out)));
    return true;
}

/* Where reports for an address of ours go, or remote. At most one recipient is needed: an alias'
 * first. suspends */
static int report_recipient(struct relay *r, struct span to, struct arena *a,
                            struct store_recipient *ret)
{
    struct auth_target *targets = NULL;
    size_t count = 0;
    struct store_recipient one = {.kind = RECIPIENT_REMOTE, .address = to, .notify = NOTIFY_NEVER};

    switch (auth_resolve(r->auth, to, &targets, &count)) {
    case RESOLVED:
        for (size_t i = 0; i < count; i++) {
            if (targets[i].kind == TARGET_FOLDER)
                continue;
            one.kind = targets[i].kind == TARGET_ACCOUNT ? RECIPIENT_INBOX : RECIPIENT_REMOTE;
            one.id = targets[i].id;
            one.address = arena_span(a, span_cstr(targets[i].address));
            break;
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
    return 0;
}

/* Into the store, from <>: a report is never answered with a report. suspends */
static int store_report(struct relay *r, struct span text, const struct store_recipient *to)
{
    struct store_body *b = NULL;
    struct store_delivered done;
    struct store_delivery d = {.recipients = to,
                               .count = 1,
                               .received_seconds = clock_seconds(),
                               .prefix = SPAN("Return-Path: <>\r\n")};

    if (to->kind == RECIPIENT_REMOTE)
        d.prefix = SPAN_EMPTY;
    int err = store_body_begin(r->store, text.n, REPORT_MAX, &b);
    if (err == 0)
        err = store_body_write(b, text);
    if (err == 0)
        err = store_body_finish(b);
    if (err == 0)
        err = store_deliver(r->store, b, &d, &done);
    store_body_free(b);
    return err;
}

static size_t fill_recipients(struct relay *r, const struct queue_item *item, struct arena *a,
                              const struct relay_verdict *v, size_t count, enum kind k,
                              struct build_report_recipient *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (kind_of(r, item, &v[i]) != k)
            continue;
        rows[n++] = (struct build_report_recipient){
            .original = v[i].recipient->orcpt,
            .final = v[i].recipient->address,
            .action = span_cstr(kinds[k].action),
            .status = status_of(a, &v[i], k),
            .diagnostic = span_cstr(v[i].result->text),
        };
    }
    return n;
}

static int report_kind(struct relay *r, const struct queue_item *item, int body_fd,
                       const struct relay_verdict *v, size_t count, enum kind k)
{
    const struct conf *c = r->child->conf;
    struct arena *a = arena_new(4 << 20);
    struct buf original BUF_AUTO = BUF(ORIGINAL_MAX), text BUF_AUTO = BUF(REPORT_MAX),
                        from BUF_AUTO = BUF(400);
    struct build_report_recipient *rows = arena_alloc(a, count * sizeof(*rows));
    struct store_recipient to;
    /* a report that failed itself goes to the postmaster, once */
    struct span sender = item->sender.n ? item->sender : span_cstr(c->postmaster);
    size_t n = fill_recipients(r, item, a, v, count, k, rows);
    int err = 0;

    if (n == 0 || (!item->sender.n &&
                   (k != KIND_FAILED || span_eq_nocase(rows[0].final, span_cstr(c->postmaster)))))
        goto out;
    buf_printf(&from, "Mail Delivery System <%s>", c->postmaster);
    struct build_report report = {
        .reporting_mta = span_cstr(c->hostname),
        .from = buf_span(&from),
        .to = sender,
        .envelope_id = item->envid,
        .subject = span_cstr(kinds[k].subject),
        .explanation = span_cstr(kinds[k].explanation),
        .when = {.seconds = clock_seconds()},
        .arrival = {.seconds = item->queued_seconds},
        .recipients = rows,
        .recipient_count = n,
    };
    if (!read_original(item, body_fd, &original, &report.headers_only)) {
        err = -EIO;
        goto out;
    }
    report.original = buf_span(&original);
    if (!build_report(&text, &report)) {
        err = -E2BIG;
        goto out;
    }
    err = report_recipient(r, sender, a, &to);
    if (err == 0)
        err = store_report(r, buf_span(&text), &to);
    if (err == -ENOENT) { /* nobody is there to be told */
        log_warn("queue %" PRIu64 ": nobody at <%s> to report to", item->id, log_quote(sender));
        err = 0;
    }
out:
    arena_free(a);
    return err;
}

int relay_report(struct relay *r, const struct queue_item *item, int body_fd,
                 struct relay_verdict *v, size_t count)
{
    int worst = 0;
    for (enum kind k = KIND_FAILED; k <= KIND_RELAYED; k++) {
        int err = report_kind(r, item, body_fd, v, count, k);
        if (err < 0) {
            log_error("queue %" PRIu64 ": the report could not be stored: %s", item->id,
                      strerror(-err));
            worst = err;
        }
    }
    for (size_t i = 0; worst == 0 && i < count; i++)
        if (kind_of(r, item, &v[i]) == KIND_DELAYED)
            v[i].delay_notified = true;
    return worst;
}
