#!/usr/bin/env python3
"""The own CA's ACME server, asked by a client that can do wrong: what is right is certified, the rest is refused with the right problem."""
import base64
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import re
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from sealpost import Server, main, wait_for

server = work = dns = None
http_port = tls_port = 0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def sh(*words, check=True, env=None, input=None):
    r = subprocess.run([str(w) for w in words], input=input, capture_output=True, cwd=work, timeout=100, env={**os.environ, **(env or {})})
    assert not check or r.returncode == 0, (words, r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace"))
    return r


# ------------------------------------------------------------ what stands around: DNS, a web server
class Dns(threading.Thread):
    """Everything below example.test is 127.0.0.1; TXT as in `txt`; elsewhere nothing."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.txt = {}
        self.file = None  # lines "name value", for hooks of other programs

    def records(self, name, kind):
        if kind == 1 and (name.endswith(".example.test") or name == "example.test"):
            return [bytes([127, 0, 0, 1])]
        if kind == 16:
            values = list(self.txt.get(name, []))
            if self.file and self.file.exists():
                values += [line.split()[1] for line in self.file.read_text().splitlines() if line.split()[0].rstrip(".") == name]
            return [bytes([len(v)]) + v.encode() for v in values]
        return []

    def run(self):
        while True:
            packet, peer = self.socket.recvfrom(4096)
            at, labels = 12, []
            while packet[at]:
                labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
                at += 1 + packet[at]
            kind = struct.unpack("!H", packet[at + 1:at + 3])[0]
            question = packet[12:at + 5]
            found = self.records(".".join(labels), kind)
            answer = packet[:2] + struct.pack("!HHHHH", 0x8580, 1, len(found), 0, 0) + question
            for data in found:
                answer += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data
            self.socket.sendto(answer, peer)


class Web:
    """Files of a folder, and answers by path, at the port where http-01 looks."""

    def __init__(self, answers=None, folder=None):
        self.answers, self.folder, self.asked = answers or {}, folder, []

    def __enter__(self):
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.asked.append(self.path)
                status, body, more = web.find(self.path)
                self.send_response(status)
                for k, v in more.items():
                    self.send_header(k, v)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *a):
                pass
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", http_port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()
        return self

    def find(self, path):
        if path in self.answers:
            a = self.answers[path]
            return a if isinstance(a, tuple) else (200, a.encode(), {})
        if self.folder and (self.folder / pathlib.Path(path).name).is_file():
            return 200, (self.folder / pathlib.Path(path).name).read_bytes(), {}
        return 404, b"no", {}

    def __exit__(self, *a):
        self.server.shutdown()
        self.server.server_close()


# ------------------------------------------------------------ a client of our own, that can do wrong
def b64(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


def number(n, size):
    return b64(n.to_bytes(size, "big"))


class Key:
    def __init__(self, alg="ES256"):
        self.alg = alg
        self.key = {"ES256": lambda: ec.generate_private_key(ec.SECP256R1()), "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
                    "RS256": lambda: rsa.generate_private_key(65537, 2048), "EdDSA": ed25519.Ed25519PrivateKey.generate}[alg]()

    def jwk(self):
        public = self.key.public_key()
        if self.alg in ("ES256", "ES384"):
            n, size = public.public_numbers(), {"ES256": 32, "ES384": 48}[self.alg]
            return {"crv": {32: "P-256", 48: "P-384"}[size], "kty": "EC", "x": number(n.x, size), "y": number(n.y, size)}
        if self.alg == "RS256":
            n = public.public_numbers()
            return {"e": "AQAB", "kty": "RSA", "n": number(n.n, 256)}
        return {"crv": "Ed25519", "kty": "OKP", "x": b64(public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))}

    def thumbprint(self):
        return b64(hashlib.sha256(json.dumps(self.jwk(), sort_keys=True, separators=(",", ":")).encode()).digest())

    def sign(self, data):
        if self.alg in ("ES256", "ES384"):
            size, digest = {"ES256": (32, hashes.SHA256()), "ES384": (48, hashes.SHA384())}[self.alg]
            r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(digest)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256()) if self.alg == "RS256" else self.key.sign(data)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        assert self.headers["Content-Type"] == "application/problem+json", (self.status, self.headers["Content-Type"], self.body)
        return self.json["type"].removeprefix("urn:ietf:params:acme:error:")


def ask(method, url, data=None, headers=None):
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=server.tls, timeout=60) as r:
            return Answer(r.status, r.headers, r.read())
    except urllib.error.HTTPError as e:
        return Answer(e.code, e.headers, e.read())


def flat(header, payload, sign):
    protected = b64(json.dumps(header).encode())
    body = b64(payload) if isinstance(payload, bytes) else "" if payload is None else b64(json.dumps(payload).encode())
    return {"protected": protected, "payload": body, "signature": b64(sign(f"{protected}.{body}".encode()))}


class Client:
    def __init__(self, key=None):
        self.key = key or Key()
        self.kid = None
        self.dir = ask("GET", directory()).json
        self.nonce = None

    def take_nonce(self):
        nonce, self.nonce = self.nonce, None
        return nonce or ask("HEAD", self.dir["newNonce"]).headers["Replay-Nonce"]

    def post(self, url, payload=None, by=None, nonce=None, header=None, content_type="application/jose+json", raw=None):
        by = by or self.key
        h = {"alg": by.alg, "nonce": nonce or self.take_nonce(), "url": url}
        h.update({"kid": self.kid} if self.kid and by is self.key else {"jwk": by.jwk()})
        h.update(header or {})
        h = {k: v for k, v in h.items() if v is not None}
        body = raw if raw is not None else json.dumps(flat(h, payload, by.sign)).encode()
        a = ask("POST", url, body, {"Content-Type": content_type})
        assert a.headers["Replay-Nonce"] or a.status in (413, 503), (a.status, a.body)
        self.nonce = a.headers["Replay-Nonce"]
        return a

    def register(self, eab=None, **more):
        payload = {"termsOfServiceAgreed": True, "contact": ["mailto:admin@example.test"], **more}
        if eab:
            def mac(data):
                h = hmac.HMAC(base64.urlsafe_b64decode(eab["hmac_key"] + "=="), hashes.SHA256())
                h.update(data)
                return h.finalize()
            payload["externalAccountBinding"] = flat({"alg": "HS256", "kid": eab["kid"], "url": self.dir["newAccount"]},
                                                     json.dumps(self.key.jwk()).encode(), mac)
        a = self.post(self.dir["newAccount"], payload)
        if a.status in (200, 201):
            self.kid = a.headers["Location"]
        return a

    def order(self, *names, **more):
        a = self.post(self.dir["newOrder"], {"identifiers": [{"type": "ip" if re.fullmatch(r"[0-9.]+|.*:.*", n) else "dns", "value": n} for n in names], **more})
        a.url = a.headers["Location"]
        return a

    def challenge(self, authz, kind):
        return next(c for c in self.post(authz).json["challenges"] if c["type"] == kind)

    def wait(self, url, *over):
        for _ in range(150):
            a = self.post(url)
            if a.json["status"] in over:
                return a.json
            time.sleep(0.1)
        raise AssertionError((url, a.json))

    def proof(self, challenge):
        return challenge["token"] + "." + self.key.thumbprint()

    def show_http(self, authz, answer=None):
        """The authorization's end state, with what the web server answers."""
        c = self.challenge(authz, "http-01")
        with Web({"/.well-known/acme-challenge/" + c["token"]: self.proof(c) if answer is None else answer}):
            a = self.post(c["url"], {})
            assert a.status == 200 and a.json["status"] in ("processing", "valid"), a.body
            return self.wait(authz, "valid", "invalid")

    def csr(self, *names, key=None, cn=None):
        key = key or ec.generate_private_key(ec.SECP256R1())
        import ipaddress
        san = [x509.IPAddress(ipaddress.ip_address(n)) if re.fullmatch(r"[0-9.]+|.*:.*", n) else x509.DNSName(n) for n in names]
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, cn)] if cn else [])
        r = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(x509.SubjectAlternativeName(san), False).sign(key, hashes.SHA256())
        return key, b64(r.public_bytes(serialization.Encoding.DER))

    def finalize(self, order, csr):
        return self.post(order.json["finalize"], {"csr": csr})

    def enrol(self, *names, key=None):
        """Key and PEM chain, by http-01."""
        order = self.order(*names)
        assert order.status == 201, order.body
        for authz in order.json["authorizations"]:
            if self.post(authz).json["status"] == "pending":
                assert self.show_http(authz)["status"] == "valid"
        key, csr = self.csr(*names, key=key)
        a = self.finalize(order, csr)
        assert a.status == 200 and a.json["status"] == "valid", a.body
        chain = self.post(a.json["certificate"])
        assert chain.headers["Content-Type"] == "application/pem-certificate-chain"
        return key, chain.body.decode()


