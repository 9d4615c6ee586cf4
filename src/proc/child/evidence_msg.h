/*
 * evidence_msg.h: something that goes into the log of evidence (section 0 of messages.def): from the process that did it to the supervisor,
 * which says who asked and chains the entry to the one before it.
 *
 *   EVIDENCE_EVENT  cstr kind, u8 role of who asked (0 … ROLE_COUNT-1), u8 its instance, u8 count, (cstr name, cstr value) …
 *   EVIDENCE_ADD    the same, from the command line → u64 number of the entry, cstr its hash
 *
 * Names are lower-case words, values printable ASCII; wr_ makes them so.
 */
#ifndef PROC_EVIDENCE_MSG_H
#define PROC_EVIDENCE_MSG_H

#include "base/codec.h"

enum {
    EVIDENCE_WORD_MAX = 31,
    EVIDENCE_VALUE_MAX = 400,
    EVIDENCE_FACTS_MAX = 8,
    EVIDENCE_NOBODY = 255, /* role: nobody has asked, the process did it by itself */
    EVIDENCE_HASH_TEXT = 64,
};

struct evidence_fact {
    const char *name, *value;
};
struct evidence_event {
    char kind[EVIDENCE_WORD_MAX + 1];
    uint8_t role, instance; /* of who asked the sender */
    unsigned count;
    struct {
        char name[EVIDENCE_WORD_MAX + 1], value[EVIDENCE_VALUE_MAX + 1];
    } facts[EVIDENCE_FACTS_MAX];
};

/* Facts with an empty value are left out; a value that is too long is cut. */
void wr_evidence_event(struct buf *b, const char *kind, uint8_t role, uint8_t instance,
                       const struct evidence_fact *facts, unsigned count);
bool rd_evidence_event(struct span body, struct evidence_event *ret);
void wr_evidence_added(struct buf *b, uint64_t number, const char *hash);
bool rd_evidence_added(struct span body, uint64_t *ret_number, char hash[EVIDENCE_HASH_TEXT + 1]);

#endif
