#include "proc/supervisor/supervisor.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, SILENT_SECONDS = 1 };

static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret,
                          socklen_t *ret_len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret;

    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *ret_len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *ret_len = sizeof *v6;
        return true;
    }
    return false;
}

static int bind_one(const struct sockaddr_storage *a, socklen_t len, bool shared, int *ret)
{
    int on = 1;
    FD_AUTO fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        (a->ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0))
        return -errno;
    /* connections inherit it: no answer waits for the acknowledgement of another */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)a, len) != 0 || listen(fd, BACKLOG) != 0)
        return -errno;
    *ret = fd_steal(&fd);
    return 0;
}

/* One socket a worker, or none. */
static int bind_all(struct listener *l)
{
    struct sockaddr_storage a;
    socklen_t len;
    int fd, r;

    if (!parse_address(l->address, l->port, &a, &len))
        return -EINVAL;
    /* With SO_REUSEPORT another server of the same user would share the port unseen: first see that
     * it is free. */
    r = bind_one(&a, len, false, &fd);
    if (r != 0)
        return r;
    close(fd);
    for (unsigned i = 0; i < l->count && r == 0; i++)
        r = bind_one(&a, len, true, &l->fds[i]);
    if (r != 0)
        for (unsigned i = 0; i < l->count; i++)
            fd_close(&l->fds[i]);
    return r;
}

/* Where the client speaks first, a connection is not worth waking a worker before it has: one wait
 * of the kernel less a login. Who stays silent is accepted after about that time all the same. */
static void defer_accepts(const struct listener *l)
{
    int seconds = l->greeted ? SILENT_SECONDS : 0;

    for (unsigned i = 0; i < l->count; i++)
        if (l->fds[i] >= 0)
            setsockopt(l->fds[i], IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
}

static enum role role_of(const struct conf_vserver *v)
{
    return v->protocol == PROTOCOL_SMTP && v->smtp_kind == SMTP_MX ? ROLE_MX : ROLE_ACCESS;
}

static struct listener *find_socket(struct listeners *l, const struct listener *like)
{
    for (unsigned i = 0; i < l->n; i++) {
        struct listener *it = &l->v[i];
        if (it->count > 0 && it->fds[0] >= 0 && it->port == like->port && it->role == like->role &&
            it->count == like->count && strcmp(it->address, like->address) == 0)
            return it;
    }
    return NULL;
}

static void describe(struct listener *l, const struct conf_vserver *v, unsigned place, unsigned k,
                     const struct supervisor *s)
{
    *l = (struct listener){.port = v->endpoints[k].port, .role = role_of(v), .fresh = true};
    snprintf(l->vserver, sizeof l->vserver, "%s", v->name);
    snprintf(l->address, sizeof l->address, "%s", v->endpoints[k].address);
    l->place = place;
    l->endpoint = k;
    l->greeted = v->endpoints[k].policy == POLICY_TLS_ONLY;
    l->count = process_count_of(s, l->role);
    for (unsigned i = 0; i < INSTANCES_MAX; i++)
        l->fds[i] = -1;
}

static const char *advice(int r)
{
    return r == -EADDRINUSE      ? ". Another program listens there; stop it or choose another port"
           : r == -EACCES        ? ". Ports below 1024 need root"
           : r == -EADDRNOTAVAIL ? ". This machine does not have that address"
                                 : "";
}

unsigned listeners_apply(struct listeners *l, const struct conf *c, const struct supervisor *s,
                         struct listeners *ret_gone, struct buf *problems)
{
    struct listeners fresh = {NULL, 0};
    unsigned total = 0, failed = 0;

    for (unsigned i = 0; i < c->vserver_count; i++)
        total += c->vservers[i].enabled ? c->vservers[i].endpoint_count : 0;
    fresh.v = calloc(total + 1, sizeof *fresh.v);
    CHECK(fresh.v != NULL);
    for (unsigned i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        for (unsigned k = 0; v->enabled && k < v->endpoint_count; k++) {
            struct listener *it = &fresh.v[fresh.n++], *old;
            int r = 0;

            describe(it, v, i, k, s);
            old = find_socket(l, it);
            if (old != NULL) {
                memcpy(it->fds, old->fds, sizeof it->fds);
                it->fresh = old->fresh || strcmp(it->vserver, old->vserver) != 0;
                old->count = 0; /* taken */
            } else {
                r = bind_all(it);
            }
            defer_accepts(it);
            if (r != 0) {
                failed++;
                snprintf(it->error, sizeof it->error, "%s%s", strerror(-r), advice(r));
                buf_printf(problems, "virtual server %s: %s port %u: %s.\n", it->vserver,
                           it->address, it->port, it->error);
            }
        }
    }
    *ret_gone = *l;
    *l = fresh;
    return failed;
}

unsigned listeners_retry(struct listeners *l)
{
    unsigned now = 0;

    for (unsigned i = 0; i < l->n; i++) {
        struct listener *it = &l->v[i];
        if (it->error[0] == '\0' || bind_all(it) != 0)
            continue;
        defer_accepts(it);
        log_info("virtual server %s listens at %s port %u now", it->vserver, it->address, it->port);
        it->error[0] = '\0';
        it->fresh = true;
        now++;
    }
    return now;
}

void listeners_done(struct listeners *l)
{
    for (unsigned i = 0; i < l->n; i++)
        for (unsigned k = 0; k < l->v[i].count; k++)
            fd_close(&l->v[i].fds[k]);
    free(l->v);
    *l = (struct listeners){NULL, 0};
}

const struct listener *listener_of(const struct listeners *l, unsigned place, unsigned endpoint)
{
    for (unsigned i = 0; i < l->n; i++)
        if (l->v[i].place == place && l->v[i].endpoint == endpoint)
            return &l->v[i];
    return NULL;
}
