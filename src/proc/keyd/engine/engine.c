#include "proc/keyd/engine/engine.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "proc/keyd/engine/check.h"
#include "proc/keyd/engine/jobs.h"
#include "proc/keyd/engine/rights.h"
#include "proc/keyd/engine/sign.h"
#include "proc/keyd/engine/signlog.h"
#include "proc/keyd/engine/tickets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PURPOSES = __builtin_ctz(KEY_PURPOSE_LAST) + 1,
    SESSION_PROFILES = 2,
    REFUSALS_LOGGED_A_MINUTE = 60
};

struct keyd {
    struct loop *loop;
    int dir, log_fd;
    struct keystore store;
    struct jobs jobs;
    struct fiber_lock making; /* one generation at a time: it takes a thread for seconds */
    struct tickets tickets[SESSION_PROFILES];
    struct timer *rotate;
    struct map64 *sessions; /* link id → the profile + 1 */
    uint64_t signed_count[PURPOSES], refused;
    uint64_t refusals_minute;
    unsigned refusals_logged;
    keyd_exported_fn exported; /* NULL: nobody is told */
    void *exported_arg;
};

static void on_rotate(void *arg);

struct keyd *keyd_open(struct loop *l, int take_dir, struct err *e)
{
    struct keyd *k = calloc(1, sizeof *k);

    CHECK(k != NULL);
    k->loop = l;
    k->dir = take_dir;
    k->log_fd = signlog_open(take_dir, e);
    if (k->log_fd < 0 || keystore_open(&k->store, take_dir, e) < 0) {
        fd_close(&k->log_fd);
        fd_close(&k->dir);
        free(k);
        return NULL;
    }
    jobs_init(&k->jobs, l, k->log_fd);
    k->sessions = map64_new();
    for (int i = 0; i < SESSION_PROFILES; i++)
        tickets_rotate(&k->tickets[i]);
    k->rotate = timer_new(l, on_rotate, k);
    timer_repeat(k->rotate, TICKETS_ROTATE_MS);
    return k;
}

void keyd_close(struct keyd *k)
{
    if (k == NULL)
        return;
    timer_free(k->rotate);
    jobs_done(&k->jobs);
    keystore_close(&k->store);
    map64_free(k->sessions);
    for (int i = 0; i < SESSION_PROFILES; i++)
        tickets_wipe(&k->tickets[i]);
    fd_close(&k->log_fd);
    fd_close(&k->dir);
    free(k);
}

bool keyd_idle(const struct keyd *k)
{
    return jobs_idle(&k->jobs) && k->making.owner == NULL;
}

/* --- refusals: answered, counted, and logged, but a peer cannot fill the log with them */

static void refuse(struct keyd *k, const struct msg *m, int status, const char *why)
{
    uint64_t minute = loop_now_ms(k->loop) / 60000;

    k->refused++;
    if (minute != k->refusals_minute) {
        k->refusals_minute = minute;
        k->refusals_logged = 0;
    }
    if (k->refusals_logged++ < REFUSALS_LOGGED_A_MINUTE)
        log_warn("%s asked for %s and was refused: %s", role_name(link_peer(m->link)),
                 msg_row(m->id)->name, why);
    msg_reply(m, status, SPAN_EMPTY);
}

/* --- keys */

struct making {
    struct keyd *k;
    enum role who;
    struct key_create_request request;
    struct span pkcs8; /* of an import; empty: a new key */
    struct keyd_key *key;
    int status;
    struct err e;
};

static void make_key(void *arg)
{
    struct making *w = arg;

    w->status = w->pkcs8.n > 0 ? keyd_key_take(&w->request, w->pkcs8, &w->key)
                               : keyd_key_make(&w->request, &w->key);
}

static void write_key(void *arg)
{
    struct making *w = arg;

    w->status = 0;
    if (w->pkcs8.n > 0)
        w->status = signlog_event(w->k->log_fd, w->who, w->key, "import");
    if (w->status == 0)
        w->status = keystore_write(&w->k->store, w->key, &w->e);
}

