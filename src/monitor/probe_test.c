/* The probe against servers with one fault each: it must find that one, and no other. */
#include "monitor/fake_test.h"

#include "monitor/run.h"

static struct fake_ca ca, other_ca;
static bool ready;

static void get_ready(void)
{
    if (ready)
        return;
    ready = true;
    signal(SIGPIPE, SIG_IGN);
    fake_ca_init(&ca);
    fake_ca_init(&other_ca);
}

__attribute__((destructor)) static void give_back(void)
{
    if (!ready)
        return;
    fake_ca_done(&ca);
    fake_ca_done(&other_ca);
}

struct scene {
    struct fake under_test, reader, sender;
    struct fake_post post;
    struct probe_target targets[3];
    struct cert_names names;
    struct probe_trust trust;
    struct conf conf;
    struct probe_plan plan;
};

static void scene_target(struct scene *s, unsigned i, struct fake *f, bool wanted)
{
    struct probe_target *t = &s->targets[i];

    CHECK(probe_target_init(t, &f->vserver, &f->endpoint));
    t->names = &s->names;
    t->wanted = wanted;
    snprintf(t->serial, sizeof t->serial, "%s", f->serial);
    snprintf(t->spki_sha256, sizeof t->spki_sha256, "%s", f->spki);
    snprintf(t->register_state, sizeof t->register_state, "valid");
}

static struct scene *scene_new(enum conf_protocol protocol, enum conf_policy policy,
                               enum conf_smtp_kind kind, enum leak leak)
{
    struct scene *s = calloc(1, sizeof *s);
    struct err e;

    CHECK(s != NULL);
    get_ready();
    pthread_mutex_init(&s->post.lock, NULL);
    s->post.user = "alice@example.test";
    s->post.password = "correct horse";
    s->under_test =
        (struct fake){.protocol = protocol, .policy = policy, .kind = kind, .leak = leak};
    s->reader = (struct fake){
        .protocol = PROTOCOL_IMAP4, .policy = POLICY_TLS_ONLY, .kind = SMTP_SUBMISSION};
    s->sender = (struct fake){
        .protocol = PROTOCOL_SMTP, .policy = POLICY_TLS_ONLY, .kind = SMTP_SUBMISSION};
    fake_start(&s->under_test, &ca, &other_ca, &s->post);
    fake_start(&s->reader, &ca, &other_ca, &s->post);
    fake_start(&s->sender, &ca, &other_ca, &s->post);
    cert_names_add_any(&s->names, SPAN("localhost"));
    cert_names_add_any(&s->names, SPAN("127.0.0.1"));
    scene_target(s, 0, &s->under_test, true);
    scene_target(s, 1, &s->reader, false);
    scene_target(s, 2, &s->sender, false);
    CHECK(probe_trust_init(&s->trust, buf_span(&ca.pem), &e) == 0);
    s->conf.hostname = "localhost";
    s->plan = (struct probe_plan){
        .trust = &s->trust, .conf = &s->conf, .targets = s->targets, .target_count = 3};
    snprintf(s->plan.logins[0].user, sizeof s->plan.logins[0].user, "%s", s->post.user);
    snprintf(s->plan.logins[0].password, sizeof s->plan.logins[0].password, "%s", s->post.password);
    snprintf(s->plan.newsgroup, sizeof s->plan.newsgroup, "local.test");
    return s;
}

static void scene_free(struct scene *s)
{
    fake_stop(&s->under_test);
    fake_stop(&s->reader);
    fake_stop(&s->sender);
    fake_post_done(&s->post);
    cert_names_done(&s->names);
    probe_trust_done(&s->trust);
    pthread_mutex_destroy(&s->post.lock);
    free(s);
}

static bool is_listed(const char *list, const char *name)
{
    struct span rest = span_cstr(list), word;

    while (span_split(&rest, ' ', &word))
        if (span_eq_cstr(word, name))
            return true;
    return false;
}

/* `fails` are the checks that must FAIL; with "*" all that can be tried. */
static void expect(struct scene *s, const char *fails)
{
    struct probe_result *results;
    unsigned count, failed = 0, listed = 0, tried = 0;

    probe_all(&s->plan, &results, &count);
    EXPECT(count > 0);
    for (unsigned i = 0; i < count; i++) {
        const struct probe_result *r = &results[i];
        bool want = is_listed(fails, r->check->name);
        failed += r->verdict == PROBE_FAIL;
        tried += r->verdict != PROBE_SKIP || r->untried;
        listed += want;
        if (strcmp(fails, "*") == 0)
            continue;
        if (want != (r->verdict == PROBE_FAIL))
            unit_fail(__FILE__, __LINE__, "%s: %s (%s)", r->check->name,
                      probe_verdict_name(r->verdict), r->detail);
        EXPECT(r->detail[0] != '\0');
    }
    if (strcmp(fails, "*") == 0)
        EXPECT_INT(failed, tried);
    else
        EXPECT(listed > 0 || fails[0] == '\0');
    free(results);
}

