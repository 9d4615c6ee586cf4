/*
 * account_cert.c: certificates that accounts log in with. keyd makes the key and gives it away
 * once, encrypted under the passphrase; here it signs the request and goes into the file, and keyd
 * forgets it.
 */
#include "manager/account_cert.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"
#include "manager/ca.h"
#include "manager/cert.h"
#include "manager/directory.h"
#include "manager/mobileconfig.h"
#include "manager/password.h"
#include "manager/table.h"
#include "manager/text.h"
#include "pki/client.h"
#include "pki/crl.h"
#include "pki/keyd_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { FILE_MODE = 0600, FILE_BYTES_MAX = 1 << 20, KEY_LEFT_SECONDS = 3600, BODY_MAX = 4096 };

static const char *const kinds[CERTIFICATE_KINDS] = {
    [CERTIFICATE_SPKI] = "key",
    [CERTIFICATE_ISSUER_SERIAL] = "serial",
    [CERTIFICATE_EMAIL] = "email",
    [CERTIFICATE_UPN] = "upn",
};

/* ------------------------------------------------------------------ rows of authd */
static int add_row(struct call *c, const char *address, const struct directory_certificate *row,
                   struct err *e)
{
    struct buf body BUF_AUTO = BUF(BODY_MAX);

    wr_authd_cert_add(&body, span_cstr(address), row);
    return authd_call(c, MSG_ACCOUNT_CERT_ADD, buf_span(&body), e);
}

static int remove_row(struct call *c, const char *address, const char *name, struct err *e)
{
    struct buf body BUF_AUTO = BUF(BODY_MAX);

    wr_authd_pair(&body, span_cstr(address), span_cstr(name));
    return authd_call(c, MSG_ACCOUNT_CERT_REMOVE, buf_span(&body), e);
}

int account_cert_each(struct call *c, const char *address, account_cert_fn fn, void *arg,
                      struct err *e)
{
    struct control *control = call_control(c, e);
    uint64_t after = 0;
    bool more = true;

    if (control == NULL)
        return -ENOTCONN;
    while (more) {
        struct buf body BUF_AUTO = BUF(BODY_MAX), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
        char whose[NAME_ADDRESS_MAX + 1];
        struct directory_certificate row;
        uint16_t count = 0;
        struct rd rd;
        int r;

        wr_authd_cert_list(&body, span_cstr(address), after);
        r = control_call(control, ROLE_AUTHD, 0, MSG_ACCOUNT_CERT_LIST, buf_span(&body), &reply, e);
        if (r < 0)
            return r;
        rd = rd_of(buf_span(&reply));
        rd_authd_page(&rd, &more, &count);
        for (unsigned i = 0; i < count && rd_authd_cert_row(&rd, whose, &row); i++) {
            after = row.id;
            fn(whose, &row, arg);
        }
        if (!rd_done(&rd) || (more && count == 0))
            return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    }
    return 0;
}

/* An account's address with its domain, or "*". */
static int account_argument(struct call *c, bool all, char ret[NAME_ADDRESS_MAX + 1], struct err *e)
{
    if (strcmp(c->args[0], "*") != 0)
        return directory_address(c->args[0], ret, e);
    memcpy(ret, "*", 2);
    return all ? 0 : usage_error(e, "which account? '*' is for rules only");
}

static int name_argument(const struct call *c, struct directory_certificate *row, struct err *e)
{
    if (!has_option(c, OPT_NAME) || !c->option[OPT_NAME][0])
        return usage_error(e, "what is it called? --name laptop");
    if (!span_to_cstr(span_cstr(c->option[OPT_NAME]), row->name, sizeof row->name))
        return usage_error(e, "--name is longer than %d bytes", NAME_TITLE_MAX);
    return 0;
}

