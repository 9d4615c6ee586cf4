/* Metrics of a process that may have been taken over, as the standing probe reads them. */
#include "base/check.h"
#include "monitor/counter.h"

static void on_counter(void *arg, struct span vserver, uint64_t value)
{
    const struct span *all = arg;

    (void)value;
    CHECK(vserver.n > 0 && vserver.p >= all->p && vserver.p + vserver.n <= all->p + all->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span all = span_of(data, n);

    counter_each(all, "x", on_counter, &all);
    return 0;
}
