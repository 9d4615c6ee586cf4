#include "manager/import.h"
#include "unit/unit.h"

static const struct {
    const char *line;
    int64_t seconds; /* -1: begins no message */
    int zone;
} from_lines[] = {
    {"From a@b Thu Jan  1 00:00:00 2026\n",                1767225600, 0   },
    {"From a@b Thu Jan  1 00:00:00 2026\r\n",              1767225600, 0   },
    {"From a@b Thu Jan 1 00:00 2026",                      1767225600, 0   },
    {"From - Thu Jan 01 00:00:00 2026",                    1767225600, 0   },
    {"From \"a b\"@c Thu Jan  1 00:00:00 2026",            1767225600, 0   },
    {"From a@b Thu Jan  1 01:00:00 2026 +0100",            1767225600, 60  },
    {"From a@b Wed Dec 31 19:00:00 EST 2025",              1767225600, -300},
    {"From a@b Wed Dec 31 19:00:00 -0500 2025",            1767225600, -300},
    {"From a!b Thu Jan  1 00:00:00 2026 remote from here", 1767225600, 0   },
    {"From x Thu Jan  1 00:00:00 1970",                    0,          0   },
    {"From x Thu Feb 29 12:30:45 2024",                    1709209845, 0   },
    {"From a@b Thu Jan  1 1: 2026",                        -1,         0   },
    {"From here on it went well",                          -1,         0   },
    {"From a@b",                                           -1,         0   },
    {"From a@b Thu Jan  0 00:00:00 2026",                  -1,         0   },
    {"From a@b Thu Jan  1 24:00:00 2026",                  -1,         0   },
    {"From a@b Thu Jan  1 00:00:00 26",                    -1,         0   },
    {"From a@b Thx Jan  1 00:00:00 2026",                  -1,         0   },
    {">From a@b Thu Jan  1 00:00:00 2026",                 -1,         0   },
    {"from a@b Thu Jan  1 00:00:00 2026",                  -1,         0   },
    {"From: a@b Thu Jan  1 00:00:00 2026",                 -1,         0   },
    {"",                                                   -1,         0   },
};

TEST(lines_that_begin_a_message)
{
    for (size_t i = 0; i < sizeof from_lines / sizeof from_lines[0]; i++) {
        int64_t seconds = -1;
        int zone = 0;
        bool is = import_mbox_is_from(span_cstr(from_lines[i].line), &seconds, &zone);
        unit_case(from_lines[i].line);
        EXPECT(is == (from_lines[i].seconds >= 0));
        EXPECT_INT(seconds, from_lines[i].seconds);
        EXPECT(!is || zone == from_lines[i].zone);
    }
}

static const char *const levels[] = {
    "INBOX", "a.b",  "cur",  ".hidden",          "Entw\xc3\xbcrfe & Co",
    "new",   "tmp.", "a&b-", "\xf0\x9f\x98\x80", "~\\\"*%",
    "..",    "."};

/* What a level is called on disk leads back to it, and is never a name that means something else
 * there. */
TEST(names_of_folders)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        for (unsigned dots = 0; dots < 2; dots++) {
            struct buf file BUF_AUTO = BUF(1000), back BUF_AUTO = BUF(1000);
            import_name_file(span_cstr(levels[i]), dots, &file);
            import_name_level(buf_span(&file), &back);
            unit_case(levels[i]);
            EXPECT_SPAN(buf_span(&back), span_cstr(levels[i]));
            EXPECT(file.n > 0 && file.p[0] != '.' && !span_has(buf_span(&file), '/'));
            EXPECT(!dots || !span_has(buf_span(&file), '.'));
            EXPECT(!span_eq_cstr(buf_span(&file), "cur") && !span_eq_cstr(buf_span(&file), "new"));
        }
    }
}

static const struct {
    const char *raw, *want;
} raw_names[] = {
    {"Sent",        "Sent"            },
    {"K&APY-ln",    "K\xc3\xb6ln"     },
    {"K\xc3\xb6ln", "K\xc3\xb6ln"     },
    {"K\xf6ln",     "K\xc3\xb6ln"     }, /* Latin-1 */
    {"a&-b",        "a&b"             },
    {"a&b",         "a&b"             }, /* no modified UTF-7: as it stands */
    {"&2D3eAA-",    "\xf0\x9f\x98\x80"},
    {"&2D0-",       "&2D0-"           }, /* half of a pair */
};

TEST(names_from_disk)
{
    for (size_t i = 0; i < sizeof raw_names / sizeof raw_names[0]; i++) {
        struct buf name BUF_AUTO = BUF(1000);
        import_name_level(span_cstr(raw_names[i].raw), &name);
        EXPECT_SPAN(buf_span(&name), span_cstr(raw_names[i].want));
    }
}

TEST(names_that_fit)
{
    static const struct {
        const char *name, *want;
        bool changed;
    } rows[] = {
        {"a/b",    "a/b", false},
        {"/a//b/", "a/b", true },
        {"a\nb",   "a_b", true },
        {"",       "_",   true },
        {"///",    "_",   true },
    };
    struct buf longest BUF_AUTO = BUF(8192), fit BUF_AUTO = BUF(8192);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_clear(&fit);
        EXPECT(import_name_fit(span_cstr(rows[i].name), &fit) == rows[i].changed);
        EXPECT_SPAN(buf_span(&fit), span_cstr(rows[i].want));
    }
    for (unsigned k = 0; k < 900; k++)
        buf_put_cstr(&longest, "\xc3\xbc");
    buf_clear(&fit);
    EXPECT(import_name_fit(buf_span(&longest), &fit));
    EXPECT(fit.n <= STORE_NAME_MAX && fit.n > STORE_NAME_MAX - 4);
}

TEST(line_ends)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"a\nb\n", "a\r\nb\r\n"},
        {"a\r\nb", "a\r\nb"    },
        {"\n\n",   "\r\n\r\n"  },
        {"\r\r\n", "\r\r\n"    },
        {"",       ""          },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out BUF_AUTO = BUF(100);
        import_crlf(span_cstr(rows[i].in), &out);
        EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
}
