/*
 * verify_plan.c: what the probe client needs to know of the running server: endpoints, what they should show, whom to trust, accounts
 * to log in with.
 */
#include "manager/verify_plan.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/random.h"
#include "manager/text.h"
#include "manager/view.h"
#include "pki/cert_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void verify_plan_free(struct verify_plan *v)
{
    if (v == NULL)
        return;
    for (uint32_t i = 0; v->names != NULL && i < v->conf->vserver_count; i++)
        cert_names_done(&v->names[i]);
    for (uint32_t i = 0; v->trusts != NULL && i < v->conf->vserver_count; i++)
        probe_trust_done(&v->trusts[i]);
    free(v->trusts);
    free(v->own_ca);
    free(v->names);
    free(v->targets);
    free(v->take_places);
    free(v->take_conf);
    probe_trust_done(&v->trust);
    settings_wipe(&v->settings);
    secret_wipe(&v->plan.logins, sizeof v->plan.logins);
    free(v);
}

/* ---- settings ---------------------------------------------------------------------------- */

/* settings.env beside the configuration, where there is one. */
static bool default_settings(const struct call *c, struct buf *ret)
{
    struct span file = span_cstr(call_config(c));
    size_t slash = span_rfind(file, '/');

    buf_put_span(ret, slash == SPAN_NONE ? SPAN(".") : span_head(file, slash));
    buf_put_cstr(ret, "/settings.env");
    return access(buf_cstr(ret), R_OK) == 0;
}

static int read_settings(struct verify_plan *v, struct err *e)
{
    struct buf file BUF_AUTO = BUF(8192);

    if (has_option(v->call, OPT_SETTINGS))
        return settings_read(v->call->option[OPT_SETTINGS], &v->settings, e);
    return default_settings(v->call, &file) ? settings_read(buf_cstr(&file), &v->settings, e) : 0;
}

static int take_login(const struct settings *s, unsigned i, struct probe_login *ret, struct err *e)
{
    char user[16], password[16];
    const char *u, *p;

    snprintf(user, sizeof user, "USER%u", i + 1);
    snprintf(password, sizeof password, "PASS%u", i + 1);
    u = settings_get(s, user);
    p = settings_get(s, password);
    if (u == NULL || p == NULL)
        return 0;
    if (!span_to_cstr(span_cstr(u), ret->user, sizeof ret->user) ||
        !span_to_cstr(span_cstr(p), ret->password, sizeof ret->password))
        return err_set(e, -EINVAL, "%s or %s in the settings is too long", user, password);
    return 0;
}

/* ---- trust ------------------------------------------------------------------------------- */

/* The file of the settings, as clients are told to use it; else what certd says. */
static int read_trust(struct verify_plan *v, struct err *e)
{
    const char *file = settings_get(&v->settings, "CA_FILE");
    struct buf pem BUF_AUTO = BUF(CERTIFICATE_TEXT_MAX);
    int r;

    if (file != NULL)
        r = file_read(AT_FDCWD, file, CERTIFICATE_TEXT_MAX, &pem, e);
    else
        r = control_call(v->control, ROLE_CERTD, 0, MSG_CERT_CA_PEM, SPAN_EMPTY, &pem, e);
    if (r < 0)
        return err_wrap(e, r, "the root certificate to trust");
    /* of certificates that come from another CA */
    if (has_option(v->call, OPT_ROOT) &&
        (r = file_read(AT_FDCWD, v->call->option[OPT_ROOT], CERTIFICATE_TEXT_MAX, &pem, e)) < 0)
        return r;
    r = probe_trust_init(&v->trust, buf_span(&pem), e);
    return r < 0 ? err_wrap(e, r, "%s", file != NULL ? file : "the roots of certd") : 0;
}

/* ---- targets ----------------------------------------------------------------------------- */

