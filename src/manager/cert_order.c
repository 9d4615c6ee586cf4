/* cert_order.c: a request that an authority of the configuration gets at once. certd leads the order; here it is watched. */
#include "base/clock.h"
#include "manager/cert.h"
#include "manager/text.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 300, WATCH_MS = 300 * 1000 };

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static bool is_pending(const json_t *v)
{
    return strcmp(view_string(v, "pending.state"), "pending") == 0;
}

/* What has changed since the last look, on its line. */
static void show_progress(int tty, const json_t *v, char last[200])
{
    const char *now = view_string(v, "progress");

    if (tty < 0 || now[0] == '\0' || strcmp(now, last) == 0)
        return;
    snprintf(last, 200, "%s", now);
    cert_say(tty, "%s: %s\n", view_string(v, "authority"), now);
}

/* The first failure is told; certd goes on trying. */
static int refused(const json_t *v, const char *vserver, struct err *e)
{
    return err_set(e, -EREMOTEIO,
                   "%.400s; the request stays pending and is tried again by itself; `sealpost cert "
                   "cancel %s` gives it up",
                   view_string(v, "order_failure"), vserver);
}

/* The answer is there, and on its way into service, or being looked at there. */
static bool is_coming(const json_t *v, const char *key)
{
    return strcmp(view_string(v, "next.key"), key) == 0 ||
           json_is_true(json_object_get(v, "settling"));
}

/* It was live, and was taken back: why. "": it was not. */
static const char *went_back(const json_t *v)
{
    const json_t *history = view_get(v, "history");
    const char *note = view_string(json_array_get(history, json_array_size(history) - 1), "note");

    return strncmp(note, "went back: ", 11) == 0 ? note : "";
}

const char *cert_waits(const json_t *v)
{
    return json_is_true(json_object_get(v, "held")) ? view_string(v, "waits") : "";
}

static json_t *watch(struct call *c, const char *vserver, const char *key, int tty, struct err *e)
{
    uint64_t end = clock_mono_ms() + WATCH_MS;
    char last[200] = "";

    for (;;) {
        json_t *v = cert_ask(c, MSG_CERT_SHOW, vserver, e);
        if (v == NULL || (!is_pending(v) && (!is_coming(v, key) || cert_waits(v)[0])))
            return v;
        show_progress(tty, v, last);
        if (is_pending(v) && json_integer_value(json_object_get(v, "tries")) > 0) {
            refused(v, vserver, e);
            json_decref(v);
            return NULL;
        }
        if (clock_mono_ms() > end)
            return v;
        json_decref(v);
        pause_ms(LOOK_MS);
    }
}

json_t *cert_order(struct call *c, const struct cert_request_msg *m, bool wait, int tty,
                   struct err *e)
{
    struct buf body BUF_AUTO = BUF(65536);
    char key[CERT_MSG_KEY_ID_MAX + 1];
    json_t *v;

    wr_cert_request(&body, m);
    v = cert_ask_body(c, MSG_CERT_REQUEST, buf_span(&body), e);
    if (v == NULL)
        return NULL;
    snprintf(key, sizeof key, "%s", view_string(v, "key"));
    if (!wait)
        return v;
    json_decref(v);
    v = watch(c, m->vserver, key, tty, e);
    if (v != NULL && !is_pending(v) && !is_coming(v, key) &&
        strcmp(view_string(v, "current.key"), key) != 0) {
        if (went_back(v)[0])
            err_set(e, -EREMOTEIO, "the certificate came, and did not work: %s", went_back(v));
        else
            err_set(e, -ECANCELED, "the request of %s was cancelled meanwhile", m->vserver);
        json_decref(v);
        return NULL;
    }
    return v;
}

int cert_order_done(struct call *c, json_t *take_v, const struct cert_request_msg *m)
{
    char serial[CERTIFICATE_SERIAL_MAX];

    if (is_pending(take_v) || strcmp(view_string(take_v, "state"), "pending") == 0)
        return view_done(c, take_v,
                         "The request is with %s and is looked after; `sealpost cert pending %s` "
                         "shows how it stands. The certificate in use stays.",
                         m->authority, m->vserver);
    if (cert_waits(take_v)[0]) {
        struct buf why BUF_AUTO = BUF(1024);
        buf_put_cstr(&why, cert_waits(take_v));
        return view_done(c, take_v,
                         "%s has issued a certificate, which is staged for %s: %s. `sealpost cert "
                         "show %s` tells how it stands; the certificate in use stays until then.",
                         m->authority, m->vserver, buf_cstr(&why), m->vserver);
    }
    snprintf(serial, sizeof serial, "%s", view_string(take_v, "current.serial"));
    return view_done(c, take_v, "%s has a certificate of %s, serial %s. It is renewed by itself.",
                     m->vserver, m->authority, serial);
}

int cmd_cert_rehearse(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf body BUF_AUTO = BUF(128);
    int r;

    if (control == NULL)
        return -ENOTCONN;
    if (strlen(c->args[0]) > CERT_MSG_WORD_MAX)
        return err_set(e, -ENOENT, "there is no virtual server of that name");
    wr_cert_word(&body, c->args[0]);
    r = control_call(control, ROLE_CERTD, 0, MSG_CERT_REHEARSE, buf_span(&body), NULL, e);
    return r < 0 ? r
                 : view_done(c, NULL, "The renewal of %s would work: its names were proved anew.",
                             c->args[0]);
}
