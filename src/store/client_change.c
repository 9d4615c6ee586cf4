/* Changing: one function a request. Each writes the request, calls, and reads the answer. */
#include "store/client.h"

#include "base/check.h"
#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* The thread's key: the Message-ID of its root, or of the message itself. */
static uint64_t thread_of(const struct summary *s)
{
    struct span root = s->references, first;

    if (!span_split(&root, ' ', &first) || first.n == 0)
        first = s->message_id;
    return first.n ? XXH3_64bits(first.p, first.n) : 0;
}

/* Puts a body where stored can read it. suspends */
static int body_send(struct store_body *b, struct region *region, struct msg_body *ret)
{
    struct store *s = b->store;
    struct span body = store_body_bytes(b);
    bool spooled = b->region.pages > 0;
    uint64_t body_room = spooled ? 0 : body.n;
    int err;

    CHECK(b->finished);
    if (b->size > INT32_MAX / 2)
        return -EMSGSIZE;
    err = client_room(s, body_room + b->block.n, region);
    if (err)
        return err;
    uint64_t at = region_at(&s->ring, region);
    if (spooled) {
        ret->body =
            (struct msg_blob){AREA_SPOOL, region_at(&s->spool, &b->region), (uint32_t)b->size};
    } else {
        if (body.n)
            memcpy(s->ring.p + at, body.p, body.n);
        ret->body = (struct msg_blob){AREA_RING, at, (uint32_t)body.n};
    }
    memcpy(s->ring.p + at + body_room, b->block.p, b->block.n);
    ret->summary = (struct msg_blob){AREA_RING, at + body_room, (uint32_t)b->block.n};
    ret->thread = thread_of(&b->summary);
    ret->message_id = span_head(b->summary.message_id, 1000);
    return 0;
}

/* A spooled body that stored may still read must not be given back to others. */
static void body_sent(struct store_body *b, int status)
{
    if (status != -ETIMEDOUT && status != -EPIPE)
        return;
    b->region.pages = 0; /* lost until this process is started anew: a rare, bounded loss */
}

int store_append_many(struct store *s, struct store_body *const *b, const struct store_append *a,
                      size_t count, struct store_appended *ret)
{
    struct buf payload = BUF(MSG_INDIRECT_MAX), reply = BUF(8192);
    struct region *regions = calloc(count + 1, sizeof(*regions));
    struct msg_append m = {.count = count};
    uint64_t ring = 0, most = (uint64_t)s->ring.pages * s->ring.page_bytes / 4;
    int err = count == 0 || count > STORE_BODIES_MAX ? -E2BIG : 0;

    m.items = calloc(count + 1, sizeof(*m.items));
    CHECK(regions && m.items);
    for (size_t i = 0; i < count && !err; i++) {
        m.grant = a[i].grant;
        m.mailbox = a[i].mailbox;
        if (a[i].mailbox != a[0].mailbox || a[i].keyword_count > STORE_KEYWORDS_MAX)
            err = -EINVAL;
        /* many small ones would fill the ring, and wait for themselves */
        ring += store_body_size(b[i]);
        if (!err && ring > most)
            err = body_to_spool(b[i]);
        if (!err)
            err = body_send(b[i], &regions[i], &m.items[i].body);
        struct msg_item *t = &m.items[i];
        t->flags = a[i].flags;
        t->keywords = (struct span *)(uintptr_t)a[i].keywords;
        t->keyword_count = a[i].keyword_count;
        t->received_seconds = a[i].received_seconds;
        t->received_zone = a[i].received_zone;
        t->prefix = a[i].prefix;
    }
    if (!err) {
        m.replace_mailbox = a[0].replace_mailbox;
        m.replace_uid = a[0].replace_uid;
        wr_append(&payload, &m);
        err = client_call(s, MSG_STORE_APPEND, &payload, &reply);
    }
    for (size_t i = 0; i < count; i++) {
        client_give(s, &regions[i], err);
        body_sent(b[i], err);
    }
    if (!err && !rd_appended(buf_span(&reply), ret, count))
        err = -EIO;
    free(regions);
    free(m.items);
    buf_done(&payload);
    buf_done(&reply);
    return err;
}