#define ST POLICY_STARTTLS_REQUIRED
#define TL POLICY_TLS_ONLY
#define OP POLICY_OPPORTUNISTIC
#define PU POLICY_PUBLIC_HTTP
#define I PROTOCOL_IMAP4
#define P PROTOCOL_POP3
#define S PROTOCOL_SMTP
#define N PROTOCOL_NNTP
#define H PROTOCOL_HTTP

static const struct {
    const char *name;
    enum conf_protocol protocol;
    enum conf_policy policy;
    enum conf_smtp_kind kind;
    enum leak leak;
    const char *fails;
} faults[] = {
    {"imap starttls without fault",      I, ST, SMTP_SUBMISSION, LEAK_NONE,          ""                         },
    {"imap tls without fault",           I, TL, SMTP_SUBMISSION, LEAK_NONE,          ""                         },
    {"pop3 starttls without fault",      P, ST, SMTP_SUBMISSION, LEAK_NONE,          ""                         },
    {"pop3 tls without fault",           P, TL, SMTP_SUBMISSION, LEAK_NONE,          ""                         },
    {"submission without fault",         S, ST, SMTP_SUBMISSION, LEAK_NONE,          ""                         },
    {"submissions without fault",        S, TL, SMTP_SUBMISSION, LEAK_NONE,          ""                         },
    {"mx without fault",                 S, OP, SMTP_MX,         LEAK_NONE,          ""                         },
    {"nntp without fault",               N, ST, SMTP_SUBMISSION, LEAK_NONE,          ""                         },
    {"nntps without fault",              N, TL, SMTP_SUBMISSION, LEAK_NONE,          ""                         },
    {"http without fault",               H, PU, SMTP_SUBMISSION, LEAK_NONE,          ""                         },
    {"https without fault",              H, TL, SMTP_SUBMISSION, LEAK_NONE,          ""                         },

    {"imap login in clear",              I, ST, SMTP_SUBMISSION, LEAK_LOGIN_CLEAR,   "login-clear"              },
    {"pop3 login in clear",              P, ST, SMTP_SUBMISSION, LEAK_LOGIN_CLEAR,   "login-clear"              },
    {"submission login in clear",        S, ST, SMTP_SUBMISSION, LEAK_LOGIN_CLEAR,   "login-clear"              },
    {"mx login in clear",                S, OP, SMTP_MX,         LEAK_LOGIN_CLEAR,   "login-clear"              },
    {"nntp login in clear",              N, ST, SMTP_SUBMISSION, LEAK_LOGIN_CLEAR,   "login-clear"              },
    {"imap offers login in clear",       I, ST, SMTP_SUBMISSION, LEAK_OFFER_CLEAR,   "login-clear"              },
    {"pop3 offers login in clear",       P, ST, SMTP_SUBMISSION, LEAK_OFFER_CLEAR,   "login-clear"              },
    {"submission offers login in clear", S, ST, SMTP_SUBMISSION, LEAK_OFFER_CLEAR,   "login-clear"              },
    {"nntp offers login in clear",       N, ST, SMTP_SUBMISSION, LEAK_OFFER_CLEAR,   "login-clear"              },
    {"imap hides starttls",              I, ST, SMTP_SUBMISSION, LEAK_NO_STARTTLS,   "login-clear"              },
    {"imap command in clear",            I, ST, SMTP_SUBMISSION, LEAK_COMMAND_CLEAR, "clear"                    },
    {"pop3 command in clear",            P, ST, SMTP_SUBMISSION, LEAK_COMMAND_CLEAR, "clear"                    },
    {"submission command in clear",      S, ST, SMTP_SUBMISSION, LEAK_COMMAND_CLEAR, "clear"                    },
    {"nntp command in clear",            N, ST, SMTP_SUBMISSION, LEAK_COMMAND_CLEAR, "clear"                    },
    {"imap injection",                   I, ST, SMTP_SUBMISSION, LEAK_BUFFER,        "injection"                },
    {"pop3 injection",                   P, ST, SMTP_SUBMISSION, LEAK_BUFFER,        "injection"                },
    {"submission injection",             S, ST, SMTP_SUBMISSION, LEAK_BUFFER,        "injection"                },
    {"mx injection",                     S, OP, SMTP_MX,         LEAK_BUFFER,        "injection"                },
    {"nntp injection",                   N, ST, SMTP_SUBMISSION, LEAK_BUFFER,        "injection"                },
    {"imap injection thrown away",       I, ST, SMTP_SUBMISSION, LEAK_BUFFER_DROP,   "injection"                },
    {"mx injection thrown away",         S, OP, SMTP_MX,         LEAK_BUFFER_DROP,   "injection"                },
    {"imap injection in clear",          I, ST, SMTP_SUBMISSION, LEAK_BUFFER_CLEAR,  "injection"                },
    {"mx injection in clear",            S, OP, SMTP_MX,         LEAK_BUFFER_CLEAR,  "injection"                },
    {"tls 1.1",                          I, TL, SMTP_SUBMISSION, LEAK_TLS11,         "tls-1.1 weak-offers"      },
    {"tls 1.0 without 1.1",              I, TL, SMTP_SUBMISSION, LEAK_TLS10,         "tls-1.0 weak-offers"      },
    {"outlives its issuer",              I, TL, SMTP_SUBMISSION, LEAK_OUTLIVES,      "chain issuer-life"        },
    {"weak ciphers",                     I, TL, SMTP_SUBMISSION, LEAK_WEAK,          "weak-offers"              },
    {"renegotiation",                    I, TL, SMTP_SUBMISSION, LEAK_RENEGOTIATE,   "renegotiation"            },
    {"pop3 renegotiation",               P, ST, SMTP_SUBMISSION, LEAK_RENEGOTIATE,   "renegotiation"            },
    {"nothing without a name",           S, ST, SMTP_SUBMISSION, LEAK_NO_NAME,       "no-name"                  },
    {"no tls 1.3",                       P, TL, SMTP_SUBMISSION, LEAK_ONLY_12,       "tls-1.3"                  },
    {"another CA",                       I, TL, SMTP_SUBMISSION, LEAK_CHAIN,         "chain"                    },
    {"expired",                          I, TL, SMTP_SUBMISSION, LEAK_EXPIRED,       "chain"                    },
    {"another name",                     P, ST, SMTP_SUBMISSION, LEAK_NAME,          "names"                    },
    {"greets as another",                I, ST, SMTP_SUBMISSION, LEAK_GREETING,      "greeting"                 },
    {"mx greets as another",             S, OP, SMTP_MX,         LEAK_GREETING,      "greeting offers ehlo-name"},
    {"tls endpoint talks in clear",      S, TL, SMTP_SUBMISSION, LEAK_TLS_TALKS,     "tls-only"                 },
    {"starttls under tls",               I, ST, SMTP_SUBMISSION, LEAK_AGAIN,         "offers"                   },
    {"imap needs no login",              I, TL, SMTP_SUBMISSION, LEAK_NO_LOGIN,      "login-needed"             },
    {"submission needs no login",        S, TL, SMTP_SUBMISSION, LEAK_NO_LOGIN,      "login-needed"             },
    {"nntp needs no login",              N, TL, SMTP_SUBMISSION, LEAK_NO_LOGIN,      "login-needed"             },
    {"pop3 takes no password",           P, TL, SMTP_SUBMISSION, LEAK_PASSWORD,      "login message-out"        },
    {"no proof of scram",                I, TL, SMTP_SUBMISSION, LEAK_PROOF,         "login-scram"              },
    {"open relay",                       S, OP, SMTP_MX,         LEAK_RELAY,         "relay"                    },
    {"mx changes messages",              S, OP, SMTP_MX,         LEAK_CHANGE,        "message-in"               },
    {"submission loses messages",        S, TL, SMTP_SUBMISSION, LEAK_LOSE,          "message-in"               },
    {"imap does not delete",             I, TL, SMTP_SUBMISSION, LEAK_KEEP,          "message-out"              },
    {"nntp changes articles",            N, TL, SMTP_SUBMISSION, LEAK_CHANGE,        "article"                  },
    {"nntp loses articles",              N, TL, SMTP_SUBMISSION, LEAK_LOSE,          "article"                  },
    {"ill",                              H, TL, SMTP_SUBMISSION, LEAK_HEALTH,        "health"                   },
    {"another root",                     H, PU, SMTP_SUBMISSION, LEAK_CA_PEM,        "ca.pem"                   },
    {"pages in clear",                   H, PU, SMTP_SUBMISSION, LEAK_HTTP_CLEAR,    "redirect"                 },
    {"imap mute",                        I, ST, SMTP_SUBMISSION, LEAK_MUTE,          "*"                        },
    {"smtp garbage",                     S, OP, SMTP_MX,         LEAK_GARBAGE,       "*"                        },
    {"http garbage",                     H, PU, SMTP_SUBMISSION, LEAK_GARBAGE,       "*"                        },
};

