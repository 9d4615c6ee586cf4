/* The parts of the supervisor that can be looked at without starting it. */
#include "base/check.h"
#include "base/fd.h"
#include "proc/supervisor/supervisor.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- metrics ----------------------------------------------------------------------------- */

static const struct process_row row_keyd = {.role = ROLE_KEYD}, row_access = {.role = ROLE_ACCESS};

static void metrics_of(const char *keyd, const char *access, struct buf *out)
{
    struct process p[2] = {
        {.row = &row_keyd},
        { .row = &row_access,   .instance = 3}
    };
    struct supervisor s = {.processes = p, .process_count = 2};
    const char *text[2] = {keyd, access};

    for (int i = 0; i < 2; i++) {
        p[i].metrics = BUF(65536);
        buf_put_cstr(&p[i].metrics, text[i]);
    }
    metrics_text(&s, out);
    for (int i = 0; i < 2; i++)
        buf_done(&p[i].metrics);
}

static bool has(const struct buf *b, const char *text)
{
    return span_find_span(buf_span(b), span_cstr(text)) != SPAN_NONE;
}

TEST(metrics_are_joined_by_name)
{
    struct buf out BUF_AUTO = BUF(65536);

    metrics_of("# HELP a_total All.\n# TYPE a_total counter\na_total 5\nb{x=\"1\"} 2",
               "# TYPE a_total counter\na_total 7\n", &out);
    EXPECT(has(&out, "# HELP a_total All.\n# TYPE a_total counter\n"
                     "a_total{process=\"keyd\",instance=\"0\"} 5\n"
                     "a_total{process=\"access\",instance=\"3\"} 7\n"));
    EXPECT(has(&out, "b{process=\"keyd\",instance=\"0\",x=\"1\"} 2\n"));
    EXPECT(has(&out, "sealpost_process_up{process=\"access\",instance=\"3\"} 0\n"));
}

TEST(histograms_stay_together)
{
    struct buf out BUF_AUTO = BUF(65536);

    metrics_of("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nother 3\nh_sum 4\nh_count 1\n", "", &out);
    EXPECT(has(&out, "# TYPE h histogram\n"
                     "h_bucket{process=\"keyd\",instance=\"0\",le=\"1\"} 1\n"
                     "h_sum{process=\"keyd\",instance=\"0\"} 4\n"
                     "h_count{process=\"keyd\",instance=\"0\"} 1\n"));
}

TEST(nobody_writes_the_lines_of_another)
{
    static const char *const forged[] = {
        "up{process=\"keyd\"} 1",
        "up{a=\"1\",instance=\"0\"} 1",
        "up{a=\"1\" 1",
        "up",
        "9up 1",
        "up\x01 1",
        "up{} ",
        "{process=\"keyd\"} 1",
        "# EOF",
        "up1",
    };
    for (size_t i = 0; i < ARRAY_LEN(forged); i++) {
        struct buf out BUF_AUTO = BUF(65536), none BUF_AUTO = BUF(65536);
        unit_case(forged[i]);
        metrics_of("", "", &none);
        metrics_of("", forged[i], &out);
        EXPECT_SPAN(buf_span(&out), buf_span(&none));
    }
    unit_case(NULL);
}

TEST(metrics_that_do_not_fit_are_left_out_whole)
{
    struct buf out BUF_AUTO = BUF(1200), text BUF_AUTO = BUF(65536);

    buf_put_cstr(&text, "small 1\n");
    for (int i = 0; i < 100; i++)
        buf_printf(&text, "large{i=\"%d\"} 1\n", i);
    metrics_of(buf_cstr(&text), "", &out);
    EXPECT(has(&out, "small{") && !has(&out, "large{") && !out.overflow);
}

/* ---- who is linked to whom --------------------------------------------------------------- */