/* ------------------------------------------------------------------ list */
static const struct view cert_columns[] = {
    {"ACCOUNT",   "account", VIEW_TEXT,  COLUMN_WHOLE},
    {"NAME",      "name",    VIEW_TEXT,  0           },
    {"KNOWN BY",  "by",      VIEW_TEXT,  0           },
    {"OF OUR CA", "issued",  VIEW_YES,   0           },
    {"STATE",     "state",   VIEW_TEXT,  0           },
    {"ENDS",      "ends",    VIEW_UNTIL, 0           },
    {"SERIAL",    "serial",  VIEW_TEXT,  0           },
    {"SUBJECT",   "subject", VIEW_TEXT,  COLUMN_WRAP },
};

static void list_row(const char *address, const struct directory_certificate *row, void *arg)
{
    const char *colon = strchr(row->value, ':');
    bool by_name = row->kind == CERTIFICATE_EMAIL || row->kind == CERTIFICATE_UPN;

    json_array_append_new(
        arg,
        json_pack("{s:s,s:o,s:s,s:s,s:s,s:s,s:o,s:o,s:b,s:I,s:I}", "account", address, "name",
                  view_text(row->name), "by", kinds[row->kind], "value", row->value, "for",
                  by_name && colon != NULL ? colon + 1 : "", "serial", row->serial, "subject",
                  view_text(row->subject), "issuer", view_text(row->issuer), "issued", row->issued,
                  "ends", (json_int_t)row->ends_seconds, "made", (json_int_t)row->created_seconds));
}

int account_cert_list(struct call *c, const char *address, json_t *all, struct err *e)
{
    return account_cert_each(c, address, list_row, all, e);
}

/* What our CA says of those that it has made. */
static void add_states(struct call *c, json_t *all)
{
    size_t i;
    json_t *row;

    json_array_foreach(all, i, row)
    {
        struct buf body BUF_AUTO = BUF(128);
        struct err ignored;
        json_t *v;

        if (!json_is_true(json_object_get(row, "issued")))
            continue;
        wr_cert_word(&body, view_string(row, "serial"));
        if ((v = ca_ask(c, MSG_CA_SHOW, buf_span(&body), &ignored)) == NULL)
            continue;
        json_object_set_new(row, "state", json_string(view_string(v, "state")));
        json_decref(v);
    }
}

int cmd_account_cert_list(struct call *c, struct err *e)
{
    char address[NAME_ADDRESS_MAX + 1] = "";
    json_t *all;
    int r = c->arg_count > 0 ? account_argument(c, true, address, e) : 0;

    if (r != 0)
        return r;
    all = json_array();
    if ((r = account_cert_list(c, address, all, e)) != 0) {
        json_decref(all);
        return r;
    }
    add_states(c, all);
    return view_list(c, all, VIEW(cert_columns),
                     "No certificate stands for an account. `sealpost account cert issue` makes "
                     "one, `sealpost account cert map` takes one of another CA.");
}

/* ------------------------------------------------------------------ issue */
struct wanted {
    const char *name;
    struct directory_certificate row;
    bool found;
    unsigned count; /* of all that the account has */
};

static void look_for(const char *address, const struct directory_certificate *row, void *arg)
{
    struct wanted *w = arg;

    w->count++;
    if (strcmp(row->name, w->name) != 0)
        return;
    w->row = *row;
    w->found = true;
}

struct issuing {
    char address[NAME_ADDRESS_MAX + 1];
    struct directory_certificate row;
    const char *file;
    uint32_t days;
    struct buf passphrase, request, key; /* the key as keyd gives it, encrypted */
    char key_id[2 * KEY_ID_BYTES + 1];
    struct chain chain;
};

static void issuing_done(struct issuing *i)
{
    password_done(&i->passphrase);
    buf_done(&i->request);
    buf_done(&i->key);
    chain_done(&i->chain);
}

static int delete_key(struct call *c, const char *id, struct err *e)
{
    struct buf body BUF_AUTO = BUF(64);
    unsigned char raw[KEY_ID_BYTES];

    if (!key_id_parse(id, raw))
        return 0;
    wr_raw(&body, raw, sizeof raw);
    return control_call(call_control(c, e), ROLE_KEYD, 0, MSG_KEY_DELETE, buf_span(&body), NULL, e);
}

