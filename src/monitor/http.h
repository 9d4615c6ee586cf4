/* http.h: one GET of the probe client (RFC 9112): a request, an answer, the end. */
#ifndef MONITOR_HTTP_H
#define MONITOR_HTTP_H

#include "monitor/talk.h"

enum { HTTP_BODY_MAX = 1 << 20, HTTP_FIELDS_MAX = 100 };

struct http_reply {
    unsigned status;
    char location[512];
    struct buf body;
};

/* suspends; failures are in the talk, which is open already. */
bool http_get(struct talk *t, const char *host, const char *path, struct http_reply *ret);
void http_reply_done(struct http_reply *r);

#endif
