/* Rights, annotations, addresses and domains: what stands beside mailboxes. */
#include "store/plan.h"

#include "store/annex.h"
#include <errno.h>

/* ------------------------------------------------------------------ who may */
int mailbox_rights(struct engine *e, struct span token, const struct mbox *m, struct grant *ret,
                   uint32_t *ret_rights)
{
    int err = grant_check(e, token, ret);

    if (err)
        return err;
    *ret_rights = acl_rights(&e->index, e->txn, m->id, m->row.account, m->row.attributes, ret);
    return 0;
}

int mailbox_allows(struct engine *e, struct span token, const struct mbox *m, uint32_t rights)
{
    struct grant g;
    uint32_t have;
    int err = mailbox_rights(e, token, m, &g, &have);

    return err ? err : (have & rights) == rights ? 0 : -EACCES;
}

/* The nearest mailbox above a name that is there. */
static struct mbox *above(struct engine *e, uint64_t account, struct span name)
{
    size_t at;

    while ((at = span_rfind(name, '/')) != SPAN_NONE) {
        name = span_head(name, at);
        struct mbox *m = mbox_find(e, account, name, true);
        if (m)
            return m;
    }
    return NULL;
}

int tree_allows(struct engine *e, struct span token, uint64_t account, struct span name)
{
    struct mbox *m = above(e, account, name);
    struct grant g;
    int err = grant_check(e, token, &g);

    if (err)
        return err;
    if (account == STORE_ACCOUNT_PUBLIC ? (g.rights & GRANT_ADMIN) != 0 : g.account == account)
        return account == STORE_ACCOUNT_PUBLIC || g.rights & GRANT_MAIL ? 0 : -EACCES;
    return m ? mailbox_allows(e, token, m, ACL_CREATE) : -EACCES;
}

/* ------------------------------------------------------------------ rights */
struct copied {
    struct {
        char identifier[ACL_IDENTIFIER_MAX];
        struct effect_acl row;
    } * v;
    size_t n, max;
};

static bool copy_entry(const struct acl_entry *a, void *arg)
{
    struct copied *c = arg;

    if (a->identifier.n > ACL_IDENTIFIER_MAX)
        return true;
    memcpy(c->v[c->n].identifier, a->identifier.p, a->identifier.n);
    c->v[c->n].row =
        (struct effect_acl){.identifier = span_of(c->v[c->n].identifier, a->identifier.n),
                            .grantee = a->grantee,
                            .rights = a->rights,
                            .on = true};
    return ++c->n < c->max;
}

static bool count_entry(const struct acl_entry *a, void *arg)
{
    (*(size_t *)arg)++;
    return true;
}

static size_t entries(struct engine *e, uint64_t mailbox)
{
    size_t n = 0;

    acl_each(&e->index, e->txn, mailbox, count_entry, &n);
    return n;
}

int acl_inherit(struct engine *e, uint64_t account, struct span name, uint64_t id)
{
    struct mbox *m = above(e, account, name);
    struct copied c = {.max = m ? entries(e, m->id) : 0};
    int err = 0;

    if (c.max == 0)
        return 0;
    c.v = arena_try_array(e->arena, sizeof(*c.v), c.max);
    if (!c.v)
        return -ENOMEM;
    acl_each(&e->index, e->txn, m->id, copy_entry, &c);
    for (size_t i = 0; i < c.n && !err; i++) {
        c.v[i].row.mailbox = id;
        err = effect_acl(e, &c.v[i].row);
    }
    return err;
}

/* "anyone", "$group@domain", "account@domain" → *ret_text in small letters, *ret_grantee. */
static int identify(struct engine *e, struct span s, char room[ACL_IDENTIFIER_MAX],
                    struct span *ret_text, uint64_t *ret_grantee)
{
    struct key k = {.n = 0};

    if (s.n > ACL_IDENTIFIER_MAX)
        return -EINVAL;
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return -EINVAL;
        room[i] = (char)ascii_lower(s.p[i]);
    }
    *ret_text = span_of(room, s.n);
    if (span_eq(*ret_text, SPAN("anyone"))) {
        *ret_grantee = ACL_ANYONE;
        return 0;
    }
    if (room[0] == '$') {
        *ret_grantee = grant_group(span_skip(*ret_text, 1));
        return s.n > 1 ? 0 : -EINVAL;
    }
    if (room[0] == '-') /* negative rights */
        return -EINVAL;
    key_add_name(&k, *ret_text);
    int err = index_get_row(&e->index, e->txn, INDEX_NAMED, &k, ret_grantee, sizeof(*ret_grantee));
    return err == -ENOENT ? -ESRCH : err;
}

/* Who reads a newsgroup by NNTP is not asked who he is: what all may there, all may here. */
static uint32_t fixed_rights(const struct mbox *m, uint64_t grantee)
{
    return m->row.account == STORE_ACCOUNT_PUBLIC && m->row.attributes & MAILBOX_NEWSGROUP &&
                   grantee == ACL_ANYONE
               ? ACL_LOOKUP | ACL_READ
               : 0;
}

