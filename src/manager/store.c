/* store.c: how the store is, room given back, and the proof that it is whole. */
#include "base/check.h"
#include "base/fd.h"
#include "manager/control.h"
#include "manager/store_index.h"
#include "manager/table.h"
#include "manager/text.h"
#include "manager/view.h"
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { COMPACT_PERCENT = 90, LOOK_MS = 200, FINDINGS_MAX = 10000, CONFIG_MAX = 16 << 20 };
#define MAP_BYTES (UINT64_C(1) << 40)

static const struct view stat_fields[] = {
    {"Accounts",       "accounts",                  VIEW_TEXT,  0},
    {"Mailboxes",      "mailboxes",                 VIEW_TEXT,  0},
    {"Messages",       "messages",                  VIEW_TEXT,  0},
    {"Queue",          "queue",                     VIEW_TEXT,  0},
    {"Log files",      "log_files",                 VIEW_TEXT,  0},
    {"Log",            "log_size",                  VIEW_BYTES, 0},
    {"of it lives",    "live_bytes",                VIEW_BYTES, 0},
    {"Index",          "index_bytes",               VIEW_BYTES, 0},
    {"Room on disk",   "disk_free",                 VIEW_BYTES, 0},
    {"kept free",      "reserve",                   VIEW_BYTES, 0},
    {"Too full",       "disk_full",                 VIEW_YES,   0},
    {"Compaction",     "compaction.phase",          VIEW_TEXT,  0},
    {"Files removed",  "compaction.files_removed",  VIEW_TEXT,  0},
    {"Given back",     "compaction.bytes_removed",  VIEW_BYTES, 0},
    {"Messages moved", "compaction.messages_moved", VIEW_TEXT,  0},
    {"Damaged files",  "compaction.damaged",        VIEW_TEXT,  0},
    {"Search index",   "search.bytes",              VIEW_BYTES, 0},
    {"of accounts",    "search.accounts",           VIEW_TEXT,  0},
    {"in use",         "search.in_use",             VIEW_TEXT,  0},
    {"It is",          "search.state",              VIEW_TEXT,  0},
    {"Out of order",   "failed",                    VIEW_YES,   0},
};

/* NULL with the reason. */
static json_t *get_stat(struct call *c, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(2 * LINK_PAYLOAD_MAX);
    struct control *control = call_control(c, e);

    if (control == NULL ||
        control_call(control, ROLE_STORED, 0, MSG_STORE_STAT, SPAN_EMPTY, &reply, e) < 0)
        return NULL;
    return view_parse(buf_span(&reply), "stored", e);
}

int cmd_store_stat(struct call *c, struct err *e)
{
    json_t *stat = get_stat(c, e), *search;
    struct err none = {""};

    if (stat == NULL)
        return -ENOTCONN;
    store_count_accounts(c->control, stat);
    search = store_index_state(c->control, &none);
    if (search == NULL)
        search = json_pack("{s:s}", "state", "away: messages are searched without it");
    json_object_set_new(stat, "search", search);
    return view_object(c, stat, VIEW(stat_fields));
}

/* ---- compact ----------------------------------------------------------------------------- */

