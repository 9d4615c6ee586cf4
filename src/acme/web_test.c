#include "acme/web.h"
#include "base/check.h"
#include "unit/unit.h"

#include "base/clock.h"
#include "loop/fiber.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* clang-format off */

TEST(urls)
{
    static const struct {
        const char *text;
        bool ok, tls;
        const char *host;
        unsigned port;
        const char *target;
    } rows[] = {
        {"https://ca.example/dir", true, true, "ca.example", 443, "/dir"},
        {"https://ca.example", true, true, "ca.example", 443, "/"},
        {"https://ca.example:14000/d?x=1&y", true, true, "ca.example", 14000, "/d?x=1&y"},
        {"http://[2001:db8::1]:8080/x", true, false, "2001:db8::1", 8080, "/x"},
        {"HTTPS://ca.example/dir", true, true, "ca.example", 443, "/dir"},
        {"https://user@ca.example/", false, false, "", 0, ""},
        {"https://ca.example:0/", false, false, "", 0, ""},
        {"https://ca.example:99999/", false, false, "", 0, ""},
        {"https://ca.example/a b", false, false, "", 0, ""},
        {"https://ca.example/a\r\nHost: x", false, false, "", 0, ""},
        {"https://ca.example/\"", false, false, "", 0, ""},
        {"ftp://ca.example/", false, false, "", 0, ""},
        {"//ca.example/", false, false, "", 0, ""},
        {"/dir", false, false, "", 0, ""},
        {"https:///dir", false, false, "", 0, ""},
        {"", false, false, "", 0, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct web_url u;
        bool ok = web_url_parse(span_cstr(rows[i].text), &u);

        unit_case(rows[i].text);
        EXPECT(ok == rows[i].ok);
        if (ok && rows[i].ok) {
            EXPECT(u.tls == rows[i].tls);
            EXPECT_STR(u.host, rows[i].host);
            EXPECT_INT(u.port, rows[i].port);
            EXPECT_STR(u.target, rows[i].target);
        }
    }
    unit_case(NULL);
}

TEST(private_addresses)
{
    static const struct {
        const char *text;
        bool private;
    } rows[] = {
        {"127.0.0.1", true}, {"127.255.0.9", true}, {"10.1.2.3", true}, {"172.16.0.1", true}, {"172.31.255.255", true}, {"172.32.0.1", false},
        {"192.168.1.1", true}, {"169.254.169.254", true}, {"100.64.0.1", true}, {"100.128.0.1", false}, {"0.0.0.0", true}, {"224.0.0.1", true},
        {"255.255.255.255", true}, {"192.0.2.1", true}, {"198.18.0.1", true}, {"8.8.8.8", false}, {"172.65.32.248", false},
        {"::1", true}, {"::", true}, {"fe80::1", true}, {"fc00::1", true}, {"fd12::1", true}, {"ff02::1", true}, {"2001:db8::1", true},
        {"::ffff:10.0.0.1", true}, {"::ffff:8.8.8.8", false}, {"64:ff9b::a00:1", true}, {"64:ff9b::808:808", false}, {"2002:7f00:1::1", true},
        {"2001::1", true}, {"2606:4700::1", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage a = {.ss_family = AF_INET};

        unit_case(rows[i].text);
        if (inet_pton(AF_INET, rows[i].text, &((struct sockaddr_in *)(void *)&a)->sin_addr) != 1) {
            a.ss_family = AF_INET6;
            REQUIRE(inet_pton(AF_INET6, rows[i].text, &((struct sockaddr_in6 *)(void *)&a)->sin6_addr) == 1);
        }
        EXPECT(web_address_is_private(&a) == rows[i].private);
    }
    unit_case(NULL);
}

TEST(retry_after)
{
    static const struct {
        const char *text;
        uint32_t want;
    } rows[] = {
        {"0", 0}, {"17", 17}, {" 17 ", 17}, {"86401", 86400}, {"99999999999999999999999999", 86400}, {"-5", 0}, {"soon", 0}, {"", 0},
        {"Tue, 24 Nov 2026 05:30:00 GMT", 60}, {"Tue, 24 Nov 2026 05:28:00 GMT", 0}, {"Tue, 24 Nov 2099 05:28:00 GMT", 86400},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].text);
        EXPECT_INT(web_retry_after(span_cstr(rows[i].text), 1795498140), rows[i].want);
    }
    unit_case(NULL);
}

/* --- servers that lie, stall, lead elsewhere and never end: on loopback, in clear; each answer is what the row says */

enum { FOREVER = 400, DRIP_MS = 20, PATIENCE_MS = 400 };

struct liar {
    int fd;
    uint16_t port;
    const char *answer;
    const char *tail;   /* sent again and again behind it; NULL: none */
    bool drips, silent;
    unsigned asked, other;
};

static int listen_on_loopback(uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

/* False: the asker is gone. */
static bool put_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && errno != EAGAIN)
            return false;
        if (done < 0 && fiber_wait_fd(fd, WATCH_WRITE, 2000) == 0)
            return false;
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

/* "%u" in the answer is the other one's port. */
static void put_port(const struct liar *l, char *text, size_t size)
{
    const char *hole = strstr(l->answer, "%u");

    if (hole)
        snprintf(text, size, "%.*s%u%s", (int)(hole - l->answer), l->answer, l->other, hole + 2);
    else
        snprintf(text, size, "%s", l->answer);
}

