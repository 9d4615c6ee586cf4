/*
 * mime.h: the tree of a message's parts, found in one pass over its lines (RFC 2045, RFC 2046). A
 * node is a leaf, a multipart (its children are its parts) or a message/rfc822 part (its one child
 * is the message inside). Nodes stand in order of appearance, a parent before its children; ranges
 * of children lie within their parent's body.
 *
 * Rules where the standard leaves a choice, or mail breaks it: a delimiter line starts with "--"
 * and a boundary of an open multipart, the longest that fits, the innermost of equals; it closes
 * everything inside that multipart, headers included. A multipart that never shows its boundary has
 * one part, text/plain, that is its whole body. Past the limits of depth or parts a container is a
 * leaf of opaque text. MIME-Version is not asked for.
 */
#ifndef MESSAGE_MIME_H
#define MESSAGE_MIME_H

#include "message/fields.h"

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

struct mime_node {
    uint32_t header_at, header_end; /* the empty line included */
    uint32_t body_at, body_end;
    uint32_t body_lines;              /* line ends in the body */
    uint32_t parent;                  /* of node 0: 0 */
    uint32_t next;                    /* next sibling, 0: none */
    uint32_t first_child, last_child; /* 0: none */
    uint8_t kind;
    bool is_message; /* the root of a message: its header is a message's */
    struct span type,
        subtype;        /* as they stand; of literals of ours where the field lacks or is broken */
    struct span params; /* of the Content-Type, behind its first ";" */
    bool implied;       /* no usable Content-Type: text/plain; charset=us-ascii */
    struct span content[FIELD_CONTENT_COUNT]; /* values, folded; p is NULL if there is none */
};

struct mime {
    struct mime_node *nodes;
    uint32_t count, cap;
    bool truncated; /* a limit was met */
};

void mime_parse(struct span raw, const struct message_limits *limits, struct mime *ret);
void mime_done(struct mime *m);

static inline struct span mime_content(const struct mime_node *n, enum field_id id)
{
    return n->content[id - FIELD_CONTENT_FIRST];
}

/* Content-Transfer-Encoding as it stands, "7bit" if there is none or it is no single word. */
struct span mime_encoding(const struct mime_node *n);
/* Splits a Content-Disposition or the like: first token, and what stands behind its ";". */
struct span mime_token(struct span value, struct span *ret_params);

#endif
