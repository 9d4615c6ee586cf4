/* SMTP and LMTP: messages for the worker's user, opt.per of them a connection. */
#include "load.h"

#include <stdio.h>
#include <string.h>

static void reply(struct conn *c, const char *code)
{
    while (conn_want(c, code)[3] == '-')
        ;
}

static void open_session(struct worker *w)
{
    struct conn *c = w->conn = conn_open(w);
    const char *hello = opt.lmtp ? "LHLO" : "EHLO";

    reply(c, "220");
    conn_print(c, "%s client.elsewhere.test\r\n", hello);
    reply(c, "250");
    if (opt.security == STARTTLS) {
        conn_print(c, "STARTTLS\r\n");
        reply(c, "220");
        conn_secure(w, c);
        conn_print(c, "%s client.elsewhere.test\r\n", hello);
        reply(c, "250");
    }
    w->sent = 0;
}

static void close_session(struct worker *w)
{
    if (!w->conn)
        return;
    conn_print(w->conn, "QUIT\r\n");
    reply(w->conn, "221");
    conn_close(w->conn);
    w->conn = NULL;
}

static void begin(struct worker *w)
{
    w->message = message_new(NULL);
    if (opt.per != 1)
        open_session(w);
}

static void op_send(struct worker *w)
{
    struct conn *c;

    if (!w->conn)
        open_session(w);
    c = w->conn;
    message_next(w->message);
    conn_print(c, "MAIL FROM:<ada@elsewhere.test>\r\nRCPT TO:<%s>\r\nDATA\r\n", w->user);
    reply(c, "250");
    reply(c, "250");
    reply(c, "354");
    conn_write(c, w->message, MESSAGE_LENGTH(w->message));
    conn_print(c, ".\r\n");
    reply(c, "250");
    w->units++;
    if (++w->sent == opt.per)
        close_session(w);
}

const struct driver smtp_drivers[] = {
    {"smtp-send", begin, op_send, close_session},
    {NULL,        NULL,  NULL,    NULL         },
};
