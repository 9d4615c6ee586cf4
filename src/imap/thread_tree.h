/*
 * thread_tree.h: THREAD (RFC 5256 section 3): messages come one by one with what their summaries
 * say, and are put out as threads. Nothing is recursive: a thread may be as deep as it likes.
 */
#ifndef IMAP_THREAD_TREE_H
#define IMAP_THREAD_TREE_H

#include "base/buf.h"

enum thread_kind { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES };

struct thread_message {
    uint32_t number; /* sequence number or UID, as it is to be shown */
    int64_t date;    /* sent, in UTC */
    struct span message_id;
    struct span references; /* separated by SP, the newest last */
    struct span subject;    /* base subject */
    bool reply;             /* the subject says so */
};

struct threads;
struct threads *threads_new(enum thread_kind kind);
void threads_free(struct threads *t); /* NULL is fine */
/* In the order of the mailbox. The texts are copied. False: more than can be held. */
bool threads_add(struct threads *t, const struct thread_message *m);
/* "(2)(3 6 (4 23)(44 7 96))", once. flush may take what has gathered in the buffer. */
void threads_put(struct threads *t, struct buf *out, void (*flush)(struct buf *out, void *arg),
                 void *arg);

#endif
