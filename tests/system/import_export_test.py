#!/usr/bin/env python3
"""People's mail in and out: Maildir, mbox and a running IMAP server (Dovecot) as sources, round trips, and both sides killed in the middle."""
import collections
import datetime
import email.utils
import hashlib
import imaplib
import mailbox
import os
import pathlib
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

from sealpost import Server, main, wait_for
import corpus_source

server = None
work = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-move."))
work.chmod(0o755)
os.environ["XDG_STATE_HOME"] = str(work / "state")
imaplib._MAXLINE = 100_000_000

WEIRD = ["Entwürfe & Co", "a.b", "日本語/x", "~home", "with space/cur", ".hidden", 'quo"te\\back', "deep/" + "/".join("abcdefgh")]


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def utf7(name):
    out, run = "", ""
    for c in name + "\0":
        if c != "\0" and not " " <= c <= "~":
            run += c
            continue
        if run:
            import base64
            out += "&" + base64.b64encode(run.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
            run = ""
        if c != "\0":
            out += "&-" if c == "&" else c
    return out


def quoted(name):
    return '"' + utf7(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def tool(*words, ok=True, **more):
    r = server.run(*words, check=False, json=True, **more)
    import json
    assert r.stdout.strip(), (words, r)
    value = json.loads(r.stdout)
    if ok:
        assert r.returncode == 0, (words, r.returncode, value)
    return r.returncode, value


def view(name, client=None, drop=()):
    """What an IMAP client sees: {folder: [(hash of the bytes, flags, seconds)]}, in order of UIDs."""
    c = client or server.imap(name)
    out = {}
    for line in c.list()[1]:
        if isinstance(line, tuple):
            line = line[0] + b'"' + line[1].replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        attributes, box = re.match(rb'\(([^)]*)\) (?:"[^"]*"|NIL) (.*)$', line, re.S).groups()
        if b"Noselect" in attributes or b"NonExistent" in attributes or box.strip(b'"').startswith(b"Public"):
            continue
        box = box.decode()
        kind, answer = c.select(box if box.startswith('"') else f'"{box}"', readonly=True)
        assert kind == "OK", (box, answer)
        rows = []
        if int(answer[-1]):
            kind, data = c.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
            assert kind == "OK", data
            for part in data:
                if not isinstance(part, tuple):
                    continue
                flags = frozenset(f for f in re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).decode().split() if f != "\\Recent")
                when = re.search(rb'INTERNALDATE "([^"]+)"', part[0]).group(1).decode().strip()
                when = datetime.datetime.strptime(when, "%d-%b-%Y %H:%M:%S %z").timestamp()
                rows.append((hashlib.sha256(part[1]).hexdigest(), flags, when))
        if box.strip('"') not in drop:
            out[box.strip('"')] = rows
    if not client:
        c.logout()
    return out


def same(a, b, what, ordered=True):
    for box in sorted(set(a) | set(b)):
        x, y = a.get(box, []), b.get(box, [])
        if ordered:
            assert x == y, (what, box, [(i, p, q) for i, (p, q) in enumerate(zip(x, y)) if p != q][:2], len(x), len(y))
        else:
            assert collections.Counter(x) == collections.Counter(y), (what, box, len(x), len(y), list((collections.Counter(x) - collections.Counter(y)).items())[:2])


def fill(name):
    """The corpus, with flags, keywords, dates and folders."""
    c = server.imap(name)
    flags = ["", "\\Seen", "\\Seen \\Answered", "\\Flagged $Forwarded", "\\Draft", "\\Seen \\Deleted", "work", "work Later-2 \\Seen"]
    messages = list(corpus_source.messages())
    for n, (_, raw) in enumerate(messages):
        date = f'"{1 + n % 28:2}-Mar-{1990 + n % 36} {n % 24:02}:{n % 60:02}:07 +0000"'
        assert c.append("INBOX", f"({flags[n % len(flags)]})", date, raw)[0] == "OK", n
    for k, box in enumerate(WEIRD):
        kind, text = c._simple_command("CREATE", quoted(box))
        assert kind == "OK", (box, text)
        for n in range(3):
            raw = f"From: a@b\r\nSubject: {k}.{n}\r\n\r\nFrom here on\r\n>From there\r\n>>From far\r\n\r\nFrom a@b Thu Jan  1 00:00:00 2026\r\nnot a message\r\n\r\n".encode()
            assert c.append(quoted(box), f"({flags[n]})", '" 5-Nov-2020 10:11:12 +0000"', raw)[0] == "OK", box
    twice = b"Subject: twice the same\r\n\r\nequal\r\n"
    for _ in range(2):
        assert c.append("Archive", "(\\Seen)", '" 6-Nov-2020 10:11:12 +0000"', twice)[0] == "OK"
    c.logout()
    return len(messages)


def tree(folder):
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in (".sealpost-export", ".sealpost-account.json")}


