/* compact_drive.h: compaction without a loop, for tests: what service.c does, one step after the
 * other. */
#ifndef STORE_COMPACT_DRIVE_H
#define STORE_COMPACT_DRIVE_H

#include "base/check.h"
#include "store/compact.h"
#include <errno.h>

static inline void drive_checkpoint(struct engine *e)
{
    struct checkpoint c;

    CHECK(checkpoint_begin(e, &c) == 0);
    checkpoint_write(&c);
    if (checkpoint_done(e, &c) == 0)
        checkpoint_release(e, UINT64_MAX);
}

/* One step; false: nothing is to be done at the moment. */
static inline bool drive_compact(struct engine *e)
{
    uint32_t gone[COMPACT_FILES_MAX];
    int err;

    switch (compact_next(e->compact)) {
    case COMPACT_SCAN:
    case COMPACT_WARM:
        compact_help(e->compact);
        compact_helped(e->compact);
        return true;
    case COMPACT_COPY:
    case COMPACT_FORGET:
    case COMPACT_NUDGE:
        if (engine_batch_begin(e, compact_piece_bytes(e->compact)) != 0)
            return false;
        compact_put(e->compact);
        err = e->no_room ? -ENOSPC : 0;
        if (!err && !engine_batch_empty(e))
            err = engine_batch_sync(e);
        else if (!err)
            engine_batch_drop(e);
        if (engine_no_room(err))
            err = engine_batch_undo(e) ? -EIO : err;
        else if (!err && e->txn)
            err = engine_batch_commit(e);
        compact_committed(e->compact, !err);
        return !err;
    case COMPACT_SETTLE:
        return compact_unlink(e->compact, gone) > 0;
    default:
        return false;
    }
}

#endif
