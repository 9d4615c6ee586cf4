/* access.c: who reads, and what he may do (RFC 4314). stored looks at the rights of each change by
 * itself; what is only read is guarded here. */
#include "imap/state.h"

void imap_grant_of(const struct session *s, struct grant *ret)
{
    if (!grant_peek(imap_grant(s), ret))
        *ret = (struct grant){.account = s->user.account, .rights = s->user.rights};
}

int imap_read_begin(struct session *s, struct store_read *ret)
{
    int e = store_read_begin(imap_store(s), ret);

    if (e == 0)
        store_read_as(ret, s->user.account);
    return e;
}

uint32_t imap_rights(struct session *s, struct store_read *r, const struct mailbox_info *m)
{
    struct grant g;

    imap_grant_of(s, &g);
    return store_acl_rights(r, m, &g);
}

bool imap_may_read(struct session *s, struct store_read *r)
{
    const struct imap *m = imap_of(s);
    struct mailbox_info info;

    /* from the owner nobody can take it */
    return m->owner == s->user.account || store_mailbox_get(r, m->mailbox, &info) != 0 ||
           imap_rights(s, r, &info) & ACL_READ;
}

uint64_t imap_flags_allowed(uint32_t rights)
{
    return (rights & ACL_SEEN ? STORE_SEEN : 0) | (rights & ACL_TRASH ? STORE_DELETED : 0) |
           (rights & ACL_WRITE ? ~(uint64_t)(STORE_SEEN | STORE_DELETED) : 0);
}
