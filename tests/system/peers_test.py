#!/usr/bin/env python3
"""`sealpost verify` about other people's servers: Dovecot, Postfix and INN from Debian on loopback, set up well and set up badly; true answers both times."""
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from leaks import Authority, Proxy, join  # noqa: E402
from sealpost import main, wait_for  # noqa: E402

if os.geteuid():
    print("skipped: the peers are started as root")
    sys.exit(0)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def verify(scheme, port, *more):
    """Results by check, names of those that failed, what is served."""
    r = subprocess.run([sealpost, "verify", f"{scheme}://localhost:{port}", "--root", str(ca.root), "--json", *more], capture_output=True, text=True, timeout=60)
    answer = json.loads(r.stdout)
    assert "results" in answer, answer
    results = {x["check"]: x for x in answer["results"]}
    failed = {k for k, x in results.items() if x["result"] == "FAIL"}
    assert (r.returncode == 0) == (not failed)
    return results, failed, answer["served"]


class Peer:
    """A folder and the processes that were started in it; all of them end with it, by their process group."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-peer."))
        self.folder.chmod(0o755)
        self.processes = []
        ca.context("peer")
        shutil.copy(ca.folder / "peer.chain", self.folder / "cert.pem")
        shutil.copy(ca.folder / "peer.key", self.folder / "key.pem")
        ca.rsa("rsa")
        for name in ("rsa.pem", "rsa.key", "rsa.chain", "issuing.pem"):
            shutil.copy(ca.folder / name, self.folder / name)

    def file(self, name, text, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def spawn(self, *command, **more):
        with open(self.folder / "output", "ab") as out:
            self.processes.append(subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, **more))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        for p in self.processes:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                p.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        pass


    def listen(self, *command):
        """A server that takes its port as the word PORT."""
        port = free_port()
        self.spawn(*[str(c).replace("PORT", str(port)) for c in command], cwd=self.folder)
        wait_for(f"{command[0]} listens", lambda: listening(port), 20)
        return port


class Dovecot(Peer):
    def __init__(self, more):
        super().__init__()
        self.ports = {n: free_port() for n in ("imap", "imaps", "pop3", "pop3s")}
        f, p = self.folder, self.ports
        (f / "run").mkdir()
        self.file("passwd", "alice:{PLAIN}secret-of-alice:65534:65534::/tmp\n")
        conf = self.file("dovecot.conf", f"""
base_dir = {f}/run
state_dir = {f}/run
log_path = {f}/log
protocols = imap pop3
listen = 127.0.0.1
default_internal_user = dovecot
default_login_user = dovenull
ssl_cert = <{f}/cert.pem
ssl_key = <{f}/key.pem
{more}
mail_location = maildir:{f}/mail/%u
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {f}/passwd
}}
userdb {{
  driver = passwd-file
  args = {f}/passwd
}}
service imap-login {{
  inet_listener imap {{
    port = {p["imap"]}
  }}
  inet_listener imaps {{
    port = {p["imaps"]}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {p["pop3"]}
  }}
  inet_listener pop3s {{
    port = {p["pop3s"]}
    ssl = yes
  }}
}}
""")
        self.spawn("/usr/sbin/dovecot", "-F", "-c", conf)
        wait_for("Dovecot listens", lambda: all(listening(x) for x in p.values()), 30)


def test_dovecot_set_up_well():
    with Dovecot("ssl = required\nssl_min_protocol = TLSv1.2\nssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20") as d:
        for scheme in ("imap", "imaps", "pop3", "pop3s"):
            # Dovecot trusts a client of its own address as one with TLS
            results, failed, served = verify(scheme, d.ports[scheme], "--from", "127.0.0.9")
            assert not failed, (scheme, {k: results[k] for k in failed})
            assert served[0]["chain_length"] == 2 and served[0]["subject"] == "CN=leak peer", served


def test_dovecot_set_up_badly():
    # logins in clear, and ciphers without forward secrecy (an RSA key is needed for those)
    with Dovecot("ssl = yes\ndisable_plaintext_auth = no\nssl_min_protocol = TLSv1\nssl_cipher_list = ALL:@SECLEVEL=0") as d:
        results, failed, _ = verify("imap", d.ports["imap"])
        assert {"login-clear", "tls-1.1", "tls-1.0", "weak-offers"} <= failed, failed
        assert "AUTH=" in results["login-clear"]["detail"] and "ssl = required" in results["login-clear"]["remedy"]
        results, failed, _ = verify("pop3", d.ports["pop3"])
        assert "login-clear" in failed, failed
        results, failed, _ = verify("imaps", d.ports["imaps"])
        assert "login-clear" not in results and "tls-1.1" in failed, failed


class Postfix(Peer):
    def __init__(self, more):
        super().__init__()
        f = self.folder
        self.port = free_port()
        for d in ("queue", "data"):
            (f / d).mkdir()
        shutil.chown(f / "data", "postfix")
        self.file("main.cf", f"""
