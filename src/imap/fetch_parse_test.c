#include "imap/fetch.h"

#include "base/check.h"
#include "unit/unit.h"

/* items, then labels separated by "|"; "!" before a plan that sets \Seen, "s" for one that needs
 * the summary */
static void describe(const struct fetch_plan *p, struct buf *out)
{
    if (p->sets_seen)
        buf_putc(out, '!');
    buf_printf(out, "%u", p->items);
    if (p->needs_summary)
        buf_putc(out, 's');
    for (size_t i = 0; i < p->section_count; i++) {
        buf_putc(out, '|');
        buf_put_span(out, p->sections[i].label);
    }
}

TEST(items)
{
    static const struct {
        const char *in, *want; /* NULL: refused */
    } rows[] = {
        {"FLAGS",                                    "2"                                },
        {"(FLAGS UID)",                              "3"                                },
        {"fast",                                     "14"                               },
        {"ALL",                                      "30s"                              },
        {"FULL",                                     "62s"                              },
        {"BODY",                                     "32s"                              },
        {"BODYSTRUCTURE",                            "64s"                              },
        {"BODY[]",                                   "!0|BODY[]"                        },
        {"BODY.PEEK[]",                              "0|BODY[]"                         },
        {"body.peek[header]",                        "0s|BODY[HEADER]"                  },
        {"BODY[1]",                                  "!0s|BODY[1]"                      },
        {"BODY[1.2.mime]",                           "!0s|BODY[1.2.MIME]"               },
        {"BODY[3.TEXT]<0.100>",                      "!0s|BODY[3.TEXT]<0>"              },
        {"BODY.PEEK[HEADER.FIELDS (From \"To\")]",   "0s|BODY[HEADER.FIELDS (From To)]" },
        {"BODY.PEEK[HEADER.FIELDS.NOT ({2}\r\nCc)]", "0s|BODY[HEADER.FIELDS.NOT (Cc)]"  },
        {"BODY[HEADER.FIELDS (\"a b\")]",            "!0s|BODY[HEADER.FIELDS (\"a b\")]"},
        {"(UID BODY[TEXT]<5.6> RFC822.SIZE)",        "!9s|BODY[TEXT]<5>"                },
        {"RFC822",                                   "!0|RFC822"                        },
        {"RFC822.HEADER",                            "0s|RFC822.HEADER"                 },
        {"RFC822.TEXT",                              "!0s|RFC822.TEXT"                  },
        {"BINARY[1]",                                "!0s|BINARY[1]"                    },
        {"BINARY.PEEK[1.2]<0.5>",                    "0s|BINARY[1.2]<0>"                },
        {"BINARY.SIZE[2]",                           "0s|BINARY.SIZE[2]"                },
        {"BINARY[]",                                 "!0|BINARY[]"                      },
        {"BODY[]<0.9223372036854775807>",            "!0|BODY[]<0>"                     },
        {"FAST (CHANGEDSINCE 7)",                    "142"                              },
        {"(UID) (changedsince 0)",                   "129"                              },
        {"UID (VANISHED CHANGEDSINCE 7)",            "129"                              },
        {"MODSEQ",                                   "128"                              },
        {"FAST (VANISHED)",                          NULL                               },
        {"UID (CHANGEDSINCE)",                       NULL                               },
        {"UID (CHANGEDSINCE 9223372036854775808)",   NULL                               },
        {"UID (CHANGEDSINCE 1 CHANGEDSINCE 2)",      NULL                               },
        {"UID (CHANGEDSINCE 1 VANISHED VANISHED)",   NULL                               },
        {"UID (CHANGEDSINCE 1) ",                    NULL                               },
        {"UID ()",                                   NULL                               },
        {"(ALL)",                                    NULL                               },
        {"(FLAGS ALL)",                              NULL                               },
        {"FLAGS UID",                                NULL                               },
        {"()",                                       NULL                               },
        {"(FLAGS )",                                 NULL                               },
        {"(FLAGS",                                   NULL                               },
        {"BODY[",                                    NULL                               },
        {"BODY[MIME]",                               NULL                               },
        {"BODY[1.]",                                 NULL                               },
        {"BODY[0]",                                  NULL                               },
        {"BODY[01]",                                 NULL                               },
        {"BODY[1HEADER]",                            NULL                               },
        {"BODY[HEADER.FIELDS]",                      NULL                               },
        {"BODY[HEADER.FIELDS ()]",                   NULL                               },
        {"BODY[HEADER.FIELDS ({2}\r\n\r\n)]",        NULL                               },
        {"BODY[]<5>",                                NULL                               },
        {"BODY[]<5.0>",                              NULL                               },
        {"BODY[]<99999999999999999999.1>",           NULL                               },
        {"BINARY[1.MIME]",                           NULL                               },
        {"BINARY[TEXT]",                             NULL                               },
        {"BINARY.SIZE[1]<0.1>",                      NULL                               },
        {"FLAGS[]",                                  NULL                               },
        {"NONSENSE",                                 NULL                               },
        {"",                                         NULL                               },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(1 << 20);
        struct buf got BUF_AUTO = BUF(4096);
        struct fetch_plan plan;
        struct span c = span_cstr(rows[i].in);
        unit_case(rows[i].in);
        bool ok = fetch_parse(&c, a, &plan);
        EXPECT_INT(ok, rows[i].want != NULL);
        if (ok && rows[i].want) {
            describe(&plan, &got);
            EXPECT_SPAN(buf_span(&got), span_cstr(rows[i].want));
            EXPECT_INT(c.n, 0);
        }
        for (size_t cut = 0; cut < strlen(rows[i].in); cut++) {
            c = span_of(rows[i].in, cut);
            fetch_parse(&c, a, &plan);
        }
        arena_free(a);
    }
    unit_case(NULL);
}

TEST(limits)
{
    struct arena *a = arena_new(1 << 20);
    struct buf b BUF_AUTO = BUF(64 << 10);
    struct fetch_plan plan;
    struct span c;

    buf_put_cstr(&b, "BODY[1");
    for (unsigned i = 1; i < FETCH_DEPTH_MAX; i++)
        buf_put_cstr(&b, ".1");
    buf_put_cstr(&b, "]");
    c = buf_span(&b);
    EXPECT(fetch_parse(&c, a, &plan));
    buf_truncate(&b, b.n - 1);
    buf_put_cstr(&b, ".1]");
    c = buf_span(&b);
    EXPECT(!fetch_parse(&c, a, &plan));

    buf_clear(&b);
    for (unsigned i = 0; i <= FETCH_SECTIONS_MAX; i++)
        buf_put_cstr(&b, i ? " BODY[]" : "(BODY[]");
    buf_putc(&b, ')');
    c = buf_span(&b);
    EXPECT(!fetch_parse(&c, a, &plan));

    buf_clear(&b);
    buf_put_cstr(&b, "BODY[HEADER.FIELDS (");
    for (unsigned i = 0; i <= FETCH_NAMES_MAX; i++)
        buf_put_cstr(&b, i ? " a" : "a");
    buf_put_cstr(&b, ")]");
    c = buf_span(&b);
    EXPECT(!fetch_parse(&c, a, &plan));
    arena_free(a);
}