def maildir_tree(folder):
    """By folder: (content, flags, date) of each file; names hold numbers that differ."""
    out = collections.Counter()
    for p in folder.rglob("*"):
        if p.is_file() and p.parent.name == "cur":
            out[(str(p.parent.relative_to(folder)), hashlib.sha256(p.read_bytes()).hexdigest(), p.name.partition(":2,")[2], int(p.stat().st_mtime))] += 1
    return out


def maildir_round_trips():
    count = fill("alice")
    assert count > 50
    whole = view("alice")
    assert len(whole) >= len(WEIRD) + 6, whole.keys()
    for layout, to in (("maildir++", "bob"), ("fs", "carol")):
        first, second = work / f"{to}-1", work / f"{to}-2"
        _, r = tool("export", "maildir", "--account", server.address("alice"), "--to", str(first), "--layout", layout)
        assert r["written"] == sum(map(len, whole.values())) and r["complete"] and not r["refused"], r
        _, r = tool("export", "maildir", "--account", server.address("alice"), "--to", str(first), "--layout", layout)
        assert r["written"] == 0 and r["there"] == sum(map(len, whole.values())), r
        _, r = tool("import", "maildir", str(first), "--account", server.address(to))
        assert r["taken"] == sum(map(len, whole.values())) and r["refused_count"] == 0 and not r["notes"], r
        same(whole, view(to), layout, ordered=False)
        _, r = tool("export", "maildir", "--account", server.address(to), "--to", str(second), "--layout", layout)
        assert maildir_tree(first) == maildir_tree(second), layout
        assert len(maildir_tree(first)) > 50
        subscribed = (first / "subscriptions").read_text()
        assert subscribed == (second / "subscriptions").read_text() and "INBOX" in subscribed
        # once more: nothing; not even where the state is lost; and what the user has deleted stays deleted
        for more in ((), ("--state", str(work / f"{to}.fresh"))):
            _, r = tool("import", "maildir", str(first), "--account", server.address(to), *more)
            assert r["taken"] == 0 and r["there"] == sum(map(len, whole.values())), r
        c = server.imap(to)
        c.select("Archive")
        c.store("1", "+FLAGS", "\\Deleted")
        c.expunge()
        c.logout()
        _, r = tool("import", "maildir", str(first), "--account", server.address(to))
        assert r["taken"] == 0, r
        _, r = tool("import", "maildir", str(first), "--account", server.address(to), "--anew")
        assert r["taken"] == 1, r
        same(whole, view(to), layout + " again", ordered=False)
    # flags that change are renames
    c = server.imap("alice")
    c.select("INBOX")
    c.store("1", "FLAGS", "(\\Flagged \\Seen)")
    c.logout()
    _, r = tool("export", "maildir", "--account", server.address("alice"), "--to", str(work / "bob-1"))
    assert r["written"] == 0, r
    assert len([p for p in (work / "bob-1" / "cur").iterdir() if p.name.endswith("U1.sealpost:2,FS")]) == 1
    # one mailbox only, below another name
    _, r = tool("export", "maildir", "--account", server.address("alice"), "--to", str(work / "one"), "--mailbox", "deep")
    assert r["written"] == 3 and r["mailboxes"] >= 1, r
    _, r = tool("import", "maildir", str(work / "one"), "--account", server.address("bob"), "--mailbox", "old mail")
    assert r["taken"] == 3, r
    assert len(view("bob")["old mail/deep/a/b/c/d/e/f/g/h"]) == 3
    # nobody's own Maildir is written to
    code, r = tool("export", "maildir", "--account", server.address("alice"), "--to", str(work), ok=False)
    assert code == 1 and "not empty" in r["error"], r


