/* Mailboxes: CREATE, DELETE, RENAME, SUBSCRIBE; public folders and newsgroups; accounts. */
#include "store/acl.h"
#include "store/plan.h"

#include "base/check.h"
#include <errno.h>

enum {
    CREATE_ATTRIBUTES = MAILBOX_ARCHIVE | MAILBOX_DRAFTS | MAILBOX_FLAGGED | MAILBOX_JUNK |
                        MAILBOX_SENT | MAILBOX_TRASH | MAILBOX_ALL | MAILBOX_IMPORTANT,
    GROUP_ATTRIBUTES = MAILBOX_NEWSGROUP | MAILBOX_MODERATED | MAILBOX_NO_POST,
    CHILDREN_MAX = 5000,
};

static const struct {
    const char *name;
    uint32_t attributes;
} standard_mailboxes[] = {
    {STORE_INBOX, 0              },
    {"Drafts",    MAILBOX_DRAFTS },
    {"Sent",      MAILBOX_SENT   },
    {"Trash",     MAILBOX_TRASH  },
    {"Junk",      MAILBOX_JUNK   },
    {"Archive",   MAILBOX_ARCHIVE},
};

static bool is_subscribed(struct engine *e, uint64_t account, struct span name)
{
    struct key k = key_u64(account);
    struct span row;

    key_add_u64(&k, account);
    key_add_name(&k, name);
    return index_get(&e->index, e->txn, INDEX_SUBSCRIPTION, &k, &row) == 0;
}

static struct row_mark marks_of(struct engine *e, struct span name)
{
    struct row_mark mark = {0, 0};
    struct key k = {.n = 0};

    key_add_name(&k, name);
    index_get_row(&e->index, e->txn, INDEX_MARK, &k, &mark, sizeof(mark));
    return mark;
}

/* UIDVALIDITY: seconds, but never one that was given before. */
static uint32_t next_uidvalidity(struct engine *e)
{
    uint32_t now = (uint32_t)(e->now & STORE_NUMBER_MAX);
    return now > e->state.last_uidvalidity ? now : e->state.last_uidvalidity + 1;
}

static int make_one(struct engine *e, uint64_t account, struct span name, uint32_t attributes,
                    uint64_t *ret_id)
{
    struct effect_mailbox p = {.id = e->state.next_mailbox, .name = name};

    p.row = (struct row_mailbox){
        .account = account,
        .highestmodseq = 1,
        .created = e->now,
        .uidvalidity = next_uidvalidity(e),
        .uidnext = 1,
        .first_number = 1,
        .attributes = attributes,
    };
    if (is_subscribed(e, account, name))
        p.row.attributes |= MAILBOX_SUBSCRIBED;
    if (account == STORE_ACCOUNT_PUBLIC) {
        struct row_mark mark = marks_of(e, name);
        if (mark.high) {
            p.row.uidnext = mark.high + 1;
            p.row.first_number = mark.high + 1;
        }
    }
    *ret_id = p.id;
    int err = effect_mailbox_put(e, &p);
    return err ? err : acl_inherit(e, account, name, p.id);
}

int mailbox_make(struct engine *e, uint64_t account, struct span name, uint32_t attributes,
                 uint64_t *ret_id)
{
    uint64_t id;

    for (size_t i = 1; i < name.n; i++) {
        if (name.p[i] != '/' || mbox_find(e, account, span_head(name, i), true))
            continue;
        int err = make_one(e, account, span_head(name, i), 0, &id);
        if (err)
            return err;
    }
    struct mbox *m = mbox_find(e, account, name, true);
    if (!m)
        return make_one(e, account, name, attributes, ret_id);
    /* A name kept for its children becomes a mailbox again. */
    struct effect_mailbox p = {.id = m->id, .row = m->row, .name = name};
    p.row.attributes = (m->row.attributes & ~(uint32_t)MAILBOX_NOSELECT) | attributes;
    *ret_id = m->id;
    return effect_mailbox_put(e, &p);
}

/* The highest number of a public folder outlives it. */
static int save_marks(struct engine *e, const struct mbox *m, struct span name)
{
    if (m->row.account != STORE_ACCOUNT_PUBLIC || m->row.uidnext == 1)
        return 0;
    return effect_mark(e, name, m->row.uidnext, m->row.uidnext - 1);
}

