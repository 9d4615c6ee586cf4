#include "search/searcher_parts.h"

#include "base/check.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void on_change(void *arg, uint64_t mailbox)
{
    if (mailbox)
        follow_mailbox(arg, mailbox);
    else
        follow_all(arg);
}

struct searcher *searcher_new(const struct searcher_options *o)
{
    struct searcher *s = calloc(1, sizeof(*s));

    CHECK(s);
    s->loop = o->loop;
    s->store = o->store;
    s->min_free_bytes = o->min_free_bytes;
    snprintf(s->folder, sizeof(s->folder), "%s", o->folder);
    s->accounts = map64_new();
    s->dirty = map64_new();
    list_init(&s->open);
    list_init(&s->queue);
    s->fibers = 1;
    fiber_start(s->loop, follow_fiber, s, "search follow");
    store_follow(s->store, on_change, s);
    return s;
}

void searcher_stop(struct searcher *s)
{
    s->stopping = true;
    store_follow(s->store, NULL, NULL);
    fiber_cond_broadcast(&s->work);
}

bool searcher_idle(const struct searcher *s)
{
    return s->fibers == 0;
}

void searcher_free(struct searcher *s)
{
    if (!s)
        return;
    CHECK(searcher_idle(s));
    accounts_close(s);
    list_for_each (&s->queue, struct dirty, node, d) {
        free(d);
    }
    map64_free(s->dirty);
    map64_free(s->accounts);
    free(s);
}

struct searcher_counts searcher_counts(const struct searcher *s)
{
    struct searcher_counts c = s->count;

    c.waiting = map64_size(s->dirty) + s->busy;
    return c;
}

/* ------------------------------------------------------------------ finding */

static void turn(void *arg)
{
    fiber_yield();
}

static int mailbox_info(struct searcher *s, uint64_t id, struct mailbox_info *ret)
{
    struct store_read r;
    int e = store_read_begin(s->store, &r);

    if (e < 0)
        return e;
    e = store_mailbox_get(&r, id, ret);
    store_read_end(&r);
    return e;
}

/* How far the answer goes; 0: the index says nothing. */
static int find(struct search_index *x, const struct search_find *f,
                const struct mailbox_info *info, struct rangeset *uids, uint32_t *ret_next)
{
    struct search_mailbox m;
    int e = search_index_mailbox(x, f->mailbox, &m);

    if (e < 0)
        return e;
    if (m.uidvalidity != info->uidvalidity || m.next_uid > info->uidnext ||
        m.modseq > info->highestmodseq)
        return -ENOENT; /* of a store that was restored meanwhile */
    e = search_index_find(x, f->mailbox, f->from, f->places, f->needle, turn, NULL, uids);
    if (e == 0)
        *ret_next = m.next_uid;
    return e;
}

void searcher_find(struct searcher *s, const struct search_find *f, struct buf *reply)
{
    struct rangeset uids = RANGESET_EMPTY;
    struct mailbox_info info;
    struct account *a = NULL;
    uint32_t next = 0;
    int e = -ENOENT;

    s->count.queries++;
    s->fibers++;
    if (mailbox_info(s, f->mailbox, &info) == 0) {
        info.name = SPAN_EMPTY;
        a = account_enter(s, info.account, false);
    }
    if (a) {
        e = find(a->index, f, &info, &uids, &next);
        account_leave(s, a, e);
    }
    if (e == -ENOENT)
        follow_mailbox(s, f->mailbox);
    if (next == 0)
        s->count.misses++;
    wr_search_found(reply, next, &uids);
    rangeset_done(&uids);
    s->fibers--;
}

/* ------------------------------------------------------------------ for whoever administers */

struct sum {
    uint64_t messages, mailboxes;
};

static bool on_mailbox(const struct mailbox_info *m, void *arg)
{
    struct sum *sum = arg;

    sum->messages += m->messages;
    sum->mailboxes++;
    return true;
}

static int sum_store(struct searcher *s, uint64_t account, struct sum *sum)
{
    struct mailbox_info m = {.id = 0};
    struct store_read r;
    int e = store_read_begin(s->store, &r);

    if (e < 0)
        return e;
    if (account)
        store_mailbox_each(&r, account, on_mailbox, sum);
    else
        while (store_mailbox_next(&r, m.id, &m) == 0)
            on_mailbox(&m, sum);
    store_read_end(&r);
    return account && sum->mailboxes == 0 ? -ENOENT : 0;
}

static bool on_indexed(const struct search_mailbox *m, void *arg)
{
    *(uint64_t *)arg += m->places;
    return true;
}

static void put_account(struct searcher *s, uint64_t id, enum search_op_index op, struct buf *json)
{
    struct account *a = account_enter(s, id, false);
    struct search_stat st = {0};
    uint64_t indexed = 0;
    int e = 0;

    if (a) {
        search_index_stat(a->index, &st);
        e = search_index_mailbox_each(a->index, on_indexed, &indexed);
        if (e == 0 && op == SEARCH_INDEX_CHECK)
            e = search_index_check(a->index);
        account_leave(s, a, e);
    }
    buf_printf(json,
               ",\"account\":%" PRIu64 ",\"indexed\":%" PRIu64 ",\"documents\":%" PRIu64
               ",\"dead\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"sound\":%s",
               id, indexed, st.docs, st.dead, st.bytes, e < 0 ? "false" : "true");
}

static void put_folder(struct searcher *s, struct buf *json)
{
    DIR *d = opendir(s->folder);
    struct dirent *entry;
    uint64_t bytes = 0, files = 0;
    struct stat st;

    while (d && (entry = readdir(d))) {
        if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        bytes += (uint64_t)st.st_size;
        files += strstr(entry->d_name, ".db-") == NULL;
    }
    if (d)
        closedir(d);
    buf_printf(json, ",\"accounts\":%" PRIu64 ",\"bytes\":%" PRIu64, files, bytes);
}

static void forget_all(struct searcher *s)
{
    DIR *d = opendir(s->folder);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        char *end;
        uint64_t id = strtoull(entry->d_name, &end, 10);
        if (id && strcmp(end, ".db") == 0)
            account_forget(s, id);
    }
    if (d)
        closedir(d);
    follow_all(s);
}

int searcher_index(struct searcher *s, enum search_op_index op, uint64_t account, struct buf *json)
{
    struct sum sum = {0};
    int e = sum_store(s, account, &sum);

    if (e < 0)
        return e;
    s->fibers++;
    if (op == SEARCH_INDEX_REBUILD && account) {
        account_forget(s, account);
        follow_account(s, account);
    } else if (op == SEARCH_INDEX_REBUILD) {
        forget_all(s);
    }
    struct searcher_counts c = searcher_counts(s);
    buf_printf(json,
               "{\"messages\":%" PRIu64 ",\"mailboxes\":%" PRIu64 ",\"done\":%" PRIu64
               ",\"waiting\":%" PRIu64 ",\"walking\":%s,\"paused\":%s,\"queries\":%" PRIu64
               ",\"damaged\":%" PRIu64 ",\"rebuilt\":%" PRIu64,
               sum.messages, sum.mailboxes, c.messages, c.waiting, c.walking ? "true" : "false",
               c.paused ? "true" : "false", c.queries, c.damaged, c.rebuilt);
    if (account)
        put_account(s, account, op, json);
    else
        put_folder(s, json);
    buf_putc(json, '}');
    s->fibers--;
    return 0;
}
