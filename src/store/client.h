/* client.h: the parts of a worker's end of the store. */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include "base/list.h"
#include "base/map.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/store_msg.h"

enum {
    FILE_GRACE_MS = 60000,
    CALL_TIMEOUT_MS = 30000,
    ROOM_TIMEOUT_MS = 30000,
    DETACHED_MAX_MS = 60000,
    FULL_MAX = 64,
};

/* Shared memory given out in pages, contiguous. */
struct ring {
    enum store_area area;
    int fd;
    char *p;
    uint32_t page_bytes;
    uint32_t pages, used, next;
    uint64_t *bits;
};
struct region {
    uint32_t page, pages; /* pages 0: none */
};
int ring_init(struct ring *r, enum store_area area, uint32_t bytes, uint32_t page_bytes);
void ring_done(struct ring *r);
bool ring_take(struct ring *r, uint64_t bytes,
               struct region *ret); /* false: no room at the moment */
bool ring_grow(struct ring *r, struct region *g,
               uint64_t bytes); /* in place, if what follows is free */
void ring_give(struct ring *r, struct region *g);
static inline uint64_t region_at(const struct ring *r, const struct region *g)
{
    return (uint64_t)g->page * r->page_bytes;
}
static inline uint64_t region_bytes(const struct ring *r, const struct region *g)
{
    return (uint64_t)g->pages * r->page_bytes;
}

struct store {
    struct loop *loop;
    bool reads;
    struct index index;
    bool tables;
    uint64_t hash_seed;
    MDB_txn *txn;       /* reset between snapshots */
    MDB_cursor *cursor; /* of messages, kept for the next cursor */
    bool cursor_used, reading;
    struct pin_page *pin;
    int pin_fd;
    struct ring ring, spool;
    struct fiber_cond room;

    struct link *link; /* NULL: away */
    bool attached, attaching;
    uint64_t detached_ms;
    struct fiber_cond changed; /* attached or detached */
    uint64_t client, counter;
    struct list calls; /* struct call, ascending */
    struct fiber_cond window;
    struct list abandoned; /* struct abandoned: regions that stored may still look at */

    struct log_view {
        uint32_t number;
        int fd;
        struct mapping *map; /* NULL: not looked at so far */
    } * files;               /* ascending */
    size_t file_count, file_last;
    struct gone { /* files that stored has removed; whoever is in the midst of a message reads on */
        uint32_t number;
        uint64_t until_ms;
    } * gone;
    size_t gone_count;
    struct timer *gone_timer;
    struct map64 *watches; /* mailbox → struct store_watch, the first of a ring */
    void (*on_queue)(void *arg);
    void *on_queue_arg;
    void (*on_any)(void *arg, uint64_t mailbox); /* store_follow */
    void *on_any_arg;
    uint64_t any;            /* what is followed: STORE_ALL, STORE_MAILBOXES */
    uint64_t full[FULL_MAX]; /* accounts over their quota when they were asked about; 0: none */
    unsigned full_next;
    bool closing;
    unsigned fibers; /* of ours that still run */
};

struct store_body {
    struct store *store;
    uint64_t max, size;
    struct buf heap;      /* small ones */
    struct region region; /* of the spool; then heap is empty */
    struct buf block;     /* summary */
    struct summary summary;
    bool finished;
};

/* What lies in memory of our own goes to the spool. suspends */
int body_to_spool(struct store_body *b);
/* A call to stored, repeated with the same number if stored is started anew meanwhile. payload
 * begins with room for a msg_head. suspends */
int client_call(struct store *s, enum msg_id id, struct buf *payload, struct buf *reply);
void wr_head_room(struct buf *b);
/* Ring memory for a call; suspends until there is room. */
int client_room(struct store *s, uint64_t bytes, struct region *ret);
/* After a call that ended with `status`: free at once, or when stored cannot look any more. */
void client_give(struct store *s, struct region *g, int status);
/* client_map.c */
void client_unmap(struct log_view *f);
int client_file(struct store *s, uint32_t number); /* -1 */
/* Closes removed files whose grace is over. */
void client_files_expire(struct store *s, uint64_t now_ms);
void watch_changed(struct store *s, uint64_t mailbox);
void follow_again(struct store *s); /* attached (again) */
void watch_all_again(struct store *s);
uint64_t client_snapshot(const struct store *s);
/* Everything that stored has answered is in the index: it is asked and waited for if need be. -EAGAIN:
 * stored is away. Blocks. */
int client_catch_up(struct store *s);
/* Opens the tables, at the first attachment. */
int client_tables(struct store *s, uint64_t hash_seed);
void client_read_done(struct store *s);
/* The marks that r's reader has in a mailbox; index NULL if it is not a public folder. */
struct marks_reader client_marks(struct store_read *r, uint64_t mailbox);
void marks_show(struct marks_reader *marks, struct message_info *m);
/* fn for each message that is there and whose mark has changed. */
void client_marks_changed(struct store_read *r, uint64_t mailbox, uint64_t modseq,
                          bool (*fn)(const struct change_info *c, void *arg), void *arg);

#endif
