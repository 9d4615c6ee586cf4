"""attack.py: what hostile clients are made of: raw sockets in the clear and inside TLS, a user who must not notice, memory and restarts of all processes."""
import pathlib
import select
import socket
import ssl
import threading
import time

MESSAGE = b"From: Alice <alice@example.test>\r\nTo: Bob <bob@example.test>\r\nSubject: %s\r\nMessage-ID: <%s@example.test>\r\n\r\nbody\r\n"


class Raw:
    """One connection, with nothing between the test and the bytes."""

    def __init__(self, server, name, tls=None, source="127.0.0.1", timeout=20, greeting=True):
        self.name = name
        self.s = socket.create_connection(("127.0.0.1", server.port(name)), timeout=timeout, source_address=(source, 0))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        if tls is None:
            tls = name in ("imaps", "pop3s", "submissions", "nntps", "https")
        if tls:
            self.s = server.tls.wrap_socket(self.s, server_hostname="localhost")
        self.greeting = self.line() if greeting and not name.startswith("http") else b""

    def starttls(self, server):
        words = {"imap": b"a STARTTLS", "pop3": b"STLS", "nntp": b"STARTTLS", "smtp": b"STARTTLS", "submission": b"STARTTLS"}
        if self.name in ("smtp", "submission"):
            self.ask(b"EHLO attack.test")
        answer = self.ask(words[self.name])
        assert answer[:1] in (b"a", b"+", b"2", b"3"), answer
        self.s = server.tls.wrap_socket(self.s, server_hostname="localhost")
        return self

    def send(self, data):
        self.s.sendall(data)

    def line(self):
        """The next line with its end; what there was when the connection ended."""
        while b"\n" not in self.rest:
            try:
                data = self.s.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                line, self.rest = self.rest, b""
                return line
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line + b"\n"

    def reply(self):
        """One reply: of SMTP all its lines, of IMAP up to the tagged one."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if not line:
                break
            if self.name in ("smtp", "submission", "submissions"):
                if line[3:4] != b"-":
                    break
            elif self.name in ("imap", "imaps"):
                if not line.startswith(b"* "):
                    break
            else:
                break
        return b"".join(lines)

    def ask(self, line):
        self.send(line + b"\r\n")
        return self.reply()

    def pour(self, data, enough, seconds=60):
        """Sends and reads at the same time until enough(what has come) or the other side ends; what has come. One thread: Python's TLS sockets
        are not made for a reader and a writer at once, who then sees an end that is none."""
        got, view, end = bytearray(self.rest), memoryview(data), time.monotonic() + seconds
        self.rest = b""
        self.s.setblocking(False)
        try:
            while not enough(got):
                wants_write = len(view) > 0
                moved = False
                try:
                    if wants_write:
                        view = view[self.s.send(view[:16384]):]
                        moved = True
                except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
                except OSError:
                    view = view[:0]
                try:
                    more = self.s.recv(65536)
                    if not more:
                        break
                    got += more
                    moved = True
                except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
                except OSError:
                    break
                if not moved:
                    if time.monotonic() > end:
                        raise AssertionError(f"{self.name}: stuck after {len(got)} bytes, {len(view)} to send")
                    select.select([self.s], [self.s] if wants_write else [], [], 1)
        finally:
            self.s.settimeout(20)
        return bytes(got)

    def all(self, most=1 << 26):
        """Everything until the other side ends."""
        got = [self.rest]
        size = len(self.rest)
        try:
            while size < most:
                data = self.s.recv(65536)
                if not data:
                    break
                got.append(data)
                size += len(data)
        except (ConnectionError, ssl.SSLError):
            pass
        self.rest = b""
        return b"".join(got)

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


def login(server, name, user="alice"):
    """A raw connection of a logged in user."""
    r = Raw(server, name)
    who, password = server.address(user).encode(), server.passwords[user].encode()
    if name in ("imap", "pop3", "nntp", "submission"):
        r.starttls(server)
    if name.startswith("imap"):
        answer = r.ask(b"l LOGIN " + who + b" " + password)
        assert b"l OK" in answer, answer
    elif name.startswith("pop3"):
        r.ask(b"USER " + who)
        assert r.ask(b"PASS " + password).startswith(b"+OK")
    elif name.startswith("nntp"):
        r.ask(b"AUTHINFO USER " + who)
        assert r.ask(b"AUTHINFO PASS " + password).startswith(b"281")
    elif name.startswith("submission"):
        import base64
        r.ask(b"EHLO attack.test")
        assert r.ask(b"AUTH PLAIN " + base64.b64encode(b"\0" + who + b"\0" + password)).startswith(b"235")
    return r


class Honest(threading.Thread):
    """A user at work the whole time: an old session that must live on, new logins, mail in and out. Every failure is kept, so is the slowest step."""

    def __init__(self, server):
        super().__init__()
        self.server, self.ending, self.failures, self.rounds, self.slowest, self.slow_step = server, False, [], 0, 0.0, ""
        self.taken = []
        self.old = server.imap("bob")
        self.old.select("INBOX")
        self.start()

    def step(self, what, action):
        begin = time.monotonic()
        value = action()
        took = time.monotonic() - begin
        if took > self.slowest:
            self.slowest, self.slow_step = took, what
        return value

    def round(self, n):
        key = b"honest-%d-%d" % (n, time.monotonic_ns())
        self.step("old session", lambda: self.old.noop())
        s = self.step("login to send", lambda: self.server.submission("alice"))
        self.step("send", lambda: s.sendmail(self.server.address("alice"), [self.server.address("bob")], MESSAGE % (key, key)))
        self.taken.append(key)
        s.quit()
        c = self.step("login to read", lambda: self.server.imap("bob"))
        c.logout()

    def run(self):
        while not self.ending:
            try:
                self.round(self.rounds)
            except Exception as e:  # noqa: BLE001
                self.failures.append(f"round {self.rounds}: {type(e).__name__}: {e}")
                time.sleep(0.2)
            self.rounds += 1
            time.sleep(0.05)

    def stop(self):
        """All that was taken is there, and nothing went wrong."""
        self.ending = True
        self.join(60)
        assert not self.failures, self.failures[:3]
        self.old.select("INBOX")
        kind, data = self.old.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        there = {part[1].split(b":", 1)[1].strip() for part in data if isinstance(part, tuple)}
        lost = set(self.taken) - there
        assert not lost, f"{len(lost)} of {len(self.taken)} messages lost"
        self.old.logout()


def pss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def memory(server):
    """role.instance -> KiB"""
    return {f"{p['role']}.{p.get('instance', 0)}": pss_kib(p["pid"]) for p in server.processes() if p.get("pid")}


def restarts(server):
    return {f"{p['role']}.{p.get('instance', 0)}": (p["restarts"], p["pid"]) for p in server.processes()}


class Unharmed:
    """Around an attack: an honest user works on, no process is started again, none grows past a bound."""

    def __init__(self, server, grow_kib=96 << 10, slowest=10.0):
        self.server, self.grow, self.slowest = server, grow_kib, slowest

    def __enter__(self):
        self.restarts, self.memory = restarts(self.server), memory(self.server)
        self.honest = Honest(self.server)
        return self

    def __exit__(self, kind, value, trace):
        after = restarts(self.server)
        grown = {k: v - self.memory.get(k, 0) for k, v in memory(self.server).items()}
        self.grown = max(grown.items(), key=lambda row: row[1])
        if kind:
            self.honest.ending = True
            self.honest.join(60)
            return
        self.honest.stop()
        assert after == self.restarts, (self.restarts, after)
        assert self.grown[1] < self.grow, self.grown
        assert self.honest.slowest < self.slowest, (self.honest.slow_step, self.honest.slowest)
        print(f"       honest user: {self.honest.rounds} rounds, slowest {self.honest.slowest * 1000:.0f} ms ({self.honest.slow_step}); "
              f"most grown {self.grown[0]} {self.grown[1]} KiB", flush=True)
