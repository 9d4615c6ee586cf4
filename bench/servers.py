"""servers.py: sealpost and the servers it is compared with, each in a folder and on loopback ports of its own.

Every server has: name, version, ports {imaps, pop3s, smtp, lmtp, nntps}, user ("u#@example.test": # is a number from 1), password,
roots (process ids at the top of its trees), start(), stop().
"""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "system")]
import measure  # noqa: E402
import sealpost  # noqa: E402

PASSWORD = "correct7horse"
DOMAIN = "example.test"
USERS = [f"u{i}" for i in range(1, 33)] + ["pop"]
HUGE = 100000  # messages of the largest mailbox


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Peer:
    user, password, log = f"u#@{DOMAIN}", PASSWORD, "log"

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{self.name}."))
        self.folder.chmod(0o755)
        self.ports = {p: free_port() for p in self.wants}
        self.processes = []

    @property
    def roots(self):
        return [p.pid for p in self.processes]

    def file(self, name, text, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", self.folder / "key.pem",
                        "-out", self.folder / "cert.pem"], check=True, stderr=subprocess.DEVNULL)

    def spawn(self, *command, **more):
        with open(self.folder / "output", "ab") as out:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, **more))

    def wait_ports(self):
        sealpost.wait_for(f"{self.name} listens", lambda: all(listening(p) for p in self.ports.values()), 20)

    def stop(self):
        everyone = measure.tree(self.roots)
        for p in self.processes:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(30)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        try:
            sealpost.wait_for("all processes end", lambda: not any(measure.stat(p) for p in everyone), 10)
        except AssertionError:
            for pid in everyone:
                if measure.stat(pid):
                    os.kill(pid, signal.SIGKILL)
        self.processes = []

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self):
        self.stop()
        time.sleep(0.5)
        self.start()

    @contextlib.contextmanager
    def filling(self):
        """While mailboxes are filled nothing is measured: a server may leave its syncs out."""
        yield


class Sealpost(Peer):
    name = "sealpost"
    wants = ()

    def __init__(self, bin_folder):
        self.server = sealpost.Server(bin_folder, accounts=tuple(USERS), limits="connections = 100000; messages = 1000000; errors = 10000;")
        self.server.passwords = {name: PASSWORD for name in USERS}
        self.folder = self.server.folder
        self.ports = {"imaps": self.server.port("imaps"), "pop3s": self.server.port("pop3s"), "smtp": self.server.port("smtp"),
                      "lmtp": self.server.port("smtp"), "nntps": self.server.port("nntps")}
        self.group, self.nntp_password, self.delivers_by = "local.test", PASSWORD, "smtp"
        git = subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        self.version = f"sealpost {git}"

    @property
    def roots(self):
        return [self.server.process.pid]

    def start(self):
        if self.server.process:
            self.server.start()
        else:
            self.server.__enter__()

    def stop(self):
        self.server.stop()

    def remove(self):
        self.server.__exit__(None, None, None)


class Dovecot(Peer):
    """High-performance login mode, mail_fsync=always, no password hash to compute (PLAIN, cached), imap processes used again."""
    name = "dovecot"
    wants = ("imaps", "imap", "pop3s", "lmtp")
    delivers_by = "lmtp"
    hibernate, mail_format = "", "sdbox"

    def __init__(self):
        super().__init__()
        self.certificate()
        self.version = "Dovecot " + subprocess.run(["dovecot", "--version"], capture_output=True, text=True).stdout.split()[0]
        self.file("users", "".join(f"{u}@{DOMAIN}:{{PLAIN}}{PASSWORD}::::::\n" for u in USERS))
        for u in USERS:
            (self.folder / "mail" / u).mkdir(parents=True)
            shutil.chown(self.folder / "mail" / u, "mail", "mail")
        p, f = self.ports, self.folder
        self.conf = self.file("dovecot.conf", f"""
base_dir = {f}/run
state_dir = {f}/state
log_path = {f}/log
instance_name = bench{p['imaps']}
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = yes
disable_plaintext_auth = no
ssl_min_protocol = TLSv1.2
ssl_cert = <{f}/cert.pem
ssl_key = <{f}/key.pem
first_valid_uid = 1
mail_location = {self.mail_format}:~/{self.mail_format}
mail_fsync = always
mail_max_userip_connections = 0
auth_mechanisms = plain
auth_cache_size = 10 M
auth_username_format = %Lu
default_process_limit = 12000
default_client_limit = 40000
default_vsz_limit = 0
passdb {{
  driver = passwd-file
  args = {f}/users
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={f}/mail/%n
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 20000
  inet_listener imap {{
    port = {p['imap']}
  }}
  inet_listener imaps {{
    port = {p['imaps']}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 20000
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {p['pop3s']}
    ssl = yes
  }}
}}
service imap {{
  service_count = 0
  process_limit = 12000
  client_limit = 1
  process_min_avail = 4
}}
service pop3 {{
  service_count = 0
  client_limit = 1
  process_min_avail = 4
}}
service lmtp {{
  service_count = 0
  client_limit = 1
  process_min_avail = 4
  inet_listener lmtp {{
    port = {p['lmtp']}
  }}
}}
service anvil {{
  client_limit = 50000
}}
service auth {{
  client_limit = 50000
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
{self.hibernate}
""")

    def start(self):
        self.spawn("/usr/sbin/dovecot", "-F", "-c", self.conf)
        self.wait_ports()

    @contextlib.contextmanager
    def filling(self):
        text = self.conf.read_text()
        self.conf.write_text(text.replace("mail_fsync = always", "mail_fsync = never"))
        self.restart()
        try:
            yield
        finally:
            self.conf.write_text(text)
            self.restart()
        os.sync()  # what was written then does not ride on a measurement


