#include "proc/child/evidence.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

void child_evidence(struct child *c, const char *kind, const struct evidence_fact *facts,
                    unsigned count)
{
    struct buf b BUF_AUTO = BUF(8192);
    enum role role = 0;
    unsigned instance = 0;
    int r = -EPIPE;

    child_asker(&role, &instance);
    wr_evidence_event(&b, kind, role == 0 ? EVIDENCE_NOBODY : (uint8_t)role_index(role),
                      (uint8_t)instance, facts, count);
    if (c->supervisor != NULL)
        r = link_send(c->supervisor, MSG_EVIDENCE_EVENT, buf_span(&b), NULL, 0);
    if (r != 0)
        log_error("evidence of \"%s\" is lost: %s", kind, strerror(-r));
}
