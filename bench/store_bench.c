/*
 * store_bench: what the store costs, through the real link, with stored in a process of its own:
 * durable appends with 1 and 32 in flight, one flag at a time, and reading the index. CPU is that
 * of both processes.
 *
 *     store_bench [FOLDER [SECONDS [PHASE]]]      FOLDER should be on a real disk; default: a
 * temporary folder in the working directory
 */
#include "store/harness/store_process.h"
#include "store/store_harness.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALICE UINT64_C(16)
enum { BODY_BYTES = 10240, SAMPLES = 1 << 20 };

static const struct store_process_options options = {UINT64_C(64) << 30, 256 << 20, 0, 0, 0};
static char root[200];
static struct store_process_client worker;
static pid_t pid;
static struct buf grant = BUF(STORE_GRANT_MAX);
static uint64_t inbox;
static char body[BODY_BYTES];
static unsigned running, seconds = 4;
static uint64_t done, stop_us;
static uint32_t appended; /* the last UID */
static uint32_t samples[SAMPLES];

static double cpu_us(void)
{
    char path[64], text[1024];
    unsigned long long ticks[2] = {0, 0};
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    double own = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
                 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    /* Ticks of 10 ms: over seconds that is exact enough. */
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f && fgets(text, sizeof(text), f)) {
        char *p = strrchr(text, ')');
        if (p)
            sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &ticks[0],
                   &ticks[1]);
    }
    if (f)
        fclose(f);
    return own + (double)(ticks[0] + ticks[1]) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void report(const char *what, uint64_t count, double us, double cpu)
{
    size_t n = count < SAMPLES ? count : SAMPLES;

    qsort(samples, n, sizeof(samples[0]), by_value);
    printf("%-28s %8.0f /s  %7.1f us CPU each  p50 %5u us  p99 %6u us\n", what,
           (double)count / us * 1e6, cpu / (double)count, n ? samples[n / 2] : 0,
           n ? samples[n * 99 / 100] : 0);
    fflush(stdout);
}

static void append_fiber(void *arg)
{
    while (clock_mono_us() < stop_us) {
        struct store_append a = {.grant = buf_span(&grant), .mailbox = inbox};
        struct store_appended ret;
        struct store_body *b;
        uint64_t from = clock_mono_us();
        CHECK(store_body_begin(worker.store, BODY_BYTES, 1 << 20, &b) == 0);
        CHECK(store_body_write(b, span_of(body, sizeof(body))) == 0);
        CHECK(store_body_finish(b) == 0);
        CHECK(store_append(worker.store, b, &a, &ret) == 0);
        appended = ret.uid;
        store_body_free(b);
        samples[done++ % SAMPLES] = (uint32_t)(clock_mono_us() - from);
    }
    running--;
}

static void flag_fiber(void *arg)
{
    static unsigned fibers;
    uint32_t first = 1 + fibers++ % 32, uid = first;
    enum store_flag_op op = FLAGS_ADD;

    while (clock_mono_us() < stop_us) {
        struct range r = {uid, uid};
        struct rangeset one = {&r, 1, 1};
        struct store_flags f = {.grant = buf_span(&grant),
                                .mailbox = inbox,
                                .uids = &one,
                                .op = op,
                                .flags = STORE_FLAGGED,
                                .unchanged_since = UINT64_MAX};
        uint64_t from = clock_mono_us();
        CHECK(store_flags(worker.store, &f, NULL, NULL) == 0);
        samples[done++ % SAMPLES] = (uint32_t)(clock_mono_us() - from);
        /* No two fibers meet, and each request changes something. */
        uid += 32;
        if (uid > appended) {
            uid = first;
            op = op == FLAGS_ADD ? FLAGS_REMOVE : FLAGS_ADD;
        }
    }
    running--;
}

static void measure(const char *what, fiber_fn fn, unsigned fibers)
{
    uint64_t from = clock_mono_us();
    double cpu = cpu_us();

    done = 0;
    stop_us = from + seconds * UINT64_C(1000000);
    for (unsigned i = 0; i < fibers; i++) {
        running++;
        fiber_start(worker.loop, fn, NULL, "bench");
    }
    while (running)
        fiber_sleep_ms(2);
    report(what, done, (double)(clock_mono_us() - from), cpu_us() - cpu);
}

