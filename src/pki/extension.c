#include "pki/extension.h"
#include "base/check.h"

#include <errno.h>

static GENERAL_NAME *string_name(int kind, int string_type, const void *p, int n)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s = ASN1_STRING_type_new(string_type);

    CHECK(g && s && ASN1_STRING_set(s, p, n) == 1);
    GENERAL_NAME_set0_value(g, kind, s);
    return g;
}

static GENERAL_NAME *general_name(const struct cert_name *n)
{
    unsigned char ip[16];
    unsigned bytes;

    switch ((enum cert_name_type)n->type) {
    case CERT_NAME_DNS:
        return string_name(GEN_DNS, V_ASN1_IA5STRING, n->text, (int)strlen(n->text));
    case CERT_NAME_EMAIL:
        return string_name(GEN_EMAIL, V_ASN1_IA5STRING, n->text, (int)strlen(n->text));
    case CERT_NAME_IP:
        bytes = cert_name_ip_bytes(n->text, ip);
        return bytes ? string_name(GEN_IPADD, V_ASN1_OCTET_STRING, ip, (int)bytes) : NULL;
    case CERT_NAME_TYPES:
        break;
    }
    return NULL;
}

GENERAL_NAMES *general_names_write(const struct cert_names *names)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();

    CHECK(all);
    for (uint32_t i = 0; i < names->n; i++) {
        GENERAL_NAME *g = general_name(&names->v[i]);
        if (!g) {
            GENERAL_NAMES_free(all);
            return NULL;
        }
        CHECK(sk_GENERAL_NAME_push(all, g) > 0);
    }
    return all;
}

static void add_subtree(STACK_OF(GENERAL_SUBTREE) * trees, GENERAL_NAME *take)
{
    GENERAL_SUBTREE *t = GENERAL_SUBTREE_new();

    CHECK(t && take);
    GENERAL_NAME_free(t->base);
    t->base = take;
    CHECK(sk_GENERAL_SUBTREE_push(trees, t) > 0);
}

static GENERAL_NAME *network_name(const struct permitted_network *n)
{
    unsigned char raw[32] = {0};

    memcpy(raw, n->address, n->bytes);
    for (unsigned bit = 0; bit < n->bits; bit++)
        raw[n->bytes + bit / 8] |= (unsigned char)(0x80u >> bit % 8);
    return string_name(GEN_IPADD, V_ASN1_OCTET_STRING, raw, 2 * n->bytes);
}

NAME_CONSTRAINTS *constraints_write(const struct permitted *p)
{
    NAME_CONSTRAINTS *nc = NAME_CONSTRAINTS_new();

    CHECK(nc);
    nc->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
    CHECK(nc->permittedSubtrees);
    for (uint32_t i = 0; i < p->dns.n; i++) {
        const char *d = p->dns.v[i].text;
        add_subtree(nc->permittedSubtrees,
                    string_name(GEN_DNS, V_ASN1_IA5STRING, d, (int)strlen(d)));
    }
    for (uint32_t i = 0; i < p->email.n; i++) {
        const char *d = p->email.v[i].text;
        add_subtree(nc->permittedSubtrees,
                    string_name(GEN_EMAIL, V_ASN1_IA5STRING, d, (int)strlen(d)));
    }
    for (uint32_t i = 0; i < p->network_count; i++)
        add_subtree(nc->permittedSubtrees, network_name(&p->networks[i]));
    return nc;
}

int subject_write(const struct cert_subject *s, X509_NAME *name, struct err *e)
{
    /* the order of the wizard's pages turned into that of the directory: country first */
    const struct {
        int nid;
        const char *label, *value;
    } fields[] = {
        {NID_countryName,            "country",             s->country     },
        {NID_stateOrProvinceName,    "state",               s->state       },
        {NID_localityName,           "locality",            s->locality    },
        {NID_organizationName,       "organization",        s->organization},
        {NID_organizationalUnitName, "organizational unit", s->unit        },
        {NID_commonName,             "common name",         s->common_name },
    };

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!fields[i].value || !fields[i].value[0])
            continue;
        /* OpenSSL knows the bounds of each field (RFC 5280 appendix A.1) */
        if (X509_NAME_add_entry_by_NID(name, fields[i].nid, MBSTRING_UTF8,
                                       (const unsigned char *)fields[i].value, -1, -1, 0) != 1)
            return err_set(
                e, -EINVAL,
                "the %s \"%.100s\" cannot stand in a certificate: it is not UTF-8 or has "
                "the wrong length (a country has 2 letters, names at most 64)",
                fields[i].label, fields[i].value);
    }
    return 0;
}

/* --- addresses of lists and certificates */

ASN1_IA5STRING *uri_string(const char *text)
{
    ASN1_IA5STRING *a = ASN1_IA5STRING_new();
    CHECK(a && ASN1_STRING_set(a, text, -1) == 1);
    return a;
}

GENERAL_NAMES *uri_names(const char *url)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    GENERAL_NAME *g = GENERAL_NAME_new();

    CHECK(all && g);
    GENERAL_NAME_set0_value(g, GEN_URI, uri_string(url));
    CHECK(sk_GENERAL_NAME_push(all, g) > 0);
    return all;
}

CRL_DIST_POINTS *distribution_points(const char *url)
{
    CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();
    DIST_POINT *point = DIST_POINT_new();

    CHECK(points && point);
    point->distpoint = DIST_POINT_NAME_new();
    CHECK(point->distpoint);
    point->distpoint->type = 0;
    point->distpoint->name.fullname = uri_names(url);
    CHECK(sk_DIST_POINT_push(points, point) > 0);
    return points;
}
