#!/usr/bin/env python3
"""The certificate life of a virtual server: chain, names and purposes as independent tools see them; a new one is served without dropping a session."""
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

from sealpost import Server, main, wait_for

server = None


def served(port, **more):
    """The certificate at that port, as PEM, and its serial."""
    with socket.create_connection(("127.0.0.1", server.port(port)), timeout=10) as s:
        with server.tls.wrap_socket(s, server_hostname="localhost") as t:
            pem = ssl.DER_cert_to_PEM_cert(t.getpeercert(binary_form=True))
            return pem, t.getpeercert()["serialNumber"].lower().lstrip("0")


def openssl(*words, input=None):
    r = subprocess.run(["openssl", *words], input=input, capture_output=True, text=True, timeout=30)
    assert r.returncode == 0, (words, r.stderr)
    return r.stdout


def chain_names_and_purposes():
    out = openssl("s_client", "-connect", f"localhost:{server.port('imaps')}", "-CAfile", server.ca_file, "-verify_return_error", "-x509_strict",
                  "-purpose", "sslserver", "-showcerts", input="")
    pems = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", out, re.S)
    assert len(pems) == 2, "the leaf and its issuing CA are served"
    leaf, issuer = pems
    text = openssl("x509", "-noout", "-text", input=leaf)
    assert "DNS:localhost" in text and "IP Address:127.0.0.1" in text and "TLS Web Server Authentication" in text, text
    assert "CA:TRUE" not in text
    text = openssl("x509", "-noout", "-text", input=issuer)
    for part in ("Permitted:", "DNS:example.test", "email:", "IP:127.0.0.1/255.255.255.255", "CA:TRUE, pathlen:0"):
        assert part in text, (part, text)
    # GnuTLS judges name constraints by rules of its own
    both = subprocess.run(["certtool", "--verify", "--load-ca-certificate", server.ca_file], input=leaf + issuer, capture_output=True, text=True)
    assert both.returncode == 0 and "Chain verification output: Verified" in both.stdout, both.stdout + both.stderr


def every_virtual_server_has_its_own():
    rows = server.json("cert", "list")
    names = {r["vserver"] for r in rows}
    assert names == {"smtp-default", "submission-default", "pop3-default", "imap4-default", "nntp-default", "http-default"}, names
    serials = {served(p)[1] for p in ("submissions", "pop3s", "imaps", "nntps", "https")}
    assert len(serials) == 5, serials


def issue_without_dropping_a_session():
    old = server.imap()
    old.select("INBOX")
    before = served("imaps")[1]
    server.run("cert", "issue", "imap4-default")
    after = served("imaps")[1]
    assert after != before
    # every worker serves the new one, on both endpoints; the open session goes on
    assert {served("imaps")[1] for _ in range(20)} == {after}
    assert old.noop()[0] == "OK" and old.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
    shown = server.json("cert", "show", "imap4-default")
    text = str(shown).lower()
    assert after in text, shown
    rows = [r for r in server.json("session", "list") if r["vserver"] == "imap4-default" and r["user"]]
    assert rows and rows[0]["serial"].lower().lstrip("0") == before, "a session knows the certificate it was opened with"
    old.logout()


def handshakes_while_certificates_change():
    """Handshakes go on without a failure while the certificate is replaced again and again."""
    failures, count, ending = [], [0], threading.Event()

    def shake():
        context = server.tls
        while not ending.is_set() and count[0] < 20000:
            try:
                with socket.create_connection(("127.0.0.1", server.port("imaps")), timeout=10) as s:
                    with context.wrap_socket(s, server_hostname="localhost") as t:
                        t.recv(10)
                count[0] += 1
            except Exception as e:
                failures.append(e)

    threads = [threading.Thread(target=shake) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(10):
        server.run("cert", "issue", "imap4-default")
    ending.set()
    for t in threads:
        t.join(30)
    assert not failures, failures[:3]
    assert count[0] > 50, count
    print(f"     {count[0]} handshakes over 10 replacements, none failed")


def kept_over_a_restart():
    before = {p: served(p)[1] for p in ("imaps", "pop3s", "https")}
    server.stop()
    server.start()
    assert {p: served(p)[1] for p in before} == before


def killed_while_issuing():
    """kill -9 of certd, cad and keyd while a certificate is issued: afterwards one state, the old or the new one served, key and chain fit."""
    import os
    import signal
    for role in ("certd", "cad", "keyd"):
        for delay in (0.0, 0.005, 0.02):
            pid = next(p["pid"] for p in server.processes() if p["role"] == role)
            t = threading.Thread(target=lambda: server.run("cert", "issue", "pop3-default", check=False))
            t.start()
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)
            t.join(60)
            wait_for(f"{role} is back", lambda: any(p["role"] == role and p["pid"] not in (0, pid) and p["state"] == "ready" for p in server.processes()), 20)
            first = served("pop3s")[1]

            def settled():
                rows = [r for r in server.json("cert", "list") if r["vserver"] == "pop3-default"]
                return len(rows) == 1 and served("pop3s")[1] in str(server.json("cert", "show", "pop3-default")).lower()
            wait_for(f"what is served is what the register says, after {role} was killed", settled, 20)
            assert first


def reload_says_what_it_could_not_have():
    """An endpoint that somebody else has: the reload is not called whole, and the server listens there as soon as it can."""
    import socket
    before = server.conf.read_text()
    first = f'endpoints = ( {{ address = "127.0.0.1"; port = {server.port("imap")};'
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        server.conf.write_text(before.replace(first, f'endpoints = ( {{ address = "127.0.0.1"; port = {port}; policy = "starttls"; }}, {first[14:]}'))
        r = server.run("reload", check=False)
        assert r.returncode == 1 and f"port {port}: Address already in use" in r.stdout and "except for" in r.stderr, (r.returncode, r.stdout, r.stderr)
        assert server.run("reload", check=False, json=True).returncode == 1

    def listens():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    wait_for("it listens where it could not", listens, 20)
    server.run("reload")
    server.conf.write_text(before)
    server.run("reload")


with Server(sys.argv[1], extra="workers_access = 2;") as server:
    main(reload_says_what_it_could_not_have, chain_names_and_purposes, every_virtual_server_has_its_own, issue_without_dropping_a_session, handshakes_while_certificates_change,
         kept_over_a_restart, killed_while_issuing)
