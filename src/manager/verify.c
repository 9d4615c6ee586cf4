/*
 * verify.c: proves that every endpoint does what it should: the probe client of monitor/ as an
 * ordinary client would come, over TCP. Of the running server with the accounts of a settings
 * file; of other servers by their URLs.
 */
#include "base/check.h"
#include "base/clock.h"
#include "conf/lint.h"
#include "manager/verify_foreign.h"
#include "manager/verify_html.h"
#include "manager/verify_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

/* --from: where all connections come from. */
static int come_from(struct verify_plan *v, const char *text, struct err *e)
{
    struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
    struct sockaddr_in *a4 = (struct sockaddr_in *)(void *)&from;
    struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)(void *)&from;

    if (inet_pton(AF_INET, text, &a4->sin_addr) == 1)
        from.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &a6->sin6_addr) == 1)
        from.ss_family = AF_INET6;
    else
        return usage_error(e, "--from: an IPv4 or IPv6 address of this machine");
    for (unsigned i = 0; i < v->target_count; i++)
        v->targets[i].from = from;
    return 0;
}

/* What the running configuration allows, but should not. */
static void lint(const struct conf *conf, struct buf *out)
{
    struct report r;

    report_init(&r, "the running configuration");
    conf_lint(conf, NULL, &r);
    report_write(&r, out);
    report_done(&r);
}

static int show(struct call *c, const struct verify_report *r, struct err *e)
{
    unsigned failed = verify_show(c, r);
    int k = has_option(c, OPT_HTML) ? verify_html_write(c->option[OPT_HTML], r, e) : 0;

    if (k != 0)
        return k;
    e->text[0] = '\0'; /* the table has said it all */
    return failed > 0 ? -EPROTO : 0;
}

int cmd_verify(struct call *c, struct err *e)
{
    struct verify_plan *v;
    struct probe_result *results = NULL;
    struct verify_report report = {.start = clock_seconds()};
    uint64_t start = clock_mono_ms();
    struct buf warnings BUF_AUTO = BUF(1 << 20);
    bool foreign = c->arg_count > 0 && is_foreign(c->args[0]);
    int r =
        foreign ? verify_foreign_make(c, &v, e) : verify_plan_make(c, c->args, c->arg_count, &v, e);

    if (r != 0)
        return r;
    if (has_option(c, OPT_FROM))
        r = come_from(v, c->option[OPT_FROM], e);
    v->plan.facts = calloc(v->target_count + 1u, sizeof *v->plan.facts);
    CHECK(v->plan.facts != NULL);
    if (r == 0) {
        probe_all(&v->plan, &results, &report.count);
        report.results = results;
        report.plan = &v->plan;
        if (!foreign)
            lint(v->conf, &warnings);
        report.warnings = buf_span(&warnings);
        report.took_ms = clock_mono_ms() - start;
        r = show(c, &report, e);
    }
    free(results);
    free(v->plan.facts);
    verify_plan_free(v);
    return r;
}
