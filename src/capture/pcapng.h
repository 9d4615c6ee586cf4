/*
 * pcapng.h: a capture as a file that Wireshark reads (draft-ietf-opsawg-pcapng): one section, one interface, enhanced packet blocks,
 * statistics at the end. Little-endian, times in microseconds.
 */
#ifndef CAPTURE_PCAPNG_H
#define CAPTURE_PCAPNG_H

#include "base/buf.h"

void pcapng_header(struct buf *out, int link, uint32_t snap_bytes, const char *interface,
                   const char *filter);
void pcapng_packet(struct buf *out, int64_t time_us, struct span frame, uint32_t wire_bytes);
void pcapng_statistics(struct buf *out, int64_t time_us, uint64_t received, uint64_t dropped);

#endif
