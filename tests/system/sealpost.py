"""sealpost.py: a whole server for one system test, on loopback ports and in a folder of its own; always ended, by process id.

    with Server(sys.argv[1]) as s:          # the folder of the executables
        s.imap()                            # python's imaplib, logged in over TLS
"""
import imaplib
import os
import pathlib
import poplib
import secrets
import select
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)
import nntplib  # noqa: E402

PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "pop3": 110, "pop3s": 995, "imap": 143, "imaps": 993,
         "nntp": 119, "nntps": 563, "http": 80, "https": 443}


def free_base():
    """A base so that base + each well-known port is free at the moment."""
    for _ in range(200):
        base = 10000 + secrets.randbelow(21000)  # below the ports that outgoing connections take
        held = []
        try:
            for port in PORTS.values():
                s = socket.socket()
                held.append(s)
                s.bind(("127.0.0.1", base + port))
            return base
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise RuntimeError("no free ports")


def wait_for(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Server:
    def __init__(self, bin_folder, extra="", vserver_extra=None, accounts=("alice", "bob"), limits="", trusted='"127.0.0.0/8", "::1"'):
        self.bin = pathlib.Path(bin_folder).resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-test."))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.conf = self.folder / "sealpost.conf"
        self.log = self.folder / "log"
        self.extra, self.vserver_extra, self.limits = extra, vserver_extra or {}, limits
        self.accounts = accounts
        self.trusted = trusted
        self.passwords = {name: secrets.token_hex(8) for name in accounts}
        self.domain = "example.test"
        self.process = None
        self.base = free_base()

    # ------------------------------------------------------------ life
    def __enter__(self):
        try:
            self.write_conf()
            self.start()
            for name in self.accounts:
                self.run("account", "add", self.address(name), "--password-stdin", input=self.passwords[name])
            self.run("newsgroup", "add", "local.test", "--address", f"local.test@{self.domain}")
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        bad = [line for line in text.splitlines() if "AddressSanitizer" in line or "runtime error:" in line or "CHECK" in line]
        if kind or bad:
            sys.stderr.write("---- the server's log, its end ----\n" + "\n".join(text.splitlines()[-60:]) + "\n")
        if bad:
            sys.stderr.write("---- what was found ----\n" + text[text.index(bad[0]):][:6000] + "\n")
        if os.environ.get("KEEP"):
            sys.stderr.write(f"kept: {self.folder}\n")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        if bad and not kind:
            raise AssertionError("sanitizer: " + bad[0])

    def port(self, name):
        return self.base + PORTS[name]

    def write_conf(self):
        def endpoint(name, policy):
            return f'{{ address = "127.0.0.1"; port = {self.port(name)}; policy = "{policy}"; }}'

        def vserver(name, protocol, endpoints, more=""):
            more += self.vserver_extra.get(name, "")
            limits = f"limits = {{ {self.limits} }};" if self.limits else ""
            return f'{{ name = "{name}"; protocol = "{protocol}"; {more} {limits} endpoints = ( {", ".join(endpoints)} ); }}'

        secure = "require_secure_channel = true;"
        rows = [
            vserver("smtp-default", "smtp", [endpoint("smtp", "opportunistic")], 'smtp_kind = "mx";'),
            vserver("submission-default", "smtp", [endpoint("submission", "starttls"), endpoint("submissions", "tls")], 'smtp_kind = "submission";' + secure),
            vserver("pop3-default", "pop3", [endpoint("pop3", "starttls"), endpoint("pop3s", "tls")], secure),
            vserver("imap4-default", "imap4", [endpoint("imap", "starttls"), endpoint("imaps", "tls")], secure),
            vserver("nntp-default", "nntp", [endpoint("nntp", "starttls"), endpoint("nntps", "tls")], secure),
            vserver("http-default", "http", [endpoint("http", "public"), endpoint("https", "tls")]),
        ]
        prefix = "sealpost-" if os.geteuid() == 0 else ""
        self.conf.write_text(
            f'domain = "{self.domain}"; hostname = "localhost"; organization = "Test"; data = "data"; user_prefix = "{prefix}";\n'
            f'trusted = ( {self.trusted} ); argon2_memory_kib = 8192; argon2_passes = 1;\n{self.extra}\n'
            f'vservers = (\n  {(", " + chr(10) + "  ").join(rows)}\n);\n')

    def start(self):
        if os.geteuid() == 0:
            for role in "keyd authd access mx stored relayd certd cad enrold searchd watchd conf".split():
                if subprocess.run(["getent", "passwd", f"sealpost-{role}"], stdout=subprocess.DEVNULL).returncode:
                    subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", f"sealpost-{role}"], check=True)
        read, write = os.pipe()
        os.set_inheritable(write, True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.bin / "sealpost-supervisor", "--config", self.conf, "--foreground", "--ready-fd", str(write)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[write], start_new_session=True)
        os.close(write)
        with os.fdopen(read, "rb") as ready:
            self.wait_ready(ready)

    def wait_ready(self, pipe, seconds=60):
        """Says what it waited for, and how far the server came."""
        begin, line = time.monotonic(), b""
        while b"ready" not in line:
            left = begin + seconds - time.monotonic()
            more = os.read(pipe.fileno(), 4096) if left > 0 and select.select([pipe], [], [], left)[0] else None
            if more:
                line += more
                continue
            code = self.process.poll() if more is None else self.process.wait(10)
            text = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
            if more is None:
                self.process.kill()
                self.process.wait()
            why = f"ended with {code}" if more is not None else f"is not ready after {seconds} s"
            raise AssertionError(f"the server in {self.folder} {why}; its log ends with:\n  " + "\n  ".join(text))

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the supervisor had to be killed")

    def kill_all(self):
        """As a power cut takes processes: all at once, none is asked."""
        pids = [p["pid"] for p in self.processes() if p.get("pid")]
        self.process.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    # ------------------------------------------------------------ the command line
    def run(self, *words, input=None, check=True, json=False):
        command = [self.bin / "sealpost", "--config", self.conf, *words] + (["--json"] if json else [])
        r = subprocess.run(command, input=input, capture_output=True, text=True, timeout=60)
        if check and r.returncode:
            raise AssertionError(f"sealpost {' '.join(words)}: exit {r.returncode}: {r.stdout}{r.stderr}")
        return r

    def json(self, *words):
        import json
        return json.loads(self.run(*words, json=True).stdout)

    def processes(self):
        return self.json("status")["processes"]

    # ------------------------------------------------------------ clients
    @property
    def ca_file(self):
        return str(self.data / "ca" / "root.pem")

    @property
    def tls(self):
        return ssl.create_default_context(cafile=self.ca_file)

    def address(self, name):
        return f"{name}@{self.domain}"

    def imap(self, name="alice", login=True):
        c = imaplib.IMAP4_SSL("localhost", self.port("imaps"), ssl_context=self.tls, timeout=20)
        if login:
            c.login(self.address(name), self.passwords[name])
        return c

    def pop3(self, name="alice"):
        c = poplib.POP3_SSL("localhost", self.port("pop3s"), context=self.tls, timeout=20)
        c.user(self.address(name))
        c.pass_(self.passwords[name])
        return c

    def submission(self, name="alice"):
        c = smtplib.SMTP_SSL("localhost", self.port("submissions"), context=self.tls, timeout=20)
        c.login(self.address(name), self.passwords[name])
        return c

    def mx(self):
        return smtplib.SMTP("localhost", self.port("smtp"), timeout=20)

    def nntp(self, name="alice"):
        return nntplib.NNTP_SSL("localhost", self.port("nntps"), self.address(name), self.passwords[name], ssl_context=self.tls, timeout=20)

    def settings(self):
        """Environment of ./start's settings.env."""
        names = {"SMTP_PORT": "smtp", "SUBMISSION_PORT": "submission", "SUBMISSIONS_PORT": "submissions", "POP3_PORT": "pop3", "POP3S_PORT": "pop3s",
                 "IMAP_PORT": "imap", "IMAPS_PORT": "imaps", "NNTP_PORT": "nntp", "NNTPS_PORT": "nntps", "HTTP_PORT": "http", "HTTPS_PORT": "https"}
        rows = {k: str(self.port(v)) for k, v in names.items()}
        rows.update(HOST="localhost", DOMAIN=self.domain, NEWSGROUP="local.test", CA_FILE=self.ca_file, USER1=self.address("alice"),
                    PASS1=self.passwords["alice"], USER2=self.address("bob"), PASS2=self.passwords["bob"])
        return rows


def main(*tests):
    """Runs the test functions one after the other, each with a line."""
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    ran = 0
    for test in tests:
        if only not in test.__name__:
            continue
        begin = time.monotonic()
        test()
        ran += 1
        print(f"ok   {test.__name__}  {time.monotonic() - begin:.1f} s", flush=True)
    if not ran:
        sys.exit("no test ran")
