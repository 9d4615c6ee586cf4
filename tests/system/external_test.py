#!/usr/bin/env python3
"""external_test.py BIN_FOLDER: certificates of accounts, with the clients of Debian: issued as PKCS#12 and .mobileconfig, mapped by key, serial
number, mail address and UPN; SASL EXTERNAL in IMAP, POP3, SMTP, NNTP and over HTTP; ignored, accepted, required; a trust list of its own;
revoked, expired and foreign ones."""
import imaplib
import os
import pathlib
import plistlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from sealpost import Server, wait_for

s = None
tmp = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-external."))
WORD = "correct horse"


def openssl(*words, input=None):
    r = subprocess.run(["openssl", *map(str, words)], input=input, capture_output=True, timeout=60)
    if r.returncode:
        raise AssertionError(f"openssl {' '.join(map(str, words))}: {r.stderr.decode()}")
    return r.stdout


def issue(account, name, *more, suffix="p12"):
    """A certificate of the own CA; PEM of certificate, chain and key."""
    file = tmp / f"{account}-{name}.{suffix}"
    s.run("account", "cert", "issue", s.address(account), "--name", name, "--out", str(file), "--passphrase-stdin", *more, input=WORD)
    return file


def pem_of(p12):
    pem = tmp / (p12.stem + ".pem")
    pem.write_bytes(openssl("pkcs12", "-in", p12, "-passin", "pass:" + WORD, "-nodes"))
    return pem


