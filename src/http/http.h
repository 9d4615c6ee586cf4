/*
 * http.h: HTTP/1.1 (RFC 9112) of the HTTP virtual server: status page, health, metrics, the CA's
 * root certificate. On a `public` endpoint only what is meant for everybody is served in clear; the
 * rest answers with the https address.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "line/session.h"

extern const struct protocol http_protocol;

#endif
