/* check_http.c: what the HTTP virtual servers say. */
#include "base/check.h"
#include "base/parse.h"
#include "monitor/http.h"
#include "monitor/run.h"

#include <stdlib.h>

void http_reply_done(struct http_reply *r)
{
    buf_done(&r->body);
}

/* Header fields; -1 as *ret_length: there is none. */
static bool read_fields(struct talk *t, struct http_reply *ret, int64_t *ret_length)
{
    struct span line, value;

    *ret_length = -1;
    for (unsigned i = 0; i < HTTP_FIELDS_MAX; i++) {
        uint64_t n;
        if (wire_line(t->wire, &line, &t->error) != 0) {
            t->failed = true;
            return false;
        }
        if (line.n == 0)
            return true;
        if (reply_http_field(line, "Content-Length", &value)) {
            if (!span_to_u64(value, HTTP_BODY_MAX, &n)) {
                talk_fail(t, "a Content-Length that is none, or more than %d", HTTP_BODY_MAX);
                return false;
            }
            *ret_length = (int64_t)n;
        } else if (reply_http_field(line, "Location", &value)) {
            span_to_cstr(value, ret->location, sizeof ret->location);
        } else if (reply_http_field(line, "Transfer-Encoding", &value)) {
            talk_fail(t,
                      "an answer in pieces (Transfer-Encoding), although the whole was asked for");
            return false;
        }
    }
    talk_fail(t, "more than %d header fields", HTTP_FIELDS_MAX);
    return false;
}

bool http_get(struct talk *t, const char *host, const char *path, struct http_reply *ret)
{
    struct buf request BUF_AUTO = BUF(4096);
    struct span line;
    int64_t length;

    *ret = (struct http_reply){.body = BUF(HTTP_BODY_MAX)};
    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host);
    if (!talk_put(t, buf_span(&request)))
        return false;
    if (wire_line(t->wire, &line, &t->error) != 0) {
        t->failed = true;
        return false;
    }
    if (!reply_http_status(line, &ret->status)) {
        talk_fail(t, "not an answer of HTTP/1.1");
        return false;
    }
    if (!read_fields(t, ret, &length))
        return false;
    if (length >= 0) {
        if (wire_bytes(t->wire, (size_t)length, &ret->body, &t->error) != 0)
            t->failed = true;
    } else if (!wire_closes(t->wire, WIRE_DEADLINE_MS, &ret->body)) {
        talk_fail(t, "the answer has no end");
    }
    return !t->failed;
}

/* GET path at the endpoint of the run; false: the verdict is made. */
static bool get(struct probe_run *p, const char *path, struct http_reply *ret)
{
    struct talk *t = malloc(sizeof *t);
    bool ok;

    CHECK(t != NULL);
    *ret = (struct http_reply){.status = 0};
    run_talk(p, t);
    ok = talk_open(t) && http_get(t, run_own_name(p->plan, p->target), path, ret);
    if (!ok)
        run_fail_talk(p, t);
    talk_done(t);
    free(t);
    return ok;
}

static void first_line(struct span body, char *dst, size_t size)
{
    struct span line = SPAN_EMPTY;

    span_split(&body, '\n', &line);
    dst[0] = '\0';
    span_to_cstr(span_head(line, size - 1), dst, size);
}

void check_health(struct probe_run *p)
{
    struct http_reply r;
    char line[200];

    if (get(p, "/health", &r)) {
        first_line(buf_span(&r.body), line, sizeof line);
        if (r.status != 200)
            run_fail(p, "/health is answered with %u: %s. `sealpost status` shows more", r.status,
                     line);
        else
            run_pass(p, "%s", line);
    }
    http_reply_done(&r);
}

void check_ca_pem(struct probe_run *p)
{
    struct chain got = CHAIN_NONE;
    struct http_reply r;
    struct err e;

    if (get(p, "/ca.pem", &r)) {
        const struct chain *want = &p->plan->trust->roots;
        if (r.status != 200)
            run_fail(p, "/ca.pem is answered with %u", r.status);
        else if (chain_parse_file(buf_span(&r.body), &got, &e) != 0)
            run_fail(p, "/ca.pem holds no certificate: %.250s", e.text);
        else if (want->n == 0 || strcmp(got.v[0]->sha256, want->v[0]->sha256) != 0)
            run_fail(p, "/ca.pem is another certificate than the one to trust");
        else
            run_pass(p, "%.200s", got.v[0]->subject);
    }
    chain_done(&got);
    http_reply_done(&r);
}

void check_redirect(struct probe_run *p)
{
    struct http_reply r;

    if (get(p, "/", &r)) {
        if (r.status / 100 == 3 && span_starts_nocase(span_cstr(r.location), SPAN("https://")))
            run_pass(p, "%u to %.200s", r.status, r.location);
        else if (r.status == 403)
            run_pass(p, "refused; there is no https endpoint to lead to");
        else
            run_fail(p, "/ in clear is answered with %u and not led to https", r.status);
    }
    http_reply_done(&r);
}
