/* cert_import.c: certificates that come and go together with their key. The key travels between the
 * file and keyd; certd sees the certificates alone. */
#include "base/check.h"
#include "base/fd.h"
#include "base/random.h"
#include "manager/cert.h"
#include "manager/password.h"
#include "manager/text.h"
#include "pki/keyd_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { TRIES = 3, EXPORT_MODE = 0600, EXPORT_MAX = 1 << 20 };

/* --- the key at keyd */

int cert_import_key(struct call *c, const struct container_key *k, const char *label,
                    unsigned purposes, bool exportable, struct key_info *ret, struct err *e)
{
    struct key_create_request q = {.purposes = purposes, .exportable = exportable};
    struct buf body = BUF(8192), reply BUF_AUTO = BUF(2048);
    struct rd r;
    int rc;

    if (k->pkcs8.n > KEY_PKCS8_MAX)
        return err_set(e, -EMSGSIZE, "the key has %zu bytes, too many", k->pkcs8.n);
    snprintf(q.label, sizeof q.label, "%s", label);
    buf_reserve(&body, 8192); /* never moved: one copy to wipe */
    wr_key_import(&body, &q, buf_span(&k->pkcs8));
    rc = control_call(c->control, ROLE_KEYD, 0, MSG_KEY_IMPORT, buf_span(&body), &reply, e);
    secret_wipe(body.p, body.cap);
    buf_done(&body);
    if (rc == -EINVAL)
        return err_set(
            e, rc,
            "keyd does not take this key (%s): it is of a kind that is not used here, or "
            "its halves do not belong together",
            k->key_type);
    if (rc < 0)
        return rc;
    r = rd_of(buf_span(&reply));
    rd_key_info(&r, ret);
    return rd_done(&r) ? 0 : err_set(e, -EPROTO, "the answer of keyd makes no sense");
}

/* keyd has it already: from an import that was broken off, or for another virtual server. */
static int find_key(struct call *c, struct span spki, struct key_info *ret, struct err *e)
{
    unsigned char after[KEY_ID_BYTES] = {0};
    bool more = true;

    while (more) {
        struct buf body BUF_AUTO = BUF(256), reply BUF_AUTO = BUF(65536);
        struct rd r;
        unsigned n;
        wr_cstr(&body, "vserver/");
        wr_raw(&body, after, sizeof after);
        if (control_call(c->control, ROLE_KEYD, 0, MSG_KEY_LIST, buf_span(&body), &reply, e) < 0)
            return -EIO;
        r = rd_of(buf_span(&reply));
        more = rd_bool(&r);
        n = rd_u16(&r);
        more = more && n > 0;
        for (unsigned i = 0; i < n && !r.bad; i++) {
            rd_key_info(&r, ret);
            if (!r.bad && span_eq(span_of(ret->spki, ret->spki_bytes), spki))
                return 0;
        }
        if (r.bad || (n > 0 && !key_id_parse(ret->id, after)))
            return err_set(e, -EPROTO, "the answer of keyd makes no sense");
    }
    return err_set(e, -EEXIST, "keyd has this key already, for another use");
}

int cert_import_key_once(struct call *c, const struct container_key *k, const char *label,
                         unsigned purposes, bool exportable, struct key_info *ret, struct err *e)
{
    int rc = cert_import_key(c, k, label, purposes, exportable, ret, e);

    if (rc != -EEXIST)
        return rc;
    if ((rc = find_key(c, buf_span(&k->spki), ret, e)) < 0)
        return rc;
    return strcmp(label, ret->label) == 0
               ? 0
               : err_set(e, -EEXIST, "this key is in use by %s already", ret->label);
}

static int key_for(struct call *c, const struct cert_import *i, struct key_info *ret, struct err *e)
{
    char label[KEY_LABEL_MAX + 1];
    int rc;

    snprintf(label, sizeof label, "vserver/%s", i->vserver);
    rc = cert_import_key_once(c, &i->key, label, KEY_TLS_SERVER | KEY_CSR, i->exportable, ret, e);
    if (rc == -EEXIST) {
        struct err why = *e;
        return err_set(e, rc, "%s; show its certificate on %s too with `sealpost cert assign`",
                       why.text, i->vserver);
    }
    return rc;
}

/* --- importing */

