#include "proc/authd/authd.h"

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"

#include <inttypes.h>
#include <stdio.h>

static const struct msg_handler handlers[] = {
    {MSG_AUTH_START,          msg_auth_start,          true },
    {MSG_AUTH_CONTINUE,       msg_auth_continue,       true },
    {MSG_AUTH_PASSWORD,       msg_auth_password,       true },
    {MSG_AUTH_REGRANT,        msg_auth_regrant,        false},
    {MSG_RESOLVE,             msg_resolve,             false},
    {MSG_MAY_SEND_AS,         msg_may_send_as,         false},
    {MSG_ACCOUNT_ADD,         msg_account_add,         true },
    {MSG_ACCOUNT_SET,         msg_account_set,         true },
    {MSG_ACCOUNT_SHOW,        msg_account_show,        false},
    {MSG_QUOTA_SET,           msg_quota_set,           true },
    {MSG_QUOTA_LIST,          msg_quota_list,          false},
    {MSG_ACCOUNT_LIST,        msg_account_list,        false},
    {MSG_ACCOUNT_REMOVE,      msg_account_remove,      true },
    {MSG_ACCOUNT_PASSWORD,    msg_account_password,    true },
    {MSG_AUTH_CERTIFICATE,    msg_auth_certificate,    true },
    {MSG_ACCOUNT_CERT_ADD,    msg_account_cert_add,    true },
    {MSG_ACCOUNT_CERT_REMOVE, msg_account_cert_remove, true },
    {MSG_ACCOUNT_CERT_LIST,   msg_account_cert_list,   false},
    {MSG_CA_REVOKED,          msg_ca_revoked,          true },
    {MSG_ENTRY_ADD,           msg_entry_add,           true },
    {MSG_ENTRY_SET,           msg_entry_set,           true },
    {MSG_ENTRY_SHOW,          msg_entry_show,          false},
    {MSG_ENTRY_LIST,          msg_entry_list,          false},
    {MSG_ENTRY_REMOVE,        msg_entry_remove,        true },
    {MSG_MEMBER_ADD,          msg_member_add,          true },
    {MSG_MEMBER_REMOVE,       msg_member_remove,       true },
    {MSG_MEMBER_LIST,         msg_member_list,         false},
    {0,                       NULL,                    false},
};

struct authd *authd_of(void *arg)
{
    struct child *c = arg;

    return c->state;
}

struct credential_cost authd_cost(const struct authd *a)
{
    const struct conf *c = a->child->conf;

    return (struct credential_cost){c->argon2_memory_kib, c->argon2_passes};
}

static void renew_writer_conf(struct authd *a)
{
    BUF_AUTO struct buf bytes = BUF(64 << 20);

    conf_wr(a->child->conf, &bytes);
    struct conf *copy = conf_rd(buf_span(&bytes));
    if (!copy)
        child_fatal("the configuration cannot be copied");
    directory_set_conf(a->writer, copy);
    conf_free(a->writer_conf);
    a->writer_conf = copy;
    a->writer_conf_old = false;
}

/* Workers remember where addresses lead. Whatever was answered before lies in front of this in the
 * same link. */
void authd_tell_changed(struct authd *a, uint64_t account)
{
    static const enum role roles[] = {ROLE_ACCESS, ROLE_MX};
    struct buf body BUF_AUTO = BUF(16);

    if (account)
        wr_u64(&body, account);

    for (size_t r = 0; r < ARRAY_LEN(roles); r++)
        for (unsigned i = 0; i < CHILD_INSTANCES_MAX; i++) {
            struct link *l = a->child->peers[role_index(roles[r])][i];
            if (l)
                link_send(l, MSG_AUTH_CHANGED, buf_span(&body), NULL, 0);
        }
}

void authd_write(struct authd *a, void (*work)(void *arg), void *arg)
{
    fiber_lock(&a->write_lock);
    if (a->writer_conf_old)
        renew_writer_conf(a);
    fiber_offload(work, arg);
    recent_forget(a->recent);
    authd_tell_changed(a, 0);
    fiber_unlock(&a->write_lock);
}

static struct throttle_limits limits_of(const struct conf *c)
{
    return (struct throttle_limits){c->throttle_failures, c->throttle_window_seconds,
                                    AUTHD_THROTTLE_MAX};
}

/* A password that nobody has, at the cost of the configuration. */
struct decoy {
    struct credential_cost cost;
    struct credential credential;
    int rc;
};

static void work_decoy(void *arg)
{
    struct decoy *d = arg;
    unsigned char password[16];

    random_bytes(password, sizeof password);
    d->rc = credential_make(span_of(password, sizeof password), d->cost, &d->credential);
}

