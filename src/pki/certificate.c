#include "pki/certificate.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/codec.h"
#include "base/utf8.h"
#include "pki/extension.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

/* --- keys */

static bool ec_type(EVP_PKEY *key, char ret[16])
{
    static const struct {
        const char *group, *type;
    } types[] = {
        {"prime256v1", "p256"},
        {"secp384r1",  "p384"},
        {"secp521r1",  "p521"}
    };
    char group[64];
    size_t n;

    if (EVP_PKEY_get_group_name(key, group, sizeof(group), &n) != 1)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(group, types[i].group) == 0) {
            span_to_cstr(span_cstr(types[i].type), ret, 16);
            return true;
        }
    return false;
}

bool key_type_of(EVP_PKEY *key, char ret[16], unsigned *ret_security)
{
    bool known = true;
    int bits = EVP_PKEY_get_security_bits(key);

    if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
        int n = EVP_PKEY_get_bits(key);
        char text[16];
        snprintf(text, sizeof(text), "rsa%u", n > 0 ? (unsigned)n % 100000 : 0);
        memcpy(ret, text, sizeof(text));
    } else if (EVP_PKEY_is_a(key, "ED25519")) {
        memcpy(ret, "ed25519", 8);
    } else if (EVP_PKEY_is_a(key, "ED448")) {
        memcpy(ret, "ed448", 6);
    } else {
        known = EVP_PKEY_is_a(key, "EC") && ec_type(key, ret);
    }
    if (!known)
        memcpy(ret, "unknown", 8);
    *ret_security = known && bits > 0 ? (unsigned)bits : 0;
    return known;
}

const EVP_MD *key_digest(const char *key_type)
{
    if (strcmp(key_type, "ed25519") == 0 || strcmp(key_type, "ed448") == 0)
        return NULL;
    if (strcmp(key_type, "p384") == 0)
        return EVP_sha384();
    return strcmp(key_type, "p521") == 0 ? EVP_sha512() : EVP_sha256();
}

/* --- parsing */

static void put_text(char *dst, size_t size, struct span s)
{
    struct buf clean BUF_AUTO = BUF(4 * s.n + 16);
    size_t n;

    utf8_scrub(&clean, s);
    n = clean.n < size ? clean.n : size - 1;
    while (n < clean.n && n > 0 && ((unsigned char)clean.p[n] & 0xc0) == 0x80)
        n--; /* never half of a character */
    for (size_t i = 0; i < n; i++)
        dst[i] = (unsigned char)clean.p[i] < 0x20 || clean.p[i] == 0x7f ? '?' : clean.p[i];
    dst[n] = '\0';
}

void certificate_name_line(const X509_NAME *name, char *dst, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *p = NULL;
    long n = 0;

    CHECK(bio);
    if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >=
        0)
        n = BIO_get_mem_data(bio, &p);
    put_text(dst, size, span_of(p, n > 0 ? (size_t)n : 0));
    BIO_free(bio);
}

static void common_name(const X509_NAME *name, char *dst, size_t size)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    unsigned char *utf8 = NULL;
    int n;

    dst[0] = '\0';
    if (at < 0)
        return;
    n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (n >= 0)
        put_text(dst, size, span_of(utf8, (size_t)n));
    OPENSSL_free(utf8);
}

static struct span string_span(const ASN1_STRING *s)
{
    int n = ASN1_STRING_length(s);
    return span_of(ASN1_STRING_get0_data(s), n > 0 ? (size_t)n : 0);
}

static bool add_ip(struct cert_names *names, struct span raw)
{
    char text[INET6_ADDRSTRLEN];

    if ((raw.n != 4 && raw.n != 16) ||
        !inet_ntop(raw.n == 4 ? AF_INET : AF_INET6, raw.p, text, sizeof(text)))
        return false;
    return cert_names_add(names, CERT_NAME_IP, span_cstr(text)) == 0;
}

static bool add_general_name(struct cert_names *names, const GENERAL_NAME *g)
{
    switch (g->type) {
    case GEN_DNS:
        return cert_names_add(names, CERT_NAME_DNS, string_span(g->d.dNSName)) == 0;
    case GEN_EMAIL:
        return cert_names_add(names, CERT_NAME_EMAIL, string_span(g->d.rfc822Name)) == 0;
    case GEN_IPADD:
        return add_ip(names, string_span(g->d.iPAddress));
    default:
        return false;
    }
}

