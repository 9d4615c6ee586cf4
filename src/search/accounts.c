/* accounts.c: which indexes are open, and what becomes of damaged ones. */
#include "search/searcher_parts.h"

#include "base/check.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_MAX = 64 };

void account_path(const struct searcher *s, uint64_t id, char *path, size_t size)
{
    snprintf(path, size, "%s/%" PRIu64 ".db", s->folder, id);
}

static void close_account(struct searcher *s, struct account *a)
{
    map64_remove(s->accounts, a->id);
    list_remove(&a->node);
    s->open_count--;
    search_index_close(a->index);
    free(a);
}

static void close_one(struct searcher *s)
{
    list_for_each (&s->open, struct account, node, a) {
        if (a->users == 0) {
            close_account(s, a);
            return;
        }
    }
}

struct orphans {
    struct searcher *s;
    uint64_t id[64];
    size_t n;
};

static bool on_mailbox(const struct search_mailbox *m, void *arg)
{
    struct orphans *o = arg;
    struct mailbox_info info;
    struct store_read r;

    if (store_read_begin(o->s->store, &r) < 0)
        return false;
    if (store_mailbox_get(&r, m->id, &info) == -ENOENT)
        o->id[o->n++] = m->id;
    store_read_end(&r);
    return o->n < ARRAY_LEN(o->id);
}

/* Mailboxes that were deleted while the index was not open. */
static void drop_orphans(struct searcher *s, struct search_index *x)
{
    struct orphans o = {.s = s};
    int e = search_index_mailbox_each(x, on_mailbox, &o);

    if (e < 0 || o.n == 0 || search_index_begin(x) < 0)
        return;
    for (size_t i = 0; e == 0 && i < o.n; i++)
        e = search_index_mailbox_drop(x, o.id[i]);
    if (e == 0)
        search_index_commit(x);
    else
        search_index_rollback(x);
}

static struct account *open_account(struct searcher *s, uint64_t id, bool make)
{
    struct search_index *x;
    uint32_t day = 0;
    char path[400];
    int e;

    account_path(s, id, path, sizeof(path));
    if (!make && access(path, F_OK) != 0)
        return NULL;
    e = search_index_open(path, &x);
    if (e == -ESTALE) {
        search_index_remove(path);
        if (!make)
            return NULL;
        e = search_index_open(path, &x);
    }
    if (e == -EBADMSG) {
        log_warn("search: the index of account %" PRIu64 " is made anew", id);
        s->count.damaged++;
        search_index_remove(path);
        usage_begin(s, id); /* whether it was in use nobody knows any more */
        follow_account(s, id);
        e = search_index_open(path, &x);
    }
    if (e < 0)
        return NULL;
    if (search_index_used(x, &day) < 0)
        day = 0;
    drop_orphans(s, x);
    struct account *a = calloc(1, sizeof(*a));
    CHECK(a);
    a->id = id;
    a->index = x;
    a->day = day;
    map64_set(s->accounts, id, a);
    list_append(&s->open, &a->node);
    if (++s->open_count > OPEN_MAX)
        close_one(s);
    return a;
}

struct account *account_enter(struct searcher *s, uint64_t id, bool make)
{
    struct account *a = map64_get(s->accounts, id);

    if (!a && !(a = open_account(s, id, make)))
        return NULL;
    a->users++;
    list_remove(&a->node);
    list_append(&s->open, &a->node);
    fiber_lock(&a->lock);
    if (a->index)
        return a;
    account_leave(s, a, 0); /* removed while this waited */
    return NULL;
}

/* Others may wait for its lock: they find no index, and the last of them frees it. */
static void remove_index(struct searcher *s, struct account *a)
{
    char path[400];

    account_path(s, a->id, path, sizeof(path));
    search_index_close(a->index);
    a->index = NULL;
    search_index_remove(path);
}

void account_leave(struct searcher *s, struct account *a, int status)
{
    if (status == -EBADMSG && a->index) {
        log_warn("search: the index of account %" PRIu64 " is made anew", a->id);
        s->count.damaged++;
        remove_index(s, a);
        follow_account(s, a->id);
    }
    fiber_unlock(&a->lock);
    if (--a->users == 0 && !a->index)
        close_account(s, a);
}

void account_pause(struct account *a)
{
    fiber_unlock(&a->lock);
}

bool account_resume(struct account *a)
{
    fiber_lock(&a->lock);
    return a->index != NULL;
}

void account_forget(struct searcher *s, uint64_t id)
{
    struct account *a = account_enter(s, id, false);
    char path[400];

    if (a) {
        remove_index(s, a);
        account_leave(s, a, 0);
        return;
    }
    account_path(s, id, path, sizeof(path));
    search_index_remove(path);
}

void accounts_close(struct searcher *s)
{
    list_for_each (&s->open, struct account, node, a) {
        if (a->users == 0)
            close_account(s, a);
    }
}

static bool one_is_enough(const struct mailbox_info *m, void *arg)
{
    *(bool *)arg = true;
    return false;
}

/* False as long as it is not known. */
static bool is_gone(struct searcher *s, uint64_t account)
{
    struct store_read r;
    bool any = false;

    if (store_read_begin(s->store, &r) < 0)
        return false;
    int e = store_mailbox_each(&r, account, one_is_enough, &any);
    store_read_end(&r);
    return e == 0 && !any;
}

void accounts_sweep(struct searcher *s)
{
    DIR *d = opendir(s->folder);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        char *end;
        uint64_t id = strtoull(entry->d_name, &end, 10);
        if (id && strcmp(end, ".db") == 0 && is_gone(s, id)) {
            usage_end(s, id);
            account_forget(s, id);
        }
    }
    if (d)
        closedir(d);
}
