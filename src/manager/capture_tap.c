#include "manager/capture_tap.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/fd.h"
#include "base/map.h"
#include "capture/packet.h"
#include "monitor/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_MAX = 32768, KEY_BYTES = 20 };

struct tapped {      /* one connection */
    uint32_t seq[2]; /* of the next byte; [1]: of the server */
};

struct capture_tap {
    int fd;
    struct map *connections;
};

struct end {
    unsigned char address[16];
    uint16_t port; /* network order */
};

static struct end end_of(const struct sockaddr_storage *a)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)a;
    struct end e = {{0}, 0};

    if (a->ss_family == AF_INET6) {
        memcpy(e.address, &a6->sin6_addr, 16);
        e.port = a6->sin6_port;
    } else {
        e.address[10] = e.address[11] = 0xff;
        memcpy(e.address + 12, &a4->sin_addr, 4);
        e.port = a4->sin_port;
    }
    return e;
}

static void put_be32(struct buf *b, uint32_t v)
{
    for (int i = 24; i >= 0; i -= 8)
        wr_u8(b, (uint8_t)(v >> i));
}

/* An IPv6 packet, IPv4 addresses as they stand in IPv6. */
static void put_frame(struct capture_tap *t, const struct end *from, const struct end *to,
                      uint32_t seq, unsigned flags, struct span payload)
{
    struct buf b BUF_AUTO = BUF(PIECE_MAX + 200);
    uint16_t n = (uint16_t)(20 + payload.n);
    const unsigned char head[8] = {0x60, 0, 0, 0, (unsigned char)(n >> 8), (unsigned char)n, 6, 64};

    wr_i64(&b, clock_ms() * 1000);
    wr_raw(&b, head, sizeof head);
    wr_raw(&b, from->address, 16);
    wr_raw(&b, to->address, 16);
    wr_raw(&b, &from->port, 2);
    wr_raw(&b, &to->port, 2);
    put_be32(&b, seq);
    put_be32(&b, 0);
    wr_u8(&b, 0x50);
    wr_u8(&b, (uint8_t)flags);
    wr_raw(&b, "\0\0\0\0\0\0", 6);
    buf_put_span(&b, payload);
    /* the parser has gone: nothing is to be done about it here */
    while (send(t->fd, b.p, b.n, MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}

static struct tapped *connection(struct capture_tap *t, const struct end *own,
                                 const struct end *peer)
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
    put_frame(t, own, peer, 0, TCP_SYN, SPAN_EMPTY);
    put_frame(t, peer, own, 0, TCP_SYN | TCP_ACK, SPAN_EMPTY);
    c->seq[0] = c->seq[1] = 1;
    return c;
}

static void on_bytes(void *arg, const struct sockaddr_storage *own_address,
                     const struct sockaddr_storage *peer_address, bool from_peer, struct span bytes)
{
    struct capture_tap *t = arg;
    struct end own = end_of(own_address), peer = end_of(peer_address);
    struct tapped *c = connection(t, &own, &peer);

    while (bytes.n > 0) {
        struct span piece = span_head(bytes, PIECE_MAX);
        put_frame(t, from_peer ? &peer : &own, from_peer ? &own : &peer, c->seq[from_peer], TCP_ACK,
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
    wire_tap(on_bytes, t);
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
    wire_tap(NULL, NULL);
    map_each(t->connections, free_one, NULL);
    map_free(t->connections);
    fd_close(&t->fd);
    free(t);
}
