#include "imap/mailbox_tree.h"

#include "imap/name.h"

#include "base/check.h"

#include <stdlib.h>

enum { ARENA_MAX = 256 << 20, ANCESTORS_MAX = STORE_NAME_MAX + 8 };

void mailbox_tree_init(struct mailbox_tree *t)
{
    *t = (struct mailbox_tree){.arena = arena_new(ARENA_MAX)};
}

void mailbox_tree_done(struct mailbox_tree *t)
{
    arena_free(t->arena);
    free(t->v);
    *t = (struct mailbox_tree){0};
}

static struct mailbox_node *push(struct mailbox_tree *t, struct span name)
{
    if (t->n >= MAILBOX_TREE_MAX) {
        t->truncated = true;
        return NULL;
    }
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->v = reallocarray(t->v, t->cap, sizeof *t->v);
        CHECK(t->v);
    }
    t->v[t->n] = (struct mailbox_node){.name = name};
    return &t->v[t->n++];
}

struct mailbox_node *mailbox_tree_add(struct mailbox_tree *t, struct span full_name)
{
    struct span name = arena_span(t->arena, full_name);

    return name.p ? push(t, name) : NULL;
}

static bool is_below(struct span name, struct span parent)
{
    return name.n > parent.n && name.p[parent.n] == '/' && span_starts(name, parent);
}

static bool is_inbox(struct span name)
{
    return span_eq(name, SPAN(STORE_INBOX)) || is_below(name, SPAN(STORE_INBOX));
}

/* Bytewise with "/" before every other byte: children follow their parent at once. INBOX and what
 * is below it come first. */
static int by_hierarchy(const void *x, const void *y)
{
    const struct mailbox_node *nx = x, *ny = y;
    struct span a = nx->name, b = ny->name;
    bool inbox_a = is_inbox(a), inbox_b = is_inbox(b);
    size_t n = a.n < b.n ? a.n : b.n, i = 0;

    if (inbox_a != inbox_b)
        return inbox_a ? -1 : 1;
    while (i < n && a.p[i] == b.p[i])
        i++;
    if (i == n)
        return (a.n > b.n) - (a.n < b.n);
    if (a.p[i] == '/' || b.p[i] == '/')
        return a.p[i] == '/' ? -1 : 1;
    return (unsigned char)a.p[i] < (unsigned char)b.p[i] ? -1 : 1;
}

/* A node for every parent of every name. Neighbours share most of theirs. */
static void add_parents(struct mailbox_tree *t)
{
    size_t named = t->n;
    struct span last = SPAN_EMPTY;

    for (size_t i = 0; i < named; i++) {
        struct span name = t->v[i].name;
        for (size_t at = 0; at < name.n; at++)
            if (name.p[at] == '/') {
                struct span parent = span_head(name, at);
                if (span_eq(last, parent) || is_below(last, parent))
                    continue;
                last = parent;
                push(t, parent);
            }
    }
}

/* Equal names become one node. */
static void merge(struct mailbox_tree *t)
{
    size_t out = 0;

    for (size_t i = 0; i < t->n; i++) {
        struct mailbox_node *last = out ? &t->v[out - 1] : NULL, *n = &t->v[i];
        if (!last || !span_eq(last->name, n->name)) {
            t->v[out++] = *n;
            continue;
        }
        bool subscribed = last->subscribed || n->subscribed;
        if (n->exists)
            *last = *n;
        last->subscribed = subscribed;
    }
    t->n = out;
}

static bool exists(const struct mailbox_node *n, const void *arg)
{
    return n->exists;
}

void mailbox_tree_select(struct mailbox_tree *t,
                         bool (*fn)(const struct mailbox_node *n, const void *arg), const void *arg)
{
    size_t open[ANCESTORS_MAX], depth = 0; /* the nodes that the one at hand is below */

    for (size_t i = 0; i < t->n; i++) {
        struct mailbox_node *n = &t->v[i];
        n->selected = fn(n, arg);
        n->selected_below = false;
        while (depth && !is_below(n->name, t->v[open[depth - 1]].name))
            depth--;
        /* who was told by a sibling has told its own parents too */
        for (size_t d = depth; n->selected && d-- && !t->v[open[d]].selected_below;)
            t->v[open[d]].selected_below = true;
        if (depth < ANCESTORS_MAX)
            open[depth++] = i;
    }
}

