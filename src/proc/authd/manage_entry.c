/* manage_entry.c: aliases, groups and their members, addresses of newsgroups, for the manager. */
#include "proc/authd/authd.h"

#include "base/log.h"

#include <errno.h>

enum { REPLY_MAX = 65536, ROW_MAX = 1024 };

struct entry_job {
    struct directory *d;
    struct directory_entry entry;
    enum directory_entry_kind kind;
    struct span address, member;
    int rc;
    struct err e;
};

static void work_add(void *arg)
{
    struct entry_job *j = arg;

    j->rc = directory_entry_add(j->d, &j->entry, &j->e);
}

static void work_set(void *arg)
{
    struct entry_job *j = arg;

    j->rc = directory_group_set(j->d, &j->entry, &j->e);
}

static void work_remove(void *arg)
{
    struct entry_job *j = arg;

    j->rc = directory_entry_remove(j->d, j->kind, j->address, &j->e);
}

static void work_member_add(void *arg)
{
    struct entry_job *j = arg;

    j->rc = directory_member_add(j->d, j->address, j->member, &j->e);
}

static void work_member_remove(void *arg)
{
    struct entry_job *j = arg;

    j->rc = directory_member_remove(j->d, j->address, j->member, &j->e);
}

static void write_entry(struct authd *a, struct msg *m, struct entry_job *j,
                        void (*work)(void *arg))
{
    j->d = a->writer;
    authd_write(a, work, j);
    manage_reply(m, j->rc, SPAN_EMPTY, &j->e);
}

/* An entry as the message holds it. */
static bool read_entry(const struct msg *m, struct directory_entry *ret)
{
    struct rd r = rd_of(m->body);

    return rd_authd_entry(&r, ret) && rd_done(&r);
}

void msg_entry_add(void *arg, struct msg *m)
{
    struct entry_job j = {.rc = 0};

    if (read_entry(m, &j.entry))
        write_entry(authd_of(arg), m, &j, work_add);
    else
        manage_bad(m);
}

void msg_entry_set(void *arg, struct msg *m)
{
    struct entry_job j = {.rc = 0};

    if (read_entry(m, &j.entry))
        write_entry(authd_of(arg), m, &j, work_set);
    else
        manage_bad(m);
}

void msg_entry_remove(void *arg, struct msg *m)
{
    struct entry_job j = {.rc = 0};

    if (rd_authd_entry_name(m->body, &j.kind, &j.address))
        write_entry(authd_of(arg), m, &j, work_remove);
    else
        manage_bad(m);
}

void msg_member_add(void *arg, struct msg *m)
{
    struct entry_job j = {.rc = 0};

    if (rd_authd_pair(m->body, &j.address, &j.member))
        write_entry(authd_of(arg), m, &j, work_member_add);
    else
        manage_bad(m);
}

void msg_member_remove(void *arg, struct msg *m)
{
    struct entry_job j = {.rc = 0};

    if (rd_authd_pair(m->body, &j.address, &j.member))
        write_entry(authd_of(arg), m, &j, work_member_remove);
    else
        manage_bad(m);
}

void msg_entry_show(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    enum directory_entry_kind kind;
    struct directory_entry n;
    struct span address;
    struct err e;
    BUF_AUTO struct buf b = BUF(2048);

    if (!rd_authd_entry_name(m->body, &kind, &address)) {
        manage_bad(m);
        return;
    }
    int rc = directory_entry_find(a->reader, address, &n);
    if (rc == 0 && n.kind != kind)
        rc = -ENOENT;
    if (rc < 0)
        err_set(&e, rc, "there is no such entry %s", log_quote(address));
    else
        wr_authd_entry(&b, &n);
    manage_reply(m, rc, buf_span(&b), &e);
}

/* ------------------------------------------------------------------ lists */
struct page {
    struct buf b;
    uint16_t count;
    bool more;
};

static bool has_room(struct page *p)
{
    p->more = p->b.n + ROW_MAX > REPLY_MAX;
    if (!p->more)
        p->count++;
    return !p->more;
}

static bool put_entry(const struct directory_entry *n, void *arg)
{
    struct page *p = arg;

    if (!has_room(p))
        return false;
    wr_authd_entry(&p->b, n);
    return true;
}

static bool put_member(struct span member, void *arg)
{
    struct page *p = arg;

    if (!has_room(p))
        return false;
    wr_span(&p->b, member);
    return true;
}

static void page_reply(struct msg *m, struct page *p, size_t head, int rc)
{
    struct err e;

    if (rc < 0)
        err_set(&e, rc, rc == -ENOENT ? "there is no such group" : "the directory cannot be read");
    wr_authd_page_end(&p->b, head, p->more, p->count);
    manage_reply(m, rc, buf_span(&p->b), &e);
    buf_done(&p->b);
}

void msg_entry_list(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    enum directory_entry_kind kind;
    struct span after;
    struct page p = {.b = BUF(REPLY_MAX)};

    if (!rd_authd_entry_name(m->body, &kind, &after)) {
        manage_bad(m);
        return;
    }
    size_t head = wr_authd_page_begin(&p.b);
    page_reply(m, &p, head, directory_entry_each(a->reader, kind, after, put_entry, &p));
}

void msg_member_list(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct span group, after;
    struct page p = {.b = BUF(REPLY_MAX)};

    if (!rd_authd_pair(m->body, &group, &after)) {
        manage_bad(m);
        return;
    }
    size_t head = wr_authd_page_begin(&p.b);
    page_reply(m, &p, head, directory_member_each(a->reader, group, after, put_member, &p));
}
