/*
 * export.h: an account's mail into files that other programs read. A sink (export_maildir.c,
 * export_mbox.c) is given one mailbox after the other and its messages in order of their UIDs.
 */
#ifndef MANAGER_EXPORT_H
#define MANAGER_EXPORT_H

#include "manager/import_store.h"

struct export;

struct export_mailbox {
    struct span name; /* UTF-8, '/' between levels */
    uint64_t id;
    uint32_t uidvalidity, messages;
    bool subscribed;
    struct span keywords[STORE_KEYWORDS_MAX];
    unsigned keyword_count;
};

struct export_sink {
    const char *kind; /* "maildir" */
    /* All: 0 or negative after export_fail. `folder` is the one of --to. */
    int (*begin)(struct export *x, int folder, void *arg);
    int (*enter)(struct export *x, const struct export_mailbox *m, void *arg);
    /* Is it there already, as it is? Then its bytes are not read. */
    bool (*has)(struct export *x, const struct message_info *m, void *arg);
    int (*put)(struct export *x, const struct message_info *m, struct span bytes, void *arg);
    int (*leave)(struct export *x, bool whole, void *arg); /* of what was entered */
    int (*end)(struct export *x, void *arg);
    const char *(*place)(void *arg); /* of what was entered, below --to: ".Sent", "Sent.mbox" */
    void *arg;
};

int export_run(struct call *c, const struct export_sink *s, struct err *e);
int export_fail(struct export *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void export_note(struct export *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* CRLF as LF; a line end of its own stays. Appended. */
void export_lf(struct span s, struct buf *out);

#endif
