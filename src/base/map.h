/*
 * map.h: hash tables. `struct map` from a span (copied) to a pointer, `struct map64` from a number to a pointer. Values are
 * borrowed and never NULL. Keys from outside are safe: the hash has a random seed per process.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/span.h"

struct map;
struct map *map_new(void);
void map_free(struct map *m); /* NULL is fine; the values are the caller's */
void *map_get(const struct map *m, struct span key);
void *map_set(struct map *m, struct span key,
              void *value);                       /* returns the value replaced, or NULL */
void *map_remove(struct map *m, struct span key); /* returns the value, or NULL */
size_t map_size(const struct map *m);
/* Every entry in no order; the map must not change meanwhile. fn returns false to stop. */
void map_each(const struct map *m, bool (*fn)(struct span key, void *value, void *arg), void *arg);

struct map64;
struct map64 *map64_new(void);
void map64_free(struct map64 *m);
void *map64_get(const struct map64 *m, uint64_t key);
void *map64_set(struct map64 *m, uint64_t key, void *value);
void *map64_remove(struct map64 *m, uint64_t key);
size_t map64_size(const struct map64 *m);
void map64_each(const struct map64 *m, bool (*fn)(uint64_t key, void *value, void *arg), void *arg);

#endif
