/*
 * engine.h: the heart of stored, without a loop: it turns requests (intents) into records, applies
 * them to the index, and makes batches of them durable. One thread; only engine_batch_sync may run
 * on another, while nothing else is called but the reading of links.
 *
 *     engine_batch_begin(e, bytes);
 *     while (...) status = engine_execute(e, &intent);   // any number
 *     engine_batch_sync(e);                              // write + fdatasync; may run on another
 * thread engine_batch_commit(e);                            // now it is visible; send the answers,
 * then engine_changed
 *
 * What a request does is decided once, by plan_*.c, and written as effects (effect.h). The same
 * code applies the effects when they are decided and when the log is read again.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "store/answers.h"
#include "store/effect.h"
#include "store/grant.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/store_msg.h"

enum {
    ENGINE_PIECE_MAX = 1000,       /* messages changed by one record */
    ENGINE_BATCH_BYTES = 16 << 20, /* of a batch; one large message may exceed it */
    ENGINE_CHECKPOINT_BYTES = 64 << 20,
    ENGINE_CHECKPOINT_MS = 1000,
    ENGINE_START_HOLD_MS = 10000,
    ENGINE_SEEN_SECONDS = 7 * 86400, /* how long a second delivery of a Message-ID is suppressed */
    ENGINE_ANSWERS_MS = 30000,       /* how long answers are found again */
};

struct engine_options {
    const char *root; /* data folder */
    uint64_t map_bytes, log_file_bytes;
    uint64_t change_log_seconds; /* how long expunged messages stay in the change log */
    uint64_t history_seconds;    /* and Message-IDs of articles that are gone; 0: for ever */
    uint64_t min_free_bytes;     /* below: -ENOSPC to what adds bytes */
    const unsigned char *grant_secret;
    uint64_t checkpoint_ms; /* 0: ENGINE_CHECKPOINT_MS */
    /* So long after a start a worker may still read without being attached: no page is given up. 0:
     * ENGINE_START_HOLD_MS */
    uint64_t start_hold_ms;
    uint64_t answers_ms; /* 0: ENGINE_ANSWERS_MS */
    /* Log files of which less than so many percent live are compacted; 0: never. */
    unsigned compact_percent;
    uint64_t compact_rate; /* bytes a second that are copied; 0: as fast as may be */
    /* Of a mailbox: entries in its list of rights, annotations, bytes of one; 0: as annex.h says. */
    unsigned acl_entries, note_entries, note_bytes;
};

/* A mailbox as of the batch at hand. Written to the index when the batch is committed. */
struct mbox {
    uint64_t id;
    struct row_mailbox row;
    char name[STORE_NAME_MAX];
    uint64_t changed_txn; /* index transaction that changed it last, as far as known */
    bool dirty, find_unseen;
    struct list lru;
};

struct held { /* a read transaction that keeps pages from being reused */
    MDB_txn *txn;
    uint64_t id;
    struct journal_position position;
};

struct account {
    uint64_t id;
    struct row_account row;
    bool dirty;
    /* Its domain's row, which counts what all its accounts use; 0: none. Domains stand among the
     * accounts, as domain_number has them, and have no state. */
    uint64_t domain;
};

struct area { /* what a worker shares; it may change at any time: copy, then look */
    const char *p;
    size_t n;
};

struct engine {
    struct engine_options options;
    int lock_fd;
    struct index index;
    struct journal journal;
    struct row_state state;
    MDB_txn *txn; /* of the batch at hand */
    bool behind;  /* it holds batches that are durable and answered: engine_batch_keep */
    bool failed;  /* for good: nothing is acknowledged any more */
    bool no_room; /* for the batch at hand */
    bool replaying;
    bool leftovers; /* something deleted may still have rows */

    struct map64 *mailboxes; /* struct mbox */
    struct list lru;
    struct map64 *accounts; /* struct account */
    struct map64 *files;    /* live bytes: struct live */
    uint64_t *dirty_mailboxes;
    size_t dirty_count, dirty_cap;
    struct account **dirty_accounts;
    size_t dirty_account_count, dirty_account_cap;
    struct buf effects, commit;
    struct rangeset scratch;
    struct arena *arena; /* of one request */

    uint64_t *changed; /* mailboxes that the batch changed, for notes */
    size_t changed_count, changed_cap;
    bool queue_changed;
    int64_t now;              /* seconds, of the request at hand */
    uint64_t record_sequence; /* of the record at hand */

    struct answers answers;
    struct list leases;     /* struct lease, queue.c */
    struct key seen_next;   /* where the look for old Message-IDs goes on */
    uint64_t trim_next;     /* mailbox whose change log is looked at next */
    uint64_t trim_modseq;   /* and from where */
    struct key forget_next; /* the look for old articles' Message-IDs goes on */

