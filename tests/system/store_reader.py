"""A reader of the store, written from doc/format-store.md alone: the log of a stopped server, from its first file on (that is, before compaction took one away).

    messages(DATA) → {(account, mailbox name): {uid: (flags, keywords, bytes)}}
"""
import pathlib
import struct

SYSTEM = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]


class Reader:
    """Fields of a record's effects, one behind the other."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, n):
        self.at += n
        assert self.at <= len(self.raw), "effects end in the middle"
        return self.raw[self.at - n:self.at]

    def num(self, code):
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.num("B")
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def span(self):
        return self.take(self.num("I"))

    def place(self):
        return struct.unpack("<III", self.take(12))


# of each effect its fields: B I Q q numbers, p place, s span, v varint, M row_mailbox, m row_message,
# and lists: u UIDs, f UIDs with flags, t pairs of u64, w what was moved
EFFECTS = {1: "QQ", 2: "ppI", 3: "QIm", 4: "QI", 5: "QQf", 6: "QQBu", 7: "QMs", 8: "Q", 9: "Qs", 10: "QQsB", 11: "sqQI", 12: "Qs", 13: "Qs", 14: "QB",
           15: "QIQQQ", 16: "Q", 17: "sII", 18: "Q", 19: "QQ", 20: "pp", 21: "QQw", 22: "I", 23: "t", 24: "QsQIB", 25: "QQsBs", 26: "QQQBu", 27: "Qs", 28: "sQ"}


def field(r, kind):
    if kind == "p":
        return r.place()
    if kind == "s":
        return r.span()
    if kind in "Mm":
        return r.take(80 if kind == "M" else 96)
    if kind in "uf":
        rows, uid = [], 0
        for _ in range(r.varint()):
            uid += r.varint()
            rows.append((uid, r.varint()) if kind == "f" else uid)
        return rows
    if kind == "t":
        return [(r.num("Q"), r.num("Q")) for _ in range(r.varint())]
    if kind == "w":
        what = r.num("B")
        return {part: r.place() for part in (1, 2, 4) if what & part}
    return r.num(kind)


def records(folder):
    """The effects of each record, and how many records there are."""
    sequence, number = 0, 1
    while (path := folder / f"{number:08}.log").exists():
        raw, at = path.read_bytes(), 0
        while at + 64 <= len(raw):
            magic, kind, version, seq, _, size, commit, _ = struct.unpack_from("<IHHQQQII", raw, at)
            if magic != 0x31474C53 or seq != sequence + 1 or at + size > len(raw):
                break
            sequence = seq
            end = at + size
            part = Reader(raw[end - (commit + 15) // 16 * 16:end][:commit])
            at = end
            if kind == 1:
                part.take(16)
                assert part.num("I") == number, path
            else:
                yield part.span()
        number += 1


def messages(data):
    log, boxes, rows = pathlib.Path(data) / "store" / "log", {}, {}
    for effects in records(log):
        r = Reader(effects)
        while r.at < len(effects):
            kind = r.num("B")
            f = [field(r, k) for k in EFFECTS[kind]]
            if kind == 3:
                rows.setdefault(f[0], {})[f[1]] = [struct.unpack_from("<Q", f[2])[0], *(struct.unpack_from("<III", f[2], 56 + 12 * i) for i in (0, 2))]
            elif kind == 5:
                for uid, flags in f[2]:
                    rows[f[0]][uid][0] = flags
            elif kind == 6:
                for uid in f[3]:
                    del rows[f[0]][uid]
            elif kind == 7:
                box = boxes.setdefault(f[0], {"keywords": []})
                box["name"] = (struct.unpack_from("<Q", f[1])[0], f[2].decode())
            elif kind == 8:
                boxes.pop(f[0])
                rows.pop(f[0], None)
            elif kind == 9:
                boxes[f[0]]["keywords"].append(f[1].decode())
            elif kind == 21 and f[0] in boxes:
                for part, place in f[2].items():
                    if part != 2:
                        rows[f[0]][f[1]][1 if part == 1 else 2] = place
    files = {}

    def blob(place):
        if not place[2]:
            return b""
        if place[0] not in files:
            files[place[0]] = (log / f"{place[0]:08}.log").read_bytes()
        raw = files[place[0]]
        assert struct.unpack_from("<I", raw, place[1] - 8)[0] == place[2], place
        return raw[place[1]:place[1] + place[2]]

    found = {}
    for number, box in boxes.items():
        found[box["name"]] = {
            uid: (frozenset([n for i, n in enumerate(SYSTEM) if flags >> i & 1] + [n for i, n in enumerate(box["keywords"]) if flags >> (8 + i) & 1]), blob(prefix) + blob(body))
            for uid, (flags, body, prefix) in rows.get(number, {}).items()}
    return found
