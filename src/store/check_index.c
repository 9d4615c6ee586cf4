/* The index against itself and against the log. */
#include "store/check.h"

#include "base/check.h"
#include "store/acl.h"
#include "store/effect_parts.h"
#include "store/marks.h"
#include "store/queue_item.h"
#include <errno.h>
#include <stdlib.h>

struct box { /* what a mailbox's rows add up to */
    struct row_mailbox row;
    char *name;
    bool doomed;
    uint64_t bytes, highest;
    uint32_t messages, unseen, deleted, last_uid, first_uid, first_unseen;
};
struct sum {
    int64_t n;
};

typedef void (*row_fn)(struct check *c, const struct key *k, struct span row);

static void each(struct check *c, enum index_table table, const char *what, row_fn fn)
{
    MDB_val key, v;
    MDB_cursor *cursor;
    MDB_stat st = {0};
    uint64_t n = 0;
    struct key k;
    int err;

    if (c->err || c->index->dbi[table] == INDEX_NO_TABLE)
        return;
    mdb_stat(c->txn, c->index->dbi[table], &st);
    err = mdb_cursor_open(c->txn, c->index->dbi[table], &cursor);
    if (err) {
        c->err = index_error(err);
        return;
    }
    while (!c->err && (err = mdb_cursor_get(cursor, &key, &v, MDB_NEXT)) == 0) {
        if (key.mv_size > sizeof(k.b)) {
            err = EBADMSG;
            break;
        }
        memcpy(k.b, key.mv_data, key.mv_size);
        k.n = key.mv_size;
        /* A copy: a repair may move the page. */
        buf_clear(&c->room);
        buf_put_span(&c->room, span_of(v.mv_data, v.mv_size));
        fn(c, &k, buf_span(&c->room));
        if (++n % 1000 == 0 && c->progress)
            c->progress(c->arg, what, n, st.ms_entries);
    }
    mdb_cursor_close(cursor);
    if (err && err != MDB_NOTFOUND && !c->err)
        c->err = index_error(err);
}

static void put(struct check *c, enum index_table t, const struct key *k, const void *p, size_t n)
{
    int err = c->repair ? index_put(c->index, c->txn, t, k, p, n) : 0;
    if (err)
        c->err = err;
}

static void del(struct check *c, enum index_table t, const struct key *k)
{
    int err = c->repair ? index_del(c->index, c->txn, t, k) : 0;
    if (err)
        c->err = err;
}

static void sum_add(struct map64 *m, uint64_t key, int64_t n)
{
    struct sum *s = map64_get(m, key);

    if (!s) {
        s = calloc(1, sizeof(*s));
        CHECK(s);
        map64_set(m, key, s);
    }
    s->n += n;
}

static int64_t sum_of(const struct map64 *m, uint64_t key)
{
    const struct sum *s = map64_get(m, key);
    return s ? s->n : 0;
}

static unsigned long long ull(uint64_t n)
{
    return n;
}

/* ------------------------------------------------------------------ mailboxes */
static void on_mailbox(struct check *c, const struct key *k, struct span row)
{
    struct box *b;
    struct row_mailbox m;

    if (k->n != 8 || row.n < sizeof(m)) {
        check_finding(c, FINDING_ROW, false, "a row of mailboxes cannot be read");
        return;
    }
    memcpy(&m, row.p, sizeof(m));
    uint64_t id = key_get_u64(k->b);
    if (row.n != sizeof(m) + m.name_bytes || !store_name_valid(span_skip(row, sizeof(m)))) {
        check_finding(c, FINDING_ROW, false, "mailbox %llu has no name that can be read", ull(id));
        return;
    }
    c->mailboxes++;
    b = calloc(1, sizeof(*b));
    CHECK(b);
    b->row = m;
    b->name = malloc(m.name_bytes);
    CHECK(b->name);
    memcpy(b->name, row.p + sizeof(m), m.name_bytes);
    map64_set(c->boxes, id, b);
    struct key n = key_name(m.account, span_of(b->name, m.name_bytes));
    uint64_t at;
    if (index_get_row(c->index, c->txn, INDEX_NAME, &n, &at, sizeof(at)) != 0 || at != id) {
        check_finding(c, FINDING_NAME, true, "mailbox %llu is not found by its name", ull(id));
        put(c, INDEX_NAME, &n, &id, sizeof(id));
    }
    if (id >= c->state.next_mailbox)
        check_finding(c, FINDING_ROW, false, "mailbox %llu has a number that was never given out",
                      ull(id));
}

