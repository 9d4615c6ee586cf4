/*
 * check.h: proves a store whole, from the bytes on the disk: the chain of records in the log; that
 * every row of the index leads to bytes that are there, with the checksum they were written with;
 * and that everything which is counted or kept twice agrees with what it was made of.
 *
 * It runs in a process of its own on a store that nobody writes to (it takes the lock), or on a
 * copy of the index beside a log of which no file is removed meanwhile (store_check_copy).
 * Repairing needs the store itself; what is repaired is written to the index directly, and a
 * checkpoint is made of it.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/engine.h"

/* What can be wrong. Each row: name, whether --repair does something about it, what that is. */
#define CHECK_FINDINGS(X)                                                                          \
    X(LOG, "log", false, "")                                                                       \
    X(INDEX, "index", true, "made anew from the log, if the log is whole")                         \
    X(ROW, "row", false, "")                                                                       \
    X(BODY_LOST, "body-lost", true, "the message was dropped from its mailbox")                    \
    X(SUMMARY_LOST, "summary-lost", true, "readers make the summary again")                        \
    X(UID, "uid", true, "the mailbox's next number was raised")                                    \
    X(MODSEQ, "modseq", true, "the mailbox's highest modseq was raised")                           \
    X(COUNTER, "counter", true, "counted anew")                                                    \
    X(REFERENCES, "references", true, "counted anew")                                              \
    X(LIVE, "live-bytes", true, "counted anew")                                                    \
    X(CHANGE, "change-log", true, "the row was dropped or made anew")                              \
    X(NAME, "name", true, "the name was dropped or made anew")                                     \
    X(ORPHAN, "orphan", true, "the row was dropped")                                               \
    X(QUEUE, "queue", true, "the item was dropped, or its time made anew")                         \
    X(HISTORY, "history", true, "the row was dropped")

enum finding {
#define X(id, name, fixed, how) FINDING_##id,
    CHECK_FINDINGS(X)
#undef X
        FINDING_COUNT
};
const char *finding_name(enum finding f);
const char *finding_repair(enum finding f); /* "" where nothing is done */

/* What the log was found to hold, in its order: check_proved.c. */
struct proved_file {
    uint32_t file;
    size_t first;
};
struct proved_blob {
    uint32_t at, bytes;
};
struct proved {
    struct proved_file *files;
    struct proved_blob *blobs;
    size_t file_count, file_cap, count, cap;
};

struct check {
    /* for the caller to set */
    void (*progress)(void *arg, const char *what, uint64_t done, uint64_t total);
    void (*found)(void *arg, enum finding kind, bool repaired, const char *text);
    void *arg;
    bool repair;
    bool running; /* somebody writes: the log is looked at up to the checkpoint only */
    const char *
        copy; /* an empty folder for the copy of the index, removed afterwards; NULL: beside the store */
    uint64_t keep_bytes; /* that the copy must leave on its disk */
    /* results */
    uint64_t findings[FINDING_COUNT], all, repaired;
    uint64_t files, records, log_bytes, mailboxes, messages, bodies, body_bytes, queued;
    uint64_t checkpoint; /* sequence of the state that was looked at */

    /* while it runs */
    const struct index *index;
    MDB_txn *txn;
    struct journal *journal;
    struct row_state state;
    struct map64 *boxes, *accounts, *shared, *files_live;
    struct proved proved;
    uint64_t *lone;
    size_t lone_count, lone_cap;
    struct buf room;
    int err; /* the index cannot be read or written */
};

/* The store below root; nobody else may have it open. Repair: finds, repairs, and looks again.
 * 0: looked at, see findings. Negative: could not. */
int store_check(const char *root, uint64_t map_bytes, struct check *c, struct err *err);
/* The log below root with the index as of that checkpoint, or as it lies there (NULL), copied to the
 * folder `copy` (made, and removed afterwards). Unless c->running, what the log has more than that is
 * read into the copy first, as a start would. */
int store_check_copy(const char *root, const struct file_checkpoint *image, const char *copy,
                     uint64_t map_bytes, struct check *c, struct err *err);

/* Parts; `txn` may be written to if c->repair. Also for tests, on an engine that is open. The log
 * first: what it is seen to hold need not be read again for the index. */
void check_log(struct check *c);
void check_index(struct check *c);
void check_done(struct check *c);
void check_finding(struct check *c, enum finding kind, bool repaired, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
