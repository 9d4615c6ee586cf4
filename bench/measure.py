"""measure.py: what a tree of processes has used, from /proc."""
import os
import pathlib

TICK = os.sysconf("SC_CLK_TCK")


def stat(pid):
    """(parent, seconds of processor time with reaped children) or None when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(int(f) for f in fields[11:15]) / TICK


def tree(roots):
    """All living processes under roots, with roots: {pid: cpu seconds}."""
    rows = {int(p): s for p in os.listdir("/proc") if p.isdigit() and (s := stat(p))}
    found, again = {r for r in roots if r in rows}, True
    while again:
        more = {p for p, (parent, _) in rows.items() if parent in found} - found
        found |= more
        again = bool(more)
    return {p: rows[p][1] for p in found}


def names(roots):
    result = {}
    for pid, cpu in tree(roots).items():
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        name = os.path.basename(words[0].decode(errors="replace").split(" ")[0])
        if len(words) > 2 and words[1].isalpha():
            name += " " + words[1].decode()
        result[name] = result.get(name, 0) + cpu
    return result


def cpu_seconds(roots):
    return sum(tree(roots).values())


def pss_bytes(roots):
    total = 0
    for pid in tree(roots):
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total
