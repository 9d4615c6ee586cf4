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
    struct searcher *s = arg;

    if (mailbox == STORE_MAILBOXES)
        follow_new(s);
    else if (mailbox == 0)
        follow_all(s);
    else if (s->policy == SEARCH_POLICY_ALWAYS || map64_get(s->watched, mailbox))
        follow_changed(s, mailbox);
}

static void begin(struct searcher *s)
{
    s->loaded = false;
    s->expired = 0;
    if (s->policy != SEARCH_POLICY_NEVER)
        store_follow(s->store, s->policy == SEARCH_POLICY_USED ? STORE_MAILBOXES : STORE_ALL,
                     on_change, s);
}

void searcher_policy(struct searcher *s, enum search_policy policy, uint32_t days)
{
    bool other = policy != s->policy;

    s->expired = 0;
    s->days = days;
    s->policy = policy;
    if (other && !s->stopping) {
        store_follow(s->store, STORE_ALL, NULL, NULL);
        usage_done(s);
        follow_done(s);
        begin(s);
        if (policy == SEARCH_POLICY_NEVER)
            accounts_close(s);
    }
    fiber_cond_signal(&s->work);
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
    s->usages = map64_new();
    s->watched = map64_new();
    s->policy = o->policy;
    s->days = o->days;
    list_init(&s->open);
    list_init(&s->queue);
    list_init(&s->gather);
    s->fibers = 1;
    fiber_start(s->loop, follow_fiber, s, "search follow");
    begin(s);
    return s;
}

void searcher_stop(struct searcher *s)
{
    s->stopping = true;
    store_follow(s->store, STORE_ALL, NULL, NULL);
    usage_done(s); /* as long as there is somebody to tell that nothing is watched any more */
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
    follow_done(s);
    usage_done(s);
    map64_free(s->usages);
    map64_free(s->watched);
    map64_free(s->dirty);
    map64_free(s->accounts);
    free(s);
}

struct searcher_counts searcher_counts(const struct searcher *s)
{
    struct searcher_counts c = s->count;

    c.waiting = map64_size(s->dirty) + s->busy;
    c.in_use = map64_size(s->usages);
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
    bool fresh = false;

    s->count.queries++;
    s->fibers++;
    if (s->policy != SEARCH_POLICY_NEVER && mailbox_info(s, f->mailbox, &info) == 0) {
        info.name = SPAN_EMPTY;
        fresh = usage_begin(s, info.account);
        a = account_enter(s, info.account, false);
    }
    if (a) {
        e = find(a->index, f, &info, &uids, &next);
        int w = e == -EBADMSG ? e : usage_write(s, a);
        account_leave(s, a, e < 0 ? e : w);
    }
    if (fresh)
        follow_account(s, info.account);
    else if (e == -ENOENT && s->policy != SEARCH_POLICY_NEVER)
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
    struct account *a = account_enter(s, id, op != SEARCH_INDEX_SHOW && usage_is(s, id));
    struct search_stat st = {0};
    uint64_t indexed = 0;
    int e = 0;

    if (a) {
        search_index_stat(a->index, &st);
        e = search_index_mailbox_each(a->index, on_indexed, &indexed);
        if (e == 0 && op != SEARCH_INDEX_SHOW)
            e = usage_write(s, a);
        if (e == 0 && op == SEARCH_INDEX_CHECK)
            e = search_index_check(a->index);
        account_leave(s, a, e);
    }
    buf_printf(json,
               ",\"account\":%" PRIu64 ",\"indexed\":%" PRIu64 ",\"documents\":%" PRIu64
               ",\"dead\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"sound\":%s,\"used\":%s",
               id, indexed, st.docs, st.dead, st.bytes, e < 0 ? "false" : "true",
               usage_is(s, id) ? "true" : "false");
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

static const char *const policy_names[] = {
    [SEARCH_POLICY_USED] = "used",
    [SEARCH_POLICY_ALWAYS] = "always",
    [SEARCH_POLICY_NEVER] = "never",
};

int searcher_index(struct searcher *s, enum search_op_index op, uint64_t account, struct buf *json)
{
    struct sum sum = {0};
    int e = sum_store(s, account, &sum);

    if (e < 0)
        return e;
    s->fibers++;
    bool fresh = account && op != SEARCH_INDEX_SHOW && usage_begin(s, account);
    if (op == SEARCH_INDEX_REBUILD && account) {
        account_forget(s, account);
        follow_account(s, account);
    } else if (fresh) {
        follow_account(s, account);
    } else if (op == SEARCH_INDEX_REBUILD) {
        forget_all(s);
    }
    struct searcher_counts c = searcher_counts(s);
    buf_printf(json,
               "{\"messages\":%" PRIu64 ",\"mailboxes\":%" PRIu64 ",\"done\":%" PRIu64
               ",\"waiting\":%" PRIu64 ",\"walking\":%s,\"paused\":%s,\"queries\":%" PRIu64
               ",\"damaged\":%" PRIu64 ",\"rebuilt\":%" PRIu64
               ",\"policy\":\"%s\",\"in_use\":%" PRIu64,
               sum.messages, sum.mailboxes, c.messages, c.waiting, c.walking ? "true" : "false",
               c.paused ? "true" : "false", c.queries, c.damaged, c.rebuilt,
               policy_names[s->policy], c.in_use);
    if (account)
        put_account(s, account, op, json);
    else
        put_folder(s, json);
    buf_putc(json, '}');
    s->fibers--;
    return 0;
}
