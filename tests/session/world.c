#include "session/world.h"

#include "base/check.h"
#include "base/log.h"
#include "base/parse.h"
#include "http/http.h"
#include "imap/imap.h"
#include "nntp/nntp.h"
#include "pop3/pop3.h"
#include "session/runner.h"
#include "smtp/smtp.h"
#include "store/store_harness.h"
#include "store/store_msg.h"
#include "tls/context_internal.h"
#include "tls/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DRAIN_MS = 5000 };

static const struct protocol *const all_protocols[PROTOCOL_COUNT] = {
    [PROTOCOL_POP3] = &pop3_protocol, [PROTOCOL_IMAP4] = &imap_protocol,
    [PROTOCOL_SMTP] = &smtp_protocol, [PROTOCOL_NNTP] = &nntp_protocol,
    [PROTOCOL_HTTP] = &http_protocol,
};

const unsigned char *runner_grant_secret(void)
{
    return store_harness_secret;
}

/* ------------------------------------------------------------------ settings */

struct world *world_new(const char *protocol)
{
    struct world *w = calloc(1, sizeof(*w));

    CHECK(w);
    w->options = BUF(64 << 10);
    w->root_options = BUF(64 << 10);
    w->protocol = PROTOCOL_COUNT;
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (strcmp(protocol, conf_protocol_name((enum conf_protocol)i)) == 0)
            w->protocol = (enum conf_protocol)i;
    if (strcmp(protocol, "imap") == 0)
        w->protocol = PROTOCOL_IMAP4;
    if (w->protocol == PROTOCOL_COUNT) {
        fprintf(stderr, "no protocol %s\n", protocol);
        exit(2);
    }
    w->loop = loop_new();
    w->harness = store_harness_new(w->loop);
    store_harness_mx(w->harness);
    store_harness_relay(w->harness);
    return w;
}

void world_option(struct world *w, struct span text)
{
    /* "limits.errors = 3;" is of the group, other options are of the virtual server */
    buf_put_span(&w->options, text);
    buf_putc(&w->options, '\n');
}

void world_root_option(struct world *w, struct span text)
{
    buf_put_span(&w->root_options, text);
    buf_putc(&w->root_options, '\n');
}

bool world_policy(struct world *w, struct span name)
{
    for (int i = 0; i <= POLICY_PUBLIC_HTTP; i++)
        if (span_eq_cstr(name, conf_policy_name((enum conf_policy)i))) {
            w->endpoint_policy = (enum conf_policy)i;
            return true;
        }
    return false;
}

bool world_smtp_kind(struct world *w, struct span name)
{
    w->smtp_kind = span_is(name, "submission") ? SMTP_SUBMISSION : SMTP_MX;
    return w->smtp_kind == SMTP_SUBMISSION || span_is(name, "mx");
}

bool world_client_certificate(struct world *w, struct span name)
{
    w->certificate = span_is(name, "unknown") ? CLIENT_UNKNOWN : CLIENT_KNOWN;
    return w->certificate == CLIENT_UNKNOWN || span_is(name, "known");
}

/* Options of "limits." are gathered into the group. */
static void put_options(struct span options, bool of_limits, struct buf *out)
{
    struct span line;

    while (span_split(&options, '\n', &line)) {
        bool limit = parse_lit(&line, "limits.");
        if (limit == of_limits)
            buf_printf(out, "    %.*s\n", SPAN_ARG(line));
    }
}

