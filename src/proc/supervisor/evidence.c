/*
 * evidence.c: the log of evidence. Each entry holds the hash of the one before it (manager/evidence_log.h has the form), is written when what it
 * tells has just been done, and is on disk before the next. The processes that do these things cannot write here, so none of them can
 * take back what it has said; who asked them the supervisor knows itself, because it makes the links.
 */
#include "proc/supervisor/supervisor.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "conf/conf.h"
#include "proc/child/evidence_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_NAME "evidence.log"
#define FIRST "0000000000000000000000000000000000000000000000000000000000000000"

enum {
    TAIL_BYTES = 64 << 10, /* its last entry lies in there */
    ENTRY_BYTES_MAX = 16 << 10,
    CONF_TEXT_MAX = 16 << 20,
    FIELDS_MAX = EVIDENCE_FACTS_MAX + 6,
};

/* Where the chain stands. */
static struct {
    ino_t inode;
    off_t bytes;
    uint64_t n;
    char head[EVIDENCE_HASH_TEXT + 1], settings[EVIDENCE_HASH_TEXT + 1];
} chain;

static void sha256_text(struct span s, char ret[EVIDENCE_HASH_TEXT + 1])
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(digest, (const unsigned char *)(s.p ? s.p : ""), s.n);
    sodium_bin2hex(ret, EVIDENCE_HASH_TEXT + 1, digest, sizeof digest);
}

/* ---- the end of the file ----------------------------------------------------------------- */

/* "name":"…" of an entry; inside a value a quotation mark stands behind a backslash, so this is never found there. */
static bool hash_in(struct span line, const char *name, char ret[EVIDENCE_HASH_TEXT + 1])
{
    char mark[48];
    size_t at;

    snprintf(mark, sizeof mark, "\"%s\":\"", name);
    at = span_find_span(line, span_cstr(mark));
    if (at == SPAN_NONE || line.n - at < strlen(mark) + EVIDENCE_HASH_TEXT)
        return false;
    return span_to_cstr(span_sub(line, at + strlen(mark), EVIDENCE_HASH_TEXT), ret,
                        EVIDENCE_HASH_TEXT + 1);
}

static bool number_in(struct span line, uint64_t *ret)
{
    size_t at = span_find_span(line, SPAN("\"n\":"));
    struct span rest = at == SPAN_NONE ? SPAN_EMPTY : span_skip(line, at + 4);
    size_t n = 0;

    while (n < rest.n && ascii_is_digit(rest.p[n]))
        n++;
    return span_to_u64(span_head(rest, n), UINT64_MAX, ret);
}

static void take_tail(struct span tail)
{
    struct span line;
    bool whole = false;

    while (span_split(&tail, '\n', &line)) {
        whole = number_in(line, &chain.n) && hash_in(line, "hash", chain.head);
        if (span_find_span(line, SPAN("\"kind\":\"settings\"")) != SPAN_NONE)
            hash_in(line, "sha256", chain.settings);
    }
    if (!whole && chain.bytes > 0)
        log_error(LOG_NAME " does not end with an entry: somebody has changed it");
}

/* A last line without its end was never said to be there: the machine stopped while it was written. */
static int cut_torn(int fd, struct span *tail)
{
    size_t keep = tail->n;

    while (keep > 0 && tail->p[keep - 1] != '\n')
        keep--;
    if (keep == tail->n)
        return 0;
    log_warn(LOG_NAME ": the last entry is cut off; it is removed");
    chain.bytes -= (off_t)(tail->n - keep);
    *tail = span_head(*tail, keep);
    return ftruncate(fd, chain.bytes) == 0 ? 0 : -errno;
}

static int read_tail(int fd, const struct stat *st)
{
    static char room[TAIL_BYTES];
    off_t at = st->st_size > TAIL_BYTES ? st->st_size - TAIL_BYTES : 0;
    ssize_t n = pread(fd, room, sizeof room, at);
    struct span tail = span_of(room, n > 0 ? (size_t)n : 0);
    int r;

    if (n < 0)
        return -errno;
    chain.inode = st->st_ino;
    chain.bytes = st->st_size;
    chain.n = 0;
    chain.settings[0] = '\0';
    snprintf(chain.head, sizeof chain.head, FIRST);
    r = cut_torn(fd, &tail);
    if (r == 0)
        take_tail(tail);
    return r;
}

/* Opened anew each time: the administrator may have moved it away. */
static int open_log(const struct supervisor *s, int *ret)
{
    FD_AUTO fd =
        openat(s->root_fd, LOG_NAME, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    int r = 0;

    if (fd < 0 || fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (chain.head[0] == '\0' || st.st_ino != chain.inode || st.st_size != chain.bytes)
        r = read_tail(fd, &st);
    if (r == 0)
        *ret = fd_steal(&fd);
    return r;
}

/* ---- an entry ---------------------------------------------------------------------------- */

struct field {
    const char *name, *value; /* value: as JSON if it is a number */
    bool number;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct field *)a)->name, ((const struct field *)b)->name);
}

