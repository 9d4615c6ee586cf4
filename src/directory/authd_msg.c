#include "directory/authd_msg.h"

#include "base/check.h"

enum {
    TARGET_BYTES_MAX = 1 + 8 + 4 + NAME_ADDRESS_MAX + 4 + AUTHD_FORWARD_MAX,
    PAGE_HEAD_BYTES = 3,
};

/* ------------------------------------------------------------------ logins */
void wr_authd_context(struct buf *b, const struct authd_context *x)
{
    wr_cstr(b, x->vserver);
    wr_cstr(b, x->protocol);
    wr_raw(b, &x->peer, sizeof x->peer);
    wr_bool(b, x->trusted);
    wr_bool(b, x->tls);
    wr_u64(b, x->session);
    wr_u32(b, x->worker_generation);
    wr_span(b, x->binding_exporter);
    wr_span(b, x->binding_endpoint);
    wr_span(b, x->certificate);
}

static void rd_context(struct rd *r, struct authd_context *x)
{
    rd_cstr(r, x->vserver, sizeof x->vserver);
    rd_cstr(r, x->protocol, sizeof x->protocol);
    struct span peer = rd_raw(r, sizeof x->peer);
    if (peer.n)
        memcpy(&x->peer, peer.p, sizeof x->peer);
    x->trusted = rd_bool(r);
    x->tls = rd_bool(r);
    x->session = rd_u64(r);
    x->worker_generation = rd_u32(r);
    x->binding_exporter = rd_span(r, AUTHD_BINDING_MAX);
    x->binding_endpoint = rd_span(r, AUTHD_BINDING_MAX);
    x->certificate = rd_span(r, AUTHD_CERTIFICATE_MAX);
}

bool rd_authd_context(struct span s, struct authd_context *ret)
{
    struct rd r = rd_of(s);
    struct authd_context x = {.tls = false};

    rd_context(&r, &x);
    if (!rd_done(&r))
        return false;
    *ret = x;
    return true;
}

static void wr_names(struct buf *b, unsigned count, const char (*v)[NAME_ADDRESS_MAX + 1])
{
    wr_u8(b, (uint8_t)count);
    for (unsigned i = 0; i < count; i++)
        wr_cstr(b, v[i]);
}

static unsigned rd_names(struct rd *r, char (*v)[NAME_ADDRESS_MAX + 1])
{
    unsigned count = rd_u8(r);

    if (count > AUTHD_CERTIFICATE_NAMES)
        rd_fail(r);
    for (unsigned i = 0; i < count && !r->bad; i++)
        rd_cstr(r, v[i], sizeof v[i]);
    return r->bad ? 0 : count;
}

void wr_authd_certificate(struct buf *b, const struct authd_certificate *c)
{
    wr_cstr(b, c->spki_sha256);
    wr_cstr(b, c->issuer_sha256);
    wr_cstr(b, c->serial);
    wr_cstr(b, c->subject);
    wr_cstr(b, c->issuer);
    wr_i64(b, c->not_before);
    wr_i64(b, c->not_after);
    wr_names(b, c->email_count, c->email);
    wr_names(b, c->upn_count, c->upn);
}

static bool is_hex(const char *s)
{
    for (; *s; s++)
        if (!ascii_is_digit(*s) && (*s < 'a' || *s > 'f'))
            return false;
    return true;
}

bool rd_authd_certificate(struct span s, struct authd_certificate *ret)
{
    struct rd r = rd_of(s);
    struct authd_certificate c = {.serial = ""};

    rd_cstr(&r, c.spki_sha256, sizeof c.spki_sha256);
    rd_cstr(&r, c.issuer_sha256, sizeof c.issuer_sha256);
    rd_cstr(&r, c.serial, sizeof c.serial);
    rd_cstr(&r, c.subject, sizeof c.subject);
    rd_cstr(&r, c.issuer, sizeof c.issuer);
    c.not_before = rd_i64(&r);
    c.not_after = rd_i64(&r);
    c.email_count = rd_names(&r, c.email);
    c.upn_count = rd_names(&r, c.upn);
    if (!rd_done(&r) || strlen(c.spki_sha256) != 64 || strlen(c.issuer_sha256) != 64 ||
        !c.serial[0] || !is_hex(c.spki_sha256) || !is_hex(c.issuer_sha256) || !is_hex(c.serial))
        return false;
    *ret = c;
    return true;
}

