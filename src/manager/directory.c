#include "manager/directory.h"

#include "base/check.h"
#include "manager/text.h"
#include "store/grant.h"

#include <errno.h>

enum { REPLY_MAX = LINK_PAYLOAD_MAX };

static const struct {
    const char *name;
    uint32_t bit;
} rights_names[] = {
    {"mail",   GRANT_MAIL  },
    {"submit", GRANT_SUBMIT},
    {"post",   GRANT_POST  },
    {"admin",  GRANT_ADMIN },
};

/* ---- calls ------------------------------------------------------------------------------- */

int authd_call(struct call *c, enum msg_id id, struct span body, struct err *e)
{
    struct control *control = call_control(c, e);
    int r;

    if (control == NULL)
        return -ENOTCONN;
    r = control_call(control, ROLE_AUTHD, 0, id, body, NULL, e);
    return r < 0 ? r : 0;
}

int directory_address(const char *text, char ret[NAME_ADDRESS_MAX + 1], struct err *e)
{
    struct mail_address a;

    /* authd adds its domain and judges the rest; here is only what no server could take */
    if (!name_local_parse(span_cstr(text), "x.invalid", &a))
        return err_set(e, -EINVAL, "%s is no mail address: it is written name@domain",
                       text_quote(span_cstr(text)));
    CHECK(span_to_cstr(span_cstr(text), ret, NAME_ADDRESS_MAX + 1));
    return 0;
}

int entry_show(struct call *c, enum directory_entry_kind kind, const char *address,
               struct directory_entry *ret, struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf body BUF_AUTO = BUF(512), reply BUF_AUTO = BUF(REPLY_MAX);
    struct rd rd;
    int r;

    if (control == NULL)
        return -ENOTCONN;
    wr_authd_entry_name(&body, kind, span_cstr(address));
    r = control_call(control, ROLE_AUTHD, 0, MSG_ENTRY_SHOW, buf_span(&body), &reply, e);
    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    if (!rd_authd_entry(&rd, ret) || !rd_done(&rd))
        return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    return 0;
}

int entry_put(struct call *c, enum msg_id id, const struct directory_entry *n, struct err *e)
{
    struct buf body BUF_AUTO = BUF(4096);

    wr_authd_entry(&body, n);
    return authd_call(c, id, buf_span(&body), e);
}

int entry_remove(struct call *c, enum directory_entry_kind kind, const char *address, struct err *e)
{
    struct buf body BUF_AUTO = BUF(512);

    wr_authd_entry_name(&body, kind, span_cstr(address));
    return authd_call(c, MSG_ENTRY_REMOVE, buf_span(&body), e);
}

/* One page; *last is where the next begins. */
static int entry_page(struct control *control, enum directory_entry_kind kind,
                      char last[NAME_ADDRESS_MAX + 1], bool *ret_more,
                      void (*fn)(const struct directory_entry *n, void *arg), void *arg,
                      struct err *e)
{
    struct buf body BUF_AUTO = BUF(512), reply BUF_AUTO = BUF(REPLY_MAX);
    uint16_t count = 0;
    struct rd rd;
    int r;

    wr_authd_entry_name(&body, kind, span_cstr(last));
    r = control_call(control, ROLE_AUTHD, 0, MSG_ENTRY_LIST, buf_span(&body), &reply, e);
    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    rd_authd_page(&rd, ret_more, &count);
    for (unsigned i = 0; i < count && !rd.bad; i++) {
        struct directory_entry n;
        if (!rd_authd_entry(&rd, &n))
            break;
        memcpy(last, n.address, sizeof n.address);
        fn(&n, arg);
    }
    if (!rd_done(&rd) || (*ret_more && count == 0))
        return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    return 0;
}

int entry_each(struct call *c, enum directory_entry_kind kind,
               void (*fn)(const struct directory_entry *n, void *arg), void *arg, struct err *e)
{
    struct control *control = call_control(c, e);
    char last[NAME_ADDRESS_MAX + 1] = "";
    bool more = true;
    int r = control != NULL ? 0 : -ENOTCONN;

    while (r == 0 && more)
        r = entry_page(control, kind, last, &more, fn, arg, e);
    return r;
}

/* ---- words ------------------------------------------------------------------------------- */

int parse_rights(const char *text, uint32_t *ret, struct err *e)
{
    struct span rest = span_cstr(text), word;
    uint32_t bits = 0;

    if (span_is(rest, "none"))
        rest = SPAN_EMPTY;
    while (span_split(&rest, ',', &word)) {
        size_t i = 0;
        word = span_trim(word);
        while (i < ARRAY_LEN(rights_names) && !span_is(word, rights_names[i].name))
            i++;
        if (i == ARRAY_LEN(rights_names))
            return usage_error(e,
                               "%s is no right; rights are mail, submit, post and admin, or none",
                               text_quote(word));
        bits |= rights_names[i].bit;
    }
    *ret = bits;
    return 0;
}

int parse_protocols(const char *text, uint32_t *ret, struct err *e)
{
    struct span rest = span_cstr(text), word;
    uint32_t bits = 0;

    if (span_is(rest, "none"))
        rest = SPAN_EMPTY;
    if (span_is(rest, "all")) {
        *ret = (1u << PROTOCOL_COUNT) - 1;
        return 0;
    }
    while (span_split(&rest, ',', &word)) {
        unsigned p = 0;
        word = span_trim(word);
        while (p < PROTOCOL_COUNT && !span_is(word, conf_protocol_name((enum conf_protocol)p)))
            p++;
        if (p == PROTOCOL_COUNT)
            return usage_error(e,
                               "%s is no protocol; there are pop3, imap4, smtp, nntp and http, "
                               "and the words all and none",
                               text_quote(word));
        bits |= 1u << p;
    }
    *ret = bits;
    return 0;
}

int parse_yes_no(enum option_id o, const char *text, bool *ret, struct err *e)
{
    struct span s = span_cstr(text);

    if (span_is(s, "yes") || span_is(s, "true") || span_is(s, "on"))
        *ret = true;
    else if (span_is(s, "no") || span_is(s, "false") || span_is(s, "off"))
        *ret = false;
    else
        return usage_error(e, "--%s is yes or no, not %s", manager_options[o].name, text_quote(s));
    return 0;
}

json_t *rights_json(uint32_t rights)
{
    json_t *all = json_array();

    for (size_t i = 0; i < ARRAY_LEN(rights_names); i++)
        if (rights & rights_names[i].bit)
            json_array_append_new(all, json_string(rights_names[i].name));
    return all;
}

json_t *protocols_json(uint32_t protocols)
{
    json_t *all = json_array();

    for (unsigned p = 0; p < PROTOCOL_COUNT; p++)
        if (protocols & 1u << p)
            json_array_append_new(all, json_string(conf_protocol_name((enum conf_protocol)p)));
    return all;
}