def alone(pem):
    """As many clients send it: the certificate, and nothing that stands above it."""
    text = pem.read_text()
    blocks = re.findall(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n", text, re.S)
    parts = re.findall(r"(-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n)", text, re.S)
    assert blocks.count("CERTIFICATE") > 1, "there is an issuer that can be left out"
    out = pem.with_name(pem.stem + "-alone.pem")
    out.write_text(parts[blocks.index("CERTIFICATE")] + "".join(p for p, b in zip(parts, blocks) if "KEY" in b))
    return out


class Foreign:
    """A CA that is not ours."""

    def __init__(self, name):
        self.name, self.folder = name, tmp / name
        self.folder.mkdir()
        self.key, self.pem, self.count = self.folder / "ca.key", self.folder / "ca.pem", 16
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out", self.pem,
                "-subj", f"/CN={name}", "-days", "30", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        (self.folder / "index.txt").write_text("")
        (self.folder / "crlnumber").write_text("01\n")
        (self.folder / "ca.conf").write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.folder}/index.txt\ncrlnumber={self.folder}/crlnumber\n"
            f"certificate={self.pem}\nprivate_key={self.key}\ndefault_md=sha256\ndefault_crl_days=7\n")

    def below(self, name):
        one = object.__new__(Foreign)
        one.name, one.folder, one.count = name, tmp / name, 16
        one.folder.mkdir()
        one.key, request, one.pem = (one.folder / n for n in ("ca.key", "ca.csr", "ca.pem"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", one.key, "-out", request, "-subj", f"/CN={name}")
        (one.folder / "ext").write_text("basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n")
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-set_serial", 9, "-days", "20", "-extfile", one.folder / "ext", "-out", one.pem)
        return one

    def sign(self, cn, san=None, end=False):
        self.count += 1
        key, request, leaf, ext = (self.folder / f"{cn}.{e}" for e in ("key", "csr", "crt", "ext"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={cn}")
        ext.write_text("extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature\n" + (f"subjectAltName={san}\n" if san else ""))
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-set_serial", self.count, "-out", leaf, "-extfile", ext,
                *(["-days", "10"] if not end else ["-days", "-1"]))
        both = self.folder / f"{cn}.pem"
        both.write_bytes(leaf.read_bytes() + key.read_bytes())
        return both

    def crl(self, *revoked):
        for one in revoked:
            openssl("ca", "-config", self.folder / "ca.conf", "-revoke", one)
        out = self.folder / "ca.crl"
        openssl("ca", "-config", self.folder / "ca.conf", "-gencrl", "-out", out)
        return out.read_bytes()


def context(pem=None):
    c = ssl.create_default_context(cafile=s.ca_file)
    if pem:
        c.load_cert_chain(pem)
    return c


def imap_external(pem, authzid=b"", port="imaps"):
    """The account that it is, or the refusal."""
    try:
        c = imaplib.IMAP4_SSL("localhost", s.port(port), ssl_context=context(pem), timeout=20)
    except (ssl.SSLError, ConnectionError, imaplib.IMAP4.error, OSError) as e:
        return f"handshake: {e}"
    try:
        if "AUTH=EXTERNAL" not in c.capabilities:
            return "not offered"
        c.authenticate("EXTERNAL", lambda challenge: authzid)
        c.select("INBOX")
        return "in"
    except imaplib.IMAP4.error as e:
        return f"refused: {e}"
    finally:
        try:
            c.logout()
        except Exception:
            pass


def curl(*words):
    return subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", s.ca_file, *map(str, words)], capture_output=True, text=True)


def set_conf(mode, trust='"own-ca"', vservers=("imap4-default", "pop3-default", "submission-default", "nntp-default", "http-default")):
    for v in vservers:
        s.vserver_extra[v] = f' client_certificates = "{mode}"; client_trust = [ {trust} ];'
    s.write_conf()
    s.run("reload")
    time.sleep(0.5)


def log_says(text, since=0):
    wait_for(f"{text!r} in the log", lambda: text in s.log.read_text(errors="replace")[since:])


def ignored_by_default(pem):
    assert imap_external(pem) == "not offered", imap_external(pem)


def every_protocol(p12, pem):
    assert imap_external(pem) == "in", imap_external(pem)
    assert imap_external(pem, b"alice@example.test") == "in"
    assert imap_external(pem, b"bob@example.test").startswith("refused: "), "as somebody else"
    cert = ("--cert", f"{p12}:{WORD}", "--cert-type", "P12")
    user = ("--login-options", "AUTH=EXTERNAL", "--user", s.address("alice") + ":")
    # IMAP, POP3, SMTP, HTTP by curl, implicit TLS
    r = curl(f"imaps://localhost:{s.port('imaps')}/INBOX", "-X", "EXAMINE INBOX", *cert, *user)
    assert r.returncode == 0, r.stderr
    r = curl(f"pop3s://localhost:{s.port('pop3s')}/", *cert, *user)
    assert r.returncode == 0, r.stderr
    message = tmp / "message"
    message.write_text("From: alice@example.test\r\nTo: bob@example.test\r\nSubject: by certificate\r\n\r\nHello\r\n")
    r = curl(f"smtps://localhost:{s.port('submissions')}", "--mail-from", s.address("alice"), "--mail-rcpt", s.address("bob"), "-T", message, *cert, *user)
    assert r.returncode == 0, r.stderr
    r = curl(f"https://localhost:{s.port('https')}/account", *cert)
    assert '"alice@example.test"' in r.stdout, r.stdout + r.stderr
    r = curl("-w", "%{http_code}", f"https://localhost:{s.port('https')}/account")
    assert r.stdout.endswith("403"), r.stdout
    # with a password in place of the certificate nothing has changed
    assert s.imap("bob").select("INBOX")[0] == "OK"
    # NNTP after STARTTLS, by openssl
    words = ["openssl", "s_client", "-quiet", "-connect", f"localhost:{s.port('nntp')}", "-starttls", "nntp", "-CAfile", s.ca_file, "-cert", pem, "-cert_chain", pem]
    r = subprocess.run(words, input=b"AUTHINFO SASL EXTERNAL =\r\nGROUP local.test\r\nQUIT\r\n", capture_output=True, timeout=20)
    assert b"281 " in r.stdout and b"211 " in r.stdout, r.stdout + r.stderr
    # TLS 1.2 and 1.3; and a resumed session, in which no certificate is sent again
    for v in ("-tls1_2", "-tls1_3"):
        saved = tmp / f"session{v}"
        for turn in (["-sess_out", saved], ["-sess_in", saved]):
            words = ["openssl", "s_client", "-connect", f"localhost:{s.port('imaps')}", "-CAfile", s.ca_file, "-cert", pem, "-cert_chain", pem, v, "-ign_eof", *map(str, turn)]
            r = subprocess.run(words, input=b"a AUTHENTICATE EXTERNAL =\r\nb LOGOUT\r\n", capture_output=True, timeout=20)
            assert b"a OK" in r.stdout, r.stdout + r.stderr
            if "-sess_in" in turn:
                assert b"Reused, TLS" in r.stdout, r.stdout


def without_its_issuers(pem):
    one = alone(pem)
    assert imap_external(one) == "in", imap_external(one)
    for v in ("-tls1_2", "-tls1_3"):
        words = ["openssl", "s_client", "-connect", f"localhost:{s.port('imaps')}", "-CAfile", s.ca_file, "-cert", one, "-key", one, v, "-ign_eof"]
        r = subprocess.run(words, input=b"a AUTHENTICATE EXTERNAL =\r\nb LOGOUT\r\n", capture_output=True, timeout=20)
        assert b"a OK" in r.stdout, r.stdout + r.stderr
        # clients choose by that list which certificate to send
        assert b"CN = Test Issuing CA 1" in r.stdout[r.stdout.index(b"Acceptable client certificate CA names"):], r.stdout
    # of an issuing CA that is not in use any more, as well
    s.run("ca", "rollover")
    assert imap_external(one) == "in"
    newer = pem_of(issue("bob", "newer"))
    wait_for("one of the new CA", lambda: imap_external(alone(newer), b"bob@example.test") == "in")
    shown = s.json("vserver", "show", "imap4-default")["client_certificates"]["trusted"]
    assert [t["subject"] for t in shown] == ["CN=Test Root CA 1,O=Test"], shown


def several_with_names(first):
    listed = s.json("account", "cert", "list", s.address("alice"))
    assert [r["name"] for r in listed] == ["laptop"] and listed[0]["state"] == "valid" and listed[0]["issued"], listed
    r = s.run("account", "cert", "issue", s.address("alice"), "--name", "laptop", "--out", str(tmp / "x.p12"), "--passphrase-stdin", input=WORD, check=False)
    assert r.returncode == 1 and "laptop" in r.stderr, r.stderr
    r = s.run("account", "cert", "issue", s.address("alice"), "--name", "lap\ntop", "--out", str(tmp / "x.p12"), "--passphrase-stdin", input=WORD, check=False)
    assert r.returncode == 1 and "no name" in r.stderr, r.stderr
    valid = [r for r in s.json("ca", "list") if "alice" in str(r)]
    assert len(valid) == 1, f"what is refused is not issued: {valid}"
    # a profile for telephones
    profile = plistlib.loads(issue("alice", "phone", suffix="mobileconfig").read_bytes())
    kinds = {p["PayloadType"]: p["PayloadContent"] for p in profile["PayloadContent"]}
    (tmp / "phone.p12").write_bytes(kinds["com.apple.security.pkcs12"])
    assert imap_external(pem_of(tmp / "phone.p12")) == "in"
    openssl("x509", "-inform", "DER", "-noout", input=kinds["com.apple.security.root"])
    # the key of one's own, by a request
    key, request, leaf = tmp / "own.key", tmp / "own.csr", tmp / "own.crt"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=whatever")
    s.run("account", "cert", "issue", s.address("bob"), "--name", "own key", "--request", str(request), "--out", str(leaf))
    both = tmp / "own.pem"
    both.write_bytes(leaf.read_bytes() + key.read_bytes())
    assert imap_external(both, b"bob@example.test") == "in"
    assert imap_external(both, b"alice@example.test").startswith("refused")
    # keyd keeps no key that was handed out
    assert not list((s.data / "keys").glob("*account*")), list((s.data / "keys").iterdir())
    shown = s.run("vserver", "show", "imap4-default").stdout
    assert "accept" in shown and "alice" in shown, shown


def sessions_that_wait(pem):
    """Logged in with it: POP3 and SMTP between two commands, IMAP in IDLE. What is to be called when they must be over."""
    waiting = []
    for port, lines, farewell in (("pop3s", [b"AUTH EXTERNAL ="], b"-ERR"), ("submissions", [b"EHLO x", b"AUTH EXTERNAL ="], b"421 "),
                                  ("imaps", [b"a AUTHENTICATE EXTERNAL =", b"b SELECT INBOX", b"c IDLE"], b"* BYE")):
        c = context(pem).wrap_socket(socket.create_connection(("localhost", s.port(port)), timeout=20), server_hostname="localhost")
        f = c.makefile("rb")
        f.readline()
        for line in lines:
            c.sendall(line + b"\r\n")
            while True:
                got = f.readline()
                if got[:4] in (b"250-", b"* OK") or got[:2] == b"* ":
                    continue
                assert not got.startswith((b"-ERR", b"5", b"a NO", b"b NO")), (port, line, got)
                break
        waiting.append((port, c, f, farewell))

    def over(what):
        for port, c, f, farewell in waiting:
            try:
                said = f.readline()
            except TimeoutError:
                said = b"nothing"
            assert said.startswith(farewell) and b"the account has changed" in said, f"{port} after {what}: {said}"
            c.close()

    return over


def revoked_and_unmapped(pem):
    phone = tmp / "phone.pem"
    c = imaplib.IMAP4_SSL("localhost", s.port("imaps"), ssl_context=context(phone), timeout=20)
    c.authenticate("EXTERNAL", lambda x: b"")
    s.run("account", "cert", "revoke", s.address("alice"), "phone")
    assert imap_external(phone).startswith("refused"), imap_external(phone)
    assert imap_external(pem) == "in"
    # a certificate that is revoked at the CA alone is refused as well
    tablet = issue("alice", "tablet")
    serial = {r["name"]: r["serial"] for r in s.json("account", "cert", "list", s.address("alice"))}["tablet"]
    tablet = pem_of(tablet)
    assert imap_external(tablet) == "in"
    ended = sessions_that_wait(tablet)
    s.run("ca", "revoke", serial, "--reason", "certificateHold")
    ended("the revocation at the CA")
    assert imap_external(tablet).startswith("refused")
    log_says("the certificate is revoked")
    s.run("ca", "unhold", serial)
    assert imap_external(tablet) == "in"
    # authd hears nothing of it, and asks when it is back
    ended = sessions_that_wait(tablet)
    os.kill(next(p["pid"] for p in s.processes() if p["role"] == "authd"), signal.SIGKILL)
    s.run("ca", "revoke", serial, "--reason", "certificateHold")
    ended("a revocation while authd was away")
    s.run("ca", "unhold", serial)
    wait_for("authd is back", lambda: imap_external(tablet) == "in")
    ended = sessions_that_wait(tablet)
    s.run("account", "cert", "unmap", s.address("alice"), "tablet")
    ended("unmap")
    assert imap_external(tablet).startswith("refused")
    log_says("the certificate stands for no account")


def unknown_ones_do_no_harm(foreign):
    stranger = foreign.sign("stranger", san="email:alice@example.test")
    assert imap_external(stranger) == "not offered", imap_external(stranger)
    c = imaplib.IMAP4_SSL("localhost", s.port("imaps"), ssl_context=context(stranger), timeout=20)
    c.login(s.address("alice"), s.passwords["alice"])
    c.logout()
    r = s.run("account", "cert", "map", s.address("alice"), str(stranger.with_suffix(".crt")), "--name", "stranger")
    assert imap_external(stranger) == "not offered", "a mapping is no trust"
    s.run("account", "cert", "unmap", s.address("alice"), "stranger")


def mapped_of_another_ca(foreign, pem):
    by_key, by_serial = foreign.sign("by-key"), foreign.sign("by-serial")
    by_mail, by_upn = foreign.sign("by-mail", san="email:A.Lice@corp.example"), foreign.sign("by-upn", san="otherName:msUPN;UTF8:bob@example.test")
    late = foreign.sign("late", end=True)
    gone = foreign.sign("gone")
    trust = s.data / "certs" / "trust"
    trust.mkdir(exist_ok=True)
    trust.chmod(0o755)
    (trust / "partner.pem").write_bytes(foreign.pem.read_bytes() + foreign.crl(gone.with_suffix(".crt")))
    (trust / "partner.pem").chmod(0o644)
    alice, bob = s.address("alice"), s.address("bob")
    s.run("account", "cert", "map", alice, str(by_key.with_suffix(".crt")), "--name", "k")
    s.run("account", "cert", "map", alice, str(by_serial.with_suffix(".crt")), "--name", "s", "--by", "serial")
    s.run("account", "cert", "map", alice, str(by_mail.with_suffix(".crt")), "--name", "m", "--by", "email")
    s.run("account", "cert", "map", "*", str(foreign.pem), "--name", "corp", "--by", "upn")
    for one, name in ((late, "late"), (gone, "gone")):
        s.run("account", "cert", "map", alice, str(one.with_suffix(".crt")), "--name", name)
    set_conf("accept", '"partner.pem"')
    # the list replaces whatever was trusted before: our own CA is not in it
    wait_for("the new list", lambda: imap_external(by_key) == "in")
    assert imap_external(pem) == "not offered", imap_external(pem)
    for one in (by_key, by_serial, by_mail):
        assert imap_external(one, b"alice@example.test") == "in", (one, imap_external(one))
    assert imap_external(by_upn, b"bob@example.test") == "in"
    assert imap_external(by_upn, b"alice@example.test").startswith("refused")
    assert imap_external(late) == "not offered" and imap_external(gone) == "not offered"
    log_says("certificate has expired")
    log_says("certificate revoked")
    # one between: it leads to the root, and is none
    below = foreign.below("Partner Branch")
    branch = below.sign("branch")
    s.run("account", "cert", "map", alice, str(branch.with_suffix(".crt")), "--name", "b")
    (trust / "branch.pem").write_bytes(below.pem.read_bytes())
    (trust / "branch.pem").chmod(0o644)
    set_conf("accept", '"branch.pem"')
    log_says("client_trust: branch.pem holds no root")
    assert imap_external(branch) == "not offered", imap_external(branch)
    set_conf("accept", '"partner.pem", "branch.pem"')
    wait_for("a path by the one between", lambda: imap_external(branch) == "in")
    set_conf("accept", '"own-ca", "partner.pem"')
    wait_for("both", lambda: imap_external(pem) == "in" and imap_external(by_key) == "in")
    # a list that is not there is refused; one that cannot be read is none
    set_one = lambda trust: s.vserver_extra.__setitem__("imap4-default", f' client_certificates = "accept"; client_trust = [ {trust} ];')
    set_one('"typo.pem"')
    s.write_conf()
    r = s.run("reload", check=False)
    assert r.returncode != 0 and "typo.pem" in r.stdout + r.stderr, r.stdout + r.stderr
    assert imap_external(pem) == "in", "the old configuration stays"
    (trust / "typo.pem").write_text("no certificate\n")
    (trust / "typo.pem").chmod(0o644)
    s.run("reload")
    wait_for("nobody is trusted", lambda: imap_external(pem) == "not offered" and imap_external(by_key) == "not offered")
    shown = s.json("vserver", "show", "imap4-default")["client_certificates"]
    assert shown["trusted"] == [] and "this is no certificate" in shown["problem"], shown
    set_one('"partner.pem"')
    s.write_conf()
    s.run("reload")
    wait_for("mended", lambda: imap_external(by_key) == "in")
    shown = s.json("vserver", "show", "imap4-default")
    assert "problem" not in shown["client_certificates"], shown
    assert "bob" not in shown["logins"] and "alice" in shown["logins"], shown["logins"]
    set_one('"own-ca", "partner.pem"')
    s.write_conf()
    s.run("reload")
    wait_for("both again", lambda: imap_external(pem) == "in" and imap_external(by_key) == "in")
    shown = s.json("vserver", "show", "imap4-default")
    assert len(shown["client_certificates"]["trusted"]) == 2, shown["client_certificates"]
    return by_key, late, gone


def required(pem, foreign, late, gone):
    set_conf("require", '"own-ca", "partner.pem"', vservers=("imap4-default",))
    wait_for("required", lambda: imap_external(None).startswith("handshake"))
    assert imap_external(pem) == "in"
    since = len(s.log.read_text(errors="replace"))
    assert imap_external(None).startswith("handshake")
    log_says("did not return a certificate", since)
    for one, why in ((late, "certificate has expired"), (gone, "certificate revoked"), (Foreign("Nobody").sign("nobody"), "unable to get local issuer")):
        since = len(s.log.read_text(errors="replace"))
        assert imap_external(one).startswith("handshake"), imap_external(one)
        log_says(why, since)
    for v in ("-tls1_2", "-tls1_3"):
        r = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{s.port('imaps')}", "-CAfile", s.ca_file, v, "-ign_eof"], input=b"", capture_output=True, timeout=20)
        assert b"alert" in r.stderr + r.stdout, (v, r.stderr)
    # revoked by our CA: the handshake is done, the session is told why and ended
    card = pem_of(issue("bob", "card"))
    assert imap_external(card, b"bob@example.test") == "in"
    s.run("account", "cert", "revoke", s.address("bob"), "card")
    result = imap_external(card)
    assert result.startswith("handshake"), result
    log_says("is refused: the certificate is revoked")
    with socket.create_connection(("localhost", s.port("imaps")), timeout=20) as raw, context(card).wrap_socket(raw, server_hostname="localhost") as c:
        assert b"* BYE" in c.recv(1000)


def main():
    global s
    with Server(sys.argv[1]) as s:
        foreign = Foreign("Partner CA")
        p12 = issue("alice", "laptop")
        pem = pem_of(p12)
        ignored_by_default(pem)
        set_conf("accept")
        wait_for("EXTERNAL is offered", lambda: imap_external(pem) != "not offered")
        every_protocol(p12, pem)
        without_its_issuers(pem)
        several_with_names(pem)
        revoked_and_unmapped(pem)
        unknown_ones_do_no_harm(foreign)
        by_key, late, gone = mapped_of_another_ca(foreign, pem)
        required(pem, foreign, late, gone)
    print("external: ok")


main()
