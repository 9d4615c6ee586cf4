/* life_internal.h: what the files of a life share. */
#ifndef PKI_LIFE_INTERNAL_H
#define PKI_LIFE_INTERNAL_H

#include "pki/life.h"

enum { LIFE_RETRY_MOST = 3600 }; /* seconds */

/* Where it fails, memory is ahead of the disk: nothing goes on before it is written. */
int life_save(struct life *l, struct err *e);
/* Is the certificate that is in this slot, or is to come into it, fit to be shown? -EKEYREJECTED
 * with the reason, -EAGAIN: not to be told yet. */
int life_check_chain(struct life *l, const struct identity_slot *s, const struct life_key *key,
                     const struct chain *c, struct err *e);
/* The key goes, unless a slot still names it. */
int life_drop_key(struct life *l, const char *key, struct err *e);
/* What is under way in the next slot is given up. */
int life_give_up(struct life *l, const char *why, struct err *e);
/* From the state that the next slot is in until it is live. */
int life_run_steps(struct life *l, const char *why, struct err *e);
void life_label(const struct life *l, char ret[IDENTITY_NAME_MAX + 16]);
/* What has just gone live, as clients see it. As life_make_up. */
int life_prove_live(struct life *l, struct err *e);
/* Brings disk and workers up to memory. */
int life_catch_up(struct life *l, struct err *e);
/* Room for one more among the retired. */
int life_make_room(struct life *l, struct err *e);
void life_succeeded(struct life *l);
/* Why, and when it is tried again. */
void life_failed(struct life *l, const struct err *e);
/* Is the slot's first certificate for that key? */
bool life_chain_fits_key(const struct identity_slot *s, const struct life_key *key);

#endif
