/* role.h: the kinds of processes, as bits, so that a message row can name several. */
#ifndef IPC_ROLE_H
#define IPC_ROLE_H

enum role {
    ROLE_SUPERVISOR = 1 << 0,
    ROLE_KEYD = 1 << 1,
    ROLE_AUTHD = 1 << 2,
    ROLE_ACCESS = 1 << 3, /* sessiond, profile access */
    ROLE_MX = 1 << 4,     /* sessiond, profile mx */
    ROLE_STORED = 1 << 5,
    ROLE_RELAYD = 1 << 6,
    ROLE_CERTD = 1 << 7,
    ROLE_CAD = 1 << 8,
    ROLE_WATCHD = 1 << 9,
    ROLE_MANAGER =
        1 << 10, /* the command line; its link is made by the supervisor after a credential check */
    ROLE_ENROLD = 1 << 11,  /* ACME and EST server of the own CA */
    ROLE_SEARCHD = 1 << 12, /* the search index */
};
enum { ROLE_COUNT = 13, ROLE_SESSIOND = ROLE_ACCESS | ROLE_MX, ROLE_ANY = (1 << 13) - 1 };

const char *role_name(enum role r);       /* "keyd", … */
enum role role_by_name(const char *name); /* 0: none */
unsigned role_index(enum role r);         /* 0 … ROLE_COUNT-1 */

#endif
