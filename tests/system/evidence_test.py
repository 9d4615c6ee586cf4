#!/usr/bin/env python3
"""`sealpost evidence`: a signed report that others can check with ordinary programs, and a log that cannot be rewritten unseen."""
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from sealpost import Server, main, wait_for  # noqa: E402


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
    assert r["serial"] == answer["signer_serial"] and r["register"] == "evidence", r
    away = server.json("evidence", "--verify", str(file), "--root", server.ca_file)
    assert away["valid"] and away["register"] is None, away
    assert server.run("ca", "issue", "--profile", "evidence", "--request", str(file), "--for", "sealpost evidence", check=False).returncode == 2
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


def sign(file, leaf, key):
    """As a report is signed, with somebody else's certificate of the same CA."""
    chain = pathlib.Path(f"{leaf}.chain")
    chain.write_text(leaf.read_text().split("-----END CERTIFICATE-----\n", 1)[1])
    subprocess.run(["openssl", "cms", "-sign", "-binary", "-nosmimecap", "-md", "sha256", "-in", str(file), "-signer", str(leaf), "-inkey", str(key),
                    "-certfile", str(chain), "-outform", "PEM", "-out", f"{file}.p7s"], check=True, capture_output=True)


def test_who_may_sign():
    """An account, a program's and a server's certificate of the own CA sign no report, whatever their names say."""
    true, _ = report("true.html")
    forged, key, request = (server.folder / x for x in ("byothers.html", "others.key", "others.csr"))
    forged.write_text(true.read_text().replace("PASS", "FAIL", 1))
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key), "-out", str(request),
                    "-subj", "/CN=sealpost evidence", "-addext", "extendedKeyUsage=1.3.6.1.5.5.7.3.36"], check=True, capture_output=True)
    for profile, name, words in (("account", server.address("bob"), "is not for reports"), ("smime", server.address("bob"), "is not for reports"),
                                 ("server", "localhost", "is not for reports"), ("code", "localhost", "does not know its signer")):
        leaf = server.folder / f"{profile}.pem"
        server.run("ca", "issue", "--profile", profile, "--request", str(request), "--names", name, "--out", str(leaf))
        sign(forged, leaf, key)
        for more in ((), ("--root", server.ca_file)):
            r = server.run("evidence", "--verify", str(forged), *more, check=False)
            assert r.returncode == 1 and (words in r.stderr or more and "before there was a profile" in r.stderr), (profile, more, r.stdout, r.stderr)
    # a report of before there was a profile for it: the register tells
    server.run("ca", "issue", "--profile", "code", "--request", str(request), "--names", server.address("bob"), "--for", "sealpost evidence", "--out", str(leaf))
    sign(true, leaf, key)
    r = server.json("evidence", "--verify", str(true))
    assert r["valid"] and r["register"] == "code", r
    # nothing behind the signature
    again, _ = report("again.html")
    beside = pathlib.Path(f"{again}.p7s")
    signature = beside.read_bytes()
    for more in (b"trailing", b"\n", signature):
        beside.write_bytes(signature + more)
        r = server.run("evidence", "--verify", str(again), check=False)
        assert r.returncode == 1 and "holds more than the signature" in r.stderr, (more, r.stdout, r.stderr)


def rows(since, part):
    return [(x["where"], x["what"], x["old"], x["new"]) for x in since[part]]


