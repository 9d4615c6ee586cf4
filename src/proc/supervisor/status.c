#include "proc/supervisor/supervisor.h"

#include "base/clock.h"
#include "base/json.h"

#include <unistd.h>

static void put_string(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":", name);
    json_put_string(out, span_cstr(value));
}

static void put_bool(struct buf *out, const char *name, bool value)
{
    buf_printf(out, "\"%s\":%s", name, value ? "true" : "false");
}

static void put_process(const struct process *p, uint64_t now, struct buf *out)
{
    buf_putc(out, '{');
    put_string(out, "role", role_name(p->row->role));
    buf_printf(out, ",\"instance\":%u,\"pid\":%d,\"generation\":%u,\"restarts\":%u,", p->instance,
               (int)p->pid, p->generation, p->generation ? p->generation - 1 : 0);
    put_string(out, "state", process_state_name(p->state));
    buf_printf(out, ",\"uptime\":%llu,",
               p->pid ? (unsigned long long)(now - p->started_ms) / 1000 : 0ull);
    put_string(out, "last_end", p->last_end);
    buf_printf(out, ",\"fibers\":%llu,\"resident_max\":%llu,\"cpu_ms\":%llu,\"walls\":{",
               (unsigned long long)p->alive.fibers, (unsigned long long)p->alive.resident_bytes,
               (unsigned long long)p->alive.cpu_ms);
    put_bool(out, "user", p->walls.user_changed);
    buf_putc(out, ',');
    put_bool(out, "seccomp", p->walls.seccomp);
    buf_putc(out, ',');
    put_bool(out, "landlock", p->walls.landlock);
    buf_putc(out, ',');
    put_bool(out, "no_new_privs", p->walls.no_new_privs);
    buf_putc(out, ',');
    put_string(out, "lower", p->walls.lower);
    buf_put_cstr(out, "}}");
}

static void put_endpoint(const struct supervisor *s, unsigned place, unsigned k, struct buf *out)
{
    const struct conf_endpoint *e = &s->conf->vservers[place].endpoints[k];
    const struct listener *l = listener_of(&s->listeners, place, k);

    buf_putc(out, '{');
    put_string(out, "address", e->address);
    buf_printf(out, ",\"port\":%u,", e->port);
    put_string(out, "policy", conf_policy_name(e->policy));
    buf_putc(out, ',');
    put_bool(out, "listening", l != NULL && l->count > 0 && l->fds[0] >= 0);
    buf_putc(out, ',');
    put_string(out, "workers", l != NULL ? role_name(l->role) : "");
    buf_putc(out, ',');
    put_string(out, "error", l != NULL ? l->error : "");
    buf_putc(out, '}');
}

static void put_vserver(const struct supervisor *s, unsigned place, struct buf *out)
{
    const struct conf_vserver *v = &s->conf->vservers[place];

    buf_putc(out, '{');
    put_string(out, "name", v->name);
    buf_putc(out, ',');
    put_string(out, "protocol", conf_protocol_name(v->protocol));
    buf_putc(out, ',');
    put_bool(out, "enabled", v->enabled);
    buf_put_cstr(out, ",\"endpoints\":[");
    for (unsigned k = 0; k < v->endpoint_count; k++) {
        if (k > 0)
            buf_putc(out, ',');
        put_endpoint(s, place, k, out);
    }
    buf_put_cstr(out, "]}");
}

void status_json(struct supervisor *s, struct buf *out)
{
    uint64_t now = clock_mono_ms();

    buf_putc(out, '{');
    put_string(out, "version", SEALPOST_VERSION);
    buf_printf(out, ",\"pid\":%d,\"uptime\":%llu,", (int)getpid(),
               (unsigned long long)(now - s->started_ms) / 1000);
    put_string(out, "state", s->stopping ? "stopping" : s->ready ? "ready" : "starting");
    buf_putc(out, ',');
    put_string(out, "data", s->root);
    buf_putc(out, ',');
    put_string(out, "config", s->conf_file);
    buf_putc(out, ',');
    put_bool(out, "landlock", sandbox_has_landlock());
    buf_put_cstr(out, ",\"processes\":[");
    for (unsigned i = 0; i < s->process_count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_process(&s->processes[i], now, out);
    }
    buf_put_cstr(out, "],\"vservers\":[");
    for (unsigned i = 0; i < s->conf->vserver_count; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_vserver(s, i, out);
    }
    buf_put_cstr(out, "]}");
}
