/* sessiond: TLS and all sessions, one event loop each. Profile `access` serves people, profile `mx`
 * strangers. */
#include "proc/sessiond/sessiond.h"

#include "base/log.h"
#include "loop/fiber.h"
#include "tls/memory.h"

#include <string.h>

/* Sessions are many, and none asks DNS. */
enum { STACK_BYTES = 64 * 1024, STACKS_KEPT = 64 };

int main(int argc, char **argv)
{
    fiber_config(STACK_BYTES, STACKS_KEPT);
    tls_memory_pool();
    bool mx = argc > 1 && strcmp(argv[1], "mx") == 0;
    struct child *c = child_open(mx ? ROLE_MX : ROLE_ACCESS, &sessiond_ops);

    sessiond_open(c);
    child_jail(c, mx ? "sessiond-mx" : "sessiond-access");
    return child_run(c);
}
