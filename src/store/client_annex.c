/* Reading and changing what stands beside mailboxes and messages: annex.h. */
#include "store/annex.h"
#include "store/client.h"
#include "store/marks.h"

#include "base/check.h"
#include <errno.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* ------------------------------------------------------------------ read marks */
void store_read_as(struct store_read *r, uint64_t account)
{
    r->reader = account;
}

uint64_t store_reader_key(uint64_t mailbox, uint64_t account)
{
    uint64_t both[2] = {mailbox, account};

    /* never the number of a mailbox */
    return XXH3_64bits(both, sizeof(both)) | UINT64_C(1) << 63;
}

struct marks_reader client_marks(struct store_read *r, uint64_t mailbox)
{
    struct key k = key_u64(mailbox);
    struct row_mailbox m;

    if (index_get_row(&r->store->index, r->txn, INDEX_MAILBOX, &k, &m, sizeof(m)) != 0 ||
        m.account != STORE_ACCOUNT_PUBLIC)
        return (struct marks_reader){.index = NULL};
    return marks_reader(&r->store->index, r->txn, mailbox, r->reader);
}

void marks_show(struct marks_reader *marks, struct message_info *m)
{
    if (!marks->index)
        return;
    struct mark mark = marks_of(marks, m->uid);
    m->flags &= ~(uint64_t)STORE_SEEN;
    if (mark.seen)
        m->flags |= STORE_SEEN;
    if (mark.modseq > m->modseq)
        m->modseq = mark.modseq;
}

static bool there(struct store_read *r, uint64_t mailbox, uint32_t uid)
{
    struct key k = key_message(mailbox, uid);
    struct span row;

    return index_get(&r->store->index, r->txn, INDEX_MESSAGE, &k, &row) == 0;
}

void client_marks_changed(struct store_read *r, uint64_t mailbox, uint64_t modseq,
                          bool (*fn)(const struct change_info *c, void *arg), void *arg)
{
    struct marks_reader marks = client_marks(r, mailbox);
    struct key k = key_marks(mailbox, r->reader, 0);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    bool go = true;

    if (!marks.index || mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_READ], &c) != 0)
        return;
    int err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (go && err == 0 && key.mv_size == 20 && memcmp(key.mv_data, k.b, 16) == 0) {
        uint32_t first = key_get_u32((const char *)key.mv_data + 16) * MARKS_CHUNK;
        struct span row = span_of(v.mv_data, v.mv_size);
        for (unsigned at = 0; at < MARKS_CHUNK && go; at++) {
            struct mark m = marks_get(row, at);
            struct change_info i = {m.modseq, first + at, false};
            if (m.modseq > modseq && there(r, mailbox, i.uid))
                go = fn(&i, arg);
        }
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
}

int store_marks_each(struct store_read *r, uint64_t mailbox, uint64_t account,
                     bool (*fn)(uint32_t uid, bool seen, void *arg), void *arg)
{
    struct key k = key_marks(mailbox, account, 0);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    bool go = true;

    if (r->store->index.dbi[INDEX_READ] == INDEX_NO_TABLE)
        return 0;
    int err = mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_READ], &c);
    if (err)
        return index_error(err);
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (go && err == 0 && key.mv_size == 20 && memcmp(key.mv_data, k.b, 16) == 0) {
        uint32_t first = key_get_u32((const char *)key.mv_data + 16) * MARKS_CHUNK;
        struct span row = span_of(v.mv_data, v.mv_size);
        for (unsigned at = 0; at < MARKS_CHUNK && go; at++) {
            struct mark m = marks_get(row, at);
            if (m.modseq)
                go = fn(first + at, m.seen, arg);
        }
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return err == 0 || err == MDB_NOTFOUND ? 0 : index_error(err);
}

static bool any_marks(struct store_read *r, uint64_t mailbox)
{
    struct key k = key_marks(mailbox, r->reader, 0);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;

    if (mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_READ], &c) != 0)
        return false;
    bool any = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE) == 0 && key.mv_size == 20 &&
               memcmp(key.mv_data, k.b, 16) == 0;
    mdb_cursor_close(c);
    return any;
}

