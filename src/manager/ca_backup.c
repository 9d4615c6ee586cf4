/*
 * ca_backup.c: the whole CA in one file, and back.
 *
 *   the head                           ca_backup_head.h: keys, encrypted
 *   the register                       an SQLite file
 *   SHA-256 of all before              is it whole?
 *   HMAC-SHA-256 of all before         is it what the one with the passphrase has written?
 *
 * The file may be larger than memory: it is read twice, never held.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"
#include "manager/ca.h"
#include "manager/ca_backup_head.h"
#include "manager/password.h"
#include "manager/text.h"
#include "pki/keyd_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SALT_BYTES = 16,
    ROUNDS = 600000,
    BLOCK = 1 << 16,
    DIGEST = 32,
};

/* --- both digests of what goes by */

struct digests {
    EVP_MD_CTX *sum;
    HMAC_CTX *mac;
};

/* HMAC_CTX is old, and the one that takes no provider's parameters. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void digests_start(struct digests *d, const unsigned char key[DIGEST])
{
    d->sum = EVP_MD_CTX_new();
    d->mac = HMAC_CTX_new();
    CHECK(d->sum && d->mac && EVP_DigestInit_ex(d->sum, EVP_sha256(), NULL) == 1 &&
          HMAC_Init_ex(d->mac, key, DIGEST, EVP_sha256(), NULL) == 1);
}

static void digests_add(struct digests *d, struct span s)
{
    CHECK(EVP_DigestUpdate(d->sum, s.p, s.n) == 1 &&
          HMAC_Update(d->mac, (const unsigned char *)s.p, s.n) == 1);
}

/* The sum; it counts for the other. */
static void digests_sum(struct digests *d, unsigned char ret[DIGEST])
{
    CHECK(EVP_DigestFinal_ex(d->sum, ret, NULL) == 1 && HMAC_Update(d->mac, ret, DIGEST) == 1);
}

static void digests_end(struct digests *d, unsigned char ret[DIGEST])
{
    CHECK(HMAC_Final(d->mac, ret, NULL) == 1);
    EVP_MD_CTX_free(d->sum);
    HMAC_CTX_free(d->mac);
}
#pragma GCC diagnostic pop

static int derive(struct span pass, struct span salt, uint32_t rounds, unsigned char ret[DIGEST])
{
    return PKCS5_PBKDF2_HMAC(pass.p, (int)pass.n, (const unsigned char *)salt.p, (int)salt.n,
                             (int)rounds, EVP_sha256(), DIGEST, ret) == 1
               ? 0
               : -ENOMEM;
}

/* --- out */

struct saving {
    struct call *call;
    struct span pass;
    int out, reg;
    struct digests digests;
    struct ca_backup_head head; /* into sealed */
    struct buf sealed, missing;
};

/* Keys that are away, or were made before they could be kept in a backup, are named. */
static int save_key(struct saving *s, const json_t *ca, struct err *e)
{
    struct ca_backup_key *k = &s->head.keys[s->head.count];
    struct buf der BUF_AUTO = BUF(CA_BACKUP_SEALED_MAX);
    int r = ca_export_key(s->call, view_string(ca, "key"), s->pass, &der, e);

    if (r == -ENOENT || r == -EPERM) {
        buf_printf(&s->missing, "%s%s (%s)", s->missing.n ? ", " : "", view_string(ca, "name"),
                   r == -EPERM ? "its key was made not to leave keyd" : "its key is away");
        return 0;
    }
    if (r < 0)
        return err_wrap(e, r, "the key of %s", view_string(ca, "name"));
    snprintf(k->name, sizeof(k->name), "%s", view_string(ca, "name"));
    snprintf(k->id, sizeof(k->id), "%s", view_string(ca, "key"));
    k->root = strcmp(view_string(ca, "kind"), "root") == 0;
    k->sealed = span_of(s->sealed.p + s->sealed.n, der.n);
    buf_put_span(&s->sealed, buf_span(&der));
    s->head.count++;
    return 0;
}

