/* A worker that was taken over: what stored does with requests that make no sense. */
#include "store/store_testing.h"

#include "store/service.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

static struct service *service;
static struct link *near, *far;
static char root[64];
static struct loop *loop;

static void far_closed(void *arg, struct link *l)
{
    far = NULL;
    service_link_gone(service, l);
}

static void near_closed(void *arg, struct link *l)
{
    near = NULL;
}

/* says: what the worker's end lets it send, which a broken worker decides itself */
static void connect_as(enum role role, enum role says)
{
    static struct link_ops near_ops = {NULL, near_closed, NULL};
    static const struct msg_handler none[] = {
        {0, NULL, false}
    };
    struct link_ops ops = {service_handlers, far_closed, service};
    int fds[2];

    near_ops.handlers = none;
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    near = link_new(loop, fds[0], says, ROLE_STORED, 0, &near_ops);
    far = link_new(loop, fds[1], ROLE_STORED, role, 0, &ops);
}

static int memory(size_t n, bool sealed)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    CHECK(fd >= 0 && ftruncate(fd, (off_t)n) == 0);
    if (sealed)
        CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    return fd;
}

static char *shared; /* the ring as the worker sees it */

static int attach(uint64_t client, uint32_t ring, size_t real, bool sealed)
{
    struct msg_attach a = {client, ring, 0, false};
    int fds[2] = {memory(real, sealed), memory(4096, true)};
    struct buf b = BUF(64);

    wr_attach(&b, &a);
    int err = link_call(near, MSG_STORE_ATTACH, buf_span(&b), fds, 2, 1000, NULL, NULL);
    shared = mmap(NULL, real, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    CHECK(shared != MAP_FAILED);
    close(fds[0]);
    close(fds[1]);
    buf_done(&b);
    return err;
}

static int send_append(const struct msg_append *a)
{
    struct buf b = BUF(LINK_PAYLOAD_MAX);

    wr_append(&b, a);
    int err = link_call(near, MSG_STORE_APPEND, buf_span(&b), NULL, 0, 5000, NULL, NULL);
    buf_done(&b);
    return err;
}

static void hostile(void *arg)
{
    struct grant g = {
        .account = ALICE, .rights = GRANT_MAIL, .epoch = 1, .expires_seconds = INT64_MAX};
    struct buf token = BUF(STORE_GRANT_MAX), b = BUF(LINK_PAYLOAD_MAX);

    grant_seal(&g, store_harness_secret, &token);
    /* Before anything is shared. */
    struct msg_item item = {
        .body.body = {AREA_RING, 0, 10}
    };
    struct msg_append a = {
        {1, 1},
        buf_span(&token), 1, &item, 1, 0, 0
    };
    EXPECT_INT(send_append(&a), -ENOTCONN);
    EXPECT_INT(attach(0, 4096, 4096, true), -EINVAL);
    EXPECT_INT(attach(5, 8192, 4096, true), -EINVAL); /* says more than there is */
    EXPECT_INT(attach(5, 4096, 4096, false), -EPERM); /* could be cut under our eyes */
    EXPECT_INT(attach(5, 4096, 4096, true), 0);
    EXPECT_INT(attach(6, 4096, 4096, true), -EINVAL); /* once */
    static const struct {
        struct msg_blob body, summary;
        int want;
    } cases[] = {
        {{AREA_RING, 0, 4096},       {AREA_RING, 4096, 0}, 0       },
        {{AREA_RING, 1, 4096},       {AREA_RING, 0, 0},    -EINVAL },
        {{AREA_RING, UINT64_MAX, 2}, {AREA_RING, 0, 0},    -EINVAL },
        {{AREA_RING, 0, UINT32_MAX}, {AREA_RING, 0, 0},    -EINVAL },
        {{AREA_SPOOL, 0, 1},         {AREA_RING, 0, 0},    -EINVAL },
        {{AREA_RING, 0, 1},          {AREA_RING, 4095, 2}, -EINVAL },
        {{7, 0, 1},                  {AREA_RING, 0, 0},    -EINVAL },
        {{AREA_RING, 0, 1},          {AREA_RING, 4095, 1}, -EBADMSG},
        {{AREA_RING, 0, 1},          {AREA_RING, 4096, 0}, 0       },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        a.head = (struct msg_head){10 + i, 10 + i};
        item.body.body = cases[i].body;
        item.body.summary = cases[i].summary;
        EXPECT_INT(send_append(&a), cases[i].want);
    }
    /* The same number again: the first answer, and no second message. */
    EXPECT_INT(send_append(&a), 0);
    /* Random bytes as any request. */
    static const enum msg_id kinds[] = {
        MSG_STORE_APPEND, MSG_STORE_DELIVER,        MSG_STORE_FLAGS,          MSG_STORE_EXPUNGE,
        MSG_STORE_COPY,   MSG_STORE_MAILBOX_CREATE, MSG_STORE_MAILBOX_RENAME, MSG_STORE_SUBSCRIBE};
    for (int i = 0; i < 300; i++) {
        buf_clear(&b);
        wr_u64(&b, 100 + (unsigned)i);
        wr_u64(&b, i % 5 ? 100 + (unsigned)i : MSG_INDIRECT);
        if (i % 2)
            wr_span(&b, buf_span(&token));
        for (unsigned n = (unsigned)(unit_random() % 60); n > 0; n--)
            wr_u8(&b, (uint8_t)unit_random());
        int err = link_call(near, kinds[unit_random() % ARRAY_LEN(kinds)], buf_span(&b), NULL, 0,
                            5000, NULL, NULL);
        EXPECT(err <= 0 && err != -EPIPE && err != -ETIMEDOUT && err != -EIO);
    }
    EXPECT_INT(service_engine(service)->failed, false);
    struct mbox *m = map64_get(service_engine(service)->mailboxes, 1);
    EXPECT(m && m->row.messages == 2);
    buf_done(&token);
    buf_done(&b);
}

static struct span sealed(struct buf *b, uint64_t account, uint32_t rights, int64_t expires,
                          const unsigned char *secret)
{
    struct grant g = {.account = account, .rights = rights, .epoch = 1, .expires_seconds = expires};
    buf_clear(b);
    grant_seal(&g, secret, b);
    return buf_span(b);
}

/* Texts of a block go to whoever reads the message: those that would speak for the server are
 * refused, and so is a word as keyword that is none. */
static void forged_texts(void *arg)
{
    static const char *const forged = "INBOX\r\na1 OK [ALERT] x";
    struct buf token BUF_AUTO = BUF(STORE_GRANT_MAX), block BUF_AUTO = BUF(4096);
    struct span body = SPAN("Subject: a subject of some length\r\n\r\ntext\r\n");
    struct span keyword = SPAN("$Good");
    struct msg_item item = {.body = {.body = {AREA_RING, 0, (uint32_t)body.n}}};
    struct msg_append a = {
        {1, 1},
        sealed(&token, ALICE, GRANT_MAIL, INT64_MAX, store_harness_secret), 1, &item, 1, 0,
        0
    };

    EXPECT_INT(attach(5, 8192, 8192, true), 0);
    memcpy(shared, body.p, body.n);
    CHECK(summary_make(body, NULL, &block) == 0);
    item.body.summary = (struct msg_blob){AREA_RING, 4096, (uint32_t)block.n};
    memcpy(shared + 4096, block.p, block.n);
    EXPECT_INT(send_append(&a), 0);
    /* into the subject of the ENVELOPE, at the same length */
    size_t at = span_find_span(buf_span(&block), SPAN("subject of some length"));
    REQUIRE(at != SPAN_NONE);
    memcpy(shared + 4096 + at, forged, 22);
    a.head = (struct msg_head){2, 2};
    EXPECT_INT(send_append(&a), -EBADMSG);
    /* a good block, of another message */
    memcpy(shared + 4096, block.p, block.n);
    item.body.body.bytes--;
    a.head = (struct msg_head){3, 3};
    EXPECT_INT(send_append(&a), -EBADMSG);
    item.body.body.bytes++;
    item.keywords = &keyword;
    item.keyword_count = 1;
    a.head = (struct msg_head){4, 4};
    EXPECT_INT(send_append(&a), 0);
    static const struct span bad[] = {SPAN("x) UID 1\r\na1 OK"),
                                      SPAN("a b"),
                                      SPAN("\\Recent"),
                                      SPAN("a\""),
                                      SPAN("\xff"),
                                      SPAN("")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        keyword = bad[i];
        a.head = (struct msg_head){10 + i, 10 + i};
        EXPECT_INT(send_append(&a), -EINVAL);
    }
    struct mbox *m = map64_get(service_engine(service)->mailboxes, 1);
    EXPECT(m && m->row.messages == 2);
}

/* What relayd would say to another server for mx. */
static void forged_paths(void *arg)
{
    static const struct {
        const char *what;
        struct span sender, envid, orcpt, address;
        int want;
    } rows[] = {
        {"good",    SPAN("a@b"),                  SPAN("x"),      SPAN("rfc822;c@d"),   SPAN("c@d"),   0      },
        {"sender",  SPAN("a@b>\r\nRCPT TO:<v@w"), SPAN(""),       SPAN(""),             SPAN("c@d"),   -EINVAL},
        {"envid",   SPAN("a@b"),                  SPAN("x\r\ny"), SPAN(""),             SPAN("c@d"),   -EINVAL},
        {"orcpt",   SPAN("a@b"),                  SPAN(""),       SPAN("rfc822;\nc@d"), SPAN("c@d"),   -EINVAL},
        {"address", SPAN("a@b"),                  SPAN(""),       SPAN(""),             SPAN("c@d\r"), -EINVAL},
        {"NUL",     SPAN("a@b\0"),                SPAN(""),       SPAN(""),             SPAN("c@d"),   -EINVAL},
    };
    EXPECT_INT(attach(5, 4096, 4096, true), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
        struct store_recipient to = {.kind = RECIPIENT_INBOX,
                                     .id = ALICE,
                                     .address = rows[i].address,
                                     .orcpt = rows[i].orcpt};
        struct msg_deliver d = {
            .head = {1 + i, 1 + i},
              .body.body = { AREA_RING,    0,    10}
        };
        d.d = (struct store_delivery){
            .sender = rows[i].sender, .envid = rows[i].envid, .recipients = &to, .count = 1};
        wr_deliver(&b, &d);
        unit_case(rows[i].what);
        EXPECT_INT(link_call(near, MSG_STORE_DELIVER, buf_span(&b), NULL, 0, 5000, NULL, NULL),
                   rows[i].want);
    }
}

/* Who may: the right account, the right secret, in time. */
static void grants(void *arg)
{
    static const unsigned char other[GRANT_SECRET_BYTES] = {1};
    struct buf token BUF_AUTO = BUF(STORE_GRANT_MAX);
    struct msg_item item = {
        .body.body = {AREA_RING, 0, 10}
    };
    struct msg_append a = {.mailbox = 1, .items = &item, .count = 1};
    static const struct {
        const char *what;
        uint64_t account;
        uint32_t rights;
        int64_t expires;
        bool forged;
        int want;
    } rows[] = {
        {"good",            ALICE,     GRANT_MAIL,   INT64_MAX, false, 0      },
        {"another account", ALICE + 1, GRANT_MAIL,   INT64_MAX, false, -EACCES},
        {"no right",        ALICE,     GRANT_SUBMIT, INT64_MAX, false, -EACCES},
        {"expired",         ALICE,     GRANT_MAIL,   1,         false, -EACCES},
        {"another secret",  ALICE,     GRANT_MAIL,   INT64_MAX, true,  -EACCES},
    };
    EXPECT_INT(attach(5, 4096, 4096, true), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].what);
        a.head = (struct msg_head){1 + i, 1 + i};
        a.grant = sealed(&token, rows[i].account, rows[i].rights, rows[i].expires,
                         rows[i].forged ? other : store_harness_secret);
        EXPECT_INT(send_append(&a), rows[i].want);
    }
    /* every bit of a token counts */
    sealed(&token, ALICE, GRANT_MAIL, INT64_MAX, store_harness_secret);
    for (size_t i = 0; i < token.n; i++) {
        token.p[i] ^= 1;
        a.head = (struct msg_head){100 + i, 100 + i};
        a.grant = buf_span(&token);
        EXPECT_INT(send_append(&a), -EACCES);
        token.p[i] ^= 1;
    }
    a.head = (struct msg_head){999, 999};
    a.grant = span_head(buf_span(&token), token.n - 1);
    EXPECT_INT(send_append(&a), -EACCES);
}