static int prepare(struct cert_import *i, struct err *e)
{
    struct buf pem BUF_AUTO = BUF(2 * CERTIFICATE_CHAIN_MAX * CERTIFICATE_DER_MAX);

    if (i->key.pkcs8.n == 0)
        return err_set(e, -EINVAL,
                       "there is no private key in what was given; for the answer to a request use "
                       "`sealpost cert install`");
    if (i->key.chain.n == 0)
        return err_set(e, -EINVAL,
                       "there is no certificate beside the key; give its certificate (and those of "
                       "the issuers) as more files");
    cert_files_done(&i->files);
    cert_files_init(&i->files);
    chain_write_pem(&i->key.chain, &pem);
    cert_files_add_bytes(&i->files, CERT_FILE_ANSWER, "certificates", buf_span(&pem));
    return cert_files_add_roots(&i->files, i->root, e);
}

json_t *cert_import_look(struct call *c, struct cert_import *i, struct err *e)
{
    struct cert_offer_msg m = {.source = IDENTITY_IMPORT, .spki = buf_span(&i->key.spki)};

    if (prepare(i, e) < 0)
        return NULL;
    snprintf(m.vserver, sizeof m.vserver, "%s", i->vserver);
    snprintf(m.name, sizeof m.name, "%s", i->name ? i->name : i->key.name);
    return cert_offer(c, &m, &i->files, e);
}

json_t *cert_import_install(struct call *c, struct cert_import *i, struct err *e)
{
    struct cert_offer_msg m = {.source = IDENTITY_IMPORT, .install = true};
    struct key_info key;

    if (key_for(c, i, &key, e) < 0)
        return NULL;
    snprintf(m.vserver, sizeof m.vserver, "%s", i->vserver);
    snprintf(m.name, sizeof m.name, "%s", i->name ? i->name : i->key.name);
    snprintf(m.key_id, sizeof m.key_id, "%s", key.id);
    return cert_offer(c, &m, &i->files, e);
}

int cert_open_asking(struct call *c, struct container_key *key, struct err *e)
{
    struct buf pass = BUF(KEY_PASSPHRASE_MAX);
    const char *const *paths = c->args + 1;
    unsigned count = c->arg_count - 1;
    bool legacy = has_option(c, OPT_LEGACY), given = has_option(c, OPT_PASSPHRASE_STDIN);
    int rc = 0;

    if (given)
        rc = password_read_stdin(&pass, e);
    if (rc == 0)
        rc = cert_open(paths, count, given ? buf_span(&pass) : SPAN_EMPTY, legacy, key, e);
    for (unsigned n = 0; !given && rc == -EACCES && n < TRIES; n++) {
        password_done(&pass);
        pass = BUF(KEY_PASSPHRASE_MAX);
        if ((rc = passphrase_ask(paths[0], false, &pass, e)) < 0)
            break;
        /* the empty passphrase is one */
        rc = cert_open(paths, count, span_of(pass.p ? pass.p : "", pass.n), legacy, key, e);
    }
    password_done(&pass);
    return rc;
}

static int import(struct call *c, struct cert_import *i, struct err *e)
{
    struct buf text BUF_AUTO = BUF(65536);
    json_t *v;
    int r;

    if (call_control(c, e) == NULL)
        return -ENOTCONN;
    if ((r = cert_open_asking(c, &i->key, e)) < 0)
        return r;
    if ((v = cert_import_look(c, i, e)) == NULL)
        return -EIO;
    cert_summary(v, &text);
    json_decref(v);
    if ((r = cert_confirm(c, buf_span(&text), "Install this certificate and its key?", e)) != 0)
        return r;
    if ((v = cert_import_install(c, i, e)) == NULL)
        return -EIO;
    if (has_option(c, OPT_YES) && !has_option(c, OPT_JSON)) {
        text_put_safe(&c->out, buf_span(&text), true);
        buf_putc(&c->out, '\n');
    }
    return view_done(
        c, v,
        "The certificate is successfully installed on %s, its key is with keyd. Keep or "
        "destroy the file it came in: it holds the key too.",
        i->vserver);
}

int cmd_cert_import(struct call *c, struct err *e)
{
    struct cert_import i = {.vserver = c->args[0],
                            .name = c->option[OPT_NAME],
                            .root = c->option[OPT_ROOT],
                            .exportable = has_option(c, OPT_EXPORTABLE)};
    int r;

    if (strlen(i.vserver) > CERT_MSG_WORD_MAX)
        return err_set(e, -ENOENT, "there is no virtual server of that name");
    if (i.name && strlen(i.name) > CERT_MSG_LABEL_MAX)
        return usage_error(e, "--name is longer than %d bytes", CERT_MSG_LABEL_MAX);
    cert_files_init(&i.files);
    container_key_init(&i.key);
    r = import(c, &i, e);
    container_key_done(&i.key);
    cert_files_done(&i.files);
    return r;
}

