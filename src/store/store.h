/*
 * store.h: the mail and news store as the protocols see it. In a worker it is a client: it reads
 * the index and the log through read-only descriptors, and asks stored (the only writer) to change
 * anything. The same header serves tests that run the engine in the same process (store_test.h).
 *
 * Reading happens inside a snapshot (struct store_read): it never suspends, sees one consistent
 * state, and must end before the fiber suspends. Changing suspends; when a call returns 0 the
 * change is durable and visible to new snapshots of this worker.
 *
 * Errors (negative errno) that every changing call may return: -EPIPE or -ETIMEDOUT (stored is
 * away: temporary), -ENOSPC (disk nearly full: temporary), -EDQUOT (quota), -EACCES (the grant does
 * not allow it), -ENOENT (no such mailbox or message), -EIO.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/rangeset.h"
#include "ipc/link.h"
#include "message/summary.h"

struct store;

/* ------------------------------------------------------------------ limits and names */
enum {
    STORE_NAME_MAX = 1000,   /* bytes of a mailbox name, UTF-8, '/' between levels */
    STORE_KEYWORDS_MAX = 56, /* per mailbox */
    STORE_KEYWORD_BYTES_MAX = 100,
    STORE_GRANT_MAX = 256,
    STORE_PREFIX_MAX = 16384,    /* trace fields in front of a body */
    STORE_RECIPIENTS_MAX = 1000, /* of one delivery */
    STORE_BODIES_MAX = 256,      /* of one MULTIAPPEND */
};
#define STORE_NUMBER_MAX UINT32_C(0x7fffffff) /* UIDs and article numbers */
/* Public folders and newsgroups belong to this account; accounts of people start at 16. */
#define STORE_ACCOUNT_PUBLIC UINT64_C(1)
/* The personal mailbox that always exists; its name is matched without case. */
#define STORE_INBOX "INBOX"

/* Flags of a message: system flags below, keyword k of the mailbox is bit 8 + k. */
enum {
    STORE_SEEN = 1,
    STORE_ANSWERED = 2,
    STORE_FLAGGED = 4,
    STORE_DELETED = 8,
    STORE_DRAFT = 16,
};
#define STORE_KEYWORD(k) (UINT64_C(1) << (8 + (k)))

enum {                         /* attributes of a mailbox */
       MAILBOX_SUBSCRIBED = 1, /* by its owner; public folders: see store_is_subscribed */
       MAILBOX_NEWSGROUP = 2,
       MAILBOX_MODERATED = 4,
       MAILBOX_NO_POST = 8,
       MAILBOX_ARCHIVE = 16,
       MAILBOX_DRAFTS = 32,
       MAILBOX_FLAGGED = 64,
       MAILBOX_JUNK = 128,
       MAILBOX_SENT = 256,
       MAILBOX_TRASH = 512,
       MAILBOX_ALL = 1024,
       MAILBOX_IMPORTANT = 2048,
       MAILBOX_NOSELECT = 4096, /* a name kept for its children */
};

/* ------------------------------------------------------------------ reading */
struct store_read {
    struct store *store;
    void *txn;
    uint64_t snapshot;
    uint64_t reader; /* whose read marks count in public folders (store_read_as); 0: nobody's */
};
/* 0, or -EAGAIN when the store is not there yet. At most one at a time per process. Does not
 * suspend. */
int store_read_begin(struct store *s, struct store_read *ret);
/* The same for who wants to know which mailboxes there are and what he may do there, and nothing of
 * their messages: those that were added in the last moments, and counts of them, may be missing. */
int store_read_begin_names(struct store *s, struct store_read *ret);
void store_read_end(struct store_read *r);

struct mailbox_info {
    uint64_t id;      /* never used again */
    uint64_t account; /* owner */
    struct span name; /* valid until store_read_end */
    uint32_t uidvalidity, uidnext;
    uint32_t messages, unseen, deleted;
    uint32_t first_number; /* low water mark of a newsgroup: the least number that may still exist;
                              only rises */
    uint32_t first_unseen; /* least UID without \Seen, 0 if unknown or none */
    uint64_t bytes;        /* sum of message sizes */
    uint64_t highestmodseq;
    uint32_t attributes; /* MAILBOX_… */
    int64_t created;     /* seconds */
};
int store_mailbox_find(struct store_read *r, uint64_t account, struct span name,
                       struct mailbox_info *ret); /* 0, -ENOENT */
