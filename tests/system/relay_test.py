#!/usr/bin/env python3
"""Outgoing mail, from submission to servers of the world outside that behave in every way they may, and in some they may not."""
import contextlib
import email
import email.policy
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time

from remote import Certificate, Dns, Remote, free_port
from sealpost import Server, main, wait_for

ADDRESSES = [f"127.0.0.{n}" for n in range(2, 9)]
server = dns = one = two = three = smart = certificate = None


# ------------------------------------------------------------ what all of them need
def unique(name):
    return f"{name}-{time.monotonic_ns()}"


def text(subject, body="Hello.\r\n", **fields):
    rows = {"Subject": subject, "From": server.address("alice"), "To": "far@one.test", **fields}
    return ("".join(f"{k}: {v}\r\n" for k, v in rows.items()) + "\r\n" + body).encode()


def send(to, subject, body="Hello.\r\n", mail_options=(), rcpt_options=(), data=None, sender=None):
    to = [to] if isinstance(to, str) else to
    with server.submission() as c:
        refused = c.sendmail(sender or server.address("alice"), to, data or text(subject, body), list(mail_options), list(rcpt_options))
    assert not refused, refused


def queue():
    return server.json("queue", "list")


def empty():
    return wait_for("the queue is empty", lambda: not queue(), 20)


def took(remote, subject, count=1, seconds=15):
    """The messages of that subject, once there are so many of them."""
    def look():
        found = [m for m in remote.messages if subject.encode() in m["data"]]
        return found if len(found) >= count else None
    return wait_for(f"{remote.address} takes {count} of {subject}", look, seconds)


def inbox(name="alice"):
    c = server.imap(name)
    count = int(c.select("INBOX", readonly=True)[1][0])
    found = []
    if count:
        for part in c.fetch(f"1:{count}", "(BODY.PEEK[])")[1]:
            if isinstance(part, tuple):
                found.append(email.message_from_bytes(part[1], policy=email.policy.default))
    c.logout()
    return found


def report_about(subject, name="alice", seconds=15):
    """The report in an INBOX that returns the message of that subject."""
    def look():
        for m in inbox(name):
            if m.get_content_type() == "multipart/report" and subject in m.as_string():
                return m
        return None
    return wait_for(f"a report about {subject}", look, seconds)


def no_report_about(subject, name="alice"):
    found = [m for m in inbox(name) if m.get_content_type() == "multipart/report" and subject in m.as_string()]
    assert not found, found[0].as_string()


def fields_of(report):
    """The two kinds of field blocks of message/delivery-status: about the message, about each recipient."""
    status = report.get_payload(1)
    assert status.get_content_type() == "message/delivery-status", status.get_content_type()
    blocks = status.get_payload()
    return blocks[0], blocks[1:]


@contextlib.contextmanager
def calm():
    for r in (one, two, three, smart):
        r.calm()
    try:
        yield
    finally:
        for r in (one, two, three, smart):
            r.calm()
            r.extensions = ["PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 50000000"]
            if not r.listener:
                r.open()
        three.tls = None
        with contextlib.suppress(Exception):
            for item in queue():
                server.run("queue", "delete", str(item["id"]), check=False)


def log_lines(*words):
    return [line for line in server.log.read_text(errors="replace").splitlines() if all(w in line for w in words)]


# ------------------------------------------------------------ simple deliveries
def delivered_by_mx():
    with calm():
        s = unique("mx")
        send("far@one.test", s)
        m = took(one, s)[0]
        assert m["sender"] == server.address("alice") and m["to"] == ["far@one.test"] and m["tls"], m
        empty()
        no_report_about(s)


def delivered_to_a_domain_without_mx():
    with calm():
        s = unique("a")
        send("far@plain-a.test", s)
        assert took(two, s)[0]["to"] == ["far@plain-a.test"]


