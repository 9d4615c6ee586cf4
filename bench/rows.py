"""rows.py: what is measured. One row a line of the table; the numbers of operations are (quick, full)."""
from dataclasses import dataclass, field


@dataclass
class Row:
    name: str
    title: str
    driver: str
    port: str
    peer: str
    ops: tuple
    target: str                 # of CPU a unit (or memory, latency); what DESIGN says
    args: dict = field(default_factory=dict)
    flags: tuple = ()
    figure: str = "cpu"         # cpu: µs of the server a unit; memory: KiB a session; latency: p99 in ms; resumed: % of tries
    prepare: str = ""           # what must be there before: "big", "pop", "news"
    fresh: bool = False         # start the server anew for each round
    rounds: int = 0             # at most so many; 0: as many as are asked for


LOGIN = {"conns": 4, "warm": 10}
BIG = {"user": "u1@example.test", "mailbox": "Big", "messages": 10000, "warm": 1}

ROWS = [
    Row("login", "IMAP login + logout, TLS 1.3 full handshake", "imap-login", "imaps", "dovecot", (600, 2000), "≤ 320 µs", LOGIN, ("tls",)),
    Row("login-resumed", "IMAP login + logout, resumption offered", "imap-login", "imaps", "dovecot", (600, 2000), "–", LOGIN, ("tls", "resume")),
    Row("resumed-share", "resumed sessions accepted", "imap-login", "imaps", "dovecot", (600, 2000), "100 %", LOGIN, ("tls", "resume"), "resumed"),
    Row("idle-1000", "idle TLS IMAP session, 1,000 open", "imap-idle", "imaps", "dovecot", (0, 0), "≤ 20 KiB", {"conns": 4, "sessions": 250}, ("tls",), "memory", fresh=True),
    Row("idle-5000", "idle TLS IMAP session, 5,000 open", "imap-idle", "imaps", "dovecot", (0, 0), "≤ 20 KiB", {"conns": 4, "sessions": 1250}, ("tls",), "memory", fresh=True),
    Row("idle-5000-hibernating", "the same, Dovecot hibernating after 1 s", "imap-idle", "imaps", "dovecot-hibernating", (0, 0), "≤ 20 KiB", {"conns": 4, "sessions": 1250}, ("tls",), "memory", fresh=True),
    Row("notify", "new message → EXISTS at an idle session, p99", "imap-notify", "imaps", "dovecot", (500, 1000), "≤ 2 ms", {"conns": 1, "seconds": 15, "warm": 3, "pause": 10, "mailbox": "INBOX"}, ("tls",), "latency"),
    Row("notify-hibernating", "the same, Dovecot hibernating after 1 s", "imap-notify", "imaps", "dovecot-hibernating", (5, 8), "≤ 2 ms", {"conns": 1, "warm": 1, "pause": 2500}, ("tls",), "latency"),
    Row("smtp-1", "SMTP accept, 1 connection", "smtp-send", "smtp", "postfix", (1000, 2000), "≤ 120 µs", {"conns": 1, "per": 20, "warm": 20, "seconds": 20}),
    Row("smtp-32", "SMTP accept, 32 connections", "smtp-send", "smtp", "postfix", (4000, 8000), "≤ 120 µs", {"conns": 32, "per": 20, "warm": 20, "seconds": 20}),
    Row("smtp-starttls", "SMTP accept, one message a connection, STARTTLS", "smtp-send", "smtp", "postfix", (600, 2000), "≤ 420 µs", {"conns": 4, "per": 1, "warm": 5}, ("starttls",)),
    Row("deliver-1", "delivery into the mailbox, 1 connection (Dovecot: LMTP)", "smtp-send", "lmtp", "dovecot", (500, 1000), "–", {"conns": 1, "warm": 20}),
    Row("deliver-32", "delivery into the mailbox, 32 connections (Dovecot: LMTP)", "smtp-send", "lmtp", "dovecot", (2000, 6000), "≤ 120 µs", {"conns": 32, "warm": 5}),
    Row("append-1", "IMAP APPEND, 1 connection", "imap-append", "imaps", "dovecot", (1000, 2000), "≤ 170 µs", {"conns": 1, "warm": 20}, ("tls",)),
    Row("append-32", "IMAP APPEND, 32 connections", "imap-append", "imaps", "dovecot", (4000, 8000), "≤ 100 µs", {"conns": 32, "warm": 5}, ("tls",)),
    Row("fetch-flags", "FETCH FLAGS of 10,000, a message", "imap-fetch", "imaps", "dovecot", (60, 200), "≤ 0.25 µs", BIG | {"items": "FLAGS"}, ("tls",), prepare="big"),
    Row("fetch-envelope", "FETCH ENVELOPE of 10,000, a message", "imap-fetch", "imaps", "dovecot", (10, 30), "≤ 1.0 µs", BIG | {"items": "ENVELOPE"}, ("tls",), prepare="big"),
    Row("fetch-structure", "FETCH BODYSTRUCTURE of 10,000, a message", "imap-fetch", "imaps", "dovecot", (10, 30), "≤ 0.8 µs", BIG | {"items": "BODYSTRUCTURE"}, ("tls",), prepare="big"),
    Row("fetch-body", "FETCH BODY.PEEK[] of 10,000, a message of 10 KiB", "imap-fetch", "imaps", "dovecot", (2, 5), "≤ 12 µs", BIG | {"items": "BODY.PEEK[]"}, ("tls",), prepare="big"),
    Row("store-flag", "STORE one flag, durable", "imap-store", "imaps", "dovecot", (1000, 4000), "≤ 60 µs", BIG | {"warm": 20}, ("tls",), prepare="big"),
    Row("pop3", "POP3 session, 10 messages, TLS", "pop3-session", "pop3s", "dovecot", (300, 1000), "≤ 500 µs", {"conns": 4, "warm": 5, "user": "pop@example.test", "messages": 10}, ("tls",), prepare="pop"),
    Row("nntp-post", "NNTP POST over TLS (INN: not durable)", "nntp-post", "nntps", "inn", (1000, 4000), "–", {"conns": 4, "warm": 5}, ("tls",), prepare="news"),
    Row("nntp-article", "NNTP ARTICLE of 10 KiB over TLS", "nntp-article", "nntps", "inn", (5000, 20000), "≤ 12 µs", {"conns": 16, "warm": 100, "messages": 2000, "seconds": 15}, ("tls",), prepare="news"),
    Row("nntp-over", "NNTP OVER, a line, over TLS", "nntp-over", "nntps", "inn", (50, 200), "≤ 0.6 µs", {"conns": 1, "warm": 1, "messages": 2000}, ("tls",), prepare="news"),
]