/* What only access may is no message from mx at all: the link is closed before any handler. */
static void stranger(void *arg)
{
    struct buf token BUF_AUTO = BUF(STORE_GRANT_MAX);
    struct msg_item item = {
        .body.body = {AREA_RING, 0, 10}
    };
    struct msg_append a = {
        {1, 1},
        sealed(&token, ALICE, GRANT_MAIL, INT64_MAX, store_harness_secret), 1, &item, 1, 0,
        0
    };
    EXPECT_INT(attach(5, 4096, 4096, true), 0);
    EXPECT_INT(send_append(&a), -EPIPE);
    EXPECT(!far);
    struct mbox *m = map64_get(service_engine(service)->mailboxes, 1);
    EXPECT(!m || m->row.messages == 0);
}

/* A queue belongs to the one that leased from it. */
static void foreign_lease(void *arg)
{
    struct buf b = BUF(64);
    int fd = -1;

    EXPECT_INT(attach(9, 4096, 4096, true), 0);
    wr_u64(&b, 1);
    EXPECT_INT(link_call(near, MSG_STORE_QUEUE_BODY, buf_span(&b), NULL, 0, 1000, NULL, &fd),
               -EACCES);
    buf_done(&b);
}

static void nothing(void *arg)
{
}

struct run {
    void (*fn)(void *arg);
};

