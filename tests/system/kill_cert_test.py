#!/usr/bin/env python3
"""kill_cert_test.py BIN_FOLDER: kill -9 of certd, keyd, cad and the supervisor at every step of making, requesting, installing, renewing and rolling
back a certificate. Afterwards there is one state: the register, the slots and the key files agree, what is served is what is live, and its key
signs for it. While the supervisor lives, clients never notice.

The steps are the changes of files that one undisturbed run of each operation makes (an identity, an order, a key, the register); a kill is sent at
the n-th of them, and some time behind. SEALPOST_LONG=1: each process at each step of each operation, with several delays, and random moments."""
import ctypes
import os
import pathlib
import random
import select
import signal
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

from sealpost import Server, wait_for

LONG = os.environ.get("SEALPOST_LONG") == "1"
VSERVER = "imap4-default"
s = None
work = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-kill."))
libc = ctypes.CDLL(None, use_errno=True)
MODIFY, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
FOLDERS = {"certs": MOVED_TO | DELETE, "keys": MOVED_TO | DELETE, "ca": MODIFY | CREATE | DELETE}


class Watch:
    """Changes in the folders of the server, as they happen."""

    def __init__(self):
        self.fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self.folders = {libc.inotify_add_watch(self.fd, str(s.data / name).encode(), mask | MOVED_FROM): name for name, mask in FOLDERS.items()}
        assert self.fd >= 0 and -1 not in self.folders, "inotify"

    def __enter__(self):
        return self

    def __exit__(self, *why):
        os.close(self.fd)

    def events(self, seconds):
        """(folder, name) one after the other; ends when nothing has happened for so long."""
        while select.select([self.fd], [], [], seconds)[0]:
            data, at = os.read(self.fd, 65536), 0
            while at < len(data):
                wd, mask, _, n = struct.unpack_from("iIII", data, at)
                name = data[at + 16:at + 16 + n].rstrip(b"\0").decode()
                at += 16 + n
                if mask & FOLDERS[self.folders[wd]]:  # the others keep the kernel from making one of two that are alike
                    yield self.folders[wd], name


def stands_for_us(folder, name):
    return folder != "certs" or name.startswith(VSERVER)


# ---------------------------------------------------------------- what is done

def show():
    return s.json("cert", "show", VSERVER)


def pending():
    return show()["pending"]["state"] == "pending"


def drop_pending():
    if pending():
        s.run("cert", "cancel", VSERVER)


def answer():
    """The answer to the pending request, by our own CA: it is trusted here."""
    for name in ("request", "request-again", "answer"):
        (work / name).unlink(missing_ok=True)
    if not pending():
        s.run("cert", "request", VSERVER, "--out", str(work / "request"))
    s.run("cert", "pending", VSERVER, "--out", str(work / "request-again"))
    s.run("ca", "issue", "--profile", "server", "--request", str(work / "request-again"), "--out", str(work / "answer"))


def make_own():
    if show()["current"]["source"] != "own CA":
        s.run("cert", "issue", VSERVER)


OPERATIONS = {
    "issue": (lambda: None, ("cert", "issue", VSERVER)),
    "renew": (make_own, ("cert", "renew", VSERVER)),
    "request": (drop_pending, ("cert", "request", VSERVER, "--out", str(work / "new"))),
    "install": (answer, ("cert", "install", VSERVER, str(work / "answer"), "--root", "CA", "--yes")),
    "rollback": (lambda: None, ("cert", "rollback", VSERVER)),
}


def words(operation):
    return [s.ca_file if w == "CA" else w for w in OPERATIONS[operation][1]]


def prepare(operation):
    OPERATIONS[operation][0]()
    (work / "new").unlink(missing_ok=True)


def steps_of(operation):
    """How many changes in each folder, in an undisturbed run."""
    prepare(operation)
    steps = {name: 0 for name in FOLDERS}
    with Watch() as w:
        t = threading.Thread(target=lambda: s.run(*words(operation)))  # read at once: changes that are alike become one
        t.start()
        for folder, name in w.events(1):
            steps[folder] += stands_for_us(folder, name)
        t.join()
    return steps


# ---------------------------------------------------------------- what must hold

def served(port="imaps"):
    c = ssl.create_default_context(cafile=s.ca_file)
    with socket.create_connection(("localhost", s.port(port)), timeout=20) as raw:
        if port == "imap":
            raw.recv(4096)
            raw.sendall(b"a STARTTLS\r\n")
            assert raw.recv(4096).startswith(b"a OK")
        with c.wrap_socket(raw, server_hostname="localhost") as t:
            return t.getpeercert()["serialNumber"].lower().lstrip("0")


class Clients:
    """Handshakes all the time; each must hold, whatever dies."""

    def __init__(self):
        self.failures, self.seen, self.count, self.ending = [], set(), 0, False
        self.threads = [threading.Thread(target=self.run) for _ in range(2)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *why):
        self.ending = True
        for t in self.threads:
            t.join()

    def run(self):
        while not self.ending:
            try:
                self.seen.add(served())
                self.count += 1
            except Exception as e:
                self.failures.append(repr(e))
            time.sleep(0.01)


def settled():
    """The state once nothing is under way; None before."""
    r = s.run("cert", "show", VSERVER, json=True, check=False)
    if r.returncode:
        return None
    import json
    v = json.loads(r.stdout)
    return v if v["current"]["state"] == "live" and v["next"]["state"] == "none" and v["pending"]["state"] in ("none", "pending") else None


def named_keys(v):
    return {slot["key"] for slot in [v["current"], v["next"], v["pending"], *v["retired"]] if slot.get("key")}


def key_files():
    return {p.name[:-4] for p in (s.data / "keys").glob("*.key")}


