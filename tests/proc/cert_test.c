/*
 * The real keyd, cad and certd, with this test in the place of the supervisor, the workers and the
 * command line. What a worker is told to show must be signed for by keyd, must hold under root.pem,
 * and must be there again after any of them was killed at any moment.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/random.h"
#include "conf/conf.h"
#include "ipc/link.h"
#include "pki/ca_msg.h"
#include "pki/cert_msg.h"
#include "pki/chain.h"
#include "pki/keyd_msg.h"
#include "proc/child/child_msg.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000 };

static const char conf_head[] = "domain = \"example.org\";\n"
                                "hostname = \"mail.example.org\";\n"
                                "organization = \"Example\";\n"
                                "user_prefix = \"\";\n";
static const char conf_vservers[] =
    "vservers = (\n"
    "  { name = \"imap4-default\"; protocol = \"imap4\";\n"
    "    endpoints = ( { address = \"127.0.0.1\"; port = 20993; policy = \"tls\"; } ); },\n"
    "  { name = \"smtp-default\"; protocol = \"smtp\"; names = [ \"mx.example.org\" ]; key_type = "
    "\"ed25519\";\n"
    "    endpoints = ( { address = \"192.0.2.1\"; port = 20025; policy = \"opportunistic\"; } ); "
    "}\n"
    ");\n";

/* --- processes */

enum who { KEYD, CAD, CERTD, WHO_COUNT };
static const enum role roles[WHO_COUNT] = {ROLE_KEYD, ROLE_CAD, ROLE_CERTD};

static struct {
    char root[64];
    int conf_fd;
    pid_t pid[WHO_COUNT];
    int link[WHO_COUNT]; /* as the supervisor */
    uint32_t generation[WHO_COUNT];
    int worker, manager_certd, manager_cad; /* our ends */
    struct buf store;
    uint32_t calls;
    /* what the worker was told last, by virtual server and slot */
    struct told {
        char vserver[CERT_MSG_WORD_MAX + 1], key[CERT_MSG_KEY_ID_MAX + 1],
            serial[CERTIFICATE_SERIAL_MAX];
        unsigned char chain[16384];
        size_t chain_bytes;
        unsigned count, staged;
        char stapled[65]; /* the certificate that an OCSP answer was given for */
    } told[4];
} t;

static const char *program(enum who w)
{
    static char path[600];
    static const char *const names[WHO_COUNT] = {"sealpost-keyd", "sealpost-cad", "sealpost-certd"};
    ssize_t n = readlink("/proc/self/exe", path, 500);

    CHECK(n > 0);
    path[n] = '\0';
    snprintf(strrchr(path, '/') + 1, 60, "%s", names[w]);
    return path;
}

