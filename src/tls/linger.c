/*
 * linger.c: connections that have said all. Closing one with unread input sends a reset, which may
 * overtake our last answer; so the descriptor stays until the peer has closed too, or a moment has
 * gone by. All are looked at together now and then: a wake-up for each was dearer than its
 * greeting.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "tls/conn_internal.h"

#include <errno.h>
#include <sys/socket.h>

enum {
    LINGER_MS = 500,
    LINGER_BYTES = 65536, /* a peer that sends on and on has not understood */
    LINGER_MAX = 1024,    /* then the oldest is closed at once */
    SWEEP_MS = 20,
};

static struct {
    struct loop *loop;
    struct timer *timer;
    struct lingering {
        int fd;
        unsigned dropped;
        uint64_t until_ms;
    } v[LINGER_MAX]; /* the oldest first */
    unsigned n;
} all;

/* False: nothing more to wait for. */
static bool drop_input(int fd, unsigned *dropped)
{
    static char drop[4096];

    for (;;) {
        ssize_t n = recv(fd, drop, sizeof drop, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n > 0 && (*dropped += (unsigned)n) >= LINGER_BYTES)
            return false;
    }
}

void conn_wait_end(struct conn *c)
{
    uint64_t deadline = conn_deadline(LINGER_MS);
    unsigned dropped = 0;

    if (!c->linger)
        return;
    while (drop_input(c->fd, &dropped) && conn_wait(c, WATCH_READ, deadline) == 0)
        ;
    c->linger = false;
}

static void sweep(void *arg)
{
    uint64_t now = clock_mono_ms();
    unsigned kept = 0;

    for (unsigned i = 0; i < all.n; i++) {
        if (now < all.v[i].until_ms && drop_input(all.v[i].fd, &all.v[i].dropped))
            all.v[kept++] = all.v[i];
        else
            fd_close(&all.v[i].fd);
    }
    all.n = kept;
    if (kept > 0)
        timer_start(all.timer, SWEEP_MS);
}

static void use_loop(struct loop *l)
{
    if (all.loop == l)
        return;
    for (unsigned i = 0; i < all.n; i++)
        fd_close(&all.v[i].fd);
    all.n = 0;
    timer_free(all.timer);
    all.loop = l;
    all.timer = timer_new(l, sweep, NULL);
}

void conn_linger(struct loop *l, int take_fd)
{
    use_loop(l);
    if (all.n == LINGER_MAX) {
        fd_close(&all.v[0].fd);
        memmove(all.v, all.v + 1, (LINGER_MAX - 1) * sizeof all.v[0]);
        all.n--;
    }
    if (all.n == 0)
        timer_start(all.timer, SWEEP_MS);
    all.v[all.n++] = (struct lingering){take_fd, 0, clock_mono_ms() + LINGER_MS};
}