static void in_fiber(void *arg)
{
    struct run *r = arg;

    r->fn(NULL);
    while (service_busy(service))
        fiber_sleep_ms(1);
    loop_stop(loop);
}

static void with_service(enum role role, enum role says, void (*fn)(void *arg))
{
    struct engine_options o = {.root = root,
                               .map_bytes = UINT64_C(1) << 30,
                               .log_file_bytes = 1 << 20,
                               .grant_secret = store_harness_secret};
    struct msg_account account = {
        {1,    1},
        ALICE, 1, 0, ACCOUNT_ENABLED, {NULL, 0}
    };
    struct buf b = BUF(256), answer = BUF(256);
    struct run r = {fn};
    struct engine *e;
    struct err err;
    char command[100];

    strcpy(root, "/tmp/sealpost-service-XXXXXX");
    CHECK(mkdtemp(root));
    CHECK(engine_open(&e, &o, &err) == 0);
    wr_account(&b, &account);
    struct intent i = {
        .role = ROLE_AUTHD, .kind = MSG_STORE_ACCOUNT, .payload = buf_span(&b), .answer = &answer};
    CHECK(engine_run(e, &i) == 0);
    buf_done(&b);
    buf_done(&answer);
    loop = loop_new();
    loop_threads(3);
    service = service_new(loop, e);
    connect_as(role, says);
    fiber_start(loop, in_fiber, &r, "test");
    loop_run(loop);
    if (far)
        service_link_gone(service, far);
    link_free(near);
    link_free(far);
    fiber_start(loop, in_fiber, &(struct run){nothing}, "end");
    loop_run(loop);
    service_free(service);
    loop_free(loop);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    CHECK(system(command) == 0);
}

TEST(hostile)
{
    with_service(ROLE_ACCESS, ROLE_ACCESS, hostile);
}

TEST(foreign_lease)
{
    with_service(ROLE_RELAYD, ROLE_RELAYD, foreign_lease);
}

TEST(forged_texts)
{
    with_service(ROLE_ACCESS, ROLE_ACCESS, forged_texts);
}

TEST(grants)
{
    with_service(ROLE_ACCESS, ROLE_ACCESS, grants);
}

TEST(stranger)
{
    with_service(ROLE_MX, ROLE_ACCESS, stranger);
}

TEST(forged_paths)
{
    with_service(ROLE_MX, ROLE_MX, forged_paths);
}
