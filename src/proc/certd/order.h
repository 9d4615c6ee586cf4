/*
 * order.h: what is remembered of a virtual server's orders at other CAs beside its identity: where the order is, when it
 * is tried again and why, when renewal is due, what was alarmed already. It is one small file; whoever loses it loses
 * nothing but an order that is placed anew.
 */
#ifndef CERTD_ORDER_H
#define CERTD_ORDER_H

#include "base/codec.h"
#include "base/err.h"
#include "pki/identity.h"

enum { ORDER_URL_MAX = 1000, ORDER_FILE_MAX = 16384, ORDER_REASON_MAX = 599 };

struct order {
    /* of the pending request */
    char key_id[IDENTITY_KEY_ID_MAX + 1]; /* that it is for; another pending one begins anew */
    char url[ORDER_URL_MAX + 1];          /* "": not placed */
    int64_t placed;                       /* when the request was made */
    uint32_t tries;                       /* in a row that failed */
    int64_t retry_at;
    char failure[ORDER_REASON_MAX + 1]; /* the last, in words */
    bool person;                        /* which somebody has to mend */
    /* of the certificate in use */
    char serial[CERTIFICATE_SERIAL_MAX];                 /* of which the rest speaks */
    int64_t window_start, window_end, renew_at, look_at; /* RFC 9773; 0: none; when to look again */
    uint8_t alarmed;                                     /* 0 … 3: the level that was told */
    /* of its authority */
    int64_t rehearsed;
    bool rehearsal_failed;
    char rehearsal[ORDER_REASON_MAX + 1];
};

bool order_write(const struct order *o, struct buf *out);
/* -EBADMSG: not one of ours. */
int order_read(struct span bytes, struct order *ret);

/* How long after that many failures in a row: seconds, growing from a minute to half a day; at once for the CA's own wish.
 */
int64_t order_pause(uint32_t tries, uint32_t wish);
/* 0: fine; 1, 2, 3: less than a third, sixth, twelfth of the life is left. */
unsigned order_level(int64_t not_before, int64_t not_after, int64_t now);

#endif
