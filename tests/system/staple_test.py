#!/usr/bin/env python3
"""Stapled OCSP answers, as `openssl s_client -status` sees them: of the own CA on all five protocols, STARTTLS too, in TLS 1.2 and 1.3; gone when it is revoked; of another CA; demanded by the certificate; after a restart."""
import datetime
import http.server
import pathlib
import re
import subprocess
import sys
import threading
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
    return server.json("cert", "show", vserver).get("stapled") or {"failure": "", "since": 0, "until": 0}


def stapled_now():
    """certd tells the workers first, and has it in its own book a moment later."""
    return wait_for("certd has the answer", lambda: (lambda s: s["until"] > 0 and s)(stapled()))


def of_the_own_ca():
    for port, starttls in ENDPOINTS:
        for version in ("-tls1_3", "-tls1_2"):
            text = status(port, starttls, version)
            assert "successful (0x0)" in text and "Cert Status: good" in text, (port, version, text)
    assert status("imaps", ask=False) == "", "who does not ask gets none"
    s = stapled_now()
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


class Responder:
    """Of a CA that is another's: `openssl ocsp` for each question (as a server of its own it waits for ever on a connection that asks nothing)."""

    def __init__(self, minutes, signer="other"):
        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 5

            def do_POST(self):
                question = self.rfile.read(int(self.headers["Content-Length"]))
                (work / "question.der").write_bytes(question)
                sh("openssl", "ocsp", "-index", "index.txt", "-rsigner", f"{signer}.pem", "-rkey", f"{signer}.key", "-CA", "other.pem", "-nmin", minutes, "-reqin", "question.der", "-respout", "answer.der")
                answer = (work / "answer.der").read_bytes()
                self.server.asked += 1
                self.send_response(200)
                self.send_header("Content-Type", "application/ocsp-response")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.asked = 0
        self.port = self.http.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def make_ca():
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "other.key", "-out", "other.pem", "-subj", "/O=Other/CN=Other CA", "-days", "400",
       "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "liar.key", "-out", "liar.pem", "-subj", "/O=Other/CN=Other CA", "-days", "400",
       "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
    end = (datetime.datetime.utcnow() + datetime.timedelta(days=90)).strftime("%y%m%d%H%M%SZ")
    (work / "index.txt").write_text("".join(f"V\t{end}\t\t{serial:X}\tunknown\t/CN={serial:X}\n" for serial in (0x1001, 0x1002, 0x2001, 0x2002)))


def certificate(port, serial, must):
    """Signed by that CA for a request of the virtual server; its responder is at that port."""
    (work / "certreq.txt").unlink(missing_ok=True)
    server.run("cert", "request", VSERVER, "--dns", "localhost", "--out", str(work / "certreq.txt"))
    feature = "tlsfeature=status_request\n" if must else ""
    (work / "leaf.ext").write_text(f"subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\nbasicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\n"
                                   f"authorityKeyIdentifier=keyid\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:{port}/\n{feature}")
    sh("openssl", "x509", "-req", "-in", "certreq.txt", "-CA", "other.pem", "-CAkey", "other.key", "-set_serial", hex(serial), "-days", "90", "-extfile", "leaf.ext", "-out", "leaf.pem")


def install(check=True):
    return server.run("cert", "install", VSERVER, work / "leaf.pem", work / "other.pem", "--root", work / "other.pem", "--yes", check=check)


def option(value):
    text = re.sub(rf'(name = "{VSERVER}";)( ocsp_stapling = "\w+";)?', rf'\1 ocsp_stapling = "{value}";', server.conf.read_text())
    server.conf.write_text(text)
    server.run("reload")


def of_another_ca():
    make_ca()
    with Responder(10) as r:
        # its address is a private one: not asked unless the configuration says so
        certificate(r.port, 0x1001, False)
        install()
        wait_for("it is not asked", lambda: "private" in stapled()["failure"] or "not allowed" in stapled()["failure"])
        assert status("imaps", ca="other.pem") == ""
        option("private")
        server.run("cert", "cancel", VSERVER, check=False)
        certificate(r.port, 0x1002, False)
        install()
        text = wait_for("its answer", lambda: status("imaps", ca="other.pem"))
        assert "Cert Status: good" in text and "1002" in text, text
        s = stapled_now()
        assert s["failure"] == "" and s["until"] - s["since"] == 600 and s["ask_at"] < s["until"], s
        assert "good" in status("imap", "imap", "-tls1_2", ca="other.pem")
    # the responder is away: it is shown on
    assert "good" in status("imaps", ca="other.pem")


def must_staple():
    """RFC 7633: what clients would refuse does not go live."""
    before = server.json("cert", "show", VSERVER)["current"]["serial"]
    with Responder(10, "liar") as r:
        certificate(r.port, 0x2001, True)
        said = install(check=False)
        assert said.returncode == 1 and "must-staple" in said.stderr and "not signed" in said.stderr, said
        assert server.json("cert", "show", VSERVER)["current"]["serial"] == before
    server.run("cert", "cancel", VSERVER, check=False)
    with Responder(10) as r:
        certificate(r.port, 0x2002, True)
        install()
        now = server.json("cert", "show", VSERVER)
        assert now["stapled"]["demanded"] and now["stapled"]["failure"] == "" and now["current"]["serial"] != before, now
        assert "good" in status("imaps", ca="other.pem")


def after_a_restart():
    """The last answer is beside the certificate: it is shown from the first handshake on, though nobody can be asked; unless it does not hold."""
    [kept] = pathlib.Path(server.folder).rglob(f"{VSERVER}.staple")
    wait_for("it is kept", lambda: b"\x20\x02" in kept.read_bytes())
    answer = kept.read_bytes()
    server.stop()
    server.start()
    assert "good" in status("imaps", ca="other.pem")
    wait_for("the responder is away", lambda: "OCSP responder" in stapled()["failure"])
    assert "good" in status("imaps", ca="other.pem")
    server.stop()
    kept.write_bytes(answer.replace(b"\x02\x02\x20\x02", b"\x02\x02\x20\x01"))  # signed for another serial number
    server.start()
    assert status("imaps", ca="other.pem") == ""
    wait_for("what does not hold is not kept", lambda: not kept.exists())


if __name__ == "__main__":
    with Server(sys.argv[1]) as server:
        work = pathlib.Path(server.folder) / "work"
        work.mkdir()
        main(of_the_own_ca, when_it_is_revoked, of_another_ca, must_staple, after_a_restart)
