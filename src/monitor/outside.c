/* outside.c: what a probe asks beyond its endpoints: DNS, and pages that several checks need. */
#include "base/check.h"
#include "monitor/run.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DNS_PATIENCE_MS = 4000 };

struct run_page {
    struct run_page *next;
    struct fiber_lock lock;
    char url[FETCH_URL_MAX + 1];
    bool tried;
    int r;
    struct err error;
    struct fetched got;
};

struct resolver *run_resolver(struct probe_run *p, struct err *e)
{
    const struct probe_plan *plan = p->plan;

    if (p->shared->resolver != NULL)
        return p->shared->resolver;
    p->shared->resolver =
        resolver_new(p->shared->loop, plan->dns_servers, plan->dns_server_count,
                     plan->dns_trust_anchor != NULL ? plan->dns_trust_anchor : "", e);
    if (p->shared->resolver != NULL)
        resolver_patience(p->shared->resolver, DNS_PATIENCE_MS);
    return p->shared->resolver;
}

static X509_STORE *system_roots(struct probe_shared *s)
{
    if (s->system_roots == NULL && (s->system_roots = X509_STORE_new()) != NULL)
        X509_STORE_set_default_paths(s->system_roots);
    ERR_clear_error();
    return s->system_roots;
}

static struct run_page *page_of(struct probe_shared *s, const char *url, size_t max)
{
    struct run_page *page;

    for (page = s->pages; page != NULL; page = page->next)
        if (strcmp(page->url, url) == 0)
            return page;
    page = calloc(1, sizeof *page);
    CHECK(page != NULL);
    snprintf(page->url, sizeof page->url, "%s", url);
    page->got.body = BUF(max);
    page->next = s->pages;
    s->pages = page;
    return page;
}

const struct fetched *run_fetch(struct probe_run *p, const char *url, size_t max, struct err *e)
{
    struct fetch f = {
        .roots = {run_trust(p)->store, system_roots(p->shared)}
    };
    struct run_page *page;

    if (strlen(url) > FETCH_URL_MAX) {
        err_set(e, -EINVAL, "an address that is too long");
        return NULL;
    }
    page = page_of(p->shared, url, max);
    fiber_lock(&page->lock);
    if (!page->tried) {
        f.resolver = run_resolver(p, &page->error);
        page->r = fetch(&f, url, &page->got, &page->error);
        page->tried = true;
    }
    fiber_unlock(&page->lock);
    *e = page->error;
    return page->r == 0 ? &page->got : NULL;
}

void run_shared_done(struct probe_shared *s)
{
    while (s->pages != NULL) {
        struct run_page *page = s->pages;
        s->pages = page->next;
        buf_done(&page->got.body);
        free(page);
    }
    X509_STORE_free(s->system_roots);
    resolver_free(s->resolver);
}

void run_talk_to(const struct probe_run *p, const struct probe_target *target, struct talk *t)
{
    talk_init(t, target, run_trust_of(p->plan, target));
    if (target->vserver->client_certificates == CLIENT_CERTIFICATES_REQUIRE)
        t->client = p->plan->client;
}
