/* server.c: run, check-config, reload, status, stop: the server as a whole. */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "manager/control.h"
#include "manager/store_index.h"
#include "manager/table.h"
#include "manager/text.h"
#include "manager/view.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { CONF_FILE_MAX = 16 << 20, PROBLEMS_MAX = 1 << 20, STOP_WAIT_MS = 30000 };

/* ---- run --------------------------------------------------------------------------------- */

int cmd_run(struct call *c, struct err *e)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    char *slash;

    if (n <= 0)
        return err_set(e, -errno, "where this program stands cannot be found out: %s",
                       strerror(errno));
    path[n] = '\0';
    slash = strrchr(path, '/');
    CHECK(slash != NULL);
    snprintf(slash + 1, sizeof path - (size_t)(slash + 1 - path), "sealpost-supervisor");
    execl(path, "sealpost-supervisor", "--foreground", "--config", call_config(c), (char *)NULL);
    return err_set(e, -errno, "%s cannot be started: %s", path, strerror(errno));
}

/* ---- check-config ------------------------------------------------------------------------ */

static json_t *problems_json(struct span lines)
{
    json_t *all = json_array();
    struct span line;

    while (span_split(&lines, '\n', &line)) {
        char *text = span_dup(line);
        json_array_append_new(all, view_text(text));
        free(text);
    }
    return all;
}

int cmd_check_config(struct call *c, struct err *e)
{
    const char *file = c->arg_count > 0 ? c->args[0] : call_config(c);
    struct buf text BUF_AUTO = BUF(CONF_FILE_MAX), problems BUF_AUTO = BUF(PROBLEMS_MAX);
    struct buf printed BUF_AUTO = BUF(CONF_FILE_MAX);
    struct conf *conf;
    int r = file_read(AT_FDCWD, file, CONF_FILE_MAX, &text, e);

    if (r != 0)
        return err_set(e, r, "%s cannot be read: %s. Name the configuration with --config FILE",
                       text_quote(span_cstr(file)), strerror(-r));
    conf = conf_parse(buf_span(&text), file, &problems);
    if (conf != NULL && has_option(c, OPT_COMMENTS))
        conf_print(conf, true, &printed);
    if (has_option(c, OPT_JSON)) {
        json_t *v = json_pack("{s:o,s:b,s:o}", "file", view_text(file), "valid", conf != NULL,
                              "problems", problems_json(buf_span(&problems)));
        if (printed.n > 0)
            json_object_set_new(v, "printed", json_stringn(printed.p, printed.n));
        view_json(c, v);
        json_decref(v);
    } else {
        /* standard output stays a configuration that can be used as it is */
        struct buf safe BUF_AUTO = BUF(PROBLEMS_MAX * 2);
        text_put_safe(&safe, buf_span(&problems), true);
        fprintf(conf == NULL || printed.n == 0 ? stdout : stderr, "%.*s",
                SPAN_ARG(buf_span(&safe)));
        buf_put_span(&c->out, buf_span(&printed));
        if (conf != NULL && printed.n == 0)
            buf_printf(&c->out, "%s: correct, %u virtual servers\n", text_quote(span_cstr(file)),
                       conf->vserver_count);
    }
    e->text[0] = '\0';
    r = conf == NULL ? -EINVAL : 0;
    conf_free(conf);
    return r;
}

/* ---- reload, stop ------------------------------------------------------------------------ */

/* What is no warning is not as the configuration wants it: an endpoint that somebody else has. */
static bool all_warnings(struct span lines)
{
    struct span line;

    while (span_split(&lines, '\n', &line))
        if (line.n > 0 && span_find_span(line, SPAN("warning: ")) == SPAN_NONE)
            return false;
    return true;
}

int cmd_reload(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf problems BUF_AUTO = BUF(PROBLEMS_MAX);
    bool whole;
    int r;

    if (control == NULL)
        return -ENOTCONN;
    r = control_call(control, ROLE_SUPERVISOR, 0, MSG_CONTROL_RELOAD, SPAN_EMPTY, &problems, e);
    whole = all_warnings(buf_span(&problems));
    if (has_option(c, OPT_JSON)) {
        json_t *v = json_pack("{s:b,s:o}", "reloaded", r >= 0, "problems",
                              problems_json(buf_span(&problems)));
        if (r < 0 && problems.n == 0)
            json_object_set_new(v, "error", view_text(e->text));
        view_json(c, v);
        json_decref(v);
        e->text[0] = '\0';
        return r < 0 ? r : whole ? 0 : -EADDRINUSE;
    }
    text_put_safe(&c->out, buf_span(&problems), true);
    if (r >= 0 && !whole)
        return err_set(e, -EADDRINUSE,
                       "the server works with the new configuration, except for what is said above "
                       "(it tries again by itself; `sealpost status` shows it)");
    if (r >= 0)
        buf_put_cstr(&c->out, "The server works with the new configuration.\n");
    else if (problems.n > 0)
        err_set(e, r, "the server keeps its old configuration");
    return r < 0 ? r : 0;
}

