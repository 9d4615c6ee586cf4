#!/usr/bin/env python3
"""est_client_test.py BIN_FOLDER: a virtual server's certificate from a CA that is asked by EST (RFC 7030), here our own server: first by a login, renewed by
the certificate in use itself in TLS, with a key that keyd keeps; by the login again where that certificate is not taken; first by a certificate that another CA gave."""
import pathlib
import subprocess
import sys

from sealpost import Server, main

server = None
VSERVER = "imap4-default"
ACCEPT = 'client_certificates = "accept"; client_trust = ( "own-ca" );'
CONF = """est_server = {{ enabled = true; names = ( "example.test" ); }};
authorities = ( {{ name = "est"; kind = "est"; url = "https://localhost:{port}/.well-known/est"; private = true; trust_file = "own.pem"; root_file = "own.pem";
  user = "device"; password_file = "est.password"; }} );"""


def show():
    return server.json("cert", "show", VSERVER)


def requester():
    return server.json("ca", "show", show()["current"]["serial"])["requester"]


def set_password(word):
    file = server.data / "certs" / "est.password"
    file.write_text(word + "\n")
    file.chmod(0o644)


def log(since=0):
    return server.log.read_text(errors="replace")[since:]


def renew():
    """The serials before and behind it."""
    before = show()["current"]
    server.run("cert", "renew", VSERVER)
    after = show()["current"]
    assert after["serial"] != before["serial"] and after["origin"] == "est" and after["state"] == "live", after
    assert after["key"] != before["key"], after
    return before["serial"], after["serial"]


def first_by_login():
    own = server.data / "certs" / "own.pem"
    own.write_bytes(pathlib.Path(server.ca_file).read_bytes())
    own.chmod(0o644)
    set_password(server.json("ca", "est", "password", "create", "device", "--names", "example.test")["password"])
    server.run("cert", "request", VSERVER, "--ca", "est", "--dns", "mail.example.test")
    assert show()["current"]["origin"] == "est" and requester() == "est: device", requester()


def renewed_by_the_certificate():
    """The CA knows it by its certificate; the login is not used: there is none any more."""
    old, _ = renew()
    assert requester() == f"est: renews {old}", requester()
    server.run("ca", "est", "password", "remove", "device")
    old, _ = renew()
    assert requester() == f"est: renews {old}", requester()


def where_it_is_not_taken():
    """A CA that does not look at certificates: without a login it refuses, and what is in use stays; with one it is replaced."""
    server.conf.write_text(server.conf.read_text().replace(ACCEPT, ""))
    server.run("reload")
    since, serial = len(log()), show()["current"]["serial"]
    r = server.run("cert", "renew", VSERVER, check=False)
    assert r.returncode == 1 and "does not know the login" in r.stderr, r
    assert show()["current"]["serial"] == serial and "the certificate in use is not taken" in log(since)
    server.run("cert", "cancel", VSERVER)
    set_password(server.json("ca", "est", "password", "create", "device", "--names", "example.test")["password"])
    since = len(log())
    renew()
    assert requester() == "est: device" and "the certificate in use is not taken" in log(since), requester()


def first_by_a_given_certificate():
    """Another authority, which knows us by a certificate that it gave us before: no login at all. Its key is with keyd."""
    work = pathlib.Path(server.folder)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", work / "maker.key", "-out", work / "maker.pem",
                    "-subj", "/O=Maker of things/CN=Maker CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign"], check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", work / "device.key", "-out", work / "device.csr",
                    "-subj", "/CN=Device 7"], check=True, capture_output=True)
    (work / "device.ext").write_text("subjectAltName=DNS:pop.example.test\nextendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
    subprocess.run(["openssl", "x509", "-req", "-in", work / "device.csr", "-CA", work / "maker.pem", "-CAkey", work / "maker.key", "-CAcreateserial", "-days", "30", "-extfile", work / "device.ext",
                    "-out", work / "device.pem"], check=True, capture_output=True)
    subprocess.run(["openssl", "pkcs12", "-export", "-in", work / "device.pem", "-inkey", work / "device.key", "-out", work / "device.p12", "-passout", "pass:the passphrase"], check=True, capture_output=True)
    trust = server.data / "certs" / "trust" / "maker.pem"
    trust.parent.mkdir(exist_ok=True)
    trust.parent.chmod(0o755)
    trust.write_bytes((work / "maker.pem").read_bytes())
    trust.chmod(0o644)
    r = server.run("authority", "certificate", "est", work / "device.p12", "--passphrase-stdin", input="the passphrase", check=False)
    assert r.returncode == 1 and "certificate_file" in r.stderr, r
    text = server.conf.read_text()
    text = text.replace("est_server = { enabled = true;", "est_server = { enabled = true; certificates = true;")
    text = text.replace("authorities = (", f"""authorities = ( {{ name = "given"; kind = "est"; url = "https://localhost:{server.port('https')}/.well-known/est"; private = true; trust_file = "own.pem";
      root_file = "own.pem"; certificate_file = "given.pem"; }},""")
    server.conf.write_text(text.replace('name = "http-default";', f'name = "http-default"; client_certificates = "accept"; client_trust = ( "maker.pem" );', 1))
    server.run("reload")
    # what it is asked with must be there
    ask = ("cert", "request", "pop3-default", "--ca", "given", "--dns", "pop.example.test")
    r = server.run(*ask, check=False)
    assert r.returncode == 1 and "given.pem" in r.stderr, r
    server.run("cert", "cancel", "pop3-default")
    server.run("authority", "certificate", "given", work / "device.p12", "--passphrase-stdin", input="the passphrase")
    server.run(*ask)
    now = server.json("cert", "show", "pop3-default")["current"]
    assert now["origin"] == "given" and now["state"] == "live", now
    by = server.json("ca", "show", now["serial"])["requester"]
    assert by.startswith("est: by certificate ") and "Maker CA" in by, by


if __name__ == "__main__":
    with Server(sys.argv[1], vserver_extra={"http-default": ACCEPT}) as server:
        server.conf.write_text(server.conf.read_text() + CONF.format(port=server.port("https")))
        server.run("reload")
        main(first_by_login, renewed_by_the_certificate, where_it_is_not_taken, first_by_a_given_certificate)
