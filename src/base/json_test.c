#include "base/json.h"
#include "unit/unit.h"

TEST(json_string)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"",                   "\"\""                         },
        {"plain",              "\"plain\""                    },
        {"a\"b\\c",            "\"a\\\"b\\\\c\""              },
        {"line\r\n\x1b",       "\"line\\u000d\\u000a\\u001b\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""       },
        {"\xff",               "\"\xef\xbf\xbd\""             },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b BUF_AUTO = BUF(1000);
        unit_case(rows[i].want);
        EXPECT(json_put_string(&b, span_cstr(rows[i].in)));
        EXPECT_SPAN(buf_span(&b), span_cstr(rows[i].want));
    }
}
