/*
 * authd_fixture.h: authd behind real links, in one process with its clients: the access side is the
 * client library that sessions use, the store is a fake that notes what it is told, and where a
 * test is a hostile peer it writes to the socket itself.
 */
#ifndef PROC_AUTHD_FIXTURE_H
#define PROC_AUTHD_FIXTURE_H

#include "proc/authd/authd.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "proc/scram_client.h"
#include "sasl/auth.h"
#include "store/store_msg.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXPORTER "exporter-data-of-thirty-two-byte"

/* ------------------------------------------------------------------ the parts */
static struct loop *L;
static struct authd authd;
static struct child child;
static struct auth_client *client;
static struct link *near_access, *far_access; /* ours, authd's */
static struct link *near_manager;
static char folder[64];
static struct {
    unsigned count;
    struct msg_account last, seen[64];
    int status;
} store;

/* The seams of proc/child. */
void child_fatal(const char *fmt, ...)
{
    fprintf(stderr, "child_fatal: %s\n", fmt);
    abort();
}

struct link *child_peer(const struct child *c, enum role role)
{
    return c->peers[role_index(role)][0];
}

/* No cad: where our own CA is trusted, nobody can say whether a certificate is revoked. */
struct link *child_peer_wait(struct child *c, enum role role, uint64_t timeout_ms)
{
    return child_peer(c, role);
}

static void on_far_closed(void *arg, struct link *l)
{
    if (l == far_access)
        far_access = NULL;
    if (child.peers[role_index(link_peer(l))][0] == l)
        child.peers[role_index(link_peer(l))][0] = NULL;
}

static void on_near_closed(void *arg, struct link *l)
{
    if (l == near_access) {
        near_access = NULL;
        auth_client_attach(client, NULL);
    }
    if (l == near_manager)
        near_manager = NULL;
}

static void on_store_account(void *arg, struct msg *m)
{
    struct msg_account q;

    if (!rd_account(m->body, &q)) {
        unit_fail(__FILE__, __LINE__, "STORE_ACCOUNT cannot be read");
        msg_reply(m, -EINVAL, SPAN_EMPTY);
        return;
    }
    store.seen[store.count++ % ARRAY_LEN(store.seen)] = q;
    store.last = q;
    msg_reply(m, store.status, SPAN_EMPTY);
}

static const struct msg_handler store_handlers[] = {
    {MSG_STORE_ACCOUNT, on_store_account, false},
    {0,                 NULL,             false},
};
static const struct msg_handler none[] = {
    {0, NULL, false}
};

/* A link between authd and a peer; returns the peer's end as a descriptor. */
static struct link *connect_fd(enum role peer, int *ret_fd)
{
    struct link_ops ops = {authd_ops.handlers, on_far_closed, &child};
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    struct link *l = link_new(L, fds[0], ROLE_AUTHD, peer, 0, &ops);
    child.peers[role_index(peer)][0] = l;
    *ret_fd = fds[1];
    return l;
}

static struct link *connect_link(enum role peer, const struct msg_handler *handlers,
                                 struct link **ret_far)
{
    struct link_ops ops = {handlers, on_near_closed, NULL};
    int fd;

    *ret_far = connect_fd(peer, &fd);
    return link_new(L, fd, peer, ROLE_AUTHD, 0, &ops);
}

static void connect_access(void)
{
    near_access = connect_link(ROLE_ACCESS, none, &far_access);
    auth_client_attach(client, near_access);
}

static struct conf *make_conf(unsigned memory_kib)
{
    BUF_AUTO struct buf text = BUF(10000), problems = BUF(10000);

