#!/usr/bin/env python3
"""What `sealpost verify` says of revocation, TLSA records, MTA-STS and logins by certificate, with Debian's knot as DNS; and that nothing of it stays on the server."""
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from leaks import Authority, Proxy, join, terminate  # noqa: E402
from sealpost import Server, main, wait_for  # noqa: E402

if os.geteuid() or not shutil.which("knotd") or not shutil.which("keymgr"):
    print("skipped: needs root (port 443 of a loopback address) and knot (tools/install-packages test)")
    sys.exit(0)

DOMAIN = "example.test"
MX = f"mx.{DOMAIN}"
OURS, OTHERS = "127.0.0.66", "127.0.0.67"  # where https://mta-sts.DOMAIN may lead
CERTIFICATES = ' client_certificates = "accept";'


class Dns:
    """knot on loopback with one zone, signed; another zone file is another start."""

    def __init__(self, folder):
        self.folder, self.process = pathlib.Path(folder), None
        (self.folder / "keys").mkdir(parents=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        (self.folder / "knot.conf").write_text(
            f"server:\n  rundir: {self.folder}\n  listen: 127.0.0.1@{self.port}\n  user: root\ndatabase:\n  storage: {self.folder}\n  kasp-db: keys\n"
            f"policy:\n  - id: p\n    algorithm: ecdsap256sha256\n    single-type-signing: on\n"
            f"zone:\n  - domain: {DOMAIN}\n    file: {self.folder}/zone\n    zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: none\n"
            f"    dnssec-signing: on\n    dnssec-policy: p\n")
        self.anchor, self.wrong = self.folder / "anchor", self.folder / "wrong"

    def serve(self, *records):
        self.stop()
        (self.folder / "zone").write_text(f"$ORIGIN {DOMAIN}.\n$TTL 1\n@ SOA ns.{DOMAIN}. root.{DOMAIN}. 1 3600 600 86400 1\n@ NS ns.{DOMAIN}.\n"
                                          f"ns A 127.0.0.1\nmx A 127.0.0.1\n" + "".join(r + "\n" for r in records))
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["knotd", "-c", self.folder / "knot.conf"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        if not self.anchor.exists():
            def key():
                r = subprocess.run(["keymgr", "-c", self.folder / "knot.conf", DOMAIN, "ds"], capture_output=True, text=True)
                return [x for x in r.stdout.splitlines() if " 13 2 " in x]
            self.anchor.write_text(wait_for("knot has a key", key, 30)[0] + "\n")
            ds = self.anchor.read_text().split()
            self.wrong.write_text(" ".join([*ds[:-1], hashlib.sha256(b"another").hexdigest()]) + "\n")
        wait_for("knot answers", self.answers, 30)

    def answers(self):
        question = b"\x12\x34\0\0\0\1\0\0\0\0\0\0" + b"".join(
            bytes([len(x)]) + x.encode() for x in DOMAIN.split(".")) + b"\0\0\6\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            s.connect(("127.0.0.1", self.port))
            try:
                s.send(question)
                answer = s.recv(2000)
            except OSError:
                return False
        return answer[3] & 15 == 0 and answer[7] > 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


class Forward:
    """Port 443 of a loopback address, as the world reaches https."""

    def __init__(self, address, serve):
        self.socket = socket.create_server((address, 443), backlog=16)
        self.serve = serve
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(client,), daemon=True).start()

    def one(self, client):
        try:
            self.serve(client)
        except OSError:
            pass
        client.close()

    def close(self):
        self.socket.close()


class Web:
    """Lists, OCSP answers: what a CA has for everybody. `answers` is path → bytes, or a function of the posted body."""

    def __init__(self):
        self.answers = {}
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = web.answers.get(self.path)
                if callable(answer):
                    answer = answer(body)
                self.send_response(200 if answer is not None else 404)
                self.end_headers()
                self.wfile.write(answer or b"")

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class PublicAuthority(Authority):
    """One whose certificates say where their state is."""

    def make(self, name, issuer, kind, more="", **rest):
        self.more = more
        return super().make(name, issuer, kind, **rest)

    def openssl(self, *words):
        ext = self.folder / (words[words.index("-config") + 1] if "-config" in words else "")
        if self.more and ext.is_file() and self.more not in ext.read_text():
            ext.write_text(ext.read_text().replace("[v3]\n", "[v3]\n" + self.more))
        super().openssl(*words)

    def serial(self, name):
        return subprocess.run(["openssl", "x509", "-in", self.folder / f"{name}.pem", "-noout", "-serial"], capture_output=True, text=True,
                              check=True).stdout.strip().partition("=")[2]

    def index(self, *names, revoked=()):
        """The database that `openssl ca` and `openssl ocsp` read."""
        (self.folder / "index.txt").write_text("".join(
            f"{'R' if n in revoked else 'V'}\t991231000000Z\t{'240601000000Z,keyCompromise' if n in revoked else ''}\t{self.serial(n)}\tunknown\t/CN=leak {n}\n"
            for n in names))

    def crl(self, issuer="issuing", days=2):
        (self.folder / "crl.conf").write_text("[ca]\ndefault_ca=me\n[me]\ndatabase=index.txt\ndefault_md=sha256\n")
        super().openssl("ca", "-config", "crl.conf", "-gencrl", "-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key", "-crldays", str(days), "-out", "list.pem")
        super().openssl("crl", "-in", "list.pem", "-outform", "DER", "-out", "list.der")
        return (self.folder / "list.der").read_bytes()

    def ocsp(self, body):
        (self.folder / "question.der").write_bytes(body)
        super().openssl("ocsp", "-index", "index.txt", "-CA", "issuing.pem", "-rsigner", "issuing.pem", "-rkey", "issuing.key", "-reqin", "question.der",
                        "-respout", "answer.der", "-ndays", "1")
        return (self.folder / "answer.der").read_bytes()


class Scene:
    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-verify."))
        self.folder.chmod(0o755)
        names = {"smtp-default": f' names = ("{MX}", "localhost");', "http-default": f' names = ("localhost", "mta-sts.{DOMAIN}");' + CERTIFICATES,
                 "imap4-default": CERTIFICATES, "pop3-default": CERTIFICATES, "submission-default": CERTIFICATES,
                 "nntp-default": ' client_certificates = "require";'}
        self.server = Server(sys.argv[1], extra=f'mta_sts = ({{ domain = "{DOMAIN}"; mode = "testing"; }});', vserver_extra=names).__enter__()
        self.forward = Forward(OURS, lambda c: join(c, socket.create_connection(("127.0.0.1", self.server.port("https")))))
        self.dns = Dns(self.folder / "dns")
        self.web = Web()
        self.ca = PublicAuthority(self.folder / "ca")
        self.policy = f"version: STSv1\r\nmode: enforce\r\nmx: {MX}\r\nmax_age: 86400\r\n"
        context = self.ca.context("sts", names=f"DNS:mta-sts.{DOMAIN}")

        def other_policy(client):
            tls = context.wrap_socket(client, server_side=True)
            tls.recv(4096)
            tls.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{self.policy}".encode())
            tls.close()
        self.other = Forward(OTHERS, other_policy)
        self.roots = self.folder / "roots.pem"
        self.roots.write_text(pathlib.Path(self.server.ca_file).read_text() + self.ca.root.read_text())
        return self

    def __exit__(self, *why):
        self.forward.close()
        self.other.close()
        self.dns.stop()
        self.server.__exit__(*why)
        shutil.rmtree(self.folder, ignore_errors=True)

    def leaf(self, name="smtp-default"):
        """SHA-256 of the key that is in service."""
        return self.server.json("cert", "show", name)["current"]["certificate"]["spki_sha256"]

    def verify(self, *words, anchor=None):
        r = self.server.run("verify", *words, "--json", "--resolver", f"127.0.0.1@{self.dns.port}", "--trust-anchor", str(anchor or self.dns.anchor), check=False)
        answer = json.loads(r.stdout)
        assert "results" in answer, answer
        failed = [x for x in answer["results"] if x["result"] == "FAIL"]
        assert (r.returncode == 0) == (not failed), (r.returncode, failed, answer["warnings"])
        for x in failed:
            assert x["remedy"] and x["detail"], x
        return answer

    def foreign(self, url, anchor=None):
        answer = self.verify(url, "--root", str(self.roots), anchor=anchor)
        return {x["check"]: (x["result"], x["detail"]) for x in answer["results"]}


def rows(answer, check, vserver=None):
    return [(x["result"], x["detail"]) for x in answer["results"] if x["check"] == check and vserver in (None, x["vserver"])]


def test_all_of_ours():
    s, port = scene, scene.server.port("smtp")
    # what belongs into DNS, verify says itself
    s.dns.serve(f"@ MX 10 {MX}.", f"mta-sts A {OURS}")
    answer = s.verify("smtp-default")
    (result, detail), = rows(answer, "mta-sts")
    assert result == "FAIL" and "_mta-sts" in detail, detail
    record = detail.split('"')[1]
    (result, detail), = rows(answer, "tlsa")
    assert result == "SKIP" and f"_{port}._tcp.{MX}" in detail, detail
    s.records = [f"@ MX 10 {MX}.", f"mta-sts A {OURS}", f'_mta-sts TXT "{record}"']
    s.tlsa = f"_{port}._tcp.mx TLSA 3 1 1 {s.leaf()}"
    s.dns.serve(*s.records, s.tlsa)
    answer = s.verify()
    assert answer["passed_all"], [x for x in answer["results"] if x["result"] == "FAIL"]
    assert rows(answer, "tlsa", "smtp-default") == [("PASS", f"3 1 1 of _{port}._tcp.{MX} fits, secured by DNSSEC")], rows(answer, "tlsa")
    assert rows(answer, "mta-sts") == [("PASS", f"{DOMAIN}: testing")], rows(answer, "mta-sts")
    assert rows(answer, "ehlo-name", "smtp-default") == [("PASS", MX)]
    good = rows(answer, "revoked")
    assert len(good) == 10 and all(r == "PASS" and "OCSP until" in d and "CRL until" in d for r, d in good), good
    logins = {x["vserver"]: x for x in answer["results"] if x["check"] == "login-certificate"}
    assert set(logins) == {"imap4-default", "pop3-default", "submission-default", "nntp-default", "http-default"}, set(logins)
    assert all(x["result"] == "PASS" and "by EXTERNAL" in x["detail"] for x in logins.values()), logins
    assert "there is no session" in logins["nntp-default"]["detail"]
    assert rows(answer, "article") and all(r == "PASS" for r, _ in rows(answer, "article") + rows(answer, "message-out") + rows(answer, "message-in"))
    assert not [w for w in answer["warnings"] if "own CA" in w], answer["warnings"]  # the policy only tests


def test_nothing_stays():
    s = scene
    s.verify()
    server = s.server
    assert [a["address"] for a in server.json("account", "list")] == [f"alice@{DOMAIN}", f"bob@{DOMAIN}"]
    assert [g["name"] for g in server.json("newsgroup", "list")] == ["local.test"]
    assert server.json("account", "cert", "list") == []
    assert [c for c in server.json("ca", "list", "--filter", "valid") if c["profile"] == "account"] == []
    assert [c["state"] for c in server.json("ca", "list", "--filter", "all") if c["profile"] == "account"].count("revoked") >= 1
    # and what a run that was ended has left goes with the next one; what is somebody's stays
    server.run("account", "add", f"sealpost-verify@{DOMAIN}", "--name", "made and removed by `sealpost verify`", "--password-stdin", input="x" * 12)
    server.run("newsgroup", "add", "sealpost.verify", "--description", "made and removed by `sealpost verify`")
    answer = s.verify()
    assert answer["passed_all"], [x for x in answer["results"] if x["result"] == "FAIL"]
    assert len(server.json("account", "list")) == 2 and len(server.json("newsgroup", "list")) == 1
    server.run("account", "add", f"sealpost-verify@{DOMAIN}", "--password-stdin", input="x" * 12)
    r = server.run("verify", "imap4-default", "--json", check=False)
    answer = json.loads(r.stdout)
    assert r.returncode == 1 and [w for w in answer["warnings"] if "is somebody's" in w], answer["warnings"]
    assert len(server.json("account", "list")) == 3
    server.run("account", "remove", f"sealpost-verify@{DOMAIN}")
    # two at once
    runs = [subprocess.Popen([server.bin / "sealpost", "--config", server.conf, "verify", "--json"], stdout=subprocess.PIPE) for _ in range(2)]
    for p in runs:
        out, _ = p.communicate(timeout=60)
        assert p.returncode == 0, [x for x in json.loads(out)["results"] if x["result"] == "FAIL"]
    assert len(server.json("account", "list")) == 2


def test_wrong_tlsa():
    s, port = scene, scene.server.port("smtp")
    good = s.leaf()
    s.dns.serve(*s.records, f"_{port}._tcp.mx TLSA 3 1 1 {'00' * 32}")
    (result, detail), = rows(s.verify("smtp-default"), "tlsa")
    assert result == "FAIL" and f"3 1 1 {good}" in detail, detail
    # one that fits is enough; of kinds that SMTP does not take none helps
    s.dns.serve(*s.records, f"_{port}._tcp.mx TLSA 3 1 1 {'00' * 32}", s.tlsa)
    assert rows(s.verify("smtp-default"), "tlsa")[0][0] == "PASS"
    s.dns.serve(*s.records, f"_{port}._tcp.mx TLSA 1 1 1 {good}")
    (result, detail), = rows(s.verify("smtp-default"), "tlsa")
    assert result == "FAIL" and "of a kind that senders take" in detail, detail
    # an anchor that does not fit: the answers are forged, as far as anybody can tell
    (result, detail), = rows(s.verify("smtp-default", anchor=s.dns.wrong), "tlsa")
    assert result == "FAIL" and "DNSSEC" in detail, detail
    # of another host, by its name
    s.dns.serve(*s.records, s.tlsa)
    found = s.foreign(f"smtp://{MX}:{port}")
    assert found["tlsa"][0] == "PASS" and found["mta-sts"] == ("PASS", f"{DOMAIN}: testing"), (found["tlsa"], found["mta-sts"])


def test_wrong_mta_sts():
    s, port = scene, scene.server.port("smtp")
    record = [r for r in s.records if "TXT" in r][0]
    others = [f"@ MX 10 {MX}.", f"mta-sts A {OTHERS}"]
    s.dns.serve(*others, record)
    (result, detail), = rows(s.verify("smtp-default", "--root", str(s.roots)), "mta-sts")
    assert result == "FAIL" and "serves another policy" in detail, detail
    s.dns.serve(*s.records[:2], '_mta-sts TXT "v=STSv1; id=1;"')
    (result, detail), = rows(s.verify("smtp-default"), "mta-sts")
    assert result == "FAIL" and "senders keep the old one" in detail and record.split('"')[1] in detail, detail
    # of another host: policies that have it, do not have it, are none, are not to be had
    s.dns.serve(*others, record)
    for policy, result, words in ((s.policy, "PASS", f"{DOMAIN}: enforce"), (s.policy.replace(MX, "*.example.test"), "PASS", "enforce"),
                                  (s.policy.replace(MX, "mx2.example.test"), "FAIL", "does not have the mail server mx.example.test"),
                                  (s.policy.replace("STSv1", "STSv2"), "FAIL", "its version is not STSv1")):
        s.policy, keep = policy, s.policy
        got = s.foreign(f"smtp://{MX}:{port}")["mta-sts"]
        s.policy = keep
        assert got[0] == result and words in got[1], (policy, got)
    s.dns.serve(*others, record, '_mta-sts TXT "v=STSv1; id=2;"')
    got = s.foreign(f"smtp://{MX}:{port}")["mta-sts"]
    assert got[0] == "FAIL" and "more than once" in got[1], got
    s.dns.serve(f"@ MX 10 {MX}.", "mta-sts A 127.0.0.68", record)
    got = s.foreign(f"smtp://{MX}:{port}")["mta-sts"]
    assert got[0] == "FAIL" and "no connection" in got[1], got
    # trusted by nobody
    r = s.server.run("verify", f"smtp://{MX}:{port}", "--root", s.server.ca_file, "--json", "--resolver", f"127.0.0.1@{s.dns.port}", check=False)
    s.dns.serve(*others, record)
    r = s.server.run("verify", f"smtp://{MX}:{port}", "--root", s.server.ca_file, "--json", "--resolver", f"127.0.0.1@{s.dns.port}", check=False)
    got, = rows(json.loads(r.stdout), "mta-sts")
    assert got[0] == "FAIL" and "not trusted" in got[1], got


def test_enforce_and_the_own_ca():
    s = scene
    text = s.server.conf.read_text()
    s.server.conf.write_text(text.replace('mode = "testing"', 'mode = "enforce"'))
    s.server.run("reload")
    warnings = s.server.json("verify", "smtp-default")["warnings"]
    assert [w for w in warnings if "is of the own CA" in w and "smtp-default" in w], warnings
    # a policy that keeps senders out is refused, before anything runs with it
    s.server.conf.write_text(text.replace('mode = "testing"', 'mode = "enforce"; mx = ("mail.example.test")'))
    r = s.server.run("check-config", check=False)
    assert r.returncode == 1 and "has none of the names of virtual server smtp-default: senders would not deliver to it" in r.stdout + r.stderr, r.stdout + r.stderr
    assert s.server.run("reload", check=False).returncode == 1
    s.server.conf.write_text(text)
    s.server.run("reload")


def test_certificates_that_wait():
    """Where certificates of accounts wait for an officer, none is asked for: the request would stay."""
    s = scene
    text = s.server.conf.read_text()
    s.server.conf.write_text('ca_officer = ( "account" );\n' + text)
    s.server.run("reload")
    answer = s.server.json("verify", "imap4-default")
    assert [w for w in answer["warnings"] if "wait for approval" in w], answer["warnings"]
    assert all(r == "SKIP" for r, _ in rows(answer, "login-certificate")) and s.server.json("ca", "pending") == []
    s.server.conf.write_text(text)
    s.server.run("reload")


def test_without_dns():
    begin = time.monotonic()
    answer = json.loads(scene.server.run("verify", "smtp-default", "--json", "--resolver", "127.0.0.1@9").stdout)
    assert rows(answer, "tlsa") == rows(answer, "mta-sts") == [("SKIP", "DNS does not answer")], (rows(answer, "tlsa"), rows(answer, "mta-sts"))
    assert time.monotonic() - begin < 30


def test_revoked():
    s, web = scene, scene.web
    crl, ocsp = f"crlDistributionPoints=URI:{web.url}/list.crl\n", f"authorityInfoAccess=OCSP;URI:{web.url}/ocsp\n"
    s.ca.make("by-list", "issuing", "leaf", more=crl)
    s.ca.make("by-ocsp", "issuing", "leaf", more=ocsp)
    s.ca.make("by-both", "issuing", "leaf", more=crl + ocsp)
    s.ca.make("stapled", "issuing", "leaf", more="1.3.6.1.5.5.7.1.24=DER:30:03:02:01:05\n")
    s.ca.more = ""
    names = ["by-list", "by-ocsp", "by-both", "stapled"]

    def look(name):
        with Proxy(terminate(s.ca.context(name), s.server.port("imaps"))) as p:
            return s.foreign(f"imaps://localhost:{p.port}")["revoked"]

    s.ca.index(*names)
    web.answers["/list.crl"], web.answers["/ocsp"] = s.ca.crl(), s.ca.ocsp
    for name, words in (("by-list", "CRL until"), ("by-ocsp", "OCSP"), ("by-both", "CRL until")):
        got = look(name)
        assert got[0] == "PASS" and words in got[1], (name, got)
    # one of two sources is enough for a server of others
    web.answers["/ocsp"] = None
    got = look("by-both")
    assert got[0] == "PASS" and "404" in got[1], got
    got = look("by-ocsp")
    assert got[0] == "FAIL" and "404" in got[1], got
    web.answers["/ocsp"] = s.ca.ocsp
    s.ca.index(*names, revoked=names)
    web.answers["/list.crl"] = s.ca.crl()
    for name in ("by-list", "by-ocsp", "by-both"):
        got = look(name)
        assert got[0] == "FAIL" and "was revoked on 2024-06-01 00:00 UTC (keyCompromise)" in got[1], (name, got)
    # a list of another CA, and no answer at all
    web.answers["/list.crl"] = s.ca.crl("root")
    got = look("by-list")
    assert got[0] == "FAIL" and "not signed by the CA" in got[1], got
    web.answers["/list.crl"] = b"<html>"
    got = look("by-list")
    assert got[0] == "FAIL" and "no list of revoked certificates" in got[1], got
    got = look("stapled")
    assert got[0] == "FAIL" and "demands a stapled OCSP answer" in got[1], got


def test_stapled():
    s = scene
    s.ca.context("stapled")
    s.ca.openssl("ocsp", "-issuer", "issuing.pem", "-cert", "stapled.pem", "-no_nonce", "-reqout", "staple.question")
    for revoked, result, words in (((), "PASS", "stapled OCSP"), (("stapled",), "FAIL", "was revoked")):
        s.ca.index("stapled", revoked=revoked)
        answer = s.ca.ocsp((s.ca.folder / "staple.question").read_bytes())
        (s.ca.folder / "staple.der").write_bytes(answer)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        p = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-cert", "stapled.pem", "-key", "stapled.key", "-cert_chain", "issuing.pem",
                              "-status_file", "staple.der", "-no_tls1_1"], cwd=s.ca.folder,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for("s_server listens", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
            got = s.foreign(f"https://localhost:{port}")["revoked"]
        finally:
            p.terminate()
            p.wait()
        assert got[0] == result and words in got[1], got


def test_issuer_that_is_not_trusted():
    """Whether a certificate is revoked is one thing, whether its root is trusted another."""
    s, web = scene, scene.web
    s.ca.index("by-both")
    web.answers["/list.crl"], web.answers["/ocsp"] = s.ca.crl(), s.ca.ocsp
    other = ["--root", s.server.ca_file]
    with Proxy(terminate(s.ca.context("by-both"), s.server.port("imaps"))) as p:
        answer = s.verify(f"imaps://localhost:{p.port}", *other)
        (chain,), (revoked,) = rows(answer, "chain"), rows(answer, "revoked")
        assert chain[0] == "FAIL" and "not trusted here" in chain[1] and revoked[0] == "PASS" and "OCSP" in revoked[1], (chain, revoked)
    # nobody can say whose word would count
    with Proxy(terminate(s.ca.context("alone", chain=()), s.server.port("imaps"))) as p:
        (revoked,) = rows(s.verify(f"imaps://localhost:{p.port}", *other), "revoked")
        assert revoked[0] == "SKIP" and "leak issuing" in revoked[1] and "neither sent nor trusted" in revoked[1], revoked
    # as `openssl req -x509` makes it: no extended key usage, and CA:TRUE
    s.ca.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "self.key", "-out", "self.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    for roots, words in ((s.server.ca_file, "signed by itself"), (s.ca.folder / "self.pem", "a CA's own (basic constraints CA:TRUE)")):
        with Proxy(terminate(s.ca.context("self", chain=()), s.server.port("imaps"))) as p:
            answer = s.verify(f"imaps://localhost:{p.port}", "--root", str(roots))
        (chain,), (revoked,) = rows(answer, "chain"), rows(answer, "revoked")
        assert chain[0] == "FAIL" and words in chain[1], chain
        assert revoked[0] == "SKIP" and "signed by itself" in revoked[1], revoked


def test_root_that_was_given():
    """A certificate of another CA is trusted as it was when it was installed."""
    s, server = scene, scene.server
    key = server.folder / "external.key"
    request = server.folder / "external.csr"
    server.run("cert", "request", "pop3-default", "--out", str(request), "--common-name", "localhost", "--dns", "localhost", "--ip", "127.0.0.1,::1")
    ext = s.ca.folder / "external.ext"
    ext.write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
    s.ca.openssl("x509", "-req", "-in", str(request), "-CA", "issuing.pem", "-CAkey", "issuing.key", "-set_serial", "77", "-days", "30", "-extfile", "external.ext", "-out", "external.pem")
    (s.ca.folder / "answer.pem").write_text((s.ca.folder / "external.pem").read_text() + s.ca.issuing.read_text())
    server.run("cert", "install", "pop3-default", str(s.ca.folder / "answer.pem"), "--root", str(s.ca.root), "--yes")
    assert not key.exists()
    wait_for("it is in service", lambda: server.json("cert", "show", "pop3-default")["current"]["source"] == "external CA", 20)
    answer = s.verify("pop3-default")
    chains = rows(answer, "chain")
    assert answer["passed_all"] and all(r == "PASS" for r, _ in chains), [x for x in answer["results"] if x["result"] == "FAIL"]


def test_names_that_are_new():
    """Directly after a reload the certificate may be of before, be replaced while it is looked at, or be the new one: it is told as what it is."""
    s, server = scene, scene.server
    text = server.conf.read_text()
    for n in range(4):
        name = f"new{n}.localhost"
        server.conf.write_text(text.replace('name = "nntp-default";', f'name = "nntp-default"; names = ( "localhost", "{name}" );'))
        server.run("reload")
        failed = [x for x in s.verify("nntp-default")["results"] if x["result"] == "FAIL"]
        for x in failed:
            assert x["check"] == "names" and name in x["detail"] and "of the earlier names" in x["detail"], failed
            assert "look again in a moment" in x["remedy"] or "replaced meanwhile" in x["remedy"], failed
        wait_for("the certificate has the name", lambda: s.verify("nntp-default")["passed_all"], 20)
    server.conf.write_text(text)
    server.run("reload")


with Scene() as scene:
    main(test_all_of_ours, test_nothing_stays, test_wrong_tlsa, test_wrong_mta_sts, test_enforce_and_the_own_ca, test_certificates_that_wait, test_without_dns, test_revoked, test_stapled, test_issuer_that_is_not_trusted, test_names_that_are_new, test_root_that_was_given)
