#!/usr/bin/env python3
"""Certificates of authorities over the network: Debian's pebble with http-01, tls-alpn-01 and dns-01 (a command, RFC 2136 at knot), external
account binding, refused nonces; CAs that reject, stall, lie and send without end; renewal, the second source, alarms; EST."""
import imaplib
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import time
import urllib.request

from acme_peers import Challtestsrv, FakeCA, Knot, Pebble, make_server_certificate
from sealpost import Server, main, wait_for

folder = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-acme."))
folder.chmod(0o755)
EAB = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def served(port):
    """Issuer, serial and names of what a TLS port shows."""
    c = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", server.port(port)), timeout=20) as s, c.wrap_socket(s, server_hostname="mail.example.test") as t:
        der = t.getpeercert(True)
    text = __import__("subprocess").run(["openssl", "x509", "-inform", "DER", "-noout", "-issuer", "-serial", "-ext", "subjectAltName"],
                                        input=der, capture_output=True, check=True).stdout.decode()
    return text


def shows(port, *words):
    """Soon: the workers are told when it goes live."""
    wait_for(f"{port} shows {words}", lambda: all(w in served(port) for w in words), 10)


def show(vserver):
    return server.json("cert", "show", vserver)


def order(vserver, ca, *more, check=True):
    return server.run("cert", "request", vserver, "--ca", ca, *more, check=check)


def http_01():
    """The HTTP virtual server answers; a token that nobody asked for is not there."""
    out = order("http-default", "pebble", "--dns", "www.example.test,mail.example.test").stdout
    assert "is renewed by itself" in out, out
    shows("https", "Pebble Intermediate", "DNS:www.example.test", "DNS:mail.example.test")
    v = show("http-default")
    assert v["current"]["source"] == "external CA" and v["current"]["origin"] == "pebble" and v["pending"]["state"] == "none", v
    with socket.create_connection(("127.0.0.1", server.port("http")), timeout=10) as s:
        s.sendall(b"GET /.well-known/acme-challenge/0123456789abcdef HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 404")


def tls_alpn_01():
    """Every TLS endpoint answers; who does not ask as a CA does sees what it always sees."""
    order("imap4-default", "alpn", "--dns", "mail.example.test")
    shows("imaps", "Pebble Intermediate")
    c = ssl._create_unverified_context()
    c.set_alpn_protocols(["imap"])
    with socket.create_connection(("127.0.0.1", server.port("imaps")), timeout=20) as s, c.wrap_socket(s, server_hostname="mail.example.test") as t:
        assert t.recv(100).startswith(b"* OK")


def dns_by_command():
    """The administrator's program, as nobody, sets and takes away the record."""
    out = order("pop3-default", "command", "--dns", "mail.example.test,*.example.test").stdout
    assert "renewed by itself" in out, out
    shows("pop3s", "DNS:*.example.test")
    calls = (folder / "calls").read_text().split("\n")
    assert sum(c.startswith("present _acme-challenge.example.test ") for c in calls) == 1, calls
    assert sum(c.startswith("withdraw ") for c in calls) == 2 and calls[-2].endswith(" uid 65534"), calls


def dns_command_fails():
    before = served("nntps")
    r = order("nntp-default", "broken", "--dns", "news.example.test", check=False)
    assert r.returncode == 1 and "the API says: no such zone" in r.stderr and "stays pending" in r.stderr, r.stderr
    assert served("nntps") == before
    server.run("cert", "cancel", "nntp-default")


def dns_by_update():
    """RFC 2136 with TSIG, at knot, which the CA asks."""
    order("nntp-default", "update", "--dns", "news.example.test")
    shows("nntps", "DNS:news.example.test")
    r = order("submission-default", "wrongtsig", "--dns", "mail.example.test", check=False)
    assert r.returncode == 1 and "tsig" in r.stderr, r.stderr
    server.run("cert", "cancel", "submission-default")


def external_account():
    r = order("submission-default", "noeab", "--dns", "mail.example.test", check=False)
    assert r.returncode == 1 and "eab_kid" in r.stderr, r.stderr
    server.run("cert", "cancel", "submission-default")
    order("submission-default", "eab", "--dns", "mail.example.test")
    shows("submissions", "Pebble Intermediate")


def keys_of(label):
    """How many keys of that label keyd has made and not given up, as its log has it."""
    log = server.log.read_text(errors="replace")
    made = set(re.findall(rf"keyd info certd made key (\w+) \(\w+\) for {re.escape(label)}\b", log))
    return {k for k in made if (server.data / "keys").exists() and any(k in p.name for p in (server.data / "keys").iterdir())}


