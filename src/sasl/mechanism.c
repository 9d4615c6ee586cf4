#include "sasl/mechanism.h"

#include "base/check.h"
#include "base/random.h"

static const struct sasl_mechanism mechanisms[] = {
#define MECHANISM(name, id, binds, certificate, first, respond, credential, rfc)                   \
    {name, id, binds, certificate, first, respond, credential},
#include "sasl/mechanisms.def"
#undef MECHANISM
};

const struct sasl_mechanism *sasl_mechanism_find(struct span name, bool tls, bool binding)
{
    for (size_t i = 0; tls && i < ARRAY_LEN(mechanisms); i++)
        if (span_is(name, mechanisms[i].name))
            return mechanisms[i].binds && !binding ? NULL : &mechanisms[i];
    return NULL;
}

static const struct sasl_mechanism *mechanism_by_id(uint8_t id)
{
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
        if (mechanisms[i].id == id)
            return &mechanisms[i];
    return NULL;
}

void sasl_exchange_init(struct sasl_exchange *x, const struct sasl_mechanism *m)
{
    *x = (struct sasl_exchange){
        .mechanism = m,
        .password = BUF(NAME_PASSWORD_MAX),
        .without_proof = BUF(SASL_RESPONSE_MAX),
    };
}

void sasl_exchange_done(struct sasl_exchange *x)
{
    secret_wipe(x->password.p, x->password.cap);
    buf_done(&x->password);
    buf_done(&x->without_proof);
    secret_wipe(x->proof, sizeof x->proof);
}

enum sasl_outcome sasl_begin(struct sasl_exchange *x, struct span initial, struct buf *challenge)
{
    if (initial.p)
        return sasl_respond(x, initial, challenge);
    buf_put_cstr(challenge, x->mechanism->first_challenge);
    return SASL_CONTINUE;
}

enum sasl_outcome sasl_respond(struct sasl_exchange *x, struct span response, struct buf *challenge)
{
    if (response.n > SASL_RESPONSE_MAX)
        return SASL_INVALID;
    return x->mechanism->respond(x, response, challenge);
}

enum sasl_outcome sasl_credential(struct sasl_exchange *x, const struct scram_credential *c,
                                  struct buf *challenge)
{
    CHECK(x->mechanism->credential);
    return x->mechanism->credential(x, c, challenge);
}

bool sasl_put_user(char dst[NAME_ADDRESS_MAX + 1], struct span user)
{
    BUF_AUTO struct buf prepared = BUF(NAME_ADDRESS_MAX);

    return name_user_prepare(user, &prepared) &&
           span_to_cstr(buf_span(&prepared), dst, NAME_ADDRESS_MAX + 1);
}

/* Passwords end an exchange: there is none to be written. */
void wr_sasl_exchange(struct buf *b, const struct sasl_exchange *x)
{
    CHECK(x->password.n == 0);
    wr_u8(b, x->mechanism->id);
    wr_u8(b, x->step);
    wr_cstr(b, x->user);
    wr_cstr(b, x->authzid);
    wr_cstr(b, x->first_bare);
    wr_cstr(b, x->gs2);
    wr_cstr(b, x->nonce);
    wr_cstr(b, x->server_nonce);
}

bool rd_sasl_exchange(struct rd *r, struct sasl_exchange *ret)
{
    sasl_exchange_init(ret, mechanism_by_id(rd_u8(r)));
    ret->step = rd_u8(r);
    rd_cstr(r, ret->user, sizeof ret->user);
    rd_cstr(r, ret->authzid, sizeof ret->authzid);
    rd_cstr(r, ret->first_bare, sizeof ret->first_bare);
    rd_cstr(r, ret->gs2, sizeof ret->gs2);
    rd_cstr(r, ret->nonce, sizeof ret->nonce);
    rd_cstr(r, ret->server_nonce, sizeof ret->server_nonce);
    return !r->bad && ret->mechanism;
}
