#include "manager/capture_tap.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/fd.h"
#include "base/map.h"
#include "tls/tap_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tapped {      /* one connection */
    uint32_t seq[2]; /* of the next byte; [1]: of the server */
};

struct capture_tap {
    int fd;
    struct map *connections;
};

/* IPv4 addresses as they stand in IPv6. */
static struct tap_end end_of(const struct sockaddr_storage *a)
{
    struct tap_end e;

    tap_end_of(a, &e);
    return e;
}

static void put_frame(struct capture_tap *t, const struct tap_end *from, const struct tap_end *to,
                      uint32_t seq, unsigned flags, struct span payload)
{
    struct buf b BUF_AUTO = BUF(TAP_FRAME_HEAD + TAP_FRAME_PAYLOAD_MAX);
    unsigned char head[TAP_FRAME_HEAD];

    tap_frame_head(from, to, seq, flags, payload.n, head);
    buf_put(&b, head, sizeof head);
    buf_put_span(&b, payload);
    /* the parser has gone: nothing is to be done about it here */
    while (send(t->fd, b.p, b.n, MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}

static struct tapped *connection(struct capture_tap *t, const struct tap_end *own,
                                 const struct tap_end *peer)
{
    unsigned char key[2 * sizeof *own];
    struct tapped *c;

    memcpy(key, own, sizeof *own);
    memcpy(key + sizeof *own, peer, sizeof *peer);
    if ((c = map_get(t->connections, span_of(key, sizeof key))) != NULL)
        return c;
    c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    map_set(t->connections, span_of(key, sizeof key), c);
    put_frame(t, own, peer, 0, TAP_SYN, SPAN_EMPTY);
    put_frame(t, peer, own, 0, TAP_SYN | TAP_ACK, SPAN_EMPTY);
    c->seq[0] = c->seq[1] = 1;
    return c;
}

void capture_tap_bytes(struct capture_tap *t, const struct sockaddr_storage *own_address,
                       const struct sockaddr_storage *peer_address, bool from_peer,
                       struct span bytes)
{
    struct tap_end own = end_of(own_address), peer = end_of(peer_address);
    struct tapped *c = connection(t, &own, &peer);

    while (bytes.n > 0) {
        struct span piece = span_head(bytes, TAP_FRAME_PAYLOAD_MAX);
        put_frame(t, from_peer ? &peer : &own, from_peer ? &own : &peer, c->seq[from_peer], TAP_ACK,
                  piece);
        c->seq[from_peer] += (uint32_t)piece.n;
        bytes = span_skip(bytes, piece.n);
    }
}

int capture_tap_start(struct capture_tap **ret, struct source **ret_source, struct err *e)
{
    struct capture_tap *t;
    int pair[2], room = 4 << 20;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set(e, -errno, "no socket pair: %s", strerror(errno));
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    t = calloc(1, sizeof *t);
    CHECK(t != NULL);
    t->fd = pair[1];
    t->connections = map_new();
    *ret_source = source_of_feed(pair[0]);
    *ret = t;
    return 0;
}

static bool free_one(struct span key, void *value, void *arg)
{
    (void)key, (void)arg;
    free(value);
    return true;
}

void capture_tap_stop(struct capture_tap *t)
{
    if (t == NULL)
        return;
    map_each(t->connections, free_one, NULL);
    map_free(t->connections);
    fd_close(&t->fd);
    free(t);
}
