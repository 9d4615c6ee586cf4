#include "imap/status.h"

#include "imap/state.h"

#include "base/check.h"
#include "imap/arg.h"
#include "imap/preview.h"

static uint64_t item_zero(const struct mailbox_info *m, struct session *s)
{
    return 0;
}
static uint64_t item_messages(const struct mailbox_info *m, struct session *s)
{
    return m->messages;
}
static uint64_t item_uidnext(const struct mailbox_info *m, struct session *s)
{
    return m->uidnext;
}
static uint64_t item_uidvalidity(const struct mailbox_info *m, struct session *s)
{
    return m->uidvalidity;
}
/* In public folders that is the reader's own affair, and has to be counted. */
static uint64_t item_unseen(const struct mailbox_info *m, struct session *s)
{
    uint32_t count = m->unseen, first;
    struct store_read r;

    if (m->account != STORE_ACCOUNT_PUBLIC || imap_read_begin(s, &r) < 0)
        return count;
    store_unseen(&r, m, &count, &first);
    store_read_end(&r);
    return count;
}
static uint64_t item_deleted(const struct mailbox_info *m, struct session *s)
{
    return m->deleted;
}
static uint64_t item_highestmodseq(const struct mailbox_info *m, struct session *s)
{
    return m->highestmodseq;
}
static uint64_t item_appendlimit(const struct mailbox_info *m, struct session *s)
{
    return s->vserver->limits.message_bytes;
}
static uint64_t item_size(const struct mailbox_info *m, struct session *s)
{
    return m->bytes;
}

static uint64_t item_mailboxid(const struct mailbox_info *m, struct session *s)
{
    return m->id; /* printed as a name */
}

/* Of the messages with \Deleted; only where there are some are they looked for. */
static uint64_t item_deleted_storage(const struct mailbox_info *m, struct session *s)
{
    struct store_read r;
    struct store_cursor c;
    struct message_info info;
    uint64_t bytes = 0;

    if (m->deleted == 0 || imap_read_begin(s, &r) < 0)
        return 0;
    if (store_cursor_open(&r, m->id, 1, &c) == 0) {
        while (store_cursor_next(&c, &info))
            bytes += info.flags & STORE_DELETED ? info.size : 0;
        store_cursor_close(&c);
    }
    store_read_end(&r);
    return bytes;
}

static const struct {
    const char *name;
    uint64_t (*value)(const struct mailbox_info *m, struct session *s);
} items_table[] = {
    {"MESSAGES",        item_messages       },
    {"RECENT",          item_zero           },
    {"UIDNEXT",         item_uidnext        },
    {"UIDVALIDITY",     item_uidvalidity    },
    {"UNSEEN",          item_unseen         },
    {"DELETED",         item_deleted        },
    {"SIZE",            item_size           },
    {"HIGHESTMODSEQ",   item_highestmodseq  },
    {"APPENDLIMIT",     item_appendlimit    },
    {"DELETED-STORAGE", item_deleted_storage},
    {"MAILBOXID",       item_mailboxid      },
};

static bool parse_item(struct span *c, unsigned *items)
{
    struct span word;

    if (!arg_atom(c, 40, &word))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(items_table); i++)
        if (span_is(word, items_table[i].name)) {
            *items |= 1u << i;
            return true;
        }
    return false;
}

bool status_items_parse(struct span *c, unsigned *ret_items)
{
    struct span at = *c;
    unsigned items = 0;

    if (!parse_char(&at, '('))
        return false;
    do
        if (!parse_item(&at, &items))
            return false;
    while (arg_sp(&at));
    if (!parse_char(&at, ')'))
        return false;
    *ret_items = items;
    *c = at;
    return true;
}

bool status_has_modseq(unsigned items)
{
    for (size_t i = 0; i < ARRAY_LEN(items_table); i++)
        if (items & 1u << i && items_table[i].value == item_highestmodseq)
            return true;
    return false;
}

void status_print(struct span name_wire, unsigned items, const struct mailbox_info *info,
                  struct session *s, struct buf *out)
{
    bool first = true;

    buf_put_cstr(out, "* STATUS ");
    buf_put_span(out, name_wire);
    buf_put_cstr(out, " (");
    for (size_t i = 0; i < ARRAY_LEN(items_table); i++)
        if (items & 1u << i) {
            if (!first)
                buf_putc(out, ' ');
            first = false;
            buf_put_cstr(out, items_table[i].name);
            buf_putc(out, ' ');
            if (items_table[i].value == item_mailboxid) {
                buf_putc(out, '(');
                objectid_mailbox(info->id, out);
                buf_putc(out, ')');
                continue;
            }
            buf_put_u64(out, items_table[i].value(info, s));
        }
    buf_put_cstr(out, ")\r\n");
}
