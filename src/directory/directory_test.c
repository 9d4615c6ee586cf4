#include "directory/directory.h"

#include "base/check.h"
#include "unit/unit.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *domains[] = {"example.org", "example.net"};
static const struct conf conf = {
    .domain = "example.org",
    .local_domains = {domains, 2},
    .postmaster = "postmaster@example.org",
};
static char folder[64];
static struct credential credential;

static struct directory *open_again(void)
{
    struct directory *d = NULL;
    struct err e;

    if (directory_open(folder, &d, &e) < 0) {
        unit_fail(__FILE__, __LINE__, "%s", e.text);
        abort();
    }
    directory_set_conf(d, &conf);
    return d;
}

static struct directory *open_new(void)
{
    if (!credential.hash[0])
        CHECK(credential_make(SPAN("pencil"), (struct credential_cost){64, 1}, &credential) == 0);
    snprintf(folder, sizeof folder, "/tmp/directory_test.XXXXXX");
    CHECK(mkdtemp(folder));
    return open_again();
}

static void remove_folder(struct directory *d)
{
    static const char *const files[] = {"directory.db", "directory.db-wal", "directory.db-shm"};
    char path[128];

    directory_close(d);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

static uint64_t add(struct directory *d, const char *address)
{
    struct account_new n = {.address = span_cstr(address),
                            .title = SPAN("A name"),
                            .rights = 7,
                            .protocols = 31,
                            .credential = &credential};
    uint64_t id = 0;
    struct err e;

    if (directory_account_add(d, &n, &id, &e) < 0)
        unit_fail(__FILE__, __LINE__, "%s: %s", address, e.text);
    return id;
}

TEST(accounts_persist)
{
    struct directory *d = open_new();
    struct directory_account a;
    struct credential c;
    struct stat st;
    char path[128];

    EXPECT_INT(add(d, "joe"), 16);
    EXPECT_INT(add(d, "Jane@Example.NET"), 17);
    snprintf(path, sizeof path, "%s/directory.db", folder);
    REQUIRE(stat(path, &st) == 0);
    EXPECT_INT(st.st_mode & 0777, 0600);
    directory_close(d);
    d = open_again();
    REQUIRE(directory_account_find(d, SPAN("JANE@example.net"), &a) == 0);
    EXPECT_INT(a.id, 17);
    EXPECT_STR(a.address, "jane@example.net");
    EXPECT_STR(a.title, "A name");
    EXPECT_INT(a.state, ACCOUNT_STATE_ENABLED);
    EXPECT_INT(a.epoch, 1);
    EXPECT_INT(a.rights, 7);
    EXPECT_INT(a.protocols, 31);
    REQUIRE(directory_login(d, SPAN("joe"), &a, &c) == 0);
    EXPECT_INT(a.id, 16);
    EXPECT(memcmp(&c, &credential, sizeof c) == 0);
    EXPECT_INT(directory_login(d, SPAN("jane"), &a, &c), -ENOENT);
    EXPECT_INT(directory_login(d, SPAN("joe+x"), &a, &c), -ENOENT);
    EXPECT_INT(directory_login(d, SPAN("' OR 1=1 --"), &a, &c), -ENOENT);
    EXPECT_INT(directory_account_count(d), 2);
    remove_folder(d);
}

TEST(numbers_are_never_used_again)
{
    struct directory *d = open_new();
    struct err e;
    struct directory_account a;

    EXPECT_INT(add(d, "a"), 16);
    EXPECT_INT(add(d, "b"), 17);
    EXPECT_INT(directory_account_delete_finish(d, 17, &e), -EBUSY);
    EXPECT_INT(directory_account_delete_begin(d, 17, &e), 0);
    EXPECT_INT(directory_account_delete_begin(d, 17, &e), 0);
    REQUIRE(directory_account_get(d, 17, &a) == 0);
    EXPECT_INT(a.state, ACCOUNT_STATE_DELETING);
    EXPECT_INT(a.epoch, 2);
    EXPECT_INT(directory_account_delete_finish(d, 17, &e), 0);
    EXPECT_INT(directory_account_get(d, 17, &a), -ENOENT);
    EXPECT_INT(directory_account_delete_finish(d, 17, &e), -ENOENT);
    directory_close(d);
    d = open_again();
    EXPECT_INT(add(d, "b"), 18); /* the address is free, the number is not */
    remove_folder(d);
}

TEST(an_address_names_one_thing)
{
    struct directory *d = open_new();
    struct err e;
    uint64_t id = 0;
    struct account_new n = {.address = SPAN("sales@example.org"), .credential = &credential};
    struct directory_entry alias = {.kind = ENTRY_ALIAS,
                                    .address = "SALES@example.org",
                                    .target = "joe@example.org",
                                    .title = "",
                                    .mail = false,
                                    .send_as = false};
    struct directory_entry group = {.kind = ENTRY_GROUP,
                                    .address = "sales",
                                    .target = "",
                                    .title = "Sales",
                                    .mail = true,
                                    .send_as = false};

    add(d, "joe");
    REQUIRE(directory_entry_add(d, &alias, &e) == 0);
    EXPECT_INT(directory_entry_add(d, &alias, &e), -EEXIST);
    EXPECT_INT(directory_entry_add(d, &group, &e), -EEXIST);
    EXPECT_INT(directory_account_add(d, &n, &id, &e), -EEXIST);
    EXPECT_STR(e.text, "sales@example.org exists already");
    /* nothing of the failed account stays */
    EXPECT_INT(directory_account_count(d), 1);
    EXPECT_INT(directory_entry_remove(d, ENTRY_GROUP, SPAN("sales"), &e), -ENOENT);
    EXPECT_INT(directory_entry_remove(d, ENTRY_ALIAS, SPAN("sales"), &e), 0);
    EXPECT_INT(directory_entry_remove(d, ENTRY_ACCOUNT, SPAN("joe"), &e), -EINVAL);
    EXPECT_INT(directory_entry_remove(d, ENTRY_ALIAS, SPAN("joe"), &e), -ENOENT);
    EXPECT_INT(directory_account_add(d, &n, &id, &e), 0);
    EXPECT(id > 16);
    remove_folder(d);
}

TEST(names_that_are_refused)
{
    static const char *const rows[] = {
        "",         "a b",          "joe+x", "joe@elsewhere.org", "\"joe smith\"@example.org",
        "joe@[::]", "@example.org", "joe@",  "j\xff@example.org", ".joe",
    };
    struct directory *d = open_new();
    struct err e;
    uint64_t id;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct account_new n = {.address = span_cstr(rows[i]), .credential = &credential};
        unit_case(rows[i]);
        EXPECT_INT(directory_account_add(d, &n, &id, &e), -EINVAL);
    }
    unit_case(NULL);
    struct account_new n = {
        .address = SPAN("joe"), .title = SPAN("a\nb"), .credential = &credential};
    EXPECT_INT(directory_account_add(d, &n, &id, &e), -EINVAL);
    n.title = SPAN("");
    n.protocols = 1 << 20;
    EXPECT_INT(directory_account_add(d, &n, &id, &e), -EINVAL);
    EXPECT_INT(directory_account_count(d), 0);
    remove_folder(d);
}

