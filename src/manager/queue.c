/* queue.c: outgoing messages. */
#include "base/check.h"
#include "manager/control.h"
#include "manager/table.h"
#include "manager/text.h"
#include "manager/view.h"
#include "store/store_msg.h"

#include <errno.h>

static const struct view queue_columns[] = {
    {"ID",       "id",       VIEW_NUMBER, 0},
    {"FROM",     "sender",   VIEW_TEXT,   0},
    {"TO",       "to",       VIEW_TEXT,   0},
    {"OPEN",     "open",     VIEW_NUMBER, 0},
    {"SIZE",     "size",     VIEW_BYTES,  0},
    {"QUEUED",   "queued",   VIEW_UNTIL,  0},
    {"NEXT TRY", "next_try", VIEW_UNTIL,  0},
    {"FROZEN",   "frozen",   VIEW_YES,    0},
};
static const struct view item_fields[] = {
    {"Number",    "id",       VIEW_TEXT,  0},
    {"From",      "sender",   VIEW_TEXT,  0},
    {"Size",      "size",     VIEW_BYTES, 0},
    {"Queued",    "queued",   VIEW_TIME,  0},
    {"Next try",  "next_try", VIEW_TIME,  0},
    {"Tries",     "tries",    VIEW_TEXT,  0},
    {"Frozen",    "frozen",   VIEW_TEXT,  0},
    {"Under way", "leased",   VIEW_TEXT,  0},
};
static const struct view recipient_columns[] = {
    {"RECIPIENT", "address", VIEW_TEXT, COLUMN_WHOLE},
    {"STATE",     "state",   VIEW_TEXT, COLUMN_WHOLE},
    {"LAST WORD", "text",    VIEW_TEXT, COLUMN_WRAP },
};

static int ask(struct call *c, enum store_queue_op op, uint64_t id, struct buf *reply,
               struct err *e)
{
    struct msg_queue_admin q = {.head = {.counter = 1}, .op = (uint8_t)op, .id = id};
    struct control *control = call_control(c, e);
    struct buf body BUF_AUTO = BUF(64);
    int r;

    if (control == NULL)
        return -ENOTCONN;
    wr_queue_admin(&body, &q);
    r = control_call(control, ROLE_STORED, 0, MSG_STORE_QUEUE_ADMIN, buf_span(&body), reply, e);
    if (r == -ENOENT)
        return err_set(e, r, "there is no message %llu in the queue", (unsigned long long)id);
    return r < 0 ? r : 0;
}

static int parse_id(const char *text, uint64_t *ret, struct err *e)
{
    if (span_to_u64(span_cstr(text), INT64_MAX, ret) && *ret > 0)
        return 0;
    return usage_error(e, "%s is no number of the queue; `sealpost queue list` shows them",
                       text_quote(span_cstr(text)));
}

int cmd_queue_list(struct call *c, struct err *e)
{
    json_t *all = json_array();
    uint64_t after = 0;
    int r;

    do {
        struct buf reply BUF_AUTO = BUF(2 * LINK_PAYLOAD_MAX);
        json_t *page = NULL;
        uint64_t next = 0;
        r = ask(c, QUEUE_LIST, after, &reply, e);
        if (r == 0 && (page = view_parse(buf_span(&reply), "stored", e)) == NULL)
            r = -EBADMSG;
        if (r == 0) {
            json_array_extend(all, json_object_get(page, "items"));
            next = (uint64_t)json_integer_value(json_object_get(page, "next"));
        }
        json_decref(page);
        after = next > after ? next : 0;
    } while (r == 0 && after != 0);
    if (r == 0)
        return view_list(c, all, VIEW(queue_columns), "The queue is empty.");
    json_decref(all);
    return r;
}

int cmd_queue_show(struct call *c, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(2 * LINK_PAYLOAD_MAX);
    uint64_t id;
    json_t *item;
    int r = parse_id(c->args[0], &id, e);

    if (r == 0)
        r = ask(c, QUEUE_SHOW, id, &reply, e);
    if (r != 0)
        return r;
    if ((item = view_parse(buf_span(&reply), "stored", e)) == NULL)
        return -EBADMSG;
    if (has_option(c, OPT_JSON))
        return view_object(c, item, NULL, 0);
    view_fields(c, item, VIEW(item_fields));
    buf_putc(&c->out, '\n');
    view_table(c, json_object_get(item, "to"), VIEW(recipient_columns));
    json_decref(item);
    return 0;
}

/* For each number given, or for all. */
static int change(struct call *c, enum store_queue_op op, const char *done, struct err *e)
{
    unsigned n = 0;

    if (c->arg_count == 0 && !has_option(c, OPT_ALL_ITEMS))
        return usage_error(e, "which? Give numbers of `sealpost queue list`, or --all");
    if (c->arg_count > 0 && has_option(c, OPT_ALL_ITEMS))
        return usage_error(e, "numbers and --all contradict each other");
    if (has_option(c, OPT_ALL_ITEMS)) {
        int r = ask(c, op, 0, NULL, e);
        return r != 0 ? r : view_done(c, NULL, "All messages of the queue: %s.", done);
    }
    for (unsigned i = 0; i < c->arg_count; i++) {
        uint64_t id;
        int r = parse_id(c->args[i], &id, e);
        if (r != 0)
            return r;
    }
    for (unsigned i = 0; i < c->arg_count; i++) {
        uint64_t id = 0;
        int r = parse_id(c->args[i], &id, e);
        if (r == 0)
            r = ask(c, op, id, NULL, e);
        if (r != 0)
            return n == 0 ? r : err_wrap(e, r, "%u of %u messages %s, then", n, c->arg_count, done);
        n++;
    }
    return view_done(c, json_pack("{s:i}", "messages", (int)n), "%u message%s: %s.", n,
                     n == 1 ? "" : "s", done);
}

int cmd_queue_retry(struct call *c, struct err *e)
{
    return change(c, QUEUE_RETRY, "tried again now", e);
}

int cmd_queue_delete(struct call *c, struct err *e)
{
    return change(c, QUEUE_DELETE, "deleted", e);
}

int cmd_queue_freeze(struct call *c, struct err *e)
{
    return change(c, QUEUE_FREEZE, "held back", e);
}

int cmd_queue_thaw(struct call *c, struct err *e)
{
    return change(c, QUEUE_THAW, "free to go", e);
}
