/* The fields of a subject before they become a name: bounds of X.520, countries of ISO 3166. */
#include "base/check.h"
#include "base/utf8.h"
#include "pki/certificate.h"

#include <errno.h>
#include <openssl/x509.h>

static const struct {
    const char *code, *name;
} countries[] = {
#define COUNTRY(code, name) {code, name},
#include "pki/countries.def"
#undef COUNTRY
};

const char *country_code(unsigned i)
{
    return i < ARRAY_LEN(countries) ? countries[i].code : NULL;
}

const char *country_name(struct span code)
{
    for (unsigned i = 0; i < ARRAY_LEN(countries); i++)
        if (span_eq_cstr(code, countries[i].code))
            return countries[i].name;
    return NULL;
}

const char *country_find(struct span text)
{
    text = span_trim(text);
    for (unsigned i = 0; i < ARRAY_LEN(countries); i++)
        if (span_is(text, countries[i].code) || span_is(text, countries[i].name))
            return countries[i].code;
    return NULL;
}

static size_t characters(struct span s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* Those of ASCII and C1, and those that turn the direction of writing: what is read would not be
 * what is there (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069). */
static bool has_control(struct span s)
{
    const unsigned char *p = (const unsigned char *)s.p;

    for (size_t i = 0; i < s.n; i++) {
        size_t left = s.n - i;
        if (p[i] < 0x20 || p[i] == 0x7f)
            return true;
        if (left > 1 && ((p[i] == 0xc2 && p[i + 1] < 0xa0) || (p[i] == 0xd8 && p[i + 1] == 0x9c)))
            return true;
        if (left > 2 && p[i] == 0xe2 &&
            ((p[i + 1] == 0x80 &&
              (p[i + 2] == 0x8e || p[i + 2] == 0x8f || (p[i + 2] >= 0xaa && p[i + 2] <= 0xae))) ||
             (p[i + 1] == 0x81 && p[i + 2] >= 0xa6 && p[i + 2] <= 0xa9)))
            return true;
    }
    return false;
}

int cert_subject_check(const struct cert_subject *s, struct err *e)
{
    /* the upper bounds of RFC 5280 appendix A.1 */
    const struct {
        const char *label, *value;
        size_t most;
    } fields[] = {
        {"common name",         s->common_name,  64 },
        {"organization",        s->organization, 64 },
        {"organizational unit", s->unit,         64 },
        {"state or province",   s->state,        128},
        {"city or locality",    s->locality,     128},
    };
    struct span country = span_cstr(s->country);

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct span v = span_cstr(fields[i].value);
        if (!utf8_valid(v) || has_control(v))
            return err_set(e, -EINVAL,
                           "the %s is not UTF-8 text or holds control characters; type it anew",
                           fields[i].label);
        if (characters(v) > fields[i].most)
            return err_set(e, -EINVAL,
                           "the %s has %zu characters; X.520 allows %zu, please shorten it",
                           fields[i].label, characters(v), fields[i].most);
    }
    if (country.n > 0 && country_name(country) == NULL)
        return err_set(e, -EINVAL,
                       "\"%.20s\" is no country code of ISO 3166; give two capital letters, as DE "
                       "or US",
                       utf8_valid(country) && !has_control(country) ? s->country : "?");
    return 0;
}

/* --- reading */

static void read_field(const X509_NAME *name, int nid, char dst[CERT_FIELD_BYTES + 1])
{
    int at = X509_NAME_get_index_by_NID(name, nid, -1), n;
    unsigned char *utf8 = NULL;

    dst[0] = '\0';
    if (at < 0)
        return;
    n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (n > 0)
        span_to_cstr(span_of(utf8, (size_t)n), dst, CERT_FIELD_BYTES + 1);
    OPENSSL_free(utf8);
}

void certificate_fields(const struct certificate *c, struct cert_fields *ret)
{
    const X509_NAME *name = X509_get_subject_name(c->x509);
    struct cert_subject s;
    struct err ignored;

    read_field(name, NID_commonName, ret->common_name);
    read_field(name, NID_organizationName, ret->organization);
    read_field(name, NID_organizationalUnitName, ret->unit);
    read_field(name, NID_countryName, ret->country);
    read_field(name, NID_stateOrProvinceName, ret->state);
    read_field(name, NID_localityName, ret->locality);
    s = cert_fields_subject(ret);
    if (cert_subject_check(&s, &ignored) < 0)
        memset(ret, 0, sizeof(*ret));
}
