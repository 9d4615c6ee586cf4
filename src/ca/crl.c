/* The CRLs of our CAs: each in parts that keyd can sign, whole where that fits, and deltas. */
#include "pki/crl.h"
#include "base/check.h"
#include "base/clock.h"
#include "ca/ca_internal.h"
#include "pki/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HOUR = 3600,
    ENTRY_BYTES = 54,
    HEAD_BYTES = 2048,
    LIFE_FACTOR = 4,
    LIFE_LEAST_HOURS = 24,
    LAST_HOURS = 365 * 24
};

/* One list: which, and what has become of it. */
struct crl_job {
    struct ca *ca;
    const struct ca_record *issuer;
    int64_t part; /* as asked for; "whole" where it is the only one */
    bool delta;
    int64_t now;
    struct crl_question what;
    struct crl_record record;
    bool changed;
    unsigned parts;
    char url[300];
    struct crl_entry *entries;
    size_t entry_count;
    struct buf *der;
    struct err *e;
    int rc;
};

/* --- what is there */

static struct ca_crl_slot *slot_of(struct ca *ca, const struct crl_job *j)
{
    uint64_t h = (uint64_t)j->issuer->id * 31 + (uint64_t)(j->part + 1) * 2 + j->delta;

    return &ca->crl[h % CA_CRL_SLOTS];
}

static bool is_due(const struct ca *ca, int64_t made, int64_t now)
{
    return now < made || now - made >= (int64_t)ca->crl_hours * HOUR;
}

static bool from_slot(struct ca *ca, const struct crl_job *j)
{
    const struct ca_crl_slot *s = slot_of(ca, j);

    return s->der.n > 0 && s->issuer == j->issuer->id && s->part == j->part &&
           s->delta == j->delta && s->changes == ca->changes && !is_due(ca, s->made, j->now) &&
           buf_put_span(j->der, buf_span(&s->der));
}

static void to_slot(struct ca *ca, const struct crl_job *j, uint64_t changes)
{
    struct ca_crl_slot *s = slot_of(ca, j);

    buf_clear(&s->der);
    if (!buf_put_span(&s->der, buf_span(j->der)))
        buf_clear(&s->der);
    s->issuer = j->issuer->id;
    s->part = j->part;
    s->delta = j->delta;
    s->made = j->record.made_at;
    s->changes = changes;
}

/* Where a part is the only one, or names no address, its CRL is the whole one: no client need
 * understand parts as long as there is one. */
static void work_find(void *arg)
{
    struct crl_job *j = arg;
    struct err none;

    j->what = (struct crl_question){.issuer = j->issuer->id, .part = j->part};
    j->url[0] = '\0';
    if (j->part != REGISTER_WHOLE) {
        j->rc = ca_register_part_get(j->ca->reg, j->issuer->id, j->part, j->url, &j->parts, j->e);
        if (j->rc == -ENOENT && j->part == 0) /* nothing was issued yet */
            j->rc = 0;
        if (j->rc < 0)
            return;
        if (j->parts <= 1 || !j->url[0])
            j->what.part = REGISTER_WHOLE;
    }
    j->rc = ca_register_crl_get(j->ca->reg, j->issuer->id, j->part, j->delta, &j->record,
                                &j->changed, j->der, &none);
    if (j->rc == -ENOENT)
        j->record = (struct crl_record){.number = 0};
    else if (j->rc < 0)
        *j->e = none;
}

static void point_of(const struct crl_job *j, char ret[320])
{
    ret[0] = '\0';
    if (j->what.part != REGISTER_WHOLE)
        snprintf(ret, 320, "%s.crl", j->url);
}

/* Nothing has to be made: it says what it should and its time has not come. */
static bool is_current(const struct crl_job *j, uint64_t number)
{
    char point[320];

    point_of(j, point);
    return j->record.number > 0 && !j->changed && !is_due(j->ca, j->record.made_at, j->now) &&
           strcmp(j->record.url, point) == 0 && (!j->delta || j->record.number == number);
}

/* --- making one */

static void work_entries(void *arg)
{
    struct crl_job *j = arg;
    j->rc = ca_register_crl(j->ca->reg, &j->what, j->now, &j->record.number, &j->entries,
                            &j->entry_count, j->e);
}

static void work_keep(void *arg)
{
    struct crl_job *j = arg;
    j->rc = ca_register_crl_keep(j->ca->reg, &j->record, buf_span(j->der), j->e);
}