static int acl_change(struct engine *e, const struct mbox *m, const struct msg_acl *q,
                      struct effect_acl *a)
{
    struct key k = key_acl(m->id, a->identifier);
    struct row_acl old = {0};
    int err = index_get_row(&e->index, e->txn, INDEX_ACL, &k, &old, sizeof(old));

    if (err && err != -ENOENT)
        return err;
    if (err && a->grantee == ACL_ANYONE && m->row.account == STORE_ACCOUNT_PUBLIC)
        old.rights = acl_public(m->row.attributes);
    /* an entry of an account that had this address before has no rights for the new one */
    bool known = !err && old.grantee == a->grantee;
    switch (q->op) {
    case ACL_GIVE:
        a->rights = (known || err ? old.rights : 0) | q->rights;
        break;
    case ACL_TAKE:
        a->rights = (known || err ? old.rights : 0) & ~q->rights;
        break;
    default:
        a->rights = q->op == ACL_SET ? q->rights : 0;
    }
    uint32_t fixed = fixed_rights(m, a->grantee);
    /* No rights for all hide a public folder; an identifier without any is one that has none. */
    a->on = q->op != ACL_REMOVE && (a->rights || a->grantee == ACL_ANYONE);
    if ((a->rights & fixed) != fixed && q->op != ACL_REMOVE)
        return -EPERM;
    size_t most = e->options.acl_entries ? e->options.acl_entries : ACL_ENTRIES;
    if (a->on && err && entries(e, m->id) >= most)
        return -E2BIG;
    return 0;
}

