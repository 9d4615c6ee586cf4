#include "store/client.h"

#include "base/check.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int ring_init(struct ring *r, enum store_area area, uint32_t bytes, uint32_t page_bytes)
{
    *r = (struct ring){
        .area = area, .fd = -1, .page_bytes = page_bytes, .pages = bytes / page_bytes};
    if (r->pages == 0)
        return 0;
    r->fd = memfd_create(area == AREA_RING ? "store ring" : "store spool",
                         MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (r->fd < 0)
        return -errno;
    size_t n = (size_t)r->pages * page_bytes;
    if (ftruncate(r->fd, (off_t)n) < 0 ||
        fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    r->p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (r->p == MAP_FAILED) {
        r->p = NULL;
        return -errno;
    }
    r->bits = calloc((r->pages + 63) / 64, sizeof(uint64_t));
    CHECK(r->bits);
    return 0;
}

void ring_done(struct ring *r)
{
    if (r->p)
        munmap(r->p, (size_t)r->pages * r->page_bytes);
    if (r->fd >= 0)
        close(r->fd);
    free(r->bits);
    r->p = NULL;
    r->bits = NULL;
    r->fd = -1;
}

static bool is_used(const struct ring *r, uint32_t page)
{
    return r->bits[page / 64] >> (page % 64) & 1;
}

static void mark(struct ring *r, uint32_t page, uint32_t pages, bool used)
{
    for (uint32_t i = page; i < page + pages; i++) {
        if (used)
            r->bits[i / 64] |= UINT64_C(1) << (i % 64);
        else
            r->bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
    }
}

static bool find_run(const struct ring *r, uint32_t from, uint32_t to, uint32_t want, uint32_t *ret)
{
    uint32_t run = 0;

    for (uint32_t i = from; i < to; i++) {
        if (i % 64 == 0 && r->bits[i / 64] == UINT64_MAX) {
            run = 0;
            i += 63;
            continue;
        }
        run = is_used(r, i) ? 0 : run + 1;
        if (run == want) {
            *ret = i + 1 - want;
            return true;
        }
    }
    return false;
}

static uint64_t pages_for(const struct ring *r, uint64_t bytes)
{
    return bytes ? (bytes + r->page_bytes - 1) / r->page_bytes : 1;
}

bool ring_take(struct ring *r, uint64_t bytes, struct region *ret)
{
    uint64_t want = pages_for(r, bytes);
    uint32_t at;

    if (want > r->pages - r->used)
        return false;
    /* Onwards from the last one: mostly free, and mostly not in anybody's cache line. */
    if (!find_run(r, r->next, r->pages, (uint32_t)want, &at) &&
        !find_run(r, 0, r->pages, (uint32_t)want, &at))
        return false;
    mark(r, at, (uint32_t)want, true);
    r->used += (uint32_t)want;
    r->next = at + (uint32_t)want == r->pages ? 0 : at + (uint32_t)want;
    *ret = (struct region){at, (uint32_t)want};
    return true;
}

bool ring_grow(struct ring *r, struct region *g, uint64_t bytes)
{
    uint64_t want = pages_for(r, bytes);

    if (want <= g->pages)
        return true;
    if (g->page + want > r->pages)
        return false;
    for (uint32_t i = g->page + g->pages; i < g->page + want; i++)
        if (is_used(r, i))
            return false;
    mark(r, g->page + g->pages, (uint32_t)want - g->pages, true);
    r->used += (uint32_t)want - g->pages;
    g->pages = (uint32_t)want;
    return true;
}

void ring_give(struct ring *r, struct region *g)
{
    if (g->pages == 0)
        return;
    mark(r, g->page, g->pages, false);
    r->used -= g->pages;
    /* A large message's memory goes back to the system. */
    if (r->area == AREA_SPOOL)
        madvise(r->p + region_at(r, g), (size_t)region_bytes(r, g), MADV_REMOVE);
    *g = (struct region){0, 0};
}
