# A mailbox changes while nobody has it open: SELECT shows it as it is.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: f0 APPEND INBOX {155}
S: /^\+ /
C: From: Ann <ann@example.org>
C: To: Bob <bob@example.net>
C: Subject: first
C: Date: Wed, 17 Jul 1996 02:23:25 -0700
C: Message-ID: <1@example.org>
C:
C: hello world
C:
S: /^f0 OK \[APPENDUID [0-9]+ 1\]/
C: f1 APPEND INBOX {118}
S: /^\+ /
C: From: Zoe <zoe@example.org>
C: Subject: second
C: Date: Thu, 18 Jul 1996 02:23:25 -0700
C:
C: caf=C3=A9 is not decoded here
C:
S: /^f1 OK \[APPENDUID [0-9]+ 2\]/
C: f2 APPEND INBOX {44}
S: /^\+ /
C: From: c@example.org
C: Subject: third
C:
C: bye
C:
S: /^f2 OK \[APPENDUID [0-9]+ 3\]/
C: s SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that are kept
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 4] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^s OK \[READ-WRITE\]/
C: a1 UNSELECT
S: a1 OK Mailbox closed
S2: /^\* OK /
C2: l LOGIN alice secret
S2: /^l OK /
C2: b1 APPEND INBOX (\Seen) {44}
S2: /^\+ /
C2: From: c@example.org
C2: Subject: third
C2:
C2: bye
C2:
S2: /^b1 OK /
C2: b2 CREATE box
S2: /^b2 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C: a2 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that are kept
S: * 4 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 5] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^a2 OK \[READ-WRITE\]/
C: a3 MOVE 2 box
S: /^\* OK \[COPYUID /
S: * 2 EXPUNGE
S: a3 OK Move completed
C: a4 UNSELECT
S: a4 OK Mailbox closed
C2: b3 APPEND INBOX {155}
S2: /^\+ /
C2: From: Ann <ann@example.org>
C2: To: Bob <bob@example.net>
C2: Subject: first
C2: Date: Wed, 17 Jul 1996 02:23:25 -0700
C2: Message-ID: <1@example.org>
C2:
C2: hello world
C2:
S2: /^b3 OK \[APPENDUID [0-9]+ 5\]/
C: a5 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that are kept
S: * 4 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 6] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^a5 OK \[READ-WRITE\]/
C: a6 FETCH 1:* FLAGS
S: * 1 FETCH (FLAGS ())
S: * 2 FETCH (FLAGS ())
S: * 3 FETCH (FLAGS (\Seen))
S: * 4 FETCH (FLAGS ())
S: a6 OK Fetch completed
C: a7 FETCH 1:* UID
S: * 1 FETCH (UID 1)
S: * 2 FETCH (UID 3)
S: * 3 FETCH (UID 4)
S: * 4 FETCH (UID 5)
S: a7 OK Fetch completed
C: a8 RENAME INBOX old
S: * 4 EXPUNGE
S: * 3 EXPUNGE
S: * 2 EXPUNGE
S: * 1 EXPUNGE
S: a8 OK Mailbox renamed
C: a9 STATUS old (MESSAGES UNSEEN)
S: * STATUS old (MESSAGES 4 UNSEEN 3)
S: a9 OK Status completed
