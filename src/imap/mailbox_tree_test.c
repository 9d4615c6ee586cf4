#include "imap/mailbox_tree.h"

#include "base/check.h"
#include "unit/unit.h"

#include <errno.h>

/* the store's side of mailbox_tree_read */
static const struct fake {
    uint64_t account;
    const char *name;
    uint32_t attributes;
} fake_mailboxes[] = {
    {16,                   "INBOX",       0                },
    {16,                   "Sent",        MAILBOX_SENT     },
    {16,                   "a",           0                },
    {16,                   "a b",         0                },
    {16,                   "a/x",         0                },
    {16,                   "INBOX/sub",   0                },
    {16,                   "no",          MAILBOX_NOSELECT },
    {16,                   "no/yes",      0                },
    {17,                   "other",       0                },
    {17,                   "told/deep",   0                },
    {STORE_ACCOUNT_PUBLIC, "comp.lang.c", MAILBOX_NEWSGROUP},
};

int store_mailbox_each(struct store_read *r, uint64_t account,
                       bool (*fn)(const struct mailbox_info *m, void *arg), void *arg)
{
    for (size_t i = 0; i < ARRAY_LEN(fake_mailboxes); i++) {
        struct mailbox_info m = {.id = i + 1,
                                 .account = account,
                                 .name = span_cstr(fake_mailboxes[i].name),
                                 .attributes = fake_mailboxes[i].attributes};
        if (fake_mailboxes[i].account == account && !fn(&m, arg))
            return 0;
    }
    return 0;
}

int store_subscription_each(struct store_read *r, uint64_t account,
                            bool (*fn)(uint64_t folder_account, struct span name, void *arg),
                            void *arg)
{
    if (account != 16)
        return -ENOENT;
    return fn(16, SPAN("a/x"), arg) && fn(16, SPAN("gone/below"), arg) &&
                   fn(17, SPAN("other"), arg) && fn(17, SPAN("told/deep"), arg) &&
                   fn(17, SPAN("gone"), arg) && fn(STORE_ACCOUNT_PUBLIC, SPAN("comp.lang.c"), arg)
               ? 0
               : 0;
}

/* What bob shares: "other" may be looked up, "told/deep" may not. */
uint32_t store_acl_rights(struct store_read *r, const struct mailbox_info *m, const struct grant *g)
{
    return m->account == 17 && m->id != 9 ? 0 : ACL_LOOKUP;
}

int store_shared_each(struct store_read *r, const struct grant *g, uint32_t rights,
                      bool (*fn)(const struct mailbox_info *m, void *arg), void *arg)
{
    EXPECT_INT(rights, ACL_LOOKUP);
    return store_mailbox_each(r, 17, fn, arg);
}

int store_address_get(struct store_read *r, uint64_t account, struct span *ret)
{
    *ret = SPAN("bob@example.test");
    return account == 17 ? 0 : -ENOENT;
}

int store_mailbox_find(struct store_read *r, uint64_t account, struct span name,
                       struct mailbox_info *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(fake_mailboxes); i++)
        if (fake_mailboxes[i].account == account && span_eq_cstr(name, fake_mailboxes[i].name)) {
            *ret = (struct mailbox_info){.id = i + 1, .account = account};
            return 0;
        }
    return -ENOENT;
}

/* "name" with: e exists, s selectable, u subscribed, c children */
static void describe(const struct mailbox_tree *t, struct buf *out)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct mailbox_node *n = &t->v[i];
        buf_put_span(out, n->name);
        buf_printf(out, ":%s%s%s%s ", n->exists ? "e" : "", n->selectable ? "s" : "",
                   n->subscribed ? "u" : "", n->children ? "c" : "");
    }
}

TEST(read)
{
    struct mailbox_tree t;
    struct store_read r = {0};
    struct buf b BUF_AUTO = BUF(4096);

    EXPECT_INT(
        mailbox_tree_read(&t, &r, &(struct grant){.account = 16, .rights = GRANT_MAIL}, TREE_ALL),
        0);
    describe(&t, &b);
    EXPECT_SPAN(buf_span(&b),
                SPAN("INBOX:esc INBOX/sub:es Other Users:c Other Users/bob@example.test:c "
                     "Other Users/bob@example.test/other:esu Public:c Public/comp.lang.c:esu "
                     "Sent:es a:esc a/x:esu a b:es "
                     "gone: gone/below:u no:ec no/yes:es "));
    mailbox_tree_done(&t);

    buf_clear(&b);
    EXPECT_INT(mailbox_tree_read(&t, &r, &(struct grant){.account = 16, .rights = GRANT_MAIL},
                                 TREE_SUBSCRIPTIONS),
               0);
    describe(&t, &b);
    EXPECT_SPAN(buf_span(&b), SPAN("Other Users: Other Users/bob@example.test: "
                                   "Other Users/bob@example.test/other:u "
                                   "Public: Public/comp.lang.c:u a: a/x:u gone: gone/below:u "));
    mailbox_tree_done(&t);
}

static bool is_leaf(const struct mailbox_node *n, const void *arg)
{
    return span_eq_cstr(n->name, arg);
}

TEST(selected_below)
{
    struct mailbox_tree t;
    struct buf b BUF_AUTO = BUF(4096);

    mailbox_tree_init(&t);
    for (size_t i = 0; i < 3; i++)
        mailbox_tree_add(&t, span_cstr((const char *[]){"a/b/c", "a/b/d", "ab"}[i]));
    mailbox_tree_build(&t);
    mailbox_tree_select(&t, is_leaf, "a/b/d");
    for (size_t i = 0; i < t.n; i++)
        buf_printf(&b, "%.*s:%d%d ", SPAN_ARG(t.v[i].name), t.v[i].selected, t.v[i].selected_below);
    EXPECT_SPAN(buf_span(&b), SPAN("a:01 a/b:01 a/b/c:00 a/b/d:10 ab:00 "));
    mailbox_tree_done(&t);
}
