#!/usr/bin/env python3
"""Python's own clients against the whole server over TLS: mail in by submission and MX, out by IMAP and POP3, news in and out."""
import io
import imaplib
import nntplib
import poplib
import smtplib
import socket
import ssl
import sys
import time

from sealpost import Server, main, wait_for

server = None
MESSAGE = ("From: Alice <alice@example.test>\r\nTo: Bob <bob@example.test>\r\nSubject: {subject}\r\nMessage-ID: <{subject}@example.test>\r\n"
           "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n.leading dot\r\n..two\r\nbody of {subject}\r\n")


def inbox(name, subject):
    """The message with that subject, raw; removed from the mailbox."""
    c = server.imap(name)
    c.select("INBOX")
    kind, data = c.search(None, "SUBJECT", f'"{subject}"')
    numbers = data[0].split()
    assert len(numbers) == 1, (subject, numbers)
    raw = c.fetch(numbers[0], "(BODY.PEEK[])")[1][0][1]
    c.store(numbers[0], "+FLAGS", r"(\Deleted)")
    c.expunge()
    c.logout()
    return raw


def submission_to_imap():
    text = MESSAGE.format(subject="one")
    s = server.submission("alice")
    assert s.sendmail(server.address("alice"), [server.address("bob")], text.encode()) == {}
    s.quit()
    raw = inbox("bob", "one")
    assert raw.endswith(text.encode()), raw
    head = raw[: -len(text)].decode()
    assert head.startswith("Return-Path: <alice@example.test>\r\n"), head
    assert "with ESMTPSA" in head and "Delivered-To: bob@example.test" in head, head


def mx_with_starttls_and_in_clear():
    for tls in (True, False):
        text = MESSAGE.format(subject=f"mx{tls}")
        c = server.mx()
        c.ehlo("client.test")
        if tls:
            c.starttls(context=server.tls)
            c.ehlo("client.test")
        c.sendmail("someone@elsewhere.test", [server.address("bob")], text.encode())
        c.quit()
        raw = inbox("bob", f"mx{tls}")
        assert raw.endswith(text.encode()), raw
        assert (b"with ESMTPS" in raw) == tls, raw


def strangers_do_not_relay():
    c = server.mx()
    c.ehlo("client.test")
    c.mail("x@elsewhere.test")
    for bad in ("y@other.test", "y%other.test@example.test", "@example.test:y@other.test", '"y@other.test"@elsewhere.test'):
        code, reply = c.rcpt(bad)
        assert 500 <= code < 600, (bad, code, reply)
    c.quit()


def pop3_reads_and_removes():
    text = MESSAGE.format(subject="pop")
    s = server.submission("alice")
    s.sendmail(server.address("alice"), [server.address("bob")], text.encode())
    s.quit()
    p = server.pop3("bob")
    count, size = p.stat()
    assert count == 1, count
    lines = p.retr(1)[1]
    raw = b"\r\n".join(lines) + b"\r\n"
    assert raw.endswith(text.encode()) and len(raw) == size, (raw, size)
    top = p.top(1, 1)[1]
    assert b".leading dot" in top and b"..two" not in top, top
    uid = p.uidl(1)
    p.dele(1)
    p.quit()
    p = server.pop3("bob")
    assert p.stat()[0] == 0
    p.quit()
    assert uid


def imap_append_copy_move_idle():
    c = server.imap("alice")
    for name in ("Work", '"Work/Deep r&APY-m"'):
        assert c.create(name)[0] == "OK"
    text = MESSAGE.format(subject="append").encode()
    assert c.append("Work", r"(\Seen $Label)", imaplib.Time2Internaldate(1700000000), text)[0] == "OK"
    assert c.select("Work")[1] == [b"1"]
    kind, data = c.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])")
    assert kind == "OK" and data[0][1] == text, data
    assert b"$Label" in data[0][0] + data[1] and str(len(text)).encode() in data[0][0], data
    assert c.copy("1", "INBOX")[0] == "OK"
    assert c.uid("MOVE", "1", '"Work/Deep r&APY-m"')[0] == "OK"
    assert c.select("INBOX")[1] != [b"0"]
    # a second session sees a delivery at once while it idles
    other = server.imap("alice")
    before = int(other.select("INBOX")[1][0])
    tag = other._new_tag()
    other.send(tag + b" IDLE\r\n")
    assert other.readline().startswith(b"+")
    s = server.submission("bob")
    s.sendmail(server.address("bob"), [server.address("alice")], MESSAGE.format(subject="idle").encode())
    begin = time.monotonic()
    line = other.readline()
    assert line.strip() == b"* %d EXISTS" % (before + 1), line
    assert time.monotonic() - begin < 5
    other.send(b"DONE\r\n")
    while not other.readline().startswith(tag):
        pass
    other.logout()
    c.logout()


