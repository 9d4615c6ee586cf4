/* authority.c: the CAs of the configuration that are asked over the network, and our accounts there. */
#include "base/check.h"
#include "base/fd.h"
#include "manager/cert.h"
#include "manager/table.h"
#include "manager/text.h"
#include "pki/crl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { FIRST_MODE = 0644 };

static const struct view authority_columns[] = {
    {"AUTHORITY", "name",      VIEW_TEXT, COLUMN_WHOLE},
    {"KIND",      "kind",      VIEW_TEXT, 0           },
    {"PROVES BY", "challenge", VIEW_TEXT, 0           },
    {"USED BY",   "used_by",   VIEW_TEXT, 0           },
    {"ADDRESS",   "url",       VIEW_TEXT, COLUMN_WRAP },
};

/* The virtual servers whose certificate came from there. */
static json_t *used_by(const json_t *certificates, const char *authority)
{
    json_t *all = json_array(), *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)certificates, i, one)
    {
        if (strcmp(view_string(one, "source"), "external CA") == 0 &&
            strcmp(view_string(one, "origin"), authority) == 0)
            json_array_append_new(all, view_text(view_string(one, "vserver")));
    }
    return all;
}

int cmd_authority_list(struct call *c, struct err *e)
{
    static const char *const challenges[] = {[CHALLENGE_HTTP] = "http-01",
                                             [CHALLENGE_TLS_ALPN] = "tls-alpn-01",
                                             [CHALLENGE_DNS_COMMAND] = "dns-01 (command)",
                                             [CHALLENGE_DNS_UPDATE] = "dns-01 (update)"};
    struct control *control = call_control(c, e);
    const struct conf *conf = control ? control_conf(control, e) : NULL;
    json_t *certificates, *rows;

    if (!conf || !(certificates = cert_ask(c, MSG_CERT_LIST, NULL, e)))
        return -EIO;
    rows = json_array();
    for (uint32_t i = 0; i < conf->authority_count; i++) {
        const struct conf_authority *a = &conf->authorities[i];
        bool acme = a->kind == AUTHORITY_ACME;
        json_array_append_new(
            rows,
            json_pack("{s:o,s:s,s:s,s:o,s:o}", "name", view_text(a->name), "kind",
                      acme ? "ACME" : "EST", "challenge", acme ? challenges[a->challenge] : "",
                      "url", view_text(a->url), "used_by",
                      used_by(json_object_get(certificates, "certificates"), a->name)));
    }
    json_decref(certificates);
    return view_list(c, rows, VIEW(authority_columns),
                     "The configuration has no authorities; only the own CA is asked online.");
}

static json_t *change(struct call *c, enum cert_account_what what, struct err *e)
{
    struct cert_account_msg m = {.what = (uint8_t)what};
    struct buf body BUF_AUTO = BUF(128);

    if (!span_to_cstr(span_cstr(c->args[0]), m.authority, sizeof m.authority)) {
        err_set(e, -ENOENT, "there is no authority of that name");
        return NULL;
    }
    wr_cert_account(&body, &m);
    return cert_ask_body(c, MSG_CERT_AUTHORITY, buf_span(&body), e);
}

int cmd_authority_rekey(struct call *c, struct err *e)
{
    json_t *v = change(c, CERT_ACCOUNT_REKEY, e);

    return v == NULL ? -EIO
                     : view_done(c, v, "The account at %s has a new key; the old one is destroyed.",
                                 c->args[0]);
}

int cmd_authority_deactivate(struct call *c, struct err *e)
{
    json_t *v;
    int r = cert_confirm(c,
                         SPAN("The account is given up for ever. Certificates that it got stay "
                              "valid; the next order makes another account.\n"),
                         "Deactivate the account?", e);

    if (r != 0)
        return r;
    if ((v = change(c, CERT_ACCOUNT_LEAVE, e)) == NULL)
        return -EIO;
    return view_done(c, v, "The account at %s is deactivated, its key destroyed.", c->args[0]);
}

