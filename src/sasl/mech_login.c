/* LOGIN, draft-murchison-sasl-login: two questions, two answers. */
#include "sasl/mechanism.h"

#include "base/utf8.h"

enum step { USER, PASSWORD };

static enum sasl_outcome take_user(struct sasl_exchange *x, struct span response,
                                   struct buf *challenge)
{
    if (response.n == 0 || response.n > NAME_ADDRESS_MAX || !utf8_valid(response) ||
        span_has(response, '\0'))
        return SASL_INVALID;
    if (!sasl_put_user(x->user, response))
        x->user[0] = '\0'; /* nobody: decided when the password is there */
    x->step = PASSWORD;
    buf_put_cstr(challenge, "Password:");
    return SASL_CONTINUE;
}

enum sasl_outcome login_respond(struct sasl_exchange *x, struct span response,
                                struct buf *challenge)
{
    if (x->step == USER)
        return take_user(x, response, challenge);
    if (response.n == 0 || response.n > NAME_PASSWORD_MAX || !utf8_valid(response) ||
        span_has(response, '\0'))
        return SASL_INVALID;
    if (!x->user[0] || !name_password_prepare(response, &x->password))
        return SASL_FAILED;
    return SASL_PASSWORD;
}
