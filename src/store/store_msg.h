/*
 * store_msg.h: what stands in the messages to and from stored. Every request that changes something
 * begins with a head (counter, floor): with the number of the client, told at STORE_ATTACH, the
 * counter names the request for ever, so that one that is repeated after stored was restarted gets
 * its first answer; answers below the floor are not needed any more.
 *
 * The codecs read what less trusted processes send: every length and count has a limit here; what
 * lies in shared memory is named by (area, offset, bytes) and checked against the area's size by
 * whoever follows it.
 */
#ifndef STORE_STORE_MSG_H
#define STORE_STORE_MSG_H

#include "store/store.h"

enum {
    STORE_RANGES_MAX = 12000, /* of a set of UIDs in one message */
    STORE_WINDOW = 1024,      /* requests that one client may have open: counter - floor */
    STORE_AREAS = 2,
    STORE_TEXT_MAX = 512, /* of a queue result */
    STORE_DESCRIPTION_MAX = 512,
    STORE_ADDRESS_MAX = 512,
    STORE_QUEUE_ITEM_BYTES = 48 << 10, /* of the recipients of one item; more are several items */
};
enum store_area { AREA_RING, AREA_SPOOL };

struct msg_head {
    uint64_t counter, floor;
};

/* A request that is too long for a message lies in the ring: floor is MSG_INDIRECT, and a msg_blob
 * follows. */
#define MSG_INDIRECT UINT64_MAX
enum { MSG_INDIRECT_MAX = 2 << 20 };

struct msg_blob {
    uint8_t area;
    uint64_t at;
    uint32_t bytes;
};
struct msg_body {
    struct msg_blob body, summary;
    uint64_t thread;
    struct span message_id; /* of the summary; for newsgroups */
    struct span block;      /* stored's own copy of the summary, vetted; not sent */
};

void wr_indirect(struct buf *b, const struct msg_blob *at);
/* True: this is one. */
bool rd_indirect(struct span s, struct msg_blob *ret);

void wr_rangeset(struct buf *b, const struct rangeset *s);
void rd_rangeset(
    struct rd *r,
    struct rangeset *ret); /* an empty set before; appends; fails over STORE_RANGES_MAX */

/* STORE_ATTACH: descriptors ring, spool (sealed memfds), pin page. */
struct msg_attach {
    uint64_t client;
    uint32_t ring_bytes, spool_bytes;
    bool reads; /* wants log files and changes */
};
void wr_attach(struct buf *b, const struct msg_attach *a);
bool rd_attach(struct span s, struct msg_attach *ret);
struct msg_attached { /* the answer */
    unsigned char uuid[16];
    uint64_t txn;
    uint64_t hash_seed; /* tells one making of the index from another */
};
void wr_attached(struct buf *b, const struct msg_attached *a);
bool rd_attached(struct span s, struct msg_attached *ret);

/* The page of a worker that reads: its own word and stored's. Both are read and written atomically.
 */
struct pin_page {
    uint64_t pin;       /* worker: the snapshot it uses, 0 if none */
    uint64_t pinned_ms; /* worker: since when (CLOCK_MONOTONIC) */
    uint64_t read_ms;   /* worker: when it last began to read of messages */
    uint64_t waiting;   /* worker: it waits for `bell` */
    uint64_t spare[4];  /* the rest of the line */
    uint64_t floor;     /* stored: snapshots below this one may lose their pages */
    uint64_t told;      /* stored: changes up to this record have been answered */
    uint64_t
        visible; /* stored: and up to this one they are in the index; below told for a while only */
    uint32_t bell; /* stored: changes when `visible` does (a futex) */
};
enum { PIN_PAGE_BYTES = 4096 };
#define PIN_GIVEN_UP UINT64_MAX /* as floor: stored lets no reader keep a snapshot that long */

/* Requests. Arrays come from the arena; spans point into the message. */
struct msg_append {
    struct msg_head head;
    struct span grant;
    uint64_t mailbox;
    struct msg_item {
        struct msg_body body;
        uint64_t flags;
        struct span *keywords;
        size_t keyword_count;
        int64_t received_seconds;
        int16_t received_zone;
        struct span prefix;
    } * items;
    size_t count;
    uint64_t replace_mailbox; /* 0: none */
    uint32_t replace_uid;
};
void wr_append(struct buf *b, const struct msg_append *a);
bool rd_append(struct span s, struct arena *a, struct msg_append *ret);

struct msg_deliver {
    struct msg_head head;
    struct msg_body body;
    struct store_delivery d; /* message_id is the one of d */
    struct store_recipient *recipients;
};
void wr_deliver(struct buf *b, const struct msg_deliver *d);
bool rd_deliver(struct span s, struct arena *a, struct msg_deliver *ret);
/* Of a STORE_APPEND of one message or a STORE_DELIVER: how long the body is; UINT64_MAX of anything
 * else. */
uint64_t bodies_bytes(enum msg_id id, struct span s);

struct msg_flags {
    struct msg_head head;
    struct span grant;
    uint64_t mailbox;
    struct rangeset uids;
    enum store_flag_op op;
    uint64_t flags;
    struct span *keywords;
    size_t keyword_count;
    uint64_t unchanged_since;
    uint64_t known; /* the asker knows the mailbox up to this modseq; 0: he will read */
};
void wr_flags(struct buf *b, const struct msg_flags *f);
bool rd_flags(struct span s, struct arena *a,
              struct msg_flags *ret); /* rangeset_done(&ret->uids) in any case */

