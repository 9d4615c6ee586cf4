/* list.c: which endpoints there are to look at. */
#include "base/check.h"
#include "proc/watchd/watchd.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONF_MAX = 16 << 20 };

static struct conf *copy_of(const struct conf *c)
{
    struct buf bytes BUF_AUTO = BUF(CONF_MAX);

    conf_wr(c, &bytes);
    return conf_rd(buf_span(&bytes));
}

static void add_names(const struct conf *c, const struct conf_vserver *v, struct cert_names *names)
{
    for (uint32_t k = 0; k < v->names.n; k++)
        cert_names_add_any(names, span_cstr(v->names.v[k]));
    if (names->n == 0)
        cert_names_add_any(names, span_cstr(c->hostname));
}

struct watch_list *watch_list_new(const struct conf *given)
{
    struct watch_list *l = calloc(1, sizeof *l);
    const struct conf *c;
    unsigned room = 0;

    CHECK(l != NULL);
    l->refs = 1;
    c = l->conf = copy_of(given);
    CHECK(c != NULL);
    for (uint32_t i = 0; i < c->vserver_count; i++)
        room += c->vservers[i].endpoint_count;
    l->names = calloc(c->vserver_count + 1u, sizeof *l->names);
    l->v = calloc(room + 1u, sizeof *l->v);
    l->given = calloc(c->vserver_count + 1u, sizeof(struct watch_trust *));
    CHECK(l->names != NULL && l->v != NULL && l->given != NULL);
    for (uint32_t i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        if (!v->enabled)
            continue;
        add_names(c, v, &l->names[i]);
        for (uint32_t k = 0; k < v->endpoint_count; k++) {
            struct watched *w = &l->v[l->n];
            if (v->endpoints[k].policy == POLICY_PUBLIC_HTTP ||
                !probe_target_init(&w->target, v, &v->endpoints[k]))
                continue;
            w->target.names = &l->names[i];
            w->is_expected = true;
            l->n++;
        }
    }
    return l;
}

void watch_list_unref(struct watch_list *l)
{
    if (l == NULL || --l->refs > 0)
        return;
    for (uint32_t i = 0; i < l->conf->vserver_count; i++) {
        cert_names_done(&l->names[i]);
        trust_unref(l->given[i]);
    }
    for (unsigned i = 0; i < l->outside_n; i++)
        free(l->outside[i]);
    free(l->names);
    free(l->given);
    free(l->v);
    conf_free(l->conf);
    free(l);
}

const char *watched_name(const struct watched *w, char ret[400])
{
    char own[80];

    if (w->is_outside)
        snprintf(ret, 400, "%s at %s%s%s:%u", w->name, strchr(w->address, ':') ? "[" : "",
                 w->address, strchr(w->address, ':') ? "]" : "", w->target.endpoint->port);
    else
        snprintf(ret, 400, "%s", probe_target_name(&w->target, own));
    return ret;
}

static void follow(struct watched *w, const struct watched *before)
{
    struct probe_target target = w->target;

    *w = *before;
    memcpy(target.serial, before->target.serial, sizeof target.serial);
    w->target = target;
}

void watch_list_follow(struct watch_list *l, const struct watch_list *before)
{
    char a[400], b[400];

    for (unsigned i = 0; i < l->n; i++)
        for (unsigned k = 0; k < before->n; k++)
            if (strcmp(l->v[i].target.vserver->name, before->v[k].target.vserver->name) == 0 &&
                strcmp(watched_name(&l->v[i], a), watched_name(&before->v[k], b)) == 0)
                follow(&l->v[i], &before->v[k]);
    for (uint32_t i = 0; i < l->conf->vserver_count; i++)
        for (uint32_t k = 0; k < before->conf->vserver_count; k++)
            if (strcmp(l->conf->vservers[i].name, before->conf->vservers[k].name) == 0) {
                trust_unref(l->given[i]);
                l->given[i] = trust_ref(before->given[k]);
            }
    for (uint32_t i = 0; i < l->conf->vserver_count && i < WATCH_VSERVERS_MAX; i++)
        for (uint32_t k = 0; k < before->conf->vserver_count && k < WATCH_VSERVERS_MAX; k++)
            if (strcmp(l->conf->vservers[i].name, before->conf->vservers[k].name) == 0)
                l->plain[i] = before->plain[k];
}
