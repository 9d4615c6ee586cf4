/*
 * fetch.h: what a FETCH asks for, and how it is answered. A plan is made once a command; messages
 * are read in batches; simple items of many messages go into one buffer, sections are streamed.
 */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include "base/arena.h"
#include "imap/flags.h"

struct session;

enum { /* fetch_plan.items */
       FETCH_UID = 1,
       FETCH_FLAGS = 2,
       FETCH_INTERNALDATE = 4,
       FETCH_SIZE = 8,
       FETCH_ENVELOPE = 16,
       FETCH_BODY = 32,
       FETCH_BODYSTRUCTURE = 64,
       FETCH_MODSEQ = 128,
       FETCH_SAVEDATE = 256,
       FETCH_EMAILID = 512,
       FETCH_THREADID = 1024,
       FETCH_PREVIEW = 2048,
};

enum section_kind {
    SECTION_ALL,
    SECTION_HEADER,
    SECTION_FIELDS,
    SECTION_FIELDS_NOT,
    SECTION_TEXT,
    SECTION_MIME
};

struct fetch_section {
    enum section_kind kind;
    bool binary;    /* BINARY[…]: the transfer encoding is taken off */
    bool size_only; /* BINARY.SIZE[…] */
    uint32_t *path;
    size_t depth; /* 0: the message itself */
    struct span *names;
    size_t name_count;
    bool partial;
    uint64_t from, count;
    struct span label; /* what stands before the value: "BODY[1.MIME]<0>" */
};

enum { FETCH_SECTIONS_MAX = 100, FETCH_NAMES_MAX = 500, FETCH_DEPTH_MAX = 64 };

struct fetch_plan {
    unsigned items;
    struct fetch_section *sections;
    size_t section_count;
    bool sets_seen; /* an item without .PEEK */
    bool needs_summary;
    unsigned seen_items; /* told though nobody asked, where the flags have changed */
    bool changed_since, vanished;
    uint64_t since;
};

/* ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") [SP "(" fetch-modifier
 * *(SP fetch-modifier) ")"], all of *c. Memory from the arena. */
bool fetch_parse(struct span *c, struct arena *a, struct fetch_plan *ret);

struct fetch_run; /* fetch_put.c */
struct fetch_run *fetch_run_new(struct session *s, const struct fetch_plan *plan);
/* One FETCH response. `flags`: FLAGS are told though nobody asked (they have changed). suspends */
void fetch_put(struct fetch_run *r, uint32_t number, struct message_info *m,
               const struct keywords *k, bool flags);
/* A hint: that message comes soon. */
void fetch_ahead(struct fetch_run *r, const struct message_info *m);
void fetch_flush(struct fetch_run *r); /* suspends */
/* How many items could not be read, or not be decoded. */
size_t fetch_unreadable(const struct fetch_run *r);
size_t fetch_undecodable(const struct fetch_run *r);
void fetch_run_free(struct fetch_run *r);

#endif