void store_unseen(struct store_read *r, const struct mailbox_info *m, uint32_t *ret_count,
                  uint32_t *ret_first)
{
    struct marks_reader marks =
        r->reader ? client_marks(r, m->id) : (struct marks_reader){.index = NULL};
    struct key k = key_message(m->id, 0);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    uint32_t count = 0, first = 0;

    *ret_count = m->unseen;
    *ret_first = m->first_unseen;
    if (!marks.index || mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_MESSAGE], &c) != 0)
        return;
    /* who never read anything there has not seen any of them */
    bool any = any_marks(r, m->id);
    int err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && key.mv_size == 12 && memcmp(key.mv_data, k.b, 8) == 0) {
        uint32_t uid = key_get_u32((const char *)key.mv_data + 8);
        if (!any || !marks_of(&marks, uid).seen) {
            count++;
            if (!first)
                first = uid;
        }
        if (!any) {
            count = m->messages;
            break;
        }
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    *ret_count = count;
    *ret_first = first;
}

/* ------------------------------------------------------------------ annotations */
struct key key_note(uint64_t mailbox, uint64_t account, struct span entry)
{
    struct key k = key_u64(mailbox);

    key_add_u64(&k, account);
    key_add_name(&k, entry);
    return k;
}

int store_note_get(struct store_read *r, uint64_t mailbox, uint64_t account, struct span entry,
                   struct span *ret)
{
    struct key k = key_note(mailbox, account, entry);

    return entry.n > NOTE_ENTRY_MAX ? -ENOENT
                                    : index_get(&r->store->index, r->txn, INDEX_NOTE, &k, ret);
}

int store_note_each(struct store_read *r, uint64_t mailbox, uint64_t account, struct span prefix,
                    bool (*fn)(struct span entry, struct span value, void *arg), void *arg)
{
    struct key k = key_note(mailbox, account, span_head(prefix, NOTE_ENTRY_MAX));
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;

    if (r->store->index.dbi[INDEX_NOTE] == INDEX_NO_TABLE)
        return 0;
    int err = mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_NOTE], &c);
    if (err)
        return index_error(err);
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && key.mv_size > 16 && key.mv_size >= k.n &&
           memcmp(key.mv_data, k.b, k.n) == 0) {
        if (!fn(span_of((const char *)key.mv_data + 16, key.mv_size - 16),
                span_of(v.mv_data, v.mv_size), arg))
            break;
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return err == 0 || err == MDB_NOTFOUND ? 0 : index_error(err);
}

int store_note_set(struct store *s, struct span grant, uint64_t mailbox, const struct store_note *n,
                   size_t count)
{
    struct msg_note m = {.grant = grant,
                         .mailbox = mailbox,
                         .notes = (struct store_note *)(uintptr_t)n,
                         .count = count};
    struct buf payload = BUF(MSG_INDIRECT_MAX);
    int err = count > STORE_NOTES_MAX ? -E2BIG : 0;

    if (!err) {
        wr_note(&payload, &m);
        err = payload.overflow ? -E2BIG : client_call(s, MSG_STORE_NOTE, &payload, NULL);
    }
    buf_done(&payload);
    return err;
}

/* ------------------------------------------------------------------ rights */
int store_acl_each(struct store_read *r, uint64_t mailbox,
                   bool (*fn)(const struct acl_entry *a, void *arg), void *arg)
{
    return acl_each(&r->store->index, r->txn, mailbox, fn, arg);
}

uint32_t store_acl_rights(struct store_read *r, const struct mailbox_info *m, const struct grant *g)
{
    return acl_rights(&r->store->index, r->txn, m->id, m->account, m->attributes, g);
}

int store_acl_set(struct store *s, struct span grant, uint64_t mailbox, struct span identifier,
                  enum store_acl_op op, uint32_t rights)
{
    struct msg_acl m = {.grant = grant,
                        .mailbox = mailbox,
                        .identifier = identifier,
                        .op = (uint8_t)op,
                        .rights = rights};
    struct buf payload = BUF(LINK_PAYLOAD_MAX);
    int err = identifier.n == 0 || identifier.n > ACL_IDENTIFIER_MAX ? -EINVAL : 0;