struct msg_expunge {
    struct msg_head head;
    struct span grant;
    uint64_t mailbox;
    bool only_deleted;
    struct rangeset uids;
};
void wr_expunge(struct buf *b, const struct msg_expunge *x);
bool rd_expunge(struct span s, struct msg_expunge *ret);

struct msg_copy {
    struct msg_head head;
    struct span grant;
    uint64_t from, to;
    bool move;
    struct rangeset uids;
};
void wr_copy(struct buf *b, const struct msg_copy *c);
bool rd_copy(struct span s, struct msg_copy *ret);

struct msg_mailbox { /* CREATE (name), DELETE (id), RENAME (name, name2), SUBSCRIBE (name, on) */
    struct msg_head head;
    struct span grant;
    uint64_t account, mailbox;
    struct span name, name2;
    uint32_t attributes;
    bool on;
};
void wr_mailbox(struct buf *b, const struct msg_mailbox *m);
bool rd_mailbox(struct span s, struct msg_mailbox *ret);

struct store_note;
struct msg_note { /* STORE_NOTE */
    struct msg_head head;
    struct span grant;
    uint64_t mailbox;
    struct store_note *notes;
    size_t count;
};
void wr_note(struct buf *b, const struct msg_note *n);
bool rd_note(struct span s, struct arena *a, struct msg_note *ret);

struct msg_acl { /* STORE_ACL */
    struct msg_head head;
    struct span grant;
    uint64_t mailbox;
    struct span identifier;
    uint8_t op; /* enum store_acl_op */
    uint32_t rights;
};
void wr_acl(struct buf *b, const struct msg_acl *m);
bool rd_acl(struct span s, struct msg_acl *ret);

struct msg_queue_done {
    struct msg_head head;
    uint64_t id;
    int64_t next_try_seconds; /* 0: the lease goes on, the results are kept already */
    struct queue_result *results;
    size_t count;
};
void wr_queue_done(struct buf *b, const struct msg_queue_done *d);
bool rd_queue_done(struct span s, struct arena *a, struct msg_queue_done *ret);

/* The answer of STORE_QUEUE_LEASE. */
void wr_queue_item(struct buf *b, const struct queue_item *q);
bool rd_queue_item(struct span s, struct arena *a,
                   struct queue_item *ret); /* all copied into the arena */

/* STORE_ACCOUNT: authd tells of an account. A new one (STORE_ACCOUNT_ENABLED, id unknown) gets its
 * mailboxes. */
enum store_account_state { ACCOUNT_ENABLED = 1, ACCOUNT_DISABLED = 2, ACCOUNT_DELETED = 3 };
struct msg_account {
    struct msg_head head;
    uint64_t account, epoch, quota_bytes; /* 0: no quota */
    uint8_t state;
    struct span address; /* small letters; empty: not told */
};
void wr_account(struct buf *b, const struct msg_account *a);
bool rd_account(struct span s, struct msg_account *ret);

/* STORE_DOMAIN: authd tells what all accounts of a domain may use together. */
struct msg_domain {
    struct msg_head head;
    struct span domain; /* small letters */
    uint64_t quota_bytes;
};
void wr_domain(struct buf *b, const struct msg_domain *d);
bool rd_domain(struct span s, struct msg_domain *ret);

/* STORE_NEWSGROUP: manager. */
enum store_newsgroup_op { NEWSGROUP_CREATE = 1, NEWSGROUP_DELETE, NEWSGROUP_SET, NEWSGROUP_LIST };
struct msg_newsgroup {
    struct msg_head head;
    uint8_t op;
    struct span name;    /* LIST: where to go on, empty at first */
    uint32_t attributes; /* of MAILBOX_MODERATED | MAILBOX_NO_POST; MAILBOX_NEWSGROUP may be left
                            out for a plain public folder */
    bool describes;
    struct span description; /* CREATE, SET: kept as the annotation /shared/comment */
};
void wr_newsgroup(struct buf *b, const struct msg_newsgroup *g);
bool rd_newsgroup(struct span s, struct msg_newsgroup *ret);

/* STORE_QUEUE_ADMIN: manager. LIST and SHOW answer JSON, LIST by pages: after `id`. */
enum store_queue_op {
    QUEUE_LIST = 1,
    QUEUE_SHOW,
    QUEUE_RETRY,
    QUEUE_DELETE,
    QUEUE_FREEZE,
    QUEUE_THAW
};
struct msg_queue_admin {
    struct msg_head head;
    uint8_t op;
    uint64_t id; /* RETRY, FREEZE, THAW: 0 is all */
};
void wr_queue_admin(struct buf *b, const struct msg_queue_admin *q);
bool rd_queue_admin(struct span s, struct msg_queue_admin *ret);

/* Answers of the changing calls. */
void wr_appended(struct buf *b, const struct store_appended *a, size_t count);
bool rd_appended(struct span s, struct store_appended *ret, size_t count);
void wr_delivered(struct buf *b, const struct store_delivered *d);
bool rd_delivered(struct span s, struct store_delivered *ret);
void wr_flagged(struct buf *b, uint64_t modseq, const struct rangeset *modified);
bool rd_flagged(struct span s, uint64_t *ret_modseq, struct rangeset *ret_modified);
/* Behind that, in the answer to who said what he knows: what the messages are now, if that is all
 * that is new to him. */
void wr_told(struct buf *b, const struct store_told *t);
bool rd_flagged_told(struct span s, uint64_t *ret_modseq, struct rangeset *ret_modified,
                     struct store_told *ret_told);
void wr_copied(struct buf *b, const struct store_copied *c);
bool rd_copied(struct span s, struct store_copied *ret);

#endif