TEST(links_follow_the_messages)
{
    static const struct {
        enum role a, b;
        bool linked;
    } facts[] = {
        {ROLE_ACCESS, ROLE_KEYD,   true },
        {ROLE_MX,     ROLE_KEYD,   true },
        {ROLE_ACCESS, ROLE_STORED, true },
        {ROLE_ACCESS, ROLE_ACCESS, false},
        {ROLE_ACCESS, ROLE_MX,     false},
        {ROLE_STORED, ROLE_KEYD,   false},
        {ROLE_MX,     ROLE_CAD,    false},
    };
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        unit_case(role_name(facts[i].a));
        EXPECT_INT(roles_linked(facts[i].a, facts[i].b), facts[i].linked);
        EXPECT_INT(roles_linked(facts[i].b, facts[i].a), facts[i].linked);
    }
    unit_case(NULL);
}

/* ---- listening sockets ------------------------------------------------------------------- */

static struct conf_endpoint ends[3];
static struct conf_vserver vservers[2];
static struct conf conf;
static struct supervisor s;

static uint16_t a_port(int *ret_fd)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;

    *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(*ret_fd, (struct sockaddr *)&a, n) == 0 && listen(*ret_fd, 1) == 0 &&
          getsockname(*ret_fd, (struct sockaddr *)&a, &n) == 0);
    return ntohs(a.sin_port);
}

static void set_up(int holders[3])
{
    static struct process workers[3];
    static const struct process_row row_mx = {.role = ROLE_MX};

    for (unsigned i = 0; i < 3; i++) {
        ends[i] = (struct conf_endpoint){"127.0.0.1", a_port(&holders[i]), POLICY_TLS_ONLY};
        workers[i] = (struct process){.row = i < 2 ? &row_access : &row_mx, .count = i < 2 ? 2 : 1};
    }
    vservers[0] = (struct conf_vserver){.name = "imap4", .protocol = PROTOCOL_IMAP4};
    vservers[1] = (struct conf_vserver){.name = "smtp", .protocol = PROTOCOL_SMTP};
    vservers[0].enabled = vservers[1].enabled = true;
    vservers[0].endpoints = ends;
    vservers[0].endpoint_count = 2;
    vservers[1].endpoints = ends + 2;
    vservers[1].endpoint_count = 1;
    conf = (struct conf){.vservers = vservers, .vserver_count = 2};
    s = (struct supervisor){.processes = workers, .process_count = 3};
}

static bool waits_for_the_client(const struct listener *l, unsigned i)
{
    int seconds = -1;
    socklen_t n = sizeof seconds;

    CHECK(getsockopt(l->fds[i], IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, &n) == 0);
    return seconds > 0;
}

TEST(workers_are_woken_when_the_client_has_spoken_if_it_speaks_first)
{
    struct listeners l = {NULL, 0}, gone;
    struct buf problems BUF_AUTO = BUF(4096);
    int holders[3];

    set_up(holders);
    for (unsigned i = 0; i < 3; i++)
        close(holders[i]);
    ends[1].policy = POLICY_STARTTLS_REQUIRED;
    ends[2].policy = POLICY_OPPORTUNISTIC;
    EXPECT_INT(listeners_apply(&l, &conf, &s, &gone, &problems), 0);
    listeners_done(&gone);
    EXPECT(waits_for_the_client(listener_of(&l, 0, 0), 0));
    EXPECT(waits_for_the_client(listener_of(&l, 0, 0), 1));
    EXPECT(!waits_for_the_client(listener_of(&l, 0, 1), 0));
    EXPECT(!waits_for_the_client(listener_of(&l, 1, 0), 0));

    /* the sockets stay, the policies change */
    ends[0].policy = POLICY_STARTTLS_REQUIRED;
    ends[1].policy = POLICY_TLS_ONLY;
    EXPECT_INT(listeners_apply(&l, &conf, &s, &gone, &problems), 0);
    listeners_done(&gone);
    EXPECT(!waits_for_the_client(listener_of(&l, 0, 0), 1));
    EXPECT(waits_for_the_client(listener_of(&l, 0, 1), 1));
    listeners_done(&l);
}