def renewal_by_hand():
    """Of what came from an authority: there, with a new key or the one in use."""
    before = show("imap4-default")["current"]
    out = server.run("cert", "renew", "imap4-default").stdout
    assert "alpn" in out and "renewed by itself" in out, out
    first = show("imap4-default")["current"]
    assert first["origin"] == "alpn" and first["serial"] != before["serial"] and first["key"] != before["key"], first
    server.run("cert", "renew", "imap4-default", "--same-key")
    second = show("imap4-default")["current"]
    assert second["origin"] == "alpn" and second["serial"] != first["serial"] and second["key"] == first["key"], second
    assert second["certificate"]["names"] == before["certificate"]["names"]
    shows("imaps", "Pebble Intermediate")


def account_key_rollover():
    """RFC 8555 section 7.3.5: the same account goes on with another key; the old one is gone, and no other account is made."""
    order("http-default", "pebble", "--dns", "www.example.test")
    old = keys_of("acme/pebble")
    assert len(old) == 1, old
    v = server.json("authority", "rekey", "pebble")
    new = keys_of("acme/pebble")
    assert new == {v["key"]} and not new & old, (old, new)
    order("http-default", "pebble", "--dns", "www.example.test,mail.example.test")
    w = server.json("authority", "rekey", "pebble")
    assert w["account"] == v["account"] and w["key"] != v["key"], (v, w)
    r = server.run("authority", "rekey", "est", check=False)
    assert r.returncode == 1 and "EST" in r.stderr, r.stderr
    r = server.run("authority", "rekey", "nobody", check=False)
    assert r.returncode == 1 and 'no authority "nobody"' in r.stderr, r.stderr
    rows = {a["name"]: a for a in server.json("authority", "list")}
    assert rows["pebble"]["kind"] == "ACME" and "http-default" in rows["pebble"]["used_by"] and rows["est"]["kind"] == "EST", rows


def rollover_whose_answer_is_lost():
    """Two keys at keyd, and nobody knows which one counts: the CA says which it knows, and the other goes."""
    for mode, done in (("lostnew", True), ("lostold", False)):
        order("smtp-default", mode, "--dns", "mx.example.test")
        old = keys_of(f"acme/{mode}")
        r = server.run("authority", "rekey", mode, check=False)
        assert r.returncode == 1 and "broke the connection off" in r.stderr, r.stderr
        both = keys_of(f"acme/{mode}")
        assert len(old) == 1 and len(both) == 2, (old, both)
        order("smtp-default", mode, "--dns", "mx.example.test")
        left = keys_of(f"acme/{mode}")
        assert left == (both - old if done else old), (mode, old, both, left)
        r = server.run("authority", "rekey", "ari", check=False)
        assert r.returncode == 1 and "lets no account change its key" in r.stderr, r.stderr
    server.run("cert", "issue", "smtp-default")


def status_at_pebble(serial):
    c = ssl.create_default_context(cafile=str(folder / "tls.pem"))
    text = urllib.request.urlopen(f"https://127.0.0.1:{pebble.management}/cert-status-by-serial/{serial}", context=c, timeout=10).read().decode()
    return __import__("json").loads(text)["Status"]


def revocation():
    """At the authority that issued it; what is in use is replaced by it at once, with another key; the history says so."""
    old = show("http-default")["current"]
    assert status_at_pebble(old["serial"]) == "Valid"
    r = server.run("cert", "revoke", "http-default", "--reason", "superseded", check=False)
    assert r.returncode == 1 and "--yes" in r.stderr, r.stderr  # nobody to ask
    assert status_at_pebble(old["serial"]) == "Valid"
    out = server.run("cert", "revoke", "http-default", "--reason", "keyCompromise", "--yes").stdout
    assert "is revoked" in out, out
    assert status_at_pebble(old["serial"]) == "Revoked"
    new = wait_for("its successor is there", lambda: (v := show("http-default")["current"])["serial"] != old["serial"] and v, 40)
    assert new["origin"] == "pebble" and new["key"] != old["key"], new
    assert any("revoked at pebble: keyCompromise" in h["note"] for h in show("http-default")["history"])
    log = [__import__("json").loads(line) for line in (server.data / "evidence.log").read_text().splitlines()]
    said = [x for x in log if x["kind"] == "revoke" and x["serial"] == old["serial"]]
    assert [(x["by"], x["authority"], x["reason"], x["vserver"]) for x in said] == [("certd", "pebble", "keyCompromise", "http-default")], said
    # again: it is no mistake; of an earlier one too
    server.run("cert", "revoke", "http-default", old["serial"], "--yes")
    for words, said in ((("smtp-default",), "ca revoke"), (("http-default", "abcdef"), "has no certificate abcdef"),
                        (("http-default", "--reason", "certificateHold"), "no reason")):
        r = server.run("cert", "revoke", *words, "--yes", check=False)
        assert r.returncode in (1, 2) and said in r.stderr, (words, r.stderr)
    assert show("http-default")["current"]["serial"] == new["serial"]