def mbox_round_trip():
    whole = view("alice")
    first, second = work / "mbox-1", work / "mbox-2"
    _, r = tool("export", "mbox", "--account", server.address("alice"), "--to", str(first))
    assert r["written"] == sum(map(len, whole.values())), r
    _, r = tool("import", "mbox", str(first), "--account", server.address("dave"))
    assert r["taken"] == r_count(whole) and r["refused_count"] == 0, r
    _, r = tool("export", "mbox", "--account", server.address("dave"), "--to", str(second))
    one, two = tree(first), tree(second)
    assert one == two and len(one) >= len(WEIRD) + 6, {k for k in set(one) | set(two) if one.get(k) != two.get(k)}
    # python reads the same number of messages, in files of the same number of flags
    box = mailbox.mbox(first / "INBOX.mbox")
    assert len(box) == len(whole["INBOX"])
    seen = sum("\\Seen" in f for _, f, _ in whole["INBOX"])
    assert (first / "INBOX.mbox").read_bytes().count(b"\nStatus: RO\n") == seen
    theirs = view("dave")
    for name in whole:
        assert [f for _, f, _ in theirs[name]] == [f for _, f, _ in whole[name]], name
        assert [t for _, _, t in theirs[name]] == [t for _, _, t in whole[name]], name
    for name in WEIRD:
        assert [h for h, _, _ in theirs[utf7(name).replace("\\", "\\\\").replace('"', '\\"')]] == [h for h, _, _ in whole[utf7(name).replace("\\", "\\\\").replace('"', '\\"')]], name
    _, r = tool("import", "mbox", str(first), "--account", server.address("dave"))
    assert r["taken"] == 0, r


def r_count(whole):
    return sum(map(len, whole.values()))


