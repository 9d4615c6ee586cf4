/* Hostile blocks, and the numbers of sections. */
#include "message/block.h"
#include "message/summary_testing.h"

static const char nested[] =
    "Content-Type: multipart/mixed; boundary=A\n\n--A\n\nfirst\n--A\nContent-Type: "
    "message/rfc822\n\n"
    "Subject: inner\nContent-Type: multipart/alternative; boundary=B\n\n--B\nContent-Type: "
    "text/plain\n\nalt1\n--B\n"
    "Content-Type: text/html\n\nalt2\n--B--\n--A\nContent-Type: message/rfc822\n\nSubject: "
    "single\n\nalone\n--A\n"
    "Content-Type: multipart/digest; boundary=C\n\n--C\n\nSubject: dig\n\ndug\n--C--\n--A--\n";

static bool part_of(const struct parsed *p, const char *path, struct part_range *ret)
{
    uint32_t numbers[10];
    size_t n = 0;
    struct span rest = span_cstr(path), word;
    while (span_split(&rest, '.', &word)) {
        uint64_t v = 0;
        span_to_u64(word, UINT32_MAX, &v);
        numbers[n++] = (uint32_t)v;
    }
    return summary_part(&p->s, numbers, n, ret);
}

/* RFC 9051 section 6.4.5.1 */
TEST(section_numbers)
{
    static const struct {
        const char *path, *body, *mime; /* what the part starts with; NULL: no such part */
    } rows[] = {
        {"1",          "first",           "\r\n"                          },
        {"2",          "Subject: inner",  "Content-Type: message/rfc822"  },
        {"2.1",        "alt1",            "Content-Type: text/plain"      },
        {"2.2",        "alt2",            "Content-Type: text/html"       },
        {"3",          "Subject: single", "Content-Type: message/rfc822"  },
        {"3.1",        "alone",           "Subject: single"               },
        {"4",          "--C",             "Content-Type: multipart/digest"},
        {"4.1",        "Subject: dig",    "\r\n"                          },
        {"4.1.1",      "dug",             "Subject: dig"                  },
        {"0",          NULL,              NULL                            },
        {"5",          NULL,              NULL                            },
        {"1.1",        NULL,              NULL                            },
        {"2.3",        NULL,              NULL                            },
        {"2.1.1",      NULL,              NULL                            },
        {"3.2",        NULL,              NULL                            },
        {"3.1.1",      NULL,              NULL                            },
        {"4.2",        NULL,              NULL                            },
        {"4.1.1.1",    NULL,              NULL                            },
        {"4294967295", NULL,              NULL                            },
    };
    struct parsed p;
    REQUIRE(parsed_text(&p, nested));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct part_range r;
        unit_case(rows[i].path);
        bool found = part_of(&p, rows[i].path, &r);
        EXPECT(found == (rows[i].body != NULL));
        if (!found)
            continue;
        EXPECT(span_starts(span_sub(parsed_raw(&p), r.body_at, r.body_bytes),
                           span_cstr(rows[i].body)));
        EXPECT(span_starts(span_sub(parsed_raw(&p), r.header_at, r.header_bytes),
                           span_cstr(rows[i].mime)));
    }
    parsed_done(&p);
}

TEST(section_ranges)
{
    struct parsed p;
    struct part_range r;
    REQUIRE(parsed_text(&p, nested));
    REQUIRE(part_of(&p, "", &r));
    EXPECT_INT(r.header_at, 0);
    EXPECT_INT(r.header_bytes, p.s.header_bytes);
    EXPECT_INT(r.body_at + r.body_bytes, p.n);
    EXPECT_SPAN(r.type, SPAN("multipart/mixed"));
    EXPECT_INT(r.inner_body_bytes, 0);
    REQUIRE(part_of(&p, "3", &r));
    EXPECT_SPAN(span_sub(parsed_raw(&p), r.body_at, r.body_bytes),
                SPAN("Subject: single\r\n\r\nalone"));
    EXPECT_SPAN(span_sub(parsed_raw(&p), r.inner_header_at, r.inner_header_bytes),
                SPAN("Subject: single\r\n\r\n"));
    EXPECT_SPAN(span_sub(parsed_raw(&p), r.inner_body_at, r.inner_body_bytes), SPAN("alone"));
    EXPECT_INT(r.body_lines, 2);
    REQUIRE(part_of(&p, "2.2", &r));
    EXPECT_SPAN(span_sub(parsed_raw(&p), r.header_at, r.header_bytes),
                SPAN("Content-Type: text/html\r\n\r\n"));
    EXPECT_SPAN(span_sub(parsed_raw(&p), r.body_at, r.body_bytes), SPAN("alt2"));
    EXPECT_INT(p.s.part_count, 11);
    parsed_done(&p);
}

