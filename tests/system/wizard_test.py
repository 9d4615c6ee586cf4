#!/usr/bin/env python3
"""Certificates from elsewhere: requests that wait, answers of another CA and all that may be wrong with them, imports and exports, the ways
back; and the wizard at a terminal. OpenSSL plays the other CA and the other programs."""
import imaplib
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import terminal
from sealpost import Server, main, wait_for

server = None
work = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-wizard."))


def openssl(*words, input=None, check=True):
    r = subprocess.run(["openssl", *map(str, words)], input=input, capture_output=True, timeout=60, cwd=work)
    assert not check or r.returncode == 0, (words, r.stderr)
    return r.stdout.decode(errors="replace")


class CA:
    """A CA that is not ours: a root and one below it."""

    def __init__(self, name):
        self.name = name
        self.root, self.issuing = work / f"{name}-root.pem", work / f"{name}-issuing.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key("root"), "-out", self.root,
                "-subj", f"/O={name}/CN={name} root", "-days", "3650", "-addext", "basicConstraints=critical,CA:true",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key("issuing"), "-out", work / "i.csr",
                "-subj", f"/O={name}/CN={name} issuing")
        (work / "i.ext").write_text("basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
                                    "authorityKeyIdentifier=keyid\n")
        openssl("x509", "-req", "-in", work / "i.csr", "-CA", self.root, "-CAkey", self.key("root"), "-CAcreateserial", "-days", "1800",
                "-extfile", work / "i.ext", "-out", self.issuing)

    def key(self, which):
        return work / f"{self.name}-{which}.key"

    def sign(self, request, out, names="DNS:localhost", usage="serverAuth", start=None, end=None, issuer=None, key=None, basic="CA:false"):
        """The answer to a request, PEM."""
        (work / "l.cnf").write_text(f"""[ca]
default_ca = d
[d]
database = {work}/db
new_certs_dir = {work}
serial = {work}/serial
default_md = sha256
policy = p
copy_extensions = none
x509_extensions = x
unique_subject = no
[p]
commonName = optional
organizationName = optional
organizationalUnitName = optional
countryName = optional
stateOrProvinceName = optional
localityName = optional
[x]
basicConstraints = critical,{basic}
keyUsage = critical,digitalSignature
extendedKeyUsage = {usage}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
{"subjectAltName = " + names if names else ""}
""")
        (work / "db").write_text("")
        (work / "serial").write_text(os.urandom(8).hex().upper().replace("8", "7", 1))
        when = lambda days: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))
        openssl("ca", "-batch", "-config", work / "l.cnf", "-in", request, "-cert", issuer or self.issuing, "-keyfile", key or self.key("issuing"),
                "-startdate", when(-1 if start is None else start), "-enddate", when(90 if end is None else end), "-notext", "-out", out)
        return out


def der(pem, name):
    out = work / name
    openssl("x509", "-in", pem, "-outform", "DER", "-out", out)
    return out


def p7b(name, *pems):
    out = work / name
    openssl("crl2pkcs7", "-nocrl", *[w for p in pems for w in ("-certfile", p)], "-outform", "DER", "-out", out)
    return out


def chain(name, *pems):
    out = work / name
    out.write_text("".join(p.read_text() for p in pems))
    return out


def served(port="imaps", cafile=None):
    """Serial, whether the chain leads to that root, and how long the chain is."""
    context = ssl.create_default_context(cafile=str(cafile or server.ca_file))
    with socket.create_connection(("127.0.0.1", server.port(port)), timeout=10) as s:
        with context.wrap_socket(s, server_hostname="localhost") as t:
            return t.getpeercert()["serialNumber"].lower().lstrip("0")


def serial_of(pem):
    return openssl("x509", "-in", pem, "-noout", "-serial").split("=")[1].strip().lower().lstrip("0")


def refused(*words, saying, input=None):
    r = server.run(*words, check=False, input=input)
    text = " ".join((r.stderr + r.stdout).split())
    assert r.returncode == 1, (words, r.returncode, text)
    assert re.search(saying, text), (words, text)
    assert "Traceback" not in text and len(text) < 1200
    return text


def state(vserver="imap4-default"):
    return server.json("cert", "show", vserver)


def keys():
    return set(p.name for p in (server.data / "keys").iterdir())


fresh_number = [0]


def request(vserver="imap4-default", *more, name=None):
    server.run("cert", "cancel", vserver, check=False)  # what a test before this one left pending
    fresh_number[0] += 1
    out = name or work / f"certreq-{fresh_number[0]}.txt"
    server.run("cert", "request", vserver, "--out", str(out), "--dns", "localhost", *more)
    return out


# ---------------------------------------------------------------- requests

