/*
 * list.h: doubly linked list threaded through its members. A node is in one list at most; an initialised node that is in
 * none points to itself, so list_remove is always allowed.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert(struct list *before, struct list *node)
{
    node->prev = before->prev;
    node->next = before;
    before->prev->next = node;
    before->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
    list_insert(head, node);
}

static inline void list_prepend(struct list *head, struct list *node)
{
    list_insert(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define list_item(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Goes over all nodes; the node at hand may be removed. `type *it` is declared here. */
#define list_for_each(head, type, member, it)                                                      \
    for (type *it = list_item((head)->next, type, member),                                         \
              *it##_next = list_item(it->member.next, type, member);                               \
         &it->member != (head);                                                                    \
         it = it##_next, it##_next = list_item(it->member.next, type, member))

#endif
