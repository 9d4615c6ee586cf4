#!/usr/bin/env python3
"""Hostile clients against the whole server. Around every attack an honest user works on and is not slowed down for long, nothing that was taken is
lost, no process is started again and none grows past a bound; the attacker gets a clear answer or the end of the connection."""
import os
import random
import re
import resource
import selectors
import socket
import ssl
import sys
import time

from attack import Honest, Raw, Unharmed, login, memory, restarts  # noqa: F401
from sealpost import Server, main, wait_for

CLEAR = ("smtp", "submission", "pop3", "imap", "nntp")
IMPLICIT = ("submissions", "pop3s", "imaps", "nntps")
IDLE, LOGIN, WRITE = 8, 6, 4  # timeouts of the server under attack, s
MESSAGE_BYTES = 4 << 20
LIMITS = (f"message_bytes = {MESSAGE_BYTES}; idle_timeout = {IDLE}; login_timeout = {LOGIN}; write_timeout = {WRITE}; connections = 6000; "
          "recipients = 100;")
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8:malloc_context_size=4"  # its own memory is not what is measured
server = None
rnd = random.Random(os.environ.get("SEED", "20261124"))

REFUSAL = {"smtp": rb"^[45]\d\d[ -]", "submission": rb"^[45]\d\d[ -]", "submissions": rb"^[45]\d\d[ -]", "pop3": rb"^-ERR", "pop3s": rb"^-ERR",
           "imap": rb"(?m)^(\S+|\*) (BAD|NO|BYE)", "imaps": rb"(?m)^(\S+|\*) (BAD|NO|BYE)", "nntp": rb"^[45]\d\d ", "nntps": rb"^[45]\d\d "}
NOOP = {"smtp": (b"NOOP", b"250"), "submission": (b"NOOP", b"250"), "submissions": (b"NOOP", b"250"), "pop3": (b"CAPA", b"+OK"), "pop3s": (b"CAPA", b"+OK"),
        "imap": (b"n CAPABILITY", b"* CAP"), "imaps": (b"n NOOP", b"n OK"), "nntp": (b"CAPABILITIES", b"101"), "nntps": (b"CAPABILITIES", b"101")}


def try_send(r, data):
    """False: the other side has ended meanwhile."""
    try:
        r.send(data)
        return True
    except (ConnectionError, ssl.SSLError, socket.timeout):
        return False


def refused(name, reply):
    assert reply == b"" or re.search(REFUSAL[name], reply), (name, reply[:200])


def ends_within(r, seconds):
    r.s.settimeout(seconds)
    begin = time.monotonic()
    try:
        r.all()
    except socket.timeout:
        raise AssertionError(f"{r.name}: still open after {seconds} s") from None
    return time.monotonic() - begin


def starttls(name):
    return Raw(server, name).starttls(server)


# ------------------------------------------------------------ lines and literals
def long_lines():
    piece = b"A" * (1 << 20)
    with Unharmed(server):
        kinds = [(n, lambda n=n: Raw(server, n)) for n in CLEAR + IMPLICIT] + [(n, lambda n=n: starttls(n)) for n in CLEAR]
        kinds += [(n, lambda n=n: login(server, n)) for n in ("imaps", "pop3s", "nntps", "submissions")]
        for name, connect in kinds:
            with connect() as r:
                if all(try_send(r, piece) for _ in range(10)) and try_send(r, b"\r\n"):
                    refused(name, r.reply())
                    if name not in ("smtp", "submission", "submissions"):
                        command, good = NOOP[name]
                        answer = r.ask(command)
                        assert answer == b"" or answer.startswith(good), (name, answer)
        # in clear on a TLS port, and a request line without end
        for name in IMPLICIT + ("https",):
            with Raw(server, name, tls=False, greeting=False) as r:
                all(try_send(r, piece) for _ in range(10))
                r.all()
        for tls in (False, True):
            with Raw(server, "https" if tls else "http") as r:
                try_send(r, b"GET /")
                all(try_send(r, piece) for _ in range(10))
                assert r.all()[:12] in (b"", b"HTTP/1.1 414", b"HTTP/1.1 431", b"HTTP/1.1 400")


