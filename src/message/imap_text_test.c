/* The texts of ENVELOPE, BODY and BODYSTRUCTURE, byte for byte. */
#include "message/imap_text.h"
#include "message/summary_testing.h"

#define HEAD                                                                                       \
    "From: a@x.org\nTo: b@y.org\nSubject: s\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"               \
    "Message-ID: <1@x>\n"

static const struct {
    const char *name, *header, *want;
} envelopes[] = {
    {"nothing",                          "",                                                                 "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"    },
    {"plain",                            HEAD,
     "(\"Mon, 1 Jan 2024 00:00:00 +0000\" \"s\" ((NIL NIL \"a\" \"x.org\")) ((NIL NIL \"a\" "
     "\"x.org\")) "
     "((NIL NIL \"a\" \"x.org\")) ((NIL NIL \"b\" \"y.org\")) NIL NIL NIL \"<1@x>\")"                                                                       },
    {"sender and reply-to of their own", "From: a@x\nSender: s@x\nReply-To: r@x, q@x\n",
     "(NIL NIL ((NIL NIL \"a\" \"x\")) ((NIL NIL \"s\" \"x\")) ((NIL NIL \"r\" \"x\")(NIL NIL "
     "\"q\" \"x\")) NIL NIL "
     "NIL NIL NIL)"                                                                                                                                         },
    {"present but empty",
     "From:\nSender:\nSubject:\nDate: \nIn-Reply-To:\nMessage-ID:\nTo:\nCc:\n \nBcc: ,\n",                   "(\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\")"},
    {"groups",
     "To: A Group:Ed <ed@x>,joe@y,John <jdoe@z>;, b@c\nCc: Undisclosed recipients:;\n"
     "Bcc: (Empty)(start)Hidden  :(nobody(I know))  ;\n",                                                    "(NIL NIL NIL NIL NIL ((NIL NIL \"A Group\" NIL)(\"Ed\" NIL \"ed\" \"x\")(NIL NIL \"joe\" "
     "\"y\")(\"John\" NIL "
     "\"jdoe\" \"z\")(NIL NIL NIL NIL)(NIL NIL \"b\" \"c\")) ((NIL NIL \"Undisclosed recipients\" "
     "NIL)(NIL NIL NIL "
     "NIL)) ((NIL NIL \"Hidden\" NIL)(NIL NIL NIL NIL)) NIL NIL)"                                  },
    {"a group that is not closed",       "To: G: a@b\n",
     "(NIL NIL NIL NIL NIL ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL "
     "NIL)"                                                                                                                                                 },
    {"route, comment, quotes, literal",
     "From: <@a.org,@b.org:c@d.org>\nTo: c@d (Comment Name), \"quoted \\\"local\"@x.y, "
     "<foo@[1.2.3.4]>\n",                                                                                    "(NIL NIL ((NIL \"@a.org,@b.org\" \"c\" \"d.org\")) ((NIL \"@a.org,@b.org\" \"c\" \"d.org\")) "
     "((NIL "
     "\"@a.org,@b.org\" \"c\" \"d.org\")) ((\"Comment Name\" NIL \"c\" \"d\")(NIL NIL \"quoted "
     "\\\"local\" "
     "\"x.y\")(NIL NIL \"foo\" \"[1.2.3.4]\")) NIL NIL NIL NIL)"                                                                   },
    {"8-bit is a literal",               "From: J\xf6rg <j@x>\nSubject: caf\xc3\xa9\n",
     "(NIL {5}\r\ncaf\xc3\xa9 (({4}\r\nJ\xf6rg NIL \"j\" \"x\")) (({4}\r\nJ\xf6rg NIL \"j\" "
     "\"x\")) (({4}\r\nJ\xf6rg "
     "NIL \"j\" \"x\")) NIL NIL NIL NIL NIL)"                                                                                                               },
    {"words stay, folds go",             "Subject: =?utf-8?q?=C3=A9?=\n  \"folded\\\n",
     "(NIL \"=?utf-8?q?=C3=A9?= \\\"folded\\\\\" NIL NIL NIL NIL NIL NIL NIL NIL)"                                                                          },
    {"a field twice",                    "From: a@x\nSubject: 1\nFrom: b@x\nSubject: 2\nTo: c@x\nTo: d@x\n",
     "(NIL \"1\" ((NIL NIL \"a\" \"x\")(NIL NIL \"b\" \"x\")) ((NIL NIL \"a\" \"x\")(NIL NIL \"b\" "
     "\"x\")) ((NIL NIL "
     "\"a\" \"x\")(NIL NIL \"b\" \"x\")) ((NIL NIL \"c\" \"x\")(NIL NIL \"d\" \"x\")) NIL NIL NIL "
     "NIL)"                                                                                                                                                 },
    {"damaged addresses",                "From: root\nTo: Mary Smith, @x, b@\n",
     "(NIL NIL ((NIL NIL \"root\" \"MISSING_DOMAIN\")) ((NIL NIL \"root\" \"MISSING_DOMAIN\")) "
     "((NIL NIL \"root\" "
     "\"MISSING_DOMAIN\")) ((\"Mary Smith\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL "
     "\"MISSING_MAILBOX\" "
     "\"x\")(NIL NIL \"b\" \"MISSING_DOMAIN\")) NIL NIL NIL NIL)"                                                                                           },
};