static json_t *ask(struct verify_plan *v, enum role role, enum msg_id id, const char *word)
{
    struct buf body BUF_AUTO = BUF(128), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct err ignored;

    if (word != NULL)
        wr_cert_word(&body, word);
    if (control_call(v->control, role, 0, id, buf_span(&body), &reply, &ignored) < 0)
        return NULL;
    return view_parse(buf_span(&reply), role_name(role), &ignored);
}

/* Roots that were given when its certificate was installed; with those of --root. */
static void trust_given(struct verify_plan *v, uint32_t place, const char *pem,
                        struct probe_target *t)
{
    struct buf all BUF_AUTO = BUF(CERTIFICATE_TEXT_MAX);
    struct err ignored;

    if (pem[0] == '\0')
        return;
    buf_put_cstr(&all, pem);
    if (has_option(v->call, OPT_ROOT))
        file_read(AT_FDCWD, v->call->option[OPT_ROOT], CERTIFICATE_TEXT_MAX, &all, &ignored);
    if (probe_trust_init(&v->trusts[place], buf_span(&all), &ignored) == 0)
        t->trust = &v->trusts[place];
}

/* What is in service as certd and the register of the CA have it. Certificates of other CAs stand
 * in no register of ours. */
static void expect(struct verify_plan *v, uint32_t place, struct probe_target *t)
{
    const char *vserver = v->conf->vservers[place].name;
    json_t *show = ask(v, ROLE_CERTD, MSG_CERT_SHOW, vserver), *record;
    const char *serial = view_string(show, "current.serial");

    trust_given(v, place, view_string(show, "current.roots"), t);
    v->own_ca[place] = strcmp(view_string(show, "current.source"), "own CA") == 0;

    snprintf(t->serial, sizeof t->serial, "%s", serial);
    snprintf(t->spki_sha256, sizeof t->spki_sha256, "%s",
             view_string(show, "current.certificate.spki_sha256"));
    record = serial[0] ? ask(v, ROLE_CAD, MSG_CA_SHOW, serial) : NULL;
    snprintf(t->register_state, sizeof t->register_state, "%s", view_string(record, "state"));
    json_decref(record);
    json_decref(show);
}

static bool is_wanted(const struct verify_plan *v, const char *vserver)
{
    for (unsigned i = 0; i < v->wanted_count; i++)
        if (strcmp(v->wanted[i], vserver) == 0)
            return true;
    return v->wanted_count == 0;
}

static void expect_names(const struct verify_plan *v, const struct conf_vserver *vs,
                         struct cert_names *names)
{
    const char *host = settings_get(&v->settings, "HOST");

    for (uint32_t k = 0; k < vs->names.n; k++)
        cert_names_add_any(names, span_cstr(vs->names.v[k]));
    if (names->n == 0)
        cert_names_add_any(names, span_cstr(v->conf->hostname));
    if (host != NULL)
        cert_names_add_any(names, span_cstr(host));
}

static int add_targets(struct verify_plan *v, uint32_t place, struct err *e)
{
    const struct conf_vserver *vs = &v->conf->vservers[place];
    struct probe_target expected = {.serial = ""};

    expect_names(v, vs, &v->names[place]);
    expect(v, place, &expected);
    for (uint32_t k = 0; k < vs->endpoint_count; k++) {
        struct probe_target *t = &v->targets[v->target_count];
        if (!probe_target_init(t, vs, &vs->endpoints[k]))
            return err_set(e, -EINVAL, "%s is no address", vs->endpoints[k].address);
        t->names = &v->names[place];
        t->trust = expected.trust;
        t->wanted = is_wanted(v, vs->name);
        memcpy(t->serial, expected.serial, sizeof t->serial);
        memcpy(t->spki_sha256, expected.spki_sha256, sizeof t->spki_sha256);
        memcpy(t->register_state, expected.register_state, sizeof t->register_state);
        v->target_count++;
    }
    return 0;
}

