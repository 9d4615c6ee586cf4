/*
 * measure: what a handshake costs and what an idle TLS connection holds. Three processes as in
 * life: the server (a sessiond's part), keyd, and a client whose cost does not count.
 *
 *     keyd.measure [handshakes [idle connections]]
 *     keyd.measure rate [pairs [seconds]]     keys at keyd against keys in the process, with many clients
 *     keyd.measure swap [handshakes [swaps]]  so many are under way while the certificate is swapped
 *
 * The key in the process is this program's alone: sessiond has no way to hold one.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "pki/key.h"
#include "proc/keyd/engine/engine.h"
#include "proc/keyd/measure/measure.h"
#include "tls/conn.h"
#include "tls/context_internal.h"
#include "tls/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct conf_endpoint endpoint = {"127.0.0.1", 993, POLICY_TLS_ONLY};
struct conf_vserver measure_vserver = {.name = "measure"};

double measure_cpu(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* CPU of another process so far, in microseconds (clock ticks of 10 ms). */
double measure_cpu_of(pid_t pid)
{
    char path[40], text[600], *p;
    unsigned long user = 0, system = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    f = fopen(path, "r");
    if (f == NULL)
        return 0;
    p = fgets(text, sizeof text, f) != NULL ? strrchr(text, ')') : NULL;
    fclose(f);
    if (p != NULL)
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static long pss_kib(void)
{
    char line[200];
    long kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Pss: %ld", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kib;
}

/* --- keyd */

static _Noreturn void keyd_main(const char *folder, int access_fd, int certd_fd)
{
    struct loop *l = loop_new();
    struct err e;
    struct keyd *engine = keyd_open(l, open(folder, O_RDONLY | O_DIRECTORY), &e);
    struct link_ops ops = {keyd_handlers, NULL, engine};

    CHECK(engine != NULL);
    link_new(l, access_fd, ROLE_KEYD, ROLE_ACCESS, 0, &ops);
    link_new(l, certd_fd, ROLE_KEYD, ROLE_CERTD, 0, &ops);
    loop_run(l); /* until it is ended by its id */
    _exit(0);
}

/* --- client */

int measure_connect(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    /* as mail clients do: the first command does not wait for the ACK of the Finished */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (connect(fd, (const struct sockaddr *)(const void *)to, sizeof *to) < 0)
        usleep(1000);
    return fd;
}

static void client_once(SSL_CTX *ctx, const struct sockaddr_in *to, bool keep)
{
    int fd = measure_connect(to);
    SSL *ssl = SSL_new(ctx);
    char byte;

    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1 || SSL_write(ssl, "x", 1) != 1 || SSL_read(ssl, &byte, 1) != 1) {
        ERR_print_errors_fp(stderr);
        _exit(1);
    }
    if (keep)
        return; /* leaks on purpose: the connection stays */
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static pid_t client_start(const struct sockaddr_in *to, unsigned n, bool keep, bool v12)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (v12)
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    for (unsigned i = 0; i < n; i++)
        client_once(ctx, to, keep);
    if (keep)
        pause();
    _exit(0);
}

/* All connections first, each with its ClientHello sent; then all handshakes to their end. */
static _Noreturn void crowd(const struct sockaddr_in *to, unsigned n)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL **all = calloc(n, sizeof(SSL *));
    unsigned left = n, failed = 0;

    CHECK(all != NULL);
    for (unsigned i = 0; i < n; i++) {
        int fd = measure_connect(to);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        all[i] = SSL_new(ctx);
        SSL_set_fd(all[i], fd);
        SSL_connect(all[i]); /* the hello is gone; the answer is not awaited */
        ERR_clear_error();
    }
    while (left > 0) {
        for (unsigned i = 0; i < n; i++) {
            int r, why;
            if (all[i] == NULL)
                continue;
            ERR_clear_error();
            r = SSL_connect(all[i]);
            why = r == 1 ? 0 : SSL_get_error(all[i], r);
            if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
                continue;
            failed += why != 0;
            if (why == 0)
                SSL_write(all[i], "x", 1);
            left--;
            all[i] = NULL; /* leaks on purpose: the server ends it */
        }
        usleep(1000);
    }
    sleep(1); /* the server reads what was sent */
    _exit(failed > 0);
}

