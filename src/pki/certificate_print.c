/* A certificate for people and for programs. */
#include "base/check.h"
#include "base/date.h"
#include "base/json.h"
#include "pki/certificate.h"

#include <inttypes.h>
#include <openssl/x509v3.h>

static const struct {
    uint32_t bit;
    const char *text;
} key_usages[] =
    {
        {KU_DIGITAL_SIGNATURE, "digital signature"  },
        {KU_NON_REPUDIATION,   "non repudiation"    },
        {KU_KEY_ENCIPHERMENT,  "key encipherment"   },
        {KU_DATA_ENCIPHERMENT, "data encipherment"  },
        {KU_KEY_AGREEMENT,     "key agreement"      },
        {KU_KEY_CERT_SIGN,     "certificate signing"},
        {KU_CRL_SIGN,          "CRL signing"        },
},
  ext_usages[] = {
      {XKU_SSL_SERVER, "TLS server"},
      {XKU_SSL_CLIENT, "TLS client"},
      {XKU_SMIME, "e-mail protection"},
      {XKU_CODE_SIGN, "code signing"},
      {XKU_OCSP_SIGN, "OCSP signing"},
      {XKU_TIMESTAMP, "time stamping"},
      {CERTIFICATE_XKU_DOCUMENT, "document signing"},
      {XKU_ANYEKU, "any purpose"},
};

static void put_usages(const struct certificate *c, struct buf *out, bool json)
{
    bool first = true;

    for (size_t i = 0; c->key_usage != UINT32_MAX && i < ARRAY_LEN(key_usages); i++)
        if (c->key_usage & key_usages[i].bit) {
            buf_printf(out, json ? "%s\"%s\"" : "%s%s", first ? "" : (json ? "," : ", "),
                       key_usages[i].text);
            first = false;
        }
    for (size_t i = 0; c->ext_usage != UINT32_MAX && i < ARRAY_LEN(ext_usages); i++)
        if (c->ext_usage & ext_usages[i].bit) {
            buf_printf(out, json ? "%s\"%s\"" : "%s%s", first ? "" : (json ? "," : ", "),
                       ext_usages[i].text);
            first = false;
        }
    if (first && !json)
        buf_put_cstr(out, "any (the certificate does not say)");
}

static void put_validity(const struct certificate *c, int64_t now, struct buf *out)
{
    buf_put_cstr(out, "Valid        ");
    date_print_iso(out, c->not_before);
    buf_put_cstr(out, " to ");
    date_print_iso(out, c->not_after);
    if (now < c->not_before)
        buf_put_cstr(out, " (not yet)\n");
    else if (now > c->not_after)
        buf_put_cstr(out, " (EXPIRED)\n");
    else
        buf_printf(out, " (%" PRId64 " days left)\n", (c->not_after - now) / 86400);
}

void certificate_print(const struct certificate *c, int64_t now, struct buf *out)
{
    buf_printf(out, "Subject      %s\nIssued by    %s\nSerial       %s\n", c->subject, c->issuer,
               c->serial);
    put_validity(c, now, out);
    buf_put_cstr(out, "Names        ");
    if (c->names.n)
        cert_names_print(&c->names, out);
    else
        buf_put_cstr(out, "none");
    if (c->names_ignored)
        buf_printf(out, " (and %u of other kinds)", c->names_ignored);
    buf_printf(out, "\nKey          %s, signed with %s\nUse          ", c->key_type, c->signature);
    put_usages(c, out, false);
    if (c->is_ca) {
        buf_put_cstr(out, "\nCA           yes");
        if (c->path_len >= 0)
            buf_printf(out, ", %d CAs below at most", c->path_len);
    }
    if (c->has_permitted) {
        buf_put_cstr(out, "\nPermitted    ");
        permitted_print(&c->permitted, out);
    }
    buf_printf(out, "\nKey SHA-256  %s\nFingerprint  %s\n", c->spki_sha256, c->sha256);
}

static void json_field(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":", name);
    json_put_string(out, span_cstr(value));
    buf_putc(out, ',');
}

void certificate_json(const struct certificate *c, struct buf *out)
{
    buf_putc(out, '{');
    json_field(out, "subject", c->subject);
    json_field(out, "common_name", c->common_name);
    json_field(out, "issuer", c->issuer);
    json_field(out, "serial", c->serial);
    json_field(out, "key_type", c->key_type);
    json_field(out, "signature", c->signature);
    json_field(out, "spki_sha256", c->spki_sha256);
    json_field(out, "sha256", c->sha256);
    buf_printf(out, "\"not_before\":%" PRId64 ",\"not_after\":%" PRId64 ",\"ca\":%s,\"names\":[",
               c->not_before, c->not_after, c->is_ca ? "true" : "false");
    for (uint32_t i = 0; i < c->names.n; i++) {
        buf_put_cstr(out, i ? "," : "");
        json_put_string(out, span_cstr(c->names.v[i].text));
    }
    buf_put_cstr(out, "],\"use\":[");
    put_usages(c, out, true);
    buf_put_cstr(out, "]}");
}
