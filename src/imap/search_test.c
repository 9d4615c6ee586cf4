#include "imap/search.h"

#include "base/check.h"
#include "unit/unit.h"

#include <errno.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ one message, as the store
 * would give it */
static const char prefix[] = "Delivered-To: me@example.org\r\n";
static const char body[] =
    "From: Ann <ann@example.org>\r\nTo: b@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from "
    "home\r\n"
    "Date: Wed, 17 Jul 1996 23:30:00 -0700\r\nX-Empty:\r\nContent-Transfer-Encoding: "
    "quoted-printable\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nThe caf=C3=A9 is open.\r\n";
static struct span fake_body = SPAN_EMPTY; /* instead of `body` */
static bool fake_unreadable;
static uint64_t bytes_read;
static unsigned body_reads, summary_reads;

int store_summary(struct store *s, const struct message_info *m, struct arena *a,
                  struct summary *ret)
{
    struct buf block BUF_AUTO = BUF(1 << 20);

    summary_reads++;
    if (fake_unreadable || summary_make(fake_body.p ? fake_body : span_cstr(body),
                                        &message_limits_default, &block) < 0)
        return -EIO;
    return summary_open(arena_span(a, buf_span(&block)), ret) ? 0 : -EIO;
}

int store_message_read(struct store *s, const struct message_info *m, uint64_t offset, size_t n,
                       struct buf *out)
{
    struct buf whole BUF_AUTO = BUF(16 << 20);

    if (fake_unreadable)
        return -EIO;
    buf_put_cstr(&whole, prefix);
    buf_put_span(&whole, fake_body.p ? fake_body : span_cstr(body));
    bytes_read += n;
    if (offset + n == whole.n)
        body_reads++;
    buf_put_span(out, span_sub(buf_span(&whole), (size_t)offset, n));
    return 0;
}

unsigned store_mailbox_keywords(struct store_read *r, uint64_t mailbox,
                                struct span names[STORE_KEYWORDS_MAX])
{
    return 0;
}

static struct message_info info;
static bool
    fake_moves; /* the message lies in file 2, and who looks for it in file 1 must look again */
int store_read_begin(struct store *s, struct store_read *ret)
{
    return fake_moves ? 0 : -EAGAIN;
}
void store_read_end(struct store_read *r)
{
}
int store_message_get(struct store_read *r, uint64_t mailbox, uint32_t uid,
                      struct message_info *ret)
{
    *ret = info;
    ret->body_file = 2;
    return 0;
}

static struct message_info info = {
    .uid = 30,
    .flags = STORE_SEEN | STORE_KEYWORD(1),
    .received_seconds = 837596665 /* 17-Jul-1996 02:44:25 -0700 */,
    .received_zone = -420,
    .size = sizeof prefix - 1 + sizeof body - 1,
    .prefix_bytes = sizeof prefix - 1,
    .body_bytes = sizeof body - 1,
};

static struct view *test_view(void)
{
    struct rangeset uids = RANGESET_EMPTY;

    rangeset_add(&uids, 10, 10);
    rangeset_add(&uids, 20, 20);
    rangeset_add(&uids, 30, 32);
    return view_new(1, 1, &uids);
}

enum outcome { NO, YES, BAD, COMPLEX };

static enum outcome run(struct span text)
{
    struct view *v = test_view();
    struct rangeset saved = RANGESET_EMPTY;
    struct arena *a = arena_new(4 << 20);
    struct search_context x = {v, &saved};
    struct search_program p;
    struct keywords k = {
        .n = 2, .name = {SPAN("$Junk"), SPAN("Work")}
    };
    enum outcome o = BAD;

    rangeset_add(&saved, 30, 30);
    rangeset_add(&saved, 99, 99);
    switch (search_parse(&text, a, &x, &p)) {
    case SEARCH_OK: {
        struct search_message m;
        search_message_init(&m, NULL);
        search_keywords(&p, &k);
        o = search_match(&p, &m, &info) ? YES : NO;
        EXPECT(search_match(&p, &m, &info) == (o == YES)); /* again, with what was read forgotten */
        search_message_done(&m);
        break;
    }
    case SEARCH_TOO_COMPLEX:
        o = COMPLEX;
        break;
    case SEARCH_SYNTAX:
        break;
    }
    search_done(&p);
    arena_free(a);
    rangeset_done(&saved);
    view_unref(v);
    return o;
}

