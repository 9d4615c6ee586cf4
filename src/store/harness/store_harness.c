#include "store/store_harness.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/service.h"
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RING_BYTES = 2 << 20, SPOOL_BYTES = 64 << 20, LOG_BYTES = 4 << 20 };
#define MAP_BYTES (UINT64_C(8) << 30)

const unsigned char store_harness_secret[GRANT_SECRET_BYTES] = "a secret that only tests share.";

uint64_t store_harness_answers_ms;

enum end { END_ACCESS, END_MX, END_RELAY, END_AUTHD, END_MANAGER, END_COUNT };
static const enum role end_roles[END_COUNT] = {ROLE_ACCESS, ROLE_MX, ROLE_RELAYD, ROLE_AUTHD,
                                               ROLE_MANAGER};

struct end_of {
    struct store_harness *h;
    enum end end;
    struct link *near, *far; /* the worker's, stored's */
    struct store *store;
    struct link_ops ops, far_ops;
};

struct store_harness {
    struct loop *loop;
    char root[200];
    bool own_root;
    struct service *service;
    struct end_of ends[END_COUNT];
    void (*fn)(void *arg);
    void *arg;
    uint64_t counter;
};

static void near_closed(void *arg, struct link *l)
{
    struct end_of *e = arg;

    e->near = NULL;
    if (e->store)
        store_attach(e->store, NULL);
}

static void far_closed(void *arg, struct link *l)
{
    struct end_of *e = arg;

    e->far = NULL;
    if (e->h->service)
        service_link_gone(e->h->service, l);
}

static void near_message(void *arg, struct msg *m)
{
    struct end_of *e = arg;
    if (e->store)
        store_message(e->store, m);
}

static void far_message(void *arg, struct msg *m)
{
    struct end_of *e = arg;
    if (e->h->service)
        service_message(e->h->service, m);
}

static const struct msg_handler near_handlers[] = {
    {MSG_STORE_FILES,      near_message, false},
    {MSG_STORE_FILES_GONE, near_message, false},
    {MSG_STORE_CHANGED,    near_message, false},
    {MSG_STORE_QUEUE_DUE,  near_message, false},
    {0,                    NULL,         false},
};

#define X(name) {MSG_##name, far_message, false},
/* clang-format off */
static const struct msg_handler far_handlers[] = {
    SERVICE_MESSAGES(X)
    {0, NULL, false},
};
/* clang-format on */
#undef X

static void end_connect(struct end_of *e)
{
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    e->ops = (struct link_ops){near_handlers, near_closed, e};
    e->far_ops = (struct link_ops){far_handlers, far_closed, e};
    e->near = link_new(e->h->loop, fds[0], end_roles[e->end], ROLE_STORED, 0, &e->ops);
    e->far = link_new(e->h->loop, fds[1], ROLE_STORED, end_roles[e->end], 0, &e->far_ops);
    CHECK(e->near && e->far);
    if (e->store)
        store_attach(e->store, e->near);
}

static void start(struct store_harness *h)
{
    struct engine_options o = {
        .root = h->root,
        .map_bytes = MAP_BYTES,
        .log_file_bytes = LOG_BYTES,
        .change_log_seconds = 86400,
        .grant_secret = store_harness_secret,
        .answers_ms = store_harness_answers_ms,
    };
    struct engine *engine;
    struct err err;

    if (engine_open(&engine, &o, &err) != 0) {
        fprintf(stderr, "store harness: %s\n", err.text);
        abort();
    }
    h->service = service_new(h->loop, engine);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    return remove(path);
}