int plan_mailbox_create(struct engine *e, struct intent *i)
{
    char room[STORE_NAME_MAX];
    struct msg_mailbox q;
    uint64_t id;
    int err;

    if (!rd_mailbox(i->payload, &q))
        return -EINVAL;
    struct span name = store_name_canonical(q.account, q.name, room);
    err = tree_allows(e, q.grant, q.account, name);
    if (err)
        return err;
    if (!store_name_valid(name))
        return -EINVAL;
    struct mbox *m = mbox_find(e, q.account, name, true);
    if (m && !(m->row.attributes & MAILBOX_NOSELECT))
        return -EEXIST;
    uint32_t allowed =
        CREATE_ATTRIBUTES | (q.account == STORE_ACCOUNT_PUBLIC ? GROUP_ATTRIBUTES : 0);
    record_begin(e);
    err = mailbox_make(e, q.account, name, q.attributes & allowed, &id);
    if (err)
        return plan_broken(e, err);
    wr_u64(i->answer, id);
    return record_end(e, i, 0);
}

/* ------------------------------------------------------------------ children */
/* Ids of the mailboxes below a name; -E2BIG when there are too many for one record. */
static int children(struct engine *e, uint64_t account, struct span name, uint64_t *ids, size_t max,
                    size_t *ret_count)
{
    struct key k = key_u64(account);
    MDB_val key = {k.n, k.b}, v;
    size_t count = 0;
    MDB_cursor *c;
    int err = mdb_cursor_open(e->txn, e->index.dbi[INDEX_NAME], &c);

    if (err)
        return index_error(err);
    /* Names are hashed past 440 bytes, so each candidate's real name is looked at. */
    key_add_name(&k, span_head(name, 440));
    key = (MDB_val){k.n, k.b};
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    for (; err == 0; err = mdb_cursor_get(c, &key, &v, MDB_NEXT)) {
        uint64_t id;
        if (key.mv_size < k.n || memcmp(key.mv_data, k.b, k.n) != 0 || v.mv_size != sizeof(id))
            break;
        memcpy(&id, v.mv_data, sizeof(id));
        const struct mbox *m = mbox_get(e, id);
        if (!m || m->row.name_bytes <= name.n + 1 || m->name[name.n] != '/' ||
            !span_starts(mbox_name(m), name))
            continue;
        if (count == max) {
            mdb_cursor_close(c);
            return -E2BIG;
        }
        ids[count++] = id;
    }
    mdb_cursor_close(c);
    *ret_count = count;
    return 0;
}

static bool has_children(struct engine *e, const struct mbox *m)
{
    uint64_t one;
    size_t n = 0;
    return children(e, m->row.account, mbox_name(m), &one, 1, &n) != 0 || n > 0;
}

/* ------------------------------------------------------------------ DELETE */
static int mailbox_remove(struct engine *e, struct mbox *m, bool keep_name)
{
    char room[STORE_NAME_MAX];
    struct span name = span_of(room, m->row.name_bytes);
    uint64_t id = m->id, account = m->row.account, new_id;
    bool small = m->row.messages < ENGINE_PIECE_MAX / 4;
    int err = 0;

    memcpy(room, m->name, name.n);
    err = save_marks(e, m, name);
    if (!err)
        err = effect_mailbox_gone(e, id);
    /* The first piece goes along; what is left goes later (engine_housekeep). */
    if (!err && small)
        err = effect_purge(e, id);
    if (!err && keep_name)
        err = make_one(e, account, name, MAILBOX_NOSELECT, &new_id);
    return err;
}

