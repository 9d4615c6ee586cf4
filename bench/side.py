"""side.py: the load generator, the servers and one measurement after the other; tables of what came out."""
import argparse
import json
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))
import measure  # noqa: E402
import servers  # noqa: E402


class Load:
    """One run of the load generator, stopped between its phases."""

    def __init__(self, binary, server, row, ops, quick=False):
        args = dict(row.args)
        port = row.port
        if row.driver == "smtp-send" and row.port == "lmtp" and server.delivers_by == "lmtp":
            row_flags = row.flags + ("lmtp",)
        else:
            row_flags = row.flags
        if port not in server.ports:  # no mail in clear
            port, row_flags = port + "s", row_flags + ("tls",)
        args.setdefault("user", server.user)
        args["password"] = server.nntp_password if port == "nntps" else server.password
        if port == "nntps":
            args["mailbox"] = server.group
        args |= {"port": server.ports[port], "ops": ops}
        self.command = [str(binary), row.driver, *(f"{k}={v}" for k, v in args.items()), *row_flags]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.expect("ready")

    def expect(self, word):
        line = self.process.stdout.readline()
        if not line.startswith(word):
            self.process.stdin.close()
            raise RuntimeError(f"{' '.join(self.command)}: {self.process.stderr.read().strip() or line}")
        return line

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return json.loads(self.expect("{"))

    def end(self):
        try:
            self.process.communicate("end\n", timeout=60)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Bench:
    def __init__(self, options):
        self.options = options
        self.bin = pathlib.Path(options.bin)
        self.load = self.bin / "bench_load"
        self.running, self.prepared, self.failed = {}, set(), {}
        self.begin = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.begin

    def say(self, text):
        print(f"[{self.elapsed():5.0f} s] {text}", flush=True)

    def server(self, name):
        if name not in self.running:
            s = self.running[name] = servers.make(name, self.bin)
            self.say(f"{name} starts: {s.version}")
            s.start()
        return self.running[name]

    def close(self):
        for s in self.running.values():
            s.remove()

    # ------------------------------------------------------------ what must be there before
    def fill(self, server, driver, port, ops, **args):
        row = type("R", (), {"args": args, "port": port, "driver": driver, "flags": ("tls",)})
        self.say(f"{server.name}: {ops:,} messages to begin with")
        with server.filling():
            load = Load(self.load, server, row, ops)
            r = load.go()
            load.end()
        if r["ops"] < ops:
            raise RuntimeError(f"{server.name} took {r['ops']:,} of {ops:,} messages in {r['seconds']:.0f} s")
        self.say(f"{server.name}: they are there, {r['ops'] / r['seconds']:,.0f} a second")

    def prepare(self, server, what):
        if not what or (server.name, what) in self.prepared:
            return
        if what == "big":
            servers.imap_command(server, "u1", "create", "Big")
            self.fill(server, "imap-append", "imaps", 10000, conns=2, user="u1@example.test", mailbox="Big", seconds=300)
        elif what == "huge":
            servers.imap_command(server, "u2", "create", "Huge")
            self.fill(server, "imap-append", "imaps", servers.HUGE, conns=4, user="u2@example.test", mailbox="Huge", seconds=1800)
            if server.name == "sealpost":
                self.say("sealpost: the search index")
                server.server.run("store", "index", "u2@example.test")  # as after a search: it is indexed from now on
                servers.sealpost.wait_for("the search index", lambda: server.server.json("store", "index")["state"] == "up to date", 1800)
        elif what == "pop":
            self.fill(server, "imap-append", "imaps", 10, user="pop@example.test")
        elif what == "news":
            self.fill(server, "nntp-post", "nntps", 2000, conns=2, seconds=300)
        self.prepared.add((server.name, what))

    # ------------------------------------------------------------ one measurement
    @staticmethod
    def settled(roots):
        """Memory once it changes no more: a server may give up buffers, or put sessions to sleep, some time later."""
        before = 0
        for _ in range(20):
            time.sleep(3)
            now = measure.pss_bytes(roots)
            if abs(now - before) < 0.02 * now:
                break
            before = now
        return now

    def once(self, server, row):
        if row.fresh:
            server.restart()
            time.sleep(1)
        self.prepare(server, row.prepare)
        memory = measure.pss_bytes(server.roots) if row.figure == "memory" else 0
        load = Load(self.load, server, row, row.ops[0 if self.options.quick else 1])
        try:
            if row.figure == "memory":
                used = self.settled(server.roots) - memory
                return {"figure": used / 1024 / (row.args["conns"] * row.args["sessions"])}
            before, by_name = measure.cpu_seconds(server.roots), measure.names(server.roots)
            r = load.go()
            time.sleep(0.05)
            cpu = measure.cpu_seconds(server.roots) - before
            after = measure.names(server.roots)
        finally:
            load.end()
        units = r["units"] or r["ops"]
        r["cpu_us"] = cpu / units * 1e6
        r["rate"] = units / r["seconds"]
        r["client_us"] = r["client_cpu"] / units * 1e6
        r["by"] = {n: round((after[n] - by_name.get(n, 0)) / units * 1e6, 1) for n in after if after[n] - by_name.get(n, 0) > 0.005}
        r["figure"] = {"cpu": r["cpu_us"], "latency": r["p99_us"] / 1000, "resumed": 100 * r["resumed"] / r["ops"]}[row.figure]
        return r

    def rounds(self, row):
        return min(self.options.rounds, row.rounds or self.options.rounds)

    def again(self, name):
        """A server that is down after a failure would take the other rows with it."""
        server = self.running.get(name)
        if server and not all(servers.listening(p) for p in server.ports.values()):
            self.say(f"{name} is down and starts again")
            server.restart()

    def row(self, row):
        results = {"sealpost": [], row.peer: []}
        for number in range(self.rounds(row)):
            order = ["sealpost", row.peer][:: -1 if number % 2 else 1]
            for name in order:
                try:
                    r = self.once(self.server(name), row)
                except Exception as e:  # the other rows are still worth having
                    self.failed[(row.name, name)] = str(e)
                    self.say(f"{row.name:22} {name:20} failed: {e}")
                    try:
                        self.again(name)
                    except Exception as why:
                        self.say(f"{name} does not start again: {why}")
                    continue
                results[name].append(r)
                more = f"{r['rate']:9.0f}/s p50 {r['p50_us']} p99 {r['p99_us']} client {r['client_us']:.1f} {r['by']}" if "rate" in r else ""
                self.say(f"{row.name:22} {name:20} {r['figure']:10.2f} {more}")
        return results


