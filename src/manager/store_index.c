/* store_index.c: the search index: how it is, and made anew. */
#include "manager/store_index.h"
#include "base/check.h"
#include "directory/authd_msg.h"
#include "manager/control.h"
#include "manager/view.h"
#include "search/search_msg.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 200 };

static const struct view all_fields[] = {
    {"Indexes",       "accounts", VIEW_TEXT,  0},
    {"Size",          "bytes",    VIEW_BYTES, 0},
    {"Kept of",       "policy",   VIEW_TEXT,  0},
    {"In use",        "in_use",   VIEW_TEXT,  0},
    {"Messages",      "messages", VIEW_TEXT,  0},
    {"Queries",       "queries",  VIEW_TEXT,  0},
    {"State",         "state",    VIEW_TEXT,  0},
    {"Found damaged", "damaged",  VIEW_TEXT,  0},
    {"Made anew",     "rebuilt",  VIEW_TEXT,  0},
};
static const struct view account_fields[] = {
    {"Messages",   "messages",  VIEW_TEXT,  0},
    {"of them in", "indexed",   VIEW_TEXT,  0},
    {"Bodies",     "documents", VIEW_TEXT,  0},
    {"Gone",       "dead",      VIEW_TEXT,  0},
    {"Size",       "bytes",     VIEW_BYTES, 0},
    {"Whole",      "sound",     VIEW_YES,   0},
    {"In use",     "used",      VIEW_YES,   0},
    {"State",      "state",     VIEW_TEXT,  0},
};

static long long number(const json_t *o, const char *name)
{
    return (long long)json_integer_value(view_get(o, name));
}

static bool is_off(const json_t *o)
{
    return strcmp(view_string(o, "policy"), "never") == 0;
}

/* None is kept up to date; of all, or of the one that was asked for. */
static bool is_unused(const json_t *o)
{
    return view_get(o, "used")
               ? !json_is_true(view_get(o, "used"))
               : strcmp(view_string(o, "policy"), "used") == 0 && number(o, "in_use") == 0 &&
                     number(o, "waiting") == 0 && !json_is_true(view_get(o, "walking"));
}

static bool is_busy(const json_t *o)
{
    if (is_off(o) || is_unused(o))
        return false;
    return number(o, "waiting") > 0 || json_is_true(view_get(o, "walking")) ||
           (view_get(o, "indexed") && number(o, "indexed") < number(o, "messages"));
}

static const char *state_of(const json_t *o)
{
    if (is_off(o))
        return "off: search_index is \"never\"";
    if (is_unused(o))
        return "not in use";
    if (json_is_true(view_get(o, "paused")))
        return "pauses: the disk is nearly full";
    return is_busy(o) ? "is being brought up to date" : "up to date";
}

static json_t *ask(struct control *control, enum search_op_index op, uint64_t account,
                   struct err *e)
{
    struct buf body BUF_AUTO = BUF(16), reply BUF_AUTO = BUF(8192);
    json_t *o;

    wr_search_index(&body, op, account);
    if (control_call(control, ROLE_SEARCHD, 0, MSG_SEARCH_INDEX, buf_span(&body), &reply, e) < 0)
        return NULL;
    o = view_parse(buf_span(&reply), "searchd", e);
    if (o)
        json_object_set_new(o, "state", json_string(state_of(o)));
    return o;
}

json_t *store_index_state(struct control *control, struct err *e)
{
    return ask(control, SEARCH_INDEX_SHOW, 0, e);
}

/* 0: all. "public": the public folders and newsgroups. */
static int which(struct call *c, struct control *control, uint64_t *ret, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(4096);
    struct directory_account account;
    struct rd rd;
    int r;

    *ret = 0;
    if (c->arg_count == 0)
        return 0;
    *ret = STORE_ACCOUNT_PUBLIC;
    if (strcmp(c->args[0], "public") == 0)
        return 0;
    r = control_call(control, ROLE_AUTHD, 0, MSG_ACCOUNT_SHOW, span_cstr(c->args[0]), &reply, e);
    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    if (!rd_authd_account(&rd, &account) || !rd_done(&rd))
        return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    *ret = account.id;
    return 0;
}

static bool shown(const json_t *o, long long begun_with)
{
    long long all = number(o, "messages");
    long long done = view_get(o, "indexed") ? number(o, "indexed") : number(o, "done") - begun_with;

    if (!isatty(STDERR_FILENO))
        return false;
    fprintf(stderr, "\r%lld of %lld messages, %s   ", done < all ? done : all, all,
            view_string(o, "state"));
    return true;
}

/* Until it is up to date. */
static json_t *follow(struct control *control, uint64_t account, json_t *take_first, struct err *e)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    long long begun_with = number(take_first, "done");
    json_t *o = take_first;
    bool any = false;

    while (o && is_busy(o) && !json_is_true(view_get(o, "paused"))) {
        any = shown(o, begun_with) || any;
        nanosleep(&pause, NULL);
        json_decref(o);
        o = ask(control, SEARCH_INDEX_SHOW, account, e);
    }
    if (any)
        fprintf(stderr, "\r%70s\r", "");
    return o;
}

int cmd_store_index(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    uint64_t account;
    json_t *o;
    int r;

    if (control == NULL)
        return -ENOTCONN;
    if ((r = which(c, control, &account, e)) < 0)
        return r;
    bool anew = has_option(c, OPT_REBUILD);
    o = ask(control,
            anew      ? SEARCH_INDEX_REBUILD
            : account ? SEARCH_INDEX_CHECK
                      : SEARCH_INDEX_SHOW,
            account, e);
    if (o && anew)
        o = follow(control, account, o, e);
    if (o == NULL)
        return -EIO;
    return account ? view_object(c, o, VIEW(account_fields)) : view_object(c, o, VIEW(all_fields));
}
