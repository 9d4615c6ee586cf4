/* clock.h: the time. Tests freeze it with clock_fake. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_seconds(void);  /* wall clock, since 1970 */
int64_t clock_ms(void);       /* wall clock, milliseconds */
uint64_t clock_mono_ms(void); /* never goes back */
uint64_t clock_mono_us(void);
/* Tests: all clocks stand at this time until the next call; 0 ends it. */
void clock_fake(int64_t ms);

#endif
