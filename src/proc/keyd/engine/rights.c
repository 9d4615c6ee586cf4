#include "proc/keyd/engine/rights.h"

#include "base/check.h"

static const struct {
    enum key_purpose purpose;
    const char *name;
    unsigned sign; /* roles */
    unsigned create;
    unsigned with; /* purposes that one key may have besides */
} purposes[] = {
    {KEY_TLS_SERVER, "tls-server", ROLE_SESSIOND,                           ROLE_CERTD,
     KEY_TLS_CLIENT | KEY_CSR | KEY_CHALLENGE                                                                                      },
    {KEY_TLS_CLIENT, "tls-client", ROLE_RELAYD | ROLE_CERTD,                ROLE_CERTD | ROLE_MANAGER,
     KEY_TLS_SERVER | KEY_CSR                                                                                                      },
    {KEY_CA,         "ca",         ROLE_CAD,                                ROLE_CAD,                  KEY_CRL | KEY_OCSP | KEY_CSR},
    {KEY_CRL,        "crl",        ROLE_CAD,                                ROLE_CAD,                  KEY_CA | KEY_OCSP | KEY_CSR },
    {KEY_OCSP,       "ocsp",       ROLE_CAD,                                ROLE_CAD,                  KEY_CA | KEY_CRL | KEY_CSR  },
    {KEY_CSR,        "csr",        ROLE_CERTD | ROLE_CAD,                   ROLE_CERTD | ROLE_CAD,
     KEY_TLS_SERVER | KEY_TLS_CLIENT | KEY_CA | KEY_CRL | KEY_OCSP | KEY_EVIDENCE                                                  },
    {KEY_ACME,       "acme",       ROLE_CERTD,                              ROLE_CERTD,                0                           },
    {KEY_DKIM,       "dkim",       ROLE_RELAYD,                             ROLE_CERTD,                0                           },
    {KEY_EVIDENCE,   "evidence",   ROLE_WATCHD | ROLE_CERTD | ROLE_MANAGER, ROLE_CERTD,                KEY_CSR                     },
    {KEY_CHALLENGE,  "challenge",  ROLE_CERTD,                              ROLE_CERTD,                KEY_TLS_SERVER              },
};

/* Labels begin with the kind of owner: the CA's keys are cad's; keys made to be handed to people,
 * and to be forgotten then, the command line's; all others certd's. */
static bool label_of(enum role who, struct span label)
{
    bool ca = span_starts(label, SPAN("ca/")), account = span_starts(label, SPAN("account/"));

    switch (who) {
    case ROLE_CAD:
        return ca;
    case ROLE_MANAGER:
        return account;
    case ROLE_CERTD:
        return !ca && !account;
    default:
        return false;
    }
}

static bool label_is_valid(struct span label)
{
    for (size_t i = 0; i < label.n; i++)
        if (!ascii_is_alpha(label.p[i]) && !ascii_is_digit(label.p[i]) &&
            !span_has(SPAN("./_@-"), label.p[i]))
            return false;
    return label.n > 0;
}

bool right_to_sign(enum role who, unsigned purpose)
{
    for (size_t i = 0; i < ARRAY_LEN(purposes); i++)
        if (purposes[i].purpose == purpose)
            return (purposes[i].sign & who) != 0;
    return false;
}

bool right_to_create(enum role who, const struct key_create_request *r)
{
    struct span label = span_cstr(r->label);
    unsigned left = r->purposes;

    if (!label_is_valid(label) || !label_of(who, label) || left == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(purposes); i++) {
        if ((r->purposes & purposes[i].purpose) == 0)
            continue;
        if ((purposes[i].create & who) == 0 ||
            (r->purposes & ~(purposes[i].with | purposes[i].purpose)) != 0)
            return false;
        left &= ~(unsigned)purposes[i].purpose;
    }
    return left == 0 && (!r->with_profile || (r->purposes & (KEY_CA | KEY_CRL | KEY_OCSP)) != 0);
}

bool right_to_delete(enum role who, const char *label)
{
    return label_of(who, span_cstr(label));
}

const char *purpose_name(unsigned purpose)
{
    for (size_t i = 0; i < ARRAY_LEN(purposes); i++)
        if (purposes[i].purpose == purpose)
            return purposes[i].name;
    return NULL;
}
