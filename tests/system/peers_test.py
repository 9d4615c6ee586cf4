#!/usr/bin/env python3
"""`sealpost verify` about other people's servers: Dovecot, Postfix and INN from Debian on loopback, set up well and set up badly; true answers both times."""
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
from leaks import Authority  # noqa: E402
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
        assert {"login-clear", "tls-1.1"} <= failed, failed
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


bin_folder = pathlib.Path(sys.argv[1]).resolve()
sealpost = bin_folder / "sealpost"
folder = tempfile.TemporaryDirectory(prefix="sealpost-peers.")
os.chmod(folder.name, 0o755)
ca = Authority(pathlib.Path(folder.name) / "ca")
main(*[f for name, f in list(globals().items()) if name.startswith("test_")])
