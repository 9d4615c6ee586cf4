#!/usr/bin/env python3
"""Real mail: every message of the corpus is delivered by SMTP, read back by IMAP and POP3, and posted and read by NNTP where it is a valid article:
byte for byte below the trace fields that were added."""
import email.parser
import io
import os
import pathlib
import re
import sys

import store_reader
from sealpost import Server, main

server = None
here = pathlib.Path(__file__).resolve().parent
folder = pathlib.Path(os.environ.get("SEALPOST_CORPUS", here.parent / "corpus" / "mikel-mail"))
shared = here.parent.parent.parent / "shared" / "corpus" / "mikel-mail"
if shared.is_dir():
    folder = shared


def corpus():
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "LICENSE" and path.suffix not in (".golden", ".md"):
            raw = path.read_bytes()
            raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
            if not raw.endswith(b"\r\n"):
                raw += b"\r\n"
            yield path.relative_to(folder), raw


def deliver_and_read():
    messages = list(corpus())
    assert len(messages) > 50, folder
    c = server.mx()
    c.ehlo("corpus.test")
    for name, raw in messages:
        c.mail("corpus@elsewhere.test", ["SMTPUTF8"] if False else [])
        c.rcpt(server.address("bob"))
        code, reply = c.docmd("DATA")
        assert code == 354, (name, code, reply)
        c.send(raw.replace(b"\r\n.", b"\r\n..") if not raw.startswith(b".") else b"." + raw.replace(b"\r\n.", b"\r\n.."))
        c.send(b".\r\n")
        code, reply = c.getreply()
        assert code == 250, (name, code, reply)
    c.quit()
    i = server.imap("bob")
    assert int(i.select("INBOX")[1][0]) == len(messages)
    sizes = {}
    for number, (name, raw) in enumerate(messages, 1):
        data = i.fetch(str(number), "(RFC822.SIZE BODY.PEEK[] ENVELOPE BODYSTRUCTURE)")[1]
        got = next(part for part in data if isinstance(part, tuple) and b"BODY[]" in part[0])
        assert got[1].endswith(raw), (name, "IMAP", len(got[1]), len(raw))
        trace = got[1][: len(got[1]) - len(raw)]
        assert trace.startswith(b"Return-Path:") and trace.endswith(b"\r\n") and trace.count(b"Received:") == 1, (name, trace)
        sizes[number] = len(got[1])
        size = i.fetch(str(number), "(RFC822.SIZE)")[1][0]
        assert b"RFC822.SIZE %d)" % sizes[number] in size, (name, size, sizes[number])
    i.logout()
    p = server.pop3("bob")
    for number, (name, raw) in enumerate(messages, 1):
        got = p.retr(number)[1]
        whole = b"\r\n".join(got) + b"\r\n"
        assert whole.endswith(raw) and len(whole) == sizes[number], (name, "POP3")
    p.quit()
    print(f"     {len(messages)} messages by SMTP, IMAP and POP3")


def valid_article(raw):
    head = email.parser.BytesHeaderParser().parsebytes(raw)
    if b"\r\n\r\n" not in raw or raw.startswith(b"\r\n") or b"\0" in raw:
        return False
    body = raw.split(b"\r\n\r\n", 1)[1]
    once = all(len(head.get_all(f, [])) == 1 for f in ("From", "Subject"))
    message_id = head.get_all("Message-ID", [])
    plain_id = not message_id or (len(message_id) == 1 and message_id[0].startswith("<") and message_id[0].endswith(">") and " " not in message_id[0] and "@" in message_id[0])
    return once and plain_id and len(head.get_all("Date", [])) <= 1 and not head.get_all("Newsgroups") and not head.get_all("Path") and body.strip() != b""


def post_and_read():
    n = server.nntp("alice")
    posted, refused = [], []
    seen = set()
    for name, raw in corpus():
        head = email.parser.BytesHeaderParser().parsebytes(raw)
        if not valid_article(raw) or head["Message-ID"] in seen - {None}:
            continue
        seen.add(head["Message-ID"])
        article = b"Newsgroups: local.test\r\n" + raw
        try:
            n.post(io.BytesIO(article))
        except Exception as e:
            # what this test cannot see from outside: fields that RFC 5536 does not allow
            refused.append(str(e))
            assert str(e).startswith("441 ") and any(w in str(e) for w in ("Message-ID is malformed", "Date", "is no field", "no blank", "empty", "From", "Subject")), (name, e)
            continue
        posted.append((name, article))
    assert len(posted) > 10, len(posted)
    resp, count, first, last, group = n.group("local.test")
    assert count == len(posted), (count, len(posted))
    for number, (name, article) in enumerate(posted, 1):
        got = b"\r\n".join(n.article(number)[1].lines) + b"\r\n"
        assert got.endswith(article), (name, "NNTP", got[:400])
    assert len(n.over((1, last))[1]) == len(posted)
    n.quit()
    assert len(posted) > 2 * len(refused), refused
    print(f"     {len(posted)} articles by NNTP, {len(refused)} refused for their header")


def read_without_the_server():
    """The folder of the stopped server has what IMAP shows, for who knows its documents only."""
    c = server.imap("alice")
    for n, flags in enumerate(("", "\\Seen", "\\Answered \\Flagged work", "\\Draft later work")):
        assert c.append("INBOX", f"({flags})", None, f"Subject: {n}\r\n\r\n{n}\r\n".encode())[0] == "OK"
    c.select("INBOX")
    c.store("1", "+FLAGS", "(\\Seen later)")
    c.copy("2:4", "Archive")
    c.store("3", "+FLAGS", "\\Deleted")
    c.expunge()
    c.store("1", "+FLAGS", "\\Deleted")
    c.logout()
    want = {}
    for name in ("alice", "bob"):
        c = server.imap(name)
        for box in ("INBOX", "Archive"):
            if c.select(box, readonly=True)[1][0] != b"0":
                parts = [p for p in c.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1] if isinstance(p, tuple)]
                want[name, box] = {int(re.search(rb"UID (\d+)", p[0]).group(1)): (frozenset(re.search(rb"FLAGS \(([^)]*)\)", p[0]).group(1).decode().split()) - {"\\Recent"}, p[1]) for p in parts}
        c.logout()
    ids = {name: server.json("account", "show", server.address(name)) for name in ("alice", "bob")}
    ids = {name: (a["accounts"][0] if "accounts" in a else a)["id"] for name, a in ids.items()}
    server.stop()
    found = store_reader.messages(server.data)
    assert len(want) == 3 and len(want["alice", "INBOX"]) == 3, want.keys()
    for (name, box), rows in want.items():
        assert found[ids[name], box] == rows, (name, box, len(found[ids[name], box]), len(rows))
    print(f"     {sum(map(len, want.values()))} messages with flags, from the log alone")


with Server(sys.argv[1]) as server:
    main(deliver_and_read, post_and_read, read_without_the_server)
