/*
 * stored answers, and commits to the index some milliseconds later. A reader in another process
 * sees at once what was answered; when stored is killed in between, nobody reads as if it had not
 * been, and after the restart all of it is there.
 */
#include "store/client.h"
#include "store/harness/store_process.h"
#include "store/store_harness.h"

#include "base/check.h"
#include "base/clock.h"
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 16, QUIET_MS = 300 };
#define ALICE UINT64_C(16)

static const struct store_process_options options = {UINT64_C(4) << 30, 1 << 20, 0, 0, 0};
static char root[] = "/tmp/sealpost-late-XXXXXX";
static struct store_process_client worker;
static pid_t pid;
static struct buf grant = BUF(STORE_GRANT_MAX);
static uint64_t inbox, known; /* its modseq */
static unsigned told, wrong, flagged, answered_all;

static void start(void)
{
    int fd;

    pid = store_process_start(root, &options, &fd);
    store_process_attach(&worker, fd);
    while (!store_is_attached(worker.store))
        fiber_sleep_ms(1);
}

static void append(void)
{
    struct store_append a = {.grant = buf_span(&grant), .mailbox = inbox};
    struct store_appended done;
    struct store_body *b;

    CHECK(store_body_begin(worker.store, 0, 1 << 20, &b) == 0);
    CHECK(store_body_write(b, SPAN("Subject: late\r\n\r\nText\r\n")) == 0);
    CHECK(store_body_finish(b) == 0);
    CHECK(store_append(worker.store, b, &a, &done) == 0);
    store_body_free(b);
    told++;
    known = done.modseq;
}

/* Flags of the first message, changed by who knows all that was before: he is told what it is now. */
static void flag(void)
{
    struct range r = {1, 1};
    struct rangeset one = {&r, 1, 1};
    struct store_flags f = {.grant = buf_span(&grant),
                            .mailbox = inbox,
                            .uids = &one,
                            .op = FLAGS_SET,
                            .flags = ++flagged % 32,
                            .unchanged_since = UINT64_MAX};
    struct store_told t;
    uint64_t modseq;

    CHECK(store_flags_told(worker.store, &f, known, NULL, &modseq, &t) == 0);
    answered_all += t.count == 1 && t.message[0].flags == f.flags && t.message[0].modseq == modseq;
    known = modseq;
}

static bool is_behind(void)
{
    return worker.store->pin->visible < worker.store->pin->told;
}

static int look(unsigned *ret)
{
    struct mailbox_info m = {0};
    struct message_info first = {0};
    struct store_read r;
    int err = store_read_begin(worker.store, &r);

    if (err)
        return err;
    err = store_mailbox_get(&r, inbox, &m);
    store_message_get(&r, inbox, 1, &first);
    store_read_end(&r);
    *ret = m.messages;
    if (!err && (m.highestmodseq != known || first.flags != flagged % 32)) {
        fprintf(stderr, "modseq %llu in place of %llu, flags %llu in place of %u\n",
                (unsigned long long)m.highestmodseq, (unsigned long long)known,
                (unsigned long long)first.flags, flagged % 32);
        wrong++;
    }
    return err;
}

static void expect_all(const char *when)
{
    unsigned there = 0;
    int err = look(&there);

    if (err || there != told) {
        fprintf(stderr, "%s: %u of %u are there: %s\n", when, there, told, strerror(-err));
        wrong++;
    }
}

static uint64_t find_inbox(void)
{
    struct mailbox_info m = {0};
    struct store_read r;

    CHECK(store_read_begin(worker.store, &r) == 0);
    CHECK(store_mailbox_find(&r, ALICE, SPAN(STORE_INBOX), &m) == 0);
    store_read_end(&r);
    return m.id;
}

static int result = 1;

static void test(void *arg)
{
    unsigned behind = 0, behind_flags = 0, early = 0, away = 0, there;

    start();
    inbox = find_inbox();
    for (unsigned i = 0; i < ROUNDS; i++) {
        /* While somebody reads, commits are not late. */
        append();
        early += is_behind();
        expect_all("at once");
        fiber_sleep_ms(QUIET_MS);
        for (unsigned k = 0; k < 1 + i % 4; k++)
            append();
        behind += is_behind();
        expect_all("after a time of quiet");
        fiber_sleep_ms(QUIET_MS);
        for (unsigned k = 0; k < 1 + i % 4; k++)
            flag();
        behind_flags += is_behind();
        expect_all("after changing flags");
    }
    fiber_sleep_ms(QUIET_MS);
    append();
    fiber_sleep_ms(QUIET_MS);
    if (is_behind()) {
        fprintf(stderr, "what nobody asked for is never committed\n");
        wrong++;
    }
    for (unsigned i = 0; i < ROUNDS / 2; i++) {
        fiber_sleep_ms(QUIET_MS);
        append();
        flag();
        append();
        flag();
        bool was = is_behind();
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        was = was && is_behind();
        if (was && look(&there) != -EAGAIN) {
            fprintf(stderr, "an index that is behind was read while stored is away\n");
            wrong++;
        }
        away += was;
        while (worker.link)
            fiber_sleep_ms(1);
        start();
        expect_all("after a kill");
    }
    printf("%u appends, %u changes of flags (%u told), %u wrong; behind %u and %u times of %u, %u "
           "while "
           "read, %u when killed\n",
           told, flagged, answered_all, wrong, behind, behind_flags, (unsigned)ROUNDS, early, away);
    /* On a busy machine milliseconds go by before we look. */
    result = wrong || answered_all != flagged || behind == 0 || behind_flags == 0 || away == 0 ||
             early > ROUNDS / 2;
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
    CHECK(mkdtemp(root));
    CHECK(store_process_prepare(root, &options, 1) == 0);
    g.expires_seconds = clock_seconds() + 3600;
    grant_seal(&g, store_harness_secret, &grant);
    worker.loop = loop_new();
    worker.store = store_open(worker.loop, root, options.map_bytes, 2 << 20, 16 << 20);
    CHECK(worker.store);
    fiber_start(worker.loop, test, NULL, "test");
    loop_run(worker.loop);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    store_process_detach(&worker);
    store_close(worker.store);
    loop_free(worker.loop);
    buf_done(&grant);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return result;
}