static int sign(struct crl_job *j, const char *point)
{
    struct buf spki BUF_AUTO = BUF(4096);
    char delta_url[320] = "";
    struct crl_plan plan = {.issuer = j->issuer->certificate,
                            .number = j->record.number,
                            .base = j->record.base,
                            .this_update = j->now,
                            .next_update = j->record.next_update,
                            .entries = j->entries,
                            .entry_count = j->entry_count,
                            .point_url = point,
                            .delta_url = delta_url};
    int rc;

    if (j->entry_count * ENTRY_BYTES + HEAD_BYTES > KEY_TBS_MAX)
        return err_set(j->e, -EMSGSIZE,
                       "%zu revoked certificates are more than one list holds; each certificate "
                       "names the part of the list that it belongs to",
                       j->entry_count);
    if (j->ca->crl_delta && !j->delta && j->url[0])
        snprintf(delta_url, sizeof(delta_url), "%s-delta.crl", j->url);
    certificate_spki(j->issuer->certificate, &spki);
    plan.signer =
        j->ca->hooks.key_signer(j->ca->hooks.arg, j->issuer->key_id, CA_KEY_CRL, buf_span(&spki));
    if (!plan.signer)
        return err_set(j->e, -ENOKEY, "the key of the CA cannot be used; is it removed?");
    rc = crl_make(&plan, j->der, j->e);
    EVP_PKEY_free(plan.signer);
    return rc;
}

static int make(struct crl_job *j, unsigned life_hours)
{
    char point[320];

    point_of(j, point);
    buf_clear(j->der);
    j->record.issuer = j->issuer->id;
    j->record.part = j->part;
    j->record.delta = j->delta;
    j->record.made_at = j->now;
    j->record.next_update = j->now + (int64_t)life_hours * HOUR;
    span_to_cstr(span_cstr(point), j->record.url, sizeof(j->record.url));
    ca_run(j->ca, work_entries, j);
    if (j->rc == 0) {
        j->rc = sign(j, point);
        free(j->entries);
    }
    if (j->rc == 0)
        ca_run(j->ca, work_keep, j);
    return j->rc;
}

static unsigned life_hours(const struct ca *ca)
{
    unsigned hours = LIFE_FACTOR * ca->crl_hours;

    return hours < LIFE_LEAST_HOURS ? LIFE_LEAST_HOURS : hours;
}

/* A whole list or a part. *ret_number may be NULL. */
static int full(struct ca *ca, const struct ca_record *issuer, int64_t part, struct buf *out,
                uint64_t *ret_number, struct err *e)
{
    struct buf der BUF_AUTO = BUF(CA_CRL_BYTES);
    struct crl_job j = {
        .ca = ca, .issuer = issuer, .part = part, .now = clock_seconds(), .der = &der, .e = e};
    uint64_t changes = ca->changes;
    struct err why;

    if (!ret_number && from_slot(ca, &j))
        return buf_put_span(out, buf_span(&der)) ? 0 : -EMSGSIZE;
    ca_run(ca, work_find, &j);
    if (j.rc == -ENOENT && j.record.number == 0 &&
        (j.part == 0 || j.part == REGISTER_WHOLE || j.parts > 0))
        j.rc = 0;
    if (j.rc < 0)
        return j.rc;
    if (!is_current(&j, 0)) {
        struct buf kept BUF_AUTO = BUF(CA_CRL_BYTES);
        bool usable = j.record.number > 0 && j.record.next_update > j.now;
        struct crl_record old = j.record;
        buf_put_span(&kept, buf_span(&der));
        j.record.number = 0;
        j.record.base = 0;
        j.e = &why;
        if (make(&j, life_hours(ca)) < 0) {
            /* a root whose key is away: its last list stays good until it ends */
            if (!usable) {
                *e = why;
                return j.rc;
            }
            buf_clear(&der);
            buf_put_span(&der, buf_span(&kept));
            j.record = old;
            j.record.made_at = j.now; /* the next try not before the next regular list */
        }
    }
    to_slot(ca, &j, changes);
    if (ret_number)
        *ret_number = j.record.number;
    return buf_put_span(out, buf_span(&der)) ? 0 : err_set(e, -EMSGSIZE, "the CRL is too long");
}

/* What has changed since the last regular list, with the number of the list that is current. */
static int delta(struct ca *ca, const struct ca_record *issuer, int64_t part, struct buf *out,
                 struct err *e)
{
    struct buf der BUF_AUTO = BUF(CA_CRL_BYTES), ignored BUF_AUTO = BUF(CA_CRL_BYTES);
    struct crl_job j = {.ca = ca,
                        .issuer = issuer,
                        .part = part,
                        .delta = true,
                        .now = clock_seconds(),
                        .der = &der,
                        .e = e};
    uint64_t changes = ca->changes, number = 0;
    int rc;