/* Of a command that was ended between making the key and writing the file. */
static void forget_left_keys(struct call *c)
{
    struct buf body BUF_AUTO = BUF(256), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    unsigned char none[KEY_ID_BYTES] = {0};
    struct err ignored;
    struct rd rd;
    unsigned n;

    wr_cstr(&body, "account/");
    wr_raw(&body, none, sizeof none);
    if (control_call(call_control(c, &ignored), ROLE_KEYD, 0, MSG_KEY_LIST, buf_span(&body), &reply,
                     &ignored) < 0)
        return;
    rd = rd_of(buf_span(&reply));
    rd_bool(&rd);
    n = rd_u16(&rd);
    for (unsigned i = 0; i < n && !rd.bad; i++) {
        struct key_info k;
        rd_key_info(&rd, &k);
        if (!rd.bad && k.created < clock_seconds() - KEY_LEFT_SECONDS)
            delete_key(c, k.id, &ignored);
    }
}

static int make_key(struct call *c, struct issuing *i, struct err *e)
{
    struct buf body = BUF(2048), reply BUF_AUTO = BUF(2048);
    struct key_create_request q = {.purposes = KEY_TLS_CLIENT, .exportable = true};
    unsigned char raw[KEY_ID_BYTES];
    struct key_info k;
    struct rd rd;
    int r;

    snprintf(q.label, sizeof q.label, "account/%.80s", i->address);
    snprintf(q.type, sizeof q.type, "%s",
             has_option(c, OPT_KEY_TYPE) ? c->option[OPT_KEY_TYPE] : "p256");
    wr_key_create(&body, &q);
    r = control_call(c->control, ROLE_KEYD, 0, MSG_KEY_CREATE, buf_span(&body), &reply, e);
    if (r < 0)
        return r == -EINVAL ? usage_error(e, "--key-type: there is no %s", q.type) : r;
    rd = rd_of(buf_span(&reply));
    rd_key_info(&rd, &k);
    if (!rd_done(&rd) || !key_id_parse(k.id, raw))
        return err_set(e, -EBADMSG, "the answer of keyd cannot be read");
    memcpy(i->key_id, k.id, sizeof i->key_id);
    buf_clear(&body);
    buf_reserve(&body, 1024);
    wr_raw(&body, raw, sizeof raw);
    wr_span(&body, buf_span(&i->passphrase));
    r = control_call(c->control, ROLE_KEYD, 0, MSG_KEY_EXPORT, buf_span(&body), &i->key, e);
    password_done(&body);
    return r < 0 ? r : 0;
}

/* The key in the clear, in this process, for as long as it takes to sign the request. */
static EVP_PKEY *open_key(struct span encrypted, struct span passphrase)
{
    const unsigned char *at = (const unsigned char *)encrypted.p;
    X509_SIG *sig = d2i_X509_SIG(NULL, &at, (long)encrypted.n);
    PKCS8_PRIV_KEY_INFO *p8 =
        sig == NULL ? NULL : PKCS8_decrypt(sig, passphrase.p, (int)passphrase.n);
    EVP_PKEY *key = p8 == NULL ? NULL : EVP_PKCS82PKEY(p8);

    PKCS8_PRIV_KEY_INFO_free(p8);
    X509_SIG_free(sig);
    return key;
}

static int make_request(struct issuing *i, struct err *e)
{
    EVP_PKEY *key = open_key(buf_span(&i->key), buf_span(&i->passphrase));
    struct cert_subject subject = {.common_name = strlen(i->address) <= 64 ? i->address : NULL};
    struct cert_names names = CERT_NAMES_EMPTY;
    unsigned char *spki = NULL;
    int n = key == NULL ? 0 : i2d_PUBKEY(key, &spki), r;

    if (n <= 0)
        return err_set(e, -EBADMSG, "the key from keyd cannot be read");
    if (cert_names_add(&names, CERT_NAME_EMAIL, span_cstr(i->address)) < 0)
        r = err_set(e, -EINVAL, "%s cannot stand in a certificate", i->address);
    else
        r = request_make(key, span_of(spki, (size_t)n), &subject, &names, &i->request, e);
    cert_names_done(&names);
    OPENSSL_free(spki);
    EVP_PKEY_free(key);
    return r;
}