TEST(keys)
{
    static const struct {
        const char *text;
        enum outcome want;
    } rows[] = {
        {"ALL",                                     YES},
        {"all",                                     YES},
        {"NEW",                                     NO },
        {"RECENT",                                  NO },
        {"OLD",                                     YES},
        {"SEEN",                                    YES},
        {"UNSEEN",                                  NO },
        {"ANSWERED",                                NO },
        {"UNANSWERED",                              YES},
        {"DELETED",                                 NO },
        {"UNDELETED",                               YES},
        {"DRAFT",                                   NO },
        {"UNDRAFT",                                 YES},
        {"FLAGGED",                                 NO },
        {"UNFLAGGED",                               YES},
        {"KEYWORD work",                            YES},
        {"KEYWORD $Junk",                           NO },
        {"KEYWORD none",                            NO },
        {"UNKEYWORD none",                          YES},
        {"UNKEYWORD Work",                          NO },
        {"LARGER 10",                               YES},
        {"SMALLER 10",                              NO },
        {"LARGER 99999999999",                      NO },
        {"ON 17-Jul-1996",                          YES},
        {"BEFORE 17-Jul-1996",                      NO },
        {"BEFORE 18-Jul-1996",                      YES},
        {"SINCE 17-Jul-1996",                       YES},
        {"SINCE \"18-Jul-1996\"",                   NO },
 /* 23:30 -0700 is the 18th in Greenwich, but the 17th where it was written */
        {"SENTON 17-Jul-1996",                      YES},
        {"SENTON 18-Jul-1996",                      NO },
        {"SENTBEFORE 18-Jul-1996",                  YES},
        {"SENTSINCE 17-Jul-1996",                   YES},
        {"SENTSINCE 18-Jul-1996",                   NO },
        {"UID 30",                                  YES},
        {"UID 10:20",                               NO },
        {"UID 31:*",                                NO },
        {"UID 1:*",                                 YES},
        {"UID $",                                   YES},
        {"$",                                       YES},
        {"NOT $",                                   NO },
        {"3",                                       YES},
        {"1:2",                                     NO },
        {"5:3",                                     YES},
        {"*",                                       NO },
        {"1,3",                                     YES},
        {"7",                                       NO },
        {"FROM ann",                                YES},
        {"FROM \"ANN@\"",                           YES},
        {"FROM home",                               NO },
        {"TO example.net",                          YES},
        {"CC x",                                    NO },
        {"BCC \"\"",                                NO },
        {"SUBJECT gr\"",                            BAD},
        {"SUBJECT {7}\r\ngr\xc3\xbc\xc3\x9f"
         "e",                              YES},
        {"SUBJECT \"Gr\xc3\x9c\xc3\x9f\"",          YES},
        {"SUBJECT nothing",                         NO },
        {"HEADER X-Empty \"\"",                     YES},
        {"HEADER X-None \"\"",                      NO },
        {"HEADER \"delivered-to\" me@",             YES},
        {"HEADER Subject home",                     YES},
        {"BODY \"CAF\xc3\x89\"",                    YES},
        {"BODY from",                               NO },
        {"BODY caf=C3",                             NO },
        {"TEXT from",                               YES},
        {"TEXT caf\xc3\xa9",                        BAD},
        {"TEXT \"caf\xc3\xa9\"",                    YES},
        {"TEXT Delivered-To",                       YES},
        {"TEXT nowhere",                            NO },
        {"NOT SEEN",                                NO },
        {"NOT NOT SEEN",                            YES},
        {"OR SEEN DELETED",                         YES},
        {"OR DELETED DRAFT",                        NO },
        {"OR (DELETED SEEN) (SEEN ON 17-Jul-1996)", YES},
        {"SEEN UNDELETED",                          YES},
        {"SEEN DELETED",                            NO },
        {"(SEEN)",                                  YES},
        {"((SEEN) NOT (DELETED))",                  YES},
        {"NOT (SEEN FROM nobody)",                  YES},
        {"OR BODY open SEEN",                       YES},
        {"",                                        BAD},
        {"SEEN ",                                   BAD},
        {" SEEN",                                   BAD},
        {"(SEEN",                                   BAD},
        {"SEEN)",                                   BAD},
        {"()",                                      BAD},
        {"NOT",                                     BAD},
        {"OR SEEN",                                 BAD},
        {"NONSENSE",                                BAD},
        {"UID",                                     BAD},
        {"UID x",                                   BAD},
        {"UID 0",                                   BAD},
        {"FROM",                                    BAD},
        {"BEFORE 17-Jul",                           BAD},
        {"BEFORE 1996-07-17",                       BAD},
        {"LARGER x",                                BAD},
        {"LARGER -1",                               BAD},
        {"KEYWORD \\Seen",                          BAD},
        {"HEADER Subject",                          BAD},
        {"BODY \"\xff\"",                           BAD},
        {"1,",                                      BAD},
        {"1:",                                      BAD},
        {"SEEN  DELETED",                           BAD},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].text);
        EXPECT_INT(run(span_cstr(rows[i].text)), rows[i].want);
        for (size_t cut = 0; cut < strlen(rows[i].text); cut++)
            run(span_of(rows[i].text, cut));
    }
    unit_case(NULL);
}

