/*
 * stored is killed (SIGKILL) again and again while sixteen sessions append. Everything that was
 * acknowledged is there with its own text, and nothing twice: a request that was repeated after the
 * restart got its first answer. Two of three messages are removed again, so that log files are
 * compacted all the time; in the end `store check` finds nothing. CRASH_ROUNDS sets how often
 * (default 12).
 */
#include "store/check.h"
#include "store/harness/store_process.h"
#include "store/store_harness.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SESSIONS = 16, APPENDS_MAX = 200000 };
#define ALICE UINT64_C(16)

static const struct store_process_options options = {UINT64_C(4) << 30, 1 << 20, 40, 200, 90};
static char root[] = "/tmp/sealpost-kill-XXXXXX";
static struct store_process_client worker;
static pid_t pid;
static struct buf grant = BUF(STORE_GRANT_MAX);
static uint64_t inbox, archive;
static uint32_t uid_of[APPENDS_MAX + 1];           /* by number; 0: not acknowledged */
static unsigned appended, failed, running, copies; /* copies of what was removed */
static bool stopping;

static void start(void)
{
    int fd;

    pid = store_process_start(root, &options, &fd);
    store_process_attach(&worker, fd);
}

static int text_of(unsigned number, char *room, size_t size)
{
    int n = snprintf(room, size, "From: a@example.org\r\nSubject: number %u\r\n\r\n", number);
    /* Of many lengths, so that records cross every kind of border. */
    size_t more = number * 2654435761U % 9000;
    memset(room + n, 'a' + (int)(number % 26), more);
    memcpy(room + n + more, "\r\n", 2);
    return n + (int)more + 2;
}

/* Reads all the time, while pages are reused: every snapshot agrees with itself. */
static unsigned snapshots, torn;

static void reader(void *arg)
{
    while (!stopping) {
        struct mailbox_info m;
        struct message_info i;
        struct store_cursor c;
        struct store_read r;
        uint32_t rows = 0;
        uint64_t bytes = 0;
        if (store_read_begin(worker.store, &r) == 0) {
            if (store_mailbox_get(&r, inbox, &m) == 0 && store_cursor_open(&r, inbox, 1, &c) == 0) {
                while (store_cursor_next(&c, &i)) {
                    rows++;
                    bytes += i.size;
                }
                store_cursor_close(&c);
                snapshots++;
                if (rows != m.messages || bytes != m.bytes) {
                    fprintf(stderr, "a snapshot has %u messages and counts %u\n", rows, m.messages);
                    torn++;
                }
            }
            store_read_end(&r);
        }
        fiber_yield();
    }
    running--;
}

static void session(void *arg)
{
    char room[10000];

    while (!stopping && appended < APPENDS_MAX) {
        unsigned number = ++appended;
        struct store_append a = {.grant = buf_span(&grant), .mailbox = inbox};
        struct store_appended done;
        struct store_body *b;
        CHECK(store_body_begin(worker.store, 0, 1 << 20, &b) == 0);
        CHECK(store_body_write(b, span_of(room, (size_t)text_of(number, room, sizeof(room)))) == 0);
        CHECK(store_body_finish(b) == 0);
        int err = store_append(worker.store, b, &a, &done);
        store_body_free(b);
        if (err) {
            fprintf(stderr, "append %u: %s\n", number, strerror(-err));
            failed++;
        } else {
            uid_of[number] = done.uid;
            if (number % 7 == 0) {
                struct range r = {done.uid, done.uid};
                struct rangeset one = {&r, 1, 1};
                err = store_copy(worker.store, buf_span(&grant), inbox, &one, archive, false, NULL);
                failed += err != 0;
            }
            if (number % 3) {
                struct range r = {done.uid, done.uid};
                struct rangeset one = {&r, 1, 1};
                uid_of[number] = 0;
                copies += number % 7 == 0;
                err = store_expunge(worker.store, buf_span(&grant), inbox, &one, false, NULL);
                failed += err != 0;
            }
        }
    }
    running--;
}

static bool find(const char *name, uint64_t *ret)
{
    struct mailbox_info m;
    struct store_read r;

    if (store_read_begin(worker.store, &r) != 0)
        return false;
    bool found = store_mailbox_find(&r, ALICE, span_cstr(name), &m) == 0;
    store_read_end(&r);
    *ret = m.id;
    return found;
}

static unsigned count(uint64_t mailbox)
{
    struct mailbox_info m = {0};
    struct store_read r;

    CHECK(store_read_begin(worker.store, &r) == 0);
    store_mailbox_get(&r, mailbox, &m);
    store_read_end(&r);
    return m.messages;
}

