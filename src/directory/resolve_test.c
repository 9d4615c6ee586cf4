#include "directory/directory.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *domains[] = {"example.org", "example.net"};
static struct conf conf = {
    .domain = "example.org",
    .local_domains = {domains, 2},
    .postmaster = "postmaster@example.org",
};
static char folder[64];

static void must(int rc, const struct err *e)
{
    if (rc < 0) {
        fprintf(stderr, "%s\n", e->text);
        abort();
    }
}

static void add_entry(struct directory *d, enum directory_entry_kind kind, const char *address,
                      const char *target, bool mail, bool send_as)
{
    struct directory_entry n = {.kind = kind, .mail = mail, .send_as = send_as};
    struct err e;

    span_to_cstr(span_cstr(address), n.address, sizeof n.address);
    span_to_cstr(span_cstr(target), n.target, sizeof n.target);
    must(directory_entry_add(d, &n, &e), &e);
}

static void add_member(struct directory *d, const char *group, const char *member)
{
    struct err e;

    must(directory_member_add(d, span_cstr(group), span_cstr(member), &e), &e);
}

static uint64_t add_account(struct directory *d, const char *address)
{
    struct credential c = {.hash = "x", .scram.iterations = 4096};
    struct account_new n = {.address = span_cstr(address), .rights = 1, .credential = &c};
    uint64_t id = 0;
    struct err e;

    must(directory_account_add(d, &n, &id, &e), &e);
    return id;
}

static void disable(struct directory *d, uint64_t id)
{
    struct account_change c = {.set = ACCOUNT_SET_STATE, .state = ACCOUNT_STATE_DISABLED};
    struct err e;

    must(directory_account_set(d, id, &c, &e), &e);
}

static struct directory *open_empty(void)
{
    struct directory *d = NULL;
    struct err e;

    snprintf(folder, sizeof folder, "/tmp/resolve_test.XXXXXX");
    CHECK(mkdtemp(folder));
    must(directory_open(folder, &d, &e), &e);
    directory_set_conf(d, &conf);
    return d;
}

static void close_all(struct directory *d)
{
    char command[100];

    directory_close(d);
    static const char *const files[] = {"directory.db", "directory.db-wal", "directory.db-shm"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(command, sizeof command, "%s/%s", folder, files[i]);
        unlink(command);
    }
    rmdir(folder);
}

/* A small company. */
static struct directory *open_full(void)
{
    struct directory *d = open_empty();
    struct err e;

    add_account(d, "joe");                                                      /* 16 */
    add_account(d, "ann@example.net");                                          /* 17 */
    disable(d, add_account(d, "off"));                                          /* 18 */
    must(directory_account_delete_begin(d, add_account(d, "leaving"), &e), &e); /* 19 */
    add_entry(d, ENTRY_ALIAS, "info", "joe", false, false);
    add_entry(d, ENTRY_ALIAS, "chain", "info", false, false);
    add_entry(d, ENTRY_ALIAS, "away", "Someone@Elsewhere.com", false, false);
    add_entry(d, ENTRY_ALIAS, "loop1", "loop2", false, false);
    add_entry(d, ENTRY_ALIAS, "loop2", "loop1", false, false);
    add_entry(d, ENTRY_ALIAS, "dangling", "nobody", false, false);
    add_entry(d, ENTRY_NEWSGROUP, "news", "local.test", false, false);
    add_entry(d, ENTRY_GROUP, "team", "", true, true);
    add_member(d, "team", "joe");
    add_member(d, "team", "info");
    add_member(d, "team", "ann@example.net");
    add_member(d, "team", "off");
    add_member(d, "team", "x@elsewhere.com");
    add_entry(d, ENTRY_GROUP, "all", "", true, false);
    add_member(d, "all", "team");
    add_member(d, "all", "all");
    add_member(d, "all", "inner");
    add_member(d, "all", "news");
    add_entry(d, ENTRY_GROUP, "inner", "", false, true);
    add_member(d, "inner", "all");
    add_member(d, "inner", "ann@example.net");
    add_entry(d, ENTRY_GROUP, "empty", "", true, false);
    return d;
}

