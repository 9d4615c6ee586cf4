#!/usr/bin/env python3
"""The whole server on a disk of its own that is filled to the last byte: no new mail by any protocol, everything else goes on; room again, and all is as before."""
import os
import shutil
import smtplib
import subprocess
import sys

from remote import Remote, free_port
from sealpost import Server, main, nntplib, wait_for

DISK_MIB, RESERVE_MIB = 256, 32
server = far = None
kept = {}  # subject → account: acknowledged, and deleted by nobody


class OnDisk(Server):
    """Its data lie on an ext4 in a file."""

    def __enter__(self):
        self.image = self.folder / "disk"
        self.data.mkdir()
        with open(self.image, "wb") as f:
            f.truncate(DISK_MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", "-E", "nodiscard", self.image], check=True)
        subprocess.run(["mount", "-o", "loop", self.image, self.data], check=True)
        return super().__enter__()

    def __exit__(self, *why):
        try:
            self.stop()
            subprocess.run(["umount", self.data], check=True)
        finally:
            super().__exit__(*why)

    # a file beside the server's takes the room
    def free(self):
        v = os.statvfs(self.data)
        return v.f_bavail * v.f_frsize

    def fill(self, leave):
        """So many bytes are left to whoever wants them; 0: not one block, whoever gives some back meanwhile."""
        fd = os.open(self.data / "filler", os.O_WRONLY | os.O_CREAT, 0o600)
        while (more := self.free() - leave) >= 4096:
            try:
                os.posix_fallocate(fd, os.fstat(fd).st_size, more)
            except OSError:
                try:
                    os.posix_fallocate(fd, os.fstat(fd).st_size, 4096)
                except OSError:
                    break
        os.close(fd)

    def empty(self):
        (self.data / "filler").unlink()


def text(subject, size=2000):
    return f"Subject: {subject}\r\nFrom: {server.address('alice')}\r\nMessage-ID: <{subject}@elsewhere.test>\r\n\r\n{'x' * 70}\r\n".encode() + b"y" * size + b"\r\n"


def mx(subject):
    c = server.mx()
    c.sendmail("x@elsewhere.test", [server.address("bob")], text(subject))
    c.quit()
    kept[subject] = "bob"


def submit(subject, to):
    with server.submission() as c:
        c.sendmail(server.address("alice"), [to], text(subject))


def article(subject):
    n = server.nntp()
    try:
        n.post([b"Newsgroups: local.test\r\n" + text(subject)])
    finally:
        n.quit()


def refused(what, *args):
    """(code, text) of the SMTP answer."""
    try:
        what(*args)
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError, smtplib.SMTPConnectError) as e:
        return e.smtp_code, e.smtp_error
    except smtplib.SMTPRecipientsRefused as e:
        return next(iter(e.recipients.values()))
    raise AssertionError(f"{what.__name__} was not refused")


def subjects(name, box="INBOX"):
    c = server.imap(name)
    assert c.select(box, readonly=True)[0] == "OK"
    data = c.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    c.logout()
    return [p[1].decode().split(":", 1)[1].strip() for p in data if isinstance(p, tuple)]


def takes_mail(mark):
    """By every way in."""
    mx(f"mx-{mark}")
    submit(f"submitted-{mark}", server.address("bob"))
    kept[f"submitted-{mark}"] = "bob"
    c = server.imap()
    assert c.append("INBOX", None, None, text(f"append-{mark}"))[0] == "OK"
    kept[f"append-{mark}"] = "alice"
    c.select("INBOX")
    answer = c.copy("1", "Kept")
    assert answer[0] == "OK", answer
    c.logout()
    article(f"article-{mark}")