static void put_conf(struct world *w, struct buf *out)
{
    buf_printf(out, "domain = \"example.test\";\nhostname = \"mail.example.test\";\n"
                    "organization = \"Example\";\nuser_prefix = \"\";\nlog_level = \"debug\";\n");
    buf_put_span(out, buf_span(&w->root_options));
    buf_printf(out, "vservers = (\n  {\n    name = \"test\";\n    protocol = \"%s\";\n",
               conf_protocol_name(w->protocol));
    if (w->protocol == PROTOCOL_SMTP)
        buf_printf(out, "    smtp_kind = \"%s\";\n",
                   w->smtp_kind == SMTP_SUBMISSION ? "submission" : "mx");
    put_options(buf_span(&w->options), false, out);
    buf_put_cstr(out, "    limits = {\n");
    put_options(buf_span(&w->options), true, out);
    buf_printf(out,
               "    };\n    endpoints = (\n      { address = \"127.0.0.1\"; port = 20001; policy = "
               "\"%s\"; }",
               conf_policy_name(w->endpoint_policy));
    if (w->protocol == PROTOCOL_HTTP && w->endpoint_policy == POLICY_PUBLIC_HTTP)
        buf_put_cstr(out, ",\n      { address = \"127.0.0.1\"; port = 20443; policy = \"tls\"; }");
    buf_put_cstr(out, "\n    );\n  }\n);\n");
}

static struct conf *read_conf(struct world *w)
{
    struct buf text BUF_AUTO = BUF(256 << 10), problems BUF_AUTO = BUF(64 << 10);

    put_conf(w, &text);
    struct conf *c = conf_parse(buf_span(&text), "world", &problems);
    if (!c) {
        fprintf(stderr, "%.*s\n%.*s\n", SPAN_ARG(buf_span(&text)), SPAN_ARG(buf_span(&problems)));
        exit(2);
    }
    return c;
}

/* ------------------------------------------------------------------ start */

static void make_newsgroup(struct world *w, const char *name, uint32_t attributes)
{
    uint64_t id;
    CHECK(store_harness_newsgroup(w->harness, name, MAILBOX_NEWSGROUP | attributes, &id) == 0);
}

static void show_identity(struct worker_vserver *v)
{
    EVP_PKEY *key = tls_harness_key("p256");
    STACK_OF(X509) *chain = sk_X509_new_null();
    struct err e = {""};

    CHECK(chain && sk_X509_push(chain, tls_harness_certificate(key, v->conf)) > 0);
    tls_harness_trust(sk_X509_value(chain, 0));
    CHECK(tls_context_identity_pkey(v->tls, TLS_SLOT_CURRENT, chain, key, &e) == 0);
    sk_X509_pop_free(chain, X509_free);
}

/* The list has the CA of the harness; "unknown" has signed itself. */
static void show_client(struct world *w)
{
    struct worker_vserver *v = w->worker->vservers[0];
    EVP_PKEY *key = tls_harness_key("p384");
    X509 *x = tls_harness_issued(key, NULL);
    struct err e = {""};
    SSL *ssl;

    w->client_tls = tls_harness_client();
    if (v->conf->client_certificates != CLIENT_CERTIFICATES_IGNORE)
        CHECK(tls_context_trust(v->tls, tls_harness_trust_pem(), 1, &e) == 0);
    if (w->certificate == CLIENT_UNKNOWN) {
        X509_free(x);
        x = tls_harness_certificate(key, NULL);
    }
    ssl = tls_client_context_ssl(w->client_tls);
    if (w->certificate != CLIENT_NONE)
        CHECK(SSL_CTX_use_certificate(SSL_get_SSL_CTX(ssl), x) == 1 &&
              SSL_CTX_use_PrivateKey(SSL_get_SSL_CTX(ssl), key) == 1);
    SSL_free(ssl);
    X509_free(x);
}

static struct link *no_peer(struct worker *w, enum role role)
{
    (void)w;
    (void)role;
    return NULL;
}

