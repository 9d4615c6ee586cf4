#include "pki/cert_msg.h"
#include "base/utf8.h"
#include "pki/ocsp.h"

#include <string.h>

static struct span rest(struct rd *r)
{
    return rd_raw(r, r->n);
}

void wr_cert_names(struct buf *b, const struct cert_names *n)
{
    wr_u16(b, (uint16_t)n->n);
    for (uint32_t i = 0; i < n->n; i++) {
        wr_u8(b, n->v[i].type);
        wr_cstr(b, n->v[i].text);
    }
}

void rd_cert_names(struct rd *r, struct cert_names *ret)
{
    unsigned count = rd_u16(r);

    if (count > CERT_NAMES_MAX)
        rd_fail(r);
    for (unsigned i = 0; i < count && !r->bad; i++) {
        unsigned type = rd_u8(r);
        struct span text = rd_span(r, CERT_NAME_TEXT_MAX);
        if (!r->bad &&
            (type >= CERT_NAME_TYPES || cert_names_add(ret, (enum cert_name_type)type, text) < 0))
            rd_fail(r);
    }
}

void wr_ca_issue(struct buf *b, const struct ca_issue_msg *m)
{
    wr_cstr(b, m->profile);
    wr_u32(b, m->days);
    wr_cstr(b, m->requester);
    wr_span(b, m->request);
    wr_cert_names(b, &m->names);
}

bool rd_ca_issue(struct span body, struct ca_issue_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_issue_msg m = {.names = CERT_NAMES_EMPTY};

    rd_cstr(&r, m.profile, sizeof(m.profile));
    m.days = rd_u32(&r);
    rd_cstr(&r, m.requester, sizeof(m.requester));
    m.request = rd_span(&r, REQUEST_DER_MAX);
    rd_cert_names(&r, &m.names);
    if (!rd_done(&r)) {
        cert_names_done(&m.names);
        return false;
    }
    *ret = m;
    return true;
}

void wr_ca_issued(struct buf *b, const struct ca_issued_msg *m)
{
    wr_cstr(b, m->serial);
    wr_raw(b, m->chain.p, m->chain.n);
}

