/*
 * effect.h: what a record does, in absolute terms (UIDs, modseqs, ids, flags as they end up), so
 * that reading the log again leads to the same state. The commit part of a record:
 *
 *     u32 bytes of the effects, effects, u64 client, u64 counter, i64 seconds, i32 status, bool
 * more, u64 progress, span answer
 *
 * An effect is a kind and its fields; each pair below is its codec. Live code fills the struct,
 * calls effect_…, which writes and applies it at once.
 */
#ifndef STORE_EFFECT_H
#define STORE_EFFECT_H

#include "store/journal.h"

struct engine;

enum effect_kind {
    EFFECT_GUARD = 1, /* mailbox, highestmodseq that was seen */
    EFFECT_BODY,      /* a new body and its summary, used so many times */
    EFFECT_ADD,       /* a message */
    EFFECT_SHARE,     /* one more row uses the body of that message */
    EFFECT_FLAGS,
    EFFECT_EXPUNGE,
    EFFECT_MAILBOX_PUT,
    EFFECT_MAILBOX_GONE,
    EFFECT_KEYWORD,
    EFFECT_SUBSCRIBE,
    EFFECT_HISTORY,
    EFFECT_SEEN,
    EFFECT_QUEUE_PUT,
    EFFECT_QUEUE_GONE,
    EFFECT_ACCOUNT,
    EFFECT_ACCOUNT_GONE,
    EFFECT_MARK,
    EFFECT_PURGE,
    EFFECT_TRIM,
    EFFECT_COPIED,    /* compaction: the bytes of a body or summary lie there now, too */
    EFFECT_MOVED,     /* this row refers to them there */
    EFFECT_FILE_GONE, /* nothing refers to that log file any more */
    EFFECT_FORGET,    /* Message-IDs that arrived long ago and have no article any more */
    EFFECT_ACL,       /* rights of one identifier */
    EFFECT_NOTE,      /* an annotation */
    EFFECT_READ,      /* read marks of one reader */
    EFFECT_NAMED,     /* the address of an account */
    EFFECT_DOMAIN,    /* the quota of a domain */
};

struct effect_body {
    struct place body, summary;
    uint32_t references;
};
struct effect_share {
    uint64_t mailbox;
    uint32_t uid;
};
struct effect_mailbox { /* makes it, or changes name and attributes */
    uint64_t id;
    struct row_mailbox row; /* counters of an existing one are kept */
    struct span name;
};
struct effect_subscribe {
    uint64_t account, folder_account;
    struct span name;
    bool on;
};
struct effect_history {
    struct span message_id;
    int64_t arrived;
    uint64_t mailbox; /* one place a time; 0 none */
    uint32_t number;
};

struct effect_acl {
    uint64_t mailbox;
    struct span identifier;
    uint64_t grantee;
    uint32_t rights;
    bool on; /* false: the row goes */
};
struct effect_note {
    uint64_t mailbox, account; /* 0: of the server; 0: shared */
    struct span entry, value;
    bool on;
};
struct effect_read {
    uint64_t mailbox, account, modseq;
    bool seen;
    const uint32_t *uids; /* ascending */
    size_t count;
};

uint64_t body_id(struct place body);

int effect_guard(struct engine *e, uint64_t mailbox, uint64_t modseq);
int effect_body(struct engine *e, const struct effect_body *b);
int effect_add(struct engine *e, uint64_t mailbox, uint32_t uid, const struct row_message *row);
int effect_share(struct engine *e, const struct effect_share *s);
/* The new flags of messages, ascending by UID. */
struct flag_change {
    uint32_t uid;
    uint64_t flags;
};
int effect_flags(struct engine *e, uint64_t mailbox, uint64_t modseq, const struct flag_change *c,
                 size_t count);
/* keep_bodies: other rows took them over (MOVE). */
int effect_expunge(struct engine *e, uint64_t mailbox, uint64_t modseq, bool keep_bodies,
                   const uint32_t *uids, size_t count);
int effect_mailbox_put(struct engine *e, const struct effect_mailbox *m);
int effect_mailbox_gone(struct engine *e, uint64_t mailbox);
int effect_keyword(struct engine *e, uint64_t mailbox, struct span name);
int effect_subscribe(struct engine *e, const struct effect_subscribe *s);
int effect_history(struct engine *e, const struct effect_history *h);
int effect_seen(struct engine *e, uint64_t mailbox, struct span message_id);
int effect_queue_put(struct engine *e, uint64_t id, struct span item);
int effect_queue_gone(struct engine *e, uint64_t id, bool keep_body);
int effect_account(struct engine *e, uint64_t account, uint32_t state, uint64_t epoch,
                   uint64_t quota, uint64_t inbox);
int effect_account_gone(struct engine *e, uint64_t account);
int effect_mark(struct engine *e, struct span name, uint32_t low, uint32_t high);
int effect_purge(struct engine *e, uint64_t mailbox);
int effect_trim(struct engine *e, uint64_t mailbox, uint64_t modseq);

/* effect_annex.c */
int effect_acl(struct engine *e, const struct effect_acl *a);
int effect_note(struct engine *e, const struct effect_note *n);
int effect_read(struct engine *e, const struct effect_read *r);
int effect_named(struct engine *e, uint64_t account, struct span address); /* small letters */
int effect_domain(struct engine *e, struct span domain, uint64_t quota);

/* Compaction, effect_move.c. */
enum { MOVED_BODY = 1, MOVED_SUMMARY = 2, MOVED_PREFIX = 4 };
struct effect_moved {
    uint64_t mailbox; /* 0: of the queue */
    uint64_t number;  /* UID, or id of the item */
    uint8_t what;     /* MOVED_… */
    struct place body, summary, prefix;
};
int effect_copied(struct engine *e, struct place from, struct place to);
int effect_moved(struct engine *e, const struct effect_moved *m);
int effect_file_gone(struct engine *e, uint32_t file);
/* arrived: the rows of INDEX_ARRIVED, by their keys (seconds, sequence). */
struct arrived {
    uint64_t seconds, sequence;
};
int effect_forget(struct engine *e, const struct arrived *a, size_t count);

#endif