def consistent(what, before, others):
    v = wait_for(f"one state after {what}", settled, 40)
    serial = v["current"]["serial"].lstrip("0")
    assert serial == before or before in {r["serial"].lstrip("0") for r in v["retired"]} | {e["serial"].lstrip("0") for e in v["history"]}, (what, v)
    wait_for(f"what is served is what is live after {what}", lambda: served() == serial, 20)
    assert {served(port) for port in ("imaps", "imap") for _ in range(4)} == {serial}, what
    row = s.json("ca", "show", v["current"]["serial"])
    assert row["state"] == "valid", (what, row)
    if key_files() - others != named_keys(v):
        assert named_keys(v) <= key_files(), what
        # a key that keyd made and could not tell of any more: certd looks for such when keyd has come back
        wait_for(f"the keys that are named, and no others, after {what}", lambda: key_files() - others == named_keys(settled() or {"current": {}, "next": {}, "pending": {}, "retired": []}), 60)
    strange = [p.name for p in (s.data / "certs").iterdir() if not p.name.endswith((".identity", ".order", ".staple")) and p.name != "trust"]
    assert not strange, (what, strange)
    if v["pending"]["state"] == "pending":
        assert "BEGIN CERTIFICATE REQUEST" in s.json("cert", "pending", VSERVER)["pem"], what
    return serial


# ---------------------------------------------------------------- the kill

def kill(role):
    if role == "supervisor":
        s.process.kill()
        s.process.wait()
        return
    os.kill(pids[role], signal.SIGKILL)


pids = {}


def find_processes():
    for p in s.processes():
        pids[p["role"] + (f".{p['instance']}" if p.get("instance") else "")] = p["pid"]


def start_again():
    """As a service manager does it. What is left of the old server ends by itself."""
    def gone(pid):
        try:
            os.kill(pid, 0)
            return False
        except ProcessLookupError:
            return True
    wait_for("the processes end without their supervisor", lambda: all(gone(p) for p in pids.values()), 20)
    s.start()


def one(role, operation, at, others):
    """`at`: (folder, number of the change, seconds behind it), or seconds from the start."""
    prepare(operation)
    find_processes()
    before = show()["current"]["serial"].lstrip("0")
    with Watch() as w:
        t = threading.Thread(target=lambda: s.run(*words(operation), check=False))
        t.start()
        if isinstance(at, tuple):
            folder, number, delay = at
            for where, name in w.events(3):
                number -= where == folder and stands_for_us(where, name)
                if number <= 0:
                    break
        else:
            delay = at
        if delay:
            time.sleep(delay)
        kill(role)
        t.join()
    if role == "supervisor":
        start_again()
    return consistent(f"{role} was killed in {operation} at {at}", before, others)


def moments(steps):
    """(role, operation, at), those of the supervisor apart."""
    roles = ("certd", "keyd", "cad")
    all_steps = [(op, folder, n + 1) for op, counts in steps.items() for folder, count in counts.items() for n in range(min(count, 12))]
    if LONG:
        rows = [(role, op, (folder, n, delay)) for op, folder, n in all_steps for role in (*roles, "supervisor") for delay in (0, 0.001, 0.005, 0.02)]
        rows += [(random.choice((*roles, "supervisor")), op, random.random() * 0.4) for op in steps for _ in range(60)]
        random.shuffle(rows)
    else:
        rows = [("certd", op, (folder, n, 0)) for op, folder, n in all_steps if folder == "certs" and op != "renew"]
        rows += [("keyd", op, (folder, n, 0)) for op, folder, n in all_steps if op == "issue" and folder != "ca" or op == "install" and folder == "certs"]
        rows += [("cad", "renew", (folder, n, 0)) for op, folder, n in all_steps if op == "renew" and (folder == "ca" and n in (1, 3, 6) or folder == "certs" and n in (2, 3))]
        random.shuffle(rows)
    last = [row for row in rows if row[0] == "supervisor"] if LONG else \
        [("supervisor", op, (folder, n, 0)) for op, folder, n in all_steps if folder == "certs" and (op in ("issue", "install") or op == "rollback" and n == 1)]
    return [row for row in rows if row[0] != "supervisor"], last


def main():
    global s
    random.seed(os.environ.get("SEED", "7"))
    with Server(sys.argv[1], extra="workers_access = 2;") as s:
        s.run("cert", "issue", VSERVER)
        others = key_files() - named_keys(show())  # those of the other virtual servers and of the CA stay as they are
        steps = {op: steps_of(op) for op in OPERATIONS}
        print("     steps: " + "; ".join(f"{op} " + ", ".join(f"{n} in {f}" for f, n in counts.items() if n) for op, counts in steps.items()))
        assert steps["issue"]["certs"] >= 5 and steps["issue"]["keys"] >= 1 and steps["issue"]["ca"] >= 1, steps
        rows, last = moments(steps)
        begin, count, handshakes = time.monotonic(), 0, 0
        for i in range(0, len(rows), 8):
            with Clients() as clients:
                for row in rows[i:i + 8]:
                    one(*row, others)
                    assert not clients.failures, (row, clients.failures[:3])
            handshakes += clients.count
            if LONG:
                print(f"     {min(i + 8, len(rows))} of {len(rows)} kills; {time.monotonic() - begin:.0f} s", flush=True)
            # what is started again waits longer each time
            s.stop()
            s.start()
        print(f"     {len(rows)} kills of certd, keyd and cad, {handshakes} handshakes meanwhile, none failed; {time.monotonic() - begin:.0f} s")
        begin = time.monotonic()
        for row in last:
            one(*row, others)
        print(f"     {len(last)} kills of the supervisor; {time.monotonic() - begin:.0f} s")
    print("kill_cert: ok")


main()
