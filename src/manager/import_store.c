#include "manager/import_store.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "manager/text.h"
#include "proc/child/child_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    STACK_BYTES = 1 << 20,
    GRANT_FRESH_MS = 30 * 60 * 1000,
    GRANT_TIMEOUT_MS = 30000,
    AGAIN_MS = 100,
    ATTACH_MS = 15000,
    ATTACH_LOOK_MS = 10,
    PATH_BYTES = 4096,
    CONFIG_MAX = 16 << 20,
};

/* ---- the link ---------------------------------------------------------------------------- */

static void on_store_message(void *arg, struct msg *m)
{
    struct import_store *s = arg;

    store_message(s->store, m);
}

static const struct msg_handler handlers[] = {
    {MSG_STORE_FILES,      on_store_message, false},
    {MSG_STORE_FILES_GONE, on_store_message, false},
    {0,                    NULL,             false},
};

static void on_closed(void *arg, struct link *l)
{
    struct import_store *s = arg;

    s->link = NULL;
    store_attach(s->store, NULL);
    timer_start(s->again, AGAIN_MS);
}

/* stored is started anew by the supervisor; until then it says -EAGAIN. */
static int connect_again(struct import_store *s, struct err *e)
{
    struct buf body BUF_AUTO = BUF(64);
    int fd = -1, r;

    wr_child_peer(&body, ROLE_STORED, 0);
    r = control_call_fd(s->control, ROLE_SUPERVISOR, 0, MSG_CONTROL_CONNECT, buf_span(&body), &fd,
                        e);
    if (r < 0)
        return r;
    s->link = link_new(s->loop, fd, ROLE_MANAGER, ROLE_STORED, 0, &s->ops);
    if (s->link == NULL)
        return err_set(e, -EPIPE, "no link to stored");
    store_attach(s->store, s->link);
    return 0;
}

static int connect_at_first(struct import_store *s, struct err *e)
{
    uint64_t end = clock_mono_ms() + ATTACH_MS;
    int r = connect_again(s, e);

    while (r == -EAGAIN && clock_mono_ms() < end) {
        usleep(AGAIN_MS * 1000);
        r = connect_again(s, e);
    }
    return r == -EAGAIN ? err_set(e, r, "stored is not ready; `sealpost status` shows why") : r;
}

static void on_again(void *arg)
{
    struct import_store *s = arg;
    struct err ignored;
    int r = connect_again(s, &ignored);

    if (r == -EAGAIN)
        timer_start(s->again, AGAIN_MS);
    else if (r < 0)
        s->lost = true;
}

/* ---- opening ----------------------------------------------------------------------------- */

static int find_account(struct import_store *s, const char *name, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(4096);
    struct rd rd;
    int r = control_call(s->control, ROLE_AUTHD, 0, MSG_ACCOUNT_SHOW, span_cstr(name), &reply, e);

    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    if (!rd_authd_account(&rd, &s->account) || !rd_done(&rd))
        return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    if (s->account.state != ACCOUNT_STATE_ENABLED)
        return err_set(e, -EACCES,
                       "the account %s is not enabled; `sealpost account set %s --enable` does it",
                       s->account.address, s->account.address);
    return 0;
}

int import_store_root(const struct call *c, struct buf *ret, struct err *e)
{
    struct buf text BUF_AUTO = BUF(CONFIG_MAX);
    int r = file_read(AT_FDCWD, call_config(c), CONFIG_MAX, &text, e);

    if (r == 0 && !control_find_data(buf_span(&text), call_config(c), ret))
        r = err_set(e, -ENAMETOOLONG, "the name of the data folder is too long");
    return r;
}

static int open_store(struct import_store *s, struct err *e)
{
    const struct conf *conf = control_conf(s->control, e);
    struct buf root BUF_AUTO = BUF(PATH_BYTES);
    char path[PATH_BYTES + 100];
    int r = conf != NULL ? import_store_root(s->call, &root, e) : -EPIPE;

    if (r != 0)
        return r;
    snprintf(path, sizeof path, "%s/store/index/data.mdb", buf_cstr(&root));
    if (access(path, R_OK) != 0)
        return err_set(e, -errno,
                       "%s cannot be read: %s. Moving mail needs root, or the user who runs the "
                       "server",
                       text_quote(span_cstr(path)), strerror(errno));
    s->store = store_open(s->loop, buf_cstr(&root), conf->index_map_bytes, IMPORT_RING_BYTES,
                          IMPORT_SPOOL_BYTES);
    if (s->store == NULL)
        return err_set(e, -EIO, "the store in %s cannot be opened", text_quote(span_cstr(path)));
    return 0;
}

