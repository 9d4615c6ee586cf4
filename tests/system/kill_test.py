#!/usr/bin/env python3
"""kill -9 of each process under load: it is back within 2 seconds, nothing acknowledged is lost, sessions of other workers go on."""
import os
import signal
import sys
import threading
import time

from sealpost import Server, main, wait_for

server = None
BACK_SECONDS = 2 * (3 if os.environ.get("ASAN_OPTIONS") else 1)  # sanitizers make every start slower


class Load:
    """Threads that deliver numbered messages to bob and remember which were acknowledged."""

    def __init__(self, threads=3):
        self.acknowledged, self.attempts, self.lock, self.ending = [], 0, threading.Lock(), False
        self.threads = [threading.Thread(target=self.deliver, args=(i,)) for i in range(threads)]
        for t in self.threads:
            t.start()

    def deliver(self, thread):
        n = 0
        while not self.ending and n < 5000:
            try:
                c = server.mx()
                c.ehlo("load.test")
                while not self.ending and n < 5000:
                    n += 1
                    key = f"load-{thread}-{n}-{time.monotonic_ns()}"
                    self.attempts += 1
                    c.sendmail("load@elsewhere.test", [server.address("bob")], f"Subject: {key}\r\n\r\n{key}\r\n".encode())
                    with self.lock:
                        self.acknowledged.append(key)
                    time.sleep(0.005)
            except Exception:
                time.sleep(0.05)

    def stop(self):
        self.ending = True
        for t in self.threads:
            t.join(60)


def subjects():
    c = server.imap("bob")
    count = int(c.select("INBOX", readonly=True)[1][0])
    found = []
    if count:
        for part in c.fetch(f"1:{count}", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
            if isinstance(part, tuple):
                found.append(part[1].decode().split(":", 1)[1].strip())
    c.logout()
    return found


def process(role, instance=0):
    rows = [p for p in server.processes() if p["role"] == role and p.get("instance", 0) == instance]
    assert len(rows) == 1, (role, rows)
    return rows[0]


def kill(role, instance=0):
    before = process(role, instance)
    assert before["pid"] > 1, before
    os.kill(before["pid"], signal.SIGKILL)
    begin = time.monotonic()
    wait_for(f"{role} is back", lambda: (lambda p: p["pid"] != before["pid"] and p["state"] in ("ready", "running"))(process(role, instance)), 20)
    return time.monotonic() - begin


def every_process():
    load = Load()
    times = {}
    try:
        time.sleep(1)
        for p in server.processes():
            role, instance = p["role"], p.get("instance", 0)
            if role == "supervisor":
                continue
            times[f"{role}.{instance}"] = kill(role, instance)
            # the service answers: a login and a mailbox
            wait_for(f"logins after {role} was killed", lambda: works(), 20)
            time.sleep(0.3)
    finally:
        load.stop()
    found = subjects()
    lost = set(load.acknowledged) - set(found)
    assert not lost, f"{len(lost)} of {len(load.acknowledged)} acknowledged messages are lost: {sorted(lost)[:3]}"
    assert len(load.acknowledged) > 50, len(load.acknowledged)
    twice = len(found) - len(set(found))
    print(f"     {len(load.acknowledged)} acknowledged of {load.attempts}, {twice} twice; back after " + ", ".join(f"{k} {v:.2f} s" for k, v in times.items()))
    assert twice == 0
    slow = {k: v for k, v in times.items() if v > BACK_SECONDS}
    assert not slow, slow


def works():
    try:
        c = server.imap("bob")
        ok = c.select("INBOX")[0] == "OK"
        c.logout()
        return ok
    except Exception:
        return False


def sessions_of_other_workers():
    """Sessions on the worker that stays keep working while the others are killed, one after the other."""
    sessions = [server.imap("alice") for _ in range(12)]
    rows = server.json("session", "list")
    workers = {r["worker"] for r in rows if r["vserver"] == "imap4-default" and r["user"]}
    assert len(workers) >= 2, workers
    for role in ("keyd", "authd", "certd", "cad", "relayd", "mx", "stored"):
        kill(role)
        for c in sessions:
            assert c.select("INBOX")[0] == "OK"
            assert c.append("INBOX", None, None, f"Subject: after {role}\r\n\r\nx\r\n".encode())[0] == "OK", role
    kill("access", 0)
    alive = 0
    for c in sessions:
        try:
            assert c.select("INBOX")[0] == "OK"
            alive += 1
        except Exception:
            pass
    died = len([r for r in rows if r["worker"] == "access-0" and r["vserver"] == "imap4-default" and r["user"]])
    assert alive == len(sessions) - died, (alive, died)
    print(f"     {alive} of {len(sessions)} sessions were on the other worker and live")


def all_at_once():
    load = Load()
    time.sleep(1.5)
    server.kill_all()
    load.stop()
    server.start()
    wait_for("logins", works, 20)
    found = subjects()
    lost = set(load.acknowledged) - set(found)
    assert not lost, f"{len(lost)} lost"
    assert len(load.acknowledged) > 20
    assert len(found) == len(set(found))


with Server(sys.argv[1], extra="workers_access = 2;") as server:
    main(every_process, sessions_of_other_workers, all_at_once)
