#!/usr/bin/env python3
"""The own CA's services, as openssl, GnuTLS and curl see them: CRL, OCSP, register, approval, root key, issuing CAs, compromise."""
import base64
import concurrent.futures
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import urllib.parse

from sealpost import Server, main, wait_for

server = None
work = None


def sh(*words, input=None, check=True):
    r = subprocess.run([str(w) for w in words], input=input, capture_output=True, cwd=work, timeout=60)
    assert not check or r.returncode == 0, (words, r.stdout, r.stderr)
    return r


def text(*words, input=None):
    r = sh(*words, input=input)
    return (r.stdout + r.stderr).decode(errors="replace")


def served(port, tls=None):
    with socket.create_connection(("127.0.0.1", server.port(port)), timeout=10) as s:
        with (tls or server.tls).wrap_socket(s, server_hostname="localhost") as t:
            return t.getpeercert(binary_form=True)


def serial_of(der):
    return text("openssl", "x509", "-inform", "DER", "-noout", "-serial", input=der).split("=")[1].strip().lower()


def chain(port, name):
    """leaf.pem and issuer.pem of what is served."""
    out = sh("openssl", "s_client", "-connect", f"localhost:{server.port(port)}", "-showcerts", input=b"", check=False).stdout.decode()
    pems = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", out, re.S)
    (work / f"{name}.pem").write_text(pems[0])
    (work / f"{name}-issuer.pem").write_text(pems[1])
    (work / f"{name}-above.pem").write_text("".join(pems[1:]))
    return pems


def urls(name):
    out = text("openssl", "x509", "-in", f"{name}.pem", "-noout", "-text")
    return {"ocsp": re.search(r"OCSP - URI:(\S+)", out)[1], "crt": re.search(r"CA Issuers - URI:(\S+)", out)[1],
            "crl": re.search(r"Full Name:\s+URI:(\S+\.crl)", out)[1]}


def request(name, common_name, *names):
    san = ",".join(names)
    sh("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
       "-subj", f"/CN={common_name}", "-addext", f"subjectAltName={san}")
    return work / f"{name}.csr"


def ocsp(name, ca_file=None):
    return text("openssl", "ocsp", "-issuer", f"{name}-issuer.pem", "-cert", f"{name}.pem", "-url", urls(name)["ocsp"], "-CAfile", ca_file or server.ca_file,
                "-verify_other", f"{name}-issuer.pem", "-timeout", "10")


