#include "base/codec.h"
#include "conf/check.h"
#include "conf/rows.h"

/*
 * magic, then the fields of all rows in the order of the rows. Both ends are one build, so there is
 * no version beyond the magic, which counts the rows: another table is another format. The reader
 * trusts nothing: it is the supervisor, and the writer a child that has parsed a file.
 */
enum { ARENA_MAX = 32 << 20, STRING_MAX = 1000 };

static uint32_t magic(void)
{
    return 0x53504300u + (uint32_t)conf_row_count;
}

static void wr_strings(struct buf *b, const struct conf_strings *v)
{
    wr_u32(b, v->n);
    for (uint32_t i = 0; i < v->n; i++)
        wr_cstr(b, v->v[i]);
}

static void wr_networks(struct buf *b, const struct conf_networks *v)
{
    wr_u32(b, v->n);
    for (uint32_t i = 0; i < v->n; i++) {
        wr_raw(b, &v->v[i].address, sizeof v->v[i].address);
        wr_u8(b, v->v[i].bits);
    }
}

static void wr_scope(struct buf *b, enum conf_scope scope, const void *base);

static void wr_list(struct buf *b, const struct row *row, const void *base)
{
    const char *elements = *(const char *const *)row_field_const(row, base);
    uint32_t n = *(const uint32_t *)(const void *)((const char *)base + row->count_offset);

    wr_u32(b, n);
    for (uint32_t i = 0; i < n; i++)
        wr_scope(b, row->element, elements + i * scope_size(row->element));
}

static void wr_scope(struct buf *b, enum conf_scope scope, const void *base)
{
    FOR_EACH_ROW(scope, row)
    {
        const void *field = row_field_const(row, base);
        switch (row->type) {
        case ROW_SECTION:
            break;
        case ROW_STRING:
            wr_cstr(b, *(const char *const *)field);
            break;
        case ROW_BOOL:
            wr_bool(b, *(const bool *)field);
            break;
        case ROW_CHOICE:
            wr_u8(b, *(const uint8_t *)field);
            break;
        case ROW_U16:
            wr_u16(b, *(const uint16_t *)field);
            break;
        case ROW_U32:
            wr_u32(b, *(const uint32_t *)field);
            break;
        case ROW_U64:
            wr_u64(b, *(const uint64_t *)field);
            break;
        case ROW_STRINGS:
        case ROW_DURATIONS:
            wr_strings(b, field);
            break;
        case ROW_NETWORKS:
            wr_networks(b, field);
            break;
        case ROW_LIST:
            wr_list(b, row, base);
            break;
        case ROW_GROUP:
            wr_scope(b, row->element, field);
            break;
        }
    }
}

void conf_wr(const struct conf *c, struct buf *out)
{
    wr_u32(out, magic());
    wr_scope(out, SCOPE_ROOT, c);
}

/* A number of elements of at least `bytes` bytes each: a false one is seen before memory is taken
 * for it. */
static uint32_t rd_count(struct rd *r, size_t bytes)
{
    uint32_t n = rd_u32(r);

    if (n > r->n / bytes)
        rd_fail(r);
    return r->bad ? 0 : n;
}

static const char *rd_string(struct rd *r, struct arena *a)
{
    struct span s = rd_span(r, STRING_MAX);
    const char *copy = span_has(s, '\0') ? NULL : arena_dup(a, s);

    if (!copy)
        rd_fail(r);
    return copy ? copy : "";
}

/* NULL and the sticky error where the arena is full. */
static void *array_of(struct rd *r, struct arena *a, size_t size, uint32_t n)
{
    void *p = n ? arena_try_array(a, size, n) : NULL;

    if (n && !p)
        rd_fail(r);
    return p;
}

static struct conf_strings rd_strings(struct rd *r, struct arena *a)
{
    struct conf_strings v = {NULL, rd_count(r, 4)};

