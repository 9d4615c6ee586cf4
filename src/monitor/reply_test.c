#include "monitor/reply.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdlib.h>

#define I PROTOCOL_IMAP4
#define P PROTOCOL_POP3
#define S PROTOCOL_SMTP
#define N PROTOCOL_NNTP

TEST(lines)
{
    static const struct {
        enum conf_protocol protocol;
        const char *line, *tag;
        enum reply_kind kind;
        unsigned code;
    } rows[] = {
        {S, "250 fine",         "",   REPLY_OK,       250},
        {S, "250",              "",   REPLY_OK,       250},
        {S, "250-more",         "",   REPLY_PARTIAL,  250},
        {S, "334 Y2hhbGxlbmdl", "",   REPLY_CONTINUE, 334},
        {S, "530 5.7.0 no",     "",   REPLY_NO,       530},
        {S, "421 closing",      "",   REPLY_NO,       421},
        {S, "2500 fine",        "",   REPLY_NONSENSE, 0  },
        {S, "25",               "",   REPLY_NONSENSE, 0  },
        {S, "099 low",          "",   REPLY_NONSENSE, 0  },
        {S, "600 high",         "",   REPLY_NONSENSE, 0  },
        {S, "250_fine",         "",   REPLY_NONSENSE, 0  },
        {S, "+OK",              "",   REPLY_NONSENSE, 0  },
        {S, "",                 "",   REPLY_NONSENSE, 0  },
        {N, "382 go on",        "",   REPLY_CONTINUE, 382},
        {N, "101 list",         "",   REPLY_OK,       101},
        {N, "483 no",           "",   REPLY_NO,       483},
        {N, "200-more",         "",   REPLY_NONSENSE, 0  },
        {P, "+OK",              "",   REPLY_OK,       0  },
        {P, "+ok text",         "",   REPLY_OK,       0  },
        {P, "-ERR [AUTH] no",   "",   REPLY_NO,       0  },
        {P, "-ERR",             "",   REPLY_NO,       0  },
        {P, "+ Y2hhbGxlbmdl",   "",   REPLY_CONTINUE, 0  },
        {P, "+",                "",   REPLY_CONTINUE, 0  },
        {P, "+OKAY",            "",   REPLY_NONSENSE, 0  },
        {P, "-ERROR",           "",   REPLY_NONSENSE, 0  },
        {P, "* OK",             "",   REPLY_NONSENSE, 0  },
        {I, "* OK ready",       "*",  REPLY_OK,       0  },
        {I, "* PREAUTH ready",  "*",  REPLY_OK,       0  },
        {I, "* BYE no",         "*",  REPLY_NO,       0  },
        {I, "* BYE no",         "p1", REPLY_PARTIAL,  0  },
        {I, "* CAPABILITY X",   "p1", REPLY_PARTIAL,  0  },
        {I, "p1 OK done",       "p1", REPLY_OK,       0  },
        {I, "p1 ok done",       "p1", REPLY_OK,       0  },
        {I, "p1 NO done",       "p1", REPLY_NO,       0  },
        {I, "p1 BAD done",      "p1", REPLY_NO,       0  },
        {I, "p1 WHAT",          "p1", REPLY_NONSENSE, 0  },
        {I, "p1",               "p1", REPLY_NONSENSE, 0  },
        {I, "p2 OK another's",  "p1", REPLY_NONSENSE, 0  },
        {I, "+ go on",          "p1", REPLY_CONTINUE, 0  },
        {I, "+",                "p1", REPLY_CONTINUE, 0  },
        {I, "",                 "p1", REPLY_NONSENSE, 0  },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned code = 999;
        unit_case(rows[i].line);
        EXPECT_INT(reply_line(rows[i].protocol, span_cstr(rows[i].line), rows[i].tag, &code),
                   rows[i].kind);
        EXPECT_INT(code, rows[i].code);
    }
    unit_case(NULL);
}

