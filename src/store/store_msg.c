#include "store/store_msg.h"

#include "store/annex.h"

#include <string.h>

void wr_rangeset(struct buf *b, const struct rangeset *s)
{
    uint32_t before = 0;

    wr_varint(b, s->n);
    for (size_t i = 0; i < s->n; i++) {
        wr_varint(b, s->r[i].lo - before);
        wr_varint(b, s->r[i].hi - s->r[i].lo);
        before = s->r[i].hi;
    }
}

void rd_rangeset(struct rd *r, struct rangeset *ret)
{
    uint64_t n = rd_varint(r), before = 0;

    if (n > STORE_RANGES_MAX)
        rd_fail(r);
    for (uint64_t i = 0; i < n && !r->bad; i++) {
        uint64_t skip = rd_varint(r), more = rd_varint(r);
        if (r->bad || skip == 0 || skip > UINT32_MAX || more > UINT32_MAX ||
            before + skip + more > UINT32_MAX) {
            rd_fail(r);
            return;
        }
        rangeset_add(ret, (uint32_t)(before + skip), (uint32_t)(before + skip + more));
        before += skip + more;
    }
}

static void wr_head(struct buf *b, const struct msg_head *h)
{
    wr_u64(b, h->counter);
    wr_u64(b, h->floor);
}

static void rd_head(struct rd *r, struct msg_head *h)
{
    h->counter = rd_u64(r);
    h->floor = rd_u64(r);
    /* 0 is no request; the window bounds what stored must remember. */
    if (h->counter == 0 || h->floor > h->counter || h->counter - h->floor >= STORE_WINDOW)
        rd_fail(r);
}

static void wr_keywords(struct buf *b, const struct span *k, size_t count)
{
    wr_u8(b, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        wr_span(b, k[i]);
}

/* atom, RFC 9051 section 9. A name is sent to everybody who has the mailbox open, as it stands. */
static bool keyword_valid(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 127 || strchr("(){%*\"\\]", s.p[i]))
            return false;
    return s.n > 0;
}

static void rd_keywords(struct rd *r, struct arena *a, struct span **ret, size_t *ret_count)
{
    size_t n = rd_u8(r);

    *ret = NULL;
    *ret_count = 0;
    if (n > STORE_KEYWORDS_MAX)
        rd_fail(r);
    if (r->bad || n == 0)
        return;
    *ret = ARENA_ARRAY(a, struct span, n);
    if (!*ret) {
        rd_fail(r);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        (*ret)[i] = rd_span(r, STORE_KEYWORD_BYTES_MAX);
        if (!keyword_valid((*ret)[i]))
            rd_fail(r);
    }
    *ret_count = n;
}

static void wr_blob(struct buf *b, const struct msg_blob *m)
{
    wr_u8(b, m->area);
    wr_u64(b, m->at);
    wr_u32(b, m->bytes);
}

static void rd_blob(struct rd *r, struct msg_blob *m)
{
    m->area = rd_u8(r);
    m->at = rd_u64(r);
    m->bytes = rd_u32(r);
    if (m->area >= STORE_AREAS)
        rd_fail(r);
}

void wr_indirect(struct buf *b, const struct msg_blob *at)
{
    struct msg_head h = {1, MSG_INDIRECT};

    wr_head(b, &h);
    wr_blob(b, at);
}

bool rd_indirect(struct span s, struct msg_blob *ret)
{
    struct rd r = rd_of(s);

    rd_u64(&r);
    if (rd_u64(&r) != MSG_INDIRECT)
        return false;
    rd_blob(&r, ret);
    return rd_done(&r) && ret->bytes <= MSG_INDIRECT_MAX;
}

static void wr_body(struct buf *b, const struct msg_body *m)
{
    wr_blob(b, &m->body);
    wr_blob(b, &m->summary);
    wr_u64(b, m->thread);
    wr_span(b, m->message_id);
}

static void rd_body(struct rd *r, struct msg_body *m)
{
    rd_blob(r, &m->body);
    rd_blob(r, &m->summary);
    m->thread = rd_u64(r);
    m->message_id = rd_span(r, 1000);
    /* UIDs and sizes are 31 bits in the protocols. */
    if (m->body.bytes > INT32_MAX - STORE_PREFIX_MAX * 3)
        rd_fail(r);
}