    v.v = array_of(r, a, sizeof *v.v, v.n);
    if (!v.v)
        v.n = 0;
    for (uint32_t i = 0; i < v.n; i++)
        v.v[i] = rd_string(r, a);
    return v;
}

static struct conf_networks rd_networks(struct rd *r, struct arena *a)
{
    struct conf_networks v = {NULL, rd_count(r, sizeof(struct in6_addr) + 1)};

    v.v = array_of(r, a, sizeof *v.v, v.n);
    if (!v.v)
        v.n = 0;
    for (uint32_t i = 0; i < v.n; i++) {
        struct span address = rd_raw(r, sizeof v.v[i].address);
        if (address.n)
            memcpy(&v.v[i].address, address.p, sizeof v.v[i].address);
        v.v[i].bits = rd_u8(r);
    }
    return v;
}

static void rd_scope(struct rd *r, enum conf_scope scope, void *base, struct arena *a);

static void rd_list(struct rd *r, const struct row *row, void *base, struct arena *a)
{
    uint32_t n = rd_count(r, 1);
    size_t size = scope_size(row->element);

    if (n < row->min || n > row->max) {
        rd_fail(r);
        return;
    }
    char *elements = array_of(r, a, size, n);
    for (uint32_t i = 0; i < n && !r->bad; i++)
        rd_scope(r, row->element, elements + i * size, a);
    *(void **)row_field(row, base) = elements;
    *(uint32_t *)(void *)((char *)base + row->count_offset) = elements ? n : 0;
}

static void rd_field(struct rd *r, const struct row *row, void *base, struct arena *a)
{
    void *field = row_field(row, base);

    switch (row->type) {
    case ROW_SECTION:
        break;
    case ROW_STRING:
        *(const char **)field = rd_string(r, a);
        break;
    case ROW_BOOL:
        *(bool *)field = rd_bool(r);
        break;
    case ROW_CHOICE:
        *(uint8_t *)field = rd_u8(r);
        break;
    case ROW_U16:
        *(uint16_t *)field = rd_u16(r);
        break;
    case ROW_U32:
        *(uint32_t *)field = rd_u32(r);
        break;
    case ROW_U64:
        *(uint64_t *)field = rd_u64(r);
        break;
    case ROW_STRINGS:
    case ROW_DURATIONS:
        *(struct conf_strings *)field = rd_strings(r, a);
        break;
    case ROW_NETWORKS:
        *(struct conf_networks *)field = rd_networks(r, a);
        break;
    case ROW_LIST:
        rd_list(r, row, base, a);
        break;
    case ROW_GROUP:
        rd_scope(r, row->element, field, a);
        break;
    }
}

static void rd_scope(struct rd *r, enum conf_scope scope, void *base, struct arena *a)
{
    FOR_EACH_ROW(scope, row)
    {
        rd_field(r, row, base, a);
        if (r->bad)
            return;
        if (!row_valid(row, base))
            rd_fail(r);
    }
}

/* The same rules that a file must keep, for the bytes may not come from one. */
static bool is_acceptable(const struct conf *c)
{
    struct report report;

    if (!c->postmaster[0] || !conf_domain_is_local(c, span_cstr(c->domain)))
        return false;
    for (uint32_t i = 0; i < c->vserver_count; i++)
        if (c->vservers[i].names.n == 0)
            return false;
    report_init(&report, "");
    conf_check(c, NULL, &report);
    bool ok = !report.failed;
    report_done(&report);
    return ok;
}

struct conf *conf_rd(struct span bytes)
{
    struct rd r = rd_of(bytes);
    struct arena *a = arena_new(ARENA_MAX);
    struct conf *c = ARENA_NEW(a, struct conf);

    c->arena = a;
    if (rd_u32(&r) != magic())
        rd_fail(&r);
    rd_scope(&r, SCOPE_ROOT, c, a);
    if (rd_done(&r) && is_acceptable(c))
        return c;
    conf_free(c);
    return NULL;
}
