/*
 * json.h: reading JSON documents (RFC 8259) that come from outside, with jansson behind limits: size, depth, no
 * member twice, nothing behind the end. Members are read by kind; what is not there, or is something else, is not taken.
 */
#ifndef ACME_JSON_H
#define ACME_JSON_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

enum { ACME_JSON_MAX = 256 * 1024, ACME_JSON_DEPTH = 16 };

/* An object (json_decref it). -EMSGSIZE, -EBADMSG with the reason. */
int acme_json_read(struct span text, json_t **ret, struct err *e);
/* The text of a member. False, dst empty: it is not there, no text, holds a NUL, or does not fit. */
bool acme_json_text(const json_t *object, const char *name, char *dst, size_t size);
/* The same, borrowed from the document; the empty span: not there. */
struct span acme_json_span(const json_t *object, const char *name);
/* A whole number between 0 and max. */
bool acme_json_number(const json_t *object, const char *name, uint64_t max, uint64_t *ret);
/* An object or array that is a member; NULL: not there. Borrowed. */
const json_t *acme_json_object(const json_t *object, const char *name);
const json_t *acme_json_array(const json_t *object, const char *name);
/* ,"name":"value" – the comma only where something stands before it. */
void acme_json_put(struct buf *b, const char *name, struct span value);
/* RFC 3339 date and time, with zone, as seconds since 1970. */
bool acme_json_time(struct span s, int64_t *ret);

#endif
