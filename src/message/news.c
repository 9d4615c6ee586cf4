#include "message/news.h"
#include "base/date.h"
#include "message/address.h"

/* section 3.1.2: at least one mailbox, every one with a domain, no group */
static bool from_valid(struct span value)
{
    struct buf scratch BUF_AUTO = BUF(0);
    struct address_scan s;
    struct address a;
    enum address_event event;
    size_t n = 0;
    address_scan_init(&s, value, &scratch);
    while ((event = address_scan_next(&s, &a)) != ADDRESS_END) {
        if (event != ADDRESS_MAILBOX || a.local.n == 0 || a.domain.n == 0)
            return false;
        n++;
    }
    return n > 0;
}

/* section 3.1.3: one msg-id of at most 250 printable ASCII bytes, nothing else */
static bool message_id_valid(struct span value)
{
    struct span s = span_trim(value), rest = s, id;
    if (s.n > 250 || !message_id_next(&rest, &id) || !span_eq(id, s))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 32 || s.p[i] >= 127)
            return false;
    return true;
}

static bool subject_valid(struct span value)
{
    return span_trim(value).n > 0;
}

static bool date_valid(struct span value)
{
    struct date d;
    return date_parse_rfc5322(value, &d);
}

/* section 3.1.5: path-list = *(path-identity "!") tail-entry, no blanks but folds around "!" */
static bool path_valid(struct span value)
{
    struct span s = span_trim(value);
    for (size_t i = 0; i < s.n; i++)
        if (!is_lwsp(s.p[i]) && (s.p[i] <= 32 || s.p[i] >= 127))
            return false;
    return s.n > 0 && s.p[s.n - 1] != '!';
}

/* section 3.1.4: component = 1*component-char, newsgroup-name = component *("." component); UTF-8
 * is seen and let pass */
static bool group_valid(struct span name)
{
    if (name.n == 0 || name.n > 500)
        return false;
    bool dot = true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '.' && dot)
            return false;
        if (c != '.' && !ascii_is_alpha(c) && !ascii_is_digit(c) && !strchr("+-_", c) &&
            (unsigned char)c < 128)
            return false;
        dot = c == '.';
    }
    return !dot && !span_has(name, 0);
}

bool news_groups(struct span value, struct buf *out)
{
    struct span rest = span_trim(value), name;
    size_t start = out->n;
    bool valid = rest.n > 0 && rest.p[rest.n - 1] != ',';
    while (span_split(&rest, ',', &name)) {
        name = span_trim(name);
        if (!group_valid(name)) {
            valid = false;
            continue;
        }
        if (out->n > start)
            buf_putc(out, ',');
        buf_put_span(out, name);
    }
    return valid;
}

static bool newsgroups_valid(struct span value)
{
    struct buf names BUF_AUTO = BUF(value.n + 1);
    return news_groups(value, &names);
}

static const struct {
    enum field_id id;
    bool (*valid)(struct span value);
} mandatory[] = {
    {FIELD_NEWSGROUPS, newsgroups_valid}, /* what mail lacks comes first */
    {FIELD_PATH,       path_valid      },
    {FIELD_MESSAGE_ID, message_id_valid},
    {FIELD_SUBJECT,    subject_valid   },
    {FIELD_FROM,       from_valid      },
    {FIELD_DATE,       date_valid      },
};

bool news_valid(const struct fields *f)
{
    for (size_t i = 0; i < sizeof(mandatory) / sizeof(mandatory[0]); i++)
        if (f->count[mandatory[i].id] != 1 || !mandatory[i].valid(f->value[mandatory[i].id]))
            return false;
    return true;
}

/* Line ends go (the blank of the fold stays), every other control that could end a field or a line
 * becomes a blank. */
static void put_clean(struct buf *out, struct span value)
{
    value = span_trim(value);
    char *start = buf_reserve(out, value.n), *to = start;
    if (!start)
        return;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\n' && i && value.p[i - 1] == '\r')
            continue;
        if (c == '\r' && i + 1 < value.n && value.p[i + 1] == '\n')
            continue;
        *to++ = c == '\t' || c == '\r' || c == '\n' || c == 0 ? ' ' : c;
    }
    buf_commit(out, (size_t)(to - start));
}

void news_overview(const struct fields *f, struct buf *out)
{
    static const enum field_id columns[] = {FIELD_SUBJECT, FIELD_FROM, FIELD_DATE, FIELD_MESSAGE_ID,
                                            FIELD_REFERENCES};
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        if (i)
            buf_putc(out, '\t');
        put_clean(out, f->value[columns[i]]);
    }
}
