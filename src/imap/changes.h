/* changes.h: how a mailbox differs from a view of it. */
#ifndef IMAP_CHANGES_H
#define IMAP_CHANGES_H

#include "imap/view.h"
#include "store/store.h"

struct changes {
    struct rangeset changed; /* flags of messages in the view */
    struct rangeset gone;    /* of the view */
    struct rangeset added;   /* not in the view */
    uint64_t modseq;         /* set by the caller */
    bool anything;           /* set by the caller */
};
/* From the change log, or by comparing all. The changes must be empty before. */
void changes_find(struct store_read *r, const struct view *v, struct changes *d);
void changes_done(struct changes *d);
/* The mailbox as it is now, as a reference to a published view: made from the newest one this
 * process has, or read. */
struct view *changes_current_view(struct store_read *r, const struct mailbox_info *info);

#endif
