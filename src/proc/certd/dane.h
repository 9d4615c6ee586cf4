/*
 * dane.h: a virtual server whose key DNS vouches for (RFC 7671): its TLSA records are published (RFC 2136) and taken away
 * again, and a new key goes into service only when a validating resolver has seen its record for two TTLs. One fiber a
 * virtual server, beside that which leads its life.
 */
#ifndef CERTD_DANE_H
#define CERTD_DANE_H

#include "proc/certd/certd.h"

void dane_begin(struct vserver_life *v);
/* struct life_ops.may_swap */
int dane_may_swap(void *arg, const struct identity_slot *current, const struct identity_slot *next,
                  char note[IDENTITY_NOTE_MAX + 1], struct err *e);
/* What a renewal by itself keeps, so that nobody has to publish anything. */
bool dane_keeps_key(const struct vserver_life *v);
/* How it stands, in words; "": nothing waits. */
const char *dane_reason(const struct vserver_life *v);
/* Members of a JSON object, each behind a comma; nothing where dane is off. */
void dane_json(const struct vserver_life *v, struct buf *out);
void dane_metrics(const struct certd *d, struct buf *text);
/* `sealpost cert tlsa`, `sealpost cert swap` */
void msg_cert_tlsa(void *arg, struct msg *m);
void msg_cert_swap(void *arg, struct msg *m);

#endif
