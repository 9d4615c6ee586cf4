#!/usr/bin/env python3
"""The own CA's EST server (RFC 7030), driven with curl and openssl: certificates of the CA, enrolment by password and by account, renewal, approval."""
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from sealpost import Server, main, wait_for

server = work = None


def sh(*words, input=None, check=True):
    r = subprocess.run([str(w) for w in words], input=input, capture_output=True, cwd=work, timeout=60)
    assert not check or r.returncode == 0, (words, r.stdout, r.stderr)
    return r


def text(*words, input=None):
    return sh(*words, input=input).stdout.decode(errors="replace")


def est(what, *more, csr=None, type="application/pkcs10"):
    """curl: status, headers, body in the file `answer`."""
    url = f"https://localhost:{server.port('https')}/.well-known/est/{what}"
    if csr:
        (work / "csr.b64").write_text(base64_of(csr))
        more += ("--data-binary", "@csr.b64", "-H", f"Content-Type: {type}")
    r = sh("curl", "-sS", "--cacert", server.ca_file, "-D", "head", "-o", "answer", "-w", "%{http_code}", *more, url)
    head = dict(line.split(": ", 1) for line in (work / "head").read_text().replace("\r", "").splitlines() if ": " in line)
    return int(r.stdout), head


def base64_of(csr):
    der = sh("openssl", "req", "-in", csr, "-outform", "DER").stdout
    return sh("openssl", "base64", input=der).stdout.decode()


def request(name, cn, *names, key=None):
    san = ("-addext", "subjectAltName=" + ",".join(names)) if names else ()
    keep = ("-key", key) if key else ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key")
    sh("openssl", "req", "-new", *keep, "-out", f"{name}.csr", "-subj", f"/CN={cn}", *san)
    return f"{name}.csr"


def certificates(name):
    """The answer's PKCS#7 as PEM, in name.pem; how many there are."""
    der = sh("openssl", "base64", "-d", "-in", "answer").stdout
    pem = text("openssl", "pkcs7", "-inform", "DER", "-print_certs", input=der)
    found = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", pem, re.S)
    (work / f"{name}.pem").write_text("".join(found))
    return len(found)


def verify(name, purpose):
    sh("openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", server.ca_file, "-untrusted", "cacerts.pem", f"{name}.pem")
    return text("openssl", "x509", "-in", f"{name}.pem", "-noout", "-serial").split("=")[1].strip().lower()


