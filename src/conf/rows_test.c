#include "conf/rows.h"

#include "unit/unit.h"

/* Every row can be told to an administrator, and its default passes its own checks (row_set_default
 * would abort). */
TEST(table)
{
    struct arena *a = arena_new(1 << 20);

    for (const struct row *row = conf_rows; row < conf_rows + conf_row_count; row++) {
        unit_case(row->name);
        EXPECT(row->doc && row->doc[0]);
        if (row->type == ROW_SECTION)
            continue;
        EXPECT(row->doc[strlen(row->doc) - 1] == '.');
        EXPECT(row_find(row->scope, span_cstr(row->name)) == row); /* once in its scope */
        if (row->type == ROW_LIST || row->type == ROW_GROUP)
            continue;
        for (enum conf_protocol p = 0; p <= PROTOCOL_COUNT; p++) {
            const char *def = row_default(row, p);
            void *base = arena_alloc(a, scope_size(row->scope));
            if (!def)
                continue;
            row_set_default(row, base, a, def);
            EXPECT(row_valid(row, base));
        }
        EXPECT(row_default(row, PROTOCOL_IMAP4) || row_required(row) || row_derived(row));
    }
    unit_case(NULL);
    arena_free(a);
}

TEST(lookup)
{
    static const struct {
        enum conf_scope scope;
        const char *name, *nearest; /* NULL: nothing is near */
    } rows[] = {
        {SCOPE_ROOT,     "hostnam",                                                "hostname"              },
        {SCOPE_ROOT,     "HostName",                                               "hostname"              },
        {SCOPE_ROOT,     "local_domain",                                           "local_domains"         },
        {SCOPE_ROOT,     "vserver",                                                "vservers"              },
        {SCOPE_VSERVER,  "require_secure_chanel",                                  "require_secure_channel"},
        {SCOPE_LIMITS,   "idletimeout",                                            "idle_timeout"          },
        {SCOPE_ENDPOINT, "prot",                                                   "port"                  },
        {SCOPE_ENDPOINT, "zzzzzz",                                                 NULL                    },
        {SCOPE_ENDPOINT, "",                                                       NULL                    },
        {SCOPE_ROOT,     "a_very_long_name_that_is_not_an_option_at_all_anywhere", NULL                    },
    };
    EXPECT(row_find(SCOPE_ROOT, SPAN("hostname")) && !row_find(SCOPE_VSERVER, SPAN("hostname")));
    EXPECT(!row_find(SCOPE_ROOT, SPAN("")));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *nearest = row_nearest(rows[i].scope, span_cstr(rows[i].name));
        unit_case(rows[i].name);
        EXPECT_STR(nearest ? nearest->name : NULL, rows[i].nearest);
    }
    unit_case(NULL);
}

TEST(numbers)
{
    static const struct {
        const char *text, *unit;
        bool ok;
        uint64_t want;
        const char *printed;
    } rows[] = {
        {"0",                    "bytes", true,  0,                 "0"                   },
        {"1",                    "bytes", true,  1,                 "1"                   },
        {"64 KiB",               "bytes", true,  65536,             "64 KiB"              },
        {"65537",                "bytes", true,  65537,             "65537"               },
        {"1024MiB",              "bytes", true,  1 << 30,           "1 GiB"               },
        {"5 B",                  "bytes", true,  5,                 "5"                   },
        {"16 TiB",               "bytes", true,  (uint64_t)1 << 44, "16 TiB"              },
        {"90",                   "s",     true,  90,                "90"                  },
        {"90 min",               "s",     true,  5400,              "90 min"              },
        {"24 h",                 "s",     true,  86400,             "1 d"                 },
        {"7",                    "days",  true,  7,                 "7"                   },
        {"7 days",               "days",  false, 0,                 NULL                  },
        {"7 d",                  "days",  false, 0,                 NULL                  },
        {"64 kb",                "bytes", false, 0,                 NULL                  },
        {"64 KiBs",              "bytes", false, 0,                 NULL                  },
        {"64 min",               "bytes", false, 0,                 NULL                  },
        {"KiB",                  "bytes", false, 0,                 NULL                  },
        {"-1",                   "bytes", false, 0,                 NULL                  },
        {"1.5 KiB",              "bytes", false, 0,                 NULL                  },
        {"",                     "s",     false, 0,                 NULL                  },
        {"18446744073709551615", "bytes", true,  UINT64_MAX,        "18446744073709551615"},
        {"18446744073709551616", "bytes", false, 0,                 NULL                  },
        {"16777216 TiB",         "bytes", false, 0,                 NULL                  }, /* 2^64 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf b = BUF(100);
        uint64_t v = 77;
        unit_case(rows[i].text);
        EXPECT(number_parse(span_cstr(rows[i].text), rows[i].unit, &v) == rows[i].ok);
        EXPECT(v == (rows[i].ok ? rows[i].want : 77));
        if (rows[i].ok) {
            number_print(v, rows[i].unit, &b);
            EXPECT_STR(buf_cstr(&b), rows[i].printed);
        }
    }
    unit_case(NULL);
    BUF_AUTO struct buf b = BUF(100);
    number_print_range(1, 86400, "s", " to ", &b);
    EXPECT_STR(buf_cstr(&b), "1 s to 1 d");
}
