#!/usr/bin/env python3
"""The own CA's roots: a new one in place of the old, an issuing CA below another's root, and the CA out of its backup on an empty machine."""
import json
import os
import pathlib
import re
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading

from sealpost import Server, main, wait_for

server = None
work = None
SECRET = "a long passphrase"

CONFIG = """
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[middle]
basicConstraints = critical, CA:TRUE, pathlen:1
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
"""


def sh(*words, input=None, check=True):
    r = subprocess.run([str(w) for w in words], input=input, capture_output=True, cwd=work, timeout=60)
    assert not check or r.returncode == 0, (words, r.stdout, r.stderr)
    return r


def refused(*words, says, input=None):
    r = server.run(*words, input=input, check=False)
    assert r.returncode == 1 and says in r.stderr, (words, says, r)


def handshake(port, ca_file, holds=True):
    """s_client with that root alone, and certtool on what was served."""
    r = sh("openssl", "s_client", "-connect", f"localhost:{server.port(port)}", "-showcerts", "-verify_return_error", "-x509_strict", "-verify_hostname", "localhost",
           "-CAfile", ca_file, "-no-CApath", "-no-CAstore", input=b"", check=False)
    text = r.stdout.decode(errors="replace")
    assert (r.returncode == 0 and "Verify return code: 0 (ok)" in text) == holds, (port, ca_file, holds, text, r.stderr)
    if holds:
        pems = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)
        (work / "served.pem").write_text("".join(pems))
        out = sh("certtool", "--verify", "--load-ca-certificate", ca_file, "--verify-hostname", "localhost", "--verify-purpose", "1.3.6.1.5.5.7.3.1", "--infile", "served.pem").stdout
        assert b"Chain verification output: Verified" in out, out
        return pems
    return []


def logged(kind):
    """The newest such entry in the log of evidence; it is there when the command has ended."""
    entries = [json.loads(line) for line in (server.data / "evidence.log").read_text().splitlines()]
    found = [x for x in entries if x["kind"] == kind]
    assert found and found[-1]["by"] == "cad" and "uid" in found[-1]["asked"], (kind, entries)
    return found[-1]


def info(kind="issuing"):
    return next(c for c in server.json("ca", "info")["cas"] if c["kind"] == kind and c["in_use"])


def roots():
    """root.pem, and what the HTTP virtual server hands out: the same."""
    text = pathlib.Path(server.ca_file).read_text()
    url = f"http://localhost:{server.port('http')}/ca.pem"
    wait_for("ca.pem is up to date", lambda: sh("curl", "-sS", url).stdout.decode() == text)
    return re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)


def took_roots():
    """How often relayd has begun anew for the roots."""
    return server.log.read_text(errors="replace").count("our own CA has other roots: starting anew")


def relay_is_up():
    return any(p["role"] == "relayd" and p["state"] == "ready" for p in server.processes())


def relay_pid():
    return next(p["pid"] for p in server.processes() if p["role"] == "relayd")


def new_root():
    (work / "old.pem").write_text("".join(roots()))
    handshake("imaps", "old.pem")
    before = server.json("ca", "info")
    plan = server.json("ca", "rollover", "root", "--now", "--dry-run")
    assert {s["what"] for s in plan if s["step"] == "certificate"} >= {"imap4-default", "http-default"}, plan
    assert server.json("ca", "info")["cas"] == before["cas"] and len(roots()) == 1, "a dry run changes nothing"
    assert server.run("ca", "rollover", "twig", check=False).returncode == 2
    before_roll = took_roots()
    report = server.json("ca", "rollover", "root", "--now")
    assert all("NOT" not in s["result"] for s in report), report
    assert info("root")["name"] == "root-2" and info()["name"] == "issuing-2"
    assert (logged("rollover")["sha256"], logged("rollover")["root"]) == (info()["certificate"]["sha256"], info("root")["certificate"]["sha256"])
    assert len(roots()) == 2
    (work / "new.pem").write_text(roots()[0])
    assert roots()[1] == (work / "old.pem").read_text()
    for port in ("imaps", "pop3s", "nntps", "https"):
        assert len(handshake(port, "old.pem")) == len(handshake(port, "new.pem")) == 3, port
    # each list is still there, by the address in the certificate
    for name in ("root-1", "root-2", "issuing-1", "issuing-2"):
        sh("curl", "-sSf", "-o", f"{name}.crl", f"http://localhost:{server.port('http')}/ca/{name}.crl")
    sh("curl", "-sSf", "-o", "root-2.der", f"http://localhost:{server.port('http')}/ca/root-2.crt")
    assert server.imap().noop()[0] == "OK"
    # relayd takes the new one with the next message that it is to deliver, if it has not found it before
    with server.submission() as c:
        c.sendmail(server.address("alice"), ["far@nowhere.invalid"], "Subject: far\r\n\r\nfar\r\n")
    wait_for("relayd has both roots", lambda: took_roots() > before_roll and relay_is_up())
    server.stop()
    server.start()
    assert len(handshake("imaps", "old.pem")) == 3 and len(handshake("imaps", "new.pem")) == 3