void wr_authd_verdict(struct buf *b, uint8_t step, const char *reason)
{
    wr_u8(b, step);
    wr_cstr(b, reason);
}

bool rd_authd_verdict(struct span s, uint8_t *ret_step, char ret_reason[AUTHD_LINE_MAX + 1])
{
    struct rd r = rd_of(s);
    uint8_t step = rd_u8(&r);

    rd_cstr(&r, ret_reason, AUTHD_LINE_MAX + 1);
    if (!rd_done(&r) || step >= AUTHD_STEPS)
        return false;
    *ret_step = step;
    return true;
}

void wr_authd_start(struct buf *b, struct span context, struct span mechanism, struct span initial)
{
    wr_raw(b, context.p, context.n);
    wr_span(b, mechanism);
    wr_bool(b, initial.p != NULL);
    wr_span(b, initial);
}

bool rd_authd_start(struct span s, struct authd_start *ret)
{
    struct rd r = rd_of(s);
    struct authd_start a = {.initial = SPAN_EMPTY};

    rd_context(&r, &a.context);
    a.mechanism = rd_span(&r, AUTHD_MECHANISM_MAX);
    bool has_initial = rd_bool(&r);
    struct span initial = rd_span(&r, AUTHD_SASL_MAX);
    if (has_initial) /* an empty one is something else than none */
        a.initial = initial.n ? initial : SPAN("");
    else if (initial.n)
        rd_fail(&r);
    if (!rd_done(&r))
        return false;
    *ret = a;
    return true;
}

void wr_authd_continue(struct buf *b, struct span context, struct span state, struct span response)
{
    wr_raw(b, context.p, context.n);
    wr_span(b, state);
    wr_span(b, response);
}

bool rd_authd_continue(struct span s, struct authd_continue *ret)
{
    struct rd r = rd_of(s);
    struct authd_continue a = {.state = SPAN_EMPTY};

    rd_context(&r, &a.context);
    a.state = rd_span(&r, AUTHD_STATE_MAX);
    a.response = rd_span(&r, AUTHD_SASL_MAX);
    if (!rd_done(&r))
        return false;
    *ret = a;
    return true;
}

void wr_authd_password(struct buf *b, const struct authd_password *p)
{
    wr_authd_context(b, &p->context);
    wr_span(b, p->user);
    wr_span(b, p->password);
}

bool rd_authd_password(struct span s, struct authd_password *ret)
{
    struct rd r = rd_of(s);
    struct authd_password a = {.user = SPAN_EMPTY};

    rd_context(&r, &a.context);
    a.user = rd_span(&r, NAME_ADDRESS_MAX);
    a.password = rd_span(&r, NAME_PASSWORD_MAX);
    if (!rd_done(&r))
        return false;
    *ret = a;
    return true;
}

void wr_authd_answer(struct buf *b, const struct authd_answer *a)
{
    wr_u8(b, a->step);
    wr_u32(b, a->delay_ms);
    wr_span(b, a->challenge);
    wr_span(b, a->state);
    wr_u64(b, a->account);
    wr_span(b, a->address);
    wr_u32(b, a->rights);
    wr_span(b, a->grant);
}

bool rd_authd_answer(struct span s, struct authd_answer *ret)
{
    struct rd r = rd_of(s);
    struct authd_answer a;

    a.step = rd_u8(&r);
    a.delay_ms = rd_u32(&r);
    a.challenge = rd_span(&r, AUTHD_CHALLENGE_MAX);
    a.state = rd_span(&r, AUTHD_STATE_MAX);
    a.account = rd_u64(&r);
    a.address = rd_span(&r, NAME_ADDRESS_MAX);
    a.rights = rd_u32(&r);
    a.grant = rd_span(&r, AUTHD_GRANT_MAX);
    if (a.step >= AUTHD_STEPS || !rd_done(&r))
        return false;
    *ret = a;
    return true;
}

