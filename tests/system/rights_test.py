#!/usr/bin/env python3
"""Rights for others and for groups, quotas of domains, annotations and descriptions through a whole server, also after it was killed.

    tests/system/rights_test.py [build/asan/bin]
"""
import re
import smtplib
import sys

from sealpost import Server, wait_for


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def test_group_of_the_directory(s):
    """A member of a group sees what is shared with it; who is not a member does not."""
    s.run("group", "add", "staff")
    s.run("group", "set", "staff", "--add", "bob")
    alice = s.imap()
    ok(alice.create("Work"))
    ok(alice.append("Work", "", None, b"Subject: x\r\n\r\ny\r\n"))
    ok(alice.setacl("Work", "$staff", "lrs"))
    assert b"$staff@" in ok(alice.getacl("Work"))[0], alice.getacl("Work")
    name = f'"Other Users/{s.address("alice")}/Work"'
    bob = s.imap("bob")
    assert len(ok(bob.list('""', name))) == 1 and ok(bob.select(name)) == [b"1"]
    assert bob.store("1", "+FLAGS", "(\\Deleted)")[0] == "NO"
    s.run("group", "set", "staff", "--remove", "bob")
    later = s.imap("bob")  # a grant of now
    assert later.select(name)[0] == "NO"


def test_domain_quota(s):
    domain = s.address("alice").split("@")[1]
    s.run("quota", "set", domain, "64K")
    alice, bob = s.imap(), s.imap("bob")
    big = b"Subject: x\r\n\r\n" + b"y" * 70 * 900 + b"\r\n"
    answer = alice.append("INBOX", "", None, big)
    ok(answer)
    answer = bob.append("INBOX", "", None, big)
    assert answer[0] == "NO" and b"OVERQUOTA" in answer[1][0], answer
    roots = ok(bob.getquotaroot("INBOX"))
    assert any(domain.encode() in r[0] for r in roots if r), roots
    listing = s.run("quota", "list").stdout
    assert domain in listing and re.search(r"6[0-9]", listing), listing
    with_mail = s.mx()
    with_mail.ehlo("client.example.net")
    try:
        with_mail.sendmail("x@example.net", [s.address("bob")], big)
        raise AssertionError("taken over the quota")
    except Exception as e:  # smtplib has several
        assert "552" in str(e) and "5.2.2" in str(e), e
    s.run("quota", "set", domain, "none")
    ok(bob.append("INBOX", "", None, big))


def refused(fn, *args):
    """The code and text with which a message, or a recipient of it, is refused."""
    try:
        fn(*args)
    except smtplib.SMTPRecipientsRefused as e:
        return next(iter(e.recipients.values()))
    except smtplib.SMTPResponseException as e:
        return e.smtp_code, e.smtp_error
    raise AssertionError("it was taken")


def test_mailbox_is_full(s):
    """quota_reply says whether the sender is told at once; those who have room get the message all the same."""
    alice, bob = s.address("alice"), s.address("bob")
    s.run("quota", "set", bob, "64K")
    c = s.imap("bob")
    ok(c.select("INBOX"))
    ok(c.store("1:*", "+FLAGS", "(\\Deleted)"))
    ok(c.expunge())
    text = b"Subject: full\r\n\r\n" + b"y" * 70 * 700 + b"\r\n"
    ok(c.append("INBOX", "", None, text))
    answer = c.append("INBOX", "", None, text)
    assert answer[0] == "NO" and b"[OVERQUOTA]" in answer[1][0], answer
    mx = s.mx()
    code, why = refused(mx.sendmail, "x@example.net", [bob], text)
    assert code == 552 and b"5.2.2" in why, (code, why)
    mx.rset()
    # one answer for two recipients: later, and then each has its own
    code, why = refused(mx.sendmail, "x@example.net", [alice, bob], text)
    assert code == 452 and b"4.2.2" in why, (code, why)
    mx.rset()
    left = mx.sendmail("x@example.net", [alice, bob], text)
    assert list(left) == [bob] and left[bob][0] == 552 and b"5.2.2" in left[bob][1], left
    # where the virtual server says temporary
    submission = s.submission("alice")
    code, why = refused(submission.sendmail, alice, [bob], text)
    assert code == 452 and b"4.2.2" in why, (code, why)
    # room again: taken again
    s.run("quota", "set", bob, "none")
    assert mx.sendmail("x@example.net", [alice, bob], text) == {}
    mx.quit()


def test_quota_goes_with_its_account(s):
    s.run("account", "add", s.address("dora"), "--password-stdin", input="correct7horse")
    s.run("quota", "set", s.address("dora"), "64K")
    assert s.address("dora") in s.run("quota", "list").stdout
    s.run("account", "remove", s.address("dora"))
    wait_for("dora is gone", lambda: s.run("account", "show", s.address("dora"), check=False).returncode)
    assert s.address("dora") not in s.run("quota", "list").stdout
    s.run("account", "add", s.address("dora"), "--password-stdin", input="correct7horse")
    assert s.address("dora") not in s.run("quota", "list").stdout, "who has the address now has the quota of another"


def test_kept_after_a_kill(s):
    s.run("newsgroup", "add", "local.things", "--description", "About things")
    news = s.nntp()
    assert ("local.things", "About things") in [(k, v) for k, v in news.descriptions("local.*")[1].items()]
    alice = s.imap()
    ok(alice.append("Public/local.things", "(\\Seen)", None, b"Subject: x\r\nMessage-ID: <1@example.org>\r\n\r\ny\r\n"))
    ok(alice.setacl("Drafts", s.address("bob"), "lr"))
    s.kill_all()
    s.start()
    alice, bob = s.imap(), s.imap("bob")
    assert b"UNSEEN 0" in ok(alice.status("Public/local.things", "(UNSEEN)"))[0]
    assert b"UNSEEN 1" in ok(bob.status("Public/local.things", "(UNSEEN)"))[0]
    assert len(ok(bob.list('""', f'"Other Users/{s.address("alice")}/Drafts"'))) == 1
    assert "About things" in s.run("newsgroup", "list").stdout
    assert "whole" in s.run("store", "check").stdout


if __name__ == "__main__":
    tests = (test_group_of_the_directory, test_domain_quota, test_mailbox_is_full, test_quota_goes_with_its_account, test_kept_after_a_kill)
    with Server(sys.argv[1] if len(sys.argv) > 1 else "build/asan/bin", vserver_extra={"submission-default": 'quota_reply = "temporary";'}) as server:
        for test in tests:
            test(server)
            print("ok", test.__name__)
    print(f"{len(tests)} passed, 0 failed")