int store_mailbox_get(struct store_read *r, uint64_t mailbox, struct mailbox_info *ret);
/* All of an account, bytewise by name (INBOX first). fn returns false to stop. */
int store_mailbox_each(struct store_read *r, uint64_t account,
                       bool (*fn)(const struct mailbox_info *m, void *arg), void *arg);
/* Names of the keywords of a mailbox, index = k; returns how many. Valid until store_read_end. */
unsigned store_mailbox_keywords(struct store_read *r, uint64_t mailbox,
                                struct span ret_names[STORE_KEYWORDS_MAX]);
/* Subscriptions are names, they outlive mailboxes (RFC 9051 6.3.7). account is the subscriber;
 * folder_account the owner of the tree. */
bool store_is_subscribed(struct store_read *r, uint64_t account, uint64_t folder_account,
                         struct span name);
int store_subscription_each(struct store_read *r, uint64_t account,
                            bool (*fn)(uint64_t folder_account, struct span name, void *arg),
                            void *arg);

/* Bytes an account uses, and may use (0: as many as it likes). 0, -ENOENT. */
int store_quota_get(struct store_read *r, uint64_t account, uint64_t *ret_used,
                    uint64_t *ret_limit);

struct message_info {
    uint64_t mailbox;
    uint32_t uid; /* or article number */
    uint64_t flags, modseq;
    int64_t received_seconds; /* INTERNALDATE */
    int16_t received_zone;    /* minutes */
    int64_t saved_seconds;    /* when it came into this mailbox */
    uint32_t size;            /* prefix + body */
    uint32_t prefix_bytes;
    uint32_t body_bytes;
    uint64_t body; /* id */
    uint32_t body_file, summary_file, prefix_file;
    uint64_t body_at, summary_at, prefix_at; /* where in those log files */
    uint32_t summary_bytes;
    uint64_t thread; /* hash of the thread's root message-id */
};
int store_message_get(struct store_read *r, uint64_t mailbox, uint32_t uid,
                      struct message_info *ret); /* 0, -ENOENT */
/* A cursor over a mailbox by UID, from `uid` upwards. */
struct index;
struct MDB_txn;
/* Read marks of one reader in one public folder, read one after the other. */
struct marks_reader {
    const struct index *index; /* NULL: there are none to look at */
    struct MDB_txn *txn;
    uint64_t mailbox, account;
    uint32_t chunk; /* of row; UINT32_MAX: none yet */
    struct span row;
};
struct store_cursor {
    void *cursor;
    uint64_t mailbox;
    bool at_key;
    struct marks_reader marks;
};
int store_cursor_open(struct store_read *r, uint64_t mailbox, uint32_t uid,
                      struct store_cursor *ret);
bool store_cursor_next(struct store_cursor *c, struct message_info *ret);
void store_cursor_close(struct store_cursor *c);

/* What changed in a mailbox after `modseq`, oldest first: a message is new or its flags changed
 * (expunged false), or it is gone. Behind that, in no order, what changed of the reader's marks. */
struct change_info {
    uint64_t modseq;
    uint32_t uid;
    bool expunged;
};
/* False when the log does not reach back that far (the caller then compares all). */
bool store_changes_each(struct store_read *r, uint64_t mailbox, uint64_t modseq,
                        bool (*fn)(const struct change_info *c, void *arg), void *arg);
/* The UIDs of a mailbox as ranges; appended to ret. */
int store_uids(struct store_read *r, uint64_t mailbox, struct rangeset *ret);

/* News: where an article lies. fn for each (newsgroup, number); -ENOENT: never seen; 0 with no
 * call: seen, but gone. */
int store_article_find(struct store_read *r, struct span message_id,
                       bool (*fn)(uint64_t mailbox, uint32_t number, void *arg), void *arg);
