#include "message/attachment.h"
#include "message/words.h"

/* Parts that serve the message rather than its reader. */
static const char *const machinery[] = {
    "application/pgp-signature",
    "application/pgp-encrypted",
    "application/pkcs7-signature",
    "application/ms-tnef",
    "application/x-pkcs7-signature",
    "message/delivery-status",
    "message/disposition-notification",
    "message/global-delivery-status",
    "text/rfc822-headers",
};

static bool is_machinery(const struct mime_node *n)
{
    for (size_t i = 0; i < sizeof(machinery) / sizeof(machinery[0]); i++) {
        struct span row = span_cstr(machinery[i]);
        if (row.n == n->type.n + 1 + n->subtype.n && span_starts_nocase(row, n->type) &&
            span_ends_nocase(row, n->subtype))
            return true;
    }
    return false;
}

bool mime_is_attachment(const struct mime *m, uint32_t index, struct buf *scratch)
{
    const struct mime_node *n = &m->nodes[index], *parent = &m->nodes[n->parent];
    struct span params, name, disposition;
    if (n->kind == MIME_MULTIPART || is_machinery(n))
        return false;
    disposition = mime_token(mime_content(n, FIELD_CONTENT_DISPOSITION), &params);
    if (span_is(disposition, "attachment"))
        return true;
    /* a picture that the HTML beside it shows */
    bool shown =
        mime_content(n, FIELD_CONTENT_ID).p && index && span_is(parent->subtype, "related");
    if (shown)
        return false;
    if (n->kind == MIME_MESSAGE)
        return index && !span_is(parent->subtype, "digest") && !span_is(parent->subtype, "report");
    bool named = param_find(params, "filename", scratch, &name) ||
                 param_find(n->params, "name", scratch, &name);
    if (span_is(n->type, "text"))
        return named && !span_is(disposition, "inline");
    return named || !span_is(disposition, "inline");
}

bool mime_has_attachment(const struct mime *m, struct buf *scratch)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (mime_is_attachment(m, i, scratch))
            return true;
    return false;
}
