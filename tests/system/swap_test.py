#!/usr/bin/env python3
"""swap_test.py BIN_FOLDER: a certificate is looked at before it goes live and over TCP afterwards; sessions know theirs, and only those of one certificate
are drained, with the farewell of their protocol; handshakes go on while certificates are swapped; what turns out wrong over TCP is taken back."""
import contextlib
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from sealpost import Server, wait_for

s = None
VSERVERS = {"imap4-default": "imaps", "pop3-default": "pop3s", "nntp-default": "nntps", "submission-default": "submissions"}
FAREWELL = {"imaps": b"* BYE", "pop3s": b"-ERR", "nntps": b"400", "submissions": b"421"}


def served(port, version=None):
    c = ssl.create_default_context(cafile=s.ca_file)
    with socket.create_connection(("localhost", s.port(port)), timeout=20) as raw, c.wrap_socket(raw, server_hostname="localhost") as t:
        return t.getpeercert()["serialNumber"].lower().lstrip("0")


def session(port):
    raw = socket.create_connection(("localhost", s.port(port)), timeout=20)
    t = s.tls.wrap_socket(raw, server_hostname="localhost")
    t.recv(4096)
    return t


def current(vserver):
    return s.json("cert", "show", vserver)["current"]["serial"]


def log():
    return s.log.read_text(errors="replace")


def proved_on_both_ways():
    for vserver in list(VSERVERS) + ["smtp-default", "http-default"]:
        since = len(log())
        serial = s.json("cert", "issue", vserver)["current"]["serial"]
        text = log()[since:]
        endpoints = len([e for e in s.json("vserver", "show", vserver)["endpoints"] if e["policy"] != "public"])
        before = [l for l in text.splitlines() if f"{serial} is fine in" in l and "over TCP" not in l]
        after = [l for l in text.splitlines() if f"{serial} is fine in" in l and "over TCP" in l]
        assert len(before) == 1 and len(after) == 1, text
        # each endpoint with and without a server name, over TCP once, and injected into each worker
        assert f"in {2 * endpoints} connections over TCP" in after[0], after
        n = int(before[0].split(" in ")[1].split()[0])
        assert n >= 2 * endpoints and n % (2 * endpoints) == 0, before


def drained_by_certificate():
    for vserver, port in VSERVERS.items():
        old_serial = current(vserver)
        old = session(port)
        s.run("cert", "issue", vserver)
        new_serial = current(vserver)
        new = session(port)
        rows = {r["serial"] for r in s.json("session", "list") if r["vserver"] == vserver}
        assert {old_serial, new_serial} <= rows, (rows, old_serial, new_serial)
        r = s.json("vserver", "drain", vserver, "--cert", old_serial, "--text", "the certificate was replaced")
        assert r["sessions"] == 1, r
        said = old.recv(4096)
        assert said.startswith(FAREWELL[port]) and b"the certificate was replaced" in said, said
        assert old.recv(100) == b""
        # the other goes on
        new.sendall(b"a NOOP\r\n" if port == "imaps" else b"QUIT\r\n")
        assert new.recv(4096), "the session of the new certificate has ended too"
        new.close()
        assert s.json("vserver", "drain", vserver, "--cert", old_serial)["sessions"] == 0


def handshakes_while_swapping(swaps=8):
    stop, failures, done, seen = threading.Event(), [], [0], set()

    def shake():
        while not stop.is_set():
            try:
                seen.add(served("imaps"))
                done[0] += 1
            except Exception as e:
                failures.append(repr(e))

    threads = [threading.Thread(target=shake) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        for _ in range(swaps):
            s.run("cert", "issue", "imap4-default")
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not failures, failures[:3]
    assert done[0] > swaps and len(seen) >= 2, (done, len(seen))


# ---------------------------------------------------------------- the way back

NEWS = "nntp-default"


class Everywhere(Server):
    """Its news server listens on all addresses, so that another program can take a more specific one."""

    def write_conf(self):
        super().write_conf()
        text = self.conf.read_text()
        for name in ("nntp", "nntps"):
            mine = f'address = "127.0.0.1"; port = {self.port(name)};'
            assert mine in text
            text = text.replace(mine, mine.replace("127.0.0.1", "0.0.0.0"))
        self.conf.write_text(text)


class InFront(contextlib.AbstractContextManager):
    """Another program of the same user at 127.0.0.1: every connection of certd comes here, while the workers have all other addresses.
    Without a certificate it closes at once."""

    def __init__(self, pem=None, first=None):
        self.context, self.first = None, first
        if pem:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pem)
        self.seen = 0

    def __enter__(self):
        self.sockets = []
        for name in ("nntp", "nntps"):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(("127.0.0.1", s.port(name)))
            sock.listen(20)
            self.sockets.append(sock)
            threading.Thread(target=self.accept, args=(sock, name == "nntp"), daemon=True).start()
        return self

    def __exit__(self, *why):
        for sock in self.sockets:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def accept(self, sock, starttls):
        while True:
            try:
                c, _ = sock.accept()
            except OSError:
                return
            self.seen += 1
            if self.first and self.seen == 1:
                self.first()
            threading.Thread(target=self.serve, args=(c, starttls), daemon=True).start()

    def serve(self, c, starttls):
        c.settimeout(10)
        with contextlib.suppress(OSError), c:
            if not self.context:
                return
            if starttls:
                c.sendall(b"200 news\r\n")
                c.recv(100)
                c.sendall(b"382 go\r\n")
            with self.context.wrap_socket(c, server_side=True) as t:
                t.sendall(b"200 news\r\n")
                t.recv(100)
                t.sendall(b"205 bye\r\n")