void general_names_read(const GENERAL_NAMES *all, struct cert_names *names, unsigned *ignored)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++)
        if (!add_general_name(names, sk_GENERAL_NAME_value(all, i)))
            (*ignored)++;
}

/* address and mask, each half of the bytes */
static bool add_permitted_network(struct permitted *p, struct span raw)
{
    char text[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN + 8];
    unsigned half = (unsigned)raw.n / 2, bits = 0;

    if ((raw.n != 8 && raw.n != 32) ||
        !inet_ntop(half == 4 ? AF_INET : AF_INET6, raw.p, text, sizeof(text)))
        return false;
    while (bits < half * 8 && ((unsigned char)raw.p[half + bits / 8] & (0x80u >> bits % 8)))
        bits++;
    snprintf(network, sizeof(network), "%s/%u", text, bits);
    return permitted_add_network(p, span_cstr(network)) == 0;
}

static bool add_permitted(struct permitted *p, const GENERAL_NAME *g)
{
    switch (g->type) {
    case GEN_DNS:
        return permitted_add_dns(p, string_span(g->d.dNSName)) == 0;
    case GEN_EMAIL:
        return permitted_add_email(p, string_span(g->d.rfc822Name)) == 0;
    case GEN_IPADD:
        return add_permitted_network(p, string_span(g->d.iPAddress));
    default:
        return false;
    }
}

static void read_constraints(struct certificate *c)
{
    NAME_CONSTRAINTS *nc = X509_get_ext_d2i(c->x509, NID_name_constraints, NULL, NULL);

    if (!nc)
        return;
    c->has_permitted = true;
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(nc->permittedSubtrees); i++)
        add_permitted(&c->permitted, sk_GENERAL_SUBTREE_value(nc->permittedSubtrees, i)->base);
    NAME_CONSTRAINTS_free(nc);
}

static int read_time(const ASN1_TIME *t, int64_t *ret)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return -EBADMSG;
    *ret = (int64_t)timegm(&tm);
    return 0;
}

static void hash_hex(struct span s, char ret[65])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf hex BUF_AUTO = BUF(200);

    CHECK(EVP_Digest(s.p, s.n, md, &n, EVP_sha256(), NULL) == 1 && n == 32);
    hex_encode(&hex, span_of(md, n));
    span_to_cstr(buf_span(&hex), ret, 65);
}

static bool read_serial(struct certificate *c)
{
    const ASN1_INTEGER *s = X509_get0_serialNumber(c->x509);
    struct buf hex BUF_AUTO = BUF(200);
    struct span raw = string_span(s);

    if (raw.n == 0 || raw.n > 20 || ASN1_STRING_type(s) == V_ASN1_NEG_INTEGER)
        return false;
    hex_encode(&hex, raw);
    return span_to_cstr(buf_span(&hex), c->serial, sizeof(c->serial));
}

static void read_signature(struct certificate *c)
{
    int digest = NID_undef, key = NID_undef, bits = 0;
    const char *name;

    if (X509_get_signature_info(c->x509, &digest, &key, &bits, NULL) == 1 && bits > 0)
        c->signature_security = (unsigned)bits;
    name = OBJ_nid2ln(X509_get_signature_nid(c->x509));
    put_text(c->signature, sizeof(c->signature), span_cstr(name ? name : "unknown"));
}

unsigned certificate_ext_usage(X509 *x, unsigned *ret_count)
{
    unsigned bits = X509_get_extended_key_usage(x), count = 0;
    EXTENDED_KEY_USAGE *all = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);

    for (int i = 0; i < sk_ASN1_OBJECT_num(all); i++, count++) {
        char oid[64];
        OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(all, i), 1);
        if (strcmp(oid, CERTIFICATE_OID_DOCUMENT) == 0)
            bits |= CERTIFICATE_XKU_DOCUMENT;
    }
    sk_ASN1_OBJECT_pop_free(all, ASN1_OBJECT_free);
    if (ret_count != NULL)
        *ret_count = count;
    return bits;
}