static void on_doomed(struct check *c, const struct key *k, struct span row)
{
    struct box *b;

    if (k->n != 8) {
        check_finding(c, FINDING_ROW, false, "a row of removed mailboxes cannot be read");
        return;
    }
    if (map64_get(c->boxes, key_get_u64(k->b))) {
        check_finding(c, FINDING_ORPHAN, true, "mailbox %llu is there and marked as removed",
                      ull(key_get_u64(k->b)));
        del(c, INDEX_DOOMED, k);
        return;
    }
    b = calloc(1, sizeof(*b));
    CHECK(b);
    b->doomed = true;
    b->row.uidnext = UINT32_MAX;
    b->row.highestmodseq = UINT64_MAX;
    map64_set(c->boxes, key_get_u64(k->b), b);
}

static void on_name(struct check *c, const struct key *k, struct span row)
{
    uint64_t id = 0;
    const struct box *b;

    if (row.n == sizeof(id))
        memcpy(&id, row.p, sizeof(id));
    b = id ? map64_get(c->boxes, id) : NULL;
    if (b && !b->doomed) {
        struct key n = key_name(b->row.account, span_of(b->name, b->row.name_bytes));
        if (n.n == k->n && memcmp(n.b, k->b, n.n) == 0)
            return;
    }
    check_finding(c, FINDING_NAME, true, "a name leads to mailbox %llu, which has not that name",
                  ull(id));
    del(c, INDEX_NAME, k);
}

static void on_keyword(struct check *c, const struct key *k, struct span row)
{
    struct span names[STORE_KEYWORDS_MAX];
    struct box *b = k->n == 8 ? map64_get(c->boxes, key_get_u64(k->b)) : NULL;
    unsigned n = index_keywords(row, names);

    if (!b) {
        check_finding(c, FINDING_ORPHAN, true, "keywords of a mailbox that is not there");
        del(c, INDEX_KEYWORD, k);
    } else if (!b->doomed && b->row.keywords != n) {
        check_finding(c, FINDING_COUNTER, true, "mailbox %llu counts %u keywords and has %u",
                      ull(key_get_u64(k->b)), b->row.keywords, n);
        b->row.keywords = (uint16_t)n;
        b->highest = UINT64_MAX; /* its row is written anew */
    }
}

/* ------------------------------------------------------------------ bytes in the log */
/* 0; else what is wrong with them. */
static int prove(struct check *c, struct place p)
{
    struct buf b = BUF((size_t)UINT32_MAX);
    uint64_t key = (uint64_t)p.file << 32 | p.at;
    int fd = journal_fd(c->journal, p.file), err;

    if (map64_get(c->proved, key))
        return 0;
    if (fd < 0)
        return -ENOENT;
    err = blob_read(fd, p.at, p.bytes, true, &b);
    buf_done(&b);
    return err;
}

static const char *why(int err)
{
    return err == -ENOENT    ? "its log file is gone"
           : err == -EBADMSG ? "its checksum is wrong"
                             : strerror(-err);
}

static void count_body(struct check *c, uint64_t body, uint16_t marks, struct place at,
                       struct place summary)
{
    bool shared = marks & ROW_SHARED;

    if (shared) {
        sum_add(c->shared, body, 1);
        if (sum_of(c->shared, body) > 1)
            return;
    } else {
        if (c->lone_count == c->lone_cap) {
            c->lone_cap = c->lone_cap ? c->lone_cap * 2 : 1024;
            c->lone = realloc(c->lone, c->lone_cap * sizeof(*c->lone));
            CHECK(c->lone);
        }
        c->lone[c->lone_count++] = body;
    }
    sum_add(c->files_live, at.file, blob_cost(at.bytes));
    if (summary.bytes)
        sum_add(c->files_live, summary.file, blob_cost(summary.bytes));
}

/* Of a row that stays. A shared body is proved once. */
static int prove_body(struct check *c, uint16_t marks, struct place body)
{
    static char yes;
    int err = prove(c, body);

    if (err)
        return err;
    c->bodies++;
    c->body_bytes += body.bytes;
    if (marks & ROW_SHARED)
        map64_set(c->proved, (uint64_t)body.file << 32 | body.at, &yes);
    return 0;
}

