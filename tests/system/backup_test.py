#!/usr/bin/env python3
"""Backups of a server under load, whole and incremental, killed in the middle; restored whole into another server, and one account into the running one."""
import collections
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from sealpost import Server, main, wait_for
import corpus_source

server = None
work = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-backup."))
work.chmod(0o755)


def tool(*words, ok=True, on=None):
    r = (on or server).run(*words, check=False, json=True)
    assert r.stdout.strip(), (words, r)
    value = json.loads(r.stdout)
    if ok:
        assert r.returncode == 0, (words, r.returncode, value)
    return r.returncode, value


class Load:
    """Threads that deliver numbered messages to bob and remember which were acknowledged."""

    def __init__(self, name):
        self.name, self.acknowledged, self.go = name, [], True
        self.threads = [threading.Thread(target=self.work, args=(k,), daemon=True) for k in range(3)]
        for t in self.threads:
            t.start()

    def work(self, k):
        n, c = 0, server.mx()
        c.ehlo("load.test")
        while self.go:
            subject = f"{self.name}-{k}-{n}"
            n += 1
            c.sendmail("load@elsewhere.test", [server.address("bob")], f"Subject: {subject}\r\n\r\n{'x' * (n % 50) * 100}\r\n".encode())
            self.acknowledged.append(subject)
        c.quit()

    def stop(self):
        self.go = False
        for t in self.threads:
            t.join(30)


def subjects(on, name="bob", box="INBOX"):
    c = on.imap(name)
    assert c.select(box, readonly=True)[0] == "OK"
    data = c.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    c.logout()
    return [p[1].decode().split(":", 1)[1].strip() for p in data if isinstance(p, tuple)]


def status(on, name, box):
    """(UIDVALIDITY, UIDNEXT, messages)"""
    c = on.imap(name)
    text = c.status(f'"{box}"', "(UIDVALIDITY UIDNEXT MESSAGES)")[1][0].decode()
    c.logout()
    return tuple(int(re.search(k + r" (\d+)", text).group(1)) for k in ("UIDVALIDITY", "UIDNEXT", "MESSAGES"))


def contents(on, name, box):
    c = on.imap(name)
    assert c.select(f'"{box}"', readonly=True)[0] == "OK", box
    out = []
    for part in c.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1] or []:
        if isinstance(part, tuple):
            flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).split())
            out.append((hashlib.sha256(part[1]).hexdigest(), flags, re.search(rb'INTERNALDATE "([^"]+)"', part[0]).group(1)))
    c.logout()
    return out


class Restored(Server):
    """Another server, made from a backup of the first."""

    def __init__(self, backup, *words):
        super().__init__(sys.argv[1])
        self.backup, self.words, self.passwords = backup, words, server.passwords

    def __enter__(self):
        try:
            self.write_conf()
            _, self.report = tool("restore", "--from", str(self.backup), *self.words, on=self)
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self


def fill():
    c = server.imap("alice")
    for n, (_, raw) in enumerate(corpus_source.messages()):
        flags = ("\\Answered", "\\Seen", "\\Flagged work")[n % 3]
        assert c.append("INBOX", f"({flags})", f'"{1 + n % 28:2}-Mar-2010 10:00:00 +0100"', raw)[0] == "OK"
    c.create("Projects/One")
    for n in range(5):
        assert c.append("Projects/One", "(\\Answered)", None, f"Subject: project {n}\r\n\r\nx\r\n".encode())[0] == "OK"
    c.logout()


