#!/usr/bin/env python3
"""Rights for others and for groups, quotas of domains, annotations and descriptions through a whole server, also after it was killed.

    tests/system/rights_test.py [build/asan/bin]
"""
import re
import sys

from sealpost import Server


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
        assert "452" in str(e) or "(452" in repr(e), e
    s.run("quota", "set", domain, "none")
    ok(bob.append("INBOX", "", None, big))


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
    with Server(sys.argv[1] if len(sys.argv) > 1 else "build/asan/bin") as server:
        for test in (test_group_of_the_directory, test_domain_quota, test_kept_after_a_kill):
            test(server)
            print("ok", test.__name__)
    print("3 passed, 0 failed")
