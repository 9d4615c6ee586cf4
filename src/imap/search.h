/*
 * search.h: the keys of SEARCH as a program, and messages against it. What the index alone decides
 * is asked first, then the summary, then headers, then bodies; one message is in memory at a time.
 */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "base/arena.h"
#include "imap/flags.h"
#include "imap/view.h"
#include "message/search.h"

enum {
    SEARCH_DEPTH_MAX = 50,
    SEARCH_NODES_MAX = 2000,
    SEARCH_BODY_KEYS_MAX = 50,
    SEARCH_NAME_MAX = 256
};

enum search_op {
    /* by the index */
    SEARCH_ALL,
    SEARCH_NONE,
    SEARCH_FLAGS,   /* flags & mask == want */
    SEARCH_KEYWORD, /* text: its name */
    SEARCH_UIDS,
    SEARCH_LARGER,
    SEARCH_SMALLER,
    SEARCH_BEFORE,
    SEARCH_ON,
    SEARCH_SINCE, /* day */
    SEARCH_MODSEQ,
    SEARCH_SAVEDBEFORE,
    SEARCH_SAVEDON,
    SEARCH_SAVEDSINCE,
    SEARCH_YOUNGER, /* `day` is a second here */
    SEARCH_OLDER,
    SEARCH_EMAILID,
    SEARCH_THREADID,
    /* by the summary */
    SEARCH_SENTBEFORE,
    SEARCH_SENTON,
    SEARCH_SENTSINCE,
    /* by the header, by header and body */
    SEARCH_HEADER,
    SEARCH_BODY,
    SEARCH_TEXT,
    /* of others */
    SEARCH_AND,
    SEARCH_OR,
    SEARCH_NOT,
};

struct search_node {
    enum search_op op;
    unsigned
        cost; /* the dearest thing that may have to be read: 0 index, 1 summary, 2 header, 3 body */
    struct search_node *child, *next; /* of AND, OR, NOT */
    uint64_t mask, want; /* FLAGS; `mask` is the keyword's bit of KEYWORD, once known; size */
    int64_t day;
    char *name; /* HEADER, KEYWORD */
    struct needle *needle;
    struct rangeset uids;
    /* What the search index says (search_ask): of the messages below next_uid no others than these
     * may match. 0: nothing. */
    uint32_t next_uid;
    struct rangeset maybe;
};

struct search_program {
    struct search_node *root, **all; /* all: for search_done */
    size_t count;
    bool modseqs; /* MODSEQ is among the keys: the answer says the highest (RFC 7162 3.1.5) */
    bool numbers; /* sequence numbers are: they may not change before the answer is over */
};

struct search_context { /* what sets mean */
    const struct view *view;
    const struct rangeset *saved;
};

enum search_result { SEARCH_OK, SEARCH_SYNTAX, SEARCH_TOO_COMPLEX };
/* search-key *(SP search-key), all of *c. Nodes from the arena; search_done frees what is on the
 * heap, after a failure too. */
enum search_result search_parse(struct span *c, struct arena *a, const struct search_context *x,
                                struct search_program *ret);
void search_done(struct search_program *p);
/* [RETURN SP "(" [option *(SP option)] ")"] with the blank that stands behind it; what is asked for
 * if nothing is said is ALL. *extended: it was there. */
enum { RETURN_MIN = 1, RETURN_MAX = 2, RETURN_ALL = 4, RETURN_COUNT = 8, RETURN_SAVE = 16 };
bool search_parse_return(struct span *c, bool *extended, unsigned *wants);
/* Asks the search index about HEADER, BODY and TEXT. Whatever it does not know, or if it does not answer, the
 * messages are looked at. suspends */
struct session;
void search_ask(struct session *s, struct search_program *p);
/* The messages that may match, as far as that is known without looking at any. False: any may. ret
 * must be a set already. */
bool search_candidates(const struct search_node *n, struct rangeset *ret);
/* Before messages that were read with these keywords. */
void search_keywords(struct search_program *p, const struct keywords *k);

/* One message; what was read of it is kept from key to key. */
struct search_message {
    struct store *store;
    struct message_info *info;
    struct arena *arena; /* emptied for each message */
    bool has_summary, has_body;
    struct summary summary;
    struct buf text;     /* prefix and body; the header alone until a body is asked for */
    size_t header_bytes; /* with the prefix */
    size_t work;         /* bytes looked at since others had their turn */
    size_t unreadable;
};
void search_message_init(struct search_message *m, struct store *s);
void search_message_done(struct search_message *m);
/* The summary of the message that was looked at last, in m->summary. False: it cannot be read. */
bool search_message_summary(struct search_message *m);
/* suspends where there is much to look at. */
bool search_match(const struct search_program *p, struct search_message *m,
                  struct message_info *info);

typedef void (*search_fn)(struct search_message *m, uint32_t number, void *arg);
/* All messages of the view, in their order; fn for each that matches. 0 or a negative errno.
 * suspends */
int search_run(struct session *s, struct search_program *p, search_fn fn, void *arg,
               size_t *ret_unreadable);

#endif
