#include "proc/supervisor/supervisor.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TEXT_FD = 3,
    RESULT_FD = 4,
    TEXT_MAX_BYTES = 4 << 20,
    RESULT_MAX_BYTES = 16 << 20,
    PARSE_TIMEOUT_MS = 30000,
};

/* ---- the child --------------------------------------------------------------------------- */

static bool read_text(struct buf *text)
{
    char *p;
    ssize_t n;

    while ((p = buf_reserve(text, 65536)) != NULL && (n = read(TEXT_FD, p, 65536)) != 0) {
        if (n > 0)
            buf_commit(text, (size_t)n);
        else if (errno != EINTR)
            return false;
    }
    return p != NULL;
}

int parse_child_main(const char *file)
{
    /* nobody: nothing belongs to it, and the configuration that could name another user has not
     * been read */
    struct sandbox_request q = {.profile = "conf", .user = geteuid() == 0 ? "nobody" : NULL};
    struct buf text BUF_AUTO = BUF(TEXT_MAX_BYTES + 65536);
    struct buf problems BUF_AUTO = BUF(PROBLEMS_MAX_BYTES);
    struct buf bytes BUF_AUTO = BUF(RESULT_MAX_BYTES - PROBLEMS_MAX_BYTES - 64);
    struct buf result BUF_AUTO = BUF(RESULT_MAX_BYTES);
    struct sandbox_report walls;
    struct conf *c = NULL;
    struct err e;

    log_open("conf", LOG_LEVEL_INFO);
    if (sandbox_enter(&q, &walls, &e) != 0) {
        log_error("%s", e.text);
        return 1;
    }
    if (!read_text(&text) || text.n > TEXT_MAX_BYTES)
        buf_printf(&problems, "%s: cannot be read or is larger than 4 MiB\n", file);
    else
        c = conf_parse(buf_span(&text), file, &problems);
    if (c != NULL)
        conf_wr(c, &bytes);
    if (bytes.overflow) {
        buf_clear(&bytes);
        buf_printf(&problems, "%s: too large\n", file);
    }
    wr_span(&result, buf_span(&problems));
    wr_span(&result, buf_span(&bytes));
    conf_free(c);
    return fd_write_all(RESULT_FD, result.p, result.n) == 0 ? 0 : 1;
}

/* ---- its parent -------------------------------------------------------------------------- */

_Noreturn static void become_parser(const char *file, int text, int result)
{
    char self[] = "/proc/self/exe", option[] = "--parse";
    char *name = strdup(file);
    char *argv[] = {self, option, name, NULL};
    const char *asan = getenv("ASAN_OPTIONS");
    char env_asan[256] = "SEALPOST=1";
    char *env[] = {env_asan, NULL};
    sigset_t none;

    if (asan != NULL)
        snprintf(env_asan, sizeof env_asan, "ASAN_OPTIONS=%s", asan);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* neither may be overwritten by the other's dup2 */
    text = fcntl(text, F_DUPFD, 10);
    result = fcntl(result, F_DUPFD, 10);
    if (name != NULL && dup2(text, TEXT_FD) >= 0 && dup2(result, RESULT_FD) >= 0) {
        close_range(RESULT_FD + 1, ~0u, 0);
        execve(self, argv, env);
    }
    _exit(127);
}

static bool wait_readable(int fd, uint64_t end_ms)
{
    uint64_t now = clock_mono_ms();
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (now >= end_ms)
        return false;
    if (fiber_self() != NULL)
        return fiber_wait_fd(fd, WATCH_READ, end_ms - now) != 0;
    return poll(&p, 1, (int)(end_ms - now)) > 0;
}

static int read_result(int fd, struct buf *out)
{
    uint64_t end = clock_mono_ms() + PARSE_TIMEOUT_MS;
    ssize_t n;
    char *p;

    for (;;) {
        if (!wait_readable(fd, end))
            return -ETIMEDOUT;
        if ((p = buf_reserve(out, 65536)) == NULL)
            return -EMSGSIZE;
        n = read(fd, p, 65536);
        if (n == 0)
            return 0;
        if (n > 0)
            buf_commit(out, (size_t)n);
        else if (errno != EINTR && errno != EAGAIN)
            return -errno;
    }
}

static struct conf *take_result(struct span bytes, const char *file, struct buf *problems)
{
    struct rd r = rd_of(bytes);
    struct span lines = rd_span(&r, PROBLEMS_MAX_BYTES), conf = rd_span(&r, RESULT_MAX_BYTES);
    struct conf *c;

    if (!rd_done(&r)) {
        buf_printf(problems, "%s: the process that parses it has failed; see the log\n", file);
        return NULL;
    }
    buf_put_span(problems, lines);
    if (conf.n == 0)
        return NULL;
    c = conf_rd(conf);
    if (c == NULL)
        buf_printf(problems, "%s: the process that parses it gave nonsense\n", file);
    return c;
}

struct conf *parse_in_child(const char *file, struct buf *problems)
{
    FD_AUTO text = open(file, O_RDONLY | O_CLOEXEC);
    struct buf result BUF_AUTO = BUF(RESULT_MAX_BYTES + 65536);
    FD_AUTO from = -1;
    int pipe_fds[2], status, r;
    pid_t pid;

    if (text < 0) {
        buf_printf(problems, "%s: %s\n", file, strerror(errno));
        return NULL;
    }
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        buf_printf(problems, "%s: %s\n", file, strerror(errno));
        return NULL;
    }
    from = pipe_fds[0];
    /* the child writes without looking for room */
    fcntl(pipe_fds[1], F_SETFL, 0);
    pid = fork();
    if (pid == 0)
        become_parser(file, text, pipe_fds[1]);
    close(pipe_fds[1]);
    if (pid < 0) {
        buf_printf(problems, "%s: %s\n", file, strerror(errno));
        return NULL;
    }
    r = read_result(from, &result);
    if (r != 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return take_result(r == 0 ? buf_span(&result) : SPAN_EMPTY, file, problems);
}

int conf_memfd(const struct conf *c)
{
    struct buf bytes BUF_AUTO = BUF(RESULT_MAX_BYTES);
    FD_AUTO fd = memfd_create("conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r;

    if (fd < 0)
        return -errno;
    conf_wr(c, &bytes);
    if (bytes.overflow)
        return -EMSGSIZE;
    if ((r = fd_write_all(fd, bytes.p, bytes.n)) != 0)
        return r;
    /* children get this very descriptor */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return -errno;
    return fd_steal(&fd);
}
