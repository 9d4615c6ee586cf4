/* searchd: the search index. Reads mail as workers do, has no keys and no network, and writes its own folder only. */
#include "proc/searchd/searchd.h"

int main(void)
{
    struct child *c = child_open(ROLE_SEARCHD, &searchd_ops);

    searchd_open(c);
    child_jail(c, "searchd");
    searchd_begin(c);
    int status = child_run(c);
    searchd_done(c);
    return status;
}