TEST(the_epoch_rises_when_something_is_taken_away)
{
    static const struct {
        const char *name;
        struct account_change change;
        uint64_t epoch;
    } rows[] = {
        {"title",          {.set = ACCOUNT_SET_TITLE, .title = SPAN("Other")},          1},
        {"more rights",    {.set = ACCOUNT_SET_RIGHTS, .rights = 15},                   1},
        {"other rights",   {.set = ACCOUNT_SET_RIGHTS, .rights = 1},                    2},
        {"protocols",      {.set = ACCOUNT_SET_PROTOCOLS, .protocols = 1},              3},
        {"more protocols", {.set = ACCOUNT_SET_PROTOCOLS, .protocols = 3},              3},
        {"disable",        {.set = ACCOUNT_SET_STATE, .state = ACCOUNT_STATE_DISABLED}, 4},
        {"again",          {.set = ACCOUNT_SET_STATE, .state = ACCOUNT_STATE_DISABLED}, 4},
        {"enable",         {.set = ACCOUNT_SET_STATE, .state = ACCOUNT_STATE_ENABLED},  4},
    };
    struct directory *d = open_new();
    uint64_t id = add(d, "joe");
    struct directory_account a;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].name);
        EXPECT_INT(directory_account_set(d, id, &rows[i].change, &e), 0);
        REQUIRE(directory_account_get(d, id, &a) == 0);
        EXPECT_INT(a.epoch, rows[i].epoch);
    }
    unit_case(NULL);
    EXPECT_STR(a.title, "Other");
    EXPECT_INT(directory_account_set_credential(d, id, &credential, true, &e), 0);
    EXPECT_INT(directory_account_set_credential(d, id, &credential, false, &e), 0);
    EXPECT_INT(directory_account_set_credential(d, 99, &credential, false, &e), -ENOENT);
    REQUIRE(directory_account_get(d, id, &a) == 0);
    EXPECT_INT(a.epoch, 5);
    EXPECT_INT(directory_account_advance(d, id, &e), 0);
    EXPECT_INT(directory_account_advance(d, 99, &e), -ENOENT);
    REQUIRE(directory_account_get(d, id, &a) == 0);
    EXPECT_INT(a.epoch, 6);
    EXPECT_INT(directory_account_set(
                   d, id,
                   &(struct account_change){ACCOUNT_SET_STATE, .state = ACCOUNT_STATE_DELETING},
                   &e),
               -EINVAL);
    EXPECT_INT(directory_account_set(d, 99, &rows[0].change, &e), -ENOENT);
    remove_folder(d);
}

