/* Effects on what stands beside mailboxes and messages: rights, annotations, read marks; addresses
 * of accounts and the quotas of domains. */
#include "store/effect_parts.h"

#include "store/acl.h"
#include "store/annex.h"
#include "store/marks.h"
#include <errno.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* ------------------------------------------------------------------ rights */
static int acl_row_gone(struct engine *e, uint64_t mailbox, struct span identifier)
{
    struct key k = key_acl(mailbox, identifier);
    struct row_acl old;
    int err = index_get_row(&e->index, e->txn, INDEX_ACL, &k, &old, sizeof(old));

    if (err)
        return err == -ENOENT ? 0 : err;
    struct key g = key_granted(old.grantee, mailbox);
    err = index_del(&e->index, e->txn, INDEX_GRANTED, &g);
    return err ? err : index_del(&e->index, e->txn, INDEX_ACL, &k);
}

static int apply_acl(struct engine *e, const struct effect_acl *a)
{
    struct key k = key_acl(a->mailbox, a->identifier), g = key_granted(a->grantee, a->mailbox);
    struct row_acl row = {a->grantee, a->rights};
    uint32_t rights = a->rights;
    int err = acl_row_gone(e, a->mailbox, a->identifier);

    if (!err && a->on)
        err = index_put(&e->index, e->txn, INDEX_ACL, &k, &row, sizeof(row));
    if (!err && a->on)
        err = index_put(&e->index, e->txn, INDEX_GRANTED, &g, &rights, sizeof(rights));
    engine_note_changed(e, a->mailbox);
    return err;
}

int effect_acl(struct engine *e, const struct effect_acl *a)
{
    wr_u8(&e->effects, EFFECT_ACL);
    wr_u64(&e->effects, a->mailbox);
    wr_span(&e->effects, a->identifier);
    wr_u64(&e->effects, a->grantee);
    wr_u32(&e->effects, a->rights);
    wr_bool(&e->effects, a->on);
    return apply_acl(e, a);
}

int read_acl(struct engine *e, struct rd *r)
{
    struct effect_acl a = {.mailbox = rd_u64(r)};

    a.identifier = rd_span(r, ACL_IDENTIFIER_MAX);
    a.grantee = rd_u64(r);
    a.rights = rd_u32(r);
    a.on = rd_bool(r);
    return r->bad || a.identifier.n == 0 || a.mailbox == 0 ? -EBADMSG : apply_acl(e, &a);
}

/* The first key at or above `from` that begins with its first `same` bytes. */
static bool first_key(struct engine *e, enum index_table table, const struct key *from, size_t same,
                      struct key *ret)
{
    MDB_val key = {from->n, (void *)(uintptr_t)from->b}, v;
    MDB_cursor *c;
    bool found = false;

    if (mdb_cursor_open(e->txn, e->index.dbi[table], &c) != 0)
        return false;
    if (mdb_cursor_get(c, &key, &v, MDB_SET_RANGE) == 0 && key.mv_size >= same &&
        key.mv_size <= sizeof(ret->b) && memcmp(key.mv_data, from->b, same) == 0) {
        memcpy(ret->b, key.mv_data, key.mv_size);
        ret->n = key.mv_size;
        found = true;
    }
    mdb_cursor_close(c);
    return found;
}

int acl_drop_mailbox(struct engine *e, uint64_t mailbox)
{
    struct key from = key_u64(mailbox), k;
    int err = 0;

    while (!err && first_key(e, INDEX_ACL, &from, 8, &k) && k.n > 8)
        err = acl_row_gone(e, mailbox, span_of((const char *)k.b + 8, k.n - 8));
    return err;
}

struct of_grantee {
    uint64_t grantee;
    char identifier[ACL_IDENTIFIER_MAX];
    size_t n;
};

static bool is_of_grantee(const struct acl_entry *a, void *arg)
{
    struct of_grantee *o = arg;

    if (a->grantee != o->grantee || a->identifier.n > sizeof(o->identifier))
        return true;
    memcpy(o->identifier, a->identifier.p, a->identifier.n);
    o->n = a->identifier.n;
    return false;
}

static int drop_granted(struct engine *e, uint64_t account)
{
    struct key from = key_u64(account), k;
    int err = 0;

    while (!err && first_key(e, INDEX_GRANTED, &from, 8, &k) && k.n == 16) {
        struct of_grantee o = {.grantee = account};
        uint64_t mailbox = key_get_u64(k.b + 8);
        err = acl_each(&e->index, e->txn, mailbox, is_of_grantee, &o);
        if (!err && o.n)
            err = acl_row_gone(e, mailbox, span_of(o.identifier, o.n));
        if (!err)
            err = index_del(&e->index, e->txn, INDEX_GRANTED, &k);
    }
    return err;
}

/* ------------------------------------------------------------------ annotations */
static int apply_note(struct engine *e, const struct effect_note *n)
{
    struct key k = key_note(n->mailbox, n->account, n->entry);

    engine_note_changed(e, n->mailbox);
    return n->on ? index_put(&e->index, e->txn, INDEX_NOTE, &k, n->value.n ? n->value.p : "",
                             n->value.n)
                 : index_del(&e->index, e->txn, INDEX_NOTE, &k);
}