void world_start(struct world *w)
{
    bool strangers = w->protocol == PROTOCOL_SMTP && w->smtp_kind == SMTP_MX;

    if (w->worker)
        return;
    w->conf = read_conf(w);
    static const char *const names[] = {"alice", "bob", "nosubmit", "admin"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        char address[100];
        snprintf(address, sizeof(address), "%s@example.test", names[i]);
        /* "nosubmit" has little room */
        CHECK(store_harness_account_named(w->harness, 16 + i, ACCOUNT_ENABLED, 1,
                                          16 + i == 18 ? 4096 : 0, address) == 0);
    }
    make_newsgroup(w, "local.test", 0);
    make_newsgroup(w, "local.moderated", MAILBOX_MODERATED);
    make_newsgroup(w, "local.closed", MAILBOX_NO_POST);
    w->worker =
        worker_new(w->loop, w->conf, strangers ? ROLE_MX : ROLE_ACCESS, 0, 1, all_protocols);
    w->worker->peer = no_peer;
    w->worker->auth = auth_client_new();
    w->worker->store = strangers ? store_harness_mx(w->harness) : store_harness_store(w->harness);
    CHECK(store_harness_wait(w->harness, 10000));
    show_identity(w->worker->vservers[0]);
    show_client(w);
}

int world_connect(struct world *w, uint64_t *ret_session)
{
    int fds[2];
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    struct session *s = worker_inject(w->worker, 0, 0, fds[1], &peer);
    *ret_session = s ? s->number : 0;
    return fds[0];
}

/* ------------------------------------------------------------------ looking behind the sessions */

static int find_box(struct store_read *r, struct span where, struct mailbox_info *ret)
{
    uint64_t account;
    return span_to_u64(where, UINT32_MAX, &account)
               ? store_mailbox_find(r, account, SPAN(STORE_INBOX), ret)
               : store_mailbox_find(r, STORE_ACCOUNT_PUBLIC, where, ret);
}

void world_deliver(struct world *w, struct span where, struct span message_id, struct span prefix,
                   struct span text)
{
    struct store *store = store_harness_mx(w->harness);
    struct buf grant BUF_AUTO = BUF(STORE_GRANT_MAX);
    struct store_recipient to = {.kind = RECIPIENT_FOLDER, .address = where};
    struct store_delivery d = {
        .recipients = &to, .count = 1, .message_id = message_id, .prefix = prefix};
    struct store_delivered done;
    struct store_body *b;

    d.news = message_id.n != 0;
    if (d.news) { /* strangers do not reach every group */
        store = store_harness_store(w->harness);
        store_harness_grant(w->harness, 16, GRANT_POST, &grant);
        d.grant = buf_span(&grant);
    } else {
        to.kind = RECIPIENT_INBOX;
        CHECK(span_to_u64(where, UINT32_MAX, &to.id));
    }
    CHECK(store_body_begin(store, text.n, text.n + 1, &b) == 0);
    CHECK(store_body_write(b, text) == 0);
    CHECK(store_body_finish(b) == 0);
    CHECK(store_deliver(store, b, &d, &done) == 0);
    store_body_free(b);
}

void world_expunge(struct world *w, struct span where, uint32_t uid)
{
    struct store *store = store_harness_store(w->harness);
    struct rangeset uids = RANGESET_EMPTY, gone = RANGESET_EMPTY;
    struct buf grant BUF_AUTO = BUF(STORE_GRANT_MAX);
    struct store_read r;
    struct mailbox_info box;

    CHECK(store_read_begin(store, &r) == 0);
    CHECK(find_box(&r, where, &box) == 0);
    store_read_end(&r);
    store_harness_grant(w->harness, box.account == STORE_ACCOUNT_PUBLIC ? 16 : box.account,
                        GRANT_MAIL | GRANT_ADMIN, &grant);
    rangeset_add(&uids, uid, uid);
    CHECK(store_expunge(store, buf_span(&grant), box.id, &uids, false, &gone) == 0);
    rangeset_done(&uids);
    rangeset_done(&gone);
}

bool world_message(struct world *w, struct span where, uint32_t uid, struct buf *out)
{
    struct store *store = store_harness_store(w->harness);
    struct store_read r;
    struct mailbox_info box;
    struct message_info m;

    CHECK(store_read_begin(store, &r) == 0);
    int err = find_box(&r, where, &box);
    if (err == 0)
        err = store_message_get(&r, box.id, uid, &m);
    store_read_end(&r);
    return err == 0 && store_message_read(store, &m, 0, m.size, out) == 0;
}

