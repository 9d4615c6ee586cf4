#include "manager/settings.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdlib.h>

TEST(lines)
{
    static const struct {
        const char *text, *name, *value; /* value NULL: not there */
        const char *error;               /* NULL: fine */
    } rows[] = {
        {"A=b",                "A",       "b",     NULL     },
        {"A=b\n",              "A",       "b",     NULL     },
        {"A=b\r\n",            "A",       "b",     NULL     },
        {"# A=x\n\n  A=b  \n", "A",       "b",     NULL     },
        {"export A=b",         "A",       "b",     NULL     },
        {"A=",                 "A",       "",      NULL     },
        {"A=\"b c\"",          "A",       "b c",   NULL     },
        {"A='b \"c'",          "A",       "b \"c", NULL     },
        {"A=b=c#d",            "A",       "b=c#d", NULL     },
        {"A=1\nA=2",           "A",       "2",     NULL     },
        {"AB=1",               "A",       NULL,    NULL     },
        {"",                   "A",       NULL,    NULL     },
        {"A",                  "A",       NULL,    "f:1"    },
        {"A=1\nB C=2",         "A",       NULL,    "f:2"    },
        {"=x",                 "A",       NULL,    "f:1"    },
        {"1A=x",               "A",       NULL,    "f:1"    },
        {"A=\"b",              "A",       NULL,    "quote"  },
        {"A=b\x1b[1m",         "A",       NULL,    "control"},
        {"exportA=b",          "exportA", "b",     NULL     },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct settings *s = calloc(1, sizeof *s);
        struct err e = {""};
        const char *v;
        unit_case(rows[i].text);
        EXPECT_INT(settings_parse(span_cstr(rows[i].text), "f", s, &e) == 0, rows[i].error == NULL);
        if (rows[i].error != NULL) {
            EXPECT(strstr(e.text, rows[i].error) != NULL);
            EXPECT_INT(s->n, 0);
        }
        v = settings_get(s, rows[i].name);
        EXPECT_STR(v ? v : "none", rows[i].value ? rows[i].value : "none");
        free(s);
    }
    unit_case(NULL);
}

TEST(bounds)
{
    struct settings *s = calloc(1, sizeof *s);
    struct buf b BUF_AUTO = BUF(100000);
    struct err e;

    for (unsigned i = 0; i < SETTINGS_MAX; i++)
        buf_printf(&b, "N%u=v\n", i);
    EXPECT_INT(settings_parse(buf_span(&b), "f", s, &e), 0);
    EXPECT_INT(s->n, SETTINGS_MAX);
    buf_put_cstr(&b, "ONE_MORE=v\n");
    EXPECT(settings_parse(buf_span(&b), "f", s, &e) < 0);
    buf_clear(&b);
    buf_put_cstr(&b, "A=");
    for (unsigned i = 0; i < SETTINGS_VALUE_MAX; i++)
        buf_putc(&b, 'x');
    EXPECT_INT(settings_parse(buf_span(&b), "f", s, &e), 0);
    buf_putc(&b, 'x');
    EXPECT(settings_parse(buf_span(&b), "f", s, &e) < 0);
    /* an embedded NUL is no way to end a value early */
    EXPECT(settings_parse(span_of("A=b\0c", 5), "f", s, &e) < 0);
    free(s);
}