int effect_note(struct engine *e, const struct effect_note *n)
{
    wr_u8(&e->effects, EFFECT_NOTE);
    wr_u64(&e->effects, n->mailbox);
    wr_u64(&e->effects, n->account);
    wr_span(&e->effects, n->entry);
    wr_bool(&e->effects, n->on);
    wr_span(&e->effects, n->value);
    return apply_note(e, n);
}

int read_note(struct engine *e, struct rd *r)
{
    struct effect_note n = {.mailbox = rd_u64(r), .account = rd_u64(r)};

    n.entry = rd_span(r, NOTE_ENTRY_MAX);
    n.on = rd_bool(r);
    n.value = rd_span(r, NOTE_VALUE_MAX);
    return r->bad || n.entry.n == 0 ? -EBADMSG : apply_note(e, &n);
}

/* ------------------------------------------------------------------ read marks */
static int put_marks(struct engine *e, const struct mbox *m, const struct effect_read *r,
                     uint32_t chunk, const uint8_t *at, size_t count)
{
    struct key k = key_marks(r->mailbox, r->account, chunk);
    char row[MARKS_ROW_MAX];
    struct span old;
    int err = index_get(&e->index, e->txn, INDEX_READ, &k, &old);

    if (err && err != -ENOENT)
        return err;
    if (err)
        old = SPAN_EMPTY;
    size_t n =
        marks_set(old, at, count, (struct mark){r->seen, r->modseq}, m->row.change_floor, row);
    return index_put(&e->index, e->txn, INDEX_READ, &k, row, n);
}

/* Marks of articles that expired. */
static int forget_marks(struct engine *e, const struct mbox *m, uint64_t account)
{
    struct key from = key_marks(m->id, account, 0), k;

    while (first_key(e, INDEX_READ, &from, 16, &k) && k.n == 20 &&
           key_get_u32(k.b + 16) < m->row.first_number / MARKS_CHUNK) {
        int err = index_del(&e->index, e->txn, INDEX_READ, &k);
        if (err)
            return err;
    }
    return 0;
}

static int apply_read(struct engine *e, const struct effect_read *r)
{
    struct mbox *m = mbox_get(e, r->mailbox);
    uint8_t at[MARKS_CHUNK];
    size_t n = 0;
    int err = 0;

    if (!m || r->modseq < m->row.highestmodseq)
        return -EBADMSG;
    m->row.highestmodseq = r->modseq;
    mbox_dirty(e, m);
    for (size_t i = 0; i < r->count && !err; i++) {
        uint32_t chunk = r->uids[i] / MARKS_CHUNK;
        at[n++] = (uint8_t)(r->uids[i] % MARKS_CHUNK);
        if (i + 1 == r->count || r->uids[i + 1] / MARKS_CHUNK != chunk) {
            err = put_marks(e, m, r, chunk, at, n);
            n = 0;
        }
    }
    engine_note_changed(e, store_reader_key(r->mailbox, r->account));
    return err ? err : forget_marks(e, m, r->account);
}

int effect_read(struct engine *e, const struct effect_read *r)
{
    uint32_t before = 0;

    wr_u8(&e->effects, EFFECT_READ);
    wr_u64(&e->effects, r->mailbox);
    wr_u64(&e->effects, r->account);
    wr_u64(&e->effects, r->modseq);
    wr_bool(&e->effects, r->seen);
    wr_varint(&e->effects, r->count);
    for (size_t i = 0; i < r->count; i++) {
        wr_varint(&e->effects, r->uids[i] - before);
        before = r->uids[i];
    }
    return apply_read(e, r);
}

int read_read(struct engine *e, struct rd *r)
{
    struct effect_read x = {.mailbox = rd_u64(r), .account = rd_u64(r), .modseq = rd_u64(r)};
    uint32_t uids[ENGINE_PIECE_MAX], before = 0;

    x.seen = rd_bool(r);
    x.count = rd_varint(r);
    x.uids = uids;
    if (r->bad || x.count > ENGINE_PIECE_MAX)
        return -EBADMSG;
    for (size_t i = 0; i < x.count; i++) {
        uint64_t step = rd_varint(r);
        if (r->bad || step == 0 || step > STORE_NUMBER_MAX - before)
            return -EBADMSG;
        uids[i] = before += (uint32_t)step;
    }
    return apply_read(e, &x);
}

/* Rows of an account lie below each mailbox: from one mailbox to the next. */
static int drop_marks(struct engine *e, enum index_table table, uint64_t account)
{
    struct key from = key_u64(0), k;
    int err = 0;

    while (!err && first_key(e, table, &from, 0, &k) && k.n >= 16) {
        uint64_t mailbox = key_get_u64(k.b), whose = key_get_u64(k.b + 8);
        if (whose == account) {
            err = index_del(&e->index, e->txn, table, &k);
        } else {
            from = key_u64(whose < account ? mailbox : mailbox + 1);
            if (whose < account)
                key_add_u64(&from, account);
        }
    }
    return err;
}

