#include "pki/key.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"

#include "pki/keyd_msg.h"
#include "pki/provider.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEYD_WAIT_MS = 5000,
    KEYD_POLL_MS = 20,
    SIGN_MS = 10000,
    CALL_MS = 10000,
    CREATE_MS = 60000,
    /* keyd takes 1,024 of one link and refuses more: a crowd of handshakes waits here instead */
    SIGN_AT_ONCE = 512,
    SIGN_QUEUE_MS = 60000
};

static struct link *(*keyd_link)(void *arg);
static void *keyd_arg;

/* A call that outlives a restart of keyd: all our requests may be repeated safely but
 * those that make a key. suspends */
static int keyd_call(enum msg_id id, struct span body, uint64_t timeout_ms, struct buf *reply)
{
    uint64_t until = clock_mono_ms() + KEYD_WAIT_MS;
    struct link *l;
    int r = -EPIPE;

    if (fiber_self() == NULL || keyd_link == NULL)
        return -ENOTSUP;
    for (;;) {
        l = keyd_link(keyd_arg);
        if (l != NULL) {
            r = link_call(l, id, body, NULL, 0, timeout_ms, reply, NULL);
            if (r != -EPIPE || id == MSG_KEY_CREATE || id == MSG_KEY_IMPORT)
                return r;
            buf_clear(reply);
        }
        if (clock_mono_ms() >= until)
            return r;
        fiber_sleep_ms(KEYD_POLL_MS);
    }
}

static struct {
    unsigned under_way;
    struct fiber_cond done;
} signing;

/* suspends */
static int sign_in_turn(struct span body, struct buf *reply)
{
    uint64_t until = clock_mono_ms() + SIGN_QUEUE_MS, now;
    int r;

    while (signing.under_way >= SIGN_AT_ONCE && fiber_self() != NULL) {
        now = clock_mono_ms();
        if (now >= until)
            return -EBUSY;
        fiber_cond_wait(&signing.done, until - now);
    }
    signing.under_way++;
    r = keyd_call(MSG_KEY_SIGN, body, SIGN_MS, reply);
    signing.under_way--;
    fiber_cond_signal(&signing.done);
    return r;
}

static int sign(const struct key_sign_request *r, unsigned char ret[KEY_SIGNATURE_MAX],
                size_t *ret_bytes)
{
    struct buf body BUF_AUTO = BUF(KEY_TBS_MAX + 64);
    struct buf reply BUF_AUTO = BUF(KEY_SIGNATURE_MAX);
    int status;

    if (r->text.n > KEY_TBS_MAX)
        return -EMSGSIZE;
    wr_key_sign(&body, r);
    status = sign_in_turn(buf_span(&body), &reply);
    if (status < 0)
        return status;
    if (reply.overflow || reply.n == 0)
        return -EPROTO;
    memcpy(ret, reply.p, reply.n);
    *ret_bytes = reply.n;
    return 0;
}

void key_provider_init(struct link *(*keyd)(void *arg), void *arg)
{
    keyd_link = keyd;
    keyd_arg = arg;
    provider_load(sign);
}

EVP_PKEY *key_handle(const char *id, enum key_purpose purpose, struct span spki)
{
    unsigned char raw[KEY_ID_BYTES];

    provider_load(sign);
    return key_id_parse(id, raw) ? provider_key(raw, purpose, spki) : NULL;
}

/* --- keys */

static int info_of_reply(const struct buf *reply, struct key_info *ret)
{
    struct rd r = rd_of(buf_span(reply));
    struct key_info k;

    rd_key_info(&r, &k);
    if (reply->overflow || !rd_done(&r))
        return -EPROTO;
    *ret = k;
    return 0;
}

static int create(const char *label, const char *type, unsigned purposes,
                  const struct key_ca_profile *profile, bool exportable, struct key_info *ret)
{
    struct key_create_request r = {.purposes = purposes, .exportable = exportable};
    struct buf body BUF_AUTO = BUF(2048);
    struct buf reply BUF_AUTO = BUF(2048);
    int status;

    if (!span_to_cstr(span_cstr(label), r.label, sizeof r.label) ||
        !span_to_cstr(span_cstr(type), r.type, sizeof r.type))
        return -EINVAL;
    if (profile != NULL) {
        r.with_profile = true;
        r.profile = *profile;
    }
    wr_key_create(&body, &r);
    status = keyd_call(MSG_KEY_CREATE, buf_span(&body), CREATE_MS, &reply);
    return status < 0 ? status : info_of_reply(&reply, ret);
}

int key_create(const char *label, const char *type, unsigned purposes, bool exportable,
               struct key_info *ret)
{
    return create(label, type, purposes, NULL, exportable, ret);
}

int key_create_ca(const char *label, const char *type, unsigned purposes,
                  const struct key_ca_profile *profile, bool exportable, struct key_info *ret)
{
    return create(label, type, purposes, profile, exportable, ret);
}

