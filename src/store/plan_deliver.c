/* One message to many recipients: inboxes, public folders and newsgroups, and the outgoing queue,
 * in one record. */
#include "store/plan.h"

#include "base/log.h"
#include "store/acl.h"
#include "store/queue_item.h"
#include <errno.h>
#include <stdio.h>

enum { NUMBERS_MAX = 64 };

bool article_known(struct engine *e, struct span message_id, uint64_t mailbox)
{
    struct key k = key_message_id(e->state.hash_seed, 0, message_id);
    struct row_history head;
    struct span row;

    if (index_get(&e->index, e->txn, INDEX_HISTORY, &k, &row) != 0 || row.n < sizeof(head))
        return false;
    if (mailbox == 0)
        return true;
    memcpy(&head, row.p, sizeof(head));
    for (unsigned i = 0;
         i < head.count && sizeof(head) + (i + 1) * sizeof(struct row_place) <= row.n; i++) {
        struct row_place place;
        memcpy(&place, row.p + sizeof(head) + i * sizeof(place), sizeof(place));
        if (place.mailbox == mailbox)
            return true;
    }
    return false;
}

static bool seen_before(struct engine *e, uint64_t mailbox, struct span message_id)
{
    struct key k = key_message_id(e->state.hash_seed, mailbox, message_id);
    struct span row;

    return message_id.n > 0 && index_get(&e->index, e->txn, INDEX_SEEN, &k, &row) == 0;
}

struct delivery {
    struct msg_deliver m;
    struct mbox **to;                     /* by recipient; NULL: skipped */
    uint64_t bytes[STORE_RECIPIENTS_MAX]; /* each one gets */
    size_t local, remote, done_before;
    size_t reported; /* of the local ones: their sender asked to be told */
};

/* What anyone may there who has not logged in. */
static uint32_t stranger_rights(struct engine *e, const struct mbox *m)
{
    struct grant nobody = {.rights = GRANT_POST};

    return m->row.account == STORE_ACCOUNT_PUBLIC
               ? acl_rights(&e->index, e->txn, m->id, m->row.account, m->row.attributes, &nobody)
               : 0;
}

static int recipient_mailbox(struct engine *e, enum role from, const struct store_recipient *t,
                             struct mbox **ret)
{
    struct mbox *m = NULL;

    if (t->kind == RECIPIENT_INBOX) {
        const struct account *a = account_get(e, t->id, false);
        m = a && a->row.state != ACCOUNT_DELETED ? mbox_get(e, a->row.inbox) : NULL;
    } else {
        /* a worker for strangers cannot look groups up: it knows them by their name */
        m = t->id ? mbox_get(e, t->id) : mbox_find(e, STORE_ACCOUNT_PUBLIC, t->address, true);
        if (m && from == ROLE_MX && !(stranger_rights(e, m) & ACL_POST))
            return -EACCES;
        if (m && (m->row.account != STORE_ACCOUNT_PUBLIC || (m->row.attributes & MAILBOX_NOSELECT)))
            return -EACCES;
    }
    *ret = m;
    return 0;
}

/* A stranger may deliver; only a login makes sealpost send mail out, or relayd its reports, or
 * authd where an alias leads to that very address. */
static int may_relay(struct engine *e, const struct intent *i, const struct store_delivery *d,
                     const struct store_recipient *t)
{
    struct grant g;

    if (i->role == ROLE_RELAYD && d->sender.n == 0)
        return 0;
    if (t->grant.n && e->options.grant_secret &&
        grant_forwards(t->grant, e->options.grant_secret, e->now, t->address))
        return 0;
    int err = grant_check(e, d->grant, &g);
    return err ? err : (g.rights & GRANT_SUBMIT) ? 0 : -EACCES;
}

/* An article has one number in a group, however often the group is named. */
static bool named_before(const struct delivery *d, size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (d->to[i] == d->to[k])
            return true;
    return false;
}

/* RFC 3461 section 5.2.2: delivered into a mailbox, and the sender wants to know. */
static bool is_reported(const struct delivery *d, size_t k)
{
    const struct store_recipient *t = &d->m.d.recipients[k];

    return d->m.d.sender.n && t->kind != RECIPIENT_REMOTE && d->to[k] && t->address.n &&
           t->notify & NOTIFY_SUCCESS;
}