/* ------------------------------------------------------------------ messages */
static void drop_message(struct check *c, const struct key *k, struct box *b, uint32_t uid,
                         const struct row_message *m)
{
    struct key ck = key_change(key_get_u64(k->b), m->modseq, uid);
    struct row_change gone = {1, m->saved};

    del(c, INDEX_CHANGE, &ck);
    del(c, INDEX_MESSAGE, k);
    if (!b || b->doomed)
        return;
    /* Clients that ask what changed are told. */
    uint64_t modseq =
        (b->highest > b->row.highestmodseq && b->highest != UINT64_MAX ? b->highest
                                                                       : b->row.highestmodseq) +
        1;
    b->highest = modseq;
    ck = key_change(key_get_u64(k->b), modseq, uid);
    put(c, INDEX_CHANGE, &ck, &gone, sizeof(gone));
}

static bool message_sane(struct check *c, uint64_t mailbox, uint32_t uid,
                         const struct row_message *m)
{
    struct key ck = key_change(mailbox, m->modseq, uid);
    struct span row;

    if (m->born > m->modseq || m->modseq == 0)
        check_finding(c, FINDING_ROW, false, "message %u of mailbox %llu: modseqs make no sense",
                      uid, ull(mailbox));
    if (m->modseq != m->born && index_get(c->index, c->txn, INDEX_CHANGE, &ck, &row) != 0) {
        struct row_change r = {0, m->saved};
        check_finding(c, FINDING_CHANGE, true,
                      "message %u of mailbox %llu: its change is not in the change log", uid,
                      ull(mailbox));
        put(c, INDEX_CHANGE, &ck, &r, sizeof(r));
    }
    return true;
}

static void on_message(struct check *c, const struct key *k, struct span row)
{
    struct row_message m;
    struct box *b;
    int err;

    if (k->n != 12 || row.n < sizeof(m)) {
        check_finding(c, FINDING_ROW, false, "a row of messages cannot be read");
        return;
    }
    memcpy(&m, row.p, sizeof(m));
    uint64_t mailbox = key_get_u64(k->b);
    uint32_t uid = key_get_u32(k->b + 8);
    c->messages++;
    b = map64_get(c->boxes, mailbox);
    if (!b) {
        check_finding(c, FINDING_ORPHAN, true,
                      "message %u belongs to mailbox %llu, which is not there", uid, ull(mailbox));
        /* Left to housekeeping, which gives its bytes back, too. */
        struct key d = key_u64(mailbox);
        uint64_t nobody = 0;
        put(c, INDEX_DOOMED, &d, &nobody, sizeof(nobody));
    }
    struct place body = {m.body_file, m.body_at, m.body_bytes};
    struct place summary = {m.summary_file, m.summary_at, m.summary_bytes};
    struct place prefix = {m.prefix_file, m.prefix_at, m.prefix_bytes};
    if ((err = prove_body(c, m.marks, body)) != 0 ||
        (prefix.bytes && (err = prove(c, prefix)) != 0)) {
        check_finding(c, FINDING_BODY_LOST, true,
                      "message %u of mailbox %llu (%.*s): %s (log file %u at %u)", uid,
                      ull(mailbox), b && b->name ? (int)b->row.name_bytes : 0,
                      b && b->name ? b->name : "", why(err), body.file, body.at);
        if (c->repair) {
            drop_message(c, k, b, uid, &m);
            return;
        }
    }
    if (summary.bytes && (err = prove(c, summary)) != 0) {
        check_finding(c, FINDING_SUMMARY_LOST, true, "summary of message %u of mailbox %llu: %s",
                      uid, ull(mailbox), why(err));
        if (c->repair) {
            m.summary_bytes = m.summary_file = m.summary_at = 0;
            summary = (struct place){0, 0, 0};
            put(c, INDEX_MESSAGE, k, &m, sizeof(m));
        }
    }
    message_sane(c, mailbox, uid, &m);
    count_body(c, m.body, m.marks, body, summary);
    if (prefix.bytes)
        sum_add(c->files_live, prefix.file, blob_cost(prefix.bytes));
    if (!b)
        return;
    b->messages++;
    b->bytes += (uint64_t)m.prefix_bytes + m.body_bytes;
    b->deleted += (m.flags & STORE_DELETED) != 0;
    if (!(m.flags & STORE_SEEN)) {
        b->unseen++;
        if (!b->first_unseen)
            b->first_unseen = uid;
    }
    if (!b->first_uid)
        b->first_uid = uid;
    b->last_uid = uid;
    if (m.modseq > b->highest)
        b->highest = m.modseq;
}