int cmd_store_compact(struct call *c, struct err *e)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    struct control *control = call_control(c, e);
    struct buf body BUF_AUTO = BUF(8);
    json_t *before, *now = NULL;
    bool busy = true, shown = false;
    int r;

    if (control == NULL || (before = get_stat(c, e)) == NULL)
        return -ENOTCONN;
    wr_u8(&body, COMPACT_PERCENT);
    r = control_call(control, ROLE_STORED, 0, MSG_STORE_COMPACT, buf_span(&body), NULL, e);
    while (r >= 0 && busy) {
        nanosleep(&pause, NULL);
        json_decref(now);
        now = get_stat(c, e);
        if (now == NULL) {
            r = -ENOTCONN;
            break;
        }
        busy = json_is_true(view_get(now, "compaction.asked"));
        if (busy && isatty(STDERR_FILENO)) {
            fprintf(stderr, "\r%s, %lld messages left   ", view_string(now, "compaction.phase"),
                    (long long)json_integer_value(view_get(now, "compaction.left")));
            shown = true;
        }
    }
    if (shown)
        fprintf(stderr, "\r%40s\r", "");
    if (r >= 0) {
        long long files = json_integer_value(view_get(now, "compaction.files_removed")) -
                          json_integer_value(view_get(before, "compaction.files_removed"));
        long long bytes = json_integer_value(view_get(now, "compaction.bytes_removed")) -
                          json_integer_value(view_get(before, "compaction.bytes_removed"));
        r = view_done(c, json_pack("{s:I,s:I}", "files", files, "bytes", bytes),
                      "%lld log files removed, %lld MiB given back.", files, bytes >> 20);
    }
    json_decref(before);
    json_decref(now);
    return r;
}

/* ---- check ------------------------------------------------------------------------------- */

struct listing {
    json_t *all;
    bool tty;
};

static const struct view finding_columns[] = {
    {"WHAT",    "kind",   VIEW_TEXT, COLUMN_WHOLE},
    {"FINDING", "text",   VIEW_TEXT, COLUMN_WRAP },
    {"DONE",    "repair", VIEW_TEXT, COLUMN_WRAP },
};

static void on_found(void *arg, enum finding kind, bool repaired, const char *text)
{
    struct listing *l = arg;

    if (json_array_size(l->all) < FINDINGS_MAX)
        json_array_append_new(l->all, json_pack("{s:s,s:o,s:b,s:s}", "kind", finding_name(kind),
                                                "text", view_text(text), "repaired", (int)repaired,
                                                "repair", repaired ? finding_repair(kind) : ""));
}

static void on_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
    const struct listing *l = arg;

    if (l->tty)
        fprintf(stderr, "\r%-20s %3u %%", what,
                total ? (unsigned)(done > total ? 100 : done * 100 / total) : 0);
}

static int data_folder(struct call *c, struct buf *ret, struct err *e)
{
    struct buf text BUF_AUTO = BUF(CONFIG_MAX);
    const char *file = call_config(c);
    int r = file_read(AT_FDCWD, file, CONFIG_MAX, &text, e);

    if (r != 0)
        return err_set(e, r, "the configuration %s cannot be read: %s. Name it with --config FILE",
                       text_quote(span_cstr(file)), strerror(-r));
    return control_find_data(buf_span(&text), file, ret) ? 0 : -ENAMETOOLONG;
}

/* While the server runs: against a checkpoint that is kept for as long as our link lives, and a log
 * of which no file is removed meanwhile. */
static int check_running(struct call *c, const char *data, struct check *k, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(2 * LINK_PAYLOAD_MAX);
    struct file_checkpoint image;
    char copy[4200];
    json_t *stat = get_stat(c, e);
    int r = stat == NULL
                ? -ENOTCONN
                : control_call(c->control, ROLE_STORED, 0, MSG_STORE_BACKUP, SPAN_EMPTY, &reply, e);

    if (stat != NULL && k->copy == NULL)
        k->keep_bytes = (uint64_t)json_integer_value(view_get(stat, "reserve"));
    json_decref(stat);
    if (r < 0)
        return r;
    if (reply.n != sizeof image)
        return err_set(e, -EBADMSG, "stored has answered something that makes no sense");
    memcpy(&image, reply.p, sizeof image);
    k->running = true;
    snprintf(copy, sizeof copy, "%s/store/check-%d.tmp", data, (int)getpid());
    return store_check_copy(data, &image, k->copy ? k->copy : copy, MAP_BYTES, k, e);
}

