/*
 * export_maildir.c: a Maildir of an account, Maildir++ or one folder in the other. A message's file
 * name comes from its mailbox's UIDVALIDITY and its UID: a second export finds what is there, and
 * renames a file whose flags have changed. Keywords are letters, named in dovecot-keywords.
 */
#include "base/check.h"
#include "base/fd.h"
#include "base/map.h"
#include "manager/export.h"
#include "manager/import.h"
#include "manager/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LETTERS = 26, NAME_BYTES = 300, PATH_MAX_BYTES = 16384 };

struct maildir {
    bool fs;
    int root, dir;     /* of the mailbox at hand */
    struct map *there; /* unique part → name, of cur */
    struct buf subscriptions, path;
    uint32_t uidvalidity;
    struct span keywords[STORE_KEYWORDS_MAX];
    unsigned keyword_count, letters, forwarded; /* forwarded: place of $Forwarded + 1 */
    unsigned letter_of[STORE_KEYWORDS_MAX];     /* + 1; 0: none */
    uint64_t keywords_lost;
    struct buf text;
};

static int make(struct export *x, int at, const char *path)
{
    if (mkdirat(at, path, 0700) == 0 || errno == EEXIST)
        return 0;
    return export_fail(x, "%s cannot be made: %s", text_quote(span_cstr(path)), strerror(errno));
}

/* The folder of a mailbox below the root: ".A.B", or "A/B" with each level made. */
static int make_path(struct export *x, struct maildir *m, struct span name, struct buf *path)
{
    struct span level;
    int r = 0;

    if (span_is(name, STORE_INBOX)) {
        buf_putc(path, '.');
        return 0;
    }
    while (r == 0 && span_split(&name, '/', &level)) {
        if (!m->fs || path->n > 0)
            buf_putc(path, m->fs ? '/' : '.');
        import_name_file(level, !m->fs, path);
        if (m->fs)
            r = make(x, m->root, buf_cstr(path));
    }
    if (r == 0 && !m->fs) {
        /* all levels are one name there */
        if (path->n > 250) {
            struct buf hash BUF_AUTO = BUF(32);
            buf_printf(&hash, "~%016llx", (unsigned long long)import_hash(buf_span(path)));
            buf_truncate(path, 220);
            buf_put_span(path, buf_span(&hash));
            export_note(x, "the mailbox with the longest name is in the folder %s",
                        text_quote(buf_span(path)));
        }
        r = make(x, m->root, buf_cstr(path));
    }
    return r;
}

static bool free_name(struct span key, void *value, void *arg)
{
    free(value);
    return true;
}

static void forget(struct maildir *m)
{
    if (m->there != NULL)
        map_each(m->there, free_name, NULL);
    map_free(m->there);
    m->there = NULL;
    fd_close(&m->dir);
}

static struct span unique_of(const char *name)
{
    struct span s = span_cstr(name);
    size_t at = span_find(s, ':');

    return at == SPAN_NONE ? s : span_head(s, at);
}

