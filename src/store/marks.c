#include "store/marks.h"

#include "base/check.h"

struct PACKED run {
    uint64_t modseq;
    uint8_t first, last, seen;
};
ROW_SIZE(run, MARKS_ROW_MAX / MARKS_CHUNK);

static struct run run_at(struct span row, size_t i)
{
    struct run r;

    memcpy(&r, row.p + i * sizeof(r), sizeof(r));
    return r;
}

struct key key_marks(uint64_t mailbox, uint64_t account, uint32_t chunk)
{
    struct key k = key_u64(mailbox);

    key_add_u64(&k, account);
    key_add_u32(&k, chunk);
    return k;
}

struct mark marks_get(struct span row, unsigned at)
{
    size_t low = 0, high = row.n / sizeof(struct run);

    while (low < high) { /* the first run that does not end before it */
        size_t middle = (low + high) / 2;
        if (run_at(row, middle).last < at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == row.n / sizeof(struct run))
        return (struct mark){false, 0};
    struct run r = run_at(row, low);
    return r.first <= at ? (struct mark){r.seen, r.modseq} : (struct mark){false, 0};
}

bool marks_sane(struct span row)
{
    int last = -1;

    if (row.n == 0 || row.n % sizeof(struct run) != 0 || row.n > MARKS_ROW_MAX)
        return false;
    for (size_t i = 0; i < row.n / sizeof(struct run); i++) {
        struct run r = run_at(row, i);
        if (r.first <= last || r.last < r.first || r.seen > 1 || r.modseq == 0)
            return false;
        last = r.last;
    }
    return true;
}

size_t marks_set(struct span row, const uint8_t *at, size_t count, struct mark mark, uint64_t floor,
                 char ret[MARKS_ROW_MAX])
{
    struct mark all[MARKS_CHUNK] = {
        {false, 0}
    };
    size_t n = 0;

    for (size_t i = 0; i < row.n / sizeof(struct run); i++) {
        struct run r = run_at(row, i);
        for (unsigned k = r.first; k <= r.last; k++)
            all[k] = (struct mark){r.seen, r.modseq < floor ? floor : r.modseq};
    }
    for (size_t i = 0; i < count; i++)
        all[at[i]] = mark;
    for (unsigned k = 0; k < MARKS_CHUNK;) {
        unsigned first = k++;
        if (all[first].modseq == 0)
            continue;
        while (k < MARKS_CHUNK && all[k].modseq == all[first].modseq &&
               all[k].seen == all[first].seen)
            k++;
        struct run r = {all[first].modseq, (uint8_t)first, (uint8_t)(k - 1), all[first].seen};
        memcpy(ret + n, &r, sizeof(r));
        n += sizeof(r);
    }
    return n;
}

struct marks_reader marks_reader(const struct index *x, MDB_txn *t, uint64_t mailbox,
                                 uint64_t account)
{
    return (struct marks_reader){x, t, mailbox, account, UINT32_MAX, SPAN_EMPTY};
}

struct mark marks_of(struct marks_reader *r, uint32_t uid)
{
    uint32_t chunk = uid / MARKS_CHUNK;

    if (chunk != r->chunk) {
        struct key k = key_marks(r->mailbox, r->account, chunk);
        if (index_get(r->index, r->txn, INDEX_READ, &k, &r->row) != 0)
            r->row = SPAN_EMPTY;
        r->chunk = chunk;
    }
    return marks_get(r->row, uid % MARKS_CHUNK);
}
