/*
 * import_mbox.c: mbox files and folders of them.
 *
 * A message begins with a line "From sender date" that stands at the beginning of the file or
 * behind an empty line, or (files of careless writers) is followed by a header field. Where a
 * Content-Length leads exactly to such a line or the end of the file it is believed (mboxcl2), and
 * nothing is unquoted. Else ">From " at the beginning of a line loses a '>': in mboxrd of any
 * number of them, in mboxo of one.
 */
#include "base/check.h"
#include "base/fd.h"
#include "base/map.h"
#include "manager/import.h"
#include "manager/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WINDOW = 1 << 20,
    FROM_LINE_MAX = 1000,
    HEADER_MAX = 4 << 20,
    DEPTH_MAX = 30,
    NAME_MAX_BYTES = 8192,
    FILES_MAX = 1 << 20,
};

/* ---- From lines -------------------------------------------------------------------------- */

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char days[] = "SunMonTueWedThuFriSat";

static bool word(struct span *s, struct span *ret)
{
    *s = span_trim(*s);
    return s->n > 0 && span_split(s, ' ', ret) && ret->n > 0;
}

static bool name_index(struct span w, const char *names, unsigned *ret)
{
    for (unsigned i = 0; names[3 * i] != '\0' && w.n == 3; i++)
        if (span_eq_nocase(w, span_of(names + 3 * i, 3))) {
            *ret = i;
            return true;
        }
    return false;
}

static bool clock_time(struct span w, unsigned *ret)
{
    struct span h, m = SPAN_EMPTY;
    uint64_t hour, minute, second = 0;

    if (!span_split(&w, ':', &h) || !span_to_u64(h, 23, &hour))
        return false;
    if (span_split(&w, ':', &m) && w.n > 0 && !span_to_u64(w, 60, &second))
        return false;
    if (!span_to_u64(m, 59, &minute))
        return false;
    *ret = (unsigned)(hour * 3600 + minute * 60 + second);
    return true;
}