    struct held *held; /* ascending; [0] is what index pages are kept for */
    size_t held_count;
    struct checkpoint_point {
        struct journal_position position;
        uint64_t ms;
    } points[64];
    unsigned point_count;
    struct journal_position last_checkpoint;
    /* From this log file on records may be read again for their answers: as committed, and as it
     * stands in the index of the last checkpoint. */
    uint32_t answers_committed, answers_durable;
    struct compact *compact;
    uint64_t checkpoint_ms;
    uint64_t free_checked_ms;
    uint64_t index_reserved; /* so far the index has blocks */
    bool disk_full;
    struct engine_stats {
        uint64_t requests, records, batches, bytes, checkpoints, replayed, repeats;
    } stats;
    struct grant_cache *grants;
};

/* Opens, recovers, replays. `e` says in words what is wrong. */
int engine_open(struct engine **ret, const struct engine_options *o, struct err *err);
/* With nothing open yet, for replay_copy; engine_close ends it. */
struct engine *engine_new(const struct engine_options *o);
/* clean: a last checkpoint, and the mark that the index is whole. */
void engine_close(struct engine *e, bool clean);

struct intent {
    enum role role;
    unsigned kind; /* MSG_STORE_… */
    uint64_t client, link;
    struct area areas[STORE_AREAS];
    struct span payload;
    uint64_t progress; /* of a request that takes several records; 0 at first */
    struct buf *answer;
    bool more; /* execute again */
    bool told; /* the answer has all that is new to who asked: he need not read it */
};

int engine_batch_begin(struct engine *e, uint64_t bytes);
/* The status of the answer, or with more set a wish to be called again (in this batch or a later
 * one). */
int engine_execute(struct engine *e, struct intent *i);
void engine_batch_drop(struct engine *e); /* of an empty one */
bool engine_batch_empty(const struct engine *e);
uint64_t engine_batch_bytes(const struct engine *e);
int engine_batch_sync(struct engine *e);
int engine_batch_commit(struct engine *e);
/* In place of the commit: the batch is durable, and the index gets it together with later ones, by
 * the next commit or engine_catch_up. What reads the index does not see it until then. */
void engine_batch_keep(struct engine *e);
int engine_catch_up(struct engine *e); /* between batches */
/* There was no room (-ENOSPC, -EDQUOT) in the plans or the sync: takes all of the batch back. The
 * store goes on; 0, or it has failed. */
int engine_batch_undo(struct engine *e);
bool engine_no_room(int err);
/* All three at once, for internal work and tests. */
int engine_run(struct engine *e, struct intent *i);
/* Something is left of what was deleted: do a piece of it. True if there may be more. */
bool engine_housekeep(struct engine *e);

/* Asks without changing: STORE_QUEUE_LEASE, _BODY, lists, STAT. */
int engine_ask(struct engine *e, struct intent *i, int *ret_fd);
/* The link is gone: its leases end. */
void engine_link_gone(struct engine *e, uint64_t link);

/* ------------------------------------------------------------------ for the parts of the engine */
int engine_fail(struct engine *e, int err, const char *what); /* marks it failed, returns err */
struct mbox *mbox_get(struct engine *e, uint64_t id);         /* NULL: none */
struct mbox *mbox_find(struct engine *e, uint64_t account, struct span name, bool exact);
struct mbox *mbox_new(struct engine *e, uint64_t id);
void mbox_dirty(struct engine *e, struct mbox *m);
struct span mbox_name(const struct mbox *m);
void mbox_trim(struct engine *e); /* forgets the oldest when there are many */
struct account *account_get(struct engine *e, uint64_t id, bool create);
void account_dirty(struct engine *e, struct account *a);
void live_add(struct engine *e, uint32_t file, int64_t bytes);
void live_forget(struct engine *e, uint32_t file);
uint64_t live_bytes(struct engine *e, MDB_txn *t, uint32_t file);
int engine_flush(struct engine *e);   /* dirty mailboxes, accounts, counters, state → index */
void engine_forget(struct engine *e); /* after a rollback: nothing cached may be trusted */
void engine_note_changed(struct engine *e, uint64_t mailbox);
int effects_apply(struct engine *e, struct span effects); /* -EBADMSG: not effects */
/* What a request's record is made with: begin, blobs, effect_… calls, end. */
void record_begin(struct engine *e);
int record_end(struct engine *e, const struct intent *i, int status);
void record_cancel(struct engine *e);
int grant_check(struct engine *e, struct span token, struct grant *ret);