static bool is_running(pid_t pid)
{
    char name[32];

    snprintf(name, sizeof name, "/proc/%d", (int)pid);
    return access(name, F_OK) == 0;
}

int cmd_stop(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf status BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    const struct timespec pause = {.tv_nsec = 20000000};
    json_t *v;
    pid_t pid;
    int r;

    if (control == NULL)
        return -ENOTCONN;
    r = control_call(control, ROLE_SUPERVISOR, 0, MSG_CONTROL_STATUS, SPAN_EMPTY, &status, e);
    if (r < 0 || (v = view_parse(buf_span(&status), "the supervisor", e)) == NULL)
        return r < 0 ? r : -EBADMSG;
    pid = (pid_t)json_integer_value(view_get(v, "pid"));
    json_decref(v);
    r = control_call(control, ROLE_SUPERVISOR, 0, MSG_CONTROL_STOP, SPAN_EMPTY, NULL, e);
    if (r < 0)
        return r;
    for (uint64_t end = clock_mono_ms() + STOP_WAIT_MS; is_running(pid) && clock_mono_ms() < end;)
        nanosleep(&pause, NULL);
    if (pid > 0 && is_running(pid))
        return err_set(e, -ETIMEDOUT,
                       "the server (process %d) has not ended within %d seconds; its "
                       "log says why",
                       (int)pid, STOP_WAIT_MS / 1000);
    return view_done(c, json_pack("{s:b}", "stopped", 1), "Stopped.");
}

/* ---- status ------------------------------------------------------------------------------ */

static const struct view process_columns[] = {
    {"PROCESS",  "role",         VIEW_TEXT,     COLUMN_WHOLE},
    {"#",        "instance",     VIEW_NUMBER,   0           },
    {"PID",      "pid",          VIEW_NUMBER,   0           },
    {"STATE",    "state",        VIEW_TEXT,     COLUMN_WHOLE},
    {"UP",       "uptime",       VIEW_DURATION, 0           },
    {"RESTARTS", "restarts",     VIEW_NUMBER,   0           },
    {"MEMORY",   "resident_max", VIEW_BYTES,    0           },
    {"LAST END", "last_end",     VIEW_TEXT,     0           },
};
static const struct view store_fields[] = {
    {"Accounts",     "accounts",  VIEW_TEXT,  0},
    {"Mailboxes",    "mailboxes", VIEW_TEXT,  0},
    {"Messages",     "messages",  VIEW_TEXT,  0},
    {"Queue",        "queue",     VIEW_TEXT,  0},
    {"Log files",    "log_files", VIEW_TEXT,  0},
    {"Written",      "log_bytes", VIEW_BYTES, 0},
    {"Out of order", "failed",    VIEW_YES,   0},
};

/* The endpoints that should listen and do not, and processes that are not ready. */
static unsigned put_problems(struct call *c, const json_t *status)
{
    unsigned n = 0;
    size_t i, k;
    json_t *p, *v, *endpoint;

    json_array_foreach(json_object_get(status, "processes"), i, p)
    {
        if (strcmp(view_string(p, "state"), "ready") == 0)
            continue;
        buf_printf(&c->out, "%s%s is %s%s%s\n", n++ == 0 ? "\n" : "",
                   text_quote(span_cstr(view_string(p, "role"))),
                   text_quote(span_cstr(view_string(p, "state"))),
                   view_string(p, "last_end")[0] ? ": " : "",
                   text_quote(span_cstr(view_string(p, "last_end"))));
    }
    json_array_foreach(json_object_get(status, "vservers"), i, v)
    {
        json_array_foreach(json_object_get(v, "endpoints"), k, endpoint)
        {
            if (!json_is_true(json_object_get(v, "enabled")) ||
                json_is_true(json_object_get(endpoint, "listening")))
                continue;
            buf_printf(&c->out, "%s%s does not listen at %s port %d: %s\n", n++ == 0 ? "\n" : "",
                       text_quote(span_cstr(view_string(v, "name"))),
                       text_quote(span_cstr(view_string(endpoint, "address"))),
                       (int)json_integer_value(json_object_get(endpoint, "port")),
                       text_quote(span_cstr(view_string(endpoint, "error"))));
        }
    }
    return n;
}

/* Where DNS leads clients. What was never reached from here is told, but is no problem yet. */
static unsigned put_outside(struct call *c, const json_t *watch)
{
    unsigned n = 0;
    size_t i;
    json_t *w;

    json_array_foreach(json_object_get(watch, "names"), i, w)
    {
        const char *state = view_string(w, "state");
        if (state[0] != '\0' && strncmp(state, "leads to", 8) != 0)
            buf_printf(&c->out, "%s: the name %s: %s\n",
                       text_quote(span_cstr(view_string(w, "vserver"))),
                       text_quote(span_cstr(view_string(w, "name"))), text_quote(span_cstr(state)));
    }
    json_array_foreach(json_object_get(watch, "outside"), i, w)
    {
        const char *fault = view_string(w, "fault");
        if (fault[0] == '\0')
            continue;
        buf_printf(&c->out, "%s, %s: %s\n", text_quote(span_cstr(view_string(w, "vserver"))),
                   text_quote(span_cstr(view_string(w, "endpoint"))), text_quote(span_cstr(fault)));
        n += json_is_true(json_object_get(w, "alarmed"));
    }
    return n;
}