static int make_head(struct saving *s, uint64_t register_bytes, struct buf *ret,
                     unsigned char mac_key[DIGEST], struct err *e)
{
    unsigned char salt[SALT_BYTES];
    json_t *info = ca_ask_info(s->call, e);
    const json_t *ca;
    size_t i;
    int r = 0;

    if (info == NULL)
        return -EIO;
    json_array_foreach(json_object_get(info, "cas"), i, ca)
    {
        if (r == 0 && s->head.count < CA_RESTORE_KEYS_MAX)
            r = save_key(s, ca, e);
    }
    json_decref(info);
    if (r < 0)
        return r;
    random_bytes(salt, sizeof(salt));
    s->head.salt = span_of(salt, sizeof(salt));
    s->head.rounds = ROUNDS;
    s->head.when = clock_seconds();
    s->head.register_bytes = register_bytes;
    wr_ca_backup_head(ret, &s->head);
    s->head.salt = SPAN_EMPTY;
    if (ret->overflow || derive(s->pass, span_of(salt, sizeof(salt)), ROUNDS, mac_key) < 0)
        return err_set(e, -ENOMEM, "no memory for the backup");
    return 0;
}

static int put(struct saving *s, struct span bytes, struct err *e)
{
    digests_add(&s->digests, bytes);
    return fd_write_all(s->out, bytes.p, bytes.n) < 0
               ? err_set(e, -EIO, "%s cannot be written: %s", s->call->option[OPT_OUT],
                         strerror(errno))
               : 0;
}

static int put_register(struct saving *s, uint64_t bytes, struct err *e)
{
    char block[BLOCK];
    int r = 0;

    for (uint64_t at = 0; r == 0 && at < bytes;) {
        size_t want = bytes - at < BLOCK ? (size_t)(bytes - at) : BLOCK;
        ssize_t n = pread(s->reg, block, want, (off_t)at);
        if (n <= 0)
            return err_set(e, -EIO, "the copy of the register cannot be read");
        r = put(s, span_of(block, (size_t)n), e);
        at += (uint64_t)n;
    }
    return r;
}

static int save(struct saving *s, struct err *e)
{
    unsigned char mac_key[DIGEST], sum[DIGEST], mac[DIGEST];
    struct buf head BUF_AUTO = BUF(CA_BACKUP_HEAD_MAX);
    struct stat st;
    int r;

    if (fstat(s->reg, &st) != 0 || st.st_size <= 0)
        return err_set(e, -EIO, "the copy of the register cannot be read");
    r = make_head(s, (uint64_t)st.st_size, &head, mac_key, e);
    if (r < 0)
        return r;
    digests_start(&s->digests, mac_key);
    OPENSSL_cleanse(mac_key, sizeof(mac_key));
    r = put(s, buf_span(&head), e);
    if (r == 0)
        r = put_register(s, (uint64_t)st.st_size, e);
    digests_sum(&s->digests, sum);
    digests_end(&s->digests, mac);
    if (r == 0 && (fd_write_all(s->out, sum, DIGEST) < 0 || fd_write_all(s->out, mac, DIGEST) < 0 ||
                   fsync(s->out) != 0))
        r = err_set(e, -EIO, "%s cannot be written: %s", s->call->option[OPT_OUT], strerror(errno));
    return r;
}

static int read_passphrase(struct call *c, struct buf *pass, struct err *e)
{
    int r = ca_passphrase(c, "the backup", pass, e);

    if (r == 0 && (pass->n < KEY_PASSPHRASE_MIN || pass->n > KEY_PASSPHRASE_MAX))
        r = err_set(e, -EINVAL, "the passphrase must have %d to %d bytes", KEY_PASSPHRASE_MIN,
                    KEY_PASSPHRASE_MAX);
    return r;
}

/* The file appears whole or not at all. */
static int save_to(struct call *c, struct saving *s, struct err *e)
{
    const char *file = c->option[OPT_OUT];
    char beside[4096];
    int r;

    if ((size_t)snprintf(beside, sizeof(beside), "%s.new", file) >= sizeof(beside))
        return err_set(e, -ENAMETOOLONG, "the name is too long");
    unlink(beside);
    s->out = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->out < 0)
        return err_set(e, -errno, "%s: %s", text_quote(span_cstr(beside)), strerror(errno));
    r = save(s, e);
    fd_close(&s->out);
    if (r == 0 && rename(beside, file) != 0)
        r = err_set(e, -errno, "%s: %s", text_quote(span_cstr(file)), strerror(errno));
    if (r < 0)
        unlink(beside);
    return r;
}