/* --- server */

static struct link *server_keyd(void *arg)
{
    struct server *s = arg;
    return s->keyd;
}

static void on_idle_event(void *arg, int events)
{
}

struct session {
    struct server *s;
    int fd;
};

static void session_main(void *arg)
{
    struct session *session = arg;
    struct server *s = session->s;
    struct conn_params p = {.loop = s->loop, .tls = s->context, .endpoint = &endpoint};
    struct conn *c = conn_new(session->fd, &p);
    struct conn_tls_info info;

    free(session);
    CHECK(conn_accept_tls(c, 10000) == 0);
    conn_tls_info(c, &info);
    CHECK(conn_fill(c, 10000) == 1);
    conn_consume(c, 1);
    CHECK(conn_put(c, SPAN("y")) == 0 && conn_flush(c) == 0);
    if (s->keep) {
        conn_idle(c, 600000, on_idle_event, NULL);
        s->kept[s->seen] = c;
    } else {
        conn_fill(c, 10000);
        conn_shutdown(c);
        conn_free(c);
    }
    if (++s->seen == s->want)
        loop_stop(s->loop);
}

/* Every so many handshakes the other certificate takes the place of the one that is shown. */
static void crowd_session(void *arg)
{
    struct session *session = arg;
    struct server *s = session->s;
    struct conn_params p = {.loop = s->loop, .tls = s->context, .endpoint = &endpoint};
    struct conn *c = conn_new(session->fd, &p);

    free(session);
    if (++s->at_once > s->most)
        s->most = s->at_once;
    if (conn_accept_tls(c, 600000) < 0 || conn_fill(c, 600000) != 1) {
        fprintf(stderr, "failed: %s\n", conn_error(c));
        s->failed++;
    }
    s->at_once--;
    conn_free(c);
    if (++s->seen % s->swap_every == 0) {
        struct tls_context *before = s->other;
        s->other = tls_context_new(&measure_vserver, NULL, false);
        tls_context_take_identities(s->other,
                                    s->context); /* what is shown now, for the next swap */
        tls_context_take_identities(s->context, before);
        tls_context_unref(before);
        s->swaps++;
    }
    if (s->seen == s->want)
        loop_stop(s->loop);
}

static void on_accept(void *arg, int events)
{
    struct server *s = arg;
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct session *session;

    if (fd < 0)
        return;
    session = malloc(sizeof *session);
    *session = (struct session){s, fd};
    fiber_start(s->loop, s->swap_every ? crowd_session : session_main, session, "session");
}

static struct key_info made;
static const char *made_type;

static void make_key(void *arg)
{
    struct server *s = arg;
    struct link *keep = s->keyd;

    s->keyd = s->certd;
    CHECK(key_create("vserver/measure", made_type, KEY_TLS_SERVER, false, &made) == 0);
    s->keyd = keep;
    loop_stop(s->loop);
}

void measure_use_keyd(struct server *s, const char *type)
{
    struct buf chain BUF_AUTO = BUF(65536);
    const unsigned char *p;
    unsigned char *der = NULL;
    struct err e;

    made_type = type;
    fiber_start(s->loop, make_key, s, "make");
    loop_run(s->loop);
    p = made.spki;
    EVP_PKEY *pub = d2i_PUBKEY(NULL, &p, made.spki_bytes);
    X509 *x = tls_harness_issued(pub, &measure_vserver);
    int n = i2d_X509(x, &der);
    wr_span(&chain, span_of(der, (size_t)n));
    tls_context_unref(s->context);
    s->context = tls_context_new(&measure_vserver, NULL, false);
    CHECK(tls_context_identity(s->context, TLS_SLOT_CURRENT, buf_span(&chain), made.id, &e) == 0);
    OPENSSL_free(der);
    X509_free(x);
    EVP_PKEY_free(pub);
}

