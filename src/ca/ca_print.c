/* The CA and its register as JSON. */
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "ca/ca_internal.h"

#include <errno.h>
#include <inttypes.h>

void ca_put_field(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "\"%s\":", name);
    json_put_string(b, span_cstr(value));
    buf_putc(b, ',');
}

/* --- lists, a page at a time */

void ca_page_begin(struct ca_page *p, const char *name)
{
    p->last = p->after;
    buf_printf(p->json, "{\"%s\":[", name);
}

bool ca_page_add(struct ca_page *p, int64_t id, struct span one)
{
    bool first = p->last == p->after;

    if (!first && p->json->n + one.n + 64 > p->max_bytes) {
        p->more = true;
        return false;
    }
    buf_put_cstr(p->json, first ? "" : ",");
    buf_put_span(p->json, one);
    p->last = id;
    return true;
}

int ca_page_end(struct ca_page *p, struct err *e)
{
    buf_putc(p->json, ']');
    if (p->more)
        buf_printf(p->json, ",\"next\":%" PRId64, p->last);
    buf_putc(p->json, '}');
    return p->json->overflow ? err_set(e, -EMSGSIZE, "the list is too long") : 0;
}

/* --- the CAs */

struct counts_job {
    struct ca *ca;
    int64_t counts[3];
    struct err *e;
    int rc;
};

static void work_counts(void *arg)
{
    struct counts_job *j = arg;
    j->rc = ca_register_counts(j->ca->reg, clock_seconds(), j->counts, j->e);
}

static void put_ca(const struct ca *ca, const struct ca_record *c, struct buf *json)
{
    char name[32];
    struct buf permitted BUF_AUTO = BUF(65536);
    bool in_use = c == ca->root || c == ca->issuing;

    buf_printf(json, "{\"id\":%" PRId64 ",", c->id);
    ca_name(ca, c, name);
    ca_put_field(json, "name", name);
    ca_put_field(json, "kind", ca_kind_name(c->kind));
    ca_put_field(json, "state", ca_state_name(c->state));
    ca_put_field(json, "key", c->key_id);
    permitted_print(&c->certificate->permitted, &permitted);
    ca_put_field(json, "permitted", buf_cstr(&permitted));
    ca_put_field(json, "key_state",
                 !in_use               ? ""
                 : ca_key_there(ca, c) ? "at keyd"
                 : c->kind == CA_ROOT  ? "away: no new issuing CA until it is imported"
                                       : "away: nothing can be issued");
    buf_put_cstr(json, "\"above\":[");
    for (size_t i = 0; i < c->above.n; i++) {
        buf_put_cstr(json, i ? "," : "");
        json_put_string(json, span_cstr(c->above.v[i]->issuer));
    }
    buf_printf(json, "],\"key_kept_at\":%" PRId64 ",\"in_use\":%s,\"certificate\":", c->kept_at,
               in_use ? "true" : "false");
    certificate_json(c->certificate, json);
    buf_putc(json, '}');
}

int ca_info(struct ca *ca, struct buf *json, struct err *e)
{
    struct counts_job j = {.ca = ca, .e = e};
    bool first = true;

    ca_run(ca, work_counts, &j);
    if (j.rc < 0)
        return j.rc;
    buf_printf(json,
               "{\"ready\":%s,\"valid\":%" PRId64 ",\"revoked\":%" PRId64 ",\"expired\":%" PRId64
               ",",
               ca_ready(ca) ? "true" : "false", j.counts[0], j.counts[1], j.counts[2]);
    buf_put_cstr(json, "\"cas\":[");
    for (size_t i = 0; i < ca->ca_count; i++) {
        /* the newest matter; years of retired ones are not worth an error */
        if (json->n > json->max / 2 && ca->cas[i] != ca->root && ca->cas[i] != ca->issuing)
            continue;
        buf_put_cstr(json, first ? "" : ",");
        put_ca(ca, ca->cas[i], json);
        first = false;
    }
    buf_put_cstr(json, "]}");
    return json->overflow ? err_set(e, -EMSGSIZE, "too many CAs to list") : 0;
}

static void put_record(const struct cert_record *c, struct buf *json)
{
    const char *reason = crl_reason_name(c->reason);
    const char *state = c->revoked && c->reason == CRL_HOLD           ? "held"
                        : c->revoked                                  ? "revoked"
                        : c->certificate->not_after < clock_seconds() ? "expired"
                                                                      : "valid";

    buf_printf(json, "{\"id\":%" PRId64 ",\"issuer_id\":%" PRId64 ",", c->id, c->issuer);
    ca_put_field(json, "state", state);
    ca_put_field(json, "profile", c->profile);
    ca_put_field(json, "requester", c->requester);
    if (c->revoked) {
        ca_put_field(json, "reason", reason ? reason : "unspecified");
        buf_printf(json, "\"revoked_at\":%" PRId64 ",", c->revoked_at);
    }
    buf_printf(json, "\"issued_at\":%" PRId64 ",\"certificate\":", c->issued_at);
    certificate_json(c->certificate, json);
}

struct list_job {
    struct ca *ca;
    const struct ca_search *search;
    struct ca_page page;
    struct err *e;
    int rc;
};

static bool on_record(void *arg, const struct cert_record *c)
{
    struct list_job *j = arg;
    struct buf one BUF_AUTO = BUF(2 * CERTIFICATE_DER_MAX + CERT_NAMES_MAX * CERT_NAME_TEXT_MAX);

    put_record(c, &one);
    buf_putc(&one, '}');
    return ca_page_add(&j->page, c->id, buf_span(&one));
}

static void work_list(void *arg)
{
    struct list_job *j = arg;

    j->rc = ca_register_list(j->ca->reg, j->search, clock_seconds(), on_record, j, j->e);
}

int ca_list(struct ca *ca, const struct ca_search *search, size_t max_bytes, struct buf *json,
            struct err *e)
{
    struct list_job j = {
        .ca = ca, .search = search, .page = {json, max_bytes, search->after, 0, false},
                .e = e
    };

    ca_page_begin(&j.page, "certificates");
    ca_run(ca, work_list, &j);
    return j.rc < 0 ? j.rc : ca_page_end(&j.page, e);
}

struct show_job {
    struct ca *ca;
    const char *serial;
    struct cert_record record;
    struct err *e;
    int rc;
};

static void work_show(void *arg)
{
    struct show_job *j = arg;
    j->rc = ca_register_get(j->ca->reg, j->serial, &j->record, j->e);
}

int ca_show(struct ca *ca, const char *serial, struct buf *json, struct err *e)
{
    struct show_job j = {.ca = ca, .serial = serial, .e = e};
    struct buf text BUF_AUTO = BUF(65536);

    ca_run(ca, work_show, &j);
    if (j.rc < 0)
        return j.rc;
    put_record(&j.record, json);
    certificate_print(j.record.certificate, clock_seconds(), &text);
    buf_put_cstr(json, ",\"text\":");
    json_put_string(json, buf_span(&text));
    buf_clear(&text);
    pem_write("CERTIFICATE", certificate_der(j.record.certificate), &text);
    buf_put_cstr(json, ",\"pem\":");
    json_put_string(json, buf_span(&text));
    buf_putc(json, '}');
    cert_record_done(&j.record);
    return json->overflow ? err_set(e, -EMSGSIZE, "the certificate is too long to show") : 0;
}
