/* NNTP reading and posting in opt.mailbox, logged in if there is a password. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned first_article;

static void begin(struct worker *w)
{
    struct conn *c = w->conn = conn_open(w);

    conn_want(c, "20");
    conn_print(c, "MODE READER\r\n");
    conn_want(c, "20");
    if (opt.password[0]) {
        conn_print(c, "AUTHINFO USER %s\r\n", w->user);
        conn_want(c, "381");
        conn_print(c, "AUTHINFO PASS %s\r\n", opt.password);
        conn_want(c, "281");
    }
    w->message = message_new(opt.mailbox);
}

static void begin_group(struct worker *w)
{
    char *line;

    begin(w);
    conn_print(w->conn, "GROUP %s\r\n", opt.mailbox);
    line = conn_want(w->conn, "211 ");
    if (sscanf(line, "211 %*u %u", &first_article) != 1)
        die("%s", line);
}

static void op_post(struct worker *w)
{
    struct conn *c = w->conn;

    message_next(w->message);
    conn_print(c, "POST\r\n");
    conn_want(c, "340");
    conn_write(c, w->message, MESSAGE_LENGTH(w->message));
    conn_print(c, ".\r\n");
    conn_want(c, "240");
    w->units++;
}

static void op_article(struct worker *w)
{
    struct conn *c = w->conn;

    conn_print(c, "ARTICLE %u\r\n", first_article + w->sent++ % opt.messages);
    conn_want(c, "220");
    while (strcmp(conn_line(c, NULL), "."))
        ;
    w->units++;
}

static void op_over(struct worker *w)
{
    struct conn *c = w->conn;
    unsigned n = 0;

    conn_print(c, "OVER %u-%u\r\n", first_article, first_article + opt.messages - 1);
    conn_want(c, "224");
    while (strcmp(conn_line(c, NULL), "."))
        n++;
    if (n != opt.messages)
        die("OVER answered %u lines", n);
    w->units += n;
}

static void end(struct worker *w)
{
    conn_print(w->conn, "QUIT\r\n");
    conn_want(w->conn, "205");
    conn_close(w->conn);
}

const struct driver nntp_drivers[] = {
    {"nntp-post",    begin,       op_post,    end },
    {"nntp-article", begin_group, op_article, end },
    {"nntp-over",    begin_group, op_over,    end },
    {NULL,           NULL,        NULL,       NULL},
};
