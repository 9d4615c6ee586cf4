/* PLAIN, RFC 4616: message = [authzid] NUL authcid NUL passwd */
#include "sasl/mechanism.h"

#include "base/utf8.h"

enum sasl_outcome plain_respond(struct sasl_exchange *x, struct span response,
                                struct buf *challenge)
{
    size_t one = span_find(response, '\0');

    if (one == SPAN_NONE)
        return SASL_INVALID;
    struct span authzid = span_head(response, one), rest = span_skip(response, one + 1);
    size_t two = span_find(rest, '\0');
    if (two == SPAN_NONE)
        return SASL_INVALID;
    struct span authcid = span_head(rest, two), password = span_skip(rest, two + 1);

    if (authcid.n == 0 || password.n == 0 || span_has(password, '\0') ||
        authzid.n > NAME_ADDRESS_MAX || authcid.n > NAME_ADDRESS_MAX ||
        password.n > NAME_PASSWORD_MAX || !utf8_valid(response))
        return SASL_INVALID;
    /* well-formed, but nobody can be called so or have that password */
    if ((authzid.n && !sasl_put_user(x->authzid, authzid)) || !sasl_put_user(x->user, authcid) ||
        !name_password_prepare(password, &x->password))
        return SASL_FAILED;
    return SASL_PASSWORD;
}