int cmd_cert_replace(struct call *c, struct err *e)
{
    return c->arg_count > 1 ? cmd_cert_import(c, e) : cmd_cert_issue(c, e);
}

/* --- exporting */

static int export_key(struct call *c, const char *id, struct span passphrase, struct buf *ret,
                      struct err *e)
{
    struct buf body = BUF(1024);
    unsigned char raw[KEY_ID_BYTES];
    int rc;

    if (!key_id_parse(id, raw))
        return err_set(e, -EPROTO, "the answer of certd makes no sense");
    buf_reserve(&body, 1024);
    wr_raw(&body, raw, sizeof raw);
    wr_span(&body, passphrase);
    rc = control_call(c->control, ROLE_KEYD, 0, MSG_KEY_EXPORT, buf_span(&body), ret, e);
    secret_wipe(body.p, body.cap);
    buf_done(&body);
    if (rc == -EPERM)
        return err_set(
            e, rc,
            "the key was not made exportable, and keyd does not give it away; make a new "
            "one with `sealpost cert request VSERVER --exportable`");
    return rc < 0 ? rc : 0;
}

static int write_export(const json_t *v, struct span key, const char *file, struct span passphrase,
                        struct err *e)
{
    struct buf out BUF_AUTO = BUF(EXPORT_MAX);
    struct chain chain = CHAIN_NONE;
    int r = container_certificates(span_cstr(view_string(v, "pem")), &chain, e);

    if (r == 0)
        r = container_write(key, &chain, view_string(v, "name"), passphrase, &out, e);
    if (r == 0)
        r = file_write(AT_FDCWD, file, buf_span(&out), EXPORT_MODE, e);
    chain_done(&chain);
    return r;
}

int cert_may_export(struct call *c, const char *key_id, struct err *e)
{
    struct buf body BUF_AUTO = BUF(64), reply BUF_AUTO = BUF(2048);
    unsigned char raw[KEY_ID_BYTES];
    struct key_info key;
    struct rd r;
    int rc;

    if (!key_id_parse(key_id, raw))
        return err_set(e, -EPROTO, "the answer of certd makes no sense");
    wr_raw(&body, raw, sizeof raw);
    rc = control_call(c->control, ROLE_KEYD, 0, MSG_KEY_GET, buf_span(&body), &reply, e);
    if (rc < 0)
        return rc;
    r = rd_of(buf_span(&reply));
    rd_key_info(&r, &key);
    if (!rd_done(&r))
        return err_set(e, -EPROTO, "the answer of keyd makes no sense");
    return key.exportable ? 0
                          : err_set(e, -EPERM,
                                    "its key was not marked as exportable when it was made, so "
                                    "keyd does not give it away; that can be chosen for a new "
                                    "request (`sealpost cert request VSERVER --exportable`), or "
                                    "when a key is imported");
}

int cert_export(struct call *c, const char *vserver, const char *file, struct span passphrase,
                struct err *e)
{
    struct buf key BUF_AUTO = BUF(8192);
    json_t *v;
    int r;

    if (passphrase.n < KEY_PASSPHRASE_MIN)
        return err_set(e, -EINVAL, "the passphrase is too short: at least %d bytes, please",
                       KEY_PASSPHRASE_MIN);
    if ((v = cert_ask(c, MSG_CERT_CHAIN, vserver, e)) == NULL)
        return -EIO;
    r = export_key(c, view_string(v, "key"), passphrase, &key, e);
    if (r == 0)
        r = write_export(v, buf_span(&key), file, passphrase, e);
    json_decref(v);
    return r;
}

int cmd_cert_export(struct call *c, struct err *e)
{
    struct buf pass = BUF(KEY_PASSPHRASE_MAX);
    const char *file = c->option[OPT_OUT];
    int r;

    if (file == NULL)
        return usage_error(e, "where to? sealpost cert export %s --out FILE.p12", c->args[0]);
    if ((r = cert_check_out(file, e)) != 0)
        return r;
    r = has_option(c, OPT_PASSPHRASE_STDIN) ? password_read_stdin(&pass, e)
                                            : passphrase_ask(file, true, &pass, e);
    if (r == 0)
        r = cert_export(c, c->args[0], file, buf_span(&pass), e);
    password_done(&pass);
    return r != 0
               ? r
               : view_done(c, NULL,
                           "Certificate and key of %s are in %s, protected by the passphrase. keyd "
                           "has logged it.",
                           c->args[0], file);
}