def request_is_pending_and_survives():
    before = served()
    out = work / "certreq.txt"
    server.run("cert", "request", "imap4-default", "--out", str(out), "--common-name", "localhost", "--dns", "mail.example.test,localhost", "--ip", "127.0.0.1",
               "--organization", "Contoso", "--unit", "Mail", "--country", "us", "--state", "Washington", "--city", "Redmond", "--name", "My certificate",
               "--key-type", "rsa2048")
    text = openssl("req", "-in", out, "-noout", "-verify", "-text", "-nameopt", "RFC2253,utf8")
    for part in ("CN=localhost", "O=Contoso", "OU=Mail", "C=US", "ST=Washington", "L=Redmond", "DNS:localhost, DNS:mail.example.test, IP Address:127.0.0.1",
                 "Public-Key: (2048 bit)"):
        assert part in text, (part, text)
    shown = server.json("cert", "pending", "imap4-default")
    assert shown["name"] == "My certificate" and shown["pem"] == out.read_text() and shown["names"] == ["localhost", "mail.example.test", "127.0.0.1"]
    row = next(r for r in server.json("cert", "list") if r["vserver"] == "imap4-default")
    assert row["state"] == "live" and row["next"] == "pending", row
    refused("cert", "request", "imap4-default", "--out", str(work / "other.txt"), saying="pending already.*cert cancel")
    refused("cert", "request", "pop3-default", "--out", str(out), saying="is there already")
    assert not (work / "other.txt").exists()
    server.stop()
    server.start()
    assert server.json("cert", "pending", "imap4-default")["pem"] == out.read_text() and served() == before
    # a renewal of what is in use does not wait for the other CA
    server.run("cert", "issue", "imap4-default")
    assert served() != before and server.json("cert", "pending", "imap4-default")["pem"] == out.read_text()


def cancel_takes_the_key():
    had = keys()
    server.run("cert", "cancel", "imap4-default")
    assert len(had - keys()) == 1, "the key of the request is gone"
    refused("cert", "pending", "imap4-default", saying="no pending request")
    refused("cert", "cancel", "imap4-default", saying="no pending request")


def fields_are_checked():
    def usage(saying, *more):
        r = server.run("cert", "request", "pop3-default", "--out", str(work / "x.txt"), *more, check=False)
        assert r.returncode == 2 and re.search(saying, r.stderr), (more, r.returncode, r.stderr)
    usage("ISO 3166", "--country", "XX")
    usage("ISO 3166", "--country", "Atlantis")
    usage("65 characters.*64", "--organization", "x" * 65)
    usage("65 characters.*64", "--common-name", "x" * 65)
    usage("129 characters.*128", "--city", "x" * 129)
    usage("no DNS name", "--dns", "a..b")
    usage("no address", "--ip", "1.2.3")
    usage("no kind of key", "--key-type", "rsa512")
    usage("too long|characters", "--state", "x" * 3000)
    assert not (work / "x.txt").exists()
    refused("cert", "pending", "pop3-default", saying="no pending request")
    # 64 characters that take more bytes are 64 characters
    server.run("cert", "request", "pop3-default", "--out", str(work / "y.txt"), "--organization", "ü" * 64, "--country", "Germany")
    assert server.json("cert", "pending", "pop3-default")["subject"].count("ü") == 64
    server.run("cert", "cancel", "pop3-default")


# ---------------------------------------------------------------- answers

def answers_that_are_refused():
    """Each with its reason in words; what is in use and the request stay."""
    ca, other = CA("Fabrikam"), CA("Northwind")
    before = served()
    csr = request()
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", work / "w.key", "-out", work / "w.csr", "-subj", "/CN=localhost")
    good = ca.sign(csr, work / "good.pem")
    wrong_key = ca.sign(work / "w.csr", work / "wrong-key.pem")
    expired = ca.sign(csr, work / "expired.pem", start=-90, end=-1)
    early = ca.sign(csr, work / "early.pem", start=2)
    wrong_name = ca.sign(csr, work / "wrong-name.pem", names="DNS:elsewhere.example.test")
    wrong_use = ca.sign(csr, work / "wrong-use.pem", usage="clientAuth")
    garbage = work / "garbage.cer"
    garbage.write_bytes(b"\x30\x82\x03\xe8" + os.urandom(1000))
    huge = work / "huge.pem"
    huge.write_bytes(good.read_bytes() + b"x" * (10 << 20))
    cut = work / "cut.pem"
    cut.write_text(good.read_text()[:-60])
    noise = work / "noise.p7b"
    noise.write_bytes(p7b("n.p7b", good).read_bytes()[:-40])
    (work / "empty.cer").write_text("")
    (work / "with-key.pem").write_text((work / "w.key").read_text() + good.read_text())
    tampered = bytearray(der(good, "t.cer").read_bytes())
    tampered[-5] ^= 1
    (work / "tampered.cer").write_bytes(tampered)
    os.mkfifo(work / "fifo")
    root = ["--root", str(ca.root), "--yes"]
    for files, saying in (
            ([wrong_key, ca.issuing], "another key than the one that waits"),
            ([expired, ca.issuing], "expired on"),
            ([early, ca.issuing], "valid from .* on only"),
            ([wrong_name, ca.issuing], "not for the DNS name localhost .*elsewhere.example.test"),
            ([wrong_use, ca.issuing], "not made for the use as TLS server"),
            ([good], "Fabrikam issuing.*not trusted here; add the missing intermediate"),
            ([good, other.issuing], "Fabrikam issuing.*not trusted here; add the missing intermediate"),
            ([garbage], "garbage.cer.*no certificate"),
            ([huge], "at most .* are taken"),
            ([cut], "cut.pem.*cut off or damaged"),
            ([noise], "noise.p7b.*PKCS#7"),
            ([work / "empty.cer"], "empty"),
            ([work / "with-key.pem"], "private key"),
            ([work / "tampered.cer", ca.issuing], "signature"),
            ([csr], "request, not the answer"),
            ([work / "fifo"], "no plain file"),
            ([work / "nonesuch.cer"], "No such file"),
            ([work], "no plain file")):
        refused("cert", "install", "imap4-default", *map(str, files), *root, saying=saying)
        assert served() == before
    refused("cert", "install", "imap4-default", str(good), str(ca.issuing), "--yes", saying="not trusted here")
    refused("cert", "install", "imap4-default", str(good), str(ca.issuing), "--root", str(other.root), "--yes", saying="not trusted here")
    refused("cert", "install", "imap4-default", str(good), str(ca.issuing), "--root", str(good), "--yes", saying="no CA certificate")
    refused("cert", "install", "imap4-default", str(good), "--root", str(ca.issuing), "--yes",
            saying="Fabrikam issuing.* is no root but an intermediate certificate, issued by .*Fabrikam root.*; give it along with the answer .*as the root certificate that of .*Fabrikam root")
    refused("cert", "install", "pop3-default", str(good), str(ca.issuing), *root, saying="no pending request")
    assert server.json("cert", "pending", "imap4-default")["pem"] == csr.read_text()
    # nobody to ask: nothing is done
    r = subprocess.run([server.bin / "sealpost", "--config", server.conf, "cert", "install", "imap4-default", good, ca.issuing, "--root", ca.root],
                       capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True)
    assert r.returncode == 1 and "--yes" in r.stderr and served() == before, r.stderr


