/*
 * state.h: what an IMAP session knows beside its connection, and the words it answers with.
 *
 * \Recent (RFC 3501 2.3.2) is never set and RECENT is always 0: it needs a write for each SELECT,
 * two clients share it badly, and RFC 9051 removed it. RFC 3501 allows this ("if it is not possible
 * to determine whether or not this session is the first ...").
 */
#ifndef IMAP_STATE_H
#define IMAP_STATE_H

#include "imap/imap.h"
#include "imap/view.h"
#include "line/worker.h"
#include "store/annex.h"

enum { IMAP_NEW = 1, IMAP_AUTHED = 2, IMAP_SELECTED = 4 }; /* states of the command table */

/* The modseqs of this command's own changes: their flags have been told already. */
struct own_changes {
    uint64_t *v;
    size_t n, cap;
};

struct imap {
    bool rev2;      /* after ENABLE IMAP4rev2 */
    bool condstore; /* after a CONDSTORE enabling command (RFC 7162 3.1) */
    bool qresync;   /* after ENABLE QRESYNC */
    bool utf8;      /* after ENABLE UTF8=ACCEPT */
    /* the selected mailbox; view is NULL when there is none */
    uint64_t mailbox;
    uint32_t uidvalidity;
    bool read_only;
    uint64_t owner;  /* the account it belongs to */
    uint32_t rights; /* ACL_…: what the user may do there, as last looked up */
    struct view *view;
    struct rangeset gone;  /* expunged by others, still numbered: the client has not been told */
    uint64_t told;         /* all up to this modseq has been told, `gone` has not */
    uint64_t keyword_hash; /* of the keyword names in the last FLAGS response */
    struct rangeset saved; /* UIDs of "$", RFC 5182; those that are gone meanwhile count no more */
    struct own_changes own;
    /* IDLE */
    char *idle_tag; /* heap; NULL: not idle */
    struct store_watch *watch, *watch_marks;
};

static inline struct imap *imap_of(struct session *s)
{
    return session_data(s);
}
/* Are mailbox names UTF-8 on the wire? Else modified UTF-7. */
static inline bool imap_utf8(struct session *s)
{
    const struct imap *m = imap_of(s);
    return m->rev2 || m->utf8;
}
static inline struct store *imap_store(struct session *s)
{
    return s->worker->store;
}
static inline struct span imap_grant(const struct session *s)
{
    return (struct span){s->user.grant, s->user.grant_bytes};
}

/* --- what the user may see (access.c) */
/* A snapshot that shows public folders as this user has read them. As store_read_begin. */
int imap_read_begin(struct session *s, struct store_read *ret);
/* ACL_…: what the user may do with a mailbox. */
uint32_t imap_rights(struct session *s, struct store_read *r, const struct mailbox_info *m);
/* May he still read the selected mailbox? Of one that is no more there is nothing to read. */
bool imap_may_read(struct session *s, struct store_read *r);
/* Flags that somebody with these rights may change. */
uint64_t imap_flags_allowed(uint32_t rights);
void imap_grant_of(const struct session *s, struct grant *ret);

/* --- tagged replies (reply.c). `text` may begin with a response code. All may suspend. */
void imap_ok(struct session *s, const struct command_line *c, const char *text);
void imap_no(struct session *s, const struct command_line *c, const char *text);
void imap_bad(struct session *s, const struct command_line *c, const char *text); /* counted */
/* BAD with the syntax of the command's row. */
void imap_syntax(struct session *s, const struct command_line *c);
/* NO for an error of the store, with its response code. */
void imap_fail(struct session *s, const struct command_line *c, int error);
void imap_say(struct session *s, enum session_event e, const struct command_line *c,
              struct span detail);
bool imap_plain_allowed(struct span line);
/* "IMAP4rev1 …", as the session's state has it. */
void imap_capabilities(struct session *s, struct buf *out);

/* --- the selected mailbox (update.c) */
/* Tells what changed: EXISTS, FETCH FLAGS, and EXPUNGE where `expunge` allows it. suspends */
void imap_update(struct session *s, bool expunge);
/* imap_update, then the tagged OK. suspends */
void imap_finish(struct session *s, const struct command_line *c, bool expunge, const char *text);
/* * FLAGS and, where `permanent`, PERMANENTFLAGS; remembers the keywords. */
void imap_put_flags(struct session *s, struct store_read *r, bool permanent, struct buf *out);
void imap_own_change(struct imap *m, uint64_t modseq); /* 0: it changed nothing */
/* The modseq of the mailbox as far as the session knows all of it, for store_flags_told; 0: it does not,
 * or others decide what it sees. */
uint64_t imap_known(const struct session *s);
/* In place of imap_update: flags that this session has changed are all that is new up to `modseq`
 * (0: nothing is), and the client knows them. suspends */
void imap_update_told(struct session *s, uint64_t modseq);
bool imap_is_own_change(const struct imap *m, uint64_t modseq);
/* The modseq that the client may take for the mailbox's; 0: none, the mailbox was deleted. */
uint64_t imap_highest(const struct imap *m);
/* "* OK [HIGHESTMODSEQ n] text" CRLF. suspends */
void imap_put_highest(struct session *s, const char *text);
/* Ranges as text; goes out in pieces. suspends where it is long. */
void imap_put_set(struct session *s, const struct rangeset *set, struct buf *out);
struct batch;
/* "* n FETCH (UID … FLAGS …)" of each, with MODSEQ where the client is told of them; those that are
 * not in `skip_own` (NULL: all). suspends where there are many. */
void imap_put_batch(struct session *s, const struct batch *b, const struct imap *skip_own,
                    struct buf *out);
void imap_unselect(struct session *s);
/* The messages a command names, as UIDs of the view: numbers or UIDs, or "$". False: not a set, or
 * a number that does not exist. */
bool imap_messages(struct imap *m, struct span set, bool uid, struct rangeset *ret);
/* Is the row's verb "UID …"? */
bool imap_is_uid(const struct command_line *c);

extern const struct command imap_commands[];
extern const size_t imap_command_count;

#endif
