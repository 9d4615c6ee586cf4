/* counter.h: a counter of each virtual server out of the metrics of a process (Prometheus text): what the standing probe watches besides endpoints. */
#ifndef MONITOR_COUNTER_H
#define MONITOR_COUNTER_H

#include "base/span.h"

typedef void (*counter_fn)(void *arg, struct span vserver, uint64_t value);
/* Each line "NAME{…vserver="V"…} NUMBER", several of one virtual server (one a process) each for itself. Others are passed over. */
void counter_each(struct span text, const char *name, counter_fn fn, void *arg);

#endif
