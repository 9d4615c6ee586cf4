#include "manager/control.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "manager/command.h"
#include "manager/text.h"
#include "proc/child/child_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    FILE_MAX_BYTES = 16 << 20,
    INSTANCES_MAX = 64,
    WAIT_MS = 10000, /* for a process that is being started */
    RETRY_MS = 50,
    REPLY_SPARE = 1024,
    PATH_BYTES = 4096,
};

struct control {
    int supervisor;
    int links[ROLE_COUNT][INSTANCES_MAX];
    uint32_t calls;
    char data[PATH_BYTES];
    struct conf *conf;
};

const char *call_config(const struct call *c)
{
    const char *env = getenv("SEALPOST_CONFIG");

    return has_option(c, OPT_CONFIG) ? c->option[OPT_CONFIG]
           : env != NULL && env[0]   ? env
                                     : "./run/sealpost.conf";
}

/* ---- the data folder --------------------------------------------------------------------- */

static bool is_blank_or_line(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* data = "…" at the head of a line. */
static bool data_line(struct span line, struct span *ret)
{
    struct span ignored;

    parse_blanks(&line);
    if (!parse_lit(&line, "data"))
        return false;
    parse_while(&line, is_blank_or_line, 0, SIZE_MAX, &ignored);
    if (!parse_char(&line, '=') && !parse_char(&line, ':'))
        return false;
    parse_while(&line, is_blank_or_line, 0, SIZE_MAX, &ignored);
    return parse_char(&line, '"') && parse_until(&line, '"', PATH_BYTES, ret);
}

bool control_find_data(struct span text, const char *file, struct buf *ret)
{
    struct span line, value = SPAN("data"), folder = span_cstr(file);
    size_t slash = span_rfind(folder, '/');

    while (span_split(&text, '\n', &line))
        if (data_line(line, &value))
            break;
    if (value.n == 0 || value.p[0] != '/') {
        buf_put_span(ret, slash == SPAN_NONE ? SPAN(".") : span_head(folder, slash));
        buf_putc(ret, '/');
    }
    buf_put_span(ret, value);
    return !ret->overflow;
}

/* ---- connecting -------------------------------------------------------------------------- */

static int no_server(const char *data, int error, struct err *e)
{
    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        return err_set(e, -ENOTCONN,
                       "no server runs with %s. Start it with `sealpost run`, or name another "
                       "configuration with --config",
                       text_quote(span_cstr(data)));
    case EACCES:
    case EPERM:
        return err_set(e, -EACCES,
                       "%s/control.sock may not be used by this user. Use root, the user who "
                       "started the server, or a member of the group of option admin_group",
                       text_quote(span_cstr(data)));
    default:
        return err_set(e, -error, "%s/control.sock: %s", text_quote(span_cstr(data)),
                       strerror(error));
    }
}

/* Through a descriptor of the folder: the name of a socket has little room. */
static int connect_socket(const char *data, int *ret, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    FD_AUTO folder = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    FD_AUTO fd = -1;

    if (folder < 0)
        return no_server(data, errno, e);
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/control.sock", folder);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        return no_server(data, errno, e);
    *ret = fd_steal(&fd);
    return 0;
}

int control_open(const char *file, struct control **ret, struct err *e)
{
    struct buf text BUF_AUTO = BUF(FILE_MAX_BYTES), data BUF_AUTO = BUF(PATH_BYTES);
    struct control *c;
    int fd = -1, r = file_read(AT_FDCWD, file, FILE_MAX_BYTES, &text, e);

    if (r != 0)
        return err_set(e, r,
                       "the configuration %s cannot be read: %s. Name it with --config FILE "
                       "or SEALPOST_CONFIG",
                       text_quote(span_cstr(file)), strerror(-r));
    if (!control_find_data(buf_span(&text), file, &data))
        return err_set(e, -ENAMETOOLONG, "%s: the name of the data folder is too long", file);
    if ((r = connect_socket(buf_cstr(&data), &fd, e)) != 0)
        return r;
    c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->supervisor = fd;
    memset(c->links, -1, sizeof c->links);
    snprintf(c->data, sizeof c->data, "%s", buf_cstr(&data));
    *ret = c;
    return 0;
}

