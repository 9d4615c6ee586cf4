# IDLE tells at once: new messages, flags, expunges.
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
C1: a1 IDLE
S1: /^\+ /
C2: b1 APPEND INBOX {44}
S2: /^\+ /
C2: From: c@example.org
C2: Subject: third
C2:
C2: bye
C2:
S2: * 4 EXISTS
S2: /^b1 OK /
S1: * 4 EXISTS
C2: b2 STORE 1 +FLAGS.SILENT (\Flagged)
S2: b2 OK Store completed
S1: * 1 FETCH (UID 1 FLAGS (\Flagged))
C2: b3 STORE 2:3 FLAGS.SILENT (\Deleted)
S2: b3 OK Store completed
S1: * 2 FETCH (UID 2 FLAGS (\Deleted))
S1: * 3 FETCH (UID 3 FLAGS (\Deleted))
C2: b4 EXPUNGE
S2: * 3 EXPUNGE
S2: * 2 EXPUNGE
S2: b4 OK Expunge completed
S1: * 3 EXPUNGE
S1: * 2 EXPUNGE
C1: done
S1: a1 OK Idle done
C1: a2 FETCH 1:* UID
S1: * 1 FETCH (UID 1)
S1: * 2 FETCH (UID 4)
S1: a2 OK Fetch completed
C1: a3 IDLE
S1: /^\+ /
C1: NONSENSE
S1: a3 BAD DONE expected
C1: a4 NOOP
S1: a4 OK Completed
C1: a5 UNSELECT
S1: a5 OK Mailbox closed
C1: a6 IDLE
S1: /^\+ /
C1: DONE
S1: a6 OK Idle done
