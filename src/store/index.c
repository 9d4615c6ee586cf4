#include "store/index.h"

#include "base/check.h"
#include "base/utf8.h"
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static const char *const table_names[] = {
#define X(id, name) name,
    INDEX_TABLES(X)
#undef X
};

int index_error(int e)
{
    switch (e) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return -ENOENT;
    case MDB_KEYEXIST:
        return -EEXIST;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return -ENOSPC;
    default:
        return e > 0 ? -e : -EIO;
    }
}

/* A file that was cut short: reading a page behind its end would be a crash, one of zeros is an
 * error. */
static int whole_pages(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat page;
    struct stat st;
    int fd, err = mdb_env_get_fd(env, &fd);

    if (!err)
        err = mdb_env_info(env, &info);
    if (!err)
        err = mdb_env_stat(env, &page);
    if (err || fstat(fd, &st) < 0)
        return err ? err : errno;
    uint64_t want = (info.me_last_pgno + 1) * (uint64_t)page.ms_psize;
    return (uint64_t)st.st_size < want && ftruncate(fd, (off_t)want) < 0 ? errno : 0;
}

int index_open(struct index *x, const char *root, uint64_t map_bytes, bool write)
{
    char path[512];
    /* Not synced by LMDB: the log is the truth, and checkpoint.c says when and how the index
     * becomes durable. */
    unsigned flags = write ? MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD
                           : MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD;
    int err;

    x->env = NULL;
    if ((size_t)snprintf(path, sizeof(path), "%s/store/index", root) >= sizeof(path))
        return -ENAMETOOLONG;
    err = mdb_env_create(&x->env);
    if (!err)
        err = mdb_env_set_maxdbs(x->env, INDEX_TABLE_COUNT);
    if (!err)
        err = mdb_env_set_mapsize(x->env, map_bytes);
    if (!err && write)
        err = mdb_env_set_maxreaders(x->env, 64);
    if (!err)
        err = mdb_env_open(x->env, path, flags, 0640);
    if (!err && write)
        err = whole_pages(x->env);
    if (err) {
        if (x->env)
            mdb_env_close(x->env);
        x->env = NULL;
    }
    return index_error(err);
}

int index_tables(struct index *x, MDB_txn *txn, bool create)
{
    for (int i = 0; i < INDEX_TABLE_COUNT; i++) {
        int err = mdb_dbi_open(txn, table_names[i], create ? MDB_CREATE : 0, &x->dbi[i]);
        if (err == MDB_NOTFOUND && i >= INDEX_FIRST_OF_V2)
            x->dbi[i] = INDEX_NO_TABLE;
        else if (err)
            return index_error(err);
    }
    return 0;
}

void index_close(struct index *x)
{
    if (x->env)
        mdb_env_close(x->env);
    x->env = NULL;
}

void key_add_u64(struct key *k, uint64_t a)
{
    uint64_t be = htobe64(a);
    CHECK(k->n + 8 <= sizeof(k->b));
    memcpy(k->b + k->n, &be, 8);
    k->n += 8;
}

void key_add_u32(struct key *k, uint32_t a)
{
    uint32_t be = htobe32(a);
    CHECK(k->n + 4 <= sizeof(k->b));
    memcpy(k->b + k->n, &be, 4);
    k->n += 4;
}

void key_set_u64(struct key *k, uint64_t a)
{
    k->n = 0;
    key_add_u64(k, a);
}

struct key key_u64(uint64_t a)
{
    struct key k;
    k.n = 0;
    key_add_u64(&k, a);
    return k;
}

void key_add_name(struct key *k, struct span name)
{
    enum { HEAD = 440 };

    if (name.n <= HEAD) {
        if (name.n)
            memcpy(k->b + k->n, name.p, name.n);
        k->n += name.n;
        return;
    }
    XXH128_hash_t h = XXH3_128bits(name.p, name.n);
    memcpy(k->b + k->n, name.p, HEAD);
    k->n += HEAD;
    /* 0xff is in no UTF-8 text: a hashed name never equals a plain one. */
    k->b[k->n++] = 0xff;
    key_add_u64(k, h.high64);
    key_add_u64(k, h.low64);
}

struct key key_message(uint64_t mailbox, uint32_t uid)
{
    struct key k;
    k.n = 0;
    key_add_u64(&k, mailbox);
    key_add_u32(&k, uid);
    return k;
}

struct key key_change(uint64_t mailbox, uint64_t modseq, uint32_t uid)
{
    struct key k;
    k.n = 0;
    key_add_u64(&k, mailbox);
    key_add_u64(&k, modseq);
    key_add_u32(&k, uid);
    return k;
}

struct key key_name(uint64_t account, struct span name)
{
    struct key k;
    k.n = 0;
    key_add_u64(&k, account);
    key_add_name(&k, name);
    return k;
}

struct key key_message_id(uint64_t seed, uint64_t mailbox, struct span id)
{
    struct key k;
    XXH128_hash_t h = XXH3_128bits_withSeed(id.p ? id.p : "", id.n, seed ^ (mailbox << 1));
    k.n = 0;
    if (mailbox)
        key_add_u64(&k, mailbox);
    key_add_u64(&k, h.high64);
    key_add_u64(&k, h.low64);
    return k;
}

