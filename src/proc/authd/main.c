/* authd: checks passwords, throttles, grants, and knows where mail goes (proc/authd/authd.h). */
#include "proc/authd/authd.h"

int main(void)
{
    static struct authd a;
    struct child *c = child_open(ROLE_AUTHD, &authd_ops);

    authd_open(&a, c);
    child_jail(c, "authd");
    authd_begin(&a);
    int status = child_run(c);
    authd_done(&a);
    return status;
}
