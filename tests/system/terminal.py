"""terminal.py: the Certificate Wizard on a terminal of its own."""
import os
import pty
import select
import socket
import ssl
import time


class Terminal:
    """What was said so far is in `text`."""

    def __init__(self, server, vserver, folder):
        self.text = ""
        self.at = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execl(server.bin / "sealpost", "sealpost", "--config", str(server.conf), "cert", "wizard", vserver)

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return False
            self.text += data.decode().replace("\r\n", "\n")
            return bool(data)
        return None

    def expect(self, what, answer=None):
        end = time.monotonic() + 30
        while self.text.find(what, self.at) < 0:
            if self.read(1) is False or time.monotonic() > end:
                raise AssertionError(f"no {what!r} in:\n{self.text[self.at:]}")
        self.at = self.text.find(what, self.at) + len(what)
        if answer is not None:
            os.write(self.fd, answer.encode() + b"\n")

    def end(self):
        while self.read(10):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def ask_for_name(port, name):
    """A client that asks for a name by SNI, at a port with TLS from the first byte."""
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s, context.wrap_socket(s, server_hostname=name) as t:
        t.recv(10)
