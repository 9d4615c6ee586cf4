/* verify_foreign.h: endpoints of other servers, as URLs: what the probe client needs to judge them. */
#ifndef MANAGER_VERIFY_FOREIGN_H
#define MANAGER_VERIFY_FOREIGN_H

#include "manager/verify_plan.h"

enum { FOREIGN_ADDRESSES_MAX = 8, FOREIGN_HOST_MAX = 253 };

struct foreign_url {
    const struct foreign_scheme *scheme;
    char host[FOREIGN_HOST_MAX + 1];
    uint16_t port;
};
struct foreign_scheme {
    const char *name; /* "imaps" */
    enum conf_protocol protocol;
    enum conf_policy policy;
    enum conf_smtp_kind kind;
    uint16_t port;
};

bool is_foreign(const char *argument); /* "imaps://…" */
/* smtp, submission, submissions, smtps, pop3, pop3s, imap, imaps, nntp, nntps, https; host a name or an address, "[::1]" with brackets. */
int foreign_parse(struct span url, struct foreign_url *ret, struct err *e);
/* A plan for all of them, every address of each. Trust: --root, else CA_FILE of --settings, else the system's. */
int verify_foreign_make(struct call *c, struct verify_plan **ret, struct err *e);

#endif
