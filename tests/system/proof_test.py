#!/usr/bin/env python3
"""What `sealpost verify` and `sealpost capture --audit` are for: on the real server they hold, and each leak that is planted in front of it is found and named."""
import fcntl
import json
import os
import pty
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from leaks import Authority, Proxy, clear_behind, keep_buffer, strip, terminate  # noqa: E402
from sealpost import Server, main, wait_for  # noqa: E402

if os.geteuid():
    print("skipped: capturing packets needs root")
    sys.exit(0)


class Scene:
    """One server for all tests, and a CA for the proxies."""

    def __enter__(self):
        self.server = Server(sys.argv[1]).__enter__()
        self.ca = Authority(self.server.folder / "leaks")
        self.settings = self.server.folder / "settings.env"
        self.settings.write_text("".join(f"{k}={v}\n" for k, v in self.server.settings().items()))
        self.roots = self.server.folder / "roots.pem"
        self.roots.write_text(open(self.server.ca_file).read() + self.ca.root.read_text())
        return self

    def __exit__(self, *why):
        self.server.__exit__(*why)

    def verify(self, *urls):
        r = self.server.run("verify", *urls, "--root", str(self.roots), "--json", check=False)
        answer = json.loads(r.stdout)
        failed = {x["check"]: x for x in answer["results"] if x["result"] == "FAIL"}
        assert (r.returncode == 0) == (not failed), (r.returncode, failed)
        for x in failed.values():
            assert x["remedy"] and x["detail"], x
        return failed

    def audit(self, *words):
        r = self.server.run("capture", "--audit", *words, "--root", str(self.roots), "--settings", str(self.settings), "--json", check=False)
        answer = json.loads(r.stdout)
        assert "error" not in answer, answer
        assert (r.returncode == 0) == answer["proved"], (r.returncode, answer["verdict"])
        return answer

    def offences(self, answer):
        return {x["offence"] for x in answer["offences"] if x["whose"] == "server" or x["offence"] == "secret"}


def port(proxy, scheme):
    return f"{scheme}://localhost:{proxy.port}"


def frames(file, *fields, only=""):
    """Rows of a capture as the file has it, by our own reader: number, source port, payload. (tshark has a test of its own.)"""
    import struct
    data, at, n, rows = open(file, "rb").read(), 0, 0, []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:
            n += 1
            caplen = struct.unpack_from("<I", data, at + 20)[0]
            rows.append((n, data[at + 28:at + 28 + caplen]))
        at += length
    return rows


