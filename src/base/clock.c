#include "base/clock.h"

#include <time.h>

static int64_t fake_ms;

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
    return fake_ms ? fake_ms : read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_seconds(void)
{
    return clock_ms() / 1000;
}

uint64_t clock_mono_us(void)
{
    return (uint64_t)(fake_ms ? fake_ms * 1000 : read_us(CLOCK_MONOTONIC));
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

void clock_fake(int64_t ms)
{
    fake_ms = ms;
}
