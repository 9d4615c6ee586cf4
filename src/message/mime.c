#include "message/mime.h"
#include "base/check.h"
#include "message/bytes.h"
#include "message/token.h"
#include "message/words.h"
#include <stdlib.h>

enum { BOUNDARY_MAX = 250, DEPTH_MAX = 200 };

/* One open container on the way from the message to the line at hand, or the open leaf at the top.
 */
struct level {
    uint32_t node;
    uint8_t boundary_n; /* 0: no delimiter is awaited */
    char boundary[BOUNDARY_MAX];
};

struct parser {
    struct mime *m;
    struct span raw;
    const struct message_limits *limits;
    const char *p, *end;                /* a line start; the end of raw */
    uint32_t lines;                     /* line ends before p */
    bool in_header;                     /* the top level's header is being read */
    unsigned depth, depth_max, bounded; /* open levels, and how many of them have a boundary */
    struct level *levels;
    struct buf scratch;
};

static bool is_token_byte(char c)
{
    return (unsigned char)c > 32 && c != ';' && c != '/' && c != '(' && c != '"' && c != ',' &&
           c != 127;
}

static struct span take_token(struct cursor *c)
{
    token_skip_cfws(c, NULL);
    const char *start = c->p;
    while (c->p < c->end && is_token_byte(*c->p))
        c->p++;
    return span_between(start, c->p);
}

static struct span params_behind(struct cursor c)
{
    while (c.p < c.end && *c.p != ';')
        c.p++;
    return span_between(c.p + (c.p < c.end), c.end);
}

struct span mime_token(struct span value, struct span *ret_params)
{
    struct cursor c = cursor_of(value);
    struct span token = take_token(&c);
    *ret_params = params_behind(c);
    return token;
}

struct span mime_encoding(const struct mime_node *n)
{
    struct cursor c = cursor_of(mime_content(n, FIELD_CONTENT_ENCODING));
    if (token_skip_cfws(&c, NULL), cursor_at(&c, '"'))
        c.p++;
    struct span token = take_token(&c);
    if (cursor_at(&c, '"'))
        c.p++;
    token_skip_cfws(&c, NULL);
    /* two words, or a media type, say nothing about an encoding */
    return token.n && (c.p == c.end || *c.p == ';' || *c.p == ',') ? token : SPAN("7bit");
}

/* content = type "/" subtype *(";" parameter) */
static bool parse_type(struct span value, struct mime_node *n)
{
    struct cursor c = cursor_of(value);
    struct span type = take_token(&c);
    token_skip_cfws(&c, NULL);
    if (type.n == 0 || !cursor_at(&c, '/'))
        return false;
    c.p++;
    struct span subtype = take_token(&c);
    if (subtype.n == 0)
        return false;
    n->type = type;
    n->subtype = subtype;
    n->params = params_behind(c);
    return true;
}

static void set_type(struct mime_node *n, struct span type, struct span subtype)
{
    n->type = type;
    n->subtype = subtype;
    n->params = SPAN_EMPTY;
    n->implied = true;
}

static struct mime_node *node_at(const struct parser *ps, uint32_t index)
{
    return &ps->m->nodes[index];
}

static uint32_t offset_of(const struct parser *ps, const char *p)
{
    return (uint32_t)(p - ps->raw.p);
}

static uint32_t node_add(struct mime *m, uint32_t parent, uint32_t at)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 8;
        m->nodes = realloc(m->nodes, m->cap * sizeof(*m->nodes));
        CHECK(m->nodes);
    }
    uint32_t i = m->count++;
    m->nodes[i] = (struct mime_node){.header_at = at,
                                     .header_end = at,
                                     .body_at = at,
                                     .body_end = at,
                                     .parent = parent,
                                     .is_message = i == 0 || m->nodes[parent].kind == MIME_MESSAGE};
    set_type(&m->nodes[i], SPAN("text"), SPAN("plain"));
    if (i == 0)
        return 0;
    struct mime_node *p = &m->nodes[parent];
    if (p->last_child)
        m->nodes[p->last_child].next = i;
    else
        p->first_child = i;
    p->last_child = i;
    return i;
}

