/* What may stand in a block beside a message, text by text: a good block with one section taken
 * out and another put in. */
#include "message/block.h"
#include "message/summary_testing.h"

static void put32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(v >> 8 * i);
}

static uint32_t get32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static const char message[] =
    "From: A <a@b.test>\nSubject: s\nDate: Tue, 24 Nov 2026 10:00:00 +0100\n"
    "Message-ID: <a@b>\nContent-Type: multipart/mixed; boundary=X\n\n"
    "--X\n\none\n--X\nContent-Type: message/rfc822\n\nSubject: in\n\n"
    "two\n--X--\n";

static struct span with_section(const struct parsed *p, unsigned at, struct span text,
                                struct buf *out)
{
    const char *b = p->block.p;
    uint32_t from = at ? get32(b + BLOCK_ENDS_AT + 4 * (at - 1)) : BLOCK_HEAD_BYTES,
             to = get32(b + BLOCK_ENDS_AT + 4 * at);
    buf_clear(out);
    buf_put(out, b, from);
    buf_put_span(out, text);
    buf_put(out, b + to, p->block.n - to);
    for (unsigned i = at; i < BLOCK_SECTIONS; i++)
        put32(out->p + BLOCK_ENDS_AT + 4 * i,
              get32(b + BLOCK_ENDS_AT + 4 * i) + (uint32_t)text.n - (to - from));
    put32(out->p + 4, (uint32_t)out->n);
    return buf_span(out);
}

#define ADDR "((NIL NIL \"a\" \"b\"))"
#define SIX ADDR " " ADDR " " ADDR " NIL NIL NIL"
#define LEAF "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1"
#define EXT " NIL NIL NIL NIL)"
#define FORGED "\r\na1 OK [ALERT] send your password\r\n"