def answer_is_installed():
    """In each form that CAs send; it survives restarts, and is never replaced by itself."""
    ca = CA("Contoso")
    for form in ("pem", "der", "p7b", "mixed", "p7b-pem"):
        csr = request()
        leaf = ca.sign(csr, work / f"leaf-{form}.pem")
        files = {"pem": lambda: [leaf, ca.issuing], "der": lambda: [der(leaf, "leaf.cer"), der(ca.issuing, "issuing.cer")],
                 "p7b": lambda: [p7b("all.p7b", ca.root, ca.issuing, leaf)], "mixed": lambda: [chain("mixed.pem", ca.issuing, leaf, ca.root)],
                 "p7b-pem": lambda: [chain("p7.pem")]}
        if form == "p7b-pem":
            openssl("crl2pkcs7", "-nocrl", "-certfile", leaf, "-certfile", ca.issuing, "-out", work / "p7.p7c")
            given = [work / "p7.p7c"]
        else:
            given = files[form]()
        trust = server.tls
        trust.load_verify_locations(ca.root)
        session = imaplib.IMAP4_SSL("localhost", server.port("imaps"), ssl_context=trust, timeout=20)
        session.login(server.address("alice"), server.passwords["alice"])
        said = server.run("cert", "install", "imap4-default", *map(str, given), "--root", str(ca.root), "--yes").stdout
        for part in ("Certificate Summary", "Issued by    CN=Contoso issuing", "TLS server", "localhost", "successfully installed", "days left"):
            assert part in said, (part, said)
        assert served(cafile=ca.root) == serial_of(leaf)
        assert session.noop()[0] == "OK", "sessions keep what they were opened with"
        session.logout()
        refused("cert", "pending", "imap4-default", saying="no pending request")
    server.stop()
    server.start()
    assert served(cafile=ca.root) == serial_of(leaf)
    shown = state()
    assert shown["current"]["source"] == "external CA" and shown["current"]["state"] == "live"
    pid = next(p["pid"] for p in server.processes() if p["role"] == "certd")
    os.kill(pid, signal.SIGKILL)
    wait_for("certd is back", lambda: any(p["role"] == "certd" and p["pid"] not in (0, pid) and p["state"] == "ready" for p in server.processes()), 20)
    server.run("cert", "show", "imap4-default")
    time.sleep(1.5)
    assert served(cafile=ca.root) == serial_of(leaf), "the own CA has not taken over"
    # renewing means a request with the same subject and names
    out = work / "renewal.txt"
    server.run("cert", "renew", "imap4-default", "--out", str(out), "--same-key")
    public = lambda kind, f: openssl(kind, "-in", f, "-noout", "-pubkey")
    assert public("req", out) == public("x509", leaf)
    renewed = ca.sign(out, work / "renewed.pem")
    server.run("cert", "install", "imap4-default", str(renewed), str(ca.issuing), "--root", str(ca.root), "--yes")
    assert served(cafile=ca.root) == serial_of(renewed)
    # and back to the one before: the key is shared
    server.run("cert", "rollback", "imap4-default")
    assert served(cafile=ca.root) == serial_of(leaf)
    server.run("cert", "issue", "imap4-default")
    assert state()["current"]["source"] == "own CA" and served()


def close_to_its_end_it_says_so():
    ca = CA("Soon")
    leaf = ca.sign(request("nntp-default"), work / "soon.pem", start=-80, end=10)
    server.run("cert", "install", "nntp-default", str(leaf), str(ca.issuing), "--root", str(ca.root), "--yes")
    row = next(r for r in server.json("cert", "list") if r["vserver"] == "nntp-default")
    assert "not renewed by itself" in row["failure"] and row["source"] == "external CA", row
    time.sleep(1.5)
    assert served("nntps", ca.root) == serial_of(leaf)
    server.run("cert", "rollback", "nntp-default")
    assert served("nntps")