compatibility_level = 3.6
queue_directory = {f}/queue
data_directory = {f}/data
mail_owner = postfix
setgid_group = postdrop
mydestination = example.test
mynetworks = 192.0.2.0/24
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtpd_tls_security_level = may
smtpd_tls_chain_files = {f}/key.pem, {f}/cert.pem
smtpd_tls_session_cache_database =
tls_random_source = dev:/dev/urandom
smtpd_client_connection_count_limit = 0
{more}
""")
        rows = [f"127.0.0.1:{self.port} inet n - n - - smtpd", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "tlsmgr unix - - n 1000? 1 tlsmgr",
                "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce",
                "proxymap unix - - n - - proxymap", "anvil unix - - n - 1 anvil", "error unix - - n - - error", "retry unix - - n - - error",
                "scache unix - - n - 1 scache", "local unix - n n - - local"]
        self.file("master.cf", "\n".join(rows) + "\n")
        self.spawn("/usr/sbin/postfix", "-c", f, "start-fg")
        wait_for("Postfix listens", lambda: listening(self.port), 30)

    def stop(self):
        # the script that start-fg is passes no signal on
        subprocess.run(["/usr/sbin/postfix", "-c", self.folder, "abort"], stderr=subprocess.DEVNULL)


def test_postfix_set_up_well():
    with Postfix("myhostname = localhost\nsmtpd_relay_restrictions = reject_unauth_destination\nsmtpd_tls_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n"
                 "smtpd_tls_exclude_ciphers = aNULL, kRSA, 3DES, RC4") as p:
        results, failed, _ = verify("smtp", p.port)
        assert not failed, {k: results[k] for k in failed}
        assert results["relay"]["result"] == results["injection"]["result"] == results["ehlo-name"]["result"] == "PASS"


def test_postfix_set_up_badly():
    # relays for everybody, names itself as another, takes anonymous ciphers as it does without further settings
    with Postfix("myhostname = mx.wrong.example\nmynetworks = 0.0.0.0/0\nsmtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination") as p:
        results, failed, _ = verify("smtp", p.port)
        assert {"relay", "ehlo-name", "weak-offers"} <= failed, failed
        assert "open relay" in results["relay"]["detail"] and "mx.wrong.example" in results["ehlo-name"]["detail"]
        assert "no authentication" in results["weak-offers"]["detail"], results["weak-offers"]


class Inn(Peer):
    def __init__(self, required):
        super().__init__()
        f = self.folder
        self.ports = {n: free_port() for n in ("nntp", "nntps")}
        self.file("etc/inn.conf", f"""
mta: "/bin/true"
organization: test
ovmethod: tradindexed
hismethod: hisv6
pathhost: localhost
bindaddress: 127.0.0.1
nfsreader: false
noreader: false
enableoverview: true
pathnews: /usr/lib/news
pathdb: {f}/db
pathetc: {f}/etc
pathrun: {f}/run
pathlog: {f}/log
pathspool: {f}/spool
patharticles: {f}/spool/articles
pathoverview: {f}/spool/overview
pathincoming: {f}/spool/incoming
pathoutgoing: {f}/spool/outgoing
patharchive: {f}/archive
pathfilter: {f}/etc
pathtmp: {f}/tmp
pathhttp: {f}/log
domain: localhost
fromhost: localhost
tlscertfile: {f}/cert.pem
tlskeyfile: {f}/key.pem
tlscapath: {f}
tlsprotocols: [ TLSv1.2 TLSv1.3 ]
tlsciphers: "ECDHE+AESGCM"
nnrpdcheckart: false
nnrpdloadlimit: 0
""")
        self.file("etc/readers.conf", f"""