static bool put_id(const struct directory_account *a, void *arg)
{
    buf_printf(arg, "%u ", (unsigned)a->id);
    return ((struct buf *)arg)->n < 9;
}

static bool put_address(const struct directory_entry *n, void *arg)
{
    buf_printf(arg, "%s ", n->address);
    return true;
}

static bool put_span(struct span member, void *arg)
{
    buf_put_span(arg, member);
    return buf_putc(arg, ' ');
}

TEST(lists_go_on_after_a_name)
{
    struct directory *d = open_new();
    BUF_AUTO struct buf out = BUF(1000);
    struct err e;
    char name[8] = "a";

    for (; name[0] < 'g'; name[0]++)
        add(d, name);
    EXPECT_INT(directory_account_each(d, 17, put_id, &out), 0);
    EXPECT_SPAN(buf_span(&out), SPAN("18 19 20 "));
    buf_clear(&out);
    for (int i = 0; i < 4; i++) {
        struct directory_entry n = {.kind = ENTRY_ALIAS, .target = "x@elsewhere.org"};
        snprintf(n.address, sizeof n.address, "z%d@%s", i / 2, domains[i % 2]);
        REQUIRE(directory_entry_add(d, &n, &e) == 0);
    }
    directory_entry_each(d, ENTRY_ALIAS, SPAN_EMPTY, put_address, &out);
    EXPECT_SPAN(buf_span(&out),
                SPAN("z0@example.net z1@example.net z0@example.org z1@example.org "));
    buf_clear(&out);
    directory_entry_each(d, ENTRY_ALIAS, SPAN("z1@example.net"), put_address, &out);
    EXPECT_SPAN(buf_span(&out), SPAN("z0@example.org z1@example.org "));
    buf_clear(&out);
    directory_entry_each(d, ENTRY_GROUP, SPAN_EMPTY, put_address, &out);
    EXPECT_INT(out.n, 0);
    remove_folder(d);
}

