#!/usr/bin/env python3
"""The wizard's online authorities at a terminal: the own CA, an ACME CA (Debian's pebble) and an EST server (our own); names that clients have asked
for; renewal at the authority with a new key and with the one in use."""
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

from acme_peers import Challtestsrv, Pebble, make_server_certificate
from sealpost import Server, main, wait_for
from terminal import Terminal, ask_for_name

folder = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-wizard."))
folder.chmod(0o755)


def show(vserver):
    return server.json("cert", "show", vserver)["current"]


def served(port):
    c = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", server.port(port)), timeout=20) as s, c.wrap_socket(s, server_hostname="localhost") as t:
        der = t.getpeercert(True)
    return subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-issuer", "-ext", "subjectAltName"], input=der, capture_output=True, check=True).stdout.decode()


def shows(port, word):
    """Soon: the workers are told when it goes live."""
    return wait_for(f"{port} shows {word}", lambda: word in (text := served(port)) and text, 10)


GOLDEN = """Welcome to the Certificate Wizard for the virtual server imap4-default.
Enter takes what stands in brackets, - empties it, b goes back, q leaves. Nothing is done before its summary.

--- Modify the Current Certificate Assignment ---
In use: CN=localhost,O=Test, issued by CN=Test Issuing CA 1,O=Test
  1  Create a new certificate
  2  Renew the current certificate
  3  Replace the current certificate
  4  Assign the certificate of another virtual server
  5  Copy the certificate of another virtual server
  6  Import a certificate from a file
  7  Export the current certificate to a file
  8  Remove the current certificate
Number [1]: 1

--- Delayed or Immediate Request ---
  1  Prepare the request now, but send it later (another CA)
  2  Send the request immediately to an online certification authority
Number [1]: 2

--- Choose a Certification Authority ---
  1  The own CA of this server
  2  pebble (ACME, {pebble})
  3  est (EST, {est})
Number [1]: 2

--- Your Site's Common Name ---
If clients come from the Internet, it must be a fully qualified domain name that can be resolved externally,
and lead to this virtual server. Clients look at the alternative names; the common name is one of them.
Common name [localhost]: mail.example.test
Clients have asked for these names (SNI; how often), which no certificate here covers. Take only those that are yours.
  1  imap.example.test (3)
  2  evil.example.org (1)
Add which of them (numbers with commas, all, none) [none]: 1
Alternative names, with commas between [localhost, imap.example.test]: imap.example.test

--- Certificate Request Submission ---
The request goes to the authority now; the certificate is installed when it is there, and renewed by itself.
  Virtual server       imap4-default
  Key                  p256
  Names                mail.example.test, imap.example.test
  Authority            pebble
Send the request and install the certificate? [yes/b/q]: yes

A certificate is successfully installed on imap4-default.

The wizard is finished.
"""


def acme_word_for_word():
    """The list of authorities, the names that clients asked for, the summary; the certificate is pebble's and has them."""
    for name, times in (("imap.example.test", 3), ("evil.example.org", 1), ("localhost", 2)):
        for _ in range(times):
            ask_for_name(server.port("imaps"), name)
    golden = GOLDEN.format(pebble=pebble.url, est=est_url())
    t = Terminal(server, "imap4-default", folder)
    for answer in re.findall(r"(?:\]: )(.*)\n", golden):
        t.expect("]: ", answer)
    assert t.end() == 0, t.text
    said = re.sub(r"(?m)^pebble: .*\n", "", t.text)  # how far it is
    assert said == golden, "\n".join(__import__("difflib").unified_diff(golden.splitlines(), said.splitlines(), lineterm=""))
    text = shows("imaps", "Pebble Intermediate")
    assert "DNS:imap.example.test" in text and "evil" not in text and "localhost" not in text, text
    assert show("imap4-default")["origin"] == "pebble"


def renewal(choice):
    t = Terminal(server, "imap4-default", folder)
    t.expect("Renew the current certificate")
    t.expect("Number [1]: ", "2")
    t.expect("Its authority, pebble, is asked for another one")
    t.expect("Number [1]: ", choice)
    t.expect("Renew it? [yes/b/q]: ", "yes")
    t.expect("successfully installed on imap4-default.")
    assert t.end() == 0, t.text