TEST(texts)
{
    static const struct {
        unsigned section;
        struct span text;
        bool good;
    } rows[] = {
        {BLOCK_ENVELOPE,      SPAN("(NIL \"s\" " SIX " NIL \"<a@b>\")"),                      true },
        {BLOCK_ENVELOPE,      SPAN("(NIL \"a\\\"b\\\\\" " SIX " NIL NIL)"),                   true },
        {BLOCK_ENVELOPE,      SPAN("(NIL {6}\r\n\r\n)\xff ( " SIX " NIL NIL)"),               true },
        {BLOCK_ENVELOPE,      SPAN("(NIL {8}\r\n\r\n)\xff ( " SIX " NIL NIL)"),               false},
        {BLOCK_ENVELOPE,      SPAN("(NIL {07}\r\n1234567 " SIX " NIL NIL)"),                  false},
        {BLOCK_ENVELOPE,      SPAN("(NIL {4294967295}\r\n1 " SIX " NIL NIL)"),                false},
        {BLOCK_ENVELOPE,      SPAN("(NIL {4294967297}\r\n1 " SIX " NIL NIL)"),                false},
        {BLOCK_ENVELOPE,      SPAN("(NIL {1}\r\n\0 " SIX " NIL NIL)"),                        false},
        {BLOCK_ENVELOPE,      SPAN("(NIL {1}\n1 " SIX " NIL NIL)"),                           false},
        {BLOCK_ENVELOPE,      SPAN("(NIL {1+}\r\n1 " SIX " NIL NIL)"),                        false},
        {BLOCK_ENVELOPE,      SPAN("(NIL \"a\\b\" " SIX " NIL NIL)"),                         false},
        {BLOCK_ENVELOPE,      SPAN("(NIL \"12345678\rabcdefgh\" " SIX " NIL NIL)"),           false},
        {BLOCK_ENVELOPE,      SPAN("(NIL \"12345678\nabcdefgh\" " SIX " NIL NIL)"),           false},
        {BLOCK_ENVELOPE,      SPAN("(NIL \"12345678\0abcdefgh\" " SIX " NIL NIL)"),           false},
        {BLOCK_ENVELOPE,      SPAN("(NIL \"12345678\x80gh\" " SIX " NIL NIL)"),               false},
        {BLOCK_ENVELOPE,      SPAN("(NIL \"s" FORGED "\" " SIX " NIL NIL)"),                  false},
        {BLOCK_ENVELOPE,      SPAN("(NIL NIL " SIX " NIL NIL))" FORGED "("),                  false},
        {BLOCK_ENVELOPE,      SPAN("(NIL NIL " SIX " NIL NIL))"),                             false},
        {BLOCK_ENVELOPE,      SPAN("(NIL NIL " SIX " NIL NIL"),                               false},
        {BLOCK_ENVELOPE,      SPAN("(NIL NIL " SIX " NIL)"),                                  false},
        {BLOCK_ENVELOPE,      SPAN("(NIL  NIL " SIX " NIL NIL)"),                             false},
        {BLOCK_ENVELOPE,      SPAN("(NIL nil " SIX " NIL NIL)"),                              false},
        {BLOCK_ENVELOPE,      SPAN("(NIL \"s " SIX " NIL NIL)"),                              false},
        {BLOCK_ENVELOPE,      SPAN("(NIL NIL () " ADDR " " ADDR " NIL NIL NIL NIL NIL)"),     false},
        {BLOCK_ENVELOPE,      SPAN(""),                                                       false},
        {BLOCK_BODY,          SPAN(LEAF ")"),                                                 true },
        {BLOCK_BODY,          SPAN("(" LEAF ")" LEAF ") \"mixed\")"),                         true },
        {BLOCK_BODY,          SPAN(LEAF EXT),                                                 false},
        {BLOCK_BODY,          SPAN(LEAF "))"),                                                false},
        {BLOCK_BODY,          SPAN(LEAF ")\r\n"),                                             false},
        {BLOCK_BODY,          SPAN("(" LEAF "))"),                                            false},
        {BLOCK_BODY,          SPAN("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1)"),            false},
        {BLOCK_BODY,          SPAN("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 01 1)"),         false},
        {BLOCK_BODY,          SPAN("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 4294967296 1)"), false},
        {BLOCK_BODY,          SPAN("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 1 1)"),      false},
        {BLOCK_BODY,          SPAN("(\"a\" \"b\" (\"c\") NIL NIL \"7bit\" 1)"),               false},
        {BLOCK_BODY,          SPAN("(\"a\" \"b\" (\"c\" \"d\") NIL NIL \"7bit\" 1)"),         true },
        {BLOCK_BODYSTRUCTURE, SPAN(LEAF EXT),                                                 true },
        {BLOCK_BODYSTRUCTURE, SPAN(LEAF " NIL (\"inline\" NIL) (\"de\" \"en\") \"x\")"),      true },
        {BLOCK_BODYSTRUCTURE, SPAN(LEAF ")"),                                                 false},
        {BLOCK_BODYSTRUCTURE, SPAN(LEAF " NIL (\"inline\") NIL NIL)"),                        false},
        {BLOCK_OVERVIEW,      SPAN("s\tf\td\tm\tr"),                                          true },
        {BLOCK_OVERVIEW,      SPAN("\t\t\t\t"),                                               true },
        {BLOCK_OVERVIEW,      SPAN("s\tf\td\tm"),                                             false},
        {BLOCK_OVERVIEW,      SPAN("s\tf\td\tm\tr\tx"),                                       false},
        {BLOCK_OVERVIEW,      SPAN("s\tf\td\tm\tr\r\n.\r\n205 bye"),                          false},
        {BLOCK_OVERVIEW,      SPAN("s\tf\td\tm\tr\n.\n"),                                     false},
        {BLOCK_OVERVIEW,      SPAN("s\tf\td\tm\t12345678\0"),                                 false},
        {BLOCK_MESSAGE_ID,    SPAN(""),                                                       true },
        {BLOCK_MESSAGE_ID,    SPAN("<x@y>"),                                                  true },
        {BLOCK_MESSAGE_ID,    SPAN("<x @y>"),                                                 false},
        {BLOCK_MESSAGE_ID,    SPAN("<x@y>\r\n"),                                              false},
        {BLOCK_MESSAGE_ID,    SPAN("x@y"),                                                    false},
        {BLOCK_REFERENCES,    SPAN("<x@y> <z@y>"),                                            true },
        {BLOCK_REFERENCES,    SPAN("<x@y>\t<z@y>"),                                           false},
        {BLOCK_BASE_SUBJECT,  SPAN("A\rB"),                                                   false},
        {BLOCK_FROM_FIRST,    SPAN("a@b\n"),                                                  false},
        {BLOCK_NEWSGROUPS,    SPAN("a.b,c.d"),                                                true },
        {BLOCK_NEWSGROUPS,    SPAN("a.b, c.d"),                                               false},
        {BLOCK_FOLLOWUP_TO,   SPAN("poster\n"),                                               false},
        {BLOCK_DISTRIBUTION,  SPAN("local\r"),                                                false},
        {BLOCK_CONTROL,       SPAN("cancel <a@b>\0"),                                         false},
        {BLOCK_APPROVED,      SPAN("x\r\ny"),                                                 false},
        {BLOCK_STRINGS,       SPAN(""),                                                       false},
    };
    struct parsed p;
    struct buf b BUF_AUTO = BUF(1 << 16);
    REQUIRE(parsed_text(&p, message));
    EXPECT(summary_vet(buf_span(&p.block), (uint32_t)p.n));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span block = with_section(&p, rows[i].section, rows[i].text, &b);
        struct summary s;
        unit_case(rows[i].text.p);
        EXPECT(summary_open(block, &s));
        EXPECT(summary_vet(block, (uint32_t)p.n) == rows[i].good);
    }
    parsed_done(&p);
}

