/* delivery.c: a complete message into the store: trace fields, one durable record for all
 * recipients, then the 250. */
#include "smtp/transaction.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "message/build.h"
#include "message/header.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ID_CHARS = 14 };

enum { TARGET_BYTES = 96 }; /* kind, id, lengths, "Return-Path: <>" and the like */

size_t delivery_target_bytes(const struct smtp *t, const struct smtp_recipient *r)
{
    return TARGET_BYTES + t->sender.n + 2 * r->address.n + r->orcpt.n;
}

struct target_list {
    struct store_recipient *v;
    size_t n, cap;
    struct arena *arena;
    struct span header;     /* of the message */
    struct span message_id; /* its own, or the one it gets for the newsgroups */
    bool new_message_id;    /* it had none that is any good */
    bool news;              /* a newsgroup is among the targets */
};

/* RFC 3848 and RFC 6531 section 4.3 */
static const char *with_protocol(const struct session *s)
{
    const struct smtp *t = session_data((struct session *)(uintptr_t)s);
    bool tls = s->tls, login = s->user.account != 0;
    if (t->smtputf8)
        return login ? (tls ? "UTF8SMTPSA" : "UTF8SMTPA") : tls ? "UTF8SMTPS" : "UTF8SMTP";
    if (!t->esmtp)
        return "SMTP";
    return login ? (tls ? "ESMTPSA" : "ESMTPA") : tls ? "ESMTPS" : "ESMTP";
}

static void put_received(struct session *s, const char *id, struct buf *out)
{
    struct smtp *t = session_data(s);
    struct conn_tls_info info = {0};
    char tls[160] = "";

    if (s->tls) {
        conn_tls_info(s->conn, &info);
        snprintf(tls, sizeof(tls), "%s %s", info.version, info.cipher);
    }
    struct build_received r = {
        .helo = span_cstr(t->helo),
        /* RFC 6409 section 8: where a person submitted from is that person's business */
        .peer_address = smtp_is_submission(s) ? SPAN_EMPTY : span_cstr(conn_peer_text(s->conn)),
        .by = span_cstr(s->vserver->names.n ? s->vserver->names.v[0] : s->conf->hostname),
        .with = span_cstr(with_protocol(s)),
        .tls = span_cstr(tls),
        .id = span_cstr(id),
        .for_address = t->recipient_count == 1 ? t->first->address : SPAN_EMPTY,
        .when = {.seconds = clock_seconds()},
    };
    build_received(out, &r);
}

/* RFC 6409 section 8: fields that a submitted message must have and lacks. */
static void put_missing(struct session *s, struct span header, struct span message_id,
                        struct buf *out)
{
    struct smtp *t = session_data(s);
    struct header_field f;

    if (!header_find(header, "Message-ID", &f))
        buf_printf(out, "Message-ID: %.*s\r\n", SPAN_ARG(message_id));
    if (!header_find(header, "Date", &f)) {
        buf_put_cstr(out, "Date: ");
        date_print_rfc5322(out, (struct date){.seconds = clock_seconds()});
        buf_put_cstr(out, "\r\n");
    }
    if (!header_find(header, "From", &f))
        build_field(out, "From", t->sender.n ? t->sender : span_cstr(s->user.address), t->smtputf8);
}

/* One target once, however many aliases and groups lead to it. */
static bool listed(const struct target_list *l, const struct store_recipient *r)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].kind == r->kind && l->v[i].id == r->id &&
            (r->id || span_eq_nocase(l->v[i].address, r->address)))
            return true;
    return false;
}

static bool add_target(struct target_list *l, const struct store_recipient *r)
{
    if (listed(l, r))
        return true;
    if (l->n == STORE_RECIPIENTS_MAX)
        return false;
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 8;
        l->v = realloc(l->v, l->cap * sizeof(*l->v));
        CHECK(l->v);
    }
    l->v[l->n++] = *r;
    return true;
}

/* What only this recipient's copy says: RFC 5321 section 4.4 (Return-Path) and where it was
 * delivered. */
static struct span local_prefix(struct target_list *l, const struct smtp *t, struct span address)
{
    char *text = arena_printf(l->arena, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\n",
                              SPAN_ARG(t->sender), SPAN_ARG(address));
    return span_cstr(text);
}

/* The same for a newsgroup, with what an article must have and mail has not (RFC 5536 section 3.1).
 */
static struct span folder_prefix(struct session *s, struct target_list *l, struct span address,
                                 const char *group)
{
    struct smtp *t = session_data(s);
    struct buf out BUF_AUTO = BUF(STORE_PREFIX_MAX);
    struct header_field f;

    buf_put_span(&out, local_prefix(l, t, address));
    if (!header_find(l->header, "Path", &f))
        buf_printf(&out, "Path: %s!not-for-mail\r\n",
                   s->vserver->names.n ? s->vserver->names.v[0] : s->conf->hostname);
    if (!header_find(l->header, "Newsgroups", &f))
        buf_printf(&out, "Newsgroups: %s\r\n", group);
    if (l->new_message_id && (header_find(l->header, "Message-ID", &f) || !smtp_is_submission(s)))
        buf_printf(&out, "Message-ID: %.*s\r\n", SPAN_ARG(l->message_id));
    if (!header_find(l->header, "Subject", &f))
        buf_put_cstr(&out, "Subject: (no subject)\r\n");
    return arena_span(l->arena, buf_span(&out));
}

