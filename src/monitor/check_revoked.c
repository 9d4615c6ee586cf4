/* check_revoked.c: are the certificates that are shown still good, as OCSP and the lists say? */
#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "monitor/fetch.h"
#include "monitor/revoked.h"
#include "monitor/run.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LIST_MAX = 16 << 20, ANSWER_MAX = 64 << 10 };

/* Of one endpoint, over all certificates of its chain. */
struct judging {
    struct probe_run *run;
    const struct probe_seen *seen;
    X509 *x, *issuer;
    const char *subject;
    bool first; /* nothing was said of this certificate yet */
    unsigned good, bad;
    const struct certificate *orphan; /* the first whose issuer is neither sent nor trusted */
    char first_bad[PROBE_DETAIL_MAX]; /* the first source that is of no use */
    struct buf words;                 /* what is good, by what */
};

/* ---- words ------------------------------------------------------------------------------- */

static void put_day(struct buf *out, int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    char text[40];

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
    buf_put_cstr(out, text);
}

__attribute__((format(printf, 3, 4))) static void bad(struct judging *j, const char *source,
                                                      const char *fmt, ...)
{
    char why[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (j->bad++ == 0)
        snprintf(j->first_bad, sizeof j->first_bad, "%.150s: %.230s", source, why);
}

/* False: the verdict is made. */
static bool take_word(struct judging *j, const char *source, const struct revoked_word *w)
{
    struct buf day BUF_AUTO = BUF(64);

    switch (w->state) {
    case REVOKED_YES:
        put_day(&day, w->since);
        run_fail(j->run, "%.150s was revoked on %s (%s), says %.100s", j->subject, buf_cstr(&day),
                 w->reason, source);
        return false;
    case REVOKED_UNKNOWN:
        run_fail(j->run, "%.150s is not known to its CA's responder, %.100s", j->subject, source);
        return false;
    case REVOKED_UNUSABLE:
        bad(j, source, "%s", w->why);
        return true;
    case REVOKED_NOT:
        break;
    }
    j->good++;
    if (j->words.n > 0)
        buf_put_cstr(&j->words, j->first ? "; of its CA: " : ", ");
    j->first = false;
    buf_put_cstr(&j->words, source);
    if (w->until != 0) {
        buf_put_cstr(&j->words, " until ");
        put_day(&j->words, w->until);
    }
    return true;
}

/* ---- sources ----------------------------------------------------------------------------- */

static bool by_staple(struct judging *j, bool must)
{
    struct revoked_word w;

    if (j->seen->staple.n == 0) {
        if (must)
            run_fail(j->run, "the certificate demands a stapled OCSP answer, and none is sent: "
                             "browsers refuse it (RFC 7633)");
        return !must;
    }
    revoked_by_ocsp(buf_span(&j->seen->staple), NULL, j->x, j->issuer, &w);
    if (w.state == REVOKED_UNUSABLE) {
        run_fail(j->run, "the stapled OCSP answer is of no use: %s", w.why);
        return false;
    }
    return take_word(j, "stapled OCSP", &w);
}

static bool by_responder(struct judging *j, const char *url)
{
    struct buf der BUF_AUTO = BUF(8192);
    OCSP_REQUEST *question = revoked_question(j->x, j->issuer, &der);
    struct fetch f = {.type = "application/ocsp-request", .body = buf_span(&der)};
    struct fetched got = {.body = BUF(ANSWER_MAX)};
    struct revoked_word w;
    struct err e;
    char source[120];
    bool on = true;

    snprintf(source, sizeof source, "OCSP of %.100s", url);
    f.resolver = run_resolver(j->run, &e);
    if (question == NULL)
        bad(j, source, "no question can be made");
    else if (fetch(&f, url, &got, &e) != 0)
        bad(j, source, "%s", e.text);
    else if (got.status != 200)
        bad(j, source, "it answers with %u", got.status);
    else {
        revoked_by_ocsp(buf_span(&got.body), question, j->x, j->issuer, &w);
        on = take_word(j, "OCSP", &w);
    }
    OCSP_REQUEST_free(question);
    buf_done(&got.body);
    return on;
}

static bool by_list(struct judging *j, const char *url)
{
    const struct fetched *got;
    struct revoked_word w;
    struct err e;
    char source[120];

    snprintf(source, sizeof source, "CRL of %.100s", url);
    got = run_fetch(j->run, url, LIST_MAX, &e);
    if (got == NULL)
        bad(j, source, "%s", e.text);
    else if (got->status != 200)
        bad(j, source, "it answers with %u", got->status);
    else {
        revoked_by_crl(buf_span(&got->body), url, j->x, j->issuer, clock_seconds(), &w);
        if (w.state == REVOKED_UNUSABLE)
            bad(j, source, "%s", w.why);
        else
            return take_word(j, "CRL", &w);
    }
    return true;
}

/* ---- one certificate --------------------------------------------------------------------- */

/* The one behind it, or a root that is trusted; NULL: it is a root itself, or nobody knows. */
static X509 *find_issuer(const struct probe_trust *trust, const struct probe_seen *s, size_t i)
{
    X509 *x = s->chain.v[i]->x509, *found = NULL;
    X509_STORE_CTX *ctx;

    if (s->chain.v[i]->self_issued)
        return NULL;
    if (i + 1 < s->chain.n && X509_check_issued(s->chain.v[i + 1]->x509, x) == X509_V_OK) {
        X509_up_ref(s->chain.v[i + 1]->x509);
        return s->chain.v[i + 1]->x509;
    }
    ctx = X509_STORE_CTX_new();
    if (ctx != NULL && X509_STORE_CTX_init(ctx, trust->store, x, NULL) == 1)
        X509_STORE_CTX_get1_issuer(&found, ctx, x);
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return found;
}

static bool judge_one(struct judging *j, size_t i, bool *ret_any)
{
    struct revoked_sources *at = malloc(sizeof *at);
    bool on = true;

    CHECK(at != NULL);
    j->x = j->seen->chain.v[i]->x509;
    j->first = i > 0;
    j->subject = j->seen->chain.v[i]->subject;
    revoked_sources_of(j->x, at);
    *ret_any |= at->ocsp_count + at->crl_count > 0 || (i == 0 && j->seen->staple.n > 0);
    if (i == 0)
        on = by_staple(j, at->must_staple);
    for (unsigned k = 0; on && k < at->ocsp_count; k++)
        on = by_responder(j, at->ocsp[k]);
    for (unsigned k = 0; on && k < at->crl_count; k++)
        on = by_list(j, at->crl[k]);
    free(at);
    return on;
}

/* Of other people's servers it is enough that one source works; of ours all should. */
static void conclude(struct judging *j, bool any)
{
    const struct certificate *leaf = j->seen->chain.v[0], *orphan = j->orphan;

    if (!any && leaf->self_issued)
        run_skip(j->run, "it is signed by itself: there is no CA that could revoke it");
    else if (!any && orphan != NULL)
        run_skip(j->run,
                 "nobody can say: the certificate of %.200s, which has issued %.100s, is neither "
                 "sent nor trusted here",
                 orphan->issuer, orphan->subject);
    else if (!any)
        run_skip(j->run, "the certificates name no OCSP responder and no list of revoked ones");
    else if (j->good == 0 || (j->bad > 0 && !j->run->target->foreign))
        run_fail(j->run, "%s", j->first_bad);
    else if (j->bad > 0)
        run_pass(j->run, "good (%.200s), though %.180s", buf_cstr(&j->words), j->first_bad);
    else
        run_pass(j->run, "good: %.380s", buf_cstr(&j->words));
}

void check_revoked(struct probe_run *p)
{
    struct judging *j;
    bool on = true, any = false;

    if (run_look(p) == NULL)
        return;
    j = calloc(1, sizeof *j);
    CHECK(j != NULL);
    *j = (struct judging){.run = p, .seen = p->seen, .words = BUF(2000)};
    for (size_t i = 0; on && i < p->seen->chain.n; i++) {
        if ((j->issuer = find_issuer(run_trust(p), p->seen, i)) == NULL) {
            if (!p->seen->chain.v[i]->self_issued && j->orphan == NULL)
                j->orphan = p->seen->chain.v[i];
            continue;
        }
        on = judge_one(j, i, &any);
        X509_free(j->issuer);
    }
    if (on)
        conclude(j, any);
    buf_done(&j->words);
    free(j);
}
