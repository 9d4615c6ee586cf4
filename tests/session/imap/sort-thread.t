# SORT and THREAD (RFC 5256).
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY /
C1: f1 APPEND INBOX "05-Jul-1996 00:00:00 +0000" {124}
S1: /^\+ /
C1: From: Zoe <anna@example.org>
C1: To: zed@example.org
C1: Subject: beta
C1: Date: 3 Jul 1996 12:00:00 +0000
C1: Message-ID: <m1@x>
C1:
C1: x
C1:
S1: /^f1 OK /
C1: f2 APPEND INBOX "04-Jul-1996 00:00:00 +0000" {196}
S1: /^\+ /
C1: From: bert@example.org
C1: To: "a b"@example.org
C1: Subject: Re: [list] Alpha
C1: Date: 2 Jul 1996 12:00:00 +0000
C1: Message-ID: <m2@x>
C1: References: <m4@x>
C1: Cc: Yan <yan@example.org>, ann@example.org
C1:
C1: x
C1:
S1: /^f2 OK /
C1: f3 APPEND INBOX "03-Jul-1996 00:00:00 +0000" {229}
S1: /^\+ /
C1: From: Anna <Anna@example.com>
C1: To: mid@example.org, zz@example.org
C1: Subject: =?utf-8?Q?gamm=C3=A4?=
C1: Date: 1 Jul 1996 12:00:00 +0000
C1: Message-ID: <m3@x>
C1: X-Long: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy
C1:
C1: x
C1:
S1: /^f3 OK /
C1: f4 APPEND INBOX "02-Jul-1996 00:00:00 +0000" {224}
S1: /^\+ /
C1: From: carl@example.org
C1: To: mid@example.org
C1: Subject: alpha
C1: Date: 1 Jul 1996 12:00:00 +0000
C1: Message-ID: <m4@x>
C1: X-Very-Long: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy
C1:
C1: x
C1:
S1: /^f4 OK /
C1: f5 APPEND INBOX "04-Jul-1996 12:00:00 +0000" {55}
S1: /^\+ /
C1: From: dora@example.org
C1: Subject: fwd: Beta (fwd)
C1:
C1: x
C1:
S1: /^f5 OK /
C1: s SELECT INBOX
S* /^s OK /
C1: a1 SORT (ARRIVAL) UTF-8 ALL
S1: * SORT 4 3 2 5 1
S1: a1 OK Completed
C1: a2 SORT (REVERSE ARRIVAL) UTF-8 ALL
S1: * SORT 1 5 2 3 4
S1: a2 OK Completed
# One without Date has that of its arrival.
C1: a3 SORT (DATE) UTF-8 ALL
S1: * SORT 3 4 2 1 5
S1: a3 OK Completed
C1: a4 SORT (REVERSE DATE) UTF-8 ALL
S1: * SORT 5 1 2 3 4
S1: a4 OK Completed
# By base subject, case aside; without the prefixes of replies and lists. Equal ones in the order of the mailbox.
C1: a5 SORT (SUBJECT) UTF-8 ALL
S1: * SORT 2 4 1 5 3
S1: a5 OK Completed
C1: a6 SORT (SUBJECT REVERSE DATE) UTF-8 ALL
S1: * SORT 2 4 5 1 3
S1: a6 OK Completed
C1: a7 SORT (SUBJECT DATE) UTF-8 ALL
S1: * SORT 4 2 1 5 3
S1: a7 OK Completed
# FROM, TO, CC: the local part of the first address; none comes first.
C1: a8 SORT (FROM) UTF-8 ALL
S1: * SORT 1 3 2 4 5
S1: a8 OK Completed
C1: a9 SORT (TO) UTF-8 ALL
S1: * SORT 5 2 3 4 1
S1: a9 OK Completed
C1: b1 SORT (CC) UTF-8 ALL
S1: * SORT 1 3 4 5 2
S1: b1 OK Completed
C1: b2 SORT (REVERSE SIZE) UTF-8 ALL
S1: * SORT 3 4 2 1 5
S1: b2 OK Completed
C1: b4 SORT (SUBJECT) UTF-8 OR FROM bert FROM carl
S1: * SORT 2 4
S1: b4 OK Completed
C1: b5 SORT (DATE) UTF-8 FROM nobody
S1: * SORT
S1: b5 OK Completed
C1: b6 STORE 2 +FLAGS.SILENT (\Deleted)
S1: b6 OK Store completed
C1: b7 EXPUNGE
S1: * 2 EXPUNGE
S1: b7 OK Expunge completed
C1: b8 UID SORT (DATE) US-ASCII ALL
S1: * SORT 3 4 1 5
S1: b8 OK Completed
C1: b9 SORT (DATE) UTF-8 ALL
S1: * SORT 2 3 1 4
S1: b9 OK Completed
C1: c1 SORT (DATE) UTF-8 MODSEQ 1
S1: /^\* OK \[HIGHESTMODSEQ 8\] /
S1: * SORT 2 3 1 4 (MODSEQ 6)
S1: c1 OK Completed
C1: c2 SORT (DATE) KOI8-R ALL
S1: c2 NO [BADCHARSET (UTF-8 US-ASCII)] Charset not supported
C1: d0 SORT () UTF-8 ALL
S1: /^d0 BAD Syntax: /
C1: d1 SORT (DATE REVERSE) UTF-8 ALL
S1: /^d1 BAD Syntax: /
C1: d2 SORT (FOO) UTF-8 ALL
S1: /^d2 BAD Syntax: /
C1: d3 SORT (DATE) UTF-8
S1: /^d3 BAD Syntax: /
C1: d4 SORT DATE UTF-8 ALL
S1: /^d4 BAD Syntax: /
C1: d5 THREAD FOO UTF-8 ALL
S1: /^d5 BAD Syntax: /
C1: d6 THREAD REFERENCES UTF-8
S1: /^d6 BAD Syntax: /
# Threads: message 2 is gone, the answers to it stand where it was.
C1: e1 APPEND INBOX "17-Jul-1996 02:23:25 +0000" {145}
S1: /^\+ /
C1: From: e@example.org
C1: To: z@example.org
C1: Subject: Re: Alpha
C1: Date: 6 Jul 1996 12:00:00 +0000
C1: Message-ID: <m6@x>
C1: References: <m4@x> <m2@x>
C1:
C1: x
C1:
S1: * 5 EXISTS
S1: /^e1 OK /
C1: e2 APPEND INBOX "17-Jul-1996 02:23:25 +0000" {145}
S1: /^\+ /
C1: From: e@example.org
C1: To: z@example.org
C1: Subject: Re: Alpha
C1: Date: 7 Jul 1996 12:00:00 +0000
C1: Message-ID: <m7@x>
C1: References: <m4@x> <m2@x>
C1:
C1: x
C1:
S1: * 6 EXISTS
S1: /^e2 OK /
C1: e3 APPEND INBOX "17-Jul-1996 02:23:25 +0000" {138}
S1: /^\+ /
C1: From: e@example.org
C1: To: z@example.org
C1: Subject: Re: other
C1: Date: 8 Jul 1996 12:00:00 +0000
C1: Message-ID: <m8@x>
C1: References: <m7@x>
C1:
C1: x
C1:
S1: * 7 EXISTS
S1: /^e3 OK /
C1: g1 THREAD REFERENCES UTF-8 ALL
S1: * THREAD (2)(3 (5)(6 7))(1 4)
S1: g1 OK Completed
C1: g2 UID THREAD REFERENCES UTF-8 ALL
S1: * THREAD (3)(4 (6)(7 8))(1 5)
S1: g2 OK Completed
C1: g3 THREAD REFERENCES UTF-8 5:7
S1: * THREAD ((5)(6 7))
S1: g3 OK Completed
C1: g4 THREAD ORDEREDSUBJECT UTF-8 ALL
S1: * THREAD (2)(3 (5)(6))(1 4)(7)
S1: g4 OK Completed
C1: g5 THREAD REFERENCES UTF-8 FROM nobody
S1: * THREAD
S1: g5 OK Completed