/* Message-IDs that arrived in newsgroups at or after `seconds`, oldest first. */
int store_history_since(struct store_read *r, int64_t seconds,
                        bool (*fn)(struct span message_id, int64_t arrived, void *arg), void *arg);

/* The summary block of a message, read into the arena and opened. 0, -EIO (then make it from the
 * body), -ENOENT. May be called after the snapshot ended, with the message_info it gave. */
int store_summary(struct store *s, const struct message_info *m, struct arena *a,
                  struct summary *ret);
/* The same with a buffer of the caller's in place of an arena: it is emptied first, and `ret` lies in
 * it. For many messages in a row. */
int store_summary_read(struct store *s, const struct message_info *m, struct buf *out,
                       struct summary *ret);
/* A hint: the summary of that message is read soon. */
void store_summary_ahead(struct store *s, const struct message_info *m);
/* Bytes [offset, offset+n) of prefix + body, appended to out; fewer at the end. The log file is
 * held, so it works after the snapshot. A body that is read whole is proved by its checksum (-EBADMSG:
 * damaged), a part of it is not. */
int store_message_read(struct store *s, const struct message_info *m, uint64_t offset, size_t n,
                       struct buf *out);
/* As above, but reads the whole body and proves its checksum. -EBADMSG: damaged. */
int store_message_read_all(struct store *s, const struct message_info *m, struct buf *out);

/* ------------------------------------------------------------------ a body on its way in */
struct store_body;
/* Room in the worker's ring (or a spool for large ones). suspends until there is room; -EMSGSIZE if
 * hint > max. */
int store_body_begin(struct store *s, uint64_t size_hint, uint64_t max_bytes,
                     struct store_body **ret);
int store_body_write(struct store_body *b, struct span bytes); /* suspends; -EMSGSIZE past max */
uint64_t store_body_size(const struct store_body *b);
struct span store_body_bytes(
    const struct store_body *b); /* all so far, contiguous; valid until the next write */
/* No more bytes: parses the body into its summary. */
int store_body_finish(struct store_body *b);
const struct summary *store_body_summary(const struct store_body *b);
void store_body_free(struct store_body *b); /* also after use; NULL is fine */

/* ------------------------------------------------------------------ changing (all suspend) */
/* A grant is what authd gave at login (struct auth_result); it travels with each request. */
struct store_append {
    struct span grant;
    uint64_t mailbox;
    uint64_t flags; /* system flags only */
    const struct span *keywords;
    size_t keyword_count;
    int64_t received_seconds;
    int16_t received_zone;
    struct span prefix;
    /* REPLACE (RFC 8508): this message goes when the other is there, in one record; needs the rights
     * to mark and to expunge it. -ENOENT: it is gone already. 0: none. */
    uint64_t replace_mailbox;
    uint32_t replace_uid;
};
struct store_appended {
    uint32_t uidvalidity, uid;
    uint64_t modseq;
};
int store_append(struct store *s, struct store_body *b, const struct store_append *a,
                 struct store_appended *ret);
/* Several bodies in one atomic record (MULTIAPPEND): all or none. What is to be replaced stands in
 * the first. */
int store_append_many(struct store *s, struct store_body *const *b, const struct store_append *a,
                      size_t count, struct store_appended *ret);

