/*
 * orders.h: certificates of other CAs that are asked over the network: one fiber a virtual server places the order, waits as
 * long as the CA takes, installs the answer, renews in time, rehearses, falls back on the second source, and alarms.
 */
#ifndef CERTD_ORDERS_H
#define CERTD_ORDERS_H

#include "proc/certd/certd.h"

/* Begins to lead the orders of a virtual server, beside the fiber that leads its life. */
void orders_begin(struct vserver_life *v);
/* The request that is pending now goes to `authority` at once. Inside lives_do. */
void orders_placed(struct vserver_life *v);
/* Members of a JSON object about it, each behind a comma; nothing: there is nothing to say. */
void orders_json(const struct vserver_life *v, struct buf *out);
/* `sealpost authority rekey`, `sealpost authority leave`, `sealpost cert revoke`: accounts.c */
void msg_cert_authority(void *arg, struct msg *m);
void msg_cert_revoke(void *arg, struct msg *m);
/* `sealpost cert rehearse`: renewal.c */
void msg_cert_rehearse(void *arg, struct msg *m);
void orders_metrics(const struct certd *d, struct buf *text);

/* alarm.c: log, mail to the postmaster, webhook. suspends */
void alarm_send(struct certd *d, const char *vserver, unsigned level, const char *subject,
                const char *text);

#endif