static void make_decoy(struct authd *a)
{
    struct decoy d = {.cost = authd_cost(a)};

    work_decoy(&d);
    if (d.rc < 0)
        child_fatal("no memory for a password hash: lower argon2_memory_kib");
    memcpy(a->decoy, d.credential.hash, sizeof a->decoy);
}

/* A reload changed the cost. */
static void renew_decoy(void *arg)
{
    struct authd *a = arg;
    struct decoy d = {.cost = authd_cost(a)};

    fiber_offload(work_decoy, &d);
    if (d.rc < 0)
        log_error("no memory for a password hash: lower argon2_memory_kib");
    else
        memcpy(a->decoy, d.credential.hash, sizeof a->decoy);
}

static void open_directory(const char *folder, struct directory **ret)
{
    struct err e;

    if (directory_open(folder, ret, &e) < 0)
        child_fatal("%s", e.text);
}

static void on_peer(struct child *c, struct link *l)
{
    if (link_peer(l) == ROLE_STORED)
        announce_all(c->state);
    else if (link_peer(l) == ROLE_CAD)
        revoked_catch_up(c->state);
}

static void on_conf(struct child *c, const struct conf *old)
{
    struct authd *a = c->state;
    struct throttle_limits limits = limits_of(c->conf);

    directory_set_conf(a->reader, c->conf);
    recent_forget(a->recent);
    authd_tell_changed(a, 0);
    a->writer_conf_old = true;
    throttle_set_limits(a->throttle, &limits);
    if (c->conf->auth_cache_seconds != old->auth_cache_seconds)
        proofs_set_seconds(a->proofs, c->conf->auth_cache_seconds);
    if (c->conf->argon2_memory_kib != old->argon2_memory_kib ||
        c->conf->argon2_passes != old->argon2_passes)
        fiber_start(c->loop, renew_decoy, a, "decoy");
}

static void on_status(struct child *c, struct buf *json)
{
    struct authd *a = c->state;

    buf_printf(
        json,
        "\"accounts\":%" PRIu64 ",\"logins\":%" PRIu64 ",\"login_failures\":%" PRIu64
        ",\"throttled\":%" PRIu64 ",\"temporary_failures\":%" PRIu64 ",\"password_hashes\":%" PRIu64
        ",\"password_proofs\":%" PRIu64 ",\"resolved\":%" PRIu64 ",\"announced\":%" PRIu64
        ",\"hashing\":%u,\"delayed\":%u,\"throttle_entries\":%zu,\"proofs\":%zu",
        directory_account_count(a->reader), a->count.logins, a->count.failures, a->count.refused,
        a->count.temporary, a->count.hashes, a->count.proofs, a->count.resolved, a->count.announced,
        a->hashing, a->delayed, throttle_size(a->throttle), proofs_size(a->proofs));
}

static void on_metrics(struct child *c, struct buf *text)
{
    struct authd *a = c->state;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"sealpost_logins_total",                   a->count.logins   },
        {"sealpost_login_failures_total",           a->count.failures },
        {"sealpost_logins_refused_total",           a->count.refused  },
        {"sealpost_login_temporary_failures_total", a->count.temporary},
        {"sealpost_password_hashes_total",          a->count.hashes   },
        {"sealpost_password_proofs_total",          a->count.proofs   },
        {"sealpost_addresses_resolved_total",       a->count.resolved },
        {"sealpost_password_hashes_waiting",        a->hashing        },
        {"sealpost_logins_delayed",                 a->delayed        },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        buf_printf(text, "%s %" PRIu64 "\n", rows[i].name, rows[i].value);
}

const struct child_ops authd_ops = {
    .handlers = handlers,
    .on_peer = on_peer,
    .on_conf = on_conf,
    .on_status = on_status,
    .on_metrics = on_metrics,
};

void authd_open(struct authd *a, struct child *c)
{
    char folder[300];

    a->child = c;
    c->state = a;
    snprintf(folder, sizeof folder, "%s/directory", c->root);
    open_directory(folder, &a->writer);
    open_directory(folder, &a->reader);
}

void authd_begin(struct authd *a)
{
    const struct conf *c = a->child->conf;
    struct throttle_limits limits = limits_of(c);

    a->throttle = throttle_new(&limits);
    a->proofs = proofs_new(c->auth_cache_seconds, AUTHD_PROOFS_MAX);
    revoked_init(a);
    a->recent = recent_new(a->reader, AUTHD_RECENT_MAX);
    directory_set_conf(a->reader, c);
    renew_writer_conf(a);
    make_decoy(a);
    /* one more than hash: a writer waits for the disk and must not wait for them */
    loop_threads(c->auth_threads + 1);
}

void authd_done(struct authd *a)
{
    revoked_done(a);
    recent_free(a->recent);
    directory_close(a->reader);
    directory_close(a->writer);
    proofs_free(a->proofs);
    throttle_free(a->throttle);
    conf_free(a->writer_conf);
}
