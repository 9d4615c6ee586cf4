/* fields.h: the known fields of one header block, found in one pass. */
#ifndef MESSAGE_FIELDS_H
#define MESSAGE_FIELDS_H

#include "message/header.h"
#include "message/summary.h"

enum field_id {
#define FIELD(id, name) FIELD_##id,
#include "message/fields.def"
#undef FIELD
    FIELD_COUNT,
    FIELD_CONTENT_FIRST = FIELD_CONTENT_TYPE,
    FIELD_CONTENT_COUNT = FIELD_COUNT - FIELD_CONTENT_FIRST,
};

struct fields {
    struct span value[FIELD_COUNT]; /* of the first one, folded; p is NULL if there is none */
    uint32_t count[FIELD_COUNT];
    struct span block; /* what was read: to look at the further ones of a name */
    bool truncated;
};

/* Reads at most limits' bytes and fields of `block`. */
void fields_collect(struct span block, const struct message_limits *limits, struct fields *ret);
/* FIELD_COUNT for a name that is not in the table. */
enum field_id field_id(struct span name);
/* Goes over all fields of one name: `rest` starts as fields.block. */
bool fields_next(struct span *rest, enum field_id id, struct span *ret_value);

static inline bool field_present(const struct fields *f, enum field_id id)
{
    return f->value[id].p != NULL;
}

#endif
