#include "manager/evidence_log.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOG_BYTES_MAX = 256 << 20 };

#define FIRST "0000000000000000000000000000000000000000000000000000000000000000"

void evidence_log_init(struct evidence_log *l)
{
    l->entries = json_array();
    snprintf(l->head, sizeof l->head, FIRST);
}

void evidence_log_done(struct evidence_log *l)
{
    json_decref(l->entries);
    l->entries = NULL;
}

/* Of an entry without its hash. */
static void hash_of(const json_t *entry, char ret[EVIDENCE_HASH_BYTES])
{
    json_t *bare = json_copy((json_t *)(uintptr_t)entry);
    unsigned char digest[32];
    char *text;

    json_object_del(bare, "hash");
    text = json_dumps(bare, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    CHECK(text != NULL && EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) == 1);
    for (unsigned i = 0; i < sizeof digest; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
    free(text);
    json_decref(bare);
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s != NULL ? s : "";
}

int evidence_log_check(const json_t *entries, const char *head, struct err *e)
{
    char prev[EVIDENCE_HASH_BYTES] = FIRST, hash[EVIDENCE_HASH_BYTES];
    size_t i;
    json_t *one;

    json_array_foreach((json_t *)(uintptr_t)entries, i, one)
    {
        if (!json_is_object(one) ||
            json_integer_value(json_object_get(one, "n")) != (json_int_t)i + 1 ||
            strcmp(text_of(one, "prev"), prev) != 0)
            return err_set(e, -EBADMSG, "entry %zu does not follow the one before it", i + 1);
        hash_of(one, hash);
        if (strcmp(text_of(one, "hash"), hash) != 0)
            return err_set(e, -EBADMSG, "entry %zu was changed", i + 1);
        memcpy(prev, hash, sizeof prev);
    }
    if (head != NULL && strcmp(head, prev) != 0)
        return err_set(e, -EBADMSG, "the log does not end with the head that is named");
    return 0;
}

int evidence_log_read(struct evidence_log *l, const char *file, struct err *e)
{
    struct buf text BUF_AUTO = BUF(LOG_BYTES_MAX);
    struct span rest, line;
    int r = file_read(AT_FDCWD, file, LOG_BYTES_MAX, &text, e);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    rest = buf_span(&text);
    while (span_split(&rest, '\n', &line)) {
        json_t *one = json_loadb(line.p, line.n, 0, NULL);
        if (one == NULL)
            return err_set(e, -EBADMSG, "entry %zu is none", json_array_size(l->entries) + 1);
        if (json_array_size(l->entries) >= EVIDENCE_ENTRIES_MAX) {
            json_decref(one);
            return err_set(e, -EFBIG,
                           "%s has more than %d entries; keep it elsewhere, a new one begins when "
                           "it is moved away",
                           file, EVIDENCE_ENTRIES_MAX);
        }
        json_array_append_new(l->entries, one);
    }
    if ((r = evidence_log_check(l->entries, NULL, e)) != 0)
        return r;
    if (json_array_size(l->entries) > 0)
        snprintf(l->head, sizeof l->head, "%s",
                 text_of(json_array_get(l->entries, json_array_size(l->entries) - 1), "hash"));
    return 0;
}

void evidence_log_add(struct evidence_log *l, const char *kind, int64_t at, json_t *facts)
{
    json_object_set_new(facts, "n", json_integer((json_int_t)json_array_size(l->entries) + 1));
    json_object_set_new(facts, "at", json_integer(at));
    json_object_set_new(facts, "kind", json_string(kind));
    json_object_set_new(facts, "prev", json_string(l->head));
    hash_of(facts, l->head);
    json_object_set_new(facts, "hash", json_string(l->head));
    json_array_append_new(l->entries, facts);
}

int evidence_log_write(const struct evidence_log *l, size_t first, const char *file, struct err *e)
{
    struct buf lines BUF_AUTO = BUF(LOG_BYTES_MAX);
    FD_AUTO fd = -1;
    int r;

    for (size_t i = first; i < json_array_size(l->entries); i++) {
        char *text = json_dumps(json_array_get(l->entries, i), JSON_COMPACT | JSON_SORT_KEYS);
        CHECK(text != NULL);
        buf_put_cstr(&lines, text);
        buf_putc(&lines, '\n');
        free(text);
    }
    if (lines.n == 0)
        return 0;
    fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    r = fd < 0 ? -errno : fd_write_all(fd, lines.p, lines.n);
    if (r == 0 && fsync(fd) != 0)
        r = -errno;
    return r == 0 ? 0 : err_set(e, r, "%s cannot be written: %s", file, strerror(-r));
}

bool evidence_log_continues(const json_t *entries, const json_t *earlier)
{
    size_t n = json_array_size(earlier);
    const json_t *old, *now;

    if (n > json_array_size(entries))
        return false;
    if (n == 0)
        return true;
    old = json_array_get(earlier, n - 1);
    now = json_array_get(entries, n - 1);
    return strcmp(text_of(old, "hash"), text_of(now, "hash")) == 0;
}
