/*
 * announce.c: stored must know an account before mail can reach it, and its epoch, so that grants
 * given before a password changed end. It is told of all accounts whenever it appears (what it
 * knows already costs it nothing), and of each change.
 *
 * A deleted account goes here when stored has confirmed that it is deleted there.
 */
#include "proc/authd/authd.h"

#include "base/check.h"
#include "base/log.h"
#include "store/store_msg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { PAGE = 128, ANNOUNCE_MS = 10000 };

struct notice {
    uint64_t account;
    bool deleting;
};

static uint8_t store_state(enum directory_state s)
{
    switch (s) {
    case ACCOUNT_STATE_ENABLED:
        return ACCOUNT_ENABLED;
    case ACCOUNT_STATE_DISABLED:
        return ACCOUNT_DISABLED;
    case ACCOUNT_STATE_DELETING:
        return ACCOUNT_DELETED;
    }
    return ACCOUNT_DISABLED;
}

/* authd does not attach: stored remembers none of its requests, and repeating one changes nothing.
 */
static uint64_t next_counter(void)
{
    static uint64_t counter;
    return ++counter;
}

static void put_notice(struct authd *a, struct buf *b, const struct directory_account *account)
{
    uint64_t now = next_counter(), quota = 0;

    struct msg_account q = {
        .head = {now, now},
        .account = account->id,
        .epoch = account->epoch,
        .state = store_state(account->state),
        .address = span_cstr(account->address),
    };

    directory_quota_get(a->reader, q.address, &quota);
    q.quota_bytes = quota;
    wr_account(b, &q);
}

/* ------------------------------------------------------------------ quotas of domains */
struct domains {
    struct buf names; /* one behind the other, each with its quota */
};

static bool put_domain(struct span name, uint64_t bytes, void *arg)
{
    struct domains *d = arg;

    if (!span_has(name, '@')) {
        wr_span(&d->names, name);
        wr_u64(&d->names, bytes);
    }
    return true;
}

/* suspends */
static int announce_domain(struct authd *a, struct span domain, uint64_t bytes)
{
    BUF_AUTO struct buf body = BUF(1024), answer = BUF(256);
    uint64_t now = next_counter();
    struct msg_domain q = {
        {now, now},
        domain, bytes
    };

    wr_domain(&body, &q);
    int rc = link_call(child_peer(a->child, ROLE_STORED), MSG_STORE_DOMAIN, buf_span(&body), NULL,
                       0, ANNOUNCE_MS, &answer, NULL);
    if (rc < 0 && rc != -EPIPE)
        log_warn("the store was not told of the quota of %s: %s", log_quote(domain), strerror(-rc));
    return rc;
}

static void announce_domains(struct authd *a)
{
    struct domains d = {.names = BUF(1 << 20)};

    directory_quota_each(a->reader, SPAN_EMPTY, put_domain, &d);
    struct rd r = rd_of(buf_span(&d.names));
    while (r.n > 0 && !r.bad) {
        struct span name = rd_span(&r, NAME_ADDRESS_MAX);
        uint64_t bytes = rd_u64(&r);
        if (r.bad || announce_domain(a, name, bytes) == -EPIPE)
            break;
    }
    buf_done(&d.names);
}

int announce_quota(struct authd *a, struct span name, uint64_t bytes)
{
    struct directory_account account;

    if (!span_has(name, '@'))
        return announce_domain(a, name, bytes);
    int rc = directory_account_find(a->reader, name, &account);
    return rc < 0 ? rc : announce_one(a, account.id);
}

/* ------------------------------------------------------------------ the second phase of deletion
 */
struct removal {
    struct directory *d;
    uint64_t account;
    int rc;
    struct err e;
};

static void work_remove(void *arg)
{
    struct removal *r = arg;

    r->rc = directory_account_delete_finish(r->d, r->account, &r->e);
}