TEST(envelope_rows)
{
    for (size_t i = 0; i < sizeof(envelopes) / sizeof(envelopes[0]); i++) {
        struct parsed p;
        unit_case(envelopes[i].name);
        REQUIRE(parsed_text(&p, envelopes[i].header));
        EXPECT_SPAN(p.s.envelope, span_cstr(envelopes[i].want));
        EXPECT(!(p.s.flags & SUMMARY_TRUNCATED));
        parsed_done(&p);
    }
}

#define US "(\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
#define MULTI HEAD "Content-Type: multipart/mixed; boundary=A\n\n"
#define NILS " NIL NIL NIL NIL"

static const struct {
    const char *name, *in, *body, *bodystructure;
} structures[] = {
    {"plain",                       HEAD "\nhello\nworld\n",                                       "(\"text\" \"plain\" " US "14 2)",
     "(\"text\" \"plain\" " US "14 2" NILS ")"                                                                                                                                                                                             },
    {"no last line end",            HEAD "\nhello\nworld",                                         "(\"text\" \"plain\" " US "12 1)",
     "(\"text\" \"plain\" " US "12 1" NILS ")"                                                                                                                                                                                             },
    {"header only",                 HEAD,                                                          "(\"text\" \"plain\" " US "0 0)",
     "(\"text\" \"plain\" " US "0 0" NILS ")"                                                                                                                                                                                              },
    {"empty",                       "",                                                            "(\"text\" \"plain\" " US "0 0)",                            "(\"text\" \"plain\" " US "0 0" NILS ")"                                   },
    {"everything a part may say",
     MULTI "preamble\n--A\n\none\n--A\nContent-Type: text/html; charset=utf-8\nContent-ID: <c@x>\n"
           "Content-Description: a \"desc\"\nContent-Disposition: inline; filename=\"f (1).html\"\n"
           "Content-Language: en, de\nContent-Location: http://x/y\nContent-MD5: "
           "Q2hlY2sgSW50ZWdyaXR5IQ==\n"
           "Content-Transfer-Encoding: 8BIT\n\n<p>two</p>\nx\n--A--\nepilogue\n",                  "((\"text\" \"plain\" " US
     "3 0)(\"text\" \"html\" (\"charset\" \"utf-8\") \"<c@x>\" \"a \\\"desc\\\"\" \"8BIT\" 13 1) "
     "\"mixed\")",                                                             "((\"text\" \"plain\" " US "3 0" NILS
     ")(\"text\" \"html\" (\"charset\" \"utf-8\") \"<c@x>\" \"a \\\"desc\\\"\" "
     "\"8BIT\" 13 1 \"Q2hlY2sgSW50ZWdyaXR5IQ==\" (\"inline\" (\"filename\" \"f (1).html\")) "
     "(\"en\" \"de\") "
     "\"http://x/y\") \"mixed\" (\"boundary\" \"A\") NIL NIL NIL)"                                                                      },
    {"messages in parts",
     MULTI
     "--A\nContent-Type: message/rfc822\n\nFrom: inner@z\nSubject: inner\n\nbody\nlines\n--A\n"
     "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAAA\n--A--\n", "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 44 (NIL \"inner\" ((NIL NIL \"inner\" \"z\")) "
     "((NIL NIL \"inner\" "
     "\"z\")) ((NIL NIL \"inner\" \"z\")) NIL NIL NIL NIL NIL) (\"text\" \"plain\" " US
     "11 1) 4)(\"application\" "
     "\"octet-stream\" NIL NIL NIL \"base64\" 4) \"mixed\")", "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 44 (NIL \"inner\" ((NIL NIL \"inner\" \"z\")) "
     "((NIL NIL \"inner\" "
     "\"z\")) ((NIL NIL \"inner\" \"z\")) NIL NIL NIL NIL NIL) (\"text\" \"plain\" " US "11 1" NILS
     ") 4" NILS ")(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4" NILS
     ") \"mixed\" (\"boundary\" \"A\") NIL NIL NIL)"                        },
    {"digest",
     HEAD
     "Content-Type: multipart/digest; boundary=A\n\n--A\n\nSubject: d\n\nb1\n--A\nContent-Type: "
     "text/plain\n\nplain\n--A--\n",                                                               "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"d\" NIL NIL NIL NIL NIL NIL NIL NIL) "
     "(\"text\" \"plain\" " US "2 0) 2)(\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 0) \"digest\")",
     "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"d\" NIL NIL NIL NIL NIL NIL NIL NIL) "
     "(\"text\" \"plain\" " US "2 0" NILS ") 2" NILS
     ")(\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 0" NILS
     ") \"digest\" (\"boundary\" \"A\") NIL NIL "
     "NIL)"                                                                                                                                                                                                                                },
    {"a message that is a message", HEAD "Content-Type: message/global\n\nSubject: top\n\nbody\n",
     "(\"message\" \"global\" NIL NIL NIL \"7bit\" 22 (NIL \"top\" NIL NIL NIL NIL NIL NIL NIL "
     "NIL) (\"text\" \"plain\" " US "6 1) 3)",
     "(\"message\" \"global\" NIL NIL NIL \"7bit\" 22 (NIL \"top\" NIL NIL NIL NIL NIL NIL NIL "
     "NIL) (\"text\" \"plain\" " US "6 1" NILS ") 3" NILS ")"                                                                                                                                                                              },
    {"RFC 2231 as it stands",
     HEAD
     "Content-Type: application/x-stuff;\n title*0*=us-ascii'en'a%20;\n title*1=\"isn't\"\n\nx",   "(\"application\" \"x-stuff\" (\"title*0*\" \"us-ascii'en'a%20\" \"title*1\" \"isn't\") NIL "
     "NIL \"7bit\" 1)",                                         "(\"application\" \"x-stuff\" (\"title*0*\" \"us-ascii'en'a%20\" \"title*1\" \"isn't\") NIL "
     "NIL \"7bit\" 1" NILS ")"                                                                                      },
    {"literals in parameters",      HEAD "Content-Type: image/png; name=\"\xc3\xa9\"\n\n",
     "(\"image\" \"png\" (\"name\" {2}\r\n\xc3\xa9) NIL NIL \"7bit\" 0)",                                                                                       "(\"image\" \"png\" (\"name\" {2}\r\n\xc3\xa9) NIL NIL \"7bit\" 0" NILS ")"},
    {"a multipart without parts",   HEAD "Content-Type: multipart/mixed\n\nx\n",
     "((\"text\" \"plain\" " US "3 1) \"mixed\")",
     "((\"text\" \"plain\" " US "3 1" NILS ") \"mixed\" NIL NIL NIL NIL)"                                                                                                                                                                  },
};

