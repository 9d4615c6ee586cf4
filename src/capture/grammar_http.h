/* grammar_http.h: the part of the plain grammar that is HTTP/1 (RFC 9112): public pages in clear, everything else elsewhere. */
#ifndef CAPTURE_GRAMMAR_HTTP_H
#define CAPTURE_GRAMMAR_HTTP_H

#include "capture/grammar.h"

void grammar_http_line(struct grammar *g, bool from_server, struct span line,
                       struct grammar_result *r);

#endif