TEST(members_come_and_go)
{
    struct directory *d = open_new();
    BUF_AUTO struct buf out = BUF(1000);
    struct directory_entry group = {.kind = ENTRY_GROUP,
                                    .address = "team",
                                    .target = "",
                                    .title = "Team",
                                    .mail = true,
                                    .send_as = false},
                           found;
    struct err e;

    REQUIRE(directory_entry_add(d, &group, &e) == 0);
    EXPECT_INT(directory_member_add(d, SPAN("team"), SPAN("Joe"), &e), 0);
    EXPECT_INT(directory_member_add(d, SPAN("team"), SPAN("JOE@example.org"), &e), -EEXIST);
    EXPECT_INT(directory_member_add(d, SPAN("team"), SPAN("Ann@Elsewhere.ORG"), &e), 0);
    EXPECT_INT(directory_member_add(d, SPAN("team"), SPAN("<x>"), &e), -EINVAL);
    EXPECT_INT(directory_member_add(d, SPAN("tea"), SPAN("joe"), &e), -ENOENT);
    directory_member_each(d, SPAN("team"), SPAN_EMPTY, put_span, &out);
    EXPECT_SPAN(buf_span(&out), SPAN("Ann@elsewhere.org joe@example.org "));
    buf_clear(&out);
    directory_member_each(d, SPAN("team"), SPAN("Ann@elsewhere.org"), put_span, &out);
    EXPECT_SPAN(buf_span(&out), SPAN("joe@example.org "));
    EXPECT_INT(directory_member_remove(d, SPAN("team"), SPAN("joe"), &e), 0);
    EXPECT_INT(directory_member_remove(d, SPAN("team"), SPAN("joe"), &e), -ENOENT);
    group.send_as = true;
    group.mail = false;
    EXPECT_INT(directory_group_set(d, &group, &e), 0);
    REQUIRE(directory_entry_find(d, SPAN("team@example.org"), &found) == 0);
    EXPECT(found.send_as && !found.mail);
    EXPECT_STR(found.title, "Team");
    EXPECT_INT(directory_entry_remove(d, ENTRY_GROUP, SPAN("team"), &e), 0);
    EXPECT_INT(directory_group_set(d, &group, &e), -ENOENT);
    EXPECT_INT(directory_member_each(d, SPAN("team"), SPAN_EMPTY, put_span, &out), -ENOENT);
    /* a group of the same name does not inherit members */
    REQUIRE(directory_entry_add(d, &group, &e) == 0);
    buf_clear(&out);
    directory_member_each(d, SPAN("team"), SPAN_EMPTY, put_span, &out);
    EXPECT_INT(out.n, 0);
    remove_folder(d);
}

TEST(memberships_are_not_inherited)
{
    struct directory *d = open_new();
    BUF_AUTO struct buf out = BUF(1000);
    struct directory_entry team = {.kind = ENTRY_GROUP, .address = "team", .send_as = true},
                           inner = {.kind = ENTRY_GROUP, .address = "inner"};
    struct err e;
    uint64_t id = add(d, "ann");

    REQUIRE(directory_entry_add(d, &team, &e) == 0);
    REQUIRE(directory_entry_add(d, &inner, &e) == 0);
    REQUIRE(directory_member_add(d, SPAN("team"), SPAN("Ann"), &e) == 0);
    REQUIRE(directory_member_add(d, SPAN("team"), SPAN("inner"), &e) == 0);
    EXPECT(directory_may_send_as(d, id, SPAN("team@example.org")));
    REQUIRE(directory_account_delete_begin(d, id, &e) == 0);
    REQUIRE(directory_account_delete_finish(d, id, &e) == 0);
    REQUIRE(directory_entry_remove(d, ENTRY_GROUP, SPAN("inner"), &e) == 0);
    id = add(d, "ann");
    EXPECT(!directory_may_send_as(d, id, SPAN("team@example.org")));
    directory_member_each(d, SPAN("team"), SPAN_EMPTY, put_span, &out);
    EXPECT_INT(out.n, 0);
    remove_folder(d);
}

