#include "ipc/role.h"

#include "base/check.h"

#include <string.h>

static const char *const names[ROLE_COUNT] = {
    "supervisor", "keyd", "authd",  "access",  "mx",     "stored",  "relayd",
    "certd",      "cad",  "watchd", "manager", "enrold", "searchd",
};

unsigned role_index(enum role r)
{
    CHECK(r != 0 && ((unsigned)r & ((unsigned)r - 1)) == 0 && (unsigned)r < 1u << ROLE_COUNT);
    return (unsigned)__builtin_ctz((unsigned)r);
}

const char *role_name(enum role r)
{
    return names[role_index(r)];
}

enum role role_by_name(const char *name)
{
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return (enum role)(1u << i);
    return 0;
}
