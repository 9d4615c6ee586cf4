#include "acme/document.h"
#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- small things */

static const char *const status_names[ACME_STATUS_COUNT] = {
    [ACME_PENDING] = "pending", [ACME_READY] = "ready",     [ACME_PROCESSING] = "processing",
    [ACME_VALID] = "valid",     [ACME_INVALID] = "invalid", [ACME_DEACTIVATED] = "deactivated",
    [ACME_EXPIRED] = "expired", [ACME_REVOKED] = "revoked",
};

const char *acme_status_name(enum acme_status s)
{
    CHECK((unsigned)s < ACME_STATUS_COUNT);
    return status_names[s];
}

static bool status_read(const json_t *o, enum acme_status *ret)
{
    struct span s = acme_json_span(o, "status");

    for (unsigned i = 0; i < ACME_STATUS_COUNT; i++)
        if (span_eq_cstr(s, status_names[i])) {
            *ret = (enum acme_status)i;
            return true;
        }
    return false;
}

/* Only https, and only what a URL may hold: it goes into requests and messages. */
static bool url_read(const json_t *o, const char *name, char ret[WEB_URL_MAX + 1])
{
    struct web_url u;

    return acme_json_text(o, name, ret, WEB_URL_MAX + 1) && web_url_parse(span_cstr(ret), &u) &&
           u.tls;
}

static int lacks(struct err *e, const char *document, const char *what)
{
    return err_set(e, -EBADMSG,
                   "the CA's %s has no usable \"%s\"; is url the directory of an ACME server?",
                   document, what);
}

static int read_object(struct span text, const char *document, json_t **ret, struct err *e)
{
    int rc = acme_json_read(text, ret, e);
    return rc < 0 ? err_wrap(e, rc, "the CA's %s", document) : 0;
}

/* Words of others for our log and our terminal. */
static void put_words(struct span s, char *dst, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n && n + 1 < size; i++)
        dst[n++] = (unsigned char)s.p[i] < 32 || (unsigned char)s.p[i] >= 127 ? ' ' : s.p[i];
    dst[n] = '\0';
}

/* --- problems */

#define ACME_URN "urn:ietf:params:acme:error:"

enum { AGAIN, PERSON };
static const struct {
    const char *type;
    int afterwards;
    const char *words, *remedy;
} problems[] = {
#define PROBLEM(type, afterwards, words, remedy) {#type, afterwards, words, remedy},
#include "acme/problems.def"
#undef PROBLEM
};

static int row_of(const struct acme_problem *p)
{
    for (size_t i = 0; i < ARRAY_LEN(problems); i++)
        if (strcmp(problems[i].type, p->type) == 0)
            return (int)i;
    return -1;
}

static void read_name(const json_t *object, struct acme_problem *p)
{
    const json_t *id = acme_json_object(object, "identifier");

    if (id)
        put_words(acme_json_span(id, "value"), p->name, sizeof(p->name));
}

bool acme_problem_read(const json_t *object, struct acme_problem *ret)
{
    struct span type = acme_json_span(object, "type");
    struct acme_problem p = {.type = ""};
    const json_t *subs = acme_json_array(object, "subproblems");
    uint64_t status;

    if (type.n == 0)
        return false;
    if (span_starts(type, SPAN(ACME_URN)))
        type = span_skip(type, sizeof(ACME_URN) - 1);
    put_words(type, p.type, sizeof(p.type));
    put_words(acme_json_span(object, "detail"), p.detail, sizeof(p.detail));
    if (acme_json_number(object, "status", 999, &status))
        p.status = (unsigned)status;
    read_name(object, &p);
    /* the first of several says more than that there are several */
    if (subs && json_array_size(subs) > 0 && json_is_object(json_array_get(subs, 0))) {
        const json_t *sub = json_array_get(subs, 0);
        read_name(sub, &p);
        if (acme_json_span(sub, "detail").n > 0)
            put_words(acme_json_span(sub, "detail"), p.detail, sizeof(p.detail));
    }
    *ret = p;
    return true;
}