int store_append(struct store *s, struct store_body *b, const struct store_append *a,
                 struct store_appended *ret)
{
    return store_append_many(s, &b, a, 1, ret);
}

int store_deliver(struct store *s, struct store_body *b, const struct store_delivery *d,
                  struct store_delivered *ret)
{
    struct buf payload = BUF(MSG_INDIRECT_MAX), reply = BUF(1024);
    struct msg_deliver m = {.d = *d};
    struct region region = {0, 0};
    int err = d->count == 0 || d->count > STORE_RECIPIENTS_MAX ? -E2BIG : 0;

    if (!err)
        err = body_send(b, &region, &m.body);
    if (!err) {
        wr_deliver(&payload, &m);
        err = client_call(s, MSG_STORE_DELIVER, &payload, &reply);
    }
    client_give(s, &region, err);
    body_sent(b, err);
    if (!err && !rd_delivered(buf_span(&reply), ret))
        err = -EIO;
    buf_done(&payload);
    buf_done(&reply);
    return err;
}

/* A set of very many ranges goes in several requests. Returns false at the end. */
static bool next_part(const struct rangeset *all, size_t *at, struct rangeset *ret)
{
    if (*at >= all->n)
        return false;
    size_t n = all->n - *at < STORE_RANGES_MAX ? all->n - *at : STORE_RANGES_MAX;
    *ret = (struct rangeset){all->r + *at, n, n};
    *at += n;
    return true;
}

static void add_all(struct rangeset *to, const struct rangeset *from)
{
    for (size_t i = 0; i < from->n; i++)
        rangeset_add(to, from->r[i].lo, from->r[i].hi);
}

/* Is each of them told, and nothing else? */
static bool tells_of(const struct store_told *told, const struct rangeset *uids)
{
    for (size_t i = 0; i < told->count; i++)
        if (!rangeset_has(uids, told->message[i].uid))
            return false;
    return told->count == 0 || told->count == rangeset_count(uids);
}

int store_flags(struct store *s, const struct store_flags *f, struct rangeset *ret_modified,
                uint64_t *ret_modseq)
{
    struct store_told none;

    return store_flags_told(s, f, 0, ret_modified, ret_modseq, &none);
}

int store_flags_told(struct store *s, const struct store_flags *f, uint64_t known,
                     struct rangeset *ret_modified, uint64_t *ret_modseq,
                     struct store_told *ret_told)
{
    struct msg_flags m = {
        .grant = f->grant,
        .mailbox = f->mailbox,
        .op = f->op,
        .flags = f->flags,
        .keywords = (struct span *)(uintptr_t)f->keywords,
        .keyword_count = f->keyword_count,
        .unchanged_since = f->unchanged_since,
        .known = f->uids->n <= STORE_TOLD_MAX ? known : 0,
    };
    uint64_t modseq = 0;
    size_t at = 0;
    int err = f->keyword_count > STORE_KEYWORDS_MAX ? -E2BIG : 0;

    ret_told->count = 0;

    while (!err && next_part(f->uids, &at, &m.uids)) {
        struct buf payload = BUF(LINK_PAYLOAD_MAX), reply = BUF(LINK_PAYLOAD_MAX);
        struct rangeset modified = RANGESET_EMPTY;
        wr_flags(&payload, &m);
        err = client_call(s, MSG_STORE_FLAGS, &payload, &reply);
        if (!err && (!rd_flagged_told(buf_span(&reply), &modseq, &modified, ret_told) ||
                     !tells_of(ret_told, f->uids)))
            err = -EIO;
        if (!err && ret_modified)
            add_all(ret_modified, &modified);
        rangeset_done(&modified);
        buf_done(&payload);
        buf_done(&reply);
    }
    if (!err && ret_modseq)
        *ret_modseq = modseq;
    return err;
}