class Forwarder(socketserver.BaseRequestHandler):
    """To the own MX by another port: a connector to this server itself is refused."""
    def handle(self):
        with socket.create_connection(("127.0.0.1", server.port("smtp"))) as far:
            ends = {self.request: far, far: self.request}
            while True:
                for s in select.select(list(ends), [], [])[0]:
                    data = s.recv(65536)
                    if not data:
                        return
                    ends[s].sendall(data)


def relayd_before_the_root():
    """relayd may be there before the CA is (a first start): without root.pem it trusts nobody whom the own CA has certified, and does as soon as the file exists."""
    root = pathlib.Path(server.ca_file)
    away = root.with_name("root.away")
    first = wait_for("relayd", lambda: relay_pid() if relay_is_up() else None)
    client = server.submission()
    root.rename(away)
    os.kill(first, signal.SIGKILL)
    wait_for("another relayd", lambda: relay_is_up() and relay_pid() != first)
    client.sendmail(server.address("alice"), ["far@loop.test"], "Subject: loop\r\n\r\nloop\r\n")
    client.quit()
    wait_for("the server is not trusted", lambda: [q for q in server.json("queue", "list") if "loop.test" in json.dumps(q) and "certificate" in json.dumps(q)])
    away.rename(root)
    wait_for("relayd has the root", lambda: "the root of our own CA is there" in server.log.read_text(errors="replace"))
    server.run("queue", "retry", "--all")
    # trusted, and then told that nobody is there whom it relays for: the report comes back
    box = server.imap()
    box.select("INBOX")
    wait_for("the report", lambda: box.noop() and box.search(None, "TEXT", "loop.test")[1] != [b""])
    box.logout()


def sign(name, section="ca", csr="our.csr", ca="middle", days="900", more=()):
    sh("openssl", "x509", "-req", "-in", csr, "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", days, "-extfile", "ca.cnf", "-extensions", section, *more, "-out", name)


