#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *expr)
{
    char text[512];
    int n = snprintf(text, sizeof text, "%s:%d: CHECK failed: %s\n", file, line, expr);

    /* straight to the descriptor: the heap or stdio may be what is broken */
    if (n > 0) {
        size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        ssize_t ignored = write(STDERR_FILENO, text, len);
        (void)ignored;
    }
    abort();
}
