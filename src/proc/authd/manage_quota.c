/* manage_quota.c: what accounts and domains may use, for the manager. */
#include "proc/authd/authd.h"

#include "base/log.h"

#include <errno.h>
#include <inttypes.h>

enum { REPLY_MAX = 65536, ROW_MAX = NAME_ADDRESS_MAX + 16 };

struct quota_job {
    struct directory *d;
    struct span name;
    uint64_t bytes;
    int rc;
    struct err e;
};

static void work_set(void *arg)
{
    struct quota_job *j = arg;

    j->rc = directory_quota_set(j->d, j->name, j->bytes, &j->e);
}

/* bytes (u64), name. */
void msg_quota_set(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct quota_job j = {.d = a->writer};
    char name[NAME_ADDRESS_MAX + 1];
    struct rd r = rd_of(m->body);

    j.bytes = rd_u64(&r);
    j.name = rd_span(&r, NAME_ADDRESS_MAX);
    if (!rd_done(&r) || j.bytes > INT64_MAX || !span_to_cstr(j.name, name, sizeof name)) {
        manage_bad(m);
        return;
    }
    for (char *p = name; *p; p++)
        *p = (char)ascii_lower(*p);
    j.name = span_cstr(name);
    authd_write(a, work_set, &j);
    if (j.rc == 0) {
        log_info("quota of %s: %" PRIu64 " bytes", log_quote(j.name), j.bytes);
        announce_quota(a, j.name, j.bytes);
    }
    manage_reply(m, j.rc, SPAN_EMPTY, &j.e);
}

struct quota_page {
    struct buf b;
    uint16_t count;
    bool more;
};

static bool put_row(struct span name, uint64_t bytes, void *arg)
{
    struct quota_page *p = arg;

    if (p->b.n + ROW_MAX > REPLY_MAX) {
        p->more = true;
        return false;
    }
    wr_span(&p->b, name);
    wr_u64(&p->b, bytes);
    p->count++;
    return true;
}

/* The name to go on after, raw → more, count, (name, bytes) … */
void msg_quota_list(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct quota_page p = {.b = BUF(REPLY_MAX)};
    struct err e;
    size_t head = wr_authd_page_begin(&p.b);
    int rc = directory_quota_each(a->reader, m->body, put_row, &p);

    if (rc < 0)
        err_set(&e, rc, "the directory cannot be read");
    wr_authd_page_end(&p.b, head, p.more, p.count);
    manage_reply(m, rc, buf_span(&p.b), &e);
    buf_done(&p.b);
}