/* ------------------------------------------------------------------ addresses and domains */
uint64_t domain_number(struct span domain)
{
    return XXH3_64bits(domain.p ? domain.p : "", domain.n) | UINT64_C(1) << 63;
}

static void use(struct engine *e, struct account *a, int64_t bytes)
{
    if (bytes < 0 && a->row.used_bytes < (uint64_t)-bytes)
        a->row.used_bytes = 0;
    else
        a->row.used_bytes += (uint64_t)bytes;
    account_dirty(e, a);
}

void account_use(struct engine *e, uint64_t id, int64_t bytes)
{
    struct account *a = account_get(e, id, false);
    struct account *domain = a && a->domain ? account_get(e, a->domain, false) : NULL;

    if (a)
        use(e, a, bytes);
    if (domain)
        use(e, domain, bytes);
}

static int forget_address(struct engine *e, struct account *a)
{
    struct account *domain = a->domain ? account_get(e, a->domain, false) : NULL;
    struct key k = key_u64(a->id), n = {.n = 0};
    struct span row;
    int err = index_get(&e->index, e->txn, INDEX_ADDRESS, &k, &row);

    if (err)
        return err == -ENOENT ? 0 : err;
    if (row.n > sizeof(struct row_address))
        key_add_name(&n, span_skip(row, sizeof(struct row_address)));
    if (domain)
        use(e, domain, -(int64_t)a->row.used_bytes);
    a->domain = 0;
    err = index_del(&e->index, e->txn, INDEX_NAMED, &n);
    return err ? err : index_del(&e->index, e->txn, INDEX_ADDRESS, &k);
}

/* An account that is being removed may hold it still: it would take the new one's name along. */
static int take_address(struct engine *e, uint64_t account, const struct key *named)
{
    uint64_t holder;
    int err = index_get_row(&e->index, e->txn, INDEX_NAMED, named, &holder, sizeof(holder));

    if (err)
        return err == -ENOENT ? 0 : err;
    struct account *other = holder != account ? account_get(e, holder, false) : NULL;
    return other ? forget_address(e, other) : 0;
}

static int apply_named(struct engine *e, uint64_t account, struct span address)
{
    struct account *a = account_get(e, account, false);
    struct key k = key_u64(account), n = {.n = 0};
    size_t at = span_rfind(address, '@');
    char room[sizeof(struct row_address) + STORE_ADDRESS_MAX];
    int err = a ? forget_address(e, a) : -EBADMSG;

    if (err || address.n == 0)
        return err;
    struct row_address row = {at == SPAN_NONE ? 0 : domain_number(span_skip(address, at + 1))};
    memcpy(room, &row, sizeof(row));
    memcpy(room + sizeof(row), address.p, address.n);
    key_add_name(&n, address);
    err = take_address(e, account, &n);
    if (!err)
        err = index_put(&e->index, e->txn, INDEX_ADDRESS, &k, room, sizeof(row) + address.n);
    if (!err)
        err = index_put(&e->index, e->txn, INDEX_NAMED, &n, &account, sizeof(account));
    a->domain = row.domain;
    if (row.domain)
        use(e, account_get(e, row.domain, true), (int64_t)a->row.used_bytes);
    return err;
}

int effect_named(struct engine *e, uint64_t account, struct span address)
{
    wr_u8(&e->effects, EFFECT_NAMED);
    wr_u64(&e->effects, account);
    wr_span(&e->effects, address);
    return apply_named(e, account, address);
}

int read_named(struct engine *e, struct rd *r)
{
    uint64_t account = rd_u64(r);
    struct span address = rd_span(r, STORE_ADDRESS_MAX);

    return r->bad ? -EBADMSG : apply_named(e, account, address);
}

static int apply_domain(struct engine *e, struct span domain, uint64_t quota)
{
    struct account *a = account_get(e, domain_number(domain), true);

    a->row.quota_bytes = quota;
    account_dirty(e, a);
    return 0;
}

int effect_domain(struct engine *e, struct span domain, uint64_t quota)
{
    wr_u8(&e->effects, EFFECT_DOMAIN);
    wr_span(&e->effects, domain);
    wr_u64(&e->effects, quota);
    return apply_domain(e, domain, quota);
}

int read_domain(struct engine *e, struct rd *r)
{
    struct span domain = rd_span(r, STORE_ADDRESS_MAX);
    uint64_t quota = rd_u64(r);

    return r->bad || domain.n == 0 ? -EBADMSG : apply_domain(e, domain, quota);
}

int annex_drop_account(struct engine *e, uint64_t account)
{
    struct account *a = account_get(e, account, false);
    int err = drop_granted(e, account);

    if (!err)
        err = drop_marks(e, INDEX_READ, account);
    if (!err)
        err = drop_marks(e, INDEX_NOTE, account);
    if (!err && a)
        err = forget_address(e, a);
    return err;
}
