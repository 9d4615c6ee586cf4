/*
 * A process of any role, to try the supervisor with: as a worker it answers each connection with
 * one line and asks keyd over and over; as keyd it answers. What it has seen is in its status.
 */
#include "base/buf.h"
#include "base/log.h"
#include "proc/child/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct socket_watch {
    struct child *c;
    unsigned vserver, endpoint;
    int fd;
};

static unsigned long answered, failed, confs, peers_gone, served;
static unsigned char keyd_said[4];
static bool secret_seen;

static void on_connection(void *arg, int events)
{
    struct socket_watch *w = arg;
    char line[200];
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC), n;

    if (fd < 0)
        return;
    served++;
    n = snprintf(line, sizeof line, "%s %u generation %u %s endpoint %u\n", role_name(w->c->role),
                 w->c->instance, w->c->generation,
                 w->vserver < w->c->conf->vserver_count ? w->c->conf->vservers[w->vserver].name
                                                        : "?",
                 w->endpoint);
    send(fd, line, (size_t)n, MSG_NOSIGNAL);
    close(fd);
}

static void on_listen(struct child *c, unsigned vserver, unsigned endpoint, int take_fd)
{
    struct socket_watch *w = calloc(1, sizeof *w);

    if (w == NULL)
        abort();
    *w = (struct socket_watch){c, vserver, endpoint, take_fd};
    watch_set(watch_new(c->loop, take_fd, on_connection, w), WATCH_READ);
}

static void ask_keyd(void *arg)
{
    struct child *c = arg;

    for (;;) {
        struct buf reply BUF_AUTO = BUF(512);
        struct link *keyd = child_peer_wait(c, ROLE_KEYD, 10000);
        if (link_call(keyd, MSG_KEY_TICKETS, SPAN_EMPTY, NULL, 0, 5000, &reply, NULL) == 0) {
            answered++;
            if (reply.n == 4)
                memcpy(keyd_said, reply.p, 4);
        } else {
            failed++;
        }
        fiber_sleep_ms(10);
    }
}

static void on_tickets(void *arg, struct msg *m)
{
    struct child *c = arg;
    struct buf b BUF_AUTO = BUF(16);

    fiber_sleep_ms(1);
    wr_u32(&b, c->generation);
    msg_reply(m, 0, buf_span(&b));
}

static void on_ready(struct child *c)
{
    if (c->role == ROLE_ACCESS)
        fiber_start(c->loop, ask_keyd, c, "ask keyd");
}

static void on_conf(struct child *c, const struct conf *old)
{
    confs++;
}

static void on_peer_gone(struct child *c, struct link *l)
{
    if (link_peer(l) != ROLE_MANAGER)
        peers_gone++;
}

static void on_status(struct child *c, struct buf *json)
{
    bool first = true;

    for (size_t i = 0; i < sizeof c->grant_secret; i++)
        secret_seen = secret_seen || c->grant_secret[i];
    buf_printf(json,
               "\"answered\":%lu,\"failed\":%lu,\"confs\":%lu,\"peers_gone\":%lu,\"served\":%lu,"
               "\"keyd_generation\":%u,\"secret\":%s,\"fds\":",
               answered, failed, confs, peers_gone, served, keyd_said[0],
               secret_seen ? "true" : "false");
    buf_printf(json, "0,\"domain\":\"%s\",\"peers\":[", c->conf->domain);
    for (unsigned r = 0; r < ROLE_COUNT; r++) {
        for (unsigned i = 0; i < CHILD_INSTANCES_MAX; i++) {
            if (c->peers[r][i] == NULL)
                continue;
            buf_printf(json, "%s\"%s.%u\"", first ? "" : ",", role_name((enum role)(1u << r)), i);
            first = false;
        }
    }
    buf_putc(json, ']');
}

static void on_metrics(struct child *c, struct buf *text)
{
    buf_printf(text, "# TYPE test_answered_total counter\ntest_answered_total %lu\n", answered);
    buf_printf(text,
               "test_by_kind{kind=\"a\"} 1\n# an empty remark\nprocess_up{process=\"keyd\"} 0\n");
}

static const struct msg_handler handlers[] = {
    {MSG_KEY_TICKETS, on_tickets, true },
    {0,               NULL,       false},
};

static const struct child_ops ops = {.handlers = handlers,
                                     .on_ready = on_ready,
                                     .on_listen = on_listen,
                                     .on_conf = on_conf,
                                     .on_peer_gone = on_peer_gone,
                                     .on_status = on_status,
                                     .on_metrics = on_metrics};

int main(int argc, char **argv)
{
    struct child *c = child_open((enum role)(ROLE_ANY & ~(ROLE_SUPERVISOR | ROLE_MANAGER)), &ops);
    const char *profile = c->role == ROLE_ACCESS ? "sessiond-access"
                          : c->role == ROLE_MX   ? "sessiond-mx"
                                                 : role_name(c->role);

    child_jail(c, profile);
    return child_run(c);
}
