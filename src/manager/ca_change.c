/* ca_change.c: commands about the CAs themselves: the root's key away and back, a new issuing CA, a
 * compromised one. */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"
#include "manager/ca.h"
#include "manager/password.h"
#include "manager/text.h"
#include "pki/keyd_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKUP_MAX = 1 << 30, KEY_FILE_MAX = 65536 };

/* The CA in use of that kind; borrowed from info. NULL: none. */
const json_t *ca_in_use(const json_t *info, const char *kind)
{
    const json_t *ca;
    size_t i;

    json_array_foreach(json_object_get(info, "cas"), i,
                       ca) if (strcmp(view_string(ca, "kind"), kind) == 0 &&
                               json_is_true(view_get(ca, "in_use"))) return ca;
    return NULL;
}

json_t *ca_ask_info(struct call *c, struct err *e)
{
    return ca_ask(c, MSG_CA_INFO, SPAN_EMPTY, e);
}

int ca_passphrase(struct call *c, const char *what, struct buf *out, struct err *e)
{
    return has_option(c, OPT_PASSPHRASE_STDIN) ? password_read_stdin(out, e)
                                               : password_ask(what, out, e);
}

/* --- the root's key */

int ca_export_key(struct call *c, const char *id, struct span pass, struct buf *der, struct err *e)
{
    struct buf body BUF_AUTO = BUF(1024);
    unsigned char raw[KEY_ID_BYTES];
    int r;

    if (pass.n < KEY_PASSPHRASE_MIN || pass.n > KEY_PASSPHRASE_MAX)
        return err_set(e, -EINVAL, "the passphrase must have %d to %d bytes", KEY_PASSPHRASE_MIN,
                       KEY_PASSPHRASE_MAX);
    if (!key_id_parse(id, raw))
        return err_set(e, -EPROTO, "cad's answer has another form");
    buf_reserve(&body, 1024); /* never moved: one copy to wipe */
    wr_raw(&body, raw, sizeof(raw));
    wr_span(&body, pass);
    r = control_call(c->control, ROLE_KEYD, 0, MSG_KEY_EXPORT, buf_span(&body), der, e);
    secret_wipe(body.p, body.n);
    if (r == -ENOENT)
        return err_set(e, r, "keyd does not have the key; it was removed");
    return r;
}

static int tell_root(struct call *c, const struct ca_root_msg *m, struct buf *reply, struct err *e)
{
    struct buf body BUF_AUTO = BUF(128);
    struct control *control = call_control(c, e);

    if (!control)
        return -ENOTCONN;
    wr_ca_root(&body, m);
    return control_call(control, ROLE_CAD, 0, MSG_CA_ROOT, buf_span(&body), reply, e);
}

int ca_root_kept(struct call *c, const char *key_id, struct err *e)
{
    struct ca_root_msg m = {.verb = CA_ROOT_KEPT};

    snprintf(m.key_id, sizeof(m.key_id), "%s", key_id);
    return tell_root(c, &m, NULL, e);
}

static int open_key_file(struct span text, struct span pass, struct buf *ret, struct err *e);

/* What is on the disk now opens with that passphrase: a key that may be removed here. */
static int check_key_file(const char *file, struct span pass, struct err *e)
{
    struct buf text BUF_AUTO = BUF(KEY_FILE_MAX), pkcs8 BUF_AUTO = BUF(KEY_PKCS8_MAX);
    int r = file_read(AT_FDCWD, file, KEY_FILE_MAX, &text, e);

    buf_reserve(&pkcs8, KEY_PKCS8_MAX);
    if (r == 0)
        r = open_key_file(buf_span(&text), pass, &pkcs8, e);
    secret_wipe(pkcs8.p, pkcs8.n);
    return r;
}

static int export_root(struct call *c, const char *key_id, const char *file, struct err *e)
{
    struct buf pass BUF_AUTO = BUF(KEY_PASSPHRASE_MAX), der BUF_AUTO = BUF(8192),
                    pem BUF_AUTO = BUF(KEY_FILE_MAX);
    int r = ca_passphrase(c, "the root's key", &pass, e);

    if (r == 0)
        r = ca_export_key(c, key_id, buf_span(&pass), &der, e);
    if (r == 0) {
        pem_write("ENCRYPTED PRIVATE KEY", buf_span(&der), &pem);
        r = file_write(AT_FDCWD, file, buf_span(&pem), 0600, e);
    }
    if (r == 0)
        r = check_key_file(file, buf_span(&pass), e);
    password_done(&pass);
    return r == 0 ? ca_root_kept(c, key_id, e) : r;
}

