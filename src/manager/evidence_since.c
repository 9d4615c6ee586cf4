#include "manager/evidence_since.h"

#include "base/check.h"
#include "manager/evidence_capture.h"
#include "manager/evidence_log.h"
#include "manager/evidence_settings.h"
#include "manager/view.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { KEY_MAX = 600, WORDS_MAX = 2000 };

const struct evidence_part evidence_parts[] = {
    {"settings",     "Settings"                                },
    {"certificates", "Certificates in service"                 },
    {"history",      "What happened to certificates"           },
    {"probe",        "Checks of the probe that end differently"},
    {"capture",      "Packet capture"                          },
    {"accounts",     "Certificates of accounts"                },
    {"trust",        "Whose certificates are believed"         },
    {NULL,           NULL                                      },
};

/* ---- rows -------------------------------------------------------------------------------- */

/* "": there is none. */
static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? view_text(text) : json_null();
}

static json_t *add_row(json_t *rows, const char *where, const char *what, const char *old,
                       const char *now)
{
    json_t *row = json_pack("{s:o,s:o,s:o,s:o}", "where", view_text(where), "what", view_text(what),
                            "old", text_or_null(old), "new", text_or_null(now));

    json_array_append_new(rows, row);
    return row;
}

static void add_if_other(json_t *rows, const char *where, const char *what, const char *old,
                         const char *now)
{
    if (strcmp(old, now) != 0)
        add_row(rows, where, what, old, now);
}

static void put_day(struct buf *out, const char *word, const json_t *seconds)
{
    time_t t = (time_t)json_integer_value(seconds);
    struct tm tm;
    char text[32];

    if (t == 0)
        return;
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d", &tm);
    buf_printf(out, "%s%s %s", out->n ? ", " : "", word, text);
}

static void put_word(struct buf *out, const char *word, const char *value)
{
    if (value[0] != '\0')
        buf_printf(out, "%s%s%s%s", out->n ? ", " : "", word, word[0] ? " " : "", value);
}

/* ---- two lists, matched by what names their elements ------------------------------------- */

/* Key → element. Of two with one key the later one counts. */
static json_t *index_of(const json_t *list, const char *const keys[3])
{
    json_t *all = json_object(), *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        char key[KEY_MAX];
        snprintf(key, sizeof key, "%s\n%s\n%s", view_string(one, keys[0]),
                 keys[1] ? view_string(one, keys[1]) : "",
                 keys[2] ? view_string(one, keys[2]) : "");
        json_object_set(all, key, one);
    }
    return all;
}

typedef void (*pair_fn)(json_t *rows, const json_t *old, const json_t *now); /* one may be NULL */

static void compare_lists(json_t *rows, const json_t *old, const json_t *now,
                          const char *const keys[3], pair_fn fn)
{
    json_t *before = index_of(old, keys), *after = index_of(now, keys), *one;
    const char *key;

    json_object_foreach(before, key, one) fn(rows, one, json_object_get(after, key));
    json_object_foreach(after, key, one)
    {
        if (json_object_get(before, key) == NULL)
            fn(rows, NULL, one);
    }
    json_decref(before);
    json_decref(after);
}

/* ---- certificates in service ------------------------------------------------------------- */

static void put_names(struct buf *out, const json_t *certificate)
{
    struct buf names BUF_AUTO = BUF(WORDS_MAX);

    view_value(view_get(certificate, "certificate.names"), VIEW_TEXT, 0, &names);
    buf_put_span(out, buf_span(&names));
}

static void put_end(struct buf *out, const json_t *slot)
{
    put_day(out, "until", json_object_get(slot, "not_after"));
}

