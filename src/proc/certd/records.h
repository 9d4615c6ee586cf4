/*
 * records.h: the TLSA records of a virtual server: which there should be, for what it shows and what it is about to
 * show, and which of them we have put into DNS. The latter are a small file, so that a record of ours is taken away
 * again even when its certificate is long forgotten, and nobody else's ever is.
 */
#ifndef CERTD_RECORDS_H
#define CERTD_RECORDS_H

#include "base/err.h"
#include "conf/conf.h"
#include "dns/dane.h"
#include "pki/identity.h"

enum { RECORDS_MAX = 512, RECORDS_FILE_MAX = 512 * 1024 };

struct record {
    char owner[DANE_OWNER_MAX + 1];
    struct dns_tlsa tlsa;
    bool current,
        next;   /* of what is in use, of what takes its place; of both, where the key stays */
    bool there; /* published, and the server said so */
};

struct records {
    struct record *v;
    unsigned n;
    bool cut; /* there are more than RECORDS_MAX */
};
void records_done(struct records *r);
/* NULL: not among them. */
struct record *records_find(const struct records *r, const char *owner, const struct dns_tlsa *t);
void records_add(struct records *r, const struct record *one);
void records_drop(struct records *r, struct record *one);
/* For each name that it is known by and each port with TLS. `ca`: 2 1 1 too. Appends. */
void records_of(const struct conf *c, const struct conf_vserver *v, const struct identity *id,
                bool ca, struct records *ret);

/* File: "sealpost tlsa 1\n", u16 count, each {cstr owner, u8 usage, selector, matching type, span data}. */
bool records_write(const struct records *r, struct buf *out);
/* -EBADMSG: not one of ours. Appends. */
int records_read(struct span bytes, struct records *ret);

#endif
