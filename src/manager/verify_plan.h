/* verify_plan.h: a plan for the probe client of monitor/, from the running server and a settings file. */
#ifndef MANAGER_VERIFY_PLAN_H
#define MANAGER_VERIFY_PLAN_H

#include "manager/control.h"
#include "manager/settings.h"
#include "monitor/probe.h"

struct verify_plan {
    struct call *call;
    struct control *control;
    const struct conf *conf;
    const char *const *wanted; /* names of virtual servers; none: all. Borrowed */
    unsigned wanted_count;
    struct settings settings;
    struct probe_trust trust;
    struct probe_trust
        *trusts;  /* one a virtual server; of those whose certificate came with its root */
    bool *own_ca; /* one a virtual server: its certificate is of the own CA */
    struct cert_names *names; /* one a virtual server */
    struct probe_target *targets;
    unsigned target_count;
    struct probe_plan plan;
    const char *dns_server;        /* of --resolver */
    void *take_places, *take_conf; /* of a plan for other servers (verify_foreign.h) */
};

/* Endpoints of virtual servers that are not wanted are in it too, as helpers. */
int verify_plan_make(struct call *c, const char *const *wanted, unsigned count,
                     struct verify_plan **ret, struct err *e);
/* After a probe of them: what it found may come of a certificate that was replaced meanwhile, or is
 * about to be, because the names of the configuration have changed. Asks certd again and says so. */
void verify_plan_settle(struct verify_plan *v, struct probe_result *results, unsigned count);
/* USER1, PASS1, … and NEWSGROUP of its settings. */
int verify_plan_logins(struct verify_plan *v, struct err *e);
void verify_plan_dns(struct verify_plan *v);  /* whom to ask: of configuration and options */
void verify_plan_free(struct verify_plan *v); /* wipes passwords; NULL is fine */

#endif
