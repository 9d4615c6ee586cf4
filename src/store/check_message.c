/* check_message.c: messages, their bytes in the log, what changed of them, and who shares a body. */
#include "store/check_parts.h"

#include "base/check.h"
#include "store/effect_parts.h"
#include <errno.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ bytes in the log */
/* 0; else what is wrong with them. */
int check_prove(struct check *c, struct place p)
{
    struct buf b = BUF((size_t)UINT32_MAX);
    int fd = journal_fd(c->journal, p.file), err;

    if (check_is_proved(c, p))
        return 0;
    if (fd < 0)
        return -ENOENT;
    err = blob_read(fd, p.at, p.bytes, true, &b);
    buf_done(&b);
    return err;
}

const char *check_why(int err)
{
    return err == -ENOENT    ? "its log file is gone"
           : err == -EBADMSG ? "its checksum is wrong"
                             : strerror(-err);
}

void check_count_body(struct check *c, uint64_t body, uint16_t marks, struct place at,
                      struct place summary)
{
    bool shared = marks & ROW_SHARED;

    if (shared) {
        check_sum_add(c->shared, body, 1);
        if (check_sum_of(c->shared, body) > 1)
            return;
    } else {
        if (c->lone_count == c->lone_cap) {
            c->lone_cap = c->lone_cap ? c->lone_cap * 2 : 1024;
            c->lone = realloc(c->lone, c->lone_cap * sizeof(*c->lone));
            CHECK(c->lone);
        }
        c->lone[c->lone_count++] = body;
    }
    check_sum_add(c->files_live, at.file, blob_cost(at.bytes));
    if (summary.bytes)
        check_sum_add(c->files_live, summary.file, blob_cost(summary.bytes));
}

/* Of a row that stays. */
int check_prove_body(struct check *c, struct place body)
{
    int err = check_prove(c, body);

    if (err)
        return err;
    c->bodies++;
    c->body_bytes += body.bytes;
    return 0;
}

/* ------------------------------------------------------------------ messages */
static void drop_message(struct check *c, const struct key *k, struct box *b, uint32_t uid,
                         const struct row_message *m)
{
    struct key ck = key_change(key_get_u64(k->b), m->modseq, uid);
    struct row_change gone = {1, m->saved};

    check_del(c, INDEX_CHANGE, &ck);
    check_del(c, INDEX_MESSAGE, k);
    if (!b || b->doomed)
        return;
    /* Clients that ask what changed are told. */
    uint64_t modseq =
        (b->highest > b->row.highestmodseq && b->highest != UINT64_MAX ? b->highest
                                                                       : b->row.highestmodseq) +
        1;
    b->highest = modseq;
    ck = key_change(key_get_u64(k->b), modseq, uid);
    check_put(c, INDEX_CHANGE, &ck, &gone, sizeof(gone));
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
        check_put(c, INDEX_CHANGE, &ck, &r, sizeof(r));
    }
    return true;
}

void check_on_message(struct check *c, const struct key *k, struct span row)
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
        check_put(c, INDEX_DOOMED, &d, &nobody, sizeof(nobody));
    }
    struct place body = {m.body_file, m.body_at, m.body_bytes};
    struct place summary = {m.summary_file, m.summary_at, m.summary_bytes};
    struct place prefix = {m.prefix_file, m.prefix_at, m.prefix_bytes};
    if ((err = check_prove_body(c, body)) != 0 ||
        (prefix.bytes && (err = check_prove(c, prefix)) != 0)) {
        check_finding(c, FINDING_BODY_LOST, true,
                      "message %u of mailbox %llu (%.*s): %s (log file %u at %u)", uid,
                      ull(mailbox), b && b->name ? (int)b->row.name_bytes : 0,
                      b && b->name ? b->name : "", check_why(err), body.file, body.at);
        if (c->repair) {
            drop_message(c, k, b, uid, &m);
            return;
        }
    }
    if (summary.bytes && (err = check_prove(c, summary)) != 0) {
        check_finding(c, FINDING_SUMMARY_LOST, true, "summary of message %u of mailbox %llu: %s",
                      uid, ull(mailbox), check_why(err));
        if (c->repair) {
            m.summary_bytes = m.summary_file = m.summary_at = 0;
            summary = (struct place){0, 0, 0};
            check_put(c, INDEX_MESSAGE, k, &m, sizeof(m));
        }
    }
    message_sane(c, mailbox, uid, &m);
    check_count_body(c, m.body, m.marks, body, summary);
    if (prefix.bytes)
        check_sum_add(c->files_live, prefix.file, blob_cost(prefix.bytes));
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
void check_on_change(struct check *c, const struct key *k, struct span row)
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
    check_del(c, INDEX_CHANGE, k);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

void check_on_shared(struct check *c, const struct key *k, struct span row)
{
    uint32_t n;

    if (k->n != 8 || row.n != sizeof(n)) {
        check_finding(c, FINDING_ROW, false, "a row of references cannot be read");
        return;
    }
    memcpy(&n, row.p, sizeof(n));
    uint64_t body = key_get_u64(k->b);
    uint32_t have = (uint32_t)check_sum_of(c->shared, body);
    if (n == have)
        return;
    check_finding(c, FINDING_REFERENCES, true, "body %llx counts %u references and has %u",
                  ull(body), n, have);
    if (have >= 2)
        check_put(c, INDEX_SHARED, k, &have, sizeof(have));
    else
        check_del(c, INDEX_SHARED, k);
}

bool check_shared_has_row(uint64_t body, void *value, void *arg)
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
    check_put(c, INDEX_SHARED, &k, &n, sizeof(n));
    return c->err == 0;
}

/* Rows that say that nobody shares their body. */
void check_lone(struct check *c)
{
    if (c->lone_count > 1)
        qsort(c->lone, c->lone_count, sizeof(*c->lone), by_number);
    for (size_t i = 0; i < c->lone_count; i++) {
        if (check_sum_of(c->shared, c->lone[i]) > 0 || (i > 0 && c->lone[i] == c->lone[i - 1]))
            check_finding(c, FINDING_ROW, false,
                          "body %llx is used by a message that does not know that others use it",
                          ull(c->lone[i]));
    }
}

void check_on_file(struct check *c, const struct key *k, struct span row)
{
    struct row_file f;

    if (k->n != 8 || row.n != sizeof(f)) {
        check_finding(c, FINDING_ROW, false, "a row of log files cannot be read");
        return;
    }
    memcpy(&f, row.p, sizeof(f));
    uint64_t file = key_get_u64(k->b), live = (uint64_t)check_sum_of(c->files_live, file);
    if (f.live_bytes == live)
        return;
    check_finding(c, FINDING_LIVE, true, "log file %llu counts %llu live bytes and has %llu",
                  ull(file), ull(f.live_bytes), ull(live));
    f.live_bytes = live;
    check_put(c, INDEX_FILE, k, &f, sizeof(f));
}

bool check_file_has_row(uint64_t file, void *value, void *arg)
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
    check_put(c, INDEX_FILE, &k, &f, sizeof(f));
    return c->err == 0;
}