/* The certificate's own place, and who certd is need not be known: it is no secret. */
static int write_first(const struct call *c, const struct conf_authority *a,
                       const struct chain *chain, char *path, size_t size, struct err *e)
{
    struct buf pem BUF_AUTO = BUF(2 * CERTIFICATE_CHAIN_MAX * CERTIFICATE_DER_MAX);

    if (a->certificate_file[0] == '/')
        snprintf(path, size, "%s", a->certificate_file);
    else
        snprintf(path, size, "%s/certs/%s", control_data(c->control), a->certificate_file);
    if (!chain_write_pem(chain, &pem))
        return err_set(e, -EMSGSIZE, "the certificates are too long");
    return file_write(AT_FDCWD, path, buf_span(&pem), FIRST_MODE, e);
}

static int bring(struct call *c, const struct conf_authority *a, struct container_key *k,
                 struct err *e)
{
    char path[2000], label[KEY_LABEL_MAX + 1];
    struct key_info info;
    int r = cert_open_asking(c, k, e);

    if (r < 0)
        return r;
    if (k->pkcs8.n == 0 || k->chain.n == 0)
        return err_set(e, -EINVAL,
                       "there must be a certificate and its private key in what is given");
    if (!certificate_has_spki(k->chain.v[0], buf_span(&k->spki)))
        return err_set(
            e, -EKEYREJECTED,
            "the key does not belong to the certificate of %s; give the certificate first, "
            "those of its issuers behind it",
            k->chain.v[0]->subject);
    snprintf(label, sizeof label, "est/%s", a->name);
    r = cert_import_key_once(c, k, label, KEY_TLS_CLIENT, false, &info, e);
    if (r < 0)
        return r;
    if ((r = write_first(c, a, &k->chain, path, sizeof path, e)) < 0)
        return r;
    return view_done(
        c, NULL,
        "%s is shown %s at the first enrolment from now on. The certificate is in %s, its "
        "key is with keyd; keep or destroy the file it came in.",
        a->name, k->chain.v[0]->subject, path);
}

int cmd_authority_certificate(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    const struct conf *conf = control ? control_conf(control, e) : NULL;
    const struct conf_authority *a;
    struct container_key k;
    int r;

    if (!conf)
        return -EIO;
    a = conf_authority_by_name(conf, c->args[0]);
    if (!a)
        return err_set(e, -ENOENT, "the configuration has no authority of that name");
    if (!a->certificate_file[0])
        return err_set(e, -EINVAL,
                       "say in the configuration first where the certificate goes: authority %s, "
                       "certificate_file = \"%s.pem\", and sealpost reload",
                       a->name, a->name);
    container_key_init(&k);
    r = bring(c, a, &k, e);
    container_key_done(&k);
    return r;
}

int cmd_cert_revoke(struct call *c, struct err *e)
{
    const char *given = has_option(c, OPT_REASON) ? c->option[OPT_REASON] : "unspecified";
    struct cert_revoke_msg m = {.serial = ""};
    struct buf body BUF_AUTO = BUF(256);
    enum crl_reason reason;
    bool current = c->arg_count < 2;
    json_t *v;
    int r;

    if (!crl_reason_by_name(span_cstr(given), &reason) || reason == CRL_HOLD)
        return usage_error(e,
                           "%s is no reason that an authority takes; `sealpost cert revoke "
                           "--help` lists them",
                           text_quote(span_cstr(given)));
    m.reason = (uint8_t)reason;
    if (!span_to_cstr(span_cstr(c->args[0]), m.vserver, sizeof m.vserver) ||
        (!current && !span_to_cstr(span_cstr(c->args[1]), m.serial, sizeof m.serial)))
        return err_set(e, -ENOENT, "there is no such virtual server or certificate");
    r = cert_confirm(c,
                     current ? SPAN("It is revoked at the authority that issued it, for ever, and "
                                    "another one is ordered there at once.\n")
                             : SPAN("It is revoked at the authority that issued it, for ever.\n"),
                     "Revoke it?", e);
    if (r != 0)
        return r;
    wr_cert_revoke(&body, &m);
    if ((v = cert_ask_body(c, MSG_CERT_REVOKE, buf_span(&body), e)) == NULL)
        return -EIO;
    return view_done(c, v,
                     current ? "The certificate is revoked. Until its successor is there, "
                               "which has been ordered, %s shows it still."
                             : "That certificate of %s is revoked.",
                     c->args[0]);
}