def test_what_is_different():
    """Not the log only: settings, results, certificates, accounts and trust of two reports, side by side."""
    issued = server.run("account", "cert", "issue", server.address("bob"), "--name", "old phone", "--out", str(server.folder / "p.p12"), "--passphrase-stdin",
                        input="a long passphrase\n")
    assert issued.returncode == 0
    capture = server.folder / "capture.json"
    audited = server.run("capture", "--audit", "--vserver", "imap4-default", "--settings", str(settings), "--json").stdout
    capture.write_text(audited)
    earlier, _ = report("then.html", "--capture", str(capture))
    same, answer = report("same.html", "--since", str(earlier), "--capture", str(capture))
    assert not any(answer["since"][part] for part in ("settings", "certificates", "history", "probe", "capture", "accounts", "trust")), answer["since"]
    assert "Settings, certificates, results and trust are what they were" in same.read_text()
    text = server.conf.read_text()
    server.conf.write_text(text.replace('organization = "Test"', 'organization = "<b>Other"')
                           .replace('name = "imap4-default"; protocol = "imap4";', 'name = "imap4-default"; protocol = "imap4"; client_certificates = "accept";'))
    server.run("reload")
    before = server.json("cert", "show", "imap4-default")["current"]["serial"]
    server.run("cert", "issue", "imap4-default")
    after = server.json("cert", "show", "imap4-default")["current"]["serial"]
    server.run("account", "cert", "revoke", server.address("bob"), "old phone")
    server.run("account", "cert", "issue", server.address("alice"), "--name", "laptop", "--out", str(server.folder / "a.p12"), "--passphrase-stdin",
               input="a long passphrase\n")
    capture.write_text(json.dumps(dict(json.loads(audited), hostname="another")))
    wait_for("the trust list", lambda: server.json("vserver", "show", "imap4-default")["client_certificates"].get("trusted"))
    file, answer = report("now.html", "--since", str(earlier), "--capture", str(capture))
    since = answer["since"]
    assert inside(file)["since"] == since
    assert rows(since, "settings") == [("", "organization", "Test", "<b>Other"), ("vservers imap4-default", "client_certificates", "ignore", "accept")], since
    assert ("imap4-default", "serial", before, after) in rows(since, "certificates"), since["certificates"]
    assert {x["where"] for x in since["certificates"]} == {"imap4-default"}
    assert any(x["where"] == "imap4-default" and x["what"].endswith("live") and x["serial"] == after for x in since["history"]), since["history"]
    probes = rows(since, "probe")
    assert (f"imap4-default 127.0.0.1:{server.port('imaps')}", "login-certificate") in [x[:2] for x in probes] and all("SKIP" in x[2] for x in probes), probes
    assert ("", "audit", "proved: no marked secret and nothing beyond the plain grammar can be read", "as given by file, not attested") in rows(since, "capture"), since["capture"]
    accounts = {(x["where"], x["what"]): x for x in since["accounts"]}
    assert accounts[(server.address("alice"), "certificate laptop")]["old"] is None, accounts
    gone = accounts[(server.address("bob"), "certificate old phone")]
    assert "valid" in gone["old"] and (gone["new"] is None or "revoked" in gone["new"]), gone
    assert [(x["where"], x["old"]) for x in since["trust"]] == [("imap4-default", None)] and "Root CA" in since["trust"][0]["what"], since["trust"]
    page = file.read_text().split('id="evidence">')[0]
    assert "Changed since" in page and "&lt;b&gt;Other" in page and "<b>Other" not in page and after in page
    shown = server.run("evidence", "--settings", str(settings), "--out", str(server.folder / "again.html"), "--since", str(earlier)).stdout
    assert "Certificates of accounts" in shown and "client_certificates" in shown and before in shown, shown
    server.conf.write_text(text)
    server.run("reload")
    # what was signed and then changed is not compared with
    forged = server.folder / "forged.html"
    forged.write_text(earlier.read_text().replace("Test Issuing", "Best Issuing"))
    (server.folder / "forged.html.p7s").write_bytes((server.folder / "then.html.p7s").read_bytes())
    refused(forged, "the signature does not fit")


def refused(earlier, words, *more):
    out = server.folder / "refused.html"
    r = server.run("evidence", "--settings", str(settings), "--out", str(out), "--since", str(earlier), *more, check=False)
    assert r.returncode == 1 and words in r.stderr and not out.exists(), r.stderr


def test_of_another_installation():
    """A true report of another server is not compared with: unknown roots; and with its root, another log."""
    with Server(sys.argv[1]) as other:
        given = other.folder / "settings.env"
        given.write_text("".join(f"{k}={v}\n" for k, v in other.settings().items()))
        file, root = other.folder / "theirs.html", server.folder / "theirs.pem"
        other.run("evidence", "--settings", str(given), "--out", str(file))
        root.write_bytes(pathlib.Path(other.ca_file).read_bytes())
        refused(file, "report of another installation, or of a CA that was replaced")
        refused(file, "is a report of another installation (localhost)", "--root", str(root))
        r = server.run("evidence", "--verify", str(file), check=False)
        assert r.returncode == 1 and "no root here vouches" in r.stderr, r.stderr


def entries():
    return [json.loads(line) for line in (server.data / "evidence.log").read_text().splitlines()]


