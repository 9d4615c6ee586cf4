#include "manager/verify_guest.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"
#include "manager/account_cert.h"
#include "manager/directory.h"
#include "manager/password.h"
#include "manager/text.h"
#include "pki/cert_msg.h"
#include "pki/client.h"
#include "pki/crl.h"
#include "pki/request.h"
#include "store/grant.h"
#include "store/store_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>

enum { SIGNALS = 3 };
enum { BODY_MAX = 4096, LOCK_WAIT_MS = 120000, LOCK_PAUSE_MS = 100, PASSWORD = 32, CERT_DAYS = 1 };

/* By this an account or newsgroup is known as ours: what somebody else called so is left alone. */
#define MARK "made and removed by `sealpost verify`"

struct verify_guest {
    struct verify_plan *plan;
    struct call *call;
    int lock;
    char address[NAME_ADDRESS_MAX + 1]; /* of the account that is certified */
    char certificate[64];               /* what the row of its certificate is called; "": none */
    char serial[CERTIFICATE_SERIAL_MAX];
    bool has_account, has_newsgroup, has_row;
    struct probe_client client;
    struct sigaction before[SIGNALS];
    const volatile sig_atomic_t *ended_before;
};

/* ---- signals ----------------------------------------------------------------------------- */

static const int signals[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t ended;

static void on_signal(int signo)
{
    (void)signo;
    ended = 1;
}

static void note_signals(struct verify_guest *g)
{
    struct sigaction note = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    ended = 0;
    g->ended_before = g->plan->plan.ended;
    g->plan->plan.ended = &ended;
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], NULL, &g->before[i]);
        if (g->before[i].sa_handler != SIG_IGN) /* nohup */
            sigaction(signals[i], &note, NULL);
    }
}

static void leave_signals(struct verify_guest *g)
{
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &g->before[i], NULL);
    g->plan->plan.ended = g->ended_before;
}

/* Messages to the server are not interrupted. */
static void hold_signals(bool hold)
{
    sigset_t set;

    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&set, signals[i]);
    sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* ---- one at a time ----------------------------------------------------------------------- */

