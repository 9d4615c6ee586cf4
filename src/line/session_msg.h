/*
 * session_msg.h: messages about sessions: `sealpost session list|kill`, numbers for /metrics. Codec
 * pairs for messages.def section 600.
 */
#ifndef LINE_SESSION_MSG_H
#define LINE_SESSION_MSG_H

#include "base/codec.h"
#include "tls/tap.h"

/* SESSION_LIST: session number to start after → JSON rows separated by commas, as many as fit
 * (empty: no more). */
void wr_session_list(struct buf *b, uint64_t after);
bool rd_session_list(struct span body, uint64_t *ret_after);

struct session_kill_request {
    uint64_t number;
    char reason[200];
};
void wr_session_kill(struct buf *b, uint64_t number, const char *reason);
bool rd_session_kill(struct span body, struct session_kill_request *ret);

/* SESSION_DRAIN: sessions of a virtual server that were opened with that certificate ("": all of its
 * sessions) end with the protocol's farewell, when the command that runs is done → u32 how many. */
struct session_drain_request {
    char vserver[64], serial[68], reason[200];
};
void wr_session_drain(struct buf *b, const struct session_drain_request *d);
bool rd_session_drain(struct span body, struct session_drain_request *ret);

/* TAP_OPEN: u8 count, names of virtual servers; at least one, each once → nothing, or the reason. */
void wr_tap_open(struct buf *b, const struct tls_tap_request *q);
bool rd_tap_open(struct span body, struct tls_tap_request *ret);
/* The answer to TAP_CLOSE: four u64. */
void wr_tap_counts(struct buf *b, const struct tls_tap_counts *c);
bool rd_tap_counts(struct span body, struct tls_tap_counts *ret);

#endif
