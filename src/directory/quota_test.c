#include "directory/directory.h"

#include "base/check.h"
#include "unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *domains[] = {"example.org", "example.net"};
static const struct conf conf = {
    .domain = "example.org",
    .local_domains = {domains, 2},
    .postmaster = "postmaster@example.org",
};
static char folder[64];

static struct directory *open_again(void)
{
    struct directory *d = NULL;
    struct err e;

    CHECK(directory_open(folder, &d, &e) == 0);
    directory_set_conf(d, &conf);
    return d;
}

static struct directory *open_new(void)
{
    struct credential credential;
    struct err e;
    uint64_t id;

    CHECK(credential_make(SPAN("pencil"), (struct credential_cost){64, 1}, &credential) == 0);
    snprintf(folder, sizeof folder, "/tmp/quota_test.XXXXXX");
    CHECK(mkdtemp(folder));
    struct directory *d = open_again();
    struct account_new n = {
        SPAN("alice@example.org"), SPAN("A name"), 1, 1, &credential,
    };
    CHECK(directory_account_add(d, &n, &id, &e) == 0);
    return d;
}

static void remove_folder(struct directory *d)
{
    char command[128];

    directory_close(d);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK(system(command) == 0);
}

static bool put(struct span name, uint64_t bytes, void *arg)
{
    buf_printf(arg, "%.*s=%llu ", SPAN_ARG(name), (unsigned long long)bytes);
    return true;
}

static void expect_all(struct directory *d, const char *want)
{
    struct buf b BUF_AUTO = BUF(4096);

    EXPECT_INT(directory_quota_each(d, SPAN_EMPTY, put, &b), 0);
    EXPECT_SPAN(buf_span(&b), span_cstr(want));
}

TEST(kept)
{
    struct directory *d = open_new();
    uint64_t bytes = 1;
    struct err e;

    EXPECT_INT(directory_quota_get(d, SPAN("example.org"), &bytes), 0);
    EXPECT_INT(bytes, 0);
    EXPECT_INT(directory_quota_set(d, SPAN("Example.ORG"), 5000, &e), 0);
    EXPECT_INT(directory_quota_set(d, SPAN("Alice@example.org"), 700, &e), 0);
    EXPECT_INT(directory_quota_set(d, SPAN("bob@example.org"), 700, &e), -ENOENT);
    EXPECT_INT(directory_quota_set(d, SPAN("example.com"), 700, &e), -ENOENT);
    EXPECT_INT(directory_quota_set(d, SPAN("@"), 700, &e), -EINVAL);
    directory_close(d);
    d = open_again();
    expect_all(d, "alice@example.org=700 example.org=5000 ");
    EXPECT_INT(directory_quota_set(d, SPAN("example.org"), 6000, &e), 0);
    EXPECT_INT(directory_quota_set(d, SPAN("alice@example.org"), 0, &e), 0);
    expect_all(d, "example.org=6000 ");
    remove_folder(d);
}

TEST(goes_with_the_account)
{
    struct directory *d = open_new();
    struct directory_account a;
    struct err e;

    EXPECT_INT(directory_quota_set(d, SPAN("example.org"), 5000, &e), 0);
    EXPECT_INT(directory_quota_set(d, SPAN("alice@example.org"), 700, &e), 0);
    CHECK(directory_account_find(d, SPAN("alice@example.org"), &a) == 0);
    EXPECT_INT(directory_account_delete_begin(d, a.id, &e), 0);
    expect_all(d, "alice@example.org=700 example.org=5000 ");
    EXPECT_INT(directory_account_delete_finish(d, a.id, &e), 0);
    expect_all(d, "example.org=5000 ");
    remove_folder(d);
}

static void put_group(struct span group, void *arg)
{
    buf_printf(arg, "%.*s ", SPAN_ARG(group));
}

static void add_group(struct directory *d, const char *address, const char *member)
{
    struct directory_entry n = {.kind = ENTRY_GROUP};
    struct err e;

    snprintf(n.address, sizeof n.address, "%s", address);
    CHECK(directory_entry_add(d, &n, &e) == 0);
    CHECK(directory_member_add(d, span_cstr(address), span_cstr(member), &e) == 0);
}

TEST(groups)
{
    struct directory *d = open_new();
    struct buf b BUF_AUTO = BUF(4096);
    struct err e;

    add_group(d, "staff@example.org", "alice@example.org");
    add_group(d, "all@example.net", "staff@example.org");
    add_group(d, "others@example.org", "bob@example.com");
    /* a ring of groups has an end, and each is named once */
    EXPECT_INT(directory_member_add(d, SPAN("staff@example.org"), SPAN("all@example.net"), &e), 0);
    EXPECT_INT(directory_member_add(d, SPAN("all@example.net"), SPAN("alice@example.org"), &e), 0);
    directory_groups_of(d, SPAN("alice@example.org"), 20, put_group, &b);
    EXPECT_SPAN(buf_span(&b), SPAN("all@example.net staff@example.org "));
    buf_clear(&b);
    directory_groups_of(d, SPAN("alice@example.org"), 1, put_group, &b);
    EXPECT_SPAN(buf_span(&b), SPAN("all@example.net "));
    buf_clear(&b);
    directory_groups_of(d, SPAN("nobody@example.org"), 20, put_group, &b);
    EXPECT_SPAN(buf_span(&b), SPAN_EMPTY);
    remove_folder(d);
}