TEST(section_numbers_of_a_single_part)
{
    struct parsed p;
    struct part_range r;
    REQUIRE(parsed_text(
        &p,
        "Content-Type: TEXT/html; charset=\"X-y\"\nContent-Transfer-Encoding: BASE64\n\nabc\n"));
    REQUIRE(part_of(&p, "1", &r));
    EXPECT_SPAN(r.type, SPAN("text/html"));
    EXPECT_SPAN(r.encoding, SPAN("base64"));
    EXPECT_SPAN(r.charset, SPAN("X-y"));
    EXPECT_SPAN(span_sub(parsed_raw(&p), r.body_at, r.body_bytes), SPAN("abc\r\n"));
    EXPECT(!part_of(&p, "2", &r) && !part_of(&p, "1.1", &r));
    parsed_done(&p);
    /* a message that is nothing but a message: 1 is the message inside, 1.1 its body */
    REQUIRE(parsed_text(&p, "Content-Type: message/rfc822\n\nSubject: in\n\nabc\n"));
    REQUIRE(part_of(&p, "1", &r));
    EXPECT_SPAN(span_sub(parsed_raw(&p), r.inner_body_at, r.inner_body_bytes), SPAN("abc\r\n"));
    REQUIRE(part_of(&p, "1.1", &r));
    EXPECT_SPAN(span_sub(parsed_raw(&p), r.body_at, r.body_bytes), SPAN("abc\r\n"));
    EXPECT(!part_of(&p, "1.2", &r) && !part_of(&p, "1.1.1", &r));
    parsed_done(&p);
}

/* Every answer of an opened block, with nothing known about it. */
static uint64_t use(const struct summary *s)
{
    uint64_t sum = 0;
    const struct span all[] = {s->envelope,   s->body,        s->bodystructure, s->overview,
                               s->message_id, s->references,  s->base_subject,  s->from_first,
                               s->newsgroups, s->followup_to, s->distribution,  s->control,
                               s->approved};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sum += span_hash(all[i]);
    struct part_range r;
    for (uint32_t i = 0; i < s->part_count && i < 100; i++) {
        if (!summary_part_at(s, i, &r))
            continue;
        sum += span_hash(r.type) + span_hash(r.encoding) + span_hash(r.charset);
        EXPECT((uint64_t)r.body_at + r.body_bytes <= s->raw_bytes);
        EXPECT((uint64_t)r.inner_body_at + r.inner_body_bytes <= s->raw_bytes);
    }
    for (uint32_t a = 0; a < 6; a++)
        for (uint32_t b = 0; b < 6; b++)
            sum += summary_part(s, (uint32_t[]){a, b, 1}, a % 4, &r);
    return sum;
}

TEST(open_refuses_what_is_no_block)
{
    struct parsed p;
    struct summary s;
    REQUIRE(parsed_text(&p, nested));
    EXPECT(!summary_open(SPAN_EMPTY, &s));
    for (size_t n = 0; n < p.block.n; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, p.block.p, n);
        EXPECT(!summary_open(span_of(copy, n), &s));
        free(copy);
    }
    buf_putc(&p.block, 0);
    EXPECT(!summary_open(buf_span(&p.block), &s));
    buf_truncate(&p.block, p.block.n - 1);
    EXPECT(summary_open(buf_span(&p.block), &s));
    p.block.p[3]++;
    EXPECT(!summary_open(buf_span(&p.block), &s));
    parsed_done(&p);
}

TEST(open_is_safe_for_any_bytes)
{
    struct parsed p;
    REQUIRE(parsed_text(&p, nested));
    size_t opened = 0, n = p.block.n;
    for (int round = 0; round < 30000; round++) {
        char *copy = malloc(n);
        memcpy(copy, p.block.p, n);
        for (int k = 0; k < 1 + round % 3; k++) {
            /* where the numbers are, mostly */
            size_t parts = n - p.s.part_count * BLOCK_PART_BYTES - 400;
            size_t at =
                round % 2 ? unit_random() % BLOCK_HEAD_BYTES : parts + unit_random() % (n - parts);
            copy[at] = (char)(round % 5 ? unit_random() : 255);
        }
        struct summary s;
        if (summary_open(span_of(copy, n), &s)) {
            opened++;
            use(&s);
        }
        free(copy);
    }
    EXPECT(opened > 1000);
    parsed_done(&p);
}
