#include "manager/account_annex.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/fd.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { ANNEX_MAX_BYTES = 256 << 20 };

static const struct {
    const char *name;
    uint32_t attribute;
} uses[] = {
    {"\\All",       MAILBOX_ALL      },
    {"\\Archive",   MAILBOX_ARCHIVE  },
    {"\\Drafts",    MAILBOX_DRAFTS   },
    {"\\Flagged",   MAILBOX_FLAGGED  },
    {"\\Important", MAILBOX_IMPORTANT},
    {"\\Junk",      MAILBOX_JUNK     },
    {"\\Sent",      MAILBOX_SENT     },
    {"\\Trash",     MAILBOX_TRASH    },
};

/* ---- made of a store --------------------------------------------------------------------- */

static json_t *text_of(struct span s)
{
    json_t *text = json_stringn(s.n > 0 ? s.p : "", s.n);

    return text != NULL ? text : json_string("");
}

struct note_list {
    json_t *array;
    bool shared;
};

static bool put_note(struct span entry, struct span value, void *arg)
{
    const struct note_list *l = arg;
    struct buf coded BUF_AUTO = BUF(2 * (size_t)NOTE_VALUE_MAX);
    json_t *note = json_pack("{s:o,s:b}", "entry", text_of(entry), "shared", (int)l->shared);

    if (utf8_valid(value)) {
        json_object_set_new(note, "value", text_of(value));
    } else if (base64_encode(&coded, value)) {
        json_object_set_new(note, "base64", text_of(buf_span(&coded)));
    }
    json_array_append_new(l->array, note);
    return true;
}

static void put_notes(struct store_read *r, json_t *into, uint64_t mailbox, uint64_t account,
                      bool shared)
{
    struct note_list l = {json_object_get(into, "notes"), shared};

    if (l.array == NULL) {
        l.array = json_array();
        json_object_set_new(into, "notes", l.array);
    }
    store_note_each(r, mailbox, shared ? 0 : account, SPAN_EMPTY, put_note, &l);
}

static bool put_right(const struct acl_entry *a, void *arg)
{
    struct buf letters BUF_AUTO = BUF(64);

    /* without the older "c" and "d", which say nothing more */
    for (unsigned k = 0; k < sizeof ACL_LETTERS - 1; k++)
        if (a->rights & UINT32_C(1) << k)
            buf_putc(&letters, ACL_LETTERS[k]);
    json_array_append_new(arg, json_pack("{s:o,s:o}", "identifier", text_of(a->identifier),
                                         "rights", text_of(buf_span(&letters))));
    return true;
}

json_t *annex_of_mailbox(struct store_read *r, const struct mailbox_info *m, const char *file)
{
    json_t *special = json_array(), *rights = json_array();
    json_t *box =
        json_pack("{s:o,s:b,s:o,s:o}", "name", text_of(m->name), "subscribed",
                  (m->attributes & MAILBOX_SUBSCRIBED) != 0, "special", special, "rights", rights);

    CHECK(box != NULL);
    if (file != NULL)
        json_object_set_new(box, "file", text_of(span_cstr(file)));
    for (size_t k = 0; k < ARRAY_LEN(uses); k++)
        if (m->attributes & uses[k].attribute)
            json_array_append_new(special, json_string(uses[k].name));
    store_acl_each(r, m->id, put_right, rights);
    put_notes(r, box, m->id, m->account, true);
    put_notes(r, box, m->id, m->account, false);
    return box;
}

struct walk {
    struct store_read *r;
    uint64_t account;
    json_t *array;
};

static bool put_subscription(uint64_t owner, struct span name, void *arg)
{
    const struct walk *w = arg;
    struct mailbox_info m;
    struct span address;
    json_t *row;

    /* the others are said with their mailboxes */
    if (owner == w->account && store_mailbox_find(w->r, owner, name, &m) == 0 &&
        !(m.attributes & MAILBOX_NOSELECT))
        return true;
    row = json_pack("{s:o}", "name", text_of(name));
    if (owner == STORE_ACCOUNT_PUBLIC)
        json_object_set_new(row, "owner", json_string(""));
    else if (owner != w->account && store_address_get(w->r, owner, &address) == 0)
        json_object_set_new(row, "owner", text_of(address));
    else if (owner != w->account) { /* there is no such account any more */
        json_decref(row);
        return true;
    }
    json_array_append_new(w->array, row);
    return true;
}

