/* plan.h: what the planners share. */
#ifndef STORE_PLAN_H
#define STORE_PLAN_H

#include "store/engine.h"

/* Where a worker says its bytes lie; false: not inside what it shares. */
bool area_span(const struct intent *i, const struct msg_blob *b, struct span *ret);
int quota_check(struct engine *e, uint64_t account, uint64_t more);
/* plan_annex.c: what the holder of a grant may do with a mailbox (acl.h). */
int mailbox_rights(struct engine *e, struct span token, const struct mbox *m, struct grant *ret,
                   uint32_t *ret_rights);
int mailbox_allows(struct engine *e, struct span token, const struct mbox *m, uint32_t rights);
/* May he make a mailbox of that name? Below another's mailbox, and below public folders, that is a
 * right of the nearest one above. */
int tree_allows(struct engine *e, struct span token, uint64_t account, struct span name);
/* A new mailbox takes over the rights of the nearest one above. */
int acl_inherit(struct engine *e, uint64_t account, struct span name, uint64_t id);
int describe(struct engine *e, uint64_t mailbox, struct span text); /* empty: no more */
bool address_known(struct engine *e, uint64_t account, struct span address);
int uid_room(const struct mbox *m, uint64_t count);
int plan_broken(struct engine *e, int err);
uint64_t system_flags(uint64_t flags); /* without keywords and unknown ones */
/* The flags that somebody with these rights may change; keywords are flags from 1 << 8 on. */
uint64_t flags_allowed(uint32_t rights);
bool is_public(const struct mbox *m);
/* One message is read by its one reader, as of the mailbox's highest modseq. */
int read_one(struct engine *e, const struct mbox *m, uint64_t account, uint32_t uid);

/* plan_keyword.c */
unsigned keyword_names(struct engine *e, uint64_t mailbox, struct span names[STORE_KEYWORDS_MAX]);
/* Names that the table of a mailbox lacks, each once. */
struct lacking {
    struct span have[STORE_KEYWORDS_MAX], name[STORE_KEYWORDS_MAX];
    unsigned n, missing;
    bool full;
};
struct lacking lacking_of(struct engine *e, const struct mbox *m);
void lacking_add(struct lacking *l, const struct span *k, size_t count);
int keywords_room(struct engine *e, const struct mbox *m, const struct span *k, size_t count);
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
struct copy_how {
    bool move;
    uint64_t reader, allowed; /* whose marks count in public folders; flags that may be set */
};
int copy_messages(struct engine *e, struct mbox *from, struct mbox *to, struct copy_plan *p,
                  const struct copy_how *how, struct store_copied *c);
int move_piece(struct engine *e, struct mbox *from, struct mbox *to, bool *ret_more);
/* A mailbox and its parents; the name must be free and valid. */
int mailbox_make(struct engine *e, uint64_t account, struct span name, uint32_t attributes,
                 uint64_t *ret_id);

#endif