/* ------------------------------------------------------------------ the change log */
static void on_change(struct check *c, const struct key *k, struct span row)
{
    struct row_change r;
    struct row_message m;
    const char *wrong = NULL;

    if (k->n != 20 || row.n != sizeof(r)) {
        check_finding(c, FINDING_ROW, false, "a row of the change log cannot be read");
        return;
    }
    memcpy(&r, row.p, sizeof(r));
    uint64_t mailbox = key_get_u64(k->b), modseq = key_get_u64(k->b + 8);
    uint32_t uid = key_get_u32(k->b + 16);
    struct box *b = map64_get(c->boxes, mailbox);
    struct key mk = key_message(mailbox, uid);
    bool there = index_get_row(c->index, c->txn, INDEX_MESSAGE, &mk, &m, sizeof(m)) == 0;
    if (!b)
        wrong = "its mailbox is not there";
    else if (b->doomed)
        return;
    else if (r.expunged && there)
        wrong = "it is there, though the log says it went";
    else if (!r.expunged && (!there || m.modseq != modseq))
        wrong = "it has not that change";
    else if (modseq > b->highest)
        b->highest = modseq;
    if (!wrong)
        return;
    check_finding(c, FINDING_CHANGE, true, "change %llu of message %u of mailbox %llu: %s",
                  ull(modseq), uid, ull(mailbox), wrong);
    del(c, INDEX_CHANGE, k);
}

/* ------------------------------------------------------------------ sums */
static bool sum_mailbox(uint64_t id, void *value, void *arg)
{
    struct check *c = arg;
    struct box *b = value;
    struct row_mailbox want = b->row;
    bool rewrite = b->highest == UINT64_MAX; /* keywords */

    if (b->doomed)
        return true;
    if (rewrite)
        b->highest = b->row.highestmodseq;
    sum_add(c->accounts, b->row.account, (int64_t)b->bytes);
    want.messages = b->messages;
    want.unseen = b->unseen;
    want.deleted = b->deleted;
    want.bytes = b->bytes;
    if (want.first_unseen && want.first_unseen != b->first_unseen)
        want.first_unseen = 0;
    if (memcmp(&want, &b->row, sizeof(want)) != 0)
        check_finding(c, FINDING_COUNTER, true,
                      "mailbox %llu (%.*s) counts %u messages (%u unseen, %u deleted, %llu bytes) "
                      "and has %u (%u, %u, %llu)",
                      ull(id), (int)b->row.name_bytes, b->name, b->row.messages, b->row.unseen,
                      b->row.deleted, ull(b->row.bytes), b->messages, b->unseen, b->deleted,
                      ull(b->bytes));
    if (b->last_uid >= want.uidnext) {
        check_finding(c, FINDING_UID, true, "mailbox %llu has message %u, and would give out %u",
                      ull(id), b->last_uid, want.uidnext);
        want.uidnext = b->last_uid + 1;
    }
    if (b->first_uid && want.first_number > b->first_uid) {
        check_finding(c, FINDING_UID, true, "mailbox %llu has message %u below its first number %u",
                      ull(id), b->first_uid, want.first_number);
        want.first_number = b->first_uid;
    }
    if (b->highest > want.highestmodseq) {
        check_finding(c, FINDING_MODSEQ, true,
                      "mailbox %llu has modseq %llu above its highest, %llu", ull(id),
                      ull(b->highest), ull(want.highestmodseq));
        want.highestmodseq = b->highest;
    }
    if (c->repair && (rewrite || memcmp(&want, &b->row, sizeof(want)) != 0)) {
        struct buf row = BUF(sizeof(want) + STORE_NAME_MAX);
        struct key k = key_u64(id);
        wr_raw(&row, &want, sizeof(want));
        wr_raw(&row, b->name, b->row.name_bytes);
        put(c, INDEX_MAILBOX, &k, row.p, row.n);
        buf_done(&row);
    }
    return c->err == 0;
}