def account_deactivation():
    """RFC 8555 section 7.3.6: the account ends with its key; the next order makes another."""
    first = server.json("authority", "rekey", "pebble")["account"]
    r = server.run("authority", "deactivate", "pebble", check=False)
    assert r.returncode == 1 and "--yes" in r.stderr, r.stderr
    out = server.run("authority", "deactivate", "pebble", "--yes").stdout
    assert "is deactivated" in out and not keys_of("acme/pebble"), out
    order("http-default", "pebble", "--dns", "www.example.test")
    assert server.json("authority", "rekey", "pebble")["account"] != first


def rehearsal():
    """The renewal is led up to the certificate, nothing is issued; a path that no longer works is told."""
    serial = show("submission-default")["current"]["serial"]
    issued = pebble_eab.log.read_text().count("Issued certificate serial")
    out = server.run("cert", "rehearse", "submission-default").stdout
    assert "would work" in out, out
    assert pebble_eab.log.read_text().count("Issued certificate serial") == issued
    v = show("submission-default")
    assert v["current"]["serial"] == serial and v["rehearsed"] and not v["rehearsal_failure"], v
    r = server.run("cert", "rehearse", "smtp-default", check=False)
    assert r.returncode == 1 and "not of an authority" in r.stderr, r.stderr


def rehearsal_that_fails():
    """The administrator's program has ceased to work: told by command, in the list and by webhook; the certificate stays."""
    serial = show("pop3-default")["current"]["serial"]
    program = (folder / "dns").read_text()
    (folder / "dns").write_text("#!/bin/sh\necho token expired\nexit 1\n")
    r = server.run("cert", "rehearse", "pop3-default", check=False)
    (folder / "dns").write_text(program)
    assert r.returncode == 1 and "token expired" in r.stderr, r.stderr
    v = show("pop3-default")
    assert v["current"]["serial"] == serial and "token expired" in v["rehearsal_failure"], v
    wait_for("the webhook was told", lambda: any(x["vserver"] == "pop3-default" and "token expired" in x["text"] for x in fake.hooks), 20)
    c = ssl._create_unverified_context()
    metrics = lambda: urllib.request.urlopen(f"https://localhost:{server.port('https')}/metrics", context=c, timeout=10).read().decode()
    wait_for("the metric", lambda: re.search(r'sealpost_certificate_rehearsal_failed\{.*vserver="pop3-default"\} 1', metrics()), 20)


REFUSALS = [
    # mode, what is said
    ("caa", "CAA records of the name forbid this CA"),
    ("limit", "rate limit is reached"),
    ("html", "no JSON document"),
    ("huge", "more than 262144 bytes"),
    ("round", "without end"),
    ("clear", "not an https URL"),
    ("wrongkey", "cannot be installed"),
    ("wrongname", "cannot be installed"),
    ("public", "private networks"),
    ("untrusted", "certificate does not hold"),
    ("nowhere", "cannot be reached"),
    ("nononce", "gives no nonce"),
    ("badnonce", "that one is used up"),
    ("othername", "bank.example"),
    ("manycerts", "more than 262144 bytes"),
]


def refusals():
    """Whatever a CA does: a sentence with the reason, and the certificate in use stays."""
    before = show("smtp-default")["current"]["serial"]
    for mode, words in REFUSALS:
        r = order("smtp-default", mode, "--dns", "mx.example.test", check=False)
        assert r.returncode == 1 and words in r.stderr and "stays pending" in r.stderr, (mode, r.stdout, r.stderr)
        v = show("smtp-default")
        assert v["current"]["serial"] == before and v["tries"] >= 1 and v["order_retry_at"] > time.time(), (mode, v)
        if mode == "limit":
            assert v["order_retry_at"] - time.time() > 7000, v
        server.run("cert", "cancel", "smtp-default")
        assert show("smtp-default")["pending"]["state"] == "none"
    r = order("smtp-default", "nobody", check=False)
    assert r.returncode == 1 and 'no authority "nobody"' in r.stderr, r.stderr


