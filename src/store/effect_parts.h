/* effect_parts.h: what the files of effects share. */
#ifndef STORE_EFFECT_PARTS_H
#define STORE_EFFECT_PARTS_H

#include "store/engine.h"

int64_t blob_cost(uint32_t bytes);
void wr_place(struct buf *b, struct place p);
struct place rd_place(struct rd *r);
int shared_put(struct engine *e, uint64_t body, uint32_t references);
int body_release(struct engine *e, uint64_t body, bool maybe_shared, struct place at,
                 struct place summary);
/* Row, change row and its share of the body; the counters are the caller's. */
int message_remove(struct engine *e, uint64_t mailbox, uint32_t uid, const struct row_message *row,
                   bool keep_body);
int apply_guard(struct engine *e, uint64_t mailbox, uint64_t modseq);

int read_guard(struct engine *e, struct rd *r);
int read_body(struct engine *e, struct rd *r);
int read_add(struct engine *e, struct rd *r);
int read_share(struct engine *e, struct rd *r);
int read_flags(struct engine *e, struct rd *r);
int read_expunge(struct engine *e, struct rd *r);
int read_mailbox_put(struct engine *e, struct rd *r);
int read_mailbox_gone(struct engine *e, struct rd *r);
int read_keyword(struct engine *e, struct rd *r);
int read_subscribe(struct engine *e, struct rd *r);
int read_history(struct engine *e, struct rd *r);
int read_seen(struct engine *e, struct rd *r);
int read_queue_put(struct engine *e, struct rd *r);
int read_queue_gone(struct engine *e, struct rd *r);
int read_account(struct engine *e, struct rd *r);
int read_account_gone(struct engine *e, struct rd *r);
int read_mark(struct engine *e, struct rd *r);
int read_purge(struct engine *e, struct rd *r);
int read_trim(struct engine *e, struct rd *r);
int read_copied(struct engine *e, struct rd *r);
int read_moved(struct engine *e, struct rd *r);
int read_file_gone(struct engine *e, struct rd *r);
int read_forget(struct engine *e, struct rd *r);
int read_acl(struct engine *e, struct rd *r);
int read_note(struct engine *e, struct rd *r);
int read_read(struct engine *e, struct rd *r);
int read_named(struct engine *e, struct rd *r);
int read_domain(struct engine *e, struct rd *r);

/* Bytes come or go; the account's domain counts them, too. */
void account_use(struct engine *e, uint64_t account, int64_t bytes);
/* Rights of a mailbox that is gone; of and to an account that is. */
int acl_drop_mailbox(struct engine *e, uint64_t mailbox);
int annex_drop_account(struct engine *e, uint64_t account);

#endif