static int list(struct export *x, struct maildir *m)
{
    int fd = openat(m->dir, "cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *n;

    if (d == NULL)
        return export_fail(x, "the folder of %s cannot be read: %s", "cur", strerror(errno));
    m->there = map_new();
    while ((n = readdir(d)) != NULL)
        if (n->d_name[0] != '.')
            free(map_set(m->there, unique_of(n->d_name), span_dup(span_cstr(n->d_name))));
    closedir(d);
    return 0;
}

static int write_keywords(struct export *x, struct maildir *m, const struct export_mailbox *box)
{
    struct buf file BUF_AUTO = BUF(65536);
    struct err e;

    m->keyword_count = box->keyword_count;
    m->letters = m->forwarded = 0;
    for (unsigned k = 0; k < box->keyword_count; k++) {
        m->letter_of[k] = 0;
        if (span_is(box->keywords[k], "$Forwarded")) {
            m->forwarded = k + 1;
        } else if (m->letters < LETTERS) {
            buf_printf(&file, "%u %.*s\n", m->letters, SPAN_ARG(box->keywords[k]));
            m->letter_of[k] = ++m->letters;
        }
    }
    if (file.n > 0 && file_write(m->dir, "dovecot-keywords", buf_span(&file), 0600, &e) != 0)
        return export_fail(x, "%s", e.text);
    return 0;
}

static int enter(struct export *x, const struct export_mailbox *box, void *arg)
{
    struct maildir *m = arg;
    int r, fd;

    buf_clear(&m->path);
    r = make_path(x, m, box->name, &m->path);
    if (r != 0)
        return r;
    m->dir = openat(m->root, buf_cstr(&m->path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->dir < 0)
        return export_fail(x, "%s cannot be opened: %s", text_quote(buf_span(&m->path)),
                           strerror(errno));
    if ((r = make(x, m->dir, "cur")) != 0 || (r = make(x, m->dir, "new")) != 0 ||
        (r = make(x, m->dir, "tmp")) != 0)
        return r;
    if (!m->fs && m->path.n > 1) {
        fd = openat(m->dir, "maildirfolder", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        fd_close(&fd);
    }
    m->uidvalidity = box->uidvalidity;
    if (box->subscribed) { /* as Dovecot has it: the name on the wire */
        struct span name = box->name, level;
        bool first = true;
        while (span_split(&name, '/', &level)) {
            if (!first)
                buf_putc(&m->subscriptions, m->fs ? '/' : '.');
            first = false;
            import_name_file(level, !m->fs, &m->subscriptions);
        }
        buf_putc(&m->subscriptions, '\n');
    }
    r = write_keywords(x, m, box);
    return r != 0 ? r : list(x, m);
}

/* "1234567890.V17U42.sealpost"; "1234567890.V17U42Z120.sealpost" in a zone two hours east. */
static void name_unique(const struct maildir *m, const struct message_info *i, struct buf *out)
{
    buf_printf(out, "%lld.V%uU%u", (long long)i->received_seconds, m->uidvalidity, i->uid);
    if (i->received_zone != 0)
        buf_printf(out, "Z%d", i->received_zone);
    buf_put_cstr(out, ".sealpost");
}

static void name_flags(struct maildir *m, const struct message_info *i, struct buf *out)
{
    buf_put_cstr(out, ":2,");
    if (i->flags & STORE_DRAFT)
        buf_putc(out, 'D');
    if (i->flags & STORE_FLAGGED)
        buf_putc(out, 'F');
    if (m->forwarded && i->flags & STORE_KEYWORD(m->forwarded - 1))
        buf_putc(out, 'P');
    if (i->flags & STORE_ANSWERED)
        buf_putc(out, 'R');
    if (i->flags & STORE_SEEN)
        buf_putc(out, 'S');
    if (i->flags & STORE_DELETED)
        buf_putc(out, 'T');
    for (unsigned k = 0; k < m->keyword_count; k++) {
        if (!(i->flags & STORE_KEYWORD(k)) || k + 1 == m->forwarded)
            continue;
        if (m->letter_of[k] > 0)
            buf_putc(out, (char)('a' + m->letter_of[k] - 1));
        else
            m->keywords_lost++;
    }
}

static bool has(struct export *x, const struct message_info *i, void *arg)
{
    struct maildir *m = arg;
    struct buf name BUF_AUTO = BUF(NAME_BYTES);
    struct stat st;
    const char *old;

    name_unique(m, i, &name);
    old = map_get(m->there, buf_span(&name));
    if (old == NULL)
        return false;
    name_flags(m, i, &name);
    FD_AUTO cur = openat(m->dir, "cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* what a machine that went down left empty is written again */
    if (cur < 0 || fstatat(cur, old, &st, 0) != 0 || st.st_size == 0)
        return false;
    if (strcmp(old, buf_cstr(&name)) != 0 && renameat(cur, old, cur, buf_cstr(&name)) != 0)
        export_fail(x, "%s cannot be renamed: %s", old, strerror(errno));
    return true;
}

static int put(struct export *x, const struct message_info *i, struct span bytes, void *arg)
{
    struct maildir *m = arg;
    struct buf name BUF_AUTO = BUF(NAME_BYTES), from BUF_AUTO = BUF(NAME_BYTES),
                    to BUF_AUTO = BUF(NAME_BYTES);
    struct timespec times[2] = {{.tv_sec = i->received_seconds}, {.tv_sec = i->received_seconds}};
    int r;

    name_unique(m, i, &name);
    buf_printf(&from, "tmp/%s", buf_cstr(&name));
    name_flags(m, i, &name);
    buf_printf(&to, "cur/%s", buf_cstr(&name));
    buf_clear(&m->text);
    export_lf(bytes, &m->text);
    FD_AUTO fd = openat(m->dir, buf_cstr(&from), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    r = fd < 0 ? -errno : fd_write_all(fd, m->text.p, m->text.n);
    if (r == 0 &&
        (futimens(fd, times) != 0 || renameat(m->dir, buf_cstr(&from), m->dir, buf_cstr(&to)) != 0))
        r = -errno;
    return r != 0 ? export_fail(x, "%s cannot be written: %s", buf_cstr(&to), strerror(-r)) : 0;
}

static int leave(struct export *x, bool whole, void *arg)
{
    forget(arg);
    return 0;
}

static const char *place(void *arg)
{
    struct maildir *m = arg;

    return buf_cstr(&m->path);
}

static int begin(struct export *x, int folder, void *arg)
{
    struct maildir *m = arg;

    m->root = folder;
    return 0;
}

static int end(struct export *x, void *arg)
{
    struct maildir *m = arg;
    struct err e;

    if (m->keywords_lost > 0)
        export_note(x,
                    "%llu keywords are not in the files: a Maildir has %d for each folder; mbox "
                    "has no such limit",
                    (unsigned long long)m->keywords_lost, LETTERS);
    if (file_write(m->root, "subscriptions", buf_span(&m->subscriptions), 0600, &e) != 0)
        return export_fail(x, "%s", e.text);
    return 0;
}

int cmd_export_maildir(struct call *c, struct err *e)
{
    struct maildir m = {
        .root = -1,
        .dir = -1,
        .subscriptions = BUF(16 << 20),
        .path = BUF(PATH_MAX_BYTES),
        .text = BUF((size_t)UINT32_MAX),
    };
    struct export_sink s = {"maildir", begin, enter, has, put, leave, end, place, &m};
    struct span layout = span_cstr(c->option[OPT_LAYOUT]);
    int r;

    if (layout.n > 0 && !span_is(layout, "maildir++") && !span_is(layout, "fs"))
        return usage_error(e, "--layout is maildir++ or fs");
    m.fs = span_is(layout, "fs");
    if (m.fs)
        s.kind = "maildir with folders in folders";
    r = export_run(c, &s, e);
    forget(&m);
    buf_done(&m.subscriptions);
    buf_done(&m.path);
    buf_done(&m.text);
    return r;
}