    buf_printf(
        &text,
        "domain = \"example.org\";\nlocal_domains = [\"example.net\"];\n"
        "hostname = \"mail.example.org\";\nargon2_memory_kib = %u;\n"
        "argon2_passes = 1;\nthrottle_failures = 2;\nvservers = (\n"
        "{ name = \"imap4-default\"; protocol = \"imap4\"; endpoints = ( { port = 1; } ); },\n"
        "{ name = \"own\"; protocol = \"imap4\"; client_certificates = \"accept\";\n"
        "  endpoints = ( { port = 2; } ); },\n"
        "{ name = \"files\"; protocol = \"imap4\"; client_certificates = \"accept\";\n"
        "  client_trust = [\"partner.pem\"]; endpoints = ( { port = 3; } ); } );\n",
        memory_kib);
    struct conf *c = conf_parse(buf_span(&text), "test", &problems);
    if (!c) {
        fprintf(stderr, "%s\n", buf_cstr(&problems));
        abort();
    }
    return c;
}

static void start(void)
{
    clock_fake(0);
    snprintf(folder, sizeof folder, "/tmp/authd_test.XXXXXX");
    CHECK(mkdtemp(folder));
    L = loop_new();
    memset(&child, 0, sizeof child);
    memset(&authd, 0, sizeof authd);
    memset(&store, 0, sizeof store);
    child = (struct child){.role = ROLE_AUTHD,
                           .instance_count = 1,
                           .generation = 1,
                           .loop = L,
                           .conf = make_conf(1024),
                           .ops = &authd_ops};
    random_bytes(child.grant_secret, sizeof child.grant_secret);
    snprintf(child.root, sizeof child.root, "%s", folder);
    authd_open(&authd, &child);
    authd_begin(&authd);
    client = auth_client_new();
    connect_access();
    struct link *far;
    near_manager = connect_link(ROLE_MANAGER, none, &far);
}

static void stop_now(void *arg)
{
    loop_stop(L);
}

static void remove_files(void)
{
    static const char *const files[] = {"directory/directory.db", "directory/directory.db-wal",
                                        "directory/directory.db-shm", "directory", ""};
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        remove(path);
    }
}

static void stop(void)
{
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        link_free(child.peers[r][0]);
    link_free(near_access);
    link_free(near_manager);
    near_access = near_manager = far_access = NULL;
    loop_defer(L, stop_now, NULL);
    loop_run(L);
    authd_done(&authd);
    auth_client_free(client);
    conf_free((struct conf *)(uintptr_t)child.conf);
    loop_free(L);
    remove_files();
}

static void (*body_of_test)(void);

static void test_main(void *arg)
{
    body_of_test();
    loop_stop(L);
}

/* The test's body runs in a fiber. */
static void run(void (*body)(void))
{
    start();
    body_of_test = body;
    fiber_start(L, test_main, NULL, "test");
    loop_run(L);
    stop();
}

#define PROC_TEST(name)                                                                            \
    static void body_##name(void);                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        run(body_##name);                                                                          \
    }                                                                                              \
    static void body_##name(void)

/* ------------------------------------------------------------------ the manager's side */
static int manage(enum msg_id id, struct span body, struct buf *reply)
{
    buf_clear(reply);
    return link_call(near_manager, id, body, NULL, 0, 10000, reply, NULL);
}

static uint64_t add_account(const char *address, const char *password, uint32_t protocols)
{
    BUF_AUTO struct buf b = BUF(4096), reply = BUF(65536);
    struct authd_account_add q = {span_cstr(address), SPAN("Name"), span_cstr(password),
                                  GRANT_MAIL | GRANT_SUBMIT, protocols};

    wr_authd_account_add(&b, &q);
    int rc = manage(MSG_ACCOUNT_ADD, buf_span(&b), &reply);
    if (rc < 0) {
        unit_fail(__FILE__, __LINE__, "%s: %.*s", address, SPAN_ARG(buf_span(&reply)));
        return 0;
    }
    struct rd r = rd_of(buf_span(&reply));
    return rd_u64(&r);
}