static void reading(void)
{
    struct store_cursor c;
    struct message_info m;
    struct store_read r;
    uint64_t n = 0, sum = 0, from = clock_mono_us();

    CHECK(store_read_begin(worker.store, &r) == 0);
    for (int round = 0; round < 20; round++) {
        CHECK(store_cursor_open(&r, inbox, 1, &c) == 0);
        while (store_cursor_next(&c, &m)) {
            sum += m.flags + m.size;
            n++;
        }
        store_cursor_close(&c);
    }
    store_read_end(&r);
    printf("%-28s %8.3f us each (%llu rows)\n", "store_cursor_next",
           (double)(clock_mono_us() - from) / (double)n, (unsigned long long)n);
    if (sum == 1)
        printf("!\n");
    from = clock_mono_us();
    for (int i = 0; i < 200000; i++) {
        CHECK(store_read_begin(worker.store, &r) == 0);
        store_read_end(&r);
    }
    printf("%-28s %8.3f us each\n", "store_read_begin + end",
           (double)(clock_mono_us() - from) / 2e5);
    struct arena *a = arena_new(1 << 20);
    struct summary s;
    CHECK(store_read_begin(worker.store, &r) == 0 && store_message_get(&r, inbox, 1, &m) == 0);
    store_read_end(&r);
    from = clock_mono_us();
    for (int i = 0; i < 200000; i++) {
        arena_reset(a);
        CHECK(store_summary(worker.store, &m, a, &s) == 0);
    }
    printf("%-28s %8.3f us each\n", "store_summary", (double)(clock_mono_us() - from) / 2e5);
    arena_free(a);
}

static const struct {
    const char *name;
    fiber_fn fn;
    unsigned fibers;
} phases[] = {
    {"append 10 KiB, 1 in flight",  append_fiber, 1 },
    {"append 10 KiB, 32 in flight", append_fiber, 32},
    {"one flag, 1 in flight",       flag_fiber,   1 },
    {"one flag, 32 in flight",      flag_fiber,   32},
};
static const char *only; /* part of a phase's name */

static void bench(void *arg)
{
    struct mailbox_info m;
    struct store_read r;

    while (!store_is_attached(worker.store))
        fiber_sleep_ms(1);
    CHECK(store_read_begin(worker.store, &r) == 0);
    CHECK(store_mailbox_find(&r, ALICE, SPAN("INBOX"), &m) == 0);
    inbox = m.id;
    store_read_end(&r);
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        if (!only || i == 1 || strstr(phases[i].name, only))
            measure(phases[i].name, phases[i].fn, phases[i].fibers);
    if (!only)
        reading();
    loop_stop(worker.loop);
}

int main(int argc, char **argv)
{
    struct grant g = {.account = ALICE, .rights = GRANT_MAIL, .epoch = 1};
    int fd;

    store_process_main(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    snprintf(root, sizeof(root), "%s/store-bench-XXXXXX", argc > 1 ? argv[1] : ".");
    if (argc > 2)
        seconds = (unsigned)atoi(argv[2]);
    only = argc > 3 ? argv[3] : NULL;
    CHECK(mkdtemp(root));
    int n =
        snprintf(body, sizeof(body),
                 "From: a@example.org\r\nTo: b@example.org\r\nSubject: bench\r\n"
                 "Date: Tue, 24 Nov 2026 05:29:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n");
    for (size_t i = (size_t)n; i < sizeof(body); i++)
        body[i] = i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : (char)('a' + i % 26);
    CHECK(store_process_prepare(root, &options, 1) == 0);
    g.expires_seconds = clock_seconds() + 3600;
    grant_seal(&g, store_harness_secret, &grant);
    worker.loop = loop_new();
    worker.store = store_open(worker.loop, root, options.map_bytes, 8 << 20, 64 << 20);
    CHECK(worker.store);
    pid = store_process_start(root, &options, &fd);
    store_process_attach(&worker, fd);
    fiber_start(worker.loop, bench, NULL, "bench");
    loop_run(worker.loop);
    store_process_detach(&worker);
    waitpid(pid, NULL, 0);
    store_close(worker.store);
    loop_free(worker.loop);
    buf_done(&grant);
    fflush(stdout);
    execlp("rm", "rm", "-rf", root, (char *)NULL);
    return 1;
}
