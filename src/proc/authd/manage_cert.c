/* manage_cert.c: certificates that stand for accounts, for the manager. */
#include "proc/authd/authd.h"

#include "base/log.h"

#include <errno.h>

enum { REPLY_MAX = 65536, ROW_MAX = 2048 };

struct cert_job {
    struct directory *d;
    struct directory_certificate row;
    struct span name;
    int rc;
    struct err e;
};

/* "*": 0. */
static int account_of(struct authd *a, struct span address, struct directory_account *ret,
                      struct err *e)
{
    int rc;

    *ret = (struct directory_account){.id = 0};
    if (span_eq(address, SPAN("*")))
        return 0;
    rc = directory_account_find(a->reader, address, ret);
    if (rc == -ENOENT)
        return err_set(e, rc, "there is no account %s", log_quote(address));
    return rc < 0 ? err_set(e, rc, "the directory cannot be read") : 0;
}

static void work_add(void *arg)
{
    struct cert_job *j = arg;

    j->rc = directory_certificate_add(j->d, &j->row, &j->e);
}

static void work_remove(void *arg)
{
    struct cert_job *j = arg;

    j->rc = directory_certificate_remove(j->d, j->row.account, j->name, &j->e);
}

void msg_account_cert_add(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct cert_job j = {.d = a->writer};
    struct directory_account account;
    struct span address;

    if (!rd_authd_cert_add(m->body, &address, &j.row)) {
        manage_bad(m);
        return;
    }
    j.rc = account_of(a, address, &account, &j.e);
    if (j.rc == 0) {
        j.row.account = account.id;
        authd_write(a, work_add, &j);
    }
    if (j.rc == 0)
        log_info("certificate %s of %s may log in: %s", log_quote(span_cstr(j.row.name)),
                 account.id ? account.address : "any account", j.row.value);
    manage_reply(m, j.rc, SPAN_EMPTY, &j.e);
}

void msg_account_cert_remove(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct cert_job j = {.d = a->writer};
    struct directory_account account;
    struct span address;

    if (!rd_authd_pair(m->body, &address, &j.name)) {
        manage_bad(m);
        return;
    }
    j.rc = account_of(a, address, &account, &j.e);
    if (j.rc == 0) {
        j.row.account = account.id;
        authd_write(a, work_remove, &j);
    }
    if (j.rc == 0) {
        log_info("certificate %s of %s stands for nobody any more", log_quote(j.name),
                 account.id ? account.address : "any account");
        if (account.id) {
            proofs_forget(a->proofs, account.id);
            authd_tell_changed(a, account.id);
            announce_one(a, account.id);
        }
    }
    manage_reply(m, j.rc, SPAN_EMPTY, &j.e);
}

struct cert_page {
    struct directory *d;
    struct buf b;
    uint16_t count;
    bool more;
};

static bool put_row(const struct directory_certificate *c, void *arg)
{
    struct cert_page *p = arg;
    struct directory_account account = {.address = "*"};

    if (p->b.n + ROW_MAX > REPLY_MAX) {
        p->more = true;
        return false;
    }
    if (c->account && directory_account_get(p->d, c->account, &account) < 0)
        return true; /* it goes at this moment */
    wr_authd_cert_row(&p->b, account.address, c);
    p->count++;
    return true;
}

void msg_account_cert_list(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct cert_page p = {.d = a->reader, .b = BUF(REPLY_MAX)};
    struct directory_account account = {.id = UINT64_MAX};
    struct span address;
    uint64_t after;
    struct err e;
    int rc = 0;

    if (!rd_authd_cert_list(m->body, &address, &after)) {
        manage_bad(m);
        return;
    }
    if (address.n)
        rc = account_of(a, address, &account, &e);
    size_t head = wr_authd_page_begin(&p.b);
    if (rc == 0 && (rc = directory_certificate_each(a->reader, account.id, after, put_row, &p)) < 0)
        err_set(&e, rc, "the directory cannot be read");
    wr_authd_page_end(&p.b, head, p.more, p.count);
    manage_reply(m, rc, buf_span(&p.b), &e);
    buf_done(&p.b);
}