TEST(bodystructure_rows)
{
    for (size_t i = 0; i < sizeof(structures) / sizeof(structures[0]); i++) {
        struct parsed p;
        unit_case(structures[i].name);
        REQUIRE(parsed_text(&p, structures[i].in));
        EXPECT_SPAN(p.s.body, span_cstr(structures[i].body));
        EXPECT_SPAN(p.s.bodystructure, span_cstr(structures[i].bodystructure));
        parsed_done(&p);
    }
}

TEST(imap_strings)
{
    char thousand[1001];
    memset(thousand, 'x', sizeof(thousand));
    struct buf out BUF_AUTO = BUF(3000);
    imap_string(&out, span_of(thousand, 1000));
    EXPECT(out.n == 1002 && out.p[0] == '"');
    buf_clear(&out);
    imap_string(&out, span_of(thousand, 1001));
    EXPECT(span_starts(buf_span(&out), SPAN("{1001}\r\nxxx")));
    buf_clear(&out);
    imap_string(&out, SPAN("a\0b\x80"));
    EXPECT_SPAN(buf_span(&out), SPAN("{3}\r\nab\x80"));
    buf_clear(&out);
    imap_string(&out, SPAN(""));
    EXPECT_SPAN(buf_span(&out), SPAN("\"\""));
}

TEST(envelope_limit_of_addresses)
{
    struct message_limits l = message_limits_default;
    struct parsed p;
    l.addresses = 2;
    REQUIRE(parsed_limited(&p, SPAN("To: G: a@b, c@d, e@f;\r\n\r\n"), &l));
    EXPECT_SPAN(
        p.s.envelope,
        SPAN("(NIL NIL NIL NIL NIL ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL "
             "NIL NIL NIL)"));
    EXPECT(p.s.flags & SUMMARY_TRUNCATED);
    parsed_done(&p);
}