int cmd_ca_root_export(struct call *c, struct err *e)
{
    json_t *info;
    const json_t *root;
    int r;

    if (!has_option(c, OPT_OUT))
        return usage_error(e, "--out is needed: the file that the encrypted key goes to");
    if ((info = ca_ask_info(c, e)) == NULL)
        return -EIO;
    root = ca_in_use(info, "root");
    r = root ? export_root(c, view_string(root, "key"), c->option[OPT_OUT], e)
             : err_set(e, -ENOENT, "there is no root CA");
    json_decref(info);
    return r != 0 ? r
                  : view_done(c, NULL,
                              "The root's key is in %s, encrypted. Keep it away from this machine; "
                              "then `sealpost ca root remove --yes`.",
                              c->option[OPT_OUT]);
}

int cmd_ca_root_remove(struct call *c, struct err *e)
{
    bool lose = has_option(c, OPT_LOSE_IT);
    int r;

    if (!has_option(c, OPT_YES))
        return usage_error(e, "the root's key will be gone from this machine; export it first "
                              "(sealpost ca root export), then say --yes");
    r = tell_root(c, &(struct ca_root_msg){.verb = lose ? CA_ROOT_LOSE : CA_ROOT_REMOVE}, NULL, e);
    if (r < 0)
        return r;
    return view_done(
        c, NULL,
        "The root's key is removed. The issuing CA goes on until its end: it issues, renews, "
        "revokes "
        "and answers as before; the root's list of revoked CAs holds for a year. %s",
        lose ? "No more, if no file has the key: a new issuing CA below this root (ca rollover, ca "
               "compromised, other names in ca_dns), revoking an issuing CA, a new root that the "
               "old "
               "one certifies. What remains then: an issuing CA below another's root (ca request)."
             : "What needs the key (ca rollover, ca compromised, other names in ca_dns) waits "
               "until it "
               "is back: sealpost ca root import.");
}

/* The file's key as PKCS#8, not encrypted; the caller wipes it. */
int ca_open_key(struct span der, struct span pass, struct buf *ret, struct err *e)
{
    PKCS8_PRIV_KEY_INFO *plain = NULL;
    unsigned char *bytes = NULL;
    const unsigned char *p = (const unsigned char *)der.p;
    X509_SIG *sealed = d2i_X509_SIG(NULL, &p, (long)der.n);
    int n = 0;

    if (sealed)
        plain = PKCS8_decrypt(sealed, pass.p ? pass.p : "", (int)pass.n);
    if (plain)
        n = i2d_PKCS8_PRIV_KEY_INFO(plain, &bytes);
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(plain);
    if (n > 0)
        buf_put(ret, bytes, (size_t)n);
    OPENSSL_clear_free(bytes, n > 0 ? (size_t)n : 0);
    return n > 0 && !ret->overflow ? 0 : err_set(e, -EKEYREJECTED, "the passphrase is not the one");
}

static int open_key_file(struct span text, struct span pass, struct buf *ret, struct err *e)
{
    struct buf der BUF_AUTO = BUF(8192);
    bool damaged;

    if (!pem_next(&text, "ENCRYPTED PRIVATE KEY", &der, &damaged))
        return err_set(e, -EBADMSG, "the file holds no key as `sealpost ca root export` writes it");
    return ca_open_key(buf_span(&der), pass, ret, e);
}

int ca_import_key(struct call *c, bool root, const char *name, struct span pkcs8,
                  struct key_info *ret, struct err *e)
{
    struct key_create_request q = {
        .purposes = KEY_CA | KEY_CRL | KEY_OCSP | KEY_CSR,
        .exportable = true,
        .with_profile = true,
        .profile = {.root = root, .levels = root ? 2 : 0, .max_days = root ? 7301 : 1189}
    };
    struct buf body BUF_AUTO = BUF(8192), reply BUF_AUTO = BUF(2048);
    struct rd rd;
    int r;

