#include "base/err.h"

#include "unit/unit.h"

#include <errno.h>

TEST(set_and_wrap)
{
    struct err e;

    EXPECT_INT(err_set(&e, -ENOENT, "%s is missing", "x.conf"), -ENOENT);
    EXPECT_INT(err_wrap(&e, -EINVAL, "vserver %d", 3), -EINVAL);
    EXPECT_STR(e.text, "vserver 3: x.conf is missing");
}

TEST(long_texts_are_cut)
{
    struct err e;

    err_set(&e, -1, "%0700d", 1);
    EXPECT_INT(strlen(e.text), sizeof e.text - 1);
    err_wrap(&e, -1, "context");
    EXPECT_INT(strlen(e.text), sizeof e.text - 1);
    EXPECT(span_starts(span_cstr(e.text), SPAN("context: 000")));
    err_wrap(&e, -1, "%0700d", 2);
    EXPECT_INT(strlen(e.text), sizeof e.text - 1);
}
