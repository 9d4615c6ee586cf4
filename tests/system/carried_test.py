#!/usr/bin/env python3
"""What an account has besides mail – rights, annotations, read marks, subscriptions, special uses – is carried by restore, export and import.

    tests/system/carried_test.py [build/asan/bin]
"""
import datetime
import hashlib
import imaplib
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

from sealpost import Server, main, wait_for

server = None
work = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-carried."))
work.chmod(0o755)
os.environ["XDG_STATE_HOME"] = str(work / "state")
imaplib.Commands.update({name: ("AUTH", "SELECTED") for name in ("GETMETADATA", "SETMETADATA")})
GROUP = '"Public/local.test"'


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def tool(*words, code=0):
    r = server.run(*words, check=False, json=True)
    assert r.stdout.strip(), (words, r)
    value = json.loads(r.stdout)
    assert r.returncode == code, (words, r.returncode, value)
    return value


def command(c, *words):
    """(answer, untagged data) of a command that imaplib does not know the form of."""
    c.untagged_responses.clear()
    kind, data = c._simple_command(*words)
    assert kind == "OK", (words, data)
    return dict(c.untagged_responses)


def metadata(c, box):
    """{entry: value} of all annotations that this login sees."""
    answer = command(c, "GETMETADATA", "(DEPTH infinity)", box, "(/shared/comment /private/comment /shared/vendor/test /private/vendor/test)").get("METADATA", [])
    raw = b"".join((part[0] + b"\n" + part[1] if isinstance(part, tuple) else part) for part in answer)
    found = {}
    while m := re.search(rb'(/(?:shared|private)/[^ ()]+) (?:"((?:[^"\\]|\\.)*)"|~?\{(\d+)\}\n)', raw):
        value = m.group(2) if m.group(3) is None else raw[m.end():m.end() + int(m.group(3))]
        found[m.group(1).decode()] = value
        raw = raw[m.end() + (int(m.group(3)) if m.group(3) else 0):]
    return found


def messages(c, box, zones):
    ok(c.select(box, readonly=True))
    out = []
    for part in c.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1] or []:
        if isinstance(part, tuple):
            flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).split()) - {b"\\Recent"}
            when = re.search(rb'INTERNALDATE "([^"]+)"', part[0]).group(1).decode().strip()
            if not zones:
                when = datetime.datetime.strptime(when, "%d-%b-%Y %H:%M:%S %z").timestamp()
            out.append((hashlib.sha256(part[1]).hexdigest(), flags, when))
    return out


def snapshot(name, only="", zones=True):
    """All that is compared, as a session of the account sees it."""
    c = server.imap(name)
    boxes = {}
    for line in c.list()[1]:
        attributes, box = re.match(rb'\(([^)]*)\) "/" "?([^"]*)"?$', line).groups()
        box = box.decode()
        if box.startswith(("Public", "Other")) or not box.startswith(only):
            continue
        uses = {a for a in attributes.split() if a not in (b"\\HasChildren", b"\\HasNoChildren", b"\\Subscribed", b"\\Marked", b"\\UnMarked")}
        rights = command(c, "GETACL", f'"{box}"')["ACL"][0].decode().replace('"', "").removeprefix(box).split()
        rights = {k: "".join(sorted(set(v) - set("cd"))) for k, v in zip(rights[::2], rights[1::2]) if k != server.address(name)}
        boxes[box] = (uses, rights, metadata(c, f'"{box}"'), messages(c, f'"{box}"', zones))
    subscribed = {line.split(b' "/" ')[1].strip(b'"').decode() for line in c.lsub()[1] if line}
    result = {"boxes": boxes, "subscribed": {s for s in subscribed if s.startswith(only)}}
    if not only:
        ok(c.select(GROUP, readonly=True))
        result["seen"] = c.search(None, "SEEN")[1][0].split()
        result["group"] = metadata(c, GROUP)
        result["server"] = {k: v for k, v in metadata(c, '""').items() if k.startswith("/private")}
    c.logout()
    return result


def same(a, b):
    for key in a:
        if key == "boxes":
            assert a[key].keys() == b[key].keys(), (a[key].keys(), b[key].keys())
            for box in a[key]:
                assert a[key][box] == b[key][box], (box, a[key][box], b[key][box])
        assert a[key] == b[key], (key, a[key], b[key])