static bool put_mark(uint32_t uid, bool seen, void *arg)
{
    if (seen)
        rangeset_add(arg, uid, uid);
    return true;
}

static bool put_public(const struct mailbox_info *m, void *arg)
{
    const struct walk *w = arg;
    struct rangeset seen = RANGESET_EMPTY;
    struct buf text BUF_AUTO = BUF(64 << 20);
    json_t *row = json_object();

    store_marks_each(w->r, m->id, w->account, put_mark, &seen);
    put_notes(w->r, row, m->id, w->account, false);
    if ((seen.n > 0 && rangeset_print(&seen, &text)) ||
        json_array_size(json_object_get(row, "notes")) > 0) {
        json_object_set_new(row, "name", text_of(m->name));
        json_object_set_new(row, "uidvalidity", json_integer(m->uidvalidity));
        json_object_set_new(row, "seen", text_of(buf_span(&text)));
        json_array_append(w->array, row);
    }
    json_decref(row);
    rangeset_done(&seen);
    return true;
}

json_t *annex_of_account(struct store_read *r, uint64_t account)
{
    json_t *subscriptions = json_array(), *folders = json_array();
    json_t *annex = json_pack("{s:i,s:[],s:o,s:o}", "version", ANNEX_VERSION, "mailboxes",
                              "subscriptions", subscriptions, "public", folders);
    struct walk w = {r, account, subscriptions};
    struct span address;

    CHECK(annex != NULL);
    if (store_address_get(r, account, &address) == 0)
        json_object_set_new(annex, "account", text_of(address));
    put_notes(r, annex, 0, account, false);
    store_subscription_each(r, account, put_subscription, &w);
    w.array = folders;
    store_mailbox_each(r, STORE_ACCOUNT_PUBLIC, put_public, &w);
    return annex;
}

/* ---- beside exported mail ---------------------------------------------------------------- */

int annex_save(int dir, const json_t *annex, struct err *e)
{
    char *text = json_dumps(annex, JSON_INDENT(1) | JSON_SORT_KEYS);
    int r;

    CHECK(text != NULL);
    r = file_write(dir, ANNEX_FILE, span_cstr(text), 0600, e);
    free(text);
    return r;
}

int annex_load(int dir, json_t **ret, struct err *e)
{
    struct buf text BUF_AUTO = BUF(ANNEX_MAX_BYTES);
    json_error_t why;
    int r;

    *ret = NULL;
    if (faccessat(dir, ANNEX_FILE, F_OK, 0) != 0)
        return 0;
    r = file_read(dir, ANNEX_FILE, ANNEX_MAX_BYTES, &text, e);
    if (r != 0)
        return r;
    *ret = json_loadb(text.n > 0 ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &why);
    if (*ret == NULL)
        return err_set(e, -EBADMSG,
                       "%s, which holds what an earlier export wrote beside the mail, is damaged "
                       "in line %d: %s. Without that file only mail is taken",
                       ANNEX_FILE, why.line, why.text);
    if (json_integer_value(json_object_get(*ret, "version")) == ANNEX_VERSION)
        return 0;
    json_decref(*ret);
    *ret = NULL;
    return err_set(e, -EBADMSG, "%s is of another version of this program", ANNEX_FILE);
}

const json_t *annex_find(const json_t *annex, const char *key, struct span value)
{
    const json_t *list = json_object_get(annex, "mailboxes"), *box;

    for (size_t k = 0; k < json_array_size(list); k++) {
        box = json_array_get(list, k);
        if (json_is_string(json_object_get(box, key)) && span_eq(annex_text(box, key), value))
            return box;
    }
    return NULL;
}

struct span annex_text(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v)) : SPAN_EMPTY;
}

uint32_t annex_uses(const json_t *mailbox)
{
    const json_t *list = json_object_get(mailbox, "special");
    uint32_t all = 0;

    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t k = 0; k < ARRAY_LEN(uses); k++)
            if (json_is_string(json_array_get(list, i)) &&
                span_is(span_cstr(json_string_value(json_array_get(list, i))), uses[k].name))
                all |= uses[k].attribute;
    return all;
}

bool annex_flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

bool annex_value(const json_t *note, struct buf *out)
{
    struct span plain = annex_text(note, "value");

    if (json_is_string(json_object_get(note, "value")))
        return !span_has(plain, '\0') && buf_put_span(out, plain);
    return json_is_string(json_object_get(note, "base64")) &&
           base64_decode(out, annex_text(note, "base64")) && !span_has(buf_span(out), '\0');
}
