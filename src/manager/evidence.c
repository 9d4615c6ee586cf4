/*
 * evidence.c: `sealpost evidence`: one report that can be shown to others: what each virtual server serves and has served, who asked for
 * it, what the probe saw, under which settings; signed, with the head of a log that cannot be rewritten unseen.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "conf/lint.h"
#include "manager/account_cert.h"
#include "manager/ca.h"
#include "manager/evidence_capture.h"
#include "manager/evidence_log.h"
#include "manager/evidence_page.h"
#include "manager/evidence_sign.h"
#include "manager/evidence_since.h"
#include "manager/table.h"
#include "manager/text.h"
#include "manager/verify_guest.h"
#include "pki/cert_msg.h"
#include "proc/child/evidence_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REPORT_MAX_BYTES = 64 << 20, SIGNATURE_MAX = 64 << 10, CONF_TEXT_MAX = 16 << 20 };

struct evidence {
    struct call *call;
    struct verify_plan *plan;
    struct evidence_log log;
    char log_file[4200];
    json_t *register_rows, *certificates; /* of the CA; by virtual server, as certd has them */
    json_t *accounts, *trust; /* certificates that stand for accounts; that are believed */
    struct probe_result *results;
    unsigned count, added;
    int64_t now;
};

static int64_t integer_of(const json_t *o, const char *name, int64_t otherwise)
{
    const json_t *n = json_object_get(o, name);

    return json_is_integer(n) ? json_integer_value(n) : otherwise;
}

/* ---- what there is ----------------------------------------------------------------------- */

static int take_register(struct evidence *v, struct err *e)
{
    struct ca_find_msg q = {.after = 0};

    v->register_rows = json_array();
    for (;;) {
        struct buf body BUF_AUTO = BUF(1024);
        json_t *page;
        int64_t next;
        wr_ca_find(&body, &q);
        if ((page = ca_ask(v->call, MSG_CA_FIND, buf_span(&body), e)) == NULL)
            return -EIO;
        json_array_extend(v->register_rows, json_object_get(page, "certificates"));
        next = json_integer_value(json_object_get(page, "next"));
        json_decref(page);
        if (next <= q.after)
            return 0;
        q.after = next;
    }
}

static void take_certificates(struct evidence *v)
{
    const struct conf *conf = v->plan->conf;

    v->certificates = json_object();
    for (uint32_t i = 0; i < conf->vserver_count; i++) {
        struct buf body BUF_AUTO = BUF(128), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
        struct err ignored;
        json_t *one = NULL;
        wr_cert_word(&body, conf->vservers[i].name);
        if (control_call(v->plan->control, ROLE_CERTD, 0, MSG_CERT_SHOW, buf_span(&body), &reply,
                         &ignored) >= 0)
            one = view_parse(buf_span(&reply), "certd", &ignored);
        json_object_set_new(v->certificates, conf->vservers[i].name,
                            one != NULL ? one : json_null());
    }
}

/* Certificates that stand for accounts, with what our CA says of those it has made. */
static int take_accounts(struct evidence *v, struct err *e)
{
    json_t *states = json_object(), *one;
    size_t i;
    int r;

    v->accounts = json_array();
    json_array_foreach(v->register_rows, i, one) json_object_set(
        states, view_string(one, "certificate.serial"), json_object_get(one, "state"));
    r = account_cert_list(v->call, "", v->accounts, e);
    json_array_foreach(v->accounts, i, one)
    {
        if (json_is_true(json_object_get(one, "issued")))
            json_object_set(one, "state", json_object_get(states, view_string(one, "serial")));
    }
    json_decref(states);
    return r;
}

static void add_trusted(struct evidence *v, const char *of, const char *subject, const char *sha256,
                        int64_t not_after)
{
    json_array_append_new(v->trust,
                          json_pack("{s:s,s:o,s:s,s:I}", "of", of, "subject", view_text(subject),
                                    "sha256", sha256, "not_after", (json_int_t)not_after));
}