def directory():
    return f"https://localhost:{server.port('https')}/acme/directory"


def pems(text):
    return re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)


def check_chain(text, *names):
    """As openssl sees it, strictly; with a CRL of its issuer. The leaf."""
    leaf, issuer = pems(text)
    (work / "leaf.pem").write_text(leaf)
    (work / "issuer.pem").write_text(issuer)
    sh("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", server.ca_file, "-untrusted", "issuer.pem", "leaf.pem")
    x = x509.load_pem_x509_certificate(leaf.encode())
    san = x.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(str(n.value) for n in san) == sorted(names), (list(san), names)
    return x


def serial_of(x):
    return x.serial_number.to_bytes((x.serial_number.bit_length() + 7) // 8, "big").hex()


def cert_id(x):
    n = x.serial_number
    akid = x.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    return b64(akid) + "." + b64(n.to_bytes(n.bit_length() // 8 + 1, "big"))


def der_of(x):
    return b64(x.public_bytes(serialization.Encoding.DER))


def states():
    return {r["certificate"]["serial"]: r["state"] for r in server.json("ca", "list")}


# ------------------------------------------------------------ tests
def directory_and_nonces():
    d = ask("GET", directory())
    assert d.json["meta"]["externalAccountRequired"] is False
    assert set(d.json) == {"newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo", "meta"}, d.json
    head, get = ask("HEAD", d.json["newNonce"]), ask("GET", d.json["newNonce"])
    assert head.status == 200 and get.status == 204 and get.body == b"", (head.status, get.status)
    assert head.headers["Replay-Nonce"] != get.headers["Replay-Nonce"] and head.headers["Cache-Control"] == "no-store"
    assert 'rel="index"' in head.headers["Link"]
    # never in clear
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *a):
            return None
    try:
        urllib.request.build_opener(Stay).open(f"http://localhost:{server.port('http')}/acme/directory", timeout=20)
        raise AssertionError("answered in clear")
    except urllib.error.HTTPError as e:
        assert e.code == 301 and e.headers["Location"] == directory()


def every_kind_of_key():
    for alg in ("ES256", "ES384", "RS256", "EdDSA"):
        c = Client(Key(alg))
        a = c.register()
        assert a.status == 201 and a.json["status"] == "valid" and a.json["contact"] == ["mailto:admin@example.test"], (alg, a.body)
        assert c.post(c.kid).json["status"] == "valid"
        again = Client(c.key)
        assert again.register(onlyReturnExisting=True).status == 200 and again.kid == c.kid


def own_client_http():
    c = Client()
    c.register()
    key, chain = c.enrol("a.example.test", "b.example.test")
    x = check_chain(chain, "a.example.test", "b.example.test")
    row = server.json("ca", "show", serial_of(x))
    assert row["requester"].startswith("acme: account "), row
    # the names are shown to be this account's: the next order needs no challenge
    order = c.order("b.example.test")
    assert order.status == 201 and order.json["status"] == "ready", order.body
    # an address
    order = c.order("127.0.0.1")
    assert order.status == 201, order.body
    kinds = {k["type"] for k in c.post(order.json["authorizations"][0]).json["challenges"]}
    assert kinds == {"http-01", "tls-alpn-01"}, kinds
    assert c.show_http(order.json["authorizations"][0])["status"] == "valid"
    a = c.finalize(order, c.csr("127.0.0.1")[1])
    check_chain(c.post(a.json["certificate"]).body.decode(), "127.0.0.1")


def redirects_are_followed():
    c = Client()
    c.register()
    order = c.order("redirect.example.test")
    ch = c.challenge(order.json["authorizations"][0], "http-01")
    there = (301, b"", {"Location": f"http://other.example.test:{http_port}/elsewhere"})
    with Web({"/.well-known/acme-challenge/" + ch["token"]: there, "/elsewhere": c.proof(ch) + " \n"}):
        c.post(ch["url"], {})
        assert c.wait(order.json["authorizations"][0], "valid", "invalid")["status"] == "valid"
    # but not to another port of this machine
    order = c.order("redirect2.example.test")
    ch = c.challenge(order.json["authorizations"][0], "http-01")
    inside = (301, b"", {"Location": f"http://127.0.0.1:{server.port('http')}/health"})
    with Web({"/.well-known/acme-challenge/" + ch["token"]: inside}):
        c.post(ch["url"], {})
        assert c.wait(order.json["authorizations"][0], "valid", "invalid")["status"] == "invalid"
    error = c.post(ch["url"]).json["error"]
    assert error["type"].endswith(":connection") and "may be connected to" in error["detail"], error


def wrong_answers():
    c = Client()
    c.register()
    order = c.order("wrong.example.test")
    authz = order.json["authorizations"][0]
    shown = c.show_http(authz, "another answer")
    assert shown["status"] == "invalid" and [k["status"] for k in shown["challenges"]] == ["invalid"], shown
    assert shown["challenges"][0]["error"]["type"].endswith(":unauthorized"), shown
    o = c.post(order.url).json
    assert o["status"] == "invalid" and "error" in o, o
    a = c.finalize(order, c.csr("wrong.example.test")[1])
    assert a.problem == "orderNotReady" and a.status == 403
    # nobody there; no such record
    order = c.order("nobody.example.test")
    ch = c.challenge(order.json["authorizations"][0], "http-01")
    c.post(ch["url"], {})
    assert c.wait(order.json["authorizations"][0], "invalid", "valid")["challenges"][0]["error"]["type"].endswith(":connection")
    order = c.order("*.wild.example.test")
    ch = c.challenge(order.json["authorizations"][0], "dns-01")
    c.post(ch["url"], {})
    assert c.wait(order.json["authorizations"][0], "invalid", "valid")["challenges"][0]["error"]["type"].endswith(":unauthorized")


def wildcard_by_dns():
    c = Client()
    c.register()
    order = c.order("*.stars.example.test")
    authz = c.post(order.json["authorizations"][0]).json
    assert authz["wildcard"] and authz["identifier"]["value"] == "stars.example.test" and [k["type"] for k in authz["challenges"]] == ["dns-01"], authz
    ch = authz["challenges"][0]
    dns.txt["_acme-challenge.stars.example.test"] = ["foreign", b64(hashlib.sha256(c.proof(ch).encode()).digest())]
    c.post(ch["url"], {})
    assert c.wait(order.json["authorizations"][0], "valid", "invalid")["status"] == "valid"
    a = c.finalize(order, c.csr("*.stars.example.test")[1])
    check_chain(c.post(a.json["certificate"]).body.decode(), "*.stars.example.test")


def signatures_and_nonces():
    c = Client()
    c.register()
    nonce = c.take_nonce()
    assert c.post(c.kid, nonce=nonce).status == 200
    a = c.post(c.kid, nonce=nonce)
    assert a.status == 400 and a.problem == "badNonce" and a.headers["Replay-Nonce"]
    assert c.post(c.kid, nonce="AAAA").problem == "badNonce"
    assert c.post(c.kid, header={"nonce": None}).problem == "badNonce"
    assert c.post(c.kid, header={"url": c.dir["newOrder"]}).problem == "unauthorized"
    assert c.post(c.kid, header={"alg": "HS256"}).problem == "badSignatureAlgorithm"
    a = c.post(c.kid, header={"alg": "RS256"})
    assert a.problem == "badSignatureAlgorithm" and "ES256" in a.json["algorithms"]
    assert c.post(c.kid, header={"alg": "none"}).problem == "badSignatureAlgorithm"
    assert c.post(c.kid, header={"jwk": c.key.jwk()}).problem == "malformed"
    assert c.post(c.dir["newAccount"], {}, header={}).problem == "malformed"     # by account instead of key
    assert c.post(c.kid, by=Key()).problem == "malformed"                        # by key instead of account
    assert c.post(c.kid, header={"kid": c.kid + "0"}).problem == "accountDoesNotExist"
    assert c.post(c.kid, content_type="application/json").status == 415
    good = flat({"alg": "ES256", "nonce": c.take_nonce(), "url": c.kid, "kid": c.kid}, None, lambda data: c.key.sign(data + b"x"))
    assert c.post(c.kid, raw=json.dumps(good).encode()).problem == "malformed"
    for raw in (b"", b"{", b"[]", b"{}", b'{"protected":"e30","payload":"","signature":""}', b"\xff" * 100, b"[" * 60000, b'{"a":' * 9000):
        a = c.post(c.kid, raw=raw)
        assert a.status == 400 and a.problem == "malformed", (raw[:20], a.body)
    assert ask("POST", c.dir["newOrder"], b"x" * 70000, {"Content-Type": "application/jose+json"}).status == 413
    assert ask("GET", c.dir["newOrder"]).status == 405 and ask("GET", directory() + "/x").status == 404
    assert c.post(c.kid).status == 200


def foreign_accounts():
    a, b = Client(), Client()
    a.register()
    b.register()
    order = a.order("mine.example.test")
    authz = order.json["authorizations"][0]
    ch = a.challenge(authz, "http-01")
    for url, payload in ((order.url, None), (authz, None), (ch["url"], None), (ch["url"], {}), (a.kid, None), (a.kid + "/orders", None),
                         (order.json["finalize"], {"csr": b.csr("mine.example.test")[1]}), (authz, {"status": "deactivated"})):
        r = b.post(url, payload)
        assert r.status == 403 and r.problem == "unauthorized", (url, r.body)
    assert a.post(ch["url"]).json["status"] == "pending"
    assert a.show_http(authz)["status"] == "valid"
    key, csr = a.csr("mine.example.test")
    url = a.finalize(order, csr).json["certificate"]
    assert b.post(url).problem == "unauthorized"
    x = check_chain(a.post(url).body.decode(), "mine.example.test")
    assert b.post(b.dir["revokeCert"], {"certificate": der_of(x)}).problem == "unauthorized"
    assert states()[serial_of(x)] == "valid"
    assert order.url in a.post(a.kid + "/orders").json["orders"]


def names_that_may_not():
    c = Client()
    c.register()
    for name in ("example.org", "badexample.test", "sealpost.example.com", "192.0.2.1", "a..example.test", "no blank.example.test", "*.*.example.test", "x@example.test"):
        a = c.order(name)
        assert a.status == 403 and a.problem == "rejectedIdentifier", (name, a.body)
    a = c.order("a.example.org", "b.example.org", "fine.example.test")
    assert [s["identifier"]["value"] for s in a.json["subproblems"]] == ["a.example.org", "b.example.org"], a.body
    a = c.post(c.dir["newOrder"], {"identifiers": [{"type": "email", "value": "x@example.test"}]})
    assert a.problem == "unsupportedIdentifier"
    for bad in ({}, {"identifiers": []}, {"identifiers": "x"}, {"identifiers": [1]}, {"identifiers": [{"type": "dns", "value": "f.example.test"}], "notAfter": "2040-01-01T00:00:00Z"}):
        assert c.post(c.dir["newOrder"], bad).problem == "malformed", bad
    assert c.order(*[f"n{i}.example.test" for i in range(21)]).problem == "malformed"
    # a request for other names than the order's
    order = c.order("right.example.test")
    c.show_http(order.json["authorizations"][0])
    for csr in (c.csr("left.example.test")[1], c.csr("right.example.test", "left.example.test")[1], c.csr("right.example.test", cn="left.example.test")[1],
                c.csr("right.example.test", key=c.key.key)[1], c.csr("right.example.test", key=rsa.generate_private_key(65537, 1024))[1], "AAAA", "?", ""):
        a = c.finalize(order, csr)
        assert a.status == 400 and a.problem == "badCSR", a.body
    assert c.finalize(order, c.csr("right.example.test", cn="right.example.test")[1]).json["status"] == "valid"


def account_life():
    c = Client()
    c.register()
    a = c.post(c.kid, {"contact": ["mailto:other@example.test", "mailto:third@example.test"]})
    assert a.json["contact"] == ["mailto:other@example.test", "mailto:third@example.test"], a.body
    assert c.post(c.kid, {"contact": ["tel:+1"]}).problem == "unsupportedContact"
    assert c.post(c.kid, {"contact": ["mailto:a@b,c@d"]}).problem == "invalidContact"
    # another key, RFC 8555 section 7.3.5
    new, old = Key("ES384"), c.key

    def inner(signer, account=None, key=None, url=None):
        url = url or c.dir["keyChange"]
        return flat({"alg": signer.alg, "jwk": new.jwk(), "url": url}, {"account": account or c.kid, "oldKey": (key or old).jwk()}, signer.sign)
    assert c.post(c.dir["keyChange"], inner(old)).problem == "malformed"
    assert c.post(c.dir["keyChange"], inner(new, account=c.kid + "1")).problem == "malformed"
    assert c.post(c.dir["keyChange"], inner(new, key=new)).problem == "malformed"
    assert c.post(c.dir["keyChange"], inner(new, url=c.kid)).problem == "malformed"
    assert c.post(c.dir["keyChange"], inner(new)).status == 200
    assert c.post(c.kid).problem == "badSignatureAlgorithm"  # the old key signs no more, the new one is of another kind
    c.key = new
    assert c.post(c.kid).status == 200
    other = Client()
    other.register()
    taken = flat({"alg": other.key.alg, "jwk": other.key.jwk(), "url": c.dir["keyChange"]}, {"account": c.kid, "oldKey": c.key.jwk()}, other.key.sign)
    a = c.post(c.dir["keyChange"], taken)
    assert a.status == 409 and a.headers["Location"] == other.kid
    # an authorization that is given back
    order = c.order("given.example.test")
    authz = order.json["authorizations"][0]
    assert c.show_http(authz)["status"] == "valid"
    assert c.post(authz, {"status": "deactivated"}).json["status"] == "deactivated"
    assert c.post(order.url).json["status"] == "invalid"
    assert Client(Key()).register(onlyReturnExisting=True).problem == "accountDoesNotExist"
    assert c.post(c.kid, {"status": "deactivated"}).json["status"] == "deactivated"
    assert c.post(c.kid).problem == "accountDoesNotExist"
    a = Client(c.key).register()
    assert a.status == 401 and a.problem == "unauthorized"
    # ended by the administrator
    number_of = int(other.kid.rsplit("/", 1)[1])
    server.run("ca", "acme", "account", "remove", str(number_of))
    assert other.post(other.kid).problem == "accountDoesNotExist"
    assert {r["id"]: r["status"] for r in server.json("ca", "acme", "account", "list")}[number_of] == "revoked"


def revoke_and_renewal_info():
    c = Client()
    c.register()
    key, chain = c.enrol("gone.example.test")
    x = check_chain(chain, "gone.example.test")
    info = ask("GET", c.dir["renewalInfo"] + "/" + cert_id(x))
    window = info.json["suggestedWindow"]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 91 * 86400))
    assert now < window["start"] < window["end"] < end and int(info.headers["Retry-After"]) > 0, window
    assert ask("GET", c.dir["renewalInfo"] + "/" + "AAAA.AAAA").status == 404 and ask("GET", c.dir["renewalInfo"] + "/rubbish").status == 404
    assert c.post(c.dir["revokeCert"], {"certificate": der_of(x), "reason": 6}).problem == "badRevocationReason"
    assert c.post(c.dir["revokeCert"], {"certificate": "AAAA"}).problem == "malformed"
    a = c.post(c.dir["revokeCert"], {"certificate": der_of(x), "reason": 4})
    assert a.status == 200 and a.body == b"", a.body
    assert c.post(c.dir["revokeCert"], {"certificate": der_of(x)}).problem == "alreadyRevoked"
    assert states()[serial_of(x)] == "revoked"
    assert ask("GET", c.dir["renewalInfo"] + "/" + cert_id(x)).json["suggestedWindow"]["end"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    # replacing, RFC 9773 section 5
    order = c.order("gone.example.test", replaces=cert_id(x))
    assert order.status == 201, order.body
    a = c.order("gone.example.test", replaces=cert_id(x))
    assert a.status == 409 and a.problem == "alreadyReplaced"
    # by the certificate's own key, without an account
    key, chain = c.enrol("leaked.example.test")
    x = check_chain(chain, "leaked.example.test")
    stranger = Client()
    assert stranger.post(c.dir["revokeCert"], {"certificate": der_of(x)}).problem == "unauthorized"
    holder = Key()
    holder.key = key
    assert stranger.post(c.dir["revokeCert"], {"certificate": der_of(x), "reason": 1}, by=holder).status == 200
    row = server.json("ca", "show", serial_of(x))
    assert row["state"] == "revoked" and "keyCompromise" in json.dumps(row), row
    # another account that shows control over all its names
    key, chain = c.enrol("moved.example.test")
    x = check_chain(chain, "moved.example.test")
    other = Client()
    other.register()
    assert other.post(c.dir["revokeCert"], {"certificate": der_of(x)}).problem == "unauthorized"
    other.show_http(other.order("moved.example.test").json["authorizations"][0])
    assert other.post(c.dir["revokeCert"], {"certificate": der_of(x)}).status == 200
    # what was not issued by ACME cannot be revoked by it
    with socket.create_connection(("127.0.0.1", server.port("imaps")), timeout=20) as s, server.tls.wrap_socket(s, server_hostname="localhost") as t:
        theirs = b64(t.getpeercert(binary_form=True))
    a = c.post(c.dir["revokeCert"], {"certificate": theirs})
    assert a.status == 404, a.body


def state_survives():
    """kill -9 of enrold in the middle of an order, and of a check."""
    c = Client()
    c.register()
    order = c.order("survives.example.test")
    authz = order.json["authorizations"][0]
    ch = c.challenge(authz, "http-01")
    assert c.post(ch["url"], {}).json["status"] == "processing"  # nobody answers yet
    pid = next(p["pid"] for p in server.processes() if p["role"] == "enrold")
    os.kill(pid, 9)
    wait_for("enrold is back", lambda: any(p["role"] == "enrold" and p["pid"] not in (0, pid) and p["state"] == "ready" for p in server.processes()), 20)
    c.nonce = None
    with Web({"/.well-known/acme-challenge/" + ch["token"]: c.proof(ch)}):
        assert c.wait(authz, "valid", "invalid")["status"] == "valid"
    a = c.finalize(order, c.csr("survives.example.test")[1])
    check_chain(c.post(a.json["certificate"]).body.decode(), "survives.example.test")


def limits():
    c = Client()
    c.register()
    seen = [c.order("often.example.test") for _ in range(31)]
    assert [a.status for a in seen[:30]] == [201] * 30, [a.status for a in seen]
    assert seen[30].status == 429 and seen[30].problem == "rateLimited" and seen[30].headers["Retry-After"]


def external_accounts_are_required():
    conf = server.conf.read_text()
    server.conf.write_text(conf.replace("require_eab = false", "require_eab = true"))
    server.run("reload")
    wait_for("the new configuration", lambda: ask("GET", directory()).json["meta"]["externalAccountRequired"])
    assert Client().register().problem == "externalAccountRequired"
    eab = server.json("ca", "acme", "eab", "create", "team-a", "--names", "a.example.test")
    r = server.run("ca", "acme", "eab", "create", "team-a", check=False)
    assert r.returncode == 1 and "already" in r.stderr, r
    assert Client().register({**eab, "hmac_key": b64(b"0" * 32)}).problem == "unauthorized"
    assert Client().register({**eab, "kid": "unknown"}).problem == "unauthorized"
    c = Client()
    assert c.register(eab).status == 201
    assert Client().register(eab).problem == "unauthorized"  # a key makes one account
    assert Client(c.key).register().status == 200            # which is there, without it
    # its names only
    assert c.order("www.a.example.test").status == 201
    assert c.order("b.example.test").problem == "rejectedIdentifier"
    row = next(r for r in server.json("ca", "acme", "eab", "list") if r["name"] == "team-a")
    assert row["account"] and "hmac_key" not in row, row
    eab = server.json("ca", "acme", "eab", "create", "team-b")
    server.run("ca", "acme", "eab", "remove", "team-b")
    assert Client().register(eab).problem == "unauthorized"
    r = server.run("ca", "acme", "eab", "create", "team-c", "--names", "example.org", check=False)
    assert r.returncode == 1 and "acme_server.names" in r.stderr, r


def officer():
    """Profiles that wait for approval: the order is being processed until an officer decides."""
    conf = server.conf.read_text()
    server.conf.write_text(conf.replace("require_eab = true", "require_eab = false").replace("acme_server", 'ca_officer = ( "server" );\nacme_server', 1))
    server.run("reload")
    wait_for("the new configuration", lambda: not ask("GET", directory()).json["meta"]["externalAccountRequired"])
    c = Client()
    c.register()
    for name, decision in (("approved.example.test", "approve"), ("denied.example.test", "deny")):
        order = c.order(name)
        c.show_http(order.json["authorizations"][0])
        a = c.finalize(order, c.csr(name)[1])
        assert a.json["status"] == "processing" and int(a.headers["Retry-After"]) > 0, a.body
        row = next(r for r in server.json("ca", "pending") if name in r["names"])
        assert row["requester"].startswith("acme: "), row
        server.run("ca", decision, str(row["id"]), "--reason", "because")
        done = c.wait(order.url, "valid", "invalid")
        assert done["status"] == ("valid" if decision == "approve" else "invalid"), done
    assert "because" in done["error"]["detail"], done


def world(bin_folder, *tests):
    """A DNS server, and a server that certifies names below example.test."""
    global server, work, dns, http_port, tls_port
    http_port, tls_port = free_port(), free_port()
    dns = Dns()
    dns.start()
    acme = f"""dns_servers = ( "127.0.0.1@{dns.port}" );
acme_server = {{ enabled = true; require_eab = false; names = ( "example.test" ); networks = ( "127.0.0.0/8" ); http_port = {http_port}; tls_port = {tls_port};
  connect_to = ( "127.0.0.0/8" ); names_per_order = 20; orders_per_hour = 30; }};"""
    with tempfile.TemporaryDirectory(prefix="sealpost-acme.") as folder, contextlib.ExitStack() as stack:
        work = pathlib.Path(folder)
        server = stack.enter_context(Server(bin_folder, extra=acme, accounts=("alice",)))
        main(*tests)


if __name__ == "__main__":
    world(sys.argv[1], directory_and_nonces, every_kind_of_key, own_client_http, redirects_are_followed, wrong_answers, wildcard_by_dns, signatures_and_nonces,
          foreign_accounts, names_that_may_not, account_life, revoke_and_renewal_info, state_survives, limits, external_accounts_are_required, officer)