def same_bytes():
    """What was submitted arrives: dots, 8 bits, long lines, blanks at ends, no last line end lost; only trace fields are added in front."""
    with calm():
        s = unique("bytes")
        body = (".\r\n..\r\n.dot\r\n \r\ntab\t\r\n" + "x" * 990 + "\r\nblank \r\n\r\n\r\n").encode() + "häßlich ☃\r\n".encode() + b"\xff\xfe raw\r\n" + b".\r\nend"
        head = text(s, "", **{"Message-ID": f"<{s}@example.test>", "Date": "Mon, 23 Nov 2026 10:00:00 +0000"})
        send("far@one.test", s, data=head + body, mail_options=["BODY=8BITMIME"])
        m = took(one, s)[0]
        want = head + body + b"\r\n"
        assert m["data"].endswith(want), (m["data"], want)
        added = m["data"][:-len(want)]
        assert added.startswith(b"Received: ") and added.endswith(b"\r\n") and b"\r\n\r\n" not in added, added
        assert b"Return-Path" not in added, added
        assert "BODY=8BITMIME" in m["mail"], m["mail"]


def large_message():
    with calm():
        s = unique("large")
        line = b"0123456789" * 7 + b"\r\n"
        data = text(s, "") + b".first\r\n" + line * 60000
        send("far@one.test", s, data=data)
        m = took(one, s, seconds=60)[0]
        assert m["data"].endswith(b"\r\n\r\n.first\r\n" + line * 60000), len(m["data"])


def no_such_domain():
    with calm():
        s = unique("nowhere")
        send("far@nowhere.test", s)
        r = report_about(s)
        about, to = fields_of(r)
        assert to[0]["Action"] == "failed" and to[0]["Status"] == "5.1.2", to[0].as_string()
        empty()


def null_mx():
    with calm():
        s = unique("null")
        send("far@null.test", s)
        _, to = fields_of(report_about(s))
        assert to[0]["Action"] == "failed" and to[0]["Status"] == "5.1.10", to[0].as_string()
        empty()


def no_mx_no_address():
    with calm():
        s = unique("void")
        send("far@void.test", s)
        _, to = fields_of(report_about(s))
        assert to[0]["Status"] == "5.1.2", to[0].as_string()
        empty()


def name_server_fails_for_a_while():
    with calm():
        s = unique("servfail")
        dns.fails("shaky.test")
        send("far@shaky.test", s)
        wait_for("it waits", lambda: [i for i in queue() if i["tries"] > 0], 20)
        assert "cannot be looked up" in queue()[0]["to"][0]["text"], queue()
        del dns.codes["shaky.test"]
        server.run("queue", "retry", "--all")
        took(one, s, seconds=30)
        no_report_about(s)


TESTS = [delivered_by_mx, delivered_to_a_domain_without_mx, same_bytes, large_message, no_such_domain, null_mx, no_mx_no_address, name_server_fails_for_a_while]


def world(folder):
    """The name server and the hosts."""
    global dns, one, two, three, smart, certificate
    dns = Dns()
    certificate = Certificate(folder, "smart.test", "mx.one.test")
    port = free_port(ADDRESSES)
    one, two, three = (Remote(a, port) for a in ADDRESSES[:3])
    smart = Remote(ADDRESSES[3], port, tls=certificate.context())
    one.tls = certificate.context()
    dns.mx("one.test", (10, "mx.one.test"))
    dns.a("mx.one.test", one.address)
    dns.a("plain-a.test", two.address)
    dns.mx("null.test", (0, "."))
    dns.names.add("void.test")
    dns.mx("shaky.test", (10, "mx.one.test"))
    dns.mx("three.test", (10, "mx.three.test"))
    dns.a("mx.three.test", three.address)
    dns.mx("both.test", (10, "mx.two.test"), (20, "mx.three.test"))
    dns.mx("equal.test", (10, "mx.two.test"), (10, "mx.three.test"))
    dns.a("mx.two.test", two.address)
    return port


def run():
    global server
    with tempfile.TemporaryDirectory(prefix="sealpost-far.") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        port = world(folder)
        extra = (f'dns_servers = ( "127.0.0.1@{dns.port}" ); outbound_port = {port}; retry = ( "1 s", "2 s" );\n')
        with Server(sys.argv[1], extra=extra) as s:
            server = s
            main(*TESTS)


if __name__ == "__main__":
    run()
