#include "base/log.h"

#include "base/clock.h"
#include "base/fd.h"
#include "unit/unit.h"

#include <errno.h>
#include <unistd.h>

/* What fn logs, by putting a pipe in place of standard error. */
static size_t catch (void (*fn)(void), char *text, size_t size)
{
    int p[2], saved = dup(STDERR_FILENO);

    if (pipe(p) < 0)
        return 0;
    dup2(p[1], STDERR_FILENO);
    fd_close(&p[1]);
    fn();
    dup2(saved, STDERR_FILENO);
    fd_close(&saved);
    /* one read: a line is one write */
    ssize_t n = read(p[0], text, size - 1);
    fd_close(&p[0]);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static void one_line(void)
{
    log_open("keyd", LOG_LEVEL_INFO);
    log_warn("peer %s said %d", log_quote(SPAN("a\"\\b\r\n\x1b[0m\xff")), 5);
    log_debug("not shown");
}

static void forged(void)
{
    log_error("a\nb\x1b\x7f");
}

static void huge(void)
{
    errno = 77;
    log_info("%05000d", 1);
    EXPECT_INT(errno, 77);
}

static void nothing(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("not shown");
}

TEST(lines)
{
    char text[5000];

    clock_fake(1795498140123);
    catch (one_line, text, sizeof text);
    EXPECT_STR(
        text,
        "2026-11-24T05:29:00.123Z keyd warn peer \"a\\\"\\\\b\\x0d\\x0a\\x1b[0m\\xff\" said 5\n");
    catch (forged, text, sizeof text);
    EXPECT_STR(text, "2026-11-24T05:29:00.123Z keyd error a?b??\n");
    size_t n = catch (huge, text, sizeof text);
    EXPECT(n > 1000 && n <= 2048 && text[n - 1] == '\n');
    EXPECT_INT(catch (nothing, text, sizeof text), 0);
    clock_fake(0);
}

TEST(quote)
{
    char long_text[300];
    const char *first = log_quote(SPAN("1"));

    for (int i = 0; i < 7; i++)
        log_quote(SPAN("other"));
    EXPECT_STR(first, "\"1\"");
    EXPECT(log_quote(SPAN("9")) == first);
    EXPECT_STR(log_quote(SPAN_EMPTY), "\"\"");
    memset(long_text, '\xff', sizeof long_text);
    const char *cut = log_quote(span_of(long_text, sizeof long_text));
    EXPECT_INT(strlen(cut), 200 * 4 + 2 + 3);
    EXPECT_STR(cut + 200 * 4 + 2, "...");
}