int cmd_ca_backup(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf pass BUF_AUTO = BUF(KEY_PASSPHRASE_MAX);
    struct saving s = {.call = c,
                       .out = -1,
                       .reg = -1,
                       .sealed = BUF(CA_RESTORE_KEYS_MAX * CA_BACKUP_SEALED_MAX),
                       .missing = BUF(8192)};
    int r;

    if (!has_option(c, OPT_OUT))
        return usage_error(e, "--out is needed: the file that the CA goes to");
    if (!control)
        return -ENOTCONN;
    buf_reserve(&s.sealed, s.sealed.max); /* never moved */
    r = read_passphrase(c, &pass, e);
    s.pass = buf_span(&pass);
    if (r == 0)
        r = control_call_fd(control, ROLE_CAD, 0, MSG_CA_BACKUP, SPAN_EMPTY, &s.reg, e);
    if (r >= 0)
        r = save_to(c, &s, e);
    for (unsigned i = 0; r == 0 && i < s.head.count; i++)
        if (s.head.keys[i].root)
            r = ca_root_kept(c, s.head.keys[i].id, e);
    password_done(&pass);
    fd_close(&s.reg);
    buf_done(&s.sealed);
    if (r == 0)
        r = view_done(c,
                      json_pack("{s:s,s:i,s:s}", "file", c->option[OPT_OUT], "keys",
                                (int)s.head.count, "missing", buf_cstr(&s.missing)),
                      "The CA is in %s: its register and %u keys, encrypted.%s%s",
                      c->option[OPT_OUT], s.head.count, s.missing.n ? " Not in it: " : "",
                      s.missing.n ? buf_cstr(&s.missing) : "");
    buf_done(&s.missing);
    return r;
}

/* --- in */

static int damaged(const char *file, struct err *e)
{
    return err_set(e, -EBADMSG,
                   "%s is no backup of a CA, or is cut off or damaged; nothing was changed",
                   text_quote(span_cstr(file)));
}

struct opened {
    struct ca_backup_head head; /* into bytes */
    uint64_t register_at;
    struct buf bytes;
};

/* Both digests of the file, read through once. */
static int check_file(const char *file, int fd, const struct opened *o, struct span pass,
                      struct err *e)
{
    unsigned char key[DIGEST], sum[DIGEST], mac[DIGEST], has[2 * DIGEST];
    const struct ca_backup_head *h = &o->head;
    uint64_t end = o->register_at + h->register_bytes;
    struct digests d;
    char block[BLOCK];
    bool cut = false;

    if (derive(pass, h->salt, h->rounds, key) < 0)
        return err_set(e, -ENOMEM, "no memory to read the backup");
    digests_start(&d, key);
    OPENSSL_cleanse(key, sizeof(key));
    for (uint64_t at = 0; !cut && at < end;) {
        size_t want = end - at < BLOCK ? (size_t)(end - at) : BLOCK;
        ssize_t n = pread(fd, block, want, (off_t)at);
        cut = n <= 0;
        if (!cut)
            digests_add(&d, span_of(block, (size_t)n));
        at += n > 0 ? (uint64_t)n : 0;
    }
    digests_sum(&d, sum);
    digests_end(&d, mac);
    if (cut || pread(fd, has, sizeof(has), (off_t)end) != (ssize_t)sizeof(has) ||
        memcmp(has, sum, DIGEST) != 0)
        return damaged(file, e);
    if (CRYPTO_memcmp(has + DIGEST, mac, DIGEST) != 0)
        return err_set(e, -EKEYREJECTED, "the passphrase is not the one of %s; nothing was changed",
                       text_quote(span_cstr(file)));
    return 0;
}

