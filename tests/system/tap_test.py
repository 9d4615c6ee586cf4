#!/usr/bin/env python3
"""`sealpost capture` by an ordinary user, who may capture no packets: the tap in the server takes their place. It sees what a capture sees, of the
connections of everybody; and what it loses is said."""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

if not os.geteuid():
    # a server of an ordinary user's own
    os.execvp("setpriv", ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
                          sys.executable, "-B", os.path.abspath(__file__), *sys.argv[1:]])
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sealpost import Server, main, wait_for  # noqa: E402

SERVER_TAP = "a tap in the server (packets may not be captured here)"


def audit(*words):
    r = server.run("capture", "--audit", "--settings", str(settings), *words, "--json", check=False)
    answer = json.loads(r.stdout)
    assert "error" not in answer, answer
    assert (r.returncode == 0) == answer["proved"], (r.returncode, answer["verdict"])
    return answer


def capture(seconds, *words):
    """In the background: call the result for its answer."""
    p = subprocess.Popen([server.bin / "sealpost", "--config", server.conf, "capture", "--for", f"{seconds}s", "--json", *words],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)  # it has begun

    def answer():
        out, err = p.communicate(timeout=60)
        return json.loads(out)
    answer.process = p
    return answer


def meanwhile(work):
    """Does it again and again, until the end of the block."""
    class Block:
        def __enter__(self):
            self.over = threading.Event()
            self.thread = threading.Thread(target=self.run)
            self.thread.start()
            return self

        def run(self):
            while not self.over.is_set():
                work()
                self.over.wait(0.2)

        def __exit__(self, *why):
            self.over.set()
            self.thread.join()
    return Block()


def say(port, *lines):
    """A client that does not care for TLS; its own port."""
    with socket.create_connection(("127.0.0.1", server.port(port)), timeout=20) as s:
        f = s.makefile("rwb")
        f.readline()
        for line in lines:
            f.write(line.encode() + b"\r\n")
            f.flush()
            f.readline()
        return s.getsockname()[1]


def test_proved():
    answer = audit()
    assert answer["mode"] == SERVER_TAP, answer["mode"]
    assert answer["proved"] and answer["verdict"] == "clean", answer["verdict"]
    assert answer["probe"]["failed"] == 0 and answer["probe"]["passed"] > 100, answer["probe"]
    assert answer["totals"]["dropped"] == 0 and answer["secrets"] >= 4
    endpoints = {x["endpoint"]: x for x in answer["totals"]["endpoints"]}
    assert len(endpoints) == 11 and all(x["connections"] > 0 for x in endpoints.values())
    for x in endpoints.values():
        assert x["unsynced_bytes"] == 0 and x["gaps"] == 0, x
        if x["policy"] == "tls":
            assert x["tls_bytes"] > 0.99 * x["bytes"], x


def test_leak_of_another_client():
    """Not the probe's: a mail client that is set to no encryption tries its password."""
    ports = []
    with meanwhile(lambda: ports.append(say("imap", f'1 LOGIN {server.address("alice")} {server.passwords["alice"]}'))):
        answer = audit()
    assert answer["mode"] == SERVER_TAP and not answer["proved"], answer["verdict"]
    found = [x for x in answer["offences"] if x["offence"] == "secret"]
    assert found and all("password of alice" in x["text"] for x in found), found
    assert {int(x["client"].rsplit(":", 1)[1]) for x in found} & set(ports), (found, ports)
    assert all(x["server"].endswith(f":{server.port('imap')}") and x["packet"] > 0 for x in found)


def test_leak_in_words():
    """Which packet, from whom to whom, and that it was no capture of packets."""
    with meanwhile(lambda: say("imap", f'1 LOGIN {server.address("alice")} {server.passwords["alice"]}')):
        r = server.run("capture", "--audit", "--tap", "--settings", str(settings), check=False)
    line = next(x for x in r.stdout.splitlines() if "password of alice" in x)
    assert r.returncode == 1 and int(line.split()[0]) > 0 and f"127.0.0.1:{server.port('imap')}" in line and "a marked secret can be read" in line, r.stdout
    assert "s by a tap in the server, as asked: " in r.stdout and "NOT PROVED: " in r.stdout, r.stdout