/* The roots of our CA, which also say whose report this is, and the trust list of each virtual server as its workers have it. */
static int take_trust(struct evidence *v, struct err *e)
{
    const struct conf *conf = v->plan->conf;
    struct buf pem BUF_AUTO = BUF(CERTIFICATE_TEXT_MAX);
    struct chain roots = CHAIN_NONE;
    int r = control_call(v->plan->control, ROLE_CERTD, 0, MSG_CERT_CA_PEM, SPAN_EMPTY, &pem, e);

    v->trust = json_array();
    if (r >= 0)
        r = chain_parse_file(buf_span(&pem), &roots, e);
    if (r < 0)
        return err_wrap(e, r, "the roots of the own CA");
    for (size_t i = 0; i < roots.n; i++)
        add_trusted(v, "own CA", roots.v[i]->subject, roots.v[i]->sha256, roots.v[i]->not_after);
    chain_done(&roots);
    for (uint32_t i = 0; i < conf->vserver_count; i++) {
        const struct conf_vserver *vs = &conf->vservers[i];
        struct buf body BUF_AUTO = BUF(128), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
        json_t *answer, *one;
        size_t k;
        if (vs->client_certificates == CLIENT_CERTIFICATES_IGNORE)
            continue;
        wr_cert_word(&body, vs->name);
        if ((r = control_call(v->plan->control, ROLE_CERTD, 0, MSG_CERT_TRUST_SHOW, buf_span(&body),
                              &reply, e)) < 0 ||
            (answer = view_parse(buf_span(&reply), "certd", e)) == NULL)
            return err_wrap(e, r < 0 ? r : -EPROTO, "the trust list of %s", vs->name);
        json_array_foreach(json_object_get(answer, "trust"), k, one)
            add_trusted(v, vs->name, view_string(one, "subject"), view_string(one, "sha256"),
                        integer_of(one, "not_after", 0));
        json_decref(answer);
    }
    return 0;
}

