#include "directory/database.h"

#include "base/check.h"
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Breadth first over a queue of addresses. Each address is looked at once (the map), so loops of
 * aliases and groups end; the queue and the targets are bounded.
 */
struct walk {
    struct directory *d;
    char (*queue)[NAME_ADDRESS_MAX + 1];
    size_t head, count, cap;
    struct map *seen; /* addresses in the queue, and targets */
    bool too_many;
};

static char mark; /* the value of every map entry */

static void walk_init(struct walk *w, struct directory *d)
{
    *w = (struct walk){.d = d, .seen = map_new()};
}

static void walk_done(struct walk *w)
{
    map_free(w->seen);
    free(w->queue);
}

static void walk_push(struct walk *w, struct span address)
{
    if (address.n > NAME_ADDRESS_MAX || map_get(w->seen, address))
        return;
    if (w->count >= DIRECTORY_VISITS_MAX) {
        w->too_many = true;
        return;
    }
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 4;
        w->queue = realloc(w->queue, w->cap * sizeof *w->queue);
        CHECK(w->queue);
    }
    map_set(w->seen, address, &mark);
    span_to_cstr(address, w->queue[w->count++], sizeof w->queue[0]);
}

static bool push_member(struct span member, void *arg)
{
    struct walk *w = arg;

    walk_push(w, member);
    return !w->too_many;
}

/* conf.postmaster, unless it is the address at hand. */
static bool other_postmaster(const struct conf *c, const struct mail_address *a,
                             struct directory_entry *ret)
{
    struct mail_address p, folded;

    if (!name_address_parse(span_cstr(c->postmaster), &p))
        return false;
    folded = p;
    name_address_fold(&folded);
    if (name_address_eq(&folded, a))
        return false;
    *ret = (struct directory_entry){.kind = ENTRY_ALIAS};
    name_address_print(conf_domain_is_local(c, span_cstr(p.domain)) ? &folded : &p, ret->target);
    return true;
}

/* What a local address names: itself, or what is left without +detail, or postmaster. */
static int lookup(struct directory *d, struct mail_address *a, struct directory_entry *ret)
{
    int rc = db_entry_find(d, a, ret);

    if (rc == -ENOENT && name_address_cut_detail(a))
        rc = db_entry_find(d, a, ret);
    if (rc != -ENOENT || strcmp(a->local, "postmaster") != 0)
        return rc;

    struct directory_account first;
    if (other_postmaster(d->conf, a, ret))
        return 0;
    rc = db_account_first(d, &first);
    if (rc < 0) /* nobody yet: mail to postmaster waits */
        return rc == -ENOENT ? -EAGAIN : rc;
    *ret =
        (struct directory_entry){.kind = ENTRY_ACCOUNT, .account = first.id, .state = first.state};
    memcpy(ret->address, first.address, sizeof ret->address);
    return 0;
}

/* ------------------------------------------------------------------ resolving */
struct result {
    struct walk walk;
    struct directory_target *v;
    size_t n, cap;
    bool disabled, failed;
};

static void put_target(struct result *r, enum directory_target_kind kind, uint64_t account,
                       const char *text)
{
    char key[NAME_ADDRESS_MAX + 3];

    key[0] = '\0'; /* no address begins so */
    key[1] = (char)kind;
    size_t n = strlen(text);
    memcpy(key + 2, text, n);
    if (map_get(r->walk.seen, span_of(key, n + 2)))
        return;
    if (r->n == DIRECTORY_TARGETS_MAX) {
        r->walk.too_many = true;
        return;
    }
    map_set(r->walk.seen, span_of(key, n + 2), &mark);
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 1;
        r->v = realloc(r->v, r->cap * sizeof *r->v);
        CHECK(r->v);
    }
    struct directory_target *t = &r->v[r->n++];
    *t = (struct directory_target){.kind = kind, .account = account};
    memcpy(t->address, text, n + 1);
}

/* The entry of an account: its address is the primary one. */
static void put_account(struct result *r, const struct directory_entry *n)
{
    if (n->state == ACCOUNT_STATE_ENABLED)
        put_target(r, DIRECTORY_ACCOUNT, n->account, n->address);
    else
        r->disabled |= n->state == ACCOUNT_STATE_DISABLED;
}