void wr_attach(struct buf *b, const struct msg_attach *a)
{
    wr_u64(b, a->client);
    wr_u32(b, a->ring_bytes);
    wr_u32(b, a->spool_bytes);
    wr_bool(b, a->reads);
}

bool rd_attach(struct span s, struct msg_attach *ret)
{
    struct rd r = rd_of(s);

    ret->client = rd_u64(&r);
    ret->ring_bytes = rd_u32(&r);
    ret->spool_bytes = rd_u32(&r);
    ret->reads = rd_bool(&r);
    return rd_done(&r) && ret->client != 0;
}

void wr_attached(struct buf *b, const struct msg_attached *a)
{
    wr_raw(b, a->uuid, 16);
    wr_u64(b, a->txn);
    wr_u64(b, a->hash_seed);
}

bool rd_attached(struct span s, struct msg_attached *ret)
{
    struct rd r = rd_of(s);
    struct span uuid = rd_raw(&r, 16);

    ret->txn = rd_u64(&r);
    ret->hash_seed = rd_u64(&r);
    if (!rd_done(&r))
        return false;
    memcpy(ret->uuid, uuid.p, 16);
    return true;
}

void wr_append(struct buf *b, const struct msg_append *a)
{
    wr_head(b, &a->head);
    wr_span(b, a->grant);
    wr_u64(b, a->mailbox);
    wr_u64(b, a->replace_mailbox);
    wr_u32(b, a->replace_uid);
    wr_u16(b, (uint16_t)a->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct msg_item *m = &a->items[i];
        wr_body(b, &m->body);
        wr_u64(b, m->flags);
        wr_keywords(b, m->keywords, m->keyword_count);
        wr_i64(b, m->received_seconds);
        wr_u16(b, (uint16_t)m->received_zone);
        wr_span(b, m->prefix);
    }
}

bool rd_append(struct span s, struct arena *a, struct msg_append *ret)
{
    struct rd r = rd_of(s);

    rd_head(&r, &ret->head);
    ret->grant = rd_span(&r, STORE_GRANT_MAX);
    ret->mailbox = rd_u64(&r);
    ret->replace_mailbox = rd_u64(&r);
    ret->replace_uid = rd_u32(&r);
    ret->count = rd_u16(&r);
    if (r.bad || ret->count == 0 || ret->count > STORE_BODIES_MAX)
        return false;
    ret->items = ARENA_ARRAY(a, struct msg_item, ret->count);
    if (!ret->items)
        return false;
    for (size_t i = 0; i < ret->count; i++) {
        struct msg_item *m = &ret->items[i];
        rd_body(&r, &m->body);
        m->flags = rd_u64(&r);
        rd_keywords(&r, a, &m->keywords, &m->keyword_count);
        m->received_seconds = rd_i64(&r);
        m->received_zone = (int16_t)rd_u16(&r);
        m->prefix = rd_span(&r, STORE_PREFIX_MAX);
    }
    return rd_done(&r);
}

uint64_t bodies_bytes(enum msg_id id, struct span s)
{
    struct rd r = rd_of(s);
    struct msg_head head;
    struct msg_body body = {0};
    bool one = true;

    rd_head(&r, &head);
    if (id == MSG_STORE_APPEND) {
        rd_span(&r, STORE_GRANT_MAX);
        rd_u64(&r);
        one = rd_u64(&r) == 0; /* replaces nothing */
        rd_u32(&r);
        one = rd_u16(&r) == 1 && one;
    } else {
        one = id == MSG_STORE_DELIVER;
    }
    rd_body(&r, &body);
    return one && !r.bad ? body.body.bytes : UINT64_MAX;
}

/* A path, an envelope id or the like. It becomes part of a command of relayd, of reports and of
 * logs: a line end in it would be a command of its own. */
static struct span rd_path(struct rd *r, size_t max)
{
    struct span s = rd_span(r, max);

    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            rd_fail(r);
    return s;
}