def killed_between_the_steps():
    """kill -9 of certd and keyd while a request is made and an answer installed: one state, the old or the new one."""
    ca = CA("Killers")
    for role in ("certd", "keyd"):
        for delay in (0.0, 0.01, 0.03):
            server.run("cert", "cancel", "pop3-default", check=False)
            csr = work / f"kill-{role}-{delay}.txt"
            pid = next(p["pid"] for p in server.processes() if p["role"] == role)

            def kill_during(*words):
                p = subprocess.Popen([server.bin / "sealpost", "--config", server.conf, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(delay)
                os.kill(pid, signal.SIGKILL)
                p.wait(90)
                wait_for(f"{role} is back", lambda: any(q["role"] == role and q["pid"] not in (0, pid) and q["state"] == "ready" for q in server.processes()), 20)
            kill_during("cert", "request", "pop3-default", "--out", csr, "--dns", "localhost")
            r = server.run("cert", "pending", "pop3-default", check=False, json=True)
            csr.unlink(missing_ok=True)
            if r.returncode:
                server.run("cert", "request", "pop3-default", "--out", str(csr), "--dns", "localhost")
            else:
                server.run("cert", "pending", "pop3-default", "--out", str(csr))
            leaf = ca.sign(csr, work / "killed.pem")
            before = state("pop3-default")["current"]["serial"].lstrip("0")
            pid = next(p["pid"] for p in server.processes() if p["role"] == role)
            kill_during("cert", "install", "pop3-default", leaf, ca.issuing, "--root", ca.root, "--yes")

            def settled():
                shown = state("pop3-default")
                now = shown["current"]["serial"].lstrip("0")
                if now == before:
                    assert shown["pending"]["state"] == "pending" or shown["next"]["state"] != "none", shown
                    return shown["next"]["state"] == "none"
                return now == serial_of(leaf) and served("pop3s", ca.root) == now
            wait_for(f"one state after {role} was killed", settled, 20)
            if state("pop3-default")["current"]["serial"].lstrip("0") == before:
                server.run("cert", "install", "pop3-default", str(leaf), str(ca.issuing), "--root", str(ca.root), "--yes")
            assert served("pop3s", ca.root) == serial_of(leaf)
    server.run("cert", "issue", "pop3-default")


# ---------------------------------------------------------------- keys that come and go

def key_and_leaf(ca, name, kind="ec", **more):
    pick = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["rsa:2048"]
    openssl("req", "-newkey", *pick, "-nodes", "-keyout", work / f"{name}.key", "-out", work / f"{name}.csr", "-subj", "/CN=localhost")
    return work / f"{name}.key", ca.sign(work / f"{name}.csr", work / f"{name}.pem", **more)


def pkcs12(name, key, leaf, issuing, *more, word="correct horse"):
    out = work / name
    openssl("pkcs12", "-export", "-inkey", key, "-in", leaf, "-certfile", issuing, "-name", "From elsewhere", "-out", out, "-passout", f"pass:{word}", *more)
    return out


def imports():
    ca = CA("Importers")
    root = ["--root", str(ca.root), "--yes"]
    word = ["--passphrase-stdin"]
    before = served("https")
    had = keys()
    key, leaf = key_and_leaf(ca, "one")
    p12 = pkcs12("one.p12", key, leaf, ca.issuing)
    old = pkcs12("old.p12", key, leaf, ca.issuing, "-legacy")
    old3des = pkcs12("old3des.p12", key, leaf, ca.issuing, "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1")
    bomb = pkcs12("bomb.p12", key, leaf, ca.issuing, "-iter", "1000")
    _, expired = key_and_leaf(ca, "two", start=-90, end=-1)
    expired12 = pkcs12("expired.p12", work / "two.key", expired, ca.issuing)
    # the iteration counts as they stand in the file, made huge
    bytes_ = bomb.read_bytes()
    assert bytes_.count(b"\x02\x02\x03\xe8") >= 1
    bomb.write_bytes(bytes_.replace(b"\x02\x02\x03\xe8", b"\x02\x02\x7f\xff"))
    big = work / "bomb2.p12"
    big.write_bytes(patch_iterations(bytes_))
    other_key, _ = key_and_leaf(ca, "three")
    both = chain("mismatch.pem", other_key, leaf, ca.issuing)
    nokey = chain("nokey.pem", leaf, ca.issuing)
    (work / "junk.p12").write_bytes(b"\x30\x82\x10\x00" + os.urandom(4096))
    for words, saying, given in (
            ([p12, *root, *word], "passphrase is wrong", "wrong"),
            ([old, *root, *word], "--legacy", "correct horse"),
            ([old3des, *root, *word], "--legacy", "correct horse"),
            ([big, *root, *word], "iterations", "correct horse"),
            ([bomb, *root, *word], "passphrase is wrong", "correct horse"),
            ([expired12, *root, *word], "expired on", "correct horse"),
            ([both, *root], "another key", None),
            ([nokey, *root], "no private key", None),
            ([key, *root], "no certificate", None),
            ([work / "junk.p12", *root, *word], "neither PKCS#12", "correct horse"),
            ([p12, "--yes", *word], "not trusted here", "correct horse")):
        start = time.monotonic()
        refused("cert", "import", "http-default", *map(str, words), saying=saying, input=given)
        assert served("https") == before and keys() == had, words
        assert time.monotonic() - start < 20
    for words, given in (([p12, *word], "correct horse"), ([old, "--legacy", *word], "correct horse"), ([old3des, "--legacy", *word], "correct horse"),
                         ([chain("all.pem", key, leaf, ca.issuing)], None), ([key, leaf, ca.issuing], None)):
        said = server.run("cert", "import", "http-default", *map(str, words), *root, input=given).stdout
        assert "successfully installed" in said and "Certificate Summary" in said
        assert served("https", ca.root) == serial_of(leaf)
        assert len(keys() - had) == 1, "the key is kept once"
    assert state("http-default")["current"]["source"] == "import"
    refused("cert", "export", "http-default", "--out", str(work / "out.p12"), "--passphrase-stdin", input="a long passphrase", saying="not made exportable")
    refused("cert", "import", "imap4-default", str(key), str(leaf), str(ca.issuing), *root, saying="cert assign")
    # rsa, a protected PEM key, exportable: out again, and OpenSSL reads it
    rsa, rsa_leaf = key_and_leaf(ca, "four", "rsa")
    openssl("pkcs8", "-topk8", "-in", rsa, "-out", work / "four.p8", "-passout", "pass:secret words", "-v2", "aes-256-cbc")
    server.run("cert", "import", "http-default", str(work / "four.p8"), str(rsa_leaf), str(ca.issuing), *root, *word, "--exportable", input="secret words")
    assert served("https", ca.root) == serial_of(rsa_leaf)
    refused("cert", "export", "http-default", "--out", str(work / "out.p12"), "--passphrase-stdin", input="short", saying="too short")
    server.run("cert", "export", "http-default", "--out", str(work / "out.p12"), "--passphrase-stdin", input="a long passphrase")
    assert (work / "out.p12").stat().st_mode & 0o777 == 0o600
    text = openssl("pkcs12", "-in", work / "out.p12", "-passin", "pass:a long passphrase", "-nodes")
    assert text.count("BEGIN CERTIFICATE") == 2 and "BEGIN PRIVATE KEY" in text
    assert openssl("pkey", "-in", rsa, "-pubout") == openssl("pkey", "-pubout", input=text[text.index("-----BEGIN PRIVATE KEY"):].encode())
    server.run("cert", "import", "http-default", str(work / "out.p12"), *root, *word, input="a long passphrase")
    server.run("cert", "replace", "http-default")
    assert state("http-default")["current"]["source"] == "own CA"


def patch_iterations(data):
    """Every iteration count 1000 becomes 2^31-1 – as long an INTEGER needs the lengths around it mended, so this is done by re-encoding."""
    def tlv(b):
        out, at = [], 0
        while at < len(b):
            tag, n, head = b[at], b[at + 1], 2
            if n & 0x80:
                k = n & 0x7f
                n, head = int.from_bytes(b[at + 2:at + 2 + k], "big"), 2 + k
            out.append((tag, b[at + head:at + head + n]))
            assert at + head + n <= len(b)
            at += head + n
        return out

    def put(tag, body):
        n = len(body)
        return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")) + body

    def walk(b):
        out = b""
        for tag, body in tlv(b):
            if tag == 0x02 and body == b"\x03\xe8":
                body = b"\x7f\xff\xff\xff"
            elif tag & 0x20:
                body = walk(body)
            out += put(tag, body)
        return out
    return walk(data)


def assign_and_follow():
    server.run("cert", "assign", "submission-default", "imap4-default")
    assert served("submissions") == served("imaps")
    shown = state("submission-default")
    assert shown["current"]["source"] == "assigned" and shown["current"]["origin"] == "imap4-default"
    server.run("cert", "renew", "imap4-default")
    wait_for("it follows", lambda: served("submissions") == served("imaps"), 20)
    refused("cert", "renew", "submission-default", saying="renew that one")
    refused("cert", "assign", "imap4-default", "imap4-default", saying="own certificate|itself")
    refused("cert", "assign", "pop3-default", "submission-default", saying="itself that of imap4-default")
    refused("cert", "assign", "pop3-default", "nonesuch", saying="no virtual server")
    server.stop()
    server.start()
    assert served("submissions") == served("imaps")
    server.run("cert", "issue", "submission-default")
    assert served("submissions") != served("imaps")


def again(conf=False):
    server.stop()
    if conf:
        server.write_conf()
    server.start()


def copies():
    """What was copied is the other's own: it does not follow, renews itself, and its key stays as long as somebody has it."""
    shared = lambda: server.data / "keys" / f"{key}.key"
    said = server.run("cert", "copy", "imap4-default", "submission-default").stdout
    assert "In time the own CA renews it here, with a new key" in " ".join(said.split()), said
    serial, key, shown = served("imaps"), state()["current"]["key"], state("submission-default")
    assert served("submissions") == serial and shown["current"]["key"] == key and shown["current"]["source"] == "own CA"
    assert any(e["note"] == "copied from imap4-default" for e in shown["history"]) and shared().exists()
    refused("cert", "copy", "imap4-default", "submission-default", saying="already, as its own")
    refused("cert", "copy", "imap4-default", "imap4-default", saying="its own certificate already")
    refused("cert", "copy", "nonesuch", "imap4-default", saying="no virtual server")
    # it goes its own way: renewed, replaced and forgotten there, while it is not even switched on here
    server.run("cert", "renew", "imap4-default")
    time.sleep(1)
    assert served("imaps") != serial == served("submissions")
    server.vserver_extra["submission-default"] = " enabled = false;"
    again(conf=True)
    for _ in range(5):
        server.run("cert", "issue", "imap4-default")
    assert key not in {r["key"] for r in state()["retired"]} and shared().exists(), "the key of one that sleeps"
    del server.vserver_extra["submission-default"]
    again(conf=True)
    wait_for("it is shown again", lambda: served("submissions") == serial, 10)
    server.run("cert", "remove", "imap4-default", "--yes")
    assert served("submissions") == serial
    server.run("cert", "rollback", "imap4-default")
    # with its own renewal it has a key of its own; who is the last to have the old one takes it along
    server.run("cert", "renew", "submission-default")
    assert state("submission-default")["current"]["key"] != key and shared().exists()
    for _ in range(5):
        server.run("cert", "issue", "submission-default")
    assert not shared().exists(), "nobody needs it any more"
    # checked as every installation is
    server.vserver_extra["pop3-default"] = ' names = [ "pop.example.test" ];'
    server.write_conf()
    server.run("reload")
    refused("cert", "copy", "imap4-default", "pop3-default", saying="not for the DNS name pop.example.test")
    del server.vserver_extra["pop3-default"]
    server.write_conf()
    server.run("reload")
    # of another CA, with its root; what is assigned is copied as what it is
    ca = CA("Copied")
    leaf = ca.sign(request("pop3-default"), work / "copied.pem")
    server.run("cert", "install", "pop3-default", str(leaf), str(ca.issuing), "--root", str(ca.root), "--yes")
    server.run("cert", "assign", "submission-default", "pop3-default")
    said = server.run("cert", "copy", "submission-default", "http-default").stdout
    assert "not renewed by itself (external CA)" in " ".join(said.split()), said
    assert served("https", ca.root) == served("pop3s", ca.root) == serial_of(leaf)
    assert (state("http-default")["current"]["source"], state("http-default")["current"].get("origin")) == ("external CA", None)
    server.run("cert", "renew", "http-default", "--out", str(work / "of-the-copy.txt"))
    assert "BEGIN CERTIFICATE REQUEST" in (work / "of-the-copy.txt").read_text()
    # from assigned to copied: the same certificate, its own from now on
    server.run("cert", "copy", "pop3-default", "submission-default")
    for v in ("pop3-default", "http-default"):
        server.run("cert", "issue", v)
    time.sleep(1)
    assert served("submissions", ca.root) == serial_of(leaf) and state("submission-default")["current"]["source"] == "external CA"
    server.run("cert", "issue", "submission-default")


def remove_and_rollback():
    before = served("imaps")
    refused("cert", "remove", "imap4-default", saying="--yes") if not os.path.exists("/dev/tty") or not sys.stdin.isatty() else None
    server.run("cert", "remove", "imap4-default", "--yes")
    time.sleep(1.2)

    def serves():
        try:
            return served("imaps")
        except (ssl.SSLError, OSError):
            return None
    assert serves() is None, "no certificate, no TLS"
    assert served("pop3s")
    server.stop()
    server.start()
    time.sleep(1)
    assert serves() is None, "still removed after a restart"
    refused("cert", "remove", "imap4-default", "--yes", saying="no certificate")
    server.run("cert", "rollback", "imap4-default")
    assert serves() == before
    # the own CA answers the same question with the same certificate for a while
    refused("cert", "renew", "imap4-default", "--same-key", saying="short while ago")
    server.run("cert", "renew", "imap4-default")
    assert serves() not in (None, before)
    server.run("cert", "rollback", "imap4-default")
    assert serves() == before
    events = server.json("cert", "history", "imap4-default")
    assert any(e["note"] == "removed" for e in events) and any(e["note"] == "rolled back" for e in events)
    # what the own CA has revoked does not come back
    server.run("cert", "issue", "imap4-default")
    server.run("ca", "revoke", before)
    refused("cert", "rollback", "imap4-default", saying="revoked")


# ---------------------------------------------------------------- the wizard

def Terminal(vserver):
    return terminal.Terminal(server, vserver, work)


GOLDEN = """Welcome to the Certificate Wizard for the virtual server nntp-default.
Enter takes what stands in brackets, - empties it, b goes back, q leaves. Nothing is done before its summary.

--- Modify the Current Certificate Assignment ---
In use: CN=localhost,O=Test, issued by CN=Test Issuing CA 1,O=Test
  1  Create a new certificate
  2  Renew the current certificate
  3  Replace the current certificate
  4  Assign the certificate of another virtual server
  5  Copy the certificate of another virtual server
  6  Import a certificate from a file
  7  Export the current certificate to a file
  8  Remove the current certificate
Number [1]: 1

--- Delayed or Immediate Request ---
  1  Prepare the request now, but send it later (another CA)
  2  Send the request immediately to an online certification authority
Number [1]: 

--- Name and Bit Length ---
The name is for your lists only; clients do not see it.
Name [Default NNTP Virtual Server]: News
Bit length. A longer key length will affect performance and, as a result, can be considered more expensive.
  1  p256     ECDSA, 256 bit; fast, every client of today
  2  p384     ECDSA, 384 bit; slower
  3  ed25519  EdDSA, 256 bit; fast, few CAs and clients yet
  4  rsa2048  RSA, 2048 bit; for old clients
  5  rsa3072  RSA, 3072 bit; costs three times as much
  6  rsa4096  RSA, 4096 bit; costs seven times as much
Number [1]: 7
  ! a number from 1 to 6, please; b goes back, q leaves
Number [1]: 2
  1  The key stays with keyd for ever
  2  Mark this certificate as exportable
Number [1]: 2

--- Organization Information ---
As the CA has it; its web site says, or what it sent you when you registered.
Organization [Test]: Contoso
Organizational unit []: News

--- Your Site's Common Name ---
If clients come from the Internet, it must be a fully qualified domain name that can be resolved externally,
and lead to this virtual server. Clients look at the alternative names; the common name is one of them.
Common name [localhost]: 
Clients have asked for these names (SNI; how often), which no certificate here covers. Take only those that are yours.
  1  news.example.test (2)
Add which of them (numbers with commas, all, none) [none]: 2
  ! numbers from 1 to 1 with commas between, all, or none
Add which of them (numbers with commas, all, none) [none]: 1
Alternative names, with commas between [localhost, 127.0.0.1, news.example.test]: localhost, news.example.test, 127.0.0.1

--- Geographical Information ---
Country/Region (two letters, or its name) []: Atlantis
  ! "Atlantis" is no country code of ISO 3166; give two capital letters, as DE or US
Country/Region (two letters, or its name) []: germany
State/Province []: Hessen
City/Locality []: b

--- Your Site's Common Name ---
If clients come from the Internet, it must be a fully qualified domain name that can be resolved externally,
and lead to this virtual server. Clients look at the alternative names; the common name is one of them.
Common name [localhost]: 
Alternative names, with commas between [localhost, news.example.test, 127.0.0.1]: 

--- Geographical Information ---
Country/Region (two letters, or its name) [DE]: 
State/Province [Hessen]: 
City/Locality []: Marburg

--- Certificate Request File Name ---
File name [certreq.txt]: there.txt
  ! there.txt is there already
  1  Give another name
  2  Overwrite it
Number [1]: 
File name [there-2.txt]: nowhere/news.txt
  ! nowhere/news.txt cannot be written: No such file or directory
File name [there-2.txt]: news.txt

--- Request File Summary ---
If something is not correct, go back until you reach the page.
  Virtual server       nntp-default
  Name                 News
  Key                  p384, exportable
  Organization         Contoso
  Organizational unit  News
  Common name          localhost
  Alternative names    localhost, news.example.test, 127.0.0.1
  Country/Region       DE (Germany)
  State/Province       Hessen
  City/Locality        Marburg
  File name            news.txt
Make the key and the request? [yes/b/q]: yes

A certificate request was created. Send the file to your CA; when you have the answer, start the wizard again.
File name: news.txt

The wizard is finished.
"""


def wizard_prepares_a_request():
    """Word for word."""
    (work / "there.txt").write_text("somebody's")
    for _ in range(2):
        terminal.ask_for_name(server.port("nntps"), "news.example.test")
    t = Terminal("nntp-default")
    typed = iter(re.findall(r"(?:\]: )(.*)\n", GOLDEN))
    for answer in typed:
        t.expect("]: ", answer)
    assert t.end() == 0, t.text
    assert t.text == GOLDEN, "\n".join(__import__("difflib").unified_diff(GOLDEN.splitlines(), t.text.splitlines(), lineterm=""))
    assert (work / "there.txt").read_text() == "somebody's"
    text = openssl("req", "-in", work / "news.txt", "-noout", "-verify", "-text", "-nameopt", "RFC2253")
    for part in ("CN=localhost", "O=Contoso", "OU=News", "C=DE", "ST=Hessen", "L=Marburg", "DNS:localhost, DNS:news.example.test, IP Address:127.0.0.1"):
        assert part in text, (part, text)
    # it waits, and so does the wizard; leaving changes nothing
    t = Terminal("nntp-default")
    t.expect("--- Pending Certificate Request ---")
    t.expect("Requested: News, on 20")
    t.expect("1  Process the pending request and install the certificate")
    t.expect("Number [1]: ", "q")
    assert t.end() == 1 and "nothing more was changed" in t.text
    assert server.json("cert", "pending", "nntp-default")["name"] == "News"
    # a file that was lost
    t = Terminal("nntp-default")
    t.expect("2  Write the pending request to a file again")
    t.expect("Number [1]: ", "2")
    t.expect("File name [certreq.txt]: ", "again.txt")
    t.expect("was written")
    assert t.end() == 0 and (work / "again.txt").read_text() == (work / "news.txt").read_text()


def wizard_processes_the_answer():
    if not (work / "news.txt").exists():
        wizard_prepares_a_request()
    ca = CA("Answers")
    leaf = ca.sign(work / "news.txt", work / "news.pem", names="DNS:localhost,DNS:news.example.test,IP:127.0.0.1")
    lacking = ca.sign(work / "news.txt", work / "lacking.pem")
    before = served("nntps")
    t = Terminal("nntp-default")
    t.expect("Number [1]: ", "1")
    t.expect("--- Process a Pending Request ---")
    t.expect("file name []: ", f"{lacking}, {work}/nonesuch.pem")
    t.expect("nonesuch.pem: No such file")
    t.expect("]: ", str(lacking))
    t.expect("publicly trusted []: ", str(ca.root))
    t.expect("not for the DNS name news.example.test")
    t.expect("]: ", f"{leaf}, {ca.issuing}")
    t.expect("]: ", "")
    t.expect("--- Certificate Summary")
    for part in ("Name         News", "Issued by    CN=Answers issuing,O=Answers", "days left", "TLS server", "Through      CN=Answers issuing", "Root         CN=Answers root"):
        assert part in t.text or not t.expect(part), part
    t.expect("[yes/b/q]: ", "no")
    assert served("nntps") == before
    t.expect("[yes/b/q]: ", "yes")
    t.expect("successfully installed on nntp-default.")
    assert t.end() == 0 and served("nntps", ca.root) == serial_of(leaf)


def wizard_does_the_rest():
    # at once, by the own CA
    t = Terminal("nntp-default")
    t.expect("Number [1]: ", "1")
    t.expect("Number [1]: ", "2")
    t.expect("--- Choose a Certification Authority ---")
    t.expect("Number [1]: ", "")
    t.expect("--- Certificate Request Submission ---")
    t.expect("[yes/b/q]: ", "yes")
    t.expect("successfully installed")
    assert t.end() == 0
    now = served("nntps")
    # a key that was not made to be given away is not asked for in vain
    t = Terminal("nntp-default")
    t.expect("7  Export")
    t.expect("Number [1]: ", "7")
    t.expect("was not marked as exportable")
    t.expect("Number [1]: ", "q")
    assert t.end() == 1
    # a file with a key, its passphrase without echo
    ca = CA("WizardImport")
    p12 = pkcs12("wizard.p12", *key_and_leaf(ca, "wizard"), ca.issuing)
    t = Terminal("nntp-default")
    t.expect("3  Replace the current certificate")
    t.expect("Number [1]: ", "3")
    t.expect("3  By one from a file, with its key")
    t.expect("Number [1]: ", "3")
    t.expect("file name []: ", str(p12))
    t.expect("publicly trusted []: ", str(ca.root))
    t.expect("Passphrase of", None)
    t.expect(": ", "wrong horse")
    t.expect("passphrase is wrong")
    t.expect("]: ", "")
    t.expect("]: ", "")
    t.expect("Passphrase of", None)
    t.expect(": ", "correct horse")
    t.expect("--- Certificate Summary")
    t.expect("Number [1]: ", "2")
    t.expect("[yes/b/q]: ", "yes")
    t.expect("successfully installed")
    assert t.end() == 0 and "correct horse" not in t.text and served("nntps", ca.root) == serial_of(work / "wizard.pem")
    # out again
    t = Terminal("nntp-default")
    (work / "out2.p12").write_text("an older one")
    t.expect("7  Export")
    t.expect("Number [1]: ", "7")
    t.expect("File name []: ", str(work / "out2.p12"))
    t.expect("is there already")
    t.expect("2  Overwrite it")
    t.expect("Number [1]: ", "2")
    t.expect("New passphrase for", None)
    t.expect(": ", "a long passphrase")
    t.expect("Once more", None)
    t.expect(": ", "a long passphrase")
    t.expect("are in")
    assert t.end() == 0 and (work / "out2.p12").stat().st_size > 500
    # copy, assign, renew, remove
    t = Terminal("nntp-default")
    t.expect("Number [1]: ", "5")
    t.expect("what becomes of it there changes nothing here")
    t.expect("4  that of imap4-default (own CA, until 20")
    t.expect("Number [1]: ", "4")
    t.expect("Copy it?")
    t.expect("[yes/b/q]: ", "yes")
    t.expect("successfully installed")
    t.expect("In time the own CA renews it here, with a new key")
    assert t.end() == 0 and served("nntps") == served("imaps") and state("nntp-default")["current"]["source"] == "own CA"
    t = Terminal("nntp-default")
    t.expect("Number [1]: ", "4")
    t.expect("that of smtp-default")
    t.expect("Number [1]: ", "b")
    t.expect("Modify the Current")
    t.expect("Number [1]: ", "4")
    t.expect("Number [1]: ", "4")
    t.expect("[yes/b/q]: ", "yes")
    t.expect("successfully installed")
    assert t.end() == 0 and served("nntps") == served("imaps") != now
    t = Terminal("nntp-default")
    t.expect("8  Remove")
    t.expect("Number [1]: ", "8")
    t.expect("Remove it?")
    t.expect("[yes/b/q]: ", "yes")
    t.expect("is removed")
    assert t.end() == 0 and state("nntp-default")["off"]
    t = Terminal("nntp-default")
    t.expect("--- Server Certificate ---")
    t.expect("Number [1]: ", "q")
    assert t.end() == 1


with Server(sys.argv[1]) as server:
    main(request_is_pending_and_survives, cancel_takes_the_key, fields_are_checked, answers_that_are_refused, answer_is_installed,
         close_to_its_end_it_says_so, killed_between_the_steps, imports, assign_and_follow, copies, remove_and_rollback,
         wizard_prepares_a_request, wizard_processes_the_answer, wizard_does_the_rest)
