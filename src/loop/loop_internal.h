/* loop_internal.h: what loop/ keeps to itself. */
#ifndef LOOP_LOOP_INTERNAL_H
#define LOOP_LOOP_INTERNAL_H

#include "loop/loop.h"

#if defined(__SANITIZE_ADDRESS__)
#define LOOP_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOOP_ASAN 1
#endif
#endif
#ifndef LOOP_ASAN
#define LOOP_ASAN 0
#endif

/* Pooled stacks keep a timer of the loop they last ran on: it is given back with the loop. */
void fiber_loop_gone(struct loop *l);

#endif