enum { D_HEADERS = 1, D_8BIT = 2, D_UTF8 = 4, D_TLS = 8, D_NEWS = 16, D_FULL = 32, D_ALL = 63 };

void wr_deliver(struct buf *b, const struct msg_deliver *m)
{
    const struct store_delivery *d = &m->d;

    wr_head(b, &m->head);
    wr_body(b, &m->body);
    wr_span(b, d->grant);
    wr_span(b, d->sender);
    wr_span(b, d->envid);
    wr_u8(b, (uint8_t)((d->ret_headers ? D_HEADERS : 0) | (d->body_8bit ? D_8BIT : 0) |
                       (d->smtputf8 ? D_UTF8 : 0) | (d->require_tls ? D_TLS : 0) |
                       (d->news ? D_NEWS : 0) | (d->ret_full ? D_FULL : 0)));
    wr_span(b, d->prefix);
    wr_i64(b, d->received_seconds);
    wr_span(b, d->message_id);
    wr_u16(b, (uint16_t)d->count);
    for (size_t i = 0; i < d->count; i++) {
        const struct store_recipient *t = &d->recipients[i];
        wr_u8(b, (uint8_t)t->kind);
        wr_u64(b, t->id);
        wr_span(b, t->address);
        wr_span(b, t->orcpt);
        wr_u8(b, t->notify);
        wr_span(b, t->prefix);
        wr_span(b, t->grant);
    }
}

bool rd_deliver(struct span s, struct arena *a, struct msg_deliver *ret)
{
    struct rd r = rd_of(s);
    struct store_delivery *d = &ret->d;
    unsigned bits;

    rd_head(&r, &ret->head);
    rd_body(&r, &ret->body);
    d->grant = rd_span(&r, STORE_GRANT_MAX);
    d->sender = rd_path(&r, STORE_ADDRESS_MAX);
    d->envid = rd_path(&r, STORE_ADDRESS_MAX);
    bits = rd_u8(&r);
    d->ret_headers = bits & D_HEADERS;
    d->ret_full = bits & D_FULL;
    d->body_8bit = bits & D_8BIT;
    d->smtputf8 = bits & D_UTF8;
    d->require_tls = bits & D_TLS;
    d->news = bits & D_NEWS;
    d->prefix = rd_span(&r, STORE_PREFIX_MAX);
    d->received_seconds = rd_i64(&r);
    d->message_id = rd_path(&r, 1000);
    d->count = rd_u16(&r);
    if (r.bad || bits > D_ALL || d->count == 0 || d->count > STORE_RECIPIENTS_MAX)
        return false;
    ret->recipients = ARENA_ARRAY(a, struct store_recipient, d->count);
    if (!ret->recipients)
        return false;
    d->recipients = ret->recipients;
    for (size_t i = 0; i < d->count; i++) {
        struct store_recipient *t = &ret->recipients[i];
        uint8_t kind = rd_u8(&r);
        if (kind > RECIPIENT_REMOTE)
            rd_fail(&r);
        t->kind = (enum store_recipient_kind)kind;
        t->id = rd_u64(&r);
        t->address = rd_path(&r, STORE_ADDRESS_MAX);
        t->orcpt = rd_path(&r, STORE_ADDRESS_MAX);
        t->notify = rd_u8(&r);
        t->prefix = rd_span(&r, STORE_PREFIX_MAX);
        t->grant = rd_span(&r, STORE_GRANT_MAX);
    }
    return rd_done(&r);
}

void wr_flags(struct buf *b, const struct msg_flags *f)
{
    wr_head(b, &f->head);
    wr_span(b, f->grant);
    wr_u64(b, f->mailbox);
    wr_u8(b, (uint8_t)f->op);
    wr_u64(b, f->flags);
    wr_keywords(b, f->keywords, f->keyword_count);
    wr_u64(b, f->unchanged_since);
    wr_u64(b, f->known);
    wr_rangeset(b, &f->uids);
}

