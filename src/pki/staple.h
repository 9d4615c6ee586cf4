/*
 * staple.h: OCSP answers that a server shows beside its certificate (RFC 6066 section 8, RFC 6960): what is asked, whether an answer may
 * be shown, and for how long. Answers come from strangers: at most OCSP_ANSWER_MAX bytes.
 */
#ifndef PKI_STAPLE_H
#define PKI_STAPLE_H

#include "pki/ocsp.h"

enum { STAPLE_URL_MAX = 1000, STAPLE_SKEW_SECONDS = 300 };

/* Must the server show one (RFC 7633)? */
bool staple_demanded(const struct certificate *leaf);
/* The first http or https address of a responder in it. */
bool staple_responder(const struct certificate *leaf, char ret[STAPLE_URL_MAX + 1]);
/* OCSPRequest, DER, appended: without a nonce, so that a responder may give an answer that it has. */
bool staple_question(const struct certificate *leaf, const struct certificate *issuer,
                     struct buf *ret_der);

struct staple_answer {
    enum ocsp_state state;
    int64_t this_update, next_update;
};
/* Signed by the issuer, or by whom the issuer has certified for it; about that certificate; not of tomorrow, not of yesterday,
 * and it says until when. -ENOENT: it is unauthorized, as the responder says; -EAGAIN: the responder has trouble; -EBADMSG,
 * -EKEYREJECTED, -ESTALE; each with the reason. */
int staple_check(struct span der, const struct certificate *leaf, const struct certificate *issuer,
                 int64_t now, struct staple_answer *ret, struct err *e);

#endif
