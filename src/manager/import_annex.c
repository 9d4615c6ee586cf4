/*
 * import_annex.c: rights, annotations, subscriptions and read marks on their way into an account,
 * by the same requests that a session of it would make. What is there already is never changed:
 * an annotation that has a value keeps it, and what somebody has marked as unread since stays so.
 *
 * Rights may have been taken away for a reason: they come back with a mailbox that is made again,
 * and into one in use only where --with-rights was given; else the report says what is missing.
 */
#include "base/check.h"
#include "manager/import.h"
#include "manager/text.h"

#include <errno.h>
#include <stdlib.h>

enum { RANGES_MAX = 1 << 20, NOTE_ROOM = NOTE_VALUE_MAX };

/* Reasons for which nothing after it would work either. */
static bool is_fatal(int r)
{
    return r == -EPIPE || r == -ETIMEDOUT || r == -ENOSPC || r == -EIO;
}

static const char *reason(int r)
{
    switch (r) {
    case -ESRCH:
        return "there is no such account";
    case -E2BIG:
        return "there are too many";
    case -EMSGSIZE:
        return "it is too long";
    case -EPERM:
        return "these cannot be given";
    case -EINVAL:
        return "it is no identifier of ours";
    default:
        return import_store_reason(r);
    }
}

/* ---- rights ------------------------------------------------------------------------------ */

static bool list_right(const struct acl_entry *a, void *arg)
{
    json_t *name = json_stringn(a->identifier.p, a->identifier.n);

    if (name != NULL)
        json_array_append_new(
            arg, json_pack("{s:o,s:I}", "identifier", name, "rights", (json_int_t)a->rights));
    return true;
}

static json_t *rights_there(struct import *i, uint64_t mailbox)
{
    json_t *list = json_array();
    struct store_read r;

    if (store_read_begin(import_store_of(i)->store, &r) == 0) {
        store_acl_each(&r, mailbox, list_right, list);
        store_read_end(&r);
    }
    return list;
}

static const json_t *entry_of(const json_t *list, struct span identifier)
{
    for (size_t k = 0; k < json_array_size(list); k++)
        if (span_is(identifier, view_string(json_array_get(list, k), "identifier")))
            return json_array_get(list, k);
    return NULL;
}

static int change_right(struct import *i, uint64_t mailbox, struct span identifier,
                        enum store_acl_op op, uint32_t rights, const char *box)
{
    struct span grant;
    int r = import_store_grant(import_store_of(i), &grant);

    if (r == 0)
        r = store_acl_set(import_store_of(i)->store, grant, mailbox, identifier, op, rights);
    if (r != 0 && is_fatal(r))
        return import_fail(i, "%s; the same command goes on where it was", reason(r));
    if (r != 0)
        import_note(i, "%s was not given rights in %s: %s", text_quote(identifier), box, reason(r));
    return 0;
}

/* A mailbox takes over the rights of the one above it when it is made. */
static int take_inherited(struct import *i, uint64_t mailbox, const json_t *there,
                          const json_t *wanted, const char *box)
{
    int r = 0;

    for (size_t k = 0; k < json_array_size(there) && r == 0; k++) {
        struct span who = annex_text(json_array_get(there, k), "identifier");
        if (entry_of(wanted, who) == NULL)
            r = change_right(i, mailbox, who, ACL_REMOVE, 0, box);
    }
    return r;
}

static int put_rights(struct import *i, uint64_t mailbox, bool fresh, const json_t *wanted,
                      const char *box)
{
    bool give = fresh || has_option(import_store_of(i)->call, OPT_WITH_RIGHTS);
    json_t *there = rights_there(i, mailbox);
    int r = fresh ? take_inherited(i, mailbox, there, wanted, box) : 0;

    for (size_t k = 0; k < json_array_size(wanted) && r == 0; k++) {
        struct span who = annex_text(json_array_get(wanted, k), "identifier");
        struct span letters = annex_text(json_array_get(wanted, k), "rights");
        const json_t *now = entry_of(there, who);
        uint32_t rights;
        if (who.n == 0 || !acl_parse(letters, &rights))
            continue;
        if (now != NULL && json_integer_value(json_object_get(now, "rights")) == rights)
            continue;
        if (give)
            r = change_right(i, mailbox, who, ACL_SET, rights, box);
        else
            import_note(i,
                        "%s had the rights %.*s in %s, which is in use and says otherwise now; "
                        "--with-rights gives them",
                        text_quote(who), SPAN_ARG(letters), box);
    }
    json_decref(there);
    return r;
}