static int ask_ca(struct call *c, struct issuing *i, struct err *e)
{
    struct buf body BUF_AUTO = BUF(65536), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct ca_issue_msg m = {
        .profile = "account", .days = i->days, .request = buf_span(&i->request)};
    struct ca_issued_msg out;
    struct client_certificate facts;
    int r;

    /* the name that it is certified for is the account's, whatever a request says */
    if (cert_names_add(&m.names, CERT_NAME_EMAIL, span_cstr(i->address)) < 0)
        return err_set(e, -EINVAL, "%s cannot stand in a certificate", i->address);
    snprintf(m.requester, sizeof m.requester, "account %.80s, %.80s", i->address, i->row.name);
    wr_ca_issue(&body, &m);
    cert_names_done(&m.names);
    r = control_call(c->control, ROLE_CAD, 0, MSG_CA_ISSUE, buf_span(&body), &reply, e);
    if (r < 0)
        return r;
    if (!rd_ca_issued(buf_span(&reply), &out) || chain_parse(out.chain, &i->chain, e) < 0 ||
        i->chain.n == 0 || !client_certificate_of(i->chain.v[0]->x509, &facts))
        return err_set(e, -EPROTO, "cad's answer has another form");
    i->row.kind = CERTIFICATE_SPKI;
    i->row.issued = true;
    i->row.ends_seconds = facts.not_after;
    memcpy(i->row.value, facts.spki_sha256, sizeof facts.spki_sha256);
    memcpy(i->row.serial, facts.serial, sizeof i->row.serial);
    memcpy(i->row.subject, facts.subject, sizeof i->row.subject);
    memcpy(i->row.issuer, facts.issuer, sizeof i->row.issuer);
    return 0;
}

static bool ends_with(const char *file, const char *suffix)
{
    return span_ends_nocase(span_cstr(file), span_cstr(suffix));
}

static int root_der(struct call *c, struct buf *out, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct chain roots = CHAIN_NONE;
    int r = control_call(c->control, ROLE_CAD, 0, MSG_CA_ROOTS, SPAN_EMPTY, &reply, e);

    if (r >= 0)
        r = chain_parse(buf_span(&reply), &roots, e);
    if (r == 0 && roots.n > 0)
        buf_put_span(out, certificate_der(roots.v[0]));
    chain_done(&roots);
    return r;
}

static int write_it(struct call *c, struct issuing *i, struct err *e)
{
    struct buf out BUF_AUTO = BUF(FILE_BYTES_MAX), p12 BUF_AUTO = BUF(FILE_BYTES_MAX),
                   root BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    int r = 0;

    if (i->key.n == 0) {
        chain_write_pem(&i->chain, &out);
        return file_write(AT_FDCWD, i->file, buf_span(&out), 0644, e);
    }
    r = container_write(buf_span(&i->key), &i->chain, i->row.name, buf_span(&i->passphrase), &p12,
                        e);
    if (r == 0 && ends_with(i->file, ".mobileconfig")) {
        struct mobileconfig m = {.address = i->address, .name = i->row.name};
        if ((r = root_der(c, &root, e)) == 0) {
            m.pkcs12 = buf_span(&p12);
            m.root = buf_span(&root);
            mobileconfig_print(&m, &out);
        }
    } else if (r == 0) {
        buf_put_span(&out, buf_span(&p12));
    }
    return r != 0 ? r : file_write(AT_FDCWD, i->file, buf_span(&out), FILE_MODE, e);
}

/* Before the CA is asked: what it has made cannot be unmade, only revoked. */
static int check_free(struct call *c, struct issuing *i, struct err *e)
{
    struct wanted w = {.name = i->row.name};
    int r;

    if (!name_title_valid(span_cstr(i->row.name)))
        return err_set(e, -EINVAL, "%s is no name for a certificate: no control characters, please",
                       text_quote(span_cstr(i->row.name)));
    r = account_cert_each(c, i->address, look_for, &w, e);
    if (r == 0 && w.found)
        r = err_set(e, -EEXIST,
                    "there is a certificate called %s already; choose another name, or unmap it "
                    "first",
                    text_quote(span_cstr(i->row.name)));
    if (r == 0 && w.count >= DIRECTORY_CERTIFICATES_MAX)
        r = err_set(e, -E2BIG, "there are %u certificates already; unmap one first", w.count);
    return r;
}

