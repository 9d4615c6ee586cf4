/*
 * quota.c: what an account, and what all accounts of a domain together, may use. authd keeps the
 * numbers and tells stored, which counts and refuses; what is used is asked of stored.
 */
#include "base/check.h"
#include "manager/directory.h"
#include "manager/table.h"
#include "manager/text.h"
#include "store/store_msg.h"

#include <errno.h>

enum { BODY_MAX = 1024, NAMES_AT_ONCE = 150, USED_BODY_MAX = 65536 };

static const struct view quota_columns[] = {
    {"OF",     "name",  VIEW_TEXT,  COLUMN_WHOLE},
    {"USED",   "used",  VIEW_BYTES, 0           },
    {"OF MAX", "limit", VIEW_BYTES, 0           },
};
static const struct view quota_fields[] = {
    {"Of",   "name",  VIEW_TEXT,  0},
    {"Used", "used",  VIEW_BYTES, 0},
    {"Max",  "limit", VIEW_BYTES, 0},
};

/* number ["K" / "M" / "G" / "T"] ["iB"], or "none" */
static int parse_size(const char *text, uint64_t *ret, struct err *e)
{
    static const char units[] = "KMGT";
    char *end = NULL;
    unsigned long long n;

    if (strcmp(text, "none") == 0) {
        *ret = 0;
        return 0;
    }
    errno = 0;
    n = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    bool tail = *end == '\0' || (unit && (end[1] == '\0' || strcmp(end + 1, "iB") == 0));
    if (text[0] < '0' || text[0] > '9' || errno || !tail || n == 0 ||
        n > (uint64_t)INT64_MAX >> shift)
        return usage_error(e, "%s is no size: a number with K, M, G or T, or 'none'",
                           text_quote(span_cstr(text)));
    *ret = n << shift;
    return 0;
}

static void name_fold(const char *text, char ret[NAME_ADDRESS_MAX + 1])
{
    size_t n = 0;

    for (; text[n] && n < NAME_ADDRESS_MAX; n++)
        ret[n] = (char)ascii_lower(text[n]);
    ret[n] = '\0';
}

/* Used bytes of rows [from, to), as stored has counted them. */
static int ask_used(struct call *c, json_t *all, size_t from, size_t to, struct err *e)
{
    struct buf body BUF_AUTO = BUF(USED_BODY_MAX), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct control *control = call_control(c, e);
    struct rd r;
    int rc;

    if (control == NULL)
        return -ENOTCONN;
    for (size_t i = from; i < to; i++)
        wr_cstr(&body, view_string(json_array_get(all, i), "name"));
    rc = control_call(control, ROLE_STORED, 0, MSG_STORE_USED, buf_span(&body), &reply, e);
    if (rc < 0)
        return rc;
    r = rd_of(buf_span(&reply));
    for (size_t i = from; i < to; i++) {
        json_object_set_new(json_array_get(all, i), "used", json_integer((json_int_t)rd_u64(&r)));
        rd_u64(&r);
    }
    return rd_done(&r) ? 0 : err_set(e, -EBADMSG, "the answer of stored cannot be read");
}

/* Limits from authd, by name, after `after`. */
static int page(struct control *control, char after[NAME_ADDRESS_MAX + 1], bool *ret_more,
                json_t *all, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    uint16_t count = 0;
    struct rd r;
    int rc = control_call(control, ROLE_AUTHD, 0, MSG_QUOTA_LIST, span_cstr(after), &reply, e);

    if (rc < 0)
        return rc;
    r = rd_of(buf_span(&reply));
    rd_authd_page(&r, ret_more, &count);
    for (unsigned i = 0; i < count && !r.bad; i++) {
        struct span name = rd_span(&r, NAME_ADDRESS_MAX);
        uint64_t bytes = rd_u64(&r);
        if (r.bad || !span_to_cstr(name, after, NAME_ADDRESS_MAX + 1))
            break;
        json_array_append_new(
            all, json_pack("{s:o,s:I}", "name", view_text(after), "limit", (json_int_t)bytes));
    }
    if (!rd_done(&r) || (*ret_more && count == 0))
        return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    return 0;
}

static int quotas(struct call *c, json_t *all, struct err *e)
{
    struct control *control = call_control(c, e);
    char after[NAME_ADDRESS_MAX + 1] = "";
    bool more = true;
    int rc = control == NULL ? -ENOTCONN : 0;

    while (rc == 0 && more)
        rc = page(control, after, &more, all, e);
    for (size_t i = 0; rc == 0 && i < json_array_size(all); i += NAMES_AT_ONCE) {
        size_t end = i + NAMES_AT_ONCE;
        rc = ask_used(c, all, i, end < json_array_size(all) ? end : json_array_size(all), e);
    }
    return rc;
}

int cmd_quota_list(struct call *c, struct err *e)
{
    json_t *all = json_array();
    int rc = quotas(c, all, e);

    if (rc == 0)
        return view_list(
            c, all, VIEW(quota_columns),
            "There are no quotas. `sealpost quota set ADDRESS|DOMAIN SIZE` makes one.");
    json_decref(all);
    return rc;
}

int cmd_quota_show(struct call *c, struct err *e)
{
    char name[NAME_ADDRESS_MAX + 1];
    json_t *all = json_array(), *row, *found = NULL;
    size_t i;
    int rc = quotas(c, all, e);

    name_fold(c->args[0], name);
    json_array_foreach(all, i, row)
    {
        if (rc == 0 && strcmp(view_string(row, "name"), name) == 0)
            found = json_incref(row);
    }
    json_decref(all);
    if (rc == 0 && found == NULL)
        rc = err_set(e, -ENOENT, "%s has no quota", text_quote(span_cstr(c->args[0])));
    return rc != 0 ? rc : view_object(c, found, VIEW(quota_fields));
}

int cmd_quota_set(struct call *c, struct err *e)
{
    struct buf body BUF_AUTO = BUF(BODY_MAX);
    uint64_t bytes = 0;
    int rc = parse_size(c->args[1], &bytes, e);

    if (rc != 0)
        return rc;
    if (strlen(c->args[0]) > NAME_ADDRESS_MAX)
        return err_set(e, -EINVAL, "%s is too long", text_quote(span_cstr(c->args[0])));
    wr_u64(&body, bytes);
    wr_cstr(&body, c->args[0]);
    if ((rc = authd_call(c, MSG_QUOTA_SET, buf_span(&body), e)) != 0)
        return rc;
    return bytes ? cmd_quota_show(c, e) : view_done(c, NULL, "%s has no quota.", c->args[0]);
}
