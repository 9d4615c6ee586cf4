/*
 * verify_settle.c: a certificate may be replaced while it is looked at: what failed for that is told
 * as what it is. A probe takes a second; nothing is locked for it.
 */
#include "base/check.h"
#include "manager/verify_plan.h"
#include "manager/view.h"
#include "pki/cert_msg.h"

static json_t *ask_again(struct verify_plan *v, const char *vserver)
{
    struct buf body BUF_AUTO = BUF(128), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct err ignored;

    wr_cert_word(&body, vserver);
    if (control_call(v->control, ROLE_CERTD, 0, MSG_CERT_SHOW, buf_span(&body), &reply, &ignored) <
        0)
        return NULL;
    return view_parse(buf_span(&reply), "certd", &ignored);
}

static const struct probe_facts *facts_of(const struct verify_plan *v, const struct probe_result *r)
{
    return &v->plan.facts[r->target - v->plan.targets];
}

/* The register that was read before the probe is not that of now. */
static void settle_register(struct probe_result *r, const struct probe_facts *f, const json_t *now)
{
    const char *serial = view_string(now, "current.serial");

    if (serial[0] == '\0' || strcmp(serial, r->target->serial) == 0)
        return;
    if (strcmp(f->serial, serial) == 0) {
        r->verdict = PROBE_PASS;
        snprintf(r->detail, sizeof r->detail, "%s, in service since the probe began", f->serial);
        return;
    }
    snprintf(r->detail, sizeof r->detail, "it showed %s during the probe; %s is in service since",
             f->serial, serial);
    r->remedy = "the certificate was replaced meanwhile: `sealpost verify VSERVER` looks at the "
                "one that is in service now";
}

/* A name of the configuration that the certificate has not. */
static void settle_names(struct probe_result *r, const struct probe_facts *f, const json_t *now)
{
    const char *source = view_string(now, "current.source"), *next = view_string(now, "next.state");
    struct buf why BUF_AUTO = BUF(PROBE_DETAIL_MAX - 1);

    buf_put_cstr(&why, r->detail);
    if (strcmp(f->serial, view_string(now, "current.serial")) != 0) {
        buf_put_cstr(&why, ": it was of the earlier names; another is in service since");
        r->remedy = "the certificate was replaced meanwhile: `sealpost verify VSERVER` looks at "
                    "the one that is in service now";
    } else if (json_integer_value(json_object_get(now, "retry_at")) != 0) {
        buf_put_cstr(&why, ": it is of the earlier names, and a new one could not be made");
        r->remedy = "`sealpost cert show VSERVER` says why it failed and when it is tried again; "
                    "`sealpost cert issue VSERVER` tries it now";
    } else if (strcmp(source, "own CA") == 0) {
        buf_printf(&why, ": it is of the earlier names; the new one is under way%s%s",
                   strcmp(next, "none") != 0 ? ": " : "", strcmp(next, "none") != 0 ? next : "");
        r->remedy = "look again in a moment: the own CA is asked by itself. `sealpost cert show "
                    "VSERVER` says how far it is, `sealpost cert issue VSERVER` does it now";
    } else {
        buf_printf(&why, ": it is of %s, which is not asked for more names by itself", source);
        r->remedy = "ask that CA for one with every name: `sealpost cert wizard VSERVER`; or take "
                    "one of the own CA: `sealpost cert issue VSERVER`";
    }
    snprintf(r->detail, sizeof r->detail, "%.*s", (int)why.n, why.p);
}

static bool has_check(const struct probe_result *r, const char *name)
{
    return r->verdict == PROBE_FAIL && strcmp(r->check->name, name) == 0;
}

void verify_plan_settle(struct verify_plan *v, struct probe_result *results, unsigned count)
{
    const struct conf_vserver *last = NULL;
    json_t *now = NULL;

    for (unsigned i = 0; i < count; i++) {
        struct probe_result *r = &results[i];
        if ((!has_check(r, "register") && !has_check(r, "names")) || !facts_of(v, r)->known)
            continue;
        if (r->target->vserver != last) {
            json_decref(now);
            last = r->target->vserver;
            now = ask_again(v, last->name);
        }
        if (now != NULL && has_check(r, "register"))
            settle_register(r, facts_of(v, r), now);
        else if (now != NULL)
            settle_names(r, facts_of(v, r), now);
    }
    json_decref(now);
}