static int revoke_serial(struct call *c, const char *serial, enum crl_reason reason, struct err *e)
{
    struct buf body BUF_AUTO = BUF(256);
    struct ca_revoke_msg m = {.reason = (uint8_t)reason};
    int r;

    if (!span_to_cstr(span_cstr(serial), m.serial, sizeof m.serial))
        return err_set(e, -EINVAL, "that is no serial number");
    wr_ca_revoke(&body, &m);
    r = control_call(call_control(c, e), ROLE_CAD, 0, MSG_CA_REVOKE, buf_span(&body), NULL, e);
    if (r == -EALREADY || r == -ENOENT || r > 0) /* nothing is left that could log in */
        return 0;
    return r < 0 ? err_wrap(e, r, "certificate %s", m.serial) : r;
}

int account_cert_revoke_all(struct call *c, const json_t *all, unsigned *ret_count, struct err *e)
{
    unsigned n = 0;
    struct err one;
    size_t i;
    json_t *row;
    int first = 0;

    json_array_foreach(all, i, row)
    {
        if (!json_is_true(json_object_get(row, "issued")))
            continue;
        int r = revoke_serial(c, view_string(row, "serial"), CRL_CESSATION, &one);
        n += r == 0;
        if (r != 0 && first == 0) {
            first = r;
            *e = one;
        }
    }
    *ret_count = n;
    return first;
}

/* The row first: a certificate that nobody knows of cannot log in, one in a file without a row
 * would be a riddle. */
static int issue(struct call *c, struct issuing *i, struct err *e)
{
    struct err ignored;
    int r = check_free(c, i, e);

    if (r == 0 && i->request.n == 0)
        r = make_key(c, i, e);
    if (r == 0 && i->request.n == 0)
        r = make_request(i, e);
    if (r == 0)
        r = ask_ca(c, i, e);
    if (r == 0 && (r = add_row(c, i->address, &i->row, e)) != 0)
        revoke_serial(c, i->row.serial, CRL_CESSATION, &ignored); /* nobody has it */
    else if (r == 0 && (r = write_it(c, i, e)) != 0) {
        remove_row(c, i->address, i->row.name, &ignored);
        revoke_serial(c, i->row.serial, CRL_CESSATION, &ignored);
    }
    if (i->key_id[0] && delete_key(c, i->key_id, &ignored) < 0 && r == 0)
        r = err_set(e, -EIO, "keyd still has the key (%s); it is removed with the next issue",
                    ignored.text);
    return r;
}

static int issue_arguments(struct call *c, struct issuing *i, struct err *e)
{
    uint64_t days = 0;
    int r = account_argument(c, false, i->address, e);

    if (r == 0)
        r = name_argument(c, &i->row, e);
    if (r != 0)
        return r;
    i->file = c->option[OPT_OUT];
    if (i->file == NULL)
        return usage_error(e, "where to? --out FILE.p12, FILE.mobileconfig, or with --request "
                              "FILE.pem");
    if (has_option(c, OPT_DAYS) &&
        (!span_to_u64(span_cstr(c->option[OPT_DAYS]), 36500, &days) || days == 0))
        return usage_error(e, "--days is a number of days");
    i->days = (uint32_t)days;
    if (has_option(c, OPT_REQUEST))
        return file_read(AT_FDCWD, c->option[OPT_REQUEST], REQUEST_DER_MAX, &i->request, e);
    if (!ends_with(i->file, ".p12") && !ends_with(i->file, ".pfx") &&
        !ends_with(i->file, ".mobileconfig"))
        return usage_error(e, "--out is a file with the key: FILE.p12 or FILE.mobileconfig");
    return cert_check_out(i->file, e);
}

