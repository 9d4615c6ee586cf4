/* check_annex.c: rights, annotations and read marks. */
#include "store/check_parts.h"

#include "store/acl.h"
#include "store/marks.h"
#include <errno.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ rights, annotations, marks */
void check_on_acl(struct check *c, const struct key *k, struct span row)
{
    struct row_acl a;
    uint32_t rights;

    if (k->n <= 8 || row.n != sizeof(a)) {
        check_finding(c, FINDING_ROW, true, "a row of rights cannot be read");
        check_del(c, INDEX_ACL, k);
        return;
    }
    memcpy(&a, row.p, sizeof(a));
    uint64_t mailbox = key_get_u64(k->b);
    const struct box *b = map64_get(c->boxes, mailbox);
    if (!b || b->doomed) {
        check_finding(c, FINDING_ORPHAN, true, "rights for mailbox %llu, which is not there",
                      ull(mailbox));
        check_del(c, INDEX_ACL, k);
        return;
    }
    struct key g = key_granted(a.grantee, mailbox);
    if (index_get_row(c->index, c->txn, INDEX_GRANTED, &g, &rights, sizeof(rights)) == 0 &&
        rights == a.rights)
        return;
    check_finding(c, FINDING_NAME, true, "rights for mailbox %llu do not reach who has them",
                  ull(mailbox));
    rights = a.rights;
    check_put(c, INDEX_GRANTED, &g, &rights, sizeof(rights));
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
void check_on_granted(struct check *c, const struct key *k, struct span row)
{
    struct grantee_search s = {.found = false};

    if (k->n == 16 && row.n == sizeof(uint32_t)) {
        s.grantee = key_get_u64(k->b);
        acl_each(c->index, c->txn, key_get_u64(k->b + 8), on_entry, &s);
    }
    if (s.found)
        return;
    check_finding(c, FINDING_ORPHAN, true, "somebody has rights that stand in no list");
    check_del(c, INDEX_GRANTED, k);
}

void check_on_note(struct check *c, const struct key *k, struct span row)
{
    uint64_t mailbox = k->n > 16 ? key_get_u64(k->b) : UINT64_MAX;

    if (mailbox == 0 || map64_get(c->boxes, mailbox))
        return;
    check_finding(c, FINDING_ORPHAN, true, "an annotation of a mailbox that is not there");
    check_del(c, INDEX_NOTE, k);
}

void check_on_read(struct check *c, const struct key *k, struct span row)
{
    struct box *b = k->n == 20 ? map64_get(c->boxes, key_get_u64(k->b)) : NULL;

    if (!b || !marks_sane(row)) {
        check_finding(c, FINDING_ORPHAN, true,
                      b ? "read marks that cannot be read"
                        : "read marks of a mailbox that is not there");
        check_del(c, INDEX_READ, k);
        return;
    }
    for (unsigned at = 0; at < MARKS_CHUNK && !b->doomed; at++) {
        uint64_t modseq = marks_get(row, at).modseq;
        if (modseq > b->highest)
            b->highest = modseq;
    }
}
