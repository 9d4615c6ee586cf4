/* Appending, of one message or several, and replacing one; what all planners of messages share. */
#include "store/plan.h"

#include "base/log.h"
#include "store/acl.h"
#include <errno.h>

/* ------------------------------------------------------------------ what planners share */
bool area_span(const struct intent *i, const struct msg_blob *b, struct span *ret)
{
    const struct area *a = &i->areas[b->area];

    if (b->bytes == 0) {
        *ret = SPAN_EMPTY;
        return true;
    }
    if (!a->p || b->at > a->n || b->bytes > a->n - b->at)
        return false;
    *ret = span_of(a->p + b->at, b->bytes);
    return true;
}

static bool quota_over(struct engine *e, uint64_t account, uint64_t more)
{
    const struct account *a = account ? account_get(e, account, false) : NULL;

    return a && a->row.quota_bytes && a->row.used_bytes + more > a->row.quota_bytes;
}

int quota_check(struct engine *e, uint64_t account, uint64_t more)
{
    const struct account *a = account_get(e, account, false);

    return quota_over(e, account, more) || quota_over(e, a ? a->domain : 0, more) ? -EDQUOT : 0;
}

uint64_t system_flags(uint64_t flags)
{
    return flags & (STORE_SEEN | STORE_ANSWERED | STORE_FLAGGED | STORE_DELETED | STORE_DRAFT);
}

int uid_room(const struct mbox *m, uint64_t count)
{
    return m->row.uidnext + count > STORE_NUMBER_MAX ? -EOVERFLOW : 0;
}

/* An effect failed: what was applied cannot be taken back one by one. */
int plan_broken(struct engine *e, int err)
{
    if (engine_no_room(err)) {
        e->no_room = true; /* whoever runs the batch takes it back */
        return err;
    }
    return engine_fail(e, err, "cannot apply a change to the index");
}

uint64_t flags_allowed(uint32_t rights)
{
    return (rights & ACL_SEEN ? STORE_SEEN : 0) | (rights & ACL_TRASH ? STORE_DELETED : 0) |
           (rights & ACL_WRITE ? ~(uint64_t)(STORE_SEEN | STORE_DELETED) : 0);
}

bool is_public(const struct mbox *m)
{
    return m->row.account == STORE_ACCOUNT_PUBLIC;
}

int read_one(struct engine *e, const struct mbox *m, uint64_t account, uint32_t uid)
{
    struct effect_read r = {.mailbox = m->id,
                            .account = account,
                            .modseq = m->row.highestmodseq,
                            .seen = true,
                            .uids = &uid,
                            .count = 1};
    return effect_read(e, &r);
}

/* ------------------------------------------------------------------ APPEND */
struct appending {
    struct mbox *m;
    struct grant g;
    uint64_t allowed;      /* flags */
    struct mbox *replaced; /* the mailbox of the message that goes; NULL: none does */
    uint32_t replaced_bytes;
};

/* REPLACE takes a message away. */
static int replace_check(struct engine *e, const struct msg_append *a, struct appending *ret)
{
    struct mbox *m = mbox_get(e, a->replace_mailbox);
    struct key k = key_message(a->replace_mailbox, a->replace_uid);
    struct row_message row;
    int err = m ? mailbox_allows(e, a->grant, m, ACL_TRASH | ACL_EXPUNGE) : -ENOENT;

    if (!err)
        err = index_get_row(&e->index, e->txn, INDEX_MESSAGE, &k, &row, sizeof(row));
    if (err)
        return err;
    ret->replaced = m;
    if (m->row.account == ret->m->row.account)
        ret->replaced_bytes = row.prefix_bytes + row.body_bytes;
    return 0;
}

static int append_check(struct engine *e, struct intent *i, struct msg_append *a,
                        struct appending *ret)
{
    struct mbox *m = mbox_get(e, a->mailbox);
    struct lacking l;
    uint64_t bytes = 0;
    uint32_t rights;
    int err;

    if (!m)
        return -ENOENT;
    err = mailbox_rights(e, a->grant, m, &ret->g, &rights);
    if (err || !(rights & ACL_INSERT))
        return err ? err : -EACCES;
    if (m->row.attributes & MAILBOX_NOSELECT)
        return -ENOENT;
    ret->m = m;
    ret->allowed = flags_allowed(rights);
    l = lacking_of(e, m);
    for (size_t k = 0; k < a->count; k++) {
        struct msg_item *t = &a->items[k];
        err = body_check(e, i, &t->body);
        if (err)
            return err;
        if ((m->row.attributes & MAILBOX_NEWSGROUP) && t->body.message_id.n &&
            article_known(e, t->body.message_id, m->id))
            return -EEXIST;
        if (!(rights & ACL_WRITE)) /* flags that one may not set are left out (RFC 4314 4) */
            t->keyword_count = 0;
        lacking_add(&l, t->keywords, t->keyword_count);
        if (l.full)
            return -E2BIG;
        bytes += (uint64_t)t->body.body.bytes + t->prefix.n;
    }
    if (a->replace_mailbox) {
        err = replace_check(e, a, ret);
        if (err)
            return err;
    }
    if (bytes > ret->replaced_bytes)
        err = quota_check(e, m->row.account, bytes - ret->replaced_bytes);
    return err ? err : uid_room(m, a->count);
}