/* What the accounts of each domain use together; accounts have been summed up before. */
static void on_address(struct check *c, const struct key *k, struct span row)
{
    struct row_address a;
    struct key n = {.n = 0};
    uint64_t account;

    if (k->n != 8 || row.n <= sizeof(a)) {
        check_finding(c, FINDING_ROW, true, "the address of an account cannot be read");
        del(c, INDEX_ADDRESS, k);
        return;
    }
    memcpy(&a, row.p, sizeof(a));
    uint64_t id = key_get_u64(k->b);
    if (a.domain)
        sum_add(c->accounts, a.domain, sum_of(c->accounts, id));
    key_add_name(&n, span_skip(row, sizeof(a)));
    if (index_get_row(c->index, c->txn, INDEX_NAMED, &n, &account, sizeof(account)) == 0 &&
        account == id)
        return;
    check_finding(c, FINDING_NAME, true, "account %llu is not found by its address", ull(id));
    put(c, INDEX_NAMED, &n, &id, sizeof(id));
}

static void on_named(struct check *c, const struct key *k, struct span row)
{
    uint64_t id = 0;
    struct span address;

    if (row.n == sizeof(id))
        memcpy(&id, row.p, sizeof(id));
    struct key a = key_u64(id), n = {.n = 0};
    if (index_get(c->index, c->txn, INDEX_ADDRESS, &a, &address) == 0) {
        key_add_name(&n, span_skip(address, sizeof(struct row_address)));
        if (n.n == k->n && memcmp(n.b, k->b, n.n) == 0)
            return;
    }
    check_finding(c, FINDING_NAME, true, "an address leads to account %llu, which has not it",
                  ull(id));
    del(c, INDEX_NAMED, k);
}

/* ------------------------------------------------------------------ rights, annotations, marks */
static void on_acl(struct check *c, const struct key *k, struct span row)
{
    struct row_acl a;
    uint32_t rights;

    if (k->n <= 8 || row.n != sizeof(a)) {
        check_finding(c, FINDING_ROW, true, "a row of rights cannot be read");
        del(c, INDEX_ACL, k);
        return;
    }
    memcpy(&a, row.p, sizeof(a));
    uint64_t mailbox = key_get_u64(k->b);
    const struct box *b = map64_get(c->boxes, mailbox);
    if (!b || b->doomed) {
        check_finding(c, FINDING_ORPHAN, true, "rights for mailbox %llu, which is not there",
                      ull(mailbox));
        del(c, INDEX_ACL, k);
        return;
    }
    struct key g = key_granted(a.grantee, mailbox);
    if (index_get_row(c->index, c->txn, INDEX_GRANTED, &g, &rights, sizeof(rights)) == 0 &&
        rights == a.rights)
        return;
    check_finding(c, FINDING_NAME, true, "rights for mailbox %llu do not reach who has them",
                  ull(mailbox));
    rights = a.rights;
    put(c, INDEX_GRANTED, &g, &rights, sizeof(rights));
}

struct grantee_search {
    uint64_t grantee;
    bool found;
};

static bool on_entry(const struct acl_entry *a, void *arg)
{
    struct grantee_search *s = arg;

    s->found = a->grantee == s->grantee;
    return !s->found;
}

/* Rights that no list names would be rights that nobody can see or take away. */
static void on_granted(struct check *c, const struct key *k, struct span row)
{
    struct grantee_search s = {.found = false};

    if (k->n == 16 && row.n == sizeof(uint32_t)) {
        s.grantee = key_get_u64(k->b);
        acl_each(c->index, c->txn, key_get_u64(k->b + 8), on_entry, &s);
    }
    if (s.found)
        return;
    check_finding(c, FINDING_ORPHAN, true, "somebody has rights that stand in no list");
    del(c, INDEX_GRANTED, k);
}

static void on_note(struct check *c, const struct key *k, struct span row)
{
    uint64_t mailbox = k->n > 16 ? key_get_u64(k->b) : UINT64_MAX;

    if (mailbox == 0 || map64_get(c->boxes, mailbox))
        return;
    check_finding(c, FINDING_ORPHAN, true, "an annotation of a mailbox that is not there");
    del(c, INDEX_NOTE, k);
}