def a_ca_that_does_not_answer():
    """Other commands are answered meanwhile; the order can be given up."""
    order("smtp-default", "stall", "--dns", "mx.example.test", "--no-wait")
    wait_for("the CA is asked", lambda: any(path == "/stall/dir" for _, path, _ in fake.seen), 20)
    assert show("smtp-default")["tries"] == 0
    server.run("cert", "cancel", "smtp-default")


def pending_over_a_kill():
    """An order that the CA lets wait goes on after kill -9 of certd: the same order, no second one."""
    fake.gate.clear()
    order("submission-default", "wait", "--dns", "mail.example.test", "--no-wait")
    wait_for("the order is pending at the CA", lambda: any(o["status"] == "processing" for o in fake.orders.values()), 20)
    v = wait_for("it says so", lambda: (p := server.json("cert", "pending", "submission-default"))["progress"] == "pending at the CA" and p, 10)
    assert v["order"].endswith("/o/" + max(fake.orders, key=int)), v
    count = len(fake.orders)
    pid = next(p["pid"] for p in server.processes() if p["role"] == "certd")
    os.kill(pid, signal.SIGKILL)
    wait_for("certd is back", lambda: any(p["role"] == "certd" and p["pid"] not in (0, pid) and p["state"] == "ready" for p in server.processes()), 20)
    fake.gate.set()
    wait_for("the certificate is installed", lambda: "Fake CA" in served("submissions"), 30)
    assert len(fake.orders) == count
    assert show("submission-default")["current"]["origin"] == "wait"


def renewal_information():
    """The CA's window is in the past: renewed at once, and the order names the certificate it replaces (RFC 9773)."""
    order("pop3-default", "ari", "--dns", "mail.example.test")
    first = show("pop3-default")["current"]["serial"]
    assert fake.orders[max(fake.orders, key=int)]["replaces"] is None
    fake.window = (time.time() - 7200, time.time() - 3600)
    # what was asked before is believed for six hours: a start asks again only when that is over
    state = server.data / "certs" / "pop3-default.order"
    server.stop()
    state.unlink()
    server.start()
    wait_for("it is renewed", lambda: show("pop3-default")["current"]["serial"] != first and show("pop3-default")["current"]["origin"] == "ari", 40)
    fake.window = None
    assert fake.orders[max(fake.orders, key=int)]["replaces"], fake.orders


def est():
    """EST (RFC 7030): pending with 202, then installed; a wrong login is told."""
    fake.gate.clear()
    order("pop3-default", "est", "--dns", "mail.example.test", "--no-wait")
    wait_for("it is pending", lambda: server.json("cert", "pending", "pop3-default")["progress"] == "pending at the CA", 20)
    fake.gate.set()
    wait_for("it is installed", lambda: show("pop3-default")["current"]["origin"] == "est", 20)
    shows("pop3s", "Fake CA")
    r = order("smtp-default", "estlogin", "--dns", "mx.example.test", check=False)
    assert r.returncode == 1 and "password_file" in r.stderr, r.stderr
    server.run("cert", "cancel", "smtp-default")


def second_source_and_alarms():
    """The CA is gone when renewal is due: alarms by mail, webhook and metric, then one of the own CA takes its place before the end."""
    order("nntp-default", "short", "--dns", "news.example.test")
    first = show("nntp-default")["current"]
    fake.down.add("short")
    wait_for("the own CA stands in", lambda: show("nntp-default")["current"]["source"] == "own CA", 60)
    assert time.time() < first["not_after"] + 1
    assert show("nntp-default")["pending"]["state"] == "pending"  # it is still tried
    wait_for("the webhook was told", lambda: any(x["vserver"] == "nntp-default" and x["level"] == 3 for x in fake.hooks), 20)

    def mail():
        with imaplib.IMAP4_SSL("localhost", server.port("imaps"), ssl_context=ssl._create_unverified_context(), timeout=20) as c:
            c.login(server.address("alice"), server.passwords["alice"])
            c.select("INBOX")
            found = c.search(None, "SUBJECT", '"certificate of nntp-default"')[1][0].split()
            return found and c.fetch(found[-1], "(BODY[])")[1][0][1].decode()
    text = wait_for("the postmaster was told", mail, 20)
    assert "What stands in the way: short: " in text and "Auto-Submitted: auto-generated" in text, text
    server.run("cert", "cancel", "nntp-default")