def news_in_and_out():
    n = server.nntp("alice")
    text = (b"From: Alice <alice@example.test>\r\nNewsgroups: local.test\r\nSubject: news\r\nMessage-ID: <news-1@example.test>\r\n"
            b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n.dot\r\nan article\r\n")
    assert n.post(io.BytesIO(text)).startswith("240")
    try:
        n.post(io.BytesIO(text))
        raise AssertionError("the same Message-ID was taken twice")
    except Exception as e:
        assert str(e).startswith("441"), e
    resp, count, first, last, name = n.group("local.test")
    assert (count, first, last) == (1, 1, 1), resp
    resp, overviews = n.over((1, 1))
    assert overviews[0][1]["subject"] == "news" and "local.test:1" in overviews[0][1]["xref"], overviews
    resp, info = n.article("<news-1@example.test>")
    lines = list(info.lines)
    assert b".dot" in lines and any(line.startswith(b"Path: localhost!") for line in lines), lines
    assert any(line.startswith(b"Xref: localhost local.test:1") for line in lines), lines
    n.quit()
    # the same article by IMAP, and a mail to the group by NNTP
    c = server.imap("bob")
    assert c.select("Public/local.test", readonly=True)[1] == [b"1"]
    assert c.fetch("1", "(BODY.PEEK[])")[1][0][1].endswith(text[text.index(b"\r\n\r\n"):])
    c.logout()
    s = server.submission("bob")
    s.sendmail(server.address("bob"), ["local.test@example.test"], MESSAGE.format(subject="bymail").encode())
    s.quit()
    n = server.nntp("alice")
    assert n.group("local.test")[1] == 2
    lines = list(n.article("2")[1].lines)
    assert b"Newsgroups: local.test" in lines and b"Subject: bymail" in lines, lines
    n.quit()


def secure_channel_required():
    import socket

    def talk(port, *lines):
        s = socket.create_connection(("127.0.0.1", server.port(port)), timeout=10)
        f = s.makefile("rwb")
        answers = [f.readline()]
        for line in lines:
            f.write(line + b"\r\n")
            f.flush()
            answers.append(f.readline())
        s.close()
        return answers

    assert b"PRIVACYREQUIRED" in talk("imap", b"a1 LOGIN alice x")[1]
    assert b"PRIVACYREQUIRED" in talk("imap", b"a1 SELECT INBOX")[1]
    assert talk("pop3", b"USER alice")[1].startswith(b"-ERR [AUTH]")
    assert talk("pop3", b"STAT")[1].startswith(b"-ERR [AUTH]")
    assert talk("submission", b"EHLO x")[1].startswith(b"250")
    assert talk("submission", b"MAIL FROM:<alice@example.test>")[1].startswith(b"530")
    assert talk("nntp", b"GROUP local.test")[1].startswith(b"483")
    assert talk("nntp", b"AUTHINFO USER alice")[1].startswith(b"483")
    assert talk("nntp", b"ARTICLE <news-1@example.test>")[1].startswith(b"483")
    # what is injected behind STARTTLS in the clear must not be taken inside TLS
    for port, line in (("imap", b"a1 STARTTLS\r\na2 NOOP\r\n"), ("pop3", b"STLS\r\nCAPA\r\n"), ("nntp", b"STARTTLS\r\nDATE\r\n"),
                       ("submission", b"EHLO x\r\nSTARTTLS\r\nNOOP\r\n"), ("smtp", b"EHLO x\r\nSTARTTLS\r\nNOOP\r\n")):
        s = socket.create_connection(("127.0.0.1", server.port(port)), timeout=10)
        s.recv(1000)
        s.sendall(line)
        s.settimeout(5)
        try:
            tls = server.tls.wrap_socket(s, server_hostname="localhost")
            tls.settimeout(5)
            data = tls.recv(100)
            assert data == b"", (port, data)
        except (ssl.SSLError, ConnectionError, OSError):
            pass
        s.close()


def versions_of_tls():
    import socket
    for port in ("imaps", "pop3s", "submissions", "nntps", "https"):
        for version, good in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
            context = server.tls
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            try:
                with socket.create_connection(("127.0.0.1", server.port(port)), timeout=10) as s:
                    with context.wrap_socket(s, server_hostname="localhost") as t:
                        assert good, (port, version, t.version())
            except ssl.SSLError:
                assert not good, (port, version)


def no_wait_for_an_acknowledgement():
    """A client without TCP_NODELAY keeps its first command until its Finished is acknowledged: that must not be the kernel's 40 ms."""
    for port, command, end in (("imaps", b"a NOOP\r\n", b"a OK"), ("pop3s", b"CAPA\r\n", b"\r\n.\r\n"), ("nntps", b"DATE\r\n", b"111 ")):
        times = []
        for _ in range(8):
            sock = server.tls.wrap_socket(socket.create_connection(("127.0.0.1", server.port(port))), server_hostname="localhost")
            sock.recv(1000)
            before, said = time.monotonic(), b""
            sock.sendall(command)
            while end not in said:
                got = sock.recv(4096)
                assert got, said
                said += got
            times.append(time.monotonic() - before)
            sock.close()
        assert min(times) < 0.03, (port, times)


def wrong_passwords():
    for attempt in range(3):
        try:
            server.imap(login=False).login(server.address("alice"), "wrong")
            raise AssertionError("a wrong password was taken")
        except imaplib.IMAP4.error:
            pass
    try:
        c = smtplib.SMTP_SSL("localhost", server.port("submissions"), context=server.tls)
        c.login(server.address("alice"), "wrong")
        raise AssertionError("a wrong password was taken")
    except smtplib.SMTPAuthenticationError as e:
        assert e.smtp_code == 535
    c = poplib.POP3_SSL("localhost", server.port("pop3s"), context=server.tls)
    try:
        c.user(server.address("nobody"))
        c.pass_("x")
        raise AssertionError("an unknown user was let in")
    except poplib.error_proto as e:
        assert b"[AUTH]" in e.args[0]


def logins_end_with_their_account():
    """A session that is open when its account is disabled or gets another password reads nothing more; one of somebody else goes on."""
    bob = server.imap("bob")
    bob.select("INBOX")
    for change, undo in ((("set", "--disable"), ("set", "--enable")), (("password", "--password-stdin"), None)):
        c, p, n = server.imap("alice"), server.pop3("alice"), server.nntp("alice")
        c.select("INBOX")
        server.run("account", change[0], server.address("alice"), change[1], input="another7secret" if undo is None else None)
        for ask in (c.noop, p.noop, n.date):
            try:
                answer = ask()
            except (imaplib.IMAP4.error, poplib.error_proto, nntplib.NNTPError, OSError, EOFError):
                continue
            raise AssertionError((change, ask, answer))
        if undo:
            server.run("account", undo[0], server.address("alice"), undo[1])
        else:
            server.passwords["alice"] = "another7secret"
        assert server.imap("alice").noop()[0] == "OK"
    assert bob.noop()[0] == "OK" and bob.fetch("1:*", "(UID)")[0] == "OK"
    bob.logout()


def nothing_left_in_clear():
    import urllib.request

    def rows():
        text = urllib.request.urlopen(f"https://localhost:{server.port('https')}/metrics", context=server.tls).read().decode()
        return [line for line in text.splitlines() if line.startswith("sealpost_plaintext_bytes_total")]

    wait_for("metrics of the workers", lambda: len(rows()) >= 6)
    assert all(line.endswith(" 0") for line in rows()), rows()


with Server(sys.argv[1]) as server:
    main(submission_to_imap, mx_with_starttls_and_in_clear, strangers_do_not_relay, pop3_reads_and_removes, imap_append_copy_move_idle,
         news_in_and_out, secure_channel_required, versions_of_tls, no_wait_for_an_acknowledgement,
         wrong_passwords, logins_end_with_their_account, nothing_left_in_clear)