def literals():
    with Unharmed(server):
        before_login = [b"a LOGIN {4294967296}", b"a LOGIN {99999999999999999999}", b"a LOGIN {-1}", b"a LOGIN {}", b"a LOGIN {+}", b"a LOGIN {5", b"a LOGIN {1}x",
                        b"a LOGIN {4294967295}", b"a {3}", b"{3}", b"a LOGIN {10000000}", b"a APPEND INBOX {100}", b"a AUTHENTICATE PLAIN {3}"]
        for line in before_login:
            with Raw(server, "imaps") as r:
                answer = r.ask(line)
                refused("imaps", answer) if not answer.startswith(b"+") else None
        for line in (b"a LOGIN {4294967295+}", b"a APPEND INBOX {4294967295+}", b"a LOGIN {9000000+}"):
            with Raw(server, "imaps") as r:
                try_send(r, line + b"\r\n")
                r.s.settimeout(LOGIN + 3)
                refused("imaps", r.reply())
        # a literal is a right way to log in, in pieces too
        with Raw(server, "imaps") as r:
            who, password = server.address("alice").encode(), server.passwords["alice"].encode()
            assert r.ask(b"a LOGIN {%d}" % len(who)).startswith(b"+")
            assert r.ask(who + b" {%d}" % len(password)).startswith(b"+")
            assert b"a OK" in r.ask(password)
        # announced, never sent
        for line in (b"a LOGIN {5}", b"a LOGIN {5+}"):
            with Raw(server, "imaps") as r:
                r.send(line + b"\r\nab")
                assert ends_within(r, LOGIN + 4) < LOGIN + 3
        with login(server, "imaps") as r:
            for line in (b"a APPEND INBOX {4294967295}", b"a APPEND INBOX {%d}" % (MESSAGE_BYTES + 1), b"a APPEND INBOX {18446744073709551616}", b"a SELECT {2000000}"):
                refused("imaps", r.ask(line))
                assert r.ask(b"n NOOP").startswith(b"n OK")
            # it comes all the same: skipped, and what follows is a command
            r.send(b"a APPEND INBOX {%d+}\r\n" % (MESSAGE_BYTES + 5) + b"b NOOP\r\n" * ((MESSAGE_BYTES + 5) // 8) + b"x" * ((MESSAGE_BYTES + 5) % 8) + b"\r\n")
            refused("imaps", r.reply())
            assert r.ask(b"n NOOP") == b"n OK NOOP completed\r\n" or r.rest == b""
        with login(server, "imaps") as r:
            try_send(r, b"a APPEND INBOX {4294967295+}\r\n")
            ends_within(r, IDLE + 4)
        with login(server, "imaps") as r:  # half a message, then silence
            assert r.ask(b"a APPEND INBOX {1000}").startswith(b"+")
            r.send(b"x" * 500)
            assert ends_within(r, IDLE + 4) < IDLE + 3


def nesting():
    deep = 20000
    lines = [b"SEARCH " + b"(" * deep + b"ALL" + b")" * deep, b"SEARCH " + b"NOT " * deep + b"ALL", b"SEARCH " + b"OR " * deep + b"ALL " * (deep + 1),
             b"FETCH 1 " + b"(" * deep + b"FLAGS" + b")" * deep, b"FETCH 1 BODY[" + b"1." * deep + b"1]", b"FETCH 1 BODY[HEADER.FIELDS (" + b"a " * deep + b")]",
             b"ID " + b"(" * deep, b"LIST " + b"(" * deep, b'LIST "" "' + b"%*" * 5000 + b'a"', b'LIST "" "' + b"*a" * 5000 + b'b"',
             b"STORE 1 FLAGS " + b"(" * deep, b"SEARCH " + b",".join(b"%d" % i for i in range(1, 30000, 2)), b"FETCH " + b"1:*," * 10000 + b"1 FLAGS",
             b"THREAD " + b"(" * deep, b"SORT " + b"(" * deep, b"STATUS INBOX " + b"(" * deep, b"SEARCH CHARSET " + b"x" * 10000 + b" ALL",
             b"SEARCH TEXT \"" + b"a" * 30000 + b"\"", b"CREATE " + b"a/" * 20000 + b"a", b"CREATE \"" + b"&AAA-" * 10000 + b"\"", b"STORE 1 +FLAGS (" + b"k%d " * deep + b")",
             b"STORE 1 +FLAGS (" + b" ".join(b"keyword%d" % i for i in range(3000)) + b")"]
    with Unharmed(server), login(server, "imaps") as r:
        r.ask(b"s SELECT INBOX")
        for line in lines:
            begin = time.monotonic()
            answer = r.ask(b"a " + line)
            if answer == b"" or answer.startswith(b"* BYE"):  # too many errors
                r.close()
                r = login(server, "imaps")
                r.ask(b"s SELECT INBOX")
            else:
                assert re.search(rb"(?m)^a (OK|NO|BAD)", answer), (line[:40], answer[-200:])
            assert time.monotonic() - begin < 8, line[:40]
        r.close()
        with login(server, "nntps") as n:
            for line in (b"LIST ACTIVE " + b"*a" * 2000 + b"b", b"LIST ACTIVE " + b"!*,*," * 800, b"NEWNEWS " + b"*?" * 2000 + b" 19990101 000000", b"XPAT Subject 1- " + b"*a" * 2000):
                begin = time.monotonic()
                answer = n.ask(line)
                if answer[:1] == b"2":
                    while answer and answer != b".\r\n":
                        answer = n.line()
                assert time.monotonic() - begin < 8, line[:40]


# ------------------------------------------------------------ messages
def smtp_message(c, data, to=None):
    """MAIL, RCPT, DATA; the reply to the data."""
    assert c.ask(b"MAIL FROM:<x@elsewhere.test>").startswith(b"250")
    assert c.ask(b"RCPT TO:<" + (to or server.address("alice")).encode() + b">").startswith(b"250")
    assert c.ask(b"DATA").startswith(b"354")
    c.send(data)
    return c.reply()


def read_back(subject, items=b"(RFC822.SIZE ENVELOPE BODYSTRUCTURE)"):
    with login(server, "imaps") as r:
        r.ask(b"s SELECT INBOX")
        r.send(b"f UID SEARCH HEADER SUBJECT " + subject + b"\r\n")
        found = r.line()
        while r.rest or not r.line().startswith(b"f "):
            if r.rest:
                r.line()
                break
        numbers = found.split()[2:]
        assert len(numbers) == 1, (subject, found)
        r.send(b"g UID FETCH " + numbers[0] + b" " + items + b"\r\n")
        got = b""
        while b"\ng OK" not in got and not got.startswith(b"g OK"):
            data = r.s.recv(1 << 20)
            assert data, got[-200:]
            got += data
        return got


def bombs():
    fields = b"".join(b"X-Field-%d: value\r\n" % i for i in range(100000))
    parts = b"".join(b"--B%d\r\nContent-Type: multipart/mixed; boundary=B%d\r\n\r\n" % (i, i + 1) for i in range(1000))
    flat = b"--X\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 50000
    addresses = b"To: " + b", ".join(b"a%d@example.test" % i for i in range(100000)) + b"\r\n"
    messages = {
        b"fields": fields + b"\r\nbody\r\n",
        b"nested": b"Content-Type: multipart/mixed; boundary=B0\r\n\r\n" + parts + b"text\r\n",
        b"rfc822s": b"Content-Type: message/rfc822\r\n\r\n" * 20000 + b"text\r\n",
        b"flat": b"Content-Type: multipart/mixed; boundary=X\r\n\r\n" + flat + b"--X--\r\n",
        b"addresses": addresses + b"\r\nx\r\n",
        b"oneline": b"X-Long: " + b"y" * 3000000 + b"\r\n\r\n" + b"z" * 500000 + b"\r\n",
        b"folds": b"Subject2: a\r\n" + b" \r\n" * 500000 + b"\r\nx\r\n",
        b"comments": b"To: " + b"(" * 1000000 + b"\r\n\r\nx\r\n",
        b"words": b"Comments: " + b"=?utf-8?q?" * 100000 + b"\r\n\r\nx\r\n",
        b"headerless": b"\r\n" * 1000000,
    }
    taken = 0
    with Unharmed(server):
        for subject, rest in messages.items():
            with Raw(server, "smtp") as c:
                c.ask(b"EHLO attack.test")
                begin = time.monotonic()
                answer = smtp_message(c, b"Subject: bomb-" + subject + b"\r\n" + rest + b".\r\n")
                assert answer[:3] in (b"250", b"552", b"554", b"500"), (subject, answer)
                if answer.startswith(b"250"):
                    taken += 1
                    read_back(b"bomb-" + subject)
                assert time.monotonic() - begin < 20, (subject, time.monotonic() - begin)
        assert taken >= 8, taken
        with login(server, "nntps") as n:
            assert n.ask(b"POST").startswith(b"340")
            n.send(b"From: a@example.test\r\nNewsgroups: " + b",".join(b"local.test" for _ in range(5000)) + b"\r\nSubject: many groups\r\n\r\nx\r\n.\r\n")
            assert n.reply()[:3] in (b"240", b"441"), n.reply


def too_large():
    big = b"x" * 998 + b"\r\n"
    with Unharmed(server), Raw(server, "smtp", timeout=60) as c:
        assert b"SIZE %d" % MESSAGE_BYTES in c.ask(b"EHLO attack.test")
        for size in (MESSAGE_BYTES + 1, 50 << 20, 1 << 32, 1 << 64, 10 ** 30):
            assert c.ask(b"MAIL FROM:<x@elsewhere.test> SIZE=%d" % size)[:1] == b"5", size
        # says nothing, or lies
        for option in (b"", b" SIZE=10"):
            assert c.ask(b"MAIL FROM:<x@elsewhere.test>" + option).startswith(b"250")
            assert c.ask(b"RCPT TO:<" + server.address("alice").encode() + b">").startswith(b"250")
            assert c.ask(b"DATA").startswith(b"354")
            for _ in range(6):
                c.send(big * 1049)
            c.send(b".\r\n")
            assert c.reply().startswith(b"552")
            assert c.ask(b"NOOP").startswith(b"250")
        # 50 MB where 4 are taken: not read to the end
        with Raw(server, "smtp") as e:
            e.ask(b"EHLO attack.test")
            assert e.ask(b"MAIL FROM:<x@elsewhere.test>").startswith(b"250")
            assert e.ask(b"RCPT TO:<" + server.address("alice").encode() + b">").startswith(b"250")
            assert e.ask(b"DATA").startswith(b"354")
            if all(try_send(e, big * 1049) for _ in range(50)) and try_send(e, b".\r\n"):
                assert e.reply()[:3] in (b"552", b"421", b"")
        # by BDAT: all of it is taken off, nothing of it is a command
        assert c.ask(b"MAIL FROM:<x@elsewhere.test>").startswith(b"250")
        c.ask(b"RCPT TO:<" + server.address("alice").encode() + b">")
        c.send(b"BDAT %d LAST\r\n" % (8 << 20) + b"QUIT\r\n--" * (1 << 20))
        assert c.reply().startswith(b"552")
        assert c.ask(b"NOOP").startswith(b"250")
        # an article
        with login(server, "nntps") as n:
            assert n.ask(b"POST").startswith(b"340")
            n.send(b"From: a@example.test\r\nNewsgroups: local.test\r\nSubject: big\r\n\r\n" + big * 8192 + b".\r\n")
            assert n.reply().startswith(b"441")
            assert n.ask(b"DATE").startswith(b"111")


def bdat_games():
    with Unharmed(server):
        for line in (b"BDAT", b"BDAT 1 2", b"BDAT 1 LASTX", b"BDAT 0 LAST"):  # counted: they are read, and the session goes on
            with Raw(server, "smtp") as c:
                c.ask(b"EHLO attack.test")
                c.send(line + b"\r\n" + (b"x" if b" 1" in line else b""))
                assert c.reply()[:1] == b"5", line
                assert c.ask(b"NOOP").startswith(b"250"), line
        for line in (b"BDAT 4294967296", b"BDAT 18446744073709551616", b"BDAT -1", b"BDAT abc", b"BDAT 0x10 LAST", b"BDAT +3 LAST"):
            with Raw(server, "smtp") as c:  # where the commands go on, nobody knows
                c.ask(b"EHLO attack.test")
                assert c.ask(line).startswith(b"421 "), line
                assert ends_within(c, 3) < 3, line
        with Raw(server, "smtp") as c:
            c.ask(b"EHLO attack.test")
            c.send(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")  # without MAIL: the six bytes are no command
            assert c.reply().startswith(b"503")
            assert c.reply().startswith(b"250")
            c.ask(b"MAIL FROM:<x@elsewhere.test>")
            c.ask(b"RCPT TO:<" + server.address("alice").encode() + b">")
            c.send(b"BDAT 18\r\nSubject: bdat\r\n\r\nx")
            assert c.reply().startswith(b"250")
            assert c.ask(b"DATA").startswith(b"503")
            c.send(b"BDAT 6\r\n.\r\n\r\n.")
            assert c.reply().startswith(b"250")
            assert c.ask(b"RSET").startswith(b"250")
            assert c.ask(b"BDAT 0 LAST").startswith(b"503")
        with Raw(server, "smtp") as c:  # announced, not sent
            c.ask(b"EHLO attack.test")
            c.ask(b"MAIL FROM:<x@elsewhere.test>")
            c.ask(b"RCPT TO:<" + server.address("alice").encode() + b">")
            c.send(b"BDAT 1000000 LAST\r\nabc")
            assert ends_within(c, IDLE + 5) < IDLE + 4


def controls():
    """NUL, bare CR and bare LF: in commands they are no second command, in a message no end of it."""
    odd = (b"\0", b"\r", b"\n", b"\r\r\n", b"\n\r", b"\0\r\n", b"\x80\xff", b"\x1b[2J", b"\x7f")
    with Unharmed(server):
        for name in CLEAR + IMPLICIT:
            verb = NOOP[name][0]
            for x in odd:
                with Raw(server, name) as r:
                    for line in (verb + x, x + verb, verb[:2] + x + verb[2:], verb + b" " + x + b"a"):
                        if not try_send(r, line + b"\r\n"):
                            break
                    r.s.settimeout(0.05)
                    try:
                        r.all()
                    except socket.timeout:
                        pass
        ends = (b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n. \r\n", b"\r\r\n.\r\r\n", b"\n.\r", b"\r\n.\r\r\n")
        for i, end in enumerate(ends):
            with Raw(server, "smtp") as c:
                c.ask(b"EHLO attack.test")
                answer = smtp_message(c, b"Subject: smuggle-%d\r\n\r\nbefore" % i + end + b"MAIL FROM:<evil@elsewhere.test>\r\nRCPT TO:<" +
                                      server.address("bob").encode() + b">\r\nDATA\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\n")
                assert answer[:1] in (b"2", b"5"), answer
                rest = c.ask(b"NOOP")  # one message, one reply
                assert rest == b"" or rest.startswith(b"250 ") and c.rest == b"", (end, rest, c.rest)
        c = server.imap("bob")
        c.select("INBOX", readonly=True)
        assert c.search(None, "SUBJECT", "smuggled")[1] == [b""], "a second message was smuggled in"
        c.logout()


def garbage():
    with Unharmed(server):
        kinds = [(n, lambda n=n: Raw(server, n, tls=False, greeting=False)) for n in CLEAR + IMPLICIT + ("http", "https")]
        kinds += [(n, lambda n=n: Raw(server, n, greeting=False)) for n in IMPLICIT + ("https",)] + [(n, lambda n=n: starttls(n)) for n in CLEAR]
        kinds += [(n, lambda n=n: login(server, n)) for n in ("imaps", "pop3s", "nntps", "submissions")]
        for name, connect in kinds:
            for how in range(4):
                with connect() as r:
                    n = rnd.choice((1, 5, 100, 4000, 70000))
                    data = rnd.randbytes(n)
                    if how == 1:
                        data = bytes(b | 0x80 for b in data)
                    elif how == 2:  # words of the protocol in no order
                        words = [b"MAIL FROM:<", b"RCPT TO:<", b"AUTH PLAIN ", b"a FETCH 1 ", b"{5}\r\n", b"(", b")", b"\"", b"\r\n", b" ", b"ARTICLE <", b"POST\r\n", b"USER ", b"BDAT 5\r\n", b"DATA\r\n",
                                 b"STARTTLS\r\n", b"a IDLE\r\n", b"Content-Length: 5\r\n", b"GET / HTTP/1.1\r\n", b"*", b"\\", b"=", b"a ", b"LOGIN ", b"BODY[", b"EHLO x\r\n", b"UID ", b"RETR 1\r\n"]
                        data = b"".join(rnd.choice(words) for _ in range(500))
                    elif how == 3:
                        data = b"\r\n".join(rnd.randbytes(rnd.randrange(40)).replace(b"\n", b"") for _ in range(200)) + b"\r\n"
                    try_send(r, data)
                    r.s.settimeout(0.1)
                    try:
                        r.all()
                    except (socket.timeout, OSError):
                        pass


# ------------------------------------------------------------ TLS
def client_hello():
    """The bytes of an honest ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = server.tls.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def tls_records():
    hello = client_hello()
    shapes = [hello[:n] for n in (1, 4, 5, 6, 50, len(hello) - 1)]
    shapes += [b"\x16\x03\x01\xff\xff" + b"x" * 65535, b"\x16\x03\x01\x00\x00" * 1000, b"\x15\x03\x01\x00\x02\x01\x00" * 1000, b"\x17\x03\x03\x00\x10" + b"y" * 16,
               b"\x16\x03\x01\x40\x00" + b"\x01\xff\xff\xff" + b"z" * 16380, b"\x80\x2e\x01\x00\x02" + b"s" * 44, b"\x16\x03\x01\x00\x01\x01" * 20000,
               hello + hello, hello + b"\x16\x03\x03\x00\x04\x18\x00\x00\x00", hello + b"\x14\x03\x03\x00\x01\x01" * 100, hello + b"\x17\x03\x03\x40\x01" + b"q" * 16385,
               hello[:60] + bytes(b ^ 0x55 for b in hello[60:]), b"GET / HTTP/1.0\r\n\r\n", b"EHLO x\r\n"]
    with Unharmed(server):
        for name in IMPLICIT + ("https",):
            for shape in shapes:
                with Raw(server, name, tls=False, greeting=False) as r:
                    if try_send(r, shape):
                        try:
                            r.s.shutdown(socket.SHUT_WR)
                        except OSError:
                            pass
                    ends_within(r, 5)
        # behind STARTTLS
        for name in CLEAR:
            r = Raw(server, name)
            if name in ("smtp", "submission"):
                r.ask(b"EHLO x")
            r.ask({"imap": b"a STARTTLS", "pop3": b"STLS"}.get(name, b"STARTTLS"))
            try_send(r, hello[:100])
            assert ends_within(r, LOGIN + 4) < LOGIN + 3
            r.close()
        # a good session that is cut in the middle of a record
        r = login(server, "imaps")
        raw = socket.socket(fileno=os.dup(r.s.fileno()))
        raw.sendall(b"\x17\x03\x03\x01\x00" + b"x" * 100)
        raw.shutdown(socket.SHUT_WR)
        r.close()
        raw.close()


def half_open():
    """2,000 handshakes that never go on; a login meanwhile is as fast as ever."""
    hello = client_hello()
    count = 2000

    def login_ms():
        begin = time.monotonic()
        server.imap("alice").logout()
        return (time.monotonic() - begin) * 1000

    with Unharmed(server, grow_kib=192 << 10, slowest=15.0) as u:
        before = sorted(login_ms() for _ in range(10))
        held = []
        begin = time.monotonic()
        for i in range(count):
            s = socket.create_connection(("127.0.0.1", server.port("imaps")), timeout=10)
            s.sendall(hello if i % 2 else hello[: 1 + i % 200])
            held.append(s)
        opened = time.monotonic() - begin
        meanwhile = sorted(login_ms() for _ in range(20))
        grown = {k: v - u.memory.get(k, 0) for k, v in memory(server).items() if k.startswith("access")}
        print(f"       {count} half-open in {opened:.1f} s; login p50 {before[5]:.0f} ms before, {meanwhile[10]:.0f} ms meanwhile (max {meanwhile[-1]:.0f}); "
              f"{sum(grown.values()) / count:.1f} KiB a connection", flush=True)
        assert meanwhile[10] < 20 * before[5] + 500, (before, meanwhile)
        for s in held:  # each is given up by the login timeout
            s.settimeout(LOGIN + 10)
            try:
                while s.recv(65536):
                    pass
            except ConnectionError:
                pass
            s.close()


def slow_loris():
    """One byte a second, everywhere at once: none holds a session for long."""
    hello = client_hello()
    plans = [("imap", b"a NOOP " + b"x" * 99, LOGIN), ("pop3", b"CAPA" + b"x" * 99, LOGIN), ("nntp", b"LIST " + b"x" * 99, LOGIN), ("smtp", b"NOOP " + b"x" * 99, IDLE),
             ("submission", b"EHLO " + b"x" * 99, LOGIN), ("http", b"GET / HTTP/1.1\r\nX: " + b"x" * 99, IDLE), ("imaps", hello, LOGIN), ("https", hello, LOGIN), ("submissions", hello, LOGIN)]
    rows = []
    with Unharmed(server):
        for name, data, limit in plans:
            rows.append([name, Raw(server, name, tls=False, greeting=name in CLEAR), data, limit, None])
        c = Raw(server, "smtp")
        c.ask(b"EHLO attack.test")
        c.ask(b"MAIL FROM:<x@elsewhere.test>")
        c.ask(b"RCPT TO:<" + server.address("alice").encode() + b">")
        c.ask(b"DATA")
        rows.append(["DATA", c, b"Subject: slow" * 20, IDLE, None])
        i = login(server, "imaps")
        i.ask(b"a APPEND INBOX {1000}")
        rows.append(["APPEND", i, b"Subject: slow" * 20, IDLE, None])
        begin = time.monotonic()
        for n in range(2 * IDLE):
            for row in rows:
                if row[4] is not None:
                    continue
                row[1].s.setblocking(False)
                try:
                    row[1].s.send(row[2][n:n + 1])
                    while True:
                        if row[1].s.recv(4096) == b"":
                            row[4] = time.monotonic() - begin
                            break
                except (BlockingIOError, ssl.SSLWantReadError):
                    pass
                except OSError:
                    row[4] = time.monotonic() - begin
            time.sleep(1)
        for name, r, data, limit, ended in rows:
            assert ended is not None and ended < limit + 4, (name, limit, ended)
            r.close()


def never_reads():
    """50 MB asked for and not one byte read: ended by the write timeout, and nothing piles up in the server."""
    with login(server, "imaps", "alice") as r:
        body = b"Subject: heavy\r\n\r\n" + (b"y" * 98 + b"\r\n") * 10000
        for _ in range(4):
            assert r.ask(b"a APPEND INBOX {%d}" % len(body)).startswith(b"+")
            r.send(body + b"\r\n")
            assert b"a OK" in r.reply()
    with Unharmed(server, grow_kib=64 << 10):
        held = []
        for name, login_first, what in (("imaps", True, b"a SELECT INBOX\r\n" + b"a FETCH 1:* BODY.PEEK[]\r\n" * 20), ("pop3s", True, b"".join(b"RETR %d\r\n" % (1 + i % 4) for i in range(60))),
                                        ("imaps", True, b"a NOOP\r\n" * 100000), ("http", False, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20000), ("smtp", False, b"EHLO x\r\n" * 100000),
                                        ("https", False, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20000), ("nntps", True, b"HELP\r\n" * 20000)):
            for _ in range(3):
                r = login(server, name) if login_first else Raw(server, name)
                r.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                r.s.settimeout(2)
                try_send(r, what)
                held.append((name, r))
        sessions = lambda: [s for s in server.json("session", "list") if s["vserver"] != "imap4-default" or s["user"].startswith("alice")]  # noqa: E731
        try:
            wait_for("all who never read are gone", lambda: len(sessions()) <= 2, WRITE + IDLE + 20)
        except AssertionError:
            raise AssertionError(sessions()) from None
        for _, r in held:
            r.close()


def bursts():
    """100,000 commands at once, all of them answered."""
    count = 100000
    with Unharmed(server):
        for name, line, good in (("imaps", b"a NOOP\r\n", b"a OK"), ("pop3s", b"NOOP\r\n", b"+OK"), ("nntps", b"DATE\r\n", b"111 "), ("submissions", b"NOOP\r\n", b"250 "), ("smtp", b"RSET\r\n", b"250 ")):
            r = Raw(server, name) if name == "smtp" else login(server, name)
            if name == "smtp":
                r.ask(b"EHLO x")
            begin = time.monotonic()
            lines = r.pour(line * count, lambda got: got.count(b"\n") >= count).splitlines()
            answers = sum(x.startswith(good) for x in lines)
            got = lines[answers] if answers < len(lines) else b""
            took = time.monotonic() - begin
            r.close()
            print(f"       {name}: {answers} in {took:.1f} s" + (f", then {got[:60]}" if answers < count else ""), flush=True)
            assert answers == count or got[:1] in (b"4", b"5", b"-", b"*"), (name, answers, got)


def recipients():
    with Unharmed(server), Raw(server, "smtp") as c:
        c.ask(b"EHLO attack.test")
        assert c.ask(b"MAIL FROM:<x@elsewhere.test>").startswith(b"250")
        good = b"RCPT TO:<" + server.address("alice").encode() + b">"
        codes = [c.ask(good)[:3] for _ in range(103)]
        assert codes == [b"250"] * 100 + [b"452"] * 3, codes
        assert c.ask(b"DATA").startswith(b"354")
        c.send(b"Subject: hundred\r\n\r\nx\r\n.\r\n")
        assert c.reply().startswith(b"250")
        s = server.imap("alice")
        s.select("INBOX")
        assert len(s.search(None, "SUBJECT", "hundred")[1][0].split()) == 1
        s.logout()


def http_shapes():
    host = b"Host: localhost\r\n"
    bad = [b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
           b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", b"GET / HTTP/1.1\r\n" + host + b"Content-Length: +5\r\n\r\nabcde",
           b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 5, 5\r\n\r\nabcde", b"GET / HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n",
           b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 99999999999999999999\r\n\r\n", b"GET / HTTP/1.1\r\n" + host + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
           b"GET / HTTP/1.1\r\n" + host + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", b"GET / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
           b"GET / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", b"GET / HTTP/1.1\r\n" + host + host.replace(b"localhost", b"evil.test") + b"\r\n",
           b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", b"\0\0\0\0", b"GET /\0 HTTP/1.1\r\n" + host + b"\r\n",
           b"GET / HTTP/1.1\r\n X: folded\r\n" + host + b"\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n" + host + b"X: " + b"y" * 1000000 + b"\r\n\r\n",
           b"GET / HTTP/1.1\r\n" + host + b"X: y\r\n" * 100000 + b"\r\n", b"CONNECT evil.test:25 HTTP/1.1\r\n" + host + b"\r\n"]
    paths = [b"/../../../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"/..\\..\\etc\\passwd", b"/%00", b"//etc/passwd", b"/ca/../../data/keys", b"http://evil.test/", b"/" + b"a/" * 3000]
    with Unharmed(server):
        for name in ("http", "https"):
            for request in bad:
                with Raw(server, name) as r:
                    if try_send(r, request):
                        try:
                            r.s.settimeout(IDLE + 4)
                            answer = r.all()
                        except socket.timeout:
                            raise AssertionError((name, request[:80], "no end")) from None
                        codes = re.findall(rb"HTTP/1\.[01] (\d\d\d)", answer)
                        assert len(codes) <= 1 and b"evil" not in answer.split(b"\r\n\r\n")[0], (request[:100], answer[:300])
                        assert all(c[:1] in b"45" for c in codes), (request[:100], answer[:200])
            for path in paths:
                with Raw(server, name) as r:
                    r.send(b"GET " + path + b" HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
                    answer = r.all()
                    assert b"root:" not in answer and answer[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 3", b"HTTP/1.1 2" if path.startswith(b"http:") else b""), (path, answer[:200])


# ------------------------------------------------------------ without trust
def connections_of_one_address():
    held = []
    for _ in range(10):
        held.append(Raw(server, "imap", source="127.0.0.2"))
    with Raw(server, "imap", source="127.0.0.2", greeting=False) as r:
        answer = r.all()
        assert answer.startswith(b"* BYE"), answer
    held.pop().close()
    wait_for("room for one", lambda: (held.append(Raw(server, "imap", source="127.0.0.2")), held[-1].greeting.startswith(b"* OK") or held.pop().close())[1])
    for name in ("pop3", "smtp", "nntp", "submission"):  # the workers of a profile count together, so a refusal is allowed everywhere
        with Raw(server, name, source="127.0.0.2", greeting=False) as r:
            r.s.settimeout(2)
            assert r.line()[:1] in b"+24-5", name
    with Raw(server, "imap", source="127.0.0.3") as r:
        assert r.greeting.startswith(b"* OK"), r.greeting
    for r in held:
        r.close()
    wait_for("room again", lambda: Raw(server, "imap", source="127.0.0.2").greeting.startswith(b"* OK"))


def brute_force():
    def attempt(source, user, password):
        begin = time.monotonic()
        with Raw(server, "imaps", source=source, timeout=30) as r:
            answer = r.ask(b"a LOGIN " + user.encode() + b" " + password.encode())
        return answer, time.monotonic() - begin

    bob, good = server.address("bob"), server.passwords["bob"]
    assert b"a OK" in attempt("127.0.0.8", bob, good)[0]
    taken, quick = 0, 0
    begin = time.monotonic()
    while time.monotonic() - begin < 12:
        answer, took = attempt("127.0.0.2", server.address("alice"), f"guess{taken}")
        assert b"a NO" in answer or answer == b"", answer
        taken += 1
        quick += took < 0.5
        # another user elsewhere does not notice
        answer, took = attempt("127.0.0.3", bob, good)
        assert b"a OK" in answer and took < 3, (answer, took)
    print(f"       {taken} guesses in 12 s, {quick} of them answered at once", flush=True)
    assert taken < 20, taken
    # one session ends after a few guesses
    with Raw(server, "pop3s", source="127.0.0.4", timeout=60) as r:
        answers = []
        for i in range(10):
            if not try_send(r, b"USER nobody%d\r\nPASS x\r\n" % i):
                break
            answers += [r.line(), r.line()]
            if answers[-1] == b"":
                break
        assert sum(a.startswith(b"-ERR") for a in answers) <= 4, answers


def all_up():
    rows = server.processes()
    assert all(p["restarts"] == 0 for p in rows), rows


resource.setrlimit(resource.RLIMIT_NOFILE, (min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
TRUSTED = (long_lines, literals, nesting, bombs, too_large, bdat_games, controls, garbage, tls_records, half_open, slow_loris, never_reads, bursts, recipients, http_shapes)
STRANGERS = (connections_of_one_address, brute_force)
only = sys.argv[2] if len(sys.argv) > 2 else ""
if any(only in t.__name__ for t in TRUSTED):
    with Server(sys.argv[1], limits=LIMITS) as server:
        main(*TRUSTED)
        all_up()
if any(only in t.__name__ for t in STRANGERS):
    with Server(sys.argv[1], limits=LIMITS.replace("connections = 6000", "connections_per_address = 10"), trusted="", extra="workers_access = 3;") as server:  # which count together
        main(*STRANGERS)
        all_up()
