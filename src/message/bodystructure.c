/*
 * bodystructure.c: BODY and BODYSTRUCTURE in one walk. What both have in common is written to
 * `full` and copied; extension data goes to `full` alone.
 */
#include "message/imap_text.h"
#include "message/words.h"

enum { PARAMS_MAX = 200 };

struct printer {
    struct buf *full, *basic, *scratch;
    struct span raw;
    const struct mime *m;
    const struct message_limits *limits;
    bool all;
    struct fields fields; /* of the message part at hand; here, because the walk is deep and stacks
                             are small */
};

static void put(struct printer *pr, const char *text)
{
    buf_put_cstr(pr->full, text);
}

static void put_both(struct printer *pr, const char *text)
{
    buf_put_cstr(pr->full, text);
    buf_put_cstr(pr->basic, text);
}

static void copy_to_basic(struct printer *pr, size_t from)
{
    if (!pr->full->overflow)
        buf_put_span(pr->basic, span_skip(buf_span(pr->full), from));
}

/* body-fld-param = "(" string SP string *(SP string SP string) ")" / nil; as they stand, RFC 2231
 * and all */
static void put_params(struct printer *pr, struct span params)
{
    struct param_scan s;
    struct span name, value;
    int n = 0;
    param_scan_init(&s, params, pr->scratch);
    while (param_next(&s, &name, &value)) {
        if (n++ == PARAMS_MAX) {
            pr->all = false;
            break;
        }
        put(pr, n == 1 ? "(" : " ");
        imap_string(pr->full, name);
        put(pr, " ");
        imap_string(pr->full, value);
    }
    put(pr, n ? ")" : "NIL");
}

/* body-fld-dsp = "(" string SP body-fld-param ")" / nil */
static void put_disposition(struct printer *pr, struct span value)
{
    struct span params, token = mime_token(value, &params);
    if (token.n == 0) {
        put(pr, "NIL");
        return;
    }
    put(pr, "(");
    imap_string(pr->full, token);
    put(pr, " ");
    put_params(pr, params);
    put(pr, ")");
}

/* body-fld-lang = nstring / "(" string *(SP string) ")"; Language-List of RFC 3282 */
static void put_languages(struct printer *pr, struct span value)
{
    struct cursor c = cursor_of(value);
    int n = 0;
    for (token_skip_cfws(&c, NULL); c.p < c.end && n < PARAMS_MAX; token_skip_cfws(&c, NULL)) {
        struct span rest = span_between(c.p, c.end), params;
        struct span token = mime_token(rest, &params);
        if (token.n == 0) {
            c.p++;
            continue;
        }
        put(pr, n++ ? " " : "(");
        imap_string(pr->full, token);
        c.p = token.p + token.n;
    }
    put(pr, n ? ")" : "NIL");
}

static void put_extensions(struct printer *pr, const struct mime_node *n)
{
    put_disposition(pr, mime_content(n, FIELD_CONTENT_DISPOSITION));
    put(pr, " ");
    put_languages(pr, mime_content(n, FIELD_CONTENT_LANGUAGE));
    put(pr, " ");
    imap_field(pr->full, mime_content(n, FIELD_CONTENT_LOCATION), pr->scratch);
}

/* body-fields = param SP id SP desc SP enc SP octets */
static void put_fields(struct printer *pr, const struct mime_node *n)
{
    put(pr, " ");
    if (n->implied && span_is(n->type, "text"))
        put(pr, "(\"charset\" \"us-ascii\")");
    else
        put_params(pr, n->params);
    put(pr, " ");
    imap_field(pr->full, mime_content(n, FIELD_CONTENT_ID), pr->scratch);
    put(pr, " ");
    imap_field(pr->full, mime_content(n, FIELD_CONTENT_DESCRIPTION), pr->scratch);
    put(pr, " ");
    imap_string(pr->full, mime_encoding(n));
    put(pr, " ");
    buf_put_u64(pr->full, n->body_end - n->body_at);
}

static void put_node(struct printer *pr, uint32_t index);

/* body-type-msg: … envelope SP body SP lines */
static void put_inner(struct printer *pr, const struct mime_node *n)
{
    const struct mime_node *inner = &pr->m->nodes[n->first_child];
    size_t from = pr->full->n;
    fields_collect(span_sub(pr->raw, inner->header_at, inner->header_end - inner->header_at),
                   pr->limits, &pr->fields);
    put(pr, " ");
    pr->all &= envelope_print(pr->full, &pr->fields, pr->limits, pr->scratch);
    put(pr, " ");
    copy_to_basic(pr, from);
    put_node(pr, n->first_child);
    from = pr->full->n;
    put(pr, " ");
    buf_put_u64(pr->full, n->body_lines);
    copy_to_basic(pr, from);
}

/* body-type-1part */
static void put_single(struct printer *pr, const struct mime_node *n)
{
    size_t from = pr->full->n;
    put(pr, "(");
    imap_string(pr->full, n->type);
    put(pr, " ");
    imap_string(pr->full, n->subtype);
    put_fields(pr, n);
    if (span_is(n->type, "text")) {
        put(pr, " ");
        buf_put_u64(pr->full, n->body_lines);
    }
    copy_to_basic(pr, from);
    if (n->kind == MIME_MESSAGE)
        put_inner(pr, n);
    put(pr, " ");
    imap_field(pr->full, mime_content(n, FIELD_CONTENT_MD5), pr->scratch);
    put(pr, " ");
    put_extensions(pr, n);
    put_both(pr, ")");
}

/* body-type-mpart = 1*body SP subtype [SP param SP disposition SP language SP location] */
static void put_multipart(struct printer *pr, const struct mime_node *n)
{
    put_both(pr, "(");
    for (uint32_t child = n->first_child; child; child = pr->m->nodes[child].next)
        put_node(pr, child);
    size_t from = pr->full->n;
    put(pr, " ");
    imap_string(pr->full, n->subtype);
    copy_to_basic(pr, from);
    put(pr, " ");
    put_params(pr, n->params);
    put(pr, " ");
    put_extensions(pr, n);
    put_both(pr, ")");
}

static void put_node(struct printer *pr, uint32_t index)
{
    const struct mime_node *n = &pr->m->nodes[index];
    if (pr->full->overflow || pr->basic->overflow)
        return;
    if (n->kind == MIME_MULTIPART)
        put_multipart(pr, n);
    else
        put_single(pr, n);
}

bool bodystructure_print(struct buf *full, struct buf *basic, struct span raw, const struct mime *m,
                         const struct message_limits *limits, struct buf *scratch)
{
    struct printer pr = {full, basic, scratch, raw, m, limits, .all = true};
    put_node(&pr, 0);
    return pr.all;
}
