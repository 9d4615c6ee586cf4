#include "manager/capture_server.h"

#include "base/check.h"
#include "line/session_msg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WORKERS_MAX = 64,
    ALL_BYTES = 64 << 20, /* of all feeds together */
    ONE_BYTES_MAX = 16 << 20,
    ONE_BYTES_MIN = 1 << 20,
};

struct worker_name {
    enum role role;
    unsigned instance;
};

struct capture_server {
    struct control *control;
    struct worker_name workers[SOURCE_FEEDS_MAX];
    unsigned count;
    struct feed *feeds[SOURCE_FEEDS_MAX]; /* the source's once there is one */
};

static void ask_for(const struct observe_endpoint *endpoints, unsigned count,
                    struct tls_tap_request *q)
{
    q->count = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned k = 0;
        while (k < q->count && strcmp(q->vservers[k], endpoints[i].vserver) != 0)
            k++;
        if (k == q->count && q->count < TLS_TAP_VSERVERS_MAX)
            snprintf(q->vservers[q->count++], sizeof q->vservers[0], "%s", endpoints[i].vserver);
    }
}

/* Of one kind, counted until there is none of that number. */
static int find_workers(struct capture_server *s, enum role role, struct err *e)
{
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        int r = control_call(s->control, role, i, MSG_CHILD_STATUS, SPAN_EMPTY, NULL, e);
        if (r == -ENOENT)
            break;
        if (r < 0)
            return r;
        s->workers[s->count++] = (struct worker_name){role, i};
    }
    e->text[0] = '\0';
    return 0;
}

static size_t bytes_of_one(unsigned workers)
{
    size_t bytes = ONE_BYTES_MAX;

    while (bytes > ONE_BYTES_MIN && bytes * workers > ALL_BYTES)
        bytes /= 2;
    return bytes;
}

static int open_taps(struct capture_server *s, const struct tls_tap_request *q, struct err *e)
{
    struct buf body BUF_AUTO = BUF(8192);
    int r = 0;

    wr_tap_open(&body, q);
    for (unsigned i = 0; i < s->count && r >= 0; i++) {
        r = feed_make(bytes_of_one(s->count), &s->feeds[i], e);
        if (r == 0)
            r = control_call_with(s->control, s->workers[i].role, s->workers[i].instance,
                                  MSG_TAP_OPEN, buf_span(&body), feed_fd(s->feeds[i]), NULL, e);
    }
    return r;
}

int capture_server_start(struct control *control, const struct observe_endpoint *endpoints,
                         unsigned count, struct capture_server **ret, struct source **ret_source,
                         struct err *e)
{
    struct capture_server *s = calloc(1, sizeof *s);
    struct tls_tap_request q;
    int r;

    CHECK(s != NULL);
    s->control = control;
    ask_for(endpoints, count, &q);
    r = find_workers(s, ROLE_ACCESS, e);
    if (r == 0)
        r = find_workers(s, ROLE_MX, e);
    if (r == 0 && s->count == 0)
        r = err_set(e, -ENOENT, "no process that serves sessions runs");
    if (r == 0)
        r = open_taps(s, &q, e);
    if (r < 0) {
        for (unsigned i = 0; i < s->count; i++)
            feed_free(s->feeds[i]);
        capture_server_free(s);
        return r;
    }
    *ret_source = source_of_feeds(s->feeds, s->count);
    *ret = s;
    return 0;
}

int capture_server_stop(struct capture_server *s, struct err *e)
{
    int r = 0;

    for (unsigned i = 0; i < s->count; i++) {
        struct buf reply BUF_AUTO = BUF(64);
        struct err ignored;
        if (control_call(s->control, s->workers[i].role, s->workers[i].instance, MSG_TAP_CLOSE,
                         SPAN_EMPTY, &reply, &ignored) < 0)
            r = err_set(e, -EPIPE, "%s %u has ended meanwhile: what it did last was not seen",
                        role_name(s->workers[i].role), s->workers[i].instance);
    }
    return r;
}

void capture_server_free(struct capture_server *s)
{
    free(s);
}

unsigned capture_server_workers(const struct capture_server *s)
{
    return s->count;
}
