#include "base/check.h"
#include "base/clock.h"
#include "proc/keyd/measure/measure.h"
#include "tls/harness.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 8, PAIRS_MAX = 99, CALIBRATE = 400, RESUMED_ROUNDS = 3 };

/* One connection after the other. With `resume` each handshake but the first is a resumption; one that is not ends it. */
static _Noreturn void client(const struct sockaddr_in *to, unsigned n, bool resume)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_SESSION *session = NULL;

    for (unsigned k = 0; k < n; k++) {
        int fd = measure_connect(to);
        SSL *ssl = SSL_new(ctx);
        char byte;
        if (session != NULL)
            SSL_set_session(ssl, session);
        SSL_set_fd(ssl, fd);
        if (SSL_connect(ssl) != 1 || SSL_write(ssl, "x", 1) != 1 || SSL_read(ssl, &byte, 1) != 1 ||
            (session != NULL && !SSL_session_reused(ssl)))
            _exit(1);
        if (resume) {
            SSL_SESSION_free(session);
            session = SSL_get1_session(ssl);
        }
        SSL_shutdown(ssl);
        SSL_free(ssl);
        close(fd);
    }
    _exit(0);
}

struct figure {
    double rate, server_us, keyd_us;
};

static struct figure measure(struct server *s, const struct sockaddr_in *a, pid_t keyd, unsigned n,
                             bool resume)
{
    pid_t clients[AT_ONCE];
    struct figure f;
    double wall;

    s->seen = 0;
    s->want = n;
    f.server_us = measure_cpu(RUSAGE_SELF);
    f.keyd_us = measure_cpu_of(keyd);
    wall = (double)clock_mono_us();
    for (unsigned i = 0; i < AT_ONCE; i++)
        if ((clients[i] = fork()) == 0)
            client(a, n / AT_ONCE, resume);
    loop_run(s->loop);
    wall = (double)clock_mono_us() - wall;
    f.rate = n * 1e6 / wall;
    f.server_us = (measure_cpu(RUSAGE_SELF) - f.server_us) / n;
    f.keyd_us = (measure_cpu_of(keyd) - f.keyd_us) / n;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        int status = 0;
        CHECK(waitpid(clients[i], &status, 0) == clients[i] && status == 0);
    }
    return f;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *v, unsigned n)
{
    double sorted[PAIRS_MAX];

    memcpy(sorted, v, n * sizeof *v);
    qsort(sorted, n, sizeof *sorted, ascending);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static struct figure middle(const struct figure *v, unsigned n)
{
    double rate[PAIRS_MAX], server_us[PAIRS_MAX], keyd_us[PAIRS_MAX];

    for (unsigned i = 0; i < n; i++) {
        rate[i] = v[i].rate;
        server_us[i] = v[i].server_us;
        keyd_us[i] = v[i].keyd_us;
    }
    return (struct figure){median(rate, n), median(server_us, n), median(keyd_us, n)};
}

/* So many handshakes take about that long. */
static unsigned enough(struct server *s, const struct sockaddr_in *a, pid_t keyd, double seconds,
                       bool resume)
{
    unsigned n = (unsigned)(measure(s, a, keyd, CALIBRATE, resume).rate * seconds);

    return n < CALIBRATE ? CALIBRATE : n / AT_ONCE * AT_ONCE;
}

static void kind(struct server *s, const struct sockaddr_in *a, pid_t keyd, const char *type,
                 unsigned pairs, double seconds)
{
    struct tls_context *at[2] = {tls_harness_context(&measure_vserver, type, NULL), NULL};
    struct figure full[2][PAIRS_MAX], resumed[2][RESUMED_ROUNDS], m[4];
    double ratio[PAIRS_MAX];
    unsigned n;

    measure_use_keyd(s, type); /* takes the place of the context before */
    at[1] = s->context;
    n = enough(s, a, keyd, seconds, false);
    for (unsigned i = 0; i < pairs; i++) {
        for (unsigned k = 0; k < 2; k++) {
            unsigned where = (i + k) % 2; /* neither is always the first */
            s->context = at[where];
            full[where][i] = measure(s, a, keyd, n, false);
        }
        ratio[i] = full[1][i].rate / full[0][i].rate;
    }
    n = enough(s, a, keyd, seconds, true);
    for (unsigned i = 0; i < 2 * RESUMED_ROUNDS; i++) {
        s->context = at[i % 2];
        resumed[i % 2][i / 2] = measure(s, a, keyd, n, true);
    }
    for (unsigned k = 0; k < 2; k++) {
        m[k] = middle(full[k], pairs);
        m[2 + k] = middle(resumed[k], RESUMED_ROUNDS);
    }
    s->context = at[1];
    tls_context_unref(at[0]);
    printf("| %s | %.0f/s | %.0f/s | %.2f | %.0f µs | %.0f + %.0f µs | %.0f/s | %.0f/s |\n", type,
           m[0].rate, m[1].rate, median(ratio, pairs), m[0].server_us, m[1].server_us, m[1].keyd_us,
           m[2].rate, m[3].rate);
    fflush(stdout);
}

void measure_rates(struct server *s, const struct sockaddr_in *a, pid_t keyd, unsigned pairs,
                   double seconds)
{
    static const char *const types[] = {"p256", "rsa2048"};

    pairs = pairs < 1 ? 1 : pairs > PAIRS_MAX ? PAIRS_MAX : pairs;
    printf("| key | in the worker | at keyd | ratio | CPU, in the worker | CPU, worker + keyd | "
           "resumed, in the worker | resumed, at keyd |\n"
           "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (unsigned t = 0; t < ARRAY_LEN(types); t++)
        kind(s, a, keyd, types[t], pairs, seconds);
}