def fill():
    b = server.imap("bob")
    ok(b.create("Plans"))
    ok(b.setacl("Plans", server.address("alice"), "lr"))
    ok(b.setacl("Plans", server.address("dave"), "lr"))
    b.logout()
    n = server.nntp("bob")
    for k in range(6):
        n.post([f"Newsgroups: local.test\r\nFrom: a@b.c\r\nSubject: article {k}\r\n\r\nx\r\n".encode()])
    n.quit()
    c = server.imap("alice")
    command(c, "CREATE", '"Work"', "(USE (\\Important))")
    ok(c.setacl("Work", server.address("bob"), "lrs"))
    ok(c.create("Work/Below"))  # takes bob's rights over
    ok(c.deleteacl("Work/Below", server.address("bob")))
    ok(c.setacl("Work/Below", server.address("carol"), "lrwi"))
    ok(c.setacl("INBOX", server.address("carol"), "lr"))
    command(c, "SETMETADATA", '"Work"', '(/shared/comment "for all" /private/comment "for me")')
    command(c, "SETMETADATA", '""', '(/private/vendor/test/mine "of the account")')
    command(c, "SETMETADATA", GROUP, '(/private/comment "what I think of it")')
    for box in ("Work", "Nowhere", f"Other Users/{server.address('bob')}/Plans", "Public/local.test"):
        ok(c.subscribe(f'"{box}"'))
    ok(c.unsubscribe("Work/Below"))
    ok(c.unsubscribe("Junk"))
    for k, date in enumerate(('" 5-Nov-2020 10:11:12 +0200"', '" 6-Nov-2020 10:11:12 -0330"', '" 7-Nov-2020 10:11:12 +0000"')):
        ok(c.append("Work", ("(\\Seen work)", "(\\Flagged)", "")[k], date, f"Subject: {k}\r\n\r\nx\r\n".encode()))
    ok(c.append("Work/Below", "(\\Answered)", '" 5-Nov-2020 10:11:12 +0000"', b"Subject: below\r\n\r\nx\r\n"))
    ok(c.append("INBOX", "(\\Seen)", '" 5-Nov-2020 10:11:12 +0000"', b"Subject: in\r\n\r\nx\r\n"))
    ok(c.select(GROUP))
    ok(c.store("1:2,4", "+FLAGS", "(\\Seen)"))
    c.logout()
    raw_annotation("alice", '"Work/Below"', b"/private/vendor/test/raw", b"caf\xe9 \xff not UTF-8")


def raw_annotation(name, box, entry, value):
    """A value that cannot be quoted, with a literal in the middle of the command."""
    c = server.imap(name)
    c.send(b"X1 SETMETADATA " + box.encode() + b" (" + entry + b" {%d}\r\n" % len(value))
    line = c.readline()
    assert line.startswith(b"+"), line
    c.send(value + b")\r\n")
    while not (line := c.readline()).startswith(b"X1 "):
        pass
    assert line.startswith(b"X1 OK"), line
    c.logout()


def test_one_mailbox():
    before = snapshot("alice", "Work")
    assert before["boxes"]["Work"][1] == {server.address("bob"): "lrs"} and before["boxes"]["Work/Below"][1] == {server.address("carol"): "ilrw"}, before
    assert b"\\Important" in before["boxes"]["Work"][0] and len(before["boxes"]["Work"][2]) == 2, before
    assert before["boxes"]["Work/Below"][2]["/private/vendor/test/raw"] == b"caf\xe9 \xff not UTF-8", before
    tool("backup", "--to", str(work / "backup"))
    c = server.imap("alice")
    ok(c.delete("Work/Below"))
    ok(c.delete("Work"))
    ok(c.unsubscribe("Work"))
    c.logout()
    r = tool("restore", "--from", str(work / "backup"), "--account", server.address("alice"), "--mailbox", "Work")
    assert r["taken"] == 4 and r["notes"] == [], r
    same(before, snapshot("alice", "Work"))


