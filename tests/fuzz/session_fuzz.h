/*
 * session_fuzz.h: the input is what a client says in one connection to the real engine, protocol
 * and store of tests/session. Included by one harness a protocol.
 */
#ifndef FUZZ_SESSION_FUZZ_H
#define FUZZ_SESSION_FUZZ_H

#include "base/check.h"
#include "base/log.h"
#include "line/worker.h"
#include "session/world.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct fuzzed {
    const char *protocol, *policy, *kind;
    const char *options[4];     /* of the virtual server */
    const char *before, *after; /* said around the input */
};

static struct {
    const struct fuzzed *f;
    struct world *w;
    struct span in;
} fuzz;

static void fuzz_start(void *arg)
{
    world_start(fuzz.w);
    loop_stop(fuzz.w->loop);
}

static void fuzz_speak(void *arg)
{
    struct conn_params p = {.loop = fuzz.w->loop, .in_max = 1 << 20, .write_timeout_ms = 10000};
    struct conn_client_tls t = {.context = fuzz.w->client_tls, .name = "localhost"};
    uint64_t session;
    struct conn *c = conn_new(world_connect(fuzz.w, &session), &p);

    if (fuzz.w->endpoint_policy == POLICY_TLS_ONLY)
        CHECK(conn_connect_tls(c, &t, 10000) == 0);
    conn_put(c, span_cstr(fuzz.f->before));
    conn_put(c, fuzz.in);
    conn_put(c, span_cstr(fuzz.f->after));
    conn_shutdown(c); /* reads what is said until the server closes */
    conn_free(c);
    for (int i = 0; fuzz.w->worker->session_count; i++) {
        CHECK(i < 20000); /* a session that never ends */
        fiber_sleep_ms(1);
    }
    loop_stop(fuzz.w->loop);
}

static void fuzz_begin(const struct fuzzed *f)
{
    log_set_level(LOG_LEVEL_ERROR);
    fuzz.f = f;
    fuzz.w = world_new(f->protocol);
    CHECK(world_policy(fuzz.w, span_cstr(f->policy)));
    if (f->kind)
        CHECK(world_smtp_kind(fuzz.w, span_cstr(f->kind)));
    for (size_t i = 0; i < ARRAY_LEN(f->options) && f->options[i]; i++)
        world_option(fuzz.w, span_cstr(f->options[i]));
    fiber_start(fuzz.w->loop, fuzz_start, NULL, "start");
    loop_run(fuzz.w->loop);
}

static void fuzz_one(const struct fuzzed *f, const uint8_t *data, size_t n)
{
    if (!fuzz.w)
        fuzz_begin(f);
    fuzz.in = span_of(data, n);
    fiber_start(fuzz.w->loop, fuzz_speak, NULL, "client");
    loop_run(fuzz.w->loop);
}

#define FUZZ_SESSION(...)                                                                          \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);                                     \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)                                      \
    {                                                                                              \
        static const struct fuzzed f = {__VA_ARGS__};                                              \
        fuzz_one(&f, data, n);                                                                     \
        return 0;                                                                                  \
    }

#endif