static void print_targets(struct buf *out, const struct directory_target *t, size_t n)
{
    static const char *const kinds[] = {"", "news:", "remote:"};

    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s%s", i ? " " : "", kinds[t[i].kind], t[i].address);
}

TEST(addresses_resolve)
{
    static const struct {
        const char *address;
        enum directory_found found;
        const char *want;
    } rows[] = {
        {"joe@example.org",          DIRECTORY_FOUND,     "joe@example.org"             },
        {"JOE@EXAMPLE.ORG",          DIRECTORY_FOUND,     "joe@example.org"             },
        {"\"joe\"@example.org",      DIRECTORY_FOUND,     "joe@example.org"             },
        {"joe",                      DIRECTORY_FOUND,     "joe@example.org"             },
        {"joe+lists@example.org",    DIRECTORY_FOUND,     "joe@example.org"             },
        {"joe+a+b@example.org",      DIRECTORY_FOUND,     "joe@example.org"             },
        {"info+x@example.org",       DIRECTORY_FOUND,     "joe@example.org"             },
        {"joe@example.net",          DIRECTORY_NONE,      NULL                          },
        {"+joe@example.org",         DIRECTORY_NONE,      NULL                          },
        {"ann@example.net",          DIRECTORY_FOUND,     "ann@example.net"             },
        {"off@example.org",          DIRECTORY_DISABLED,  NULL                          },
        {"leaving@example.org",      DIRECTORY_NONE,      NULL                          },
        {"nobody@example.org",       DIRECTORY_NONE,      NULL                          },
        {"chain@example.org",        DIRECTORY_FOUND,     "joe@example.org"             },
        {"away@example.org",         DIRECTORY_FOUND,     "remote:Someone@elsewhere.com"},
        {"loop1@example.org",        DIRECTORY_NONE,      NULL                          },
        {"dangling@example.org",     DIRECTORY_NONE,      NULL                          },
        {"news@example.org",         DIRECTORY_FOUND,     "news:local.test"             },
        {"team@example.org",         DIRECTORY_FOUND,
         "ann@example.net joe@example.org remote:x@elsewhere.com"                       },
        {"all@example.org",          DIRECTORY_FOUND,
         "news:local.test ann@example.net joe@example.org remote:x@elsewhere.com"       },
        {"inner@example.org",        DIRECTORY_NONE,      NULL                          }, /* takes no mail from outside */
        {"empty@example.org",        DIRECTORY_NONE,      NULL                          },
        {"postmaster@example.org",   DIRECTORY_FOUND,     "joe@example.org"             },
        {"PostMaster@example.net",   DIRECTORY_FOUND,     "joe@example.org"             },
        {"postmaster",               DIRECTORY_FOUND,     "joe@example.org"             },
        {"postmaster@elsewhere.com", DIRECTORY_NOT_LOCAL, NULL                          },
        {"joe@elsewhere.com",        DIRECTORY_NOT_LOCAL, NULL                          },
        {"joe@sub.example.org",      DIRECTORY_NOT_LOCAL, NULL                          },
        {"joe@[127.0.0.1]",          DIRECTORY_NOT_LOCAL, NULL                          },
        {"",                         DIRECTORY_INVALID,   NULL                          },
        {"a b@example.org",          DIRECTORY_INVALID,   NULL                          },
        {"@example.org",             DIRECTORY_INVALID,   NULL                          },
    };
    struct directory *d = open_full();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct directory_target *t = NULL;
        size_t n = 0;
        BUF_AUTO struct buf out = BUF(4096);

        unit_case(rows[i].address);
        EXPECT_INT(directory_resolve(d, span_cstr(rows[i].address), &t, &n), rows[i].found);
        print_targets(&out, t, n);
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
        free(t);
    }
    unit_case(NULL);
    close_all(d);
}