/* One planner per message; rows in engine_execute.c. */
typedef int (*plan_fn)(struct engine *e, struct intent *i);
int plan_append(struct engine *e, struct intent *i);
int plan_deliver(struct engine *e, struct intent *i);
int plan_flags(struct engine *e, struct intent *i);
int plan_expunge(struct engine *e, struct intent *i);
int plan_copy(struct engine *e, struct intent *i);
int plan_mailbox_create(struct engine *e, struct intent *i);
int plan_mailbox_delete(struct engine *e, struct intent *i);
int plan_mailbox_rename(struct engine *e, struct intent *i);
int plan_subscribe(struct engine *e, struct intent *i);
int plan_queue_done(struct engine *e, struct intent *i);
int plan_queue_admin(struct engine *e, struct intent *i);
int plan_account(struct engine *e, struct intent *i);
int plan_newsgroup(struct engine *e, struct intent *i);
int plan_acl(struct engine *e, struct intent *i);
int plan_note(struct engine *e, struct intent *i);
int plan_domain(struct engine *e, struct intent *i);
int plan_leftovers(struct engine *e, const struct intent *i, bool *ret_found);
void forget_seen(struct engine *e);
int plan_trim(struct engine *e, const struct intent *i);
int plan_forget(struct engine *e, const struct intent *i);

void queue_leases_done(struct engine *e);
void queue_committed(struct engine *e);
void queue_undone(struct engine *e);
int ask_queue_lease(struct engine *e, struct intent *i, int *ret_fd);
int ask_queue_body(struct engine *e, struct intent *i, int *ret_fd);
int ask_queue_list(struct engine *e, struct intent *i);
int ask_newsgroups(struct engine *e, struct intent *i);
int ask_stat(struct engine *e, struct intent *i);
int ask_compact(struct engine *e, struct intent *i);
void compact_put_stat(struct engine *e, struct buf *out);
int ask_grant(struct engine *e, struct intent *i); /* import.c */
int ask_used(struct engine *e, struct intent *i);
int ask_room(struct engine *e, struct intent *i);

/* ------------------------------------------------------------------ checkpoint.c, replay.c */
struct checkpoint {
    struct engine *e;
    struct held held;
    uint32_t answers_file;
    bool skipped; /* there was no room for the file */
    int err;
    unsigned char page[4096];
};
bool checkpoint_due(const struct engine *e);
/* On the loop, between batches; then checkpoint_write on any thread; then checkpoint_done on the
 * loop. */
int checkpoint_begin(struct engine *e, struct checkpoint *c);
void checkpoint_write(struct checkpoint *c);
int checkpoint_done(struct engine *e, struct checkpoint *c);
/* What lies in the file `checkpoint`. */
void checkpoint_image(const struct checkpoint *c, struct file_checkpoint *ret);
/* Lets go of what no reader pins any more: transactions below `oldest_pin`. */
void checkpoint_release(struct engine *e, uint64_t oldest_pin);
uint64_t
checkpoint_floor(const struct engine *e); /* what readers must not go below, if nobody pins less */
int state_write(const char *root, bool clean, bool failed);
/* ballast.c: a file that only takes room, so that some can be given back when there is none. Made
 * when there is more than `reserve` and that. */
enum { BALLAST_BYTES = 8 << 20 };
void ballast_make(const char *root, uint64_t reserve);
/* The same for the index, which cannot do without room when the log has a batch already. */
void index_reserve(struct engine *e);
bool ballast_drop(const char *root); /* did it free anything? */
/* May the index be believed as it lies there (the machine did not go down since, or stored ended
 * cleanly)? */
enum store_trust { TRUST_INDEX, TRUST_CHECKPOINT };
enum store_trust state_trust(const char *root);
/* Tests: the boot id that counts from now on; NULL: the machine's. */
void state_boot_id(char out[40]);
void state_fake_boot(const char *boot);
/* Restores the saved meta page; -ENOENT: there is no checkpoint. */
int checkpoint_restore(const char *root, uint64_t *ret_txn);
int checkpoint_read(const char *root, struct file_checkpoint *ret); /* -ENOENT, -EBADMSG */
/* Makes it the newest state of that file of LMDB. */
int checkpoint_install(const char *mdb, const struct file_checkpoint *f);
int replay(struct engine *e, struct err *err);
/* An index made anew learns the store's uuid from the first record. Is there one? */
bool replay_learn_uuid(struct engine *e);
/* The same as replay for a copy of the index: what the log has more is applied to it, and nothing is done to
 * the log, which may be damaged behind that. */
int replay_copy(struct engine *e, struct err *err);
/* Says why the log alone does not lead to the index, and what of it is there. -EBADMSG. */
int replay_refuse(struct engine *e, struct err *err);
/* The log is ahead of the index (there was no room to commit): the rest of it is applied again. */
int replay_rest(struct engine *e);

#endif