static bool type_is_known(const char *type)
{
    static const char *const types[] = {"p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096"};

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

static void answer_made(const struct making *w, enum msg_id id, uint64_t link, uint32_t call)
{
    struct buf reply BUF_AUTO = BUF(2048);

    if (w->status == 0)
        wr_key_info(&reply, &w->key->info);
    link_reply(link, id, call, w->status, buf_span(&reply), NULL, 0);
}

/* In a fiber: m's body is a copy, its link may be gone after the wait. */
static void make(struct keyd *k, const struct msg *m, struct making *w)
{
    uint64_t link = link_id(m->link);

    w->k = k;
    w->who = link_peer(m->link);
    fiber_lock(&k->making);
    if (link_by_id(link) == NULL) { /* nobody waits any more */
        fiber_unlock(&k->making);
        return;
    }
    fiber_offload(make_key, w);
    if (w->status == 0 && w->pkcs8.n > 0 && keystore_has_spki(&k->store, w->key))
        w->status = -EEXIST;
    if (w->status == 0)
        fiber_offload(write_key, w);
    if (w->status == 0)
        w->status = keystore_add(&k->store, w->key);
    fiber_unlock(&k->making);
    if (w->status < 0) {
        log_error("a key for %s cannot be kept: %s", w->request.label,
                  w->e.text[0] != '\0' ? w->e.text : strerror(-w->status));
        answer_made(w, m->id, link, m->call);
        keyd_key_unref(w->key);
        return;
    }
    log_info("%s %s key %s (%s) for %s", role_name(w->who), w->pkcs8.n > 0 ? "imported" : "made",
             w->key->info.id, w->key->info.type, w->key->info.label);
    answer_made(w, m->id, link, m->call);
}

static void on_create(struct keyd *k, struct msg *m)
{
    struct making w = {.status = 0};

    if (!rd_key_create(m->body, &w.request))
        refuse(k, m, -EBADMSG, "malformed");
    else if (!right_to_create(link_peer(m->link), &w.request))
        refuse(k, m, -EACCES, "label or purposes");
    else if (!type_is_known(w.request.type))
        refuse(k, m, -EINVAL, "no such type");
    else if (k->store.count >= KEYSTORE_MAX)
        refuse(k, m, -ENOSPC, "too many keys");
    else
        make(k, m, &w);
}

static void on_import(struct keyd *k, struct msg *m)
{
    struct making w = {.status = 0};

    if (!rd_key_import(m->body, &w.request, &w.pkcs8) || w.pkcs8.n == 0)
        refuse(k, m, -EBADMSG, "malformed");
    else if (!right_to_create(ROLE_CERTD, &w.request) && !right_to_create(ROLE_CAD, &w.request))
        refuse(k, m, -EACCES, "label or purposes");
    else if (k->store.count >= KEYSTORE_MAX)
        refuse(k, m, -ENOSPC, "too many keys");
    else
        make(k, m, &w);
}

struct exporting {
    struct keyd *k;
    enum role who;
    struct keyd_key *key;
    struct span passphrase;
    struct buf out;
    int status;
};

void keyd_on_export(struct keyd *k, keyd_exported_fn fn, void *arg)
{
    k->exported = fn;
    k->exported_arg = arg;
}

static void encrypt(void *arg)
{
    struct exporting *w = arg;

    w->status = signlog_event(w->k->log_fd, w->who, w->key, "export");
    if (w->status == 0)
        w->status = keyd_key_encrypted(w->key, w->passphrase, &w->out);
}

/* In a fiber. */
static void on_export(struct keyd *k, struct msg *m)
{
    struct rd r = rd_of(m->body);
    struct span id = rd_raw(&r, KEY_ID_BYTES), pass = rd_span(&r, KEY_PASSPHRASE_MAX);
    struct exporting w = {.k = k, .who = link_peer(m->link), .passphrase = pass, .out = BUF(8192)};
    uint64_t link = link_id(m->link);

    if (!rd_done(&r) || pass.n < KEY_PASSPHRASE_MIN) {
        refuse(k, m, -EBADMSG, "malformed");
        return;
    }
    w.key = keystore_find(&k->store, (const unsigned char *)id.p);
    if (w.key == NULL || !w.key->info.exportable) {
        refuse(k, m, w.key == NULL ? -ENOENT : -EPERM, "no key that was made exportable");
        return;
    }
    keyd_key_ref(w.key);
    fiber_lock(&k->making);
    fiber_offload(encrypt, &w);
    fiber_unlock(&k->making);
    log_warn("%s exported key %s of %s", role_name(w.who), w.key->info.id, w.key->info.label);
    if (w.status == 0 && k->exported != NULL)
        k->exported(k->exported_arg, w.key->info.id, w.key->info.label);
    link_reply(link, MSG_KEY_EXPORT, m->call, w.status,
               w.status < 0 ? SPAN_EMPTY : buf_span(&w.out), NULL, 0);
    keyd_key_unref(w.key);
    buf_done(&w.out);
}

static struct keyd_key *key_of_body(struct keyd *k, const struct msg *m)
{
    return m->body.n == KEY_ID_BYTES ? keystore_find(&k->store, (const unsigned char *)m->body.p)
                                     : NULL;
}

static void on_get(struct keyd *k, struct msg *m)
{
    struct buf reply BUF_AUTO = BUF(2048);
    const struct keyd_key *key = key_of_body(k, m);

    if (key == NULL) {
        msg_reply(m, -ENOENT, SPAN_EMPTY);
        return;
    }
    wr_key_info(&reply, &key->info);
    msg_reply(m, 0, buf_span(&reply));
}

static void on_list(struct keyd *k, struct msg *m)
{
    struct buf infos BUF_AUTO = BUF(65536);
    struct buf reply BUF_AUTO = BUF(65536);
    struct rd r = rd_of(m->body);
    struct span prefix = rd_span(&r, KEY_LABEL_MAX), after = rd_raw(&r, KEY_ID_BYTES);
    unsigned n = 0;
    size_t i;

    if (!rd_done(&r)) {
        refuse(k, m, -EBADMSG, "malformed");
        return;
    }
    for (i = keystore_after(&k->store, (const unsigned char *)after.p);
         i < k->store.count && n < KEY_LIST_PAGE; i++) {
        if (!span_starts(span_cstr(k->store.keys[i]->info.label), prefix))
            continue;
        wr_key_info(&infos, &k->store.keys[i]->info);
        n++;
    }
    wr_bool(&reply, i < k->store.count && n > 0);
    wr_u16(&reply, (uint16_t)n);
    wr_raw(&reply, infos.p, infos.n);
    msg_reply(m, 0, buf_span(&reply));
}

static void on_delete(struct keyd *k, struct msg *m)
{
    struct keyd_key *key = key_of_body(k, m);
    struct err e;
    int r;

    if (key == NULL) {
        msg_reply(m, -ENOENT, SPAN_EMPTY);
        return;
    }
    if (!right_to_delete(link_peer(m->link), key->info.label)) {
        refuse(k, m, -EACCES, "another owner's key");
        return;
    }
    log_info("%s deletes key %s of %s", role_name(link_peer(m->link)), key->info.id,
             key->info.label);
    r = keystore_delete(&k->store, key, &e);
    if (r < 0)
        log_error("key file %s", e.text);
    msg_reply(m, r, SPAN_EMPTY);
}

/* --- signing */

static unsigned purpose_index(unsigned purpose)
{
    unsigned i = 0;
    while ((purpose >>= 1) != 0)
        i++;
    return i;
}

/* The recorded name is durable before anything is signed in it. */
static int learn_name(struct keyd *k, struct keyd_key *key)
{
    struct err e;
    int r = keystore_write(&k->store, key, &e);

    if (r < 0) {
        log_error("key file %s", e.text);
        check_forget(key);
    }
    return r < 0 ? -EIO : 0;
}

static void sign_now(struct keyd *k, struct msg *m, struct keyd_key *key,
                     const struct key_sign_request *r)
{
    unsigned char signature[KEY_SIGNATURE_MAX];
    size_t n = 0;
    int status = sign_inline(key, r, signature, &n);

    if (status < 0)
        log_error("a signature with key %s failed", key->info.id);
    msg_reply(m, status, status < 0 ? SPAN_EMPTY : span_of(signature, n));
}

static void on_sign(struct keyd *k, struct msg *m)
{
    struct key_sign_request r;
    struct keyd_key *key;
    const char *why;
    bool learned;
    int status = 0;

    if (!rd_key_sign(m->body, &r)) {
        refuse(k, m, -EBADMSG, "malformed");
        return;
    }
    if (!right_to_sign(link_peer(m->link), r.purpose)) {
        refuse(k, m, -EACCES, "a purpose that is not its own");
        return;
    }
    key = keystore_find(&k->store, r.id);
    if (key == NULL) {
        refuse(k, m, -ENOENT, "no such key");
        return;
    }
    if ((key->info.purposes & r.purpose) == 0) {
        refuse(k, m, -EACCES, "the key was not made for that purpose");
        return;
    }
    if (!sign_suits(key, &r)) {
        refuse(k, m, -EINVAL, "the algorithm does not suit the key");
        return;
    }
    why = check_text(key, &r, &learned);
    if (why != NULL) {
        refuse(k, m, -EINVAL, why);
        return;
    }
    if (learned)
        status = learn_name(k, key);
    k->signed_count[purpose_index(r.purpose)]++;
    if (status == 0 &&
        (r.algorithm == KEY_RSA_PKCS1 || r.algorithm == KEY_RSA_PSS || signlog_wants(r.purpose)))
        status = jobs_add(&k->jobs, m, key, &r);
    else if (status == 0)
        sign_now(k, m, key, &r);
    if (status < 0)
        msg_reply(m, status, SPAN_EMPTY);
}

/* --- tickets */

static struct tickets *tickets_of(struct keyd *k, enum role who)
{
    return &k->tickets[who == ROLE_ACCESS ? 0 : 1];
}

static void on_tickets(struct keyd *k, struct msg *m)
{
    struct buf reply BUF_AUTO = BUF(512);

    if (m->body.n != 0) {
        refuse(k, m, -EBADMSG, "malformed");
        return;
    }
    buf_reserve(&reply, 512);
    tickets_wr(tickets_of(k, link_peer(m->link)), &reply);
    msg_reply(m, 0, buf_span(&reply));
}

static bool announce(uint64_t link, void *value, void *arg)
{
    struct buf note BUF_AUTO = BUF(512);
    struct keyd *k = arg;
    struct link *l = link_by_id(link);

    if (l != NULL) {
        tickets_wr(tickets_of(k, link_peer(l)), &note);
        link_send(l, MSG_KEY_TICKETS_NEW, buf_span(&note), NULL, 0);
    }
    return true;
}

/* Links that are gone are dropped when the next one comes. */
struct gone {
    uint64_t ids[64];
    unsigned n;
};

static bool find_gone(uint64_t link, void *value, void *arg)
{
    struct gone *g = arg;

    if (link_by_id(link) == NULL)
        g->ids[g->n++] = link;
    return g->n < ARRAY_LEN(g->ids);
}

void keyd_peer(struct keyd *k, struct link *l)
{
    struct gone g = {.n = 0};

    if ((link_peer(l) & ROLE_SESSIOND) == 0)
        return;
    map64_each(k->sessions, find_gone, &g);
    for (unsigned i = 0; i < g.n; i++)
        map64_remove(k->sessions, g.ids[i]);
    map64_set(k->sessions, link_id(l), k);
}

void keyd_rotate_tickets(struct keyd *k)
{
    for (int i = 0; i < SESSION_PROFILES; i++)
        tickets_rotate(&k->tickets[i]);
    map64_each(k->sessions, announce, k);
}

static void on_rotate(void *arg)
{
    keyd_rotate_tickets(arg);
}

/* --- all messages */

void keyd_handle(struct keyd *k, struct msg *m)
{
    switch (m->id) {
    case MSG_KEY_CREATE:
        on_create(k, m);
        break;
    case MSG_KEY_IMPORT:
        on_import(k, m);
        break;
    case MSG_KEY_EXPORT:
        on_export(k, m);
        break;
    case MSG_KEY_GET:
        on_get(k, m);
        break;
    case MSG_KEY_LIST:
        on_list(k, m);
        break;
    case MSG_KEY_DELETE:
        on_delete(k, m);
        break;
    case MSG_KEY_SIGN:
        on_sign(k, m);
        break;
    case MSG_KEY_TICKETS:
        on_tickets(k, m);
        break;
    default: /* no row leads here */
        CHECK(false);
    }
}

static void handle(void *arg, struct msg *m)
{
    keyd_handle(arg, m);
}

const struct msg_handler keyd_handlers[] = {
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

void keyd_status(const struct keyd *k, struct buf *json)
{
    buf_printf(json, "\"keys\":%zu,\"refused\":%llu,\"signed\":{", k->store.count,
               (unsigned long long)k->refused);
    for (unsigned i = 0; i < PURPOSES; i++)
        buf_printf(json, "%s\"%s\":%llu", i == 0 ? "" : ",", purpose_name(1u << i),
                   (unsigned long long)k->signed_count[i]);
    buf_printf(json, "}");
}
