#include "proc/child/child_msg.h"

#include <stdio.h>

static void wr_role(struct buf *b, enum role role)
{
    wr_u8(b, (uint8_t)role_index(role));
}

static enum role rd_role(struct rd *r)
{
    uint8_t index = rd_u8(r);

    if (index >= ROLE_COUNT) {
        rd_fail(r);
        return ROLE_SUPERVISOR;
    }
    return (enum role)(1u << index);
}

void wr_child_start(struct buf *b, const struct child_start *s)
{
    wr_role(b, s->role);
    wr_u16(b, (uint16_t)s->instance);
    wr_u16(b, (uint16_t)s->instance_count);
    wr_u32(b, s->generation);
    wr_raw(b, s->grant_secret, sizeof s->grant_secret);
    wr_cstr(b, s->root);
}

bool rd_child_start(struct span body, struct child_start *ret)
{
    struct rd r = rd_of(body);
    struct child_start s = {.role = rd_role(&r)};
    struct span secret;

    s.instance = rd_u16(&r);
    s.instance_count = rd_u16(&r);
    s.generation = rd_u32(&r);
    secret = rd_raw(&r, sizeof s.grant_secret);
    rd_cstr(&r, s.root, sizeof s.root);
    if (!rd_done(&r))
        return false;
    memcpy(s.grant_secret, secret.p, sizeof s.grant_secret);
    *ret = s;
    return true;
}

void wr_child_listen(struct buf *b, uint32_t vserver, uint32_t endpoint)
{
    wr_u32(b, vserver);
    wr_u32(b, endpoint);
}

bool rd_child_listen(struct span body, uint32_t *ret_vserver, uint32_t *ret_endpoint)
{
    struct rd r = rd_of(body);
    uint32_t vserver = rd_u32(&r), endpoint = rd_u32(&r);

    if (!rd_done(&r))
        return false;
    *ret_vserver = vserver;
    *ret_endpoint = endpoint;
    return true;
}

void wr_child_peer(struct buf *b, enum role role, unsigned instance)
{
    wr_role(b, role);
    wr_u16(b, (uint16_t)instance);
}

bool rd_child_peer(struct span body, enum role *ret_role, unsigned *ret_instance)
{
    struct rd r = rd_of(body);
    enum role role = rd_role(&r);
    unsigned instance = rd_u16(&r);

    if (!rd_done(&r))
        return false;
    *ret_role = role;
    *ret_instance = instance;
    return true;
}

enum { WALL_USER = 1, WALL_SECCOMP = 2, WALL_LANDLOCK = 4, WALL_NO_NEW_PRIVS = 8 };

void wr_child_ready(struct buf *b, const struct sandbox_report *r)
{
    wr_u8(b,
          (uint8_t)((r->user_changed ? WALL_USER : 0) | (r->seccomp ? WALL_SECCOMP : 0) |
                    (r->landlock ? WALL_LANDLOCK : 0) | (r->no_new_privs ? WALL_NO_NEW_PRIVS : 0)));
    wr_cstr(b, r->lower);
}

bool rd_child_ready(struct span body, struct sandbox_report *ret)
{
    struct rd r = rd_of(body);
    uint8_t walls = rd_u8(&r);
    struct sandbox_report s = {.user_changed = walls & WALL_USER,
                               .seccomp = (walls & WALL_SECCOMP) != 0,
                               .landlock = (walls & WALL_LANDLOCK) != 0,
                               .no_new_privs = (walls & WALL_NO_NEW_PRIVS) != 0};

    rd_cstr(&r, s.lower, sizeof s.lower);
    if (!rd_done(&r) || walls > 15)
        return false;
    *ret = s;
    return true;
}

void wr_child_stop(struct buf *b, uint32_t drain_ms)
{
    wr_u32(b, drain_ms);
}

bool rd_child_stop(struct span body, uint32_t *ret_drain_ms)
{
    struct rd r = rd_of(body);
    uint32_t drain_ms = rd_u32(&r);

    if (!rd_done(&r))
        return false;
    *ret_drain_ms = drain_ms;
    return true;
}

void wr_child_alive(struct buf *b, const struct child_alive *a)
{
    wr_u64(b, a->fibers);
    wr_u64(b, a->fibers_started);
    wr_u64(b, a->resident_bytes);
    wr_u64(b, a->cpu_ms);
}

bool rd_child_alive(struct span body, struct child_alive *ret)
{
    struct rd r = rd_of(body);
    struct child_alive a = {.fibers = rd_u64(&r)};

    a.fibers_started = rd_u64(&r);
    a.resident_bytes = rd_u64(&r);
    a.cpu_ms = rd_u64(&r);
    if (!rd_done(&r))
        return false;
    *ret = a;
    return true;
}