void mailbox_tree_build(struct mailbox_tree *t)
{
    add_parents(t);
    if (t->n)
        qsort(t->v, t->n, sizeof *t->v, by_hierarchy);
    merge(t);
    mailbox_tree_select(t, exists, NULL);
    for (size_t i = 0; i < t->n; i++)
        t->v[i].children = t->v[i].selected_below;
}

struct reading {
    struct mailbox_tree *tree;
    struct store_read *read;
    const struct grant *grant;
    bool first_only;
};

static struct mailbox_node *add_full(struct reading *r, uint64_t account, struct span name)
{
    struct buf full BUF_AUTO = BUF(IMAP_NAME_MAX);
    struct mailbox_name n = {.account = account, .name = name};

    if (account != r->grant->account && account != STORE_ACCOUNT_PUBLIC &&
        store_address_get(r->read, account, &n.owner) < 0)
        return NULL;
    name_full(&n, &full);
    return full.overflow ? NULL : mailbox_tree_add(r->tree, buf_span(&full));
}

/* From newsgroups the right to look them up cannot be taken: there are tens of thousands. */
static bool visible(struct reading *r, const struct mailbox_info *m)
{
    return m->account == r->grant->account ||
           (m->account == STORE_ACCOUNT_PUBLIC && m->attributes & MAILBOX_NEWSGROUP) ||
           store_acl_rights(r->read, m, r->grant) & ACL_LOOKUP;
}

static bool on_mailbox(const struct mailbox_info *m, void *arg)
{
    struct reading *r = arg;
    struct mailbox_node *n = visible(r, m) ? add_full(r, m->account, m->name) : NULL;

    if (n) {
        n->exists = true;
        n->selectable = !(m->attributes & MAILBOX_NOSELECT);
        n->attributes = m->attributes;
        n->info = *m;
        n->info.name = SPAN_EMPTY;
    }
    return !r->tree->truncated && !(n && r->first_only);
}

/* Subscriptions stay when a mailbox goes, and when it is shared no more: then its name is not told. */
static bool on_subscription(uint64_t folder_account, struct span name, void *arg)
{
    struct reading *r = arg;
    struct mailbox_info m;
    bool there = store_mailbox_find(r->read, folder_account, name, &m) == 0;

    if (there ? visible(r, &m)
              : folder_account == r->grant->account || folder_account == STORE_ACCOUNT_PUBLIC) {
        struct mailbox_node *n = add_full(r, folder_account, name);
        if (n)
            n->subscribed = true;
    }
    return !r->tree->truncated;
}

int mailbox_tree_read(struct mailbox_tree *t, struct store_read *r, const struct grant *g,
                      enum mailbox_tree_scope scope)
{
    struct reading reading = {.tree = t, .read = r, .grant = g, .first_only = false};
    int e = 0;

    mailbox_tree_init(t);
    if (scope != TREE_SUBSCRIPTIONS) {
        e = store_mailbox_each(r, g->account, on_mailbox, &reading);
        if (e == 0)
            e = store_shared_each(r, g, ACL_LOOKUP, on_mailbox, &reading);
        reading.first_only = scope == TREE_OWN;
        if (e == 0)
            e = store_mailbox_each(r, STORE_ACCOUNT_PUBLIC, on_mailbox, &reading);
    }
    if (e == 0)
        e = store_subscription_each(r, g->account, on_subscription, &reading);
    if (e < 0)
        mailbox_tree_done(t);
    else
        mailbox_tree_build(t);
    return e;
}

void mailbox_tree_look_at_rights(struct mailbox_tree *t, struct store_read *r,
                                 const struct grant *g)
{
    for (size_t i = 0; i < t->n; i++) {
        struct mailbox_node *n = &t->v[i];
        n->readable = n->selectable && store_acl_rights(r, &n->info, g) & ACL_READ;
    }
}