const char *control_data(const struct control *c)
{
    return c->data;
}

void control_free(struct control *c)
{
    if (c == NULL)
        return;
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        for (unsigned i = 0; i < INSTANCES_MAX; i++)
            fd_close(&c->links[r][i]);
    fd_close(&c->supervisor);
    conf_free(c->conf);
    free(c);
}

struct control *call_control(struct call *c, struct err *e)
{
    if (c->control == NULL)
        control_open(call_config(c), &c->control, e);
    return c->control;
}

/* ---- calls ------------------------------------------------------------------------------- */

/* Notes that come in between (a process may tell more than was asked) are not for us. */
static int exchange(struct control *c, int fd, enum role peer, enum msg_id id, struct span body,
                    int give_fd, struct buf *store, struct frame *ret)
{
    uint32_t call = ++c->calls;
    uint64_t end = clock_mono_ms() + CONTROL_TIMEOUT_MS;
    int r = link_raw_send(fd, id, false, call, 0, body, &give_fd, give_fd >= 0);

    while (r == 0) {
        uint64_t now = clock_mono_ms();
        if (now >= end)
            return -ETIMEDOUT;
        r = link_raw_recv(fd, ROLE_MANAGER, peer, (int)(end - now), store, ret);
        if (r != 0)
            return r;
        if (ret->reply && ret->id == id && ret->call == call)
            return 0;
        for (unsigned i = 0; i < ret->fd_count; i++)
            fd_close(&ret->fds[i]);
    }
    return r;
}

static int broken(enum role role, int r, struct err *e)
{
    const char *name = role_name(role);

    switch (r) {
    case -EPIPE:
    case -ECONNRESET:
        if (role == ROLE_SUPERVISOR)
            return err_set(
                e, r,
                "the server has closed the control socket: this user may not use it, or "
                "the server is stopping. Use root, the user who started the server, or a "
                "member of the group of option admin_group");
        return err_set(e, r, "%s has ended before it answered; the log says why. Try again", name);
    case -ETIMEDOUT:
        return err_set(e, r,
                       "%s has not answered within %d seconds; `sealpost status` shows how it "
                       "is",
                       name, CONTROL_TIMEOUT_MS / 1000);
    case -EBADMSG:
        return err_set(e, r,
                       "%s has answered something that makes no sense; are server and command "
                       "line of the same version?",
                       name);
    case -EMSGSIZE:
        return err_set(e, r, "what was given is too long");
    default:
        return err_set(e, r, "%s: %s", name, strerror(-r));
    }
}

static int make_link(struct control *c, enum role role, unsigned instance, int *ret, struct err *e)
{
    struct buf store BUF_AUTO = BUF(LINK_PAYLOAD_MAX + REPLY_SPARE), body BUF_AUTO = BUF(64);
    uint64_t end = clock_mono_ms() + WAIT_MS;
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
    struct frame f;
    int r;

    wr_child_peer(&body, role, instance);
    for (;;) {
        r = exchange(c, c->supervisor, ROLE_SUPERVISOR, MSG_CONTROL_CONNECT, buf_span(&body), -1,
                     &store, &f);
        if (r != 0)
            return broken(ROLE_SUPERVISOR, r, e);
        if (f.status != -EAGAIN || clock_mono_ms() >= end)
            break;
        nanosleep(&pause, NULL);
    }
    if (f.status == -ENOENT)
        return err_set(e, -ENOENT, "the server has no process %s %u", role_name(role), instance);
    if (f.status == -EAGAIN)
        return err_set(e, -EAGAIN, "%s is not ready; `sealpost status` shows why", role_name(role));
    if (f.status != 0 || f.fds[0] < 0)
        return err_set(e, f.status ? f.status : -EBADMSG, "no link to %s: %s", role_name(role),
                       strerror(f.status ? -f.status : EBADMSG));
    *ret = f.fds[0];
    return 0;
}

