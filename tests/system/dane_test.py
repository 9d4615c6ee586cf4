#!/usr/bin/env python3
"""DANE: the TLSA records of a virtual server as openssl computes them, published by RFC 2136 at knot, which signs the zone; a new key goes live when a
validating resolver has seen its record for two TTLs, and then the old record vanishes; unsigned and forged answers hold it, with the reason."""
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from acme_peers import FakeCA, Knot, make_server_certificate
from sealpost import Server, main, wait_for

TTL = 2
HOST = "mx.example.test"
NAMES = 'ca_dns = ( "example.test", "localhost", "elsewhere.example" );\n'
folder = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-dane."))
folder.chmod(0o755)
anchor, other_anchor = folder / "anchor", folder / "other.anchor"


def owner(port="smtp", host=HOST):
    return f"_{server.port(port)}._tcp.{host}."


def show(vserver="smtp-default"):
    return server.json("cert", "show", vserver)


def chain(port="smtp", starttls=True):
    """What the endpoint shows, PEM by PEM."""
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port(port)}", "-servername", HOST, "-showcerts"] + (["-starttls", "smtp"] if starttls else [])
    out = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20).stdout.decode()
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", out, re.S)


def spki_sha256(pem):
    key = subprocess.run(["openssl", "x509", "-noout", "-pubkey"], input=pem.encode(), capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, capture_output=True, check=True).stdout
    return subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=der, capture_output=True, check=True).stdout.decode().split()[0]


def in_dns(name=None):
    """The TLSA records that knot has, as words."""
    out = subprocess.run(["kdig" if shutil.which("kdig") else "dig", "@127.0.0.1", "-p", str(knot.port), "+short", "+nosplit", name or owner(), "TLSA"],
                         capture_output=True, timeout=20).stdout.decode()
    return {" ".join(line.lower().split()[:3]) + " " + "".join(line.lower().split()[3:]) for line in out.splitlines() if line and line[0].isdigit()}


def values_are_those_of_openssl():
    """3 1 1 of the certificate that is shown, 2 1 1 of its CA; as JSON, and as lines of a zone file; and they are published."""
    wait_for("the name of the configuration is in the certificate", lambda: (v := show())["next"]["state"] == "none" and v["current"]["state"] == "live" and
             HOST in v["current"]["certificate"]["names"], 60)
    pems = chain()
    want = {f"3 1 1 {spki_sha256(pems[0])}"} | {f"2 1 1 {spki_sha256(p)}" for p in pems[1:]}
    assert len(want) >= 2, pems
    v = server.json("cert", "tlsa", "smtp-default")
    got = {f'{r["usage"]} {r["selector"]} {r["matching"]} {r["data"]}' for r in v["records"] if r["owner"] == owner()}
    assert got == want and all(r["current"] and not r["next"] for r in v["records"]), (got, want)
    text = server.run("cert", "tlsa", "smtp-default").stdout
    for w in want:
        assert f"{owner()} {TTL} IN TLSA {w} ;" in text, text
    zone = folder / "check.zone"
    zone.write_text(f"$ORIGIN example.test.\n@ 60 SOA ns h 1 60 60 60 60\n@ 60 NS ns\nns 60 A 127.0.0.1\n{text}")
    if shutil.which("kzonecheck"):
        subprocess.run(["kzonecheck", "-o", "example.test", zone], check=True, capture_output=True)
    wait_for("they are published", lambda: in_dns() == want, 20)
    wait_for("it says so", lambda: all(r["published"] for r in server.json("cert", "tlsa", "smtp-default")["records"]), 10)


def others_are_not_published():
    """Where dane is off, the values are printed, and nothing else happens."""
    v = server.json("cert", "tlsa", "imap4-default")
    assert v["mode"] == "off" and v["records"] and not any(r["published"] for r in v["records"]), v
    assert "dane is off" in server.run("cert", "tlsa", "imap4-default").stdout
    before = show("imap4-default")["current"]["serial"]
    server.run("cert", "issue", "imap4-default")
    assert show("imap4-default")["current"]["serial"] != before