def takes_none():
    """Every way in says: later."""
    for what in (lambda: mx("too-much"), lambda: submit("too-much", server.address("bob")), lambda: submit("too-much", "far@far.test")):
        code, why = refused(what)
        assert code in (451, 452) and b"4.3.1" in why, (code, why)
    c = server.imap()
    answer = c.append("INBOX", None, None, text("too-much"))
    assert answer[0] == "NO" and (b"[OVERQUOTA]" in answer[1][0] or b"[UNAVAILABLE]" in answer[1][0]), answer
    # what deletes by way of a folder for that may do so; it takes no body's room
    c.select("INBOX")
    answer = c.copy("1", "Kept")
    assert answer[0] == "OK" or any(code in answer[1][0] for code in (b"[OVERQUOTA]", b"[UNAVAILABLE]")), answer
    c.logout()
    try:
        article("too-much")
        raise AssertionError("POST was not refused")
    except (nntplib.NNTPTemporaryError, nntplib.NNTPPermanentError) as e:
        assert str(e)[:3] in ("440", "441", "436", "400", "403"), e


def goes_on(mark):
    """Reading, deleting by IMAP and POP3, and sending."""
    c = server.imap()
    total = int(c.select("INBOX")[1][0])
    data = c.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]
    assert sum(isinstance(p, tuple) for p in data) == total > 1, (total, len(data))
    assert c.store("2", "+FLAGS", "(\\Deleted \\Seen)")[0] == "OK"
    gone = c.expunge()
    assert gone == ("OK", [b"2"]), gone
    del kept[[s for s in kept if kept[s] == "alice"][1]]
    c.logout()
    p = server.pop3("bob")
    p.dele(1)
    p.quit()
    del kept[[s for s in kept if kept[s] == "bob"][0]]
    n = server.nntp()
    assert n.group("local.test")[1] >= 1
    n.quit()
    # the far host is up for once: one message of the queue goes out
    before = len(far.messages)
    item = server.json("queue", "list")[0]["id"]
    far.open()
    server.run("queue", "retry", str(item))
    wait_for("a message goes out", lambda: len(far.messages) > before, 15)
    wait_for("the queue has forgotten it", lambda: item not in [m["id"] for m in server.json("queue", "list")], 15)
    far.close()
    whole()


def whole():
    for name in ("alice", "bob"):
        found = [s for s in subjects(name) if not s.startswith("Undelivered")]
        want = [s for s in kept if kept[s] == name]
        assert sorted(found) == sorted(want), (name, set(found) ^ set(want))


def before_it():
    c = server.imap()
    assert c.create("Kept")[0] == "OK"
    c.logout()
    for n in range(7):
        takes_mail(f"first-{n}")
    for n in range(6):
        submit(f"queued-{n}", "far@far.test")
    wait_for("the queue", lambda: len(server.json("queue", "list")) == 6)


def nearly_full():
    """Less than the reserve: nothing is taken, no write fails."""
    server.fill(RESERVE_MIB << 19)
    wait_for("mail is refused", later, 10)
    assert server.json("store", "stat")["disk_full"]
    takes_none()
    goes_on("nearly")


def later():
    """Whether the next message is refused with 4xx."""
    try:
        mx("probe-" + os.urandom(4).hex())
        return False
    except smtplib.SMTPResponseException as e:
        return e.smtp_code // 100 == 4
    except smtplib.SMTPRecipientsRefused:
        return True


def full():
    """Not one block."""
    server.fill(0)
    takes_none()
    goes_on("full")
    server.fill(0)
    goes_on("full again")


def killed():
    server.fill(0)
    server.kill_all()
    server.fill(0)
    server.start()
    whole()
    takes_none()
    goes_on("after the kill")


def room_again():
    server.empty()
    wait_for("mail is taken", lambda: not later(), 15)
    takes_mail("again")
    far.open()
    server.run("queue", "retry", "--all")
    wait_for("the queue is empty", lambda: not server.json("queue", "list"), 20)
    whole()
    r = server.json("store", "check")
    assert r["sound"], r


if __name__ == "__main__":
    if os.geteuid() or not shutil.which("mkfs.ext4") or not os.path.exists("/dev/loop-control"):
        print("     not tried: a disk of its own needs root and a loop device")
        sys.exit(0)
    port = free_port()
    far = Remote("127.0.0.1", port)
    far.close()
    extra = (f'reserve_bytes = "{RESERVE_MIB} MiB"; '
             f'connectors = ( {{ name = "far"; address_space = "far.test"; smart_host = "[127.0.0.1]:{port}"; }} );')
    with OnDisk(sys.argv[1], extra=extra) as server:
        main(before_it, nearly_full, full, killed, room_again)