static void visit(struct result *r, struct span text, bool outermost)
{
    struct mail_address a;
    struct directory_entry n;

    if (!name_address_parse(text, &a))
        return;
    if (!conf_domain_is_local(r->walk.d->conf, span_cstr(a.domain))) {
        char plain[NAME_ADDRESS_MAX + 1];
        name_address_print(&a, plain);
        put_target(r, DIRECTORY_REMOTE, 0, plain);
        return;
    }
    name_address_fold(&a);
    int rc = lookup(r->walk.d, &a, &n);
    if (rc < 0) {
        r->failed |= rc != -ENOENT;
        return;
    }
    switch (n.kind) {
    case ENTRY_ACCOUNT:
        put_account(r, &n);
        break;
    case ENTRY_ALIAS:
        walk_push(&r->walk, span_cstr(n.target));
        break;
    case ENTRY_NEWSGROUP:
        put_target(r, DIRECTORY_NEWSGROUP, 0, n.target);
        break;
    case ENTRY_GROUP:
        if (n.mail || !outermost)
            r->failed |= directory_member_each(r->walk.d, span_cstr(n.address), SPAN_EMPTY,
                                               push_member, &r->walk) < 0;
        break;
    }
}

enum directory_found directory_resolve(struct directory *d, struct span address,
                                       struct directory_target **ret_targets, size_t *ret_count)
{
    struct result r = {.n = 0};
    struct mail_address a;
    char text[NAME_ADDRESS_MAX + 1];

    /* RFC 5321 section 4.5.1: <postmaster> without a domain */
    if (span_has(address, '@') ? !name_address_parse(address, &a)
                               : !name_local_parse(address, d->conf->domain, &a))
        return DIRECTORY_INVALID;
    if (!conf_domain_is_local(d->conf, span_cstr(a.domain)))
        return DIRECTORY_NOT_LOCAL;
    name_address_fold(&a);
    name_address_print(&a, text);

    walk_init(&r.walk, d);
    walk_push(&r.walk, span_cstr(text));
    while (r.walk.head < r.walk.count && !r.walk.too_many && !r.failed) {
        char next[NAME_ADDRESS_MAX + 1]; /* the queue may move */
        memcpy(next, r.walk.queue[r.walk.head], sizeof next);
        visit(&r, span_cstr(next), r.walk.head++ == 0);
    }
    bool bad = r.walk.too_many || r.failed;
    walk_done(&r.walk);
    if (bad || r.n == 0) {
        free(r.v);
        return bad ? DIRECTORY_TEMPFAIL : r.disabled ? DIRECTORY_DISABLED : DIRECTORY_NONE;
    }
    *ret_targets = r.v;
    *ret_count = r.n;
    return DIRECTORY_FOUND;
}

/* ------------------------------------------------------------------ sending as */
bool directory_may_send_as(struct directory *d, uint64_t account, struct span address)
{
    struct walk w;
    struct mail_address a;
    char text[NAME_ADDRESS_MAX + 1];
    bool may = false;

    if (!name_address_parse(address, &a) || !conf_domain_is_local(d->conf, span_cstr(a.domain)))
        return false;
    name_address_fold(&a);
    name_address_print(&a, text);
    walk_init(&w, d);
    walk_push(&w, span_cstr(text));
    while (!may && w.head < w.count && !w.too_many) {
        struct directory_entry n;
        if (!name_address_parse(span_cstr(w.queue[w.head++]), &a) ||
            !conf_domain_is_local(d->conf, span_cstr(a.domain)))
            continue;
        name_address_fold(&a);
        if (lookup(d, &a, &n) < 0)
            continue;
        if (n.kind == ENTRY_ACCOUNT)
            may = n.account == account;
        else if (n.kind == ENTRY_ALIAS)
            walk_push(&w, span_cstr(n.target));
        else if (n.kind == ENTRY_GROUP && n.send_as)
            directory_member_each(d, span_cstr(n.address), SPAN_EMPTY, push_member, &w);
    }
    walk_done(&w);
    return may;
}