FROM = "From a@b.c Thu Jan  1 00:00:00 2026\n"
MBOXES = [  # name, bytes, bodies (with LF) or None where nothing can be taken, notes, more options
    ("empty", "", [], 0, ()),
    ("one", FROM + "Subject: x\n\nbody\n\n", ["Subject: x\n\nbody\n"], 0, ()),
    ("no last line end", FROM + "Subject: x\n\nbody", ["Subject: x\n\nbody\n"], 0, ()),
    ("no separator at the end", FROM + "Subject: x\n\nbody\n", ["Subject: x\n\nbody\n"], 0, ()),
    ("crlf", (FROM + "Subject: x\n\nbody\n\n" + FROM + "Subject: y\n\nz\n").replace("\n", "\r\n"), ["Subject: x\n\nbody\n", "Subject: y\n\nz\n"], 0, ()),
    ("blank lines first", "\n\n" + FROM + "S: x\n\nb\n\n", ["S: x\n\nb\n"], 0, ()),
    ("mboxrd", FROM + "S: x\n\n>From me\n>>From you\n> From\n\n", ["S: x\n\nFrom me\n>From you\n> From\n"], 0, ()),
    ("mboxo", FROM + "S: x\n\n>From me\n>>From you\n\n", ["S: x\n\nFrom me\n>>From you\n"], 0, ("--quoting", "mboxo")),
    ("From in prose", FROM + "S: x\n\na\n\nFrom here it went on\nFrom a to b\n\n" + FROM + "S: y\n\nz\n\n", ["S: x\n\na\n\nFrom here it went on\nFrom a to b\n", "S: y\n\nz\n"], 0, ()),
    ("no empty line between", FROM + "S: x\n\na\n" + FROM + "S: y\n\nb\n\n", ["S: x\n\na\n", "S: y\n\nb\n"], 1, ()),
    ("a From line quoted in text", FROM + "S: x\n\nhe wrote\n" + FROM + "and more\n\n", ["S: x\n\nhe wrote\n" + FROM + "and more\n"], 0, ()),
    ("content length", FROM + "S: x\nContent-Length: 40\n\n" + ("\n" + FROM + "abc\n")[:40].ljust(40, ".") + "\n" + FROM + "S: y\n\nb\n\n", ["S: x\n\n" + ("\n" + FROM + "abc\n")[:40].ljust(40, ".") + "\n", "S: y\n\nb\n"], 0, ()),
    ("wrong content length", FROM + "S: x\nContent-Length: 3\n\nabcdefg\n\n" + FROM + "S: y\n\nb\n\n", ["S: x\n\nabcdefg\n", "S: y\n\nb\n"], 0, ()),
    ("empty lines kept", FROM + "S: x\n\na\n\n\n\n" + FROM + "S: y\n\nb\n\n", ["S: x\n\na\n\n\n", "S: y\n\nb\n"], 0, ()),
    ("header only", FROM + "S: x\n\n" + FROM + "S: y\n\n\n", ["S: x\n\n", "S: y\n\n"], 0, ()),
    ("thunderbird", "From - Thu Jan 01 00:00:00 2026\nX-Mozilla-Status: 0005\nX-Mozilla-Keys: $label1       \nS: x\n\nb\n\n", ["S: x\n\nb\n"], 0, ()),
    ("uw imap", "From MAILER-DAEMON Thu Jan  1 00:00:00 2026\nFrom: Mail System\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\nStatus: RO\n\ntext\n\n" + FROM + "S: y\n\nb\n\n", ["S: y\n\nb\n"], 1, ()),
    ("zones", "From a@b Thu Jan  1 01:00:00 2026 +0100\nS: x\n\nb\n\nFrom a@b Wed Dec 31 19:00:00 EST 2025\nS: y\n\nb\n\n", ["S: x\n\nb\n", "S: y\n\nb\n"], 0, ()),
    ("no mbox", "this is a text\n", None, 0, ()),
    ("binary", "\0\1\2\3" * 100, None, 0, ()),
]


def malformed_mboxes():
    folder = work / "odd"
    folder.mkdir()
    for n, (name, text, bodies, notes, more) in enumerate(MBOXES):
        path = folder / f"{n}"
        path.write_bytes(text.encode("latin-1"))
        code, r = tool("import", "mbox", str(path), "--account", server.address("erin"), "--mailbox", f"odd/{n}", *more, ok=False)
        if bodies is None:
            assert code == 1 and r["refused_count"] == 1 and r["taken"] == 0, (name, r)
            continue
        assert code == 0 and r["taken"] == len(bodies) and len(r["notes"]) == notes, (name, r)
        seen = view("erin")[f"odd/{n}"]
        want = [hashlib.sha256(b.encode("latin-1").replace(b"\n", b"\r\n")).hexdigest() for b in bodies]
        assert [h for h, _, _ in seen] == want, (name, seen)
        start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
        assert all(t == start for _, _, t in seen), (name, seen)
        if name == "thunderbird":
            assert seen[0][1] == {"\\Seen", "\\Flagged", "$label1"}, seen


