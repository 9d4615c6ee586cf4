#include "base/check.h"
#include "base/fd.h"
#include "base/leftover.h"
#include "base/span.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

TEST(leftovers)
{
    static const struct {
        const char *name;
        bool goes;
    } rows[] = {
        {"imap4-default.identity.4qom2v4cwr3o.tmp", true },
        {"a.abcdefghijkl.tmp",                      true },
        {"imap4-default.identity",                  false},
        {"trust.pem.tmp",                           false},
        {"abcdefghijkl.tmp",                        false},
        {".abcdefghijkl.tmp",                       false},
        {"a.abcdefghijk.tmp",                       false},
        {"a.abcdefghijklm.tmp",                     false},
        {"a.abcdef-hijkl.tmp",                      false},
        {"a.abcdefghijkl.tmp.old",                  false},
    };
    char folder[] = "/tmp/sealpost-leftover-XXXXXX";
    struct err e;
    FD_AUTO dir = -1;

    REQUIRE(mkdtemp(folder) != NULL);
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        REQUIRE(file_write(dir, rows[i].name, SPAN("x"), 0600, &e) == 0);
    EXPECT_INT(leftovers_remove(dir), 2);
    EXPECT_INT(leftovers_remove(dir), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].name);
        EXPECT_INT(faccessat(dir, rows[i].name, F_OK, 0) == 0, !rows[i].goes);
        unlinkat(dir, rows[i].name, 0);
    }
    unit_case(NULL);
    EXPECT_INT(leftovers_remove(-1), -EBADF);
    rmdir(folder);
}