/* Those before this one that are of the same account or domain fill the same quota. */
static int quota_check_all(struct engine *e, const struct delivery *d, size_t k)
{
    const struct account *a = account_get(e, d->to[k]->row.account, false);
    const struct account *domain = a && a->domain ? account_get(e, a->domain, false) : NULL;
    uint64_t of_account = d->bytes[k], of_domain = d->bytes[k];

    if (!a || (a->row.quota_bytes == 0 && !(domain && domain->row.quota_bytes)))
        return 0;
    for (size_t i = 0; i < k; i++) {
        const struct account *other =
            d->to[i] ? account_get(e, d->to[i]->row.account, false) : NULL;
        if (other == a)
            of_account += d->bytes[i];
        if (other && other->domain == a->domain)
            of_domain += d->bytes[i];
    }
    if (a->row.quota_bytes && a->row.used_bytes + of_account > a->row.quota_bytes)
        return -EDQUOT;
    return domain && domain->row.quota_bytes &&
                   domain->row.used_bytes + of_domain > domain->row.quota_bytes
               ? -EDQUOT
               : 0;
}

static int deliver_check(struct engine *e, struct intent *i, struct delivery *d)
{
    const struct store_delivery *s = &d->m.d;
    uint64_t bytes = (uint64_t)d->m.body.body.bytes + s->prefix.n;
    int err = body_check(e, i, &d->m.body);

    if (err)
        return err;
    if (s->news && (s->message_id.n == 0 || article_known(e, s->message_id, 0)))
        return s->message_id.n == 0 ? -EINVAL : -EEXIST;
    for (size_t k = 0; k < s->count; k++) {
        const struct store_recipient *t = &s->recipients[k];
        if (t->kind == RECIPIENT_REMOTE) {
            if (t->address.n == 0)
                return -EINVAL;
            err = may_relay(e, i, s, t);
            if (err)
                return err;
            d->remote++;
            continue;
        }
        err = recipient_mailbox(e, i->role, t, &d->to[k]);
        if (err)
            return err;
        if (!d->to[k])
            continue;
        if (s->news && named_before(d, k)) {
            d->to[k] = NULL;
            continue;
        }
        if (t->kind == RECIPIENT_INBOX && seen_before(e, d->to[k]->id, s->message_id)) {
            d->done_before++;
            d->to[k] = NULL;
            continue;
        }
        d->bytes[k] = bytes + t->prefix.n;
        err = quota_check_all(e, d, k);
        if (!err)
            err = uid_room(d->to[k], s->count);
        if (err) /* there is one answer for all of them: none may be passed over with a 250 */
            return err;
        d->local++;
        d->reported += is_reported(d, k);
    }
    return d->local + d->remote + d->done_before > 0 ? 0 : -ENOENT;
}

static int deliver_local(struct engine *e, const struct delivery *d, struct row_message *row,
                         struct place common, struct store_delivered *ret)
{
    const struct store_delivery *s = &d->m.d;
    size_t folder = 0;
    int err = 0;

    for (size_t k = 0; k < s->count && !err; k++) {
        const struct store_recipient *t = &s->recipients[k];
        struct mbox *m = d->to[k];
        bool is_folder = t->kind == RECIPIENT_FOLDER;
        if (m) {
            struct span pieces[2] = {t->prefix, s->prefix};
            uint32_t uid = m->row.uidnext;
            if (t->prefix.n)
                prefix_set(row, journal_blob_pieces(&e->journal, BLOB_PREFIX, pieces, 2));
            else
                prefix_set(row, common);
            row->modseq = row->born = m->row.highestmodseq + 1;
            err = effect_add(e, m->id, uid, row);
            if (!err && s->news && is_folder) {
                struct effect_history h = {s->message_id, e->now, m->id, uid};
                err = effect_history(e, &h);
            } else if (!err && s->message_id.n && t->kind == RECIPIENT_INBOX) {
                err = effect_seen(e, m->id, s->message_id);
            }
            if (is_folder && folder < NUMBERS_MAX)
                ret->numbers[folder] = uid;
        }
        folder += is_folder;
    }
    return err;
}

static size_t recipient_bytes(const struct store_recipient *t)
{
    return t->address.n + t->orcpt.n + 32;
}

static bool is_queued(const struct delivery *d, size_t k)
{
    return d->m.d.recipients[k].kind == RECIPIENT_REMOTE || is_reported(d, k);
}

