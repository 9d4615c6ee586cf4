#!/usr/bin/env python3
"""Stapled OCSP answers, as `openssl s_client -status` sees them: of the own CA on all five protocols, STARTTLS too, in TLS 1.2 and 1.3; gone when it is revoked."""
import pathlib
import re
import subprocess
import sys
import time

from sealpost import Server, main, wait_for

server = work = None
ENDPOINTS = (("imaps", None), ("imap", "imap"), ("pop3s", None), ("pop3", "pop3"), ("smtp", "smtp"), ("submission", "smtp"), ("submissions", None), ("nntps", None), ("nntp", "nntp"), ("https", None))
VSERVER = "imap4-default"


def sh(*words, input=None, check=True):
    r = subprocess.run([str(w) for w in words], input=input, capture_output=True, cwd=work, timeout=60)
    assert not check or r.returncode == 0, (words, r.stdout, r.stderr)
    return r


def status(port, starttls=None, *more, ca=None, ask=True):
    """What s_client says of the answer; \"\": none was sent."""
    words = ["openssl", "s_client", "-connect", f"localhost:{server.port(port)}", "-CAfile", ca or server.ca_file, *more]
    out = sh(*words, *(["-status"] if ask else []), *(["-starttls", starttls] if starttls else []), input=b"", check=False).stdout.decode(errors="replace")
    assert "Verify return code: 0 (ok)" in out, (port, starttls, out)
    if "OCSP Response Status" not in out:
        assert ask is False or "OCSP response: no response sent" in out, out
        return ""
    return re.search(r"OCSP Response Data:.*?Next Update: [^\n]*", out, re.S)[0]


def stapled(vserver=VSERVER):
    return server.json("cert", "show", vserver)["stapled"]


def of_the_own_ca():
    for port, starttls in ENDPOINTS:
        for version in ("-tls1_3", "-tls1_2"):
            text = status(port, starttls, version)
            assert "successful (0x0)" in text and "Cert Status: good" in text, (port, version, text)
    assert status("imaps", ask=False) == "", "who does not ask gets none"
    s = stapled()
    assert s["until"] > time.time() + 3600 and s["failure"] == "" and not s["demanded"] and s["ask_at"] < s["until"] - 3600, s
    text = server.run("cert", "show", VSERVER).stdout
    assert re.search(r"Stapled until +20\d\d-", text), text
    # it is the answer for what is shown now: another certificate, another answer
    before = re.search("Serial Number: (.*)", status("imaps"))[1]
    server.run("cert", "issue", VSERVER)
    wait_for("the answer for the new one", lambda: "good" in status("imaps") and re.search("Serial Number: (.*)", status("imaps"))[1] != before)
    # a worker that comes later has it too
    for p in server.processes():
        if p["role"] == "access" and p["pid"]:
            subprocess.run(["kill", "-9", str(p["pid"])], check=True)
    wait_for("answers of another worker", lambda: all(p["state"] == "ready" for p in server.processes()))
    assert "good" in status("imaps")


def when_it_is_revoked():
    """What says that it is good goes at once; the one that follows has its own."""
    serial = server.json("cert", "show", VSERVER)["current"]["serial"]
    server.run("ca", "revoke", serial)
    wait_for("another certificate", lambda: server.json("cert", "show", VSERVER)["current"]["serial"] != serial)
    wait_for("with an answer", lambda: "good" in status("imaps"))


if __name__ == "__main__":
    with Server(sys.argv[1]) as server:
        work = pathlib.Path(server.folder) / "work"
        work.mkdir()
        main(of_the_own_ca, when_it_is_revoked)