static int read_extensions(struct certificate *c, struct err *e)
{
    GENERAL_NAMES *san;
    int critical = 0;
    uint32_t flags = X509_get_extension_flags(c->x509);

    if (flags & EXFLAG_INVALID)
        return err_set(e, -EBADMSG, "the certificate of %s has a damaged extension", c->subject);
    san = X509_get_ext_d2i(c->x509, NID_subject_alt_name, &critical, NULL);
    if (!san && critical != -1)
        return err_set(e, -EBADMSG, "the alternative names of %s are damaged or stand there twice",
                       c->subject);
    if (san)
        general_names_read(san, &c->names, &c->names_ignored);
    GENERAL_NAMES_free(san);
    c->is_ca = (flags & EXFLAG_CA) != 0;
    c->self_issued = (flags & EXFLAG_SI) != 0;
    c->path_len = c->is_ca ? (int)X509_get_pathlen(c->x509) : -1;
    c->key_usage = X509_get_key_usage(c->x509);
    c->ext_usage = certificate_ext_usage(c->x509, NULL);
    read_constraints(c);
    return 0;
}

static int read_facts(struct certificate *c, struct err *e)
{
    struct buf spki BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    EVP_PKEY *key;

    certificate_name_line(X509_get_subject_name(c->x509), c->subject, sizeof(c->subject));
    certificate_name_line(X509_get_issuer_name(c->x509), c->issuer, sizeof(c->issuer));
    common_name(X509_get_subject_name(c->x509), c->common_name, sizeof(c->common_name));
    if (!read_serial(c))
        return err_set(e, -EBADMSG, "the serial number of %s is negative or longer than 20 bytes",
                       c->subject);
    if (read_time(X509_get0_notBefore(c->x509), &c->not_before) < 0 ||
        read_time(X509_get0_notAfter(c->x509), &c->not_after) < 0)
        return err_set(e, -EBADMSG, "the dates of the certificate of %s are no dates", c->subject);
    if (!certificate_spki(c, &spki))
        return err_set(e, -EBADMSG, "the public key of %s cannot be read", c->subject);
    hash_hex(buf_span(&spki), c->spki_sha256);
    hash_hex(certificate_der(c), c->sha256);
    memcpy(c->key_type, "unknown", 8);
    key = X509_get0_pubkey(c->x509);
    if (key)
        key_type_of(key, c->key_type, &c->key_security);
    read_signature(c);
    return read_extensions(c, e);
}

int certificate_parse(struct span der, struct certificate **ret, struct err *e)
{
    const unsigned char *p = (const unsigned char *)der.p;
    struct certificate *c;
    char why[200];
    int rc;

    if (der.n == 0)
        return err_set(e, -EBADMSG, "this is no certificate: it is empty");
    if (der.n > CERTIFICATE_DER_MAX)
        return err_set(e, -EMSGSIZE, "this is no certificate: %zu bytes, at most %d are taken",
                       der.n, CERTIFICATE_DER_MAX);
    c = calloc(1, sizeof(*c));
    CHECK(c);
    ERR_clear_error();
    c->x509 = d2i_X509(NULL, &p, (long)der.n);
    if (!c->x509 || (size_t)(p - (const unsigned char *)der.p) != der.n) {
        rc = err_set(e, -EBADMSG, "this is no certificate (%s); give a file as the CA sent it",
                     c->x509 ? "bytes behind its end" : openssl_error(why));
    } else {
        c->der = (unsigned char *)span_dup(der);
        c->der_bytes = der.n;
        rc = read_facts(c, e);
    }
    ERR_clear_error();
    if (rc < 0) {
        certificate_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void certificate_free(struct certificate *c)
{
    if (!c)
        return;
    X509_free(c->x509);
    free(c->der);
    cert_names_done(&c->names);
    permitted_done(&c->permitted);
    free(c);
}

/* --- questions */

bool certificate_spki(const struct certificate *c, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x509), &der);
    bool ok = n > 0 && buf_put(out, der, (size_t)n);

    OPENSSL_free(der);
    return ok;
}

bool certificate_has_spki(const struct certificate *c, struct span spki)
{
    struct buf own BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    return certificate_spki(c, &own) && span_eq(buf_span(&own), spki);
}

