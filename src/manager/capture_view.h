/*
 * capture_view.h: what the capturing child says (capture_child.h), collected for the summary and, on a terminal, shown as it comes. The
 * child parses what strangers send: what it says is taken as text and numbers within limits, nothing more.
 */
#ifndef MANAGER_CAPTURE_VIEW_H
#define MANAGER_CAPTURE_VIEW_H

#include "base/map.h"
#include "capture/observe.h"
#include "manager/view.h"

enum { CAPTURE_EVENTS_KEPT = 5000 };

struct capture_view {
    struct call *call;
    const struct observe_endpoint *endpoints;
    const char *const *serials; /* in service, one an endpoint; "" not known */
    unsigned count;
    bool live;             /* lines as they come */
    unsigned status_lines; /* so many stand on the terminal and are taken back */
    uint64_t start_ms;
    json_t *lines, *handshakes, *offences; /* the first CAPTURE_EVENTS_KEPT of each */
    json_t *totals;                        /* the last ones */
    uint64_t offence_count;                /* also those that were not kept */
    const struct map *
        probe; /* connections of the probe, "client server", whose offences are meant; NULL: there is no probe */
    char ready[200], failed[400];
    bool is_ready, is_final;
};

void capture_view_init(struct capture_view *v, struct call *c,
                       const struct observe_endpoint *endpoints, const char *const *serials,
                       unsigned count, bool live);
void capture_view_done(struct capture_view *v);
/* One line of the child, without its end. */
void capture_view_take(struct capture_view *v, struct span line);

/* Why the capture alone proves nothing, or what it has found; NULL: all is well. The reason lives until the next call. */
const char *capture_view_verdict(const struct capture_view *v, bool every_endpoint);
/* Offences of servers, and secrets whoever sent them. */
unsigned capture_view_faults(const struct capture_view *v);
/* Offences of clients, without the probe's. */
uint64_t capture_view_client_faults(const struct capture_view *v);
/* All of it for programs, with what is in `more` (taken). */
json_t *capture_view_json(struct capture_view *v, const char *mode, const char *verdict,
                          json_t *take_more);
/* The summary for people. */
void capture_view_show(struct capture_view *v, const char *mode);

#endif