bool rd_flags(struct span s, struct arena *a, struct msg_flags *ret)
{
    struct rd r = rd_of(s);
    uint8_t op;

    ret->uids = RANGESET_EMPTY;
    rd_head(&r, &ret->head);
    ret->grant = rd_span(&r, STORE_GRANT_MAX);
    ret->mailbox = rd_u64(&r);
    op = rd_u8(&r);
    if (op > FLAGS_REMOVE)
        rd_fail(&r);
    ret->op = (enum store_flag_op)op;
    ret->flags = rd_u64(&r);
    rd_keywords(&r, a, &ret->keywords, &ret->keyword_count);
    ret->unchanged_since = rd_u64(&r);
    ret->known = rd_u64(&r);
    rd_rangeset(&r, &ret->uids);
    return rd_done(&r);
}

void wr_expunge(struct buf *b, const struct msg_expunge *x)
{
    wr_head(b, &x->head);
    wr_span(b, x->grant);
    wr_u64(b, x->mailbox);
    wr_bool(b, x->only_deleted);
    wr_rangeset(b, &x->uids);
}

bool rd_expunge(struct span s, struct msg_expunge *ret)
{
    struct rd r = rd_of(s);

    ret->uids = RANGESET_EMPTY;
    rd_head(&r, &ret->head);
    ret->grant = rd_span(&r, STORE_GRANT_MAX);
    ret->mailbox = rd_u64(&r);
    ret->only_deleted = rd_bool(&r);
    rd_rangeset(&r, &ret->uids);
    return rd_done(&r);
}

void wr_copy(struct buf *b, const struct msg_copy *c)
{
    wr_head(b, &c->head);
    wr_span(b, c->grant);
    wr_u64(b, c->from);
    wr_u64(b, c->to);
    wr_bool(b, c->move);
    wr_rangeset(b, &c->uids);
}

bool rd_copy(struct span s, struct msg_copy *ret)
{
    struct rd r = rd_of(s);

    ret->uids = RANGESET_EMPTY;
    rd_head(&r, &ret->head);
    ret->grant = rd_span(&r, STORE_GRANT_MAX);
    ret->from = rd_u64(&r);
    ret->to = rd_u64(&r);
    ret->move = rd_bool(&r);
    rd_rangeset(&r, &ret->uids);
    return rd_done(&r);
}

void wr_mailbox(struct buf *b, const struct msg_mailbox *m)
{
    wr_head(b, &m->head);
    wr_span(b, m->grant);
    wr_u64(b, m->account);
    wr_u64(b, m->mailbox);
    wr_span(b, m->name);
    wr_span(b, m->name2);
    wr_u32(b, m->attributes);
    wr_bool(b, m->on);
}

bool rd_mailbox(struct span s, struct msg_mailbox *ret)
{
    struct rd r = rd_of(s);

    rd_head(&r, &ret->head);
    ret->grant = rd_span(&r, STORE_GRANT_MAX);
    ret->account = rd_u64(&r);
    ret->mailbox = rd_u64(&r);
    ret->name = rd_span(&r, STORE_NAME_MAX);
    ret->name2 = rd_span(&r, STORE_NAME_MAX);
    ret->attributes = rd_u32(&r);
    ret->on = rd_bool(&r);
    return rd_done(&r);
}

void wr_queue_done(struct buf *b, const struct msg_queue_done *d)
{
    wr_head(b, &d->head);
    wr_u64(b, d->id);
    wr_i64(b, d->next_try_seconds);
    wr_u16(b, (uint16_t)d->count);
    for (size_t i = 0; i < d->count; i++) {
        const struct queue_result *q = &d->results[i];
        wr_u32(b, q->index);
        wr_u8(b, (uint8_t)q->outcome);
        wr_span(b, span_head(q->text, STORE_TEXT_MAX));
        wr_bool(b, q->delay_notified);
    }
}

