/*
 * command.c: the administrator's own program that changes DNS for dns-01. certd says for which authority, which record and
 * present or withdraw; the program stands in the configuration. It runs as nobody (as the server's own user where users are
 * not changed), without privileges, for half a minute at most.
 */
#include "proc/supervisor/supervisor.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "proc/child/order_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    COMMAND_SECONDS = 30,
    OUTPUT_MAX = 1500,
    NOBODY = 65534,
    CPU_SECONDS = 10,
    FILE_BYTES = 16 << 20,
    DESCRIPTORS = 64,
    RUNNING_MAX = 8,
};

static unsigned running;

static void limit(int what, rlim_t value)
{
    struct rlimit l = {value, value};
    setrlimit(what, &l);
}

static bool become_nobody(void)
{
    const struct passwd *p;
    uid_t uid = NOBODY;
    gid_t gid = NOBODY;

    if (geteuid() != 0)
        return true;
    p = getpwnam("nobody");
    if (p != NULL) {
        uid = p->pw_uid;
        gid = p->pw_gid;
    }
    return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
           setresuid(uid, uid, uid) == 0;
}

_Noreturn static void become_command(const char *program, const struct cert_command_msg *m,
                                     int output)
{
    char present[] = "present", withdraw[] = "withdraw",
         path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    char *file = strdup(program), *name = strdup(m->name), *value = strdup(m->value);
    char *argv[] = {file, m->present ? present : withdraw, name, value, NULL};
    char *env[] = {path, NULL};
    sigset_t none;
    int null;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    null = open("/dev/null", O_RDWR);
    output = fcntl(output, F_DUPFD, 10);
    if (null < 0 || output < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
        chdir("/") != 0)
        _exit(126);
    close_range(3, ~0u, 0);
    limit(RLIMIT_CPU, CPU_SECONDS);
    limit(RLIMIT_FSIZE, FILE_BYTES);
    limit(RLIMIT_NOFILE, DESCRIPTORS);
    limit(RLIMIT_CORE, 0);
    umask(077);
    if (!become_nobody() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(126);
    execve(program, argv, env);
    dprintf(2, "%s cannot be run: %s\n", program, strerror(errno));
    _exit(127);
}

/* What it writes, until it ends or its time is over. */
static void read_output(int fd, struct buf *out)
{
    uint64_t end = clock_mono_ms() + COMMAND_SECONDS * UINT64_C(1000), now;

    while ((now = clock_mono_ms()) < end) {
        char some[512];
        ssize_t n;
        if (fiber_wait_fd(fd, WATCH_READ, end - now) == 0)
            return;
        n = read(fd, some, sizeof some);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return;
        if (n > 0) /* the rest is read and dropped: it must not block */
            buf_put_span(out, span_head(span_of(some, (size_t)n), out->max - out->n));
    }
}

/* Its exit status; negative: it was killed, or did not come to its end. */
static int await(pid_t pid, uint64_t end)
{
    int status;

    for (;;) {
        pid_t r = waitpid(pid, &status, WNOHANG);
        if (r == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        if (r < 0 && errno != EINTR)
            return -ECHILD;
        if (clock_mono_ms() > end) {
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
        }
        fiber_sleep_ms(20);
    }
}

static int run(const char *program, const struct cert_command_msg *m, struct buf *out)
{
    uint64_t end = clock_mono_ms() + COMMAND_SECONDS * UINT64_C(1000);
    int fds[2], status;
    FD_AUTO from = -1;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    from = fds[0];
    fd_nonblock(from);
    pid = fork();
    if (pid == 0)
        become_command(program, m, fds[1]);
    close(fds[1]);
    if (pid < 0)
        return -errno;
    read_output(from, out);
    status = await(pid, end);
    if (status == 0)
        return 0;
    if (clock_mono_ms() > end)
        buf_printf(out, " (ended after %d s)", COMMAND_SECONDS);
    else if (out->n == 0)
        buf_printf(out, status > 0 ? "it ended with status %d" : "it was ended by signal %d",
                   status > 0 ? status : -status);
    return -EREMOTEIO;
}

void on_cert_command(void *arg, struct msg *m)
{
    struct process *p = arg;
    struct supervisor *s = p->s;
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    struct buf out BUF_AUTO = BUF(OUTPUT_MAX);
    const struct conf_authority *a;
    struct cert_command_msg in;
    char program[1001];
    int rc;

    if (!rd_cert_command(m->body, &in) ||
        (a = conf_authority_by_name(s->conf, in.authority)) == NULL || a->dns_command[0] == '\0') {
        link_reply(link, id, call, -EINVAL, SPAN("the authority has no dns_command"), NULL, 0);
        return;
    }
    if (running == RUNNING_MAX) {
        link_reply(link, id, call, -EBUSY, SPAN("too many commands at once"), NULL, 0);
        return;
    }
    snprintf(program, sizeof program, "%s", a->dns_command);
    running++;
    rc = run(program, &in, &out);
    running--;
    log_info("authority %s: %s %s %s: %s", in.authority, program,
             in.present ? "present" : "withdraw", in.name, rc == 0 ? "done" : "failed");
    link_reply(link, id, call, rc, span_head(buf_span(&out), OUTPUT_MAX), NULL, 0);
}