class Others:
    """Other servers' traffic meanwhile, with a password of ours in clear: at another port, and at the same port of another address, which no filter of
    ports keeps away."""

    def __enter__(self):
        self.mark, self.said, self.over = b"of-others:" + scene.server.passwords["alice"].encode(), 0, threading.Event()
        self.there = [socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.77", scene.server.port("imaps")))]
        self.thread = threading.Thread(target=self.talk)
        self.thread.start()
        return self

    def talk(self):
        while not self.over.wait(0.1):
            for there in self.there:
                with socket.create_connection(there.getsockname()) as c, there.accept()[0] as s:
                    c.sendall(self.mark)
                    assert s.recv(100) == self.mark
                    self.said += 1

    def __exit__(self, *why):
        self.over.set()
        self.thread.join()
        for there in self.there:
            there.close()


def test_real_server_is_proved():
    file = scene.server.folder / "all.pcapng"
    with Others() as others:
        answer = scene.audit("--write", str(file))
    assert answer["proved"] and answer["verdict"] == "clean", answer["verdict"]
    assert not scene.offences(answer)
    assert answer["probe"]["failed"] == 0 and answer["probe"]["passed"] > 100, answer["probe"]
    assert answer["totals"]["dropped"] == 0 and answer["secrets"] >= 4
    endpoints = {x["endpoint"]: x for x in answer["totals"]["endpoints"]}
    assert len(endpoints) == 11 and all(x["connections"] > 0 for x in endpoints.values())
    for x in endpoints.values():
        if x["policy"] == "tls":
            assert x["tls_bytes"] > 0.99 * x["bytes"], x
    # everything that was kept, and nothing of other ports
    rows = frames(file)
    assert len(rows) == answer["totals"]["kept"]
    ports = {scene.server.port(n) for n in ("smtp", "submission", "submissions", "pop3", "pop3s", "imap", "imaps", "nntp", "nntps", "http", "https")}
    for _, frame in rows:
        tcp = frame[16 + 20:]
        assert {int.from_bytes(tcp[:2], "big"), int.from_bytes(tcp[2:4], "big")} & ports
    # the passwords are in none of them (a search of its own), though others on this machine said one of them all the time
    everything = b"".join(f for _, f in rows)
    assert others.said > 5 and others.mark not in everything
    for password in scene.server.passwords.values():
        assert password.encode() not in everything


def left():
    """What a probe may leave: accounts, newsgroups, articles, mail."""
    server = scene.server
    found = {"accounts": [a["address"] for a in server.json("account", "list")], "newsgroups": [g["name"] for g in server.json("newsgroup", "list")]}
    with server.nntp() as c:
        found["articles"] = c.group("local.test")[1]
    for name in ("alice", "bob"):
        c = server.imap(name)
        for mailbox in [line.rsplit(b" ", 1)[1].decode() for line in c.list()[1]]:
            if c.select(mailbox, readonly=True)[0] == "OK":
                found[f"{name} {mailbox}"] = len(c.search(None, "ALL")[1][0].split())
        c.logout()
    return found


def guest_is_there():
    return any(a["address"].startswith("sealpost-verify@") for a in scene.server.json("account", "list")) or \
        any(g["name"] == "sealpost.verify" for g in scene.server.json("newsgroup", "list"))


def test_clients_in_clear():
    """A user who logs in in clear during an audit is no fault of the server, and no proof that nothing can be read; and nobody reads his password here."""
    over, said = threading.Event(), []

    def carol():
        while not over.wait(0.2):
            with socket.create_connection(("127.0.0.1", scene.server.port("imap"))) as c:
                f = c.makefile("rwb")
                f.readline()
                for line in (b"a LOGIN carol carolpassword99\r\n", b"b AUTHENTICATE PLAIN Y2Fyb2xwYXNzd29yZDk5\r\n", b"Y2Fyb2xwYXNzd29yZDk5\r\n"):
                    f.write(line)
                    f.flush()
                    said.append(f.readline())
    thread = threading.Thread(target=carol)
    thread.start()
    try:
        words = ("capture", "--audit", "--vserver", "imap4-default", "--settings", str(scene.settings))
        r = scene.server.run(*words, "--json", check=False)
        shown = scene.server.run(*words, check=False)
    finally:
        over.set()
        thread.join()
    answer = json.loads(r.stdout)
    assert said and r.returncode == 3 and answer["result"] == "proved for the server" and not answer["proved"] and not answer["clean"], (r.returncode, answer["verdict"])
    assert answer["client_offences"] > 0 and "offences of clients" in answer["verdict"], answer["verdict"]
    theirs = [x for x in answer["offences"] if not x["of_probe"]]
    assert len(theirs) == answer["client_offences"] and {x["whose"] for x in theirs} == {"client"} and any("LOGIN carol" in x["text"] for x in theirs), theirs
    assert any(x["of_probe"] for x in answer["offences"])
    assert shown.returncode == 3 and "PROVED FOR THE SERVER, NOT FOR ITS CLIENTS" in shown.stdout and "(16 bytes)" in shown.stdout, shown.stdout[-3000:]
    for text in (r.stdout, shown.stdout):
        assert "carolpassword99" not in text and "Y2Fyb2xwYXNz" not in text
    # into a report: as it is, and not as somebody else says it is
    file, report = scene.server.folder / "c.json", scene.server.folder / "c.html"
    def evidence(given, attested):
        file.write_text(json.dumps(given))
        scene.server.run("evidence", "--settings", str(scene.settings), "--capture", str(file), "--out", str(report))
        page = report.read_text()
        head, inside = page.split('id="evidence">')
        capture = json.loads(inside.split("</script>")[0])["capture"]
        assert bool(capture["attested"]) == attested and ("as given by file, not attested" in head) != attested, (head[-500:], capture.keys())
        assert ("proved for the server, not for its clients" in head) == attested and "carolpassword99" not in page
        assert os.stat(report).st_mode & 0o777 == 0o600 == os.stat(f"{report}.p7s").st_mode & 0o777
        return capture
    assert evidence(answer, True)["attested"]["entry"] > 1
    evidence(dict(answer, proved=True, clean=True, result="proved", attested={"entry": 1}), False)
    for given in ({"x": 1}, [], "proved", {"mode": "m", "proved": True, "verdict": "clean"}):
        file.write_text(json.dumps(given))
        r = scene.server.run("evidence", "--settings", str(scene.settings), "--capture", str(file), "--out", str(report), check=False)
        assert r.returncode == 1 and "is not what" in r.stderr, r.stderr


def test_nothing_stays():
    """The probe of an audit and of a report has an account and a newsgroup of its own, for its time; also where it is ended before."""
    server = scene.server
    before = left()
    assert before["articles"] == 0 and before["accounts"] == [server.address("alice"), server.address("bob")], before
    # accounts of the settings: no article goes into the newsgroup that they name
    answer = scene.audit()
    assert answer["proved"] and left() == before, (answer["verdict"], left())
    sealpost = [server.bin / "sealpost", "--config", server.conf]
    nobody = server.folder / "nobody.env"
    nobody.write_text("")
    # and none: its own account
    r = subprocess.run([*sealpost, "capture", "--audit", "--settings", nobody, "--json"], capture_output=True, text=True, timeout=60)
    answer = json.loads(r.stdout)
    assert r.returncode == 0 and answer["proved"] and answer["secrets"] == 3 and answer["probe"]["failed"] == 0, (r.stdout[:2000], r.stderr)
    assert left() == before, left()
    report = server.folder / "report.html"
    commands = {"capture": ["capture", "--audit"], "evidence": ["evidence", "--out", report], "verify": ["verify"]}
    commands = {name: [*words, "--settings", nobody, "--json"] for name, words in commands.items()}
    server.run(*map(str, commands["evidence"]))
    data = json.loads(report.read_text().split('id="evidence">')[1].split("</script>")[0])
    posted = [x["detail"] for x in data["probe"] if x["check"] == "article"]
    assert posted and all("sealpost.verify" in x for x in posted) and left() == before, (posted, left())
    report.unlink()
    for name, words in commands.items():
        for how in (signal.SIGINT, signal.SIGTERM):
            p = subprocess.Popen([*sealpost, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            wait_for("the probe has begun", guest_is_there, 20)
            p.send_signal(how)
            out, err = p.communicate(timeout=60)
            assert p.returncode == 1 and "ended by a signal" in out + err, (name, how, p.returncode, out[-500:], err)
            assert name != "capture" or json.loads(out)["proved"] is False
            assert left() == before, (name, how, left())
    assert not report.exists()
    # accounts that were are counted no more, though the store keeps their numbers
    assert server.json("status")["store"]["accounts"] == server.json("store", "stat")["accounts"] == 2
    # while it waits for another one to end
    with open(server.conf) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for words in commands.values():
            p = subprocess.Popen([*sealpost, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(1.5)
            p.send_signal(signal.SIGINT)
            out, err = p.communicate(timeout=30)
            assert p.returncode == 1 and "ended by a signal" in out + err and not guest_is_there(), (words, p.returncode, out[-500:], err)


def test_login_in_clear():
    with Proxy(strip(scene.server.port("imaps"))) as p:
        failed = scene.verify(port(p, "imap"))
        assert "login-clear" in failed, failed
        answer = scene.audit(port(p, "imap"))
        assert {"login-offered"} <= scene.offences(answer), scene.offences(answer)
        assert not answer["proved"]


def test_starttls_keeps_its_buffer():
    with Proxy(keep_buffer(scene.ca.context("good"), scene.server.port("imaps"))) as p:
        failed = scene.verify(port(p, "imap"))
        assert set(failed) == {"injection"} and "CVE-2011-0411" in failed["injection"]["detail"], failed
        answer = scene.audit(port(p, "imap"))
        assert scene.offences(answer) == {"starttls-buffer"}, scene.offences(answer)
        client = [x for x in answer["offences"] if x["offence"] == "client-behind"]
        assert client and client[0]["packet"] > 0


def test_body_in_clear():
    file = scene.server.folder / "body.pcapng"
    with Proxy(clear_behind(scene.ca.context("good"), scene.server.port("smtp"))) as p:
        answer = scene.audit(port(p, "smtp"), f"smtp://localhost:{scene.server.port('smtp')}", f"imaps://localhost:{scene.server.port('imaps')}", "--write", str(file))
    assert not answer["proved"] and "secret" in scene.offences(answer), (answer["verdict"], answer["probe"])
    found = [x for x in answer["offences"] if x["offence"] == "secret"]
    assert all("body of a message" in x["text"] and x["server"].endswith(f":{scene.server.port('smtp')}") for x in found), found
    # the packet that is named holds it at the place that is named: the same word there for all findings of one message
    rows = dict(frames(file))
    words = {rows[x["packet"]][x["offset"]:x["offset"] + 24] for x in found}
    assert all(len(w) == 24 and w.isalnum() for w in words), words


def test_wrong_chain():
    other = Authority(scene.server.folder / "others")
    with Proxy(terminate(other.context("good"), scene.server.port("imaps"))) as p:
        assert "chain" in scene.verify(port(p, "imaps"))
        answer = scene.audit(port(p, "imaps"))
        assert not answer["proved"] and [x for x in answer["probe"]["failures"] if x["check"] == "chain"]


def test_expired():
    with Proxy(terminate(scene.ca.context("expired", start="20200101000000Z", end="20210101000000Z"), scene.server.port("imaps"))) as p:
        failed = scene.verify(port(p, "imaps"))
        assert set(failed) == {"chain"}, failed
        assert "2021" in failed["chain"]["detail"] or "expired" in failed["chain"]["detail"], failed


def test_missing_intermediate():
    with Proxy(terminate(scene.ca.context("alone", chain=()), scene.server.port("imaps"))) as p:
        failed = scene.verify(port(p, "imaps"))
        assert set(failed) == {"chain"} and "intermediate" in failed["chain"]["remedy"], failed


def test_another_name():
    with Proxy(terminate(scene.ca.context("other", names="DNS:other.example"), scene.server.port("imaps"))) as p:
        failed = scene.verify(port(p, "imaps"))
        assert "names" in failed and "localhost" in failed["names"]["detail"], failed


def test_old_tls():
    context = scene.ca.context("good")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ECDHE+AESGCM:ECDHE+AES:@SECLEVEL=0")
    with Proxy(terminate(context, scene.server.port("imaps"))) as p:
        failed = scene.verify(port(p, "imaps"))
        assert {"tls-1.1", "tls-1.0"} <= set(failed), failed
        answer = scene.audit(port(p, "imaps"))
        assert "old-version" in scene.offences(answer), scene.offences(answer)
        bad = [x for x in answer["offences"] if x["offence"] == "old-version"][0]
        assert bad["text"] == "TLS 1.1" and bad["packet"] > 0 and bad["remedy"], bad
        # in words: which packet, from whom to whom, what, what to do, and by what it was seen
        r = scene.server.run("capture", "--audit", port(p, "imaps"), "--root", str(scene.roots), "--settings", str(scene.settings), check=False)
        line = next(x for x in r.stdout.splitlines() if "the server chooses a version below TLS 1.2" in x)
        assert r.returncode == 1 and int(line.split()[0]) > 0 and f"127.0.0.1:{p.port} " in line and "Remedy: set tls_min" in line, r.stdout
        assert "s by packet capture: " in r.stdout and "NOT PROVED: " in r.stdout, r.stdout


def test_where_packets_may_not_be_captured():
    run = ["setpriv", "--bounding-set=-net_raw", str(scene.server.bin / "sealpost"), "--config", str(scene.server.conf), "capture", "--json"]
    r = subprocess.run([*run, "--audit", "--settings", str(scene.settings)], capture_output=True, text=True, timeout=60)
    answer = json.loads(r.stdout)
    assert r.returncode == 0 and answer["proved"] and "tap in the server" in answer["mode"], (r.returncode, answer.get("verdict"), answer.get("error"))
    assert answer["totals"]["packets"] > 500 and sum(x["tls_bytes"] for x in answer["totals"]["endpoints"]) > 100000
    # of other servers, the probe's own connections; it finds what a capture finds
    context = scene.ca.context("good")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ECDHE+AESGCM:ECDHE+AES:@SECLEVEL=0")
    with Proxy(terminate(context, scene.server.port("imaps"))) as p:
        other = [*run, "--root", str(scene.roots), port(p, "imaps")]
        r = subprocess.run([*other, "--audit", "--settings", str(scene.settings)], capture_output=True, text=True, timeout=60)
        assert r.returncode == 1 and "old-version" in scene.offences(json.loads(r.stdout)) and "probe's own" in r.stdout, r.stdout
        # without an audit there is nothing to tap
        r = subprocess.run([*other, "--for", "1s"], capture_output=True, text=True, timeout=60)
        assert r.returncode == 1 and "CAP_NET_RAW" in r.stdout, r.stdout


def test_live_view_and_filter():
    run = [scene.server.bin / "sealpost", "--config", scene.server.conf, "capture", "--vserver", "imap4-default", "--for", "3s"]
    p = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        scene.server.imap().logout()
        time.sleep(0.3)
    out, _ = p.communicate(timeout=60)
    assert p.returncode == 0, out
    assert "asked for localhost" in out and "TLS 1.3" in out and "100.00 %" in out, out
    assert "smtp-default" not in out
    records, names = table(out, "TLS RECORDS AT"), table(out, "ASKED FOR")
    assert any(x.startswith(f"127.0.0.1:{scene.server.port('imaps')} ") and "1.2: " in x for x in records), out
    serial = scene.server.json("cert", "show", "imap4-default")["current"]["serial"]
    assert all(x.startswith("localhost") and f"({serial})" in x for x in names) and names, out
    bad = scene.server.run("capture", "--filter", "no such words", "--for", "1s", check=False)
    assert bad.returncode == 1 and "filter" in bad.stderr, bad.stderr
    assert scene.server.run("capture", "--audit", "--filter", "port 1", check=False).returncode == 2
    assert scene.server.run("capture", "--for", "never", check=False).returncode == 2


def table(out, title):
    """The rows of the table whose head begins so."""
    lines = out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(title)) + 1
    return [line for line in lines[at:lines.index("", at) if "" in lines[at:] else None] if line and not line.startswith("In brackets")]


def test_on_a_terminal():
    """80 columns: nothing is broken by the edge; the line below says what kinds of records came, and is taken back."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
        os.execl(scene.server.bin / "sealpost", "sealpost", "--config", str(scene.server.conf), "capture", "--vserver", "imap4-default", "--for", "3s")
    end, text = time.monotonic() + 20, b""
    scene.server.imap().logout()
    while time.monotonic() < end:
        try:
            text += os.read(fd, 65536)
        except OSError:
            break
        if b"packets kept" not in text and text.count(b"asked for") < 3:
            scene.server.imap().logout()
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    shown = text.decode().replace("\r\n", "\n")
    status = [x for x in re.findall("\\r?\n?([^\r\n\x1b]*)", shown) if x.startswith("records: ")]
    assert status and any("handshake" in x and "data" in x for x in status), shown
    assert "\r\x1b[K\x1b[A\r\x1b[K" in shown, repr(shown)
    for line in re.sub("\x1b\\[[KA]", "", shown).replace("\r", "\n").splitlines():
        assert len(line) <= 80, repr(line)


def test_page():
    page = scene.server.folder / "page.html"
    scene.server.run("verify", "--settings", str(scene.settings), "--html", str(page))
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>") and "Every endpoint does what it should" in text
    assert "http://" not in text.replace("http://localhost", "") or "src=" not in text
    for name in ("imap4-default", "nntp-default", "weak-offers", "ECDHE-ECDSA", "TLS_AES"):
        assert name in text, name


def test_names_that_nothing_covers():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name in ("mail.other.example", "MAIL.other.example", "mail.other.example", "mail.other.example", "localhost"):
        with socket.create_connection(("127.0.0.1", scene.server.port("imaps"))) as s, context.wrap_socket(s, server_hostname=name) as t:
            t.recv(100)
    rows = scene.server.json("vserver", "show", "imap4-default")["uncovered"]
    assert [(r["name"], r["count"]) for r in rows] == [("mail.other.example", 4)], rows
    assert "sealpost cert issue imap4-default" in rows[0]["add"]
    assert scene.server.json("vserver", "show", "pop3-default")["uncovered"] == []
    # a flood of random names: what is kept of them is bounded, and what nobody can tell apart is no name to add
    for i in range(300):
        with socket.create_connection(("127.0.0.1", scene.server.port("imaps"))) as s, context.wrap_socket(s, server_hostname=f"r{i}.flood.example") as t:
            t.recv(100)
    rows = scene.server.json("vserver", "show", "imap4-default")["uncovered"]
    assert 10 < len(rows) < 150 and not any(r["add"] for r in rows if r["name"].startswith("(")), len(rows)
    assert sum(r["count"] for r in rows if r["name"] == "mail.other.example") >= 2, rows[:3]


def test_from_address():
    r = scene.server.run("verify", f"imaps://localhost:{scene.server.port('imaps')}", "--root", str(scene.roots), "--from", "127.0.0.7", "--json")
    assert json.loads(r.stdout)["failed"] == 0
    r = scene.server.run("verify", f"imaps://localhost:{scene.server.port('imaps')}", "--from", "192.0.2.1", check=False)
    assert r.returncode == 1 and "no such address" in r.stdout, r.stdout


with Scene() as scene:
    main(*[f for name, f in list(globals().items()) if name.startswith("test_")])