static int make_targets(struct verify_plan *v, struct err *e)
{
    unsigned n = 0;
    int r = 0;

    for (unsigned i = 0; i < v->wanted_count; i++) {
        const struct conf_vserver *vs = conf_vserver_by_name(v->conf, v->wanted[i]);
        if (vs == NULL)
            return err_set(e, -ENOENT,
                           "there is no virtual server %s; `sealpost vserver list` lists "
                           "all",
                           text_quote(span_cstr(v->wanted[i])));
        if (!vs->enabled)
            return err_set(e, -ENOENT, "the virtual server %s is disabled", vs->name);
    }
    for (uint32_t i = 0; i < v->conf->vserver_count; i++)
        n += v->conf->vservers[i].endpoint_count;
    v->names = calloc(v->conf->vserver_count + 1u, sizeof *v->names);
    v->targets = calloc(n + 1u, sizeof *v->targets);
    v->trusts = calloc(v->conf->vserver_count + 1u, sizeof *v->trusts);
    v->own_ca = calloc(v->conf->vserver_count + 1u, sizeof *v->own_ca);
    CHECK(v->names != NULL && v->targets != NULL && v->trusts != NULL && v->own_ca != NULL);
    for (uint32_t i = 0; r == 0 && i < v->conf->vserver_count; i++)
        if (v->conf->vservers[i].enabled)
            r = add_targets(v, i, e);
    return r;
}

int verify_plan_logins(struct verify_plan *v, struct err *e)
{
    const char *group;
    int r = 0;

    for (unsigned i = 0; i < PROBE_LOGINS; i++)
        if ((r = take_login(&v->settings, i, &v->plan.logins[i], e)) != 0)
            return r;
    group = settings_get(&v->settings, "NEWSGROUP");
    if (group != NULL &&
        !span_to_cstr(span_cstr(group), v->plan.newsgroup, sizeof v->plan.newsgroup))
        return err_set(e, -EINVAL, "NEWSGROUP in the settings is too long");
    return 0;
}

/* The configuration says whom to ask, the options may say otherwise. */
void verify_plan_dns(struct verify_plan *v)
{
    struct call *c = v->call;

    v->plan.dns_servers = v->conf->dns_servers.v;
    v->plan.dns_server_count = v->conf->dns_servers.n;
    v->plan.dns_trust_anchor = v->conf->dns_trust_anchor;
    if (has_option(c, OPT_RESOLVER)) {
        v->dns_server = c->option[OPT_RESOLVER];
        v->plan.dns_servers = &v->dns_server;
        v->plan.dns_server_count = 1;
    }
    if (has_option(c, OPT_TRUST_ANCHOR))
        v->plan.dns_trust_anchor = c->option[OPT_TRUST_ANCHOR];
    v->plan.domain = c->option[OPT_DOMAIN];
}

static int prepare(struct verify_plan *v, struct err *e)
{
    int r = 0;

    if ((v->control = call_control(v->call, e)) == NULL ||
        (v->conf = control_conf(v->control, e)) == NULL)
        return -ENOTCONN;
    if ((r = read_settings(v, e)) != 0 || (r = read_trust(v, e)) != 0 ||
        (r = make_targets(v, e)) != 0)
        return r;
    if ((r = verify_plan_logins(v, e)) != 0)
        return r;
    v->plan.trust = &v->trust;
    v->plan.conf = v->conf;
    v->plan.targets = v->targets;
    v->plan.target_count = v->target_count;
    verify_plan_dns(v);
    return 0;
}

int verify_plan_make(struct call *c, const char *const *wanted, unsigned count,
                     struct verify_plan **ret, struct err *e)
{
    struct verify_plan *v = calloc(1, sizeof *v);
    int r;

    CHECK(v != NULL);
    v->call = c;
    v->wanted = wanted;
    v->wanted_count = count;
    if ((r = prepare(v, e)) != 0) {
        verify_plan_free(v);
        return r;
    }
    *ret = v;
    return 0;
}