static int64_t days_since_1970(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400, doy = (153 * (int64_t)(m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "+0100", or one of a few names; others count as UTC. */
static bool zone_of(struct span w, int *ret)
{
    static const struct {
        const char *name;
        int minutes;
    } names[] = {
        {"EST",  -300},
        {"EDT",  -240},
        {"CST",  -360},
        {"CDT",  -300},
        {"MST",  -420},
        {"MDT",  -360},
        {"PST",  -480},
        {"PDT",  -420},
        {"CET",  60  },
        {"CEST", 120 },
        {"MET",  60  },
        {"MEST", 120 },
        {"BST",  60  },
    };
    uint64_t n;

    *ret = 0;
    if (w.n == 5 && (w.p[0] == '+' || w.p[0] == '-') && span_to_u64(span_skip(w, 1), 9999, &n)) {
        *ret = (int)(n / 100 * 60 + n % 100) * (w.p[0] == '-' ? -1 : 1);
        return *ret > -1440 && *ret < 1440;
    }
    for (size_t i = 0; i < w.n; i++)
        if (!ascii_is_alpha(w.p[i]))
            return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (span_is(w, names[i].name))
            *ret = names[i].minutes;
    return w.n > 0;
}

/* Thu Jan  1 00:00:00 2026, with a zone before or behind the year or none. */
bool import_mbox_date(struct span s, int64_t *ret_seconds, int *ret_zone)
{
    struct span w;
    unsigned weekday, month, time;
    uint64_t day, year;
    int zone = 0;

    if (!word(&s, &w) || !name_index(w, days, &weekday) || !word(&s, &w) ||
        !name_index(w, months, &month) || !word(&s, &w) || !span_to_u64(w, 31, &day) || day == 0 ||
        !word(&s, &w) || !clock_time(w, &time) || !word(&s, &w))
        return false;
    if (!ascii_is_digit(w.p[0])) {
        if (!zone_of(w, &zone) || !word(&s, &w))
            return false;
    }
    if (w.n != 4 || !span_to_u64(w, 9999, &year) || year < 1970)
        return false;
    if (word(&s, &w) && !zone_of(w, &zone))
        zone = 0; /* "remote from …" */
    *ret_seconds =
        days_since_1970((int64_t)year, month + 1, (unsigned)day) * 86400 + time - zone * 60;
    *ret_zone = zone;
    return true;
}

/* The sender may hold blanks ("From Joe User Thu …"): the date is looked for at each word. */
bool import_mbox_is_from(struct span line, int64_t *ret_seconds, int *ret_zone)
{
    struct span rest = span_chomp(line), ignored;

    if (!span_starts(rest, SPAN("From ")) || rest.n > FROM_LINE_MAX)
        return false;
    rest = span_skip(rest, 5);
    while (rest.n > 0) {
        if (import_mbox_date(rest, ret_seconds, ret_zone))
            return true;
        if (!word(&rest, &ignored))
            return false;
    }
    return false;
}

/* ---- lines of a file --------------------------------------------------------------------- */

struct lines {
    int fd;
    uint64_t at; /* of the window's beginning */
    char *window;
    size_t n, used;
    bool end, broken;
};

/* The next line with its end; a longer one than the window comes in pieces. */
static bool line_next(struct lines *l, struct span *ret)
{
    for (;;) {
        struct span rest = span_of(l->window + l->used, l->n - l->used);
        size_t end = span_find(rest, '\n');
        if (end != SPAN_NONE || (rest.n > 0 && (l->end || rest.n == WINDOW))) {
            *ret = span_head(rest, end != SPAN_NONE ? end + 1 : rest.n);
            l->used += ret->n;
            return true;
        }
        if (l->end)
            return false;
        memmove(l->window, rest.p, rest.n);
        l->at += l->used;
        l->n = rest.n;
        l->used = 0;
        ssize_t got = pread(l->fd, l->window + l->n, WINDOW - l->n, (off_t)(l->at + l->n));
        if (got > 0)
            l->n += (size_t)got;
        else if (got == 0 || errno != EINTR)
            l->end = true;
        if (got < 0 && errno != EINTR)
            l->broken = true;
    }
}

static uint64_t line_place(const struct lines *l)
{
    return l->at + l->used;
}

static void line_seek(struct lines *l, uint64_t to)
{
    l->at = to;
    l->n = l->used = 0;
    l->end = false;
}

/* What stands next, without taking it. */
static struct span line_peek(struct lines *l)
{
    struct span s = SPAN_EMPTY;

    if (line_next(l, &s))
        l->used -= s.n;
    return s;
}

/* ---- one message ------------------------------------------------------------------------- */

struct mbox {
    struct import *i;
    const struct import_mbox *options;
    struct lines lines;
    struct buf bytes, where;
    struct import_flags flags;
    struct buf words; /* of keywords */
    int64_t received;
    int zone;
    uint64_t from_at, length; /* Content-Length; UINT64_MAX: none */
    bool too_large, internal;
    unsigned unseparated, count;
    struct map *seen; /* how often a message of these bytes came */
};

static bool is_field(struct span line)
{
    size_t n = 0;

    while (n < line.n && line.p[n] > ' ' && line.p[n] != ':' && line.p[n] < 0x7f)
        n++;
    return n > 0 && n < line.n && line.p[n] == ':';
}

static void put(struct mbox *m, struct span s)
{
    if (m->bytes.n + s.n + 1 > IMPORT_MESSAGE_MAX) {
        m->too_large = true;
        return;
    }
    size_t end = s.n > 0 && s.p[s.n - 1] == '\n' ? s.n - 1 : s.n;
    buf_put_span(&m->bytes, span_head(s, end));
    if (end < s.n)
        buf_put_cstr(&m->bytes, end > 0 && s.p[end - 1] == '\r' ? "\n" : "\r\n");
}

static void status_letters(struct mbox *m, struct span value)
{
    for (size_t k = 0; k < value.n; k++) {
        switch (value.p[k]) {
        case 'R':
            m->flags.flags |= STORE_SEEN;
            break;
        case 'A':
            m->flags.flags |= STORE_ANSWERED;
            break;
        case 'F':
            m->flags.flags |= STORE_FLAGGED;
            break;
        case 'T':
            m->flags.flags |= STORE_DRAFT;
            break;
        case 'D':
            m->flags.flags |= STORE_DELETED;
            break;
        default:
            break;
        }
    }
}

static void add_keywords(struct mbox *m, struct span value)
{
    struct span w;

    if (m->words.n > 0 || !buf_put_span(&m->words, value))
        return; /* the first such field counts */
    value = buf_span(&m->words);
    while (word(&value, &w))
        import_flags_keyword(&m->flags, w);
}

static void mozilla_status(struct mbox *m, struct span value)
{
    unsigned long bits;
    char text[9];

    if (!span_to_cstr(span_head(value, 8), text, sizeof text))
        return;
    bits = strtoul(text, NULL, 16);
    m->flags.flags |= (bits & 1 ? STORE_SEEN : 0) | (bits & 2 ? STORE_ANSWERED : 0) |
                      (bits & 4 ? STORE_FLAGGED : 0) | (bits & 8 ? STORE_DELETED : 0);
}

/* Fields that tell what the mailbox knows of the message do not belong to it. */
static bool mailbox_field(struct mbox *m, struct span line)
{
    struct span value = span_chomp(line), name;

    if (!span_split(&value, ':', &name))
        return false;
    value = span_trim(value);
    if (span_is(name, "Status") || span_is(name, "X-Status"))
        status_letters(m, value);
    else if (span_is(name, "X-Keywords"))
        add_keywords(m, value);
    else if (span_is(name, "X-Mozilla-Status"))
        mozilla_status(m, value);
    else if (span_is(name, "X-Mozilla-Keys"))
        add_keywords(m, value);
    else if (span_is(name, "Content-Length"))
        span_to_u64(value, UINT32_MAX, &m->length);
    else if (span_is(name, "X-IMAP") || span_is(name, "X-IMAPbase") || span_is(name, "X-UID") ||
             span_is(name, "X-Mozilla-Status2"))
        return true;
    else
        return false;
    return true;
}

static bool boundary(struct mbox *m, struct span line, bool blank_before)
{
    int64_t seconds;
    int zone;

    if (!span_starts(line, SPAN("From ")) || !import_mbox_is_from(line, &seconds, &zone))
        return false;
    if (blank_before)
        return true;
    if (!is_field(line_peek(&m->lines)))
        return false;
    m->unseparated++;
    return true;
}

static struct span unquoted(const struct mbox *m, struct span line)
{
    size_t n = 0;

    while (n < line.n && line.p[n] == '>')
        n++;
    if (n == 0 || !span_starts(span_skip(line, n), SPAN("From ")) ||
        (m->options->quoted_once && n > 1))
        return line;
    return span_skip(line, 1);
}

/* Header with its empty line; false: the message ended before it. */
static bool read_header(struct mbox *m)
{
    bool skipping = false;
    struct span line;

    while (line_next(&m->lines, &line)) {
        if (span_chomp(line).n == 0) {
            put(m, line);
            return true;
        }
        if (span_starts(line, SPAN("From ")) && m->bytes.n > 0 && boundary(m, line, false)) {
            m->lines.used -= line.n;
            return false;
        }
        if (line.p[0] != ' ' && line.p[0] != '\t') {
            skipping = mailbox_field(m, line);
            if (span_starts_nocase(line, SPAN("Subject: DON'T DELETE THIS MESSAGE -- FOLDER "
                                              "INTERNAL DATA")))
                m->internal = true;
        }
        if (!skipping)
            put(m, unquoted(m, line));
    }
    return true;
}

/* Does Content-Length lead to a From line or the end? Then the body is that long. */
static bool length_holds(struct mbox *m)
{
    uint64_t end = line_place(&m->lines) + m->length;
    char b[FROM_LINE_MAX + 8];
    struct stat st;
    int64_t seconds;
    int zone;
    ssize_t n;

    if (m->length == UINT64_MAX || fstat(m->lines.fd, &st) != 0 || end > (uint64_t)st.st_size)
        return false;
    n = pread(m->lines.fd, b, sizeof b, (off_t)end);
    if (n == 0 || (n == 1 && b[0] == '\n'))
        return true;
    struct span rest = span_of(b, n > 0 ? (size_t)n : 0), line;
    while (rest.n > 0 && (rest.p[0] == '\n' || rest.p[0] == '\r'))
        rest = span_skip(rest, 1);
    return rest.n > 0 && rest.n < (size_t)n && span_split(&rest, '\n', &line) &&
           import_mbox_is_from(line, &seconds, &zone);
}

static void read_counted(struct mbox *m)
{
    uint64_t end = line_place(&m->lines) + m->length;
    struct span line;

    while (line_place(&m->lines) < end && line_next(&m->lines, &line)) {
        if (line_place(&m->lines) > end) {
            size_t over = (size_t)(line_place(&m->lines) - end);
            m->lines.used -= over;
            line.n -= over;
        }
        put(m, line);
    }
    while ((line = line_peek(&m->lines)).n > 0 && span_chomp(line).n == 0)
        line_next(&m->lines, &line);
}

static void read_body(struct mbox *m)
{
    bool blank = true, held = false; /* an empty line that may belong to the mbox */
    bool whole = true;               /* the piece before ended a line */
    struct span line;

    while (line_next(&m->lines, &line)) {
        if (whole && boundary(m, line, blank)) {
            m->lines.used -= line.n;
            if (held && !blank)
                put(m, SPAN("\n"));
            return;
        }
        if (held)
            put(m, SPAN("\n"));
        held = false;
        blank = whole && span_chomp(line).n == 0;
        if (blank)
            held = true;
        else
            put(m, whole ? unquoted(m, line) : line);
        whole = line.p[line.n - 1] == '\n';
    }
}

static void finish(struct mbox *m)
{
    /* the file's last line end may be missing */
    if (m->bytes.n > 0 && m->bytes.p[m->bytes.n - 1] != '\n')
        buf_put_cstr(&m->bytes, "\r\n");
}

/* Equal messages are told apart by which of them it is. */
static uint64_t key_of(struct mbox *m)
{
    uint64_t hash = import_hash(buf_span(&m->bytes));
    struct span name = span_of(&hash, sizeof hash);
    uintptr_t times = (uintptr_t)map_get(m->seen, name);

    map_set(m->seen, name, (void *)(times + 1));
    return import_hash_pair(hash, times);
}

static int take(struct mbox *m)
{
    finish(m);
    m->count++;
    buf_clear(&m->where);
    buf_printf(&m->where, "message %u, at byte %llu", m->count, (unsigned long long)m->from_at);
    if (m->too_large)
        return import_refuse(m->i, buf_cstr(&m->where), "it is larger than %d MiB",
                             IMPORT_MESSAGE_MAX >> 20);
    if (m->internal) {
        import_note(m->i, "%s is a mail program's own note in the file and was left out",
                    buf_cstr(&m->where));
        return 0;
    }
    uint64_t key = key_of(m);
    if (!import_wants(m->i, key))
        return 0;
    return import_take(m->i, &(struct import_message){.where = buf_cstr(&m->where),
                                                      .key = key,
                                                      .bytes = buf_span(&m->bytes),
                                                      .flags = m->flags.flags,
                                                      .keywords = m->flags.keywords,
                                                      .keyword_count = m->flags.keyword_count,
                                                      .received_seconds = m->received,
                                                      .zone_minutes = m->zone});
}

static int read_message(struct mbox *m)
{
    buf_clear(&m->bytes);
    buf_clear(&m->words);
    m->flags = (struct import_flags){0};
    m->too_large = m->internal = false;
    m->length = UINT64_MAX;
    if (read_header(m)) {
        if (length_holds(m))
            read_counted(m);
        else
            read_body(m);
    }
    return take(m);
}

/* ---- files ------------------------------------------------------------------------------- */

static int read_file(struct mbox *m, const char *path)
{
    struct span line;
    int r = 0;

    while (r == 0 && line_next(&m->lines, &line)) {
        m->from_at = line_place(&m->lines) - line.n;
        if (span_chomp(line).n == 0)
            continue;
        if (!import_mbox_is_from(line, &m->received, &m->zone)) {
            if (m->count > 0 || !span_starts(line, SPAN("From ")))
                return import_refuse(m->i, path,
                                     "%s at byte %llu: there is no line `From sender date`; it is "
                                     "no mbox, or damaged from there on",
                                     text_quote(span_head(line, 60)),
                                     (unsigned long long)m->from_at);
            struct stat st; /* a From line with a date that nobody can read */
            m->received = fstat(m->lines.fd, &st) == 0 ? st.st_mtime : 0;
            m->zone = 0;
        }
        r = read_message(m);
        if (r == 0 && import_must_stop(m->i))
            r = -ECANCELED;
    }
    if (r == 0 && m->lines.broken)
        r = import_refuse(m->i, path, "the file cannot be read further: %s", strerror(errno));
    if (m->unseparated > 0)
        import_note(m->i, "%s: %u messages begin without an empty line before them",
                    text_quote(span_cstr(path)), m->unseparated);
    return r;
}

static int take_mbox(struct import *i, const struct import_mbox *o, int dir, const char *file,
                     struct span name, const json_t *annex)
{
    struct mbox m = {.i = i,
                     .options = o,
                     .bytes = BUF((size_t)IMPORT_MESSAGE_MAX + 16),
                     .where = BUF(200),
                     .words = BUF(16384)};
    struct import_folder folder = {.name = name, .subscribed = true, .annex = annex};
    FD_AUTO fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int r;

    if (annex != NULL) {
        folder.name = annex_text(annex, "name");
        folder.attributes = annex_uses(annex);
        folder.subscribed = annex_flag(annex, "subscribed");
    }
    r = import_enter(i, &folder);

    if (r == -ENOENT)
        return 0;
    if (r == 0 && fd < 0)
        return import_refuse(i, file, "the file cannot be opened: %s", strerror(errno));
    if (r != 0)
        return r;
    m.lines.fd = fd;
    m.lines.window = malloc(WINDOW);
    CHECK(m.lines.window != NULL);
    m.seen = map_new();
    line_seek(&m.lines, 0);
    r = read_file(&m, file);
    map_free(m.seen);
    free(m.lines.window);
    buf_done(&m.bytes);
    buf_done(&m.where);
    buf_done(&m.words);
    return r;
}

static bool is_mbox_name(struct span name)
{
    static const char *const others[] = {".msf",  ".lock",  ".dat",   ".html", ".sqlite",
                                         ".json", ".index", ".cmeta", ".txt"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (span_ends_nocase(name, span_cstr(others[i])))
            return false;
    return name.n > 0 && name.p[0] != '.' && !span_eq_cstr(name, "subscriptions");
}

static struct span without(struct span name, const char *ending)
{
    size_t n = strlen(ending);

    return name.n > n && span_ends_nocase(name, span_cstr(ending)) ? span_head(name, name.n - n)
                                                                   : name;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

struct walk {
    struct import *i;
    const struct import_mbox *o;
    const json_t *annex;
};

static int walk(const struct walk *w, int dir, struct span name, struct span place, unsigned depth);

static int walk_one(const struct walk *w, int dir, const char *file, bool folder, struct span name,
                    struct span place, unsigned depth)
{
    struct buf below BUF_AUTO = BUF(NAME_MAX_BYTES), path BUF_AUTO = BUF(NAME_MAX_BYTES);

    buf_put_span(&below, name);
    if (below.n > 0)
        buf_putc(&below, '/');
    if (depth > 0)
        buf_printf(&path, "%.*s/", SPAN_ARG(place));
    buf_put_cstr(&path, file);
    import_name_level(without(span_cstr(file), folder ? ".sbd" : ".mbox"), &below);
    if (!folder)
        return take_mbox(w->i, w->o, dir, file, buf_span(&below),
                         annex_find(w->annex, "file", buf_span(&path)));
    FD_AUTO sub = openat(dir, file, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return sub >= 0 ? walk(w, sub, buf_span(&below), buf_span(&path), depth + 1)
                    : import_refuse(w->i, file, "it cannot be opened: %s", strerror(errno));
}

/* Files first: a mailbox is made before those below it, which would make one of its name. */
static int walk(const struct walk *w, int dir, struct span name, struct span place, unsigned depth)
{
    struct dirent **list = NULL;
    int n = scandirat(dir, ".", &list, NULL, by_name), r = 0;
    struct stat st;

    if (n < 0)
        return import_refuse(w->i, "", "the folder %s cannot be read: %s", text_quote(name),
                             strerror(errno));
    for (unsigned folders = 0; folders < 2; folders++)
        for (int k = 0; k < n && r == 0; k++) {
            const char *file = list[k]->d_name;
            if (!is_mbox_name(span_cstr(file)) || fstatat(dir, file, &st, 0) != 0)
                continue;
            if (folders ? S_ISDIR(st.st_mode) && depth < DEPTH_MAX : S_ISREG(st.st_mode))
                r = walk_one(w, dir, file, folders, name, place, depth);
        }
    for (int k = 0; k < n; k++)
        free(list[k]);
    free(list);
    return r;
}

int import_read_mbox(struct import *i, void *arg)
{
    const struct import_mbox *o = arg;
    json_t *annex;
    struct stat st;
    struct err e;
    int r;

    if (stat(o->path, &st) != 0)
        return import_fail(i, "%s cannot be read: %s", text_quote(span_cstr(o->path)),
                           strerror(errno));
    if (S_ISREG(st.st_mode)) /* the inbox, or what --mailbox says */
        return take_mbox(i, o, AT_FDCWD, o->path, SPAN(STORE_INBOX), NULL);
    FD_AUTO dir = open(o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return import_fail(i, "%s is neither a file nor a folder that can be read",
                           text_quote(span_cstr(o->path)));
    if (annex_load(dir, &annex, &e) != 0)
        return import_fail(i, "%s", e.text);
    r = walk(&(struct walk){i, o, annex}, dir, SPAN_EMPTY, SPAN_EMPTY, 0);
    if (r == 0)
        r = import_annex_account(i, annex);
    json_decref(annex);
    return r;
}