    snprintf(q.label, sizeof(q.label), "ca/%.60s", name);
    buf_reserve(&body, 8192);
    wr_key_import(&body, &q, pkcs8);
    r = control_call(c->control, ROLE_KEYD, 0, MSG_KEY_IMPORT, buf_span(&body), &reply, e);
    secret_wipe(body.p, body.n);
    if (r == -EEXIST)
        return err_set(e, r, "keyd has this key already");
    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    rd_key_info(&rd, ret);
    return rd_done(&rd) ? 0 : err_set(e, -EPROTO, "keyd's answer has another form");
}

int cmd_ca_root_import(struct call *c, struct err *e)
{
    struct buf text BUF_AUTO = BUF(KEY_FILE_MAX), pass BUF_AUTO = BUF(KEY_PASSPHRASE_MAX),
                    pkcs8 BUF_AUTO = BUF(KEY_PKCS8_MAX);
    struct ca_root_msg m = {.verb = CA_ROOT_TAKE};
    struct key_info k;
    json_t *info;
    int r;

    if ((info = ca_ask_info(c, e)) == NULL)
        return -EIO;
    r = file_read(AT_FDCWD, c->args[0], KEY_FILE_MAX, &text, e);
    if (r == 0)
        r = ca_passphrase(c, "the root's key", &pass, e);
    buf_reserve(&pkcs8, KEY_PKCS8_MAX);
    if (r == 0)
        r = open_key_file(buf_span(&text), buf_span(&pass), &pkcs8, e);
    password_done(&pass);
    if (r == 0)
        r = ca_import_key(c, true, view_string(ca_in_use(info, "root"), "name"), buf_span(&pkcs8),
                          &k, e);
    secret_wipe(pkcs8.p, pkcs8.n);
    json_decref(info);
    if (r < 0)
        return r;
    memcpy(m.key_id, k.id, sizeof(k.id));
    r = tell_root(c, &m, NULL, e);
    return r < 0 ? r : view_done(c, NULL, "The root's key is back.");
}

/* --- a new issuing CA, or a new root */

static const struct view step_columns[] = {
    {"STEP",   "step",   VIEW_TEXT, 0},
    {"WHAT",   "what",   VIEW_TEXT, 0},
    {"RESULT", "result", VIEW_TEXT, 0},
};

int ca_show_steps(struct call *c, json_t *take_steps)
{
    return view_list(c, take_steps, VIEW(step_columns), "");
}

/* {"crossed":…,"info":…} */
static json_t *roll_over(struct call *c, bool root, struct err *e)
{
    struct buf body BUF_AUTO = BUF(16);

    wr_bool(&body, root);
    return ca_ask(c, MSG_CA_ROLLOVER, buf_span(&body), e);
}

/* The new root is certified by the one before it only; a longer chain has no room below a root. Who
 * has nothing but an older one must get the new one. */
static void say_lost(json_t *steps, const json_t *info, const char *before)
{
    struct buf names BUF_AUTO = BUF(4096);
    const json_t *ca;
    size_t i;

    json_array_foreach(json_object_get(info, "cas"), i, ca)
    {
        if (strcmp(view_string(ca, "kind"), "root") == 0 && !json_is_true(view_get(ca, "in_use")) &&
            strcmp(view_string(ca, "name"), before) != 0 &&
            json_integer_value(view_get(ca, "certificate.not_after")) > clock_seconds())
            buf_printf(&names, "%s%s", names.n ? ", " : "", view_string(ca, "name"));
    }
    if (names.n)
        ca_add_step(
            steps, "no longer reached", buf_cstr(&names),
            "clients that trust nothing newer do not trust what is issued from now on: give "
            "them the new root (root.pem, /ca.pem)");
}

static void say_rolled(json_t *steps, const json_t *done, bool root)
{
    const json_t *info = view_get(done, "info");

    if (root) {
        bool crossed = json_is_true(view_get(done, "crossed"));
        ca_add_step(steps, "new root CA",
                    view_string(ca_in_use(info, "root"), "certificate.subject"),
                    "made, and handed out beside the old one (root.pem, /ca.pem)");
        ca_add_step(steps, "cross certificates", "",
                    crossed ? "each root has certified the other's key"
                            : "the new root has certified the old one's key; the old root has no "
                              "room for a CA above the issuing one: clients need the new root "
                              "before servers show its certificates");
    }
    ca_add_step(steps, "new issuing CA",
                view_string(ca_in_use(info, "issuing"), "certificate.subject"),
                "made; it issues from now on");
}

