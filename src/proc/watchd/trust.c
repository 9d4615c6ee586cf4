/* trust.c: whom clients trust that come to a virtual server: the own CA, or the roots that came with the certificate of another. */
#include "base/check.h"
#include "base/log.h"
#include "pki/cert_msg.h"
#include "proc/watchd/watchd.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

enum { CALL_MS = 10000, PEER_WAIT_MS = 30000, REPLY_MAX = 65536 };

struct watch_trust *trust_ref(struct watch_trust *t)
{
    if (t != NULL)
        t->refs++;
    return t;
}

void trust_unref(struct watch_trust *t)
{
    if (t == NULL || --t->refs > 0)
        return;
    probe_trust_done(&t->trust);
    free(t);
}

static void replace(struct watch_trust **place, struct watch_trust *take)
{
    trust_unref(*place);
    *place = take;
}

static struct watch_trust *trust_new(const struct probe_trust *take)
{
    struct watch_trust *t = calloc(1, sizeof *t);

    CHECK(t != NULL);
    *t = (struct watch_trust){.refs = 1, .trust = *take};
    return t;
}

static bool is_of(const struct watch_trust *t, struct span pem)
{
    return t != NULL && !t->system && span_eq(pem, buf_span(&t->trust.pem));
}

/* NULL: it stands in the log. */
static struct watch_trust *trust_of_pem(struct span pem, const char *whose)
{
    struct probe_trust fresh;
    struct err e;

    if (probe_trust_init(&fresh, pem, &e) == 0)
        return trust_new(&fresh);
    log_error("the roots that certd gives for %s cannot be read: %s", whose, e.text);
    return NULL;
}

void trust_learn_own(struct watchd *w)
{
    struct buf pem BUF_AUTO = BUF(REPLY_MAX);
    struct watch_trust *fresh;
    int r = link_call(child_peer_wait(w->child, ROLE_CERTD, PEER_WAIT_MS), MSG_CERT_CA_PEM,
                      SPAN_EMPTY, NULL, 0, CALL_MS, &pem, NULL);

    if (r < 0) {
        if (w->own == NULL)
            log_warn("certd does not say whom to trust (%s); asked again in a minute",
                     strerror(-r));
        return;
    }
    if (is_of(w->own, buf_span(&pem)) || !(fresh = trust_of_pem(buf_span(&pem), "the own CA")))
        return;
    replace(&w->own, fresh);
    replace(&w->system, NULL); /* holds the former ones */
}

/* What a certificate is held to with which no root came: it may be of a public CA, or of ours by way of a request. NULL: there is nobody else
 * to trust than the own CA. */
static struct watch_trust *trust_system(struct watchd *w)
{
    struct probe_trust fresh;
    struct err e;

    if (w->system != NULL)
        return w->system;
    if (probe_trust_system(&fresh, &e) != 0)
        return NULL;
    for (size_t i = 0; i < w->own->trust.roots.n; i++)
        X509_STORE_add_cert(fresh.store, w->own->trust.roots.v[i]->x509);
    ERR_clear_error();
    w->system = trust_new(&fresh);
    w->system->system = true;
    return w->system;
}

void trust_learn_given(struct watchd *w, struct watch_list *l, uint32_t place)
{
    const char *vserver = l->conf->vservers[place].name;
    struct buf body BUF_AUTO = BUF(128), pem BUF_AUTO = BUF(REPLY_MAX);
    struct watch_trust *fresh;

    wr_cert_word(&body, vserver);
    if (link_call(child_peer(w->child, ROLE_CERTD), MSG_CERT_ROOTS, buf_span(&body), NULL, 0,
                  CALL_MS, &pem, NULL) < 0)
        return;
    if (is_of(w->own, buf_span(&pem)))
        replace(&l->given[place], NULL);
    else if (pem.n == 0)
        replace(&l->given[place], trust_ref(trust_system(w)));
    else if (!is_of(l->given[place], buf_span(&pem)) &&
             (fresh = trust_of_pem(buf_span(&pem), vserver)) != NULL)
        replace(&l->given[place], fresh);
}
