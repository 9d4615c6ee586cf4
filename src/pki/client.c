#include "pki/client.h"

#include "pki/certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

static void hex(const unsigned char *p, size_t n, char *dst)
{
    for (size_t i = 0; i < n; i++)
        snprintf(dst + 2 * i, 3, "%02x", p[i]);
}

/* Takes der, of n bytes. */
static bool digest(unsigned char *der, int n, char ret[65])
{
    unsigned char md[32];
    bool ok = n > 0 && EVP_Digest(der, (size_t)n, md, NULL, EVP_sha256(), NULL) == 1;

    if (ok)
        hex(md, sizeof md, ret);
    OPENSSL_free(der);
    return ok;
}

static bool name_digest(const X509_NAME *name, char ret[65])
{
    unsigned char *der = NULL;
    int n = i2d_X509_NAME(name, &der);

    return digest(der, n, ret);
}

static bool spki_digest(X509 *x, char ret[65])
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    return digest(der, n, ret);
}

static bool serial_of(X509 *x, char ret[41])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    int n = ASN1_STRING_length(serial);

    if (n <= 0 || n > 20)
        return false;
    hex(ASN1_STRING_get0_data(serial), (size_t)n, ret);
    return true;
}

static bool time_of(const ASN1_TIME *t, int64_t *ret)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *ret = timegm(&tm);
    return true;
}

/* A name that could be written on one line, and is all of it. */
static void take_name(const ASN1_STRING *s, char (*list)[CLIENT_NAME_MAX + 1], unsigned *count)
{
    const unsigned char *p = ASN1_STRING_get0_data(s);
    int n = ASN1_STRING_length(s);

    if (*count == CLIENT_NAMES_MAX || n <= 0 || n > CLIENT_NAME_MAX)
        return;
    for (int i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] == 0x7f)
            return;
    for (int i = 0; i < n; i++)
        list[*count][i] = ascii_lower((char)p[i]);
    list[*count][n] = '\0';
    ++*count;
}

static void take_names(X509 *x, struct client_certificate *ret)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type == GEN_EMAIL)
            take_name(g->d.rfc822Name, ret->email, &ret->email_count);
        else if (g->type == GEN_OTHERNAME && OBJ_obj2nid(g->d.otherName->type_id) == NID_ms_upn &&
                 g->d.otherName->value->type == V_ASN1_UTF8STRING)
            take_name(g->d.otherName->value->value.utf8string, ret->upn, &ret->upn_count);
    }
    GENERAL_NAMES_free(names);
}

bool client_certificate_of(X509 *x, struct client_certificate *ret)
{
    bool ok;

    *ret = (struct client_certificate){.serial = ""};
    ERR_clear_error();
    ok = spki_digest(x, ret->spki_sha256) &&
         name_digest(X509_get_issuer_name(x), ret->issuer_sha256) &&
         name_digest(X509_get_subject_name(x), ret->subject_sha256) && serial_of(x, ret->serial) &&
         time_of(X509_get0_notBefore(x), &ret->not_before) &&
         time_of(X509_get0_notAfter(x), &ret->not_after);
    if (ok) {
        certificate_name_line(X509_get_subject_name(x), ret->subject, sizeof ret->subject);
        certificate_name_line(X509_get_issuer_name(x), ret->issuer, sizeof ret->issuer);
        take_names(x, ret);
    }
    ERR_clear_error();
    return ok;
}