int cmd_account_cert_issue(struct call *c, struct err *e)
{
    struct issuing i = {.passphrase = BUF(KEY_PASSPHRASE_MAX + 2),
                        .request = BUF(REQUEST_DER_MAX),
                        .key = BUF(8192)};
    int r = issue_arguments(c, &i, e);

    if (r == 0 && call_control(c, e) == NULL)
        r = -ENOTCONN;
    if (r == 0 && i.request.n == 0) {
        r = has_option(c, OPT_PASSPHRASE_STDIN) ? password_read_stdin(&i.passphrase, e)
                                                : passphrase_ask(i.file, true, &i.passphrase, e);
        if (r == 0 && i.passphrase.n < KEY_PASSPHRASE_MIN)
            r = err_set(e, -EINVAL, "the passphrase is too short: at least %d bytes, please",
                        KEY_PASSPHRASE_MIN);
        forget_left_keys(c);
    }
    if (r == 0)
        r = issue(c, &i, e);
    if (r == 0)
        r = view_done(c,
                      json_pack("{s:s,s:o,s:s,s:s}", "account", i.address, "name",
                                view_text(i.row.name), "serial", i.row.serial, "file", i.file),
                      "Certificate %s of %s is in %s%s. It logs in with SASL EXTERNAL where a "
                      "virtual server takes client certificates.",
                      i.row.name, i.address, i.file,
                      i.key.n ? " with its key, protected by the passphrase" : "");
    issuing_done(&i);
    return r;
}

/* ------------------------------------------------------------------ map */
static int parse_by(const struct call *c, struct directory_certificate *row, struct err *e)
{
    const char *by = has_option(c, OPT_BY) ? c->option[OPT_BY] : "key";

    for (int i = CERTIFICATE_SPKI; i < CERTIFICATE_KINDS; i++)
        if (strcmp(by, kinds[i]) == 0) {
            row->kind = (enum directory_certificate_kind)i;
            return 0;
        }
    return usage_error(e, "--by is key, serial, email or upn, not %s", text_quote(span_cstr(by)));
}

static int read_certificate(const char *file, struct client_certificate *ret, struct err *e)
{
    struct buf text BUF_AUTO = BUF(CERTIFICATE_TEXT_MAX);
    struct chain chain = CHAIN_NONE;
    int r = file_read(AT_FDCWD, file, CERTIFICATE_TEXT_MAX, &text, e);

    if (r == 0)
        r = chain_parse_file(buf_span(&text), &chain, e);
    if (r == 0 && (chain.n == 0 || !client_certificate_of(chain.v[0]->x509, ret)))
        r = err_set(e, -EBADMSG, "%s holds no certificate", file);
    chain_done(&chain);
    return r;
}

/* Rules by name: the file is the issuer's certificate, or one that it has issued. */
static int name_rule(const struct call *c, const struct client_certificate *f, bool for_all,
                     struct directory_certificate *row, struct err *e)
{
    bool email = row->kind == CERTIFICATE_EMAIL;
    unsigned count = email ? f->email_count : f->upn_count;
    bool is_ca = strcmp(f->subject_sha256, f->issuer_sha256) == 0 || count == 0;
    const char *value = has_option(c, OPT_VALUE) ? c->option[OPT_VALUE]
                        : for_all                ? "*"
                        : count > 0              ? (email ? f->email[0] : f->upn[0])
                                                 : NULL;
    char lower[NAME_ADDRESS_MAX + 1];
    size_t n = 0;

    if (value == NULL)
        return usage_error(e, "there is no such name in the certificate; give it with --value");
    for (; value[n] && n < NAME_ADDRESS_MAX; n++)
        lower[n] = ascii_lower(value[n]);
    lower[n] = '\0';
    if (for_all != (strcmp(lower, "*") == 0))
        return usage_error(e, "a rule for all accounts has no --value; one for an account has the "
                              "name itself");
    snprintf(row->value, sizeof row->value, "%s:%s", is_ca ? f->subject_sha256 : f->issuer_sha256,
             lower);
    snprintf(row->issuer, sizeof row->issuer, "%s", is_ca ? f->subject : f->issuer);
    return 0;
}

