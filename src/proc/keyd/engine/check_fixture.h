/* check_fixture.h: for tests: a key, and whether it would sign a text. */
#ifndef KEYD_CHECK_FIXTURE_H
#define KEYD_CHECK_FIXTURE_H

#include "base/check.h"
#include "proc/keyd/engine/check.h"
#include "proc/keyd/engine/sign.h"

#include <stdio.h>
#include <stdlib.h>

static inline struct keyd_key *make(const char *type, unsigned purposes,
                                    const struct key_ca_profile *profile)
{
    struct key_create_request r = {.purposes = purposes, .with_profile = profile != NULL};
    struct keyd_key *k = NULL;

    if (profile != NULL)
        r.profile = *profile;
    snprintf(r.label, sizeof r.label, "test");
    snprintf(r.type, sizeof r.type, "%s", type);
    CHECK(keyd_key_make(&r, &k) == 0);
    return k;
}

static inline struct key_sign_request request(unsigned purpose, struct span text)
{
    return (struct key_sign_request){
        .purpose = purpose, .algorithm = KEY_ECDSA, .digest = KEY_SHA256, .text = text};
}

static inline bool passes(struct keyd_key *k, unsigned purpose, struct span text)
{
    struct key_sign_request r = request(purpose, text);
    bool learned;
    return check_text(k, &r, &learned) == NULL;
}

#endif
