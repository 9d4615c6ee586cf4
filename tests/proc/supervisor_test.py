#!/usr/bin/env python3
"""The real supervisor with test children: start, links, restart, kept sockets, reload, stop, and who may talk to it.

usage: supervisor_test.py SUPERVISOR TESTCHILD
"""
import array
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROLES = ["supervisor", "keyd", "authd", "access", "mx", "stored", "relayd", "certd", "cad", "watchd", "manager", "enrold", "searchd"]
PROGRAMS = ["keyd", "stored", "searchd", "authd", "cad", "enrold", "certd", "sessiond", "relayd", "watchd"]
CHILD_READY, CHILD_STATUS, CONTROL_CONNECT, CONTROL_STATUS, CONTROL_RELOAD, CONTROL_STOP, CONTROL_CONF, CONTROL_METRICS = \
    4, 8, 9, 10, 11, 12, 13, 14
HEAD = struct.Struct("<HBBIi")
failures = 0


def check(what, good, more=""):
    global failures
    if not good:
        failures += 1
        print(f"FAILED: {what} {more}")


def wait_for(what, test, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        value = test()
        if value:
            return value
        time.sleep(0.05)
    check(what, False, "did not happen")
    return None


class Link:
    """One end of a link, as the command line holds it."""

    def __init__(self, sock):
        self.sock, self.number = sock, 0
        sock.settimeout(20)

    def call(self, message, body=b""):
        self.number += 1
        self.sock.send(HEAD.pack(message, 0, 0, self.number, 0) + body)
        data, ancillary, _, _ = self.sock.recvmsg(140000, 4096)
        if not data:
            raise EOFError
        fds = array.array("i")
        for _, _, raw in ancillary:
            fds.frombytes(raw[: len(raw) - len(raw) % 4])
        got, flags, _, number, status = HEAD.unpack(data[:12])
        assert (got, flags, number) == (message, 1, self.number), data[:12]
        return status, data[12:], list(fds)

    def json(self, message):
        status, body, _ = self.call(message)
        assert status == 0, status
        return json.loads(body)


class Server:
    def __init__(self, supervisor, testchild):
        self.dir = tempfile.mkdtemp(prefix="sealpost-supervisor.")
        os.chmod(self.dir, 0o755)
        self.bin = os.path.join(self.dir, "bin")
        os.mkdir(self.bin)
        # the supervisor looks beside its own executable: a copy, not a link
        shutil.copy(supervisor, os.path.join(self.bin, "sealpost-supervisor"))
        for program in PROGRAMS:
            os.symlink(os.path.abspath(testchild), os.path.join(self.bin, "sealpost-" + program))
        self.conf = os.path.join(self.dir, "sealpost.conf")
        self.log = open(os.path.join(self.dir, "log"), "w+")
        self.process = None

    def configure(self, ports, more="", domain="example.org", name="imap4-default"):
        endpoints = ",\n".join(f'{{ address = "127.0.0.1"; port = {p}; policy = "starttls"; }}' for p in ports["imap"])
        with open(self.conf, "w") as f:
            f.write(f'''domain = "{domain}"; hostname = "mail.example.org"; user_prefix = "";
workers_access = 2; workers_mx = 1; {more}
vservers = (
  {{ name = "{name}"; protocol = "imap4"; require_secure_channel = true; endpoints = ({endpoints}); }},
  {{ name = "smtp-default"; protocol = "smtp"; require_secure_channel = false; endpoints = (
     {{ address = "127.0.0.1"; port = {ports["smtp"]}; policy = "opportunistic"; }} ); }},
  {{ name = "submission"; protocol = "smtp"; smtp_kind = "submission"; require_secure_channel = true; endpoints = (
     {{ address = "127.0.0.1"; port = {ports["submission"]}; }} ); }}
);
''')

    def command(self, *more):
        return [os.path.join(self.bin, "sealpost-supervisor"), "--config", self.conf, *more]

    def start(self):
        self.process = subprocess.Popen(self.command("--foreground"), stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        check("says ready", line == "ready\n", repr(line))
        return self

    def control(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here = os.open(os.path.join(self.dir, "data"), os.O_PATH)
        s.connect(f"/proc/self/fd/{here}/control.sock")
        os.close(here)
        return Link(s)

    def child(self, role, instance=0):
        status, _, fds = self.control().call(CONTROL_CONNECT, struct.pack("<BH", ROLES.index(role), instance))
        if status != 0:
            return None
        return Link(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=fds[0]))

    def processes(self):
        return {(p["role"], p["instance"]): p for p in self.control().json(CONTROL_STATUS)["processes"]}

    def text(self):
        self.log.flush()
        with open(self.log.name) as f:
            return f.read()


def free_ports(n):
    socks = [socket.socket() for _ in range(n)]
    for s in socks:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


def ask(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        return s.makefile().readline()


def test_start(server, ports):
    status = server.control().json(CONTROL_STATUS)
    check("state", status["state"] == "ready", status["state"])
    found = [(p["role"], p["instance"]) for p in status["processes"]]
    check("processes in the order of their start", found == [
        ("keyd", 0), ("stored", 0), ("searchd", 0), ("authd", 0), ("cad", 0), ("enrold", 0), ("certd", 0), ("access", 0), ("access", 1), ("mx", 0),
        ("relayd", 0), ("watchd", 0)], found)
    check("all ready", all(p["state"] == "ready" and p["pid"] > 0 for p in status["processes"]))
    check("all jailed", all(p["walls"]["seccomp"] and p["walls"]["no_new_privs"] for p in status["processes"]))
    check("Landlock where the kernel has it", all(p["walls"]["landlock"] == status["landlock"] for p in status["processes"]))
    started = re.findall(r"info (\w+)(?:\.\d)? started", server.text())
    check("start order in the log", started == [r for r, _ in found], started)
    for v in status["vservers"]:
        check("listens", all(e["listening"] and not e["error"] for e in v["endpoints"]), v)
    workers = {v["name"]: v["endpoints"][0]["workers"] for v in status["vservers"]}
    check("strangers are not served with people", workers == {
        "imap4-default": "access", "smtp-default": "mx", "submission": "access"}, workers)
    for name, mode in {"keys": 0o700, "directory": 0o700, "store": 0o700, "certs": 0o700, "ca": 0o700, "log": 0o700}.items():
        got = os.stat(os.path.join(server.dir, "data", name)).st_mode & 0o777
        check(f"folder {name}", got == mode, oct(got))
    pid = int(open(os.path.join(server.dir, "data", "supervisor.pid")).read())
    if os.geteuid() == 0:
        kept = int(status_line(pid, "CapEff")[0], 16)
        check("the supervisor keeps few powers", kept & ~(1 << 2 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 13) == 0 and
              kept >> 7 & 1, hex(kept))
    check("pid file", pid == server.process.pid == status["pid"])
    seen = {ask(ports["imap"][0]).split(" generation")[0] for _ in range(40)}
    check("both workers get connections", seen == {"access 0", "access 1"}, seen)
    check("mail from strangers goes to mx", ask(ports["smtp"]).startswith("mx 0 generation 1 smtp-default"))


def test_links(server):
    access = server.child("access", 0)
    facts = wait_for("calls between children", lambda: (lambda j: j if j["answered"] > 3 else None)(access.json(CHILD_STATUS)))
    check("links of access", set(facts["peers"]) >= {"keyd.0", "stored.0", "authd.0", "manager.0"} or
          {"keyd.0", "stored.0"} <= set(facts["peers"]), facts["peers"])
    check("no link without messages", "watchd.0" not in facts["peers"] and "relayd.0" not in facts["peers"] and
          "access.1" not in facts["peers"], facts["peers"])
    check("the grant secret is not for workers", not facts["secret"])
    check("the grant secret is for authd and stored", server.child("authd").json(CHILD_STATUS)["secret"] and
          server.child("stored").json(CHILD_STATUS)["secret"])
    keyd = server.child("keyd").json(CHILD_STATUS)
    check("keyd knows both workers", {"access.0", "access.1", "mx.0"} <= set(keyd["peers"]), keyd["peers"])


def test_descriptors(server):
    for p in server.processes().values():
        names = {}
        for fd in os.listdir(f"/proc/{p['pid']}/fd"):
            try:
                names[fd] = os.readlink(f"/proc/{p['pid']}/fd/{fd}")
            except OSError:
                pass
        own = ("/dev/null", server.dir, "/tmp") + (("/memfd:tally",) if p["role"] in ("access", "mx") else ())
        foreign = [n for n in names.values() if n.startswith("/") and not n.startswith(own)]
        check(f"no foreign files in {p['role']}", not foreign, names)
        env = open(f"/proc/{p['pid']}/environ").read()
        check(f"clean environment of {p['role']}", "HOME=" not in env and "PATH=" not in env, env)


def test_kill_worker(server, ports):
    before = server.processes()
    # both workers stand still, so that the connection can only be queued; then both are killed
    for i in (0, 1):
        os.kill(before["access", i]["pid"], signal.SIGSTOP)
    queued = [socket.create_connection(("127.0.0.1", ports["imap"][0]), timeout=20) for _ in range(6)]
    for i in (0, 1):
        os.kill(before["access", i]["pid"], signal.SIGKILL)
    lines = [s.makefile().readline() for s in queued]
    check("queued connections are served by the next generation", all(re.match(r"access \d generation 2 ", l) for l in lines), lines)
    after = wait_for("restart", lambda: (lambda p: p if all(p["access", i]["state"] == "ready" for i in (0, 1)) else None)(
        server.processes()))
    check("restart is counted", all(after["access", i]["restarts"] == 1 for i in (0, 1)))
    check("the reason is kept", "signal 9" in after["access", 0]["last_end"], after["access", 0]["last_end"])
    check("others stay", after["keyd", 0]["pid"] == before["keyd", 0]["pid"])
    facts = wait_for("calls after the restart",
                     lambda: (lambda j: j if j["answered"] > 3 else None)(server.child("access", 1).json(CHILD_STATUS)))
    check("it is a new process", facts["generation"] == 2, facts)
    check("keyd saw both go", wait_for("gone", lambda: server.child("keyd").json(CHILD_STATUS)["peers_gone"] == 2))


def test_kill_keyd(server):
    os.kill(server.processes()["keyd", 0]["pid"], signal.SIGKILL)
    for i in (0, 1):
        facts = wait_for("workers find the new keyd", lambda: (
            lambda c: (lambda j: j if j["keyd_generation"] == 2 else None)(c.json(CHILD_STATUS)) if c else None)(
                server.child("access", i)))
        check("the worker itself was not restarted", facts and facts["generation"] == 2, facts)


def test_back_off(server):
    """Killed again and again, the pause doubles."""
    pauses = []
    for _ in range(4):
        pid = wait_for("ready again", lambda: (lambda p: p["pid"] if p["state"] == "ready" else None)(
            server.processes()["cad", 0]))
        begin = time.time()
        os.kill(pid, signal.SIGKILL)
        wait_for("started again", lambda: server.processes()["cad", 0]["pid"] not in (0, pid))
        pauses.append(time.time() - begin)
    check("the pause before a restart doubles", pauses[3] > 0.75 and pauses[0] < 0.6, pauses)


def test_reload(server, ports):
    control = server.control()
    with open(server.conf, "a") as f:
        f.write("nonsense = 5;\n")
    status, problems, _ = control.call(CONTROL_RELOAD)
    check("a bad file is refused", status < 0 and b"nonsense" in problems and b"sealpost.conf" in problems, (status, problems))
    check("and the old configuration serves", ask(ports["imap"][0]).startswith("access"))

    fresh, = free_ports(1)
    pids = {k: p["pid"] for k, p in server.processes().items()}
    busy = socket.create_server(("127.0.0.1", 0))
    changed = dict(ports, imap=[ports["imap"][0], fresh, busy.getsockname()[1]])
    server.configure(changed, domain="second.example.org")
    status, problems, _ = control.call(CONTROL_RELOAD)
    check("a good file is taken, a busy port is named", status == 0 and b"Another program listens" in problems, (status, problems))
    check("a new endpoint is served", ask(fresh).split("\n")[0].endswith("endpoint 1"))
    check("nobody was restarted", pids == {k: p["pid"] for k, p in server.processes().items()})
    facts = server.child("access", 0).json(CHILD_STATUS)
    check("workers have the new configuration", facts["confs"] == 1 and facts["domain"] == "second.example.org", facts)
    errors = [e["error"] for v in control.json(CONTROL_STATUS)["vservers"] for e in v["endpoints"] if not e["listening"]]
    check("the busy endpoint says why", len(errors) == 1 and "Another program" in errors[0], errors)
    busy.close()
    check("and listens when it is free", wait_for("retry", lambda: all(
        e["listening"] for v in control.json(CONTROL_STATUS)["vservers"] for e in v["endpoints"])))

    server.configure(dict(ports, imap=[fresh]), domain="third.example.org")
    os.kill(server.process.pid, signal.SIGHUP)
    wait_for("reload by signal", lambda: server.child("access", 0).json(CHILD_STATUS)["domain"] == "third.example.org")
    # the test children keep what they were given; the supervisor's own copy is gone
    listening = {(e["port"]) for v in control.json(CONTROL_STATUS)["vservers"] for e in v["endpoints"]}
    check("removed endpoints are gone", ports["imap"][0] not in listening and fresh in listening, listening)
    status, _, fds = control.call(CONTROL_CONF)
    check("the running configuration", status == 0 and b"third.example.org" in os.pread(fds[0], 100000, 0))
    try:
        os.pwrite(fds[0], b"x", 0)
        check("it is sealed", False)
    except OSError:
        pass


def test_control(server):
    metrics = None
    def read():
        nonlocal metrics
        metrics = server.control().call(CONTROL_METRICS)[1].decode()
        return 'test_answered_total{process="access",instance="0"}' in metrics
    wait_for("metrics of workers", read)
    check("one TYPE line a name", metrics.count("# TYPE test_answered_total counter") == 1, metrics)
    check("labels are joined", 'test_by_kind{process="keyd",instance="0",kind="a"} 1' in metrics, metrics)
    check("nobody speaks for another", "process_up{process=\"keyd\"} 0" not in metrics.replace("sealpost_", ""), metrics)
    check("own metrics", 'sealpost_process_up{process="stored",instance="0"} 1' in metrics)

    for name, frame in {"a child's message": HEAD.pack(CHILD_READY + 3, 1, 0, 1, 0), "too long": HEAD.pack(CONTROL_STATUS, 0, 0, 1, 0) + b"x" * 65,
                        "short": b"abc", "an answer to nothing": HEAD.pack(CHILD_STATUS, 1, 0, 1, 0)}.items():
        link = server.control()
        link.sock.send(frame)
        check(f"link is closed after {name}", link.sock.recv(100) == b"")
    status, _, _ = server.control().call(CONTROL_CONNECT, struct.pack("<BH", ROLES.index("access"), 9))
    check("no such instance", status < 0)
    status, _, _ = server.control().call(CONTROL_CONNECT, struct.pack("<BH", ROLES.index("supervisor"), 0))
    check("not to itself", status < 0)
    status, _, _ = server.control().call(CONTROL_CONNECT, b"\xff\xff\xff")
    check("no such role", status < 0)
    many, refused = [server.control() for _ in range(40)], 0
    for m in many:
        try:
            m.json(CONTROL_STATUS)
        except (EOFError, OSError):
            refused += 1
    check("a limit to managers", refused == 8, refused)
    for m in many:
        m.sock.close()
    second = subprocess.run(server.command("--foreground"), capture_output=True, text=True, timeout=60)
    check("a second one is refused", second.returncode == 1 and "in use by another supervisor" in second.stderr and
          str(server.process.pid) in second.stderr, second)


OTHER_USER = """
import os, socket, sys
os.chdir(sys.argv[1])  # the name must be short enough for a socket's
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    s.connect("control.sock")
    s.send(bytes.fromhex(sys.argv[2]))
    print("closed" if s.recv(100) == b"" else "let in")
except PermissionError:
    print("refused")
except (ConnectionResetError, BrokenPipeError):
    print("closed")
"""


def test_other_user(server):
    if os.geteuid() != 0:
        return
    data = os.path.join(server.dir, "data")
    command = [sys.executable, "-c", OTHER_USER, data, HEAD.pack(CONTROL_STATUS, 0, 0, 1, 0).hex()]
    out = subprocess.run(command, capture_output=True, text=True)
    check("the socket's mode keeps others off", out.stdout == "refused\n", out)
    # with the mode opened by mistake the credentials still decide
    os.chmod(os.path.join(data, "control.sock"), 0o666)
    out = subprocess.run(command, capture_output=True, text=True)
    check("credentials are checked", out.stdout == "closed\n", out)


def test_stop(server):
    pids = [p["pid"] for p in server.processes().values()]
    text = len(server.text())
    status, _, _ = server.control().call(CONTROL_STOP)
    check("stop is answered", status == 0)
    check("ends with success", server.process.wait(60) == 0, server.process.returncode)
    stopped = re.findall(r"info (\w+)(?:\.\d)? \(process \d+\) has stopped", server.text()[text:])
    check("all stopped in order", len(stopped) == len(pids) and stopped[-2:] == ["stored", "keyd"] and
          set(stopped[:3]) == {"access", "mx"}, (stopped, server.text()[text:]))
    check("no process is left", not any(os.path.exists(f"/proc/{pid}") for pid in pids))
    check("the control socket is gone", not os.path.exists(os.path.join(server.dir, "data", "control.sock")))


def test_background(server, ports):
    """Without --foreground, and stopped by a signal; then with a program that is not there and a supervisor that is killed."""
    os.unlink(os.path.join(server.bin, "sealpost-watchd"))
    done = subprocess.run(server.command(), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    check("in the background", done.returncode == 0 and done.stdout == "ready\n", done)
    status = server.control().json(CONTROL_STATUS)
    check("missing program", [p["role"] for p in status["processes"] if p["state"] == "missing"] == ["watchd"])
    check("log file", "ready" in open(os.path.join(server.dir, "data", "log", "sealpost.log")).read())
    os.kill(status["pid"], signal.SIGTERM)
    wait_for("stop by signal", lambda: not os.path.exists(f"/proc/{status['pid']}"), 60)
    done = subprocess.run(server.command(), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    status = server.control().json(CONTROL_STATUS)
    os.kill(status["pid"], signal.SIGKILL)
    wait_for("children end with their supervisor",
             lambda: not any(p["pid"] and os.path.exists(f"/proc/{p['pid']}") for p in status["processes"]))
    with open(server.conf, "w") as f:
        f.write("domain = ;\n")
    done = subprocess.run(server.command(), capture_output=True, text=True, timeout=60)
    check("a bad file starts nothing", done.returncode == 1 and "sealpost.conf:1" in done.stderr, done)


USERS = {"keyd": "keys", "authd": "directory", "stored": "store", "certd": "certs", "cad": "ca", "enrold": "enrol", "searchd": "search", "access": None, "mx": None,
         "relayd": None, "watchd": None}


def status_line(pid, name):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(name + ":"):
            return line.split()[1:]


def test_users(server, ports):
    """As root: every process is its own user's, and its folder too. The users exist only for this supervisor."""
    if os.geteuid() != 0:
        return
    text = open(server.conf).read().replace('user_prefix = ""', 'user_prefix = "testmail-"')
    open(server.conf, "w").write(text)
    server.start()
    lower = server.processes()["keyd", 0]["walls"]["lower"]
    check("a user that is not there is reported", "testmail-keyd" in lower, lower)
    check("root without its powers", int(status_line(server.processes()["keyd", 0]["pid"], "CapEff")[0], 16) == 0)
    server.process.terminate()
    server.process.wait(60)

    passwd = os.path.join(server.dir, "passwd")
    shutil.copy("/etc/passwd", passwd)
    uids = {}
    with open(passwd, "a") as f:
        for number, name in enumerate(USERS):
            uids[name] = 61000 + number
            f.write(f"testmail-{name}:x:{uids[name]}:{uids[name]}::/nonexistent:/usr/sbin/nologin\n")
    namespace = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', passwd]
    if subprocess.run(namespace + ["true"], capture_output=True).returncode != 0:
        print("no mount namespace: users are not tried")
        return
    mode = os.stat(server.dir).st_mode & 0o7777
    os.chmod(server.dir, 0o700)
    closed = subprocess.run(namespace + server.command("--foreground"), capture_output=True, text=True, timeout=30)
    check("a folder above that is closed to them is named", closed.returncode != 0 and f"cannot pass through {server.dir}." in closed.stderr,
          (closed.returncode, closed.stderr))
    os.chmod(server.dir, mode | 0o011)
    server.process = subprocess.Popen(namespace + server.command("--foreground"), stdout=subprocess.PIPE, stderr=server.log,
                                      text=True)
    check("ready with users", server.process.stdout.readline() == "ready\n")
    for (role, instance), p in server.processes().items():
        uid = str(uids[role])
        check(f"user of {role}", status_line(p["pid"], "Uid") == [uid] * 4 and status_line(p["pid"], "Gid") == [uid] * 4 and
              p["walls"]["user"] and not p["walls"]["lower"].replace("this kernel has no Landlock", ""), p)
        check(f"other groups of {role}", status_line(p["pid"], "Groups") == [])
        check(f"powers of {role}", all(int(status_line(p["pid"], c)[0], 16) == 0 for c in ("CapEff", "CapPrm", "CapBnd")))
        folder = USERS[role] and os.stat(os.path.join(server.dir, "data", USERS[role]))
        if folder:
            check(f"folder of {role}", folder.st_uid == uids[role] and folder.st_mode & 0o7777 ==
                  (0o2750 if role == "stored" else 0o700), oct(folder.st_mode))
    store = os.stat(os.path.join(server.dir, "data", "store"))
    check("workers read the store by its group", store.st_gid == uids["access"], store.st_gid)
    server.process.terminate()
    check("stop with users", server.process.wait(60) == 0)


def test_without_root(server, ports):
    """Started by an ordinary user: it works, and says which walls are lower."""
    if os.geteuid() != 0:
        return
    text = open(server.conf).read().replace('workers_mx = 1;', 'workers_mx = 1; data = "own/data";')
    open(server.conf, "w").write(text)
    own = os.path.join(server.dir, "own")
    os.mkdir(own)
    os.chown(own, 65534, 65534)
    os.chmod(server.conf, 0o644)
    server.process = subprocess.Popen(server.command("--foreground"), stdout=subprocess.PIPE, stderr=server.log, text=True,
                                      user=65534, group=65534, extra_groups=[])
    check("ready without root", server.process.stdout.readline() == "ready\n")
    data = os.path.join(server.dir, "data")
    if os.path.exists(data):
        shutil.rmtree(data)
    os.symlink(os.path.join(own, "data"), data)
    for (role, _), p in server.processes().items():
        check(f"walls of {role}", p["walls"]["seccomp"] and not p["walls"]["user"] and "not started as root" in p["walls"]["lower"], p)
    check("serves", ask(ports["imap"][0]).startswith("access"))
    server.process.terminate()
    check("stop without root", server.process.wait(60) == 0)


def main():
    server = Server(*sys.argv[1:3])
    imap, smtp, submission = free_ports(3)
    ports = {"imap": [imap], "smtp": smtp, "submission": submission}
    server.configure(ports)
    try:
        server.start()
        silent = server.processes()["relayd", 0]["pid"]
        os.kill(silent, signal.SIGSTOP)  # looked at again below: the wait for its silence runs meanwhile
        test_start(server, ports)
        test_links(server)
        test_descriptors(server)
        test_kill_worker(server, ports)
        test_kill_keyd(server)
        test_back_off(server)
        test_reload(server, ports)
        test_control(server)
        test_other_user(server)
        wait_for("a silent process is ended and started again", lambda: server.processes()["relayd", 0]["restarts"] == 1, 60)
        check("and that is said", "does not say that it is alive" in server.text())
        wait_for("all ready", lambda: all(p["state"] == "ready" for p in server.processes().values()))
        test_stop(server)
        test_background(server, ports)
        os.symlink(os.path.abspath(sys.argv[2]), os.path.join(server.bin, "sealpost-watchd"))
        server.configure(ports)
        test_users(server, ports)
        test_without_root(server, ports)
    finally:
        if server.process and server.process.poll() is None:
            server.process.kill()
        if failures or sys.exc_info()[0]:
            print(server.text()[-6000:])
        for word in ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error", "forbidden system call"):
            check(f"no {word} in the log", word not in server.text())
        shutil.rmtree(server.dir, ignore_errors=True)
    print("supervisor: " + ("passed" if failures == 0 else f"{failures} failed"))
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
