/* keyd: makes and keeps the private keys and signs with them; see engine/engine.h. */
#include "base/fd.h"
#include "proc/child/evidence.h"
#include "proc/keyd/engine/engine.h"
#include "proc/keyd/engine/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void handle(void *arg, struct msg *m)
{
    const struct child *c = arg;
    keyd_handle(c->state, m);
}

static void on_export(void *arg, const char *key_id, const char *label)
{
    EVIDENCE(arg, "export", {"key", key_id}, {"label", label});
}

static void on_peer(struct child *c, struct link *l)
{
    keyd_peer(c->state, l);
}

static void on_status(struct child *c, struct buf *json)
{
    keyd_status(c->state, json);
}

static const struct msg_handler handlers[] = {
    {MSG_KEY_CREATE,  handle, true },
    {MSG_KEY_GET,     handle, false},
    {MSG_KEY_LIST,    handle, false},
    {MSG_KEY_DELETE,  handle, false},
    {MSG_KEY_SIGN,    handle, false},
    {MSG_KEY_TICKETS, handle, false},
    {MSG_KEY_IMPORT,  handle, true },
    {MSG_KEY_EXPORT,  handle, true },
    {0,               NULL,   false},
};
static const struct child_ops ops = {
    .handlers = handlers, .on_peer = on_peer, .on_status = on_status};

static int open_folder(const struct child *c)
{
    char path[300];
    int fd;

    snprintf(path, sizeof path, "%s/keys", c->root);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        child_fatal("%s: cannot be made: %s", path, strerror(errno));
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        child_fatal("%s: cannot be opened: %s", path, strerror(errno));
    return fd;
}

int main(void)
{
    struct child *c = child_open(ROLE_KEYD, &ops);
    struct err e;
    int status;

    loop_threads(JOBS_THREADS + 1); /* one more, for the key that is being made */
    c->state = keyd_open(c->loop, open_folder(c), &e);
    if (c->state == NULL)
        child_fatal("keys cannot be opened: %s", e.text);
    keyd_on_export(c->state, on_export, c);
    child_jail(c, "keyd");
    status = child_run(c);
    if (!keyd_idle(c->state))
        _exit(status); /* a thread signs yet: what exit() calls would take OpenSSL away from it */
    keyd_close(c->state);
    return status;
}