int plan_acl(struct engine *e, struct intent *i)
{
    char room[ACL_IDENTIFIER_MAX];
    struct effect_acl a = {0};
    struct msg_acl q;
    int err;

    if (!rd_acl(i->payload, &q))
        return -EINVAL;
    struct mbox *m = mbox_get(e, q.mailbox);
    if (!m)
        return -ENOENT;
    err = mailbox_allows(e, q.grant, m, ACL_ADMIN);
    if (!err)
        err = identify(e, q.identifier, room, &a.identifier, &a.grantee);
    if (err == -ESRCH && q.op == ACL_REMOVE)
        err = 0; /* an account that is gone */
    if (!err && a.grantee == m->row.account)
        err = -EPERM;
    a.mailbox = m->id;
    if (!err)
        err = acl_change(e, m, &q, &a);
    if (err)
        return err;
    record_begin(e);
    err = effect_acl(e, &a);
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* ------------------------------------------------------------------ annotations */
static size_t count_notes(struct engine *e, uint64_t mailbox, uint64_t account)
{
    struct key k = key_u64(mailbox);
    MDB_val key, v;
    MDB_cursor *c;
    size_t n = 0;

    key_add_u64(&k, account);
    key = (MDB_val){k.n, k.b};
    if (mdb_cursor_open(e->txn, e->index.dbi[INDEX_NOTE], &c) != 0)
        return 0;
    int err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && key.mv_size > k.n && memcmp(key.mv_data, k.b, k.n) == 0) {
        n++;
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return n;
}

static bool note_known(struct engine *e, uint64_t mailbox, uint64_t account, struct span entry)
{
    struct key k = key_note(mailbox, account, entry);
    struct span row;

    return index_get(&e->index, e->txn, INDEX_NOTE, &k, &row) == 0;
}

/* RFC 5464 section 3.3 and 4.3: shared ones need the right to write, own ones to read. */
static int note_allows(struct engine *e, const struct msg_note *q, uint64_t *ret_account)
{
    struct grant g;
    uint32_t rights = 0;
    int err;

    if (q->mailbox) {
        const struct mbox *m = mbox_get(e, q->mailbox);
        err = m ? mailbox_rights(e, q->grant, m, &g, &rights) : -ENOENT;
    } else {
        err = grant_check(e, q->grant, &g);
        if (!err && g.rights & GRANT_MAIL)
            rights = ACL_LOOKUP | ACL_READ;
        if (!err && g.rights & GRANT_ADMIN)
            rights |= ACL_WRITE;
    }
    if (err)
        return err;
    *ret_account = g.account;
    for (size_t k = 0; k < q->count; k++)
        if (!(rights & ACL_LOOKUP) || !(rights & (q->notes[k].shared ? ACL_WRITE : ACL_READ)))
            return -EACCES;
    return 0;
}

static int note_limits(struct engine *e, const struct msg_note *q, uint64_t account)
{
    size_t bytes = e->options.note_bytes ? e->options.note_bytes : NOTE_VALUE_BYTES;
    size_t most = e->options.note_entries ? e->options.note_entries : NOTE_ENTRIES;
    size_t more[2] = {0, 0};

    for (size_t k = 0; k < q->count; k++) {
        const struct store_note *n = &q->notes[k];
        if (n->remove)
            continue;
        if (n->value.n > bytes)
            return -EMSGSIZE;
        more[n->shared] += !note_known(e, q->mailbox, n->shared ? 0 : account, n->entry);
    }
    for (unsigned shared = 0; shared < 2; shared++)
        if (more[shared] && count_notes(e, q->mailbox, shared ? 0 : account) + more[shared] > most)
            return -E2BIG;
    return 0;
}

int plan_note(struct engine *e, struct intent *i)
{
    struct msg_note q;
    uint64_t account = 0;
    int err;

    if (!rd_note(i->payload, e->arena, &q))
        return -EINVAL;
    err = note_allows(e, &q, &account);
    if (!err)
        err = note_limits(e, &q, account);
    if (err)
        return err;
    record_begin(e);
    for (size_t k = 0; k < q.count && !err; k++) {
        const struct store_note *n = &q.notes[k];
        uint64_t whose = n->shared ? 0 : account;
        struct effect_note x = {.mailbox = q.mailbox,
                                .account = whose,
                                .entry = n->entry,
                                .value = n->remove ? SPAN_EMPTY : n->value,
                                .on = !n->remove};
        if (!n->remove || note_known(e, q.mailbox, whose, n->entry))
            err = effect_note(e, &x);
    }
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

int describe(struct engine *e, uint64_t mailbox, struct span text)
{
    struct effect_note n = {
        .mailbox = mailbox, .entry = SPAN(NOTE_DESCRIPTION), .value = text, .on = text.n > 0};

    return effect_note(e, &n);
}

/* ------------------------------------------------------------------ addresses and domains */
bool address_known(struct engine *e, uint64_t account, struct span address)
{
    struct key k = key_u64(account);
    struct span row;

    return index_get(&e->index, e->txn, INDEX_ADDRESS, &k, &row) == 0 &&
           row.n >= sizeof(struct row_address) &&
           span_eq(span_skip(row, sizeof(struct row_address)), address);
}

int plan_domain(struct engine *e, struct intent *i)
{
    struct msg_domain q;
    int err;

    if (!rd_domain(i->payload, &q))
        return -EINVAL;
    const struct account *a = account_get(e, domain_number(q.domain), false);
    if (a ? a->row.quota_bytes == q.quota_bytes : q.quota_bytes == 0)
        return 0;
    record_begin(e);
    err = effect_domain(e, q.domain, q.quota_bytes);
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* What is in the index; a batch may be under way beside. */
static int used_of(struct engine *e, MDB_txn *t, struct span name, struct row_account *ret)
{
    uint64_t id = domain_number(name);
    struct key n = {.n = 0};

    key_add_name(&n, name);
    if (span_has(name, '@')) {
        int err = index_get_row(&e->index, t, INDEX_NAMED, &n, &id, sizeof(id));
        if (err)
            return err;
    }
    struct key k = key_u64(id);
    return index_get_row(&e->index, t, INDEX_ACCOUNT, &k, ret, sizeof(*ret));
}

/* Addresses and domains, each a span → for each: used, limit. Those that are not known use nothing. */
int ask_used(struct engine *e, struct intent *i)
{
    struct rd r = rd_of(i->payload);
    MDB_txn *t;
    int err = index_error(mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &t));

    if (err)
        return err;
    while (r.n > 0 && !r.bad) {
        struct row_account a = {.used_bytes = 0};
        struct span name = rd_span(&r, STORE_ADDRESS_MAX);
        if (r.bad)
            break;
        err = used_of(e, t, name, &a);
        if (err && err != -ENOENT)
            break;
        wr_u64(i->answer, a.used_bytes);
        wr_u64(i->answer, a.quota_bytes);
        err = 0;
    }
    mdb_txn_abort(t);
    return r.bad ? -EINVAL : err;
}

static bool is_full(const struct row_account *a, uint64_t bytes)
{
    return a->quota_bytes &&
           (a->used_bytes >= a->quota_bytes || bytes > a->quota_bytes - a->used_bytes);
}

static int row_of(struct engine *e, MDB_txn *t, uint64_t id, struct row_account *ret)
{
    struct key k = key_u64(id);

    return index_get_row(&e->index, t, INDEX_ACCOUNT, &k, ret, sizeof(*ret));
}

/* u64 account, u64 bytes. For an answer to RCPT, before the message has come. */
int ask_room(struct engine *e, struct intent *i)
{
    struct rd r = rd_of(i->payload);
    uint64_t id = rd_u64(&r), bytes = rd_u64(&r);
    struct row_account a, domain;
    struct row_address head;
    struct span row;
    MDB_txn *t;

    if (!rd_done(&r))
        return -EINVAL;
    int err = index_error(mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &t));
    if (err)
        return err;
    err = row_of(e, t, id, &a);
    if (!err && is_full(&a, bytes))
        err = -EDQUOT;
    struct key k = key_u64(id);
    if (!err && index_get(&e->index, t, INDEX_ADDRESS, &k, &row) == 0 && row.n >= sizeof(head)) {
        memcpy(&head, row.p, sizeof(head));
        if (row_of(e, t, head.domain, &domain) == 0 && is_full(&domain, bytes))
            err = -EDQUOT;
    }
    mdb_txn_abort(t);
    return err;
}
