/*
 * check.h: assertions about our own code, on in every build. A failed CHECK is a bug: the process aborts and the
 * supervisor starts a new one. Never CHECK what a peer, a file or the environment may cause.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

_Noreturn void check_failed(const char *file, int line, const char *expr);

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