static void sha256_text(struct span s, char ret[65])
{
    unsigned char digest[32];

    CHECK(EVP_Digest(s.p ? s.p : "", s.n, digest, NULL, EVP_sha256(), NULL) == 1);
    for (unsigned i = 0; i < sizeof digest; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

/* ---- the log ----------------------------------------------------------------------------- */

/* Has the log an entry of that kind with that value, and, where `last` is wanted, is it the newest of its kind for that name? */
static bool is_logged(const struct evidence *v, const char *kind, const char *field,
                      const char *value)
{
    size_t i;
    json_t *one;

    json_array_foreach(v->log.entries, i, one)
    {
        if (strcmp(view_string(one, "kind"), kind) == 0 &&
            strcmp(view_string(one, field), value) == 0)
            return true;
    }
    return false;
}

static const char *newest(const struct evidence *v, const char *kind, const char *vserver,
                          const char *field)
{
    const char *found = "";
    size_t i;
    json_t *one;

    json_array_foreach(v->log.entries, i, one)
    {
        if (strcmp(view_string(one, "kind"), kind) == 0 &&
            strcmp(view_string(one, "vserver"), vserver) == 0)
            found = view_string(one, field);
    }
    return found;
}

/* What the log lacks although it has happened: from before there was one, or while it could not be written. The supervisor writes it. */
static int add_late(struct evidence *v, const char *kind, const struct evidence_fact *facts,
                    unsigned count, struct err *e)
{
    struct evidence_fact all[EVIDENCE_FACTS_MAX] = {
        {"found", "by a report"}
    };
    struct buf body BUF_AUTO = BUF(8192);

    CHECK(count < EVIDENCE_FACTS_MAX);
    memcpy(all + 1, facts, count * sizeof *facts);
    wr_evidence_event(&body, kind, EVIDENCE_NOBODY, 0, all, count + 1);
    v->added++;
    return control_call(v->plan->control, ROLE_SUPERVISOR, 0, MSG_EVIDENCE_ADD, buf_span(&body),
                        NULL, e);
}
#define FACTS(...)                                                                                 \
    (const struct evidence_fact[]){__VA_ARGS__},                                                   \
        (unsigned)ARRAY_LEN(((const struct evidence_fact[]){__VA_ARGS__}))

static int log_register(struct evidence *v, struct err *e)
{
    int r = 0;
    size_t i;
    json_t *one;

    json_array_foreach(v->register_rows, i, one)
    {
        const char *serial = view_string(one, "certificate.serial");
        char when[32];
        evidence_time(integer_of(one, "issued_at", v->now), when);
        if (r == 0 && !is_logged(v, "issue", "serial", serial))
            r = add_late(v, "issue",
                         FACTS({"when", when}, {"serial", serial},
                               {"profile", view_string(one, "profile")},
                               {"for", view_string(one, "requester")}),
                         e);
        evidence_time(integer_of(one, "revoked_at", v->now), when);
        if (r == 0 && strcmp(view_string(one, "state"), "revoked") == 0 &&
            !is_logged(v, "revoke", "serial", serial))
            r = add_late(
                v, "revoke",
                FACTS({"when", when}, {"serial", serial}, {"reason", view_string(one, "reason")}),
                e);
    }
    return r;
}

/* What went into service last, also by going back to it. */
static const char *last_served(const struct evidence *v, const char *vserver)
{
    const char *found = "";
    size_t i;
    json_t *one;

    json_array_foreach(v->log.entries, i, one)
    {
        const char *kind = view_string(one, "kind");
        if (strcmp(view_string(one, "vserver"), vserver) == 0 &&
            (strcmp(kind, "swap") == 0 || strcmp(kind, "rollback") == 0))
            found = view_string(one, "serial");
    }
    return found;
}

static int log_swaps(struct evidence *v, struct err *e)
{
    const char *name;
    json_t *one;
    int r = 0;

    json_object_foreach(v->certificates, name, one)
    {
        const char *serial = view_string(one, "current.serial");
        if (r == 0 && serial[0] != '\0' && strcmp(last_served(v, name), serial) != 0)
            r = add_late(v, "swap", FACTS({"vserver", name}, {"serial", serial}), e);
    }
    return r;
}

static int log_settings(struct evidence *v, struct span text, struct err *e)
{
    char hash[65];

    sha256_text(text, hash);
    return strcmp(newest(v, "settings", "", "sha256"), hash) == 0
               ? 0
               : add_late(v, "settings", FACTS({"sha256", hash}), e);
}

static int update_log(struct evidence *v, struct span conf_text, struct err *e)
{
    int r = evidence_log_read(&v->log, v->log_file, e);

    if (r != 0 && r != -EBADMSG)
        return err_wrap(e, r, "the log of evidence");
    if (r != 0)
        return err_wrap(e, r,
                        "%s was changed by somebody: keep it and look into it. A new one begins "
                        "when it is moved away",
                        v->log_file);
    r = log_register(v, e);
    r = r == 0 ? log_swaps(v, e) : r;
    r = r == 0 ? log_settings(v, conf_text, e) : r;
    if (r < 0 || v->added == 0)
        return r < 0 ? err_wrap(e, r, "the log of evidence") : 0;
    evidence_log_done(&v->log);
    evidence_log_init(&v->log);
    return evidence_log_read(&v->log, v->log_file, e);
}

/* ---- the report as JSON ------------------------------------------------------------------ */

static json_t *probe_json(const struct evidence *v)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < v->count; i++) {
        const struct probe_result *r = &v->results[i];
        char name[80];
        json_array_append_new(
            all, json_pack("{s:s,s:s,s:s,s:s,s:o}", "vserver", r->target->vserver->name, "endpoint",
                           probe_target_name(r->target, name), "check", r->check->name, "result",
                           probe_verdict_name(r->verdict), "detail", view_text(r->detail)));
    }
    return all;
}

/* `sealpost capture --audit --json > FILE`. */
static int take_capture(const struct evidence *v, json_t **ret, struct err *e)
{
    struct buf text BUF_AUTO = BUF(REPORT_MAX_BYTES);
    const char *file = v->call->option[OPT_CAPTURE];
    json_t *given;
    int r;

    *ret = json_null();
    if (file == NULL)
        return 0;
    if ((r = file_read(AT_FDCWD, file, REPORT_MAX_BYTES, &text, e)) < 0)
        return r;
    given = json_loadb(text.p ? text.p : "", text.n, 0, NULL);
    r = evidence_capture_take(given, v->log.entries, ret, e);
    return r != 0 ? err_wrap(e, r, "%s", file) : 0;
}

