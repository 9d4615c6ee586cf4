# SELECT, EXAMINE, CLOSE, UNSELECT.
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
C: a1 SELECT nowhere
S: * OK [CLOSED] Previous mailbox closed
S: /^a1 NO \[NONEXISTENT\]/
C: a2 FETCH 1 FLAGS
S: a2 BAD Select a mailbox first
C: a3 EXAMINE inbox
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS ()] Flags that are kept
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 4] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^a3 OK \[READ-ONLY\]/
C: a4 STORE 1 +FLAGS (\Seen)
S: /^a4 NO /
C: a5 EXPUNGE
S: /^a5 NO /
C: a6 FETCH 1 (BODY[TEXT] FLAGS)
S: * 1 FETCH (FLAGS () BODY[TEXT] {13}
S: hello world
S: )
S: a6 OK Fetch completed
C: a7 CHECK
S: a7 OK Completed
C: a8 CLOSE
S: a8 OK Mailbox closed
C: a9 CLOSE
S: a9 BAD Select a mailbox first
C: b1 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that are kept
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 4] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^b1 OK \[READ-WRITE\]/
C: b2 STORE 2 +FLAGS.SILENT (\Deleted)
S: b2 OK Store completed
C: b3 UNSELECT
S: b3 OK Mailbox closed
C: b4 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that are kept
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 4] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^b4 OK \[READ-WRITE\]/
C: b5 CLOSE
S: b5 OK Mailbox closed
C: b6 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Flags that are kept
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 4] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^b6 OK \[READ-WRITE\]/
C: b7 FETCH 1:* UID
S: * 1 FETCH (UID 1)
S: * 2 FETCH (UID 3)
S: b7 OK Fetch completed
C: b8 SELECT
S: /^b8 BAD Syntax: SELECT mailbox/
