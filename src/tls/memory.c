/*
 * memory.c: OpenSSL's memory in a worker. A handshake takes and gives back some 700 blocks, and two
 * of 17 KiB with every record, each of which makes malloc join all its small free blocks first. Here
 * freed blocks wait by size for the next handshake.
 */
#include "tls/memory.h"

#include "base/check.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

enum {
    STEP = 16,
    SMALL_MAX = 2048,         /* a list for every size up to here */
    RECORD_MIN = 15 * 1024,   /* buffers of records: one list, one size */
    RECORD_BYTES = 17 * 1024, /* what malloc is asked for then; OpenSSL wants some bytes less */
    RECORD_MAX = 24 * 1024,   /* no block of malloc's for RECORD_BYTES is larger */
    SMALL_LISTS = SMALL_MAX / STEP + 1,
    KEPT_BYTES_MAX = 1 << 20,
    TOP_KEPT_BYTES = 16 << 20, /* at the end of the heap, until a rest: not given back and asked for
                                  again all the time */
    TOP_STEP_BYTES = 512 << 10,
};

struct block {
    struct block *next;
};

static struct block *small[SMALL_LISTS], *records;
static size_t kept_bytes;

static void *take(struct block **list, size_t bytes)
{
    struct block *b = *list;

    *list = b->next;
    kept_bytes -= bytes;
    return b;
}

/* malloc_usable_size of a small block is 8 more than a multiple of 16: list i holds those of
 * 16 i + 8. */
static void *pool_malloc(size_t n, const char *file, int line)
{
    if (n == 0)
        return NULL;
    if (n <= SMALL_MAX - STEP) {
        size_t i = n <= STEP + 8 ? 1 : (n - 8 + STEP - 1) / STEP;
        return small[i] != NULL ? take(&small[i], i * STEP + 8) : malloc(n);
    }
    if (n >= RECORD_MIN && n <= RECORD_BYTES)
        return records != NULL ? take(&records, RECORD_BYTES) : malloc(RECORD_BYTES);
    return malloc(n);
}

static void give(struct block **list, void *p, size_t bytes)
{
    struct block *b = p;

    if (kept_bytes + bytes > KEPT_BYTES_MAX) {
        free(p);
        return;
    }
    b->next = *list;
    *list = b;
    kept_bytes += bytes;
}

static void pool_free(void *p, const char *file, int line)
{
    size_t bytes = malloc_usable_size(p);

    if (bytes >= STEP + 8 && bytes < SMALL_MAX && bytes % STEP == 8)
        give(&small[bytes / STEP], p, bytes);
    else if (bytes >= RECORD_BYTES && bytes <= RECORD_MAX)
        give(&records, p, RECORD_BYTES);
    else
        free(p);
}

static void *pool_realloc(void *p, size_t n, const char *file, int line)
{
    if (p == NULL)
        return pool_malloc(n, file, line);
    if (n == 0) {
        pool_free(p, file, line);
        return NULL;
    }
    return realloc(p, n);
}

static void free_all(struct block **list)
{
    for (struct block *b; (b = *list) != NULL;) {
        *list = b->next;
        free(b);
    }
}

void tls_memory_rest(void)
{
    for (unsigned i = 0; i < SMALL_LISTS; i++)
        free_all(&small[i]);
    free_all(&records);
    kept_bytes = 0;
    malloc_trim(0);
}

void tls_memory_pool(void)
{
    mallopt(M_TRIM_THRESHOLD, TOP_KEPT_BYTES);
    mallopt(M_TOP_PAD, TOP_STEP_BYTES);
    mallopt(M_MMAP_THRESHOLD, 128 << 10); /* setting one of them stops it from growing by itself */
#if !defined(__SANITIZE_ADDRESS__)        /* which wants to see every block freed */
    CHECK(CRYPTO_set_mem_functions(pool_malloc, pool_realloc, pool_free) == 1);
#else
    (void)pool_malloc;
    (void)pool_realloc;
    (void)pool_free;
#endif
}
