/* manage.c: accounts, for the manager. */
#include "proc/authd/authd.h"

#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>

enum { REPLY_MAX = 65536, ROW_MAX = 1024 };

void manage_reply(const struct msg *m, int rc, struct span body, const struct err *e)
{
    msg_reply(m, rc, rc < 0 ? span_cstr(e->text) : body);
}

void manage_bad(const struct msg *m)
{
    msg_reply(m, -EBADMSG, SPAN("the message cannot be read"));
}

static int find_account(struct authd *a, struct span address, struct directory_account *ret,
                        struct err *e)
{
    int rc = directory_account_find(a->reader, address, ret);

    if (rc == -ENOENT)
        return err_set(e, rc, "there is no account %s", log_quote(address));
    return rc < 0 ? err_set(e, rc, "the directory cannot be read") : 0;
}

/* ------------------------------------------------------------------ adding, passwords */
struct account_job {
    struct directory *d;
    struct credential_cost cost;
    struct span password; /* prepared */
    struct account_new new;
    struct account_change change;
    uint64_t id;
    int rc;
    struct err e;
};

/* The password in the form in which it is hashed. */
static int prepare(struct span password, struct buf *out, struct err *e)
{
    if (name_password_prepare(password, out))
        return 0;
    return err_set(e, -EINVAL,
                   "the password is empty, longer than %d bytes, not UTF-8, or holds control "
                   "characters",
                   NAME_PASSWORD_MAX);
}

static void work_add(void *arg)
{
    struct account_job *j = arg;
    struct credential c;

    j->rc = credential_make(j->password, j->cost, &c);
    if (j->rc < 0) {
        err_set(&j->e, j->rc, "no memory for a password hash: lower argon2_memory_kib");
        return;
    }
    j->new.credential = &c;
    j->rc = directory_account_add(j->d, &j->new, &j->id, &j->e);
    secret_wipe(&c, sizeof c);
}

static void work_password(void *arg)
{
    struct account_job *j = arg;
    struct credential c;

    j->rc = credential_make(j->password, j->cost, &c);
    if (j->rc < 0) {
        err_set(&j->e, j->rc, "no memory for a password hash: lower argon2_memory_kib");
        return;
    }
    j->rc = directory_account_set_credential(j->d, j->id, &c, false, &j->e);
    secret_wipe(&c, sizeof c);
}

static void work_set(void *arg)
{
    struct account_job *j = arg;

    j->rc = directory_account_set(j->d, j->id, &j->change, &j->e);
}

static void work_begin_delete(void *arg)
{
    struct account_job *j = arg;

    j->rc = directory_account_delete_begin(j->d, j->id, &j->e);
}

void msg_account_add(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct authd_account_add q;
    struct account_job j = {.d = a->writer, .cost = authd_cost(a)};
    BUF_AUTO struct buf password = BUF(NAME_PASSWORD_MAX), b = BUF(64);

    if (!rd_authd_account_add(m->body, &q)) {
        manage_bad(m);
        return;
    }
    j.new = (struct account_new){q.address, q.title, q.rights, q.protocols, NULL};
    j.rc = prepare(q.password, &password, &j.e);
    if (j.rc == 0) {
        j.password = buf_span(&password);
        authd_write(a, work_add, &j);
        secret_wipe(password.p, password.cap);
    }
    if (j.rc == 0) {
        log_info("account %" PRIu64 " is %s", j.id, log_quote(q.address));
        announce_one(a, j.id); /* mail can reach it when this is answered, if the store is there */
    }
    wr_u64(&b, j.id);
    manage_reply(m, j.rc, buf_span(&b), &j.e);
}

/* What follows any change of an account: proofs and grants of before end. suspends */
static void account_changed(struct authd *a, const struct directory_account *account)
{
    proofs_forget(a->proofs, account->id);
    throttle_forget_user(a->throttle, span_cstr(account->address));
    authd_tell_changed(a, account->id); /* its sessions, the idle ones too */
    announce_one(a, account->id);
}

static void change_account(struct authd *a, struct msg *m, struct span address,
                           struct account_job *j, void (*work)(void *arg))
{
    struct directory_account account;

    if (j->rc == 0)
        j->rc = find_account(a, address, &account, &j->e);
    if (j->rc == 0) {
        j->d = a->writer;
        j->id = account.id;
        authd_write(a, work, j);
    }
    if (j->rc == 0)
        account_changed(a, &account);
    manage_reply(m, j->rc, SPAN_EMPTY, &j->e);
}

void msg_account_set(void *arg, struct msg *m)
{
    struct authd_account_set q;
    struct account_job j = {.rc = 0};

    if (!rd_authd_account_set(m->body, &q)) {
        manage_bad(m);
        return;
    }
    j.change = q.change;
    change_account(authd_of(arg), m, q.address, &j, work_set);
}

void msg_account_password(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct account_job j = {.cost = authd_cost(a)};
    struct span address, text;
    BUF_AUTO struct buf password = BUF(NAME_PASSWORD_MAX);

    if (!rd_authd_pair(m->body, &address, &text)) {
        manage_bad(m);
        return;
    }
    j.rc = prepare(text, &password, &j.e);
    j.password = buf_span(&password);
    change_account(a, m, address, &j, work_password);
    secret_wipe(password.p, password.cap);
}

void msg_account_remove(void *arg, struct msg *m)
{
    struct account_job j = {.rc = 0};

    change_account(authd_of(arg), m, m->body, &j, work_begin_delete);
}

/* ------------------------------------------------------------------ showing */
void msg_account_show(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct directory_account account;
    BUF_AUTO struct buf b = BUF(2048);
    struct err e;
    int rc = find_account(a, m->body, &account, &e);

    if (rc == 0)
        wr_authd_account(&b, &account);
    manage_reply(m, rc, buf_span(&b), &e);
}

struct page {
    struct buf b;
    uint16_t count;
    bool more;
};

static bool put_account(const struct directory_account *account, void *arg)
{
    struct page *p = arg;

    if (p->b.n + ROW_MAX > REPLY_MAX) {
        p->more = true;
        return false;
    }
    wr_authd_account(&p->b, account);
    p->count++;
    return true;
}

void msg_account_list(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct page p = {.b = BUF(REPLY_MAX)};
    struct rd r = rd_of(m->body);
    uint64_t after = rd_u64(&r);
    struct err e;

    if (!rd_done(&r)) {
        manage_bad(m);
        return;
    }
    size_t head = wr_authd_page_begin(&p.b);
    int rc = directory_account_each(a->reader, after, put_account, &p);
    if (rc < 0)
        err_set(&e, rc, "the directory cannot be read");
    wr_authd_page_end(&p.b, head, p.more, p.count);
    manage_reply(m, rc, buf_span(&p.b), &e);
    buf_done(&p.b);
}