UNITS = {"cpu": "µs", "memory": "KiB", "latency": "ms", "resumed": "%"}


def number(x):
    return "–" if x is None else f"{x:.2f}" if x < 10 else f"{x:.1f}" if x < 100 else f"{x:,.0f}"


def median(results, key):
    values = [r[key] for r in results if key in r]
    return statistics.median(values) if values else None


def rates(results):
    if median(results, "rate") is None:
        return "–"
    return f"{median(results, 'rate'):,.0f}/s, {median(results, 'p50_us') / 1000:.2f} / {median(results, 'p99_us') / 1000:.2f} ms"


def table(rows, results):
    out = ["| operation | figure | sealpost | peer | peer's | peer ÷ sealpost | target | sealpost: rate, p50 / p99 | peer: rate, p50 / p99 |",
           "| --- | --- | ---: | --- | ---: | ---: | ---: | --- | --- |"]
    what = {"cpu": "CPU", "memory": "PSS", "latency": "time", "resumed": "share"}
    for row in rows:
        a, b = results[row.name]["sealpost"], results[row.name][row.peer]
        x, y = median(a, "figure"), median(b, "figure")
        ratio = f"{y / x:.1f}" if x and y and row.figure != "resumed" else "–"
        unit = UNITS[row.figure]
        out.append(f"| {row.title} | {what[row.figure]} | {number(x)} {unit} | {row.peer} | {number(y)} {unit} | {ratio} | {row.target} | {rates(a)} | {rates(b)} |")
    return "\n".join(out)


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = int(open("/proc/meminfo").readline().split()[1]) // 1024 // 1024
    release = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release") if "=" in line)["PRETTY_NAME"].strip('"')
    ssl = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.split(" (")[0].strip()
    return f"{os.cpu_count()} × {model}, {memory} GiB, {release}, Linux {platform.release()}, {ssl}"


def write_section(path, title, text):
    """Puts the text in the place of the section of that title, or behind all others; each command has its section of the file."""
    old = path.read_text() if path.exists() else ""
    sections = ["# " + part for part in ("\n" + old).split("\n# ")[1:]]
    new = f"# {title}\n\n{text.strip()}\n"
    places = [i for i, part in enumerate(sections) if part.startswith(f"# {title}\n")]
    if places:
        sections[places[0]] = new
    else:
        sections.append(new)
    path.write_text("\n".join(part.rstrip() + "\n" for part in sections))


INOTIFY = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")


class Inotify:
    """Without one instance per session Dovecot looks every 30 s instead, and does not hibernate."""

    def __enter__(self):
        self.before = INOTIFY.read_text()
        if int(self.before) < 16384:
            INOTIFY.write_text("16384")

    def __exit__(self, *unused):
        INOTIFY.write_text(self.before)


def install_and_build(options):
    install = ROOT / "tools" / "install-packages"
    if subprocess.run([install, "bench"]).returncode:
        # inn2 will not configure itself on a host without a domain
        conf = pathlib.Path("/etc/news/inn.conf")
        if not conf.exists() or "\ndomain:" in conf.read_text():
            sys.exit("the peers could not be installed")
        conf.write_text(conf.read_text() + "\ndomain:  example.test\n")
        subprocess.run([install, "bench"], check=True)
    build = ROOT / "build" / "bench"
    if not (build / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "release", "-B", build], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", build, "all", "bench_load"], check=True, stdout=subprocess.DEVNULL)


def parser(doc):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--only", action="append", default=[])
    p.add_argument("--rounds", type=int)
    p.add_argument("--bin", default=ROOT / "build" / "bench" / "bin")
    p.add_argument("--output")
    p.add_argument("--no-install", action="store_true", help="neither install nor build")
    return p


def options(p):
    o = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit("ended"))  # what was started ends, folders go
    o.rounds = o.rounds or (1 if o.quick else 3)
    if os.geteuid():
        sys.exit(f"{p.prog} must be root: the peers change users")
    if not o.no_install:
        install_and_build(o)
    return o
