/* session.c: open sessions, over all workers. A session is named by its worker and its number
 * there: "access-0:17". */
#include "base/check.h"
#include "line/session_msg.h"
#include "manager/ca.h"
#include "manager/control.h"
#include "manager/table.h"
#include "manager/text.h"
#include "manager/view.h"

#include <errno.h>

enum { WORKERS_MAX = 64 };

static const struct view session_columns[] = {
    {"SESSION",        "session", VIEW_TEXT,  COLUMN_WHOLE},
    {"VIRTUAL SERVER", "vserver", VIEW_TEXT,  0           },
    {"FROM",           "peer",    VIEW_TEXT,  COLUMN_WHOLE},
    {"USER",           "user",    VIEW_TEXT,  0           },
    {"SINCE",          "started", VIEW_UNTIL, 0           },
    {"TLS",            "tls",     VIEW_TEXT,  0           },
    {"CERTIFICATE",    "serial",  VIEW_TEXT,  0           },
    {"DOING",          "doing",   VIEW_TEXT,  0           },
};

/* Rows of one worker, page after page: a page is rows with commas between. */
static int worker_list(struct control *control, enum role role, unsigned instance, json_t *all,
                       struct err *e)
{
    uint64_t after = 0;
    bool more = true;

    while (more) {
        struct buf body BUF_AUTO = BUF(16), rows BUF_AUTO = BUF(LINK_PAYLOAD_MAX + 8);
        json_t *page, *row;
        size_t i;
        int r;

        wr_session_list(&body, after);
        buf_putc(&rows, '[');
        r = control_call(control, role, instance, MSG_SESSION_LIST, buf_span(&body), &rows, e);
        if (r < 0)
            return r;
        buf_putc(&rows, ']');
        if ((page = view_parse(buf_span(&rows), "a session process", e)) == NULL)
            return -EBADMSG;
        more = false;
        json_array_foreach(page, i, row)
        {
            uint64_t number = (uint64_t)json_integer_value(json_object_get(row, "number"));
            struct buf name BUF_AUTO = BUF(64);
            more |= number > after;
            after = number > after ? number : after;
            buf_printf(&name, "%s-%u:%llu", role_name(role), instance, (unsigned long long)number);
            json_object_set_new(row, "session", json_string(buf_cstr(&name)));
            json_array_append(all, row);
        }
        json_decref(page);
    }
    return 0;
}

/* Workers are counted until there is none of that number. */
static int role_list(struct control *control, enum role role, json_t *all, struct err *e)
{
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        int r = worker_list(control, role, i, all, e);
        if (r == -ENOENT) {
            e->text[0] = '\0';
            return 0;
        }
        if (r != 0)
            return r;
    }
    return 0;
}

int cmd_session_list(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    json_t *all;
    int r;

    if (control == NULL)
        return -ENOTCONN;
    all = json_array();
    r = role_list(control, ROLE_ACCESS, all, e);
    if (r == 0)
        r = role_list(control, ROLE_MX, all, e);
    if (r == 0)
        return view_list(c, all, VIEW(session_columns), "There are no sessions.");
    json_decref(all);
    return r;
}

/* access-0:17 */
static bool parse_session(const char *text, enum role *ret_role, unsigned *ret_instance,
                          uint64_t *ret_number)
{
    struct span rest = span_cstr(text), role, instance;
    uint64_t n;

    if (span_split(&rest, '-', &role) && span_split(&rest, ':', &instance) &&
        span_to_u64(instance, WORKERS_MAX - 1, &n) && span_to_u64(rest, UINT64_MAX, ret_number)) {
        *ret_instance = (unsigned)n;
        *ret_role = span_eq_cstr(role, "access") ? ROLE_ACCESS
                    : span_eq_cstr(role, "mx")   ? ROLE_MX
                                                 : 0;
        return *ret_role != 0;
    }
    return false;
}

int cmd_session_kill(struct call *c, struct err *e)
{
    struct buf body BUF_AUTO = BUF(512);
    struct control *control;
    enum role role;
    unsigned instance;
    uint64_t number;
    int r;

    if (!parse_session(c->args[0], &role, &instance, &number))
        return usage_error(e,
                           "%s names no session; `sealpost session list` shows names such as "
                           "access-0:17",
                           text_quote(span_cstr(c->args[0])));
    if (has_option(c, OPT_TEXT) && strlen(c->option[OPT_TEXT]) > 190)
        return usage_error(e, "--text is longer than 190 bytes");
    if ((control = call_control(c, e)) == NULL)
        return -ENOTCONN;
    wr_session_kill(&body, number, c->option[OPT_TEXT]);
    r = control_call(control, role, instance, MSG_SESSION_KILL, buf_span(&body), NULL, e);
    if (r == -ENOENT)
        return err_set(e, r, "there is no session %s (any more)",
                       text_quote(span_cstr(c->args[0])));
    if (r == -EINVAL)
        return err_set(e, r, "--text must be plain ASCII on one line");
    return r < 0 ? r : view_done(c, NULL, "Session %s is ended.", c->args[0]);
}

/* Of one kind of worker: how many sessions will end. */
static int role_drain(struct control *control, enum role role, struct span body, uint32_t *count,
                      struct err *e)
{
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        struct buf reply BUF_AUTO = BUF(64);
        int r = control_call(control, role, i, MSG_SESSION_DRAIN, body, &reply, e);
        struct rd rd = rd_of(buf_span(&reply));
        if (r == -ENOENT) {
            e->text[0] = '\0';
            return 0;
        }
        if (r < 0)
            return r == -EINVAL ? err_set(e, r, "--text must be plain ASCII on one line") : r;
        *count += rd_u32(&rd);
    }
    return 0;
}

int cmd_vserver_drain(struct call *c, struct err *e)
{
    struct session_drain_request q = {.reason = ""};
    struct buf body BUF_AUTO = BUF(512);
    struct control *control = call_control(c, e);
    const struct conf *conf = control != NULL ? control_conf(control, e) : NULL;
    uint32_t count = 0;
    int r = 0;

    if (conf == NULL)
        return -ENOTCONN;
    if (conf_vserver_by_name(conf, c->args[0]) == NULL)
        return err_set(e, -ENOENT,
                       "there is no virtual server %s; `sealpost vserver list` lists all",
                       text_quote(span_cstr(c->args[0])));
    snprintf(q.vserver, sizeof q.vserver, "%s", c->args[0]);
    if (has_option(c, OPT_CERT)) {
        char serial[CERTIFICATE_SERIAL_MAX];
        if ((r = ca_parse_serial(c->option[OPT_CERT], serial, e)) != 0)
            return r;
        snprintf(q.serial, sizeof q.serial, "%s", serial);
    }
    if (has_option(c, OPT_TEXT) &&
        !span_to_cstr(span_cstr(c->option[OPT_TEXT]), q.reason, sizeof q.reason))
        return usage_error(e, "--text is longer than 190 bytes");
    wr_session_drain(&body, &q);
    r = role_drain(control, ROLE_ACCESS, buf_span(&body), &count, e);
    if (r == 0)
        r = role_drain(control, ROLE_MX, buf_span(&body), &count, e);
    return r != 0 ? r
                  : view_done(c, json_pack("{s:i}", "sessions", (int)count), "%u %s told to end%s.",
                              count, count == 1 ? "session is" : "sessions are",
                              has_option(c, OPT_CERT) ? "; others go on" : "");
}
