/* lookup.c: where mail goes, and who may send as whom. */
#include "proc/authd/authd.h"

#include <errno.h>
#include <stdlib.h>

enum { RESOLVE_REPLY_MAX = 65536, ONE_PAGE = 100 /* targets that fit for certain */ };

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
    wr_authd_targets(&b, found, version, targets, count, q.first, RESOLVE_REPLY_MAX);
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
