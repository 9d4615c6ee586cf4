#!/usr/bin/env python3
"""SEARCH with the index of searchd: the same answers as without it, soon after delivery, whatever happens to it."""
import os
import random
import signal
import sys
import time

from corpus_source import messages as corpus
from sealpost import Server, main, wait_for

WORDS = ("alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo sierra tango uniform "
         "victor whiskey xray yankee zulu über straße naïve été привет мир 日本語 中文 検索 ελληνικά").split()
seed = int(os.environ.get("SEED", time.time()))
rnd = random.Random(seed)
print(f"SEED={seed}")


def sentence(n):
    return " ".join(rnd.choice(WORDS) for _ in range(n))


def made(i):
    import base64
    import quopri
    from email.header import Header
    subject = Header(sentence(4), "utf-8").encode(linesep="\r\n")
    body = f"{sentence(40)}\r\nnumber {i}\r\n".encode()
    how = i % 4
    head = (f"From: {rnd.choice(WORDS[:20])}@{rnd.choice(WORDS[:20])}.example\r\nTo: alice@example.org\r\nSubject: {subject}\r\n"
            f"Message-ID: <m{i}@made.example>\r\nMIME-Version: 1.0\r\n")
    if how == 0:
        head += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    elif how == 1:
        head += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
        body = base64.encodebytes(body).replace(b"\n", b"\r\n")
    elif how == 2:
        head += "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        body = quopri.encodestring(b"<p>" + body.replace(b"\r\n", b"\n") + b"</p>").replace(b"\n", b"\r\n")
    else:
        head += "Content-Type: text/plain; charset=koi8-r\r\n"
        body = body.decode().encode("koi8-r", "replace")
    return head.encode() + b"\r\n" + body


def needle():
    text = rnd.choice((sentence(1), sentence(2), sentence(3), f"number {rnd.randrange(200)}", f"m{rnd.randrange(200)}@", "example",
                       "the", "message", "boundary", "text/plain", "mikel", "test", "<p>", "e", "ab"))
    a = rnd.randrange(len(text))
    text = text[a:a + 1 + rnd.randrange(14)] if rnd.random() < 0.6 else text
    return (text.upper() if rnd.random() < 0.3 else text).strip().encode() or b"x"


def key(depth=0):
    kind = rnd.randrange(10 if depth < 2 else 7)
    if kind < 7:
        return [rnd.choice(("BODY", "BODY", "TEXT", "SUBJECT", "FROM", "TO", "HEADER Message-ID")), needle()]
    if kind == 7:
        return ["NOT"] + key(depth + 1)
    if kind == 8:
        return ["OR"] + key(depth + 1) + key(depth + 1)
    first, *rest = key(depth + 1)
    return ["(" + first, *rest, *key(depth + 1), None]


class Raw:
    """Searches with literals, by UID."""

    def __init__(self, server):
        self.c = server.imap()
        self.c.select("INBOX", readonly=True)
        self.file = self.c.file
        self.n = 0

    def search(self, parts):
        self.n += 1
        tag = f"R{self.n}".encode()
        line = tag + b" UID SEARCH CHARSET UTF-8"
        for p in parts:
            if p is None:
                line += b")"
            elif isinstance(p, bytes):
                line += b" {%d+}\r\n" % len(p) + p
            else:
                line += b" " + p.encode()
        self.c.send(line + b"\r\n")
        found = None
        while True:
            answer = self.file.readline()
            if answer.startswith(b"* SEARCH"):
                found = answer.split()[2:]
            elif answer.startswith(tag):
                if b" OK " not in answer:
                    raise AssertionError(f"{parts}: {answer}")
                return [int(u) for u in found]
            elif not answer:
                raise AssertionError("the connection is gone")


def pid_of(server, role):
    return next(p["pid"] for p in server.processes() if p["role"] == role)


def status(server):
    return server.json("store", "index")


def settled(server):
    return status(server)["state"] == "up to date"


def cpu_ms(server):
    """What searchd has had of the processor."""
    return int(open(f"/proc/{pid_of(server, 'searchd')}/schedstat").read().split()[0]) / 1e6


def indexes(server):
    return sorted(p.name for p in (server.data / "search").glob("*.db"))


def fill(c, n, first=0):
    for i in range(first, first + n):
        c.append("INBOX", None, None, made(i))


