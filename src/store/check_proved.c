/*
 * check_proved.c: which blobs of the log have been read with the checksum they were written with. The log
 * is read once, from its beginning to its end; the rows of the index, which lie in the order of
 * mailboxes, are then looked up here. Eight bytes a blob; what finds no room is read again.
 */
#include "store/check_parts.h"

#include "base/check.h"
#include <stdlib.h>

enum { PROVED_MAX = 1 << 27 };

static void *grown(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap ? *cap * 2 : 1024;
    p = realloc(p, *cap * size);
    CHECK(p);
    return p;
}

void check_proved_add(struct check *c, struct place p)
{
    struct proved *v = &c->proved;
    const struct proved_file *f = v->file_count ? &v->files[v->file_count - 1] : NULL;

    if (v->count == PROVED_MAX || (f && f->file > p.file))
        return;
    if (!f || f->file < p.file) {
        v->files = grown(v->files, v->file_count, &v->file_cap, sizeof(*v->files));
        v->files[v->file_count++] = (struct proved_file){p.file, v->count};
    } else if (v->blobs[v->count - 1].at >= p.at) {
        return;
    }
    v->blobs = grown(v->blobs, v->count, &v->cap, sizeof(*v->blobs));
    v->blobs[v->count++] = (struct proved_blob){p.at, p.bytes};
}

static const struct proved_file *find_file(const struct proved *v, uint32_t file)
{
    size_t lo = 0, hi = v->file_count;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (v->files[mid].file < file)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < v->file_count && v->files[lo].file == file ? &v->files[lo] : NULL;
}

bool check_is_proved(struct check *c, struct place p)
{
    const struct proved *v = &c->proved;
    const struct proved_file *f = find_file(v, p.file);

    if (!f)
        return false;
    size_t lo = f->first, end = f + 1 < v->files + v->file_count ? f[1].first : v->count, hi = end;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (v->blobs[mid].at < p.at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < end && v->blobs[lo].at == p.at && v->blobs[lo].bytes == p.bytes;
}

void check_proved_done(struct check *c)
{
    free(c->proved.files);
    free(c->proved.blobs);
    c->proved = (struct proved){NULL, NULL, 0, 0, 0, 0};
}