/* Sorted and compact: what is hashed. Values are printable ASCII. */
static void put_entry(struct buf *b, struct field *f, unsigned n)
{
    qsort(f, n, sizeof *f, by_name);
    for (unsigned i = 0; i < n; i++) {
        buf_printf(b, "%s\"%s\":", i ? "," : "{", f[i].name);
        buf_put_cstr(b, f[i].number ? "" : "\"");
        for (const char *p = f[i].value; *p != '\0'; p++) {
            if (*p == '"' || *p == '\\')
                buf_putc(b, '\\');
            buf_putc(b, *p);
        }
        buf_put_cstr(b, f[i].number ? "" : "\"");
    }
    buf_putc(b, '}');
}

static int append(int fd, const struct evidence_event *e, const char *by, const char *asked)
{
    struct buf line BUF_AUTO = BUF(ENTRY_BYTES_MAX);
    char n[24], at[24], hash[EVIDENCE_HASH_TEXT + 1];
    struct field f[FIELDS_MAX] = {
        {"n",     n,          true },
        {"at",    at,         true },
        {"kind",  e->kind,    false},
        {"by",    by,         false},
        {"asked", asked,      false},
        {"prev",  chain.head, false}
    };
    unsigned count = 6;
    int r;

    snprintf(n, sizeof n, "%" PRIu64, chain.n + 1);
    snprintf(at, sizeof at, "%" PRId64, clock_seconds());
    for (unsigned i = 0; i < e->count; i++)
        f[count++] = (struct field){e->facts[i].name, e->facts[i].value, false};
    put_entry(&line, f, count);
    CHECK(!line.overflow);
    sha256_text(buf_span(&line), hash);
    line.n--;
    buf_printf(&line, ",\"hash\":\"%s\"}\n", hash);
    r = fd_write_all(fd, line.p, line.n);
    if (r == 0 && fdatasync(fd) != 0)
        r = -errno;
    if (r != 0)
        return r;
    chain.n++;
    chain.bytes += (off_t)line.n;
    memcpy(chain.head, hash, sizeof chain.head);
    return 0;
}

static int add(struct supervisor *s, const struct evidence_event *e, const char *by,
               const char *asked)
{
    int fd = -1, r = open_log(s, &fd);

    if (r == 0)
        r = append(fd, e, by, asked);
    fd_close(&fd);
    if (r != 0) {
        chain.head[0] = '\0'; /* what the file holds now is looked at before the next */
        log_error(LOG_NAME " cannot be written: %s; \"%s\" of %s is not in it", strerror(-r),
                  e->kind, by);
    }
    return r;
}

/* ---- who asked --------------------------------------------------------------------------- */

void evidence_user(uid_t uid, char ret[EVIDENCE_WHO_BYTES])
{
    const struct passwd *p = getpwuid(uid);
    size_t n = 0;

    if (p == NULL) {
        snprintf(ret, EVIDENCE_WHO_BYTES, "uid %u", (unsigned)uid);
        return;
    }
    for (const char *c = p->pw_name; *c != '\0' && n < EVIDENCE_WHO_BYTES - 20; c++)
        ret[n++] = *c > 32 && *c < 127 ? *c : '?';
    snprintf(ret + n, EVIDENCE_WHO_BYTES - n, " (uid %u)", (unsigned)uid);
}

static void asked_by(const struct process *p, const struct evidence_event *e,
                     char ret[EVIDENCE_WHO_BYTES])
{
    if (e->role >= ROLE_COUNT)
        snprintf(ret, EVIDENCE_WHO_BYTES, "itself");
    else if ((1u << e->role) == ROLE_MANAGER && e->instance < INSTANCES_MAX)
        evidence_user(p->managers[e->instance], ret);
    else
        snprintf(ret, EVIDENCE_WHO_BYTES, "%s", role_name((enum role)(1u << e->role)));
}

void on_evidence(void *arg, struct msg *m)
{
    struct process *p = arg;
    struct evidence_event e;
    char who[EVIDENCE_WHO_BYTES];

    if (!rd_evidence_event(m->body, &e)) {
        log_error("%s tells evidence that cannot be read", role_name(p->row->role));
        return;
    }
    asked_by(p, &e, who);
    add(p->s, &e, role_name(p->row->role), who);
}

void on_evidence_add(void *arg, struct msg *m)
{
    struct supervisor *s = arg;
    struct buf reply BUF_AUTO = BUF(256);
    struct evidence_event e;
    char who[EVIDENCE_WHO_BYTES];
    int r = -EBADMSG;

    if (rd_evidence_event(m->body, &e)) {
        evidence_user(s->manager_uids[link_instance(m->link)], who);
        r = add(s, &e, "sealpost", who);
    }
    if (r == 0)
        wr_evidence_added(&reply, chain.n, chain.head);
    msg_reply(m, r, buf_span(&reply));
}

/* ---- settings ---------------------------------------------------------------------------- */

void evidence_settings(struct supervisor *s, const char *asked)
{
    struct buf text BUF_AUTO = BUF(CONF_TEXT_MAX);
    struct evidence_event e = {.kind = "settings", .count = 1};
    int fd = -1;

    conf_print(s->conf, false, &text);
    snprintf(e.facts[0].name, sizeof e.facts[0].name, "sha256");
    sha256_text(buf_span(&text), e.facts[0].value);
    if (open_log(s, &fd) == 0 && strcmp(chain.settings, e.facts[0].value) == 0) {
        fd_close(&fd);
        return;
    }
    fd_close(&fd);
    if (add(s, &e, "supervisor", asked) == 0)
        memcpy(chain.settings, e.facts[0].value, sizeof chain.settings);
}
