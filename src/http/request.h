/* request.h: one request and its answer, shared by the files of http/. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "line/worker.h"

enum {
    HTTP_TARGET_MAX = 2048,
    HTTP_HEADER_MAX = 32 << 10,
    HTTP_BODY_MAX = 64 << 10,
    HTTP_ANSWER_MAX = 8 << 20
};

struct http_request {
    char method[16];
    char path[HTTP_TARGET_MAX + 1]; /* without the query; begins with '/' */
    char host[256];
    char content_type[128];
    char authorization[1024]; /* longer: as if it was not there */
    bool head;                /* HEAD: headers only */
    bool keep_alive;
    struct buf body; /* of POST */
};
struct http_answer {
    unsigned status;
    const char *type;                   /* Content-Type */
    const char *disposition, *location; /* NULL: none */
    const char *link, *nonce;           /* Link, Replay-Nonce; NULL: none */
    const char *encoding;               /* Content-Transfer-Encoding; NULL: none */
    unsigned retry_after;               /* seconds; 0: none */
    bool authenticate;                  /* with 401: by name and password */
    bool posted;                        /* the address takes POST: for Allow */
    unsigned cache_seconds;             /* how long others may keep it; 0: not at all */
    struct buf body;
};

/* pages.c: fills the answer. May suspend. */
void http_route(struct session *s, const struct http_request *q, struct http_answer *a);
/* public.c: what the own CA has for everybody. May suspend. */
void page_ocsp(struct session *s, const struct http_request *q, struct http_answer *a);
/* challenge.c */
void page_challenge(struct session *s, const struct http_request *q, struct http_answer *a);
void page_ca_file(struct session *s, const struct http_request *q, struct http_answer *a);
/* enrol.c: ACME and EST, for those who enrol with the own CA. May suspend. */
void page_acme(struct session *s, const struct http_request *q, struct http_answer *a);
void page_est(struct session *s, const struct http_request *q, struct http_answer *a);
void html_put(struct buf *b, struct span text); /* escaped */

#endif