static json_t *report_json(struct evidence *v, struct span conf_text, json_t *take_capture_json)
{
    return json_pack("{s:s,s:I,s:s,s:s,s:o,s:O,s:O,s:O,s:O,s:o,s:o,s:{s:s,s:O}}", "format",
                     "sealpost-evidence-1", "at", (json_int_t)v->now, "hostname",
                     v->plan->conf->hostname, "version", SEALPOST_VERSION, "settings",
                     json_stringn(conf_text.p ? conf_text.p : "", conf_text.n), "certificates",
                     v->certificates, "register", v->register_rows, "accounts", v->accounts,
                     "trust", v->trust, "probe", probe_json(v), "capture", take_capture_json, "log",
                     "head", v->log.head, "entries", v->log.entries);
}

/* ---- reading one ------------------------------------------------------------------------- */

static int read_roots(struct call *c, struct buf *ret, struct err *e)
{
    struct control *control;

    if (has_option(c, OPT_ROOT))
        return file_read(AT_FDCWD, c->option[OPT_ROOT], CERTIFICATE_TEXT_MAX, ret, e);
    if ((control = call_control(c, e)) == NULL)
        return err_wrap(e, -ENOTCONN, "whom to trust; name the root with --root FILE");
    return control_call(control, ROLE_CERTD, 0, MSG_CERT_CA_PEM, SPAN_EMPTY, ret, e);
}

/* The register knows each signer: what stands in it, and only that, was made by `sealpost evidence`. */
static int ask_register(struct call *c, const struct evidence_signer *s, struct err *e)
{
    struct buf body BUF_AUTO = BUF(128);
    json_t *row;
    int r = 0;

    wr_cert_word(&body, s->serial);
    if ((row = ca_ask(c, MSG_CA_SHOW, buf_span(&body), e)) == NULL)
        return err_wrap(e, -EKEYREJECTED, "its signer, serial %s", s->serial);
    if (strcmp(view_string(row, "certificate.sha256"), s->sha256) != 0 ||
        strcmp(view_string(row, "profile"), s->earlier_kind ? "code" : "evidence") != 0 ||
        strcmp(view_string(row, "requester"), CA_EVIDENCE_REQUESTER) != 0)
        r = err_set(e, -EKEYREJECTED,
                    "the CA's register does not know its signer, serial %s, as one of reports",
                    s->serial);
    else if (strcmp(view_string(row, "state"), "revoked") == 0 ||
             strcmp(view_string(row, "state"), "held") == 0)
        r = err_set(e, -EKEYREJECTED, "the certificate of its signer, serial %s, was revoked",
                    s->serial);
    json_decref(row);
    return r;
}

/* Roots that are given are another's: whose register is not to be had. */
static int check_signer(struct call *c, const struct evidence_signer *s, struct err *e)
{
    if (!has_option(c, OPT_ROOT))
        return ask_register(c, s, e);
    if (s->earlier_kind)
        return err_set(
            e, -EKEYREJECTED,
            "it was signed by a certificate of profile code (serial %s), as reports were "
            "before there was a profile for them: only the register of its CA can tell "
            "it from any other signer of programs. Verify it where it was made, without "
            "--root",
            s->serial);
    return 0;
}

/* Signature, signer and log are looked at. *ret_report is the caller's. */
static int read_report(struct call *c, const char *file, json_t **ret_report,
                       struct evidence_signer *signer, struct err *e)
{
    struct buf page BUF_AUTO = BUF(REPORT_MAX_BYTES), sig BUF_AUTO = BUF(SIGNATURE_MAX),
                    roots BUF_AUTO = BUF(CERTIFICATE_TEXT_MAX);
    char beside[4200];
    json_t *report;
    int r;

    snprintf(beside, sizeof beside, "%s.p7s", file);
    if ((r = file_read(AT_FDCWD, file, REPORT_MAX_BYTES, &page, e)) < 0 ||
        (r = file_read(AT_FDCWD, beside, SIGNATURE_MAX, &sig, e)) < 0 ||
        (r = read_roots(c, &roots, e)) < 0 ||
        (r = evidence_verify(buf_span(&page), buf_span(&sig), buf_span(&roots), signer, e)) != 0 ||
        (r = check_signer(c, signer, e)) != 0)
        return err_wrap(e, r, "%s", file);
    report = evidence_page_read(buf_span(&page));
    r = report == NULL
            ? err_set(e, -EBADMSG, "it holds no report")
            : evidence_log_check(json_object_get(json_object_get(report, "log"), "entries"),
                                 view_string(report, "log.head"), e);
    if (r != 0) {
        json_decref(report);
        return err_wrap(e, r, "%s", file);
    }
    *ret_report = report;
    return 0;
}

