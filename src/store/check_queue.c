/* check_queue.c: the queue, Message-IDs, subscriptions, numbers of newsgroups. */
#include "store/check_parts.h"

#include "store/queue_item.h"
#include <errno.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ queue */
static struct key due_of(const struct row_queue *q, uint64_t id)
{
    struct key k = key_u64(q->next_try < 0 ? 0 : (uint64_t)q->next_try);
    key_add_u64(&k, id);
    return k;
}

void check_on_queue(struct check *c, const struct key *k, struct span row)
{
    struct arena *a = arena_new(4 << 20);
    struct queue_entry q;
    struct span due;
    int err;

    if (k->n != 8 || !rd_queue_entry(row, a, &q)) {
        check_finding(c, FINDING_QUEUE, true, "an item of the queue cannot be read");
        check_del(c, INDEX_QUEUE, k);
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
    if ((err = check_prove_body(c, body)) != 0 ||
        (prefix.bytes && (err = check_prove(c, prefix)) != 0)) {
        check_finding(c, FINDING_QUEUE, true, "message %llu of the queue, of <%.*s>: %s", ull(id),
                      (int)q.sender.n, q.sender.p ? q.sender.p : "", check_why(err));
        if (c->repair) {
            check_del(c, INDEX_DUE, &d);
            check_del(c, INDEX_QUEUE, k);
            arena_free(a);
            return;
        }
    }
    check_count_body(c, r->body, r->marks, body, summary);
    if (prefix.bytes)
        check_sum_add(c->files_live, prefix.file, blob_cost(prefix.bytes));
    if (!r->frozen && index_get(c->index, c->txn, INDEX_DUE, &d, &due) != 0) {
        check_finding(c, FINDING_QUEUE, true, "message %llu of the queue would never be tried",
                      ull(id));
        check_put(c, INDEX_DUE, &d, "", 0);
    }
    arena_free(a);
}

void check_on_due(struct check *c, const struct key *k, struct span row)
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
    check_del(c, INDEX_DUE, k);
}

/* ------------------------------------------------------------------ Message-IDs and other names */
void check_on_history(struct check *c, const struct key *k, struct span row)
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
    check_del(c, INDEX_HISTORY, k);
}

void check_on_arrived(struct check *c, const struct key *k, struct span row)
{
    struct key want = key_message_id(c->state.hash_seed, 0, row);
    struct span h;

    if (k->n == 16 && index_get(c->index, c->txn, INDEX_HISTORY, &want, &h) == 0)
        return;
    check_finding(c, FINDING_HISTORY, true,
                  "the list of arrivals names a Message-ID that is not "
                  "in the history");
    check_del(c, INDEX_ARRIVED, k);
}

void check_on_seen(struct check *c, const struct key *k, struct span row)
{
    if (k->n == 24 && row.n == 8)
        return;
    check_finding(c, FINDING_HISTORY, true, "a row of deliveries cannot be read");
    check_del(c, INDEX_SEEN, k);
}

void check_on_subscription(struct check *c, const struct key *k, struct span row)
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
    check_del(c, INDEX_SUBSCRIPTION, k);
}

void check_on_mark(struct check *c, const struct key *k, struct span row)
{
    if (row.n != sizeof(struct row_mark))
        check_finding(c, FINDING_ROW, false, "a row of newsgroup numbers cannot be read");
}