uint64_t key_get_u64(const void *p)
{
    uint64_t be;
    memcpy(&be, p, 8);
    return be64toh(be);
}

uint32_t key_get_u32(const void *p)
{
    uint32_t be;
    memcpy(&be, p, 4);
    return be32toh(be);
}

static MDB_val val_of(const struct key *k)
{
    return (MDB_val){k->n, (void *)(uintptr_t)k->b};
}

int index_get(const struct index *x, MDB_txn *t, enum index_table table, const struct key *k,
              struct span *ret)
{
    MDB_val key = val_of(k), v;
    int err = x->dbi[table] == INDEX_NO_TABLE ? MDB_NOTFOUND : mdb_get(t, x->dbi[table], &key, &v);
    if (err)
        return index_error(err);
    *ret = span_of(v.mv_data, v.mv_size);
    return 0;
}

int index_get_row(const struct index *x, MDB_txn *t, enum index_table table, const struct key *k,
                  void *row, size_t size)
{
    struct span s;
    int err = index_get(x, t, table, k, &s);
    if (err)
        return err;
    if (s.n < size)
        return -EIO;
    memcpy(row, s.p, size);
    return 0;
}

int index_put(const struct index *x, MDB_txn *t, enum index_table table, const struct key *k,
              const void *p, size_t n)
{
    MDB_val key = val_of(k), v = {n, (void *)(uintptr_t)p};
    return index_error(mdb_put(t, x->dbi[table], &key, &v, 0));
}

int index_del(const struct index *x, MDB_txn *t, enum index_table table, const struct key *k)
{
    MDB_val key = val_of(k);
    int err = mdb_del(t, x->dbi[table], &key, NULL);
    return err == MDB_NOTFOUND ? 0 : index_error(err);
}

struct span store_name_canonical(uint64_t account, struct span name, char room[STORE_NAME_MAX])
{
    if (account == STORE_ACCOUNT_PUBLIC || name.n < 5 || name.n > STORE_NAME_MAX ||
        !span_is(span_head(name, 5), STORE_INBOX) || (name.n > 5 && name.p[5] != '/'))
        return name;
    memcpy(room, name.p, name.n);
    memcpy(room, STORE_INBOX, 5);
    return span_of(room, name.n);
}

/* UTF-8 without control bytes, no empty level. */
bool store_name_valid(struct span name)
{
    if (name.n == 0 || name.n > STORE_NAME_MAX || name.p[0] == '/' || name.p[name.n - 1] == '/' ||
        !utf8_valid(name))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c < 0x20 || c == 0x7f || (c == '/' && name.p[i - 1] == '/'))
            return false;
    }
    return true;
}

bool index_mailbox_info(uint64_t id, struct span s, struct mailbox_info *ret)
{
    struct row_mailbox m;

    if (s.n < sizeof(m))
        return false;
    memcpy(&m, s.p, sizeof(m));
    if (s.n != sizeof(m) + m.name_bytes)
        return false;
    *ret = (struct mailbox_info){
        .id = id,
        .account = m.account,
        .name = span_of(s.p + sizeof(m), m.name_bytes),
        .uidvalidity = m.uidvalidity,
        .uidnext = m.uidnext,
        .messages = m.messages,
        .unseen = m.unseen,
        .deleted = m.deleted,
        .first_number = m.first_number,
        .first_unseen = m.first_unseen,
        .bytes = m.bytes,
        .highestmodseq = m.highestmodseq,
        .attributes = m.attributes,
        .created = m.created,
    };
    return true;
}

void index_message_info(uint64_t mailbox, uint32_t uid, const void *row, struct message_info *ret)
{
    struct row_message m;

    memcpy(&m, row, sizeof(m));
    ret->mailbox = mailbox;
    ret->uid = uid;
    ret->flags = m.flags;
    ret->modseq = m.modseq;
    ret->received_seconds = m.received;
    ret->received_zone = m.zone;
    ret->saved_seconds = m.saved;
    ret->size = m.prefix_bytes + m.body_bytes;
    ret->prefix_bytes = m.prefix_bytes;
    ret->body_bytes = m.body_bytes;
    ret->body = m.body;
    ret->body_file = m.body_file;
    ret->summary_file = m.summary_file;
    ret->prefix_file = m.prefix_file;
    ret->body_at = m.body_at;
    ret->summary_at = m.summary_at;
    ret->prefix_at = m.prefix_at;
    ret->summary_bytes = m.summary_bytes;
    ret->thread = m.thread;
}

unsigned index_keywords(struct span row, struct span names[STORE_KEYWORDS_MAX])
{
    unsigned count = 0;

    while (row.n > 0 && count < STORE_KEYWORDS_MAX) {
        size_t n = (unsigned char)row.p[0];
        if (n + 1 > row.n)
            break;
        names[count++] = span_of(row.p + 1, n);
        row = span_skip(row, n + 1);
    }
    return count;
}
