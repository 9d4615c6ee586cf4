/*
 * check_parts.h: what the files of the check of the index share. A row is looked at by the function of
 * its table (check_on_…), which may change it where c->repair; check_index calls one table after the
 * other, since some need what others add up to.
 */
#ifndef STORE_CHECK_PARTS_H
#define STORE_CHECK_PARTS_H

#include "store/check.h"
#include "store/effect_parts.h"

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

static inline unsigned long long ull(uint64_t n)
{
    return n;
}

/* check_index.c */
void check_each(struct check *c, enum index_table table, const char *what, row_fn fn);
void check_put(struct check *c, enum index_table t, const struct key *k, const void *p, size_t n);
void check_del(struct check *c, enum index_table t, const struct key *k);
void check_sum_add(struct map64 *m, uint64_t key, int64_t n);
int64_t check_sum_of(const struct map64 *m, uint64_t key);

/* check_proved.c */
void check_proved_add(struct check *c, struct place p); /* in the order of the log */
bool check_is_proved(struct check *c, struct place p);
void check_proved_done(struct check *c);

/* check_mailbox.c */
void check_on_mailbox(struct check *c, const struct key *k, struct span row);
void check_on_doomed(struct check *c, const struct key *k, struct span row);
void check_on_name(struct check *c, const struct key *k, struct span row);
void check_on_keyword(struct check *c, const struct key *k, struct span row);
bool check_sum_mailbox(uint64_t id, void *value, void *arg);
void check_on_address(struct check *c, const struct key *k, struct span row);
void check_on_named(struct check *c, const struct key *k, struct span row);
void check_on_account(struct check *c, const struct key *k, struct span row);

/* check_message.c */
int check_prove(struct check *c, struct place p);
const char *check_why(int err);
void check_count_body(struct check *c, uint64_t body, uint16_t marks, struct place at,
                      struct place summary);
int check_prove_body(struct check *c, struct place body);
void check_on_message(struct check *c, const struct key *k, struct span row);
void check_on_change(struct check *c, const struct key *k, struct span row);
void check_on_shared(struct check *c, const struct key *k, struct span row);
bool check_shared_has_row(uint64_t body, void *value, void *arg);
void check_lone(struct check *c);
void check_on_file(struct check *c, const struct key *k, struct span row);
bool check_file_has_row(uint64_t file, void *value, void *arg);

/* check_annex.c */
void check_on_acl(struct check *c, const struct key *k, struct span row);
void check_on_granted(struct check *c, const struct key *k, struct span row);
void check_on_note(struct check *c, const struct key *k, struct span row);
void check_on_read(struct check *c, const struct key *k, struct span row);

/* check_queue.c */
void check_on_queue(struct check *c, const struct key *k, struct span row);
void check_on_due(struct check *c, const struct key *k, struct span row);
void check_on_history(struct check *c, const struct key *k, struct span row);
void check_on_arrived(struct check *c, const struct key *k, struct span row);
void check_on_seen(struct check *c, const struct key *k, struct span row);
void check_on_subscription(struct check *c, const struct key *k, struct span row);
void check_on_mark(struct check *c, const struct key *k, struct span row);

#endif
