/*
 * import_maildir.c: a Maildir and its folders: Maildir++ (".Sent.2024"), one folder in the other
 * ("Sent/2024", as mbsync and Dovecot's LAYOUT=fs have it), or both. Nothing is changed there.
 *
 * A mail program may work in it at the same time: a file that was renamed after the listing is
 * looked for under its unique name; one that is gone is noted.
 */
#include "base/check.h"
#include "base/fd.h"
#include "manager/import.h"
#include "manager/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DEPTH_MAX = 30,
    NAME_MAX_BYTES = 8192,
    LETTERS = 26,
    KEYWORD_FILE_MAX = 65536,
    LIST_MAX = 1 << 20,
};

struct entry {
    char *name; /* "new/…" or "cur/…" */
    uint64_t order;
};

struct folder {
    int dir;
    struct entry *entries;
    size_t n, cap;
    char *letters[LETTERS]; /* dovecot-keywords */
};

struct walk {
    struct import *i;
    json_t *annex;            /* of an export of ours; NULL: none */
    struct buf subscriptions; /* lines; empty: all */
    bool has_subscriptions;
};

/* ---- one folder -------------------------------------------------------------------------- */

/* The part that never changes: up to the info. */
static struct span unique_part(const char *path)
{
    struct span s = span_skip(span_cstr(path), 4);
    size_t at = 0;

    /* some systems cannot have ':' in names and use another mark */
    while (at < s.n && !((s.p[at] == ':' || s.p[at] == ';' || s.p[at] == '!') && at + 1 < s.n &&
                         s.p[at + 1] == '2'))
        at++;
    return span_head(s, at);
}

static void add(struct folder *f, const char *sub, const char *name)
{
    size_t n = strlen(sub) + strlen(name) + 2;
    uint64_t order = 0;

    for (const char *p = name; ascii_is_digit(*p) && order < UINT64_MAX / 20; p++)
        order = order * 10 + (uint64_t)(*p - '0');
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 256;
        f->entries = realloc(f->entries, f->cap * sizeof *f->entries);
        CHECK(f->entries != NULL);
    }
    f->entries[f->n].name = malloc(n);
    CHECK(f->entries[f->n].name != NULL);
    snprintf(f->entries[f->n].name, n, "%s/%s", sub, name);
    f->entries[f->n++].order = order;
}

