/* EXTERNAL, RFC 4422 appendix A: message = [authzid]. Who it is, the certificate of the TLS handshake
 * says. */
#include "sasl/mechanism.h"

#include "base/utf8.h"

enum sasl_outcome external_respond(struct sasl_exchange *x, struct span response,
                                   struct buf *challenge)
{
    if (response.n > NAME_ADDRESS_MAX || span_has(response, '\0') || !utf8_valid(response))
        return SASL_INVALID;
    /* well-formed, but nobody can be called so */
    if (response.n && !sasl_put_user(x->authzid, response))
        return SASL_FAILED;
    return SASL_EXTERNAL;
}
