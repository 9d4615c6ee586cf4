/*
 * view.h: a mailbox as one client sees it: which UIDs, hence which sequence numbers, as of which
 * modseq. A view never changes; sessions of a worker that see the same share it, and take another
 * one where the client may be told.
 */
#ifndef IMAP_VIEW_H
#define IMAP_VIEW_H

#include "base/list.h"
#include "base/rangeset.h"

struct view {
    unsigned refs;    /* of sessions */
    struct list kept; /* in the row of those without a session, the latest first */
    uint64_t mailbox, modseq;
    struct rangeset uids;
    uint32_t count;
};

/* Takes over *take_uids (left empty). One reference, the caller's. */
struct view *view_new(uint64_t mailbox, uint64_t modseq, struct rangeset *take_uids);
struct view *view_ref(struct view *v);
void view_unref(struct view *v); /* NULL is fine */
/* The newest view of the mailbox that was published, if this process still has it: a new reference,
 * or NULL. */
struct view *view_newest(uint64_t mailbox);
/* The same if it is exactly of that modseq. */
struct view *view_shared(uint64_t mailbox, uint64_t modseq);
/* From now on it is found: it must hold all messages of its modseq and no others. Some views are
 * kept when the last session lets go of them, so that the next SELECT need not read the whole
 * mailbox. */
void view_publish(struct view *v);
void view_forget_all(void); /* what is kept without a session (tests) */

uint32_t view_number(const struct view *v, uint32_t uid); /* sequence number; 0: not in it */
uint32_t view_uid(const struct view *v, uint32_t number); /* 0: no such number */
uint32_t view_last_uid(const struct view *v);
/* The UIDs of a set of sequence numbers, added to ret; numbers past the end are left out. */
void view_uids_of(const struct view *v, const struct rangeset *numbers, struct rangeset *ret);

/* And back: the sequence numbers of UIDs, added to ret; others are left out. */
void view_numbers_of(const struct view *v, const struct rangeset *uids, struct rangeset *ret);

/* Goes over view ∩ set in order, O(ranges) altogether. The set must not change meanwhile; the view
 * may not either. */
struct view_walk {
    const struct view *view;
    const struct rangeset *set;
    size_t i, j;
    uint32_t before, from;
};
struct view_walk view_walk(const struct view *v, const struct rangeset *set);
bool view_walk_next(struct view_walk *w, uint32_t *ret_number, uint32_t *ret_uid);
/* The UID that comes next is read again: for batches that are full. */
void view_walk_back(struct view_walk *w, uint32_t uid);

/* Set arithmetic, O(ranges); ret must be a set already and is replaced; it may not be one of the
 * operands. */
void ranges_intersect(const struct rangeset *a, const struct rangeset *b, struct rangeset *ret);
void ranges_subtract(const struct rangeset *a, const struct rangeset *b, struct rangeset *ret);
void ranges_swap(struct rangeset *a, struct rangeset *b);
void ranges_unite(struct rangeset *a, const struct rangeset *b); /* a = a ∪ b */

#endif