def a_new_key_waits_two_ttls():
    """Both records are there until the swap, which comes no sooner than two TTLs after the new one could be seen; then the old one goes."""
    old = spki_sha256(chain()[0])
    before = show()["current"]["serial"]
    v = server.json("cert", "issue", "smtp-default")
    began = time.monotonic()
    assert v["current"]["serial"] == before and v["next"]["state"] == "staged" and v["held"] and "TLSA" in v["waits"], v
    new = next(r["data"] for r in server.json("cert", "tlsa", "smtp-default")["records"] if r["next"] and r["usage"] == 3)
    assert new != old
    seen = wait_for("the new one is published", lambda: f"3 1 1 {new}" in in_dns() and time.monotonic(), 20)
    assert f"3 1 1 {old}" in in_dns()
    v = wait_for("it says that it is seen", lambda: (x := show())["held"] and "is seen" in x["waits"] and x, 20)
    assert "two TTLs" in v["waits"], v
    assert "a new certificate is staged" in next(r for r in server.json("cert", "list") if r["vserver"] == "smtp-default")["failure"]
    # it serves on with the old key, whose record stays, until then
    while show()["current"]["serial"] == before:
        assert f"3 1 1 {old}" in in_dns() or show()["current"]["serial"] != before
        assert time.monotonic() - began < 60, show()
        time.sleep(0.2)
    swapped = time.monotonic()
    assert swapped - seen >= 2 * TTL - 0.5, (swapped - seen, "too early")
    assert spki_sha256(chain()[0]) == new
    wait_for("the old one is taken away", lambda: f"3 1 1 {old}" not in in_dns(), 20)
    assert f"3 1 1 {new}" in in_dns()
    notes = [h["note"] for h in show()["history"]]
    assert any(n.startswith("waits: its TLSA record") for n in notes), notes
    assert any(n.startswith("its TLSA record was seen for two TTLs of") for n in notes), notes
    r = server.run("cert", "swap", "smtp-default", check=False)
    assert r.returncode == 1 and "no certificate that is staged" in r.stderr, r.stderr


def the_administrator_need_not_wait():
    before = show()["current"]["serial"]
    server.run("cert", "issue", "smtp-default")
    r = server.run("cert", "swap", "smtp-default", check=False)
    assert r.returncode == 1 and "--now" in r.stderr and "TLSA" in r.stderr, r.stderr
    assert show()["current"]["serial"] == before
    server.run("cert", "swap", "smtp-default", "--now")
    v = show()
    assert v["current"]["serial"] != before and not v["held"], v
    assert any("without waiting" in h["note"] for h in v["history"])
    want = spki_sha256(chain()[0])
    wait_for("DNS follows", lambda: {w for w in in_dns() if w.startswith("3 1 1")} == {f"3 1 1 {want}"}, 20)


def over_a_restart():
    """What waits goes on waiting, anew; nothing is forgotten that stands in DNS."""
    before = show()["current"]["serial"]
    server.run("cert", "issue", "smtp-default")
    staged = show()["next"]["serial"]
    wait_for("both are published", lambda: len([w for w in in_dns() if w.startswith("3 1 1")]) == 2, 20)
    pid = next(p["pid"] for p in server.processes() if p["role"] == "certd")
    os.kill(pid, 9)
    wait_for("certd is back", lambda: any(p["role"] == "certd" and p["pid"] not in (0, pid) and p["state"] == "ready" for p in server.processes()), 20)
    wait_for("it waits again", lambda: show().get("held"), 20)
    assert show()["current"]["serial"] == before
    wait_for("it is live", lambda: show()["current"]["serial"] == staged, 60)
    wait_for("one record is left", lambda: len([w for w in in_dns() if w.startswith("3 1 1")]) == 1, 20)