def test_in_use():
    """Rights and marks that were taken since stay taken."""
    c = server.imap("alice")
    ok(c.deleteacl("Work", server.address("bob")))
    command(c, "SETMETADATA", '"Work"', '(/shared/comment "changed" /private/comment NIL)')
    ok(c.select(GROUP))
    ok(c.store("2", "-FLAGS", "(\\Seen)"))
    words = ("restore", "--from", str(work / "backup"), "--account", server.address("alice"))
    r = tool(*words)
    assert r["taken"] == 0 and any(server.address("bob") in n and "--with-rights" in n for n in r["notes"]), r
    now = snapshot("alice")
    assert now["boxes"]["Work"][1] == {} and now["seen"] == [b"1", b"4"], now
    assert now["boxes"]["Work"][2] == {"/shared/comment": b"changed", "/private/comment": b"for me"}, now
    r = tool(*words, "--with-rights")
    assert snapshot("alice")["boxes"]["Work"][1] == {server.address("bob"): "lrs"}, r
    ok(c.store("2", "+FLAGS", "(\\Seen)"))
    command(c, "SETMETADATA", '"Work"', '(/shared/comment "for all")')
    c.logout()


def test_account_made_again():
    before = snapshot("alice")
    assert before["seen"] == [b"1", b"2", b"4"] and before["group"] and before["server"], before
    assert {"Nowhere", "Public/local.test", f"Other Users/{server.address('bob')}/Plans"} < before["subscribed"], before
    shutil.rmtree(work / "backup")
    tool("backup", "--to", str(work / "backup"))
    server.run("account", "remove", server.address("alice"))
    wait_for("alice is gone", lambda: server.run("account", "show", server.address("alice"), check=False).returncode)
    server.run("account", "add", server.address("alice"), "--password-stdin", input=server.passwords["alice"])
    b = server.imap("bob")  # what others had granted went with her
    ok(b.setacl("Plans", server.address("alice"), "lr"))
    b.logout()
    assert snapshot("alice")["seen"] == [b""] or snapshot("alice")["seen"] == []
    r = tool("restore", "--from", str(work / "backup"), "--account", server.address("alice"))
    assert r["taken"] == 5 and r["notes"] == [], r
    after = snapshot("alice")
    before["subscribed"].add("Junk")  # of every new account
    same(before, after)


def round_trip(kind, to, zones, *more):
    folder = work / f"{kind}-{to}"
    tool("export", kind, "--account", server.address("alice"), "--to", str(folder), *more)
    r = tool("import", kind, str(folder), "--account", server.address(to))
    assert r["taken"] == 5 and r["notes"] == [], r
    want = snapshot("alice", zones=zones)
    want["subscribed"].add("Junk")
    same(want, snapshot(to, zones=zones))
    r = tool("import", kind, str(folder), "--account", server.address(to))
    assert r["taken"] == 0 and r["notes"] == [], r
    return folder


def test_export_and_import():
    round_trip("maildir", "dave", True)
    b = server.imap("bob")
    for name in ("erin", "frank"):
        ok(b.setacl("Plans", server.address(name), "lr"))
    b.logout()
    round_trip("maildir", "erin", True, "--layout", "fs")
    folder = round_trip("mbox", "frank", False)
    # damaged: said, nothing taken
    path = folder / ".sealpost-account.json"
    path.write_text(path.read_text()[:-20])
    r = tool("import", "mbox", str(folder), "--account", server.address("carol"), code=1)
    assert "damaged" in r["stopped"] and r["taken"] == 0, r


def test_part_of_an_export():
    """One mailbox exported again leaves what is known of the others."""
    folder = work / "maildir-dave"
    before = json.loads((folder / ".sealpost-account.json").read_text())
    tool("export", "maildir", "--account", server.address("alice"), "--to", str(folder), "--mailbox", "Work")
    after = json.loads((folder / ".sealpost-account.json").read_text())
    assert {b["name"] for b in before["mailboxes"]} == {b["name"] for b in after["mailboxes"]}, after


if __name__ == "__main__":
    try:
        with Server(sys.argv[1] if len(sys.argv) > 1 else "build/asan/bin", accounts=("alice", "bob", "carol", "dave", "erin", "frank")) as server:
            fill()
            main(test_one_mailbox, test_in_use, test_account_made_again, test_export_and_import, test_part_of_an_export)
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(work, ignore_errors=True)
