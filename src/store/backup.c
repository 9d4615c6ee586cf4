/* Checkpoints that are kept for a backup: the command line copies the index as it lies there, and
 * with it the page that leads to a state of which no page was written over meanwhile. */
#include "store/peer.h"

bool peers_backup_running(struct peers *ps)
{
    list_for_each (&ps->list, struct peer, node, p) {
        if (!p->gone && (p->backup_txn || p->backup_call))
            return true;
    }
    return false;
}

void peers_backup_begin(struct peers *ps, const struct checkpoint *c)
{
    list_for_each (&ps->list, struct peer, node, p) {
        if (p->backup_call && !p->gone && p->backup_txn == 0)
            p->backup_txn = c->held.id;
    }
}

void peers_backup(struct peers *ps, const struct checkpoint *c, int err)
{
    struct file_checkpoint image;

    checkpoint_image(c, &image);
    list_for_each (&ps->list, struct peer, node, p) {
        if (!p->backup_call || p->backup_txn != c->held.id)
            continue;
        if (err)
            p->backup_txn = 0;
        link_reply(p->link, MSG_STORE_BACKUP, p->backup_call, err,
                   err ? SPAN_EMPTY : span_of(&image, sizeof(image)), NULL, 0);
        p->backup_call = 0;
    }
}