def index_is_exact():
    with Server(sys.argv[1]) as s:
        c = s.imap()
        c.select("INBOX")
        for _, raw in corpus():
            c.append("INBOX", None, None, raw)
        fill(c, 150)
        Raw(s).search(["BODY", b"number"])  # the first: from now on there is an index
        wait_for("all is indexed", lambda: settled(s), 30)
        alice = s.address("alice")
        own = s.json("store", "index", alice)
        assert own["indexed"] == own["messages"] > 220 and own["sound"] is True, own
        raw = Raw(s)
        queries = [key() for _ in range(1500)]
        before = status(s)["queries"]
        begin = time.monotonic()
        with_index = [raw.search(q) for q in queries]
        took = time.monotonic() - begin
        assert status(s)["queries"] > before + 1000
        # it does not answer: everything is looked at
        searchd = pid_of(s, "searchd")
        os.kill(searchd, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            without = [raw.search(q) for q in queries]
            print(f"     {len(queries)} queries: {took:.1f} s with, {time.monotonic() - begin:.1f} s without, "
                  f"{sum(bool(x) for x in without)} found something")
        finally:
            os.kill(searchd, signal.SIGCONT)
        for q, a, b in zip(queries, with_index, without):
            assert a == b, (q, sorted(set(a) ^ set(b)))

        # delivered and expunged: exact at once, in the index within a second or so
        fill(c, 1, 5000)
        assert len(Raw(s).search(["BODY", b"number 5000"])) == 1
        c.select("INBOX")
        n = len(c.search(None, "ALL")[1][0].split())
        wait_for("it is indexed", lambda: s.json("store", "index", alice)["indexed"] == n, 5)
        c.store("1:50", "+FLAGS.SILENT", r"(\Deleted)")
        c.expunge()
        wait_for("they are gone", lambda: s.json("store", "index", alice)["indexed"] == n - 50, 5)
        # another account sees nothing of it
        bob = s.imap("bob")
        bob.select("INBOX")
        assert bob.search(None, "BODY", "number")[1][0] == b""


def deliver(server, n, first=0):
    """To alice, by SMTP."""
    with server.mx() as m:
        for i in range(first, first + n):
            m.sendmail("someone@far.example", [server.address("alice")], made(i), ["BODY=8BITMIME"])


def words_found(server):
    raw = Raw(server)
    return [raw.search([where, word.encode()]) for word in WORDS[:12] for where in ("BODY", "SUBJECT", "TEXT")]


def only_who_searches():
    with Server(sys.argv[1]) as s:
        n = 300
        time.sleep(1)
        before = cpu_ms(s)
        deliver(s, n)
        time.sleep(1.5)
        unused = cpu_ms(s) - before
        assert indexes(s) == [] and status(s)["state"] == "not in use" and status(s)["done"] == 0, (indexes(s), status(s))
        assert "not in use" in s.run("store", "check").stdout and s.json("store", "stat")["search"]["in_use"] == 0
        # a search that asks for no text is no use of it
        c = s.imap()
        c.select("INBOX", readonly=True)
        assert len(c.search(None, "SINCE", "1-Jan-2020")[1][0].split()) == n
        assert indexes(s) == []
        # the first that does, with all those after it, finds what there is
        first = words_found(s)
        wait_for("it is indexed", lambda: status(s)["in_use"] == 1 and settled(s), 30)
        assert status(s)["done"] == n and len(indexes(s)) == 1, status(s)
        asked = status(s)["queries"]
        assert words_found(s) == first and any(first) and status(s)["queries"] > asked
        # what is delivered now is indexed without a search
        before = cpu_ms(s)
        deliver(s, n, n)
        wait_for("the new ones are", lambda: status(s)["done"] == 2 * n and settled(s), 10)
        used = cpu_ms(s) - before
        print(f"     searchd, a message: not in use {unused / n * 1000:.0f} µs, in use {used / n * 1000:.0f} µs")
        assert unused < used / 10, (unused, used)
        # bob is not; and a restart changes nothing
        b = s.imap("bob")
        fill(b, 3)
        s.stop()
        s.start()
        deliver(s, 5, 2 * n)
        wait_for("these are as well", lambda: status(s)["done"] == 5 and settled(s), 10)
        assert status(s)["in_use"] == 1 and len(indexes(s)) == 1, status(s)
        with_index = words_found(s)
        searchd = pid_of(s, "searchd")
        os.kill(searchd, signal.SIGSTOP)
        try:
            assert words_found(s) == with_index
        finally:
            os.kill(searchd, signal.SIGCONT)
        # named by whoever administers
        s.run("store", "index", s.address("bob"))
        wait_for("bob is", lambda: s.json("store", "index", s.address("bob"))["indexed"] == 3, 10)
        # never, by a reload: not even those
        s.conf.write_text(s.conf.read_text() + 'search_index = "never";\n')
        s.run("reload")
        wait_for("it is off", lambda: status(s)["state"].startswith("off"), 10)
        done = status(s)["done"]
        deliver(s, 5, 3 * n)
        now = words_found(s)
        time.sleep(1.2)
        assert status(s)["done"] == done
        s.conf.write_text(s.conf.read_text().replace('"never"', '"always"'))
        s.run("reload")
        wait_for("all are", lambda: s.json("store", "index")["policy"] == "always" and settled(s), 20)
        own = s.json("store", "index", s.address("alice"))
        assert own["indexed"] == own["messages"] and own["sound"] is True, own
        assert words_found(s) == now


def same_as_fetched(server):
    """A word of ASCII, found by the server and by looking at what it holds."""
    c = server.imap()
    c.select("INBOX", readonly=True)
    texts = {}
    for part in c.uid("fetch", "1:*", "(UID BODY.PEEK[])")[1]:
        if isinstance(part, tuple):
            texts[int(part[0].split(b"UID ")[1].split()[0])] = part[1]
    raw = Raw(server)
    for i in rnd.sample(range(250), 50):
        want = [u for u, t in sorted(texts.items()) if b"<m%d@made" % i in t]
        got = raw.search(["HEADER Message-ID", b"<m%d@made" % i])
        assert got == want, (i, got, want)
    return len(texts)


def killed_at_any_time():
    with Server(sys.argv[1]) as s:
        c = s.imap()
        s.run("store", "index", s.address("alice"))
        for round in range(5):
            fill(c, 40, round * 40)
            os.kill(pid_of(s, "searchd"), signal.SIGKILL)
            if round % 2:
                time.sleep(rnd.random() * 0.3)
        assert same_as_fetched(s) == 200
        wait_for("all is indexed", lambda: s.run("store", "index", check=False).returncode == 0 and settled(s), 30)
        own = s.json("store", "index", s.address("alice"))
        assert own["indexed"] == own["messages"] == 200 and own["sound"] is True, own
        assert same_as_fetched(s) == 200


def damaged_and_rebuilt():
    with Server(sys.argv[1]) as s:
        c = s.imap()
        fill(c, 120)
        assert same_as_fetched(s) == 120
        wait_for("all is indexed", lambda: settled(s), 30)
        folder = s.data / "search"
        file = max(folder.glob("*.db"), key=lambda p: p.stat().st_size)
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
        for round in range(3):
            os.kill(pid_of(s, "searchd"), signal.SIGKILL)
            with open(file, "r+b") as f:
                if round == 0:
                    f.truncate(file.stat().st_size // 4096 // 2 * 4096)
                elif round == 1:
                    for at in range(0, file.stat().st_size, 4096):
                        f.seek(at + 100)
                        f.write(os.urandom(50))
                else:
                    f.write(b"nonsense" * 1000)
            wal = file.with_name(file.name + "-wal")
            if wal.exists():
                wal.unlink()
            assert same_as_fetched(s) == 120
            wait_for("searchd is back", lambda: s.run("store", "index", check=False).returncode == 0, 10)
            fill(c, 1, 1000 + round)
            c.select("INBOX")
            uid = c.uid("search", "HEADER", "Message-ID", f"m{1000 + round}@made")[1][0].split()
            c.uid("store", uid[0].decode(), "+FLAGS", r"(\Deleted)")
            c.expunge()
            wait_for("it is whole again", lambda: s.json("store", "index", s.address("alice"))["indexed"] == 120, 20)
            assert same_as_fetched(s) == 120
        r = s.run("store", "index", "--rebuild", s.address("alice"), json=True)
        own = s.json("store", "index", s.address("alice"))
        assert own["indexed"] == 120 and own["dead"] == 0 and own["sound"] is True, (own, r.stdout)
        s.run("store", "index", "--rebuild")
        assert settled(s) and same_as_fetched(s) == 120
        assert s.json("store", "stat")["search"]["accounts"] >= 1
        assert s.run("store", "check").returncode == 0
        s.run("store", "index", "public")
        assert s.run("store", "index", "nobody@example.org", check=False).returncode == 1


main(index_is_exact, only_who_searches, killed_at_any_time, damaged_and_rebuilt)