/* One slot of a virtual server, fact by fact. */
static void compare_slot(json_t *rows, const char *vserver, const char *slot, const json_t *old,
                         const json_t *now)
{
    static const struct {
        const char *what, *path; /* NULL: printed by `put` */
        void (*put)(struct buf *out, const json_t *slot);
    } facts[] = {
        {"serial",    "serial",              NULL     },
        {"source",    "source",              NULL     },
        {"authority", "name",                NULL     },
        {"subject",   "certificate.subject", NULL     },
        {"issuer",    "certificate.issuer",  NULL     },
        {"names",     NULL,                  put_names},
        {"key",       "key",                 NULL     },
        {"key type",  "key_type",            NULL     },
        {"validity",  NULL,                  put_end  },
    };

    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        struct buf a BUF_AUTO = BUF(WORDS_MAX), b BUF_AUTO = BUF(WORDS_MAX);
        char what[80];
        if (facts[i].put != NULL) {
            facts[i].put(&a, old);
            facts[i].put(&b, now);
        } else {
            buf_put_cstr(&a, view_string(old, facts[i].path));
            buf_put_cstr(&b, view_string(now, facts[i].path));
        }
        snprintf(what, sizeof what, "%s%s", slot, facts[i].what);
        add_if_other(rows, vserver, what, buf_cstr(&a), buf_cstr(&b));
    }
}

static void compare_certificate(json_t *rows, const char *vserver, const json_t *old,
                                const json_t *now)
{
    compare_slot(rows, vserver, "", json_object_get(old, "current"),
                 json_object_get(now, "current"));
    compare_slot(rows, vserver, "next: ", json_object_get(old, "next"),
                 json_object_get(now, "next"));
    add_if_other(rows, vserver, "switched off",
                 json_is_true(json_object_get(old, "off")) ? "yes" : "",
                 json_is_true(json_object_get(now, "off")) ? "yes" : "");
}

/* What certd has noted since. Old notes fall out of its list in time: a new one is one that the earlier report has not. */
static void new_history(json_t *rows, const char *vserver, const json_t *old, const json_t *now)
{
    size_t i, k;
    json_t *one, *other;

    json_array_foreach(json_object_get(now, "history"), i, one)
    {
        bool known = false;
        char what[200];
        json_array_foreach(json_object_get(old, "history"), k, other) known |=
            json_equal(one, other) != 0;
        if (known)
            continue;
        snprintf(what, sizeof what, "%s: %s \xe2\x86\x92 %s", view_string(one, "slot"),
                 view_string(one, "from"), view_string(one, "to"));
        other = add_row(rows, vserver, what, "", view_string(one, "note"));
        json_object_set(other, "at", json_object_get(one, "time"));
        json_object_set(other, "serial", json_object_get(one, "serial"));
    }
}

static void each_vserver(json_t *rows, const json_t *old, const json_t *now,
                         void (*fn)(json_t *rows, const char *name, const json_t *old,
                                    const json_t *now))
{
    const json_t *before = json_object_get(old, "certificates"),
                 *after = json_object_get(now, "certificates");
    const char *name;
    json_t *one;

    json_object_foreach((json_t *)(uintptr_t)after, name, one)
        fn(rows, name, json_object_get(before, name), one);
    json_object_foreach((json_t *)(uintptr_t)before, name, one)
    {
        if (json_object_get(after, name) == NULL)
            fn(rows, name, one, NULL);
    }
}

/* ---- probe and capture ------------------------------------------------------------------- */

static void put_result(struct buf *out, const json_t *r)
{
    buf_put_cstr(out, view_string(r, "result"));
    if (strcmp(view_string(r, "result"), "PASS") != 0)
        put_word(out, "", view_string(r, "detail"));
}

static void compare_result(json_t *rows, const json_t *old, const json_t *now)
{
    const json_t *r = now != NULL ? now : old;
    struct buf a BUF_AUTO = BUF(WORDS_MAX), b BUF_AUTO = BUF(WORDS_MAX);
    char where[300];

    if (strcmp(view_string(old, "result"), view_string(now, "result")) == 0)
        return;
    snprintf(where, sizeof where, "%s %s", view_string(r, "vserver"), view_string(r, "endpoint"));
    put_result(&a, old);
    put_result(&b, now);
    add_row(rows, where, view_string(r, "check"), buf_cstr(&a), buf_cstr(&b));
}

/* The names only: how often each was seen differs from run to run. */
static void put_members(struct buf *out, const json_t *o)
{
    const char *name;
    json_t *ignored;

    json_object_foreach((json_t *)(uintptr_t)o, name, ignored) put_word(out, "", name);
}

