#!/usr/bin/env python3
"""The standing watch: what is served is looked at where the names of a virtual server lead, too, and what is wrong is told: in the log, in the metrics, by
mail to the postmaster and by webhook, once."""
import http.server
import json
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
from leaks import Authority, Proxy, join, terminate  # noqa: E402
from remote import Dns  # noqa: E402
from sealpost import Server, main, wait_for  # noqa: E402

OUTSIDE = "127.0.0.9"  # where DNS leads; the endpoints listen on 127.0.0.1


class Hooks(http.server.BaseHTTPRequestHandler):
    told = []

    def do_POST(self):
        Hooks.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words):
        pass


class There(Proxy):
    """What stands at the other address, at the port of a real endpoint."""

    def __init__(self, serve, port):
        self.serve, self.port = serve, port
        self.socket = socket.create_server((OUTSIDE, port), backlog=64)
        threading.Thread(target=self.run, daemon=True).start()

    def __exit__(self, *why):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def through(port):
    def serve(client):
        join(client, socket.create_connection(("127.0.0.1", port)))
    return serve


def watch():
    return server.json("status")["watch"]


def outside(scheme="imaps"):
    found = [x for x in watch()["outside"] if x["endpoint"] == f"mail.example.test at {OUTSIDE}:{server.port(scheme)}"]
    return found[0] if found and found[0]["at"] else None




def told(text, after=0):
    return [x for x in Hooks.told[after:] if text in x["subject"]]


def mails(subject):
    c = server.imap()
    c.select()
    n = len(c.search(None, "SUBJECT", f'"{subject}"')[1][0].split())
    c.logout()
    return n


def test_seen_through_the_name():
    with There(through(server.port("imaps")), server.port("imaps")):
        x = wait_for("the endpoint at the other address", lambda: (o := outside()) and o["up"] and o, 30)
        assert x["fits"] and x["expected"] and not x["alarmed"] and not x["fault"], x
        states = {(n["vserver"], n["name"]): n["state"] for n in watch()["names"]}
        assert states[("imap4-default", "mail.example.test")] == f"leads to {OUTSIDE}", states
        # nobody answers at the port of STARTTLS there, and never has: said, no alarm
        y = wait_for("the other endpoint", lambda: (o := outside("imap")) and o["fault"] and o, 20)
        assert not y["up"] and not y["alarmed"] and "not reached from here yet" in y["fault"], y
        assert not told("imap4-default"), Hooks.told
        # another certificate than the one in service, which clients refuse besides
        before = len(Hooks.told)
    ca = Authority(server.folder / "leaks")
    with There(terminate(ca.context("good", names="DNS:mail.example.test,DNS:localhost"), server.port("imaps")), server.port("imaps")):
        wait_for("an alarm by webhook", lambda: told("clients refuse", before), 30)
        one = told("clients refuse", before)[0]
        assert one["event"] == "endpoint" and one["vserver"] == "imap4-default" and f"mail.example.test at {OUTSIDE}" in one["text"], one
        assert "another server, or an old one behind that address" in one["text"], one
        wait_for("an alarm by mail", lambda: mails("clients refuse") == 1, 20)
        assert "alarm: endpoint of imap4-default" in server.log.read_text()
        x = outside()
        assert x["alarmed"] and not x["expected"] and x["serial"] != x["expected_serial"], x
        r = server.run("status", check=False)
        assert r.returncode and "DNS leads to a place that shows certificate" in r.stdout, r.stdout
        # it stays so: nobody is told again
        rounds = watch()["rounds"]
        wait_for("more rounds", lambda: watch()["rounds"] >= rounds + 2, 40)
        assert len(told("clients refuse", before)) == 1, Hooks.told
    # what was there once can be missed
    wait_for("an alarm: it cannot be reached", lambda: told("cannot be reached", before), 40)
    with There(through(server.port("imaps")), server.port("imaps")):
        wait_for("all is well", lambda: (o := outside()) and o["up"] and o["expected"] and not o["alarmed"], 30)
        assert f"mail.example.test at {OUTSIDE}:{server.port('imaps')} is well again" in server.log.read_text()
        # whoever was told of it is told of its end
        end = wait_for("its end by webhook", lambda: told("imap4-default is well again", before), 20)[-1]
        assert end["event"] == "endpoint" and f"mail.example.test at {OUTSIDE}" in end["text"] and "is over" in end["text"], end
        wait_for("its end by mail", lambda: mails("is well again"), 20)