int plan_mailbox_delete(struct engine *e, struct intent *i)
{
    struct msg_mailbox q;
    int err;

    if (!rd_mailbox(i->payload, &q))
        return -EINVAL;
    struct mbox *m = mbox_get(e, q.mailbox);
    if (!m)
        return -ENOENT;
    err = mailbox_allows(e, q.grant, m, ACL_DELETE);
    if (err)
        return err;
    if (m->row.account != STORE_ACCOUNT_PUBLIC && span_eq_cstr(mbox_name(m), STORE_INBOX))
        return -EACCES;
    bool parent = has_children(e, m);
    if (parent && (m->row.attributes & MAILBOX_NOSELECT))
        return -ENOTEMPTY;
    record_begin(e);
    err = mailbox_remove(e, m, parent);
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* ------------------------------------------------------------------ RENAME */
static int rename_one(struct engine *e, struct mbox *m, struct span name)
{
    struct effect_mailbox p = {.id = m->id, .row = m->row, .name = name};

    p.row.attributes &= ~(uint32_t)MAILBOX_SUBSCRIBED;
    if (is_subscribed(e, m->row.account, name))
        p.row.attributes |= MAILBOX_SUBSCRIBED;
    if (m->row.account == STORE_ACCOUNT_PUBLIC) {
        struct row_mark mark = marks_of(e, name);
        int err = save_marks(e, m, mbox_name(m));
        if (err)
            return err;
        if (mark.high >= p.row.uidnext)
            p.row.uidnext = mark.high + 1;
        if (m->row.messages == 0)
            p.row.first_number = p.row.uidnext;
    }
    return effect_mailbox_put(e, &p);
}

/* A number that was given under the new name must not come back as another article. */
static bool numbers_clash(struct engine *e, const struct mbox *m, struct span name)
{
    return m->row.account == STORE_ACCOUNT_PUBLIC && m->row.messages > 0 &&
           marks_of(e, name).high >= m->row.first_number;
}

static int make_parents(struct engine *e, uint64_t account, struct span name)
{
    size_t slash = span_rfind(name, '/');
    uint64_t id;

    if (slash == SPAN_NONE || mbox_find(e, account, span_head(name, slash), true))
        return 0;
    return mailbox_make(e, account, span_head(name, slash), 0, &id);
}

static int rename_all(struct engine *e, struct intent *i, struct mbox *m, struct span to,
                      const uint64_t *ids, size_t count)
{
    size_t cut = m->row.name_bytes;
    int err;

    record_begin(e);
    err = make_parents(e, m->row.account, to);
    if (!err)
        err = rename_one(e, m, to);
    for (size_t k = 0; k < count && !err; k++) {
        struct mbox *child = mbox_get(e, ids[k]);
        char name[STORE_NAME_MAX];
        if (!child)
            continue;
        struct span tail = span_skip(mbox_name(child), cut);
        memcpy(name, to.p, to.n);
        memcpy(name + to.n, tail.p, tail.n);
        err = rename_one(e, child, span_of(name, to.n + tail.n));
    }
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

static int rename_check(struct engine *e, struct mbox *m, struct span to, const uint64_t *ids,
                        size_t count)
{
    if (!store_name_valid(to))
        return -EINVAL;
    if (mbox_find(e, m->row.account, to, true))
        return -EEXIST;
    /* Not below itself. */
    if (to.n > m->row.name_bytes && span_starts(to, mbox_name(m)) && to.p[m->row.name_bytes] == '/')
        return -EINVAL;
    if (numbers_clash(e, m, to))
        return -EEXIST;
    for (size_t k = 0; k < count; k++) {
        const struct mbox *child = mbox_get(e, ids[k]);
        if (child && child->row.name_bytes - m->row.name_bytes + to.n > STORE_NAME_MAX)
            return -EINVAL;
    }
    return 0;
}

/* INBOX stays; its messages go, a piece at a time. progress is the mailbox they go to. */
static int rename_inbox(struct engine *e, struct intent *i, struct mbox *inbox, struct span to)
{
    uint64_t id = i->progress;
    bool more = false;
    int err = 0;

    if (!id) {
        if (!store_name_valid(to))
            return -EINVAL;
        if (mbox_find(e, inbox->row.account, to, true))
            return -EEXIST;
    }
    record_begin(e);
    if (!id)
        err = mailbox_make(e, inbox->row.account, to, 0, &id);
    struct mbox *target = err ? NULL : mbox_get(e, id);
    if (target)
        err = move_piece(e, inbox, target, &more);
    if (err)
        return plan_broken(e, err);
    i->more = more;
    i->progress = more ? id : 0;
    return record_end(e, i, 0);
}

int plan_mailbox_rename(struct engine *e, struct intent *i)
{
    char from_room[STORE_NAME_MAX], to_room[STORE_NAME_MAX];
    struct msg_mailbox q;
    size_t count = 0;
    int err;

    if (!rd_mailbox(i->payload, &q))
        return -EINVAL;
    struct span from = store_name_canonical(q.account, q.name, from_room);
    struct span to = store_name_canonical(q.account, q.name2, to_room);
    struct mbox *m = from.n <= STORE_NAME_MAX ? mbox_find(e, q.account, from, true) : NULL;
    if (!m)
        return -ENOENT;
    err = mailbox_allows(e, q.grant, m, ACL_DELETE);
    if (!err)
        err = tree_allows(e, q.grant, q.account, to);
    if (err)
        return err;
    if (q.account != STORE_ACCOUNT_PUBLIC && span_eq_cstr(from, STORE_INBOX))
        return mailbox_allows(e, q.grant, m, ACL_ALL) ? -EACCES : rename_inbox(e, i, m, to);
    uint64_t *ids = arena_try_array(e->arena, sizeof(*ids), CHILDREN_MAX);
    if (!ids)
        return -ENOMEM;
    err = children(e, q.account, from, ids, CHILDREN_MAX, &count);
    if (!err)
        err = rename_check(e, m, to, ids, count);
    return err ? err : rename_all(e, i, m, to, ids, count);
}

/* ------------------------------------------------------------------ SUBSCRIBE */
int plan_subscribe(struct engine *e, struct intent *i)
{
    char room[STORE_NAME_MAX];
    struct msg_mailbox q;
    struct grant g;
    int err;

    if (!rd_mailbox(i->payload, &q))
        return -EINVAL;
    err = grant_check(e, q.grant, &g);
    if (err)
        return err;
    if (!(g.rights & GRANT_MAIL))
        return -EACCES;
    struct effect_subscribe s = {.account = g.account, .folder_account = q.account, .on = q.on};
    s.name = store_name_canonical(q.account, q.name, room);
    if (!store_name_valid(s.name))
        return -EINVAL;
    /* Of names of one's own and public ones there need not be a mailbox; of others, one must know. */
    const struct mbox *m = q.on ? mbox_find(e, q.account, s.name, true) : NULL;
    if (m ? mailbox_allows(e, q.grant, m, ACL_LOOKUP) != 0
          : q.on && q.account != g.account && q.account != STORE_ACCOUNT_PUBLIC)
        return -ENOENT;
    record_begin(e);
    err = effect_subscribe(e, &s);
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* ------------------------------------------------------------------ newsgroups and public folders
 */
static int newsgroup_set(struct engine *e, struct mbox *m, uint32_t attributes)
{
    struct effect_mailbox p = {.id = m->id, .row = m->row, .name = mbox_name(m)};

    p.row.attributes = (m->row.attributes & ~(uint32_t)GROUP_ATTRIBUTES) | attributes;
    return effect_mailbox_put(e, &p);
}

int plan_newsgroup(struct engine *e, struct intent *i)
{
    struct msg_newsgroup q;
    uint64_t id = 0;
    int err;

    if (!rd_newsgroup(i->payload, &q) || !store_name_valid(q.name))
        return -EINVAL;
    struct mbox *m = mbox_find(e, STORE_ACCOUNT_PUBLIC, q.name, true);
    bool usable = m && !(m->row.attributes & MAILBOX_NOSELECT);
    if (q.op == NEWSGROUP_CREATE ? usable : !m)
        return q.op == NEWSGROUP_CREATE ? -EEXIST : -ENOENT;
    uint32_t attributes = q.attributes & GROUP_ATTRIBUTES;
    record_begin(e);
    switch (q.op) {
    case NEWSGROUP_CREATE:
        err = mailbox_make(e, STORE_ACCOUNT_PUBLIC, q.name, attributes, &id);
        break;
    case NEWSGROUP_DELETE:
        err = mailbox_remove(e, m, has_children(e, m));
        break;
    default:
        id = m->id;
        err = newsgroup_set(e, m, attributes);
    }
    if (!err && q.describes && q.op != NEWSGROUP_DELETE)
        err = describe(e, id, q.description);
    if (err)
        return plan_broken(e, err);
    wr_u64(i->answer, id);
    return record_end(e, i, 0);
}

/* ------------------------------------------------------------------ accounts */
static int make_standard(struct engine *e, uint64_t account, uint64_t *ret_inbox)
{
    int err = 0;

    for (size_t k = 0; k < ARRAY_LEN(standard_mailboxes) && !err; k++) {
        struct effect_subscribe s = {account, account, span_cstr(standard_mailboxes[k].name), true};
        uint64_t id;
        err = make_one(e, account, s.name, standard_mailboxes[k].attributes, &id);
        if (!err)
            err = effect_subscribe(e, &s);
        if (k == 0)
            *ret_inbox = id;
    }
    return err;
}

int plan_account(struct engine *e, struct intent *i)
{
    struct msg_account q;
    uint64_t inbox = 0;
    int err = 0;

    if (!rd_account(i->payload, &q) || q.account == 0)
        return -EINVAL;
    const struct account *a = account_get(e, q.account, false);
    if (!a && q.state == ACCOUNT_DELETED)
        return -ENOENT;
    if (a && a->row.state == ACCOUNT_DELETED)
        return q.state == ACCOUNT_DELETED ? 0 : -EEXIST; /* numbers are never used again */
    /* authd tells of all its accounts whenever it starts: what is known already is no change. */
    if (a && a->row.state == q.state && a->row.epoch == q.epoch &&
        a->row.quota_bytes == q.quota_bytes &&
        (q.address.n == 0 || q.state == ACCOUNT_DELETED || address_known(e, q.account, q.address)))
        return 0;
    record_begin(e);
    if (!a && q.account != STORE_ACCOUNT_PUBLIC)
        err = make_standard(e, q.account, &inbox);
    if (!err)
        err = effect_account(e, q.account, q.state, q.epoch, q.quota_bytes, inbox);
    if (!err && q.address.n && q.state != ACCOUNT_DELETED &&
        !address_known(e, q.account, q.address))
        err = effect_named(e, q.account, q.address);
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* ------------------------------------------------------------------ what is left over, piece by
 * piece */
static bool first_doomed(struct engine *e, uint64_t *ret)
{
    MDB_cursor *c;
    MDB_val key, v;
    bool found = false;

    if (mdb_cursor_open(e->txn, e->index.dbi[INDEX_DOOMED], &c) != 0)
        return false;
    if (mdb_cursor_get(c, &key, &v, MDB_FIRST) == 0 && key.mv_size == 8) {
        *ret = key_get_u64(key.mv_data);
        found = true;
    }
    mdb_cursor_close(c);
    return found;
}

/* An account that was deleted and still stands in the table. */
static bool deleted_account(struct engine *e, uint64_t *ret)
{
    MDB_cursor *c;
    MDB_val key, v;
    bool found = false;

    if (mdb_cursor_open(e->txn, e->index.dbi[INDEX_ACCOUNT], &c) != 0)
        return false;
    for (int err = mdb_cursor_get(c, &key, &v, MDB_FIRST); err == 0 && !found;
         err = mdb_cursor_get(c, &key, &v, MDB_NEXT)) {
        struct row_account row;
        if (key.mv_size != 8 || v.mv_size < sizeof(row))
            continue;
        memcpy(&row, v.mv_data, sizeof(row));
        found = row.state == ACCOUNT_DELETED && row.inbox != 0;
        if (found)
            *ret = key_get_u64(key.mv_data);
    }
    mdb_cursor_close(c);
    return found;
}

static bool any_mailbox(struct engine *e, uint64_t account, uint64_t *ret)
{
    struct key k = key_u64(account);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    bool found = false;

    if (mdb_cursor_open(e->txn, e->index.dbi[INDEX_NAME], &c) != 0)
        return false;
    if (mdb_cursor_get(c, &key, &v, MDB_SET_RANGE) == 0 && key.mv_size > 8 &&
        memcmp(key.mv_data, k.b, 8) == 0 && v.mv_size == 8) {
        memcpy(ret, v.mv_data, 8);
        found = true;
    }
    mdb_cursor_close(c);
    return found;
}

/* Account rows stay for ever as a mark that the number was used; inbox 0 says that nothing of it is
 * left. */
int plan_leftovers(struct engine *e, const struct intent *i, bool *ret_found)
{
    uint64_t id, mailbox;
    int err = 0;

    record_begin(e);
    *ret_found = true;
    if (first_doomed(e, &id)) {
        err = effect_purge(e, id);
    } else if (deleted_account(e, &id)) {
        if (any_mailbox(e, id, &mailbox)) {
            struct mbox *m = mbox_get(e, mailbox);
            err = m ? effect_mailbox_gone(e, m->id) : -EIO;
        } else {
            err = effect_account_gone(e, id);
        }
    } else {
        *ret_found = false;
    }
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}