bool rd_queue_done(struct span s, struct arena *a, struct msg_queue_done *ret)
{
    struct rd r = rd_of(s);

    rd_head(&r, &ret->head);
    ret->id = rd_u64(&r);
    ret->next_try_seconds = rd_i64(&r);
    ret->count = rd_u16(&r);
    if (r.bad || ret->count > STORE_RECIPIENTS_MAX)
        return false;
    ret->results = ARENA_ARRAY(a, struct queue_result, ret->count + 1);
    if (!ret->results)
        return false;
    for (size_t i = 0; i < ret->count; i++) {
        struct queue_result *q = &ret->results[i];
        q->index = rd_u32(&r);
        uint8_t outcome = rd_u8(&r);
        if (outcome > QUEUE_DEFERRED)
            rd_fail(&r);
        q->outcome = (enum queue_outcome)outcome;
        q->text = rd_span(&r, STORE_TEXT_MAX);
        q->delay_notified = rd_bool(&r);
    }
    return rd_done(&r);
}

void wr_queue_item(struct buf *b, const struct queue_item *q)
{
    wr_u64(b, q->id);
    wr_span(b, q->sender);
    wr_span(b, q->envid);
    wr_u8(b, (uint8_t)((q->ret_headers ? D_HEADERS : 0) | (q->body_8bit ? D_8BIT : 0) |
                       (q->smtputf8 ? D_UTF8 : 0) | (q->require_tls ? D_TLS : 0) |
                       (q->ret_full ? D_FULL : 0)));
    wr_i64(b, q->queued_seconds);
    wr_u32(b, q->tries);
    wr_u32(b, q->size);
    wr_u16(b, (uint16_t)q->count);
    for (size_t i = 0; i < q->count; i++) {
        const struct queue_recipient *t = &q->recipients[i];
        wr_u32(b, t->index);
        wr_span(b, t->address);
        wr_span(b, t->orcpt);
        wr_u8(b, t->notify);
        wr_bool(b, t->delay_notified);
        wr_bool(b, t->delivered);
    }
}

bool rd_queue_item(struct span s, struct arena *a, struct queue_item *ret)
{
    struct queue_item q = {0};
    struct rd r = rd_of(s);
    unsigned bits;

    q.id = rd_u64(&r);
    q.sender = arena_span(a, rd_span(&r, STORE_ADDRESS_MAX));
    q.envid = arena_span(a, rd_span(&r, STORE_ADDRESS_MAX));
    bits = rd_u8(&r);
    q.ret_headers = bits & D_HEADERS;
    q.ret_full = bits & D_FULL;
    q.body_8bit = bits & D_8BIT;
    q.smtputf8 = bits & D_UTF8;
    q.require_tls = bits & D_TLS;
    q.queued_seconds = rd_i64(&r);
    q.tries = rd_u32(&r);
    q.size = rd_u32(&r);
    q.count = rd_u16(&r);
    if (r.bad || q.count > STORE_RECIPIENTS_MAX)
        return false;
    q.recipients = ARENA_ARRAY(a, struct queue_recipient, q.count + 1);
    if (!q.recipients)
        return false;
    for (size_t i = 0; i < q.count; i++) {
        struct queue_recipient *t = &q.recipients[i];
        t->index = rd_u32(&r);
        t->address = arena_span(a, rd_span(&r, STORE_ADDRESS_MAX));
        t->orcpt = arena_span(a, rd_span(&r, STORE_ADDRESS_MAX));
        t->notify = rd_u8(&r);
        t->delay_notified = rd_bool(&r);
        t->delivered = rd_bool(&r);
    }
    if (!rd_done(&r))
        return false;
    *ret = q;
    return true;
}

void wr_account(struct buf *b, const struct msg_account *a)
{
    wr_head(b, &a->head);
    wr_u64(b, a->account);
    wr_u64(b, a->epoch);
    wr_u64(b, a->quota_bytes);
    wr_u8(b, a->state);
    wr_span(b, a->address);
}

bool rd_account(struct span s, struct msg_account *ret)
{
    struct rd r = rd_of(s);

    rd_head(&r, &ret->head);
    ret->account = rd_u64(&r);
    ret->epoch = rd_u64(&r);
    ret->quota_bytes = rd_u64(&r);
    ret->state = rd_u8(&r);
    ret->address = rd_span(&r, STORE_ADDRESS_MAX);
    return rd_done(&r) && ret->state >= ACCOUNT_ENABLED && ret->state <= ACCOUNT_DELETED;
}

