/* store_testing.h: what the tests of the store share: a harness with two accounts, and short ways
 * to ask and to change. */
#ifndef STORE_STORE_TESTING_H
#define STORE_STORE_TESTING_H

#include "store/store_harness.h"
#include "unit/unit.h"

#include "base/check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HELPER __attribute__((unused)) static
#define ALICE UINT64_C(16)
#define BOB UINT64_C(17)

HELPER struct store_harness *h;
HELPER struct store *s;
HELPER struct buf alice = BUF(STORE_GRANT_MAX), bob = BUF(STORE_GRANT_MAX);

HELPER void with_store(void (*fn)(void *arg))
{
    struct loop *l = loop_new();

    h = store_harness_new(l);
    s = store_harness_store(h);
    store_harness_mx(h);
    store_harness_relay(h);
    CHECK(store_harness_account(h, ALICE) == 0);
    CHECK(store_harness_account(h, BOB) == 0);
    buf_clear(&alice);
    buf_clear(&bob);
    store_harness_grant(h, ALICE, GRANT_MAIL | GRANT_SUBMIT | GRANT_POST, &alice);
    store_harness_grant(h, BOB, GRANT_MAIL, &bob);
    store_harness_run(h, fn, NULL);
    store_harness_free(h);
    loop_free(l);
}

HELPER uint64_t mailbox(uint64_t account, const char *name)
{
    struct mailbox_info m;
    struct store_read r;
    uint64_t id = 0;

    if (store_read_begin(s, &r) != 0)
        return 0;
    if (store_mailbox_find(&r, account, span_cstr(name), &m) == 0)
        id = m.id;
    store_read_end(&r);
    return id;
}

HELPER struct mailbox_info info(uint64_t id)
{
    struct mailbox_info m = {0};
    struct store_read r;

    if (store_read_begin(s, &r) != 0)
        return m;
    if (store_mailbox_get(&r, id, &m) != 0)
        m.id = 0;
    store_read_end(&r);
    return m;
}

HELPER bool message(uint64_t id, uint32_t uid, struct message_info *ret)
{
    struct store_read r;
    bool found;

    if (store_read_begin(s, &r) != 0)
        return false;
    found = store_message_get(&r, id, uid, ret) == 0;
    store_read_end(&r);
    return found;
}

HELPER struct store_body *body_in(struct store *to, struct span text)
{
    struct store_body *b = NULL;

    CHECK(store_body_begin(to, 0, 60 << 20, &b) == 0);
    CHECK(store_body_write(b, text) == 0);
    CHECK(store_body_finish(b) == 0);
    return b;
}

HELPER struct span mail(const char *subject, char *room, size_t size)
{
    int n = snprintf(room, size,
                     "From: a@example.org\r\nTo: b@example.org\r\nSubject: %s\r\n"
                     "Message-ID: <%s@example.org>\r\nDate: Tue, 24 Nov 2026 05:29:00 +0000\r\n\r\n"
                     "The text of %s.\r\n",
                     subject, subject, subject);
    return span_of(room, (size_t)n);
}

HELPER int append(uint64_t box, const char *subject, uint64_t flags, struct store_appended *ret)
{
    char room[1024];
    struct store_body *b = body_in(s, mail(subject, room, sizeof(room)));
    struct store_append a = {
        .grant = buf_span(&alice), .mailbox = box, .flags = flags, .received_seconds = 1000};
    int err = store_append(s, b, &a, ret);

    store_body_free(b);
    return err;
}

HELPER void uids_of(uint64_t id, struct rangeset *ret)
{
    struct store_read r;

    rangeset_clear(ret);
    if (store_read_begin(s, &r) == 0) {
        store_uids(&r, id, ret);
        store_read_end(&r);
    }
}

HELPER void expect_uids(uint64_t id, const char *want)
{
    struct rangeset u = RANGESET_EMPTY;
    struct buf b = BUF(4096);

    uids_of(id, &u);
    rangeset_print(&u, &b);
    EXPECT_SPAN(buf_span(&b), span_cstr(want));
    rangeset_done(&u);
    buf_done(&b);
}

HELPER struct rangeset set(const char *text)
{
    struct rangeset u = RANGESET_EMPTY;
    CHECK(rangeset_parse(span_cstr(text), UINT32_MAX, 1000, &u));
    return u;
}

HELPER int flag(uint64_t box, const char *uids, enum store_flag_op op, uint64_t flags,
                uint64_t since, struct rangeset *modified, uint64_t *modseq)
{
    struct rangeset u = set(uids);
    struct store_flags f = {.grant = buf_span(&alice),
                            .mailbox = box,
                            .uids = &u,
                            .op = op,
                            .flags = flags,
                            .unchanged_since = since};
    int err = store_flags(s, &f, modified, modseq);

    rangeset_done(&u);
    return err;
}

#endif