static unsigned verify(void)
{
    unsigned bad = 0, acknowledged = 0;
    char room[10000];

    for (unsigned i = 1; i <= appended; i++) {
        struct message_info m;
        struct store_read r;
        struct buf b = BUF(20000);
        if (!uid_of[i])
            continue;
        acknowledged++;
        copies += i % 7 == 0;
        CHECK(store_read_begin(worker.store, &r) == 0);
        int err = store_message_get(&r, inbox, uid_of[i], &m);
        store_read_end(&r);
        if (!err)
            err = store_message_read_all(worker.store, &m, &b);
        if (err || !span_eq(buf_span(&b), span_of(room, (size_t)text_of(i, room, sizeof(room))))) {
            fprintf(stderr, "append %u was acknowledged as UID %u: %s\n", i, uid_of[i],
                    err ? strerror(-err) : "another text");
            bad++;
        }
        buf_done(&b);
    }
    if (count(inbox) != acknowledged || count(archive) != copies) {
        fprintf(stderr, "%u acknowledged, %u there; %u copies, %u there\n", acknowledged,
                count(inbox), copies, count(archive));
        bad++;
    }
    return bad;
}

static void on_found(void *arg, enum finding kind, bool repaired, const char *text)
{
    fprintf(stderr, "store check: %s: %s\n", finding_name(kind), text);
}

static bool is_compacted(void)
{
    char path[100];

    snprintf(path, sizeof(path), "%s/store/log/00000001.log", root);
    return access(path, F_OK) < 0;
}

static bool is_whole(void)
{
    struct check c = {.found = on_found};
    struct err err;

    if (store_check(root, options.map_bytes, &c, &err) != 0) {
        fprintf(stderr, "store check: %s\n", err.text);
        return false;
    }
    bool compacted = is_compacted();
    printf("store check: %llu messages, %llu findings; log files %s\n",
           (unsigned long long)c.messages, (unsigned long long)c.all,
           compacted ? "were removed" : "are all there");
    return c.all == 0 && compacted;
}

static int result = 1;

/* On a machine that has other work a round gets little done; then there are more of them. */
static bool is_enough(unsigned rounds)
{
    return appended >= rounds * 10 && snapshots >= 10 && is_compacted();
}

static void test(void *arg)
{
    const char *env = getenv("CRASH_ROUNDS");
    unsigned rounds = env ? (unsigned)atoi(env) : 12, kills = 0;

    while (!store_is_attached(worker.store))
        fiber_sleep_ms(1);
    CHECK(find("INBOX", &inbox) && find("Archive", &archive));
    for (unsigned i = 0; i < SESSIONS; i++) {
        running++;
        fiber_start(worker.loop, session, NULL, "session");
    }
    running++;
    fiber_start(worker.loop, reader, NULL, "reader");
    for (unsigned i = 0; i < rounds || (i < 20 * rounds && !is_enough(rounds)); i++) {
        /* Some live long enough to give pages up. */
        fiber_sleep_ms(30 + (unsigned)rand() % (i % 4 ? 300 : 1500));
        kill(pid, SIGKILL);
        kills++;
        waitpid(pid, NULL, 0);
        while (worker.link)
            fiber_sleep_ms(1);
        start();
    }
    fiber_sleep_ms(100);
    stopping = true;
    while (running)
        fiber_sleep_ms(1);
    unsigned bad = verify();
    printf("%u appends over %u kills, %u failed, %u wrong; %u snapshots, %u torn\n", appended,
           kills, failed, bad, snapshots, torn);
    result = bad || failed || torn || snapshots < 10 || appended < rounds * 10;
    loop_stop(worker.loop);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    return remove(path);
}

int main(int argc, char **argv)
{
    struct grant g = {.account = ALICE, .rights = GRANT_MAIL, .epoch = 1};

    store_process_main(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    const char *env = getenv("UNIT_SEED");
    unsigned seed = env ? (unsigned)atoi(env) : (unsigned)clock_ms();
    printf("seed %u\n", seed);
    srand(seed);
    CHECK(mkdtemp(root));
    CHECK(store_process_prepare(root, &options, 1) == 0);
    g.expires_seconds = clock_seconds() + 3600;
    grant_seal(&g, store_harness_secret, &grant);
    worker.loop = loop_new();
    worker.store = store_open(worker.loop, root, options.map_bytes, 2 << 20, 16 << 20);
    CHECK(worker.store);
    start();
    fiber_start(worker.loop, test, NULL, "test");
    loop_run(worker.loop);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (!is_whole())
        result = 1;
    store_process_detach(&worker);
    store_close(worker.store);
    loop_free(worker.loop);
    buf_done(&grant);
    if (result == 0)
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    else
        fprintf(stderr, "the store is left in %s\n", root);
    return result;
}
