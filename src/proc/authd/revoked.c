/*
 * revoked.c: our CA has revoked a certificate. Whoever is logged in with it must log in anew, as
 * after `account cert unmap`.
 *
 * A certificate that an account was given has its serial number in the directory. One that stands
 * for an account by its key or its names does not; for those the newest logins are remembered, as
 * long as authd runs. What was revoked while one of the two was away is made up for when they meet.
 */
#include "proc/authd/authd.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SEEN_MAX = 4096,
    AFFECTED_MAX = 65536,
    SERIAL_SIZE = 2 * 20 + 1,
    REGISTER_TRIES = 5,
    REGISTER_PAUSE_MS = 1000
};

struct seen {
    char serial[SERIAL_SIZE];
    uint64_t account;
};

struct external_seen {
    struct seen v[SEEN_MAX]; /* a ring; 0 where nobody is */
    unsigned at;
    struct seen ended[SEEN_MAX]; /* the same, of whose logins have been ended: not again */
    unsigned ended_at;
};

void revoked_init(struct authd *a)
{
    a->external_seen = calloc(1, sizeof *a->external_seen);
    CHECK(a->external_seen);
}

void revoked_done(struct authd *a)
{
    free(a->external_seen);
}

static bool is_among(const struct seen ring[SEEN_MAX], const char *serial, uint64_t account)
{
    for (unsigned i = 0; i < SEEN_MAX; i++)
        if (ring[i].account == account && strcmp(ring[i].serial, serial) == 0)
            return true;
    return false;
}

void revoked_remember(struct authd *a, const char *serial, uint64_t account)
{
    struct external_seen *x = a->external_seen;
    struct seen *s;

    if (is_among(x->v, serial, account))
        return;
    s = &x->v[x->at++ % SEEN_MAX];
    s->account = span_to_cstr(span_cstr(serial), s->serial, sizeof s->serial) ? account : 0;
}

/* ------------------------------------------------------------------ whom it concerns */
struct affected {
    struct seen *v;
    unsigned n, room;
};

static void add_one(struct affected *f, const char *serial, uint64_t account)
{
    struct seen s = {.account = account};

    if (account == 0 || f->n == AFFECTED_MAX ||
        !span_to_cstr(span_cstr(serial), s.serial, sizeof s.serial))
        return;
    if (f->n == f->room) {
        f->room = f->room ? 2 * f->room : 16;
        f->v = realloc(f->v, f->room * sizeof *f->v);
        CHECK(f->v);
    }
    f->v[f->n++] = s;
}

static bool take_row(const struct directory_certificate *c, void *arg)
{
    add_one(arg, c->serial, c->account);
    return true;
}

/* "" is for all that our CA has made: which of them, its register says. */
static bool take_issued(const struct directory_certificate *c, void *arg)
{
    if (c->issued)
        add_one(arg, c->serial, c->account);
    return true;
}

static int by_account(const void *one, const void *two)
{
    const struct seen *a = one, *b = two;

    return a->account < b->account ? -1 : a->account > b->account;
}

static void find_affected(struct authd *a, const char *serial, struct affected *f)
{
    const struct external_seen *x = a->external_seen;
    int rc = serial[0] ? directory_certificate_by_serial(a->reader, serial, take_row, f)
                       : directory_certificate_each(a->reader, UINT64_MAX, 0, take_issued, f);

    if (rc < 0)
        log_error("the directory cannot be read: sessions of a revoked certificate go on until "
                  "their next login");
    for (unsigned i = 0; i < SEEN_MAX; i++)
        if (x->v[i].account && (!serial[0] || strcmp(x->v[i].serial, serial) == 0))
            add_one(f, x->v[i].serial, x->v[i].account);
    if (f->n)
        qsort(f->v, f->n, sizeof *f->v, by_account);
}

/* ------------------------------------------------------------------ what becomes of them */
struct epoch_job {
    struct directory *d;
    uint64_t account;
    int rc;
    struct err e;
};

static void work_epoch(void *arg)
{
    struct epoch_job *j = arg;

    j->rc = directory_account_advance(j->d, j->account, &j->e);
}

/* suspends */
static void end_logins(struct authd *a, const struct seen *s)
{
    struct epoch_job j = {.d = a->writer, .account = s->account};

    authd_write(a, work_epoch, &j);
    if (j.rc < 0) {
        if (j.rc != -ENOENT)
            log_error("certificate %s is revoked, its sessions cannot be ended: %s", s->serial,
                      j.e.text);
        return;
    }
    log_info("certificate %s is revoked: who is logged in to account %llu must log in anew",
             s->serial, (unsigned long long)s->account);
    a->external_seen->ended[a->external_seen->ended_at++ % SEEN_MAX] = *s;
    proofs_forget(a->proofs, s->account);
    authd_tell_changed(a, s->account);
    announce_one(a, s->account);
}

/* When nobody knows, it is taken for revoked: that costs a login. suspends */
static bool is_revoked(struct authd *a, const struct seen *s)
{
    enum verdict v = VERDICT_BUSY;
    const char *why = "";

    if (is_among(a->external_seen->ended, s->serial, s->account))
        return false;
    for (unsigned i = 0; i < REGISTER_TRIES && v == VERDICT_BUSY; i++) {
        if (i > 0)
            fiber_sleep_ms(REGISTER_PAUSE_MS);
        v = external_register(a, s->serial, &why);
    }
    if (v == VERDICT_BUSY)
        log_warn("certificate %s: %s", s->serial, why);
    return v != VERDICT_GOOD;
}

/* serial "": whichever it is. suspends */
static void end_all(struct authd *a, const char *serial)
{
    struct affected f = {.n = 0};
    uint64_t last = 0;

    find_affected(a, serial, &f);
    for (unsigned i = 0; i < f.n; i++) {
        if (f.v[i].account == last || (!serial[0] && !is_revoked(a, &f.v[i])))
            continue;
        last = f.v[i].account;
        end_logins(a, &f.v[i]);
    }
    free(f.v);
}

void msg_ca_revoked(void *arg, struct msg *m)
{
    struct rd r = rd_of(m->body);
    char serial[SERIAL_SIZE];

    rd_cstr(&r, serial, sizeof serial);
    rd_u8(&r); /* why makes no difference here */
    if (rd_done(&r))
        end_all(authd_of(arg), serial);
}

static void catch_up(void *arg)
{
    end_all(arg, "");
}

void revoked_catch_up(struct authd *a)
{
    fiber_start(a->child->loop, catch_up, a, "revoked");
}