bool certificate_name_matches(const struct certificate *c, const struct cert_name *n)
{
    unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    unsigned char ip[16];
    unsigned bytes;

    switch ((enum cert_name_type)n->type) {
    case CERT_NAME_DNS:
        if (n->text[0] == '*') /* the wildcard itself must stand there */
            return cert_names_has(&c->names, CERT_NAME_DNS, span_cstr(n->text));
        return X509_check_host(c->x509, n->text, strlen(n->text), flags, NULL) == 1;
    case CERT_NAME_IP:
        bytes = cert_name_ip_bytes(n->text, ip);
        return bytes && X509_check_ip(c->x509, ip, bytes, 0) == 1;
    case CERT_NAME_EMAIL:
        return X509_check_email(c->x509, n->text, strlen(n->text), flags) == 1;
    case CERT_NAME_TYPES:
        break;
    }
    return false;
}

/* --- chains as bytes */

void chain_done(struct chain *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        certificate_free(c->v[i]);
    *c = CHAIN_NONE;
}

static int chain_add(struct chain *c, struct span der, struct err *e)
{
    int rc;

    if (c->n == CERTIFICATE_CHAIN_MAX)
        return err_set(e, -E2BIG,
                       "more than %d certificates; give the server's and its issuers' only",
                       CERTIFICATE_CHAIN_MAX);
    rc = certificate_parse(der, &c->v[c->n], e);
    if (rc < 0)
        return err_wrap(e, rc, "certificate %zu", c->n + 1);
    c->n++;
    return 0;
}

static int parse_pem(struct span text, struct chain *c, struct err *e)
{
    struct buf der BUF_AUTO = BUF(CERTIFICATE_TEXT_MAX);
    bool damaged;

    if (span_find_span(text, SPAN("PRIVATE KEY-----")) != SPAN_NONE)
        return err_set(e, -EINVAL,
                       "the file holds a private key; give the certificates alone, and use "
                       "\"cert import\" for a key made elsewhere");
    while (pem_next(&text, "CERTIFICATE", &der, &damaged)) {
        int rc = chain_add(c, buf_span(&der), e);
        if (rc < 0)
            return rc;
        buf_clear(&der);
    }
    if (damaged)
        return err_set(e, -EBADMSG, "certificate %zu is cut off or damaged (no clean PEM)",
                       c->n + 1);
    if (c->n == 0)
        return err_set(e, -EBADMSG, "there is no certificate in the file");
    return 0;
}

int chain_parse_file(struct span text, struct chain *ret, struct err *e)
{
    struct chain c = CHAIN_NONE;
    int rc;

    if (text.n > CERTIFICATE_TEXT_MAX)
        return err_set(e, -EMSGSIZE, "the file has %zu bytes, at most %d are taken", text.n,
                       CERTIFICATE_TEXT_MAX);
    if (span_find_span(text, SPAN("-----BEGIN ")) != SPAN_NONE)
        rc = parse_pem(text, &c, e);
    else
        rc = chain_add(&c, text, e);
    if (rc < 0) {
        chain_done(&c);
        return rc;
    }
    *ret = c;
    return 0;
}

int chain_parse(struct span bytes, struct chain *ret, struct err *e)
{
    struct rd r = rd_of(bytes);
    struct chain c = CHAIN_NONE;
    int rc = 0;

    while (rc == 0 && r.n > 0) {
        struct span der = rd_span(&r, CERTIFICATE_DER_MAX);
        rc = r.bad ? err_set(e, -EBADMSG, "the chain is cut off") : chain_add(&c, der, e);
    }
    if (rc < 0) {
        chain_done(&c);
        return rc;
    }
    *ret = c;
    return 0;
}

bool chain_write(const struct chain *c, struct buf *out)
{
    for (size_t i = 0; i < c->n; i++)
        wr_span(out, certificate_der(c->v[i]));
    return !out->overflow;
}

bool chain_write_pem(const struct chain *c, struct buf *out)
{
    for (size_t i = 0; i < c->n; i++)
        pem_write("CERTIFICATE", certificate_der(c->v[i]), out);
    return !out->overflow;
}
