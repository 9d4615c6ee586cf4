/*
 * The server side of SASL. The first byte chooses the mechanism and whether there is channel
 * binding data; the rest is a row of responses (u16 length, bytes). Between the steps the exchange
 * goes through its bytes, as in authd, and keys are at hand whenever it asks.
 */
#include "base/check.h"
#include "sasl/mechanism.h"
#include "sasl/seal.h"

#include <stdlib.h>

static const char *const names[] = {"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"};
static const unsigned char secret[SEAL_SECRET_BYTES];

static enum sasl_outcome drive(struct sasl_exchange *x, enum sasl_outcome o, struct buf *challenge)
{
    struct scram_credential keys = {.iterations = CREDENTIAL_ITERATIONS};

    CHECK(strlen(x->user) <= NAME_ADDRESS_MAX && strlen(x->authzid) <= NAME_ADDRESS_MAX);
    switch (o) {
    case SASL_CREDENTIAL:
    case SASL_PROOF:
        CHECK(x->user[0]);
        o = sasl_credential(x, &keys, challenge);
        CHECK(o != SASL_CREDENTIAL && o != SASL_PROOF);
        break;
    case SASL_PASSWORD:
        CHECK(x->user[0] && x->password.n > 0 && x->password.n <= NAME_PASSWORD_MAX);
        break;
    default:
        break;
    }
    CHECK(!challenge->overflow);
    return o;
}

static void through_bytes(struct sasl_exchange *x)
{
    struct sasl_exchange y;
    BUF_AUTO struct buf sealed = BUF(SEAL_MAX);

    sasl_seal(x, 1, secret, 1000, &sealed);
    CHECK(!sealed.overflow);
    sasl_exchange_done(x);
    bool ok = sasl_open(buf_span(&sealed), 1, secret, 1001, &y);
    CHECK(ok);
    *x = y;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct sasl_exchange x, raw;
    bool first = true;

    if (in.n < 1)
        return 0;
    unsigned head = (unsigned char)in.p[0];
    bool binding = head & 4;
    const struct sasl_mechanism *m =
        sasl_mechanism_find(span_cstr(head & 8 ? "EXTERNAL" : names[head & 3]), true, binding);
    in = span_skip(in, 1);
    /* bytes that are no state */
    struct rd r = rd_of(in);
    rd_sasl_exchange(&r, &raw);
    sasl_exchange_done(&raw);
    if (!m)
        return 0;
    sasl_exchange_init(&x, m);
    strcpy(x.server_nonce, "fuzz");
    enum sasl_outcome o = SASL_CONTINUE;
    while (o == SASL_CONTINUE && in.n >= 2) {
        size_t n = (unsigned char)in.p[0] | (size_t)(unsigned char)in.p[1] << 8;
        in = span_skip(in, 2);
        if (n > in.n)
            n = in.n;
        /* in memory of its own: a read past the end shows */
        char *copy = malloc(n ? n : 1);
        CHECK(copy);
        memcpy(copy, in.p ? in.p : "", n);
        in = span_skip(in, n);
        BUF_AUTO struct buf challenge = BUF(SASL_CHALLENGE_MAX);
        x.binding_exporter = binding ? SPAN("exporter") : SPAN_EMPTY;
        x.binding_endpoint = binding ? SPAN("endpoint") : SPAN_EMPTY;
        struct span response = span_of(copy, n);
        o = first ? sasl_begin(&x, response, &challenge) : sasl_respond(&x, response, &challenge);
        o = drive(&x, o, &challenge);
        free(copy);
        first = false;
        if (o == SASL_CONTINUE)
            through_bytes(&x);
    }
    CHECK(o != SASL_PROVEN || x.user[0]);
    sasl_exchange_done(&x);
    return 0;
}