void wr_newsgroup(struct buf *b, const struct msg_newsgroup *g)
{
    wr_head(b, &g->head);
    wr_u8(b, g->op);
    wr_span(b, g->name);
    wr_u32(b, g->attributes);
    wr_bool(b, g->describes);
    wr_span(b, g->description);
}

void wr_domain(struct buf *b, const struct msg_domain *d)
{
    wr_head(b, &d->head);
    wr_span(b, d->domain);
    wr_u64(b, d->quota_bytes);
}

bool rd_domain(struct span s, struct msg_domain *ret)
{
    struct rd r = rd_of(s);

    rd_head(&r, &ret->head);
    ret->domain = rd_span(&r, STORE_ADDRESS_MAX);
    ret->quota_bytes = rd_u64(&r);
    return rd_done(&r) && ret->domain.n > 0;
}

void wr_note(struct buf *b, const struct msg_note *n)
{
    wr_head(b, &n->head);
    wr_span(b, n->grant);
    wr_u64(b, n->mailbox);
    wr_u16(b, (uint16_t)n->count);
    for (size_t i = 0; i < n->count; i++) {
        wr_span(b, n->notes[i].entry);
        wr_bool(b, n->notes[i].shared);
        wr_bool(b, n->notes[i].remove);
        wr_span(b, n->notes[i].value);
    }
}

bool rd_note(struct span s, struct arena *a, struct msg_note *ret)
{
    struct rd r = rd_of(s);

    rd_head(&r, &ret->head);
    ret->grant = rd_span(&r, STORE_GRANT_MAX);
    ret->mailbox = rd_u64(&r);
    ret->count = rd_u16(&r);
    if (r.bad || ret->count == 0 || ret->count > STORE_NOTES_MAX)
        return false;
    ret->notes = arena_try_array(a, sizeof(*ret->notes), ret->count);
    if (!ret->notes)
        return false;
    for (size_t i = 0; i < ret->count; i++) {
        struct store_note *n = &ret->notes[i];
        n->entry = rd_span(&r, NOTE_ENTRY_MAX);
        n->shared = rd_bool(&r);
        n->remove = rd_bool(&r);
        n->value = rd_span(&r, NOTE_VALUE_MAX);
        if (n->entry.n < 2 || n->entry.p[0] != '/')
            return false;
    }
    return rd_done(&r);
}

void wr_acl(struct buf *b, const struct msg_acl *m)
{
    wr_head(b, &m->head);
    wr_span(b, m->grant);
    wr_u64(b, m->mailbox);
    wr_span(b, m->identifier);
    wr_u8(b, m->op);
    wr_u32(b, m->rights);
}

bool rd_acl(struct span s, struct msg_acl *ret)
{
    struct rd r = rd_of(s);

    rd_head(&r, &ret->head);
    ret->grant = rd_span(&r, STORE_GRANT_MAX);
    ret->mailbox = rd_u64(&r);
    ret->identifier = rd_span(&r, ACL_IDENTIFIER_MAX);
    ret->op = rd_u8(&r);
    ret->rights = rd_u32(&r);
    return rd_done(&r) && ret->identifier.n > 0 && ret->op >= ACL_SET && ret->op <= ACL_REMOVE &&
           (ret->rights & ~(uint32_t)ACL_ALL) == 0;
}

bool rd_newsgroup(struct span s, struct msg_newsgroup *ret)
{
    struct rd r = rd_of(s);

    rd_head(&r, &ret->head);
    ret->op = rd_u8(&r);
    ret->name = rd_span(&r, STORE_NAME_MAX);
    ret->attributes = rd_u32(&r);
    ret->describes = rd_bool(&r);
    ret->description = rd_span(&r, STORE_DESCRIPTION_MAX);
    return rd_done(&r) && ret->op >= NEWSGROUP_CREATE && ret->op <= NEWSGROUP_LIST;
}

void wr_queue_admin(struct buf *b, const struct msg_queue_admin *q)
{
    wr_head(b, &q->head);
    wr_u8(b, q->op);
    wr_u64(b, q->id);
}