static void say_would(json_t *steps, bool root)
{
    if (root) {
        ca_add_step(steps, "new root CA", "", "would be made, and handed out beside the old one");
        ca_add_step(steps, "cross certificates", "", "each root would certify the other's key");
    }
    ca_add_step(steps, "new issuing CA", "",
                root ? "would be made below the new root" : "would be made below the own root");
}

/* What is said beforehand is what would happen. */
static int root_can_certify(const json_t *info, struct err *e)
{
    return strncmp(view_string(ca_in_use(info, "root"), "key_state"), "away", 4) != 0
               ? 0
               : err_set(e, -ENOKEY,
                         "the key of the root CA is away, and it has to certify the new one; bring "
                         "it back first (sealpost ca root import)");
}

static int roll(struct call *c, bool root, json_t *steps, struct err *e)
{
    bool dry = has_option(c, OPT_DRY_RUN), now = has_option(c, OPT_NOW);
    json_t *info = ca_ask_info(c, e), *vservers, *done;
    char before[64];
    unsigned failed = 0;

    if (info == NULL)
        return -EIO;
    /* of earlier CAs too: one that was rolled over without --now has left certificates in service */
    vservers = root_can_certify(info, e) < 0 ? NULL : ca_shown_by(c, info, NULL, e);
    snprintf(before, sizeof(before), "%s", view_string(ca_in_use(info, "root"), "name"));
    if (dry && root && vservers)
        say_lost(steps, info, before);
    json_decref(info);
    if (vservers == NULL)
        return -EIO;
    done = dry ? NULL : roll_over(c, root, e);
    if (!dry && done == NULL) {
        json_decref(vservers);
        return -EIO;
    }
    if (dry)
        say_would(steps, root);
    else
        say_rolled(steps, done, root);
    if (!dry && root)
        say_lost(steps, view_get(done, "info"), before);
    json_decref(done);
    if (now)
        failed = ca_issue_anew(c, vservers, dry, steps);
    else
        ca_add_step(steps, "certificates", "",
                    "stay good; virtual servers get theirs anew when they are renewed (--now: at "
                    "once)");
    json_decref(vservers);
    if (failed > 0)
        ca_add_step(steps, "certificates", "",
                    "NOT all were issued anew: see above; `sealpost cert issue` tries again");
    return 0;
}

int cmd_ca_rollover(struct call *c, struct err *e)
{
    struct span what = span_cstr(c->arg_count > 0 ? c->args[0] : "issuing");
    bool root = span_is(what, "root");
    json_t *steps;
    int r;

    if (!root && !span_is(what, "issuing"))
        return usage_error(e, "what is rolled over is `issuing` (else) or `root`, not %s",
                           text_quote(what));
    steps = json_array();
    r = roll(c, root, steps, e);
    if (r < 0) {
        json_decref(steps);
        return r;
    }
    return ca_show_steps(c, steps);
}

/* --- the issuing CA is compromised */

void ca_add_step(json_t *steps, const char *step, const char *what, const char *result)
{
    json_array_append_new(steps, json_pack("{s:o,s:o,s:o}", "step", view_text(step), "what",
                                           view_text(what), "result", view_text(result)));
}

static json_t *ask_certd(struct call *c, enum msg_id id, const char *word, struct err *e)
{
    struct buf body BUF_AUTO = BUF(128), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);

    if (word)
        wr_cert_word(&body, word);
    if (control_call(c->control, ROLE_CERTD, 0, id, buf_span(&body), &reply, e) < 0)
        return NULL;
    return view_parse(buf_span(&reply), "certd", e);
}