static void answer_one(struct liar *l, int fd)
{
    char text[2000], in[2000];

    fiber_wait_fd(fd, WATCH_READ, 2000);
    (void)!recv(fd, in, sizeof(in), MSG_DONTWAIT);
    l->asked++;
    put_port(l, text, sizeof(text));
    if (l->silent)
        fiber_wait_fd(fd, WATCH_READ, 2000); /* until the asker gives up */
    else if (put_all(fd, text, strlen(text)))
        for (int i = 0; l->tail && i < FOREVER && put_all(fd, l->tail, strlen(l->tail)); i++)
            if (l->drips)
                fiber_sleep_ms(DRIP_MS);
    close(fd);
}

static void serve(void *arg)
{
    struct liar *l = arg;

    while (fiber_wait_fd(l->fd, WATCH_READ, UINT64_MAX) && l->port) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            answer_one(l, fd);
    }
    close(l->fd);
}

/* Wakes it up to find that it is over. */
static void dismiss(struct liar *l)
{
    shutdown(l->fd, SHUT_RDWR);
    l->port = 0;
}

static bool only_that_port(void *arg, const struct sockaddr_storage *a)
{
    return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port) == *(uint16_t *)arg;
}

#define OK "HTTP/1.1 200 OK\r\n"
#define TO_OTHER "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/secret\r\nContent-Length: 0\r\n\r\n"
#define KIB                                                                                        \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *name, *answer, *tail;
    bool drips, silent;
    int rc;
    const char *words;
} lies[] = {
    {"honest",             OK "Content-Length: 2\r\n\r\nhi", NULL, false, false, 0, ""},
    {"its end is the end", OK "\r\nhi", NULL, false, false, 0, ""},
    {"huge by length",     OK "Content-Length: 999999999\r\n\r\n", KIB KIB KIB, false, false, -EMSGSIZE, "more than 262144 bytes"},
    {"huge without end",   OK "\r\n", KIB KIB KIB, false, false, -EMSGSIZE, "more than 262144 bytes"},
    {"fields for ever",    OK, "X-A: " KIB "\r\n", false, false, -EPROTO, "does not answer as HTTP has it"},
    {"cut",                OK "Content-Length: 10\r\n\r\nhi", NULL, false, false, -EPROTO, "broke the connection off"},
    {"nothing",            "", NULL, false, false, -EPROTO, ""},
    {"no HTTP",            "220 mx ESMTP\r\n", NULL, false, false, -EPROTO, "does not answer as HTTP has it"},
    {"another protocol",   "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", NULL, false, false, -EPROTO, "HTTP"},
    {"a length of two",    OK "Content-Length: 1\r\nContent-Length: 5\r\n\r\nhello", NULL, false, false, -EPROTO, "HTTP"},
    {"silent",             "", NULL, false, true, -ETIMEDOUT, "in time"},
    {"a byte now and then", OK "Content-Length: 500\r\n\r\n", "x", true, false, -ETIMEDOUT, "in time"},
    {"to where it may not", TO_OTHER, NULL, false, false, -EACCES, "no address that may be connected to"},
};

static struct loop *lie_loop;
static struct liar liars[2 * ARRAY_LEN(lies) + 1]; /* they live longer than a row */

static void ask_liars(void *arg)
{
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct liar *l = &liars[2 * i], *other = l + 1;
        uint16_t allowed;
        struct web w = {.loop = lie_loop, .clear = true, .may_connect = only_that_port, .may_connect_arg = &allowed};
        struct web_answer a;
        char url[60];
        struct web_request q = {.url = url, .timeout_ms = PATIENCE_MS};
        struct err e = {""};
        uint64_t begin = clock_mono_ms();
        int rc;

        unit_case(lies[i].name);
        *l = (struct liar){.answer = lies[i].answer, .tail = lies[i].tail, .drips = lies[i].drips, .silent = lies[i].silent};
        *other = (struct liar){.answer = OK "Content-Length: 6\r\n\r\nsecret"};
        l->fd = listen_on_loopback(&l->port);
        other->fd = listen_on_loopback(&other->port);
        l->other = other->port;
        allowed = l->port;
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/dir", l->port);
        fiber_start(lie_loop, serve, l, "liar");
        fiber_start(lie_loop, serve, other, "other");
        rc = web_ask(&w, &q, &a, &e);
        EXPECT_INT(rc, lies[i].rc);
        EXPECT(strstr(e.text, lies[i].words) != NULL);
        if (rc == 0)
            EXPECT_STR(buf_cstr(&a.body), "hi");
        if (rc == 0)
            web_answer_done(&a);
        EXPECT(l->asked >= 1 && other->asked == 0);
        EXPECT(clock_mono_ms() - begin < 10 * PATIENCE_MS);
        dismiss(l);
        dismiss(other);
    }
    unit_case(NULL);
    /* private ones are not asked at all */
    {
        struct liar *l = &liars[2 * ARRAY_LEN(lies)];
        struct web w = {.loop = lie_loop, .clear = true};
        struct web_answer a;
        char url[60];
        struct web_request q = {.url = url, .timeout_ms = PATIENCE_MS};
        struct err e = {""};

        *l = (struct liar){.answer = OK "Content-Length: 2\r\n\r\nhi"};
        l->fd = listen_on_loopback(&l->port);
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/dir", l->port);
        fiber_start(lie_loop, serve, l, "private");
        EXPECT_INT(web_ask(&w, &q, &a, &e), -EACCES);
        EXPECT(strstr(e.text, "private networks") != NULL);
        w.private = true;
        REQUIRE(web_ask(&w, &q, &a, &e) == 0);
        web_answer_done(&a);
        EXPECT_INT(l->asked, 1);
        dismiss(l);
        fiber_sleep_ms(100); /* for those that still talk */
    }
    loop_stop(lie_loop);
}

TEST(servers_that_lie)
{
    lie_loop = loop_new();
    fiber_start(lie_loop, ask_liars, NULL, "test");
    loop_run(lie_loop);
    loop_free(lie_loop);
}