def test_leak_of_the_server():
    """A message in clear on port 25, which a stranger may send: the words of an account's password in it are found, base64 or not."""
    import base64
    secret = server.passwords["bob"]
    with meanwhile(lambda: say("smtp", "EHLO client.example.org", "MAIL FROM:<x@example.org>", f'RCPT TO:<{server.address("bob")}>', "DATA",
                               f"Subject: x\r\n\r\n{base64.b64encode(b'the password is ' + secret.encode()).decode()}\r\n.", "QUIT")):
        answer = audit()
    found = [x for x in answer["offences"] if x["offence"] == "secret"]
    assert not answer["proved"] and found and all("password of bob" in x["text"] and "base64" in x["text"] for x in found), (answer["verdict"], found)


def test_others_are_seen_and_nothing_decrypted():
    file = server.folder / "others.pcapng"
    answer = capture(6, "--vserver", "imap4-default,pop3-default", "--write", str(file))
    mine = []
    for _ in range(5):
        c = server.imap()
        mine.append(c.sock.getsockname()[1])
        c.select()
        c.append("INBOX", None, None, b"Subject: x\r\n\r\nwords that nobody may read\r\n")
        c.fetch("1:*", "(BODY[])")
        c.logout()
        server.pop3().quit()
    answer = answer()
    assert answer["mode"] == SERVER_TAP and answer["clean"], answer["verdict"]
    seen = {int(x["client"].rsplit(":", 1)[1]) for x in answer["handshakes"]}
    assert set(mine) <= seen, (mine, seen)
    assert {x["vserver"] for x in answer["totals"]["endpoints"]} == {"imap4-default", "pop3-default"}
    assert sum(x["connections"] for x in answer["totals"]["endpoints"]) >= 10
    data = file.read_bytes()
    assert len(data) > 20000 and b"nobody may read" not in data and b"Subject" not in data
    for password in server.passwords.values():
        assert password.encode() not in data


def test_begun_before():
    """A session that is there already is in it from its next bytes on."""
    c = server.imap()
    answer = capture(5, "--vserver", "imap4-default")
    for _ in range(3):
        c.noop()
    c.logout()
    answer = answer()
    there = [x for x in answer["totals"]["endpoints"] if x["connections"]]
    assert answer["clean"] and there and there[0]["tls_bytes"] > 100 and there[0]["clear_bytes"] == 0, there


def test_ends_with_its_asker():
    """Who has asked is killed: the workers stop copying, and the next one finds room. Several at once are several."""
    taken = [capture(30) for _ in range(4)]
    r = server.run("capture", "--for", "1s", "--json", check=False)
    assert r.returncode == 1 and "captures run already" in r.stdout + r.stderr, (r.stdout, r.stderr)
    for t in taken:
        t.process.send_signal(signal.SIGKILL)
        t.process.communicate()

    def again():
        return server.run("capture", "--for", "1s", "--json", check=False).returncode == 0
    wait_for("room for another capture", again, 20)


def test_what_is_lost_is_said():
    """The parser is held up: sessions go on as ever, what did not fit is counted, and nothing is proved."""
    answer = capture(8, "--vserver", "imap4-default")
    children = subprocess.run(["pgrep", "-P", str(answer.process.pid)], capture_output=True, text=True).stdout.split()
    assert len(children) == 1, children
    os.kill(int(children[0]), signal.SIGSTOP)
    c = server.imap()
    c.select()
    c.append("INBOX", None, None, b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 76 + b"\r\n") * 52000)
    number = c.select()[1][0].decode()
    begin = time.monotonic()
    for _ in range(5):
        assert len(c.fetch(number, "(BODY[])")[1][0][1]) > 4000000
    took = time.monotonic() - begin
    c.logout()
    os.kill(int(children[0]), signal.SIGCONT)
    answer = answer()
    assert took < 15, took
    assert answer["totals"]["dropped"] > 0 and not answer["clean"] and "dropped" in answer["verdict"], answer["verdict"]


def test_words():
    r = server.run("capture", "--tap", "--filter", "port 1", check=False)
    assert r.returncode == 2 and "--tap" in r.stderr, r.stderr
    r = server.run("capture", "--tap", "--for", "1s")
    assert "by a tap in the server, as asked" in r.stdout, r.stdout
    # a filter is of packets, and these are not to be had
    r = server.run("capture", "--filter", "port 1", "--for", "1s", check=False)
    assert r.returncode == 1 and "CAP_NET_RAW" in r.stderr, r.stderr


with Server(sys.argv[1]) as server:
    settings = server.folder / "settings.env"
    settings.write_text("".join(f"{k}={v}\n" for k, v in server.settings().items()))
    main(*[f for name, f in list(globals().items()) if name.startswith("test_")])