/* A folder of its own in the one that --tmp names, which everybody may write to; "": beside the store. */
static int copy_folder(struct call *c, char *out, size_t n, struct err *e)
{
    const char *in = c->option[OPT_TMP];

    out[0] = 0;
    if (in == NULL)
        return 0;
    if (has_option(c, OPT_REPAIR))
        return err_set(e, -EINVAL, "a repair needs no --tmp: it writes to the index itself");
    if (snprintf(out, n, "%s/sealpost-check-XXXXXX", in) >= (int)n)
        return err_set(e, -ENAMETOOLONG, "the name of that folder is too long");
    if (mkdtemp(out) == NULL)
        return err_set(e, -errno, "no folder can be made in %s: %s", text_quote(span_cstr(in)),
                       strerror(errno));
    return 0;
}

static int report(struct call *c, const struct check *k, struct listing *l, bool left,
                  struct err *e)
{
    json_t *result =
        json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:O}", "sound", (int)(k->all == 0),
                  "findings", (json_int_t)k->all, "repaired", (json_int_t)k->repaired, "messages",
                  (json_int_t)k->messages, "mailboxes", (json_int_t)k->mailboxes, "queue",
                  (json_int_t)k->queued, "body_bytes", (json_int_t)k->body_bytes, "records",
                  (json_int_t)k->records, "log_files", (json_int_t)k->files, "list", l->all);
    struct err none = {""};
    json_t *search = c->control ? store_index_state(c->control, &none) : NULL;

    if (search)
        json_object_set_new(result, "search", search);

    if (has_option(c, OPT_JSON)) {
        view_object(c, result, NULL, 0);
    } else {
        if (json_array_size(l->all) > 0) {
            view_table(c, l->all, VIEW(finding_columns));
            buf_putc(&c->out, '\n');
        }
        buf_printf(&c->out,
                   "%llu messages in %llu mailboxes, %llu in the queue, %llu MiB of bodies, %llu "
                   "records in %llu log files: %s.\n",
                   (unsigned long long)k->messages, (unsigned long long)k->mailboxes,
                   (unsigned long long)k->queued, (unsigned long long)(k->body_bytes >> 20),
                   (unsigned long long)k->records, (unsigned long long)k->files,
                   k->all == 0 ? "whole"
                   : left      ? "not whole"
                               : "repaired");
        if (search)
            buf_printf(&c->out,
                       "Search index (derived, made anew where damaged): %lld accounts, %lld of "
                       "them in use, %lld MiB, %s.\n",
                       (long long)json_integer_value(view_get(search, "accounts")),
                       (long long)json_integer_value(view_get(search, "in_use")),
                       (long long)json_integer_value(view_get(search, "bytes")) >> 20,
                       view_string(search, "state"));
        json_decref(result);
    }
    e->text[0] = 0;
    return left ? -EBADMSG : 0;
}

int cmd_store_check(struct call *c, struct err *e)
{
    struct buf data BUF_AUTO = BUF(4000);
    struct listing l = {.all = json_array(), .tty = isatty(STDERR_FILENO)};
    struct check k = {.found = on_found, .progress = on_progress, .arg = &l}, again = {0};
    char copy[500] = "";
    bool running;
    int r = data_folder(c, &data, e);

    k.repair = has_option(c, OPT_REPAIR);
    if (r == 0)
        r = copy_folder(c, copy, sizeof copy, e);
    if (r == 0) {
        k.copy = copy[0] ? copy : NULL;
        running = control_open(call_config(c), &c->control, e) == 0;
        if (running && k.repair)
            r = err_set(e, -EBUSY, "the server runs: stop it (`sealpost stop`), then repair");
        else
            r = running ? check_running(c, buf_cstr(&data), &k, e)
                        : store_check(buf_cstr(&data), MAP_BYTES, &k, e);
    }
    if (copy[0])
        rmdir(copy); /* where the check has not come to its end */
    if (l.tty)
        fprintf(stderr, "\r%40s\r", "");
    /* What a repair leaves is what the next look would find. */
    if (r == 0 && k.repair && k.all > 0)
        r = store_check(buf_cstr(&data), MAP_BYTES, &again, e);
    if (r == 0)
        r = report(c, &k, &l, k.repair ? again.all > 0 : k.all > 0, e);
    json_decref(l.all);
    return r;
}