/* The id of a key that keyd has already, by its public half. */
static int find_key(struct call *c, struct span pkcs8, char ret[2 * KEY_ID_BYTES + 1],
                    struct err *e)
{
    const unsigned char *at = (const unsigned char *)pkcs8.p;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)pkcs8.n);
    unsigned char after[KEY_ID_BYTES] = {0}, *spki = NULL;
    int n = key ? i2d_PUBKEY(key, &spki) : -1, r = -ENOENT;
    bool more = n > 0;

    while (more && r == -ENOENT) {
        struct buf body BUF_AUTO = BUF(256), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
        struct rd rd;
        wr_cstr(&body, "ca/");
        wr_raw(&body, after, sizeof(after));
        if (control_call(c->control, ROLE_KEYD, 0, MSG_KEY_LIST, buf_span(&body), &reply, e) < 0)
            break;
        rd = rd_of(buf_span(&reply));
        more = rd_bool(&rd);
        for (unsigned i = rd_u16(&rd); i > 0 && !rd.bad; i--) {
            struct key_info k;
            rd_key_info(&rd, &k);
            if (rd.bad || !key_id_parse(k.id, after))
                break;
            if (span_eq(span_of(k.spki, k.spki_bytes), span_of(spki, (size_t)n))) {
                memcpy(ret, k.id, sizeof(k.id));
                r = 0;
            }
        }
        more = more && !rd.bad;
    }
    EVP_PKEY_free(key);
    OPENSSL_free(spki);
    return r == 0 ? 0 : err_set(e, r, "keyd does not take the key, and does not list it");
}

static int bring_key(struct call *c, const struct ca_backup_key *k, struct span pass,
                     struct ca_restore_key *ret, bool *ret_brought, struct err *e)
{
    struct buf pkcs8 BUF_AUTO = BUF(KEY_PKCS8_MAX);
    struct key_info info;
    int r;

    buf_reserve(&pkcs8, KEY_PKCS8_MAX); /* never moved: one copy to wipe */
    r = ca_open_key(k->sealed, pass, &pkcs8, e);
    if (r == 0)
        r = ca_import_key(c, k->root, k->name, buf_span(&pkcs8), &info, e);
    *ret_brought = r == 0;
    if (r == -EEXIST)
        r = find_key(c, buf_span(&pkcs8), info.id, e);
    secret_wipe(pkcs8.p, pkcs8.n);
    if (r < 0)
        return err_wrap(e, r, "the key of %s", k->name);
    memcpy(ret->old_id, k->id, sizeof(k->id));
    memcpy(ret->new_id, info.id, sizeof(info.id));
    return 0;
}

static int forget_key(struct call *c, const char *id)
{
    unsigned char raw[KEY_ID_BYTES];
    struct err ignored;

    return key_id_parse(id, raw) ? control_call(c->control, ROLE_KEYD, 0, MSG_KEY_DELETE,
                                                span_of(raw, sizeof(raw)), NULL, &ignored)
                                 : -EINVAL;
}

/* The register alone, in a file without a name. */
static int extract(int fd, const struct opened *o, struct err *e)
{
    const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    FD_AUTO out = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    char block[BLOCK];

    if (out < 0)
        return err_set(e, -errno, "%s: no room for a copy: %s", folder, strerror(errno));
    for (uint64_t at = 0, size = o->head.register_bytes; at < size;) {
        size_t want = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        ssize_t n = pread(fd, block, want, (off_t)(o->register_at + at));
        if (n <= 0 || fd_write_all(out, block, (size_t)n) < 0)
            return err_set(e, -EIO, "%s: the copy cannot be written: %s", folder, strerror(errno));
        at += (uint64_t)n;
    }
    return fd_steal(&out);
}

static int tell_cad(struct call *c, const struct ca_restore_msg *m, int fd, struct buf *reply,
                    struct err *e)
{
    struct buf body BUF_AUTO = BUF(16384);

    wr_ca_restore(&body, m);
    return control_call_with(c->control, ROLE_CAD, 0, MSG_CA_RESTORE, buf_span(&body), fd, reply,
                             e);
}

/* Keys first: the register names them. Where cad refuses, those that were brought go again. */
static int put_back(struct call *c, const struct opened *o, struct span pass, int fd,
                    struct buf *reply, struct err *e)
{
    const struct ca_backup_head *h = &o->head;
    struct ca_restore_msg m = {.force = has_option(c, OPT_FORCE)};
    bool brought[CA_RESTORE_KEYS_MAX];
    FD_AUTO reg = extract(fd, o, e);
    int r = reg < 0 ? reg : 0;