void acme_problem_words(const struct acme_problem *p, const char *name, struct err *e)
{
    const char *about = p->name[0] ? p->name : name ? name : "";
    const char *between = about[0] ? ": " : "";
    int row = row_of(p);

    if (row < 0)
        err_set(e, -EREMOTEIO, "%s%sthe CA refuses (%s%s%s)", about, between,
                p->type[0] ? p->type : "without a reason", p->detail[0] ? ": " : "", p->detail);
    else
        err_set(e, -EREMOTEIO, "%s%s%s%s%.250s%s%s%s", about, between, problems[row].words,
                p->detail[0] ? " (\"" : "", p->detail, p->detail[0] ? "\")" : "",
                problems[row].remedy[0] ? "; " : "", problems[row].remedy);
}

bool acme_problem_passes(const struct acme_problem *p)
{
    int row = row_of(p);

    return row < 0 ? p->status >= 500 || p->status == 429 : problems[row].afterwards == AGAIN;
}

/* --- directory */

int acme_directory_read(struct span text, struct acme_directory *ret, struct err *e)
{
    struct acme_directory d = {.account_bound = false};
    const json_t *meta;
    json_t *o = NULL;
    int rc = read_object(text, "directory", &o, e);

    if (rc < 0)
        return rc;
    if (!url_read(o, "newNonce", d.new_nonce))
        rc = lacks(e, "directory", "newNonce");
    else if (!url_read(o, "newAccount", d.new_account))
        rc = lacks(e, "directory", "newAccount");
    else if (!url_read(o, "newOrder", d.new_order))
        rc = lacks(e, "directory", "newOrder");
    if (rc == 0) {
        if (!url_read(o, "renewalInfo", d.renewal_info))
            d.renewal_info[0] = '\0';
        if (!url_read(o, "keyChange", d.key_change))
            d.key_change[0] = '\0';
        if (!url_read(o, "revokeCert", d.revoke))
            d.revoke[0] = '\0';
        meta = acme_json_object(o, "meta");
        d.account_bound = meta && json_is_true(json_object_get(meta, "externalAccountRequired"));
        *ret = d;
    }
    json_decref(o);
    return rc;
}

/* --- order */

static int read_authorizations(const json_t *o, struct acme_order *ret, struct err *e)
{
    const json_t *all = acme_json_array(o, "authorizations");
    size_t n = all ? json_array_size(all) : 0;

    if (n == 0)
        return lacks(e, "order", "authorizations");
    if (n > ACME_NAMES_MAX)
        return err_set(e, -EBADMSG, "the CA's order has %zu authorizations, more than %d", n,
                       ACME_NAMES_MAX);
    ret->authorizations = calloc(n, sizeof(char *));
    CHECK(ret->authorizations);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(all, i);
        struct span s = span_of(json_string_value(v), json_string_length(v));
        struct web_url u;
        if (!json_is_string(v) || !web_url_parse(s, &u) || !u.tls)
            return lacks(e, "order", "authorizations");
        ret->authorizations[ret->count++] = span_dup(s);
    }
    return 0;
}

int acme_order_read(struct span text, struct acme_order *ret, struct err *e)
{
    struct acme_order d = {.count = 0};
    const json_t *problem;
    json_t *o = NULL;
    int rc = read_object(text, "order", &o, e);

    if (rc < 0)
        return rc;
    if (!status_read(o, &d.status))
        rc = lacks(e, "order", "status");
    else if (!url_read(o, "finalize", d.finalize))
        rc = lacks(e, "order", "finalize");
    else
        rc = read_authorizations(o, &d, e);
    if (rc == 0 && !url_read(o, "certificate", d.certificate)) {
        d.certificate[0] = '\0';
        if (d.status == ACME_VALID)
            rc = lacks(e, "finished order", "certificate");
    }
    if (rc == 0) {
        if (!acme_json_time(acme_json_span(o, "expires"), &d.expires))
            d.expires = 0;
        problem = acme_json_object(o, "error");
        if (problem)
            acme_problem_read(problem, &d.problem);
        *ret = d;
    } else {
        acme_order_done(&d);
    }
    json_decref(o);
    return rc;
}