/* Is that the subject of an issuing CA of ours, or of the one that was asked for? */
static bool is_ours(const json_t *info, const char *only, const char *issuer)
{
    const json_t *ca;
    bool ours = false;
    size_t i;

    if (only)
        return strcmp(only, issuer) == 0;
    json_array_foreach(json_object_get(info, "cas"), i, ca)
    {
        ours |= strcmp(view_string(ca, "kind"), "issuing") == 0 &&
                strcmp(view_string(ca, "certificate.subject"), issuer) == 0;
    }
    return ours;
}

/* One that shows another's certificate follows that. */
json_t *ca_shown_by(struct call *c, const json_t *info, const char *only, struct err *e)
{
    json_t *v = ask_certd(c, MSG_CERT_LIST, NULL, e), *found, *row, *one;
    size_t i;

    if (v == NULL)
        return NULL;
    found = json_array();
    json_array_foreach(json_object_get(v, "certificates"), i, row)
    {
        if ((one = ask_certd(c, MSG_CERT_SHOW, view_string(row, "vserver"), e)) == NULL) {
            json_decref(found);
            json_decref(v);
            return NULL;
        }
        if (is_ours(info, only, view_string(one, "current.certificate.issuer")) &&
            strcmp(view_string(one, "current.source"), "assigned") != 0)
            json_array_append(found, row);
        json_decref(one);
    }
    json_decref(v);
    return found;
}

/* New key and certificate for each, checked and swapped by certd. How many failed. */
unsigned ca_issue_anew(struct call *c, const json_t *vservers, bool dry, json_t *steps)
{
    unsigned failed = 0;
    const json_t *row;
    size_t i;

    json_array_foreach(vservers, i, row)
    {
        const char *name = view_string(row, "vserver");
        struct buf body BUF_AUTO = BUF(128), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
        struct err why = {"would be issued anew"};
        wr_cert_word(&body, name);
        if (dry) {
            ca_add_step(steps, "certificate", name, why.text);
        } else if (control_call(c->control, ROLE_CERTD, 0, MSG_CERT_ISSUE, buf_span(&body), &reply,
                                &why) < 0) {
            failed++;
            ca_add_step(steps, "certificate", name, why.text);
        } else {
            ca_add_step(steps, "certificate", name,
                        "new key and certificate, checked and in service");
        }
    }
    return failed;
}

/* What certd has got for a virtual server, and gets anew itself. */
static bool is_vservers(const json_t *row)
{
    return strcmp(view_string(row, "profile"), "server") == 0 &&
           strncmp(view_string(row, "requester"), "virtual server ", 15) == 0;
}

/* How its holder comes to a new one. */
static const char *what_to_do(const char *requester)
{
    return strncmp(requester, "acme: ", 6) == 0
               ? "its ACME client must renew now (many take a flag to do so before the date)"
           : strncmp(requester, "est: ", 5) == 0
               ? "its EST client must enrol again"
               : "make a new request and have it certified (sealpost ca issue)";
}

static void add_other(json_t *steps, const json_t *row)
{
    struct buf text BUF_AUTO = BUF(65536);
    const json_t *name;
    size_t i;

    buf_printf(&text, "%s %s (", view_string(row, "profile"),
               view_string(row, "certificate.serial"));
    json_array_foreach(view_get(row, "certificate.names"), i, name)
        buf_printf(&text, "%s%s", i ? ", " : "", json_string_value(name));
    buf_printf(&text, "%s): %s", i ? "" : view_string(row, "certificate.subject"),
               what_to_do(view_string(row, "requester")));
    ca_add_step(steps, "to be asked for anew", view_string(row, "requester"), buf_cstr(&text));
}

/* What nobody but its holder can replace: all that is not a virtual server's. */
static int list_others(struct call *c, int64_t issuer, json_t *steps, struct err *e)
{
    struct ca_find_msg q = {.filter = 1};

    for (;;) {
        struct buf body BUF_AUTO = BUF(1024);
        json_t *page, *row;
        int64_t next;
        size_t i;
        wr_ca_find(&body, &q);
        if ((page = ca_ask(c, MSG_CA_FIND, buf_span(&body), e)) == NULL)
            return -EIO;
        json_array_foreach(json_object_get(page, "certificates"), i, row)
        {
            if (json_integer_value(view_get(row, "issuer_id")) == issuer && !is_vservers(row))
                add_other(steps, row);
        }
        next = json_integer_value(json_object_get(page, "next"));
        json_decref(page);
        if (next <= q.after)
            return 0;
        q.after = next;
    }
}

