/* certd: the certificates of the virtual servers, from the key to its removal; renewal in time. */
#include "proc/certd/certd.h"

int main(void)
{
    struct child *c = child_open(ROLE_CERTD, &certd_ops);

    child_jail(c, "certd");
    certd_open(c);
    return child_run(c);
}