static int link_to(struct control *c, enum role role, unsigned instance, int *ret, struct err *e)
{
    int *slot;
    int r = 0;

    if (role == ROLE_SUPERVISOR) {
        *ret = c->supervisor;
        return 0;
    }
    CHECK(instance < INSTANCES_MAX);
    slot = &c->links[role_index(role)][instance];
    if (*slot < 0)
        r = make_link(c, role, instance, slot, e);
    *ret = *slot;
    return r;
}

/* What a process says of itself, or words for its errno. */
static int refused(enum role role, int status, struct span text, struct err *e)
{
    if (text.n > 0)
        return err_set(e, status, "%.*s", (int)(text.n < 500 ? text.n : 500), text.p);
    switch (status) {
    case -ENOENT:
        return err_set(e, status, "there is none of that name or number");
    case -EEXIST:
        return err_set(e, status, "there is one of that name already");
    case -EINVAL:
        return err_set(e, status, "%s does not take that", role_name(role));
    default:
        return err_set(e, status, "%s: %s", role_name(role), strerror(-status));
    }
}

static int call_any(struct control *c, enum role role, unsigned instance, enum msg_id id,
                    struct span body, int give_fd, struct buf *reply, int *ret_fd, struct err *e)
{
    struct buf store BUF_AUTO = BUF(LINK_PAYLOAD_MAX + REPLY_SPARE);
    struct frame f;
    int fd, r = link_to(c, role, instance, &fd, e);

    if (r != 0)
        return r;
    r = exchange(c, fd, role, id, body, give_fd, &store, &f);
    if (r != 0) {
        if (role != ROLE_SUPERVISOR)
            fd_close(&c->links[role_index(role)][instance]);
        return broken(role, r, e);
    }
    if (f.status >= 0 && ret_fd != NULL)
        *ret_fd = fd_steal(&f.fds[0]);
    for (unsigned i = 0; i < f.fd_count; i++)
        fd_close(&f.fds[i]);
    /* the text of a failed reload is more than a reason */
    if (reply != NULL && (f.status >= 0 || id == MSG_CONTROL_RELOAD))
        buf_put_span(reply, f.body);
    return f.status < 0 ? refused(role, f.status, f.body, e) : f.status;
}

int control_call(struct control *c, enum role role, unsigned instance, enum msg_id id,
                 struct span body, struct buf *reply, struct err *e)
{
    return call_any(c, role, instance, id, body, -1, reply, NULL, e);
}

int control_call_with(struct control *c, enum role role, unsigned instance, enum msg_id id,
                      struct span body, int fd, struct buf *reply, struct err *e)
{
    return call_any(c, role, instance, id, body, fd, reply, NULL, e);
}

int control_call_fd(struct control *c, enum role role, unsigned instance, enum msg_id id,
                    struct span body, int *ret_fd, struct err *e)
{
    int fd = -1, r = call_any(c, role, instance, id, body, -1, NULL, &fd, e);

    if (r >= 0 && fd < 0)
        return err_set(e, -EBADMSG, "%s has answered without a descriptor", role_name(role));
    if (r >= 0)
        *ret_fd = fd;
    return r;
}

/* ---- the running configuration ----------------------------------------------------------- */

const struct conf *control_conf(struct control *c, struct err *e)
{
    struct buf bytes BUF_AUTO = BUF(FILE_MAX_BYTES);
    FD_AUTO fd = -1;
    struct stat st;
    size_t got = 0;

    if (c->conf != NULL)
        return c->conf;
    if (control_call_fd(c, ROLE_SUPERVISOR, 0, MSG_CONTROL_CONF, SPAN_EMPTY, &fd, e) < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= FILE_MAX_BYTES) {
        char *p = buf_reserve(&bytes, (size_t)st.st_size);
        while (got < (size_t)st.st_size) {
            /* all who have it share its position */
            ssize_t n = pread(fd, p + got, (size_t)st.st_size - got, (off_t)got);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            got += (size_t)n;
        }
        buf_commit(&bytes, got);
    }
    c->conf = conf_rd(buf_span(&bytes));
    if (c->conf == NULL)
        err_set(e, -EBADMSG,
                "the server's configuration cannot be read; are server and command "
                "line of the same version?");
    return c->conf;
}
