/* IMAP: login, append, fetch, store, idle and notify. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads up to the tagged answer, which must be OK; counts untagged FETCH answers; skips literals.
 */
static void answer(struct worker *w, struct conn *c, const char *tag)
{
    size_t tag_length = strlen(tag), length;

    for (;;) {
        char *line = conn_line(c, &length);
        bool more = true;

        if (!strncmp(line, tag, tag_length) && line[tag_length] == ' ') {
            if (strncmp(line + tag_length, " OK", 3))
                die("%s", line);
            return;
        }
        if (line[0] == '*' && line[2] >= '0' && line[2] <= '9' && strstr(line, " FETCH "))
            w->units++;
        while (more) {
            char *brace = length && line[length - 1] == '}' ? strrchr(line, '{') : NULL;

            if ((more = brace != NULL)) {
                conn_skip(c, strtoul(brace + 1, NULL, 10));
                line = conn_line(c, &length);
            }
        }
    }
}

static struct conn *login(struct worker *w)
{
    struct conn *c = conn_open(w);

    conn_want(c, "* OK");
    conn_print(c, "a LOGIN %s %s\r\n", w->user, opt.password);
    answer(w, c, "a");
    return c;
}

static struct conn *login_selected(struct worker *w)
{
    struct conn *c = login(w);

    conn_print(c, "b SELECT %s\r\n", opt.mailbox);
    answer(w, c, "b");
    return c;
}

static void logout(struct worker *w, struct conn *c)
{
    conn_print(c, "z LOGOUT\r\n");
    answer(w, c, "z");
    conn_close(c);
}

static void begin_none(struct worker *w)
{
}

static void begin_login(struct worker *w)
{
    w->conn = login(w);
    w->message = message_new(NULL);
}

static void begin_selected(struct worker *w)
{
    w->conn = login_selected(w);
    w->message = message_new(NULL);
}

static void end_logout(struct worker *w)
{
    logout(w, w->conn);
}

static void op_login(struct worker *w)
{
    logout(w, login(w));
    w->units++;
}

static void append(struct worker *w, struct conn *c)
{
    message_next(w->message);
    conn_print(c, "c APPEND %s {%zu}\r\n", opt.mailbox, MESSAGE_LENGTH(w->message));
    for (;;) { /* a selected mailbox may have news first */
        char *line = conn_line(c, NULL);

        if (line[0] == '+')
            break;
        if (line[0] != '*')
            die("%s", line);
    }
    conn_write(c, w->message, MESSAGE_LENGTH(w->message));
    conn_print(c, "\r\n");
}

static void op_append(struct worker *w)
{
    append(w, w->conn);
    answer(w, w->conn, "c");
    w->units++;
}

static void op_fetch(struct worker *w)
{
    uint64_t before = w->units;

    conn_print(w->conn, "d FETCH 1:%u (%s)\r\n", opt.messages, opt.items);
    answer(w, w->conn, "d");
    if (w->units - before < opt.messages)
        die("FETCH answered only %llu times", (unsigned long long)(w->units - before));
}

static void op_search(struct worker *w)
{
    conn_print(w->conn, "f UID SEARCH %s\r\n", opt.items);
    answer(w, w->conn, "f");
    w->units++;
}

static void op_select(struct worker *w)
{
    conn_print(w->conn, "b SELECT %s\r\n", opt.mailbox);
    answer(w, w->conn, "b");
    w->units++;
}

/* Setting what is set already would cost next to nothing. */
static void begin_store(struct worker *w)
{
    begin_selected(w);
    conn_print(w->conn, "d STORE 1:* -FLAGS.SILENT (\\Flagged)\r\n");
    answer(w, w->conn, "d");
}

static void op_store(struct worker *w)
{
    unsigned n = w->sent++;

    conn_print(w->conn, "e STORE %u %cFLAGS.SILENT (\\Flagged)\r\n", n % opt.messages + 1,
               n / opt.messages % 2 ? '-' : '+');
    answer(w, w->conn, "e");
}

static struct conn *idle(struct worker *w)
{
    struct conn *c = login_selected(w);

    conn_print(c, "i IDLE\r\n");
    for (;;) {
        char *line = conn_line(c, NULL);

        if (line[0] == '+')
            return c;
        if (line[0] != '*')
            die("%s", line);
    }
}

static void begin_idle(struct worker *w)
{
    w->held = calloc(opt.sessions, sizeof(struct conn *));
    for (unsigned i = 0; i < opt.sessions; i++) {
        worker_name(w, i % 32 + 1);
        w->held[i] = idle(w);
    }
}

static void end_idle(struct worker *w)
{
    for (unsigned i = 0; i < opt.sessions; i++)
        conn_close(w->held[i]);
}

static void begin_notify(struct worker *w)
{
    begin_login(w);
    w->held = calloc(1, sizeof(struct conn *));
    w->held[0] = idle(w);
}

static void op_notify(struct worker *w)
{
    uint64_t begin_us, took_us;

    usleep(opt.pause * 1000);
    append(w, w->conn);
    begin_us = now_us();
    while (!strstr(conn_line(w->held[0], NULL), " EXISTS"))
        ;
    took_us = now_us() - begin_us;
    answer(w, w->conn, "c");
    w->mark_us = now_us() - took_us; /* the answer to APPEND does not count */
}

static void end_notify(struct worker *w)
{
    conn_close(w->held[0]);
    end_logout(w);
}

const struct driver imap_drivers[] = {
    {"imap-login",  begin_none,     op_login,  begin_none},
    {"imap-append", begin_login,    op_append, end_logout},
    {"imap-fetch",  begin_selected, op_fetch,  end_logout},
    {"imap-search", begin_selected, op_search, end_logout},
    {"imap-select", begin_login,    op_select, end_logout},
    {"imap-store",  begin_store,    op_store,  end_logout},
    {"imap-idle",   begin_idle,     NULL,      end_idle  },
    {"imap-notify", begin_notify,   op_notify, end_notify},
    {NULL,          NULL,           NULL,      NULL      },
};