/* A newsgroup's mailbox by its name, if it takes this mail. 0, or an error of the store. A worker
 * for strangers sees nothing of the store: there stored finds the group by its name, and looks
 * itself. */
static int folder_id(struct session *s, const struct target_list *l, const char *name,
                     uint64_t *ret)
{
    struct store_read r;
    struct mailbox_info box;
    struct header_field f;

    if (s->worker->role == ROLE_MX) {
        *ret = 0;
        return 0;
    }
    int err = store_read_begin(s->worker->store, &r);
    if (err < 0)
        return err;
    err = store_mailbox_find(&r, STORE_ACCOUNT_PUBLIC, span_cstr(name), &box);
    if (err == 0 &&
        (box.attributes & MAILBOX_NO_POST ||
         (box.attributes & MAILBOX_MODERATED &&
          (!header_find(l->header, "Approved", &f) || !(s->user.rights & GRANT_ADMIN)))))
        err = -EACCES;
    if (err == 0)
        *ret = box.id;
    store_read_end(&r);
    return err;
}

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 128)
            return false;
    return true;
}

/* The target whose delivery speaks for the address: one here, where there is one. */
static size_t first_local(const struct smtp_recipient *r)
{
    for (size_t i = 0; i < r->target_count; i++)
        if (r->targets[i].kind != TARGET_REMOTE)
            return i;
    return 0;
}

static uint8_t without_success(uint8_t notify)
{
    uint8_t rest = notify & (uint8_t)~NOTIFY_SUCCESS;
    return rest || !notify ? rest : NOTIFY_NEVER;
}

static int add_recipient(struct session *s, struct target_list *l, const struct smtp_recipient *r)
{
    struct smtp *t = session_data(s);
    struct store_recipient one = {.address = r->address, .orcpt = r->orcpt, .notify = r->notify};
    struct span inbox_prefix = SPAN_EMPTY;

    if (!r->targets) {
        one.kind = RECIPIENT_REMOTE;
        return add_target(l, &one) ? 0 : -E2BIG;
    }
    /* RFC 3461 section 5.2.7: what the sender hears of is the address he wrote to, and for many
     * behind one address he hears once. */
    if (!one.orcpt.n && is_ascii(r->address))
        one.orcpt = span_cstr(arena_printf(l->arena, "rfc822;%.*s", SPAN_ARG(r->address)));
    size_t told = first_local(r);
    for (size_t i = 0; i < r->target_count; i++) {
        const struct auth_target *target = &r->targets[i];
        struct store_recipient to = one;
        if (i != told)
            to.notify = without_success(to.notify);
        switch (target->kind) {
        case TARGET_ACCOUNT:
            to.kind = RECIPIENT_INBOX;
            to.id = target->id;
            if (!inbox_prefix.p)
                inbox_prefix = local_prefix(l, t, r->address);
            to.prefix = inbox_prefix;
            break;
        case TARGET_FOLDER:
            to.kind = RECIPIENT_FOLDER;
            to.prefix = folder_prefix(s, l, r->address, target->address);
            to.address = span_cstr(target->address);
            l->news = true;
            int err = folder_id(s, l, target->address, &to.id);
            if (err < 0)
                return err;
            break;
        case TARGET_REMOTE:
            to.kind = RECIPIENT_REMOTE;
            to.address = span_cstr(target->address);
            to.grant = span_of(target->grant, target->grant_bytes);
            break;
        }
        if (to.kind != RECIPIENT_REMOTE && !to.prefix.p)
            return -E2BIG; /* no room left for its fields */
        if (!add_target(l, &to))
            return -E2BIG;
    }
    return 0;
}

void transaction_full(struct session *s)
{
    session_puts(s, s->vserver->quota_reply == QUOTA_REPLY_TEMPORARY
                        ? "452 4.2.2 The mailbox is full, try again later\r\n"
                        : "552 5.2.2 The mailbox is full\r\n");
}

/* One answer stands for all recipients. Where there are several, those with room must not lose
 * the message for ever because of one without: the sender comes again, and then RCPT tells them
 * apart (rcpt_has_room). suspends */
static void answer_full(struct session *s)
{
    struct smtp *t = session_data(s);
    uint64_t bytes = store_body_size(t->body);

    if (t->recipient_count == 1 && t->first->target_count == 1) {
        transaction_full(s);
        return;
    }
    for (struct smtp_recipient *r = t->first; r; r = r->next)
        if (r->target_count == 1 && r->targets[0].kind == TARGET_ACCOUNT)
            store_room(s->worker->store, r->targets[0].id, bytes);
    session_puts(s, "452 4.2.2 One of the mailboxes is full, try again later\r\n");
}