static void on_read(struct check *c, const struct key *k, struct span row)
{
    struct box *b = k->n == 20 ? map64_get(c->boxes, key_get_u64(k->b)) : NULL;

    if (!b || !marks_sane(row)) {
        check_finding(c, FINDING_ORPHAN, true,
                      b ? "read marks that cannot be read"
                        : "read marks of a mailbox that is not there");
        del(c, INDEX_READ, k);
        return;
    }
    for (unsigned at = 0; at < MARKS_CHUNK && !b->doomed; at++) {
        uint64_t modseq = marks_get(row, at).modseq;
        if (modseq > b->highest)
            b->highest = modseq;
    }
}

static void on_account(struct check *c, const struct key *k, struct span row)
{
    struct row_account a;

    if (k->n != 8 || row.n < sizeof(a)) {
        check_finding(c, FINDING_ROW, false, "a row of accounts cannot be read");
        return;
    }
    memcpy(&a, row.p, sizeof(a));
    uint64_t id = key_get_u64(k->b), used = (uint64_t)sum_of(c->accounts, id);
    if (a.used_bytes != used) {
        check_finding(c, FINDING_COUNTER, true, "account %llu counts %llu bytes and has %llu",
                      ull(id), ull(a.used_bytes), ull(used));
        a.used_bytes = used;
        put(c, INDEX_ACCOUNT, k, &a, sizeof(a));
    }
    if (a.inbox && a.state != ACCOUNT_DELETED && !map64_get(c->boxes, a.inbox))
        check_finding(c, FINDING_ROW, false, "account %llu has no INBOX", ull(id));
}

