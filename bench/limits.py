"""limits.py: what the machine itself allows for messages of 10 KiB: append and fdatasync, copying, the cipher of TLS."""
import ctypes
import os
import re
import resource
import statistics
import subprocess
import time

BYTES = 10240


def used():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime


def sync(folder, batch, seconds=2, size=BYTES):
    """One file that has its size already, as the store's log: messages a second, CPU µs a message."""
    path = os.path.join(folder, "limit")
    block = os.urandom(size) * batch
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for at in range(0, 256 << 20, 1 << 20):
            os.pwrite(fd, bytes(1 << 20), at)
        os.fsync(fd)
        n, cpu, begin = 0, used(), time.monotonic()
        while time.monotonic() - begin < seconds:
            os.pwrite(fd, block, n * len(block) % ((256 << 20) - len(block)))
            os.fdatasync(fd)
            n += 1
        took = time.monotonic() - begin
        return n * batch / took, (used() - cpu) / (n * batch) * 1e6
    finally:
        os.close(fd)
        os.unlink(path)


def copy():
    size = 64 << 20
    a, b = ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)
    ctypes.memset(a, 1, size)
    ctypes.memmove(b, a, size)
    rates = []
    for _ in range(5):
        cpu = used()
        for _ in range(4):
            ctypes.memmove(b, a, size)
        rates.append((used() - cpu) / (4 * size / BYTES) * 1e6)
    us = statistics.median(rates)
    return 1e6 / us, us


def cipher():
    out = subprocess.run(["openssl", "speed", "-seconds", "2", "-bytes", "16384", "-evp", "aes-128-gcm"], capture_output=True, text=True).stdout
    per_second = float(re.search(r"AES-128-GCM\s+([\d.]+)k", out, re.I).group(1)) * 1000
    return per_second / BYTES, BYTES / per_second * 1e6


def measure(folder):
    return {"sync-small": sync(folder, 1, size=512), "sync-1": sync(folder, 1), "sync-32": sync(folder, 32), "copy": copy(), "cipher": cipher()}


TITLES = {"sync-small": "append and fdatasync of 512 bytes", "sync-1": "append and fdatasync, one message at a time", "sync-32": "append and fdatasync, 32 messages at a time",
          "copy": "memory copy", "cipher": "AES-128-GCM in records of 16 KiB"}


def table(bare):
    rows = [f"| {TITLES[k]} | {rate:,.0f}/s | {us:.2f} µs |" for k, (rate, us) in bare.items()]
    return "\n".join(["| of 10 KiB | rate | CPU a message |", "| --- | ---: | ---: |"] + rows)


# Which limits stand under which rows; of what is read, those of the bytes that came.
READ = ("copy", "cipher")
UNDER = {"flag": ("sync-small",), "select": READ, "flags": READ, "envelope": READ, "structure": READ, "search-subject": READ, "search-body": READ, "search-since": READ,
         "deliver-1-many": ("sync-1",), "deliver-32-many": ("sync-32",), "deliver-32-one": ("sync-32",), "accept-1": ("sync-1",), "accept-32": ("sync-32",),
         "append-1": ("sync-1", "cipher"), "append-32-many": ("sync-32", "cipher"), "append-32-one": ("sync-32", "cipher"), "body-tls": ("copy", "cipher"), "body-clear": ("copy", "cipher")}


def distance(rows, results, bare):
    out = ["| operation | sealpost's CPU | bytes read | of it the limit | times the limit | share of the limit's rate |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    seen = set()
    for row in rows:
        name = row.name.split("/")[0]
        mine = [r for r in results[row.name]["sealpost"] if "rate" in r]
        if name in seen or name not in UNDER or not mine:
            continue
        seen.add(name)
        cpu, rate = statistics.median(r["figure"] for r in mine), statistics.median(r["rate"] for r in mine)
        received = statistics.median(r["received"] / (r["units"] or r["ops"]) for r in mine)
        share = received / BYTES if UNDER[name] == READ else 1
        limit = sum(bare[k][1] for k in UNDER[name]) * share
        fastest = 1e6 / limit if UNDER[name] == READ else min(bare[k][0] for k in UNDER[name])
        read = f"{received:,.0f}" if UNDER[name] == READ else "–"
        out.append(f"| {row.title} | {cpu:.2f} µs | {read} | {limit:.3f} µs | {cpu / limit:.1f} | {100 * rate / fastest:.1f} % |")
    return "\n".join(out)
