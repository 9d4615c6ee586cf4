#include "conf/derive.h"

#include <libconfig.h>

/* v with s at its front or end, unless it is in there. */
static bool add(struct arena *a, struct conf_strings *v, const char *s, bool front)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (span_is(span_cstr(s), v->v[i]))
            return true;

    const char **bigger = ARENA_ARRAY(a, const char *, v->n + 1);
    if (!bigger)
        return false;
    if (v->n)
        memcpy(bigger + front, v->v, v->n * sizeof *bigger);
    bigger[front ? 0 : v->n] = s;
    v->v = bigger;
    v->n++;
    return true;
}

static bool derive_ca_dns(struct conf *c)
{
    bool ok = true;

    if (c->ca_dns.n)
        return true;
    for (uint32_t i = 0; i < c->local_domains.n; i++)
        ok = ok && add(c->arena, &c->ca_dns, c->local_domains.v[i], false);
    return ok && add(c->arena, &c->ca_dns, c->hostname, false) &&
           add(c->arena, &c->ca_dns, "localhost", false);
}

static bool derive_vserver(struct conf *c, struct conf_vserver *v, const config_setting_t *group)
{
    if (!config_setting_get_member(group, "require_secure_channel")) {
        v->require_secure_channel = true;
        for (uint32_t i = 0; i < v->endpoint_count; i++)
            if (v->endpoints[i].policy == POLICY_OPPORTUNISTIC ||
                v->endpoints[i].policy == POLICY_PUBLIC_HTTP)
                v->require_secure_channel = false;
    }
    return v->names.n || add(c->arena, &v->names, c->hostname, true);
}

bool conf_derive(struct conf *c, const config_setting_t *root)
{
    const config_setting_t *vservers = config_setting_get_member(root, "vservers");
    bool ok = add(c->arena, &c->local_domains, c->domain, true) && derive_ca_dns(c);

    if (!c->postmaster[0]) {
        c->postmaster = arena_printf(c->arena, "postmaster@%s", c->domain);
        ok = ok && c->postmaster;
    }
    for (uint32_t i = 0; i < c->vserver_count; i++)
        ok = ok && derive_vserver(c, &c->vservers[i], config_setting_get_elem(vservers, i));
    return ok;
}