/* A new node on top of the levels, its header next. */
static void node_open(struct parser *ps, const char *at)
{
    uint32_t parent = ps->depth ? ps->levels[ps->depth - 1].node : 0;
    ps->levels[ps->depth].boundary_n = 0;
    ps->levels[ps->depth++].node = node_add(ps->m, parent, offset_of(ps, at));
    ps->in_header = true;
}

static bool room_for_child(struct parser *ps)
{
    bool room = ps->depth <= ps->depth_max && ps->m->count < ps->limits->parts;
    if (!room)
        ps->m->truncated = true;
    return room;
}

static void read_content_type(struct parser *ps, struct mime_node *n)
{
    struct span value = mime_content(n, FIELD_CONTENT_TYPE);
    struct mime_node *parent = n->is_message ? NULL : node_at(ps, n->parent);
    if (value.p && parse_type(value, n))
        n->implied = false;
    else if (!value.p && parent && span_is(parent->subtype, "digest"))
        set_type(n, SPAN("message"), SPAN("rfc822"));
}

/* False: no boundary that could ever be seen. */
static bool set_boundary(struct parser *ps, struct level *l, struct span params)
{
    struct span b;
    if (!param_find(params, "boundary", &ps->scratch, &b))
        return false;
    while (b.n && is_lwsp(b.p[b.n - 1]))
        b.n--;
    if (b.n == 0 || b.n > BOUNDARY_MAX)
        return false;
    memcpy(l->boundary, b.p, b.n);
    l->boundary_n = (uint8_t)b.n;
    ps->bounded++;
    return true;
}

/* The header of the top node ends before `at`, where its body starts. Decides what kind of node it
 * is. */
static void header_done(struct parser *ps, const char *at)
{
    struct level *l = &ps->levels[ps->depth - 1];
    struct mime_node *n = node_at(ps, l->node);
    struct fields f;
    ps->in_header = false;
    n->header_end = n->body_at = offset_of(ps, at);
    n->body_lines = ps->lines; /* until the node is closed: the lines before its body */
    fields_collect(span_sub(ps->raw, n->header_at, n->header_end - n->header_at), ps->limits, &f);
    ps->m->truncated |= f.truncated;
    memcpy(n->content, f.value + FIELD_CONTENT_FIRST, sizeof(n->content));
    read_content_type(ps, n);
    bool multipart = span_is(n->type, "multipart");
    bool message = span_is(n->type, "message") &&
                   (span_is(n->subtype, "rfc822") || span_is(n->subtype, "global"));
    if (!multipart && !message)
        return;
    if (!room_for_child(ps)) {
        set_type(n, SPAN("text"), SPAN("plain"));
        return;
    }
    n->kind = multipart ? MIME_MULTIPART : MIME_MESSAGE;
    if (message)
        node_open(ps, at);
    else
        set_boundary(ps, l, n->params);
}

/* Ends the top level: its body ends before `at`, whose preceding line end of `eol` bytes belongs to
 * the delimiter. */
static void level_close(struct parser *ps, const char *at, unsigned eol)
{
    struct level *l = &ps->levels[--ps->depth];
    struct mime_node *n = node_at(ps, l->node);
    ps->bounded -= l->boundary_n != 0;
    uint32_t end = offset_of(ps, at), lines = ps->lines;
    uint32_t floor = n->last_child ? node_at(ps, n->last_child)->body_end : n->body_at;
    if (eol && end - eol >= floor) {
        end -= eol;
        lines--;
    }
    n->body_end = end;
    n->body_lines = lines - n->body_lines;
    if (n->kind != MIME_MULTIPART || n->first_child)
        return;
    uint32_t body_at = n->body_at, body_lines = n->body_lines;
    uint32_t child = node_add(ps->m, l->node, body_at); /* n may have moved */
    node_at(ps, child)->body_end = end;
    node_at(ps, child)->body_lines = body_lines;
}

static void close_down_to(struct parser *ps, unsigned depth, const char *at, unsigned eol)
{
    while (ps->in_header) /* a message in a part without a body has an empty header */
        header_done(ps, at);
    while (ps->depth > depth)
        level_close(ps, at, eol);
}