def start():
    global challenges, pebble, pebble_eab, pebble_dns, pebble_alpn, knot, fake
    make_server_certificate(folder)
    program = folder / "dns"
    program.write_text(f"""#!/bin/sh
echo "$1 $2 $3 uid $(id -u)" >> {folder}/calls
case "$1" in
present) curl -sf -d '{{"host":"'"$2"'.","value":"'"$3"'"}}' http://127.0.0.1:{{port}}/set-txt ;;
*) exit 0 ;;
esac
""")
    broken = folder / "broken"
    broken.write_text("#!/bin/sh\necho 'the API says: no such zone'\nexit 3\n")
    challenges = Challtestsrv(folder)
    program.write_text(program.read_text().replace("{port}", str(challenges.management)))
    for p in (program, broken):
        p.chmod(0o755)
    (folder / "calls").touch()
    (folder / "calls").chmod(0o666)
    knot = Knot(folder, "example.test")
    fake = FakeCA(folder)
    ports = server.port("http"), server.port("imaps")
    pebble = Pebble(folder, challenges.dns, *ports, env={"PEBBLE_WFE_NONCEREJECT": "15"})
    pebble_eab = Pebble(folder, challenges.dns, *ports, eab={"kid-1": EAB})
    pebble_dns = Pebble(folder, knot.port, *ports)


def row(name, url, root="fake.pem", more="", private="true", trust="tls.pem"):
    return f'{{ name = "{name}"; url = "{url}"; private = {private}; trust_file = "{trust}"; root_file = "{root}"; {more} }}'


def configure():
    """The authorities are known when their ports are: a reload brings them in."""
    certs = server.data / "certs"
    files = {"tls.pem": (folder / "tls.pem").read_bytes(), "pebble.pem": pebble.root(), "eab.pem": pebble_eab.root(), "dns.pem": pebble_dns.root(),
             "fake.pem": fake.root(), "eab.key": EAB.encode(), "tsig.key": knot.key.encode(), "wrong.key": b"AAAAAAAAAAAAAAAAAAAAAA==",
             "est.password": b"est secret\n", "bad.password": b"other"}
    for name, data in files.items():
        (certs / name).write_bytes(data)
        (certs / name).chmod(0o644)
    update = f'challenge = "dns-update"; dns_server = "127.0.0.1@{knot.port}"; dns_wait = 0; tsig_name = "acme"; '
    rows = [
        row("pebble", pebble.url, "pebble.pem", 'contact = "alice@example.test";'),
        row("alpn", pebble.url, "pebble.pem", 'challenge = "tls-alpn-01";'),
        row("command", pebble.url, "pebble.pem", f'challenge = "dns-command"; dns_wait = 0; dns_command = "{folder}/dns";'),
        row("broken", pebble.url, "pebble.pem", f'challenge = "dns-command"; dns_wait = 0; dns_command = "{folder}/broken";'),
        row("update", pebble_dns.url, "dns.pem", update + 'tsig_key_file = "tsig.key";'),
        row("wrongtsig", pebble_dns.url, "dns.pem", update + 'tsig_key_file = "wrong.key";'),
        row("noeab", pebble_eab.url, "eab.pem"),
        row("eab", pebble_eab.url, "eab.pem", 'eab_kid = "kid-1"; eab_key_file = "eab.key";'),
        row("public", fake.url("ok"), private="false"),
        row("untrusted", fake.url("ok"), trust="fake.pem"),
        row("nowhere", "https://127.0.0.1:9/dir"),
        row("est", f"https://127.0.0.1:{fake.port}/est", more='kind = "est"; user = "device"; password_file = "est.password";'),
        row("estlogin", f"https://127.0.0.1:{fake.port}/est", more='kind = "est"; user = "device"; password_file = "bad.password";'),
    ] + [row(mode, fake.url(mode)) for mode in "caa limit html huge round clear wrongkey wrongname stall wait ari short nononce badnonce othername manycerts lostnew lostold".split()]
    server.extra = (f'postmaster = "alice@example.test"; alarm_webhook = "http://127.0.0.1:{fake.hook_port}/";\n'
                    "authorities = (\n  " + ",\n  ".join(rows) + "\n);")
    server.write_conf()
    server.run("reload")


try:
    with Server(sys.argv[1]) as server:
        start()
        configure()
        main(http_01, tls_alpn_01, renewal_by_hand, account_key_rollover, rollover_whose_answer_is_lost, revocation, account_deactivation, dns_by_command, dns_command_fails, dns_by_update, external_account, rehearsal, rehearsal_that_fails, refusals, a_ca_that_does_not_answer,
             pending_over_a_kill, renewal_information, est, second_source_and_alarms)
finally:
    for name in ("pebble", "pebble_eab", "pebble_dns", "challenges", "knot", "fake"):
        if name in globals():
            globals()[name].stop()
    if os.environ.get("KEEP"):
        print("kept:", folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
