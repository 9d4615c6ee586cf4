/*
 * ocsp.h: questions and answers about the state of certificates (RFC 6960, nonces by RFC 9654).
 *
 * Questions come from strangers: at most OCSP_REQUEST_MAX bytes and OCSP_IDS_MAX certificates; what
 * is more, or no question, is answered with ocsp_refusal, which needs no key.
 */
#ifndef PKI_OCSP_H
#define PKI_OCSP_H

#include "pki/certificate.h"

enum { OCSP_REQUEST_MAX = 4096, OCSP_IDS_MAX = 8, OCSP_NONCE_MAX = 128, OCSP_ANSWER_MAX = 16384 };

struct ocsp_question {
    struct ocsp_id *ids; /* what the question names; see ocsp_id_… */
    unsigned id_count;
    unsigned char nonce[OCSP_NONCE_MAX];
    unsigned nonce_bytes; /* 0: none */
};

/* Exactly one DER request. -EMSGSIZE, -EBADMSG, -E2BIG (too many certificates) with the reason. */
int ocsp_question_parse(struct span der, struct ocsp_question *ret, struct err *e);
void ocsp_question_done(struct ocsp_question *q);
/* Was the certificate asked for issued by this CA? By the hashes of its name and key. */
bool ocsp_id_issued_by(const struct ocsp_question *q, unsigned i, const struct certificate *ca);
/* hex as in struct certificate; "" when it is none that we could have given. */
const char *ocsp_id_serial(const struct ocsp_question *q, unsigned i);

enum ocsp_state { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };
struct ocsp_status {
    enum ocsp_state state;
    uint8_t reason; /* enum crl_reason */
    int64_t revoked_at;
};

struct ocsp_plan {
    const struct ocsp_question *question;
    const struct ocsp_status *status; /* one for each id */
    const struct certificate *issuer; /* answers with its own key */
    EVP_PKEY *signer;
    int64_t this_update, next_update;
};
/* The whole OCSPResponse, DER, appended. suspends with a keyd handle (purpose KEY_OCSP). */
int ocsp_answer(const struct ocsp_plan *p, struct buf *ret_der, struct err *e);

enum ocsp_refused { /* OCSPResponseStatus */
                    OCSP_REFUSED_MALFORMED = 1,
                    OCSP_REFUSED_INTERNAL = 2,
                    OCSP_REFUSED_TRY_LATER = 3,
                    OCSP_REFUSED_UNAUTHORIZED = 6,
};
bool ocsp_refusal(enum ocsp_refused why, struct buf *ret_der);

#endif