/* ------------------------------------------------------------------ addresses */
void wr_authd_resolve(struct buf *b, const struct authd_resolve *q)
{
    wr_u32(b, q->first);
    wr_span(b, q->address);
}

bool rd_authd_resolve(struct span s, struct authd_resolve *ret)
{
    struct rd r = rd_of(s);
    struct authd_resolve q;

    q.first = rd_u32(&r);
    q.address = rd_span(&r, NAME_ADDRESS_MAX);
    if (!rd_done(&r))
        return false;
    *ret = q;
    return true;
}

void wr_authd_targets(struct buf *b, enum directory_found found, uint64_t version,
                      const struct directory_target *v, const struct span *grants, size_t n,
                      size_t first, size_t max)
{
    size_t start = b->n, at;
    uint32_t count = 0;

    wr_u8(b, (uint8_t)found);
    wr_u64(b, version);
    wr_u32(b, (uint32_t)n);
    at = b->n;
    wr_u32(b, 0);
    for (size_t i = first; i < n && b->n - start + TARGET_BYTES_MAX <= max; i++, count++) {
        wr_u8(b, (uint8_t)v[i].kind);
        wr_u64(b, v[i].account);
        wr_cstr(b, v[i].address);
        wr_span(b, grants ? grants[i] : SPAN_EMPTY);
    }
    for (size_t i = 0; i < 4 && !b->overflow; i++)
        b->p[at + i] = (char)(count >> (8 * i));
}

bool rd_authd_targets(struct span s, struct authd_targets *ret)
{
    struct rd r = rd_of(s);
    unsigned found = rd_u8(&r);
    struct authd_targets t = {.version = rd_u64(&r)};

    t.total = rd_u32(&r);
    t.count = rd_u32(&r);
    if (r.bad || found > DIRECTORY_TEMPFAIL || t.total > DIRECTORY_TARGETS_MAX ||
        t.count > t.total || (found != DIRECTORY_FOUND && t.total > 0))
        return false;
    t.found = (enum directory_found)found;
    t.targets = r;
    *ret = t;
    return true;
}

bool rd_authd_target(struct rd *r, struct directory_target *ret, struct span *ret_grant)
{
    struct directory_target t;
    unsigned kind = rd_u8(r);

    t.account = rd_u64(r);
    rd_cstr(r, t.address, sizeof t.address);
    struct span grant = rd_span(r, AUTHD_FORWARD_MAX);
    if (kind > DIRECTORY_REMOTE || (grant.n && kind != DIRECTORY_REMOTE))
        rd_fail(r);
    if (r->bad)
        return false;
    *ret_grant = grant;
    t.kind = (enum directory_target_kind)kind;
    *ret = t;
    return true;
}

void wr_authd_send_as(struct buf *b, const struct authd_send_as *q)
{
    wr_u64(b, q->account);
    wr_span(b, q->address);
}

bool rd_authd_send_as(struct span s, struct authd_send_as *ret)
{
    struct rd r = rd_of(s);
    struct authd_send_as q;

    q.account = rd_u64(&r);
    q.address = rd_span(&r, NAME_ADDRESS_MAX);
    if (!rd_done(&r))
        return false;
    *ret = q;
    return true;
}

/* ------------------------------------------------------------------ managing */
void wr_authd_account_add(struct buf *b, const struct authd_account_add *a)
{
    wr_span(b, a->address);
    wr_span(b, a->title);
    wr_span(b, a->password);
    wr_u32(b, a->rights);
    wr_u32(b, a->protocols);
}

bool rd_authd_account_add(struct span s, struct authd_account_add *ret)
{
    struct rd r = rd_of(s);
    struct authd_account_add a;

    a.address = rd_span(&r, NAME_ADDRESS_MAX);
    a.title = rd_span(&r, NAME_TITLE_MAX);
    a.password = rd_span(&r, NAME_PASSWORD_MAX);
    a.rights = rd_u32(&r);
    a.protocols = rd_u32(&r);
    if (!rd_done(&r))
        return false;
    *ret = a;
    return true;
}

void wr_authd_account_set(struct buf *b, const struct authd_account_set *a)
{
    wr_span(b, a->address);
    wr_u8(b, (uint8_t)a->change.set);
    wr_span(b, a->change.title);
    wr_u8(b, (uint8_t)a->change.state);
    wr_u32(b, a->change.rights);
    wr_u32(b, a->change.protocols);
}

