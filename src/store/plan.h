/* plan.h: what the planners share. */
#ifndef STORE_PLAN_H
#define STORE_PLAN_H

#include "store/engine.h"

/* Where a worker says its bytes lie; false: not inside what it shares. */
bool area_span(const struct intent *i, const struct msg_blob *b, struct span *ret);
int quota_check(struct engine *e, uint64_t account, uint64_t more);
int uid_room(const struct mbox *m, uint64_t count);
int plan_broken(struct engine *e, int err);
/* Bits of the keywords of a mailbox; make: unknown ones are added (there must be room). */
int keyword_bits(struct engine *e, struct mbox *m, const struct span *k, size_t count, bool make,
                 uint64_t *ret);
/*
 * Copies the summary block out of the worker's area (it can still change there) and vets it. A
 * block that no parser of ours can have made is refused, -EBADMSG: its texts would go to clients as
 * they stand. stored makes none itself, so that it never parses a stranger's message; the sender
 * still has it.
 */
int body_check(struct engine *e, const struct intent *i, struct msg_body *b);
/* Writes body and summary (checked before), and fills their part of the row. */
int body_put(struct engine *e, const struct intent *i, const struct msg_body *b,
             uint32_t references, struct row_message *row);
void prefix_set(struct row_message *row, struct place p);
/* Is there an article of that Message-ID in this newsgroup (0: anywhere, also formerly)? */
bool article_known(struct engine *e, struct span message_id, uint64_t mailbox);
struct copy_plan;
int copy_messages(struct engine *e, struct mbox *from, struct mbox *to, struct copy_plan *p,
                  bool move, struct store_copied *c);
int move_piece(struct engine *e, struct mbox *from, struct mbox *to, bool *ret_more);
/* A mailbox and its parents; the name must be free and valid. */
int mailbox_make(struct engine *e, uint64_t account, struct span name, uint32_t attributes,
                 uint64_t *ret_id);

#endif
