/*
 * answers.h: which requests were done, and where in the log their records (and so their answers)
 * lie. Per client the last STORE_WINDOW.
 */
#ifndef STORE_ANSWERS_H
#define STORE_ANSWERS_H

#include "base/map.h"
#include "base/span.h"

struct answer_at {
    uint64_t counter, sequence;
    uint32_t file, at;
};
struct answers {
    struct map64 *clients;
};

void answers_init(struct answers *a);
void answers_done(struct answers *a);
void answers_put(struct answers *a, uint64_t client, const struct answer_at *at);
bool answers_find(const struct answers *a, uint64_t client, uint64_t counter,
                  struct answer_at *ret);
/* Those of records after this one were undone. */
void answers_undo(struct answers *a, uint64_t sequence);
void answers_forget(struct answers *a, uint64_t client);

#endif