TEST(postmaster_of_the_configuration)
{
    struct directory *d = open_full();
    struct directory_target *t = NULL;
    size_t n = 0;
    BUF_AUTO struct buf out = BUF(4096);

    conf.postmaster = "Ann@example.net";
    EXPECT_INT(directory_resolve(d, SPAN("postmaster@example.org"), &t, &n), DIRECTORY_FOUND);
    print_targets(&out, t, n);
    EXPECT_SPAN(buf_span(&out), SPAN("ann@example.net"));
    free(t);
    t = NULL;
    buf_clear(&out);
    conf.postmaster = "Boss@Elsewhere.com";
    EXPECT_INT(directory_resolve(d, SPAN("postmaster@example.org"), &t, &n), DIRECTORY_FOUND);
    print_targets(&out, t, n);
    EXPECT_SPAN(buf_span(&out), SPAN("remote:Boss@elsewhere.com"));
    free(t);
    t = NULL;
    buf_clear(&out);
    /* an entry of its own comes first */
    add_entry(d, ENTRY_ALIAS, "postmaster", "ann@example.net", false, false);
    EXPECT_INT(directory_resolve(d, SPAN("postmaster@example.org"), &t, &n), DIRECTORY_FOUND);
    print_targets(&out, t, n);
    EXPECT_SPAN(buf_span(&out), SPAN("ann@example.net"));
    free(t);
    close_all(d);

    d = open_empty();
    conf.postmaster = "postmaster@example.org";
    EXPECT_INT(directory_resolve(d, SPAN("postmaster@example.org"), &t, &n), DIRECTORY_TEMPFAIL);
    close_all(d);
}

TEST(expansion_is_bounded)
{
    struct directory *d = open_empty();
    struct directory_target *t = NULL;
    size_t n = 0;
    char member[40];

    add_entry(d, ENTRY_GROUP, "big", "", true, false);
    for (int i = 0; i < DIRECTORY_TARGETS_MAX; i++) {
        snprintf(member, sizeof member, "m%d@elsewhere.com", i);
        add_member(d, "big", member);
    }
    EXPECT_INT(directory_resolve(d, SPAN("big"), &t, &n), DIRECTORY_FOUND);
    EXPECT_INT(n, DIRECTORY_TARGETS_MAX);
    free(t);
    add_member(d, "big", "one@more.com");
    EXPECT_INT(directory_resolve(d, SPAN("big"), &t, &n), DIRECTORY_TEMPFAIL);
    close_all(d);
}

TEST(sending_as)
{
    static const struct {
        uint64_t account;
        const char *address;
        bool want;
    } rows[] = {
        {16, "joe@example.org",        true },
        {16, "Joe+x@example.org",      true },
        {16, "info@example.org",       true },
        {16, "chain@example.org",      true },
        {16, "team@example.org",       true },
        {16, "postmaster@example.net", true },
        {17, "postmaster@example.net", false},
        {17, "team@example.org",       true },
        {17, "joe@example.org",        false},
        {17, "info@example.org",       false},
        {16, "all@example.org",        false}, /* no send_as */
        {17, "inner@example.org",      true },
        {16, "inner@example.org",      false}, /* only through `all`, which does not pass it on */
        {16, "away@example.org",       false},
        {16, "loop1@example.org",      false},
        {16, "news@example.org",       false},
        {16, "joe@elsewhere.com",      false},
        {16, "nobody@example.org",     false},
        {16, "",                       false},
        {99, "joe@example.org",        false},
    };
    struct directory *d = open_full();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].address);
        EXPECT_INT(directory_may_send_as(d, rows[i].account, span_cstr(rows[i].address)),
                   rows[i].want);
    }
    unit_case(NULL);
    close_all(d);
}
