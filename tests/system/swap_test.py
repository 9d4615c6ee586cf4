#!/usr/bin/env python3
"""swap_test.py BIN_FOLDER: a certificate is looked at before it goes live and over TCP afterwards; sessions know theirs, and only those of one certificate
are drained, with the farewell of their protocol; handshakes go on while certificates are swapped; killed at any step, one state is left."""
import os
import random
import signal
import socket
import ssl
import sys
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


def killed_at_any_step(rounds=6):
    random.seed(7)
    for i in range(rounds):
        role = ("certd", "keyd", "cad")[i % 3]
        t = threading.Thread(target=lambda: s.run("cert", "issue", "imap4-default", check=False))
        t.start()
        time.sleep(random.random() * 0.25)
        for p in s.processes():
            if p["role"] == role and p.get("pid"):
                os.kill(p["pid"], signal.SIGKILL)
        t.join()

        def settled():
            r = s.run("cert", "show", "imap4-default", json=True, check=False)
            if r.returncode:
                return None
            import json
            v = json.loads(r.stdout)
            return v if v["current"]["state"] == "live" and v["next"]["state"] == "none" else None

        v = wait_for(f"one state after {role} was killed", settled, 40)
        wait_for("what is served is what is live", lambda: served("imaps") == current("imap4-default").lstrip("0"), 20)


def main():
    global s
    with Server(sys.argv[1]) as s:
        proved_on_both_ways()
        drained_by_certificate()
        handshakes_while_swapping()
        killed_at_any_step()
    print("swap: ok")


main()