# ---------------------------------------------------------------- bench/store: each row beside each of its peers
HUGE = {"user": "u2@example.test", "mailbox": "Huge", "messages": 100000, "warm": 1, "seconds": 8}
ONE = {"user": "u3@example.test", "seconds": 20}
BOXES = ("dovecot", "dovecot-mdbox")
STORE_ROWS = [
    *(Row("deliver-1-many", "delivery, 1 connection", "smtp-send", "lmtp", p, (300, 1000), "–", {"conns": 1, "warm": 20, "seconds": 20}) for p in BOXES),
    *(Row("deliver-32-many", "delivery, 32 connections to 32 mailboxes", "smtp-send", "lmtp", p, (2000, 6000), "≤ 120 µs", {"conns": 32, "warm": 5, "seconds": 20}) for p in BOXES),
    *(Row("deliver-32-one", "delivery, 32 connections to one mailbox", "smtp-send", "lmtp", p, (1000, 4000), "≤ 120 µs", ONE | {"conns": 32, "warm": 5}) for p in BOXES),
    Row("accept-1", "SMTP accept, 1 connection", "smtp-send", "smtp", "postfix", (500, 2000), "≤ 120 µs", {"conns": 1, "per": 20, "warm": 20}),
    Row("accept-32", "SMTP accept, 32 connections", "smtp-send", "smtp", "postfix", (2000, 8000), "≤ 120 µs", {"conns": 32, "per": 20, "warm": 20}),
    *(Row("append-1", "APPEND, 1 connection", "imap-append", "imaps", p, (300, 1000), "≤ 170 µs", {"conns": 1, "warm": 20, "seconds": 20}, ("tls",)) for p in BOXES),
    *(Row("append-32-many", "APPEND, 32 connections to 32 mailboxes", "imap-append", "imaps", p, (2000, 6000), "≤ 100 µs", {"conns": 32, "warm": 5, "seconds": 20}, ("tls",)) for p in BOXES),
    *(Row("append-32-one", "APPEND, 32 connections to one mailbox", "imap-append", "imaps", p, (1000, 4000), "≤ 100 µs", ONE | {"conns": 32, "warm": 5}, ("tls",)) for p in BOXES),
    *(Row("flag", "STORE one flag of 100,000, durable", "imap-store", "imaps", p, (500, 2000), "≤ 60 µs", HUGE | {"warm": 20}, ("tls",), prepare="huge") for p in BOXES),
    *(Row("select", "SELECT of 100,000", "imap-select", "imaps", p, (500, 2000), "–", HUGE, ("tls",), prepare="huge") for p in BOXES),
    *(Row("flags", "FETCH FLAGS of 100,000, a message", "imap-fetch", "imaps", p, (5, 10), "≤ 0.25 µs", HUGE | {"items": "FLAGS"}, ("tls",), prepare="huge") for p in BOXES),
    *(Row("envelope", "FETCH ENVELOPE of 100,000, a message", "imap-fetch", "imaps", p, (1, 4), "≤ 1.0 µs", HUGE | {"items": "ENVELOPE"}, ("tls",), prepare="huge") for p in BOXES),
    *(Row("structure", "FETCH BODYSTRUCTURE of 100,000, a message", "imap-fetch", "imaps", p, (1, 4), "≤ 0.8 µs", HUGE | {"items": "BODYSTRUCTURE"}, ("tls",), prepare="huge") for p in BOXES),
    *(Row("search-subject", "SEARCH SUBJECT of 100,000, nothing found", "imap-search", "imaps", p, (200, 2000), "–", HUGE | {"items": "SUBJECT quarterly", "seconds": 6}, ("tls",), prepare="huge") for p in BOXES),
    *(Row("search-body", "SEARCH BODY word of 100,000, nothing found", "imap-search", "imaps", p, (20, 400), "independent of the mailbox", HUGE | {"items": "BODY quarterly", "warm": 0, "seconds": 6}, ("tls",), prepare="huge", rounds=1) for p in BOXES),
    *(Row("search-since", "SEARCH SINCE of 100,000, all found", "imap-search", "imaps", p, (50, 500), "–", HUGE | {"items": "SINCE 1-Jan-2020", "seconds": 6}, ("tls",), prepare="huge") for p in BOXES),
    *(Row("body-tls", "FETCH BODY.PEEK[] of 100,000 over TLS, a message", "imap-fetch", "imaps", p, (1, 1), "≤ 12 µs", HUGE | {"items": "BODY.PEEK[]", "warm": 0}, ("tls",), prepare="huge") for p in BOXES),
    *(Row("body-clear", "FETCH BODY.PEEK[] of 100,000, a message; the peer in clear (sealpost gives no mail in clear)", "imap-fetch", "imap", p, (1, 1), "–", HUGE | {"items": "BODY.PEEK[]", "warm": 0}, prepare="huge") for p in BOXES),
]
