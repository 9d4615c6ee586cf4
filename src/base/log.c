#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 2048, QUOTE_BYTES = 200, QUOTES = 8 };

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static char process_name[32] = "sealpost";
static enum log_level max_level = LOG_LEVEL_INFO;

void log_open(const char *process, enum log_level level)
{
    snprintf(process_name, sizeof process_name, "%s", process);
    max_level = level;
}

void log_set_level(enum log_level level)
{
    max_level = level;
}

/* The date is made once a second: with many lines it would be half of a line's cost. */
static const char *date_of(time_t seconds)
{
    static _Thread_local char text[40];
    static _Thread_local time_t of = -1;
    struct tm tm;

    if (seconds != of) {
        gmtime_r(&seconds, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        of = seconds;
    }
    return text;
}

static size_t put_head(char *line, size_t size, enum log_level level)
{
    int64_t ms = clock_ms();
    int n = snprintf(line, size, "%s.%03dZ %s %s ", date_of((time_t)(ms / 1000)), (int)(ms % 1000),
                     process_name, level_names[level]);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

__attribute__((format(printf, 2, 0))) static void log_line(enum log_level level, const char *fmt,
                                                           va_list ap)
{
    char line[LINE_BYTES];
    int saved = errno;

    if (level > max_level)
        return;
    size_t head = put_head(line, sizeof line, level);
    size_t room = sizeof line - 1 - head; /* one byte for the newline */
    int want = vsnprintf(line + head, room, fmt, ap);
    size_t n = want < 0 ? 0 : (size_t)want < room ? (size_t)want : room - 1;

    /* the last net under a caller who forgot log_quote */
    for (size_t i = head; i < head + n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[head + n] = '\n';
    /* one write: lines of several processes on one descriptor do not mix */
    ssize_t ignored = write(STDERR_FILENO, line, head + n + 1);
    (void)ignored;
    errno = saved;
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *fmt, ...)                                                                \
    {                                                                                              \
        va_list ap;                                                                                \
                                                                                                   \
        va_start(ap, fmt);                                                                         \
        log_line(level, fmt, ap);                                                                  \
        va_end(ap);                                                                                \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

const char *log_quote(struct span s)
{
    static const char hex[16] = "0123456789abcdef";
    static _Thread_local char ring[QUOTES][QUOTE_BYTES * 4 + 8];
    static _Thread_local unsigned turn;
    char *out = ring[turn++ % QUOTES], *at = out;

    *at++ = '"';
    for (size_t i = 0; i < s.n && i < QUOTE_BYTES; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') {
            *at++ = '\\';
            *at++ = (char)c;
        } else if (c >= 0x20 && c < 0x7f) {
            *at++ = (char)c;
        } else {
            *at++ = '\\';
            *at++ = 'x';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    *at++ = '"';
    if (s.n > QUOTE_BYTES) {
        memcpy(at, "...", 3);
        at += 3;
    }
    *at = '\0';
    return out;
}
