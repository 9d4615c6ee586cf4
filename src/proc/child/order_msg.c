#include "proc/child/order_msg.h"

static bool consists_of(const char *s, const char *more)
{
    if (*s == '\0')
        return false;
    for (; *s; s++)
        if (!ascii_is_alpha(*s) && !ascii_is_digit(*s) && !strchr(more, *s))
            return false;
    return true;
}

void wr_cert_proof(struct buf *b, const struct cert_proof_msg *m)
{
    wr_cstr(b, m->name);
    wr_cstr(b, m->key_id);
    wr_span(b, m->certificate);
}

bool rd_cert_proof(struct span body, struct cert_proof_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_proof_msg m;

    rd_cstr(&r, m.name, sizeof(m.name));
    rd_cstr(&r, m.key_id, sizeof(m.key_id));
    m.certificate = rd_span(&r, ORDER_CERTIFICATE_MAX);
    if (!rd_done(&r) || !consists_of(m.name, "-_."))
        return false;
    *ret = m;
    return true;
}

void wr_cert_command(struct buf *b, const struct cert_command_msg *m)
{
    wr_cstr(b, m->authority);
    wr_bool(b, m->present);
    wr_cstr(b, m->name);
    wr_cstr(b, m->value);
}

bool rd_cert_command(struct span body, struct cert_command_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_command_msg m;

    rd_cstr(&r, m.authority, sizeof(m.authority));
    m.present = rd_bool(&r);
    rd_cstr(&r, m.name, sizeof(m.name));
    rd_cstr(&r, m.value, sizeof(m.value));
    /* they become arguments of a program: never an option, never a path */
    if (!rd_done(&r) || !consists_of(m.name, "-_.") || m.name[0] == '-' ||
        !consists_of(m.value, "-_"))
        return false;
    *ret = m;
    return true;
}

void wr_cert_alarm(struct buf *b, const struct cert_alarm_msg *m)
{
    wr_cstr(b, m->subject);
    wr_span(b, m->text);
}

static void rd_printable(struct rd *r, char *dst, size_t size)
{
    rd_cstr(r, dst, size);
    for (const char *p = dst; *p; p++)
        if ((unsigned char)*p < 32 || (unsigned char)*p >= 127)
            rd_fail(r);
}

static void rd_alarm(struct rd *r, struct cert_alarm_msg *m)
{
    rd_printable(r, m->subject, sizeof(m->subject));
    m->text = rd_span(r, ORDER_TEXT_MAX);
    for (size_t i = 0; i < m->text.n; i++)
        if (((unsigned char)m->text.p[i] < 32 && m->text.p[i] != '\n') ||
            (unsigned char)m->text.p[i] >= 127)
            rd_fail(r);
}

bool rd_cert_alarm(struct span body, struct cert_alarm_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_alarm_msg m;

    rd_alarm(&r, &m);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_watch_alarm(struct buf *b, const struct watch_alarm_msg *m)
{
    wr_cstr(b, m->vserver);
    wr_cstr(b, m->event);
    wr_cert_alarm(b, &m->alarm);
}

bool rd_watch_alarm(struct span body, struct watch_alarm_msg *ret)
{
    struct rd r = rd_of(body);
    struct watch_alarm_msg m;

    rd_printable(&r, m.vserver, sizeof(m.vserver));
    rd_printable(&r, m.event, sizeof(m.event));
    rd_alarm(&r, &m.alarm);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}
