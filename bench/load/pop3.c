/* POP3: a session that reads every message and removes none. */
#include "load.h"

#include <stdlib.h>
#include <string.h>

static void begin(struct worker *w)
{
}

static void lines(struct conn *c)
{
    while (strcmp(conn_line(c, NULL), "."))
        ;
}

static void op_session(struct worker *w)
{
    struct conn *c = conn_open(w);

    conn_want(c, "+OK");
    conn_print(c, "USER %s\r\n", w->user);
    conn_want(c, "+OK");
    conn_print(c, "PASS %s\r\n", opt.password);
    conn_want(c, "+OK");
    conn_print(c, "STAT\r\n");
    if ((unsigned)atoi(conn_want(c, "+OK ") + 4) != opt.messages)
        die("not %u messages", opt.messages);
    conn_print(c, "UIDL\r\n");
    conn_want(c, "+OK");
    lines(c);
    for (unsigned i = 1; i <= opt.messages; i++) {
        conn_print(c, "RETR %u\r\n", i);
        conn_want(c, "+OK");
        lines(c);
    }
    conn_print(c, "QUIT\r\n");
    conn_want(c, "+OK");
    conn_close(c);
}

const struct driver pop3_drivers[] = {
    {"pop3-session", begin, op_session, begin},
    {NULL,           NULL,  NULL,       NULL },
};