static void pair(int fds[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
}

static void make_conf(const char *vservers)
{
    struct buf text BUF_AUTO = BUF(65536), problems BUF_AUTO = BUF(65536),
                    bytes BUF_AUTO = BUF(1 << 20);
    struct conf *c;

    buf_printf(&text, "%sdata = \"%s\";\n%s", conf_head, t.root, vservers);
    c = conf_parse(buf_span(&text), "test.conf", &problems);
    if (!c)
        unit_fail(__FILE__, __LINE__, "%s", buf_cstr(&problems));
    CHECK(c);
    conf_wr(c, &bytes);
    conf_free(c);
    fd_close(&t.conf_fd);
    t.conf_fd = memfd_create("conf", MFD_CLOEXEC);
    CHECK(t.conf_fd >= 0 && fd_write_all(t.conf_fd, bytes.p, bytes.n) == 0);
}

static void start(enum who w)
{
    struct child_start s = {.role = roles[w], .instance_count = 1, .generation = ++t.generation[w]};
    struct buf body BUF_AUTO = BUF(4096);
    const char *path = program(w);
    int fds[2];

    pair(fds);
    t.pid[w] = fork();
    CHECK(t.pid[w] >= 0);
    if (t.pid[w] == 0) {
        if (fds[1] == CHILD_LINK_FD)
            fcntl(CHILD_LINK_FD, F_SETFD, 0);
        else
            dup2(fds[1], CHILD_LINK_FD);
        execl(path, path, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    t.link[w] = fds[0];
    snprintf(s.root, sizeof(s.root), "%s", t.root);
    wr_child_start(&body, &s);
    CHECK(link_raw_send(t.link[w], MSG_CHILD_START, false, 0, 0, buf_span(&body), &t.conf_fd, 1) ==
          0);
}

static void introduce_fd(enum who to, enum role role, int fd)
{
    struct buf body BUF_AUTO = BUF(64);

    wr_child_peer(&body, role, 0);
    link_raw_send(t.link[to], MSG_CHILD_PEER, false, 0, 0, buf_span(&body), &fd, 1);
    close(fd);
}

static void introduce(enum who a, enum who b)
{
    int fds[2];

    pair(fds);
    introduce_fd(a, roles[b], fds[0]);
    introduce_fd(b, roles[a], fds[1]);
}

static int join(enum who to, enum role as)
{
    int fds[2];

    pair(fds);
    introduce_fd(to, as, fds[1]);
    return fds[0];
}

static void join_worker(void)
{
    fd_close(&t.worker);
    memset(t.told, 0, sizeof(t.told));
    t.worker = join(CERTD, ROLE_ACCESS);
}

/* All links of a process that was started (again). */
static void connect_all(enum who w)
{
    for (unsigned other = 0; other < WHO_COUNT; other++)
        if (other != w && t.pid[other] > 0 && (w != KEYD || other != KEYD))
            introduce(w, (enum who)other);
    if (w == CERTD) {
        join_worker();
        fd_close(&t.manager_certd);
        t.manager_certd = join(CERTD, ROLE_MANAGER);
    }
    if (w == CAD) {
        fd_close(&t.manager_cad);
        t.manager_cad = join(CAD, ROLE_MANAGER);
    }
}

static void kill_one(enum who w)
{
    int status;

    kill(t.pid[w], SIGKILL);
    waitpid(t.pid[w], &status, 0);
    t.pid[w] = 0;
    fd_close(&t.link[w]);
}

static void stop_one(enum who w)
{
    struct buf body BUF_AUTO = BUF(16);
    int status = 0;

    wr_child_stop(&body, 0);
    link_raw_send(t.link[w], MSG_CHILD_STOP, false, 0, 0, buf_span(&body), NULL, 0);
    waitpid(t.pid[w], &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        unit_fail(__FILE__, __LINE__, "%s ended with status %x", role_name(roles[w]), status);
    t.pid[w] = 0;
    fd_close(&t.link[w]);
}

static void restart(enum who w)
{
    start(w);
    connect_all(w);
}

static bool alive(enum who w)
{
    return t.pid[w] > 0 && waitpid(t.pid[w], NULL, WNOHANG) == 0;
}

static void start_all(void)
{
    for (unsigned w = 0; w < WHO_COUNT; w++)
        start((enum who)w);
    introduce(CAD, KEYD);
    introduce(CERTD, KEYD);
    introduce(CERTD, CAD);
    join_worker();
    t.manager_certd = join(CERTD, ROLE_MANAGER);
    t.manager_cad = join(CAD, ROLE_MANAGER);
}

static void begin(void)
{
    static const char *const folders[] = {"keys", "ca", "certs"};
    char path[128];

    signal(SIGPIPE, SIG_IGN);
    memset(&t, 0, sizeof(t));
    t.conf_fd = t.worker = t.manager_certd = t.manager_cad = -1;
    t.store = BUF(LINK_PAYLOAD_MAX + 64);
    snprintf(t.root, sizeof(t.root), "/tmp/sealpost-cert-XXXXXX");
    CHECK(mkdtemp(t.root));
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", t.root, folders[i]);
        CHECK(mkdir(path, 0700) == 0);
    }
    make_conf(conf_vservers);
    start_all();
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    return remove(path);
}

static void end(void)
{
    for (unsigned w = WHO_COUNT; w-- > 0;)
        if (t.pid[w] > 0)
            stop_one((enum who)w);
    fd_close(&t.conf_fd);
    fd_close(&t.worker);
    fd_close(&t.manager_certd);
    fd_close(&t.manager_cad);
    buf_done(&t.store);
    nftw(t.root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- talking */

static struct told *told_of(const char *vserver)
{
    for (size_t i = 0; i < ARRAY_LEN(t.told); i++)
        if (!t.told[i].vserver[0] || strcmp(t.told[i].vserver, vserver) == 0) {
            snprintf(t.told[i].vserver, sizeof(t.told[i].vserver), "%s", vserver);
            return &t.told[i];
        }
    abort();
}

static bool told_staple(struct span body)
{
    struct cert_staple_msg m;

    if (!rd_cert_staple(body, &m))
        return false;
    memcpy(told_of(m.vserver)->stapled, m.answer.n > 0 ? m.sha256 : "",
           m.answer.n > 0 ? sizeof(m.sha256) : 1);
    return true;
}

/* Takes what the worker is told; waits at most so long for the first. False: nothing came. */
static bool listen_once(int timeout_ms)
{
    struct cert_identity_msg m;
    struct frame f;
    struct told *to;

    if (link_raw_recv(t.worker, ROLE_ACCESS, ROLE_CERTD, timeout_ms, &t.store, &f) != 0)
        return false;
    if (f.id == MSG_CERT_PROBE) { /* a worker that does not serve it: nothing can be said */
        for (unsigned i = 0; i < f.fd_count; i++)
            fd_close(&f.fds[i]);
        return true;
    }
    if (f.id == MSG_CERT_STAPLE) {
        EXPECT(told_staple(f.body));
        return true;
    }
    EXPECT_INT(f.id, MSG_CERT_IDENTITY);
    if (!rd_cert_identity(f.body, &m)) {
        unit_fail(__FILE__, __LINE__, "a note that cannot be read");
        return true;
    }
    to = told_of(m.vserver);
    if (m.slot == 1) {
        to->staged += m.chain.n > 0;
        return true;
    }
    CHECK(m.chain.n <= sizeof(to->chain));
    memcpy(to->chain, m.chain.p, m.chain.n);
    to->chain_bytes = m.chain.n;
    memcpy(to->key, m.key_id, sizeof(to->key));
    memcpy(to->serial, m.serial, sizeof(to->serial));
    to->count++;
    return true;
}

static void drain(void)
{
    while (listen_once(0))
        ;
}

/* Until that virtual server shows another serial than `not`. */
static struct told *wait_told(const char *vserver, const char * not )
{
    uint64_t until = clock_mono_ms() + PATIENCE_MS;
    struct told *to = told_of(vserver);

    while ((to->chain_bytes == 0 || (not &&strcmp(to->serial, not ) == 0)) &&
           clock_mono_ms() < until)
        listen_once(200);
    if (to->chain_bytes == 0 || (not &&strcmp(to->serial, not ) == 0))
        unit_fail(__FILE__, __LINE__, "%s shows nothing new after %d ms", vserver, PATIENCE_MS);
    return to;
}

/* The status; the answer's bytes in `reply`. */
static int call(int fd, enum role self, enum role peer, enum msg_id id, struct span body,
                struct buf *reply)
{
    uint32_t number = ++t.calls;
    struct buf store BUF_AUTO = BUF(LINK_PAYLOAD_MAX + 64);
    struct frame f;
    int rc;

    buf_clear(reply);
    rc = link_raw_send(fd, id, false, number, 0, body, NULL, 0);
    while (rc == 0) {
        rc = link_raw_recv(fd, self, peer, PATIENCE_MS, &store, &f);
        for (unsigned i = 0; rc == 0 && i < f.fd_count; i++)
            close(f.fds[i]);
        if (rc == 0 && f.reply && f.call == number) {
            buf_put_span(reply, f.body);
            return f.status;
        }
    }
    return rc;
}

static int ask_certd(enum msg_id id, const char *word, struct buf *reply)
{
    struct buf body BUF_AUTO = BUF(256);

    if (word)
        wr_cert_word(&body, word);
    return call(t.manager_certd, ROLE_MANAGER, ROLE_CERTD, id, buf_span(&body), reply);
}

static int ask_cad(enum msg_id id, struct span body, struct buf *reply)
{
    return call(t.manager_cad, ROLE_MANAGER, ROLE_CAD, id, body, reply);
}

static bool has(struct buf *b, const char *what)
{
    return strstr(buf_cstr(b), what) != NULL;
}

/* --- is what is shown any good? */

static const char *in_root(const char *name)
{
    static char path[2][200];
    static unsigned turn;
    char *out = path[turn++ % 2];

    snprintf(out, sizeof(path[0]), "%s/%s", t.root, name);
    return out;
}

/* The CA's word comes before the certificate that it is shown with. */
static bool is_stapled(const struct told *to)
{
    struct chain chain = CHAIN_NONE;
    struct err e;
    bool ok = chain_parse(span_of(to->chain, to->chain_bytes), &chain, &e) == 0 &&
              strcmp(to->stapled, chain.v[0]->sha256) == 0;

    chain_done(&chain);
    return ok;
}

static bool holds(const struct told *to, const char *names)
{
    struct buf pem BUF_AUTO = BUF(65536);
    struct chain chain = CHAIN_NONE, roots = CHAIN_NONE;
    struct cert_names want = CERT_NAMES_EMPTY;
    struct span words = span_cstr(names), word;
    struct err e = {""};
    bool ok = false;

    while (span_split(&words, ' ', &word))
        cert_names_add_any(&want, word);
    if (file_read(AT_FDCWD, in_root("ca/root.pem"), 65536, &pem, &e) == 0 &&
        chain_parse_file(buf_span(&pem), &roots, &e) == 0 &&
        chain_parse(span_of(to->chain, to->chain_bytes), &chain, &e) == 0)
        ok = chain_check(&chain,
                         &(struct chain_want){.purpose = CHAIN_SERVER,
                                              .names = &want,
                                              .roots = &roots,
                                              .now = clock_seconds()},
                         &e) == CHAIN_FAULT_NONE;
    if (!ok)
        unit_fail(__FILE__, __LINE__, "%s: %s", to->vserver, e.text);
    chain_done(&chain);
    chain_done(&roots);
    cert_names_done(&want);
    return ok;
}

/* keyd signs a TLS 1.3 handshake with that key, and the certificate that is shown verifies it. */
static bool signs(const struct told *to)
{
    struct buf text BUF_AUTO = BUF(256), body BUF_AUTO = BUF(1024), reply BUF_AUTO = BUF(4096);
    static const char context[] = "TLS 1.3, server CertificateVerify";
    struct key_sign_request q = {.purpose = KEY_TLS_SERVER};
    struct chain chain = CHAIN_NONE;
    struct err e = {""};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    FD_AUTO fd = join(KEYD, ROLE_ACCESS);
    bool ed, ok = false;
    int rc;

    CHECK(chain_parse(span_of(to->chain, to->chain_bytes), &chain, &e) == 0);
    ed = strcmp(chain.v[0]->key_type, "ed25519") == 0;
    q.algorithm = ed ? KEY_EDDSA : KEY_ECDSA;
    q.digest = ed ? KEY_DIGEST_NONE : KEY_SHA256;
    for (int i = 0; i < 64; i++)
        buf_putc(&text, ' ');
    buf_put(&text, context, sizeof(context));
    buf_put(&text, "01234567890123456789012345678901", 32);
    q.text = buf_span(&text);
    CHECK(key_id_parse(to->key, q.id));
    wr_key_sign(&body, &q);
    rc = call(fd, ROLE_ACCESS, ROLE_KEYD, MSG_KEY_SIGN, buf_span(&body), &reply);
    if (rc == 0)
        ok = EVP_DigestVerifyInit(md, NULL, ed ? NULL : EVP_sha256(), NULL,
                                  X509_get0_pubkey(chain.v[0]->x509)) == 1 &&
             EVP_DigestVerify(md, (const unsigned char *)reply.p, reply.n,
                              (const unsigned char *)text.p, text.n) == 1;
    if (!ok)
        unit_fail(__FILE__, __LINE__, "%s: keyd does not sign for what is shown (%d)", to->vserver,
                  rc);
    EVP_MD_CTX_free(md);
    chain_done(&chain);
    return ok;
}

static size_t keys_of(const char *label)
{
    struct buf body BUF_AUTO = BUF(256), reply BUF_AUTO = BUF(65536);
    FD_AUTO fd = join(KEYD, ROLE_MANAGER);
    unsigned char zero[KEY_ID_BYTES] = {0};
    struct key_info k;
    struct rd r;
    size_t n;

    wr_cstr(&body, label);
    wr_raw(&body, zero, sizeof(zero));
    EXPECT_INT(call(fd, ROLE_MANAGER, ROLE_KEYD, MSG_KEY_LIST, buf_span(&body), &reply), 0);
    r = rd_of(buf_span(&reply));
    EXPECT(!rd_bool(&r));
    n = rd_u16(&r);
    for (size_t i = 0; i < n; i++)
        rd_key_info(&r, &k);
    EXPECT(rd_done(&r));
    return n;
}

/* --- tests */

static const char imap_names[] = "mail.example.org localhost 127.0.0.1 ::1";
static const char smtp_names[] = "mx.example.org mail.example.org";

TEST(first_start)
{
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX), pem BUF_AUTO = BUF(65536),
                     body BUF_AUTO = BUF(64);
    struct told *imap, *smtp;
    struct stat st;
    struct err e;

    begin();
    imap = wait_told("imap4-default", NULL);
    smtp = wait_told("smtp-default", NULL);
    EXPECT(holds(imap, imap_names) && signs(imap));
    EXPECT(holds(smtp, smtp_names) && signs(smtp));
    EXPECT(imap->staged == 1 && smtp->staged == 1);
    EXPECT(is_stapled(imap) && is_stapled(smtp));
    EXPECT(stat(in_root("ca/root.pem"), &st) == 0 && (st.st_mode & 0777) == 0644);
    EXPECT(stat(in_root("ca"), &st) == 0 && (st.st_mode & 0777) == 0755);
    EXPECT(stat(in_root("ca/register.db"), &st) == 0 && (st.st_mode & 0777) == 0600);
    EXPECT(stat(in_root("certs/imap4-default.identity"), &st) == 0 && (st.st_mode & 0777) == 0600);
    EXPECT_INT(ask_certd(MSG_CERT_CA_PEM, NULL, &reply), 0);
    EXPECT_INT(file_read(AT_FDCWD, in_root("ca/root.pem"), 65536, &pem, &e), 0);
    EXPECT_SPAN(buf_span(&reply), buf_span(&pem));
    EXPECT_INT(ask_certd(MSG_CERT_LIST, NULL, &reply), 0);
    EXPECT(has(&reply, imap->serial) && has(&reply, smtp->serial) && has(&reply, "\"ed25519\""));
    EXPECT_INT(ask_certd(MSG_CERT_SHOW, "smtp-default", &reply), 0);
    EXPECT(has(&reply, smtp->serial) && has(&reply, "\"from\":\"staged\",\"to\":\"live\""));
    EXPECT_INT(ask_certd(MSG_CERT_SHOW, "nonesuch", &reply), -ENOENT);
    EXPECT(has(&reply, "nonesuch"));
    wr_ca_list(&body, &(struct ca_list_msg){0, 0});
    EXPECT_INT(ask_cad(MSG_CA_LIST, buf_span(&body), &reply), 0);
    EXPECT(has(&reply, imap->serial) && has(&reply, smtp->serial));
    EXPECT_INT(ask_cad(MSG_CA_INFO, SPAN_EMPTY, &reply), 0);
    EXPECT(has(&reply, "\"valid\":2,\"revoked\":0"));
    EXPECT_INT(keys_of("ca/"), 2);
    end();
}

TEST(issue_anew)
{
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    char first[CERTIFICATE_SERIAL_MAX], second[CERTIFICATE_SERIAL_MAX];
    struct told *imap;

    begin();
    imap = wait_told("imap4-default", NULL);
    memcpy(first, imap->serial, sizeof(first));
    EXPECT_INT(ask_certd(MSG_CERT_ISSUE, "imap4-default", &reply), 0);
    EXPECT(has(&reply, "\"retired\":[{") && has(&reply, first));
    wait_told("imap4-default", first);
    EXPECT(holds(imap, imap_names) && signs(imap));
    memcpy(second, imap->serial, sizeof(second));
    EXPECT_INT(imap->staged, 3); /* shown once more before it is looked at */
    EXPECT_INT(keys_of("vserver/imap4-default"), 2);
    /* a worker that comes later */
    join_worker();
    imap = wait_told("imap4-default", NULL);
    EXPECT_STR(imap->serial, second);
    EXPECT_INT(ask_certd(MSG_CERT_ISSUE, "nonesuch", &reply), -ENOENT);
    end();
}

TEST(nothing_to_do_after_a_restart)
{
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    char imap[CERTIFICATE_SERIAL_MAX], smtp[CERTIFICATE_SERIAL_MAX];

    begin();
    memcpy(imap, wait_told("imap4-default", NULL)->serial, sizeof(imap));
    memcpy(smtp, wait_told("smtp-default", NULL)->serial, sizeof(smtp));
    for (unsigned w = WHO_COUNT; w-- > 0;)
        stop_one((enum who)w);
    fd_close(&t.worker);
    fd_close(&t.manager_certd);
    fd_close(&t.manager_cad);
    start_all();
    EXPECT_STR(wait_told("imap4-default", NULL)->serial, imap);
    EXPECT_STR(wait_told("smtp-default", NULL)->serial, smtp);
    EXPECT_INT(ask_cad(MSG_CA_INFO, SPAN_EMPTY, &reply), 0);
    EXPECT(has(&reply, "\"valid\":2,\"revoked\":0"));
    /* cad is not needed to show what is live */
    stop_one(CERTD);
    kill_one(CAD);
    restart(CERTD);
    EXPECT_STR(wait_told("imap4-default", NULL)->serial, imap);
    end();
}

TEST(killed_at_any_moment)
{
    struct buf body BUF_AUTO = BUF(64), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct told *imap;
    enum { ROUNDS = 48 };

    begin();
    for (int i = 0; i < ROUNDS; i++) {
        enum who w = (enum who)(unit_random() % WHO_COUNT);
        unsigned wait_us = (unsigned)(unit_random() % (i % 4 == 0 ? 300000 : 25000));
        char name[60];

        snprintf(name, sizeof(name), "round %d: %s after %u us", i, role_name(roles[w]), wait_us);
        unit_case(name);
        wr_cert_word(&body, "imap4-default");
        link_raw_send(t.manager_certd, MSG_CERT_ISSUE, false, ++t.calls, 0, buf_span(&body), NULL,
                      0);
        buf_clear(&body);
        usleep(wait_us);
        drain();
        kill_one(w);
        restart(w);
        if (i % 3 == 2) { /* now and then it may come to rest */
            imap = wait_told("imap4-default", NULL);
            EXPECT(holds(imap, imap_names) && signs(imap));
        }
    }
    unit_case(NULL);
    /* a new start of all: what is live then is what it stays with */
    for (unsigned w = WHO_COUNT; w-- > 0;)
        kill_one((enum who)w);
    fd_close(&t.worker);
    fd_close(&t.manager_certd);
    fd_close(&t.manager_cad);
    start_all();
    wait_told("smtp-default", NULL);
    EXPECT_INT(ask_certd(MSG_CERT_ISSUE, "imap4-default", &reply), 0);
    drain();
    imap = told_of("imap4-default");
    EXPECT(has(&reply, imap->serial));
    EXPECT(holds(imap, imap_names) && signs(imap));
    EXPECT(holds(told_of("smtp-default"), smtp_names) && signs(told_of("smtp-default")));
    EXPECT(has(&reply, "\"next\":{\"state\":\"none\""));
    EXPECT(keys_of("vserver/imap4-default") <=
           5); /* the one in use and at most four that are retired */
    EXPECT_INT(keys_of("vserver/smtp-default"), 1);
    end();
}

TEST(damaged_file)
{
    struct told *imap;
    char first[CERTIFICATE_SERIAL_MAX];
    struct stat st;
    struct err e;

    begin();
    memcpy(first, wait_told("imap4-default", NULL)->serial, sizeof(first));
    stop_one(CERTD);
    CHECK(file_write(AT_FDCWD, in_root("certs/imap4-default.identity"),
                     SPAN("sealpost identity 1\nrubbish"), 0600, &e) == 0);
    restart(CERTD);
    imap = wait_told("imap4-default", NULL);
    EXPECT(strcmp(imap->serial, first) != 0);
    EXPECT(holds(imap, imap_names) && signs(imap));
    EXPECT(stat(in_root("certs/imap4-default.identity.damaged"), &st) == 0);
    EXPECT_INT(keys_of("vserver/imap4-default"),
               2); /* the old one's key is kept for who repairs it */
    end();
}

TEST(new_names_by_reload)
{
    struct told *imap;
    char first[CERTIFICATE_SERIAL_MAX];

    begin();
    memcpy(first, wait_told("imap4-default", NULL)->serial, sizeof(first));
    wait_told("smtp-default", NULL);
    make_conf(
        "vservers = (\n"
        "  { name = \"imap4-default\"; protocol = \"imap4\"; names = [ \"imap.example.org\" ];\n"
        "    endpoints = ( { address = \"127.0.0.1\"; port = 20993; policy = \"tls\"; } ); },\n"
        "  { name = \"pop3-default\"; protocol = \"pop3\";\n"
        "    endpoints = ( { address = \"127.0.0.1\"; port = 20995; policy = \"tls\"; } ); }\n"
        ");\n");
    for (unsigned w = 0; w < WHO_COUNT; w++)
        CHECK(link_raw_send(t.link[w], MSG_CHILD_CONF, false, 0, 0, SPAN_EMPTY, &t.conf_fd, 1) ==
              0);
    imap = wait_told("imap4-default", first);
    EXPECT(holds(imap, "imap.example.org mail.example.org localhost"));
    EXPECT(holds(wait_told("pop3-default", NULL), "mail.example.org localhost"));
    end();
}

static int take_back(const char *serial)
{
    struct buf body BUF_AUTO = BUF(128), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct ca_revoke_msg m = {.reason = 1};

    snprintf(m.serial, sizeof(m.serial), "%s", serial);
    wr_ca_revoke(&body, &m);
    return ask_cad(MSG_CA_REVOKE, buf_span(&body), &reply);
}

TEST(what_is_revoked_is_replaced)
{
    struct told *imap;
    char serial[CERTIFICATE_SERIAL_MAX];

    begin();
    imap = wait_told("imap4-default", NULL);
    memcpy(serial, imap->serial, sizeof(serial));
    EXPECT_INT(take_back(serial), 0);
    imap = wait_told("imap4-default", serial);
    EXPECT(holds(imap, imap_names) && signs(imap));
    /* while certd is away */
    memcpy(serial, imap->serial, sizeof(serial));
    kill_one(CERTD);
    EXPECT_INT(take_back(serial), 0);
    restart(CERTD);
    imap = wait_told("imap4-default", serial);
    EXPECT(strcmp(imap->serial, serial) != 0);
    EXPECT(holds(imap, imap_names) && signs(imap));
    end();
}

/* --- what cad answers to processes that were taken over */

static int ask_as_certd(int fd, const char *profile, const char *names, struct span request,
                        struct buf *reply)
{
    struct ca_issue_msg m = {.requester = "test", .request = request, .names = CERT_NAMES_EMPTY};
    struct buf body BUF_AUTO = BUF(65536);
    struct span words = span_cstr(names), word;

    snprintf(m.profile, sizeof(m.profile), "%s", profile);
    while (span_split(&words, ' ', &word))
        cert_names_add_any(&m.names, word);
    wr_ca_issue(&body, &m);
    cert_names_done(&m.names);
    return call(fd, ROLE_CERTD, ROLE_CAD, MSG_CA_ISSUE, buf_span(&body), reply);
}

static void make_request(const char *cn, const char *words, struct buf *der)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    struct span s = span_cstr(words), word;
    struct buf spki BUF_AUTO = BUF(1024);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    unsigned char *p = NULL;
    struct err e;
    int n = i2d_PUBKEY(key, &p);

    buf_put(&spki, p, (size_t)n);
    OPENSSL_free(p);
    while (span_split(&s, ' ', &word))
        CHECK(cert_names_add_any(&names, word) == 0);
    CHECK(request_make(key, buf_span(&spki), &(struct cert_subject){.common_name = cn}, &names, der,
                       &e) == 0);
    cert_names_done(&names);
    EVP_PKEY_free(key);
}

TEST(cad_refuses)
{
    struct ca_revoke_msg back = {.reason = 1};
    struct ca_issue_msg account = {.profile = "account", .requester = "command line"};
    struct ca_issued_msg issued;
    struct buf body BUF_AUTO = BUF(65536), request BUF_AUTO = BUF(16384),
                    reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    int fd;

    begin();
    wait_told("imap4-default", NULL);
    kill_one(CERTD); /* this test is certd now */
    fd = join(CAD, ROLE_CERTD);
    make_request("www.example.com", "", &request);
    EXPECT_INT(ask_as_certd(fd, "server", "mail.example.org localhost", buf_span(&request), &reply),
               0);
    EXPECT_INT(ask_as_certd(fd, "account", "postmaster@example.org", buf_span(&request), &reply),
               -EPERM);
    EXPECT_INT(ask_as_certd(fd, "issuing", "mail.example.org", buf_span(&request), &reply), -EPERM);
    EXPECT_INT(ask_as_certd(fd, "server", "www.example.org", buf_span(&request), &reply), -EPERM);
    EXPECT(has(&reply, "www.example.org"));
    EXPECT_INT(ask_as_certd(fd, "nonesuch", "mail.example.org", buf_span(&request), &reply),
               -EINVAL);
    EXPECT_INT(ask_as_certd(fd, "server", "mail.example.org", SPAN("garbage"), &reply), -EBADMSG);
    request.p[request.n - 1] ^= 1;
    EXPECT(ask_as_certd(fd, "server", "mail.example.org", buf_span(&request), &reply) < 0);
    EXPECT_INT(call(fd, ROLE_CERTD, ROLE_CAD, MSG_CA_ISSUE, SPAN("garbage"), &reply), -EBADMSG);
    EXPECT_INT(call(fd, ROLE_CERTD, ROLE_CAD, MSG_CA_SHOW, SPAN("garbage"), &reply), -EBADMSG);
    EXPECT_INT(call(fd, ROLE_CERTD, ROLE_CAD, MSG_CA_REVOKE, SPAN(""), &reply), -EBADMSG);
    EXPECT_INT(call(fd, ROLE_CERTD, ROLE_CAD, MSG_CA_LIST,
                    SPAN("\x09"
                         "12345678"),
                    &reply),
               -EBADMSG);
    close(fd);
    /* what the administrator had made is not certd's to revoke; what is a virtual server's is */
    fd = join(CAD, ROLE_CERTD);
    buf_clear(&request);
    make_request("Bob", "bob@example.org", &request);
    account.request = buf_span(&request);
    wr_ca_issue(&body, &account);
    EXPECT_INT(ask_cad(MSG_CA_ISSUE, buf_span(&body), &reply), 0);
    REQUIRE(rd_ca_issued(buf_span(&reply), &issued));
    memcpy(back.serial, issued.serial, sizeof(back.serial));
    buf_clear(&body);
    wr_ca_revoke(&body, &back);
    EXPECT_INT(call(fd, ROLE_CERTD, ROLE_CAD, MSG_CA_REVOKE, buf_span(&body), &reply), -EPERM);
    memcpy(back.serial, told_of("imap4-default")->serial, sizeof(back.serial));
    buf_clear(&body);
    wr_ca_revoke(&body, &back);
    EXPECT_INT(call(fd, ROLE_CERTD, ROLE_CAD, MSG_CA_REVOKE, buf_span(&body), &reply), 0);
    close(fd);
    /* a worker has no business with cad: its link is closed, cad lives on */
    fd = join(CAD, ROLE_ACCESS);
    EXPECT(ask_as_certd(fd, "server", "mail.example.org", buf_span(&request), &reply) < 0);
    close(fd);
    EXPECT_INT(ask_cad(MSG_CA_INFO, SPAN_EMPTY, &reply), 0);
    EXPECT(alive(CAD));
    end();
}

TEST(manager_has_requests_certified)
{
    struct buf request BUF_AUTO = BUF(16384), body BUF_AUTO = BUF(65536),
                       reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct ca_issue_msg m = {.profile = "account", .days = 10, .requester = "command line"};
    struct ca_issued_msg out;
    struct chain chain = CHAIN_NONE;
    struct err e = {""};

    begin();
    make_request("Bob Smith", "bob@example.org", &request);
    m.request = buf_span(&request);
    wr_ca_issue(&body, &m);
    EXPECT_INT(ask_cad(MSG_CA_ISSUE, buf_span(&body), &reply),
               0); /* also while the CA is being made */
    REQUIRE(rd_ca_issued(buf_span(&reply), &out));
    REQUIRE(chain_parse(out.chain, &chain, &e) == 0);
    EXPECT_INT(chain.n, 2);
    EXPECT_STR(chain.v[0]->subject, "CN=Bob Smith,O=Example");
    EXPECT(cert_names_has(&chain.v[0]->names, CERT_NAME_EMAIL, SPAN("bob@example.org")));
    EXPECT(chain.v[0]->not_after < clock_seconds() + 11 * 86400);
    chain_done(&chain);
    buf_clear(&request);
    buf_clear(&body);
    make_request("Bob Smith", "bob@example.net", &request);
    m.request = buf_span(&request);
    wr_ca_issue(&body, &m);
    EXPECT_INT(ask_cad(MSG_CA_ISSUE, buf_span(&body), &reply), -EPERM);
    EXPECT(has(&reply, "bob@example.net") && has(&reply, "local_domains"));
    end();
}

TEST(revoked_and_listed)
{
    struct buf body BUF_AUTO = BUF(128), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct told *imap;
    struct frame f;
    unsigned char crl[4096];
    const unsigned char *at = crl;
    X509_CRL *parsed;
    ssize_t n;

    begin();
    imap = wait_told("imap4-default", NULL);
    wr_ca_revoke(&body, &(struct ca_revoke_msg){"00", 1});
    EXPECT_INT(ask_cad(MSG_CA_REVOKE, buf_span(&body), &reply), -ENOENT);
    buf_clear(&body);
    struct ca_revoke_msg m = {.reason = 8};
    memcpy(m.serial, imap->serial, sizeof(m.serial));
    wr_ca_revoke(&body, &m);
    EXPECT_INT(ask_cad(MSG_CA_REVOKE, buf_span(&body), &reply), -EINVAL);
    buf_clear(&body);
    m.reason = 4;
    wr_ca_revoke(&body, &m);
    EXPECT_INT(ask_cad(MSG_CA_REVOKE, buf_span(&body), &reply), 0);
    EXPECT_INT(ask_cad(MSG_CA_REVOKE, buf_span(&body), &reply), -EALREADY);
    buf_clear(&body);
    wr_ca_crl(&body, 0);
    CHECK(link_raw_send(t.manager_cad, MSG_CA_CRL, false, 99, 0, buf_span(&body), NULL, 0) == 0);
    REQUIRE(link_raw_recv(t.manager_cad, ROLE_MANAGER, ROLE_CAD, PATIENCE_MS, &t.store, &f) == 0);
    EXPECT_INT(f.status, 0);
    REQUIRE(f.fd_count == 1);
    n = pread(f.fds[0], crl, sizeof(crl), 0);
    EXPECT(write(f.fds[0], "x", 1) < 0); /* sealed */
    close(f.fds[0]);
    parsed = d2i_X509_CRL(NULL, &at, n);
    REQUIRE(parsed);
    EXPECT_INT(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(parsed)), 1);
    X509_CRL_free(parsed);
    buf_clear(&body);
    wr_cert_word(&body, imap->serial);
    EXPECT_INT(ask_cad(MSG_CA_SHOW, buf_span(&body), &reply), 0);
    EXPECT(has(&reply, "\"reason\":\"superseded\""));
    end();
}

/* A frame with a descriptor that no row allows. */
static void send_with_descriptor(int fd, const char *bytes, size_t n)
{
    struct iovec iov = {(void *)(uintptr_t)bytes, n};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {
        .head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}
    };
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    int other = STDERR_FILENO;

    memcpy(CMSG_DATA(&control.head), &other, sizeof(other));
    sendmsg(fd, &m, MSG_NOSIGNAL);
}

/* One thing that a peer in wrong hands may do. */
static void misbehave(int fd, int how)
{
    static const enum msg_id of_manager[] = {MSG_CERT_ISSUE, MSG_CERT_SHOW, MSG_CERT_LIST,
                                             MSG_CA_ISSUE,   MSG_CA_REVOKE, MSG_CA_CRL,
                                             MSG_CA_LIST};
    static char bytes[16384];
    enum msg_id id = of_manager[unit_random() % ARRAY_LEN(of_manager)];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)unit_random();
    switch (how % 5) {
    case 0: /* what only the command line may ask, or the right row with bytes of no sense */
        link_raw_send(fd, id, false, 1, 0, span_of(bytes, unit_random() % 100), NULL, 0);
        break;
    case 1:
        send(fd, bytes, unit_random() % sizeof(bytes), MSG_NOSIGNAL);
        break;
    case 2:
        send_with_descriptor(fd, bytes, 12);
        break;
    case 3: /* an answer to what was not asked */
        link_raw_send(fd, MSG_CA_ISSUE, true, 7, 0, span_of(bytes, 20), NULL, 0);
        break;
    default: /* a revocation that is none: it is cad that says so */
        link_raw_send(fd, MSG_CA_REVOKED, false, 0, 0, span_of(bytes, 40), NULL, 0);
        break;
    }
}

