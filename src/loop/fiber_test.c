#include "loop/fiber.h"

#include "loop/loop_internal.h"
#include "unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *L;
static char trace[4096];
static size_t trace_n;
static unsigned left; /* fibers still to end; the last one stops the loop */

static void reset(unsigned n)
{
    L = loop_new();
    memset(trace, 0, sizeof trace);
    trace_n = 0;
    left = n;
}

static void put(const char *s)
{
    size_t n = strlen(s);
    if (trace_n + n < sizeof trace) {
        memcpy(trace + trace_n, s, n);
        trace_n += n;
    }
}

static void ended(void)
{
    if (--left == 0)
        loop_stop(L);
}

static void finish(void)
{
    loop_free(L);
    EXPECT_INT(fiber_stats().parked, 0);
    EXPECT_INT(fiber_stats().running, 0);
}

/* ---- starting and switching ------------------------------------------------------------- */

static void child_fn(void *arg)
{
    put(arg);
    fiber_yield();
    put(arg);
    ended();
}

static void parent_fn(void *arg)
{
    static char b[] = "b", c[] = "c";
    put("a");
    fiber_start(L, child_fn, b, "child");
    fiber_start(L, child_fn, c, "child");
    put("-"); /* both wait until this one parks */
    fiber_yield();
    put("a");
    ended();
}

static void deep_main(void *arg)
{
    volatile char frame[128 * 1024];

    frame[0] = 1; /* the far end: a guard page too near would be stepped over */
    *(bool *)arg = frame[0] == 1;
}

TEST(a_call_with_a_large_frame_has_room)
{
    struct loop *l = loop_new();
    bool done = false;

    fiber_start(l, deep_main, &done, "deep");
    EXPECT(done);
    loop_free(l);
}

TEST(start_from_the_loop_is_at_once_and_from_a_fiber_is_queued)
{
    reset(3);
    EXPECT(fiber_self() == NULL);
    fiber_start(L, parent_fn, NULL, "parent");
    EXPECT_STR(trace, "a-bc");
    loop_run(L);
    EXPECT_STR(trace, "a-bcabc");
    finish();
}

static uint64_t sum;

static void many_fn(void *arg)
{
    unsigned long me = (unsigned long)(uintptr_t)arg;
    volatile unsigned char local[512];

    memset((void *)(uintptr_t)local, (int)(me & 255), sizeof local);
    for (int i = 0; i < 4; i++) {
        if (me % 3 == 0)
            fiber_yield();
        else
            fiber_sleep_ms(me % 7);
        for (size_t k = 0; k < sizeof local; k += 101)
            EXPECT_INT(local[k], me & 255);
    }
    sum += me;
    ended();
}

TEST(thousands_of_fibers)
{
    enum { N = 5000 };

    reset(N);
    sum = 0;
    for (unsigned long i = 1; i <= N; i++)
        fiber_start(L, many_fn, (void *)(uintptr_t)i, "many");
    EXPECT_INT(fiber_stats().parked, N);
    loop_run(L);
    EXPECT_INT(sum, (uint64_t)N * (N + 1) / 2);
    EXPECT_INT(fiber_stats().pooled, 64);
    finish();
}

/* ---- resume ----------------------------------------------------------------------------- */

static struct fiber *sleeper;

static void sleeper_fn(void *arg)
{
    sleeper = fiber_self();
    put("s");
    fiber_suspend();
    put("S");
    ended();
}

static void waker_fn(void *arg)
{
    fiber_resume(sleeper);
    fiber_resume(sleeper); /* twice is once */
    put("w");
    fiber_yield();
    put("W");
    ended();
}

TEST(resume_from_a_fiber_waits_until_it_parks)
{
    reset(2);
    fiber_start(L, sleeper_fn, NULL, "sleeper");
    fiber_start(L, waker_fn, NULL, "waker");
    EXPECT_STR(trace, "swS");
    loop_run(L);
    EXPECT_STR(trace, "swSW");
    finish();
}

