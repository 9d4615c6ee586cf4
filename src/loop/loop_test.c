#include "loop/loop.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct trace {
    struct loop *l;
    char text[64];
    size_t n;
    struct timer *t;
    unsigned count;
};

static void put(struct trace *t, char c)
{
    if (t->n < sizeof t->text - 1)
        t->text[t->n++] = c;
}

static void stop(void *arg)
{
    struct trace *t = arg;
    loop_stop(t->l);
}

static void second(void *arg)
{
    put(arg, 'b');
    stop(arg);
}

static void first(void *arg)
{
    struct trace *t = arg;
    put(t, 'a');
    loop_defer(t->l, second, t);
    put(t, '.');
}

TEST(deferred_work_runs_in_the_next_turn_in_order)
{
    struct trace t = {.l = loop_new()};

    EXPECT(loop_current() == NULL);
    loop_defer(t.l, first, &t);
    loop_run(t.l);
    EXPECT_STR(t.text, "a.b");
    loop_free(t.l);
}

static void readable(void *arg, int events)
{
    put(arg, 'w');
}

TEST(what_deferred_work_defers_comes_before_descriptors)
{
    struct trace t = {.l = loop_new()};
    struct watch *w;
    int p[2];

    REQUIRE(pipe(p) == 0);
    EXPECT_INT(write(p[1], "x", 1), 1);
    w = watch_new(t.l, p[0], readable, &t);
    watch_set(w, WATCH_READ);
    loop_defer(t.l, first, &t);
    loop_run(t.l);
    EXPECT_STR(t.text, "a.bw");
    watch_free(w);
    loop_free(t.l);
    close(p[0]);
    close(p[1]);
}

static void check_current(void *arg)
{
    struct trace *t = arg;
    EXPECT(loop_current() == t->l);
    loop_stop(t->l);
}

TEST(loop_runs_without_handles_until_stopped)
{
    struct trace t = {.l = loop_new()};
    struct timer *timer = timer_new(t.l, check_current, &t);
    uint64_t before;

    before = loop_now_ms(t.l);
    timer_start(timer, 20);
    loop_run(t.l);
    EXPECT(loop_now_ms(t.l) - before >= 20);
    timer_start(timer, 1); /* and again */
    loop_run(t.l);
    timer_free(timer);
    loop_free(t.l);
}

static void tick(void *arg)
{
    struct trace *t = arg;
    if (++t->count == 3) {
        timer_free(t->t); /* within its own callback */
        loop_defer(t->l, stop, t);
    }
}

TEST(timer_repeats_and_is_freed_in_its_callback)
{
    struct trace t = {.l = loop_new()};

    t.t = timer_new(t.l, tick, &t);
    timer_repeat(t.t, 1);
    loop_run(t.l);
    EXPECT_INT(t.count, 3);
    loop_free(t.l);
}

TEST(timer_and_watch_outlive_the_loop)
{
    struct loop *l = loop_new();
    struct timer *t = timer_new(l, stop, NULL);
    int p[2];
    struct watch *w;

    REQUIRE(pipe(p) == 0);
    w = watch_new(l, p[0], NULL, NULL);
    watch_set(w, WATCH_READ);
    timer_start(t, 1000000);
    loop_free(l);
    timer_start(t, 1);
    timer_stop(t);
    watch_set(w, 0);
    timer_free(t);
    watch_free(w);
    timer_free(NULL);
    watch_free(NULL);
    close(p[0]);
    close(p[1]);
}

struct two {
    struct trace t;
    int fd[2];
    struct watch *a, *b;
};

static void on_a(void *arg, int events)
{
    struct two *x = arg;
    put(&x->t, 'a');
    put(&x->t, (char)('0' + events));
    watch_free(x->a); /* itself and one that has not been called yet */
    watch_free(x->b);
    loop_defer(x->t.l, stop, &x->t);
}

static void on_b(void *arg, int events)
{
    struct two *x = arg;
    put(&x->t, 'b');
}

TEST(two_watches_of_one_descriptor_freed_in_a_callback)
{
    struct two x = {.t = {.l = loop_new()}};

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x.fd) == 0);
    x.a = watch_new(x.t.l, x.fd[0], on_a, &x);
    x.b = watch_new(x.t.l, x.fd[0], on_b, &x);
    watch_set(x.a, WATCH_READ);
    watch_set(x.b, WATCH_READ);
    EXPECT(write(x.fd[1], "x", 1) == 1);
    loop_run(x.t.l);
    EXPECT_STR(x.t.text, "a1");
    loop_free(x.t.l);
    close(x.fd[0]);
    close(x.fd[1]);
}

static void on_lazy(void *arg, int events)
{
    struct two *x = arg;
    char c;

    put(&x->t, (char)('0' + events));
    EXPECT(read(x->fd[0], &c, 1) == 1);
    if (c == '!')
        loop_stop(x->t.l);
    else
        watch_set(x->a, 0);
}