TEST(limits)
{
    struct buf b BUF_AUTO = BUF(64 << 10);

    for (unsigned i = 1; i < SEARCH_DEPTH_MAX; i++)
        buf_put_cstr(&b, "NOT ");
    buf_put_cstr(&b, "UNSEEN");
    EXPECT_INT(run(buf_span(&b)), YES); /* an odd number of NOTs */
    buf_clear(&b);
    for (unsigned i = 0; i < SEARCH_DEPTH_MAX; i++)
        buf_put_cstr(&b, "NOT ");
    buf_put_cstr(&b, "SEEN");
    EXPECT_INT(run(buf_span(&b)), COMPLEX);
    buf_clear(&b);
    for (unsigned i = 0; i < 60000; i++)
        buf_putc(&b, '(');
    EXPECT_INT(run(buf_span(&b)), COMPLEX);
    buf_clear(&b);
    for (unsigned i = 0; i < SEARCH_NODES_MAX; i++)
        buf_put_cstr(&b, "SEEN ");
    buf_put_cstr(&b, "SEEN");
    EXPECT_INT(run(buf_span(&b)), COMPLEX);
    buf_clear(&b);
    for (unsigned i = 0; i < SEARCH_BODY_KEYS_MAX; i++)
        buf_put_cstr(&b, i ? " BODY open" : "BODY open");
    EXPECT_INT(run(buf_span(&b)), YES);
    buf_put_cstr(&b, " TEXT open");
    EXPECT_INT(run(buf_span(&b)), COMPLEX);
}

/* What the index decides is asked first, wherever it stands. */
TEST(cheap_first)
{
    body_reads = summary_reads = 0;
    EXPECT_INT(run(SPAN("BODY open FROM ann SENTON 17-Jul-1996 DELETED")), NO);
    EXPECT_INT(run(SPAN("OR BODY open SEEN")), YES);
    EXPECT_INT(run(SPAN("OR (BODY open FROM ann) (SENTON 17-Jul-1996 SEEN) LARGER 5")), YES);
    EXPECT_INT(body_reads, 0);
    EXPECT(summary_reads > 0);
    EXPECT_INT(run(SPAN("BODY open")), YES);
    EXPECT(body_reads > 0);
}

TEST(unreadable)
{
    fake_unreadable = true;
    EXPECT_INT(run(SPAN("BODY open")), NO);
    EXPECT_INT(run(SPAN("SENTON 17-Jul-1996")), NO);
    EXPECT_INT(run(SPAN("SEEN")), YES);
    fake_unreadable = false;
}

/* A text part, 4 MB of attachment, a message inside, another text part. */
TEST(large)
{
    static const struct {
        const char *text;
        enum outcome want;
    } rows[] = {
        {"BODY first",              YES},
        {"BODY second",             YES},
        {"BODY \"subject inside\"", YES},
        {"BODY AAAA",               NO },
        {"TEXT \"the top\"",        YES},
        {"BODY innermost",          YES},
        {"BODY nowhere",            NO },
    };
    struct buf b BUF_AUTO = BUF(8 << 20);
    struct message_info small = info;

    buf_put_cstr(&b,
                 "Subject: the top\r\nContent-Type: multipart/mixed; "
                 "boundary=B\r\n\r\n--B\r\n\r\nthe first text\r\n"
                 "--B\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    for (unsigned i = 0; i < 60000; i++)
        buf_put_cstr(&b, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n");
    buf_put_cstr(&b, "--B\r\nContent-Type: message/rfc822\r\n\r\nSubject: subject "
                     "inside\r\n\r\nthe innermost text\r\n--B\r\n\r\nthe second text\r\n--B--\r\n");
    fake_body = buf_span(&b);
    info.body_bytes = (uint32_t)b.n;
    info.size = info.prefix_bytes + info.body_bytes;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].text);
        bytes_read = 0;
        EXPECT_INT(run(span_cstr(rows[i].text)), rows[i].want);
        EXPECT(bytes_read < 10000);
    }
    unit_case(NULL);
    info = small;
    fake_body = SPAN_EMPTY;
}