static void resume_sleeper(void *arg)
{
    put("(");
    fiber_resume(sleeper);
    put(")");
}

TEST(resume_from_the_loop_is_at_once)
{
    reset(1);
    fiber_start(L, sleeper_fn, NULL, "sleeper");
    loop_defer(L, resume_sleeper, NULL);
    loop_run(L);
    EXPECT_STR(trace, "s(S)");
    finish();
}

static struct fiber_cond ping, pong;
static bool over;

static void pinger_fn(void *arg)
{
    while (!over) {
        fiber_cond_signal(&pong);
        fiber_cond_wait(&ping, 5);
    }
    ended();
}

static void ponger_fn(void *arg)
{
    while (!over) {
        fiber_cond_signal(&ping);
        fiber_cond_wait(&pong, 5);
    }
    ended();
}

static void set_over(void *arg)
{
    over = true;
}

TEST(two_fibers_that_wake_each_other_do_not_starve_the_loop)
{
    struct timer *t;

    reset(2);
    over = false;
    t = timer_new(L, set_over, NULL);
    timer_start(t, 10);
    fiber_start(L, pinger_fn, NULL, "ping");
    fiber_start(L, ponger_fn, NULL, "pong");
    loop_run(L);
    timer_free(t);
    finish();
}

static unsigned resumes;

static void count_resume(void)
{
    EXPECT(fiber_self() == NULL);
    resumes++;
}

TEST(hook_runs_on_every_switch_into_a_fiber)
{
    static char x[] = "x";

    reset(1);
    fiber_on_resume(count_resume);
    resumes = 0;
    fiber_start(L, child_fn, x, "child");
    EXPECT_INT(resumes, 1);
    loop_run(L);
    EXPECT_INT(resumes, 2);
    finish();
}

/* ---- waiting ---------------------------------------------------------------------------- */

static int pair[2];

static void fd_fn(void *arg)
{
    char c = 0;
    uint64_t before = loop_now_ms(L);

    EXPECT_INT(fiber_wait_fd(pair[0], WATCH_READ, 15), 0);
    EXPECT(loop_now_ms(L) - before >= 15);
    put("t");
    EXPECT_INT(fiber_wait_fd(pair[0], WATCH_READ | WATCH_WRITE, 1000), WATCH_WRITE);
    put("w");
    EXPECT_INT(fiber_wait_fd(pair[0], WATCH_READ, UINT64_MAX), WATCH_READ);
    EXPECT(read(pair[0], &c, 1) == 1 && c == 'x');
    put("r");
    /* read empty: must not be told a second time */
    EXPECT_INT(fiber_wait_fd(pair[0], WATCH_READ, 5), 0);
    put("e");
    ended();
}

static void writer_fn(void *arg)
{
    fiber_sleep_ms(30);
    EXPECT(write(pair[1], "x", 1) == 1);
    ended();
}

static void no_event(void *arg, int events)
{
    EXPECT(false);
}

TEST(wait_for_a_descriptor_that_a_watch_also_has)
{
    struct watch *w;

    reset(2);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    w = watch_new(L, pair[0], no_event, NULL);
    fiber_start(L, fd_fn, NULL, "fd");
    fiber_start(L, writer_fn, NULL, "writer");
    loop_run(L);
    EXPECT_STR(trace, "twre");
    watch_free(w);
    finish();
    close(pair[0]);
    close(pair[1]);
}

static struct fiber_cond cond;

static void cond_fn(void *arg)
{
    put(fiber_cond_wait(&cond, UINT64_MAX) ? arg : "?");
    ended();
}

static void cond_timeout_fn(void *arg)
{
    EXPECT(!fiber_cond_wait(&cond, 5));
    put("T");
    fiber_cond_signal(&cond);
    fiber_yield();
    put("/");
    fiber_cond_broadcast(&cond);
    fiber_cond_signal(&cond); /* nobody: nothing is kept */
    ended();
}