static void remove_folder(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What a program that crashed, or was killed, could not remove: the name says whose it was. */
static void sweep(const char *tmp)
{
    DIR *d = opendir(tmp);
    const struct dirent *n;
    char path[512];
    int pid;

    while (d && (n = readdir(d)) != NULL) {
        if (sscanf(n->d_name, "sealpost-store-%d-", &pid) != 1 || pid <= 0)
            continue;
        if (kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        snprintf(path, sizeof(path), "%s/%s", tmp, n->d_name);
        remove_folder(path);
    }
    if (d)
        closedir(d);
}

/* A fuzzer ends by exit and frees nothing. */
static char left[8][200];
static pid_t left_by;

static void remove_left(void)
{
    for (unsigned k = 0; k < ARRAY_LEN(left) && getpid() == left_by; k++)
        if (left[k][0])
            remove_folder(left[k]);
}

static void remember(const char *root)
{
    if (left_by != getpid()) { /* also after a fork: the parent's are its own */
        memset(left, 0, sizeof(left));
        if (!left_by)
            atexit(remove_left);
        left_by = getpid();
    }
    for (unsigned k = 0; k < ARRAY_LEN(left); k++)
        if (!left[k][0]) {
            snprintf(left[k], sizeof(left[k]), "%s", root);
            return;
        }
}

static void forget(const char *root)
{
    for (unsigned k = 0; k < ARRAY_LEN(left); k++)
        if (strcmp(left[k], root) == 0)
            left[k][0] = '\0';
}

struct store_harness *store_harness_new_at(struct loop *l, const char *root)
{
    struct store_harness *h = calloc(1, sizeof(*h));

    CHECK(h);
    h->loop = l;
    loop_threads(4);
    if (root) {
        snprintf(h->root, sizeof(h->root), "%s", root);
    } else {
        const char *tmp = getenv("TMPDIR");
        tmp = tmp ? tmp : "/tmp";
        sweep(tmp);
        snprintf(h->root, sizeof(h->root), "%s/sealpost-store-%d-XXXXXX", tmp, (int)getpid());
        CHECK(mkdtemp(h->root));
        remember(h->root);
        h->own_root = true;
    }
    for (int i = 0; i < END_COUNT; i++) {
        h->ends[i].h = h;
        h->ends[i].end = (enum end)i;
    }
    start(h);
    struct end_of *e = &h->ends[END_ACCESS];
    e->store = store_open(l, h->root, MAP_BYTES, RING_BYTES, SPOOL_BYTES);
    CHECK(e->store);
    end_connect(e);
    return h;
}

struct store_harness *store_harness_new(struct loop *l)
{
    return store_harness_new_at(l, NULL);
}

static void tick(void *arg)
{
    loop_stop(arg);
}

/* A few turns of the loop, outside of any fiber. */
static void turns(struct store_harness *h)
{
    struct timer *t = timer_new(h->loop, tick, h->loop);

    timer_start(t, 2);
    loop_run(h->loop);
    timer_free(t);
}

void store_harness_free(struct store_harness *h)
{
    if (!h)
        return;
    service_quiet(h->service);
    while (service_busy(h->service))
        turns(h);
    for (int i = 0; i < END_COUNT; i++) {
        struct end_of *e = &h->ends[i];
        if (e->store)
            store_attach(e->store, NULL);
        if (e->far)
            service_link_gone(h->service, e->far);
        link_free(e->near);
        link_free(e->far);
        e->near = e->far = NULL;
    }
    turns(h);
    while (service_busy(h->service))
        turns(h);
    service_free(h->service);
    for (int i = 0; i < END_COUNT; i++)
        store_close(h->ends[i].store);
    if (h->own_root) {
        remove_folder(h->root);
        forget(h->root);
    }
    free(h);
}

struct store *store_harness_store(struct store_harness *h)
{
    return h->ends[END_ACCESS].store;
}

static struct store *writer(struct store_harness *h, enum end end)
{
    struct end_of *e = &h->ends[end];

    if (!e->store) {
        e->store = store_open(h->loop, NULL, 0, RING_BYTES, SPOOL_BYTES);
        CHECK(e->store);
        end_connect(e);
    }
    return e->store;
}

struct store *store_harness_mx(struct store_harness *h)
{
    return writer(h, END_MX);
}

struct store *store_harness_relay(struct store_harness *h)
{
    return writer(h, END_RELAY);
}

static bool all_there(struct store_harness *h)
{
    for (int i = 0; i < END_COUNT; i++)
        if (h->ends[i].store && !store_is_attached(h->ends[i].store))
            return false;
    return true;
}

bool store_harness_wait(struct store_harness *h, uint64_t timeout_ms)
{
    uint64_t until = clock_mono_ms() + timeout_ms;

    while (!all_there(h)) {
        if (clock_mono_ms() > until)
            return false;
        fiber_sleep_ms(1);
    }
    return true;
}

static void run_fiber(void *arg)
{
    struct store_harness *h = arg;

    CHECK(store_harness_wait(h, 10000));
    h->fn(h->arg);
    loop_stop(h->loop);
}

void store_harness_run(struct store_harness *h, void (*fn)(void *arg), void *arg)
{
    h->fn = fn;
    h->arg = arg;
    fiber_start(h->loop, run_fiber, h, "harness");
    loop_run(h->loop);
}

static int request(struct store_harness *h, enum end end, enum msg_id id, const struct buf *b,
                   struct buf *answer)
{
    if (fiber_self()) {
        if (!h->ends[end].near)
            end_connect(&h->ends[end]);
        return link_call(h->ends[end].near, id, buf_span(b), NULL, 0, 30000, answer, NULL);
    }
    struct intent i = {
        .role = end_roles[end], .kind = id, .payload = buf_span(b), .answer = answer};
    return engine_run(service_engine(h->service), &i);
}

int store_harness_account_set(struct store_harness *h, uint64_t account, unsigned state,
                              uint64_t epoch, uint64_t quota_bytes)
{
    return store_harness_account_named(h, account, state, epoch, quota_bytes, "");
}

int store_harness_domain(struct store_harness *h, const char *domain, uint64_t quota_bytes)
{
    struct msg_domain d = {
        {++h->counter, h->counter},
        span_cstr(domain), quota_bytes
    };
    struct buf b = BUF(1024), answer = BUF(256);

    wr_domain(&b, &d);
    int err = request(h, END_AUTHD, MSG_STORE_DOMAIN, &b, &answer);
    buf_done(&b);
    buf_done(&answer);
    return err;
}

int store_harness_account_named(struct store_harness *h, uint64_t account, unsigned state,
                                uint64_t epoch, uint64_t quota_bytes, const char *address)
{
    struct msg_account a = {
        {++h->counter, h->counter},
        account, epoch, quota_bytes, (uint8_t)state,
        span_cstr(address)
    };
    struct buf b = BUF(1024), answer = BUF(256);
    int err;

    wr_account(&b, &a);
    err = request(h, END_AUTHD, MSG_STORE_ACCOUNT, &b, &answer);
    buf_done(&b);
    buf_done(&answer);
    return err;
}

int store_harness_account(struct store_harness *h, uint64_t account)
{
    return store_harness_account_set(h, account, ACCOUNT_ENABLED, 1, 0);
}

int store_harness_newsgroup(struct store_harness *h, const char *name, uint32_t attributes,
                            uint64_t *ret_id)
{
    struct msg_newsgroup g = {
        {++h->counter, h->counter},
        NEWSGROUP_CREATE,
        span_cstr(name),
        attributes,
        false,
        {NULL,         0         }
    };
    struct buf b = BUF(2048), answer = BUF(256);
    int err;

    wr_newsgroup(&b, &g);
    err = request(h, END_MANAGER, MSG_STORE_NEWSGROUP, &b, &answer);
    if (!err) {
        struct rd r = rd_of(buf_span(&answer));
        *ret_id = rd_u64(&r);
    }
    buf_done(&b);
    buf_done(&answer);
    return err;
}

int store_harness_describe(struct store_harness *h, const char *newsgroup, const char *text)
{
    struct msg_newsgroup g = {
        {++h->counter, h->counter},
        NEWSGROUP_SET, span_cstr(newsgroup),
        MAILBOX_NEWSGROUP,          true,          span_cstr(text)
    };
    struct buf b = BUF(4096), answer = BUF(256);

    wr_newsgroup(&b, &g);
    int err = request(h, END_MANAGER, MSG_STORE_NEWSGROUP, &b, &answer);
    buf_done(&b);
    buf_done(&answer);
    return err;
}

int store_harness_compact(struct store_harness *h)
{
    struct buf b = BUF(8);

    wr_u8(&b, 90);
    int err = request(h, END_MANAGER, MSG_STORE_COMPACT, &b, NULL);
    buf_done(&b);
    return err;
}

void store_harness_grant(struct store_harness *h, uint64_t account, uint32_t rights,
                         struct buf *out)
{
    struct grant g = {.account = account,
                      .rights = rights,
                      .worker_generation = 1,
                      .session = 1,
                      .expires_seconds = clock_seconds() + 3600,
                      .epoch = 1};
    grant_seal(&g, store_harness_secret, out);
}

const char *store_harness_root(const struct store_harness *h)
{
    return h->root;
}

void store_harness_away(struct store_harness *h)
{
    struct service *s = h->service;

    h->service = NULL; /* what arrives from now on is read by nobody */
    for (int i = 0; i < END_COUNT; i++) {
        link_free(h->ends[i].far);
        h->ends[i].far = NULL;
    }
    while (service_helpers_busy(s))
        fiber_sleep_ms(1);
    service_kill(s);
    for (int i = 0; i < END_COUNT; i++)
        while (h->ends[i].near)
            fiber_sleep_ms(1);
}

void store_harness_back(struct store_harness *h)
{
    bool had[END_COUNT];

    for (int i = 0; i < END_COUNT; i++)
        had[i] = h->ends[i].store != NULL;
    start(h);
    for (int i = 0; i < END_COUNT; i++)
        if (had[i])
            end_connect(&h->ends[i]);
    store_harness_wait(h, 10000);
}

void store_harness_restart(struct store_harness *h)
{
    store_harness_away(h);
    store_harness_back(h);
}