bool rd_queue_admin(struct span s, struct msg_queue_admin *ret)
{
    struct rd r = rd_of(s);

    rd_head(&r, &ret->head);
    ret->op = rd_u8(&r);
    ret->id = rd_u64(&r);
    return rd_done(&r) && ret->op >= QUEUE_LIST && ret->op <= QUEUE_THAW;
}

void wr_appended(struct buf *b, const struct store_appended *a, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wr_u32(b, a[i].uidvalidity);
        wr_u32(b, a[i].uid);
        wr_u64(b, a[i].modseq);
    }
}

bool rd_appended(struct span s, struct store_appended *ret, size_t count)
{
    struct rd r = rd_of(s);

    for (size_t i = 0; i < count; i++)
        ret[i] = (struct store_appended){rd_u32(&r), rd_u32(&r), rd_u64(&r)};
    return rd_done(&r);
}

void wr_delivered(struct buf *b, const struct store_delivered *d)
{
    unsigned n = 64;

    while (n > 0 && d->numbers[n - 1] == 0)
        n--;
    wr_u64(b, d->queue_id);
    wr_cstr(b, d->tracking);
    wr_u8(b, (uint8_t)n);
    for (unsigned i = 0; i < n; i++)
        wr_u32(b, d->numbers[i]);
}

bool rd_delivered(struct span s, struct store_delivered *ret)
{
    struct store_delivered d = {0};
    struct rd r = rd_of(s);

    d.queue_id = rd_u64(&r);
    rd_cstr(&r, d.tracking, sizeof(d.tracking));
    unsigned n = rd_u8(&r);
    if (n > 64)
        return false;
    for (unsigned i = 0; i < n; i++)
        d.numbers[i] = rd_u32(&r);
    if (!rd_done(&r))
        return false;
    *ret = d;
    return true;
}

void wr_flagged(struct buf *b, uint64_t modseq, const struct rangeset *modified)
{
    wr_u64(b, modseq);
    wr_rangeset(b, modified);
}

bool rd_flagged(struct span s, uint64_t *ret_modseq, struct rangeset *ret_modified)
{
    struct rd r = rd_of(s);

    *ret_modseq = rd_u64(&r);
    rd_rangeset(&r, ret_modified);
    return rd_done(&r);
}

void wr_told(struct buf *b, const struct store_told *t)
{
    uint32_t before = 0;

    wr_u8(b, (uint8_t)t->count);
    for (size_t i = 0; i < t->count; i++) {
        wr_varint(b, t->message[i].uid - before);
        wr_varint(b, t->message[i].flags);
        wr_varint(b, t->message[i].modseq);
        before = t->message[i].uid;
    }
}

static void rd_told(struct rd *r, struct store_told *ret)
{
    uint64_t uid = 0;
    size_t count = rd_u8(r);

    if (count == 0 || count > STORE_TOLD_MAX)
        rd_fail(r);
    for (size_t i = 0; i < count && !r->bad; i++) {
        uint64_t step = rd_varint(r);
        if (step == 0 || step > STORE_NUMBER_MAX - uid)
            rd_fail(r);
        uid += step;
        ret->message[i] = (struct told_message){(uint32_t)uid, rd_varint(r), rd_varint(r)};
    }
    ret->count = r->bad ? 0 : count;
}

bool rd_flagged_told(struct span s, uint64_t *ret_modseq, struct rangeset *ret_modified,
                     struct store_told *ret_told)
{
    struct rd r = rd_of(s);

    ret_told->count = 0;
    *ret_modseq = rd_u64(&r);
    rd_rangeset(&r, ret_modified);
    if (r.n > 0)
        rd_told(&r, ret_told);
    if (rd_done(&r))
        return true;
    ret_told->count = 0;
    return false;
}

void wr_copied(struct buf *b, const struct store_copied *c)
{
    wr_u32(b, c->uidvalidity);
    wr_rangeset(b, &c->from);
    wr_rangeset(b, &c->to);
}

bool rd_copied(struct span s, struct store_copied *ret)
{
    struct rd r = rd_of(s);

    ret->uidvalidity = rd_u32(&r);
    rd_rangeset(&r, &ret->from);
    rd_rangeset(&r, &ret->to);
    return rd_done(&r);
}
