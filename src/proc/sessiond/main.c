/* sessiond: TLS and all sessions, one event loop each. Profile `access` serves people, profile `mx`
 * strangers. */
#include "proc/sessiond/sessiond.h"

#include "base/log.h"
#include "tls/memory.h"

#include <string.h>

int main(int argc, char **argv)
{
    tls_memory_pool();
    bool mx = argc > 1 && strcmp(argv[1], "mx") == 0;
    struct child *c = child_open(mx ? ROLE_MX : ROLE_ACCESS, &sessiond_ops);

    sessiond_open(c);
    child_jail(c, mx ? "sessiond-mx" : "sessiond-access");
    return child_run(c);
}
