/*
 * capture_tables.h: what a capture has seen of TLS, for people: records by type and version, and which name got which certificate.
 */
#ifndef MANAGER_CAPTURE_TABLES_H
#define MANAGER_CAPTURE_TABLES_H

#include "manager/capture_view.h"

enum { CAPTURE_NAMES_SHOWN = 40 };

/* One line of all endpoints: "handshake 1.0: 2, 1.2: 5; data 1.2: 40". */
void capture_put_records(const json_t *totals, struct buf *out);
/* A row an endpoint; nothing where no record was seen. */
void capture_show_records(struct capture_view *v);
/* A row for each name, certificate and endpoint of the handshakes that were kept, the most frequent first. */
void capture_show_names(struct capture_view *v);
/* Text on a terminal of so many cells, at blanks, later lines indented; with a line end. columns 0: as it is. */
void capture_put_wrapped(struct buf *out, struct span text, unsigned columns, unsigned indent);

#endif
