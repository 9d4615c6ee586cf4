#!/usr/bin/env python3
"""Debian's own clients against the whole server, over TLS with the CA file: curl, swaks, openssl s_client, neomutt, mbsync, fetchmail, slrn, tin."""
import os
import pathlib
import shutil
import subprocess
import sys

from sealpost import Server, main, wait_for

server = None
home = None


def run(*command, input=None, check=True, env=None, timeout=60):
    r = subprocess.run([str(c) for c in command], input=input, capture_output=True, text=True, timeout=timeout, cwd=home,
                       env={**os.environ, "HOME": str(home), "TERM": "xterm", "SSL_CERT_FILE": server.ca_file, **(env or {})})
    if check and r.returncode:
        raise AssertionError(f"{' '.join(str(c) for c in command)}: exit {r.returncode}\n{r.stdout}\n{r.stderr}")
    return r


def write(name, text, mode=0o600):
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def subjects(name, box="INBOX"):
    c = server.imap(name)
    n = int(c.select(box, readonly=True)[1][0])
    rows = c.fetch(f"1:{n}", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if n else []
    c.logout()
    return [r[1].decode().split(":", 1)[1].strip() for r in rows if isinstance(r, tuple)]


def curl():
    write("mail.txt", "From: alice@example.test\r\nTo: bob@example.test\r\nSubject: by curl\r\n\r\nhello\r\n")
    user = f"{server.address('alice')}:{server.passwords['alice']}"
    bob = f"{server.address('bob')}:{server.passwords['bob']}"
    common = ["curl", "-sS", "--cacert", server.ca_file]
    run(*common, "--user", user, "--mail-from", server.address("alice"), "--mail-rcpt", server.address("bob"), "--upload-file", "mail.txt",
        f"smtps://localhost:{server.port('submissions')}")
    run(*common, "--ssl-reqd", "--user", user, "--mail-from", server.address("alice"), "--mail-rcpt", server.address("bob"), "--upload-file", "mail.txt",
        f"smtp://localhost:{server.port('submission')}")
    assert subjects("bob").count("by curl") == 2
    out = run(*common, "--user", bob, f"imaps://localhost:{server.port('imaps')}/INBOX;MAILINDEX=1").stdout
    assert "Subject: by curl" in out
    out = run(*common, "--ssl-reqd", "--user", bob, f"imap://localhost:{server.port('imap')}/", "-X", 'LIST "" *').stdout
    assert "INBOX" in out and "Public/local.test" in out, out
    out = run(*common, "--user", bob, f"pop3s://localhost:{server.port('pop3s')}/1").stdout
    assert "Subject: by curl" in out
    out = run(*common, "--ssl-reqd", "--user", bob, f"pop3://localhost:{server.port('pop3')}/").stdout
    assert len(out.splitlines()) == 2, out
    for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
        r = run(*common, "--user", bob, "--login-options", f"AUTH={mechanism}", f"imaps://localhost:{server.port('imaps')}/", check=mechanism != "SCRAM-SHA-256")
        if r.returncode:
            assert r.returncode in (67, 4), (mechanism, r.stderr)  # a curl built without SCRAM
    assert '"status":"ok"' in run(*common, f"https://localhost:{server.port('https')}/health").stdout


def swaks():
    base = ["swaks", "--server", "127.0.0.1", "--from", server.address("alice"), "--to", server.address("bob"), "--h-Subject", "by swaks", "--tls-verify",
            "--tls-ca-path", server.ca_file, "--tls-sni", "localhost"]
    login = ["--auth-user", server.address("alice"), "--auth-password", server.passwords["alice"]]
    run(*base, "--port", server.port("submissions"), "--tlsc", "--auth", "PLAIN", *login)
    run(*base, "--port", server.port("submission"), "--tls", "--auth", "LOGIN", *login)
    run(*base, "--port", server.port("smtp"), "--tls")
    assert subjects("bob").count("by swaks") == 3
    r = run(*base[:-4], "--port", server.port("submission"), "--auth", "PLAIN", *login, check=False)
    assert r.returncode and "250 2.0.0" not in r.stdout, r.stdout


def s_client():
    for name, starttls in (("imaps", None), ("pop3s", None), ("submissions", None), ("nntps", None), ("https", None),
                           ("imap", "imap"), ("pop3", "pop3"), ("submission", "smtp"), ("smtp", "smtp"), ("nntp", "nntp")):
        for version in ("-tls1_2", "-tls1_3"):
            more = ["-starttls", starttls] if starttls else []
            r = run("openssl", "s_client", "-connect", f"localhost:{server.port(name)}", "-CAfile", server.ca_file, "-verify_return_error",
                    "-verify_hostname", "localhost", version, *more, input="", check=False)
            assert "Verify return code: 0 (ok)" in r.stdout, (name, version, r.stdout[-2000:], r.stderr)
            assert r.stdout.count("s:") >= 2, (name, "the issuing CA is sent with the certificate")


def resumed_by_every_worker():
    session = home / "session.pem"
    run("openssl", "s_client", "-connect", f"localhost:{server.port('imaps')}", "-CAfile", server.ca_file, "-tls1_2", "-sess_out", session, input="a LOGOUT\r\n", check=False)
    resumed = 0
    for _ in range(12):
        r = run("openssl", "s_client", "-connect", f"localhost:{server.port('imaps')}", "-CAfile", server.ca_file, "-tls1_2", "-sess_in", session, input="a LOGOUT\r\n", check=False)
        resumed += "Reused, TLS" in r.stdout
    assert resumed == 12, f"{resumed} of 12 sessions resumed: the workers do not share ticket keys"


def neomutt():
    rc = write("muttrc", f"""
set ssl_ca_certificates_file = "{server.ca_file}"
set certificate_file = "{server.ca_file}"
# this neomutt's gsasl takes SCRAM-SHA-256-PLUS up but gives no channel binding
set smtp_authenticators = "plain"
set imap_authenticators = "plain"
set imap_user = "{server.address('bob')}"
set imap_pass = "{server.passwords['bob']}"
set folder = "imaps://localhost:{server.port('imaps')}/"
set spoolfile = "+INBOX"
set smtp_url = "smtps://{server.address('bob').replace('@', '%40')}:{server.passwords['bob']}@localhost:{server.port('submissions')}/"
set from = "{server.address('bob')}"
set realname = "Bob"
set sendmail_wait = 0
set copy = no
""")
    run("neomutt", "-F", rc, "-s", "by neomutt", server.address("alice"), input="typed in neomutt\n")
    assert "by neomutt" in subjects("alice")
    # reading: save the first message of INBOX to a folder, without a person
    saved = home / "saved"
    write("commands", f'set confirmappend=no confirmcreate=no mbox_type=mbox\npush "<first-entry><copy-message><kill-line>{saved}<enter><exit>"\n')
    r = run("script", "-qec", f"neomutt -F {rc} -f +INBOX -e 'source {home}/commands'", "/dev/null", check=False, input="")
    text = saved.read_text(errors="replace") if saved.is_file() else ""
    assert "Subject:" in text and "by curl" in text, (r.stdout[-800:], r.stderr[-500:])


def mbsync():
    write("mbsyncrc", f"""
IMAPAccount bob
Host localhost
Port {server.port('imaps')}
User {server.address('bob')}
Pass {server.passwords['bob']}
SSLType IMAPS
CertificateFile {server.ca_file}

IMAPStore remote
Account bob

MaildirStore local
Path {home}/maildir/
Inbox {home}/maildir/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns INBOX Archive
Create Near
Expunge Both
SyncState *
""")
    (home / "maildir").mkdir()
    run("mbsync", "-c", "mbsyncrc", "-a")
    inbox = home / "maildir" / "INBOX"
    files = [p for p in inbox.rglob("*") if p.parent.name in ("cur", "new") and p.is_file()]
    assert len(files) == len(subjects("bob")) > 0, files
    # one message goes up, a flag goes up
    (inbox / "cur" / "1.local.test:2,S").write_text("From: bob@example.test\nSubject: by mbsync\n\nup\n")
    files[0].rename(files[0].parent.parent / "cur" / (files[0].name.split(":")[0] + ":2,FS"))
    run("mbsync", "-c", "mbsyncrc", "-a")
    assert "by mbsync" in subjects("bob")
    c = server.imap("bob")
    c.select("INBOX", readonly=True)
    assert c.search(None, "FLAGGED")[1][0].split(), "the flag did not arrive"
    c.logout()


def fetchmail():
    write("fetchmailrc", f"""
poll localhost protocol POP3 port {server.port('pop3s')} username "{server.address('bob')}" password "{server.passwords['bob']}"
  options ssl sslcertck sslcertfile "{server.ca_file}" fetchall keep
  mda "cat >> {home}/fetched"
""", 0o600)
    run("fetchmail", "-f", home / "fetchmailrc", "--nosyslog", "--nodetach", "-i", home / "fetchids", "--pidfile", home / "fetchmail.pid")
    text = (home / "fetched").read_text(errors="replace")
    assert "Subject: by curl" in text and "Subject: by mbsync" in text
    write("fetchmailrc", f"""
poll localhost protocol IMAP port {server.port('imaps')} username "{server.address('alice')}" password "{server.passwords['alice']}"
  options ssl sslcertck sslcertfile "{server.ca_file}" fetchall
  mda "cat >> {home}/fetched"
""", 0o600)
    run("fetchmail", "-f", home / "fetchmailrc", "--nosyslog", "--nodetach", "--pidfile", home / "fetchmail.pid")
    assert "Subject: by neomutt" in (home / "fetched").read_text(errors="replace")


def news_readers():
    n = server.nntp("alice")
    import io
    for i in range(3):
        n.post(io.BytesIO(f"From: Alice <alice@example.test>\r\nNewsgroups: local.test\r\nSubject: article {i}\r\nMessage-ID: <r{i}@example.test>\r\n\r\ntext {i}\r\n".encode()))
    n.quit()
    write("jnewsrc", "local.test: \n")
    write("slrnrc", f"""
set server_object "nntp"
nnrpaccess "snews://localhost:{server.port('nntps')}" "{server.address('alice')}" "{server.passwords['alice']}"
set hostname "example.test"
set username "alice"
set realname "Alice"
""")
    script = write("slrn.exp", f"""
set timeout 20
set stty_init "rows 30 columns 100"
proc want {{text}} {{
    global spawn_id
    expect {{
        -ex $text {{ }}
        timeout {{ puts "NOT SEEN: $text"; exit 1 }}
        eof {{ puts "ENDED BEFORE: $text"; exit 1 }}
    }}
}}
spawn slrn -f {home}/jnewsrc -i {home}/slrnrc -h snews://localhost:{server.port('nntps')} --nntp
want "local.test"
after 500
send "\\r"
want "article 2"
after 500
send "\\r"
want "text 0"
send "qq"
after 500
send "y"
expect eof
exit 0
""")
    r = run("expect", script, check=False, timeout=90)
    assert r.returncode == 0, r.stdout[-3000:]


with Server(sys.argv[1], extra="workers_access = 2;") as server:
    home = pathlib.Path(server.folder) / "home"
    home.mkdir()
    main(curl, swaks, s_client, resumed_by_every_worker, neomutt, mbsync, fetchmail, news_readers)
