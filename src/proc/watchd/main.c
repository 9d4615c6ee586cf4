/* watchd: probes what every endpoint serves (proc/watchd/watchd.h). */
#include "proc/watchd/watchd.h"

int main(void)
{
    static struct watchd w;
    struct child *c = child_open(ROLE_WATCHD, &watchd_ops);

    w.child = c;
    c->state = &w;
    watchd_warm_up();
    outside_open(&w);
    child_jail(c, "watchd");
    return child_run(c);
}