TEST(words)
{
    static const struct {
        const char *line, *word;
        bool has;
    } rows[] = {
        {"220 localhost ESMTP",                  "localhost",           true },
        {"220 notlocalhost ESMTP",               "localhost",           false},
        {"250-localhost",                        "localhost",           true },
        {"250-mail.example.org",                 "mail.example.org",    true },
        {"250-my-mail.example.org\n250 X",       "my-mail.example.org", true },
        {"250 my-mail.example.org.evil.example", "my-mail.example.org", false},
        {"250 evil-mail.example.org",            "mail.example.org",    false},
        {"p1 NO [PRIVACYREQUIRED] no",           "privacyrequired",     true },
        {"-ERR [AUTH] no",                       "AUTH",                true },
        {"-ERR no AUTHENTICATION",               "AUTH",                false},
        {"",                                     "x",                   false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].line);
        EXPECT_INT(reply_has_word(span_cstr(rows[i].line), rows[i].word), rows[i].has);
    }
    unit_case(NULL);
}

TEST(literals)
{
    static const struct {
        const char *line;
        bool is;
        uint64_t bytes;
    } rows[] = {
        {"* 1 FETCH (BODY[] {12}",    true,  12  },
        {"* 1 FETCH (BODY[] {0}",     true,  0   },
        {"* 1 FETCH (BODY[] ~{7}",    true,  7   },
        {"p1 X {5+}",                 true,  5   },
        {"{1000}",                    true,  1000},
        {"{1001}",                    false, 0   },
        {"{99999999999999999999999}", false, 0   },
        {"{}",                        false, 0   },
        {"{1} ",                      false, 0   },
        {"{1",                        false, 0   },
        {"{-1}",                      false, 0   },
        {"",                          false, 0   },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t n = 0;
        unit_case(rows[i].line);
        EXPECT_INT(reply_literal(span_cstr(rows[i].line), 1000, &n), rows[i].is);
        EXPECT_INT(n, rows[i].bytes);
    }
    unit_case(NULL);
}

TEST(blocks)
{
    struct span line;

    EXPECT(!reply_block_line(SPAN("."), &line));
    EXPECT(reply_block_line(SPAN(".."), &line));
    EXPECT_SPAN(line, SPAN("."));
    EXPECT(reply_block_line(SPAN(". x"), &line));
    EXPECT_SPAN(line, SPAN(" x"));
    EXPECT(reply_block_line(SPAN_EMPTY, &line));
    EXPECT_INT(line.n, 0);
}

TEST(http)
{
    unsigned code = 0;
    struct span value;

    EXPECT(reply_http_status(SPAN("HTTP/1.1 200 OK"), &code));
    EXPECT_INT(code, 200);
    EXPECT(reply_http_status(SPAN("HTTP/1.0 301"), &code));
    EXPECT(!reply_http_status(SPAN("HTTP/2 200 OK"), &code));
    EXPECT(!reply_http_status(SPAN("HTTP/1.1 20 OK"), &code));
    EXPECT(!reply_http_status(SPAN("HTTP/1.1 2000"), &code));
    EXPECT(!reply_http_status(SPAN("220 ESMTP"), &code));
    EXPECT(reply_http_field(SPAN("content-length:  17 "), "Content-Length", &value));
    EXPECT_SPAN(value, SPAN("17"));
    EXPECT(!reply_http_field(SPAN("Content-Length 17"), "Content-Length", &value));
    EXPECT(!reply_http_field(SPAN("X-Content-Length: 17"), "Content-Length", &value));
}

TEST(challenges)
{
    struct buf b BUF_AUTO = BUF(100);

    EXPECT(reply_challenge(I, SPAN("+ aGk="), &b));
    EXPECT_SPAN(buf_span(&b), SPAN("hi"));
    buf_clear(&b);
    EXPECT(reply_challenge(S, SPAN("334 aGk="), &b));
    EXPECT_SPAN(buf_span(&b), SPAN("hi"));
    buf_clear(&b);
    EXPECT(reply_challenge(N, SPAN("383 ="), &b));
    EXPECT(reply_challenge(P, SPAN("+"), &b));
    EXPECT_INT(b.n, 0);
    EXPECT(!reply_challenge(I, SPAN("+ not base64"), &b));
}
