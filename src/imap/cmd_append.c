/*
 * cmd_append.c: APPEND. The message is streamed into the store's ring as it arrives; what can be
 * refused is refused before the client is asked for it. What a refused literal without waiting
 * ({n+}) brings is thrown away by the engine.
 */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/name.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

struct append {
    struct mailbox_name name;
    bool name_ok, dated, binary;
    struct arg_flags flags;
    struct date date;
    uint64_t bytes;
    struct store_body *body;
    bool nul;
};

/* append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP (literal / literal8) */
static bool parse_append(struct session *s, const struct command_line *c, struct append *a)
{
    struct span args = c->args, wire;

    if (!c->streaming || !name_arg(s, &args, &wire) || !arg_sp(&args))
        return false;
    if (args.n && args.p[0] == '(' && (!arg_flag_list(&args, &a->flags) || !arg_sp(&args)))
        return false;
    if (args.n && args.p[0] == '"') {
        if (!arg_date_time(&args, &a->date) || !arg_sp(&args))
            return false;
        a->dated = true;
    }
    if (!arg_announcement(&args, &a->bytes, &a->binary) || !parse_end(&args))
        return false;
    a->bytes = c->stream_bytes;
    a->name_ok = name_parse(s, wire, false, &a->name);
    return true;
}

static int on_bytes(void *arg, struct span bytes)
{
    struct append *a = arg;

    if (span_has(bytes, '\0'))
        a->nul = true;
    return store_body_write(a->body, bytes);
}

/* Takes the message over. 0; a negative errno: to be answered with NO; 1: answered or over. */
static int receive(struct session *s, const struct command_line *c, struct append *a)
{
    struct span rest;
    int failed = 0, e;

    e = store_body_begin(imap_store(s), a->bytes, s->vserver->limits.message_bytes, &a->body);
    if (e < 0)
        return e;
    if (c->stream_sync) {
        session_puts(s, "+ Ready for the message\r\n");
        if (session_flush(s) < 0)
            return 1;
    }
    if (session_read_bytes(s, a->bytes, on_bytes, a, &failed) < 0)
        return 1;
    e = session_read_line(s, 1024, &rest);
    if (e < 0 && e != -EMSGSIZE)
        return 1;
    if (e == -EMSGSIZE || rest.n) {
        imap_bad(s, c, "Only one message can be appended at a time");
        return 1;
    }
    if (failed < 0)
        return failed;
    if (a->nul) {
        /* NUL bytes could not be read again by BODY[] (RFC 3516 section 4.4) */
        imap_no(s, c, "[UNKNOWN-CTE] A message with NUL bytes cannot be stored");
        return 1;
    }
    return store_body_finish(a->body);
}

static void append_message(struct session *s, const struct command_line *c, struct append *a,
                           const struct mailbox_info *info)
{
    struct store_append request = {
        .grant = imap_grant(s),
        .mailbox = info->id,
        .flags = a->flags.system,
        .keywords = a->flags.keywords,
        .keyword_count = a->flags.keyword_count,
        .received_seconds = a->dated ? a->date.seconds : clock_seconds(),
        .received_zone = (int16_t)a->date.zone_minutes,
    };
    struct store_appended done;
    int e = receive(s, c, a);

    if (e == 0)
        e = store_append(imap_store(s), a->body, &request, &done);
    if (e < 0)
        imap_fail(s, c, e);
    if (e != 0)
        return;

    char *text =
        arena_printf(s->scratch, "[APPENDUID %u %u] Append completed", done.uidvalidity, done.uid);
    imap_finish(s, c, true, text ? text : "Append completed");
}

void cmd_append(struct session *s, struct command_line *c)
{
    struct append *a = ARENA_NEW(s->scratch, struct append);
    struct mailbox_info info;
    int e = -ENOENT;

    if (!parse_append(s, c, a)) {
        imap_syntax(s, c);
        return;
    }
    if (a->name_ok)
        e = name_target(s, &a->name, &info);
    if (e == -ENOENT)
        imap_no(s, c, "[TRYCREATE] No such mailbox");
    else if (e < 0)
        imap_fail(s, c, e);
    else if (a->bytes > s->vserver->limits.message_bytes)
        imap_no(s, c, "[TOOBIG] The message is larger than this server takes");
    else if (a->bytes == 0)
        imap_no(s, c, "[CANNOT] A message cannot be empty");
    else
        append_message(s, c, a, &info);
    store_body_free(a->body);
}
