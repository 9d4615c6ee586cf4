/* remedy.c: a server that cannot be reached needs other things than one that says the wrong ones. */
#include "base/check.h"
#include "monitor/run.h"

#include <errno.h>

enum { ANY_REASON = 0 };

/* clang-format off */
static const struct {
    enum talk_stage stage;
    int reason;               /* errno; ANY_REASON */
    const char *own, *others; /* of a server of ours, of other people's */
} rows[] = {
    {TALK_DIAL,      ECONNREFUSED,
     "nothing listens there: `sealpost status` says whether the server runs, `sealpost vserver show VSERVER` whether this endpoint does; `sealpost vserver start VSERVER` starts it",
     "nothing listens there: start the server, or give the host and port at which it listens"},
    {TALK_DIAL,      ETIMEDOUT,
     "packets get lost: let firewalls pass this port, and see in `sealpost status` whether the server is well",
     "packets get lost: let firewalls between here and there pass this port, or give the address at which the server is"},
    {TALK_DIAL,      EADDRNOTAVAIL,
     "an address of this machine is needed: `ip address` lists them",
     "an address of this machine is needed: `ip address` lists them"},
    {TALK_DIAL,      ANY_REASON,
     "no way leads there: give this machine an address and a route of that family (`ip route get ADDRESS`), or take the endpoint's address out of the configuration",
     "no way leads there: give this machine an address and a route of that family (`ip route get ADDRESS`), or name an address that can be reached from here"},
    {TALK_GREETING,  ETIMEDOUT,
     "it takes connections and is silent: `sealpost status` says which process hangs or is ill",
     "it takes connections and is silent: see in its log what it waits for; where TLS comes first on this port, ask with a scheme that says so (imaps://, submissions://)"},
    {TALK_GREETING,  ANY_REASON,
     "see what it says, and its log: limits of connections and lists of addresses (`sealpost vserver show VSERVER`) may keep this client out",
     "see what it says, and its log: limits of connections and lists of addresses may keep this client out (--from ADDRESS comes from another); where TLS comes first on this port, ask with a scheme that says so (imaps://, submissions://)"},
    {TALK_STARTTLS,  ANY_REASON,
     "let it offer STARTTLS: `sealpost status` and `sealpost cert show VSERVER` say why there is no certificate in service",
     "let the server offer STARTTLS, with a certificate and key that it can read (Dovecot: ssl_cert, ssl_key; Postfix: smtpd_tls_chain_files; INN: tlscertfile, tlskeyfile)"},
    {TALK_HANDSHAKE, ETIMEDOUT,
     "the handshake hangs: `sealpost status` says whether keyd and the workers are well",
     "the handshake hangs: see in the server's log what it waits for"},
    {TALK_HANDSHAKE, ANY_REASON,
     "TLS does not come about: `sealpost cert show VSERVER` says what is in service, the server's log why it ended the handshake",
     "TLS does not come about: see in the server's log why; where TLS comes only after STARTTLS on this port, ask with a scheme that says so (imap://, submission://)"},
    {TALK_DIALOGUE,  ETIMEDOUT,
     "the session hangs: `sealpost status` says which process is ill",
     "the session hangs: see in the server's log what it waits for"},
    {TALK_DIALOGUE,  EPIPE,
     "the session is ended in the middle: the server's log says why",
     "the session is ended in the middle: the server's log says why"},
    {TALK_DIALOGUE,  ECONNRESET,
     "the session is ended in the middle: the server's log says why",
     "the session is ended in the middle: the server's log says why"},
};
/* clang-format on */

const char *remedy_of(const struct talk *t)
{
    if (!t->failed)
        return NULL;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].stage == t->stage &&
            (rows[i].reason == ANY_REASON || rows[i].reason == -t->reason))
            return t->target->foreign ? rows[i].others : rows[i].own;
    return NULL;
}