    for (unsigned i = 0; r == 0 && i < h->count; i++) {
        r = bring_key(c, &h->keys[i], pass, &m.keys[i], &brought[i], e);
        m.count = (uint16_t)(m.count + (r == 0));
    }
    if (r == 0)
        r = tell_cad(c, &m, reg, reply, e);
    for (unsigned i = 0; r < 0 && i < m.count; i++)
        if (brought[i])
            forget_key(c, m.keys[i].new_id);
    return r;
}

/* What the backup did not know. */
static void say_carried(json_t *steps, const json_t *done)
{
    char text[200];
    int64_t cas = json_integer_value(view_get(done, "carried_cas")),
            certificates = json_integer_value(view_get(done, "carried"));

    if (cas + certificates == 0)
        return;
    snprintf(text, sizeof(text),
             "%lld issuing CAs and %lld certificates were revoked after the backup: they stay so",
             (long long)cas, (long long)certificates);
    ca_add_step(steps, "revoked since", "", text);
}

static int report(struct call *c, json_t *vservers, const json_t *done,
                  const struct ca_backup_head *h, struct err *e)
{
    const json_t *info = view_get(done, "info");
    json_t *steps = json_array();
    unsigned failed;
    char text[100];

    snprintf(text, sizeof(text), "%lld certificates that hold, %lld revoked",
             (long long)json_integer_value(view_get(info, "valid")),
             (long long)json_integer_value(view_get(info, "revoked")));
    ca_add_step(steps, "register", c->args[0], text);
    snprintf(text, sizeof(text), "%u, at keyd", h->count);
    ca_add_step(steps, "keys", "", text);
    say_carried(steps, done);
    ca_add_step(
        steps, "issuing CA in use", view_string(ca_in_use(info, "issuing"), "certificate.subject"),
        ca_in_use(info, "issuing") ? view_string(ca_in_use(info, "issuing"), "key_state")
                                   : "the one of the backup is revoked: another is made now");
    failed = ca_issue_anew(c, vservers, false, steps);
    if (failed > 0)
        ca_add_step(steps, "certificates", "",
                    "NOT all were issued anew: see above; `sealpost cert issue` tries again");
    return ca_show_steps(c, steps);
}

static int restore(struct call *c, const struct opened *o, struct span pass, int fd, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    json_t *info = ca_ask_info(c, e), *vservers;
    int r;

    if (info == NULL)
        return -EIO;
    /* what the CAs that go have issued is issued anew */
    vservers = ca_shown_by(c, info, NULL, e);
    json_decref(info);
    if (vservers == NULL)
        return -EIO;
    r = put_back(c, o, pass, fd, &reply, e);
    if (r >= 0) {
        info = view_parse(buf_span(&reply), "cad", e);
        r = info ? report(c, vservers, info, &o->head, e) : -EIO;
        json_decref(info);
    }
    json_decref(vservers);
    return r;
}

static int read_head(int fd, struct buf *bytes)
{
    char *p = buf_reserve(bytes, CA_BACKUP_HEAD_MAX);
    ssize_t n = p ? pread(fd, p, CA_BACKUP_HEAD_MAX, 0) : -1;

    if (n <= 0)
        return -EIO;
    buf_commit(bytes, (size_t)n);
    return 0;
}

int cmd_ca_restore(struct call *c, struct err *e)
{
    FD_AUTO fd = open(c->args[0], O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct buf pass BUF_AUTO = BUF(KEY_PASSPHRASE_MAX);
    struct opened o = {.bytes = BUF(CA_BACKUP_HEAD_MAX)};
    int r;

    if (fd < 0)
        return err_set(e, -errno, "%s: %s", text_quote(span_cstr(c->args[0])), strerror(errno));
    if (read_head(fd, &o.bytes) < 0 ||
        !rd_ca_backup_head(buf_span(&o.bytes), &o.head, &o.register_at))
        r = damaged(c->args[0], e);
    else
        r = call_control(c, e) ? read_passphrase(c, &pass, e) : -ENOTCONN;
    if (r == 0)
        r = check_file(c->args[0], fd, &o, buf_span(&pass), e);
    if (r == 0)
        r = restore(c, &o, buf_span(&pass), fd, e);
    password_done(&pass);
    buf_done(&o.bytes);
    return r;
}
