#include "imap/changes.h"

void changes_done(struct changes *d)
{
    rangeset_done(&d->changed);
    rangeset_done(&d->gone);
    rangeset_done(&d->added);
}

static bool on_change(const struct change_info *c, void *arg)
{
    struct changes *d = arg;

    rangeset_add(c->expunged ? &d->gone : &d->changed, c->uid, c->uid);
    return true;
}

/* The change log does not reach back: all UIDs and modseqs are compared. */
static void compare_all(struct store_read *r, const struct view *v, struct changes *d)
{
    struct rangeset now = RANGESET_EMPTY;
    struct store_cursor c;
    struct message_info info;

    rangeset_clear(&d->changed);
    rangeset_clear(&d->gone);
    store_uids(r, v->mailbox, &now);
    ranges_subtract(&v->uids, &now, &d->gone);
    ranges_subtract(&now, &v->uids, &d->added);
    rangeset_done(&now);
    if (store_cursor_open(r, v->mailbox, 1, &c) < 0)
        return;
    while (store_cursor_next(&c, &info))
        if (info.modseq > v->modseq && rangeset_has(&v->uids, info.uid))
            rangeset_add(&d->changed, info.uid, info.uid);
    store_cursor_close(&c);
}

void changes_find(struct store_read *r, const struct view *v, struct changes *d)
{
    struct rangeset t = RANGESET_EMPTY;

    if (store_changes_each(r, v->mailbox, v->modseq, on_change, d)) {
        /* what is gone has no flags any more, what came and went was never seen */
        ranges_subtract(&d->changed, &d->gone, &t);
        ranges_subtract(&t, &v->uids, &d->added);
        ranges_intersect(&t, &v->uids, &d->changed);
        ranges_intersect(&d->gone, &v->uids, &t);
        ranges_swap(&d->gone, &t);
    } else {
        compare_all(r, v, d);
    }
    rangeset_done(&t);
}

struct view *changes_current_view(struct store_read *r, const struct mailbox_info *info)
{
    struct view *old = view_newest(info->id), *v;
    struct rangeset uids = RANGESET_EMPTY;

    if (old && old->modseq == info->highestmodseq)
        return old;
    if (old && old->modseq < info->highestmodseq) {
        struct changes d = {.modseq = info->highestmodseq};
        changes_find(r, old, &d);
        ranges_subtract(&old->uids, &d.gone, &uids);
        ranges_unite(&uids, &d.added);
        changes_done(&d);
    } else {
        store_uids(r, info->id, &uids);
    }
    view_unref(old);
    v = view_new(info->id, info->highestmodseq, &uids);
    view_publish(v);
    return v;
}
