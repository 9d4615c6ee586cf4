# Two sessions: EXPUNGE is told only where numbers may change.
S1: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY /
C1: f0 APPEND INBOX {155}
S1: /^\+ /
C1: From: Ann <ann@example.org>
C1: To: Bob <bob@example.net>
C1: Subject: first
C1: Date: Wed, 17 Jul 1996 02:23:25 -0700
C1: Message-ID: <1@example.org>
C1:
C1: hello world
C1:
S1: /^f0 OK \[APPENDUID [0-9]+ 1\]/
C1: f1 APPEND INBOX {118}
S1: /^\+ /
C1: From: Zoe <zoe@example.org>
C1: Subject: second
C1: Date: Thu, 18 Jul 1996 02:23:25 -0700
C1:
C1: caf=C3=A9 is not decoded here
C1:
S1: /^f1 OK \[APPENDUID [0-9]+ 2\]/
C1: f2 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: /^f2 OK \[APPENDUID [0-9]+ 3\]/
S2: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C2: l LOGIN alice secret
S2: /^l OK \[CAPABILITY /
C1: s SELECT INBOX
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: /^s OK \[READ-/
C2: s SELECT INBOX
S2: /^\* /
S2: /^\* /
S2: /^\* /
S2: /^\* /
S2: /^\* /
S2: /^\* /
S2: /^\* /
S2: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S2: /^s OK \[READ-/
C1: a1 STORE 2 +FLAGS (\Deleted)
S1: * 2 FETCH (FLAGS (\Deleted))
S1: a1 OK Store completed
C2: b1 FETCH 1 UID
S2: * 1 FETCH (UID 1)
S2: * 2 FETCH (UID 2 FLAGS (\Deleted))
S2: b1 OK Fetch completed
C1: a2 EXPUNGE
S1: * 2 EXPUNGE
S1: a2 OK Expunge completed
C2: b2 FETCH 1:3 UID
S2: * 1 FETCH (UID 1)
S2: * 3 FETCH (UID 3)
S2: b2 NO [EXPUNGEISSUED] Some of the messages are gone
C2: b3 STORE 2 +FLAGS (\Seen)
S2: b3 NO [EXPUNGEISSUED] Some of the messages are gone
C2: b4 SEARCH ALL
S2: * SEARCH 1 3
S2: b4 OK Search completed
C2: b5 COPY 2 INBOX
S2: * 2 EXPUNGE
S2: b5 NO [EXPUNGEISSUED] Some of the messages are gone
C2: b6 FETCH 1:* UID
S2: * 1 FETCH (UID 1)
S2: * 2 FETCH (UID 3)
S2: b6 OK Fetch completed
C1: a3 UID STORE 3 +FLAGS.SILENT (\Deleted)
S1: a3 OK Store completed
C1: a4 UID EXPUNGE 1
S1: a4 OK Expunge completed
C1: a5 UID EXPUNGE 1:3
S1: * 2 EXPUNGE
S1: a5 OK Expunge completed
C2: b7 UID FETCH 3 FLAGS
S2: * 2 EXPUNGE
S2: b7 OK Fetch completed
C1: a6 APPEND INBOX {44}
S1: /^\+ /
C1: From: c@example.org
C1: Subject: third
C1:
C1: bye
C1:
S1: * 2 EXISTS
S1: /^a6 OK \[APPENDUID [0-9]+ 4\]/
C2: b8 NOOP
S2: * 2 EXISTS
S2: b8 OK Completed
C2: b9 STORE 1:2 +FLAGS.SILENT (\Deleted)
S2: b9 OK Store completed
C1: a7 NOOP
S1: * 1 FETCH (UID 1 FLAGS (\Deleted))
S1: * 2 FETCH (UID 4 FLAGS (\Deleted))
S1: a7 OK Completed
C2: b10 EXPUNGE
S2: * 2 EXPUNGE
S2: * 1 EXPUNGE
S2: b10 OK Expunge completed
C1: a8 FETCH 1:2 FLAGS
S1: a8 NO [EXPUNGEISSUED] Some of the messages are gone
C1: a9 NOOP
S1: * 2 EXPUNGE
S1: * 1 EXPUNGE
S1: a9 OK Completed
C1: a10 FETCH 1:* FLAGS
S1: a10 OK Fetch completed