TEST(faults)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        unit_case(faults[i].name);
        struct scene *s =
            scene_new(faults[i].protocol, faults[i].policy, faults[i].kind, faults[i].leak);
        expect(s, faults[i].fails);
        scene_free(s);
    }
    unit_case(NULL);
}

TEST(what_the_register_says)
{
    static const struct {
        const char *name, *serial, *spki, *state, *fails;
    } rows[] = {
        {"another serial",    "00112233", NULL,   "valid",   "register"},
        {"another key",       NULL,       "beef", "valid",   "register"},
        {"revoked",           NULL,       NULL,   "revoked", "register"},
        {"unknown to the CA", NULL,       NULL,   "",        ""        },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene *s = scene_new(I, TL, SMTP_SUBMISSION, LEAK_NONE);
        struct probe_target *t = &s->targets[0];
        unit_case(rows[i].name);
        if (rows[i].serial != NULL)
            snprintf(t->serial, sizeof t->serial, "%s", rows[i].serial);
        if (rows[i].spki != NULL)
            snprintf(t->spki_sha256, sizeof t->spki_sha256, "%s", rows[i].spki);
        snprintf(t->register_state, sizeof t->register_state, "%s", rows[i].state);
        expect(s, rows[i].fails);
        scene_free(s);
    }
    unit_case(NULL);
}

