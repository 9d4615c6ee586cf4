"""remote.py: the world outside for tests of outgoing mail, on loopback: a name server and mail servers that do as they are told.

    dns = Dns(); dns.mx("far.test", (10, "mx.far.test")); dns.a("mx.far.test", "127.0.0.2")
    far = Remote("127.0.0.2", port); far.replies["rcpt"] = lambda line: "450 4.2.0 later" if "slow" in line else None
"""
import base64
import socket
import ssl
import struct
import subprocess
import threading
import time

TYPES = {"A": 1, "SOA": 6, "MX": 15, "AAAA": 28}
SERVFAIL, NXDOMAIN = 2, 3


def wire_name(name):
    labels = [part.encode() for part in name.rstrip(".").split(".") if part]
    return b"".join(bytes([len(part)]) + part for part in labels) + b"\0"


def free_port(addresses=("127.0.0.1",), kind=socket.SOCK_STREAM):
    """A port that is free on all of them."""
    for _ in range(100):
        held = []
        try:
            first = socket.socket(socket.AF_INET, kind)
            held.append(first)
            first.bind((addresses[0], 0))
            port = first.getsockname()[1]
            for address in addresses[1:]:
                s = socket.socket(socket.AF_INET, kind)
                held.append(s)
                s.bind((address, port))
            return port
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise RuntimeError("no free port")


class Dns:
    """Answers from a table, by UDP. A name of no row does not exist; a row may be a code instead of records."""

    def __init__(self, address="127.0.0.1"):
        self.rows, self.codes, self.names, self.asked = {}, {}, set(), []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        self.ending = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        self.ending = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(5)
        self.socket.close()

    def add(self, name, kind, data):
        self.names.add(name)
        self.rows.setdefault((name, TYPES[kind]), []).append(data)

    def mx(self, name, *hosts):
        for preference, host in hosts:
            self.add(name, "MX", struct.pack(">H", preference) + wire_name(host))

    def a(self, name, *addresses):
        for address in addresses:
            self.add(name, "A", socket.inet_aton(address))

    def fails(self, name, code=SERVFAIL):
        self.codes[name] = code

    def answer(self, question):
        ident, _, count, _, _, _ = struct.unpack(">6H", question[:12])
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode().lower())
            at += 1 + question[at]
        name, kind = ".".join(labels), struct.unpack(">H", question[at + 1:at + 3])[0]
        self.asked.append((name, kind))
        records = self.rows.get((name, kind), [])
        code = self.codes.get(name, 0)
        if not code and name not in self.names and not any(n.endswith("." + name) for n in self.names):
            code = NXDOMAIN
        answers = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 1, len(r)) + r for r in records)
        soa = b"" if records or code == SERVFAIL else (
            wire_name("test") + struct.pack(">HHI", TYPES["SOA"], 1, 1) +
            (lambda r: struct.pack(">H", len(r)) + r)(wire_name("ns.test") + wire_name("root.test") + struct.pack(">5I", 1, 60, 60, 60, 1)))
        return struct.pack(">6H", ident, 0x8580 | code, count, len(records), bool(soa), 0) + question[12:at + 5] + answers + soa

    def serve(self):
        while not self.ending:
            question, peer = self.socket.recvfrom(4096)
            if len(question) > 16:
                try:
                    self.socket.sendto(self.answer(question), peer)
                except (OSError, IndexError, struct.error):
                    pass


class Certificate:
    """A CA of our own and a certificate of it, made by openssl."""

    def __init__(self, folder, *names):
        folder.mkdir(exist_ok=True)
        self.ca, key, self.chain, self.key = (folder / n for n in ("ca.pem", "ca.key", "cert.pem", "cert.key"))
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        quiet = {"check": True, "capture_output": True}
        subprocess.run(new + ["-keyout", key, "-out", self.ca, "-subj", "/CN=Test CA of the far side"], **quiet)
        alt = ",".join("DNS:" + n for n in names)
        subprocess.run(new + ["-CA", self.ca, "-CAkey", key, "-keyout", self.key, "-out", self.chain, "-subj", "/CN=" + names[0], "-addext",
                              "subjectAltName=" + alt, "-addext", "basicConstraints=critical,CA:FALSE"], **quiet)

    def context(self):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.chain, self.key)
        return c


class Drop(Exception):
    """The connection ends here."""


