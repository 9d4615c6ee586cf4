#include "pop3/maildrop.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

static int read_messages(struct maildrop *d, struct store_read *r, const struct mailbox_info *box)
{
    struct store_cursor c;
    struct message_info m;
    int err = store_cursor_open(r, box->id, 1, &c);
    if (err < 0)
        return err;
    size_t room = (size_t)box->messages + 16;
    d->messages = malloc(room * sizeof(*d->messages));
    CHECK(d->messages);
    while (store_cursor_next(&c, &m)) {
        if (d->count == room) {
            room *= 2;
            d->messages = realloc(d->messages, room * sizeof(*d->messages));
            CHECK(d->messages);
        }
        d->messages[d->count++] = (struct drop_message){.uid = m.uid, .size = m.size};
    }
    store_cursor_close(&c);
    return 0;
}

int maildrop_open(struct maildrop *d, struct store *s, uint64_t account)
{
    struct store_read r;
    struct mailbox_info box;
    int err = store_read_begin(s, &r);
    if (err < 0)
        return err;
    *d = (struct maildrop){0};
    err = store_mailbox_find(&r, account, SPAN(STORE_INBOX), &box);
    if (err == 0) {
        d->mailbox = box.id;
        d->uidvalidity = box.uidvalidity;
        err = read_messages(d, &r, &box);
    }
    store_read_end(&r);
    d->open = err == 0;
    return err;
}

void maildrop_close(struct maildrop *d)
{
    free(d->messages);
    *d = (struct maildrop){0};
}

void maildrop_totals(const struct maildrop *d, uint32_t *ret_count, uint64_t *ret_bytes)
{
    uint32_t count = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->messages[i].deleted)
            continue;
        count++;
        bytes += d->messages[i].size;
    }
    *ret_count = count;
    *ret_bytes = bytes;
}

struct drop_message *maildrop_get(struct maildrop *d, uint64_t number)
{
    if (number < 1 || number > d->count || d->messages[number - 1].deleted)
        return NULL;
    return &d->messages[number - 1];
}

int maildrop_remove_marked(struct maildrop *d, struct store *s, struct span grant)
{
    struct rangeset marked = RANGESET_EMPTY, gone = RANGESET_EMPTY;
    int err = 0;

    for (uint32_t i = 0; i < d->count; i++)
        if (d->messages[i].deleted)
            rangeset_add(&marked, d->messages[i].uid, d->messages[i].uid);
    if (marked.n)
        err = store_expunge(s, grant, d->mailbox, &marked, false, &gone);
    rangeset_done(&marked);
    rangeset_done(&gone);
    return err;
}