def below_another_ca():
    (work / "ca.cnf").write_text(CONFIG)
    sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "top.key", "-out", "top.pem", "-subj", "/O=Other/CN=Other Root", "-days", "4000",
       "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    sh("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "middle.key", "-out", "middle.csr", "-subj", "/O=Other/CN=Other Middle")
    sign("middle.pem", "middle", "middle.csr", "top", "3000")
    (work / "chain.pem").write_text((work / "middle.pem").read_text() + (work / "top.pem").read_text())
    refused("ca", "install", work / "middle.pem", says="no request waits")
    server.run("ca", "request", "--out", work / "our.csr")
    text = sh("openssl", "req", "-in", "our.csr", "-noout", "-verify", "-text").stdout.decode()
    assert "CA:TRUE, pathlen:0" in text and "Certificate Sign, CRL Sign" in text and "Name Constraints: critical" in text and "DNS:localhost" in text, text
    first = (work / "our.csr").read_text()
    assert server.json("ca", "request", "--out", work / "again.csr")["new"] is False and (work / "again.csr").read_text() == first
    # a refused answer changes nothing
    old = info()
    sign("leaf.pem", "leaf")
    sign("fine.pem", more=("-copy_extensions", "copyall"))
    sh("openssl", "x509", "-in", "middle.pem", "-out", "nothing.der", "-outform", "DER")
    (work / "cut.pem").write_text((work / "fine.pem").read_text()[:300])
    refused("ca", "install", work / "leaf.pem", "--chain", work / "chain.pem", says="no CA's certificate")
    refused("ca", "install", work / "nothing.der", "--chain", work / "top.pem", says="none of the certificates is for the key")
    refused("ca", "install", work / "fine.pem", says="--chain")
    refused("ca", "install", work / "fine.pem", "--chain", work / "top.pem", says="not trusted")
    refused("ca", "install", work / "cut.pem", "--chain", work / "chain.pem", says="cut.pem")
    assert info() == old
    # the answer as PKCS#7, as other CAs send it
    sh("openssl", "crl2pkcs7", "-nocrl", "-certfile", "fine.pem", "-certfile", "middle.pem", "-certfile", "top.pem", "-outform", "DER", "-out", "answer.p7b")
    server.run("ca", "install", work / "answer.p7b")
    assert info()["name"] == "issuing-3" and "Other Middle" in info()["certificate"]["issuer"], info()
    assert logged("install")["sha256"] == info()["certificate"]["sha256"] and "Other Middle" in logged("install")["issuer"], logged("install")
    server.run("cert", "issue", "imap4-default")
    assert len(handshake("imaps", "top.pem")) == 3
    handshake("imaps", "new.pem", holds=False)
    handshake("pop3s", "old.pem")  # what was issued before stays good
    assert len(roots()) == 3 and roots()[0] == (work / "top.pem").read_text()
    pems = handshake("imaps", "top.pem")
    (work / "imap.pem").write_text(pems[0])
    (work / "above.pem").write_text("".join(pems[1:]))
    verify = ("openssl", "verify", "-x509_strict", "-crl_check", "-crl_download", "-CAfile", "top.pem", "-untrusted", "above.pem", "imap.pem")
    sh(*verify)
    serial = sh("openssl", "x509", "-in", "imap.pem", "-noout", "-serial").stdout.decode().split("=")[1].strip()
    server.run("cert", "issue", "imap4-default")
    server.run("ca", "revoke", serial)
    r = sh(*verify, check=False)
    assert r.returncode and b"certificate revoked" in r.stderr, r


