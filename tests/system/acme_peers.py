"""acme_peers.py: the CAs and name servers that acme_test.py asks: Debian's pebble with its DNS, knot; each ended by its process id."""
import base64
import json
import os
import pathlib
import secrets
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sealpost import wait_for


def free_port(kind=socket.SOCK_STREAM):
    for _ in range(100):
        port = 10000 + secrets.randbelow(20000)
        try:
            for k in {socket.SOCK_STREAM, socket.SOCK_DGRAM}:
                with socket.socket(socket.AF_INET, k) as s:
                    s.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue
    raise RuntimeError("no free port")


def openssl(*words, cwd):
    subprocess.run(["openssl", *words], cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_server_certificate(folder):
    """tls.pem and tls.key for 127.0.0.1 and localhost, signed by themselves: the file is its own root."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "tls.key", "-out", "tls.pem",
            "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", cwd=folder)
    return folder / "tls.pem"


class Process:
    def __init__(self, *command, env=None, cwd=None, log=None):
        self.log = open(log, "ab") if log else subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=cwd, env={**os.environ, **(env or {})})

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Challtestsrv:
    """The DNS that pebble asks: everything is 127.0.0.1; TXT records are set over its management port."""

    def __init__(self, folder):
        self.dns, self.management = free_port(), free_port()
        self.p = Process("pebble-challtestsrv", "-defaultIPv6", "", "-defaultIPv4", "127.0.0.1", "-dns01", f"127.0.0.1:{self.dns}",
                         "-management", f"127.0.0.1:{self.management}", "-http01", "", "-https01", "", "-tlsalpn01", "", log=folder / "challtestsrv.log")
        wait_for("the DNS of pebble", lambda: listens(self.management), 20)

    def stop(self):
        self.p.stop()


class Pebble:
    def __init__(self, folder, dns, http_port, tls_port, eab=None, env=None, valid=0):
        self.folder, self.port, self.management = folder, free_port(), free_port()
        name = f"pebble-{self.port}"
        conf = {"listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}",
                "certificate": str(folder / "tls.pem"), "privateKey": str(folder / "tls.key"), "httpPort": http_port, "tlsPort": tls_port,
                "ocspResponderURL": "", "externalAccountBindingRequired": bool(eab)}
        if eab:
            conf["externalAccountMACKeys"] = eab
        if valid:
            conf["certificateValidityPeriod"] = valid
        (folder / f"{name}.json").write_text(json.dumps({"pebble": conf}))
        self.log = folder / f"{name}.log"
        self.p = Process("pebble", "-config", str(folder / f"{name}.json"), "-dnsserver", f"127.0.0.1:{dns}", "-strict",
                         env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0", **(env or {})}, log=self.log)
        wait_for("pebble", lambda: listens(self.port) and listens(self.management), 20)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}/dir"

    def root(self):
        context = ssl.create_default_context(cafile=str(self.folder / "tls.pem"))
        return urllib.request.urlopen(f"https://127.0.0.1:{self.management}/roots/0", context=context, timeout=10).read()

    def stop(self):
        self.p.stop()


class Knot:
    """A primary server of one zone that takes updates signed with a key; sign: it signs the zone (DNSSEC)."""

    def __init__(self, folder, zone, sign=False):
        self.zone, self.port = zone, free_port()
        self.key = base64.b64encode(secrets.token_bytes(32)).decode()
        home = folder / "knot"
        home.mkdir()
        (home / "zone").write_text(f"$ORIGIN {zone}.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 {1 if sign else 60}\n@ NS ns\nns A 127.0.0.1\n")
        (home / "knot.conf").write_text(f"""server:
    rundir: "{home}"
    listen: 127.0.0.1@{self.port}
database:
    storage: "{home}"
key:
  - id: acme
    algorithm: hmac-sha256
    secret: {self.key}
acl:
  - id: acme
    key: acme
    action: update
    update-type: [TXT, TLSA]
zone:
  - domain: {zone}
    storage: "{home}"
    file: zone
    zonefile-sync: -1
    journal-content: {"all" if sign else "none"}
    dnssec-signing: {"on" if sign else "off"}
    acl: acme
""")
        self.p = Process("knotd", "-c", str(home / "knot.conf"), log=folder / "knot.log")
        wait_for("knot", lambda: listens(self.port), 20)

    def anchor(self):
        """Its key, as a trust anchor."""
        def ask():
            out = subprocess.run(["dig", "@127.0.0.1", "-p", str(self.port), "+noall", "+answer", self.zone, "DNSKEY"], capture_output=True, timeout=20).stdout.decode()
            return "".join(line + "\n" for line in out.splitlines() if " 257 " in line.replace("\t", " "))
        return wait_for("knot has signed the zone", ask, 20)

    def change(self, *lines):
        """As an administrator does it."""
        text = f"server 127.0.0.1 {self.port}\nzone {self.zone}.\n" + "\n".join(lines) + "\nsend\n"
        subprocess.run(["nsupdate", "-y", f"hmac-sha256:acme:{self.key}"], input=text.encode(), check=True, timeout=20)

    def stop(self):
        self.p.stop()


# ------------------------------------------------------------ a CA that does what it is told, right or wrong

def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class FakeCA:
    """ACME below /MODE/dir and EST below /est; no signature is verified: the client is what is tested. MODE says what goes wrong."""

    def __init__(self, folder):
        self.folder = folder / "fake"
        self.folder.mkdir()
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650",
                "-subj", "/CN=Fake CA", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign", cwd=self.folder)
        self.orders, self.seen, self.hooks, self.lock = {}, [], [], threading.Lock()
        self.account_keys = {}  # by mode
        self.down = set()  # modes that answer 503 from now on
        self.window = None  # of renewal information
        self.gate = threading.Event()  # orders of mode "wait" and EST requests are pending until it is set
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words):
                pass

            def do_HEAD(self):
                fake.handle(self, b"")

            def do_GET(self):
                fake.handle(self, b"")

            def do_POST(self):
                fake.handle(self, self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):  # a client that gives up is what some tests want
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.hook_server = Server(("127.0.0.1", 0), type("Hook", (Handler,), {"do_POST": lambda h: fake.hook(h)}))
        self.hook_port = self.hook_server.server_address[1]
        threading.Thread(target=self.hook_server.serve_forever, daemon=True).start()

    def url(self, mode):
        return f"https://127.0.0.1:{self.port}/{mode}/dir"

    def root(self):
        return (self.folder / "ca.pem").read_bytes()

    def stop(self):
        self.gate.set()
        self.server.shutdown()
        self.hook_server.shutdown()

    def hook(self, h):
        self.hooks.append(json.loads(h.rfile.read(int(h.headers["Content-Length"]))))
        self.send(h, 204, b"")

    def send(self, h, status, body, headers=(), kind="application/json"):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        h.send_response(status)
        h.send_header("Replay-Nonce", b64(secrets.token_bytes(12)))
        h.send_header("Content-Type", kind)
        h.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            h.send_header(name, value)
        h.end_headers()
        if h.command != "HEAD":
            h.wfile.write(body)

    def problem(self, h, kind, detail, status=403, headers=()):
        self.send(h, status, {"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": status}, headers, "application/problem+json")

    def sign(self, csr, mode, seconds=90 * 86400):
        with self.lock:
            n = len(list(self.folder.glob("csr*")))
            name = f"csr{n}"
            (self.folder / name).write_bytes(csr)
            if mode == "wrongkey":
                openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "other.key", "-subj", "/CN=other",
                        "-addext", "subjectAltName=DNS:bad.example.test", "-outform", "DER", "-out", name, cwd=self.folder)
            san = subprocess.run(["openssl", "req", "-inform", "DER", "-in", name, "-noout", "-text"], cwd=self.folder, capture_output=True, check=True).stdout.decode()
            names = ",".join(w.strip() for w in san.split("Subject Alternative Name:")[1].split("\n")[1].split(",")).replace("IP Address", "IP")
            if mode == "wrongname":
                names = "DNS:elsewhere.example.test"
            (self.folder / "ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n"
                                             "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
            now = time.time()
            stamp = lambda t: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(t))
            (self.folder / "index").write_text("")
            (self.folder / "ca.conf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ncertificate=ca.pem\nprivate_key=ca.key\n"
                                                 "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=optional\norganizationName=optional\n")
            (self.folder / "serial").write_text(secrets.token_hex(9).upper().replace("F", "7") if n else "7001")
            openssl("ca", "-batch", "-config", "ca.conf", "-in", name, "-inform", "DER", "-out", f"cert{n}.pem", "-notext", "-extfile", "ext",
                    "-startdate", stamp(now - 1), "-enddate", stamp(now - 1 + seconds), cwd=self.folder)
            return (self.folder / f"cert{n}.pem").read_bytes()

    def handle(self, h, body):
        try:
            path = h.path.strip("/").split("/")
            self.seen.append((h.command, h.path, body))
            self.est(h, path, body) if path[0] == "est" else self.acme(h, path[0], path[1:], body)
        except (OSError, ssl.SSLError):
            h.close_connection = True

    def acme(self, h, mode, path, body):
        base = f"https://127.0.0.1:{self.port}/{mode}"
        what = path[0] if path else ""
        if mode in self.down:
            return self.send(h, 503, b"down", kind="text/plain")
        if what == "dir":
            return self.directory(h, mode, base)
        if what == "nonce" and mode == "nononce":
            h.send_response(200)
            h.send_header("Content-Length", "0")
            return h.end_headers()
        if what == "nonce":
            return self.send(h, 200, b"")
        if what == "ari":
            return self.ari(h)
        message = json.loads(body)
        header, payload = json.loads(unb64(message["protected"])), unb64(message["payload"])
        assert header["url"] == base.rsplit("/", 1)[0] + h.path and header["alg"] == "ES256"
        if mode == "badnonce":
            return self.problem(h, "badNonce", "that one is used up", 400)
        if what == "keychange":  # the answer is lost; "lostnew": but it was done
            if mode == "lostnew":
                self.account_keys[mode] = json.loads(unb64(json.loads(payload)["protected"]))["jwk"]
            h.close_connection = True
            return h.connection.close()
        if what == "account" and json.loads(payload).get("onlyReturnExisting") and self.account_keys.get(mode) != header["jwk"]:
            return self.problem(h, "accountDoesNotExist", "no account of that key", 400)
        if what == "account":
            self.account_keys[mode] = header["jwk"]
            return self.send(h, 201, {"status": "valid"}, [("Location", base + "/acct/1")])
        if what == "order":
            if mode == "limit":
                return self.problem(h, "rateLimited", "too many certificates (5) already issued", 429, [("Retry-After", "7200")])
            number = str(len(self.orders))
            self.orders[number] = {"ids": json.loads(payload)["identifiers"], "status": "pending", "replaces": json.loads(payload).get("replaces")}
            return self.send(h, 201, self.order(base, number), [("Location", f"{base}/o/{number}")])
        number = path[1]
        o = self.orders[number]
        if what == "o":
            if o["status"] == "processing" and self.gate.is_set():
                o["status"] = "valid"
            return self.send(h, 200, self.order(base, number), [("Retry-After", "1")])
        if what == "z":
            return self.send(h, 200, self.authorization(base, number, mode))
        if what == "c":
            o["status"] = "invalid" if mode == "caa" else "ready"
            return self.send(h, 200, self.authorization(base, number, mode)["challenges"][0])
        if what == "f":
            csr = unb64(json.loads(payload)["csr"])
            o["pem"] = self.sign(csr, mode, 30 if mode == "short" else 90 * 86400)
            o["status"] = "processing" if mode == "wait" else "valid"
            return self.send(h, 200, self.order(base, number))
        if what == "p" and mode == "manycerts":
            return self.send(h, 200, o["pem"] + self.root() * 600, kind="application/pem-certificate-chain")
        if what == "p":
            return self.send(h, 200, o["pem"], kind="application/pem-certificate-chain")
        self.problem(h, "malformed", "no such thing", 404)

    def directory(self, h, mode, base):
        if mode == "html":
            return self.send(h, 200, b"<html>captive portal</html>", kind="text/html")
        if mode == "stall":
            return time.sleep(60)
        if mode == "round":
            return self.send(h, 302, b"", [("Location", base + "/dir")])
        if mode == "clear":
            return self.send(h, 302, b"", [("Location", f"http://127.0.0.1:{self.hook_port}/dir")])
        if mode == "huge":
            h.send_response(200)
            h.send_header("Transfer-Encoding", "chunked")
            h.end_headers()
            for _ in range(4000):
                h.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            return None
        d = {"newNonce": base + "/nonce", "newAccount": base + "/account", "newOrder": base + "/order"}
        if mode == "ari":
            d["renewalInfo"] = base + "/ari"
        if mode.startswith("lost"):
            d["keyChange"] = base + "/keychange"
        self.send(h, 200, d)

    def ari(self, h):
        if not self.window:
            return self.send(h, 404, b"", kind="text/plain")
        stamp = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
        self.send(h, 200, {"suggestedWindow": {"start": stamp(self.window[0]), "end": stamp(self.window[1])}}, [("Retry-After", "60")])

    def order(self, base, number):
        o = self.orders[number]
        d = {"status": o["status"], "identifiers": o["ids"], "finalize": f"{base}/f/{number}", "authorizations": [f"{base}/z/{number}"]}
        if o["status"] == "valid":
            d["certificate"] = f"{base}/p/{number}"
        return d

    def authorization(self, base, number, mode):
        o = self.orders[number]
        status = {"pending": "pending", "invalid": "invalid"}.get(o["status"], "valid")
        c = {"type": "http-01", "url": f"{base}/c/{number}", "token": "0123456789abcdef0123", "status": status}
        if status == "invalid":
            c["error"] = {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA record for example.test prevents issuance", "status": 403}
        identifier = {"type": "dns", "value": "bank.example"} if mode == "othername" else o["ids"][0]
        return {"status": status, "identifier": identifier, "challenges": [c]}

    # EST (RFC 7030): the first request is pending, until the gate is open

    def est(self, h, path, body):
        if path[1] == "cacerts":
            pem = self.folder / "ca.pem"
        elif h.headers.get("Authorization") != "Basic " + base64.b64encode(b"device:est secret").decode():
            return self.send(h, 401, b"who are you?", kind="text/plain")
        elif not self.gate.is_set():
            return self.send(h, 202, b"", [("Retry-After", "1")], kind="text/plain")
        else:
            pem = self.folder / "est.pem"
            pem.write_bytes(self.sign(base64.b64decode(body), "est"))
        p7 = subprocess.run(["openssl", "crl2pkcs7", "-nocrl", "-certfile", pem, "-outform", "DER"], capture_output=True, check=True).stdout
        self.send(h, 200, base64.encodebytes(p7), kind="application/pkcs7-mime; smime-type=certs-only")