auth "all" {{
    hosts: "*"
    {'require_encryption: true' if required else ''}
    auth: "ckpasswd -f {f}/etc/passwd"
}}
access "users" {{
    users: "*"
    newsgroups: "*"
    access: RPA
}}
""")
        self.file("etc/passwd", "alice:x\n")
        self.file("etc/newsfeeds", "ME:!*::\n")
        self.file("etc/incoming.conf", "peer ME {\n    hostname: \"localhost, 127.0.0.1\"\n}\n")
        self.file("etc/storage.conf", "method tradspool {\n    newsgroups: *\n    class: 0\n}\n")
        self.file("etc/expire.ctl", "/remember/:11\n*:A:1:10:never\n")
        for name in ("control.ctl", "moderators", "distrib.pats", "distributions", "localgroups", "subscriptions", "motd.news", "passwd.nntp", "nntpsend.ctl", "innfeed.conf"):
            self.file(f"etc/{name}", "")
        for d in ("db", "run", "log", "spool/overview", "spool/articles", "spool/incoming", "spool/outgoing", "archive", "tmp"):
            (f / d).mkdir(parents=True, exist_ok=True)
        self.file("db/active", "control 0000000000 0000000001 n\ncontrol.cancel 0000000000 0000000001 n\njunk 0000000000 0000000001 n\nlocal.test 0000000000 0000000001 y\n")
        for name, text in (("active.times", ""), ("history", ""), ("newsgroups", "local.test\ttest\n")):
            self.file(f"db/{name}", text)
        for path in [f, *f.rglob("*")]:
            shutil.chown(path, "news", "news")
        os.chmod(f / "key.pem", 0o600)
        base = ["setpriv", "--reuid", "news", "--regid", "news", "--init-groups", "env", f"INNCONF={f}/etc/inn.conf"]
        subprocess.run([*base, "/usr/lib/news/bin/makedbz", "-i", "-o", "-s", "1000"], check=True, cwd=f / "db", capture_output=True)
        feeds = free_port()
        self.spawn(*base, "/usr/lib/news/bin/innd", "-f", "-P", str(feeds), cwd=f)
        wait_for("innd listens", lambda: listening(feeds), 30)
        self.spawn(*base, "/usr/lib/news/bin/nnrpd-ssl", "-D", "-f", "-p", str(self.ports["nntp"]), cwd=f)
        self.spawn(*base, "/usr/lib/news/bin/nnrpd-ssl", "-D", "-f", "-S", "-p", self.ports["nntps"], cwd=f)
        wait_for("INN listens", lambda: all(listening(p) for p in self.ports.values()), 30)


def test_inn():
    with Inn(required=True) as n:
        for scheme in ("nntp", "nntps"):
            results, failed, served = verify(scheme, n.ports[scheme])
            assert served and served[0]["subject"] == "CN=leak peer", (scheme, results)
            # what INN does there: it offers AUTHINFO before TLS, and tells a client that speaks in clear to a TLS port so in clear
            assert failed <= {"login-clear" if scheme == "nntp" else "tls-only"}, (scheme, {k: results[k] for k in failed})
            assert all(results[k]["result"] == "PASS" for k in ("chain", "names", "tls-1.3", "tls-1.2", "tls-1.1", "weak-offers", "renegotiation")), results


# OpenSSL's and GnuTLS's own servers, each with one fault: the checks that must fail, and what the first of them must say
WELL = ["-cipher", "ECDHE+AESGCM:ECDHE+CHACHA20"]
LAX = ["-cipher", "ECDHE+AES:@SECLEVEL=0"]
PLANTED_OPENSSL = [
    (WELL, set(), ""),
    ([*LAX, "-no_tls1_1"], {"tls-1.0"}, "TLS 1.0 is still taken, with TLS_ECDHE_RSA_WITH_AES_"),
    ([*LAX, "-no_tls1"], {"tls-1.1"}, "TLS 1.1 is still taken, with TLS_ECDHE_RSA_WITH_AES_"),
    ([*LAX, "-tls1"], {"tls-1.3", "tls-1.2", "tls-1.0"}, "TLS 1.3 is refused"),
    (["-cipher", "ECDHE+AESGCM:aNULL:!eNULL:@SECLEVEL=0", "-no_tls1", "-no_tls1_1"], {"weak-offers"}, "no authentication: the server takes TLS_ECDH_anon_WITH_"),
    (["-cipher", "ECDHE+AESGCM:eNULL:!aNULL:@SECLEVEL=0", "-no_tls1", "-no_tls1_1"], {"weak-offers"}, "no encryption: the server takes TLS_"),
    (["-cipher", "ECDHE+AESGCM:kRSA:!eNULL"], {"weak-offers"}, "RSA key exchange, no forward secrecy: the server takes TLS_RSA_WITH_"),
    ([*WELL, "-client_renegotiation"], {"renegotiation"}, "as many handshakes as it likes"),
]
GNUTLS_WELL = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1:-RSA"
PLANTED_GNUTLS = [
    # it goes along with every second handshake
    (GNUTLS_WELL, {"renegotiation"}, "as many handshakes as it likes"),
    (GNUTLS_WELL + ":+3DES-CBC", {"weak-offers", "renegotiation"}, "3DES_EDE_CBC_SHA in TLS 1.2"),
    (GNUTLS_WELL + ":+ARCFOUR-128", {"weak-offers", "renegotiation"}, "RC4 or blocks of 64 bits: the server takes TLS_ECDHE_RSA_WITH_RC4_128_SHA"),
    (GNUTLS_WELL + ":+ANON-ECDH", {"weak-offers", "renegotiation"}, "no authentication: the server takes TLS_ECDH_anon_WITH_"),
    (GNUTLS_WELL + ":%DISABLE_SAFE_RENEGOTIATION", {"renegotiation"}, "not bound to its session"),
]
OF_TLS = {"tls-1.3", "tls-1.2", "tls-1.1", "tls-1.0", "ssl", "weak-offers", "renegotiation", "chain", "names", "no-name"}


def expect_planted(port, fails, words):
    results, failed, _ = verify("https", port)
    tls = [k for k in results if k in OF_TLS]
    assert failed & OF_TLS == fails, {k: results[k]["detail"] for k in failed ^ fails}
    assert all(results[k]["result"] != "SKIP" for k in tls), results
    first = next((results[k]["detail"] for k in tls if k in failed), "")
    assert words in first, first


def side_by_side(one, rows):
    """They wait more than they work."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda row: one(*row), rows))


