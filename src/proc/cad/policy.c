/* Who may have what certified. certd and enrold talk to the network: the one gets what virtual
 * servers need, the other what may be enrolled, whatever they ask for. */
#include "ca/enrol_policy.h"
#include "proc/cad/cad.h"

#include <errno.h>

static bool any_is(const struct conf_strings *names, const struct cert_name *n)
{
    struct cert_names one = CERT_NAMES_EMPTY;
    bool found = false;

    for (uint32_t i = 0; i < names->n && !found; i++)
        if (cert_names_add_any(&one, span_cstr(names->v[i])) == 0) {
            found = cert_names_has(&one, (enum cert_name_type)n->type, span_cstr(n->text));
            cert_names_done(&one);
        }
    return found;
}

static bool is_configured(const struct conf *c, const struct cert_name *n)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};
    const char *fixed[] = {c->hostname, loopback[0], loopback[1], loopback[2]};
    struct conf_strings always = {fixed, 4};

    if (any_is(&always, n))
        return true;
    for (uint32_t i = 0; i < c->vserver_count; i++)
        if (any_is(&c->vservers[i].names, n))
            return true;
    return false;
}

int cad_may_issue(const struct conf *c, enum role asker, const struct profile *p,
                  const struct cert_names *names, struct err *e)
{
    if (asker == ROLE_MANAGER) /* root, or who administers: his to decide, within the CA's bounds */
        return 0;
    if (asker == ROLE_ENROLD)
        return enrol_may_issue(c, p, names, e);
    if (p->id != PROFILE_SERVER)
        return err_set(e, -EPERM, "certd gets certificates of profile server only, not %s",
                       p->name);
    for (uint32_t i = 0; i < names->n; i++)
        if (!is_configured(c, &names->v[i]))
            return err_set(e, -EPERM,
                           "%.120s is the name of no virtual server in the configuration",
                           names->v[i].text);
    return 0;
}