static int verify_report(struct call *c, struct err *e)
{
    const char *file = c->option[OPT_VERIFY];
    const char *profile = has_option(c, OPT_ROOT) ? NULL : "evidence";
    struct evidence_signer signer;
    json_t *report;
    size_t entries;
    int r = read_report(c, file, &report, &signer, e);

    if (r != 0)
        return r;
    if (profile != NULL && signer.earlier_kind)
        profile = "code";
    entries = json_array_size(json_object_get(json_object_get(report, "log"), "entries"));
    r = view_done(
        c,
        json_pack("{s:b,s:s,s:s,s:s?,s:O,s:i,s:s}", "valid", true, "signer", signer.name, "serial",
                  signer.serial, "register", profile, "at", json_object_get(report, "at"),
                  "entries", (int)entries, "head", view_string(report, "log.head")),
        "%s is as it was signed by %s, serial %s%s%s; its log of %zu entries is whole, head %s.",
        file, signer.name, signer.serial,
        profile != NULL ? ", in the CA's register as profile "
                        : " (a certificate for reports; the CA's register was not asked)",
        profile != NULL ? profile : "", entries, view_string(report, "log.head"));
    json_decref(report);
    return r;
}

/* ---- --since ----------------------------------------------------------------------------- */

/* *ret_since: NULL where no comparison is asked for. */
static int compare(struct evidence *v, const json_t *report, json_t **ret_since, struct err *e)
{
    const char *file = v->call->option[OPT_SINCE];
    json_t *earlier = NULL;
    struct evidence_signer signer;
    int r;

    *ret_since = NULL;
    if (file == NULL)
        return 0;
    if ((r = read_report(v->call, file, &earlier, &signer, e)) != 0)
        return r;
    if ((r = evidence_follows(earlier, report, file, e)) == 0) {
        *ret_since = evidence_since(earlier, report);
        json_object_set_new(*ret_since, "file", view_text(file));
        json_object_set_new(*ret_since, "signer", view_text(signer.name));
    }
    json_decref(earlier);
    return r;
}

/* ---- the whole --------------------------------------------------------------------------- */

static void show_changes(struct call *c, const json_t *since)
{
    static const struct view columns[] = {
        {"WHERE", "where", VIEW_TEXT, COLUMN_WRAP},
        {"WHAT",  "what",  VIEW_TEXT, COLUMN_WRAP},
        {"OLD",   "old",   VIEW_TEXT, COLUMN_WRAP},
        {"NEW",   "new",   VIEW_TEXT, COLUMN_WRAP},
    };

    for (unsigned i = 0; evidence_parts[i].name != NULL; i++) {
        const json_t *rows = json_object_get(since, evidence_parts[i].name);
        if (json_array_size(rows) == 0)
            continue;
        buf_printf(&c->out, "%s\n", evidence_parts[i].title);
        view_table(c, rows, VIEW(columns));
        buf_putc(&c->out, '\n');
    }
}

static int answer(struct evidence *v, const char *file, const char *beside, const char *serial,
                  json_t *since)
{
    const json_t *fresh = json_object_get(since, "log");
    size_t entries = json_array_size(v->log.entries);
    json_t *all = json_pack("{s:s,s:s,s:s,s:s,s:i}", "file", file, "signature", beside,
                            "signer_serial", serial, "head", v->log.head, "entries", (int)entries);

    if (since == NULL)
        return view_done(v->call, all,
                         "%s and its signature %s are written; the log has %zu entries, head %s.",
                         file, beside, entries, v->log.head);
    json_object_set(all, "new", (json_t *)(uintptr_t)fresh);
    json_object_set(all, "since", since);
    if (!has_option(v->call, OPT_JSON))
        show_changes(v->call, since);
    return view_done(v->call, all,
                     "%s and its signature %s are written; since %s %zu things have changed and "
                     "the log has %zu new entries, head %s.",
                     file, beside, v->call->option[OPT_SINCE], evidence_changes(since, NULL),
                     json_array_size(fresh), v->log.head);
}