def under_load():
    fill()
    n = server.nntp("alice")
    for k in range(3):
        n.post([f"Newsgroups: local.test\r\nFrom: a@b.c\r\nSubject: article {k}\r\n\r\nx\r\n".encode()])
    n.quit()
    to = work / "one"
    load = Load("first")
    wait_for("load", lambda: len(load.acknowledged) > 100, 30)
    before = list(load.acknowledged)
    _, r = tool("backup", "--to", str(to))
    during = len(load.acknowledged) - len(before)
    assert during > 0, "nothing was delivered while the backup was made"
    assert not r["incremental"] and r["verified"] >= r["written"] > 0, r
    first = r
    assert tool("backup", "--to", str(to), ok=False)[0] == 1, "a second one must say --incremental"
    load.stop()

    # what came since is added; log files are appended to, not copied
    load = Load("second")
    wait_for("load", lambda: len(load.acknowledged) > 100, 30)
    load.stop()
    more = list(load.acknowledged)
    logs = {p.name: (p.stat().st_ino, p.read_bytes()) for p in (to / "log").iterdir()}
    _, r = tool("backup", "--to", str(to), "--incremental")
    assert r["incremental"], r
    grown = 0
    for p in (to / "log").iterdir():
        inode, old = logs.get(p.name, (p.stat().st_ino, b""))
        assert p.stat().st_ino == inode and p.read_bytes()[:len(old)] == old, p
        grown += p.stat().st_size - len(old)
    small = sum(f["bytes"] for f in json.loads((to / "manifest.json").read_text())["files"] if not f["path"].startswith("log/"))
    assert r["written"] == grown + small, (r, grown, small)
    assert len([p for p in to.iterdir() if p.name.startswith("set-")]) == 1
    assert not any(p.stat().st_mode & 0o077 for p in to.rglob("*")), "others may read it"

    inbox, group = contents(server, "alice", "INBOX"), server.nntp("alice").group("local.test")
    old = status(server, "alice", "INBOX")
    root = (server.data / "ca" / "root.pem").read_bytes()
    with Restored(to) as s:
        found = subjects(s)
        lost = set(before + more) - set(found)
        assert not lost, f"{len(lost)} of {len(before + more)} lost: {sorted(lost)[:3]}"
        assert len(found) == len(set(found))
        assert contents(s, "alice", "INBOX") == inbox and len(inbox) > 50
        assert len(contents(s, "alice", "Projects/One")) == 5
        new = status(s, "alice", "INBOX")
        assert new[0] > old[0] and new[1] >= old[1], (old, new)
        assert (s.data / "ca" / "root.pem").read_bytes() == root
        # the same keys and certificates serve, new mail comes, numbers of a newsgroup go on higher
        s.mx().sendmail("x@elsewhere.test", [s.address("bob")], b"Subject: after\r\n\r\nx\r\n")
        wait_for("new mail", lambda: "after" in subjects(s))
        n = s.nntp("alice")
        now = n.group("local.test")
        assert now[1] == group[1] == 3 and now[2] == group[2], (group, now)
        n.post([b"Newsgroups: local.test\r\nFrom: a@b.c\r\nSubject: later\r\n\r\nx\r\n"])
        assert n.group("local.test")[3] > group[3] + 1000, n.group("local.test")
        n.quit()
        check = s.run("store", "check", check=False)
        assert check.returncode == 0 or "no command" in check.stderr, check
        # it is a server like any other: it can be backed up, but not on top of the other's history
        code, r = tool("backup", "--to", str(to), "--incremental", ok=False, on=s)
        _, r2 = tool("backup", "--to", str(work / "again"), on=s)
    print(f"     {len(before)} and {len(more)} acknowledged before, {during} while the backup was made; {first['written'] / 1e6:.1f} MB")