/* ---- annotations ------------------------------------------------------------------------- */

static bool note_is_there(struct import *i, uint64_t mailbox, bool shared, struct span entry)
{
    struct import_store *s = import_store_of(i);
    struct store_read r;
    struct span ignored;
    bool there;

    if (store_read_begin(s->store, &r) != 0)
        return false;
    there = store_note_get(&r, mailbox, shared ? 0 : s->account.id, entry, &ignored) == 0;
    store_read_end(&r);
    return there;
}

static int put_notes(struct import *i, uint64_t mailbox, const json_t *notes, const char *box)
{
    struct import_store *s = import_store_of(i);
    int r = 0;

    for (size_t k = 0; k < json_array_size(notes) && r == 0; k++) {
        const json_t *row = json_array_get(notes, k);
        struct buf value BUF_AUTO = BUF(NOTE_ROOM);
        struct store_note n = {.entry = annex_text(row, "entry"),
                               .shared = annex_flag(row, "shared")};
        struct span grant;
        int err;
        if (n.entry.n < 2 || n.entry.n > NOTE_ENTRY_MAX || n.entry.p[0] != '/' ||
            note_is_there(i, mailbox, n.shared, n.entry))
            continue;
        err = annex_value(row, &value) ? import_store_grant(s, &grant) : -EMSGSIZE;
        n.value = buf_span(&value);
        if (err == 0)
            err = store_note_set(s->store, grant, mailbox, &n, 1);
        if (err != 0 && is_fatal(err))
            r = import_fail(i, "%s; the same command goes on where it was", reason(err));
        else if (err != 0)
            import_note(i, "the annotation %s of %s was not taken: %s", text_quote(n.entry), box,
                        reason(err));
    }
    return r;
}

/* ---- one mailbox ------------------------------------------------------------------------- */

static int subscribe(struct import *i, uint64_t owner, struct span name)
{
    struct import_store *s = import_store_of(i);
    struct store_read read;
    struct span grant;
    bool there;
    int r = store_read_begin(s->store, &read);

    if (r == 0) {
        there = store_is_subscribed(&read, s->account.id, owner, name);
        store_read_end(&read);
        if (there)
            return 0;
        r = import_store_grant(s, &grant);
    }
    if (r == 0)
        r = store_subscribe(s->store, grant, owner, name, true);
    if (r != 0 && is_fatal(r))
        return import_fail(i, "%s; the same command goes on where it was", reason(r));
    if (r != 0)
        import_note(i, "%s was not subscribed to: %s", text_quote(name),
                    r == -ENOENT ? "it is not there, or may not be seen" : reason(r));
    return 0;
}

int import_annex_mailbox(struct import *i, uint64_t mailbox, bool fresh, const json_t *annex)
{
    struct import_store *s = import_store_of(i);
    struct buf name BUF_AUTO = BUF(STORE_NAME_MAX);
    struct mailbox_info m;
    struct store_read read;
    char box[300];
    int r = store_read_begin(s->store, &read);

    if (r == 0) {
        r = store_mailbox_get(&read, mailbox, &m);
        if (r == 0)
            buf_put_span(&name, m.name);
        store_read_end(&read);
    }
    if (r != 0)
        return 0; /* deleted meanwhile: what follows finds out */
    snprintf(box, sizeof box, "%s", text_quote(buf_span(&name)));
    r = put_rights(i, mailbox, fresh, json_object_get(annex, "rights"), box);
    if (r == 0)
        r = put_notes(i, mailbox, json_object_get(annex, "notes"), box);
    if (r == 0 && fresh && annex_flag(annex, "subscribed"))
        r = subscribe(i, s->account.id, buf_span(&name));
    return r;
}

/* ---- public folders ---------------------------------------------------------------------- */

static bool touch(uint32_t uid, bool seen, void *arg)
{
    rangeset_remove(arg, uid, uid);
    return true;
}

/* Of `seen` what is there and what nothing has been said of since. */
static void still_open(struct import *i, struct store_read *read, uint64_t mailbox,
                       struct rangeset *seen)
{
    struct rangeset all = RANGESET_EMPTY, gone = RANGESET_EMPTY;

