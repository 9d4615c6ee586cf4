/*
 * evidence_sign.h: a file signed with CMS (RFC 5652), detached, as PEM. The key is made for this one signature and forgotten; the own CA certifies
 * it (profile evidence, which signs nothing else), so that its register says when and for what. Any CMS program verifies it:
 *   openssl cms -verify -binary -inform PEM -in FILE.p7s -content FILE -CAfile ROOT.pem -purpose any
 */
#ifndef MANAGER_EVIDENCE_SIGN_H
#define MANAGER_EVIDENCE_SIGN_H

#include "manager/control.h"
#include "pki/certificate.h"

/* PEM, appended; *ret_serial of the signer's certificate. */
int evidence_sign(struct control *c, const struct conf *conf, struct span content,
                  struct buf *ret_pem, char ret_serial[CERTIFICATE_SERIAL_MAX], struct err *e);
struct evidence_signer {
    char name[256]; /* its subject */
    char serial[CERTIFICATE_SERIAL_MAX], sha256[65];
    bool
        earlier_kind; /* of before there was a profile for it (code): only the register tells it from a programmer's */
};
/* -EKEYREJECTED with the reason. The register is not asked here. */
int evidence_verify(struct span content, struct span signature, struct span roots_pem,
                    struct evidence_signer *ret, struct err *e);

#endif
