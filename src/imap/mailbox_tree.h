/*
 * mailbox_tree.h: all mailbox names that a user can see, in the order of the hierarchy: a parent
 * before its children, those before what comes after the parent. Names that only exist as parents
 * or only as subscriptions are there too.
 */
#ifndef IMAP_MAILBOX_TREE_H
#define IMAP_MAILBOX_TREE_H

#include "store/annex.h"

struct mailbox_node {
    struct span name; /* full UTF-8 name */
    bool exists, selectable, subscribed;
    uint32_t attributes;
    bool children;                 /* by mailbox_tree_build: some descendant exists */
    bool selected, selected_below; /* by mailbox_tree_select: it, or some descendant */
    struct mailbox_info info;      /* if it exists; its name is not valid */
    bool readable;                 /* by mailbox_tree_look_at_rights: its counts may be told */
};

struct mailbox_tree {
    struct arena *arena;
    struct mailbox_node *v;
    size_t n, cap;
    bool truncated;
};

enum { MAILBOX_TREE_MAX = 200000 };

enum mailbox_tree_scope {
    TREE_SUBSCRIPTIONS, /* subscribed names only */
    TREE_OWN,           /* and the account's mailboxes, what others share with it, and whether there
                           are public ones at all */
    TREE_ALL,
};
/* The trees of the grant's account, of other users and of the public folders, as far as he may look
 * them up, with the account's subscriptions. */
int mailbox_tree_read(struct mailbox_tree *t, struct store_read *r, const struct grant *g,
                      enum mailbox_tree_scope scope);
/* Which of them the grant may read; for what tells of their messages (RFC 4314 section 4). */
void mailbox_tree_look_at_rights(struct mailbox_tree *t, struct store_read *r,
                                 const struct grant *g);
void mailbox_tree_done(struct mailbox_tree *t);

/* For tests and the above: adds a name; then build sorts, merges doubles, adds parents. */
void mailbox_tree_init(struct mailbox_tree *t);
struct mailbox_node *mailbox_tree_add(struct mailbox_tree *t, struct span full_name);
void mailbox_tree_build(struct mailbox_tree *t);
void mailbox_tree_select(struct mailbox_tree *t,
                         bool (*fn)(const struct mailbox_node *n, const void *arg),
                         const void *arg);

#endif