def addresses_in_certificates():
    chain("imaps", "imap")
    at = urls("imap")
    base = f"http://localhost:{server.port('http')}"
    assert at == {"ocsp": base + "/ocsp", "crt": base + "/ca/issuing-1.crt", "crl": base + "/ca/issuing-1.crl"}, at
    r = sh("curl", "-sS", "-D", "head", "-o", "issuing.der", at["crt"])
    assert "application/pkix-cert" in (work / "head").read_text(), r
    assert text("openssl", "x509", "-inform", "DER", "-in", "issuing.der") == text("openssl", "x509", "-in", "imap-issuer.pem")
    sh("curl", "-sS", "-D", "head", "-o", "issuing.crl", at["crl"])
    assert "application/pkix-crl" in (work / "head").read_text()
    sh("curl", "-sS", "-o", "root.crl", base + "/ca/root-1.crl")
    for name in ("issuing", "root"):
        sh("openssl", "crl", "-inform", "DER", "-in", f"{name}.crl", "-out", f"{name}.crl.pem")
    (work / "all.crl").write_text((work / "issuing.crl.pem").read_text() + (work / "root.crl.pem").read_text())
    sh("openssl", "verify", "-x509_strict", "-crl_check_all", "-CRLfile", "all.crl", "-CAfile", server.ca_file, "-untrusted", "imap-issuer.pem", "imap.pem")
    # openssl fetches the list itself from the address in the certificate
    sh("openssl", "verify", "-crl_check", "-crl_download", "-CAfile", server.ca_file, "-untrusted", "imap-issuer.pem", "imap.pem")
    for path in ("/ca/register.db", "/ca/issuing-9.crl", "/ca/", "/ca/../ca/register.db", "/ca/issuing-1-1.crl"):
        code = sh("curl", "-sS", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", base + path).stdout
        assert code == b"404", (path, code)


def ocsp_by_post_and_get():
    chain("imaps", "imap")
    out = ocsp("imap")
    assert "Response verify OK" in out and "imap.pem: good" in out and "Nonce" not in out, out
    sh("openssl", "ocsp", "-issuer", "imap-issuer.pem", "-cert", "imap.pem", "-no_nonce", "-reqout", "q.der")
    q = base64.b64encode((work / "q.der").read_bytes()).decode()
    for escaped in (urllib.parse.quote(q, safe=""), urllib.parse.quote(q, safe="/+=")):
        sh("curl", "-sS", "-D", "head", "-o", "a.der", urls("imap")["ocsp"] + "/" + escaped)
        assert "application/ocsp-response" in (work / "head").read_text()
        out = text("openssl", "ocsp", "-respin", "a.der", "-issuer", "imap-issuer.pem", "-cert", "imap.pem", "-no_nonce", "-CAfile", server.ca_file, "-verify_other", "imap-issuer.pem")
        assert "imap.pem: good" in out and "verify OK" in out, out
    out = text("ocsptool", "--ask=" + urls("imap")["ocsp"], "--load-issuer", "imap-issuer.pem", "--load-cert", "imap.pem", "--load-signer", "imap-issuer.pem", input=b"")
    assert "good" in out and "Verifying OCSP Response: Success" in out, out
    # over TLS as well; with what is no request: an answer that says so
    url = f"https://localhost:{server.port('https')}/ocsp"
    sh("curl", "-sS", "--cacert", server.ca_file, "--data-binary", "rubbish", "-o", "a.der", url)
    assert "malformedrequest" in sh("openssl", "ocsp", "-respin", "a.der", "-noverify", check=False).stderr.decode() + \
        sh("openssl", "ocsp", "-respin", "a.der", "-noverify", check=False).stdout.decode()
    for more in (("-X", "PUT"), ("--data-binary", "x" * 70000), ()):
        code = sh("curl", "-sS", "--cacert", server.ca_file, *more, "-o", "/dev/null", "-w", "%{http_code}", url, check=False).stdout
        assert code in (b"400", b"405", b"413"), (more[:1], code)


def many_ask_at_once():
    chain("imaps", "imap")
    sh("openssl", "ocsp", "-issuer", "imap-issuer.pem", "-cert", "imap.pem", "-reqout", "nonce.der")

    def one(i):
        sh("curl", "-sS", "--data-binary", "@nonce.der", "-o", f"a{i}.der", urls("imap")["ocsp"])
        return "Cert Status: good" in text("openssl", "ocsp", "-respin", f"a{i}.der", "-noverify", "-resp_text")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(40)))


def hold_and_unhold():
    request("held", "alice@example.test", "email:alice@example.test")
    server.run("ca", "issue", "--profile", "account", "--request", work / "held.csr", "--for", "Alice", "--out", work / "held-all.pem")
    pems = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", (work / "held-all.pem").read_text(), re.S)
    assert len(pems) == 2
    (work / "held.pem").write_text(pems[0])
    (work / "held-issuer.pem").write_text(pems[1])
    sh("openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", server.ca_file, "-untrusted", "held-issuer.pem", "held.pem")
    serial = text("openssl", "x509", "-in", "held.pem", "-noout", "-serial").split("=")[1].strip()
    assert "held.pem: good" in ocsp("held")
    server.run("ca", "revoke", serial, "--reason", "certificateHold")
    assert [r["state"] for r in server.json("ca", "list", "--filter", "held")] == ["held"]
    assert "held.pem: revoked" in ocsp("held") and "certificateHold" in ocsp("held")
    r = sh("openssl", "verify", "-crl_check", "-crl_download", "-CAfile", server.ca_file, "-untrusted", "held-issuer.pem", "held.pem", check=False)
    assert r.returncode and b"certificate revoked" in r.stderr, r
    server.run("ca", "unhold", serial)
    assert "held.pem: good" in ocsp("held")
    sh("openssl", "verify", "-crl_check", "-crl_download", "-CAfile", server.ca_file, "-untrusted", "held-issuer.pem", "held.pem")
    r = server.run("ca", "unhold", serial, check=False)
    assert r.returncode == 1 and "not on hold" in r.stderr, r
    server.run("ca", "revoke", serial, "--reason", "keyCompromise")
    r = server.run("ca", "unhold", serial, check=False)
    assert r.returncode == 1 and "final" in r.stderr, r


