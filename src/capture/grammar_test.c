/* Dialogues in clear, with the offences that they must show. */
#include "capture/grammar.h"

#include "unit/unit.h"

#include <stdio.h>

static const struct {
    const char *name;
    enum conf_protocol protocol;
    enum conf_policy policy;
    bool secure;
    const char *lines; /* "C:" and "S:", each ended by \n */
    const char *want;  /* names of offences, with blanks; "tls" where TLS begins */
} cases[] = {
    {"smtp, the way into TLS",            PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:220 h ESMTP\nC:EHLO x\nS:250-h\nS:250-PIPELINING\nS:250 STARTTLS\nC:STARTTLS\nS:220 go\n",                      "tls"                                       },
    {"smtp refuses",                      PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:220 h\nC:EHLO x\nS:250 h\nC:MAIL FROM:<a@b>\nS:530 TLS first\nC:AUTH PLAIN x\nS:538 "
     "no\nC:QUIT\nS:221 bye\n",                                                                                         "client-words client-login"                 },
    {"smtp takes mail",                   PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:220 h\nC:EHLO x\nS:250 h\nC:MAIL FROM:<a@b>\nS:250 ok\n",                                                       "client-words accepted-clear"               },
    {"smtp takes a body",                 PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:220 h\nC:DATA\nS:354 go\nC:QUIT\nC:.\nS:250 ok\n",                                                              "client-words accepted-clear"               },
    {"smtp offers",                       PROTOCOL_SMTP,  POLICY_OPPORTUNISTIC,     false,
     "S:220 h\nC:EHLO x\nS:250-h\nS:250 AUTH PLAIN\n",                                                                  "login-offered"                             },
    {"smtp logs in",                      PROTOCOL_SMTP,  POLICY_OPPORTUNISTIC,     false,
     "S:220 h\nC:AUTH PLAIN x\nS:235 ok\n",                                                                             "client-login login-clear"                  },
    {"smtp asks for the rest",            PROTOCOL_SMTP,  POLICY_OPPORTUNISTIC,     false,
     "S:220 h\nC:AUTH LOGIN\nS:334 VXNlcm5hbWU6\n",                                                                     "client-login login-clear"                  },
    {"smtp, mail in clear on port 25",    PROTOCOL_SMTP,  POLICY_OPPORTUNISTIC,     false,
     "S:220 h\nC:EHLO x\nS:250 h\nC:MAIL FROM:<>\nC:RCPT TO:<a>\nC:DATA\nS:250 ok\nS:250 ok\nS:354 "
     "go\nC:AUTH is text here\nC:..\nC:.\nS:250 in\n",                                                                  ""                                          },
    {"smtp, behind STARTTLS",             PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:220 h\nC:STARTTLS\nC:NOOP\nS:220 go\n",                                                                         "client-behind tls"                         },
    {"smtp, STARTTLS refused",            PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:220 h\nC:STARTTLS\nS:454 not now\nC:NOOP\nS:250 ok\n",                                                          ""                                          },
    {"smtp, no code",                     PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, true,  "S:hello\n",                 "words"                                     },
    {"smtp, unasked",                     PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, true,  "S:220 h\nS:250 surprise\n",
     "words"                                                                                                                                                        },
    {"smtp goes",                         PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, true,  "S:220 h\nS:421 idle\n",     ""                                          },
    {"pop3, the way into TLS",            PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED, true,
     "S:+OK h\nC:CAPA\nS:+OK\nS:TOP\nS:STLS\nS:.\nC:STLS\nS:+OK go\n",                                                  "tls"                                       },
    {"pop3 offers",                       PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED, true,
     "S:+OK h\nC:CAPA\nS:+OK\nS:USER\nS:SASL PLAIN\nS:.\n",                                                             "login-offered login-offered"               },
    {"pop3 refuses",                      PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED, true,
     "S:+OK h\nC:USER a\nS:-ERR [AUTH] TLS\nC:STAT\nS:-ERR no\n",                                                       "client-login client-words"                 },
    {"pop3 takes a name",                 PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED, true,
     "S:+OK h\nC:USER a\nS:+OK\n",                                                                                      "client-login login-clear"                  },
    {"pop3 goes on with SASL",            PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED, true,
     "S:+OK h\nC:AUTH PLAIN\nS:+ \n",                                                                                   "client-login login-clear"                  },
    {"pop3, other words",                 PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED, true,
     "S:+OK h\nC:CAPA\nS:220 no\n",                                                                                     "words"                                     },
    {"imap, the way into TLS",            PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED, true,
     "S:* OK [CAPABILITY IMAP4rev2 LOGINDISABLED] h\nC:a CAPABILITY\nS:* CAPABILITY IMAP4rev2 "
     "STARTTLS LOGINDISABLED\nS:a OK\nC:b STARTTLS\nS:b OK\n",                                                          "tls"                                       },
    {"imap offers",                       PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED, true,
     "S:* OK [CAPABILITY IMAP4rev2 AUTH=PLAIN] h\n",                                                                    "login-offered"                             },
    {"imap, everybody",                   PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED, true,  "S:* PREAUTH hi\n",
     "login-clear"                                                                                                                                                  },
    {"imap refuses",                      PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED, true,
     "S:* OK h\nC:a LOGIN x y\nC:b SELECT INBOX\nS:b NO [PRIVACYREQUIRED]\nS:a NO "
     "[PRIVACYREQUIRED]\n",                                                                                             "client-login client-words"                 },
    {"imap takes a login",                PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED, true,
     "S:* OK h\nC:a LOGIN x y\nS:a OK in\n",                                                                            "client-login login-clear"                  },
    {"imap asks for the name",            PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED, true,
     "S:* OK h\nC:a LOGIN {3}\nS:+ go\n",                                                                               "client-login login-clear"                  },
    {"imap shows mail",                   PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED, true,
     "S:* OK h\nC:a SELECT INBOX\nS:* 3 EXISTS\nS:a OK\n",                                                              "client-words accepted-clear accepted-clear"},
    {"nntp, the way into TLS",            PROTOCOL_NNTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:200 h\nC:CAPABILITIES\nS:101 list\nS:VERSION 2\nS:AUTHINFO\nS:STARTTLS\nS:.\nC:MODE "
     "READER\nS:200 ok\nC:STARTTLS\nS:382 go\n",                                                                        "tls"                                       },
    {"nntp offers",                       PROTOCOL_NNTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:200 h\nC:CAPABILITIES\nS:101 list\nS:AUTHINFO USER\nS:.\n",                                                     "login-offered"                             },
    {"nntp refuses",                      PROTOCOL_NNTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:200 h\nC:AUTHINFO USER a\nS:483 TLS\nC:LIST\nS:483 TLS\n",                                                      "client-login client-words"                 },
    {"nntp takes a name",                 PROTOCOL_NNTP,  POLICY_STARTTLS_REQUIRED, true,
     "S:200 h\nC:AUTHINFO USER a\nS:381 go on\n",                                                                       "client-login login-clear"                  },
    {"nntp, reading in clear is allowed", PROTOCOL_NNTP,  POLICY_OPPORTUNISTIC,     false,
     "S:200 h\nC:ARTICLE <x>\nS:220 0 <x>\nS:250 looks like a reply\nS:.\nC:QUIT\nS:205 bye\n",                         ""                                          },
    {"nntp, posting in clear is allowed", PROTOCOL_NNTP,  POLICY_OPPORTUNISTIC,     false,
     "S:200 h\nC:POST\nS:340 go\nC:AUTHINFO is text\nC:.\nS:240 in\n",                                                  ""                                          },
    {"http, public",                      PROTOCOL_HTTP,  POLICY_PUBLIC_HTTP,       false,
     "C:GET /health HTTP/1.1\nC:Host: h\nC:\nS:HTTP/1.1 200 OK\nS:Content-Length: 0\nS:\nC:GET / "
     "HTTP/1.1\nC:\nS:HTTP/1.1 301 x\nS:Content-Length: 0\nS:\n",                                                       ""                                          },
    {"http, not public",                  PROTOCOL_HTTP,  POLICY_PUBLIC_HTTP,       false,
     "C:GET /metrics HTTP/1.1\nC:\nS:HTTP/1.1 200 OK\nS:Set-Cookie: a\nS:Content-Length: 0\nS:\n",                      "accepted-clear login-clear"                },
    {"http, a password",                  PROTOCOL_HTTP,  POLICY_PUBLIC_HTTP,       false,
     "C:GET /health HTTP/1.1\nC:Authorization: Basic x\nC:\n",                                                          "client-login"                              },
    {"http, chunks",                      PROTOCOL_HTTP,  POLICY_PUBLIC_HTTP,       false,
     "C:GET /health HTTP/1.1\nC:\nS:HTTP/1.1 200 OK\nS:Transfer-Encoding: "
     "chunked\nS:\nS:0\nS:\nC:GET /health HTTP/1.1\nC:\nS:HTTP/1.1 204 x\nS:\n",                                        ""                                          },
};

TEST(dialogues)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span rest = span_cstr(cases[i].lines), line;
        struct grammar g;
        char got[400] = "";
        size_t n = 0;
        unit_case(cases[i].name);
        grammar_init(&g, cases[i].protocol, cases[i].policy, cases[i].secure);
        while (span_split(&rest, '\n', &line)) {
            struct grammar_result r;
            grammar_line(&g, line.p[0] == 'S', span_skip(line, 2), &r);
            if (r.offence >= 0)
                n += (size_t)snprintf(got + n, sizeof got - n, "%s%s", n ? " " : "",
                                      offence_rows[r.offence].name);
            if (r.starts_tls)
                n += (size_t)snprintf(got + n, sizeof got - n, "%stls", n ? " " : "");
        }
        EXPECT_STR(got, cases[i].want);
    }
    unit_case(NULL);
}

TEST(raw)
{
    struct grammar g;
    struct grammar_result r;

    grammar_init(&g, PROTOCOL_SMTP, POLICY_OPPORTUNISTIC, false);
    grammar_line(&g, false, SPAN("BDAT 10 LAST"), &r);
    EXPECT_INT(grammar_raw(&g, false), 10);
    grammar_raw_taken(&g, false, 4);
    EXPECT_INT(grammar_raw(&g, false), 6);
    grammar_init(&g, PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED, true);
    grammar_line(&g, false, SPAN("a LOGIN {4+}"), &r);
    EXPECT_INT(grammar_raw(&g, false), 4);
    grammar_init(&g, PROTOCOL_HTTP, POLICY_PUBLIC_HTTP, false);
    grammar_line(&g, false, SPAN("GET /ca.pem HTTP/1.1"), &r);
    grammar_line(&g, false, SPAN(""), &r);
    grammar_line(&g, true, SPAN("HTTP/1.1 200 OK"), &r);
    grammar_line(&g, true, SPAN("content-length: 1700"), &r);
    grammar_line(&g, true, SPAN(""), &r);
    EXPECT_INT(grammar_raw(&g, true), 1700);
}

/* A client that floods with commands costs nothing but its own. */
TEST(flood)
{
    struct grammar g;
    struct grammar_result r;

    grammar_init(&g, PROTOCOL_SMTP, POLICY_STARTTLS_REQUIRED, true);
    for (unsigned i = 0; i < 1000; i++)
        grammar_line(&g, false, SPAN("NOOP"), &r);
    EXPECT_INT(g.open_n, GRAMMAR_OPEN_MAX);
    for (unsigned i = 0; i < 100; i++)
        grammar_line(&g, true, SPAN("250 ok"), &r);
}
