/* stored: the only writer of the store (store/service.h). */
#include "proc/stored/stored.h"

int main(void)
{
    struct child *c = child_open(ROLE_STORED, &stored_ops);

    stored_open(c);
    child_jail(c, "stored");
    stored_begin(c);
    int status = child_run(c);
    stored_done(c);
    return status;
}