/* The outgoing part is cut into items that fit a message to relayd. */
static uint32_t queue_items(const struct delivery *d)
{
    const struct store_delivery *s = &d->m.d;
    size_t bytes = 0;
    uint32_t items = 0;

    for (size_t k = 0; k < s->count; k++) {
        if (!is_queued(d, k))
            continue;
        if (items == 0 || bytes + recipient_bytes(&s->recipients[k]) > STORE_QUEUE_ITEM_BYTES) {
            items++;
            bytes = 0;
        }
        bytes += recipient_bytes(&s->recipients[k]);
    }
    return items;
}

static int queue_put(struct engine *e, struct queue_entry *q, struct store_delivered *ret)
{
    struct buf item = BUF(1 << 20);
    uint64_t id = e->state.next_queue;
    int err;

    wr_queue_entry(&item, q);
    err = item.overflow ? -E2BIG : effect_queue_put(e, id, buf_span(&item));
    buf_done(&item);
    if (!ret->queue_id)
        ret->queue_id = id;
    q->count = 0;
    return err;
}

static int deliver_queue(struct engine *e, const struct delivery *d, const struct row_message *row,
                         struct place common, struct store_delivered *ret)
{
    const struct store_delivery *s = &d->m.d;
    struct queue_entry q = {.sender = s->sender, .envid = s->envid};
    struct row_message with = *row;
    size_t bytes = 0;
    int err = 0;

    q.recipients = arena_try_array(e->arena, sizeof(*q.recipients), d->remote + d->reported);
    if (!q.recipients)
        return -ENOMEM;
    prefix_set(&with, common);
    q.row = (struct row_queue){
        .body = row->body,
        .body_file = row->body_file,
        .body_at = row->body_at,
        .body_bytes = row->body_bytes,
        .summary_file = row->summary_file,
        .summary_at = row->summary_at,
        .summary_bytes = row->summary_bytes,
        .prefix_file = with.prefix_file,
        .prefix_at = with.prefix_at,
        .prefix_bytes = with.prefix_bytes,
        .queued = e->now,
        .next_try = e->now,
        .marks = (uint8_t)row->marks,
        .bits = (uint8_t)((s->ret_headers ? QUEUE_RET_HEADERS : 0) |
                          (s->ret_full ? QUEUE_RET_FULL : 0) | (s->body_8bit ? QUEUE_8BIT : 0) |
                          (s->smtputf8 ? QUEUE_SMTPUTF8 : 0) |
                          (s->require_tls ? QUEUE_REQUIRE_TLS : 0)),
    };
    for (size_t k = 0; k < s->count && !err; k++) {
        const struct store_recipient *t = &s->recipients[k];
        if (!is_queued(d, k))
            continue;
        if (q.count && bytes + recipient_bytes(t) > STORE_QUEUE_ITEM_BYTES) {
            err = queue_put(e, &q, ret);
            bytes = 0;
        }
        q.recipients[q.count] =
            (struct queue_entry_recipient){.index = (uint32_t)q.count,
                                           .address = t->address,
                                           .orcpt = t->orcpt,
                                           .notify = t->notify,
                                           .delivered = t->kind != RECIPIENT_REMOTE};
        q.count++;
        bytes += recipient_bytes(t);
    }
    return err ? err : queue_put(e, &q, ret);
}

int plan_deliver(struct engine *e, struct intent *i)
{
    struct delivery d = {0};
    struct store_delivered done = {0};
    struct row_message row = {0};
    struct place common = {0};
    int err;

    if (!rd_deliver(i->payload, e->arena, &d.m))
        return -EINVAL;
    d.to = arena_try_array(e->arena, sizeof(*d.to), d.m.d.count);
    if (!d.to)
        return -ENOMEM;
    err = deliver_check(e, i, &d);
    if (err)
        return err;
    snprintf(done.tracking, sizeof(done.tracking), "%llx",
             (unsigned long long)e->journal.end.sequence + 1);
    if (d.local + d.remote == 0) { /* all of them have it already */
        wr_delivered(i->answer, &done);
        return 0;
    }
    record_begin(e);
    row.received = d.m.d.received_seconds;
    row.saved = e->now;
    err = body_put(e, i, &d.m.body, (uint32_t)d.local + queue_items(&d), &row);
    if (!err && d.m.d.prefix.n)
        common = journal_blob(&e->journal, BLOB_PREFIX, d.m.d.prefix);
    if (!err)
        err = deliver_local(e, &d, &row, common, &done);
    if (!err && d.remote + d.reported)
        err = deliver_queue(e, &d, &row, common, &done);
    if (err)
        return plan_broken(e, err);
    wr_delivered(i->answer, &done);
    return record_end(e, i, 0);
}