def huge_and_odd_files():
    box = work / "odd-maildir"
    for sub in ("cur", "new", "tmp", ".Big.Folder/cur", ".Big.Folder/new", ".Big.Folder/tmp", ".no-folder", "sub/cur"):
        (box / sub).mkdir(parents=True)
    (box / "cur" / "1.empty:2,S").write_bytes(b"")
    (box / "cur" / "2.dir:2,S").mkdir()
    os.mkfifo(box / "cur" / "3.fifo:2,")
    (box / "cur" / "4.gzip:2,").write_bytes(b"\x1f\x8b\x08" + b"x" * 100)
    (box / "cur" / "5.fine:2,FS").write_bytes(b"Subject: fine\n\nx\n")
    os.utime(box / "cur" / "5.fine:2,FS", (1234567890, 1234567890))
    os.symlink("nowhere", box / "cur" / "6.gone:2,")
    (box / "tmp" / "7.partial").write_bytes(b"never")
    (box / "new" / os.fsdecode(b"8.\xff\xfe\x1b[31m")).write_bytes(b"Subject: odd name\n\nx\n")
    with open(box / ".Big.Folder" / "cur" / "9.big:2,S", "wb") as f:
        f.write(b"Subject: big\n\n")
        line = b"y" * 75 + b"\n"
        for _ in range(500_000):
            f.write(line)
    with open(box / ".Big.Folder" / "cur" / "10.sparse:2,S", "wb") as f:
        f.truncate(300 << 20)
    (box / "sub" / "cur" / "11.sub:2,").write_bytes(b"Subject: sub\n\nx\n")
    code, r = tool("import", "maildir", str(box), "--account", server.address("erin"), "--mailbox", "files", ok=False)
    assert code == 1 and r["taken"] == 4 and r["complete"], r
    reasons = {x["message"].split(":")[0]: x["reason"] for x in r["refused"]}
    assert len(reasons) == 5, reasons
    assert "empty" in reasons["cur/1.empty"] and "no file" in reasons["cur/2.dir"] and "no file" in reasons["cur/3.fifo"], reasons
    assert "gzip" in reasons["cur/4.gzip"] and "256 MiB" in reasons["cur/10.sparse"], reasons
    assert any("6.gone" in n for n in r["notes"]), r["notes"]
    seen = view("erin")
    assert [len(seen[k]) for k in ("files", "files/Big/Folder", "files/sub")] == [2, 1, 1]
    assert any(t == 1234567890 and f == {"\\Flagged", "\\Seen"} for _, f, t in seen["files"])