static void handshakes(struct server *s, const struct sockaddr_in *a, const char *what, unsigned n,
                       pid_t keyd, bool v12)
{
    pid_t client;
    double cpu, keyd_cpu, wall;

    s->want = s->seen = 0;
    s->want = n / 10;
    client = client_start(a, n / 10, false, v12); /* warm */
    loop_run(s->loop);
    waitpid(client, NULL, 0);
    s->seen = 0;
    s->want = n;
    cpu = measure_cpu(RUSAGE_SELF);
    keyd_cpu = measure_cpu_of(keyd);
    wall = (double)clock_mono_us();
    client = client_start(a, n, false, v12);
    loop_run(s->loop);
    wall = (double)clock_mono_us() - wall;
    cpu = measure_cpu(RUSAGE_SELF) - cpu;
    keyd_cpu = measure_cpu_of(keyd) - keyd_cpu;
    waitpid(client, NULL, 0);
    printf("%-32s %7.0f /s   %6.1f us server + %5.1f us keyd\n", what, n * 1e6 / wall, cpu / n,
           keyd_cpu / n);
    fflush(stdout);
}

/* The least that OpenSSL can do it for: the same context, no loop, one blocking connection after
 * the other. */
static void bare(struct server *s, const struct sockaddr_in *a, unsigned n)
{
    pid_t client = client_start(a, n + n / 10, false, false);
    double cpu = 0;
    char byte;

    fcntl(s->listener, F_SETFL, 0);
    for (unsigned i = 0; i < n + n / 10; i++) {
        int fd;
        if (i == n / 10)
            cpu = measure_cpu(RUSAGE_SELF);
        fd = accept(s->listener, NULL, NULL);
        SSL *ssl = tls_context_ssl(s->context, TLS_SLOT_CURRENT);
        SSL_set_fd(ssl, fd);
        CHECK(SSL_accept(ssl) == 1 && SSL_read(ssl, &byte, 1) == 1 && SSL_write(ssl, "y", 1) == 1);
        SSL_read(ssl, &byte, 1);
        SSL_shutdown(ssl);
        SSL_free(ssl);
        close(fd);
    }
    cpu = measure_cpu(RUSAGE_SELF) - cpu;
    waitpid(client, NULL, 0);
    fd_nonblock(s->listener);
    printf("%-32s              %6.1f us server\n", "TLS 1.3 P-256, bare OpenSSL", cpu / n);
}