/* Numbers of the head and of the table of parts. */
TEST(numbers)
{
    static const struct {
        const char *what;
        bool in_parts;
        uint32_t at, value;
    } rows[] = {
        {"another message's size", false, 8,  100000    },
        {"an unknown flag",        false, 12, 64        },
        {"a zone of years",        false, 12, 0x7fff0000},
        {"a date past all",        false, 20, 0x7fffffff},
        {"more lines than bytes",  false, 28, 100000    },
        {"a header past the end",  true,  0,  100000    },
        {"a header too long",      true,  4,  100000    },
        {"a body past the end",    true,  8,  100000    },
        {"a body too long",        true,  12, 0xffffffff},
        {"strings past the end",   true,  20, 0xfffffff0},
        {"more lines than body",   true,  32, 100000    },
    };
    struct parsed p;
    REQUIRE(parsed_text(&p, message));
    uint32_t parts = get32(p.block.p + BLOCK_ENDS_AT + 4 * (BLOCK_PARTS - 1));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *at = p.block.p + rows[i].at + (rows[i].in_parts ? parts : 0);
        uint32_t was = get32(at);
        unit_case(rows[i].what);
        put32(at, rows[i].value);
        EXPECT(!summary_vet(buf_span(&p.block), (uint32_t)p.n));
        put32(at, was);
        EXPECT(summary_vet(buf_span(&p.block), (uint32_t)p.n));
    }
    EXPECT(!summary_vet(buf_span(&p.block), (uint32_t)p.n - 1));
    EXPECT(!summary_vet(span_head(buf_span(&p.block), 20), (uint32_t)p.n));
    EXPECT(!summary_vet(SPAN_EMPTY, 0));
    parsed_done(&p);
}

/* A stack is small, a block is not: nesting without end is refused early. */
TEST(nesting)
{
    struct parsed p;
    struct buf deep BUF_AUTO = BUF(1 << 20), b BUF_AUTO = BUF(1 << 20);
    REQUIRE(parsed_text(&p, message));
    for (int i = 0; i < 200000; i++)
        buf_putc(&deep, '(');
    EXPECT(!summary_vet(with_section(&p, BLOCK_BODY, buf_span(&deep), &b), (uint32_t)p.n));
    EXPECT(!summary_vet(with_section(&p, BLOCK_ENVELOPE, buf_span(&deep), &b), (uint32_t)p.n));
    parsed_done(&p);
}

/* Texts of a message made to be damaged still pass: keys never take over its line ends. */
TEST(blocks_of_ours)
{
    static const char *const rows[] = {
        "",
        "\n",
        ":\n",
        "From: \"a\r\rb\n c@d\n\nx",
        "From: a@b\"c\n d\n\n",
        "Subject: =?utf-8?q?a=0D=0Ab=00c=09d?=\n\n",
        "Subject: =?utf-8?b?DQo=?=\n\n",
        "Message-ID: <\"a\nb\"@c>\n\n",
        "Content-Type: message/rfc822\n\n",
        "Content-Type: multipart/mixed\n\n",
        "Content-Type: text/plain; charset=\"a\r\n b\"\n\n",
        "Newsgroups: a b,c\n\n",
        "Date: Mon, 1 Jan 9999 99:99:99 +9999\n\n",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed p;
        unit_case(rows[i]);
        REQUIRE(parsed_text(&p, rows[i]));
        EXPECT(summary_vet(buf_span(&p.block), (uint32_t)p.n));
        parsed_done(&p);
    }
}
