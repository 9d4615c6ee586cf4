/*
 * modseq.h: CONDSTORE and QRESYNC (RFC 7162): what a client that knows a mailbox as of a modseq has
 * missed, and how it is told. A session is told modseqs once it has sent a CONDSTORE enabling
 * command, and VANISHED instead of EXPUNGE after ENABLE QRESYNC.
 */
#ifndef IMAP_MODSEQ_H
#define IMAP_MODSEQ_H

#include "base/parse.h"
#include "imap/state.h"

/* mod-sequence-valzer = "0" / mod-sequence-value ; 63 bits */
bool modseq_parse(struct span *c, uint64_t *ret);
/* "MODSEQ (n)" */
void modseq_put(uint64_t modseq, struct buf *out);
/* The session has sent a CONDSTORE enabling command (RFC 7162 3.1). suspends */
void modseq_enable(struct session *s);
/* The tagged OK of a command that removed messages: with HIGHESTMODSEQ where QRESYNC asks for it.
 * suspends */
void modseq_finish_expunge(struct session *s, const struct command_line *c, bool any,
                           const char *text);
/* "* VANISHED [(EARLIER)] uids" CRLF; nothing for an empty set. suspends where it is long. */
void modseq_put_vanished(struct session *s, const struct rangeset *uids, bool earlier,
                         struct buf *out);

/* What happened after `modseq`: messages that are new or have other flags, and UIDs that went.
 * Where the change log does not reach back that far, *ret_gone is every UID that once was and is no
 * more. Both sets must be sets already and are replaced. */
void modseq_changes(struct store_read *r, const struct mailbox_info *info, uint64_t modseq,
                    struct rangeset *ret_changed, struct rangeset *ret_gone);

/* select-param = "CONDSTORE" / "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids]
 * [SP "(" known-sequence-set SP known-uid-set ")"] ")" */
struct select_params {
    bool condstore, qresync;
    uint32_t uidvalidity;
    uint64_t modseq;
    bool has_known;
    struct rangeset known, numbers, uids; /* numbers and uids are of equal count */
};
/* [SP "(" select-param *(SP select-param) ")"]; select_params_done in any case. */
bool select_params_parse(struct span *c, struct select_params *ret);
void select_params_done(struct select_params *p);
/* What the client of SELECT (QRESYNC …) is to be told, within the snapshot of its view. */
void select_params_find(struct store_read *r, const struct mailbox_info *info, const struct view *v,
                        const struct select_params *p, struct rangeset *ret_changed,
                        struct rangeset *ret_gone);
/* VANISHED (EARLIER), and FETCH (UID FLAGS MODSEQ) of the changed ones. suspends */
void modseq_put_resync(struct session *s, const struct rangeset *changed,
                       const struct rangeset *gone);

#endif