/* The level whose delimiter the line at p (up to `end`) is, or -1. */
static int find_delimiter(const struct parser *ps, const char *p, const char *end, bool *ret_close)
{
    int best = -1;
    if (end - p < 3 || p[0] != '-' || p[1] != '-')
        return -1;
    size_t n = (size_t)(end - p) - 2, best_n = 0;
    for (unsigned i = ps->depth; i-- > 0;) {
        const struct level *l = &ps->levels[i];
        if (l->boundary_n > best_n && l->boundary_n <= n &&
            memcmp(p + 2, l->boundary, l->boundary_n) == 0) {
            best = (int)i;
            best_n = l->boundary_n;
        }
    }
    if (best >= 0)
        *ret_close = n >= best_n + 2 && p[2 + best_n] == '-' && p[3 + best_n] == '-';
    return best;
}

static unsigned line_end_before(const struct parser *ps, const char *p)
{
    if (p == ps->raw.p || p[-1] != '\n')
        return 0;
    return p - ps->raw.p >= 2 && p[-2] == '\r' ? 2 : 1;
}

static const char *line_end(const char *p, const char *end)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    return lf ? lf + 1 : end;
}

static void next_line(struct parser *ps, const char *next)
{
    ps->lines += next[-1] == '\n';
    ps->p = next;
}

/* If the line [p, next) is a delimiter, closes and opens what it says and takes it. */
static bool take_delimiter(struct parser *ps, const char *next)
{
    bool closing = false;
    int level = find_delimiter(ps, ps->p, next, &closing);
    if (level < 0)
        return false;
    if (!closing && ps->m->count >= ps->limits->parts) {
        ps->m->truncated = true; /* the rest stays in the last part */
        return false;
    }
    close_down_to(ps, (unsigned)level + 1, ps->p, line_end_before(ps, ps->p));
    next_line(ps, next);
    if (closing) {
        ps->levels[level].boundary_n = 0;
        ps->bounded--;
    } else {
        node_open(ps, ps->p);
    }
    return true;
}

static void header_line(struct parser *ps)
{
    const char *p = ps->p, *next = line_end(p, ps->end);
    if (ps->bounded && take_delimiter(ps, next))
        return;
    bool empty = *p == '\n' || (*p == '\r' && next - p == 2 && next[-1] == '\n');
    next_line(ps, next);
    if (empty)
        header_done(ps, next);
}

static void body_lines(struct parser *ps)
{
    if (ps->bounded == 0) {
        ps->lines += bytes_count(span_between(ps->p, ps->end), '\n');
        ps->p = ps->end;
        return;
    }
    const char *p = ps->p, *end = ps->end;
    uint32_t lines = ps->lines;
    while (p < end) {
        const char *next = line_end(p, end);
        if (*p == '-') {
            ps->p = p;
            ps->lines = lines;
            if (take_delimiter(ps, next))
                return;
        }
        lines += next[-1] == '\n';
        p = next;
    }
    ps->lines = lines;
    ps->p = end;
}

void mime_parse(struct span raw, const struct message_limits *limits, struct mime *ret)
{
    *ret = (struct mime){0};
    struct parser ps = {.m = ret, .raw = raw, .limits = limits, .scratch = BUF(0)};
    if (raw.n == 0)
        ps.raw = SPAN("");
    ps.p = ps.raw.p;
    ps.end = ps.raw.p + ps.raw.n;
    ps.depth_max = limits->depth < DEPTH_MAX ? limits->depth : DEPTH_MAX;
    ps.levels = malloc((ps.depth_max + 2) * sizeof(*ps.levels));
    CHECK(ps.levels);
    node_open(&ps, ps.p);
    while (ps.p < ps.end) {
        if (ps.in_header)
            header_line(&ps);
        else
            body_lines(&ps);
    }
    close_down_to(&ps, 0, ps.end, 0);
    free(ps.levels);
    buf_done(&ps.scratch);
}

void mime_done(struct mime *m)
{
    free(m->nodes);
    *m = (struct mime){0};
}