int cmd_account_cert_map(struct call *c, struct err *e)
{
    char address[NAME_ADDRESS_MAX + 1];
    struct directory_certificate row = {.id = 0};
    struct client_certificate f;
    bool for_all = strcmp(c->args[0], "*") == 0;
    int r = account_argument(c, true, address, e);

    if (r == 0)
        r = name_argument(c, &row, e);
    if (r == 0)
        r = parse_by(c, &row, e);
    if (r == 0 && c->arg_count < 2)
        r = usage_error(e, "which certificate? Give its file; with --by email or upn the issuer's");
    if (r == 0)
        r = read_certificate(c->args[1], &f, e);
    if (r != 0)
        return r;
    if (row.kind == CERTIFICATE_EMAIL || row.kind == CERTIFICATE_UPN) {
        if ((r = name_rule(c, &f, for_all, &row, e)) != 0)
            return r;
    } else {
        if (row.kind == CERTIFICATE_SPKI)
            snprintf(row.value, sizeof row.value, "%s", f.spki_sha256);
        else
            snprintf(row.value, sizeof row.value, "%s:%s", f.issuer_sha256, f.serial);
        memcpy(row.serial, f.serial, sizeof row.serial);
        memcpy(row.subject, f.subject, sizeof row.subject);
        memcpy(row.issuer, f.issuer, sizeof row.issuer);
        row.ends_seconds = f.not_after;
    }
    if ((r = add_row(c, address, &row, e)) != 0)
        return r;
    return view_done(c,
                     json_pack("{s:s,s:o,s:s,s:s}", "account", address, "name", view_text(row.name),
                               "by", kinds[row.kind], "value", row.value),
                     "Certificate %s stands for %s, where a virtual server trusts its issuer.",
                     row.name, for_all ? "whichever account it names" : address);
}

int cmd_account_cert_unmap(struct call *c, struct err *e)
{
    char address[NAME_ADDRESS_MAX + 1];
    int r = account_argument(c, true, address, e);

    if (r == 0)
        r = remove_row(c, address, c->args[1], e);
    return r != 0 ? r
                  : view_done(c, NULL, "Certificate %s stands for %s no more.", c->args[1],
                              address[0] == '*' ? "anybody" : address);
}

/* ------------------------------------------------------------------ revoke */
int cmd_account_cert_revoke(struct call *c, struct err *e)
{
    char address[NAME_ADDRESS_MAX + 1];
    struct buf body BUF_AUTO = BUF(256);
    struct wanted w = {.name = c->args[1]};
    struct ca_revoke_msg m = {.reason = CRL_KEY_COMPROMISE};
    int r = account_argument(c, false, address, e);

    if (r == 0 && has_option(c, OPT_REASON)) {
        enum crl_reason reason;
        if (!crl_reason_by_name(span_cstr(c->option[OPT_REASON]), &reason))
            return usage_error(e, "%s is no reason; `sealpost ca revoke --help` lists them",
                               text_quote(span_cstr(c->option[OPT_REASON])));
        m.reason = (uint8_t)reason;
    }
    if (r == 0)
        r = account_cert_each(c, address, look_for, &w, e);
    if (r != 0)
        return r;
    if (!w.found)
        return err_set(e, -ENOENT, "%s has no certificate called %s", address,
                       text_quote(span_cstr(c->args[1])));
    if (!w.row.issued)
        return err_set(e, -EPERM,
                       "our CA has not issued it: its own CA revokes it; `sealpost account cert "
                       "unmap %s %s` keeps it out here",
                       address, c->args[1]);
    memcpy(m.serial, w.row.serial, sizeof w.row.serial);
    wr_ca_revoke(&body, &m);
    r = control_call(c->control, ROLE_CAD, 0, MSG_CA_REVOKE, buf_span(&body), NULL, e);
    if (r < 0 && r != -EALREADY)
        return r;
    if ((r = remove_row(c, address, c->args[1], e)) != 0)
        return r;
    return view_done(c, json_pack("{s:s}", "serial", w.row.serial),
                     "Certificate %s of %s (%s) is revoked and stands for nobody.", c->args[1],
                     address, w.row.serial);
}