def one_of_an_authority_waits_too():
    """The command says so and does not wait with it; nothing is ordered twice meanwhile."""
    before = show()["current"]["serial"]
    out = server.run("cert", "request", "smtp-default", "--ca", "ok", "--dns", HOST).stdout
    assert "staged for smtp-default" in out and "TLSA" in out, out
    v = show()
    assert v["held"] and v["current"]["serial"] == before and v["pending"]["state"] == "none" and v["next"]["state"] == "staged", v
    orders = len(fake.orders)
    wait_for("it is live", lambda: show()["current"].get("origin") == "ok", 60)
    assert len(fake.orders) == orders
    want = {f"3 1 1 {spki_sha256(chain()[0])}"}
    wait_for("its records alone are left", lambda: {w for w in in_dns() if w.startswith("3")} == want, 20)


def held(words, then):
    """A new key is held for that reason, for longer than two TTLs; then it goes live without more ado."""
    before = show()["current"]["serial"]
    server.run("cert", "issue", "smtp-default")
    v = wait_for(words, lambda: (x := show())["held"] and words in x["waits"] and x, 30)
    assert v["current"]["serial"] == before, v
    time.sleep(2 * TTL + 0.5)
    v = show()
    assert v["current"]["serial"] == before and v["held"] and words in v["waits"], v
    assert any(words in h["note"] for h in v["history"]), v["history"]
    assert words in server.run("cert", "show", "smtp-default").stdout.replace("\n", " ")
    then()
    wait_for("it is live", lambda: show()["current"]["serial"] not in (before, ""), 60)


def settings(anchor, port=None, mode="publish", names=f'"{HOST}"'):
    server.extra = (NAMES + f'dns_servers = ( "127.0.0.1@{port or knot.port}" ); dns_trust_anchor = "{anchor}";\n'
                    f'dane = {{ server = "127.0.0.1@{knot.port}"; tsig_name = "acme"; tsig_key_file = "tsig.key"; ttl = {TTL}; }};\n'
                    f'authorities = ( {{ name = "ok"; url = "{fake.url("ok")}"; private = true; trust_file = "tls.pem"; root_file = "fake.pem"; }} );')
    server.vserver_extra["smtp-default"] = f'names = ( {names} ); dane = "{mode}";'
    server.write_conf()
    server.run("reload")


def an_unsigned_answer_holds_it():
    """The trust anchor is of another zone: what is asked is not secured by DNSSEC."""
    settings(other_anchor)
    held("is not secured by DNSSEC", lambda: settings(anchor) or server.run("cert", "swap", "smtp-default", "--now"))


def a_forged_answer_holds_it():
    """Somebody between changes what the records say."""
    forger.forges = True
    settings(anchor, forger.port)

    def honest():
        forger.forges = False
    try:
        held("do not hold (bogus)", honest)
    finally:
        forger.forges = False
        settings(anchor)


persons = set()  # records that are not ours


def a_record_of_a_person():
    """dane = print: nothing of ours is left in DNS, renewals by hand wait until a person has published, others are not touched."""
    settings(anchor, mode="print")
    wait_for("ours are taken away", lambda: not in_dns(), 20)
    current = next(r for r in server.json("cert", "tlsa", "smtp-default")["records"] if r["usage"] == 3)["data"]
    knot.change(f"update add {owner()} {TTL} TLSA 3 1 1 {current}")
    before = show()["current"]["serial"]
    server.run("cert", "issue", "smtp-default")
    wait_for("it is not there", lambda: "is not among the TLSA records" in show()["waits"], 30)
    new = next(r for r in server.json("cert", "tlsa", "smtp-default")["records"] if r["usage"] == 3 and r["next"])["data"]
    assert show()["current"]["serial"] == before
    knot.change(f"update add {owner()} {TTL} TLSA 3 1 1 {new}")
    persons.update({f"3 1 1 {current}", f"3 1 1 {new}"})
    wait_for("it is live", lambda: show()["current"]["serial"] != before, 60)
    assert f"3 1 1 {current}" in in_dns()  # not ours