bool rd_authd_account_set(struct span s, struct authd_account_set *ret)
{
    struct rd r = rd_of(s);
    struct authd_account_set a = {.address = rd_span(&r, NAME_ADDRESS_MAX)};

    a.change.set = rd_u8(&r);
    a.change.title = rd_span(&r, NAME_TITLE_MAX);
    unsigned state = rd_u8(&r);
    a.change.rights = rd_u32(&r);
    a.change.protocols = rd_u32(&r);
    if (a.change.set > (ACCOUNT_SET_PROTOCOLS << 1) - 1 || state > ACCOUNT_STATE_DELETING ||
        (state == 0 && (a.change.set & ACCOUNT_SET_STATE)) || !rd_done(&r))
        return false;
    a.change.state = (enum directory_state)state;
    *ret = a;
    return true;
}

void wr_authd_pair(struct buf *b, struct span one, struct span two)
{
    wr_span(b, one);
    wr_span(b, two);
}

bool rd_authd_pair(struct span s, struct span *ret_one, struct span *ret_two)
{
    struct rd r = rd_of(s);
    struct span one = rd_span(&r, NAME_ADDRESS_MAX), two = rd_span(&r, NAME_PASSWORD_MAX);

    if (!rd_done(&r))
        return false;
    *ret_one = one;
    *ret_two = two;
    return true;
}

void wr_authd_account(struct buf *b, const struct directory_account *a)
{
    wr_u64(b, a->id);
    wr_cstr(b, a->address);
    wr_cstr(b, a->title);
    wr_u8(b, (uint8_t)a->state);
    wr_u32(b, a->rights);
    wr_u32(b, a->protocols);
    wr_u64(b, a->epoch);
    wr_i64(b, a->created_seconds);
    wr_i64(b, a->changed_seconds);
}

bool rd_authd_account(struct rd *r, struct directory_account *ret)
{
    struct directory_account a = {.id = rd_u64(r)};

    rd_cstr(r, a.address, sizeof a.address);
    rd_cstr(r, a.title, sizeof a.title);
    unsigned state = rd_u8(r);
    a.rights = rd_u32(r);
    a.protocols = rd_u32(r);
    a.epoch = rd_u64(r);
    a.created_seconds = rd_i64(r);
    a.changed_seconds = rd_i64(r);
    if (state < ACCOUNT_STATE_ENABLED || state > ACCOUNT_STATE_DELETING)
        rd_fail(r);
    if (r->bad)
        return false;
    a.state = (enum directory_state)state;
    *ret = a;
    return true;
}

/* ------------------------------------------------------------------ certificates of accounts */
static void wr_certificate(struct buf *b, const struct directory_certificate *c)
{
    wr_u64(b, c->id);
    wr_u64(b, c->account);
    wr_cstr(b, c->name);
    wr_u8(b, (uint8_t)c->kind);
    wr_cstr(b, c->value);
    wr_cstr(b, c->serial);
    wr_cstr(b, c->subject);
    wr_cstr(b, c->issuer);
    wr_i64(b, c->ends_seconds);
    wr_i64(b, c->created_seconds);
    wr_bool(b, c->issued);
}

static void rd_certificate(struct rd *r, struct directory_certificate *ret)
{
    *ret = (struct directory_certificate){.id = rd_u64(r)};
    ret->account = rd_u64(r);
    rd_cstr(r, ret->name, sizeof ret->name);
    unsigned kind = rd_u8(r);
    rd_cstr(r, ret->value, sizeof ret->value);
    rd_cstr(r, ret->serial, sizeof ret->serial);
    rd_cstr(r, ret->subject, sizeof ret->subject);
    rd_cstr(r, ret->issuer, sizeof ret->issuer);
    ret->ends_seconds = rd_i64(r);
    ret->created_seconds = rd_i64(r);
    ret->issued = rd_bool(r);
    if (kind < CERTIFICATE_SPKI || kind >= CERTIFICATE_KINDS)
        rd_fail(r);
    else
        ret->kind = (enum directory_certificate_kind)kind;
}

