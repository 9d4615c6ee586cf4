#!/usr/bin/env python3
"""What time does to mail that waits: a notice of the delay, and the end. relayd alone is started behind a clock that is ahead."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import relay_test as far
from sealpost import Server, main, wait_for

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    const char *ahead = getenv("CLOCK_AHEAD");
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(id, t);
    if (r == 0 && id == CLOCK_REALTIME && ahead)
        t->tv_sec += atol(ahead);
    return r;
}
"""
HOUR, DAY = 3600, 86400
ahead = None


def programs(folder):
    """The executables, relayd behind a script that sets its clock."""
    real, mine = pathlib.Path(sys.argv[1]).resolve(), folder / "bin"
    mine.mkdir()
    for program in real.iterdir():
        if program.name.startswith("sealpost") and program.name != "sealpost-relayd":
            shutil.copy2(program, mine)
    (folder / "clock.c").write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", folder / "clock.so", folder / "clock.c", "-ldl"], check=True)
    script = mine / "sealpost-relayd"
    script.write_text(f'#!/bin/sh\nCLOCK_AHEAD=$(cat {folder}/ahead) LD_PRELOAD={folder}/clock.so ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" '
                      f'exec {real}/sealpost-relayd "$@"\n')
    script.chmod(0o755)
    return mine


def clock(seconds):
    """relayd lives so far in the future from now on."""
    ahead.write_text(str(seconds))
    far.kill("relayd")


def waiting(subject, notify=()):
    far.three.replies["rcpt"] = "450 4.2.0 not today"
    far.send("far@three.test", subject, rcpt_options=list(notify))
    wait_for("a try", lambda: [i for i in far.queue() if i["tries"] >= 1], 20)


def told_once_of_the_delay():
    with far.calm():
        s = far.unique("delay")
        waiting(s)
        clock(3 * HOUR)
        far.server.run("queue", "retry", "--all")
        wait_for("another try", lambda: [i for i in far.queue() if i["next_try"] > time.time() + 2 * HOUR], 20)
        far.no_report_about(s)
        clock(5 * HOUR)
        far.server.run("queue", "retry", "--all")
        _, to = far.fields_of(far.report_about(s))
        assert to[0]["Action"] == "delayed" and to[0]["Status"] == "4.2.0", to[0].as_string()
        tries = wait_for("it is back", lambda: not far.queue()[0]["leased"] and far.queue()[0]["tries"], 10)
        far.server.run("queue", "retry", "--all")
        wait_for("another try", lambda: far.queue()[0]["tries"] > tries, 20)
        assert len([m for m in far.inbox() if s in m.as_string() and m.get_content_type() == "multipart/report"]) == 1
        far.three.replies.clear()
        far.server.run("queue", "retry", "--all")
        far.took(far.three, s)
        far.empty()


def no_notice_where_only_failure_is_asked_for():
    with far.calm():
        clock(0)
        s = far.unique("quiet")
        waiting(s, ["NOTIFY=FAILURE"])
        clock(5 * HOUR)
        far.server.run("queue", "retry", "--all")
        wait_for("another try", lambda: [i for i in far.queue() if i["next_try"] > time.time() + 4 * HOUR], 20)
        far.no_report_about(s)


def given_up_in_the_end():
    with far.calm():
        clock(0)
        s = far.unique("expired")
        waiting(s)
        clock(5 * DAY + HOUR)
        far.server.run("queue", "retry", "--all")
        _, to = far.fields_of(far.report_about(s))
        assert to[0]["Action"] == "failed" and to[0]["Status"] == "5.4.7" and "not today" in to[0]["Diagnostic-Code"], to[0].as_string()
        far.empty()
        assert far.log_lines("relayd", "for too long, given up")


def given_up_with_nobody_to_tell():
    """The sender's account is gone, so the postmaster hears of it; nothing waits for ever."""
    with far.calm():
        clock(0)
        s = far.unique("orphan")
        far.server.run("account", "add", far.server.address("carol"), "--password-stdin", input="a password of carol's")
        far.server.passwords["carol"] = "a password of carol's"
        far.three.replies["rcpt"] = "450 4.2.0 not today"
        with far.server.submission("carol") as c:
            c.sendmail(far.server.address("carol"), ["far@three.test"], far.text(s, **{"From": far.server.address("carol")}))
        wait_for("a try", lambda: [i for i in far.queue() if i["tries"] >= 1], 20)
        far.server.run("account", "remove", far.server.address("carol"))
        clock(6 * DAY)
        far.server.run("queue", "retry", "--all")
        far.report_about(s, "bob")
        far.empty()


def run():
    global ahead
    with tempfile.TemporaryDirectory(prefix="sealpost-far.") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        ahead = folder / "ahead"
        ahead.write_text("0")
        port = far.world(folder)
        extra = f'dns_servers = ( "127.0.0.1@{far.dns.port}" ); outbound_port = {port}; retry = ( "1 s", "2 s" ); log_level = "info";\n'
        with Server(programs(folder), extra=extra) as s:
            far.server = s
            s.run("alias", "add", f"postmaster@{s.domain}", s.address("bob"))
            main(told_once_of_the_delay, no_notice_where_only_failure_is_asked_for, given_up_in_the_end, given_up_with_nobody_to_tell)


if __name__ == "__main__":
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    run()