TEST(sockets_are_kept_bound_and_given_back)
{
    struct listeners l = {NULL, 0}, gone;
    struct buf problems BUF_AUTO = BUF(4096);
    const struct listener *it;
    int holders[3], first;

    set_up(holders);
    close(holders[0]);
    close(holders[2]);
    /* the second port is taken by somebody else: the others listen all the same */
    EXPECT_INT(listeners_apply(&l, &conf, &s, &gone, &problems), 1);
    listeners_done(&gone);
    EXPECT(has(&problems, "virtual server imap4: 127.0.0.1 port") &&
           has(&problems, "Another program"));
    it = listener_of(&l, 0, 0);
    EXPECT(it != NULL && it->role == ROLE_ACCESS && it->count == 2 && it->fresh);
    EXPECT(it->fds[0] >= 0 && it->fds[1] >= 0 && it->fds[2] < 0);
    first = it->fds[0];
    it = listener_of(&l, 1, 0);
    EXPECT(it != NULL && it->role == ROLE_MX && it->count == 1 && it->fds[0] >= 0);
    it = listener_of(&l, 0, 1);
    EXPECT(it != NULL && it->fds[0] < 0 && it->error[0] != '\0');

    EXPECT_INT(listeners_retry(&l), 0);
    close(holders[1]);
    EXPECT_INT(listeners_retry(&l), 1);
    EXPECT(listener_of(&l, 0, 1)->fds[1] >= 0 && listener_of(&l, 0, 1)->error[0] == '\0');

    /* the same address under another name keeps its sockets but is told anew; what is switched off
     * is given back */
    for (unsigned i = 0; i < l.n; i++)
        l.v[i].fresh = false;
    vservers[0].name = "renamed";
    vservers[1].enabled = false;
    EXPECT_INT(listeners_apply(&l, &conf, &s, &gone, &problems), 0);
    EXPECT_INT(listener_of(&l, 0, 0)->fds[0], first);
    EXPECT(listener_of(&l, 0, 0)->fresh && listener_of(&l, 1, 0) == NULL);
    listeners_done(&gone);
    EXPECT_INT(listeners_apply(&l, &conf, &s, &gone, &problems), 0);
    EXPECT(listener_of(&l, 0, 0)->fresh); /* still: nobody was told yet */
    listeners_done(&gone);

    /* a second server with the same port is noticed although the first one shares it among its
     * workers */
    struct listeners other = {NULL, 0};
    EXPECT_INT(listeners_apply(&other, &conf, &s, &gone, &problems), 2);
    listeners_done(&other);
    listeners_done(&gone);
    listeners_done(&l);
}

/* ---- payloads ---------------------------------------------------------------------------- */

TEST(child_payloads_are_read_whole_or_not_at_all)
{
    struct child_start start = {
        .role = ROLE_MX, .instance = 7, .instance_count = 9, .generation = 3};
    struct sandbox_report walls = {.seccomp = true, .lower = "no Landlock"}, walls2;
    struct child_start start2;
    struct buf b BUF_AUTO = BUF(4096);
    enum role role;
    unsigned instance;

    snprintf(start.root, sizeof start.root, "/var/lib/sealpost");
    start.grant_secret[31] = 5;
    wr_child_start(&b, &start);
    REQUIRE(rd_child_start(buf_span(&b), &start2));
    EXPECT(memcmp(&start, &start2, sizeof start) == 0);
    for (size_t n = 0; n < b.n; n++)
        EXPECT(!rd_child_start(span_head(buf_span(&b), n), &start2));
    buf_putc(&b, 'x');
    EXPECT(!rd_child_start(buf_span(&b), &start2));

    buf_clear(&b);
    wr_child_ready(&b, &walls);
    REQUIRE(rd_child_ready(buf_span(&b), &walls2));
    EXPECT(walls2.seccomp && !walls2.landlock && !walls2.user_changed);
    EXPECT_STR(walls2.lower, "no Landlock");
    b.p[0] = (char)16;
    EXPECT(!rd_child_ready(buf_span(&b), &walls2));

    EXPECT(!rd_child_peer(span_of((const char[]){ROLE_COUNT, 0, 0}, 3), &role, &instance));
    EXPECT(rd_child_peer(span_of((const char[]){(char)role_index(ROLE_MANAGER), 2, 1}, 3), &role,
                         &instance));
    EXPECT(role == ROLE_MANAGER && instance == 258);
}