TEST(hostile_peers_end_their_link_only)
{
    static const enum role guises[] = {ROLE_ACCESS, ROLE_MX, ROLE_RELAYD, ROLE_MANAGER};
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);

    begin();
    struct told *imap = wait_told("imap4-default", NULL), *smtp = wait_told("smtp-default", NULL);
    char serials[2][sizeof(imap->serial)];
    memcpy(serials[0], imap->serial, sizeof(imap->serial));
    memcpy(serials[1], smtp->serial, sizeof(smtp->serial));
    for (int i = 0; i < 120; i++) {
        int fd = join(i % 2 ? CAD : CERTD, guises[unit_random() % ARRAY_LEN(guises)]);
        misbehave(fd, i / 2);
        usleep(2000);
        close(fd);
    }
    for (unsigned w = 0; w < WHO_COUNT; w++)
        EXPECT(alive((enum who)w));
    /* a new peer took the command line's place */
    close(t.manager_certd);
    close(t.manager_cad);
    t.manager_certd = join(CERTD, ROLE_MANAGER);
    t.manager_cad = join(CAD, ROLE_MANAGER);
    EXPECT_INT(ask_certd(MSG_CERT_LIST, NULL, &reply), 0);
    EXPECT(has(&reply, serials[0]) && has(&reply, serials[1]));
    EXPECT_INT(ask_cad(MSG_CA_INFO, SPAN_EMPTY, &reply), 0);
    EXPECT_INT(ask_certd(MSG_CERT_ISSUE, "imap4-default", &reply), 0);
    join_worker(); /* its place was taken too */
    EXPECT(holds(wait_told("imap4-default", serials[0]), "mail.example.org"));
    end();
}