void wr_authd_cert_add(struct buf *b, struct span address, const struct directory_certificate *c)
{
    wr_span(b, address);
    wr_certificate(b, c);
}

bool rd_authd_cert_add(struct span s, struct span *ret_address, struct directory_certificate *ret)
{
    struct rd r = rd_of(s);
    struct directory_certificate c;
    struct span address = rd_span(&r, NAME_ADDRESS_MAX);

    rd_certificate(&r, &c);
    if (!rd_done(&r))
        return false;
    *ret_address = address;
    *ret = c;
    return true;
}

void wr_authd_cert_list(struct buf *b, struct span address, uint64_t after)
{
    wr_span(b, address);
    wr_u64(b, after);
}

bool rd_authd_cert_list(struct span s, struct span *ret_address, uint64_t *ret_after)
{
    struct rd r = rd_of(s);
    struct span address = rd_span(&r, NAME_ADDRESS_MAX);
    uint64_t after = rd_u64(&r);

    if (!rd_done(&r))
        return false;
    *ret_address = address;
    *ret_after = after;
    return true;
}

void wr_authd_cert_row(struct buf *b, const char *address, const struct directory_certificate *c)
{
    wr_cstr(b, address);
    wr_certificate(b, c);
}

bool rd_authd_cert_row(struct rd *r, char ret_address[NAME_ADDRESS_MAX + 1],
                       struct directory_certificate *ret)
{
    rd_cstr(r, ret_address, NAME_ADDRESS_MAX + 1);
    rd_certificate(r, ret);
    return !r->bad;
}

static enum directory_entry_kind rd_kind(struct rd *r)
{
    unsigned kind = rd_u8(r);

    if (kind < ENTRY_ACCOUNT || kind > ENTRY_NEWSGROUP) {
        rd_fail(r);
        return ENTRY_ACCOUNT;
    }
    return (enum directory_entry_kind)kind;
}

void wr_authd_entry(struct buf *b, const struct directory_entry *n)
{
    wr_u8(b, (uint8_t)n->kind);
    wr_cstr(b, n->address);
    wr_cstr(b, n->target);
    wr_cstr(b, n->title);
    wr_bool(b, n->mail);
    wr_bool(b, n->send_as);
    wr_u64(b, n->account);
}

bool rd_authd_entry(struct rd *r, struct directory_entry *ret)
{
    struct directory_entry n = {.kind = rd_kind(r)};

    rd_cstr(r, n.address, sizeof n.address);
    rd_cstr(r, n.target, sizeof n.target);
    rd_cstr(r, n.title, sizeof n.title);
    n.mail = rd_bool(r);
    n.send_as = rd_bool(r);
    n.account = rd_u64(r);
    if (r->bad)
        return false;
    *ret = n;
    return true;
}

void wr_authd_entry_name(struct buf *b, enum directory_entry_kind kind, struct span address)
{
    wr_u8(b, (uint8_t)kind);
    wr_span(b, address);
}

bool rd_authd_entry_name(struct span s, enum directory_entry_kind *ret_kind,
                         struct span *ret_address)
{
    struct rd r = rd_of(s);
    enum directory_entry_kind kind = rd_kind(&r);
    struct span address = rd_span(&r, NAME_ADDRESS_MAX);

    if (!rd_done(&r))
        return false;
    *ret_kind = kind;
    *ret_address = address;
    return true;
}

size_t wr_authd_page_begin(struct buf *b)
{
    size_t at = b->n;

    wr_raw(b, "\0\0", PAGE_HEAD_BYTES);
    return at;
}

void wr_authd_page_end(struct buf *b, size_t at, bool more, uint16_t count)
{
    if (b->overflow)
        return;
    CHECK(at + PAGE_HEAD_BYTES <= b->n);
    b->p[at] = more;
    b->p[at + 1] = (char)count;
    b->p[at + 2] = (char)(count >> 8);
}

bool rd_authd_page(struct rd *r, bool *ret_more, uint16_t *ret_count)
{
    bool more = rd_bool(r);
    uint16_t count = rd_u16(r);

    if (r->bad)
        return false;
    *ret_more = more;
    *ret_count = count;
    return true;
}