int store_expunge(struct store *s, struct span grant, uint64_t mailbox, const struct rangeset *uids,
                  bool only_deleted, struct rangeset *ret_gone)
{
    struct msg_expunge m = {.grant = grant, .mailbox = mailbox, .only_deleted = only_deleted};
    size_t at = 0;
    int err = 0;

    while (!err && next_part(uids, &at, &m.uids)) {
        struct buf payload = BUF(LINK_PAYLOAD_MAX), reply = BUF(LINK_PAYLOAD_MAX);
        struct rangeset gone = RANGESET_EMPTY;
        uint64_t modseq;
        wr_expunge(&payload, &m);
        err = client_call(s, MSG_STORE_EXPUNGE, &payload, &reply);
        if (!err && !rd_flagged(buf_span(&reply), &modseq, &gone))
            err = -EIO;
        if (!err && ret_gone)
            add_all(ret_gone, &gone);
        rangeset_done(&gone);
        buf_done(&payload);
        buf_done(&reply);
    }
    return err;
}

int store_copy(struct store *s, struct span grant, uint64_t from, const struct rangeset *uids,
               uint64_t to, bool move, struct store_copied *ret)
{
    struct msg_copy m = {.grant = grant, .from = from, .to = to, .move = move};
    struct store_copied all = {.from = RANGESET_EMPTY, .to = RANGESET_EMPTY};
    size_t at = 0;
    int err = 0;

    while (!err && next_part(uids, &at, &m.uids)) {
        struct buf payload = BUF(LINK_PAYLOAD_MAX), reply = BUF(LINK_PAYLOAD_MAX);
        struct store_copied c = {.from = RANGESET_EMPTY, .to = RANGESET_EMPTY};
        wr_copy(&payload, &m);
        err = client_call(s, MSG_STORE_COPY, &payload, &reply);
        if (!err && !rd_copied(buf_span(&reply), &c))
            err = -EIO;
        if (!err) {
            all.uidvalidity = c.uidvalidity;
            add_all(&all.from, &c.from);
            add_all(&all.to, &c.to);
        }
        rangeset_done(&c.from);
        rangeset_done(&c.to);
        buf_done(&payload);
        buf_done(&reply);
    }
    if (err || !ret) {
        rangeset_done(&all.from);
        rangeset_done(&all.to);
        return err;
    }
    *ret = all;
    return 0;
}

/* ------------------------------------------------------------------ mailboxes */
static int mailbox_call(struct store *s, enum msg_id id, const struct msg_mailbox *m, uint64_t *ret)
{
    struct buf payload = BUF(LINK_PAYLOAD_MAX), reply = BUF(64);
    int err;

    if (m->name.n > STORE_NAME_MAX || m->name2.n > STORE_NAME_MAX)
        return -EINVAL;
    wr_mailbox(&payload, m);
    err = client_call(s, id, &payload, &reply);
    if (!err && ret) {
        struct rd r = rd_of(buf_span(&reply));
        uint64_t v = rd_u64(&r);
        if (rd_done(&r))
            *ret = v;
        else
            err = -EIO;
    }
    buf_done(&payload);
    buf_done(&reply);
    return err;
}

int store_mailbox_create(struct store *s, struct span grant, uint64_t account, struct span name,
                         uint32_t attributes, uint64_t *ret_id)
{
    struct msg_mailbox m = {
        .grant = grant, .account = account, .name = name, .attributes = attributes};
    uint64_t id;

    return mailbox_call(s, MSG_STORE_MAILBOX_CREATE, &m, ret_id ? ret_id : &id);
}

int store_mailbox_delete(struct store *s, struct span grant, uint64_t mailbox)
{
    struct msg_mailbox m = {.grant = grant, .mailbox = mailbox};
    return mailbox_call(s, MSG_STORE_MAILBOX_DELETE, &m, NULL);
}

