#include "base/clock.h"

#include "unit/unit.h"

#include <time.h>

TEST(real)
{
    uint64_t before = clock_mono_us();
    int64_t seconds = time(NULL);

    EXPECT(clock_seconds() - seconds <= 1 && clock_seconds() >= seconds);
    EXPECT(clock_ms() / 1000 - seconds <= 1);
    EXPECT(clock_mono_us() >= before);
    EXPECT(clock_mono_ms() - before / 1000 < 1000);
}

TEST(fake)
{
    clock_fake(5001);
    EXPECT_INT(clock_ms(), 5001);
    EXPECT_INT(clock_seconds(), 5);
    EXPECT_INT(clock_mono_ms(), 5001);
    EXPECT_INT(clock_mono_us(), 5001000);
    clock_fake(0);
    EXPECT(clock_ms() > 5001000);
}
