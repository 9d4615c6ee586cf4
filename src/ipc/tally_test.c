/* tally_test.c: what one process adds the others see, until it is gone. */
#include "ipc/tally.h"

#include "base/check.h"
#include "base/fd.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct in6_addr address(unsigned n)
{
    struct in6_addr a;
    char text[64];

    snprintf(text, sizeof text, "2001:db8::%x:%x", n >> 16, n & 0xffff);
    CHECK(inet_pton(AF_INET6, text, &a) == 1);
    return a;
}

static struct tally *join(int fd, unsigned member, unsigned members)
{
    return tally_join(fcntl(fd, F_DUPFD_CLOEXEC, 3), member, members);
}

TEST(members_see_each_other)
{
    FD_AUTO fd = tally_make(3);
    struct in6_addr a = address(1), b = address(2);
    struct tally *t[3];

    REQUIRE(fd >= 0);
    for (unsigned i = 0; i < 3; i++)
        REQUIRE((t[i] = join(fd, i, 3)) != NULL);
    for (int i = 0; i < 5; i++)
        tally_add(t[0], &a);
    tally_add(t[1], &a);
    tally_add(t[1], &b);
    EXPECT_INT(tally_others(t[0], &a), 1);
    EXPECT_INT(tally_others(t[1], &a), 5);
    EXPECT_INT(tally_others(t[2], &a), 6);
    EXPECT_INT(tally_others(t[2], &b), 1);
    for (int i = 0; i < 5; i++)
        tally_remove(t[0], &a);
    EXPECT_INT(tally_others(t[2], &a), 1);
    tally_add(t[0], &a);
    tally_free(t[0]); /* killed: it does not say so */
    EXPECT_INT(tally_others(t[2], &a), 2);
    t[0] = join(fd, 0, 3); /* its successor has none of its connections */
    EXPECT_INT(tally_others(t[2], &a), 1);
    for (unsigned i = 0; i < 3; i++)
        tally_free(t[i]);
}

TEST(addresses_hardly_meet)
{
    FD_AUTO fd = tally_make(2);
    struct tally *one = join(fd, 0, 2), *other = join(fd, 1, 2);
    unsigned wrong = 0;

    REQUIRE(one != NULL && other != NULL);
    for (unsigned i = 0; i < 1000; i++) {
        struct in6_addr a = address(i);
        tally_add(one, &a);
    }
    for (unsigned i = 0; i < 2000; i++) {
        struct in6_addr a = address(i);
        EXPECT(tally_others(other, &a) >= (i < 1000)); /* never too low */
        wrong += tally_others(other, &a) != (i < 1000);
    }
    EXPECT(wrong < 60);
    tally_free(one);
    tally_free(other);
}

TEST(what_a_hostile_member_writes_does_no_harm)
{
    FD_AUTO fd = tally_make(2);
    struct tally *one = join(fd, 0, 2);
    struct in6_addr a = address(7);
    struct stat st;
    unsigned char *p;

    REQUIRE(one != NULL && fstat(fd, &st) == 0);
    tally_add(one, &a);
    EXPECT(ftruncate(fd, 4096) < 0);
    p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(p != MAP_FAILED);
    memset(p, 0xff, (size_t)st.st_size);
    EXPECT(tally_others(one, &a) > 0);
    memset(p, 0, (size_t)st.st_size);
    EXPECT_INT(tally_others(one, &a), 0);
    tally_add(one, &a);
    tally_remove(one, &a);
    tally_remove(one, &a);
    struct tally *two = join(fd, 1, 2);
    EXPECT_INT(tally_others(two, &a), 0);
    munmap(p, (size_t)st.st_size);
    tally_free(one);
    tally_free(two);
}

TEST(only_such_a_memory_is_joined)
{
    FD_AUTO fd = tally_make(2), plain = memfd_create("x", MFD_CLOEXEC);
    struct stat st;

    REQUIRE(fd >= 0 && plain >= 0 && fstat(fd, &st) == 0);
    EXPECT(join(fd, 0, 3) == NULL);
    EXPECT(join(fd, 2, 2) == NULL);
    EXPECT(ftruncate(plain, st.st_size) == 0);
    EXPECT(join(plain, 0, 2) == NULL); /* it may shrink */
    EXPECT(tally_join(-1, 0, 2) == NULL);
    EXPECT_INT(tally_make(0), -EINVAL);
    EXPECT_INT(tally_make(TALLY_MEMBERS_MAX + 1), -EINVAL);
}