static void compare_endpoint(json_t *rows, const json_t *old, const json_t *now)
{
    static const struct {
        const char *member, *what;
    } sets[] = {
        {"handshakes", "TLS versions"},
        {"offences",   "offences"    },
    };
    const json_t *r = now != NULL ? now : old;
    char where[300];

    snprintf(where, sizeof where, "%s %s", view_string(r, "vserver"), view_string(r, "endpoint"));
    if (old == NULL || now == NULL)
        add_row(rows, where, "endpoint", old ? "captured" : "", now ? "captured" : "");
    for (size_t i = 0; i < ARRAY_LEN(sets) && old != NULL && now != NULL; i++) {
        struct buf a BUF_AUTO = BUF(WORDS_MAX), b BUF_AUTO = BUF(WORDS_MAX);
        put_members(&a, json_object_get(old, sets[i].member));
        put_members(&b, json_object_get(now, sets[i].member));
        add_if_other(rows, where, sets[i].what, buf_cstr(&a), buf_cstr(&b));
    }
    if (old != NULL && now != NULL)
        add_if_other(rows, where, "serial", view_string(old, "serial_in_service"),
                     view_string(now, "serial_in_service"));
}

static void compare_captures(json_t *rows, const json_t *old, const json_t *now)
{
    static const char *const keys[3] = {"vserver", "endpoint", NULL};

    add_if_other(rows, "", "audit", evidence_capture_word(old), evidence_capture_word(now));
    if (!json_is_object(old) || !json_is_object(now))
        return;
    add_if_other(rows, "", "verdict", view_string(old, "verdict"), view_string(now, "verdict"));
    add_if_other(rows, "", "seen by", view_string(old, "mode"), view_string(now, "mode"));
    compare_lists(rows, view_get(old, "totals.endpoints"), view_get(now, "totals.endpoints"), keys,
                  compare_endpoint);
}

/* ---- accounts and trust ------------------------------------------------------------------ */

static void put_account(struct buf *out, const json_t *c)
{
    if (c == NULL)
        return;
    put_word(out, "known by", view_string(c, "by"));
    put_word(out, "", view_string(c, "state"));
    put_word(out, "serial", view_string(c, "serial"));
    if (view_string(c, "serial")[0] == '\0')
        put_word(out, "", view_string(c, "value"));
    put_word(out, "", view_string(c, "subject"));
    put_day(out, "until", json_object_get(c, "ends"));
}

static void compare_account(json_t *rows, const json_t *old, const json_t *now)
{
    struct buf a BUF_AUTO = BUF(WORDS_MAX), b BUF_AUTO = BUF(WORDS_MAX);
    const json_t *r = now != NULL ? now : old;
    char what[300];

    put_account(&a, old);
    put_account(&b, now);
    /* the same words, another key: the certificate was replaced */
    if (strcmp(buf_cstr(&a), buf_cstr(&b)) == 0 &&
        strcmp(view_string(old, "value"), view_string(now, "value")) != 0) {
        put_word(&a, "", view_string(old, "value"));
        put_word(&b, "", view_string(now, "value"));
    }
    snprintf(what, sizeof what, "certificate %s", view_string(r, "name"));
    add_if_other(rows, view_string(r, "account"), what, buf_cstr(&a), buf_cstr(&b));
}

static void compare_believed(json_t *rows, const json_t *old, const json_t *now)
{
    struct buf text BUF_AUTO = BUF(WORDS_MAX);
    const json_t *r = now != NULL ? now : old;

    if (old != NULL && now != NULL)
        return; /* the hash is in the key */
    put_word(&text, "SHA-256", view_string(r, "sha256"));
    put_day(&text, "until", json_object_get(r, "not_after"));
    add_row(rows, view_string(r, "of"), view_string(r, "subject"), old ? buf_cstr(&text) : "",
            now ? buf_cstr(&text) : "");
}

/* ---- the whole --------------------------------------------------------------------------- */

static json_t *new_entries(const json_t *earlier, const json_t *now)
{
    const json_t *all = view_get(now, "log.entries");
    json_t *fresh = json_array();

    for (size_t i = json_array_size(view_get(earlier, "log.entries")); i < json_array_size(all);
         i++)
        json_array_append(fresh, json_array_get(all, i));
    return fresh;
}