class Remote:
    """One mail server. What it does is read anew for every connection and step:

    extensions  what EHLO offers
    tls         an SSLContext: STARTTLS is offered; "broken": offered, but no handshake comes about
    login       (user, password) that must be given before MAIL
    replies     stage → reply, or function(line) → reply or None; stages: greeting ehlo starttls mail rcpt data dot
    drop        stages before whose reply the connection is cut; "after-dot": the message is kept, the reply is not sent
    slow        stage → seconds before the reply
    """

    def __init__(self, address, port, tls=None):
        self.address, self.port, self.tls, self.login = address, port, tls, None
        self.extensions = ["PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 50000000", "ENHANCEDSTATUSCODES"]
        self.replies, self.drop, self.slow = {}, set(), {}
        self.messages, self.connections, self.sessions = [], 0, []
        self.lock = threading.Lock()
        self.listener = None
        self.open()

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.address, self.port))
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.accept, args=(self.listener,), daemon=True)
        self.thread.start()

    def close(self):
        """The host is down: connections are refused."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.thread.join(5)
            self.listener.close()
            self.listener = None

    def calm(self):
        """Forgets what it was told and what it took."""
        self.replies, self.drop, self.slow = {}, set(), {}
        self.messages, self.connections, self.sessions = [], 0, []

    def accept(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    # ------------------------------------------------------------ one connection
    def serve(self, c):
        c.settimeout(60)
        try:
            Session(self, c).run()
        except (OSError, Drop, ValueError):
            pass
        finally:
            try:
                c.close()
            except OSError:
                pass


class Session:
    def __init__(self, remote, c):
        self.r, self.c = remote, c
        self.file = c.makefile("rb")
        self.secure, self.user, self.lines, self.reset = False, None, [], None
        self.begin()
        remote.sessions.append(self.lines)

    def begin(self):
        self.sender, self.to, self.mail_line, self.rcpt_lines = None, [], "", []

    def say(self, text):
        self.c.sendall(text.encode() + b"\r\n")

    def decide(self, stage, line, otherwise):
        """Says the reply; true when it is a good one."""
        time.sleep(self.r.slow.get(stage, 0))
        if stage in self.r.drop:
            self.c.shutdown(socket.SHUT_RDWR)
            raise Drop
        reply = self.r.replies.get(stage)
        reply = (reply(line) if callable(reply) else reply) or otherwise
        self.say(reply)
        return reply[0] in "23"

    def run(self):
        if not self.decide("greeting", "", "220 far.test ESMTP"):
            return
        while True:
            raw = self.file.readline(65536)
            if not raw:
                return
            line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            self.lines.append(line)
            verb = line.split(" ")[0].upper()
            handler = getattr(self, "do_" + verb.lower(), None)
            if not handler:
                self.say("500 5.5.1 what?")
            elif handler(line) is False:
                return

    def do_ehlo(self, line):
        offered = list(self.r.extensions)
        if self.r.tls and not self.secure:
            offered.append("STARTTLS")
        if self.r.login and self.secure:
            offered.append("AUTH LOGIN PLAIN")
        self.decide("ehlo", line, "\r\n".join(f"250-{x}" for x in ["far.test greets you", *offered[:-1]] if offered) + f"\r\n250 {offered[-1]}"
                    if offered else "250 far.test")

    def do_helo(self, line):
        self.say("250 far.test")

    def do_starttls(self, line):
        if not self.decide("starttls", line, "220 2.0.0 go on"):
            return
        if self.r.tls == "broken":
            self.c.recv(1)
            self.c.sendall(b"this is no TLS\r\n")
            raise Drop
        self.c = self.r.tls.wrap_socket(self.c, server_side=True)
        self.file = self.c.makefile("rb")
        self.secure = True
        self.begin()

    def do_auth(self, line):
        words = line.split()
        want = self.r.login
        if words[1].upper() != "PLAIN" or len(words) < 3:
            self.say("504 5.5.4 only PLAIN with an initial response here")
            return
        _, user, password = base64.b64decode(words[2]).decode().split("\0")
        good = self.secure and (user, password) == want
        self.user = user if good else None
        self.say("235 2.7.0 in" if good else "535 5.7.8 no")

    def do_mail(self, line):
        self.begin()
        if self.r.login and not self.user:
            self.say("530 5.7.0 log in first")
            return
        self.mail_line = line
        if self.decide("mail", line, "250 2.1.0 fine"):
            self.sender = line.split("<", 1)[1].split(">", 1)[0]

    def do_rcpt(self, line):
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
        elif self.decide("rcpt", line, "250 2.1.5 fine"):
            self.to.append(line.split("<", 1)[1].split(">", 1)[0])
            self.rcpt_lines.append(line)

    def do_data(self, line):
        if not self.to:
            self.say("554 5.5.1 nobody to send to")
            return
        if not self.decide("data", line, "354 go on"):
            return
        data = bytearray()
        while True:
            raw = self.file.readline(1 << 20)
            if not raw:
                raise Drop
            if raw == b".\r\n":
                break
            data += raw[1:] if raw.startswith(b".") else raw
            if "body" in self.r.drop:
                self.c.shutdown(socket.SHUT_RDWR)
                raise Drop
        message = {"sender": self.sender, "to": self.to, "mail": self.mail_line, "rcpt": self.rcpt_lines, "data": bytes(data), "tls": self.secure,
                   "user": self.user}
        if "after-dot" in self.r.drop:
            with self.r.lock:
                self.r.messages.append(message)
            self.c.shutdown(socket.SHUT_RDWR)
            raise Drop
        reply = self.r.replies.get("dot")
        reply = (reply(line) if callable(reply) else reply) or "250 2.0.0 taken"
        if reply[0] == "2" and "dot" not in self.r.drop:
            with self.r.lock:
                self.r.messages.append(message)
        self.decide("dot", line, reply)
        self.begin()

    def do_rset(self, line):
        self.begin()
        self.say("250 2.0.0 fine")

    def do_quit(self, line):
        self.say("221 2.0.0 bye")
        return False
