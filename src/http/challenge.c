/* challenge.c: what a CA asks for to see that a name is ours (RFC 8555 section 8.3). certd knows what is under way. */
#include "http/request.h"

#include <errno.h>

enum { CERTD_WAIT_MS = 5000, TOKEN_MAX = 256 };
#define PREFIX "/.well-known/acme-challenge/"

void page_challenge(struct session *s, const struct http_request *q, struct http_answer *a)
{
    struct span token = span_skip(span_cstr(q->path), sizeof(PREFIX) - 1);
    int rc = token.n == 0 || token.n > TOKEN_MAX
                 ? -ENOENT
                 : link_call(s->worker->peer(s->worker, ROLE_CERTD), MSG_CERT_CHALLENGE, token,
                             NULL, 0, CERTD_WAIT_MS, &a->body, NULL);

    if (rc == 0) {
        a->type = "application/octet-stream";
        return;
    }
    buf_clear(&a->body);
    a->status = rc == -ENOENT ? 404 : 503;
    buf_put_cstr(&a->body, rc == -ENOENT ? "Nothing here.\n" : "Not available at the moment.\n");
}