static void look_again(void *arg)
{
    struct two *x = arg;
    put(&x->t, '+');
    watch_set(x->a, WATCH_READ);
}

TEST(watch_set_to_nothing_and_back)
{
    struct two x = {.t = {.l = loop_new()}};
    struct timer *t;

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x.fd) == 0);
    x.a = watch_new(x.t.l, x.fd[0], on_lazy, &x);
    watch_set(x.a, WATCH_READ);
    /* the second byte arrives while nobody wants it, and is announced only when somebody does */
    EXPECT(write(x.fd[1], "x!", 2) == 2);
    t = timer_new(x.t.l, look_again, &x);
    timer_start(t, 20);
    loop_run(x.t.l);
    EXPECT_STR(x.t.text, "1+1");
    watch_free(x.a);
    timer_free(t);
    loop_free(x.t.l);
    close(x.fd[0]);
    close(x.fd[1]);
}

static void on_hangup(void *arg, int events)
{
    struct two *x = arg;
    put(&x->t, (char)('0' + events));
    loop_stop(x->t.l);
}

TEST(hang_up_shows_as_the_events_asked_for)
{
    struct two x = {.t = {.l = loop_new()}};

    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, x.fd) == 0);
    x.a = watch_new(x.t.l, x.fd[0], on_hangup, &x);
    close(x.fd[1]);
    watch_set(x.a, WATCH_READ);
    loop_run(x.t.l);
    watch_set(x.a, WATCH_READ | WATCH_WRITE);
    loop_run(x.t.l);
    EXPECT_STR(x.t.text, "13");
    watch_free(x.a);
    loop_free(x.t.l);
    close(x.fd[0]);
}

TEST(descriptor_number_used_again_at_once)
{
    struct two x = {.t = {.l = loop_new()}};

    for (int i = 0; i < 50; i++) {
        x.t.n = 0;
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x.fd) == 0);
        x.a = watch_new(x.t.l, x.fd[0], on_hangup, &x);
        watch_set(x.a, WATCH_READ);
        EXPECT(write(x.fd[1], "x", 1) == 1);
        loop_run(x.t.l);
        EXPECT_INT(x.t.text[0], '1');
        watch_free(x.a);
        close(x.fd[0]);
        close(x.fd[1]);
    }
    loop_free(x.t.l);
}

TEST(regular_file_in_place_of_a_socket_harms_nobody)
{
    struct two x = {.t = {.l = loop_new()}};
    char name[] = "/tmp/loop-test.XXXXXX";
    struct timer *t;
    int file = mkstemp(name);

    REQUIRE(file >= 0);
    unlink(name);
    x.a = watch_new(x.t.l, file, on_b, &x);
    x.b = watch_new(x.t.l, file, on_b, &x);
    watch_set(x.a, WATCH_READ | WATCH_WRITE);
    watch_set(x.b, WATCH_READ);
    t = timer_new(x.t.l, stop, &x.t);
    timer_start(t, 5);
    loop_run(x.t.l);
    EXPECT_STR(x.t.text, "");
    watch_free(x.a);
    watch_set(x.b, 0);
    watch_free(x.b);
    timer_free(t);
    loop_free(x.t.l);
    close(file);
}

static void on_usr1(void *arg, int signo)
{
    struct trace *t = arg;
    EXPECT_INT(signo, SIGUSR1);
    put(t, 's');
    loop_stop(t->l);
}

static void raise_usr1(void *arg)
{
    kill(getpid(), SIGUSR1);
}

TEST(signals)
{
    struct trace t = {.l = loop_new()};

    loop_signal(t.l, SIGUSR1, on_usr1, &t);
    loop_defer(t.l, raise_usr1, NULL);
    loop_run(t.l);
    EXPECT_STR(t.text, "s");
    loop_free(t.l);
}

struct job {
    struct trace *t;
    pid_t worker;
};

static void work(void *arg)
{
    struct job *j = arg;
    j->worker = gettid();
}

static void done(void *arg)
{
    struct job *j = arg;
    EXPECT_INT(gettid(), getpid());
    EXPECT(j->worker != 0 && j->worker != gettid());
    if (++j->t->count == 20)
        loop_stop(j->t->l);
}

TEST(offload_works_on_another_thread)
{
    struct trace t = {.l = loop_new()};
    struct job jobs[20];

    loop_threads(2);
    for (size_t i = 0; i < 20; i++) {
        jobs[i] = (struct job){.t = &t};
        loop_offload(t.l, work, done, &jobs[i]);
    }
    loop_run(t.l);
    EXPECT_INT(t.count, 20);
    EXPECT_STR(getenv("UV_THREADPOOL_SIZE"), "2");
    loop_free(t.l);
}
