/* check_mail.c: messages in and out, articles, and that nobody relays. */
#include "base/check.h"
#include "monitor/run.h"

#include <stdlib.h>

static struct talk *talk_to(const struct probe_run *p, const struct probe_target *target)
{
    struct talk *t = malloc(sizeof *t);

    CHECK(t != NULL);
    run_talk_to(p, target, t);
    return t;
}

static void talk_free(struct talk *t)
{
    talk_done(t);
    free(t);
}

static const struct probe_login *login(const struct probe_run *p)
{
    return &p->plan->logins[0];
}

/* The endpoint that helps is named: its failure is not that of the one under test. */
static void fail_at(struct probe_run *p, const struct talk *t)
{
    char name[80];

    if (t->target == p->target)
        run_fail_talk(p, t);
    else
        run_fail(p, "at %s %s, which helps here: %.250s", t->target->vserver->name,
                 probe_target_name(t->target, name), t->error.text);
}

void check_message_in(struct probe_run *p)
{
    const struct probe_target *reader = run_helper(p->plan, PROTOCOL_IMAP4, SMTP_MX);
    struct talk *in = talk_to(p, p->target), *out = talk_to(p, reader);
    struct marked m;
    bool ok;

    marked_init(&m, login(p)->user, login(p)->user, NULL);
    marked_add(&m, p->plan->mark_message);
    ok = p->target->vserver->smtp_kind == SMTP_MX ? send_stranger(in, login(p)->user, &m)
                                                  : send_submission(in, login(p), &m);
    if (!ok)
        fail_at(p, in);
    else if (!fetch_imap(out, login(p), &m))
        fail_at(p, out);
    else
        run_pass(p, "%zu bytes in, found by IMAP4, deleted", m.text.n);
    marked_done(&m);
    talk_free(in);
    talk_free(out);
}

void check_message_out(struct probe_run *p)
{
    const struct probe_target *sender = run_helper(p->plan, PROTOCOL_SMTP, SMTP_SUBMISSION);
    struct talk *in = talk_to(p, sender), *out = talk_to(p, p->target);
    bool pop3 = p->target->vserver->protocol == PROTOCOL_POP3;
    struct marked m;

    marked_init(&m, login(p)->user, login(p)->user, NULL);
    marked_add(&m, p->plan->mark_message);
    if (pop3)
        fiber_lock(&p->shared->maildrop);
    if (!send_submission(in, login(p), &m))
        fail_at(p, in);
    else if (!(pop3 ? fetch_pop3 : fetch_imap)(out, login(p), &m))
        fail_at(p, out);
    else
        run_pass(p, "%zu bytes as they were sent, deleted", m.text.n);
    if (pop3)
        fiber_unlock(&p->shared->maildrop);
    marked_done(&m);
    talk_free(in);
    talk_free(out);
}

/* A sender whose domain does not exist may be refused for that; the one that has none cannot. */
static enum reply_kind say_sender(struct talk *t)
{
    enum reply_kind kind = talk_command(t, "MAIL FROM:<probe@probe.invalid>");

    return kind == REPLY_NO ? talk_command(t, "MAIL FROM:<>") : kind;
}

/* Of a domain that can belong to nobody (RFC 2606). */
void check_relay(struct probe_run *p)
{
    struct talk *t = talk_to(p, p->target);
    enum reply_kind kind = REPLY_NONSENSE;

    if (talk_open(t) && (kind = say_sender(t)) == REPLY_OK)
        kind = talk_command(t, "RCPT TO:<probe@relay.invalid>");
    if (t->failed)
        run_fail_talk(p, t);
    else if (kind != REPLY_NO)
        run_fail(p, "it takes mail of strangers for other domains (%.200s): an open relay",
                 t->last);
    else
        run_pass(p, "%.300s", t->last);
    talk_quit(t);
    talk_free(t);
}

static bool post(struct talk *t, const struct marked *m)
{
    enum reply_kind kind;

    if (!talk_expect(t, REPLY_CONTINUE, "POST", "POST") || !talk_put_message(t, buf_span(&m->text)))
        return false;
    kind = talk_reply(t);
    if (!t->failed && kind != REPLY_OK)
        talk_fail(t, "the article is refused: %s", t->last);
    return !t->failed;
}

/* It was for the proof only: readers should not have to see it. */
static void pass_article(struct probe_run *p, const struct marked *m)
{
    const struct probe_target *reader = run_helper(p->plan, PROTOCOL_IMAP4, SMTP_MX);
    const char *kept = "no IMAP4 endpoint to delete it through";

    if (p->plan->own_newsgroup) {
        run_pass(p, "%s in %s, which goes with it", m->id, p->plan->newsgroup);
        return;
    }
    if (reader != NULL) {
        struct talk *t = talk_to(p, reader);
        kept = remove_article(t, login(p), p->plan->newsgroup, m);
        talk_quit(t);
        talk_free(t);
    }
    if (kept == NULL)
        run_pass(p, "%s in %s, deleted", m->id, p->plan->newsgroup);
    else
        run_pass(p, "%s in %s; it stays there: %s", m->id, p->plan->newsgroup, kept);
}

void check_article(struct probe_run *p)
{
    struct talk *t = talk_to(p, p->target);
    struct buf got BUF_AUTO = BUF(TALK_BLOCK_MAX);
    const char *wrong = NULL;
    struct marked m;

    marked_init(&m, login(p)->user, NULL, p->plan->newsgroup);
    marked_add(&m, p->plan->mark_article);
    if (talk_open(t) && talk_login_plain(t, login(p)) && post(t, &m) &&
        talk_expect(t, REPLY_OK, "ARTICLE", "ARTICLE %s", m.id) && talk_block(t, &got))
        wrong = marked_compare_article(&m, buf_span(&got));
    if (!t->failed && wrong == NULL)
        talk_expect(t, REPLY_OK, "GROUP", "GROUP %s", p->plan->newsgroup);
    if (t->failed)
        run_fail_talk(p, t);
    else if (wrong != NULL)
        run_fail(p, "%s", wrong);
    else
        pass_article(p, &m);
    talk_quit(t);
    marked_done(&m);
    talk_free(t);
}
