/*
 * source.h: packets by libpcap. Opening needs the right to capture (CAP_NET_RAW); reading, after a jail has gone up, needs the descriptor
 * only. The filter in the kernel lets through the given ports and nothing else.
 */
#ifndef CAPTURE_SOURCE_H
#define CAPTURE_SOURCE_H

#include "base/buf.h"
#include "base/err.h"
#include "ipc/feed.h"

enum { SOURCE_SNAP_BYTES = 262144, SOURCE_BUFFER_BYTES = 64 << 20 };

struct source;
/* interface NULL: all of them. filter: as pcap-filter(7), complete. -EPERM: not permitted here; -EINVAL: the filter is none. */
int source_open(const char *interface, const char *filter, struct source **ret, struct err *e);
/* Frames that somebody else writes to the other end of a SOCK_SEQPACKET pair: 8 bytes of time (microseconds, little-endian) and the
 * frame, from its IP header on. The descriptor is taken. */
struct source *source_of_feed(int take_fd);
/* The same frames out of feeds that others write into. They are taken. A feed that breaks the form counts as one that has dropped something,
 * and is not read any further. */
enum { SOURCE_FEEDS_MAX = 128 };
struct source *source_of_feeds(struct feed *const *take_feeds, unsigned count);
void source_close(struct source *s);
int source_fd(const struct source *s); /* to wait for */
int source_link(const struct source *s);
typedef void (*source_fn)(void *arg, struct span frame, uint32_t wire_bytes, int64_t time_us);
/* What is there, at most `max` packets; how many, or a negative errno. */
int source_read(struct source *s, int max, source_fn fn, void *arg);
/* Since the beginning: let through by the filter, and of these lost. */
bool source_statistics(struct source *s, uint64_t *ret_received, uint64_t *ret_dropped);

/* "tcp and (port 25 or port 993) and (filter of the user)" */
void source_filter(const uint16_t *ports, unsigned count, const char *more, struct buf *out);

#endif