# ------------------------------------------------------------ a running IMAP server
class Dovecot:
    def __init__(self):
        self.folder = work / "dovecot"
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.port = free_port()
        self.password = 'p"w\\ ' + secrets.token_hex(6)
        self.process = None

    def __enter__(self):
        f = self.folder
        run = lambda *a: subprocess.run(a, check=True, capture_output=True, cwd=f)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Dovecot test root")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=localhost")
        (f / "ext").write_text("subjectAltName=DNS:localhost\n")
        run("openssl", "x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "cert.pem")
        (f / "mail").mkdir()
        (f / "run").mkdir()
        shutil.chown(f / "mail", "nobody", "nogroup")
        (f / "users").write_text("user:{PLAIN}" + self.password + "\n")
        (f / "conf").write_text(f"""
base_dir = {f}/run
log_path = {f}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{f}/cert.pem
ssl_key = <{f}/key.pem
mail_location = maildir:{f}/mail/%u
first_valid_uid = 1
mail_uid = nobody
mail_gid = nogroup
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {f}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={f}/mail/%u
}}
namespace inbox {{
  inbox = yes
  prefix = INBOX.
  separator = .
  mailbox "Sent Messages" {{
    special_use = \\Sent
    auto = subscribe
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {self.port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
""")
        self.process = subprocess.Popen(["dovecot", "-F", "-c", str(f / "conf")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def up():
            assert self.process.poll() is None, (f / "log").read_text()
            try:
                self.client().logout()
                return True
            except OSError:
                return False
        wait_for("dovecot", up, 15)
        return self

    def __exit__(self, *why):
        if why[0] and (self.folder / "log").exists():
            sys.stderr.write((self.folder / "log").read_text()[-2000:])
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def client(self):
        c = imaplib.IMAP4_SSL("localhost", self.port, ssl_context=ssl.create_default_context(cafile=str(self.folder / "ca.pem")), timeout=20)
        c._simple_command("LOGIN", "user", '"' + self.password.replace("\\", "\\\\").replace('"', '\\"') + '"')
        c.state = "AUTH"
        return c

    def command(self, to, *more, ca="ca.pem"):
        (self.folder / "password").write_text(self.password + "\n")
        return ("import", "imap", "localhost", "--port", str(self.port), "--user", "user", "--password-file", str(self.folder / "password"),
                "--ca-file", str(self.folder / ca), "--account", server.address(to), *more)


def from_dovecot():
    with Dovecot() as d:
        c = d.client()
        flags = ["", "\\Seen", "\\Answered \\Seen", "\\Flagged", "$Forwarded", "label \\Draft"]
        messages = list(corpus_source.messages())
        for n, (_, raw) in enumerate(messages):
            assert c.append("INBOX", f"({flags[n % 6]})", f'"{1 + n % 28:2}-Apr-2011 12:00:{n % 60:02} +0200"', raw)[0] == "OK"
        for box in ("INBOX.Sent Messages", "INBOX." + utf7("Köln"), "INBOX.a.b"):
            c._simple_command("CREATE", f'"{box}"')
            for n in range(3):
                assert c.append(f'"{box}"', "(\\Seen)", '" 1-May-2012 00:00:00 +0000"', f"Subject: {box} {n}\r\n\r\nx\r\n".encode())[0] == "OK"
        c._simple_command("SUBSCRIBE", '"INBOX.a.b"')
        c._simple_command("CREATE", '"INBOX.a"')
        for n in range(3000):  # enough to be interrupted
            path = d.folder / "mail" / "user" / ".a" / "cur" / f"1335916800.{n}.x:2,"
            path.write_text(f"Subject: many {n}\nMessage-ID: <{n}@many>\n\n{'text ' * 40}\n")
            os.utime(path, (1335916800 + n, 1335916800 + n))
            shutil.chown(path, "nobody", "nogroup")
        theirs = {re.sub(r"^INBOX\.", "", k).replace(".", "/").replace("Sent Messages", "Sent"): v for k, v in view("user", c).items()}
        assert len(theirs["a"]) == 3000

        # who it is must be proved, and nothing is said before
        before = (d.folder / "log").read_text().count("Login")
        (d.folder / "other.pem").write_bytes(pathlib.Path(server.ca_file).read_bytes())
        code, r = tool(*d.command("frank", ca="other.pem"), ok=False)
        assert code == 1 and "TLS" in r["stopped"] and r["taken"] == 0, r
        assert (d.folder / "log").read_text().count("Login") == before
        good = d.password
        d.password = "wrong"
        code, r = tool(*d.command("frank"), ok=False)
        assert code == 1 and "login was refused" in r["stopped"], r
        d.password = good

        # killed in the middle, several times; then interrupted; then stored is killed; then to the end
        command = [server.bin / "sealpost", "--config", server.conf, *d.command("frank")]
        done = lambda: sum(map(len, view("frank").values()))
        for k, how in enumerate((signal.SIGKILL, signal.SIGKILL, signal.SIGINT)):
            p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            before = done()
            wait_for("some messages", lambda: done() > before or p.poll() is not None, 30)
            p.send_signal(how)
            out, errors = p.communicate(timeout=30)
            if how == signal.SIGINT and p.returncode != 0:
                assert p.returncode == 1 and b"interrupted" in errors, (p.returncode, out, errors)
        p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        before = done()
        wait_for("some messages", lambda: done() > before or p.poll() is not None, 30)
        os.kill(next(x["pid"] for x in server.processes() if x["role"] == "stored"), signal.SIGKILL)
        out, errors = p.communicate(timeout=90)
        assert p.returncode == 0, (out, errors)
        _, r = tool(*d.command("frank"))
        assert r["taken"] == 0 and r["refused_count"] == 0 and r["there"] == sum(map(len, theirs.values())), r
        same(theirs, view("frank"), "dovecot", ordered=False)
        c2 = server.imap("frank")
        assert any(b"a/b" in x for x in c2.lsub()[1]), c2.lsub()
        c2.logout()
        # not even with the state lost
        _, r = tool(*d.command("frank", "--state", str(work / "lost")))
        assert r["taken"] == 0 and r["remembered"] == 0, r
        # something new over there
        c.append("INBOX", "(\\Flagged)", None, b"Subject: new\r\n\r\nx\r\n")
        _, r = tool(*d.command("frank"))
        assert r["taken"] == 1, r

        # what mbsync makes of the same account
        box = work / "mbsync"
        box.mkdir()
        (work / "mbsyncrc").write_text(f"""
IMAPStore far
Host localhost
Port {d.port}
User user
PassCmd "cat {d.folder}/password"
SSLType IMAPS
CertificateFile {d.folder}/ca.pem
PathDelimiter .
Path INBOX.

MaildirStore near
Path {box}/
Inbox {box}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
CopyArrivalDate yes
""")
        r = subprocess.run(["mbsync", "-c", work / "mbsyncrc", "all"], capture_output=True, text=True, timeout=120)
        assert r.returncode == 0, r
        _, r = tool("import", "maildir", str(box), "--account", server.address("grace"))
        assert r["taken"] == sum(map(len, theirs.values())) + 1, r
        got = view("grace")
        got["Sent"] = got.pop("Sent Messages", []) + got["Sent"]
        theirs["INBOX"].append(None)
        for name in theirs:
            # mbsync adds a field of its own and knows no keywords
            assert len(theirs[name]) == len(got.get(name, [])), (name, len(theirs[name]), len(got.get(name, [])))
        print(f"     {sum(map(len, theirs.values()))} messages from Dovecot")


def refusals():
    for words, text in ((("import", "maildir", "/nonexistent", "--account", server.address("alice")), "nonexistent"),
                        (("import", "maildir", str(work / "odd"), "--account", server.address("alice")), "no Maildir"),
                        (("import", "maildir", str(work / "bob-1"), "--account", "nobody@example.test"), "nobody"),
                        (("export", "mbox", "--account", server.address("alice"), "--to", str(work / "x"), "--mailbox", "not there"), "no mailbox")):
        code, r = tool(*words, ok=False)
        assert code == 1 and text in (r.get("error") or r.get("stopped")), (words, r)
    assert server.run("import", "maildir", str(work), check=False).returncode == 2
    # a person sees a sentence, and the reasons
    r = server.run("import", "mbox", str(work / "odd" / "18"), "--account", server.address("alice"), check=False)
    assert r.returncode == 1 and "Not taken" in r.stdout, r


def speed():
    box = work / "many"
    for sub in ("cur", "new", "tmp"):
        (box / sub).mkdir(parents=True)
    for n in range(4000):
        (box / "cur" / f"{n}.x:2,S").write_bytes(f"Subject: {n}\nFrom: a@b\nMessage-ID: <{n}@speed>\n\n".encode() + b"line of text\n" * 150)
    begin = time.monotonic()
    _, r = tool("import", "maildir", str(box), "--account", server.address("heidi"))
    took = time.monotonic() - begin
    assert r["taken"] == 4000
    print(f"     {4000 / took:.0f} messages of 2 KiB a second")
    assert took < (40 if os.environ.get("ASAN_OPTIONS") or "tools" in str(server.bin) else 20)


try:
    with Server(sys.argv[1], accounts=("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")) as server:
        main(maildir_round_trips, mbox_round_trip, malformed_mboxes, huge_and_odd_files, from_dovecot, refusals, speed)
finally:
    if not os.environ.get("KEEP"):
        shutil.rmtree(work, ignore_errors=True)
