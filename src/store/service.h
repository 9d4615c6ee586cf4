/*
 * service.h: stored's side of its links: takes requests, runs them through the engine in batches,
 * answers when they are durable, tells readers what changed. While a batch is on its way to the
 * disk (on a helper thread) links are read; what arrives is the next batch.
 */
#ifndef STORE_SERVICE_H
#define STORE_SERVICE_H

#include "store/engine.h"

/* Every message that stored receives here. (clang-format 14 would format the table anew each time.) */
/* clang-format off */
#define SERVICE_MESSAGES(X) \
    X(STORE_ATTACH) \
    X(STORE_WATCH) \
    X(STORE_APPEND) \
    X(STORE_DELIVER) \
    X(STORE_FLAGS) \
    X(STORE_EXPUNGE) \
    X(STORE_COPY) \
    X(STORE_MAILBOX_CREATE) \
    X(STORE_MAILBOX_DELETE) \
    X(STORE_MAILBOX_RENAME) \
    X(STORE_SUBSCRIBE) \
    X(STORE_QUEUE_LEASE) \
    X(STORE_QUEUE_BODY) \
    X(STORE_QUEUE_DONE) \
    X(STORE_QUEUE_ADMIN) \
    X(STORE_ACCOUNT) \
    X(STORE_NEWSGROUP) \
    X(STORE_STAT) \
    X(STORE_COMPACT) \
    X(STORE_GRANT) \
    X(STORE_BACKUP) \
    X(STORE_ACL) \
    X(STORE_NOTE) \
    X(STORE_DOMAIN) \
    X(STORE_ROOM) \
    X(STORE_USED) \
    X(STORE_CATCH_UP)
/* clang-format on */

struct service;

/* Takes the engine; loop_threads must be at least 4 (sync, checkpoint, the next log file,
 * compaction). */
struct service *service_new(struct loop *l, struct engine *take_engine);
/* Mail that comes one by one, that nobody watches while nobody reads, is answered when it is durable and
 * committed to the index some milliseconds later; a reader that comes earlier waits for that. Readers in
 * the same thread could only wait for ever: not for tests that have those. */
void service_commit_late(struct service *s);
/* Finishes what is under way, then closes the engine cleanly. Links are the caller's. NULL is fine.
 */
void service_free(struct service *s);
/* As service_free, but as if the process were killed: nothing is finished or marked. Tests. */
void service_kill(struct service *s);
/* No more compaction is begun: the end is near. */
void service_quiet(struct service *s);
/* Something is under way on a helper thread or waits for it; service_free must wait. */
bool service_busy(const struct service *s);
/* A helper thread is at work: service_kill must wait. */
bool service_helpers_busy(const struct service *s);
void service_message(struct service *s, struct msg *m);
void service_link_gone(struct service *s, struct link *l);
struct engine *service_engine(struct service *s);
/* service_message as rows, for links whose arg is the service. */
extern const struct msg_handler service_handlers[];

#endif
