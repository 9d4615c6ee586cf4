/* lookup.c: where mail goes, and who may send as whom. */
#include "proc/authd/authd.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "sasl/auth.h"
#include "store/grant.h"

#include <errno.h>
#include <stdlib.h>

enum {
    RESOLVE_REPLY_MAX = 65536,
    ONE_PAGE = 100,         /* targets that fit for certain */
    GRANTS_BYTES = 1 << 18, /* of all targets there may be */
};

/* Who asks may send to where an alias leads, and there only: a grant for each remote target. NULL:
 * there is none. */
static const struct span *forward_grants(const struct authd *a, struct arena *arena,
                                         const struct directory_target *v, size_t n, size_t first)
{
    struct span *grants = NULL;

    for (size_t i = first; i < n; i++) {
        BUF_AUTO struct buf b = BUF(AUTHD_FORWARD_MAX);
        struct grant g = {.rights = GRANT_FORWARD,
                          .expires_seconds = clock_seconds() + AUTH_FORWARD_SECONDS};
        if (v[i].kind != DIRECTORY_REMOTE)
            continue;
        if (!grants)
            grants = ARENA_ARRAY(arena, struct span, n);
        CHECK(grants);
        grant_address(span_cstr(v[i].address), g.address);
        grant_seal(&g, a->child->grant_secret, &b);
        grants[i] = arena_span(arena, buf_span(&b));
    }
    return grants;
}

void msg_resolve(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct authd_resolve q;
    struct directory_target *targets = NULL;
    size_t count = 0;
    BUF_AUTO struct buf b = BUF(RESOLVE_REPLY_MAX);

    if (!rd_authd_resolve(m->body, &q)) {
        msg_reply(m, -EBADMSG, SPAN_EMPTY);
        return;
    }
    uint64_t version = 0;
    enum directory_found found = directory_resolve(a->reader, q.address, &targets, &count);
    if (count > ONE_PAGE) {
        /* The version, which costs a look at the file, is needed where pages may not fit together.
         * It is taken first: a write in between then shows at the next page. */
        free(targets);
        targets = NULL;
        count = 0;
        version = directory_version(a->reader);
        found = directory_resolve(a->reader, q.address, &targets, &count);
    }
    a->count.resolved++;
    struct arena *arena = arena_new(GRANTS_BYTES);
    const struct span *grants = forward_grants(a, arena, targets, count, q.first);
    wr_authd_targets(&b, found, version, targets, grants, count, q.first, RESOLVE_REPLY_MAX);
    arena_free(arena);
    free(targets);
    msg_reply(m, 0, buf_span(&b));
}

void msg_may_send_as(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct authd_send_as q;
    BUF_AUTO struct buf b = BUF(16);

    if (!rd_authd_send_as(m->body, &q)) {
        msg_reply(m, -EBADMSG, SPAN_EMPTY);
        return;
    }
    wr_bool(&b, directory_may_send_as(a->reader, q.account, q.address));
    msg_reply(m, 0, buf_span(&b));
}
