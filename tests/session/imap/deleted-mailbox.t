# A mailbox that is deleted while another session has it open loses its messages there.
S1: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY /
C1: a1 CREATE box
S1: /^a1 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C1: f0 APPEND box {155}
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
C1: f1 APPEND box {118}
S1: /^\+ /
C1: From: Zoe <zoe@example.org>
C1: Subject: second
C1: Date: Thu, 18 Jul 1996 02:23:25 -0700
C1:
C1: caf=C3=A9 is not decoded here
C1:
S1: /^f1 OK \[APPENDUID [0-9]+ 2\]/
S2: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C2: l LOGIN alice secret
S2: /^l OK \[CAPABILITY /
C1: s SELECT box
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* /
S1: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S1: /^s OK \[READ-/
C2: b1 DELETE box
S2: b1 OK Mailbox deleted
C1: a2 FETCH 1:2 FLAGS
S1: /^a2 NO /
C1: a3 NOOP
S1: * 2 EXPUNGE
S1: * 1 EXPUNGE
S1: a3 OK Completed
C1: a4 SEARCH ALL
S1: * SEARCH
S1: a4 OK Search completed
C1: a5 CLOSE
S1: a5 OK Mailbox closed
C1: a6 SELECT box
S1: /^a6 NO \[NONEXISTENT\]/