    if (!err) {
        wr_acl(&payload, &m);
        err = client_call(s, MSG_STORE_ACL, &payload, NULL);
    }
    buf_done(&payload);
    return err;
}

struct shared {
    struct store_read *r;
    const struct grant *g;
    uint32_t rights;
    unsigned at; /* the grantee that is looked through; the former ones have been */
    bool (*fn)(const struct mailbox_info *m, void *arg);
    void *arg;
};

static uint64_t grantee_at(const struct grant *g, unsigned at)
{
    return at == 0 ? ACL_ANYONE : at == 1 ? g->account : g->groups[at - 2];
}

/* A mailbox that another of the grantees has led to already is not shown again. */
static bool shown_before(const struct shared *s, uint64_t mailbox)
{
    struct span row;

    for (unsigned i = 0; i < s->at; i++) {
        struct key k = key_granted(grantee_at(s->g, i), mailbox);
        if (index_get(&s->r->store->index, s->r->txn, INDEX_GRANTED, &k, &row) == 0)
            return true;
    }
    return false;
}

static bool show(const struct shared *s, uint64_t mailbox)
{
    struct mailbox_info m;

    if (shown_before(s, mailbox) || store_mailbox_get(s->r, mailbox, &m) != 0 ||
        m.account == STORE_ACCOUNT_PUBLIC || m.account == s->g->account ||
        !(store_acl_rights(s->r, &m, s->g) & s->rights))
        return true;
    return s->fn(&m, s->arg);
}

int store_shared_each(struct store_read *r, const struct grant *g, uint32_t rights,
                      bool (*fn)(const struct mailbox_info *m, void *arg), void *arg)
{
    struct shared s = {.r = r, .g = g, .rights = rights, .fn = fn, .arg = arg};
    MDB_cursor *c;
    bool go = true;
    int err;

    if (r->store->index.dbi[INDEX_GRANTED] == INDEX_NO_TABLE)
        return 0;
    err = mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_GRANTED], &c);
    if (err)
        return index_error(err);
    for (; go && s.at < 2u + g->group_count; s.at++) {
        struct key k = key_u64(grantee_at(g, s.at));
        MDB_val key = {k.n, k.b}, v;
        err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
        while (go && err == 0 && key.mv_size == 16 && memcmp(key.mv_data, k.b, 8) == 0) {
            go = show(&s, key_get_u64((const char *)key.mv_data + 8));
            err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
        }
    }
    mdb_cursor_close(c);
    return err == 0 || err == MDB_NOTFOUND ? 0 : index_error(err);
}

/* ------------------------------------------------------------------ accounts and domains */
int store_address_get(struct store_read *r, uint64_t account, struct span *ret)
{
    struct key k = key_u64(account);
    struct span row;
    int err = index_get(&r->store->index, r->txn, INDEX_ADDRESS, &k, &row);

    if (err)
        return err;
    if (row.n <= sizeof(struct row_address))
        return -EIO;
    *ret = span_skip(row, sizeof(struct row_address));
    return 0;
}

int store_address_find(struct store_read *r, struct span address, uint64_t *ret_account)
{
    struct key k = {.n = 0};

    if (address.n == 0 || address.n > STORE_ADDRESS_MAX)
        return -ENOENT;
    key_add_name(&k, address);
    return index_get_row(&r->store->index, r->txn, INDEX_NAMED, &k, ret_account,
                         sizeof(*ret_account));
}

int store_domain_quota_get(struct store_read *r, uint64_t account, struct span *ret_domain,
                           uint64_t *ret_used, uint64_t *ret_limit)
{
    struct span address;
    int err = store_address_get(r, account, &address);
    size_t at = err ? SPAN_NONE : span_rfind(address, '@');

    if (err || at == SPAN_NONE)
        return -ENOENT;
    struct span domain = span_skip(address, at + 1);
    err = store_quota_get(r, domain_number(domain), ret_used, ret_limit);
    if (!err)
        *ret_domain = domain;
    return err;
}