/* --- what strangers ask through the HTTP virtual servers */

static int ask_public(int fd, enum msg_id id, struct span body, struct buf *reply)
{
    return call(fd, ROLE_ACCESS, ROLE_CAD, id, body, reply);
}

TEST(access_asks_cad)
{
    static const enum msg_id of_officers[] = {MSG_CA_FIND,   MSG_CA_UNHOLD, MSG_CA_REQUESTS,
                                              MSG_CA_DECIDE, MSG_CA_ROOT,   MSG_CA_ROLLOVER,
                                              MSG_CA_BACKUP};
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    static char bytes[4200];
    int fd;

    begin();
    wait_told("imap4-default", NULL);
    fd = join(CAD, ROLE_ACCESS);
    EXPECT_INT(ask_public(fd, MSG_CA_FILE, SPAN("issuing-1.crt"), &reply), 0);
    EXPECT(reply.n > 300);
    EXPECT_INT(ask_public(fd, MSG_CA_FILE, SPAN("issuing-1.crl"), &reply), 0);
    EXPECT(reply.n > 100);
    EXPECT_INT(ask_public(fd, MSG_CA_FILE, SPAN("register.db"), &reply), -ENOENT);
    EXPECT_INT(ask_public(fd, MSG_CA_FILE, SPAN("a\0b"), &reply), -ENOENT);
    EXPECT_INT(ask_public(fd, MSG_CA_FILE, SPAN_EMPTY, &reply), -ENOENT);
    EXPECT_INT(ask_public(fd, MSG_CA_OCSP, SPAN_EMPTY, &reply), 0);
    EXPECT_INT(reply.n, 5); /* malformedRequest */
    for (int i = 0; i < 50; i++) {
        for (size_t k = 0; k < sizeof(bytes); k++)
            bytes[k] = (char)unit_random();
        EXPECT_INT(ask_public(fd, MSG_CA_OCSP, span_of(bytes, unit_random() % 4096), &reply), 0);
        EXPECT_INT(reply.n, 5);
    }
    /* longer than the row: the link ends, cad does not */
    EXPECT(ask_public(fd, MSG_CA_OCSP, span_of(bytes, 4097), &reply) < 0);
    close(fd);
    for (size_t i = 0; i < ARRAY_LEN(of_officers); i++) {
        fd = join(CAD, i % 2 ? ROLE_ACCESS : ROLE_CERTD);
        link_raw_send(fd, of_officers[i], false, 1, 0, span_of(bytes, 16), NULL, 0);
        EXPECT(link_raw_recv(fd, i % 2 ? ROLE_ACCESS : ROLE_CERTD, ROLE_CAD, PATIENCE_MS, &t.store,
                             &(struct frame){.id = 0}) < 0);
        close(fd);
    }
    fd = join(CAD, ROLE_MX); /* nothing at all is for them */
    link_raw_send(fd, MSG_CA_OCSP, false, 1, 0, SPAN_EMPTY, NULL, 0);
    EXPECT(link_raw_recv(fd, ROLE_MX, ROLE_CAD, PATIENCE_MS, &t.store, &(struct frame){.id = 0}) <
           0);
    close(fd);
    /* the command line with bytes of no sense: told so, and heard again */
    memset(bytes, 0xff, sizeof(bytes));
    for (size_t i = 0; i < 5; i++)
        EXPECT_INT(ask_cad(of_officers[i], span_of(bytes, 16), &reply), -EBADMSG);
    EXPECT(alive(CAD));
    EXPECT_INT(ask_cad(MSG_CA_INFO, SPAN_EMPTY, &reply), 0);
    end();
}
