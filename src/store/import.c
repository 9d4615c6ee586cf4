/*
 * A grant for the command line. It may already do everything that an account's owner may (it can
 * set a password), so stored, which shares authd's secret, gives it what a login would: import and
 * restore then ask for the same things as a session, by the same rules.
 */
#include "store/engine.h"

#include "base/log.h"
#include <errno.h>
#include <inttypes.h>

enum { GRANT_SECONDS = 3600 };

int ask_grant(struct engine *e, struct intent *i)
{
    struct rd r = rd_of(i->payload);
    struct grant g = {.account = rd_u64(&r), .rights = GRANT_MAIL};
    const struct account *a;

    if (!rd_done(&r))
        return -EINVAL;
    if (!e->options.grant_secret)
        return -EACCES;
    a = account_get(e, g.account, false);
    if (!a || g.account == STORE_ACCOUNT_PUBLIC || a->row.state == ACCOUNT_DELETED)
        return -ENOENT;
    if (a->row.state != ACCOUNT_ENABLED)
        return -EACCES;
    g.epoch = a->row.epoch;
    g.expires_seconds = e->now + GRANT_SECONDS;
    grant_seal(&g, e->options.grant_secret, i->answer);
    log_info("store: the command line may write to account %" PRIu64, g.account);
    return 0;
}