static const struct probe_result *result_of(const struct probe_result *all, unsigned n,
                                            const char *check)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(all[i].check->name, check) == 0)
            return &all[i];
    return NULL;
}

/* Without an account nothing fails, and it is said what to give. */
TEST(without_credentials)
{
    struct scene *s = scene_new(I, ST, SMTP_SUBMISSION, LEAK_NONE);
    const struct probe_result *login;
    struct probe_result *results;
    unsigned n;

    s->plan.logins[0].user[0] = '\0';
    probe_all(&s->plan, &results, &n);
    login = result_of(results, n, "login");
    REQUIRE(login != NULL);
    EXPECT_INT(login->verdict, PROBE_SKIP);
    EXPECT(strstr(login->detail, "USER1") != NULL);
    EXPECT_INT(result_of(results, n, "message-out")->verdict, PROBE_SKIP);
    EXPECT_INT(result_of(results, n, "chain")->verdict, PROBE_PASS);
    free(results);
    scene_free(s);
}

/* Nobody there: it is said once, and nothing waits for the rest. */
TEST(nobody_listens)
{
    struct scene *s = scene_new(P, ST, SMTP_SUBMISSION, LEAK_NONE);
    struct sockaddr_in *a = (struct sockaddr_in *)(void *)&s->targets[0].to;
    struct probe_result *results;
    unsigned n;

    a->sin_port = htons(1);
    probe_all(&s->plan, &results, &n);
    REQUIRE(n > 5);
    EXPECT_INT(results[0].verdict, PROBE_FAIL);
    EXPECT(strstr(results[0].detail, "no connection") != NULL);
    EXPECT(strstr(results[0].remedy, "nothing listens there") != NULL);
    for (unsigned i = 1; i < n; i++)
        EXPECT_INT(results[i].verdict, PROBE_SKIP);
    free(results);
    scene_free(s);
}

/* Nothing is begun where the probe was ended, and it is no fault of the server. */
TEST(ended_before)
{
    struct scene *s = scene_new(I, ST, SMTP_SUBMISSION, LEAK_NONE);
    volatile sig_atomic_t ended = 1;
    struct probe_result *results;
    unsigned n;

    s->plan.ended = &ended;
    EXPECT(probe_was_ended(&s->plan));
    probe_all(&s->plan, &results, &n);
    REQUIRE(n > 5);
    for (unsigned i = 0; i < n; i++) {
        EXPECT_INT(results[i].verdict, PROBE_SKIP);
        EXPECT(strstr(results[i].detail, "was ended") != NULL);
    }
    free(results);
    scene_free(s);
}

