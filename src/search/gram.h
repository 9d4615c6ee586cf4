/*
 * gram.h: the grams of a folded text: short runs of characters such that a text which holds a
 * needle holds all grams of the needle. They are what the index is made of, and only ever say
 * "cannot be there" or "may be there"; message/search.h decides.
 *
 * At each place of a text stands at most one gram, found from the three characters that begin there
 * alone: two characters if one of them is of a script that is written without blanks (Chinese,
 * Japanese, Korean: words have two), else three. None holds a control character, and none begins
 * with a blank or ends with one. So the grams of a part of a text are among those of the text.
 *
 * A gram is kept as a number of 24 bits, by a hash of place and characters: two that share one cost a
 * look at a message that does not match, and the index has short names of equal length without an order that
 * would be bad for its hash tables.
 */
#ifndef SEARCH_GRAM_H
#define SEARCH_GRAM_H

#include "base/buf.h"

/* Where a text stands. Each place has grams of its own, so that FROM does not find what stands in To. */
enum gram_place {
    GRAM_SUBJECT,
    GRAM_FROM,  /* From, Sender, Reply-To */
    GRAM_TO,    /* To, Cc, Bcc */
    GRAM_IDS,   /* Message-ID, In-Reply-To, References */
    GRAM_OTHER, /* all other fields */
    GRAM_BODY,  /* text parts, and the fields of messages inside */
    GRAM_PLACES,
};
enum gram_place gram_place_of(struct span field_name);

enum {
    GRAM_BYTES = 4,          /* of one as written by gram_put */
    GRAMS_OF_MESSAGE = 60000 /* a message with more is a candidate always */
};

/* A set of grams. */
struct gram_set {
    uint32_t *slot; /* 0: free */
    uint32_t mask, n;
    bool full; /* more than GRAMS_OF_MESSAGE were added */
};
void gram_set_init(struct gram_set *s);
void gram_set_done(struct gram_set *s);
void gram_set_clear(struct gram_set *s);

/* Takes a text in pieces of whole characters. */
struct gram_text {
    enum gram_place place;
    uint32_t last[2]; /* characters before; 0: none */
};
static inline struct gram_text gram_text_begin(enum gram_place place)
{
    return (struct gram_text){.place = place};
}
void gram_text_add(struct gram_text *t, struct span folded, struct gram_set *set);

/* One after the other, in no order; *at begins with 0. False at the end. */
bool gram_set_next(const struct gram_set *s, uint32_t *at, uint32_t *ret_gram);
/* As GRAM_BYTES letters, digits, '-' and '_'. */
void gram_put(uint32_t gram, char *out);

/* Number of the grams of a needle at that place, which are added to the set; 0: the index knows
 * nothing of it. */
uint32_t gram_needle(struct span folded, enum gram_place place, struct gram_set *set);

#endif