def test_at_the_moment():
    """Each entry is there when the command has ended, by the process that did it, with who asked; no report is needed for it."""
    def newest(kind, n=1):
        found = wait_for(kind, lambda: [x for x in entries()[before:] if x["kind"] == kind])
        assert len(found) == n, found
        return found[-1]
    me = "root (uid 0)" if os.geteuid() == 0 else f"(uid {os.geteuid()})"
    before = len(entries())
    first = server.json("vserver", "show", "nntp-default")["certificate"]["current"]["serial"]
    server.run("cert", "issue", "nntp-default")
    now = server.json("vserver", "show", "nntp-default")["certificate"]["current"]["serial"]
    swap, issue = newest("swap"), newest("issue")
    assert (swap["vserver"], swap["serial"], swap["before"], swap["by"]) == ("nntp-default", now, first, "certd"), swap
    assert swap["asked"].endswith(me) and swap["why"], swap
    assert (issue["serial"], issue["by"], issue["asked"], issue["profile"]) == (now, "cad", "certd", "server"), issue
    before = len(entries())
    server.run("cert", "rollback", "nntp-default")
    back = newest("rollback")
    assert (back["serial"], back["before"]) == (first, now) and back["asked"].endswith(me), back
    before = len(entries())
    server.run("ca", "revoke", now, "--reason", "superseded")
    revoked = newest("revoke")
    assert (revoked["serial"], revoked["reason"], revoked["by"]) == (now, "superseded", "cad") and revoked["asked"].endswith(me), revoked
    before = len(entries())
    server.run("reload")  # nothing has changed
    text = server.conf.read_text()
    server.conf.write_text(text.replace('organization = "Test"', 'organization = "Another"'))
    server.run("reload")
    settings_of = newest("settings")
    assert settings_of["by"] == "supervisor" and settings_of["asked"].endswith(me) and len(settings_of["sha256"]) == 64, settings_of
    server.conf.write_text(text)
    before = len(entries())
    server.process.send_signal(signal.SIGHUP)
    assert newest("settings")["asked"] == "signal HUP"
    # nothing is left for a report to find
    _, answer = report("moment.html")
    assert not [x for x in entries() if "found" in x], entries()
    assert answer["entries"] + 1 == len(entries()) and entries()[-1]["profile"] == "evidence"  # the certificate of its signature


def test_key_export():
    server.run("cert", "request", "pop3-default", "--exportable", "--out", str(server.folder / "r.txt"))
    leaf = server.folder / "leaf.pem"
    server.run("ca", "issue", "--profile", "server", "--request", str(server.folder / "r.txt"), "--out", str(leaf))
    server.run("cert", "install", "pop3-default", str(leaf), "--yes")
    before = len(entries())
    server.run("cert", "export", "pop3-default", "--out", str(server.folder / "x.p12"), "--passphrase-stdin", input="a long passphrase\n")
    new = [x for x in entries()[before:] if x["kind"] == "export"]
    assert len(new) == 1 and new[0]["by"] == "keyd" and len(new[0]["key"]) >= 16 and "pop3-default" in new[0]["label"], new


def test_entry_in_the_middle():
    log = server.data / "evidence.log"
    text = log.read_text()
    lines = text.splitlines(keepends=True)
    middle = next(i for i in range(len(lines) // 2, len(lines)) if {"serial", "sha256"} & json.loads(lines[i]).keys())
    one = json.loads(lines[middle])
    name = next(k for k in ("serial", "sha256") if k in one)
    log.write_text("".join(lines[:middle]) + lines[middle].replace(one[name], one[name][::-1], 1) + "".join(lines[middle + 1:]))
    r = server.run("evidence", "--settings", str(settings), "--out", str(server.folder / "x.html"), check=False)
    assert r.returncode == 1 and f"entry {middle + 1} was changed" in r.stderr, r.stderr
    log.write_text(text)
    report("whole.html")
    # an entry that the machine did not finish: it was never said to be there
    log.write_text(text + '{"at":1,"kind":"sw')
    server.run("cert", "issue", "imap4-default")
    assert entries()[-1]["kind"] == "swap" and entries()[-1]["n"] == len(entries())
    report("torn.html")


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
    main(test_report, test_who_may_sign, test_what_is_new, test_what_is_different, test_of_another_installation, test_at_the_moment, test_key_export, test_entry_in_the_middle, test_changed, test_rewritten_log)