/* suspends */
static void finish_deletion(struct authd *a, uint64_t account)
{
    struct removal r = {.d = a->writer, .account = account};

    authd_write(a, work_remove, &r);
    if (r.rc == 0)
        log_info("account %" PRIu64 " is deleted", account);
    else if (r.rc != -ENOENT)
        log_error("account %" PRIu64 " cannot be deleted: %s", account, r.e.text);
}

/* stored's answer. Not knowing a deleted account is as good as having deleted it. suspends */
static int take_answer(struct authd *a, const struct notice *n, int status)
{
    if (n->deleting && status == -ENOENT)
        status = 0;
    if (status == 0) {
        a->count.announced++;
        if (n->deleting)
            finish_deletion(a, n->account);
    } else if (status != -EPIPE) {
        log_warn("the store was not told of account %" PRIu64 ": %s", n->account,
                 strerror(-status));
    }
    return status;
}

int announce_one(struct authd *a, uint64_t id)
{
    BUF_AUTO struct buf body = BUF(1024), reply = BUF(256);
    struct directory_account account;
    int rc = directory_account_get(a->reader, id, &account);

    if (rc < 0)
        return rc;
    struct notice n = {id, account.state == ACCOUNT_STATE_DELETING};
    put_notice(a, &body, &account);
    rc = link_call(child_peer(a->child, ROLE_STORED), MSG_STORE_ACCOUNT, buf_span(&body), NULL, 0,
                   ANNOUNCE_MS, &reply, NULL);
    return take_answer(a, &n, rc);
}

/* ------------------------------------------------------------------ all of them */
struct page {
    struct directory_account v[PAGE];
    size_t n;
};

static bool put_account(const struct directory_account *account, void *arg)
{
    struct page *p = arg;

    p->v[p->n++] = *account;
    return p->n < PAGE;
}

/* Calls of one page, all under way at once. Lives until the last answer is there. */
struct batch {
    struct fiber_cond answered;
    int status[PAGE];
    size_t open;
};
struct batch_call {
    struct batch *batch;
    size_t at;
};

static void on_answer(void *arg, int status, struct span body, int *fds, unsigned fd_count)
{
    struct batch_call *c = arg;

    c->batch->status[c->at] = status;
    c->batch->open--;
    fiber_cond_signal(&c->batch->answered);
}

/* suspends; false: stored is gone again */
static bool announce_page(struct authd *a, const struct page *p)
{
    struct batch batch = {.answered = FIBER_COND_INIT};
    struct batch_call calls[PAGE];
    struct link *l = child_peer(a->child, ROLE_STORED);

    for (size_t i = 0; i < p->n; i++) {
        BUF_AUTO struct buf body = BUF(1024);
        put_notice(a, &body, &p->v[i]);
        calls[i] = (struct batch_call){&batch, i};
        batch.status[i] =
            link_call_async(l, MSG_STORE_ACCOUNT, buf_span(&body), NULL, 0, on_answer, &calls[i]);
        if (batch.status[i] == 0)
            batch.open++;
    }
    while (batch.open > 0) /* every call is answered or ends with its link */
        fiber_cond_wait(&batch.answered, UINT64_MAX);
    bool there = true;
    for (size_t i = 0; i < p->n; i++) {
        struct notice n = {p->v[i].id, p->v[i].state == ACCOUNT_STATE_DELETING};
        there &= take_answer(a, &n, batch.status[i]) != -EPIPE;
    }
    return there;
}

static void announce_main(void *arg)
{
    struct authd *a = arg;
    struct page *p = calloc(1, sizeof *p);
    uint64_t after = 0, told = 0;

    CHECK(p);
    announce_domains(a);
    do {
        p->n = 0;
        if (directory_account_each(a->reader, after, put_account, p) < 0 || p->n == 0)
            break;
        after = p->v[p->n - 1].id;
        told += p->n;
        if (!announce_page(a, p))
            break;
    } while (p->n == PAGE);
    free(p);
    if (told)
        log_debug("the store was told of %" PRIu64 " accounts", told);
}

void announce_all(struct authd *a)
{
    fiber_start(a->child->loop, announce_main, a, "announce");
}
