#include "pki/keyd_msg.h"

#include <stdio.h>

bool key_id_parse(const char *hex, unsigned char ret[KEY_ID_BYTES])
{
    unsigned char id[KEY_ID_BYTES] = {0};

    for (int i = 0; i < 2 * KEY_ID_BYTES; i++) {
        char c = hex[i];
        int v = ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (v < 0)
            return false;
        id[i / 2] = (unsigned char)(id[i / 2] << 4 | v);
    }
    if (hex[2 * KEY_ID_BYTES] != '\0')
        return false;
    memcpy(ret, id, sizeof id);
    return true;
}

void key_id_print(const unsigned char id[KEY_ID_BYTES], char ret[2 * KEY_ID_BYTES + 1])
{
    for (size_t i = 0; i < KEY_ID_BYTES; i++)
        snprintf(ret + 2 * i, 3, "%02x", id[i]);
}

void wr_ca_profile(struct buf *b, const struct key_ca_profile *p)
{
    wr_span(b, span_of(p->name, p->name_bytes));
    wr_bool(b, p->root);
    wr_bool(b, p->client_only);
    wr_u8(b, p->levels);
    wr_u32(b, p->max_days);
}

void rd_ca_profile(struct rd *r, struct key_ca_profile *ret)
{
    struct span name = rd_span(r, sizeof ret->name);

    memset(ret, 0, sizeof *ret);
    if (name.n > 0)
        memcpy(ret->name, name.p, name.n);
    ret->name_bytes = (unsigned)name.n;
    ret->root = rd_bool(r);
    ret->client_only = rd_bool(r);
    ret->levels = rd_u8(r);
    ret->max_days = rd_u32(r);
}

void wr_key_create(struct buf *b, const struct key_create_request *r)
{
    wr_cstr(b, r->label);
    wr_cstr(b, r->type);
    wr_u32(b, r->purposes);
    wr_bool(b, r->exportable);
    wr_bool(b, r->with_profile);
    if (r->with_profile)
        wr_ca_profile(b, &r->profile);
}

static void rd_create_fields(struct rd *r, struct key_create_request *ret)
{
    memset(ret, 0, sizeof *ret);
    rd_cstr(r, ret->label, sizeof ret->label);
    rd_cstr(r, ret->type, sizeof ret->type);
    ret->purposes = rd_u32(r);
    ret->exportable = rd_bool(r);
    ret->with_profile = rd_bool(r);
    if (ret->with_profile)
        rd_ca_profile(r, &ret->profile);
}

bool rd_key_create(struct span body, struct key_create_request *ret)
{
    struct rd r = rd_of(body);

    rd_create_fields(&r, ret);
    return rd_done(&r);
}

void wr_key_import(struct buf *b, const struct key_create_request *r, struct span pkcs8)
{
    wr_key_create(b, r);
    wr_span(b, pkcs8);
}

bool rd_key_import(struct span body, struct key_create_request *ret, struct span *ret_pkcs8)
{
    struct rd r = rd_of(body);

    rd_create_fields(&r, ret);
    *ret_pkcs8 = rd_span(&r, KEY_PKCS8_MAX);
    return rd_done(&r);
}

void wr_key_sign(struct buf *b, const struct key_sign_request *r)
{
    wr_raw(b, r->id, sizeof r->id);
    wr_u16(b, (uint16_t)r->purpose);
    wr_u8(b, (uint8_t)r->algorithm);
    wr_u8(b, (uint8_t)r->digest);
    wr_raw(b, r->text.p, r->text.n);
}

bool rd_key_sign(struct span body, struct key_sign_request *ret)
{
    struct rd r = rd_of(body);
    struct span id = rd_raw(&r, KEY_ID_BYTES);
    unsigned algorithm, digest;

    ret->purpose = rd_u16(&r);
    algorithm = rd_u8(&r);
    digest = rd_u8(&r);
    if (r.bad || r.n > KEY_TBS_MAX || algorithm < KEY_RSA_PKCS1 || algorithm > KEY_EDDSA ||
        digest > KEY_SHA512)
        return false;
    memcpy(ret->id, id.p, sizeof ret->id);
    ret->algorithm = (enum key_algorithm)algorithm;
    ret->digest = (enum key_digest)digest;
    ret->text = span_of(r.p, r.n);
    return true;
}

void wr_key_info(struct buf *b, const struct key_info *k)
{
    unsigned char id[KEY_ID_BYTES] = {0};

    key_id_parse(k->id, id);
    wr_raw(b, id, sizeof id);
    wr_cstr(b, k->label);
    wr_cstr(b, k->type);
    wr_u32(b, k->purposes);
    wr_bool(b, k->exportable);
    wr_i64(b, k->created);
    wr_span(b, span_of(k->spki, k->spki_bytes));
}

void rd_key_info(struct rd *r, struct key_info *ret)
{
    struct span id = rd_raw(r, KEY_ID_BYTES), spki;

    memset(ret, 0, sizeof *ret);
    if (id.n == KEY_ID_BYTES)
        key_id_print((const unsigned char *)id.p, ret->id);
    rd_cstr(r, ret->label, sizeof ret->label);
    rd_cstr(r, ret->type, sizeof ret->type);
    ret->purposes = rd_u32(r);
    ret->exportable = rd_bool(r);
    ret->created = rd_i64(r);
    spki = rd_span(r, sizeof ret->spki);
    if (spki.n > 0)
        memcpy(ret->spki, spki.p, spki.n);
    ret->spki_bytes = (unsigned)spki.n;
}

bool key_tickets_rd(struct span body, unsigned char (*ret_keys)[KEY_TICKET_BYTES],
                    unsigned *ret_count)
{
    struct rd r = rd_of(body);
    unsigned count = rd_u8(&r);
    struct span keys = rd_raw(&r, (size_t)count * KEY_TICKET_BYTES);

    if (!rd_done(&r) || count > KEY_TICKETS_MAX)
        return false;
    if (count > 0)
        memcpy(ret_keys, keys.p, keys.n);
    *ret_count = count;
    return true;
}
