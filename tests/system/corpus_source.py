"""corpus_source.py: the messages of the corpus of real mail, as they would be appended."""
import os
import pathlib

here = pathlib.Path(__file__).resolve().parent
folder = pathlib.Path(os.environ.get("SEALPOST_CORPUS", here.parent / "corpus" / "mikel-mail"))


def messages():
    """(name, bytes with CRLF)"""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "LICENSE" and path.suffix not in (".golden", ".md"):
            raw = path.read_bytes()
            raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
            yield path.relative_to(folder), raw if raw.endswith(b"\r\n") else raw + b"\r\n"
