#include "load.h"

#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct options opt = {.conns = 1,
                      .ops = 1000,
                      .seconds = 60,
                      .bytes = 10240,
                      .user = "u#@example.test",
                      .password = "",
                      .mailbox = "INBOX",
                      .items = "FLAGS"};

static const struct driver *driver;
static atomic_int left;
static uint64_t deadline_us;
static pthread_barrier_t begun, go, done, closing;

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "bench_load: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    _exit(1);
}

uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void worker_name(struct worker *w, unsigned number)
{
    const char *mark = strchr(opt.user, '#');

    if (mark)
        snprintf(w->user, sizeof w->user, "%.*s%u%s", (int)(mark - opt.user), opt.user, number,
                 mark + 1);
    else
        snprintf(w->user, sizeof w->user, "%s", opt.user);
}

static void sample(struct worker *w, uint64_t us)
{
    if (w->sample_count == w->sample_room) {
        w->sample_room = w->sample_room ? 2 * w->sample_room : 1024;
        w->samples = realloc(w->samples, w->sample_room * sizeof *w->samples);
    }
    w->samples[w->sample_count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void *work(void *arg)
{
    struct worker *w = arg;

    driver->begin(w);
    for (unsigned i = 0; i < opt.warm && driver->op; i++)
        driver->op(w);
    w->units = w->resumed = 0;
    pthread_barrier_wait(&begun);
    pthread_barrier_wait(&go);
    while (driver->op && atomic_fetch_sub(&left, 1) > 0) {
        uint64_t begin = now_us(), end;

        if (begin > deadline_us)
            break;
        w->mark_us = 0;
        driver->op(w);
        end = now_us();
        sample(w, end - (w->mark_us ? w->mark_us : begin));
    }
    pthread_barrier_wait(&done);
    pthread_barrier_wait(&closing);
    driver->end(w);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void print_result(struct worker *workers, double seconds, double cpu,
                         unsigned long long received)
{
    uint64_t units = 0, resumed = 0;
    unsigned count = 0, at = 0;
    uint32_t *all;

    for (unsigned i = 0; i < opt.conns; i++) {
        count += workers[i].sample_count;
        units += workers[i].units;
        resumed += workers[i].resumed;
    }
    all = calloc(count + 1, sizeof *all);
    for (unsigned i = 0; i < opt.conns; i++) {
        memcpy(all + at, workers[i].samples, workers[i].sample_count * sizeof *all);
        at += workers[i].sample_count;
    }
    qsort(all, count, sizeof *all, compare);
    printf("{\"ops\": %u, \"units\": %llu, \"resumed\": %llu, \"seconds\": %.6f, \"client_cpu\": "
           "%.6f, \"received\": %llu, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n",
           count, (unsigned long long)units, (unsigned long long)resumed, seconds, cpu, received,
           all[count / 2], all[count * 99 / 100], all[count ? count - 1 : 0]);
    fflush(stdout);
    free(all);
}

static double own_cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void run(void)
{
    struct worker *workers = calloc(opt.conns, sizeof *workers);
    pthread_t *threads = calloc(opt.conns, sizeof *threads);
    pthread_barrier_t *barriers[] = {&begun, &go, &done, &closing};
    char line[16];
    uint64_t begin_us;
    unsigned long long received;
    double cpu;

    for (unsigned i = 0; i < 4; i++)
        pthread_barrier_init(barriers[i], NULL, opt.conns + 1);
    atomic_store(&left, (int)opt.ops);
    for (unsigned i = 0; i < opt.conns; i++) {
        workers[i].number = i;
        worker_name(&workers[i], i + 1);
        if (pthread_create(&threads[i], NULL, work, &workers[i]))
            die("no thread");
    }
    pthread_barrier_wait(&begun);
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        exit(1);
    cpu = own_cpu();
    received = atomic_load(&conn_received);
    begin_us = now_us();
    deadline_us = begin_us + opt.seconds * UINT64_C(1000000);
    pthread_barrier_wait(&go);
    pthread_barrier_wait(&done);
    print_result(workers, (double)(now_us() - begin_us) / 1e6, own_cpu() - cpu,
                 atomic_load(&conn_received) - received);
    if (!fgets(line, sizeof line, stdin))
        exit(1);
    pthread_barrier_wait(&closing);
    for (unsigned i = 0; i < opt.conns; i++)
        pthread_join(threads[i], NULL);
}

static void find_driver(const char *name)
{
    const struct driver *const tables[] = {imap_drivers, smtp_drivers, pop3_drivers, nntp_drivers};

    for (unsigned t = 0; t < 4; t++) {
        for (const struct driver *d = tables[t]; d->name; d++) {
            if (!strcmp(d->name, name))
                driver = d;
        }
    }
    if (!driver)
        die("no driver %s", name);
}

/* Options are rows: a number or a text and its place. */
static const struct {
    const char *name;
    unsigned *number;
    const char **text;
} rows[] = {
    {"port",     &opt.port,     NULL         },
    {"conns",    &opt.conns,    NULL         },
    {"sessions", &opt.sessions, NULL         },
    {"ops",      &opt.ops,      NULL         },
    {"warm",     &opt.warm,     NULL         },
    {"seconds",  &opt.seconds,  NULL         },
    {"bytes",    &opt.bytes,    NULL         },
    {"pause",    &opt.pause,    NULL         },
    {"per",      &opt.per,      NULL         },
    {"messages", &opt.messages, NULL         },
    {"user",     NULL,          &opt.user    },
    {"password", NULL,          &opt.password},
    {"mailbox",  NULL,          &opt.mailbox },
    {"items",    NULL,          &opt.items   },
};

int main(int argc, char **argv)
{
    struct rlimit files = {100000, 100000};

    if (argc < 2)
        die("usage: bench_load DRIVER [OPTION=VALUE]... [tls|starttls|resume|lmtp]");
    find_driver(argv[1]);
    for (int i = 2; i < argc; i++) {
        size_t length = strcspn(argv[i], "=");
        bool known = true;

        if (!strcmp(argv[i], "tls"))
            opt.security = TLS;
        else if (!strcmp(argv[i], "starttls"))
            opt.security = STARTTLS;
        else if (!strcmp(argv[i], "resume"))
            opt.resume = true;
        else if (!strcmp(argv[i], "lmtp"))
            opt.lmtp = true;
        else
            known = false;
        for (unsigned r = 0; r < sizeof rows / sizeof *rows && !known && argv[i][length]; r++) {
            if (strlen(rows[r].name) != length || strncmp(rows[r].name, argv[i], length))
                continue;
            known = true;
            if (rows[r].number)
                *rows[r].number = (unsigned)atoi(argv[i] + length + 1);
            else
                *rows[r].text = argv[i] + length + 1;
        }
        if (!known)
            die("no option %s", argv[i]);
    }
    setrlimit(RLIMIT_NOFILE, &files);
    run();
    return 0;
}