int store_mailbox_rename(struct store *s, struct span grant, uint64_t account, struct span from,
                         struct span to)
{
    struct msg_mailbox m = {.grant = grant, .account = account, .name = from, .name2 = to};
    return mailbox_call(s, MSG_STORE_MAILBOX_RENAME, &m, NULL);
}

int store_subscribe(struct store *s, struct span grant, uint64_t folder_account, struct span name,
                    bool on)
{
    struct msg_mailbox m = {.grant = grant, .account = folder_account, .name = name, .on = on};
    return mailbox_call(s, MSG_STORE_SUBSCRIBE, &m, NULL);
}

/* ------------------------------------------------------------------ quotas */
static unsigned full_at(const struct store *s, uint64_t account)
{
    unsigned k = 0;

    while (k < FULL_MAX && s->full[k] != account)
        k++;
    return k;
}

bool store_was_full(const struct store *s, uint64_t account)
{
    return account && full_at(s, account) < FULL_MAX;
}

int store_room(struct store *s, uint64_t account, uint64_t bytes)
{
    struct buf payload BUF_AUTO = BUF(32);
    int err = s->link ? 0 : -EPIPE;

    if (!err) {
        wr_u64(&payload, account);
        wr_u64(&payload, bytes);
        err = link_call(s->link, MSG_STORE_ROOM, buf_span(&payload), NULL, 0, CALL_TIMEOUT_MS, NULL,
                        NULL);
    }
    unsigned at = full_at(s, account); /* others may have asked meanwhile */
    if (err == 0 && at < FULL_MAX)
        s->full[at] = 0;
    if (err == -EDQUOT && at == FULL_MAX)
        s->full[s->full_next++ % FULL_MAX] = account;
    return err;
}

/* ------------------------------------------------------------------ the queue */
int store_queue_lease(struct store *s, struct arena *a, struct queue_item *ret, int64_t *ret_due)
{
    struct buf reply = BUF(LINK_PAYLOAD_MAX);
    int err = s->attached ? link_call(s->link, MSG_STORE_QUEUE_LEASE, SPAN_EMPTY, NULL, 0,
                                      CALL_TIMEOUT_MS, &reply, NULL)
                          : -EPIPE;

    if (err == -EAGAIN) {
        struct rd r = rd_of(buf_span(&reply));
        int64_t due = rd_i64(&r);
        if (ret_due)
            *ret_due = rd_done(&r) ? due : 0;
    } else if (!err && !rd_queue_item(buf_span(&reply), a, ret)) {
        err = -EIO;
    }
    buf_done(&reply);
    return err;
}

int store_queue_body(struct store *s, uint64_t id, int *ret_fd)
{
    struct buf payload = BUF(64);
    int fd = -1, err;

    wr_u64(&payload, id);
    err = s->attached ? link_call(s->link, MSG_STORE_QUEUE_BODY, buf_span(&payload), NULL, 0,
                                  CALL_TIMEOUT_MS, NULL, &fd)
                      : -EPIPE;
    buf_done(&payload);
    if (!err && fd < 0)
        err = -EIO;
    if (!err)
        *ret_fd = fd;
    return err;
}

int store_queue_progress(struct store *s, uint64_t id, const struct queue_result *r, size_t count)
{
    return store_queue_done(s, id, r, count, 0);
}

int store_queue_done(struct store *s, uint64_t id, const struct queue_result *r, size_t count,
                     int64_t next_try_seconds)
{
    struct buf payload = BUF(MSG_INDIRECT_MAX);
    struct msg_queue_done m = {.id = id,
                               .next_try_seconds = next_try_seconds,
                               .results = (struct queue_result *)(uintptr_t)r,
                               .count = count};
    int err;

    wr_queue_done(&payload, &m);
    err = client_call(s, MSG_STORE_QUEUE_DONE, &payload, NULL);
    buf_done(&payload);
    return err;
}
