#include "monitor/counter.h"

#include "base/buf.h"
#include "unit/unit.h"

#include <inttypes.h>

static void note(void *arg, struct span vserver, uint64_t value)
{
    buf_printf(arg, "%.*s=%" PRIu64 ";", SPAN_ARG(vserver), value);
}

TEST(counters)
{
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"none",              "",                                                                    ""        },
        {"one",               "x_total{vserver=\"a\"} 3\n",                                          "a=3;"    },
        {"without an end",    "x_total{vserver=\"a\"} 3",                                            "a=3;"    },
        {"two processes",
         "x_total{vserver=\"a\",process=\"access.0\"} 3\nx_total{process=\"mx\",vserver=\"a\"} 4\n", "a=3;a=4;"},
        {"zero",              "x_total{vserver=\"a\"} 0\n",                                          "a=0;"    },
        {"as a gauge",        "x_total{vserver=\"a\"} 7.00\n",                                       "a=7;"    },
        {"another",           "x_total2{vserver=\"a\"} 3\ny{vserver=\"a\"} 3\nx_total 9\n",          ""        },
        {"comments",          "# HELP x_total{vserver=\"a\"} 3\n# TYPE x_total counter\n",           ""        },
        {"no virtual server", "x_total{process=\"a\"} 3\nx_total{} 1\nx_total{vserver=\"\"} 1\n",
         ""                                                                                                    },
        {"no number",
         "x_total{vserver=\"a\"} \nx_total{vserver=\"a\"} -1\nx_total{vserver=\"a\"} NaN\n",         ""        },
        {"cut off",           "x_total{vserver=\"a\"\nx_total{vserver=\"\nx_total{",                 ""        },
        {"too large",         "x_total{vserver=\"a\"} 99999999999999999999999\n",                    ""        },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out BUF_AUTO = BUF(1000);
        unit_case(rows[i].name);
        counter_each(span_cstr(rows[i].text), "x_total", note, &out);
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
    unit_case(NULL);
}