/* What one of them says and the other's version did not know of is no change. */
static bool both_say(json_t *unknown, const json_t *old, const json_t *now, const char *part)
{
    if (json_is_array(json_object_get(old, part)) && json_is_array(json_object_get(now, part)))
        return true;
    json_array_append_new(unknown, json_string(part));
    return false;
}

json_t *evidence_since(const json_t *earlier, const json_t *now)
{
    static const char *const by_check[3] = {"vserver", "endpoint", "check"},
                             *const by_name[3] = {"account", "name", NULL},
                             *const by_hash[3] = {"of", "sha256", NULL};
    json_t *all = json_object(), *unknown = json_array(), *rows[8];

    for (unsigned i = 0; evidence_parts[i].name != NULL; i++) {
        rows[i] = json_array();
        json_object_set_new(all, evidence_parts[i].name, rows[i]);
    }
    evidence_settings(json_object_get(all, "settings"), view_string(earlier, "settings"),
                      view_string(now, "settings"));
    each_vserver(json_object_get(all, "certificates"), earlier, now, compare_certificate);
    each_vserver(json_object_get(all, "history"), earlier, now, new_history);
    compare_lists(json_object_get(all, "probe"), json_object_get(earlier, "probe"),
                  json_object_get(now, "probe"), by_check, compare_result);
    compare_captures(json_object_get(all, "capture"), json_object_get(earlier, "capture"),
                     json_object_get(now, "capture"));
    if (both_say(unknown, earlier, now, "accounts"))
        compare_lists(json_object_get(all, "accounts"), json_object_get(earlier, "accounts"),
                      json_object_get(now, "accounts"), by_name, compare_account);
    if (both_say(unknown, earlier, now, "trust"))
        compare_lists(json_object_get(all, "trust"), json_object_get(earlier, "trust"),
                      json_object_get(now, "trust"), by_hash, compare_believed);
    json_object_set_new(all, "unknown", unknown);
    json_object_set_new(all, "log", new_entries(earlier, now));
    json_object_set(all, "at", json_object_get(earlier, "at"));
    json_object_set_new(all, "head", json_string(view_string(earlier, "log.head")));
    return all;
}

size_t evidence_changes(const json_t *since, const char *part)
{
    size_t n = 0;

    for (unsigned i = 0; evidence_parts[i].name != NULL; i++)
        if (part == NULL || strcmp(part, evidence_parts[i].name) == 0)
            n += json_array_size(json_object_get(since, evidence_parts[i].name));
    return n;
}

/* ---- is it of here? ---------------------------------------------------------------------- */

/* Has one of them a root of the own CA in common with the other? A report of before roots were in it has none. */
static bool share_root(const json_t *a, const json_t *b)
{
    size_t i, k;
    json_t *one, *other;

    json_array_foreach(json_object_get(a, "trust"), i, one)
    {
        if (strcmp(view_string(one, "of"), "own CA") != 0)
            continue;
        json_array_foreach(json_object_get(b, "trust"), k, other)
        {
            if (strcmp(view_string(other, "of"), "own CA") == 0 &&
                strcmp(view_string(one, "sha256"), view_string(other, "sha256")) == 0)
                return true;
        }
    }
    return false;
}

int evidence_follows(const json_t *earlier, const json_t *now, const char *file, struct err *e)
{
    const char *there = view_string(earlier, "hostname"), *here = view_string(now, "hostname");
    bool same_root = json_is_array(json_object_get(earlier, "trust")) ? share_root(earlier, now)
                                                                      : strcmp(there, here) == 0;

    if (strcmp(view_string(earlier, "format"), view_string(now, "format")) != 0)
        return err_set(e, -EBADMSG, "%s: a report of the format \"%.60s\" cannot be compared", file,
                       view_string(earlier, "format"));
    if (evidence_log_continues(view_get(now, "log.entries"), view_get(earlier, "log.entries")))
        return 0;
    if (!same_root)
        return err_set(e, -EINVAL,
                       "%s is a report of another installation (%.200s): its CA has other roots "
                       "and its log is not the beginning of the log here",
                       file, there);
    return err_set(e, -EBADMSG,
                   "the log of this server does not go on from %s: it was rewritten since", file);
}
