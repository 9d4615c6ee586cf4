"""leaks.py: proxies that leak, for tests of what should notice: each stands in front of a real endpoint and does one thing wrong. And a CA of its own,
with certificates that are wrong in one way each."""
import pathlib
import socket
import ssl
import subprocess
import threading


class Authority:
    """root -> issuing -> leaf for localhost, by the openssl program."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.root = self.make("root", None, "ca")
        self.issuing = self.make("issuing", "root", "ca")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def make(self, name, issuer, kind, names="DNS:localhost,IP:127.0.0.1", start="20240101000000Z", end="20991231000000Z"):
        (self.folder / f"{name}.ext").write_text(
            "[req]\ndistinguished_name=dn\n[dn]\n[v3]\nsubjectKeyIdentifier=hash\n" +
            ("authorityKeyIdentifier=keyid\n" if issuer else "") +
            ("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n" if kind == "ca" else
             f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName={names}\n") +
            "[ca]\ndefault_ca=me\n[me]\ndatabase=index.txt\nserial=serial.txt\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\nunique_subject=no\n"
            "[any]\ncommonName=supplied\n")
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                     "-subj", f"/CN=leak {name}", "-config", f"{name}.ext")
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial.txt").write_text("%016X\n" % (0x10000000 + hash(name) % 0xffffff))
        sign = ["-selfsign", "-keyfile", f"{name}.key"] if not issuer else ["-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key"]
        self.openssl("ca", "-batch", "-notext", "-config", f"{name}.ext", "-extensions", "v3", "-in", f"{name}.csr", "-out", f"{name}.pem",
                     "-startdate", start, "-enddate", end, *sign)
        return self.folder / f"{name}.pem"

    def rsa(self, name):
        """A leaf with an RSA key, for servers that take what needs one: NAME.pem, NAME.key, NAME.chain."""
        if (self.folder / f"{name}.pem").exists():
            return
        (self.folder / f"{name}.ext").write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
                                                 "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN=leak {name}")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "issuing.pem", "-CAkey", "issuing.key", "-set_serial", "99", "-days", "300", "-extfile", f"{name}.ext",
                     "-out", f"{name}.pem")
        (self.folder / f"{name}.chain").write_text((self.folder / f"{name}.pem").read_text() + self.issuing.read_text())

    def context(self, name, chain=("issuing",), **more):
        """A TLS server with the certificate of that name; it is made when it is asked for first."""
        leaf = self.folder / f"{name}.pem"
        if not leaf.exists():
            self.make(name, "issuing", "leaf", **more)
        together = self.folder / f"{name}.chain"
        together.write_text("".join((self.folder / f"{n}.pem").read_text() for n in (name, *chain)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(together, self.folder / f"{name}.key")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except (OSError, ValueError):
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def join(a, b):
    other = threading.Thread(target=pump, args=(b, a), daemon=True)
    other.start()
    pump(a, b)
    other.join(10)


class Proxy:
    """Listens on a port of its own; `serve(client)` runs for each connection in a thread of its own."""

    def __init__(self, serve):
        self.serve = serve
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(client,), daemon=True).start()

    def one(self, client):
        client.settimeout(20)
        try:
            self.serve(client)
        except (OSError, ValueError):
            pass
        finally:
            try:
                client.close()
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def behind(port, tls=True):
    """A connection to the real endpoint."""
    s = socket.create_connection(("127.0.0.1", port), timeout=20)
    if not tls:
        return s
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(s, server_hostname="localhost")


def terminate(context, port):
    """TLS with that context, and the real endpoint (TLS from the first byte) behind it."""
    def serve(client):
        tls = context.wrap_socket(client, server_side=True)
        join(tls, behind(port))
    return serve


def strip(port):
    """No TLS at all: what the real endpoint says under TLS is said in clear."""
    return lambda client: join(client, behind(port))


def keep_buffer(context, port):
    """IMAP STARTTLS that hands on, inside TLS, what came in clear behind it."""
    def serve(client):
        client.sendall(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n")
        buffer = b""
        while True:
            while b"\n" not in buffer:
                more = client.recv(4096)
                if not more:
                    return
                buffer += more
            line, buffer = buffer.split(b"\n", 1)
            tag, _, word = line.strip().partition(b" ")
            word = word.upper()
            if word == b"STARTTLS":
                client.sendall(tag + b" OK go\r\n")
                break
            if word == b"CAPABILITY":
                client.sendall(b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n" + tag + b" OK done\r\n")
            else:
                client.sendall(tag + b" NO [PRIVACYREQUIRED] TLS first\r\n")
        tls = context.wrap_socket(client, server_side=True)
        real = behind(port)
        while not real.recv(4096).endswith(b"\n"):
            pass
        real.sendall(buffer)
        join(tls, real)
    return serve


def clear_behind(context, port):
    """SMTP STARTTLS of its own; the real endpoint behind it is spoken to in clear."""
    def serve(client):
        real = behind(port, tls=False)
        client.sendall(real.recv(4096))
        while True:
            line = b""
            while not line.endswith(b"\n"):
                more = client.recv(1)
                if not more:
                    return
                line += more
            if line.strip().upper() == b"STARTTLS":
                client.sendall(b"220 go\r\n")
                break
            real.sendall(line)
            answer = b""
            while not (answer.endswith(b"\r\n") and answer.splitlines()[-1][3:4] == b" "):
                more = real.recv(4096)
                if not more:
                    return
                answer += more
            client.sendall(answer)
            if line[:4].upper() == b"QUIT":
                return
        client.settimeout(20)
        tls = context.wrap_socket(client, server_side=True)
        # what the client is told now must not offer TLS again
        line = tls.recv(4096)
        real.sendall(line)
        answer = real.recv(4096)
        tls.sendall(b"\r\n".join(x for x in answer.split(b"\r\n") if b"STARTTLS" not in x))
        join(tls, real)
    return serve
