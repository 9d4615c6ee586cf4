#!/usr/bin/env python3
"""`sealpost evidence`: a signed report that others can check with ordinary programs, and a log that cannot be rewritten unseen."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from sealpost import Server, main  # noqa: E402


def report(name, *words):
    file = server.folder / name
    r = server.run("evidence", "--settings", str(settings), "--out", str(file), *words, "--json")
    return file, json.loads(r.stdout)


def inside(file):
    text = file.read_text()
    begin = text.index('id="evidence">') + len('id="evidence">')
    return json.loads(text[begin:text.index("</script>", begin)])


def test_report():
    file, answer = report("first.html")
    data = inside(file)
    assert data["format"] == "sealpost-evidence-1" and data["log"]["head"] == answer["head"]
    kinds = {x["kind"] for x in data["log"]["entries"]}
    assert {"issue", "swap", "settings"} <= kinds, kinds
    for name in ("imap4-default", "nntp-default", "smtp-default"):
        serial = data["certificates"][name]["current"]["serial"]
        assert [x for x in data["log"]["entries"] if x["kind"] == "swap" and x["vserver"] == name][-1]["serial"] == serial
        assert any(x["certificate"]["serial"] == serial for x in data["register"])
    assert len([x for x in data["probe"] if x["result"] == "PASS"]) > 100
    assert 'hostname = "localhost"' in data["settings"]
    for password in server.passwords.values():
        assert password not in file.read_text()
    r = server.json("evidence", "--verify", str(file))
    assert r["valid"] and r["head"] == answer["head"] and "sealpost evidence" in r["signer"], r
    # an ordinary program says the same
    r = subprocess.run(["openssl", "cms", "-verify", "-binary", "-inform", "PEM", "-in", f"{file}.p7s", "-content", str(file), "-CAfile", server.ca_file,
                        "-purpose", "any", "-out", "/dev/null"], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr


def test_what_is_new():
    earlier, _ = report("earlier.html")
    old = server.json("vserver", "show", "pop3-default")["certificate"]["current"]["serial"]
    server.run("cert", "issue", "pop3-default")
    server.run("ca", "revoke", old, "--reason", "superseded")
    _, answer = report("later.html", "--since", str(earlier))
    new = [(x["kind"], x.get("serial")) for x in answer["new"]]
    assert ("revoke", old) in new, new
    assert any(k == "swap" for k, s in new) and any(k == "issue" for k, s in new), new


def test_changed():
    file, _ = report("changed.html")
    text = file.read_text()
    file.write_text(text.replace("imap4-default", "imap4-defaulx", 1))
    r = server.run("evidence", "--verify", str(file), check=False)
    assert r.returncode == 1 and "does not fit" in r.stderr, r.stderr
    file.write_text(text)
    assert server.run("evidence", "--verify", str(file)).returncode == 0
    # of another root
    other = server.folder / "other.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3", "-subj", "/CN=other",
                    "-keyout", str(other) + ".key", "-out", str(other)], check=True, capture_output=True)
    assert server.run("evidence", "--verify", str(file), "--root", str(other), check=False).returncode == 1


def test_rewritten_log():
    earlier, _ = report("before.html")
    log = server.data / "evidence.log"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:1] + lines[2:]))
    r = server.run("evidence", "--settings", str(settings), "--out", str(server.folder / "x.html"), check=False)
    assert r.returncode == 1 and "entry 2 does not follow" in r.stderr, r.stderr
    # a whole new one is another history
    log.unlink()
    r = server.run("evidence", "--settings", str(settings), "--out", str(server.folder / "x.html"), "--since", str(earlier), check=False)
    # the same facts in another order of times give other hashes, the newest of the old entries at the latest
    assert r.returncode == 1 and "rewritten" in r.stderr, (r.stdout, r.stderr)


with Server(sys.argv[1]) as server:
    settings = server.folder / "settings.env"
    settings.write_text("".join(f"{k}={v}\n" for k, v in server.settings().items()))
    main(test_report, test_what_is_new, test_changed, test_rewritten_log)