/* What the standing probe has seen of the endpoints. */
static unsigned put_watch(struct call *c, const json_t *watch)
{
    const json_t *all = json_object_get(watch, "endpoints");
    size_t i, looked = 0;
    unsigned n = 0;
    json_t *w;

    json_array_foreach((json_t *)(uintptr_t)all, i, w)
    {
        bool seen = json_integer_value(json_object_get(w, "at")) != 0;
        bool fine = json_is_true(json_object_get(w, "up")) &&
                    json_is_true(json_object_get(w, "fits")) &&
                    json_is_true(json_object_get(w, "expected"));
        looked += seen;
        if (!seen || fine)
            continue;
        buf_printf(&c->out, "%s%s at %s fails: %s\n", n++ == 0 ? "\n" : "",
                   text_quote(span_cstr(view_string(w, "vserver"))),
                   text_quote(span_cstr(view_string(w, "endpoint"))),
                   view_string(w, "detail")[0] ? text_quote(span_cstr(view_string(w, "detail")))
                                               : "it shows another certificate than is in service");
    }
    if (looked > 0)
        buf_printf(&c->out, "\n%zu of %zu endpoints were looked at by watchd, %u fail\n", looked,
                   json_array_size(all), n);
    return n + put_outside(c, watch);
}

static void put_status(struct call *c, const json_t *status, const json_t *store)
{
    struct buf up BUF_AUTO = BUF(64);

    view_value(json_object_get(status, "uptime"), VIEW_DURATION, 0, &up);
    buf_printf(&c->out, "sealpost %s, process %d, %s for %s\nConfiguration  ",
               text_quote(span_cstr(view_string(status, "version"))),
               (int)json_integer_value(json_object_get(status, "pid")),
               text_quote(span_cstr(view_string(status, "state"))), buf_cstr(&up));
    text_put_safe(&c->out, span_cstr(view_string(status, "config")), false);
    buf_put_cstr(&c->out, "\nData           ");
    text_put_safe(&c->out, span_cstr(view_string(status, "data")), false);
    buf_put_cstr(&c->out, "\n\n");
    view_table(c, json_object_get(status, "processes"), VIEW(process_columns));
    if (json_is_object(store)) {
        buf_put_cstr(&c->out, "\n");
        view_fields(c, store, VIEW(store_fields));
    }
}

/* NULL where that process does not answer. */
static json_t *ask_process(struct control *control, enum role role, enum msg_id id, struct err *e)
{
    struct buf bytes BUF_AUTO = BUF(LINK_PAYLOAD_MAX);

    if (control_call(control, role, 0, id, SPAN_EMPTY, &bytes, e) < 0)
        return NULL;
    return view_parse(buf_span(&bytes), role_name(role), e);
}

/* A process that is not ready is waited for; status must not wait. */
static bool is_ready(const json_t *status, const char *role)
{
    size_t i;
    json_t *p;

    json_array_foreach(json_object_get(status, "processes"), i, p)
    {
        if (strcmp(view_string(p, "role"), role) == 0)
            return strcmp(view_string(p, "state"), "ready") == 0;
    }
    return false;
}

void store_count_accounts(struct control *control, json_t *store)
{
    struct err ignored;
    json_t *authd = ask_process(control, ROLE_AUTHD, MSG_CHILD_STATUS, &ignored), *n;

    if ((n = json_object_get(authd, "accounts")) != NULL)
        json_object_set(store, "accounts", n);
    else
        json_object_del(store, "accounts");
    json_decref(authd);
}

int cmd_status(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    struct err why = {""};
    json_t *status, *store = NULL, *watch = NULL;
    unsigned problems = 0;

    if (control == NULL)
        return -ENOTCONN;
    if ((status = ask_process(control, ROLE_SUPERVISOR, MSG_CONTROL_STATUS, e)) == NULL)
        return -EIO;
    if (is_ready(status, "stored"))
        store = ask_process(control, ROLE_STORED, MSG_STORE_STAT, &why);
    if (store != NULL)
        store_count_accounts(control, store);
    if (is_ready(status, "watchd"))
        watch = ask_process(control, ROLE_WATCHD, MSG_CHILD_STATUS, &why);
    if (has_option(c, OPT_JSON)) {
        json_object_set(status, "store", store != NULL ? store : json_null());
        json_object_set(status, "watch", watch != NULL ? watch : json_null());
        view_json(c, status);
    } else {
        put_status(c, status, store);
        problems = put_problems(c, status) + put_watch(c, watch);
    }
    json_decref(watch);
    json_decref(store);
    json_decref(status);
    return problems > 0 ? -EAGAIN : 0;
}
