#include "proc/watchd/watchd.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALL_MS = 10000, REPLY_MAX = 65536 };

void watchd_warm_up(void)
{
    unsigned char byte;
    SSL_CTX *ctx;

    /* configuration file, providers, the generator of random numbers */
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
                         OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                     NULL);
    ctx = SSL_CTX_new(TLS_client_method());
    CHECK(ctx != NULL && RAND_bytes(&byte, 1) == 1);
    SSL_CTX_free(ctx);
    fiber_on_resume(ERR_clear_error);
}

/* ---- what certd says --------------------------------------------------------------------- */

static void expect_serial(struct watch_list *l, const char *vserver, const char *serial)
{
    for (unsigned i = 0; i < l->n + l->outside_n; i++) {
        struct watched *w = i < l->n ? &l->v[i] : l->outside[i - l->n];
        if (strcmp(w->target.vserver->name, vserver) == 0)
            snprintf(w->target.serial, sizeof w->target.serial, "%s", serial);
    }
}

/* suspends. What every virtual server should show. */
static void learn_expected(struct watchd *w, struct watch_list *l)
{
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    json_t *v, *one;
    size_t i;

    if (link_call(child_peer(w->child, ROLE_CERTD), MSG_CERT_LIST, SPAN_EMPTY, NULL, 0, CALL_MS,
                  &reply, NULL) < 0)
        return;
    v = json_loadb(reply.p ? reply.p : "", reply.n, 0, NULL);
    json_array_foreach(json_object_get(v, "certificates"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "vserver"));
        const char *serial = json_string_value(json_object_get(one, "serial"));
        if (name != NULL && serial != NULL && strlen(serial) < CERTIFICATE_SERIAL_MAX)
            expect_serial(l, name, serial);
    }
    json_decref(v);
}

static void learn_trust(struct watchd *w, struct watch_list *l)
{
    trust_learn_own(w);
    for (uint32_t i = 0; i < l->conf->vserver_count && w->own != NULL && !w->stopping; i++)
        if (l->conf->vservers[i].enabled)
            trust_learn_given(w, l, i);
}

/* ---- one endpoint ------------------------------------------------------------------------ */

struct look {
    struct watchd *watchd;
    struct watch_list *list; /* referenced */
    struct watched *watched;
};

static bool is_fine(const struct watched *w)
{
    return w->last.up && w->last.fits && w->is_expected;
}

static uint32_t place_of(const struct look *k)
{
    return (uint32_t)(k->watched->target.vserver - k->list->conf->vservers);
}

/* suspends */
static void look_once(struct look *k)
{
    struct watched *w = k->watched;
    struct probe_handshake seen;
    struct watch_trust *given = k->list->given[place_of(k)],
                       *t = trust_ref(given != NULL ? given : k->watchd->own);

    probe_handshake(&t->trust, &w->target, &seen);
    trust_unref(t);
    w->last = seen;
    w->at = clock_seconds();
    w->is_expected =
        !seen.up || w->target.serial[0] == '\0' || strcmp(seen.serial, w->target.serial) == 0;
}

static void look(void *arg)
{
    struct look *k = arg;
    struct watched *w = k->watched;

    look_once(k);
    if (!is_fine(w) && !k->watchd->stopping) {
        fiber_sleep_ms(WATCH_AGAIN_MS);
        learn_expected(k->watchd, k->list);
        trust_learn_given(k->watchd, k->list, place_of(k));
        look_once(k);
    }
    w->failures = is_fine(w) ? 0 : w->failures + 1;
    if (!k->watchd->stopping && k->list == k->watchd->list) {
        watchd_tell(w, clock_seconds());
        watchd_alarm(k->watchd, w, clock_seconds());
    }
    w->was_up |= w->last.up;
    k->watchd->round_running--;
    fiber_cond_broadcast(&k->watchd->round_done);
    watch_list_unref(k->list);
    free(k);
}

/* ---- rounds ------------------------------------------------------------------------------ */

static void round_of(struct watchd *w, struct watch_list *l)
{
    for (unsigned i = 0; i < l->n + l->outside_n && !w->stopping; i++) {
        struct look *k = malloc(sizeof *k);
        CHECK(k != NULL);
        while (w->round_running >= WATCH_AT_ONCE)
            fiber_cond_wait(&w->round_done, UINT64_MAX);
        *k = (struct look){w, l, i < l->n ? &l->v[i] : l->outside[i - l->n]};
        l->refs++;
        w->round_running++;
        fiber_start(w->child->loop, look, k, "look");
    }
    while (w->round_running > 0)
        fiber_cond_wait(&w->round_done, UINT64_MAX);
    w->rounds++;
}

static void rounds(void *arg)
{
    struct watchd *w = arg;

    fiber_sleep_ms(WATCH_FIRST_MS);
    while (!w->stopping) {
        struct watch_list *l = w->list;
        uint64_t start = clock_mono_ms(), took, round_ms;
        l->refs++;
        learn_trust(w, l);
        outside_learn(w, l);
        learn_expected(w, l);
        if (w->own != NULL)
            round_of(w, l);
        if (!w->stopping && l == w->list)
            watchd_plaintext(w);
        round_ms = 1000 * (uint64_t)l->conf->watch_seconds;
        watch_list_unref(l);
        took = clock_mono_ms() - start;
        fiber_sleep_ms(took < round_ms ? round_ms - took : 1000);
    }
}

/* ---- life -------------------------------------------------------------------------------- */

static void on_ready(struct child *c)
{
    struct watchd *w = c->state;

    w->list = watch_list_new(c->conf);
    fiber_start(c->loop, rounds, w, "rounds");
}

static void on_conf(struct child *c, const struct conf *old)
{
    struct watchd *w = c->state;
    struct watch_list *before = w->list;

    (void)old;
    w->list = watch_list_new(c->conf);
    if (before != NULL)
        watch_list_follow(w->list, before);
    watch_list_unref(before);
}

static void on_stop(struct child *c, uint64_t drain_ms)
{
    struct watchd *w = c->state;

    (void)drain_ms;
    w->stopping = true;
    loop_stop(c->loop);
}

const struct child_ops watchd_ops = {
    .on_ready = on_ready,
    .on_conf = on_conf,
    .on_stop = on_stop,
    .on_status = watchd_status,
    .on_metrics = watchd_metrics,
};
