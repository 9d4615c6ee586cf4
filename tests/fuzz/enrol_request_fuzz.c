/* Requests of those who enrol: as they come, and signed by an account as if they meant it, so that
 * what stands behind the signature is reached. First byte: 0 raw, else the row of `paths`; EST too. */
#include "base/log.h"
#include "enrol/world_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);

static const char *const paths[] = {
    "/acme/new-account", "/acme/account/1",        "/acme/account/1/orders", "/acme/key-change",
    "/acme/new-order",   "/acme/order/1",          "/acme/order/1/finalize", "/acme/authz/1",
    "/acme/challenge/1", "/acme/certificate/03e9", "/acme/revoke-cert",
};

static void check_answer(const struct world *w)
{
    struct buf text BUF_AUTO = BUF(256 * 1024);
    struct enrol_answer a;

    CHECK(w->answer.status >= 200 && w->answer.status < 600);
    wr_enrol_answer(&text, &w->answer);
    CHECK(rd_enrol_answer(buf_span(&text), &a)); /* nothing in it that HTTP cannot carry */
    if (strcmp(w->answer.type, "application/json") == 0 && w->body.n) {
        json_t *v = json_loadb(w->body.p, w->body.n, 0, NULL);
        CHECK(v);
        json_decref(v);
    }
}

static void est(struct world *w, const char *path, struct span body)
{
    struct enrol_request q = {.method = "POST",
                              .content_type = "application/pkcs10",
                              .base = BASE,
                              .account = "alice@a.test",
                              .body = body};

    snprintf(q.path, sizeof(q.path), "%s", path);
    buf_clear(&w->body);
    enrol_handle(w->enrol, &q, &w->answer, &w->body);
    q.account[0] = '\0';
    q.certificate = span_head(body, ENROL_CERTIFICATE_MAX);
    buf_clear(&w->body);
    enrol_handle(w->enrol, &q, &w->answer, &w->body);
    check_answer(w);
}

static void raw(struct world *w, struct span in)
{
    size_t line = span_find(in, '\n');
    char path[ENROL_PATH_MAX + 1] = "/acme/new-order";

    if (line != SPAN_NONE && span_to_cstr(span_head(in, line), path, sizeof(path)))
        in = span_skip(in, line + 1);
    world_ask(w, "GET", path, "", SPAN_EMPTY);
    check_answer(w);
    world_ask(w, "POST", path, "application/jose+json", in);
    check_answer(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    struct world w;
    struct span rest = span_of(in, n);

    if (n < 1 || n > 16384)
        return 0;
    log_set_level(LOG_LEVEL_ERROR);
    world_open(&w, "require_eab = false;");
    rest = span_skip(rest, 1);
    if (in[0] == 0) {
        raw(&w, rest);
    } else if (in[0] > ARRAY_LEN(paths)) {
        est(&w, in[0] & 1 ? "/.well-known/est/simpleenroll" : "/.well-known/est/simplereenroll",
            rest);
    } else {
        char *payload = span_dup(rest);
        world_register(&w);
        if (in[0] != 1)
            CHECK(world_post(&w, "/acme/new-order",
                             "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"www.a.test\"}]}") ==
                  201);
        if (in[0] == 7) { /* finalize: what it needs */
            CHECK(world_post(&w, "/acme/challenge/1", "{}") == 200);
            world_run_waiting(&w);
        }
        if (in[0] == 1) {
            EVP_PKEY_free(w.key);
            w.key = make_key();
            w.account[0] = '\0';
        }
        world_post(&w, paths[in[0] - 1], payload);
        check_answer(&w);
        free(payload);
    }
    world_close(&w);
    return 0;
}