    store_uids(read, mailbox, &all);
    rangeset_copy(&gone, seen);
    for (size_t k = 0; k < all.n; k++)
        rangeset_remove(&gone, all.r[k].lo, all.r[k].hi);
    for (size_t k = 0; k < gone.n; k++)
        rangeset_remove(seen, gone.r[k].lo, gone.r[k].hi);
    store_marks_each(read, mailbox, import_store_of(i)->account.id, touch, seen);
    rangeset_done(&all);
    rangeset_done(&gone);
}

static int put_marks(struct import *i, uint64_t mailbox, const struct rangeset *seen,
                     struct span name)
{
    struct import_store *s = import_store_of(i);
    struct store_flags f = {.mailbox = mailbox,
                            .uids = seen,
                            .op = FLAGS_ADD,
                            .flags = STORE_SEEN,
                            .unchanged_since = UINT64_MAX};
    uint64_t modseq;
    int r = import_store_grant(s, &f.grant);

    if (r == 0)
        r = store_flags(s->store, &f, NULL, &modseq);
    if (r != 0 && is_fatal(r))
        return import_fail(i, "%s; the same command goes on where it was", reason(r));
    if (r != 0)
        import_note(i, "what was read in %s is not marked: %s", text_quote(name), reason(r));
    return 0;
}

static int take_public(struct import *i, const json_t *row)
{
    struct import_store *s = import_store_of(i);
    struct span name = annex_text(row, "name");
    struct rangeset seen = RANGESET_EMPTY;
    struct mailbox_info m;
    struct store_read read;
    char box[300];
    bool same;
    int r = store_read_begin(s->store, &read);

    snprintf(box, sizeof box, "%s", text_quote(name));
    if (r != 0)
        return import_fail(i, "the index cannot be read: %s", strerror(-r));
    r = store_mailbox_find(&read, STORE_ACCOUNT_PUBLIC, name, &m);
    /* numbers mean the same messages only then */
    same = r == 0 &&
           json_integer_value(json_object_get(row, "uidvalidity")) == (json_int_t)m.uidvalidity;
    if (same && rangeset_parse(annex_text(row, "seen"), 0, RANGES_MAX, &seen))
        still_open(i, &read, m.id, &seen);
    store_read_end(&read);
    if (r != 0) {
        import_note(i, "the public folder %s is not there: what was read in it is not marked", box);
        return 0;
    }
    if (!same && annex_text(row, "seen").n > 0)
        import_note(i, "the public folder %s was made anew: what was read in it is not marked",
                    box);
    r = seen.n > 0 ? put_marks(i, m.id, &seen, name) : 0;
    rangeset_done(&seen);
    return r != 0 ? r : put_notes(i, m.id, json_object_get(row, "notes"), box);
}

/* ---- the account ------------------------------------------------------------------------- */

/* Whose it is. False: nobody is called so. */
static bool find_owner(struct import *i, const json_t *row, uint64_t *ret)
{
    struct import_store *s = import_store_of(i);
    struct span owner = annex_text(row, "owner");
    struct store_read read;
    bool found;

    if (json_object_get(row, "owner") == NULL || owner.n == 0) {
        *ret = json_object_get(row, "owner") == NULL ? s->account.id : STORE_ACCOUNT_PUBLIC;
        return true;
    }
    if (store_read_begin(s->store, &read) != 0)
        return false;
    found = store_address_find(&read, owner, ret) == 0;
    store_read_end(&read);
    return found;
}

int import_annex_account(struct import *i, const json_t *annex)
{
    const json_t *subscriptions = json_object_get(annex, "subscriptions");
    const json_t *folders = json_object_get(annex, "public");
    int r = put_notes(i, 0, json_object_get(annex, "notes"), "the server");

    for (size_t k = 0; k < json_array_size(subscriptions) && r == 0; k++) {
        const json_t *row = json_array_get(subscriptions, k);
        uint64_t owner;
        if (find_owner(i, row, &owner))
            r = subscribe(i, owner, annex_text(row, "name"));
        else
            import_note(i, "%s was not subscribed to: there is no account %s",
                        text_quote(annex_text(row, "name")), text_quote(annex_text(row, "owner")));
    }
    for (size_t k = 0; k < json_array_size(folders) && r == 0; k++)
        r = take_public(i, json_array_get(folders, k));
    return r;
}
