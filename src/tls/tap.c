#include "tls/tap.h"

#include "base/check.h"
#include "base/fd.h"
#include "ipc/feed.h"
#include "tls/conn_internal.h"
#include "tls/tap_frame.h"

#include <errno.h>
#include <stdlib.h>

struct tap {
    uint64_t owner;
    struct tls_tap_request request;
    struct feed *feed; /* NULL: this place is free */
    struct tls_tap_counts counts;
};

/* What taps know of a connection. */
struct conn_tapped {
    unsigned epoch;  /* of `wanted` */
    unsigned wanted; /* bits of taps that take its virtual server */
    bool named;      /* its ends are known; never for a socketpair */
    bool ended;      /* the peer's FIN was passed on */
    struct tap_end own, peer;
    uint32_t seq[2]; /* of the next byte; [1]: of this server */
};

static struct tap taps[TLS_TAPS_MAX];
static unsigned epoch;
unsigned conn_taps_open;

static struct tap *tap_of(uint64_t owner)
{
    for (unsigned i = 0; i < TLS_TAPS_MAX; i++)
        if (taps[i].feed != NULL && taps[i].owner == owner)
            return &taps[i];
    return NULL;
}

unsigned tls_taps(void)
{
    return conn_taps_open;
}

int tls_tap_open(uint64_t owner, const struct tls_tap_request *q, int take_fd, struct err *e)
{
    FD_AUTO fd = take_fd;
    struct tap *t = taps;
    int r;

    while (t < taps + TLS_TAPS_MAX && t->feed != NULL)
        t++;
    if (t == taps + TLS_TAPS_MAX || tap_of(owner) != NULL)
        return err_set(e, -EBUSY, "%u captures run already; wait for the end of one",
                       conn_taps_open);
    *t = (struct tap){.owner = owner, .request = *q};
    if ((r = feed_join(fd_steal(&fd), &t->feed, e)) != 0) {
        t->feed = NULL;
        return r;
    }
    conn_taps_open++;
    epoch++;
    return 0;
}

bool tls_tap_close(uint64_t owner, struct tls_tap_counts *ret)
{
    struct tap *t = tap_of(owner);

    if (t == NULL)
        return false;
    if (ret != NULL)
        *ret = t->counts;
    feed_free(t->feed);
    t->feed = NULL;
    conn_taps_open--;
    epoch++;
    return true;
}

/* ---- a connection ------------------------------------------------------------------------ */

static bool takes(const struct tap *t, const char *vserver)
{
    for (unsigned i = 0; i < t->request.count; i++)
        if (strcmp(t->request.vservers[i], vserver) == 0)
            return true;
    return false;
}

static void choose(const struct conn *c, struct conn_tapped *k)
{
    k->epoch = epoch;
    k->wanted = 0;
    for (unsigned i = 0; k->named && i < TLS_TAPS_MAX; i++)
        if (taps[i].feed != NULL && takes(&taps[i], c->vserver->name)) {
            k->wanted |= 1u << i;
            taps[i].counts.connections++;
        }
}

static struct conn_tapped *tapped_of(struct conn *c)
{
    struct conn_tapped *k = c->tapped;

    if (k == NULL) {
        struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
        socklen_t n = sizeof own;
        k = c->tapped = calloc(1, sizeof *k);
        CHECK(k != NULL);
        k->epoch = epoch - 1;
        /* an injected connection has a pretended peer, and no wire */
        k->named = c->vserver != NULL && getsockname(c->fd, (struct sockaddr *)&own, &n) == 0 &&
                   tap_end_of(&own, &k->own) && tap_end_of(&c->peer, &k->peer);
    }
    if (k->epoch != epoch)
        choose(c, k);
    return k;
}

static void pass(struct conn_tapped *k, bool from_server, unsigned flags, struct span payload)
{
    unsigned char head[TAP_FRAME_HEAD];

    tap_frame_head(from_server ? &k->own : &k->peer, from_server ? &k->peer : &k->own,
                   k->seq[from_server], flags, payload.n, head);
    for (unsigned i = 0; i < TLS_TAPS_MAX; i++) {
        if (!(k->wanted >> i & 1))
            continue;
        if (feed_put(taps[i].feed, span_of(head, sizeof head), payload)) {
            taps[i].counts.records++;
            taps[i].counts.bytes += payload.n;
        } else {
            taps[i].counts.dropped++;
        }
    }
}

void conn_tap_begin(struct conn *c)
{
    struct conn_tapped *k = tapped_of(c);

    if (k->wanted != 0) {
        pass(k, false, TAP_SYN, SPAN_EMPTY);
        pass(k, true, TAP_SYN | TAP_ACK, SPAN_EMPTY);
    }
    k->seq[0] = k->seq[1] = 1;
}

void conn_tap_bytes(struct conn *c, bool from_server, const char *p, size_t n)
{
    struct conn_tapped *k = tapped_of(c);
    struct span rest = span_of(p, n);

    while (k->wanted != 0 && rest.n > 0) {
        struct span piece = span_head(rest, TAP_FRAME_PAYLOAD_MAX);
        pass(k, from_server, TAP_ACK, piece);
        k->seq[from_server] += (uint32_t)piece.n;
        rest = span_skip(rest, piece.n);
    }
}

void conn_tap_end(struct conn *c, bool from_server)
{
    struct conn_tapped *k = c->tapped;

    if (conn_taps_open == 0 || k == NULL || (k = tapped_of(c))->wanted == 0)
        return;
    if (from_server || !k->ended)
        pass(k, from_server, TAP_FIN | TAP_ACK, SPAN_EMPTY);
    k->ended |= !from_server;
}
