/*
 * log.h: one line an event on standard error: time, process, level, text. Text from outside is printed with "%s" and
 * log_quote so that control bytes never reach a terminal or forge a line. Secrets are never logged. Keeps errno.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/span.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_open(const char *process, enum log_level level);
void log_set_level(enum log_level level);
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The span escaped and cut to 200 bytes, in one of 8 static buffers used in turn. */
const char *log_quote(struct span s);

#endif
