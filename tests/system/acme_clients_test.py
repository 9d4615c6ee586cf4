#!/usr/bin/env python3
"""acme-tiny, certbot and lego, as Debian has them, enrol with the own CA's ACME server over loopback: http-01, tls-alpn-01, dns-01, accounts that are bound to a key."""
import sys

import acme_server_test as at


def acme_tiny():
    folder = at.work / "challenges"
    folder.mkdir()
    at.sh("openssl", "genrsa", "-out", "account.key", "2048")
    at.sh("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "tiny.key", "-out", "tiny.csr", "-subj", "/", "-addext", "subjectAltName=DNS:tiny.example.test,DNS:tiny2.example.test")
    with at.Web(folder=folder):
        for _ in range(2):
            r = at.sh("acme-tiny", "--account-key", "account.key", "--csr", "tiny.csr", "--acme-dir", folder, "--directory-url", at.directory(), "--disable-check", "--contact",
                   "mailto:tiny@example.test", env={"SSL_CERT_FILE": at.server.ca_file})
            at.check_chain(r.stdout.decode(), "tiny.example.test", "tiny2.example.test")


def certbot():
    eab = at.server.json("ca", "acme", "eab", "create", "certbot")
    base = ["--config-dir", at.work / "certbot", "--work-dir", at.work / "certbot-work", "--logs-dir", at.work / "certbot-log", "--non-interactive", "--server", at.directory()]
    env = {"REQUESTS_CA_BUNDLE": at.server.ca_file}
    live = at.work / "certbot/live/bot.example.test/fullchain.pem"
    at.sh("certbot", "certonly", *base, "--standalone", "--http-01-port", at.http_port, "--http-01-address", "127.0.0.1", "--agree-tos", "-m", "bot@example.test", "--no-eff-email",
       "--eab-kid", eab["kid"], "--eab-hmac-key", eab["hmac_key"], "-d", "bot.example.test", "-d", "bot2.example.test", env=env)
    first = at.check_chain(live.read_text(), "bot.example.test", "bot2.example.test")
    at.sh("certbot", "renew", *base, "--force-renewal", "--no-random-sleep-on-renew", env=env)
    second = at.check_chain(live.read_text(), "bot.example.test", "bot2.example.test")
    assert first.serial_number != second.serial_number
    at.sh("certbot", "revoke", *base, "--cert-path", live, "--reason", "superseded", "--no-delete-after-revoke", env=env)
    now = at.states()
    assert now[at.serial_of(second)] == "revoked" and now[at.serial_of(first)] == "valid", now
    at.sh("certbot", "unregister", *base, env=env)
    assert "deactivated" in [r["status"] for r in at.server.json("ca", "acme", "account", "list") if r["eab"] == "certbot"]


def lego():
    env = {"LEGO_CA_CERTIFICATES": at.server.ca_file}

    def run(path, *words, command="run", names=(), more=(), **e):
        domains = [w for n in names for w in ("--domains", n)]
        return at.sh("lego", "--path", at.work / path, "--server", at.directory(), "--accept-tos", "--email", "lego@example.test", *domains, *words, command, *more, env={**env, **e})

    def binding(name):
        eab = at.server.json("ca", "acme", "eab", "create", name)
        return "--eab", "--kid", eab["kid"], "--hmac", eab["hmac_key"]

    def served(path, name):
        return (at.work / path / "certificates" / f"{name}.crt").read_text()

    http_01 = ("--http", "--http.port", f"127.0.0.1:{at.http_port}")
    run("lego", *binding("lego-http"), *http_01, names=["lego.example.test"])
    first = at.check_chain(served("lego", "lego.example.test"), "lego.example.test")
    run("lego", *http_01, names=["lego.example.test"], command="renew", more=("--days", "400", "--no-random-sleep"))
    second = at.check_chain(served("lego", "lego.example.test"), "lego.example.test")
    assert first.serial_number != second.serial_number
    run("lego", *http_01, names=["lego.example.test"], command="revoke")
    assert at.states()[at.serial_of(second)] == "revoked"
    # the certificate with the proof in it
    run("lego-tls", *binding("lego-tls"), "--tls", "--tls.port", f"127.0.0.1:{at.tls_port}", names=["alpn.example.test"])
    at.check_chain(served("lego-tls", "alpn.example.test"), "alpn.example.test")
    # DNS, by a program that it calls
    at.dns.file = at.work / "txt"
    hook = at.work / "hook"
    hook.write_text(f'#!/bin/sh\n[ "$1" = present ] && echo "$2 $3" >> {at.dns.file}\nexit 0\n')
    hook.chmod(0o755)
    run("lego-dns", *binding("lego-dns"), "--dns", "exec", "--dns.disable-cp", names=["*.deep.example.test", "deep.example.test"], EXEC_PATH=str(hook), EXEC_PROPAGATION_TIMEOUT="5",
        EXEC_POLLING_INTERVAL="1", EXEC_SEQUENCE_INTERVAL="1")
    at.check_chain(served("lego-dns", "_.deep.example.test"), "*.deep.example.test", "deep.example.test")


if __name__ == "__main__":
    at.world(sys.argv[1], acme_tiny, certbot, lego)
