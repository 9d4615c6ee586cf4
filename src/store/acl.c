#include "store/acl.h"

#include <errno.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

bool acl_parse(struct span letters, uint32_t *ret)
{
    uint32_t rights = 0;

    for (size_t i = 0; i < letters.n; i++) {
        const char *at = letters.p[i] ? strchr(ACL_LETTERS, letters.p[i]) : NULL;
        if (letters.p[i] == 'c')
            rights |= ACL_CREATE | ACL_DELETE;
        else if (letters.p[i] == 'd')
            rights |= ACL_EXPUNGE | ACL_TRASH;
        else if (at)
            rights |= UINT32_C(1) << (at - ACL_LETTERS);
        else
            return false;
    }
    *ret = rights;
    return true;
}

void acl_print(uint32_t rights, struct buf *out)
{
    for (size_t i = 0; ACL_LETTERS[i]; i++)
        if (rights & UINT32_C(1) << i)
            buf_putc(out, ACL_LETTERS[i]);
    if (rights & (ACL_CREATE | ACL_DELETE))
        buf_putc(out, 'c');
    if (rights & (ACL_EXPUNGE | ACL_TRASH))
        buf_putc(out, 'd');
}

struct key key_acl(uint64_t mailbox, struct span identifier)
{
    return key_name(mailbox, identifier);
}

struct key key_granted(uint64_t grantee, uint64_t mailbox)
{
    struct key k = key_u64(grantee);

    key_add_u64(&k, mailbox);
    return k;
}

int acl_each(const struct index *x, MDB_txn *t, uint64_t mailbox,
             bool (*fn)(const struct acl_entry *a, void *arg), void *arg)
{
    struct key k = key_u64(mailbox);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;

    if (x->dbi[INDEX_ACL] == INDEX_NO_TABLE)
        return 0;
    int err = mdb_cursor_open(t, x->dbi[INDEX_ACL], &c);

    if (err)
        return index_error(err);
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && key.mv_size > 8 && memcmp(key.mv_data, k.b, 8) == 0) {
        struct row_acl row;
        if (v.mv_size != sizeof(row)) {
            err = EBADMSG;
            break;
        }
        memcpy(&row, v.mv_data, sizeof(row));
        struct acl_entry a = {span_of((const char *)key.mv_data + 8, key.mv_size - 8), row.grantee,
                              row.rights};
        if (!fn(&a, arg))
            break;
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return err == MDB_NOTFOUND ? 0 : index_error(err);
}

uint32_t acl_public(uint32_t attributes)
{
    bool closed = attributes & (MAILBOX_NO_POST | MAILBOX_MODERATED | MAILBOX_NOSELECT);

    return ACL_LOOKUP | ACL_READ | ACL_SEEN | (closed ? 0 : ACL_INSERT | ACL_POST);
}

/* False: there is no such row. */
static bool granted(const struct index *x, MDB_txn *t, uint64_t grantee, uint64_t mailbox,
                    uint32_t *rights)
{
    struct key k = key_granted(grantee, mailbox);
    uint32_t more;

    if (index_get_row(x, t, INDEX_GRANTED, &k, &more, sizeof(more)) != 0)
        return false;
    *rights |= more;
    return true;
}

uint32_t acl_rights(const struct index *x, MDB_txn *t, uint64_t mailbox, uint64_t account,
                    uint32_t attributes, const struct grant *g)
{
    bool public = account == STORE_ACCOUNT_PUBLIC;
    uint32_t rights = 0;

    if (public ? (g->rights & GRANT_ADMIN) != 0 : g->account == account)
        return public || g->rights & GRANT_MAIL ? ACL_ALL : 0;
    if (!public && !(g->rights & GRANT_MAIL))
        return 0;
    if (!granted(x, t, ACL_ANYONE, mailbox, &rights) && public)
        rights |= acl_public(attributes);
    granted(x, t, g->account, mailbox, &rights);
    for (unsigned i = 0; i < g->group_count; i++)
        granted(x, t, g->groups[i], mailbox, &rights);
    /* who may not post at all may not do so where it is allowed to others */
    if (public && !(g->rights & GRANT_POST))
        rights &= ~(uint32_t)(ACL_INSERT | ACL_POST);
    return rights;
}
