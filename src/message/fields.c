#include "message/fields.h"
#include "base/check.h"
#include <strings.h>

static const struct {
    const char *name;
    uint8_t n;
} names[FIELD_COUNT] = {
#define FIELD(id, text) [FIELD_##id] = {text, sizeof(text) - 1},
#include "message/fields.def"
#undef FIELD
};

enum field_id field_id(struct span name)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (names[i].n == name.n && names[i].name[0] == (name.p[0] | 0x20) &&
            strncasecmp(names[i].name, name.p, name.n) == 0)
            return (enum field_id)i;
    return FIELD_COUNT;
}

void fields_collect(struct span block, const struct message_limits *limits, struct fields *ret)
{
    struct header_field f;
    uint32_t fields = 0;
    memset(ret, 0, sizeof(*ret));
    ret->truncated = block.n > limits->header_bytes;
    block = span_head(block, limits->header_bytes);
    ret->block = block;
    while (header_next(&block, &f)) {
        if (fields++ == limits->header_fields) {
            ret->truncated = true;
            ret->block = span_between(ret->block.p, f.whole.p);
            return;
        }
        enum field_id id = field_id(f.name);
        if (id == FIELD_COUNT)
            continue;
        if (ret->count[id]++ == 0)
            ret->value[id] = f.value;
    }
}

bool fields_next(struct span *rest, enum field_id id, struct span *ret_value)
{
    struct header_field f;
    while (header_next(rest, &f))
        if (field_id(f.name) == id) {
            *ret_value = f.value;
            return true;
        }
    return false;
}
