#include "proc/keyd/engine/jobs.h"

#include "base/check.h"
#include "base/log.h"
#include "base/map.h"
#include "proc/keyd/engine/sign.h"
#include "proc/keyd/engine/signlog.h"

#include <errno.h>
#include <stdlib.h>

struct job {
    struct list node;
    struct jobs *jobs;
    uint64_t link;
    uint32_t call;
    enum role who;
    struct keyd_key *key;
    struct key_sign_request request;
    int status;
    unsigned char signature[KEY_SIGNATURE_MAX];
    size_t signature_bytes;
    char text[]; /* the request's, copied */
};

struct job_queue {
    struct list node; /* in turns */
    struct list jobs;
    uint64_t link;
    unsigned count;
};

void jobs_init(struct jobs *j, struct loop *l, int log_fd)
{
    *j = (struct jobs){.loop = l, .log_fd = log_fd, .queues = map64_new()};
    list_init(&j->turns);
}

static void job_free(struct job *job)
{
    keyd_key_unref(job->key);
    free(job);
}

static bool queue_free(uint64_t link, void *value, void *arg)
{
    struct job_queue *q = value;

    list_for_each (&q->jobs, struct job, node, job)
        job_free(job);
    free(q);
    return true;
}

void jobs_done(struct jobs *j)
{
    CHECK(j->running == 0);
    map64_each(j->queues, queue_free, NULL);
    map64_free(j->queues);
}

bool jobs_idle(const struct jobs *j)
{
    return j->running == 0 && list_empty(&j->turns);
}

/* On a helper thread. The log comes first: what is not in it was not signed. */
static void job_work(void *arg)
{
    struct job *job = arg;

    job->status = 0;
    if (signlog_wants(job->request.purpose))
        job->status = signlog_write(job->jobs->log_fd, job->who, job->key, &job->request);
    if (job->status == 0)
        job->status = sign_anywhere(job->key, &job->request, job->signature, &job->signature_bytes);
}

static void jobs_start(struct jobs *j);

static void job_done(void *arg)
{
    struct job *job = arg;
    struct jobs *j = job->jobs;

    j->running--;
    if (job->status < 0) {
        j->failed++;
        log_error("a signature with key %s failed: %s", job->key->info.id, strerror(-job->status));
        link_reply(job->link, MSG_KEY_SIGN, job->call, -EIO, SPAN_EMPTY, NULL, 0);
    } else {
        j->done++;
        link_reply(job->link, MSG_KEY_SIGN, job->call, 0,
                   span_of(job->signature, job->signature_bytes), NULL, 0);
    }
    job_free(job);
    jobs_start(j);
}

static void jobs_start(struct jobs *j)
{
    while (j->running < JOBS_THREADS && !list_empty(&j->turns)) {
        struct job_queue *q = list_item(j->turns.next, struct job_queue, node);
        struct job *job = list_item(q->jobs.next, struct job, node);
        list_remove(&job->node);
        list_remove(&q->node);
        if (--q->count > 0) {
            list_append(&j->turns, &q->node);
        } else {
            map64_remove(j->queues, q->link);
            free(q);
        }
        if (link_by_id(job->link) == NULL) { /* nobody waits any more */
            job_free(job);
            continue;
        }
        j->running++;
        loop_offload(j->loop, job_work, job_done, job);
    }
}

int jobs_add(struct jobs *j, const struct msg *m, struct keyd_key *k,
             const struct key_sign_request *r)
{
    uint64_t link = link_id(m->link);
    struct job_queue *q = map64_get(j->queues, link);
    struct job *job;

    if (q != NULL && q->count >= JOBS_PER_LINK)
        return -EBUSY;
    if (q == NULL) {
        q = calloc(1, sizeof *q);
        CHECK(q != NULL);
        list_init(&q->node);
        list_init(&q->jobs);
        q->link = link;
        map64_set(j->queues, link, q);
    }
    job = calloc(1, sizeof *job + r->text.n);
    CHECK(job != NULL);
    list_init(&job->node);
    job->jobs = j;
    job->link = link;
    job->call = m->call;
    job->who = link_peer(m->link);
    job->key = keyd_key_ref(k);
    job->request = *r;
    if (r->text.n > 0)
        memcpy(job->text, r->text.p, r->text.n);
    job->request.text = span_of(job->text, r->text.n);
    list_append(&q->jobs, &job->node);
    if (q->count++ == 0)
        list_append(&j->turns, &q->node);
    jobs_start(j);
    return 0;
}