def test_planted_in_openssl():
    with Peer() as p:
        def one(words, fails, text):
            port = p.listen("openssl", "s_server", "-accept", "127.0.0.1:PORT", "-www", "-cert", "rsa.pem", "-key", "rsa.key", "-cert_chain", "issuing.pem", *words)
            if fails & {"tls-1.2"}:
                results, failed, _ = verify("https", port)  # no certificate is seen
                assert fails <= failed and text in results["tls-1.3"]["detail"] and "still taken" in results["tls-1.0"]["detail"], results
            else:
                expect_planted(port, fails, text)
        side_by_side(one, PLANTED_OPENSSL)


def test_planted_in_gnutls():
    with Peer() as p:
        def one(priority, fails, text):
            port = p.listen("gnutls-serv", "--http", "--port", "PORT", "--x509certfile", "rsa.chain", "--x509keyfile", "rsa.key", "--priority", priority)
            expect_planted(port, fails, text)
        side_by_side(one, PLANTED_GNUTLS)


def hello(version, suite, compression):
    """A ServerHello as servers of old said it; no server of today can be made to."""
    body = version.to_bytes(2, "big") + bytes(32) + b"\0" + suite.to_bytes(2, "big") + bytes([compression]) + b"\0\5\xff\1\0\1\0"
    message = b"\2" + len(body).to_bytes(3, "big") + body
    return b"\x16" + version.to_bytes(2, "big") + len(message).to_bytes(2, "big") + message


