/* check_mailbox.c: mailboxes and accounts: names, keywords, and what their rows add up to. */
#include "store/check_parts.h"

#include "base/check.h"
#include <errno.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ mailboxes */
void check_on_mailbox(struct check *c, const struct key *k, struct span row)
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
        check_put(c, INDEX_NAME, &n, &id, sizeof(id));
    }
    if (id >= c->state.next_mailbox)
        check_finding(c, FINDING_ROW, false, "mailbox %llu has a number that was never given out",
                      ull(id));
}

void check_on_doomed(struct check *c, const struct key *k, struct span row)
{
    struct box *b;

    if (k->n != 8) {
        check_finding(c, FINDING_ROW, false, "a row of removed mailboxes cannot be read");
        return;
    }
    if (map64_get(c->boxes, key_get_u64(k->b))) {
        check_finding(c, FINDING_ORPHAN, true, "mailbox %llu is there and marked as removed",
                      ull(key_get_u64(k->b)));
        check_del(c, INDEX_DOOMED, k);
        return;
    }
    b = calloc(1, sizeof(*b));
    CHECK(b);
    b->doomed = true;
    b->row.uidnext = UINT32_MAX;
    b->row.highestmodseq = UINT64_MAX;
    map64_set(c->boxes, key_get_u64(k->b), b);
}

void check_on_name(struct check *c, const struct key *k, struct span row)
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
    check_del(c, INDEX_NAME, k);
}

void check_on_keyword(struct check *c, const struct key *k, struct span row)
{
    struct span names[STORE_KEYWORDS_MAX];
    struct box *b = k->n == 8 ? map64_get(c->boxes, key_get_u64(k->b)) : NULL;
    unsigned n = index_keywords(row, names);

    if (!b) {
        check_finding(c, FINDING_ORPHAN, true, "keywords of a mailbox that is not there");
        check_del(c, INDEX_KEYWORD, k);
    } else if (!b->doomed && b->row.keywords != n) {
        check_finding(c, FINDING_COUNTER, true, "mailbox %llu counts %u keywords and has %u",
                      ull(key_get_u64(k->b)), b->row.keywords, n);
        b->row.keywords = (uint16_t)n;
        b->highest = UINT64_MAX; /* its row is written anew */
    }
}

/* ------------------------------------------------------------------ sums */
bool check_sum_mailbox(uint64_t id, void *value, void *arg)
{
    struct check *c = arg;
    struct box *b = value;
    struct row_mailbox want = b->row;
    bool rewrite = b->highest == UINT64_MAX; /* keywords */

    if (b->doomed)
        return true;
    if (rewrite)
        b->highest = b->row.highestmodseq;
    check_sum_add(c->accounts, b->row.account, (int64_t)b->bytes);
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
        check_put(c, INDEX_MAILBOX, &k, row.p, row.n);
        buf_done(&row);
    }
    return c->err == 0;
}

/* What the accounts of each domain use together; accounts have been summed up before. */
void check_on_address(struct check *c, const struct key *k, struct span row)
{
    struct row_address a;
    struct key n = {.n = 0};
    uint64_t account;

    if (k->n != 8 || row.n <= sizeof(a)) {
        check_finding(c, FINDING_ROW, true, "the address of an account cannot be read");
        check_del(c, INDEX_ADDRESS, k);
        return;
    }
    memcpy(&a, row.p, sizeof(a));
    uint64_t id = key_get_u64(k->b);
    if (a.domain)
        check_sum_add(c->accounts, a.domain, check_sum_of(c->accounts, id));
    key_add_name(&n, span_skip(row, sizeof(a)));
    if (index_get_row(c->index, c->txn, INDEX_NAMED, &n, &account, sizeof(account)) == 0 &&
        account == id)
        return;
    check_finding(c, FINDING_NAME, true, "account %llu is not found by its address", ull(id));
    check_put(c, INDEX_NAMED, &n, &id, sizeof(id));
}

void check_on_named(struct check *c, const struct key *k, struct span row)
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
    check_del(c, INDEX_NAMED, k);
}

void check_on_account(struct check *c, const struct key *k, struct span row)
{
    struct row_account a;

    if (k->n != 8 || row.n < sizeof(a)) {
        check_finding(c, FINDING_ROW, false, "a row of accounts cannot be read");
        return;
    }
    memcpy(&a, row.p, sizeof(a));
    uint64_t id = key_get_u64(k->b), used = (uint64_t)check_sum_of(c->accounts, id);
    if (a.used_bytes != used) {
        check_finding(c, FINDING_COUNTER, true, "account %llu counts %llu bytes and has %llu",
                      ull(id), ull(a.used_bytes), ull(used));
        a.used_bytes = used;
        check_put(c, INDEX_ACCOUNT, k, &a, sizeof(a));
    }
    if (a.inbox && a.state != ACCOUNT_DELETED && !map64_get(c->boxes, a.inbox))
        check_finding(c, FINDING_ROW, false, "account %llu has no INBOX", ull(id));
}