void acme_order_done(struct acme_order *o)
{
    if (!o)
        return;
    for (unsigned i = 0; i < o->count; i++)
        free(o->authorizations[i]);
    free(o->authorizations);
    o->authorizations = NULL;
    o->count = 0;
}

/* --- authorization */

static bool is_base64url(const char *s)
{
    for (; *s; s++)
        if (!ascii_is_alpha(*s) && !ascii_is_digit(*s) && *s != '-' && *s != '_')
            return false;
    return true;
}

/* One that cannot be used is as one that is not offered. A token goes into paths and records. */
static bool challenge_read(const json_t *o, struct acme_challenge *ret)
{
    const json_t *problem = acme_json_object(o, "error");

    if (!acme_json_text(o, "type", ret->type, sizeof(ret->type)) || !url_read(o, "url", ret->url) ||
        !acme_json_text(o, "token", ret->token, sizeof(ret->token)) || strlen(ret->token) < 16 ||
        !is_base64url(ret->token))
        return false;
    if (!status_read(o, &ret->status))
        ret->status = ACME_PENDING;
    if (problem)
        acme_problem_read(problem, &ret->problem);
    return true;
}

static void read_challenges(const json_t *o, struct acme_authorization *a)
{
    const json_t *all = acme_json_array(o, "challenges");

    a->challenges = calloc(ACME_CHALLENGES_MAX, sizeof(*a->challenges));
    CHECK(a->challenges);
    for (size_t i = 0; all && i < json_array_size(all) && a->count < ACME_CHALLENGES_MAX; i++) {
        struct acme_challenge *c = &a->challenges[a->count];
        memset(c, 0, sizeof(*c));
        if (json_is_object(json_array_get(all, i)) && challenge_read(json_array_get(all, i), c))
            a->count++;
    }
}

int acme_authorization_read(struct span text, struct acme_authorization *ret, struct err *e)
{
    struct acme_authorization a = {.count = 0};
    const json_t *id;
    json_t *o = NULL;
    int rc = read_object(text, "authorization", &o, e);

    if (rc < 0)
        return rc;
    id = acme_json_object(o, "identifier");
    if (!status_read(o, &a.status))
        rc = lacks(e, "authorization", "status");
    else if (!id || !acme_json_text(id, "value", a.name, sizeof(a.name)) || a.name[0] == '\0')
        rc = lacks(e, "authorization", "identifier");
    if (rc == 0) {
        a.is_address = span_eq_cstr(acme_json_span(id, "type"), "ip");
        a.wildcard = json_is_true(json_object_get(o, "wildcard"));
        read_challenges(o, &a);
        *ret = a;
    }
    json_decref(o);
    return rc;
}

void acme_authorization_done(struct acme_authorization *a)
{
    if (!a)
        return;
    free(a->challenges);
    a->challenges = NULL;
    a->count = 0;
}

const struct acme_challenge *acme_challenge_of(const struct acme_authorization *a, const char *type)
{
    for (unsigned i = 0; i < a->count; i++)
        if (strcmp(a->challenges[i].type, type) == 0)
            return &a->challenges[i];
    return NULL;
}

/* --- renewal information */

int acme_window_read(struct span text, struct acme_window *ret, struct err *e)
{
    struct acme_window w = {.start = 0};
    const json_t *suggested;
    json_t *o = NULL;
    int rc = read_object(text, "renewal information", &o, e);

    if (rc < 0)
        return rc;
    suggested = acme_json_object(o, "suggestedWindow");
    if (!suggested || !acme_json_time(acme_json_span(suggested, "start"), &w.start) ||
        !acme_json_time(acme_json_span(suggested, "end"), &w.end) || w.end <= w.start)
        rc = lacks(e, "renewal information", "suggestedWindow");
    if (!url_read(o, "explanationURL", w.explanation))
        w.explanation[0] = '\0';
    if (rc == 0)
        *ret = w;
    json_decref(o);
    return rc;
}
