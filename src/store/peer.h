/* peer.h: the processes that talk to stored: what they share, what they watch, which log files they
 * were given. */
#ifndef STORE_PEER_H
#define STORE_PEER_H

#include "store/engine.h"

struct peer {
    struct list node;
    uint64_t link;
    enum role role;
    uint64_t client; /* 0: not attached */
    struct area areas[STORE_AREAS];
    struct pin_page *pin; /* NULL: does not read */
    uint32_t files_sent;  /* all up to this number */
    struct buf changes;   /* ids to be sent */
    uint64_t backup_txn;  /* STORE_BACKUP: the checkpoint that is kept for it; 0: none */
    uint32_t backup_call; /* waits for one; 0: does not */
    bool gone;
};

struct peers {
    struct list list;      /* struct peer, also those that are gone and still have requests */
    struct map64 *by_link; /* open ones */
    struct map64 *watches; /* mailbox → struct watchers */
};

void peers_init(struct peers *p);
void peers_done(struct peers *p);
struct peer *peer_of(struct peers *p, struct link *l); /* makes one for a new link */
/* STORE_ATTACH: takes the descriptors of the message. 0, -EINVAL, -EBUSY, -EPROTO. */
int peer_attach(struct peers *ps, struct peer *p, struct msg *m);
struct peer *peer_gone(struct peers *p,
                       struct link *l); /* no more notes; peer_free when its requests are done */
void peer_free(struct peers *ps, struct peer *p);
void peer_watch(struct peers *ps, struct peer *p, uint64_t mailbox, bool on);
void peers_changed(struct peers *ps,
                   uint64_t mailbox); /* for those that watch it, at peers_send_changes */
void peers_send_changes(struct peers *ps);
void peers_send_queue_due(struct peers *ps);
void peers_send_files(struct peers *ps, const struct journal *j);
void peers_send_files_gone(struct peers *ps, const uint32_t *numbers, unsigned count);
void peers_publish_floor(struct peers *ps, uint64_t floor);
/* The least pin of all readers, UINT64_MAX if none; a pin older than max_ms ends that reader's
 * link. */
uint64_t peers_oldest_pin(struct peers *ps, uint64_t now_ms, uint64_t max_ms);

/* What readers can know before the index does: changes up to that record are answered, are there. */
void peers_told(struct peers *ps, uint64_t sequence);
void peers_visible(struct peers *ps, uint64_t sequence);
bool peers_is_watched(const struct peers *ps, uint64_t mailbox);
/* Has anybody read of messages within so many ms? */
bool peers_reading(struct peers *ps, uint64_t now_ms, uint64_t within_ms);

/* STORE_BACKUP: who waits is kept the checkpoint that begins now; told when it is durable, or err.
 */
/* Is one copying the log? Then no file of it may go. */
bool peers_backup_running(struct peers *ps);
void peers_backup_begin(struct peers *ps, const struct checkpoint *c);
void peers_backup(struct peers *ps, const struct checkpoint *c, int err);

#endif