enum store_recipient_kind { RECIPIENT_INBOX, RECIPIENT_FOLDER, RECIPIENT_REMOTE };
struct store_recipient {
    enum store_recipient_kind kind;
    uint64_t id;         /* INBOX: account; FOLDER: mailbox of STORE_ACCOUNT_PUBLIC, 0: by name */
    struct span address; /* REMOTE: where to; FOLDER without id: its name; others: for reports */
    struct span orcpt;   /* RFC 3461, "rfc822;…" or empty */
    uint8_t notify;      /* NOTIFY_… */
    struct span prefix;  /* this recipient's own trace fields, in front of the common ones */
    struct span
        grant; /* REMOTE, where an alias leads there: the grant to forward (GRANT_FORWARD) */
};
enum {
    NOTIFY_DEFAULT = 0,
    NOTIFY_NEVER = 1,
    NOTIFY_SUCCESS = 2,
    NOTIFY_FAILURE = 4,
    NOTIFY_DELAY = 8
};
struct store_delivery {
    struct span grant;  /* needed for REMOTE recipients that have none of their own: right `submit`;
                           empty for mx */
    struct span sender; /* reverse-path, empty for <> */
    struct span envid;
    bool ret_headers, ret_full; /* RET=HDRS, RET=FULL; neither: it was not said */
    bool body_8bit, smtputf8, require_tls;
    struct span prefix; /* common trace fields */
    int64_t received_seconds;
    const struct store_recipient *recipients;
    size_t count;
    bool news; /* FOLDER recipients are newsgroups: Message-ID must be new (-EEXIST) and goes into
                  history */
    struct span message_id; /* news, and duplicate suppression of INBOX deliveries when not empty */
};
struct store_delivered {
    uint64_t queue_id;    /* of the remote part, 0 if none */
    char tracking[24];    /* "id" of the Received field and the log */
    uint32_t numbers[64]; /* news: article numbers, in the order of FOLDER recipients */
};
/* Is there room in the quotas of an account? -EDQUOT: not for so many bytes, which is remembered for
 * store_was_full until it is asked again. suspends */
int store_room(struct store *s, uint64_t account, uint64_t bytes);
bool store_was_full(const struct store *s, uint64_t account);
/* One durable record for all recipients. Recipients that are no more (deleted meanwhile) are
 * skipped if at least one is left, else -ENOENT. -EDQUOT: one of them is over quota; nobody has got
 * it, the sender tries again. A recipient with NOTIFY_SUCCESS who got it here becomes a queue item
 * too, for relayd to report. */
int store_deliver(struct store *s, struct store_body *b, const struct store_delivery *d,
                  struct store_delivered *ret);

enum store_flag_op { FLAGS_SET, FLAGS_ADD, FLAGS_REMOVE };
struct store_flags {
    struct span grant;
    uint64_t mailbox;
    const struct rangeset *uids;
    enum store_flag_op op;
    uint64_t flags; /* system flags */
    const struct span *keywords;
    size_t keyword_count;
    uint64_t unchanged_since; /* UINT64_MAX: no condition */
};
/* ret_modified (may be NULL): UIDs that failed the condition. *ret_modseq: of the change, 0 if no
 * message had other flags before. */
int store_flags(struct store *s, const struct store_flags *f, struct rangeset *ret_modified,
                uint64_t *ret_modseq);
/* What messages are after a change; count 0: nothing is told. */
enum { STORE_TOLD_MAX = 32 };
struct store_told {
    size_t count;
    struct told_message {
        uint32_t uid;
        uint64_t flags, modseq;
    } message[STORE_TOLD_MAX]; /* by UID */
};
/* The same for who knows the mailbox as of modseq `known` (not 0). If this change is all that has
 * happened since, if all of `uids` are there, are few, and none failed the condition, then *ret_told
 * has each of them: nothing need be read to know the mailbox as of *ret_modseq. Never of public
 * folders. */
int store_flags_told(struct store *s, const struct store_flags *f, uint64_t known,
                     struct rangeset *ret_modified, uint64_t *ret_modseq,
                     struct store_told *ret_told);

/* Removes messages of `uids` that carry \Deleted (all of them if only_deleted is false). */
int store_expunge(struct store *s, struct span grant, uint64_t mailbox, const struct rangeset *uids,
                  bool only_deleted, struct rangeset *ret_gone);

struct store_copied {
    uint32_t uidvalidity;
    struct rangeset from, to; /* of equal count, in order; rangeset_done both */
};
int store_copy(struct store *s, struct span grant, uint64_t from, const struct rangeset *uids,
               uint64_t to, bool move, struct store_copied *ret);

/* Parents are made as needed. -EEXIST, -EINVAL (name). */
int store_mailbox_create(struct store *s, struct span grant, uint64_t account, struct span name,
                         uint32_t attributes, uint64_t *ret_id);
int store_mailbox_delete(struct store *s, struct span grant,
                         uint64_t mailbox); /* -ENOTEMPTY: has children and is already \NoSelect */