static void on_signal(void *arg, int signo)
{
    struct import_store *s = arg;

    /* who asks twice does not want to wait */
    if (s->interrupted)
        _exit(EXIT_REFUSED);
    s->interrupted = true;
    if (s->on_interrupt != NULL)
        s->on_interrupt(s->on_interrupt_arg);
}

int import_store_open(struct call *c, const char *account, struct import_store **ret, struct err *e)
{
    struct import_store *s;
    struct control *control = call_control(c, e);
    int r;

    if (control == NULL)
        return -ENOTCONN;
    s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->call = c;
    s->control = control;
    s->grant = BUF(STORE_GRANT_MAX);
    r = find_account(s, account, e);
    if (r == 0) {
        fiber_config(STACK_BYTES, 8);
        s->loop = loop_new();
        s->again = timer_new(s->loop, on_again, s);
        s->ops = (struct link_ops){handlers, on_closed, s};
        r = open_store(s, e);
    }
    if (r == 0)
        r = connect_at_first(s, e);
    if (r != 0) {
        import_store_free(s);
        return r;
    }
    loop_signal(s->loop, SIGINT, on_signal, s);
    loop_signal(s->loop, SIGTERM, on_signal, s);
    *ret = s;
    return 0;
}

void import_store_free(struct import_store *s)
{
    if (s == NULL)
        return;
    s->ops.on_closed = NULL;
    link_free(s->link);
    timer_free(s->again);
    store_close(s->store);
    if (s->loop != NULL)
        loop_free(s->loop);
    buf_done(&s->grant);
    free(s);
}

/* ---- running ----------------------------------------------------------------------------- */

static void run_fiber(void *arg)
{
    struct import_store *s = arg;
    uint64_t end = clock_mono_ms() + ATTACH_MS;

    while (!store_is_attached(s->store) && clock_mono_ms() < end && !s->lost && !s->interrupted)
        fiber_sleep_ms(ATTACH_LOOK_MS);
    if (store_is_attached(s->store))
        s->work(s->work_arg);
    else
        s->work = NULL;
    loop_stop(s->loop);
}

int import_store_run(struct import_store *s, void (*work)(void *arg), void *arg, struct err *e)
{
    s->work = work;
    s->work_arg = arg;
    fiber_start(s->loop, run_fiber, s, "work");
    loop_run(s->loop);
    return s->work != NULL
               ? 0
               : err_set(e, -ETIMEDOUT,
                         "stored does not let this command in; its line in the log says why");
}

int import_store_grant(struct import_store *s, struct span *ret)
{
    struct buf body BUF_AUTO = BUF(16), fresh BUF_AUTO = BUF(STORE_GRANT_MAX);
    int r;

    if (s->grant.n > 0 && clock_mono_ms() < s->grant_until_ms) {
        *ret = buf_span(&s->grant);
        return 0;
    }
    for (uint64_t end = clock_mono_ms() + ATTACH_MS; s->link == NULL;) {
        if (s->lost || clock_mono_ms() >= end)
            return -EPIPE;
        fiber_sleep_ms(ATTACH_LOOK_MS);
    }
    wr_u64(&body, s->account.id);
    r = link_call(s->link, MSG_STORE_GRANT, buf_span(&body), NULL, 0, GRANT_TIMEOUT_MS, &fresh,
                  NULL);
    if (r != 0)
        return r;
    buf_clear(&s->grant); /* others may have asked too: the last one stays */
    buf_put_span(&s->grant, buf_span(&fresh));
    s->grant_until_ms = clock_mono_ms() + GRANT_FRESH_MS;
    *ret = buf_span(&s->grant);
    return 0;
}

const char *import_store_reason(int error)
{
    switch (error) {
    case -EDQUOT:
        return "the account is over its quota";
    case -ENOSPC:
        return "the disk of the store is nearly full";
    case -EMSGSIZE:
        return "the message is too large";
    case -EACCES:
        return "stored does not allow it: the account was disabled, or its password changed";
    case -EPIPE:
    case -ETIMEDOUT:
        return "stored does not answer; `sealpost status` shows how it is";
    case -EOVERFLOW:
        return "the mailbox has no numbers left";
    default:
        return strerror(-error);
    }
}

bool import_store_shows_progress(const struct import_store *s)
{
    return !has_option(s->call, OPT_JSON) && isatty(STDERR_FILENO);
}
