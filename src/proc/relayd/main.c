/* relayd: outgoing SMTP: queue leases, connectors, MX, TLS, reports. */
#include "proc/relayd/relayd.h"

int main(void)
{
    struct child *c = child_open(ROLE_RELAYD, &relayd_ops);

    relay_open(c);
    child_jail(c, "relayd");
    return child_run(c);
}