static void answer(struct session *s, int err, const char *id, size_t recipients)
{
    struct smtp *t = session_data(s);

    switch (err) {
    case 0:
        t->messages++;
        log_info("%s %s: %s taken: from <%s>, %zu bytes, %u recipients, %zu targets",
                 s->vserver->name, conn_peer_text(s->conn), id, log_quote(t->sender),
                 (size_t)store_body_size(t->body), t->recipient_count, recipients);
        session_printf(s, "250 2.0.0 Ok: taken as %s\r\n", id);
        return;
    case -EDQUOT:
        answer_full(s);
        return;
    case -ENOSPC:
        session_puts(s, "452 4.3.1 No room, try again later\r\n");
        return;
    case -ENOENT:
        session_puts(s, "550 5.1.1 The recipients are no more\r\n");
        return;
    case -EACCES:
        session_puts(s, "550 5.7.1 Not allowed to send there\r\n");
        return;
    case -E2BIG:
        session_puts(s, "452 4.5.3 Too many recipients behind these addresses\r\n");
        return;
    default:
        log_warn("%s %s: a message could not be stored: %s", s->vserver->name,
                 conn_peer_text(s->conn), strerror(-err));
        session_puts(s, "451 4.3.0 The store is not available, try again later\r\n");
    }
}

/* The message's own id, or a new one. */
static struct span message_id_of(struct session *s, bool *ret_new)
{
    struct smtp *t = session_data(s);
    const struct summary *sum = store_body_summary(t->body);
    struct buf id BUF_AUTO = BUF(300);

    *ret_new = !sum || !sum->message_id.n;
    if (!*ret_new)
        return sum->message_id;
    build_message_id(&id, span_cstr(s->conf->hostname));
    return arena_span(t->arena, buf_span(&id));
}

/* One durable record; an article that its newsgroups have seen already goes to the others only. */
static int deliver_all(struct session *s, struct target_list *l, struct store_delivery *d,
                       struct store_delivered *done)
{
    struct smtp *t = session_data(s);
    int err;

    d->recipients = l->v;
    d->count = l->n;
    d->news = l->news;
    if (l->news)
        d->message_id = l->message_id;
    err = store_deliver(s->worker->store, t->body, d, done);
    if (err != -EEXIST || !l->news)
        return err;
    d->count = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].kind != RECIPIENT_FOLDER)
            l->v[d->count++] = l->v[i];
    d->news = false;
    d->message_id = SPAN_EMPTY;
    return d->count ? store_deliver(s->worker->store, t->body, d, done) : 0;
}

/* The body was long on its way: grants to forward must outlast the delivery. suspends */
static int refresh_targets(struct session *s, struct smtp_recipient *r)
{
    enum { FRESH_MS = AUTH_FORWARD_SECONDS / 2 * 1000 };
    struct auth_target *targets = NULL;
    size_t count = 0;
    bool forwards = false;

    for (size_t i = 0; i < r->target_count; i++)
        forwards = forwards || r->targets[i].grant_bytes;
    if (!forwards || clock_mono_ms() - r->resolved_ms < FRESH_MS)
        return 0;
    switch (auth_resolve(s->worker->auth, r->address, &targets, &count)) {
    case RESOLVED:
        free(r->targets);
        r->targets = targets;
        r->target_count = count;
        return 0;
    case RESOLVE_TEMPFAIL:
        return -EAGAIN;
    default:
        return -ENOENT;
    }
}

static bool looping(struct session *s, struct span header)
{
    return header_count(header, "Received") > s->conf->hops;
}

void transaction_deliver(struct session *s)
{
    struct smtp *t = session_data(s);
    struct span raw = store_body_bytes(t->body);
    struct span header = span_head(raw, header_block_bytes(raw));
    struct buf prefix BUF_AUTO = BUF(STORE_PREFIX_MAX), name BUF_AUTO = BUF(64);
    struct target_list list = {.arena = t->arena, .header = header};
    struct store_delivered done;
    int err = 0;

    for (struct smtp_recipient *r = t->first; r && err == 0; r = r->next)
        err = refresh_targets(s, r);
    if (err) {
        answer(s, err, "", 0);
        transaction_reset(s);
        return;
    }
    if (looping(s, header)) {
        session_puts(s, "554 5.4.6 Too many hops: this message goes in circles\r\n");
        transaction_reset(s);
        return;
    }
    random_token(&name, ID_CHARS);
    const char *id = buf_cstr(&name);
    put_received(s, id, &prefix);
    list.message_id = message_id_of(s, &list.new_message_id);
    if (smtp_is_submission(s))
        put_missing(s, header, list.message_id, &prefix);
    for (const struct smtp_recipient *r = t->first; r && err == 0; r = r->next)
        err = add_recipient(s, &list, r);
    if (err == 0) {
        struct store_delivery d = {
            .grant = span_of(s->user.grant, s->user.grant_bytes),
            .sender = t->sender,
            .envid = t->envid,
            .ret_headers = t->ret_headers,
            .ret_full = t->ret_full,
            .body_8bit = t->body_8bit,
            .smtputf8 = t->smtputf8,
            .prefix = buf_span(&prefix),
            .received_seconds = clock_seconds(),
        };
        err = deliver_all(s, &list, &d, &done);
    }
    answer(s, err, id, list.n);
    free(list.v);
    transaction_reset(s);
}
