#!/usr/bin/env python3
"""est_client_test.py BIN_FOLDER: a virtual server's certificate from a CA that is asked by EST (RFC 7030), here our own server: first by a login, renewed by
the certificate in use itself in TLS, with a key that keyd keeps; by the login again where that certificate is not taken."""
import pathlib
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


if __name__ == "__main__":
    with Server(sys.argv[1], vserver_extra={"http-default": ACCEPT}) as server:
        server.conf.write_text(server.conf.read_text() + CONF.format(port=server.port("https")))
        server.run("reload")
        main(first_by_login, renewed_by_the_certificate, where_it_is_not_taken)