def watched(scheme):
    found = [x for x in watch()["endpoints"] if x["endpoint"] == f"127.0.0.1:{server.port(scheme)}"]
    return found[0] if found and found[0]["at"] else None


def test_another_ca():
    """A certificate of another CA is no alarm: clients of this virtual server trust that CA. What they refuse still is one."""
    vserver, before = "nntp-default", len(Hooks.told)
    ca = Authority(server.folder / "external")

    def install(name, names="DNS:mail.example.test,DNS:localhost"):
        server.run("cert", "request", vserver, "--out", str(ca.folder / f"{name}.csr"), "--common-name", "localhost", "--dns", "mail.example.test,localhost")
        (ca.folder / f"{name}.ext").write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
                                               f"subjectAltName={names}\n")
        ca.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "issuing.pem", "-CAkey", "issuing.key", "-set_serial", "77", "-days", "30",
                   "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        server.run("cert", "install", vserver, str(ca.folder / f"{name}.pem"), str(ca.issuing), "--root", str(ca.root), "--yes")

    # a request that the own CA has answered: no root comes with that
    server.run("cert", "request", "pop3-default", "--out", str(ca.folder / "own.csr"), "--common-name", "localhost", "--dns", "gone.example.test,localhost")
    server.run("ca", "issue", "--profile", "server", "--request", str(ca.folder / "own.csr"), "--out", str(ca.folder / "own.pem"))
    server.run("cert", "install", "pop3-default", str(ca.folder / "own.pem"), "--yes")
    wait_for("it is in service", lambda: server.json("cert", "show", "pop3-default")["current"]["source"] == "external CA", 20)
    assert "roots" not in server.json("cert", "show", "pop3-default")["current"]
    install("leaf")
    current = wait_for("it is in service", lambda: (c := server.json("cert", "show", vserver)["current"])["source"] == "external CA" and c, 20)
    wait_for("the watch has seen it", lambda: (x := watched("nntps")) and x["serial"] == current["serial"], 30)
    rounds = watch()["rounds"]
    wait_for("more rounds", lambda: watch()["rounds"] >= rounds + 2, 60)
    for scheme in ("nntp", "nntps"):
        x = watched(scheme)
        assert x["serial"] == current["serial"] and x["up"] and x["fits"] and x["expected"] and not x["fault"] and not x["alarmed"], x
    # the root holds for this virtual server alone, and the others have theirs
    assert all(x["fits"] for x in watch()["endpoints"]), watch()["endpoints"]
    assert not told(vserver, before) and not told("pop3-default", before), Hooks.told[before:]

    # without the intermediate certificate; the root that was given for one virtual server proves nothing at another; and a certificate of that CA for
    # another name: in front of the names of the virtual servers
    port, imaps = server.port("nntps"), server.port("imaps")

    def refused(vserver, words, port):
        one = wait_for("an alarm", lambda: told(f"{vserver} shows a certificate that clients refuse", before), 40)[0]
        assert f"{OUTSIDE}:{port}" in one["text"] and words in one["text"], one

    before = len(Hooks.told)
    names = "DNS:mail.example.test,DNS:localhost"
    with There(terminate(ca.context("alone", chain=(), names=names), port), port), There(terminate(ca.context("elsewhere", names=names), imaps), imaps):
        refused(vserver, "intermediate", port)
        refused("imap4-default", "", imaps)
    wait_for("it is gone", lambda: told(f"{vserver} cannot be reached", before), 40)
    before = len(Hooks.told)
    with There(terminate(ca.context("other", names="DNS:other.example"), port), port):
        refused(vserver, "name", port)


def test_names_in_words():
    states = {n["name"]: n["state"] for n in watch()["names"]}
    assert "no such name in DNS" in states["gone.example.test"], states
    assert "the name gone.example.test: there is no such name in DNS" in server.run("status", check=False).stdout
    assert "localhost" not in states


if __name__ == "__main__":
    dns = Dns()
    dns.a("mail.example.test", OUTSIDE)
    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hooks)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    extra = (f'dns_servers = ( "127.0.0.1@{dns.port}" ); watch_seconds = 3; postmaster = "alice@example.test";\n'
             f'alarm_webhook = "http://127.0.0.1:{hook.server_port}/";')
    server = Server(sys.argv[1], extra=extra, vserver_extra={"nntp-default": 'names = ( "mail.example.test", "localhost" );',
                                                             "imap4-default": 'names = ( "mail.example.test", "localhost" );',
                                                             "pop3-default": 'names = ( "gone.example.test", "localhost" );'})
    with server:
        main(test_seen_through_the_name, test_another_ca, test_names_in_words)
    dns.close()