static int list(struct folder *f, const char *sub)
{
    int fd = openat(f->dir, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *d;
    DIR *dir;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if ((dir = fdopendir(fd)) == NULL) {
        close(fd);
        return -errno;
    }
    while ((d = readdir(dir)) != NULL)
        if (d->d_name[0] != '.')
            add(f, sub, d->d_name);
    closedir(dir);
    return 0;
}

static int by_age(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return strcmp(x->name + 4, y->name + 4);
}

/* Lines "3 name": letter d. */
static void load_letters(struct folder *f)
{
    struct buf text BUF_AUTO = BUF(KEYWORD_FILE_MAX);
    struct span rest, line, number;
    struct err ignored;
    uint64_t k;

    if (file_read(f->dir, "dovecot-keywords", KEYWORD_FILE_MAX, &text, &ignored) != 0)
        return;
    rest = buf_span(&text);
    while (span_split(&rest, '\n', &line))
        if (span_split(&line, ' ', &number) && span_to_u64(number, LETTERS - 1, &k) &&
            f->letters[k] == NULL)
            f->letters[k] = span_dup(span_trim(line));
}

static void read_flags(const struct folder *f, const char *path, struct import_flags *ret)
{
    struct span unique = unique_part(path);
    struct span info = span_skip(span_cstr(path), 4 + unique.n);

    if (info.n < 3 || info.p[2] != ',')
        return;
    info = span_skip(info, 3);
    for (size_t k = 0; k < info.n && info.p[k] != ','; k++) {
        switch (info.p[k]) {
        case 'S':
            ret->flags |= STORE_SEEN;
            break;
        case 'R':
            ret->flags |= STORE_ANSWERED;
            break;
        case 'F':
            ret->flags |= STORE_FLAGGED;
            break;
        case 'T':
            ret->flags |= STORE_DELETED;
            break;
        case 'D':
            ret->flags |= STORE_DRAFT;
            break;
        case 'P':
            import_flags_keyword(ret, SPAN("$Forwarded"));
            break;
        default:
            if (info.p[k] >= 'a' && info.p[k] <= 'z' && f->letters[info.p[k] - 'a'] != NULL)
                import_flags_keyword(ret, span_cstr(f->letters[info.p[k] - 'a']));
        }
    }
}

/* Renamed meanwhile, or moved from new to cur? *path is then the name it has now. */
static bool find_again(const struct folder *f, char **path)
{
    struct folder now = {.dir = f->dir};
    struct span unique = unique_part(*path);
    bool found = false;

    if (list(&now, "new") != 0 || list(&now, "cur") != 0)
        now.n = 0;
    for (size_t k = 0; k < now.n; k++) {
        if (!found && span_eq(unique_part(now.entries[k].name), unique)) {
            char *old = *path;
            *path = now.entries[k].name;
            now.entries[k].name = NULL;
            unique = SPAN_EMPTY;
            free(old);
            found = true;
        }
        free(now.entries[k].name);
    }
    free(now.entries);
    return found;
}

/* 0, -ENOENT: gone, other errno; -EBADMSG with *ret_why: no message. */
static int load(int dir, const char *path, struct buf *raw, struct stat *st, const char **ret_why)
{
    FD_AUTO fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n;

    if (fd < 0 || fstat(fd, st) != 0)
        return -errno;
    *ret_why = !S_ISREG(st->st_mode)              ? "it is no file"
               : st->st_size == 0                 ? "it is empty"
               : st->st_size > IMPORT_MESSAGE_MAX ? "it is larger than 256 MiB"
                                                  : NULL;
    if (*ret_why != NULL)
        return -EBADMSG;
    do {
        char *p = buf_reserve(raw, raw->n == 0 ? (size_t)st->st_size + 1 : 65536);
        if (p == NULL) {
            *ret_why = "it is larger than 256 MiB";
            return -EBADMSG;
        }
        n = read(fd, p, raw->n == 0 ? (size_t)st->st_size + 1 : 65536);
        if (n > 0)
            buf_commit(raw, (size_t)n);
    } while (n > 0 || (n < 0 && errno == EINTR));
    if (n < 0)
        return -errno;
    if (raw->n > 2 && memcmp(raw->p, "\x1f\x8b", 2) == 0)
        *ret_why = "it is compressed; unpack it first (gzip)";
    else if (raw->n > 4 && memcmp(raw->p, "\x28\xb5\x2f\xfd", 4) == 0)
        *ret_why = "it is compressed; unpack it first (zstd)";
    return *ret_why != NULL ? -EBADMSG : 0;
}

/* The zone that an export of ours put into the name of a file. */
static int zone_of(struct span unique)
{
    size_t at = span_rfind(unique, 'Z');
    uint64_t minutes;
    bool west;

    if (!span_ends_nocase(unique, SPAN(".sealpost")) || at == SPAN_NONE)
        return 0;
    unique = span_sub(unique, at + 1, unique.n - at - sizeof ".sealpost");
    west = unique.n > 0 && unique.p[0] == '-';
    if (!span_to_u64(span_skip(unique, west), 24 * 60, &minutes))
        return 0;
    return west ? -(int)minutes : (int)minutes;
}

static int take_file(struct import *i, struct folder *f, struct entry *n)
{
    struct buf raw = BUF(IMPORT_MESSAGE_MAX + 65536), bytes = BUF(2 * (size_t)IMPORT_MESSAGE_MAX);
    struct import_flags flags = {0};
    const char *why = NULL;
    struct stat st;
    int r;

    if (!import_wants(i, import_hash(unique_part(n->name))))
        return 0;
    r = load(f->dir, n->name, &raw, &st, &why);
    if (r == -ENOENT && find_again(f, &n->name))
        r = load(f->dir, n->name, &raw, &st, &why);
    if (r == -ENOENT) {
        import_note(i, "%s was removed while the folder was read", text_quote(span_cstr(n->name)));
        r = 0;
    } else if (r != 0) {
        r = import_refuse(i, n->name, "%s", why != NULL ? why : strerror(-r));
    } else {
        read_flags(f, n->name, &flags);
        import_crlf(buf_span(&raw), &bytes);
        r = import_take(i, &(struct import_message){.where = n->name,
                                                    .key = import_hash(unique_part(n->name)),
                                                    .bytes = buf_span(&bytes),
                                                    .flags = flags.flags,
                                                    .keywords = flags.keywords,
                                                    .keyword_count = flags.keyword_count,
                                                    .received_seconds = st.st_mtime,
                                                    .zone_minutes = zone_of(unique_part(n->name))});
    }
    buf_done(&raw);
    buf_done(&bytes);
    return r;
}

static bool is_subscribed(const struct walk *w, struct span name)
{
    struct span rest = buf_span(&w->subscriptions), line;

    if (!w->has_subscriptions)
        return true;
    while (span_split(&rest, '\n', &line))
        if (span_eq(line, name))
            return true;
    return false;
}

static int take_folder(struct walk *w, int dir, struct span name, struct span place)
{
    struct import_folder folder = {.name = name, .subscribed = is_subscribed(w, name)};
    struct folder f = {.dir = dir};
    int r;

    folder.annex = annex_find(w->annex, "file", place);
    if (folder.annex != NULL) {
        folder.name = annex_text(folder.annex, "name");
        folder.attributes = annex_uses(folder.annex);
        folder.subscribed = annex_flag(folder.annex, "subscribed");
    }
    r = import_enter(w->i, &folder);

    if (r == -ENOENT)
        return 0;
    if (r == 0)
        load_letters(&f);
    if (r == 0 && ((r = list(&f, "new")) != 0 || (r = list(&f, "cur")) != 0))
        r = import_refuse(w->i, "", "the folder cannot be read: %s", strerror(-r));
    if (f.n > 0)
        qsort(f.entries, f.n, sizeof *f.entries, by_age);
    for (size_t k = 0; k < f.n && r == 0; k++) {
        r = take_file(w->i, &f, &f.entries[k]);
        if (r == 0 && import_must_stop(w->i))
            r = -ECANCELED;
    }
    for (size_t k = 0; k < f.n; k++)
        free(f.entries[k].name);
    for (unsigned k = 0; k < LETTERS; k++)
        free(f.letters[k]);
    free(f.entries);
    return r;
}

/* ---- all folders ------------------------------------------------------------------------- */

static bool has_folder(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* Maildir++ is one level of folders whose names hold the rest. */
static void put_dotted(struct span name, struct buf *out)
{
    struct span level;
    bool first = true;

    while (span_split(&name, '.', &level)) {
        if (!first)
            buf_putc(out, '/');
        first = false;
        import_name_level(level, out);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **sub_folders(int dir, size_t *ret_n)
{
    char **names = NULL;
    size_t n = 0, cap = 0;
    struct dirent *d;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list_of = fd >= 0 ? fdopendir(fd) : NULL;

    while (list_of != NULL && n < LIST_MAX && (d = readdir(list_of)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
            strcmp(d->d_name, "cur") == 0 || strcmp(d->d_name, "new") == 0 ||
            strcmp(d->d_name, "tmp") == 0 || !has_folder(dir, d->d_name))
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 32;
            names = realloc(names, cap * sizeof *names);
            CHECK(names != NULL);
        }
        names[n++] = span_dup(span_cstr(d->d_name));
    }
    if (list_of != NULL)
        closedir(list_of);
    if (n > 0)
        qsort(names, n, sizeof *names, by_name);
    *ret_n = n;
    return names;
}

static int walk(struct walk *w, int dir, struct span name, struct span place, unsigned depth)
{
    size_t n, folders = 0;
    bool is_folder = has_folder(dir, "cur") || has_folder(dir, "new");
    char **subs = sub_folders(dir, &n);
    int r = 0;

    if (is_folder)
        r = take_folder(w, dir, name.n > 0 ? name : SPAN(STORE_INBOX), place);
    if (depth == DEPTH_MAX && n > 0 && r == 0)
        r = import_refuse(w->i, "", "folders below %s are nested too deep", text_quote(name));
    for (size_t k = 0; k < n && r == 0 && depth < DEPTH_MAX; k++) {
        FD_AUTO sub = openat(dir, subs[k], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct buf below BUF_AUTO = BUF(NAME_MAX_BYTES), path BUF_AUTO = BUF(NAME_MAX_BYTES);
        bool dotted = subs[k][0] == '.';
        if (dotted && sub >= 0 && !has_folder(sub, "cur") && !has_folder(sub, "new"))
            continue; /* something else that is hidden */
        buf_put_span(&below, name);
        if (below.n > 0)
            buf_putc(&below, '/');
        if (depth > 0)
            buf_printf(&path, "%.*s/", SPAN_ARG(place));
        buf_put_cstr(&path, subs[k]);
        if (dotted)
            put_dotted(span_cstr(subs[k] + 1), &below);
        else
            import_name_level(span_cstr(subs[k]), &below);
        if (sub < 0)
            r = import_refuse(w->i, subs[k], "the folder cannot be opened: %s", strerror(errno));
        else
            r = walk(w, sub, buf_span(&below), buf_span(&path), depth + 1);
        folders++;
    }
    (void)folders;
    for (size_t k = 0; k < n; k++)
        free(subs[k]);
    free(subs);
    return r;
}

/* Dovecot's: one name a line; version 2 has a head and tabs between levels. */
static void load_subscriptions(struct walk *w, int dir)
{
    struct buf text BUF_AUTO = BUF(LIST_MAX);
    struct span rest, line, level;
    struct err ignored;
    bool tabs = false;

    if (file_read(dir, "subscriptions", LIST_MAX, &text, &ignored) != 0)
        return;
    w->has_subscriptions = true;
    rest = buf_span(&text);
    while (span_split(&rest, '\n', &line)) {
        if (span_starts(line, SPAN("V\t"))) {
            tabs = true;
            continue;
        }
        if (line.n == 0)
            continue;
        bool first = true;
        char separator = tabs ? '\t' : span_has(line, '/') ? '/' : '.';
        while (span_split(&line, separator, &level)) {
            if (!first)
                buf_putc(&w->subscriptions, '/');
            first = false;
            import_name_level(level, &w->subscriptions);
        }
        buf_putc(&w->subscriptions, '\n');
    }
}

static bool any_folder(int dir, unsigned depth)
{
    size_t n;
    char **subs;
    bool any = has_folder(dir, "cur") || has_folder(dir, "new");

    if (any || depth == 4)
        return any;
    subs = sub_folders(dir, &n);
    for (size_t k = 0; k < n; k++) {
        FD_AUTO sub = openat(dir, subs[k], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        any = any || (sub >= 0 && any_folder(sub, depth + 1));
        free(subs[k]);
    }
    free(subs);
    return any;
}

int import_read_maildir(struct import *i, void *arg)
{
    const char *path = arg;
    FD_AUTO dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct walk w = {.i = i, .subscriptions = BUF(LIST_MAX)};
    struct err e;
    int r;

    if (dir < 0)
        return import_fail(i, "%s cannot be read: %s", text_quote(span_cstr(path)),
                           strerror(errno));
    if (!any_folder(dir, 0))
        return import_fail(i, "%s is no Maildir: there is no folder cur or new in it",
                           text_quote(span_cstr(path)));
    if (annex_load(dir, &w.annex, &e) != 0)
        return import_fail(i, "%s", e.text);
    load_subscriptions(&w, dir);
    r = walk(&w, dir, SPAN_EMPTY, SPAN("."), 0);
    if (r == 0)
        r = import_annex_account(i, w.annex);
    json_decref(w.annex);
    buf_done(&w.subscriptions);
    return r;
}