def interrupted():
    """Killed at any time: incomplete is recognized, the one before stays good, the same command goes on."""
    to = work / "killed"
    command = [server.bin / "sealpost", "--config", server.conf, "backup", "--to", to, "--rate", "8"]
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("a part of it", lambda: (to / "log").exists() and any(q.stat().st_size for q in (to / "log").iterdir()) or p.poll() is not None, 20)
    p.kill()
    assert p.wait() == -signal.SIGKILL, "the backup was too quick for this test"
    other = Restored(to)
    other.write_conf()
    code, r = tool("restore", "--from", str(to), ok=False, on=other)
    assert code == 1 and "incomplete" in r["error"], r
    assert not other.data.exists() or not any(other.data.iterdir())
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for("a part of it", lambda: any(q.stat().st_size > 1 << 20 for q in (to / "log").iterdir()) or p.poll() is not None, 20)
    p.send_signal(signal.SIGINT)
    errors = p.communicate()[1]
    assert p.returncode == 1 and b"interrupted" in errors, (p.returncode, errors)
    tool("backup", "--to", str(to))
    manifest = (to / "manifest.json").read_bytes()
    server.mx().sendmail("x@elsewhere.test", [server.address("bob")], b"Subject: not in the backup\r\n\r\n" + b"x" * 100000 + b"\r\n")
    p = subprocess.Popen(command + ["--incremental"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("a new set", lambda: len([q for q in to.iterdir() if q.name.startswith("set-")]) == 2 or p.poll() is not None, 20)
    p.kill()
    p.wait()
    assert (to / "manifest.json").read_bytes() == manifest
    shutil.rmtree(other.folder)
    with Restored(to) as s:
        assert "not in the backup" not in subjects(s)
        assert len(subjects(s)) == len(subjects(server)) - 1
    tool("backup", "--to", str(to), "--incremental")
    assert len([q for q in to.iterdir() if q.name.startswith("set-")]) == 1
    # stored is killed while its index is copied: said, and no manifest
    third = work / "third"
    p = subprocess.Popen([server.bin / "sealpost", "--config", server.conf, "backup", "--to", third, "--rate", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for("the index", lambda: list(third.glob("set-*/index.mdb")) or p.poll() is not None, 20)
    os.kill(next(x["pid"] for x in server.processes() if x["role"] == "stored"), signal.SIGKILL)
    out, errors = p.communicate(timeout=60)
    assert p.returncode == 1 and b"again" in errors and not (third / "manifest.json").exists(), (p.returncode, out, errors)
    wait_for("stored", lambda: server.run("store", "stat", check=False).returncode == 0 or works(), 20)
    tool("backup", "--to", str(third))


def works():
    try:
        return status(server, "alice", "INBOX") is not None
    except Exception:
        return False


def damaged():
    """One byte of any file: found before anything is believed."""
    whole = work / "one"
    files = json.loads((whole / "manifest.json").read_text())["files"]
    for path in [f["path"] for f in files if f["bytes"] and (f["path"].startswith("log/") or f["path"].endswith(("index.mdb", "directory.db")))][:6]:
        bad = work / "bad"
        shutil.copytree(whole, bad)
        raw = bytearray((bad / path).read_bytes())
        raw[len(raw) // 2] ^= 1
        (bad / path).write_bytes(raw)
        other = Restored(bad)
        other.write_conf()
        code, r = tool("restore", "--from", str(bad), ok=False, on=other)
        assert code == 1 and path in r["error"] and "damaged" in r["error"], (path, r)
        assert (other.data / "restore-is-incomplete").exists()
        shutil.rmtree(bad)
        # begun anew from a good one, in the same folder
        tool("restore", "--from", str(whole), on=other)
        assert not (other.data / "restore-is-incomplete").exists()
        code, r = tool("restore", "--from", str(whole), ok=False, on=other)
        assert code == 1 and "not empty" in r["error"], r
        shutil.rmtree(other.folder)
    code, r = tool("restore", "--from", str(whole), ok=False)
    assert code == 1 and "runs" in r["error"], r


def one_account():
    to = work / "account"
    tool("backup", "--to", str(to))
    inbox, project = contents(server, "alice", "INBOX"), contents(server, "alice", "Projects/One")
    bob = status(server, "bob", "INBOX")
    c = server.imap("alice")
    c.select("INBOX")
    c.store("1:10", "+FLAGS", "\\Deleted")
    c.expunge()
    c.append("INBOX", None, None, b"Subject: since then\r\n\r\nx\r\n")
    c.delete("Projects/One")
    c.logout()
    before = status(server, "alice", "INBOX")
    _, r = tool("restore", "--from", str(to), "--account", server.address("alice"), "--mailbox", "Projects")
    assert r["taken"] == 5 and r["refused_count"] == 0, r
    assert contents(server, "alice", "Projects/One") == project
    assert status(server, "alice", "INBOX") == before
    _, r = tool("restore", "--from", str(to), "--account", server.address("alice"))
    assert r["taken"] == 10 and r["refused_count"] == 0, r
    after = status(server, "alice", "INBOX")
    assert after[0] == before[0] and after[1] == before[1] + 10 and after[2] == len(inbox) + 1, (before, after)
    now = contents(server, "alice", "INBOX")
    extra = collections.Counter(now) - collections.Counter(inbox)
    assert not collections.Counter(inbox) - collections.Counter(now) and [x[0] for x in extra.elements()] == [hashlib.sha256(b"Subject: since then\r\n\r\nx\r\n").hexdigest()], extra
    assert status(server, "bob", "INBOX") == bob
    _, r = tool("restore", "--from", str(to), "--account", server.address("alice"))
    assert r["taken"] == 0, r
    # the prefix of delivered mail stays one, and its trace is there once
    c = server.imap("bob")
    c.select("INBOX")
    c.store("1:*", "+FLAGS", "\\Deleted")
    whole = contents(server, "bob", "INBOX")
    c.expunge()
    c.logout()
    _, r = tool("restore", "--from", str(to), "--account", server.address("bob"))
    was, now = [h for h, _, _ in whole], [h for h, _, _ in contents(server, "bob", "INBOX")]
    lost, extra = collections.Counter(was) - collections.Counter(now), collections.Counter(now) - collections.Counter(was)
    assert not lost and not extra, (f"of {len(was)}: {sum(lost.values())} lost, {sum(extra.values())} not known before", r)
    moved = [k for k, (a, b) in enumerate(zip(was, now)) if a != b]
    assert not moved, (f"{len(moved)} of {len(was)} in another order, from {moved[0]}", r)
    # an account that was removed and made again under its name
    server.run("account", "remove", server.address("carol"))
    wait_for("carol is gone", lambda: server.run("account", "show", server.address("carol"), check=False).returncode)
    server.run("account", "add", server.address("carol"), "--password-stdin", input=server.passwords["carol"])
    _, r = tool("restore", "--from", str(to), "--account", server.address("carol"))
    assert r["taken"] == 1 and contents(server, "carol", "Kept")[0][1] == {b"\\Seen"}, r
    for words, text in (((server.address("nobody"),), "nobody"), ((server.address("alice"), "--mailbox", "None"), "None")):
        code, r = tool("restore", "--from", str(to), "--account", *words, ok=False)
        assert code == 1 and text in (r.get("error") or r.get("stopped")), r


def queue():
    """Outgoing mail is left out, unless it is asked for."""
    c = server.submission("alice")
    c.sendmail(server.address("alice"), ["someone@waits.test"], b"Subject: waits\r\n\r\nx\r\n")
    c.quit()
    wait_for("the queue", lambda: server.json("queue", "list"))
    to = work / "queue"
    tool("backup", "--to", str(to))
    with Restored(to) as s:
        assert s.report["queue_left_out"] == 1 and s.report["queued"] == 0, s.report
        assert s.json("queue", "list") == []
    with Restored(to, "--with-queue") as s:
        assert s.report["queued"] == 1 and s.report["queue_left_out"] == 0, s.report
        assert [m["sender"] for m in s.json("queue", "list")] == [server.address("alice")]


try:
    extra = 'connectors = ( { name = "waits"; address_space = "waits.test"; smart_host = "[127.0.0.1]:1"; } );'
    with Server(sys.argv[1], accounts=("alice", "bob", "carol"), extra=extra) as server:
        c = server.imap("carol")
        c.create("Kept")
        c.append("Kept", "(\\Seen)", None, b"Subject: kept\r\n\r\nx\r\n")
        c.logout()
        main(under_load, damaged, one_account, queue, interrupted)
finally:
    if not os.environ.get("KEEP"):
        shutil.rmtree(work, ignore_errors=True)
