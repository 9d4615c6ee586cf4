/*
 * evidence_log.h: what has happened to certificates and settings, as a chain: each entry holds the hash of the one before it, so that none
 * can be changed, taken out or put in between without all that follow changing. A report carries the head; whoever keeps a report can tell
 * whether the log was rewritten since.
 *
 * A file of JSON lines in the data folder: {"n":1,"at":…,"kind":"issue", …, "prev":"…","hash":"…"}; hash is SHA-256 over the entry without
 * it, sorted and compact.
 */
#ifndef MANAGER_EVIDENCE_LOG_H
#define MANAGER_EVIDENCE_LOG_H

#include "base/err.h"
#include "base/span.h"

#include <jansson.h>

enum { EVIDENCE_ENTRIES_MAX = 200000, EVIDENCE_HASH_BYTES = 65 };

struct evidence_log {
    json_t *entries;
    char head[EVIDENCE_HASH_BYTES];
};

void evidence_log_init(struct evidence_log *l); /* empty */
void evidence_log_done(struct evidence_log *l);
/* Reads a file; one that is not there is empty. -EBADMSG names the first entry that does not fit. */
int evidence_log_read(struct evidence_log *l, const char *file, struct err *e);
/* The chain of entries that somebody else has kept. */
int evidence_log_check(const json_t *entries, const char *head, struct err *e);
/* Adds an entry; `take_facts` is an object without the fields of the chain. */
void evidence_log_add(struct evidence_log *l, const char *kind, int64_t at, json_t *take_facts);
/* Appends the entries from `first` on, durably. */
int evidence_log_write(const struct evidence_log *l, size_t first, const char *file, struct err *e);
/* Is `earlier` the beginning of `entries`? */
bool evidence_log_continues(const json_t *entries, const json_t *earlier);

#endif
