/*
 * loop.h: the event loop of a process (epoll and libuv beneath, nothing of them shows). One loop per process, one thread.
 * Callbacks run on the loop's own stack and must not block or suspend; start a fiber for anything longer.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l); /* after loop_run has returned */
void loop_run(struct loop *l);  /* until loop_stop, however few handles there are */
void loop_stop(struct loop *l);
struct loop *loop_current(void);      /* the loop that is running in this process, or NULL */
uint64_t loop_now_ms(struct loop *l); /* monotonic, as of this turn */

/* Calls fn(arg) when the callbacks at hand are through. */
void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg);

/* A descriptor that is looked at. The owner keeps the descriptor open until watch_free. Level-triggered. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct watch;
typedef void (*watch_fn)(void *arg,
                         int events); /* an error or hang-up shows as the events asked for */
/* A descriptor that cannot be watched (a regular file) has no callbacks. */
struct watch *watch_new(struct loop *l, int fd, watch_fn fn, void *arg);
void watch_set(struct watch *w, int events); /* 0: none */
void watch_free(struct watch *w);            /* no callback afterwards; NULL is fine */

struct timer;
typedef void (*timer_fn)(void *arg);
struct timer *timer_new(struct loop *l, timer_fn fn, void *arg);
void timer_start(struct timer *t, uint64_t ms); /* once, from now; a running one is set anew */
void timer_repeat(struct timer *t, uint64_t ms);
void timer_stop(struct timer *t);
void timer_free(struct timer *t); /* NULL is fine */

typedef void (*signal_fn)(void *arg, int signo);
void loop_signal(struct loop *l, int signo, signal_fn fn, void *arg); /* for the life of the loop */

/* Runs work(arg) on a helper thread, then done(arg) on the loop: for what takes milliseconds of CPU (password hashes) or blocks
 * (SQLite, fsync). At most `threads` run at once, set before the first call (default 1). */
void loop_threads(unsigned threads);
void loop_offload(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg);

#endif