class DovecotHibernating(Dovecot):
    """Idle sessions are handed to imap-hibernate after a second."""
    name = "dovecot-hibernating"
    hibernate = """
imap_hibernate_timeout = 1s
service imap {
  unix_listener imap-master {
    mode = 0666
  }
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0666
  }
}
"""


class DovecotMdbox(Dovecot):
    """Several messages a file, as sealpost has them."""
    name, mail_format = "dovecot-mdbox", "mdbox"


class Postfix(Peer):
    """Durable queue; every message is put on hold, so that no delivery is counted; nothing is logged (no syslog in the way)."""
    name = "postfix"
    wants = ("smtp",)

    def __init__(self):
        super().__init__()
        self.certificate()
        self.version = "Postfix " + subprocess.run(["postconf", "-dh", "mail_version"], capture_output=True, text=True).stdout.strip()
        f = self.folder
        for d in ("queue", "data"):
            (f / d).mkdir()
        shutil.chown(f / "data", "postfix")
        self.file("main.cf", f"""
compatibility_level = 3.6
queue_directory = {f}/queue
data_directory = {f}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = localhost
mydomain = {DOMAIN}
mydestination = {DOMAIN}
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtpd_client_restrictions = static:HOLD
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = may
smtpd_tls_cert_file = {f}/cert.pem
smtpd_tls_key_file = {f}/key.pem
smtpd_tls_session_cache_database =
tls_random_source = dev:/dev/urandom
default_process_limit = 500
message_size_limit = 52428800
""")
        rows = [f"127.0.0.1:{self.ports['smtp']} inet n - n - 200 smtpd -o smtpd_client_restrictions=check_client_access,static:HOLD"]
        rows += ["cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "tlsmgr unix - - n 1000? 1 tlsmgr", "rewrite unix - - n - - trivial-rewrite",
                 "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
                 "flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap", "local unix - n n - - local", "error unix - - n - - error",
                 "retry unix - - n - - error", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache", "discard unix - - n - - discard"]
        self.file("master.cf", "\n".join(rows) + "\n")

    def start(self):
        self.spawn("/usr/sbin/postfix", "-c", self.folder, "start-fg")
        self.wait_ports()

    def stop(self):
        # the script that start-fg is passes no signal on
        subprocess.run(["/usr/sbin/postfix", "-c", self.folder, "abort"], stderr=subprocess.DEVNULL)
        super().stop()


class Inn(Peer):
    """CNFS and tradindexed overview; nnrpd with TLS as a daemon of its own, posting through innd. Articles are not durable at the 240."""
    name = "inn"
    wants = ("nntps", "nntp")
    group, nntp_password = "local.test", ""

    def __init__(self):
        super().__init__()
        self.certificate()
        self.version = "INN " + subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "inn2"], capture_output=True, text=True).stdout
        f = self.folder
        for d in ("db", "etc", "run", "log", "spool", "spool/articles", "spool/overview", "spool/incoming", "spool/outgoing", "tmp", "archive"):
            (f / d).mkdir(exist_ok=True)
        self.conf = self.file("etc/inn.conf", f"""
mta: "/bin/true"
organization: bench
ovmethod: tradindexed
hismethod: hisv6
pathhost: news.{DOMAIN}
domain: {DOMAIN}
fromhost: {DOMAIN}
pathnews: /usr/lib/news
pathbin: /usr/lib/news/bin
patharchive: {f}/archive
patharticles: {f}/spool/articles
pathdb: {f}/db
pathetc: {f}/etc
pathfilter: {f}/etc
pathhttp: {f}/log
pathincoming: {f}/spool/incoming
pathlog: {f}/log
pathoutgoing: {f}/spool/outgoing
pathoverview: {f}/spool/overview
pathrun: {f}/run
pathspool: {f}/spool
pathtmp: {f}/tmp
port: {self.ports['nntp']}
bindaddress: 127.0.0.1
allownewnews: true
noreader: false
enableoverview: true
wireformat: true
nnrpdcheckart: false
spamfilter: false
localmaxartsize: 1000000
tlscertfile: {f}/cert.pem
tlskeyfile: {f}/key.pem
tlscapath: {f}
tlsprotocols: [ TLSv1.2 TLSv1.3 ]
maxconnections: 100
maxforks: 100
nicenewnews: 0
nicennrpd: 0
nicekids: 0
nfsreader: false
overcachesize: 128
logtrash: false
status: 0
timer: 0
""")
        self.file("etc/storage.conf", "method cnfs {\n    newsgroups: *\n    class: 0\n    options: BUF\n}\n")
        self.file("etc/cycbuff.conf", f"cycbuff:ONE:{f}/spool/cnfs:2000000\nmetacycbuff:BUF:ONE\n")
        with open(f / "spool" / "cnfs", "wb") as b:
            b.truncate(2000000 * 1024)
        self.file("etc/readers.conf", 'auth "all" {\n    hosts: "*"\n    default: "<bench>"\n}\naccess "all" {\n    users: "*"\n    newsgroups: "*"\n    access: RPA\n}\n')
        self.file("etc/incoming.conf", "streaming: true\nmax-connections: 100\npeer ME {\n    hostname: \"localhost, 127.0.0.1\"\n}\n")
        self.file("etc/newsfeeds", "ME:!*::\nnobody:!*:Tf:nobody\n")
        self.file("etc/expire.ctl", "/remember/:11\n*:A:1:10:never\n")
        for name in ("control.ctl", "passwd.nntp", "nntpsend.ctl", "innfeed.conf", "moderators", "distrib.pats", "distributions", "localgroups", "subscriptions", "motd.news"):
            self.file(f"etc/{name}", "")
        self.file("db/active", f"control 0000000000 0000000001 n\ncontrol.cancel 0000000000 0000000001 n\njunk 0000000000 0000000001 n\n{self.group} 0000000000 0000000001 y\n")
        self.file("db/newsgroups", f"{self.group}\tbench\n")
        self.file("db/active.times", "")
        self.file("db/history", "")
        for path in [f, *f.rglob("*")]:
            shutil.chown(path, "news", "news")
        os.chmod(f / "key.pem", 0o600)
        self.as_news("/usr/lib/news/bin/makedbz", "-i", "-o", "-s", "300000")

    def command(self, words):
        return ["setpriv", "--reuid", "news", "--regid", "news", "--init-groups", "env", f"INNCONF={self.conf}", *map(str, words)]

    def as_news(self, *words):
        subprocess.run(self.command(words), check=True, cwd=self.folder / "db")

    def start(self):
        self.spawn(*self.command(["/usr/lib/news/bin/innd", "-f", "-P", self.ports["nntp"]]), cwd=self.folder)
        sealpost.wait_for("innd listens", lambda: listening(self.ports["nntp"]), 20)
        self.spawn(*self.command(["/usr/lib/news/bin/nnrpd-ssl", "-D", "-f", "-S", "-p", self.ports["nntps"]]), cwd=self.folder)
        self.wait_ports()


def make(name, bin_folder):
    kinds = {c.name: c for c in (Dovecot, DovecotMdbox, DovecotHibernating, Postfix, Inn)}
    return Sealpost(bin_folder) if name == "sealpost" else kinds[name]()


def imap_command(server, user, *words):
    """One IMAP command by python, for preparations."""
    import imaplib
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    c = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=context, timeout=20)
    c.login(f"{user}@{DOMAIN}", server.password)
    answer = getattr(c, words[0])(*words[1:])
    c.logout()
    return answer