static int swap(struct server *s, const struct sockaddr_in *a, unsigned n, unsigned swaps)
{
    pid_t client;
    int status;

    measure_use_keyd(s, "p256");
    s->other = s->context;
    s->context = NULL;
    measure_use_keyd(s, "rsa2048");
    s->want = n;
    s->swap_every = n / swaps > 0 ? n / swaps : 1;
    if ((client = fork()) == 0)
        crowd(a, n);
    loop_run(s->loop);
    waitpid(client, &status, 0);
    tls_context_unref(s->other);
    tls_context_unref(s->context);
    printf("%u handshakes, up to %u at once, %u swaps: %u failed here, the clients saw %s\n", n,
           s->most, s->swaps, s->failed,
           WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "none fail" : "some fail");
    return s->failed > 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    bool rate_mode = strcmp(mode, "rate") == 0, swap_mode = strcmp(mode, "swap") == 0;
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 3000;
    unsigned idle = argc > 2 ? (unsigned)atoi(argv[2]) : 2000;
    char folder[] = "/tmp/keyd-measure-XXXXXX", command[80];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const struct msg_handler none[] = {
        {0, NULL, false}
    };
    struct link_ops ops = {none, NULL, NULL};
    struct server s = {0};
    struct rlimit files = {65536, 65536};
    socklen_t len = sizeof a;
    int access_fds[2], certd_fds[2];
    pid_t keyd, client;

    setrlimit(RLIMIT_NOFILE, &files);
    CHECK(mkdtemp(folder) != NULL);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, access_fds) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, certd_fds) == 0);
    keyd = fork();
    if (keyd == 0) {
        close(access_fds[0]);
        close(certd_fds[0]);
        keyd_main(folder, access_fds[1], certd_fds[1]);
    }
    close(access_fds[1]);
    close(certd_fds[1]);
    s.loop = loop_new();
    s.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(bind(s.listener, (struct sockaddr *)(void *)&a, sizeof a) == 0 &&
          listen(s.listener, 1024) == 0);
    CHECK(getsockname(s.listener, (struct sockaddr *)(void *)&a, &len) == 0);
    s.watch = watch_new(s.loop, s.listener, on_accept, &s);
    watch_set(s.watch, WATCH_READ);
    s.keyd = link_new(s.loop, access_fds[0], ROLE_ACCESS, ROLE_KEYD, 0, &ops);
    s.certd = link_new(s.loop, certd_fds[0], ROLE_CERTD, ROLE_KEYD, 0, &ops);
    key_provider_init(server_keyd, &s);
    tls_harness_tickets();

    s.context = tls_harness_context(&measure_vserver, "p256", NULL);
    if (rate_mode || swap_mode) {
        int r = 0;
        if (rate_mode)
            measure_rates(&s, &a, keyd, argc > 2 ? (unsigned)atoi(argv[2]) : 9,
                          argc > 3 ? atof(argv[3]) : 1.5);
        else
            r = swap(&s, &a, argc > 2 ? (unsigned)atoi(argv[2]) : 10000,
                     argc > 3 ? (unsigned)atoi(argv[3]) : 100);
        kill(keyd, SIGKILL);
        waitpid(keyd, NULL, 0);
        snprintf(command, sizeof command, "rm -rf %s", folder);
        return system(command) != 0 || r != 0;
    }
    bare(&s, &a, n);
    handshakes(&s, &a, "TLS 1.3 P-256, key in process", n, keyd, false);
    measure_use_keyd(&s, "p256");
    handshakes(&s, &a, "TLS 1.3 P-256, keyd", n, keyd, false);
    handshakes(&s, &a, "TLS 1.2 P-256, keyd", n, keyd, true);
    measure_use_keyd(&s, "ed25519");
    handshakes(&s, &a, "TLS 1.3 Ed25519, keyd", n, keyd, false);
    measure_use_keyd(&s, "rsa2048");
    handshakes(&s, &a, "TLS 1.3 RSA-2048, keyd", n / 2, keyd, false);
    measure_use_keyd(&s, "p256");

    s.kept = calloc(idle, sizeof(struct conn *));
    s.keep = true;
    s.want = idle / 10;
    s.seen = 0;
    client = client_start(&a, idle / 10, true, false); /* pools and tables grow first */
    loop_run(s.loop);
    for (unsigned i = 0; i < s.seen; i++)
        conn_free(s.kept[i]);
    kill(client, SIGKILL);
    waitpid(client, NULL, 0);
    malloc_trim(0);
    long before = pss_kib();
    s.want = idle;
    s.seen = 0;
    client = client_start(&a, idle, true, false);
    loop_run(s.loop);
    malloc_trim(0);
    long after = pss_kib();
    printf("idle TLS connection               %6.1f KiB (PSS %ld → %ld KiB, %u connections)\n",
           (double)(after - before) / idle, before, after, idle);
    kill(client, SIGKILL);
    waitpid(client, NULL, 0);
    kill(keyd, SIGKILL);
    waitpid(keyd, NULL, 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}