/* Whatever a server says, the probe comes to an end with a verdict and a reason. */
TEST(any_server)
{
    static const struct {
        enum conf_protocol protocol;
        enum conf_policy policy;
    } rows[] = {
        {I, TL},
        {P, TL},
        {S, TL},
        {N, TL},
        {H, TL},
        {I, ST},
        {P, ST},
        {S, ST},
        {N, ST},
        {H, PU}
    };

    for (unsigned round = 0; round < 3; round++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct scene *s =
                scene_new(rows[i].protocol, rows[i].policy, SMTP_SUBMISSION, LEAK_RANDOM);
            struct probe_result *results;
            unsigned count;
            probe_all(&s->plan, &results, &count);
            for (unsigned k = 0; k < count; k++)
                EXPECT(results[k].detail[0] != '\0');
            free(results);
            scene_free(s);
        }
}

/* ---- logins by certificate --------------------------------------------------------------- */

/* The fakes know no EXTERNAL, and ask for no certificate: a server that should do so fails. */
TEST(login_by_certificate)
{
    static const struct {
        enum conf_client_certificates policy;
        const char *trust, *fails;
    } rows[] = {
        {CLIENT_CERTIFICATES_IGNORE,  "own-ca",      ""                 },
        {CLIENT_CERTIFICATES_ACCEPT,  "partner.pem", ""                 },
        {CLIENT_CERTIFICATES_ACCEPT,  "own-ca",      "login-certificate"},
        {CLIENT_CERTIFICATES_REQUIRE, "own-ca",      "login-certificate"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (unsigned h = 0; h < 2; h++) {
            struct scene *s = scene_new(h ? H : I, TL, SMTP_SUBMISSION, LEAK_NONE);
            struct probe_client client = {.key = ca.leaf_key};
            const char *trust = rows[i].trust;
            unit_case(rows[i].fails);
            client.chain.n = 1;
            client.chain.v[0] = fake_issue(&ca, PROFILE_ACCOUNT, "a@example.org", ca.issuing,
                                           ca.leaf_key, ca.issuing_key, 100);
            s->plan.client = &client;
            s->under_test.vserver.client_certificates = (uint8_t)rows[i].policy;
            s->under_test.vserver.client_trust = (struct conf_strings){&trust, 1};
            expect(s, rows[i].fails);
            certificate_free(client.chain.v[0]);
            scene_free(s);
        }
    unit_case(NULL);
}

/* ---- the standing probe ------------------------------------------------------------------ */

struct one_look {
    struct loop *loop;
    struct scene *scene;
    struct probe_handshake seen;
};

static void look(void *arg)
{
    struct one_look *o = arg;

    probe_handshake(&o->scene->trust, &o->scene->targets[0], &o->seen);
    loop_stop(o->loop);
}

static void begin_look(void *arg)
{
    struct one_look *o = arg;

    fiber_start(o->loop, look, o, "look");
}

TEST(handshake)
{
    static const struct {
        enum leak leak;
        bool up, fits;
    } rows[] = {
        {LEAK_NONE,    true,  true },
        {LEAK_CHAIN,   true,  false},
        {LEAK_NAME,    true,  false},
        {LEAK_EXPIRED, true,  false},
        {LEAK_MUTE,    false, false}
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct one_look o = {.loop = loop_new(),
                             .scene = scene_new(I, ST, SMTP_SUBMISSION, rows[i].leak)};
        loop_defer(o.loop, begin_look, &o);
        loop_run(o.loop);
        EXPECT_INT(o.seen.up, rows[i].up);
        EXPECT_INT(o.seen.fits, rows[i].fits);
        EXPECT(rows[i].fits || o.seen.detail[0] != '\0');
        if (rows[i].up) {
            EXPECT_STR(o.seen.serial, o.scene->under_test.serial);
            EXPECT(o.seen.not_after > o.seen.not_before);
        }
        loop_free(o.loop);
        scene_free(o.scene);
    }
}

TEST(steps_of_a_life)
{
    static const struct {
        int64_t now;
        unsigned step;
    } rows[] = {
        {0,   0},
        {80,  0},
        {81,  1},
        {100, 1},
        {101, 2},
        {110, 2},
        {111, 3},
        {120, 3},
        {500, 3}
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        EXPECT_INT(probe_life_step(0, 120, rows[i].now), rows[i].step);
    EXPECT_INT(probe_life_part(1), 3);
    EXPECT_INT(probe_life_part(3), 12);
}