/* The configuration is the file that all who verify this server have in common. */
static int lock(struct verify_guest *g, struct err *e)
{
    const char *file = call_config(g->call);
    uint64_t end = clock_mono_ms() + LOCK_WAIT_MS;

    g->lock = open(file, O_RDONLY | O_CLOEXEC);
    if (g->lock < 0)
        return err_set(e, -errno, "%s: %s", file, strerror(errno));
    while (flock(g->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_set(e, -errno, "%s cannot be locked: %s", file, strerror(errno));
        if (ended)
            return err_set(e, -EINTR, "ended by a signal");
        if (clock_mono_ms() > end)
            return err_set(e, -EBUSY, "another `sealpost verify` is at it for too long");
        poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return 0;
}

/* ---- the account ------------------------------------------------------------------------- */

static int find_account(struct verify_guest *g, const char *address, bool *ret_there, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(BODY_MAX);
    struct directory_account a;
    struct rd rd;
    int r = control_call(g->call->control, ROLE_AUTHD, 0, MSG_ACCOUNT_SHOW, span_cstr(address),
                         &reply, e);

    *ret_there = false;
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    if (!rd_authd_account(&rd, &a) || !rd_done(&rd))
        return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    if (strcmp(a.title, MARK) != 0)
        return err_set(e, -EEXIST,
                       "the account %s is somebody's; `sealpost verify` needs that name for its "
                       "own. Give it accounts with --settings",
                       address);
    *ret_there = a.state != ACCOUNT_STATE_DELETING;
    return 0;
}

static int make_account(struct verify_guest *g, struct err *e)
{
    struct probe_login *l = &g->plan->plan.logins[0];
    struct authd_account_add q = {.rights = GRANT_MAIL | GRANT_SUBMIT | GRANT_POST,
                                  .protocols = (1u << PROTOCOL_COUNT) - 1};
    struct buf password BUF_AUTO = BUF(PASSWORD + 1), body = BUF(BODY_MAX);
    bool left;
    int r;

    snprintf(l->user, sizeof l->user, GUEST_ACCOUNT "@%.250s", g->plan->conf->domain);
    if ((r = find_account(g, l->user, &left, e)) == 0 && left)
        r = authd_call(g->call, MSG_ACCOUNT_REMOVE, span_cstr(l->user), e);
    if (r == 0) {
        random_token(&password, PASSWORD);
        snprintf(l->password, sizeof l->password, "%s", buf_cstr(&password));
        q.address = span_cstr(l->user);
        q.title = SPAN(MARK);
        q.password = buf_span(&password);
        buf_reserve(&body, BODY_MAX);
        wr_authd_account_add(&body, &q);
        r = authd_call(g->call, MSG_ACCOUNT_ADD, buf_span(&body), e);
        g->has_account = r == 0;
        secret_wipe(password.p, password.cap);
        password_done(&body);
    }
    if (r != 0)
        l->user[0] = '\0';
    return r;
}

/* ---- the newsgroup ----------------------------------------------------------------------- */

static int ask_store(struct verify_guest *g, enum store_newsgroup_op op, struct buf *reply,
                     struct err *e)
{
    struct msg_newsgroup q = {.head = {.counter = 1},
                              .op = (uint8_t)op,
                              .name = SPAN(GUEST_NEWSGROUP),
                              .attributes = MAILBOX_NEWSGROUP,
                              .describes = op == NEWSGROUP_CREATE,
                              .description = op == NEWSGROUP_CREATE ? SPAN(MARK) : SPAN_EMPTY};
    struct buf body BUF_AUTO = BUF(BODY_MAX);

    wr_newsgroup(&body, &q);
    return control_call(g->call->control, ROLE_STORED, 0, MSG_STORE_NEWSGROUP, buf_span(&body),
                        reply, e);
}

/* One that is there: a run before has left it, or it is somebody's. */
static int forget_newsgroup(struct verify_guest *g, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(2 * LINK_PAYLOAD_MAX);
    int r = ask_store(g, NEWSGROUP_LIST, &reply, e);
    json_t *page, *group;
    bool ours = false;
    size_t i;

    if (r < 0 || (page = view_parse(buf_span(&reply), "stored", e)) == NULL)
        return r < 0 ? r : -EIO;
    json_array_foreach(json_object_get(page, "groups"), i, group)
    {
        if (strcmp(view_string(group, "name"), GUEST_NEWSGROUP) == 0)
            ours = strcmp(view_string(group, "description"), MARK) == 0;
    }
    json_decref(page);
    if (!ours)
        return err_set(e, -EEXIST,
                       "the newsgroup " GUEST_NEWSGROUP " is somebody's; `sealpost verify` needs "
                       "that name for its own");
    r = ask_store(g, NEWSGROUP_DELETE, NULL, e);
    return r < 0 ? r : 0;
}

static int make_newsgroup(struct verify_guest *g, struct err *e)
{
    int r = ask_store(g, NEWSGROUP_CREATE, NULL, e);

    if (r == -EEXIST && (r = forget_newsgroup(g, e)) == 0)
        r = ask_store(g, NEWSGROUP_CREATE, NULL, e);
    if (r < 0)
        return err_wrap(e, r, "the newsgroup " GUEST_NEWSGROUP);
    g->has_newsgroup = true;
    snprintf(g->plan->plan.newsgroup, sizeof g->plan->plan.newsgroup, GUEST_NEWSGROUP);
    g->plan->plan.own_newsgroup = true;
    return 0;
}

/* ---- the certificate --------------------------------------------------------------------- */

static bool takes_certificates(const struct conf_vserver *v)
{
    if (v->client_certificates == CLIENT_CERTIFICATES_IGNORE)
        return false;
    for (uint32_t i = 0; i < v->client_trust.n; i++)
        if (strcmp(v->client_trust.v[i], "own-ca") == 0)
            return true;
    return false;
}

/* Helpers count: messages go through them. */
static bool needs_certificate(const struct verify_plan *v)
{
    for (unsigned i = 0; i < v->target_count; i++)
        if (takes_certificates(v->targets[i].vserver))
            return true;
    return false;
}

static int make_request(struct verify_guest *g, struct buf *ret, struct err *e)
{
    struct cert_subject subject = {.common_name = strlen(g->address) <= 64 ? g->address : NULL};
    struct cert_names names = CERT_NAMES_EMPTY;
    unsigned char *spki = NULL;
    int n, r;

    g->client.key = EVP_EC_gen("P-256"); /* of this process, for as long as the probe runs */
    CHECK(g->client.key != NULL);
    n = i2d_PUBKEY(g->client.key, &spki);
    CHECK(n > 0);
    if (cert_names_add(&names, CERT_NAME_EMAIL, span_cstr(g->address)) < 0)
        r = err_set(e, -EINVAL, "%s cannot stand in a certificate", g->address);
    else
        r = request_make(g->client.key, span_of(spki, (size_t)n), &subject, &names, ret, e);
    cert_names_done(&names);
    OPENSSL_free(spki);
    return r;
}

static int ask_ca(struct verify_guest *g, struct span request, struct directory_certificate *row,
                  struct err *e)
{
    struct buf body BUF_AUTO = BUF(65536), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct ca_issue_msg m = {.profile = "account", .days = CERT_DAYS, .request = request};
    struct ca_issued_msg out;
    struct client_certificate facts;
    int r;

    if (cert_names_add(&m.names, CERT_NAME_EMAIL, span_cstr(g->address)) < 0)
        return err_set(e, -EINVAL, "%s cannot stand in a certificate", g->address);
    snprintf(m.requester, sizeof m.requester, "sealpost verify, for its probe");
    wr_ca_issue(&body, &m);
    cert_names_done(&m.names);
    r = control_call(g->call->control, ROLE_CAD, 0, MSG_CA_ISSUE, buf_span(&body), &reply, e);
    if (r < 0)
        return r;
    if (!rd_ca_issued(buf_span(&reply), &out) || chain_parse(out.chain, &g->client.chain, e) < 0 ||
        g->client.chain.n == 0 || !client_certificate_of(g->client.chain.v[0]->x509, &facts))
        return err_set(e, -EPROTO, "cad's answer has another form");
    memcpy(g->serial, facts.serial, sizeof facts.serial);
    row->kind = CERTIFICATE_SPKI;
    row->issued = true;
    row->ends_seconds = facts.not_after;
    memcpy(row->value, facts.spki_sha256, sizeof facts.spki_sha256);
    memcpy(row->serial, facts.serial, sizeof row->serial);
    memcpy(row->subject, facts.subject, sizeof row->subject);
    memcpy(row->issuer, facts.issuer, sizeof row->issuer);
    return 0;
}

/* A request that waits for somebody would stay behind. */
static bool is_issued_at_once(const struct conf *c)
{
    for (uint32_t i = 0; i < c->ca_officer.n; i++)
        if (strcmp(c->ca_officer.v[i], "account") == 0)
            return false;
    return true;
}

static int make_certificate(struct verify_guest *g, struct err *e)
{
    struct buf request BUF_AUTO = BUF(REQUEST_DER_MAX), body BUF_AUTO = BUF(BODY_MAX),
                       token BUF_AUTO = BUF(16);
    struct directory_certificate row = {.name = ""};
    int r;

    if (!is_issued_at_once(g->plan->conf))
        return err_set(e, -EPERM,
                       "certificates of profile account wait for approval (ca_officer); see that "
                       "logins by certificate work with `sealpost account cert issue`");
    if ((r = make_request(g, &request, e)) == 0)
        r = ask_ca(g, buf_span(&request), &row, e);
    if (r != 0)
        return r;
    random_token(&token, 8);
    snprintf(g->certificate, sizeof g->certificate, "verify %s", buf_cstr(&token));
    snprintf(row.name, sizeof row.name, "%s", g->certificate);
    wr_authd_cert_add(&body, span_cstr(g->address), &row);
    r = authd_call(g->call, MSG_ACCOUNT_CERT_ADD, buf_span(&body), e);
    g->has_row = r == 0;
    if (r == 0)
        g->plan->plan.client = &g->client;
    return r;
}

static int revoke_certificate(struct verify_guest *g, struct err *e)
{
    struct buf body BUF_AUTO = BUF(256);
    struct ca_revoke_msg m = {.reason = CRL_CESSATION};
    int r;

    memcpy(m.serial, g->serial, sizeof m.serial);
    wr_ca_revoke(&body, &m);
    r = control_call(g->call->control, ROLE_CAD, 0, MSG_CA_REVOKE, buf_span(&body), NULL, e);
    return r == -EALREADY || r > 0 ? 0 : r;
}

static int remove_row(struct verify_guest *g, struct err *e)
{
    struct buf body BUF_AUTO = BUF(BODY_MAX);

    wr_authd_pair(&body, span_cstr(g->address), span_cstr(g->certificate));
    return authd_call(g->call, MSG_ACCOUNT_CERT_REMOVE, buf_span(&body), e);
}

/* ---- all of it --------------------------------------------------------------------------- */

/* Each is tried; the first reason is told. */
static void note(int r, const char *what, const struct err *why, int *ret, struct err *e)
{
    if (r != 0 && *ret == 0)
        *ret = err_set(e, -EIO, "%s could not be removed: %s. The next `sealpost verify` does it",
                       what, why->text);
}

int verify_guest_remove(struct verify_guest *g, struct err *e)
{
    struct err why;
    int r = 0;

    if (g == NULL)
        return 0;
    g->plan->plan.client = NULL;
    hold_signals(true);
    if (g->serial[0])
        note(revoke_certificate(g, &why), "the certificate of the probe", &why, &r, e);
    if (g->has_row)
        note(remove_row(g, &why), "the certificate of the probe", &why, &r, e);
    if (g->has_newsgroup)
        note(ask_store(g, NEWSGROUP_DELETE, NULL, &why), "the newsgroup " GUEST_NEWSGROUP, &why, &r,
             e);
    if (g->has_account)
        note(authd_call(g->call, MSG_ACCOUNT_REMOVE, span_cstr(g->address), &why),
             "the account of the probe", &why, &r, e);
    probe_client_done(&g->client);
    fd_close(&g->lock);
    leave_signals(g);
    hold_signals(false);
    free(g);
    return r;
}

int verify_guest_make(struct verify_plan *v, struct verify_guest **ret, struct err *e)
{
    struct verify_guest *g = calloc(1, sizeof *g);
    struct err why;
    int r;

    CHECK(g != NULL);
    *g = (struct verify_guest){.plan = v, .call = v->call, .lock = -1};
    e->text[0] = '\0';
    note_signals(g);
    r = lock(g, e);
    hold_signals(true);
    if (r == 0 && v->plan.logins[0].user[0] == '\0')
        r = make_account(g, e);
    if (r == 0) {
        snprintf(g->address, sizeof g->address, "%s", v->plan.logins[0].user);
        r = make_newsgroup(g, e);
    }
    if (r != 0) {
        verify_guest_remove(g, &why);
        return r;
    }
    e->text[0] = '\0'; /* that there was no account is no reason any more */
    if (needs_certificate(v) && make_certificate(g, &why) != 0)
        err_set(e, -EIO, "the probe has no certificate to log in with: %s", why.text);
    hold_signals(false);
    *ret = g;
    return 0;
}
