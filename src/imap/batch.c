#include "imap/batch.h"

#include "imap/state.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

/* Past that many messages to skip, a new cursor is cheaper than going on with the old one. */
enum { SKIP_MAX = 16 };

struct batch *batch_new(void)
{
    struct batch *b = malloc(sizeof *b);

    CHECK(b);
    b->n = b->missing = 0;
    b->with_keywords = false;
    b->keywords.n = 0;
    return b;
}

void batch_free(struct batch *b)
{
    free(b);
}

struct reader {
    struct store_read *read;
    uint64_t mailbox;
    struct store_cursor cursor;
    bool open, end;
    uint32_t at; /* UID that lies in *info; 0: none */
};

static bool reader_step(struct reader *r, struct message_info *info)
{
    r->end = !store_cursor_next(&r->cursor, info);
    r->at = r->end ? 0 : info->uid;
    return !r->end;
}

/* The message `uid` into *info, which must be the same object (or a copy of it) in ascending calls.
 */
static bool reader_get(struct reader *r, uint32_t uid, struct message_info *info)
{
    if (r->open && (r->end || (r->at && r->at > uid)))
        return false;
    if (r->open && uid - r->at > SKIP_MAX) {
        store_cursor_close(&r->cursor);
        r->open = false;
    }
    if (!r->open) {
        if (store_cursor_open(r->read, r->mailbox, uid, &r->cursor) < 0)
            return false;
        r->open = true;
        r->at = 0;
    }
    while (r->at < uid)
        if (!reader_step(r, info))
            return false;
    return r->at == uid;
}

static void fill(struct reader *r, struct view_walk *w, size_t max, struct batch *b,
                 uint64_t *ret_flags)
{
    uint32_t number, uid;
    struct message_info ahead = {0}; /* read, but not of a message that is asked for */

    while (b->n < max && view_walk_next(w, &number, &uid)) {
        if (r->at && r->at == uid)
            b->message[b->n] = ahead;
        else if (!reader_get(r, uid, &b->message[b->n])) {
            if (r->at)
                ahead = b->message[b->n];
            b->missing++;
            continue;
        }
        b->number[b->n] = number;
        *ret_flags |= b->message[b->n].flags;
        b->n++;
    }
}

int batch_next(struct session *s, struct view_walk *w, size_t max, struct batch *b)
{
    uint64_t flags = 0, mailbox = imap_of(s)->mailbox;
    struct view_walk rest = *w;
    struct store_read read;
    uint32_t number, uid;

    b->n = 0;
    if (!view_walk_next(&rest, &number, &uid))
        return 0; /* no snapshot is taken only to find that it is not needed */
    int r = imap_read_begin(s, &read);
    if (r < 0)
        return r;
    if (!imap_may_read(s, &read)) {
        store_read_end(&read);
        return -EACCES;
    }

    struct reader reader = {.read = &read, .mailbox = mailbox};
    fill(&reader, w, max < BATCH_MAX ? max : BATCH_MAX, b, &flags);
    if (reader.open)
        store_cursor_close(&reader.cursor);
    if (b->with_keywords || flags >> 8)
        keywords_read(&read, mailbox, &b->keywords);
    store_read_end(&read);
    return b->n > 0;
}