def worker_shows():
    """What the workers show to those who do not come by 127.0.0.1."""
    c = ssl.create_default_context(cafile=s.ca_file)
    with socket.create_connection(("127.0.0.2", s.port("nntps")), timeout=20) as raw, c.wrap_socket(raw, server_hostname="localhost") as t:
        return t.getpeercert()["serialNumber"].lower().lstrip("0")


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)


def foreign(folder):
    pem = folder / "foreign.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "f.key", "-out", folder / "f.crt",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "10")
    pem.write_bytes((folder / "f.crt").read_bytes() + (folder / "f.key").read_bytes())
    return pem


def own_with_its_key(folder):
    """A certificate of our own CA in use, whose key this test has, too."""
    request, answer, p12, pem = (folder / n for n in ("own.csr", "own.crt", "own.p12", "own.pem"))
    s.run("cert", "request", NEWS, "--exportable", "--out", str(request))
    s.run("ca", "issue", "--profile", "server", "--request", str(request), "--out", str(answer))
    s.run("cert", "install", NEWS, str(answer), "--root", s.ca_file, "--yes")
    s.run("cert", "export", NEWS, "--out", str(p12), "--passphrase-stdin", input="a long passphrase")
    openssl("pkcs12", "-in", p12, "-passin", "pass:a long passphrase", "-nodes", "-out", pem)
    return pem


def goes_back_by_itself():
    """Over TCP clients see another certificate than the one that went live: the one before is shown again, and the history says why."""
    with tempfile.TemporaryDirectory(prefix="sealpost-swap.") as folder:
        folder = pathlib.Path(folder)
        for pem, reason in ((foreign(folder), "does not hold: self-signed certificate"), (own_with_its_key(folder), "it shows certificate")):
            before, had = s.json("cert", "show", NEWS), len(s.json("cert", "show", NEWS)["history"])
            serial = before["current"]["serial"]
            assert worker_shows() == serial.lstrip("0")
            with InFront(pem) as other:
                r = s.run("cert", "issue", NEWS, check=False)
                assert r.returncode == 1 and "over TCP" in r.stderr and reason in r.stderr, r
                assert other.seen > 0
            v = s.json("cert", "show", NEWS)
            assert v["current"]["serial"] == serial and v["current"]["state"] == "live" and v["next"]["state"] == "none", v
            assert v["current"]["key"] == before["current"]["key"], v
            assert worker_shows() == serial.lstrip("0") and {served_news() for _ in range(8)} == {serial.lstrip("0")}
            # the new one was live, and is retired for that reason
            events = v["history"][had:]
            new = [e["serial"] for e in events if e["to"] == "live" and e["serial"] != serial]
            assert len(new) == 1 and new[0] in {e["serial"] for e in events if e["to"] == "retired"}, events
            assert [e for e in events if e["serial"] == serial and "went back: " in e["note"] and "over TCP" in e["note"] and reason in e["note"]], events
            text = s.run("cert", "history", NEWS).stdout
            assert "went back: " in text and reason in text, text
            assert f"going back to {serial}" in log()
        # without the other in front the next one stays
        s.run("cert", "issue", NEWS)
        assert current(NEWS) not in (serial, new[0]) and worker_shows() == current(NEWS).lstrip("0")
        # no answer says nothing about the certificate
        serial = current(NEWS)
        with InFront() as other:
            s.run("cert", "issue", NEWS)
            assert other.seen > 0
        assert current(NEWS) != serial and worker_shows() == served_news() == current(NEWS).lstrip("0")


def certd():
    return next(p for p in s.processes() if p["role"] == "certd")


def made_up_after_a_kill():
    """certd dies between the swap and the look over TCP: after its restart that is made up for, and taken back where it fails."""
    with tempfile.TemporaryDirectory(prefix="sealpost-swap.") as folder:
        pem = foreign(pathlib.Path(folder))
        for bad in (True, False):
            before, pid = s.json("cert", "show", NEWS), certd()["pid"]
            serial, since = before["current"]["serial"], len(log())
            # the first connection over TCP is that look: nothing was answered yet
            with InFront(pem, first=lambda: os.kill(pid, signal.SIGKILL)) as other:
                r = s.run("cert", "issue", NEWS, check=False)
                assert r.returncode == 1 and other.seen >= 1, r
                if bad:  # else the other is gone when certd looks again
                    wait_for("it is taken back", lambda: "going back to" in log()[since:], 30)
            wait_for("certd is back", lambda: certd()["pid"] not in (0, pid) and certd()["state"] == "ready", 20)
            if bad:
                wait_for("the one before", lambda: s.json("cert", "show", NEWS)["current"]["serial"] == serial, 20)
                v = s.json("cert", "show", NEWS)
                assert any("went back: " in e["note"] and "over TCP" in e["note"] for e in v["history"][len(before["history"]):]), v["history"]
                assert v["next"]["state"] == "none" and v["current"]["key"] == before["current"]["key"]
            else:
                wait_for("it was looked at", lambda: "is fine in 4 connections over TCP" in log()[since:], 30)
                assert current(NEWS) != serial and "going back to" not in log()[since:]
            assert worker_shows() == served_news() == current(NEWS).lstrip("0")


def served_news():
    return served("nntps")


def main():
    global s
    with Everywhere(sys.argv[1]) as s:
        proved_on_both_ways()
        goes_back_by_itself()
        made_up_after_a_kill()
        drained_by_certificate()
        handshakes_while_swapping()
    print("swap: ok")


main()