static int set_account(const char *address, struct account_change change)
{
    BUF_AUTO struct buf b = BUF(4096), reply = BUF(65536);

    wr_authd_account_set(&b, &(struct authd_account_set){span_cstr(address), change});
    return manage(MSG_ACCOUNT_SET, buf_span(&b), &reply);
}

static int set_password(const char *address, const char *password)
{
    BUF_AUTO struct buf b = BUF(4096), reply = BUF(65536);

    wr_authd_pair(&b, span_cstr(address), span_cstr(password));
    return manage(MSG_ACCOUNT_PASSWORD, buf_span(&b), &reply);
}

static int add_entry(enum directory_entry_kind kind, const char *address, const char *target)
{
    BUF_AUTO struct buf b = BUF(4096), reply = BUF(65536);
    struct directory_entry n = {.kind = kind, .mail = true, .send_as = true};

    span_to_cstr(span_cstr(address), n.address, sizeof n.address);
    span_to_cstr(span_cstr(target), n.target, sizeof n.target);
    wr_authd_entry(&b, &n);
    return manage(MSG_ENTRY_ADD, buf_span(&b), &reply);
}

static int pair_call(enum msg_id id, const char *one, const char *two, struct buf *reply)
{
    BUF_AUTO struct buf b = BUF(4096);

    wr_authd_pair(&b, span_cstr(one), span_cstr(two));
    return manage(id, buf_span(&b), reply);
}

static int add_member(const char *group, const char *member)
{
    BUF_AUTO struct buf reply = BUF(65536);

    return pair_call(MSG_MEMBER_ADD, group, member, &reply);
}

/* ------------------------------------------------------------------ the session's side */
static struct auth_context context_from(const char *peer)
{
    struct auth_context x = {.vserver = "imap4-default",
                             .protocol = "imap4",
                             .tls = true,
                             .session = 77,
                             .worker_generation = 5,
                             .binding_exporter = SPAN(EXPORTER)};

    CHECK(inet_pton(AF_INET6, peer, &x.peer) == 1);
    return x;
}

static enum auth_step plain(const struct auth_context *x, struct span message,
                            struct auth_result *ret)
{
    BUF_AUTO struct buf challenge = BUF(AUTH_MESSAGE_MAX);
    struct auth_exchange *e = NULL;
    enum auth_step step = auth_start(client, x, SPAN("PLAIN"), message, &e, &challenge, ret);

    EXPECT(e == NULL);
    return step;
}

static enum auth_step login(const struct auth_context *x, const char *user, const char *password,
                            struct auth_result *ret)
{
    return auth_password(client, x, span_cstr(user), span_cstr(password), ret);
}

/* between: what happens between the two steps */
static enum auth_step scram(const struct auth_context *x, const struct scram_client *c,
                            void (*between)(void), struct auth_result *ret)
{
    BUF_AUTO struct buf first = BUF(4096), challenge = BUF(AUTH_MESSAGE_MAX), final = BUF(8192);
    struct auth_exchange *e = NULL;

    buf_printf(&first, "%sn=%s,r=fyko+d2lbbFgONRv9qkxdawL", c->gs2, c->user);
    enum auth_step step =
        auth_start(client, x, span_cstr(c->mechanism), buf_span(&first), &e, &challenge, ret);
    if (step != AUTH_CONTINUE)
        return step;
    if (between)
        between();
    scram_client_final(c, span_skip(buf_span(&first), strlen(c->gs2)), buf_span(&challenge),
                       &final);
    buf_clear(&challenge);
    step = auth_continue(e, buf_span(&final), &challenge, ret);
    if (step == AUTH_OK)
        EXPECT(span_starts(buf_span(&challenge), SPAN("v=")));
    return step;
}

static const struct scram_client scram_joe = {.mechanism = "SCRAM-SHA-256-PLUS",
                                              .gs2 = "p=tls-exporter,,",
                                              .binding = EXPORTER,
                                              .user = "joe",
                                              .password = "pencil"};

#endif
