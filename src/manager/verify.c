/*
 * verify.c: proves that every endpoint does what it should: the probe client of monitor/ as an
 * ordinary client would come, over TCP. Of the running server with the accounts of a settings
 * file; of other servers by their URLs.
 */
#include "base/check.h"
#include "base/clock.h"
#include "conf/check.h"
#include "conf/mta_sts.h"
#include "manager/verify_foreign.h"
#include "manager/verify_guest.h"
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

/* Senders elsewhere do not know the own CA. */
static void lint_policies(const struct verify_plan *v, struct report *r)
{
    for (uint32_t i = 0; i < v->conf->vserver_count; i++) {
        const struct conf_vserver *s = &v->conf->vservers[i];
        if (!s->enabled || s->protocol != PROTOCOL_SMTP || s->smtp_kind != SMTP_MX || !v->own_ca[i])
            continue;
        for (uint32_t k = 0; k < v->conf->mta_sts_count; k++)
            if (v->conf->mta_sts[k].mode == MTA_STS_ENFORCE)
                report_warning(r, 0,
                               "the certificate of virtual server %s is of the own CA, but the "
                               "MTA-STS policy of %s demands one that senders elsewhere trust: "
                               "they do not deliver. Give it one of a public CA, or set mode = "
                               "\"testing\"",
                               s->name, v->conf->mta_sts[k].domain);
    }
}

/* What the running configuration allows, but should not. */
static void lint(const struct verify_plan *v, struct buf *out)
{
    struct report r;

    report_init(&r, "the running configuration");
    conf_check(v->conf, NULL, &r);
    lint_policies(v, &r);
    report_write(&r, out);
    report_done(&r);
}

/* With what it needs on the server for that time. 0, or what could not be made or removed. */
static int probe(struct verify_plan *v, bool foreign, struct verify_report *report,
                 struct buf *warnings, struct err *e)
{
    struct probe_result *results = NULL;
    struct verify_guest *guest = NULL;
    struct err why = {""};
    int r = foreign ? 0 : verify_guest_make(v, &guest, &why);

    report->plan = &v->plan;
    if (r == -EINTR) {
        buf_printf(warnings, "error: %s\n", why.text);
        return r;
    }
    if (r != 0) /* what needs no login is looked at all the same */
        buf_printf(warnings, "error: the probe has no account or newsgroup: %s\n", why.text);
    else if (why.text[0] != '\0')
        buf_printf(warnings, "warning: %s\n", why.text);
    probe_all(&v->plan, &results, &report->count);
    report->results = results;
    if (!foreign)
        verify_plan_settle(v, results, report->count);
    if (probe_was_ended(&v->plan)) {
        buf_printf(warnings, "error: ended by a signal, before all was tried\n");
        r = -EINTR;
    }
    if (verify_guest_remove(guest, &why) != 0) {
        buf_printf(warnings, "error: %s\n", why.text);
        r = -EIO;
    }
    e->text[0] = '\0'; /* it stands among the warnings */
    return r;
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
        int made = probe(v, foreign, &report, &warnings, e);
        report.incomplete = made != 0;
        if (!foreign)
            lint(v, &warnings);
        report.warnings = buf_span(&warnings);
        report.took_ms = clock_mono_ms() - start;
        r = show(c, &report, e);
        r = r != 0 ? r : made;
    }
    free((void *)(uintptr_t)report.results);
    free(v->plan.facts);
    verify_plan_free(v);
    return r;
}
