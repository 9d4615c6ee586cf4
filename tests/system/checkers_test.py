#!/usr/bin/env python3
"""The same facts as tshark, sslscan and testssl.sh report for the same endpoints, field by field."""
import collections
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(__file__))
from sealpost import Server, main  # noqa: E402

NAMES = {20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data", 24: "heartbeat"}
VERSIONS = {0x300: "SSL 3.0", 0x301: "TLS 1.0", 0x302: "TLS 1.1", 0x303: "TLS 1.2", 0x304: "TLS 1.3"}


def need(*programs):
    """They are in tools/packages/test: without them nothing is compared, and nothing shown."""
    missing = [p for p in programs if not shutil.which(p)]
    assert not missing, f"missing: {' '.join(missing)} (tools/install-packages test)"


def served(server, name):
    r = server.run("verify", f"{'imaps' if name == 'imaps' else 'smtp'}://localhost:{server.port(name)}", "--root", server.ca_file, "--json")
    answer = json.loads(r.stdout)
    return answer["served"][0], {x["check"]: x for x in answer["results"]}


def test_tshark():
    if os.geteuid() != 0:
        print("skipped: capturing packets needs root")
        return
    need("tshark")
    file = server.folder / "checked.pcapng"
    settings = server.folder / "settings.env"
    settings.write_text("".join(f"{k}={v}\n" for k, v in server.settings().items()))
    ours = json.loads(server.run("capture", "--audit", "--vserver", "imap4-default,http-default", "--settings", str(settings), "--write", str(file), "--json").stdout)
    file.chmod(0o644)
    for name in ("imaps", "https"):
        port = server.port(name)
        mine = [x for x in ours["totals"]["endpoints"] if x["endpoint"].endswith(f":{port}")][0]
        run = ["tshark", "-n", "-r", str(file), "-d", f"tcp.port=={port},tls", "-2", "-o", "tcp.desegment_tcp_streams:TRUE"]
        out = subprocess.run([*run, "-Y", f"tls.record && tcp.port=={port}", "-T", "fields", "-E", "occurrence=a", "-e", "tls.record.content_type",
                              "-e", "tls.record.opaque_type", "-e", "tls.record.version"], capture_output=True, text=True, timeout=50).stdout
        theirs = collections.Counter()
        for row in out.splitlines():
            kind, opaque, version = (row.split("\t") + ["", ""])[:3]
            types = [int(x) for x in (kind.split(",") if kind else []) + (opaque.split(",") if opaque else [])]
            versions = [int(x, 0) for x in version.split(",") if x]
            if not types and versions == [0x0002]:
                continue  # the probe's hello of SSL 2.0, which has no record
            assert len(types) == len(versions), row
            assert len(set(versions)) == 1 or len(types) == len(versions)
            # fields of one kind stand together, so that types and versions of a packet are counted apart
            theirs.update(("type", NAMES[t]) for t in types)
            theirs.update(("version", VERSIONS[v]) for v in versions)
        counted = collections.Counter()
        for r in mine["records"]:
            counted[("type", r["type"])] += r["count"]
            counted[("version", r["version"])] += r["count"]
        assert counted == theirs, (name, counted, theirs)
        # hellos: names asked for, ciphers chosen, serial numbers of TLS 1.2
        def field(filter, *fields):
            words = [x for f in fields for x in ("-e", f)]
            return subprocess.run([*run, "-Y", f"({filter}) && tcp.port=={port}", "-T", "fields", "-E", "occurrence=f", *words],
                                  capture_output=True, text=True, timeout=50).stdout.splitlines()
        handshakes = [h for h in ours["handshakes"] if h["server"].endswith(f":{port}")]
        sni = collections.Counter(x for x in field("tls.handshake.type==1", "tls.handshake.extensions_server_name") if x)
        assert sni == collections.Counter(h["sni"] for h in handshakes if h["sni"]), (sni, handshakes)
        ciphers = collections.Counter(int(x, 0) for x in field("tls.handshake.type==2", "tls.handshake.ciphersuite"))
        known = {"TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302, "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
                 "ECDHE-ECDSA-AES128-GCM-SHA256": 0xc02b, "ECDHE-ECDSA-AES256-GCM-SHA384": 0xc02c, "ECDHE-ECDSA-CHACHA20-POLY1305": 0xcca9}
        assert ciphers == collections.Counter(known[h["cipher"]] for h in handshakes if h["cipher"]), (ciphers, handshakes)
        serials = collections.Counter(x.replace(":", "").replace("0x", "").lower().lstrip("0") for x in field("tls.handshake.type==11", "x509af.serialNumber") if x)
        assert serials == collections.Counter(h["serial"].lstrip("0") for h in handshakes if h["serial"]) and serials, serials


def test_sslscan():
    need("sslscan")
    for name, words in (("imaps", []), ("smtp", ["--starttls-smtp"])):
        facts, checks = served(server, name)
        out = subprocess.run(["sslscan", "--xml=-", "--no-colour", "--sni-name=localhost", "--show-certificate", *words, f"127.0.0.1:{server.port(name)}"],
                             capture_output=True, text=True, timeout=50).stdout
        test = xml.etree.ElementTree.fromstring(out[out.index("<?xml"):]).find("ssltest")
        enabled = {p.get("type") + p.get("version"): p.get("enabled") == "1" for p in test.findall("protocol")}
        for version, check in (("tls1.3", "tls-1.3"), ("tls1.2", "tls-1.2")):
            assert enabled[version] == (checks[check]["result"] == "PASS"), (version, enabled)
        for version, check in (("tls1.1", "tls-1.1"), ("tls1.0", "tls-1.0"), ("ssl3", "ssl"), ("ssl2", "ssl")):
            assert enabled[version] is False and checks[check]["result"] == "PASS", (version, enabled, checks[check])
        preferred = {c.get("sslversion"): c.get("cipher") for c in test.findall("cipher") if c.get("status") == "preferred"}
        assert preferred["TLSv1.3"] in (facts["cipher"], checks["tls-1.3"]["detail"].split(",")[0]), preferred
        ciphers = {c.get("cipher") for c in test.findall("cipher") if c.get("sslversion") == "TLSv1.2"}
        assert checks["tls-1.2"]["detail"].split(",")[0] in ciphers, ciphers
        # weak offers: theirs is the list of all that is taken
        weak = [c for c in ciphers if not c.startswith(("ECDHE", "DHE"))]
        assert (not weak) == (checks["weak-offers"]["result"] == "PASS"), weak
        renegotiation, compression = test.find("renegotiation"), test.find("compression")
        assert renegotiation.get("supported") == "0" and checks["renegotiation"]["result"] == "PASS", checks["renegotiation"]
        assert compression is None or compression.get("supported") == "0"  # its OpenSSL may have none to try
        cert = test.find("certificates/certificate[@type='full']")
        # /O=Test/CN=localhost and CN=localhost,O=Test
        for field in ("subject", "issuer"):
            assert set(cert.find(field).text.strip("/").split("/")) == set(facts[field].split(",")), (field, facts[field])
        end = datetime.datetime.fromtimestamp(facts["not_after"], datetime.timezone.utc)
        assert cert.find("not-valid-after").text == end.strftime("%b %e %H:%M:%S %Y GMT"), cert.find("not-valid-after").text
        alt = [x.text for x in cert.iter("extension") if "Alternative" in x.get("name")][0]
        names = {x.replace("0:0:0:0:0:0:0:1", "::1") for x in re.findall(r"(?:DNS|IP Address):([^,\s]+)", alt)}
        assert names == {x.strip() for x in facts["names"].split(",")}, (names, facts["names"])
        assert "P-256" in cert.find("pk").text and facts["key_type"] == "p256"


def test_testssl():
    need("testssl")
    facts, checks = served(server, "imaps")
    file = server.folder / "testssl.json"
    subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--protocols", "--server-defaults", "--ip", "127.0.0.1", "--jsonfile", str(file),
                    "--openssl-timeout", "10", "--connect-timeout", "10", f"localhost:{server.port('imaps')}"],
                   capture_output=True, text=True, timeout=110, stdin=subprocess.DEVNULL)
    rows = {x["id"]: x["finding"] for x in json.loads(file.read_text())}
    for id, check in (("TLS1_3", "tls-1.3"), ("TLS1_2", "tls-1.2")):
        assert rows[id].startswith("offered") == (checks[check]["result"] == "PASS"), rows[id]
    for id, check in (("SSLv2", "ssl"), ("SSLv3", "ssl"), ("TLS1", "tls-1.0"), ("TLS1_1", "tls-1.1")):
        assert rows[id].startswith("not offered") and checks[check]["result"] == "PASS", (id, rows[id], checks[check])
    assert rows["cert_serialNumber"].lower().lstrip("0") == facts["serial"].lstrip("0"), rows["cert_serialNumber"]
    assert rows["cert_fingerprintSHA256"].lower() == facts["sha256"], rows["cert_fingerprintSHA256"]
    assert "EC 256" in rows["cert_keySize"] and facts["key_type"] == "p256", rows["cert_keySize"]
    theirs = set(rows["cert_subjectAltName"].split())
    assert theirs - {"0:0:0:0:0:0:0:1"} <= set(x.strip() for x in facts["names"].split(",")), theirs
    end = datetime.datetime.fromtimestamp(facts["not_after"], datetime.timezone.utc).strftime("%Y-%m-%d %H:%M")
    assert rows["cert_notAfter"].startswith(end), (rows["cert_notAfter"], end)


with Server(sys.argv[1]) as server:
    main(test_tshark, test_sslscan, test_testssl)