/* Children move along; renaming INBOX moves its messages (RFC 9051 6.3.6). */
int store_mailbox_rename(struct store *s, struct span grant, uint64_t account, struct span from,
                         struct span to);
int store_subscribe(struct store *s, struct span grant, uint64_t folder_account, struct span name,
                    bool on);

/* ------------------------------------------------------------------ being told */
struct store_watch;
/* fn runs on the loop after each change of the mailbox is visible to new snapshots (also when it
 * was deleted: store_mailbox_get then says -ENOENT). Must not suspend. */
struct store_watch *store_watch(struct store *s, uint64_t mailbox, void (*fn)(void *arg),
                                void *arg);
void store_unwatch(struct store_watch *w); /* NULL is fine */
/* For the search index. fn is called with each mailbox that changes: of all there are where `what`
 * is STORE_ALL, else of those that have a store_watch; with STORE_MAILBOXES as one is made; and after each
 * attachment with 0: anything may have changed. fn NULL: no more. Must not suspend. */
#define STORE_ALL UINT64_C(0)
#define STORE_MAILBOXES UINT64_MAX /* never the number of a mailbox */
void store_follow(struct store *s, uint64_t what, void (*fn)(void *arg, uint64_t mailbox),
                  void *arg);
/* The mailbox with the least id above `after`, of whatever account. 0, -ENOENT at the end. */
int store_mailbox_next(struct store_read *r, uint64_t after, struct mailbox_info *ret);

/* ------------------------------------------------------------------ the outgoing queue, for relayd
 * (all suspend) */
enum queue_outcome { QUEUE_DELIVERED, QUEUE_FAILED, QUEUE_DEFERRED };
struct queue_recipient {
    uint32_t index; /* within the message; stays the same */
    struct span address, orcpt;
    uint8_t notify;
    bool delay_notified;
    bool delivered; /* into a mailbox here: all that is left is the report its sender asked for */
};
struct queue_item {
    uint64_t id;
    struct span sender, envid;
    bool ret_headers, ret_full, body_8bit, smtputf8, require_tls;
    int64_t queued_seconds;
    uint32_t tries;
    struct queue_recipient *recipients; /* those not done yet */
    size_t count;
    uint32_t size;
};
/* The next item that is due and not leased; it is leased until done or until the link ends.
 * -EAGAIN: none; ret_due then says when the next one is (0: none waits). Memory from the arena. */
int store_queue_lease(struct store *s, struct arena *a, struct queue_item *ret, int64_t *ret_due);
int store_queue_body(struct store *s, uint64_t id,
                     int *ret_fd); /* a sealed memfd: prefix + body; the caller closes it */
struct queue_result {
    uint32_t index;
    enum queue_outcome outcome;
    struct span text; /* the last reply, for `queue show` and reports */
    bool delay_notified;
};
/* Ends the lease. Recipients not named stay deferred. Items without open recipients go. */
int store_queue_done(struct store *s, uint64_t id, const struct queue_result *r, size_t count,
                     int64_t next_try_seconds);
/* Keeps what is known of some recipients already; the lease and the item's next try stay as they
 * are (an item without open recipients goes). */
int store_queue_progress(struct store *s, uint64_t id, const struct queue_result *r, size_t count);
void store_on_queue(struct store *s, void (*fn)(void *arg),
                    void *arg); /* something new may be due */

/* ------------------------------------------------------------------ a worker's end */
/* Opens what a worker reads, before the jail: the index read-only. `root` is the data folder. For
 * roles that read (access) only; others pass NULL. */
struct store *store_open(struct loop *l, const char *root, uint64_t map_bytes, uint32_t ring_bytes,
                         uint32_t spool_bytes);
void store_close(struct store *s);
/* The link to stored is there (again), or gone (NULL). */
void store_attach(struct store *s, struct link *l);
bool store_is_attached(const struct store *s);
/* Handlers that the process adds to its links (log files, notifications); arg is the store. Rows
 * end with id 0. */
extern const struct msg_handler store_client_handlers[];
/* The same for links whose arg is something else: false if the message is none of the store's. */
bool store_message(struct store *s, struct msg *m);

#endif