def renewed_at_the_authority():
    first = show("imap4-default")
    renewal("1")
    second = show("imap4-default")
    assert second["origin"] == "pebble" and second["serial"] != first["serial"] and second["key"] != first["key"], second
    renewal("2")
    third = show("imap4-default")
    assert third["origin"] == "pebble" and third["serial"] != second["serial"] and third["key"] == second["key"], third
    assert third["certificate"]["names"] == first["certificate"]["names"]
    shows("imaps", "Pebble Intermediate")


def by_est():
    """Our own EST server is an authority like any other."""
    t = Terminal(server, "pop3-default", folder)
    t.expect("Number [1]: ", "1")
    t.expect("Number [1]: ", "2")
    t.expect("Choose a Certification Authority")
    t.expect("Number [1]: ", "3")
    t.expect("Common name [localhost]: ", "pop.example.test")
    t.expect("Alternative names, with commas between [localhost]: ", "-")
    t.expect("Names                pop.example.test\n")
    t.expect("[yes/b/q]: ", "yes")
    t.expect("successfully installed on pop3-default.")
    assert t.end() == 0, t.text
    text = shows("pop3s", "DNS:pop.example.test")
    assert "Test Issuing CA" in text and "DNS:pop.example.test" in text and "localhost" not in text, text
    assert show("pop3-default")["origin"] == "est" and show("pop3-default")["source"] == "external CA"


def refused_and_back():
    """What an authority refuses is told on its page; leaving afterwards keeps the certificate in use."""
    before = show("nntp-default")["serial"]
    t = Terminal(server, "nntp-default", folder)
    t.expect("Number [1]: ", "1")
    t.expect("Number [1]: ", "2")
    t.expect("Number [1]: ", "3")
    t.expect("Common name [localhost]: ", "news.elsewhere.example")
    t.expect("Alternative names, with commas between [localhost]: ", "-")
    t.expect("[yes/b/q]: ", "yes")
    t.expect("  ! est: ")
    t.expect("stays pending")
    t.expect("]: ", "q")
    assert t.end() == 1
    assert show("nntp-default")["serial"] == before
    server.run("cert", "cancel", "nntp-default")


def by_own_ca():
    before = show("submission-default")["serial"]
    t = Terminal(server, "submission-default", folder)
    t.expect("Number [1]: ", "1")
    t.expect("Number [1]: ", "2")
    t.expect("  1  The own CA of this server\n")
    t.expect("Number [1]: ", "")
    t.expect("[yes/b/q]: ", "yes")
    t.expect("successfully installed")
    assert t.end() == 0
    assert show("submission-default")["source"] == "own CA" and show("submission-default")["serial"] != before


def est_url():
    return f"https://localhost:{server.port('https')}/.well-known/est"


def configure():
    certs = server.data / "certs"
    word = server.json("ca", "est", "password", "create", "device", "--names", "example.test")["password"]
    for name, data in {"tls.pem": (folder / "tls.pem").read_bytes(), "pebble.pem": pebble.root(), "own.pem": pathlib.Path(server.ca_file).read_bytes(),
                       "est.password": word.encode()}.items():
        (certs / name).write_bytes(data)
        (certs / name).chmod(0o644)
    server.extra += f"""
authorities = (
  {{ name = "pebble"; url = "{pebble.url}"; private = true; trust_file = "tls.pem"; root_file = "pebble.pem"; }},
  {{ name = "est"; kind = "est"; url = "{est_url()}"; private = true; trust_file = "own.pem"; root_file = "own.pem"; user = "device"; password_file = "est.password"; }}
);"""
    server.write_conf()
    server.run("reload")


try:
    make_server_certificate(folder)
    challenges = Challtestsrv(folder)
    with Server(sys.argv[1], extra='est_server = { enabled = true; names = ( "example.test" ); };') as server:
        pebble = Pebble(folder, challenges.dns, server.port("http"), server.port("imaps"))
        configure()
        main(acme_word_for_word, renewed_at_the_authority, by_est, refused_and_back, by_own_ca)
finally:
    for name in ("pebble", "challenges"):
        if name in globals():
            globals()[name].stop()
    if os.environ.get("KEEP"):
        print("kept:", folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