bool rd_ca_issued(struct span body, struct ca_issued_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_issued_msg m;

    rd_cstr(&r, m.serial, sizeof(m.serial));
    m.chain = rest(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_ca_list(struct buf *b, const struct ca_list_msg *m)
{
    wr_u8(b, m->filter);
    wr_i64(b, m->after);
}

bool rd_ca_list(struct span body, struct ca_list_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_list_msg m;

    m.filter = rd_u8(&r);
    m.after = rd_i64(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_ca_revoke(struct buf *b, const struct ca_revoke_msg *m)
{
    wr_cstr(b, m->serial);
    wr_u8(b, m->reason);
}

bool rd_ca_revoke(struct span body, struct ca_revoke_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_revoke_msg m;

    rd_cstr(&r, m.serial, sizeof(m.serial));
    m.reason = rd_u8(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_ca_state(struct buf *b, const struct ca_state_msg *m)
{
    wr_bool(b, m->revoked);
    wr_u8(b, m->reason);
    wr_i64(b, m->time);
}

bool rd_ca_state(struct span body, struct ca_state_msg *ret)
{
    struct rd r = rd_of(body);
    struct ca_state_msg m;

    m.revoked = rd_bool(&r);
    m.reason = rd_u8(&r);
    m.time = rd_i64(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_ca_crl(struct buf *b, int64_t ca)
{
    wr_i64(b, ca);
}

bool rd_ca_crl(struct span body, int64_t *ret)
{
    struct rd r = rd_of(body);
    int64_t ca = rd_i64(&r);

    if (!rd_done(&r))
        return false;
    *ret = ca;
    return true;
}

void wr_cert_word(struct buf *b, const char *word)
{
    wr_cstr(b, word);
}

bool rd_cert_word(struct span body, char ret[CERT_MSG_WORD_MAX + 1])
{
    struct rd r = rd_of(body);
    char word[CERT_MSG_WORD_MAX + 1];

    rd_cstr(&r, word, sizeof(word));
    if (!rd_done(&r))
        return false;
    memcpy(ret, word, sizeof(word));
    return true;
}

void wr_cert_identity(struct buf *b, const struct cert_identity_msg *m)
{
    wr_cstr(b, m->vserver);
    wr_u8(b, m->slot);
    wr_cstr(b, m->key_id);
    wr_cstr(b, m->serial);
    wr_raw(b, m->chain.p, m->chain.n);
}

bool rd_cert_identity(struct span body, struct cert_identity_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_identity_msg m;

    rd_cstr(&r, m.vserver, sizeof(m.vserver));
    m.slot = rd_u8(&r);
    rd_cstr(&r, m.key_id, sizeof(m.key_id));
    rd_cstr(&r, m.serial, sizeof(m.serial));
    m.chain = rest(&r);
    if (m.slot > 1)
        rd_fail(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_cert_staple(struct buf *b, const struct cert_staple_msg *m)
{
    wr_cstr(b, m->vserver);
    wr_cstr(b, m->sha256);
    wr_i64(b, m->until);
    wr_span(b, m->answer);
}

bool rd_cert_staple(struct span body, struct cert_staple_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_staple_msg m;

    rd_cstr(&r, m.vserver, sizeof(m.vserver));
    rd_cstr(&r, m.sha256, sizeof(m.sha256));
    m.until = rd_i64(&r);
    m.answer = rd_span(&r, OCSP_ANSWER_MAX);
    if (!rd_done(&r) || strspn(m.sha256, "0123456789abcdef") != 64)
        return false;
    *ret = m;
    return true;
}

void wr_cert_request(struct buf *b, const struct cert_request_msg *m)
{
    wr_cstr(b, m->vserver);
    wr_cstr(b, m->name);
    wr_cstr(b, m->key_type);
    wr_bool(b, m->exportable);
    wr_bool(b, m->same_key);
    wr_bool(b, m->as_current);
    wr_cstr(b, m->authority);
    wr_cstr(b, m->fields.common_name);
    wr_cstr(b, m->fields.organization);
    wr_cstr(b, m->fields.unit);
    wr_cstr(b, m->fields.country);
    wr_cstr(b, m->fields.state);
    wr_cstr(b, m->fields.locality);
    wr_cert_names(b, &m->names);
}

bool rd_cert_request(struct span body, struct cert_request_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_request_msg m = {.names = CERT_NAMES_EMPTY};

    rd_cstr(&r, m.vserver, sizeof(m.vserver));
    rd_cstr(&r, m.name, sizeof(m.name));
    rd_cstr(&r, m.key_type, sizeof(m.key_type));
    m.exportable = rd_bool(&r);
    m.same_key = rd_bool(&r);
    m.as_current = rd_bool(&r);
    rd_cstr(&r, m.authority, sizeof(m.authority));
    rd_cstr(&r, m.fields.common_name, sizeof(m.fields.common_name));
    rd_cstr(&r, m.fields.organization, sizeof(m.fields.organization));
    rd_cstr(&r, m.fields.unit, sizeof(m.fields.unit));
    rd_cstr(&r, m.fields.country, sizeof(m.fields.country));
    rd_cstr(&r, m.fields.state, sizeof(m.fields.state));
    rd_cstr(&r, m.fields.locality, sizeof(m.fields.locality));
    rd_cert_names(&r, &m.names);
    if (!rd_done(&r) || !utf8_valid(span_cstr(m.name))) {
        cert_names_done(&m.names);
        return false;
    }
    *ret = m;
    return true;
}

void wr_cert_offer(struct buf *b, const struct cert_offer_msg *m)
{
    wr_cstr(b, m->vserver);
    wr_u8(b, m->source);
    wr_cstr(b, m->key_id);
    wr_span(b, m->spki);
    wr_cstr(b, m->name);
    wr_bool(b, m->install);
}

bool rd_cert_offer(struct span body, struct cert_offer_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_offer_msg m;

    rd_cstr(&r, m.vserver, sizeof(m.vserver));
    m.source = rd_u8(&r);
    rd_cstr(&r, m.key_id, sizeof(m.key_id));
    m.spki = rd_span(&r, 4096);
    rd_cstr(&r, m.name, sizeof(m.name));
    m.install = rd_bool(&r);
    if (!rd_done(&r) || !utf8_valid(span_cstr(m.name)))
        return false;
    *ret = m;
    return true;
}

void wr_cert_file(struct buf *b, const struct cert_file *f)
{
    wr_u8(b, f->kind);
    wr_cstr(b, f->name);
    wr_span(b, f->bytes);
}

void rd_cert_file(struct rd *r, struct cert_file *ret)
{
    ret->kind = rd_u8(r);
    rd_cstr(r, ret->name, sizeof(ret->name));
    ret->bytes = rd_span(r, CERT_FILES_BYTES);
    if (ret->kind >= CERT_FILE_KINDS)
        rd_fail(r);
}

void wr_cert_assign(struct buf *b, const struct cert_assign_msg *m)
{
    wr_cstr(b, m->vserver);
    wr_cstr(b, m->from);
}

bool rd_cert_assign(struct span body, struct cert_assign_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_assign_msg m;

    rd_cstr(&r, m.vserver, sizeof(m.vserver));
    rd_cstr(&r, m.from, sizeof(m.from));
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_cert_renew(struct buf *b, const struct cert_renew_msg *m)
{
    wr_cstr(b, m->vserver);
    wr_bool(b, m->same_key);
}

bool rd_cert_renew(struct span body, struct cert_renew_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_renew_msg m;

    rd_cstr(&r, m.vserver, sizeof(m.vserver));
    m.same_key = rd_bool(&r);
    if (!rd_done(&r))
        return false;
    *ret = m;
    return true;
}

void wr_cert_account(struct buf *b, const struct cert_account_msg *m)
{
    wr_cstr(b, m->authority);
    wr_u8(b, m->what);
}

bool rd_cert_account(struct span body, struct cert_account_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_account_msg m;

    rd_cstr(&r, m.authority, sizeof(m.authority));
    m.what = rd_u8(&r);
    if (!rd_done(&r) || m.what >= CERT_ACCOUNT_WHATS)
        return false;
    *ret = m;
    return true;
}

void wr_cert_revoke(struct buf *b, const struct cert_revoke_msg *m)
{
    wr_cstr(b, m->vserver);
    wr_cstr(b, m->serial);
    wr_u8(b, m->reason);
}

bool rd_cert_revoke(struct span body, struct cert_revoke_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_revoke_msg m;

    rd_cstr(&r, m.vserver, sizeof(m.vserver));
    rd_cstr(&r, m.serial, sizeof(m.serial));
    m.reason = rd_u8(&r);
    if (!rd_done(&r) || m.reason > 10)
        return false;
    *ret = m;
    return true;
}

void wr_cert_trust(struct buf *b, const char *vserver, uint64_t epoch)
{
    wr_cstr(b, vserver);
    wr_u64(b, epoch);
}

bool rd_cert_trust(struct span body, char ret_vserver[CERT_MSG_WORD_MAX + 1], uint64_t *ret_epoch)
{
    struct rd r = rd_of(body);

    rd_cstr(&r, ret_vserver, CERT_MSG_WORD_MAX + 1);
    *ret_epoch = rd_u64(&r);
    return rd_done(&r);
}

void wr_cert_probe(struct buf *b, const struct cert_probe_msg *p)
{
    wr_cstr(b, p->vserver);
    wr_u8(b, p->endpoint);
    wr_u8(b, p->slot);
}

bool rd_cert_probe(struct span body, struct cert_probe_msg *ret)
{
    struct rd r = rd_of(body);
    struct cert_probe_msg p;

    rd_cstr(&r, p.vserver, sizeof(p.vserver));
    p.endpoint = rd_u8(&r);
    p.slot = rd_u8(&r);
    if (!rd_done(&r) || p.slot > 1)
        return false;
    *ret = p;
    return true;
}