def enrolled(name, *more, csr, what="simpleenroll"):
    status, head = est(what, *more, csr=csr)
    assert status == 200, (status, (work / "answer").read_bytes())
    assert head["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only" and head["Content-Transfer-Encoding"] == "base64", head
    assert certificates(name) == 1  # the certificate alone


def cacerts():
    status, head = est("cacerts")
    assert status == 200 and head["Content-Type"].startswith("application/pkcs7-mime") and head["Content-Transfer-Encoding"] == "base64", head
    assert certificates("cacerts") == 2
    assert pathlib.Path(server.ca_file).read_text().strip() in (work / "cacerts.pem").read_text()
    assert est("cacerts", "-X", "POST")[0] == 405 and est("nothing")[0] == 404 and est("simpleenroll")[0] == 405
    # in clear: to the https address
    code = sh("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"http://localhost:{server.port('http')}/.well-known/est/cacerts").stdout
    assert code == b"301", code


def csrattrs():
    status, head = est("csrattrs")
    assert status == 200 and head["Content-Type"] == "application/csrattrs", (status, head)
    out = text("openssl", "asn1parse", "-inform", "DER", input=sh("openssl", "base64", "-d", "-in", "answer").stdout)
    assert "prime256v1" in out and "ecdsa-with-SHA256" in out, out


def by_enrolment_password():
    made = server.json("ca", "est", "password", "create", "printers", "--names", "printers.example.test")
    good = ("-u", f"printers:{made['password']}")
    csr = request("printer", "p1.printers.example.test", "DNS:p1.printers.example.test")
    enrolled("printer", *good, csr=csr)
    serial = verify("printer", "sslserver")
    row = server.json("ca", "show", serial)
    assert row["requester"] == "est: printers" and row["profile"] == "server", row
    # who has no password, or a wrong one
    status, head = est("simpleenroll", csr=csr)
    assert status == 401 and head["WWW-Authenticate"].startswith("Basic "), (status, head)
    assert est("simpleenroll", "-u", "printers:wrong", csr=csr)[0] == 401
    assert est("simpleenroll", "-u", f"unknown:{made['password']}", csr=csr)[0] == 401
    assert est("simpleenroll", "-H", "Authorization: Basic %%%", csr=csr)[0] == 401
    # names that are not its own; no name; a mail address
    for names in (("DNS:www.example.test",), ("DNS:printers.example.test", "DNS:example.test"), ("DNS:xprinters.example.test",), ("email:alice@example.test",)):
        assert est("simpleenroll", *good, csr=request("bad", "bad", *names))[0] == 403, names
    assert est("simpleenroll", *good, csr=request("none", "just words"))[0] == 400
    # what is no request, of another type, too large
    assert est("simpleenroll", *good, "--data-binary", "rubbish", "-H", "Content-Type: application/pkcs10")[0] == 400
    assert est("simpleenroll", *good, csr=csr, type="text/plain")[0] == 415
    (work / "large").write_bytes(b"x" * 70000)
    assert est("simpleenroll", *good, "--data-binary", "@large", "-H", "Content-Type: application/pkcs10")[0] == 413
    # a request that its key did not sign
    der = bytearray(sh("openssl", "req", "-in", csr, "-outform", "DER").stdout)
    der[-1] ^= 1
    (work / "broken").write_bytes(sh("openssl", "base64", input=bytes(der)).stdout)
    assert est("simpleenroll", *good, "--data-binary", "@broken", "-H", "Content-Type: application/pkcs10")[0] == 400
    # only what the configuration allows can be given out; a name once
    r = server.run("ca", "est", "password", "create", "foreign", "--names", "example.org", check=False)
    assert r.returncode == 1 and "est_server" in r.stderr, r
    r = server.run("ca", "est", "password", "create", "printers", "--names", "a.example.test", check=False)
    assert r.returncode == 1 and "already" in r.stderr, r
    row = server.json("ca", "est", "password", "list")[0]
    assert row["used"] and "password" not in row, row
    server.run("ca", "est", "password", "remove", "printers")
    assert est("simpleenroll", *good, csr=request("again", "p2.printers.example.test", "DNS:p2.printers.example.test"))[0] == 401


def renewal():
    """With the certificate that is to be replaced, printer.pem of the test before."""
    own = ("--cert", "printer.pem", "--key", "printer.key")
    csr = request("renewed", "p1.printers.example.test", "DNS:p1.printers.example.test")
    enrolled("renewed", *own, csr=csr, what="simplereenroll")
    serial = verify("renewed", "sslserver")
    old = text("openssl", "x509", "-in", "printer.pem", "-noout", "-serial").split("=")[1].strip().lower()
    assert serial != old and server.json("ca", "show", serial)["requester"] == f"est: renews {old}"
    # not for other names, not without a certificate
    other = request("other", "p9.printers.example.test", "DNS:p9.printers.example.test")
    more = request("more", "p1.printers.example.test", "DNS:p1.printers.example.test", "DNS:p9.printers.example.test")
    assert est("simplereenroll", *own, csr=other)[0] == 403 and est("simplereenroll", *own, csr=more)[0] == 403
    assert est("simplereenroll", csr=csr)[0] == 401
    # a certificate that this CA has not made
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "self.key", "-out", "self.pem", "-subj", "/CN=p1.printers.example.test",
       "-addext", "subjectAltName=DNS:p1.printers.example.test")
    assert est("simplereenroll", "--cert", "self.pem", "--key", "self.key", csr=csr)[0] == 401
    # one that was issued otherwise
    server.run("ca", "issue", "--profile", "news-peer", "--request", work / csr, "--out", work / "peer-all.pem")
    pem = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", (work / "peer-all.pem").read_text(), re.S)
    (work / "peer.pem").write_text(pem[0])
    assert est("simplereenroll", "--cert", "peer.pem", "--key", "renewed.key", csr=csr)[0] == 401
    # revoked
    server.run("ca", "revoke", old)
    assert est("simplereenroll", *own, csr=request("late", "p1.printers.example.test", "DNS:p1.printers.example.test"))[0] == 401


def by_a_certificate_from_elsewhere():
    """Section 3.3.2: a first enrolment by a certificate of another CA that the virtual server trusts; for the names in it, and only if est_server says so."""
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "maker.key", "-out", "maker.pem", "-subj", "/O=Maker of things/CN=Maker CA",
       "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def device(name, *sans, usage="clientAuth", ca="maker"):
        request(name, "Device")
        (work / f"{name}.ext").write_text(f"subjectAltName={','.join(sans)}\nextendedKeyUsage={usage}\nkeyUsage=digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        sh("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "30", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        return "--cert", f"{name}.pem", "--key", f"{name}.key"

    good = device("dev7", "DNS:dev7.example.test")
    csr = request("dev7new", "dev7.example.test", "DNS:dev7.example.test")
    assert est("simpleenroll", *good, csr=csr)[0] == 401, "not trusted yet"
    trust = server.data / "certs" / "trust" / "maker.pem"
    trust.parent.mkdir(exist_ok=True)
    trust.parent.chmod(0o755)
    trust.write_bytes((work / "maker.pem").read_bytes())
    trust.chmod(0o644)
    conf = server.conf.read_text()
    server.conf.write_text(conf.replace('client_trust = ( "own-ca" )', f'client_trust = ( "own-ca", "maker.pem" )'))
    server.run("reload")
    time.sleep(1)
    assert est("simpleenroll", *good, csr=csr)[0] == 401, "trusted to log in, not to enrol"
    server.conf.write_text(server.conf.read_text().replace("accounts = true;", "accounts = true; certificates = true;"))
    server.run("reload")
    wait_for("it enrols", lambda: est("simpleenroll", *good, csr=csr)[0] == 200)
    enrolled("dev7first", *good, csr=csr)
    serial = verify("dev7first", "sslserver")
    by = server.json("ca", "show", serial)["requester"]
    assert by.startswith("est: by certificate ") and "Maker CA" in by, by
    # it renews itself from then on; what came from elsewhere renews nothing
    enrolled("dev7second", "--cert", "dev7first.pem", "--key", "dev7new.key", csr=csr, what="simplereenroll")
    assert est("simplereenroll", *good, csr=csr)[0] == 401
    # other names, names beyond est_server, another use, another CA
    assert est("simpleenroll", *good, csr=request("o", "dev8.example.test", "DNS:dev8.example.test"))[0] == 403
    far = device("far", "DNS:www.example.org")
    assert est("simpleenroll", *far, csr=request("farnew", "www.example.org", "DNS:www.example.org"))[0] == 403
    assert est("simpleenroll", *device("srv", "DNS:dev7.example.test", usage="serverAuth"), csr=csr)[0] == 401
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "fake.key", "-out", "fake.pem", "-subj", "/O=Maker of things/CN=Maker CA",
       "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    assert est("simpleenroll", *device("forged", "DNS:dev7.example.test", ca="fake"), csr=csr)[0] == 401
    server.conf.write_text(conf)
    server.run("reload")


def by_account():
    alice = ("-u", f"{server.address('alice')}:{server.passwords['alice']}")
    enrolled("alice", *alice, csr=request("alice", "Alice", "email:alice@example.test"))
    serial = verify("alice", "sslclient")
    row = server.json("ca", "show", serial)
    assert row["profile"] == "account" and row["requester"] == "est: account alice@example.test", row
    assert "alice@example.test" in text("openssl", "x509", "-in", "alice.pem", "-noout", "-ext", "subjectAltName")
    # a request without names gets the account's own
    enrolled("alice2", *alice, csr=request("alice2", "Alice"))
    assert "email:alice@example.test" in text("openssl", "x509", "-in", "alice2.pem", "-noout", "-ext", "subjectAltName")
    for names in (("email:bob@example.test",), ("email:alice@example.test", "email:bob@example.test"), ("DNS:example.test",)):
        assert est("simpleenroll", *alice, csr=request("bad", "Bob", *names))[0] == 403, names
    assert est("simpleenroll", "-u", f"{server.address('alice')}:wrong", csr="alice.csr")[0] == 401
    # renewed by the certificate itself
    enrolled("alice3", "--cert", "alice.pem", "--key", "alice.key", csr=request("alice3", "Alice", "email:alice@example.test"), what="simplereenroll")
    verify("alice3", "sslclient")


def approval():
    """202 until an officer has decided."""
    conf = server.conf.read_text()
    server.conf.write_text(conf.replace("est_server", 'ca_officer = ( "server" );\nest_server', 1))
    server.run("reload")
    made = server.json("ca", "est", "password", "create", "doors", "--names", "doors.example.test")
    good = ("-u", f"doors:{made['password']}")
    csr = request("door", "d1.doors.example.test", "DNS:d1.doors.example.test")

    def waits():
        status, head = est("simpleenroll", *good, csr=csr)
        return status == 202 and head
    head = wait_for("requests wait", waits)
    assert int(head["Retry-After"]) > 0 and waits()
    rows = [r for r in server.json("ca", "pending") if "d1.doors.example.test" in r["names"]]
    assert len(rows) == 1 and rows[0]["requester"] == "est: doors", rows  # asked twice, one request
    server.run("ca", "approve", str(rows[0]["id"]), "--out", work / "approved.pem")
    enrolled("door", *good, csr=csr)
    verify("door", "sslserver")
    assert (work / "door.pem").read_text() in (work / "approved.pem").read_text()
    denied = request("denied", "d2.doors.example.test", "DNS:d2.doors.example.test")
    assert est("simpleenroll", *good, csr=denied)[0] == 202
    row = next(r for r in server.json("ca", "pending") if "d2.doors" in r["names"])
    server.run("ca", "deny", str(row["id"]), "--reason", "not that door")
    assert est("simpleenroll", *good, csr=denied)[0] == 403 and b"not that door" in (work / "answer").read_bytes()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="sealpost-est.") as folder, contextlib.ExitStack() as stack:
        work = pathlib.Path(folder)
        server = stack.enter_context(Server(sys.argv[1], extra='est_server = { enabled = true; accounts = true; names = ( "example.test" ); };',
                                            vserver_extra={"http-default": 'client_certificates = "accept"; client_trust = ( "own-ca" );'}))
        main(cacerts, csrattrs, by_enrolment_password, renewal, by_a_certificate_from_elsewhere, by_account, approval)