TEST(two_connections_see_each_other)
{
    struct directory *writer = open_new(), *reader = open_again();
    struct directory_account a;
    uint64_t before = directory_version(reader);

    EXPECT_INT(directory_account_find(reader, SPAN("joe"), &a), -ENOENT);
    EXPECT_INT(directory_version(reader), before);
    add(writer, "joe");
    EXPECT(directory_version(reader) != before);
    EXPECT_INT(directory_account_find(reader, SPAN("joe"), &a), 0);
    EXPECT(memcmp(directory_secret(writer), directory_secret(reader), 32) == 0);
    directory_close(reader);
    remove_folder(writer);
}

TEST(a_newer_schema_is_left_alone)
{
    struct directory *d = open_new();
    char path[128];
    sqlite3 *db;
    struct err e;

    directory_close(d);
    snprintf(path, sizeof path, "%s/directory.db", folder);
    REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
    sqlite3_close(db);
    EXPECT_INT(directory_open(folder, &d, &e), -EIO);
    EXPECT(strstr(e.text, "version 99") != NULL);
    remove_folder(NULL);
}

TEST(a_damaged_file_is_an_error)
{
    char path[128];
    struct directory *d = open_new();
    struct err e;

    directory_close(d);
    snprintf(path, sizeof path, "%s/directory.db-wal", folder);
    unlink(path); /* it holds all pages and would heal the damage */
    snprintf(path, sizeof path, "%s/directory.db", folder);
    FILE *f = fopen(path, "wb");
    REQUIRE(f);
    for (int i = 0; i < 4096; i++)
        fputc((int)(unit_random() & 0xff), f);
    fclose(f);
    EXPECT_INT(directory_open(folder, &d, &e), -EIO);
    EXPECT(strstr(e.text, "directory.db") != NULL);
    remove_folder(NULL);
}

/* ------------------------------------------------------------------ certificates */
static bool count_certificate(const struct directory_certificate *c, void *arg)
{
    ++*(unsigned *)arg;
    return true;
}

TEST(certificates_go_with_their_account)
{
    struct directory *d = open_new();
    struct directory_certificate c = {.kind = CERTIFICATE_SPKI, .name = "laptop", .value = "k"};
    unsigned count = 0;
    struct err e;

    c.account = add(d, "joe@example.org");
    EXPECT_INT(directory_certificate_add(d, &c, &e), 0);
    EXPECT_INT(directory_certificate_add(d, &c, &e), -EEXIST);
    snprintf(c.name, sizeof c.name, "phone");
    EXPECT_INT(directory_certificate_add(d, &c, &e), 0);
    EXPECT_INT(directory_certificate_find(d, CERTIFICATE_SPKI, "k", count_certificate, &count), 0);
    EXPECT_INT(count, 2);
    count = 0;
    EXPECT_INT(directory_certificate_find(d, CERTIFICATE_EMAIL, "k", count_certificate, &count), 0);
    EXPECT_INT(count, 0);
    EXPECT_INT(directory_account_delete_begin(d, c.account, &e), 0);
    EXPECT_INT(directory_account_delete_finish(d, c.account, &e), 0);
    EXPECT_INT(directory_certificate_each(d, UINT64_MAX, 0, count_certificate, &count), 0);
    EXPECT_INT(count, 0);
    remove_folder(d);
}

/* A database of version 1, as it was before there were certificates. */
TEST(a_database_of_version_1_is_taken_over)
{
    struct directory *d = open_new();
    struct directory_certificate c = {.kind = CERTIFICATE_SPKI, .name = "laptop", .value = "k"};
    char path[128];
    sqlite3 *db;
    struct err e;

    c.account = add(d, "joe@example.org");
    directory_close(d);
    snprintf(path, sizeof path, "%s/directory.db", folder);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, "DROP TABLE certificate; PRAGMA user_version = 1;", NULL, NULL, NULL) ==
          SQLITE_OK);
    sqlite3_close(db);
    d = open_again();
    EXPECT_INT(directory_certificate_add(d, &c, &e), 0);
    EXPECT_INT(directory_account_count(d), 1);
    remove_folder(d);
}
