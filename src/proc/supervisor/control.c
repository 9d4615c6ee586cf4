#include "proc/supervisor/supervisor.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "control.sock"
enum { GROUPS_MAX = 1024 };

/* ---- who may ----------------------------------------------------------------------------- */

static bool in_group(int fd, gid_t first, gid_t want)
{
    gid_t groups[GROUPS_MAX];
    socklen_t bytes = sizeof groups;

    if (first == want)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) != 0)
        return false;
    for (size_t i = 0; i < bytes / sizeof *groups; i++)
        if (groups[i] == want)
            return true;
    return false;
}

static bool may_manage(const struct supervisor *s, int fd, uid_t *ret_uid)
{
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    const struct group *admin;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
        return false;
    *ret_uid = peer.uid;
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    admin = s->conf->admin_group[0] ? getgrnam(s->conf->admin_group) : NULL;
    if (admin != NULL && in_group(fd, peer.gid, admin->gr_gid))
        return true;
    log_warn("user %u, process %d, may not use the control socket", (unsigned)peer.uid,
             (int)peer.pid);
    return false;
}

/* ---- calls ------------------------------------------------------------------------------- */

static void on_connect(void *arg, struct msg *m)
{
    struct supervisor *s = arg;
    struct buf b BUF_AUTO = BUF(64);
    enum role role;
    unsigned instance;
    struct process *p;
    int fds[2], r;

    if (!rd_child_peer(m->body, &role, &instance)) {
        msg_reply(m, -EBADMSG, SPAN_EMPTY);
        return;
    }
    p = process_find(s, role, instance);
    if (p == NULL || p->link == NULL || p->state != PROCESS_READY) {
        msg_reply(m, p == NULL ? -ENOENT : -EAGAIN, SPAN_EMPTY);
        return;
    }
    r = socket_pair(fds);
    if (r != 0) {
        msg_reply(m, r, SPAN_EMPTY);
        return;
    }
    /* a child knows managers by number; the numbers go round */
    wr_child_peer(&b, ROLE_MANAGER, s->manager_serial % INSTANCES_MAX);
    p->managers[s->manager_serial++ % INSTANCES_MAX] = s->manager_uids[link_instance(m->link)];
    r = link_send(p->link, MSG_CHILD_PEER, buf_span(&b), &fds[1], 1);
    if (r == 0)
        link_reply(link_id(m->link), m->id, m->call, 0, SPAN_EMPTY, &fds[0], 1);
    else
        msg_reply(m, r, SPAN_EMPTY);
    fd_close(&fds[0]);
    fd_close(&fds[1]);
}

static void on_status(void *arg, struct msg *m)
{
    struct buf json BUF_AUTO = BUF(STATUS_MAX_BYTES);

    status_json(arg, &json);
    if (json.overflow)
        msg_reply(m, -EMSGSIZE, SPAN_EMPTY);
    else
        msg_reply(m, 0, buf_span(&json));
}

static void on_reload(void *arg, struct msg *m)
{
    struct buf problems BUF_AUTO = BUF(PROBLEMS_MAX_BYTES);
    struct supervisor *s = arg;
    char who[EVIDENCE_WHO_BYTES];
    int r;

    evidence_user(s->manager_uids[link_instance(m->link)], who);
    r = course_reload(s, who, &problems);
    msg_reply(m, r, buf_span(&problems));
}

static void on_stop(void *arg, struct msg *m)
{
    msg_reply(m, 0, SPAN_EMPTY);
    course_stop(arg);
}

static void on_conf(void *arg, struct msg *m)
{
    struct supervisor *s = arg;
    link_reply(link_id(m->link), m->id, m->call, 0, SPAN_EMPTY, &s->conf_fd, 1);
}

void on_control_metrics(void *arg, struct msg *m)
{
    struct buf text BUF_AUTO = BUF(LINK_PAYLOAD_MAX);

    metrics_text(arg, &text);
    msg_reply(m, 0, buf_span(&text));
}

static const struct msg_handler handlers[] = {
    {MSG_CONTROL_CONNECT, on_connect,         false},
    {MSG_CONTROL_STATUS,  on_status,          false},
    {MSG_CONTROL_RELOAD,  on_reload,          true },
    {MSG_CONTROL_STOP,    on_stop,            false},
    {MSG_CONTROL_CONF,    on_conf,            false},
    {MSG_CONTROL_METRICS, on_control_metrics, false},
    {MSG_EVIDENCE_ADD,    on_evidence_add,    false},
    {0,                   NULL,               false},
};

/* ---- the socket -------------------------------------------------------------------------- */

static void on_manager_gone(void *arg, struct link *l)
{
    struct supervisor *s = arg;

    for (size_t i = 0; i < ARRAY_LEN(s->managers); i++)
        if (s->managers[i] == l)
            s->managers[i] = NULL;
}

static void on_manager(void *arg, int events)
{
    struct supervisor *s = arg;
    struct link_ops ops = {handlers, on_manager_gone, s};
    FD_AUTO fd = accept4(s->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    uid_t uid;
    size_t i = 0;

    if (fd < 0 || !may_manage(s, fd, &uid))
        return;
    while (i < ARRAY_LEN(s->managers) && s->managers[i] != NULL)
        i++;
    if (i == ARRAY_LEN(s->managers)) {
        log_warn("too many command lines at once");
        return;
    }
    s->manager_uids[i] = uid;
    s->managers[i] =
        link_new(s->loop, fd_steal(&fd), ROLE_SUPERVISOR, ROLE_MANAGER, (unsigned)i, &ops);
}

int control_open(struct supervisor *s, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const struct group *admin = NULL;
    /* through the folder's descriptor: the whole name may be longer than a socket's name can be */
    int n = snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/" SOCKET_NAME, s->root_fd);
    mode_t mask;
    int r;

    CHECK(n > 0 && (size_t)n < sizeof a.sun_path);
    s->control_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->control_fd < 0)
        return err_set(e, -errno, "control socket: %s", strerror(errno));
    unlinkat(s->root_fd, SOCKET_NAME, 0); /* of a supervisor that is no more: we hold the lock */
    mask = umask(0177);
    r = bind(s->control_fd, (struct sockaddr *)&a, sizeof a) == 0 ? 0 : -errno;
    umask(mask);
    if (r != 0 || listen(s->control_fd, 16) != 0)
        return err_set(e, r ? r : -errno, "%s/" SOCKET_NAME ": %s", s->root, strerror(errno));
    if (s->conf->admin_group[0] != '\0')
        admin = getgrnam(s->conf->admin_group);
    if (admin != NULL && fchownat(s->root_fd, SOCKET_NAME, (uid_t)-1, admin->gr_gid, 0) != 0)
        log_warn("control socket: group %s: %s", s->conf->admin_group, strerror(errno));
    if (fchmodat(s->root_fd, SOCKET_NAME, 0660, 0) != 0)
        return err_set(e, -errno, "%s/" SOCKET_NAME ": %s", s->root, strerror(errno));
    s->control = watch_new(s->loop, s->control_fd, on_manager, s);
    watch_set(s->control, WATCH_READ);
    return 0;
}

void control_close(struct supervisor *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->managers); i++) {
        link_free(s->managers[i]);
        s->managers[i] = NULL;
    }
    watch_free(s->control);
    s->control = NULL;
    fd_close(&s->control_fd);
    if (s->root_fd >= 0)
        unlinkat(s->root_fd, SOCKET_NAME, 0);
}