static int write_report(struct evidence *v, struct span conf_text, struct err *e)
{
    struct buf page BUF_AUTO = BUF(REPORT_MAX_BYTES), sig BUF_AUTO = BUF(SIGNATURE_MAX);
    char file[4096], beside[4200], serial[CERTIFICATE_SERIAL_MAX] = "";
    json_t *capture, *report, *since = NULL;
    time_t t = (time_t)v->now;
    struct tm tm;
    int r;

    gmtime_r(&t, &tm);
    strftime(file, sizeof file, "evidence-%Y%m%d-%H%M%S.html", &tm);
    if (has_option(v->call, OPT_OUT))
        snprintf(file, sizeof file, "%s", v->call->option[OPT_OUT]);
    snprintf(beside, sizeof beside, "%s.p7s", file);
    if ((r = take_capture(v, &capture, e)) != 0)
        return r;
    report = report_json(v, conf_text, capture);
    CHECK(report != NULL);
    if ((r = compare(v, report, &since, e)) != 0) {
        json_decref(report);
        return r;
    }
    if (since != NULL)
        json_object_set(report, "since", since);
    evidence_page(v->plan->conf, report, &page);
    json_decref(report);
    r = page.overflow
            ? err_set(e, -EMSGSIZE, "more than %d bytes of evidence", REPORT_MAX_BYTES)
            : evidence_sign(v->plan->control, v->plan->conf, buf_span(&page), &sig, serial, e);
    if (r == 0)
        r = file_write(AT_FDCWD, file, buf_span(&page), 0600, e);
    if (r == 0)
        r = file_write(AT_FDCWD, beside, buf_span(&sig), 0600, e);
    if (r == 0)
        r = answer(v, file, beside, serial, since);
    json_decref(since);
    return r;
}

static int find_log(struct evidence *v, struct err *e)
{
    struct buf text BUF_AUTO = BUF(CONF_TEXT_MAX), data BUF_AUTO = BUF(4096);
    const char *file = call_config(v->call);
    int r = file_read(AT_FDCWD, file, CONF_TEXT_MAX, &text, e);

    if (r < 0)
        return r;
    if (!control_find_data(buf_span(&text), file, &data))
        return err_set(e, -EINVAL, "%s names no data folder", file);
    snprintf(v->log_file, sizeof v->log_file, "%s/evidence.log", buf_cstr(&data));
    return 0;
}

/* With an account and a newsgroup of its own; nothing of it stays. */
static int probe(struct evidence *v, struct err *e)
{
    struct verify_plan *p = v->plan;
    struct verify_guest *guest;
    struct err why;
    int r = verify_guest_make(p, &guest, e);

    if (r != 0)
        return err_wrap(e, r, "the probe");
    probe_all(&p->plan, &v->results, &v->count);
    verify_plan_settle(p, v->results, v->count);
    if (probe_was_ended(&p->plan))
        r = err_set(e, -EINTR, "ended by a signal: there is no report");
    if (verify_guest_remove(guest, &why) != 0 && r == 0)
        r = err_set(e, -EIO, "%s", why.text);
    return r;
}

int cmd_evidence(struct call *c, struct err *e)
{
    struct evidence v = {.call = c, .now = clock_seconds()};
    struct buf conf_text BUF_AUTO = BUF(CONF_TEXT_MAX);
    int r;

    if (has_option(c, OPT_VERIFY))
        return verify_report(c, e);
    evidence_log_init(&v.log);
    r = verify_plan_make(c, NULL, 0, &v.plan, e);
    if (r == 0) {
        conf_print(v.plan->conf, false, &conf_text);
        r = find_log(&v, e);
    }
    if (r == 0)
        r = take_register(&v, e);
    if (r == 0) {
        take_certificates(&v);
        r = take_accounts(&v, e);
    }
    if (r == 0)
        r = take_trust(&v, e);
    if (r == 0) {
        r = update_log(&v, buf_span(&conf_text), e);
    }
    if (r == 0)
        r = probe(&v, e);
    if (r == 0)
        r = write_report(&v, buf_span(&conf_text), e);
    free(v.results);
    json_decref(v.trust);
    json_decref(v.accounts);
    json_decref(v.certificates);
    json_decref(v.register_rows);
    evidence_log_done(&v.log);
    verify_plan_free(v.plan);
    return r;
}