static int by_number(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static void on_shared(struct check *c, const struct key *k, struct span row)
{
    uint32_t n;

    if (k->n != 8 || row.n != sizeof(n)) {
        check_finding(c, FINDING_ROW, false, "a row of references cannot be read");
        return;
    }
    memcpy(&n, row.p, sizeof(n));
    uint64_t body = key_get_u64(k->b);
    uint32_t have = (uint32_t)sum_of(c->shared, body);
    if (n == have)
        return;
    check_finding(c, FINDING_REFERENCES, true, "body %llx counts %u references and has %u",
                  ull(body), n, have);
    if (have >= 2)
        put(c, INDEX_SHARED, k, &have, sizeof(have));
    else
        del(c, INDEX_SHARED, k);
}

static bool shared_has_row(uint64_t body, void *value, void *arg)
{
    struct check *c = arg;
    const struct sum *s = value;
    struct key k = key_u64(body);
    struct span row;
    uint32_t n = (uint32_t)s->n;

    if (n < 2 || index_get(c->index, c->txn, INDEX_SHARED, &k, &row) == 0)
        return true;
    check_finding(c, FINDING_REFERENCES, true, "body %llx has %u references and counts one",
                  ull(body), n);
    put(c, INDEX_SHARED, &k, &n, sizeof(n));
    return c->err == 0;
}

/* Rows that say that nobody shares their body. */
static void check_lone(struct check *c)
{
    if (c->lone_count > 1)
        qsort(c->lone, c->lone_count, sizeof(*c->lone), by_number);
    for (size_t i = 0; i < c->lone_count; i++) {
        if (sum_of(c->shared, c->lone[i]) > 0 || (i > 0 && c->lone[i] == c->lone[i - 1]))
            check_finding(c, FINDING_ROW, false,
                          "body %llx is used by a message that does not know that others use it",
                          ull(c->lone[i]));
    }
}

static void on_file(struct check *c, const struct key *k, struct span row)
{
    struct row_file f;

    if (k->n != 8 || row.n != sizeof(f)) {
        check_finding(c, FINDING_ROW, false, "a row of log files cannot be read");
        return;
    }
    memcpy(&f, row.p, sizeof(f));
    uint64_t file = key_get_u64(k->b), live = (uint64_t)sum_of(c->files_live, file);
    if (f.live_bytes == live)
        return;
    check_finding(c, FINDING_LIVE, true, "log file %llu counts %llu live bytes and has %llu",
                  ull(file), ull(f.live_bytes), ull(live));
    f.live_bytes = live;
    put(c, INDEX_FILE, k, &f, sizeof(f));
}

static bool file_has_row(uint64_t file, void *value, void *arg)
{
    struct check *c = arg;
    const struct sum *s = value;
    struct key k = key_u64(file);
    struct row_file f = {(uint64_t)s->n};
    struct span row;

    if (s->n == 0 || file == 0 || index_get(c->index, c->txn, INDEX_FILE, &k, &row) == 0)
        return true;
    check_finding(c, FINDING_LIVE, true, "log file %llu counts no live bytes and has %llu",
                  ull(file), ull(f.live_bytes));
    put(c, INDEX_FILE, &k, &f, sizeof(f));
    return c->err == 0;
}

/* ------------------------------------------------------------------ queue */
static struct key due_of(const struct row_queue *q, uint64_t id)
{
    struct key k = key_u64(q->next_try < 0 ? 0 : (uint64_t)q->next_try);
    key_add_u64(&k, id);
    return k;
}

static void on_queue(struct check *c, const struct key *k, struct span row)
{
    struct arena *a = arena_new(4 << 20);
    struct queue_entry q;
    struct span due;
    int err;

    if (k->n != 8 || !rd_queue_entry(row, a, &q)) {
        check_finding(c, FINDING_QUEUE, true, "an item of the queue cannot be read");
        del(c, INDEX_QUEUE, k);
        arena_free(a);
        return;
    }
    uint64_t id = key_get_u64(k->b);
    struct row_queue *r = &q.row;
    struct place body = {r->body_file, r->body_at, r->body_bytes};
    struct place summary = {r->summary_file, r->summary_at, r->summary_bytes};
    struct place prefix = {r->prefix_file, r->prefix_at, r->prefix_bytes};
    struct key d = due_of(r, id);
    c->queued++;
    if ((err = prove_body(c, r->marks, body)) != 0 ||
        (prefix.bytes && (err = prove(c, prefix)) != 0)) {
        check_finding(c, FINDING_QUEUE, true, "message %llu of the queue, of <%.*s>: %s", ull(id),
                      (int)q.sender.n, q.sender.p ? q.sender.p : "", why(err));
        if (c->repair) {
            del(c, INDEX_DUE, &d);
            del(c, INDEX_QUEUE, k);
            arena_free(a);
            return;
        }
    }
    count_body(c, r->body, r->marks, body, summary);
    if (prefix.bytes)
        sum_add(c->files_live, prefix.file, blob_cost(prefix.bytes));
    if (!r->frozen && index_get(c->index, c->txn, INDEX_DUE, &d, &due) != 0) {
        check_finding(c, FINDING_QUEUE, true, "message %llu of the queue would never be tried",
                      ull(id));
        put(c, INDEX_DUE, &d, "", 0);
    }
    arena_free(a);
}

static void on_due(struct check *c, const struct key *k, struct span row)
{
    struct row_queue q;
    uint64_t id = k->n == 16 ? key_get_u64(k->b + 8) : 0;
    struct key qk = key_u64(id);

    if (k->n == 16 && index_get_row(c->index, c->txn, INDEX_QUEUE, &qk, &q, sizeof(q)) == 0) {
        struct key d = due_of(&q, id);
        if (!q.frozen && memcmp(d.b, k->b, 16) == 0)
            return;
    }
    check_finding(c, FINDING_QUEUE, true,
                  "a time is kept for message %llu of the queue that it "
                  "has not",
                  ull(id));
    del(c, INDEX_DUE, k);
}

/* ------------------------------------------------------------------ Message-IDs and other names */
static void on_history(struct check *c, const struct key *k, struct span row)
{
    struct row_history h = {0};

    if (row.n >= sizeof(h))
        memcpy(&h, row.p, sizeof(h));
    size_t head = sizeof(h) + h.count * sizeof(struct row_place);
    if (row.n == head + h.id_bytes && h.id_bytes > 0) {
        struct key want = key_message_id(c->state.hash_seed, 0, span_skip(row, head));
        if (want.n == k->n && memcmp(want.b, k->b, k->n) == 0)
            return;
    }
    check_finding(c, FINDING_HISTORY, true, "a row of the history of Message-IDs cannot be read");
    del(c, INDEX_HISTORY, k);
}

static void on_arrived(struct check *c, const struct key *k, struct span row)
{
    struct key want = key_message_id(c->state.hash_seed, 0, row);
    struct span h;

    if (k->n == 16 && index_get(c->index, c->txn, INDEX_HISTORY, &want, &h) == 0)
        return;
    check_finding(c, FINDING_HISTORY, true,
                  "the list of arrivals names a Message-ID that is not "
                  "in the history");
    del(c, INDEX_ARRIVED, k);
}

static void on_seen(struct check *c, const struct key *k, struct span row)
{
    if (k->n == 24 && row.n == 8)
        return;
    check_finding(c, FINDING_HISTORY, true, "a row of deliveries cannot be read");
    del(c, INDEX_SEEN, k);
}

static void on_subscription(struct check *c, const struct key *k, struct span row)
{
    struct key want = {.n = 0};

    if (k->n > 16 && row.n > 0 && row.n <= STORE_NAME_MAX) {
        memcpy(want.b, k->b, 16);
        want.n = 16;
        key_add_name(&want, row);
        if (want.n == k->n && memcmp(want.b, k->b, k->n) == 0)
            return;
    }
    check_finding(c, FINDING_NAME, true, "a subscription cannot be read");
    del(c, INDEX_SUBSCRIPTION, k);
}

static void on_mark(struct check *c, const struct key *k, struct span row)
{
    if (row.n != sizeof(struct row_mark))
        check_finding(c, FINDING_ROW, false, "a row of newsgroup numbers cannot be read");
}

void check_index(struct check *c)
{
    struct key k = {.n = 5};
    int err;

    c->boxes = map64_new();
    c->accounts = map64_new();
    c->shared = map64_new();
    c->files_live = map64_new();
    c->proved = map64_new();
    buf_init(&c->room, 64 << 20);
    memcpy(k.b, "state", 5);
    err = index_get_row(c->index, c->txn, INDEX_STATE, &k, &c->state, sizeof(c->state));
    if (err) {
        c->err = err;
        return;
    }
    each(c, INDEX_MAILBOX, "mailboxes", on_mailbox);
    each(c, INDEX_DOOMED, "removed mailboxes", on_doomed);
    each(c, INDEX_NAME, "names", on_name);
    each(c, INDEX_KEYWORD, "keywords", on_keyword);
    each(c, INDEX_MESSAGE, "messages", on_message);
    each(c, INDEX_QUEUE, "queue", on_queue);
    each(c, INDEX_DUE, "queue", on_due);
    each(c, INDEX_CHANGE, "change log", on_change);
    each(c, INDEX_READ, "read marks", on_read);
    if (!c->err)
        map64_each(c->boxes, sum_mailbox, c);
    each(c, INDEX_ADDRESS, "addresses", on_address);
    each(c, INDEX_NAMED, "addresses", on_named);
    each(c, INDEX_ACCOUNT, "accounts", on_account);
    each(c, INDEX_SHARED, "references", on_shared);
    if (!c->err)
        map64_each(c->shared, shared_has_row, c);
    check_lone(c);
    each(c, INDEX_FILE, "log files", on_file);
    if (!c->err)
        map64_each(c->files_live, file_has_row, c);
    each(c, INDEX_HISTORY, "history", on_history);
    each(c, INDEX_ARRIVED, "history", on_arrived);
    each(c, INDEX_SEEN, "deliveries", on_seen);
    each(c, INDEX_SUBSCRIPTION, "subscriptions", on_subscription);
    each(c, INDEX_MARK, "newsgroups", on_mark);
    each(c, INDEX_ACL, "rights", on_acl);
    each(c, INDEX_GRANTED, "rights", on_granted);
    each(c, INDEX_NOTE, "annotations", on_note);
}

static bool free_box(uint64_t key, void *value, void *arg)
{
    struct box *b = value;
    free(b->name);
    free(b);
    return true;
}

static bool free_sum(uint64_t key, void *value, void *arg)
{
    free(value);
    return true;
}

void check_done(struct check *c)
{
    struct map64 *sums[] = {c->accounts, c->shared, c->files_live};

    if (c->boxes)
        map64_each(c->boxes, free_box, NULL);
    map64_free(c->boxes);
    for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
        if (sums[i])
            map64_each(sums[i], free_sum, NULL);
        map64_free(sums[i]);
    }
    map64_free(c->proved);
    free(c->lone);
    buf_done(&c->room);
    c->boxes = c->accounts = c->shared = c->files_live = c->proved = NULL;
    c->lone = NULL;
    c->lone_count = c->lone_cap = 0;
}