int key_import(const char *label, unsigned purposes, const struct key_ca_profile *profile,
               bool exportable, struct span pkcs8, struct key_info *ret)
{
    struct key_create_request r = {.purposes = purposes, .exportable = exportable};
    struct buf body BUF_AUTO = BUF(8192);
    struct buf reply BUF_AUTO = BUF(2048);
    int status;

    if (!span_to_cstr(span_cstr(label), r.label, sizeof r.label) || pkcs8.n > KEY_PKCS8_MAX)
        return -EINVAL;
    if (profile != NULL) {
        r.with_profile = true;
        r.profile = *profile;
    }
    buf_reserve(&body, 8192); /* never moved: one copy to wipe */
    wr_key_import(&body, &r, pkcs8);
    status = keyd_call(MSG_KEY_IMPORT, buf_span(&body), CREATE_MS, &reply);
    secret_wipe(body.p, body.n);
    return status < 0 ? status : info_of_reply(&reply, ret);
}

int key_export(const char *id, struct span passphrase, struct buf *out)
{
    unsigned char raw[KEY_ID_BYTES];
    struct buf body BUF_AUTO = BUF(1024);
    struct buf reply BUF_AUTO = BUF(8192);
    int status;

    if (!key_id_parse(id, raw))
        return -ENOENT;
    if (passphrase.n < KEY_PASSPHRASE_MIN || passphrase.n > KEY_PASSPHRASE_MAX)
        return -EINVAL;
    buf_reserve(&body, 1024);
    wr_raw(&body, raw, sizeof raw);
    wr_span(&body, passphrase);
    status = keyd_call(MSG_KEY_EXPORT, buf_span(&body), CREATE_MS, &reply);
    secret_wipe(body.p, body.n);
    if (status < 0)
        return status;
    return buf_put_span(out, buf_span(&reply)) ? 0 : -ENOBUFS;
}

int key_get(const char *id, struct key_info *ret)
{
    unsigned char raw[KEY_ID_BYTES];
    struct buf reply BUF_AUTO = BUF(2048);
    int status;

    if (!key_id_parse(id, raw))
        return -ENOENT;
    status = keyd_call(MSG_KEY_GET, span_of(raw, sizeof raw), CALL_MS, &reply);
    return status < 0 ? status : info_of_reply(&reply, ret);
}

int key_delete(const char *id)
{
    unsigned char raw[KEY_ID_BYTES];
    struct buf reply BUF_AUTO = BUF(16);

    if (!key_id_parse(id, raw))
        return -ENOENT;
    return keyd_call(MSG_KEY_DELETE, span_of(raw, sizeof raw), CALL_MS, &reply);
}

/* One page: appends to *list, sets *ret_more. */
static int list_page(const char *prefix, unsigned char after[KEY_ID_BYTES], struct key_info **list,
                     size_t *count, bool *ret_more)
{
    struct buf body BUF_AUTO = BUF(256);
    struct buf reply BUF_AUTO = BUF(65536);
    struct key_info *grown;
    struct rd r;
    unsigned n;
    int status;

    wr_cstr(&body, prefix);
    wr_raw(&body, after, KEY_ID_BYTES);
    if (body.overflow)
        return -EINVAL;
    status = keyd_call(MSG_KEY_LIST, buf_span(&body), CALL_MS, &reply);
    if (status < 0)
        return status;
    r = rd_of(buf_span(&reply));
    *ret_more = rd_bool(&r);
    n = rd_u16(&r);
    if (r.bad || n > KEY_LIST_PAGE || (n == 0 && *ret_more))
        return -EPROTO;
    grown = realloc(*list, (*count + n + 1) * sizeof **list);
    CHECK(grown != NULL);
    *list = grown;
    for (unsigned i = 0; i < n && !r.bad; i++)
        rd_key_info(&r, &grown[(*count)++]);
    if (!rd_done(&r) || (n > 0 && !key_id_parse(grown[*count - 1].id, after)))
        return -EPROTO;
    return 0;
}

int key_list(const char *prefix, struct key_info **ret, size_t *ret_count)
{
    unsigned char after[KEY_ID_BYTES] = {0};
    struct key_info *list = NULL;
    size_t count = 0;
    bool more = true;
    int r = 0;

    while (r == 0 && more)
        r = list_page(prefix, after, &list, &count, &more);
    if (r < 0) {
        free(list);
        return r;
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

int key_tickets(unsigned char (*ret_keys)[KEY_TICKET_BYTES], unsigned *ret_count)
{
    struct buf reply BUF_AUTO = BUF(512);
    int r = keyd_call(MSG_KEY_TICKETS, SPAN_EMPTY, CALL_MS, &reply);

    if (r < 0)
        return r;
    return key_tickets_rd(buf_span(&reply), ret_keys, ret_count) ? 0 : -EPROTO;
}