def the_same_key_does_not_wait():
    """What is renewed by itself keeps its key where a person would have to publish a new one; then nothing waits."""
    key, before = spki_sha256(chain()[0]), show()["current"]["serial"]
    settings(anchor, mode="print", names=f'"{HOST}", "mail.example.test", "elsewhere.example"')
    wait_for("it is renewed", lambda: show()["current"]["serial"] != before, 20)
    v = show()
    assert "mail.example.test" in v["current"]["certificate"]["names"] and v["next"]["state"] == "none" and not v["held"], v
    assert spki_sha256(chain()[0]) == key
    assert not any(h["note"].startswith("waits") for h in v["history"][-6:]), v["history"]
    assert {r["owner"] for r in server.json("cert", "tlsa", "smtp-default")["records"]} == {owner(), owner(host="mail.example.test"), owner(host="elsewhere.example")}


def names_of_other_zones():
    """Are not published, and nobody waits for them."""
    settings(anchor, names=f'"{HOST}", "elsewhere.example"')
    wait_for("what is ours is published", lambda: {r["owner"] for r in server.json("cert", "tlsa", "smtp-default")["records"] if r["published"]} == {owner()}, 20)
    assert not show()["dane_failure"]
    before = show()["current"]["serial"]
    server.run("cert", "issue", "smtp-default")
    wait_for("it is seen", lambda: (v := show())["held"] and "is seen" in v["waits"] or v["current"]["serial"] != before, 30)
    server.run("cert", "swap", "smtp-default", "--now", check=False)
    wait_for("it is live", lambda: show()["current"]["serial"] != before, 60)


def a_refused_update_is_told():
    settings(anchor)
    want = {f"3 1 1 {spki_sha256(chain()[0])}"}
    wait_for("DNS has what there should be", lambda: {w for w in in_dns() if w.startswith("3 1 1") and w not in persons} == want - persons, 30)
    (server.data / "certs" / "tsig.key").write_text("AAAAAAAAAAAAAAAAAAAAAA==")
    before = show()["current"]["serial"]
    server.run("cert", "issue", "smtp-default")
    v = wait_for("it says why", lambda: (x := show())["dane_failure"] and "cannot be published" in x["waits"] and x, 30)
    assert "tsig" in v["dane_failure"] and v["held"] and v["current"]["serial"] == before, v
    assert "cannot be published" in server.run("cert", "tlsa", "smtp-default").stdout


class Forger:
    """A DNS server that asks knot and, when it is told to, flips a bit of the TLSA data on the way."""

    def __init__(self, port):
        self.forges, self.upstream = False, port
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.open = True
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while self.open:
            try:
                question, address = self.socket.recvfrom(4096)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.settimeout(3)
                    s.sendto(question, ("127.0.0.1", self.upstream))
                    answer = bytearray(s.recv(4096))
            except OSError:
                continue
            if self.forges:
                for m in re.finditer(rb"\x00\x34\x00\x01....\x00\x23\x03\x01\x01", bytes(answer), re.S):
                    answer[m.end()] ^= 1
            self.socket.sendto(bytes(answer), address)

    def stop(self):
        self.open = False
        self.socket.close()


def configure():
    certs = server.data / "certs"
    for path, data in {certs / "tsig.key": knot.key, certs / "tls.pem": (folder / "tls.pem").read_text(), certs / "fake.pem": fake.root().decode(), anchor: knot.anchor(), other_anchor: "other.test. IN DS 12345 13 2 " + "0" * 64 + "\n"}.items():
        path.write_text(data)
        path.chmod(0o644)
    settings(anchor)
    server.stop()  # the anchor is read before the jail
    server.start()


try:
    knot = Knot(folder, "example.test", sign=True)
    forger = Forger(knot.port)
    make_server_certificate(folder)
    fake = FakeCA(folder)
    with Server(sys.argv[1], extra=NAMES) as server:
        configure()
        main(values_are_those_of_openssl, others_are_not_published, a_new_key_waits_two_ttls, the_administrator_need_not_wait, over_a_restart,
             one_of_an_authority_waits_too, an_unsigned_answer_holds_it, a_forged_answer_holds_it, a_record_of_a_person, the_same_key_does_not_wait,
             names_of_other_zones, a_refused_update_is_told)
finally:
    for name in ("knot", "forger", "fake"):
        if name in globals():
            globals()[name].stop()
    if os.environ.get("KEEP"):
        print("kept:", folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
