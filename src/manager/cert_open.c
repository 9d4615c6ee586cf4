/* cert_open.c: files with a private key are opened in a process of their own, that may neither open
 * files nor talk to anybody: what they hold was made by others, and this program may be root's. */
#include "base/check.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/fd.h"
#include "base/random.h"
#include "manager/cert.h"
#include "manager/text.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESULT_MAX = 512 * 1024, OPEN_SECONDS = 60, OPEN_MEMORY = 512 << 20 };

/* --- the child */

/* Whatever OpenSSL wants from files it must have before the walls go up. */
static void warm_up(bool legacy)
{
    static const char *const ciphers[] = {"AES-256-CBC", "AES-128-CBC", "DES-EDE3-CBC"};
    static const char *const digests[] = {"SHA1", "SHA256", "SHA512"};

    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_CONFIG, NULL);
    OSSL_PROVIDER_load(NULL, "default");
    if (legacy)
        OSSL_PROVIDER_load(NULL, "legacy");
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
        EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, ciphers[i], NULL));
    for (size_t i = 0; i < ARRAY_LEN(digests); i++)
        EVP_MD_free(EVP_MD_fetch(NULL, digests[i], NULL));
}

static int enter_jail(struct err *e)
{
    struct sandbox_request q = {.profile = "conf", .user = geteuid() == 0 ? "nobody" : NULL};
    const struct rlimit seconds = {OPEN_SECONDS, OPEN_SECONDS};
    struct sandbox_report walls;

    setrlimit(RLIMIT_CPU, &seconds);
#if !defined(__SANITIZE_ADDRESS__)
    const struct rlimit memory = {OPEN_MEMORY, OPEN_MEMORY};
    setrlimit(RLIMIT_AS, &memory);
#endif
    return sandbox_enter(&q, &walls, e);
}

static void write_result(int fd, int rc, const struct err *e, const struct container_key *k)
{
    struct buf out = BUF(RESULT_MAX),
               chain BUF_AUTO = BUF(CERTIFICATE_CHAIN_MAX * (CERTIFICATE_DER_MAX + 4));

    buf_reserve(&out, RESULT_MAX); /* never moved: one copy */
    wr_i64(&out, rc);
    wr_cstr(&out, rc < 0 ? e->text : "");
    wr_bool(&out, k->needs_passphrase);
    wr_span(&out, rc < 0 ? SPAN_EMPTY : buf_span(&k->pkcs8));
    wr_span(&out, buf_span(&k->spki));
    wr_cstr(&out, k->key_type);
    wr_cstr(&out, k->name);
    chain_write(&k->chain, &chain);
    wr_span(&out, buf_span(&chain));
    (void)fd_write_all(fd, out.p, out.n);
    secret_wipe(out.p, out.cap);
}

_Noreturn static void open_in_child(int fd, struct span files, const char *const *paths,
                                    struct span passphrase, bool legacy)
{
    struct rd r = rd_of(files);
    struct container_key k;
    struct err e = {""};
    int rc;

    warm_up(legacy);
    container_key_init(&k);
    rc = enter_jail(&e);
    for (unsigned i = 0; rc == 0 && r.n > 0; i++) {
        struct span file = rd_span(&r, CONTAINER_BYTES_MAX);
        rc = container_open(file, passphrase, legacy, &k, &e);
        if (rc < 0)
            err_wrap(&e, rc, "%s", text_quote(span_cstr(paths[i])));
    }
    write_result(fd, rc, &e, &k);
    container_key_done(&k);
    _exit(0);
}

/* --- its parent */

static int read_result(int fd, struct buf *out)
{
    uint64_t end = clock_mono_ms() + 2 * OPEN_SECONDS * 1000;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = clock_mono_ms();
        ssize_t n;
        if (now >= end || (poll(&p, 1, (int)(end - now)) < 0 && errno != EINTR))
            return -ETIMEDOUT;
        if (out->n == RESULT_MAX)
            return -EMSGSIZE;
        n = read(fd, out->p + out->n, RESULT_MAX - out->n);
        if (n == 0)
            return 0;
        if (n > 0)
            buf_commit(out, (size_t)n);
        else if (errno != EINTR)
            return -errno;
    }
}

static int take_result(struct span bytes, struct container_key *k, struct err *e)
{
    struct rd r = rd_of(bytes);
    int rc = (int)rd_i64(&r);
    struct span chain, pkcs8, spki;
    struct container_key got = {.needs_passphrase = false};
    struct err ignored;
    char reason[sizeof e->text];

    rd_cstr(&r, reason, sizeof reason);
    got.needs_passphrase = rd_bool(&r);
    pkcs8 = rd_span(&r, 16 * 1024);
    spki = rd_span(&r, 8 * 1024);
    rd_cstr(&r, got.key_type, sizeof got.key_type);
    rd_cstr(&r, got.name, sizeof got.name);
    chain = rd_span(&r, RESULT_MAX);
    if (!rd_done(&r))
        return err_set(
            e, -EBADMSG,
            "the process that opens the file has failed: the file wants too much work, or "
            "is made to do harm");
    k->needs_passphrase = got.needs_passphrase;
    if (rc < 0)
        return err_set(e, rc, "%s", reason);
    if (chain_parse(chain, &k->chain, &ignored) < 0)
        return err_set(e, -EBADMSG, "the certificates cannot be read");
    buf_put_span(&k->pkcs8, pkcs8);
    buf_put_span(&k->spki, spki);
    memcpy(k->key_type, got.key_type, sizeof k->key_type);
    memcpy(k->name, got.name, sizeof k->name);
    return 0;
}

static int open_bytes(struct span files, const char *const *paths, struct span passphrase,
                      bool legacy, struct container_key *k, struct err *e)
{
    struct buf result = BUF(RESULT_MAX);
    int ends[2], status, rc;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(e, -errno, "a process for the file: %s", strerror(errno));
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        open_in_child(ends[1], files, paths, passphrase, legacy);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_set(e, -errno, "a process for the file: %s", strerror(errno));
    }
    buf_reserve(&result, RESULT_MAX);
    rc = read_result(ends[0], &result);
    if (rc < 0)
        kill(pid, SIGKILL);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    rc = take_result(rc == 0 ? buf_span(&result) : SPAN_EMPTY, k, e);
    secret_wipe(result.p, result.cap);
    buf_done(&result);
    return rc;
}

int cert_open(const char *const *paths, unsigned count, struct span passphrase, bool legacy,
              struct container_key *k, struct err *e)
{
    struct buf files = BUF(CERT_FILES_BYTES), one = BUF(CONTAINER_BYTES_MAX);
    int rc = 0;

    buf_reserve(&files, CERT_FILES_BYTES);
    buf_reserve(&one, CONTAINER_BYTES_MAX);
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        buf_clear(&one);
        rc = cert_read_file(paths[i], &one, e);
        wr_span(&files, buf_span(&one));
    }
    if (rc == 0 && files.overflow)
        rc = err_set(e, -EMSGSIZE, "the files are too large together");
    if (rc == 0)
        rc = open_bytes(buf_span(&files), paths, passphrase, legacy, k, e);
    secret_wipe(files.p, files.cap);
    secret_wipe(one.p, one.cap);
    buf_done(&files);
    buf_done(&one);
    return rc;
}