int body_check(struct engine *e, const struct intent *i, struct msg_body *b)
{
    struct span bytes, block;

    if (!area_span(i, &b->body, &bytes) || !area_span(i, &b->summary, &block))
        return -EINVAL;
    if (block.n == 0) /* readers make it */
        return 0;
    if (block.n > message_limits_default.summary_bytes)
        return -EBADMSG;
    b->block = arena_span(e->arena, block);
    if (!b->block.p)
        return -ENOMEM;
    if (summary_vet(b->block, b->body.bytes))
        return 0;
    log_error("store: refused a message of %s: the block beside it was not made by summary_make; "
              "the worker is broken or in wrong hands",
              role_name(i->role));
    return -EBADMSG;
}

int body_put(struct engine *e, const struct intent *i, const struct msg_body *b,
             uint32_t references, struct row_message *row)
{
    struct effect_body body = {.references = references};
    struct span bytes;

    if (!area_span(i, &b->body, &bytes))
        return -EINVAL;
    body.body = journal_blob(&e->journal, BLOB_BODY, bytes);
    if (b->block.n)
        body.summary = journal_blob(&e->journal, BLOB_SUMMARY, b->block);
    row->body = body_id(body.body);
    row->thread = b->thread;
    row->body_file = body.body.file;
    row->body_at = body.body.at;
    row->body_bytes = body.body.bytes;
    row->summary_file = body.summary.file;
    row->summary_at = body.summary.at;
    row->summary_bytes = body.summary.bytes;
    row->marks = references > 1 ? ROW_SHARED : 0;
    return effect_body(e, &body);
}

void prefix_set(struct row_message *row, struct place p)
{
    row->prefix_file = p.bytes ? p.file : 0;
    row->prefix_at = p.bytes ? p.at : 0;
    row->prefix_bytes = p.bytes;
}

static int append_one(struct engine *e, struct intent *i, const struct appending *to,
                      const struct msg_item *t, struct store_appended *ret)
{
    struct row_message row = {
        .received = t->received_seconds, .zone = t->received_zone, .saved = e->now};
    struct mbox *m = to->m;
    uint64_t bits = 0;
    int err = keyword_bits(e, m, t->keywords, t->keyword_count, true, &bits);

    if (err)
        return err;
    err = body_put(e, i, &t->body, 1, &row);
    if (err)
        return err;
    if (t->prefix.n)
        prefix_set(&row, journal_blob(&e->journal, BLOB_PREFIX, t->prefix));
    row.flags = (system_flags(t->flags) | bits) & to->allowed;
    bool read = is_public(m) && row.flags & STORE_SEEN;
    if (read)
        row.flags &= ~(uint64_t)STORE_SEEN;
    row.modseq = row.born = m->row.highestmodseq + 1;
    *ret = (struct store_appended){m->row.uidvalidity, m->row.uidnext, row.modseq};
    err = effect_add(e, m->id, m->row.uidnext, &row);
    if (!err && read)
        err = read_one(e, m, to->g.account, ret->uid);
    if (err || !(m->row.attributes & MAILBOX_NEWSGROUP) || t->body.message_id.n == 0)
        return err;
    struct effect_history h = {t->body.message_id, e->now, m->id, ret->uid};
    return effect_history(e, &h);
}

int plan_append(struct engine *e, struct intent *i)
{
    struct store_appended done[STORE_BODIES_MAX];
    struct appending to = {.m = NULL};
    struct msg_append a;
    int err;

    if (!rd_append(i->payload, e->arena, &a))
        return -EINVAL;
    err = append_check(e, i, &a, &to);
    if (err)
        return err;
    record_begin(e);
    effect_guard(e, to.m->id, to.m->row.highestmodseq);
    if (to.replaced && to.replaced != to.m)
        effect_guard(e, to.replaced->id, to.replaced->row.highestmodseq);
    for (size_t k = 0; k < a.count; k++) {
        err = append_one(e, i, &to, &a.items[k], &done[k]);
        if (err)
            return plan_broken(e, err);
    }
    if (to.replaced) {
        err = effect_expunge(e, to.replaced->id, to.replaced->row.highestmodseq + 1, false,
                             &a.replace_uid, 1);
        if (err)
            return plan_broken(e, err);
    }
    wr_appended(i->answer, done, a.count);
    return record_end(e, i, 0);
}