def test_planted_of_old():
    """SSL 2.0, SSL 3.0, keys of 40 bits, compression: a server that takes them whenever they are offered, and is a good one otherwise."""
    ssl_2 = bytes.fromhex("80130400010002000000030008") + b"\1\0\x80" + bytes(8)
    said = [
        (lambda h: ssl_2 if h[0] & 0x80 else None, "ssl", "SSL 2.0 is still taken"),
        (lambda h: hello(0x300, 0x000a, 0) if h[9:11] == b"\3\0" else None, "ssl", "SSL 3.0 is still taken, with TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
        (lambda h: hello(0x301, 0x0003, 0) if h[9:11] == b"\3\3" and b"\0\x08\0\6\0\3" in h and b"\xc0\x2b" not in h else None,
                   "weak-offers", "keys of 40 or 56 bits: the server takes TLS_RSA_EXPORT_WITH_RC4_40_MD5 in TLS 1.0"),
        (lambda h: hello(0x303, 0xc02f, 1) if b"\2\1\0" in h[40:] and h[9:11] == b"\3\3" and 300 < len(h) else None, "renegotiation", "CVE-2012-4929"),
    ]
    with Peer() as p:
        good = p.listen("openssl", "s_server", "-accept", "127.0.0.1:PORT", "-www", "-cert", "rsa.pem", "-key", "rsa.key", "-cert_chain", "issuing.pem", *WELL)
        def one(answer, check, words):
            def serve(client):
                first = client.recv(4096)
                if reply := answer(first):
                    client.sendall(reply)
                    client.recv(4096)
                    return
                real = socket.create_connection(("127.0.0.1", good))
                real.sendall(first)
                join(client, real)
            with Proxy(serve) as proxy:
                expect_planted(proxy.port, {check}, words)
        side_by_side(one, said)


def test_what_keeps_from_looking():
    """Each reason has the remedy that fits it, and no other."""
    closed = free_port()
    rows = [
        ("imaps", closed, [], "Connection refused", "nothing listens there"),
        ("smtp", closed, [], "Connection refused", "nothing listens there"),
        ("imaps", closed, ["--from", "192.0.2.77"], "no such address", "an address of this machine"),
    ]

    def greets(*lines):
        def serve(client):
            client.sendall(lines[0])
            for line in lines[1:]:
                client.recv(4096)
                client.sendall(line)
            client.recv(4096)
        return serve
    refuses = Proxy(greets(b"554 no service for you\r\n"))
    ends = Proxy(lambda client: client.close())
    plain = Proxy(greets(b"* OK hello\r\n"))
    no_tls = Proxy(greets(b"220 localhost\r\n", b"250 localhost\r\n", b"502 what?\r\n"))
    with Peer() as p, refuses, ends, plain, no_tls:
        tls = p.listen("openssl", "s_server", "-accept", "127.0.0.1:PORT", "-quiet", "-cert", "rsa.pem", "-key", "rsa.key", "-cert_chain", "issuing.pem", *WELL)
        rows += [
            ("smtp", refuses.port, [], "no service for you", "lists of addresses may keep this client out"),
            ("imap", ends.port, [], "closed the connection", "lists of addresses may keep this client out"),
            ("imaps", plain.port, [], "wrong version number", "where TLS comes only after STARTTLS on this port"),
            ("smtp", no_tls.port, [], "STARTTLS", "let the server offer STARTTLS"),
            ("imap", tls, [], "no answer in time", "where TLS comes first on this port"),
        ]
        def one(scheme, port, more, detail, remedy):
            results, failed, _ = verify(scheme, port, *more)
            found = [x for x in results.values() if x["result"] == "FAIL" and detail in x["detail"] and remedy in x["remedy"]]
            assert found, (scheme, detail, remedy, [(k, results[k]["detail"], results[k]["remedy"]) for k in failed])
            assert not [x for x in results.values() if "first name" in x["remedy"]], results
        side_by_side(one, rows)
    # an address of IPv6 is shown as it was given
    r = subprocess.run([sealpost, "verify", f"smtp://[::1]:{closed}", "--root", str(ca.root), "--json"], capture_output=True, text=True, timeout=60)
    x = json.loads(r.stdout)["results"][0]
    assert r.returncode == 1 and (x["vserver"], x["endpoint"]) == ("smtp://[::1]", f"[::1]:{closed}"), x


bin_folder = pathlib.Path(sys.argv[1]).resolve()
sealpost = bin_folder / "sealpost"
folder = tempfile.TemporaryDirectory(prefix="sealpost-peers.")
os.chmod(folder.name, 0o755)
ca = Authority(pathlib.Path(folder.name) / "ca")
main(*[f for name, f in list(globals().items()) if name.startswith("test_")])