    if (from_slot(ca, &j))
        return buf_put_span(out, buf_span(&der)) ? 0 : -EMSGSIZE;
    rc = full(ca, issuer, part, &ignored, &number, e);
    if (rc < 0)
        return rc;
    ca_run(ca, work_find, &j);
    if (j.rc < 0 && j.rc != -ENOENT)
        return j.rc;
    if (!is_current(&j, number)) {
        if (j.record.base == 0 || is_due(ca, j.record.base_at, j.now)) {
            j.record.base = number;
            j.record.base_at = j.now;
        }
        j.what.base = j.record.base;
        j.record.number = number;
        rc = make(&j, life_hours(ca));
        if (rc < 0)
            return rc;
    }
    to_slot(ca, &j, changes);
    return buf_put_span(out, buf_span(&der)) ? 0 : err_set(e, -EMSGSIZE, "the CRL is too long");
}

/* The last list before a root's key goes: it has to do until the key comes back. */
int ca_root_last_crl(struct ca *ca, struct err *e)
{
    struct buf der BUF_AUTO = BUF(CA_CRL_BYTES);
    struct crl_job j = {
        .ca = ca,
        .issuer = ca->root,
        .part = 0,
        .now = clock_seconds(),
        .what = {.issuer = ca->root->id, .part = REGISTER_WHOLE},
        .der = &der,
        .e = e
    };

    ca->changes++;
    return make(&j, LAST_HOURS);
}

/* --- asked for */

int ca_crl(struct ca *ca, int64_t id, struct buf *ret_der, struct err *e)
{
    const struct ca_record *issuer = id == 0 ? ca->issuing : ca_by_id(ca, id);

    if (!issuer)
        return err_set(e, -ENOENT, "there is no such CA; see \"sealpost ca info\"");
    return full(ca, issuer, REGISTER_WHOLE, ret_der, NULL, e);
}

static bool take_suffix(struct span *s, const char *suffix)
{
    size_t n = strlen(suffix);

    if (s->n < n || memcmp(s->p + s->n - n, suffix, n) != 0)
        return false;
    s->n -= n;
    return true;
}

/* name: "issuing-2", or "issuing-2-7" with its part. */
static const struct ca_record *find(const struct ca *ca, struct span name, int64_t *ret_part)
{
    for (size_t i = 0; i < ca->ca_count; i++) {
        char own[32];
        struct span rest;
        uint64_t part;
        ca_name(ca, ca->cas[i], own);
        if (!span_starts(name, span_cstr(own)))
            continue;
        rest = span_skip(name, strlen(own));
        *ret_part = 0;
        if (rest.n == 0)
            return ca->cas[i];
        if (rest.p[0] == '-' && rest.n < 12 && span_to_u64(span_skip(rest, 1), 1 << 30, &part) &&
            part > 0 && rest.p[1] != '0') {
            *ret_part = (int64_t)part;
            return ca->cas[i];
        }
    }
    return NULL;
}

int ca_file(struct ca *ca, struct span name, struct buf *ret_der, struct err *e)
{
    const struct ca_record *c;
    bool crt = take_suffix(&name, ".crt"), is_delta;
    int64_t part = 0;

    if (!crt && !take_suffix(&name, ".crl"))
        return err_set(e, -ENOENT, "no such file");
    is_delta = !crt && take_suffix(&name, "-delta");
    c = find(ca, name, &part);
    if (!c || (crt && part > 0) || (is_delta && !ca->crl_delta))
        return err_set(e, -ENOENT, "no such file");
    if (crt)
        return buf_put_span(ret_der, certificate_der(c->certificate)) ? 0 : -EMSGSIZE;
    return is_delta ? delta(ca, c, part, ret_der, e) : full(ca, c, part, ret_der, NULL, e);
}

int ca_crl_refresh(struct ca *ca, struct err *e)
{
    int64_t now = clock_seconds();
    int first = 0;

    for (size_t i = 0; i < ca->ca_count; i++) {
        const struct ca_record *c = ca->cas[i];
        int rc = 0;
        if (c->certificate->not_after < now)
            continue;
        for (int64_t part = 0; rc == 0; part++) {
            struct buf der BUF_AUTO = BUF(CA_CRL_BYTES);
            struct err why;
            rc = full(ca, c, part, &der, NULL, &why);
            if (rc == 0 && ca->crl_delta && c->kind == CA_ISSUING)
                rc = delta(ca, c, part, &der, &why);
            if (rc < 0 && rc != -ENOENT && first == 0) {
                first = rc;
                *e = why;
            }
            if (c->kind == CA_ROOT)
                break;
        }
    }
    return first;
}