def out_of_a_backup():
    global server
    file = work / "ca.backup"
    short = server.run("ca", "backup", "--out", file, "--passphrase-stdin", input="short", check=False)
    assert short.returncode == 1 and not file.exists(), short
    r = server.run("ca", "backup", "--out", file, "--passphrase-stdin", input=SECRET)
    assert file.stat().st_mode & 0o777 == 0o600 and b"PRIVATE KEY" not in file.read_bytes(), r
    assert logged("backup")["sha256"] == info()["certificate"]["sha256"]
    keys = [x["key"] for x in map(json.loads, (server.data / "evidence.log").read_text().splitlines()) if x["kind"] == "export" and x["by"] == "keyd"]
    assert {c["key"] for c in server.json("ca", "info")["cas"] if c["key_state"] == "at keyd"} <= set(keys), keys
    rows = server.json("ca", "list", "--filter", "revoked")
    assert rows
    was = server.json("ca", "info")
    sh("curl", "-sSf", "-o", "last.crl", f"http://localhost:{server.port('http')}/ca/issuing-3.crl")
    number = int(sh("openssl", "crl", "-inform", "DER", "-in", "last.crl", "-noout", "-crlnumber").stdout.decode().split("0x")[1], 16)
    refused("ca", "restore", file, "--passphrase-stdin", input=SECRET, says="--force")  # it lives
    damaged = work / "damaged.backup"
    bytes_ = bytearray(file.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    damaged.write_bytes(bytes_)
    cut = work / "cut.backup"
    cut.write_bytes(file.read_bytes()[:-100])
    first = server
    with Server(sys.argv[1]) as server:
        refused("ca", "restore", file, "--passphrase-stdin", input="another passphrase", says="not the one")
        for bad in (damaged, cut, work / "our.csr"):
            refused("ca", "restore", bad, "--passphrase-stdin", input=SECRET, says="damaged")
        before = server.json("ca", "info")
        report = json.loads(server.run("ca", "restore", file, "--passphrase-stdin", input=SECRET, json=True).stdout)
        assert all("NOT" not in s["result"] for s in report), report
        now = server.json("ca", "info")
        assert [c["certificate"]["sha256"] for c in now["cas"]] == [c["certificate"]["sha256"] for c in was["cas"]] != [c["certificate"]["sha256"] for c in before["cas"]]
        assert now["revoked"] == was["revoked"] and {r["certificate"]["serial"] for r in rows} == {r["certificate"]["serial"] for r in server.json("ca", "list", "--filter", "revoked")}
        assert info()["key_state"] == info("root")["key_state"] == "at keyd"
        assert logged("restore")["sha256"] == info()["certificate"]["sha256"] and "force" not in logged("restore")
        for port in ("imaps", "https"):  # issued by the CA that came back
            assert len(handshake(port, "top.pem")) == 3
        sh("curl", "-sSf", "-o", "now.crl", f"http://localhost:{server.port('http')}/ca/issuing-3.crl")
        text = sh("openssl", "crl", "-inform", "DER", "-in", "now.crl", "-noout", "-crlnumber", "-text").stdout.decode()
        assert int(re.search(r"crlNumber=0x([0-9A-F]+)", text)[1], 16) > number, text
        assert any(r["certificate"]["serial"].upper() in text for r in rows), text
        serial = server.json("cert", "show", "pop3-default")["current"]["certificate"]["serial"]
        server.run("ca", "revoke", serial)
        assert server.json("ca", "show", serial)["state"] == "revoked"
        # the root's key is there too: below it another issuing CA
        server.run("ca", "rollover")
        server.run("cert", "issue", "nntp-default")
        handshake("nntps", "new.pem")
        assert logged("rollover")["sha256"] == info()["certificate"]["sha256"] and "root" not in logged("rollover")
        server.stop()
        server.start()
        handshake("nntps", "old.pem")
        # now it lives: only by force, and what was there is kept
        refused("ca", "restore", file, "--passphrase-stdin", input=SECRET, says="--force")
        report = json.loads(server.run("ca", "restore", file, "--force", "--passphrase-stdin", input=SECRET, json=True).stdout)
        # what was revoked since the backup stays so
        assert any(s["step"] == "revoked since" and "0 issuing CAs and 1 certificates" in s["result"] for s in report), report
        assert server.json("ca", "show", serial)["state"] == "revoked"
        assert (server.data / "ca" / "replaced.db").stat().st_mode & 0o777 == 0o600
        assert info()["name"] == "issuing-3" and logged("restore")["force"] == "yes"
        assert len(handshake("nntps", "top.pem")) == 3
        # the issuing CA of the backup is compromised meanwhile: it never issues again
        server.run("ca", "compromised", "--yes")
        report = json.loads(server.run("ca", "restore", file, "--force", "--passphrase-stdin", input=SECRET, json=True).stdout)
        assert any(s["step"] == "revoked since" and s["result"].startswith("1 issuing CAs") for s in report), report
        assert all("NOT" not in s["result"] for s in report), report
        assert {c["name"]: c["state"] for c in server.json("ca", "info")["cas"]}["issuing-3"] == "revoked" and info()["name"] == "issuing-4"
        handshake("nntps", "new.pem")
    server = first


TESTS = [relayd_before_the_root, new_root, below_another_ca, out_of_a_backup]

if __name__ == "__main__":
    with Server(sys.argv[1]) as server:
        forwarder = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forwarder)
        forwarder.daemon_threads = True
        threading.Thread(target=forwarder.serve_forever, daemon=True).start()
        server.conf.write_text(server.conf.read_text() + f"""connectors = ( {{ name = "loop"; address_space = "loop.test"; smart_host = "[127.0.0.1]:{forwarder.server_address[1]}"; tls_required = true;
  tls_name = "localhost"; }} );\n""")
        server.run("reload")
        work = pathlib.Path(server.folder) / "work"
        work.mkdir()
        main(*TESTS)