static int revoke_old(struct call *c, int64_t id, json_t *steps, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(1024);
    struct ca_root_msg m = {.verb = CA_ROOT_REVOKE, .ca = id};
    char text[80];
    json_t *v;
    int r = tell_root(c, &m, &reply, e);

    if (r < 0 || (v = view_parse(buf_span(&reply), "cad", e)) == NULL)
        return r < 0 ? r : -EIO;
    snprintf(text, sizeof(text), "revoked with %lld certificates; the lists say so",
             (long long)json_integer_value(view_get(v, "revoked")));
    json_decref(v);
    ca_add_step(steps, "old issuing CA", "", text);
    return 0;
}

static int compromised(struct call *c, const json_t *old, json_t *steps, struct err *e)
{
    int64_t id = json_integer_value(view_get(old, "id"));
    bool dry = has_option(c, OPT_DRY_RUN);
    json_t *vservers = ca_shown_by(c, NULL, view_string(old, "certificate.subject"), e), *info;
    unsigned failed;
    int r;

    if (vservers == NULL)
        return -EIO;
    if (dry) {
        ca_add_step(steps, "new issuing CA", "", "would be made below the root");
    } else if ((info = roll_over(c, false, e)) == NULL) {
        json_decref(vservers);
        return -EIO;
    } else {
        ca_add_step(
            steps, "new issuing CA",
            view_string(ca_in_use(view_get(info, "info"), "issuing"), "certificate.subject"),
            "made");
        json_decref(info);
    }
    failed = ca_issue_anew(c, vservers, dry, steps);
    json_decref(vservers);
    r = list_others(c, id, steps, e);
    if (r < 0 || dry)
        return r;
    if (failed > 0) {
        ca_add_step(steps, "old issuing CA", view_string(old, "certificate.subject"),
                    "NOT revoked: see above; mend that, then say it again");
        return 0;
    }
    return revoke_old(c, id, steps, e);
}

/* A run that broke off has left a retired CA that still shows or is not revoked: it comes first. */
static const json_t *which_is_compromised(const struct call *c, const json_t *info)
{
    const json_t *ca;
    uint64_t id;
    size_t i;

    if (c->arg_count == 0)
        return ca_in_use(info, "issuing");
    json_array_foreach(
        json_object_get(info, "cas"), i,
        ca) if (strcmp(view_string(ca, "name"), c->args[0]) == 0 ||
                (span_to_u64(span_cstr(c->args[0]), INT64_MAX, &id) &&
                 json_integer_value(view_get(ca, "id")) == (json_int_t)id)) return ca;
    return NULL;
}

/* Before anything is made: what cad would refuse in the end. */
static int may_be_revoked(const json_t *old, struct err *e)
{
    if (!old || strcmp(view_string(old, "kind"), "issuing") != 0)
        return err_set(
            e, old ? -EINVAL : -ENOENT,
            old ? "%s is no issuing CA: in place of a root whose key is known to others, "
                  "make a new one (sealpost ca rollover root --now), and have clients "
                  "remove the old one from what they trust"
                : "there is no such issuing CA; see `sealpost ca info`",
            view_string(old, "name"));
    if (strcmp(view_string(old, "state"), "revoked") == 0)
        return err_set(e, -EALREADY, "%s was revoked before", view_string(old, "name"));
    return 0;
}

int cmd_ca_compromised(struct call *c, struct err *e)
{
    json_t *info, *steps;
    const json_t *old;
    int r;

    if (!has_option(c, OPT_DRY_RUN) && !has_option(c, OPT_YES))
        return usage_error(e, "every certificate of the issuing CA will be revoked; look with "
                              "--dry-run, then say --yes");
    if ((info = ca_ask_info(c, e)) == NULL)
        return -EIO;
    old = which_is_compromised(c, info);
    if ((r = may_be_revoked(old, e)) < 0 || (r = root_can_certify(info, e)) < 0) {
        json_decref(info);
        return r;
    }
    steps = json_array();
    r = compromised(c, old, steps, e);
    json_decref(info);
    if (r < 0) {
        json_decref(steps);
        return r;
    }
    return ca_show_steps(c, steps);
}