TEST(condition_wakes_the_first_or_all_and_times_out)
{
    static char a[] = "a", b[] = "b", c[] = "c";

    reset(4);
    cond = FIBER_COND_INIT;
    fiber_start(L, cond_fn, a, "a");
    fiber_start(L, cond_timeout_fn, NULL, "timeout");
    fiber_start(L, cond_fn, b, "b");
    fiber_start(L, cond_fn, c, "c");
    loop_run(L);
    EXPECT_STR(trace, "Ta/bc");
    EXPECT(cond.head == NULL && cond.tail == NULL);
    finish();
}

static void broadcast(void *arg)
{
    fiber_cond_broadcast(&cond);
    put("|");
}

TEST(broadcast_from_the_loop)
{
    static char a[] = "a", b[] = "b", c[] = "c";

    reset(3);
    cond = FIBER_COND_INIT;
    fiber_start(L, cond_fn, a, "a");
    fiber_start(L, cond_fn, b, "b");
    fiber_start(L, cond_fn, c, "c");
    loop_defer(L, broadcast, NULL);
    loop_run(L);
    EXPECT_STR(trace, "abc|");
    finish();
}

static struct fiber_lock lock;

static void lock_fn(void *arg)
{
    for (int i = 0; i < 3; i++) {
        fiber_lock(&lock);
        put(arg);
        fiber_sleep_ms(1);
        fiber_unlock(&lock);
        /* taking it again at once does not get past those who wait */
    }
    ended();
}

TEST(lock_is_first_come_first_served)
{
    static char a[] = "a", b[] = "b", c[] = "c";

    reset(3);
    fiber_start(L, lock_fn, a, "a");
    fiber_start(L, lock_fn, b, "b");
    fiber_start(L, lock_fn, c, "c");
    loop_run(L);
    EXPECT_STR(trace, "abcabcabc");
    EXPECT(lock.owner == NULL);
    finish();
}

static void slow(void *arg)
{
    usleep(2000);
    *(int *)arg += 1;
}

static void offload_fn(void *arg)
{
    int n = 0;
    fiber_offload(slow, &n);
    fiber_offload(slow, &n);
    EXPECT_INT(n, 2);
    ended();
}

TEST(offload_waits_for_the_thread)
{
    reset(3);
    for (int i = 0; i < 3; i++)
        fiber_start(L, offload_fn, NULL, "offload");
    loop_run(L);
    finish();
}

/* ---- the guard page --------------------------------------------------------------------- */

static char *stack_near_top;

static void on_fault(int signo, siginfo_t *info, void *context)
{
    char *at = info->si_addr;
    size_t stack = 256 * 1024;
    /* where the stack ends, and nowhere else */
    bool guard = at < stack_near_top - stack + 8192 && at > stack_near_top - stack - 8192;
    _exit(guard ? 42 : 43);
}

__attribute__((noinline)) static unsigned dig(unsigned depth)
{
    volatile unsigned char hole[300];
    hole[0] = (unsigned char)depth;
    return depth == 0 ? 0 : dig(depth - 1) + hole[0];
}

static void overflow_fn(void *arg)
{
    char here;
    stack_near_top = &here;
#if LOOP_ASAN
    stack_near_top =
        __builtin_frame_address(0); /* locals may lie on AddressSanitizer's own stack */
#endif
    dig(1000000);
    _exit(44);
}

TEST(overflow_of_a_stack_faults_in_the_guard_page)
{
    int status;
    pid_t pid = fork();

    REQUIRE(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0, 0};
        stack_t alt = {.ss_sp = malloc(65536), .ss_size = 65536};
        struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

        sa.sa_sigaction = on_fault;
        setrlimit(RLIMIT_CORE, &none);
        sigaltstack(&alt, NULL);
        sigaction(SIGSEGV, &sa, NULL);
        fiber_start(loop_new(), overflow_fn, NULL, "overflow");
        _exit(45);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFEXITED(status));
    EXPECT_INT(WEXITSTATUS(status), 42);
}