def search():
    rows = server.json("ca", "list", "--profile", "account")
    assert rows and all(r["profile"] == "account" for r in rows)
    rows = server.json("ca", "list", "--name", "ALICE")
    assert rows and all("alice" in str(r).lower() for r in rows)
    assert server.json("ca", "list", "--name", "nobody-has-that") == []
    assert len(server.json("ca", "list", "--profile", "server", "--expires-within", "91")) >= 6
    assert server.json("ca", "list", "--expires-within", "5") == []
    assert server.run("ca", "list", "--filter", "nonsense", check=False).returncode == 2
    names = [p["name"] for p in server.json("ca", "profile", "list")]
    assert "server" in names and "smime" in names and "root" not in names, names
    assert server.json("ca", "profile", "show", "smime")["issue"] == "on approval"


def requests_wait():
    request("mail", "bob@example.test", "email:bob@example.test")
    ask = ("ca", "issue", "--profile", "smime", "--request", work / "mail.csr", "--for", "Bob")
    for _ in range(2):  # the same question is the same request
        r = server.run(*ask, check=False)
        assert r.returncode == 1 and "waits for approval" in r.stderr and "the same command again" in r.stderr, r
    rows = server.json("ca", "pending")
    assert len(rows) == 1 and rows[0]["requester"] == "Bob" and "bob@example.test" in rows[0]["names"], rows
    number = str(rows[0]["id"])
    server.run("ca", "approve", number, "--out", work / "mail-all.pem")
    assert server.json("ca", "pending") == []
    again = server.run(*ask).stdout  # who asked comes back for it
    assert again == (work / "mail-all.pem").read_text()
    sh("openssl", "verify", "-purpose", "smimesign", "-CAfile", server.ca_file, "-untrusted", "mail-all.pem", "mail-all.pem")
    assert server.run("ca", "approve", number, check=False).returncode == 1
    request("other", "carol@example.test", "email:carol@example.test")
    ask = ("ca", "issue", "--profile", "smime", "--request", work / "other.csr")
    server.run(*ask, check=False)
    number = str(server.json("ca", "pending")[0]["id"])
    server.run("ca", "deny", number, "--reason", "not one of us")
    r = server.run(*ask, check=False)
    assert r.returncode == 1 and "not one of us" in r.stderr, r
    # what nobody could approve does not wait
    sh("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "none.key", "-out", "none.csr", "-subj", "/CN=words only")
    r = server.run("ca", "issue", "--profile", "smime", "--request", work / "none.csr", check=False)
    assert r.returncode == 1 and "at least one name" in r.stderr, r
    assert [x["state"] for x in server.json("ca", "pending", "--all")] == ["approved", "denied"]


def root_key_away_and_back():
    secret = "a long passphrase"
    file = work / "root.key"
    r = server.run("ca", "root", "remove", "--yes", check=False)
    assert r.returncode == 1 and "never exported" in r.stderr and "--lose-it" in r.stderr, r
    assert server.run("ca", "root", "export", "--out", work / "no" / "such" / "folder", "--passphrase-stdin", input=secret, check=False).returncode == 1
    r = server.run("ca", "root", "remove", "--yes", check=False)
    assert r.returncode == 1 and "never exported" in r.stderr, "a file that could not be written holds no key"
    root = next(c for c in server.json("ca", "info")["cas"] if c["kind"] == "root")
    assert root["key_state"] == "at keyd" and root["key_kept_at"] == 0, root
    assert server.run("ca", "root", "export", "--out", file, "--passphrase-stdin", input="short", check=False).returncode == 1
    server.run("ca", "root", "export", "--out", file, "--passphrase-stdin", input=secret)
    assert file.stat().st_mode & 0o777 == 0o600 and "ENCRYPTED PRIVATE KEY" in file.read_text()
    sh("openssl", "pkey", "-in", file, "-passin", "pass:" + secret, "-pubout", "-out", "root.pub")
    assert (work / "root.pub").read_text() == text("openssl", "x509", "-in", server.ca_file, "-noout", "-pubkey")
    assert server.run("ca", "root", "remove", check=False).returncode == 2, "not without --yes"
    server.run("ca", "root", "remove", "--yes")
    root = next(c for c in server.json("ca", "info")["cas"] if c["kind"] == "root")
    assert "away" in root["key_state"], root
    assert server.run("ca", "root", "export", "--out", file, "--passphrase-stdin", input=secret, check=False).returncode == 1
    # the issuing CA goes on; so do lists and answers
    server.run("cert", "issue", "pop3-default")
    chain("pop3s", "pop")
    assert "pop.pem: good" in ocsp("pop")
    sh("curl", "-sS", "-o", "root.crl", f"http://localhost:{server.port('http')}/ca/root-1.crl")
    out = text("openssl", "crl", "-inform", "DER", "-in", "root.crl", "-noout", "-nextupdate", "-lastupdate")
    years = [int(y) for y in re.findall(r"(20\d\d) GMT", out)]
    assert years[0] == years[1] + 1, out
    for command in (("rollover",), ("rollover", "--dry-run"), ("rollover", "root", "--dry-run"), ("compromised", "--dry-run"), ("compromised", "--yes")):
        r = server.run("ca", *command, check=False)
        assert r.returncode == 1 and "ca root import" in r.stderr, (command, r)
    server.stop()
    server.start()
    assert served("pop3s")
    assert server.run("ca", "root", "import", file, "--passphrase-stdin", input="another one", check=False).returncode == 1
    sh("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:" + secret, "-out", "foreign.key")
    r = server.run("ca", "root", "import", work / "foreign.key", "--passphrase-stdin", input=secret, check=False)
    assert r.returncode == 1 and "not the key of the root" in r.stderr, r
    server.run("ca", "root", "import", file, "--passphrase-stdin", input=secret)
    root = next(c for c in server.json("ca", "info")["cas"] if c["kind"] == "root")
    assert root["key_state"] == "at keyd", root


def issuing():
    return next(c for c in server.json("ca", "info")["cas"] if c["kind"] == "issuing" and c["in_use"])


def rollover():
    before = issuing()
    old = served("nntps")
    session = server.imap()
    server.run("ca", "rollover")
    assert issuing()["id"] != before["id"] and issuing()["name"] == "issuing-2"
    assert served("nntps") == old, "what the old one issued stays in service"
    server.run("cert", "issue", "nntp-default")
    chain("nntps", "news")
    assert urls("news")["crl"].endswith("/ca/issuing-2.crl")
    sh("openssl", "verify", "-x509_strict", "-crl_check", "-crl_download", "-CAfile", server.ca_file, "-untrusted", "news-issuer.pem", "news.pem")
    chain("imaps", "imap")  # of the retired one: lists and answers go on
    sh("openssl", "verify", "-crl_check", "-crl_download", "-CAfile", server.ca_file, "-untrusted", "imap-issuer.pem", "imap.pem")
    assert "imap.pem: good" in ocsp("imap")
    assert session.noop()[0] == "OK"
    # --now later: all that is not of the CA in use then, of whichever earlier one it is
    plan = {s["what"] for s in server.json("ca", "rollover", "--now", "--dry-run") if s["step"] == "certificate"}
    assert plan >= {"imap4-default", "pop3-default", "nntp-default", "http-default"}, plan


def compromise():
    request("laptop", "dave@example.test", "email:dave@example.test")
    server.run("ca", "issue", "--profile", "account", "--request", work / "laptop.csr", "--for", "Dave's laptop", "--out", work / "laptop.pem")
    request("printer", "localhost", "DNS:localhost")
    server.run("ca", "issue", "--profile", "server", "--request", work / "printer.csr", "--for", "Print room", "--out", work / "printer.pem")
    server.run("cert", "issue", "imap4-default")
    old, session = issuing(), server.imap()
    chain("imaps", "before")
    before = {p: served(p) for p in ("imaps", "nntps")}
    r = server.run("ca", "compromised", check=False)
    assert r.returncode == 2 and "--dry-run" in r.stderr, r
    plan = server.json("ca", "compromised", "--dry-run")
    touched = {s["what"] for s in plan if s["step"] == "certificate"}
    assert touched == {"imap4-default", "nntp-default"}, plan
    others = {s["what"]: s["result"] for s in plan if s["step"] == "to be asked for anew"}
    assert set(others) == {"Dave's laptop", "Print room"}, plan
    assert "localhost" in others["Print room"] and "ca issue" in others["Print room"] and "dave@example.test" in others["Dave's laptop"], others
    cas = server.json("ca", "info")["cas"]
    for how in ("--dry-run", "--yes"):  # refused before anything is made
        r = server.run("ca", "compromised", "root-1", how, check=False)
        assert r.returncode == 1 and "no issuing CA" in r.stderr, r
    assert server.json("ca", "info")["cas"] == cas
    assert {p: served(p) for p in before} == before and issuing()["id"] == old["id"], "a dry run changes nothing"
    report = server.json("ca", "compromised", "--yes")
    assert any("revoked with" in s["result"] for s in report), report
    assert {s["what"] for s in report if s["step"] == "to be asked for anew"} == set(others), report
    cas = server.json("ca", "info")["cas"]
    for how in ("--dry-run", "--yes"):
        r = server.run("ca", "compromised", old["name"], how, check=False)
        assert r.returncode == 1 and "revoked before" in r.stderr, r
    assert server.json("ca", "info")["cas"] == cas
    assert issuing()["id"] != old["id"]
    for port, was in before.items():
        now = served(port)
        assert now != was, port
    assert session.noop()[0] == "OK"
    chain("imaps", "after")
    sh("openssl", "verify", "-x509_strict", "-crl_check", "-crl_download", "-CAfile", server.ca_file, "-untrusted", "after-issuer.pem", "after.pem")
    r = sh("openssl", "verify", "-crl_check", "-crl_download", "-CAfile", server.ca_file, "-untrusted", "before-issuer.pem", "before.pem", check=False)
    assert r.returncode and b"certificate revoked" in r.stderr, r
    assert "before.pem: revoked" in ocsp("before")
    # the CA itself stands in the root's list
    sh("curl", "-sS", "-o", "root.crl", f"http://localhost:{server.port('http')}/ca/root-1.crl")
    serial = text("openssl", "x509", "-in", "before-issuer.pem", "-noout", "-serial").split("=")[1].strip()
    out = text("openssl", "crl", "-inform", "DER", "-in", "root.crl", "-noout", "-text")
    assert serial in out and "CA Compromise" in out, out
    states = {c["name"]: c["state"] for c in server.json("ca", "info")["cas"]}
    assert states[old["name"]] == "revoked", states
    laptop = text("openssl", "x509", "-in", "laptop.pem", "-noout", "-serial").split("=")[1].strip()
    assert server.json("ca", "show", laptop)["state"] == "revoked"


def root_key_lost():
    """A new root's key was never exported either. Who says so loses it, is told what that means, and has what was said to remain."""
    server.run("ca", "rollover", "root")
    # the root after that is certified by root-2 only: who has nothing but root-1 is lost, and that is said
    for how in (("--dry-run",), ()):
        lost = [s["what"] for s in server.json("ca", "rollover", "root", *how) if s["step"] == "no longer reached"]
        assert lost == ["root-1"], (how, lost)
    r = server.run("ca", "root", "remove", "--yes", check=False)
    assert r.returncode == 1 and "never exported" in r.stderr, r
    r = server.run("ca", "root", "remove", "--yes", "--lose-it")
    assert "ca rollover" in r.stdout and "ca request" in r.stdout, r
    r = server.run("ca", "rollover", check=False)
    assert r.returncode == 1 and "away" in r.stderr, r
    server.run("cert", "issue", "pop3-default")
    chain("pop3s", "pop")
    assert "pop.pem: good" in ocsp("pop")
    server.run("ca", "revoke", server.json("ca", "list")[0]["certificate"]["serial"], "--reason", "superseded")
    server.run("ca", "request", "--out", work / "careq.pem")
    sh("openssl", "req", "-in", "careq.pem", "-noout", "-verify")


TESTS = [addresses_in_certificates, ocsp_by_post_and_get, many_ask_at_once, hold_and_unhold, search, requests_wait,
         root_key_away_and_back, rollover, compromise, root_key_lost]

if __name__ == "__main__":
    with Server(sys.argv[1], extra='workers_access = 2; ca_officer = ( "smime" );') as server:
        work = pathlib.Path(server.folder) / "work"
        work.mkdir()
        main(*TESTS)