void world_queue(struct world *w, struct buf *out)
{
    struct arena *a = arena_new(16 << 20);
    struct queue_item q;
    int64_t due;
    int fd;

    if (store_queue_lease(store_harness_relay(w->harness), a, &q, &due) < 0) {
        buf_put_cstr(out, "nothing\r\n");
        arena_free(a);
        return;
    }
    buf_printf(out, "from <%.*s>%s%s%s envid=%.*s\r\n", SPAN_ARG(q.sender),
               q.ret_headers ? " RET=HDRS"
               : q.ret_full  ? " RET=FULL"
                             : "",
               q.body_8bit ? " 8BITMIME" : "", q.smtputf8 ? " SMTPUTF8" : "", SPAN_ARG(q.envid));
    for (size_t i = 0; i < q.count; i++)
        buf_printf(out, "to <%.*s> orcpt=%.*s notify=%u\r\n", SPAN_ARG(q.recipients[i].address),
                   SPAN_ARG(q.recipients[i].orcpt), q.recipients[i].notify);
    CHECK(store_queue_body(store_harness_relay(w->harness), q.id, &fd) == 0);
    char bytes[65536];
    ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
    CHECK(n > 0);
    buf_put(out, bytes, (size_t)n);
    close(fd);
    for (size_t i = 0; i < q.count; i++) {
        struct queue_result done = {q.recipients[i].index, QUEUE_DELIVERED, SPAN("ok"), false};
        CHECK(store_queue_done(store_harness_relay(w->harness), q.id, &done, 1, 0) == 0 ||
              i + 1 < q.count);
    }
    arena_free(a);
}

bool world_counter(struct world *w, struct span name, uint64_t *ret)
{
    const struct worker_vserver *v = w->worker->vservers[0];
    const struct tls_counters *t = tls_context_counters(v->tls);
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"sessions",              v->sessions             },
        {"accepted",              v->accepted             },
        {"refused",               v->refused              },
        {"logins",                v->logins               },
        {"login_failures",        v->login_failures       },
        {"errors",                v->protocol_errors      },
        {"timeouts",              v->timeouts             },
        {"plaintext_bytes",       t->plaintext_bytes      },
        {"plaintext_credentials", t->plaintext_credentials},
    };
    for (size_t i = 0; i < ARRAY_LEN(counters); i++)
        if (span_eq_cstr(name, counters[i].name)) {
            *ret = counters[i].value;
            return true;
        }
    return false;
}

void world_reload(struct world *w, struct span option)
{
    if (span_trim(option).n)
        world_option(w, span_trim(option));
    struct conf *c = read_conf(w);
    worker_conf(w->worker, c);
    conf_free(w->conf);
    w->conf = c;
}

/* ------------------------------------------------------------------ end */

static void drained(void *arg)
{
    struct world *w = arg;
    w->drained = true;
    if (w->ending)
        loop_stop(w->loop);
}

void world_drain(struct world *w)
{
    w->draining = true;
    worker_drain(w->worker, DRAIN_MS, drained, w);
}

void world_end(struct world *w)
{
    w->ending = true;
    if (!w->draining)
        world_drain(w);
    else if (w->drained)
        loop_stop(w->loop);
}

void world_free(struct world *w)
{
    struct auth_client *auth = w->worker ? w->worker->auth : NULL;

    if (w->worker) {
        if (w->worker->session_count) {
            fprintf(stderr, "%u sessions did not end\n", w->worker->session_count);
            _exit(1);
        }
        worker_free(w->worker);
        auth_client_free(auth);
    }
    tls_client_context_free(w->client_tls);
    store_harness_free(w->harness);
    conf_free(w->conf);
    buf_done(&w->options);
    buf_done(&w->root_options);
    loop_free(w->loop);
    free(w);
}
