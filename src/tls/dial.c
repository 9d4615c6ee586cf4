/* dial.c: outgoing TCP. */
#include "base/fd.h"
#include "tls/conn.h"

#include <errno.h>
#include <sys/socket.h>

int conn_dial(struct loop *l, const struct sockaddr_storage *address, uint64_t timeout_ms,
              int *ret_fd)
{
    FD_AUTO fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t n =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int failed = 0;
    socklen_t failed_n = sizeof failed;

    if (address->ss_family != AF_INET && address->ss_family != AF_INET6)
        return -EAFNOSUPPORT;
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)(const void *)address, n) < 0) {
        if (errno != EINPROGRESS)
            return -errno;
        if (fiber_wait_fd(fd, WATCH_WRITE, timeout_ms) == 0)
            return -ETIMEDOUT;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &failed_n) < 0)
            return -errno;
        if (failed != 0)
            return -failed;
    }
    *ret_fd = fd_steal(&fd);
    return 0;
}
