# STORE: replace, add, remove, silent, keywords, bad flags.
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
C: a1 STORE 1 FLAGS (\Seen \Flagged)
S: * 1 FETCH (FLAGS (\Seen \Flagged))
S: a1 OK Store completed
C: a2 STORE 1:2 +FLAGS \Deleted
S: * 1 FETCH (FLAGS (\Seen \Flagged \Deleted))
S: * 2 FETCH (FLAGS (\Deleted))
S: a2 OK Store completed
C: a3 UID STORE 1 -FLAGS (\Seen \Deleted)
S: * 1 FETCH (UID 1 FLAGS (\Flagged))
S: a3 OK Store completed
C: a4 STORE 1 +FLAGS.SILENT (\Answered)
S: a4 OK Store completed
C: a5 STORE 3 +FLAGS ($Forwarded Work)
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded Work)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded Work \*)] Flags that are kept
S: * 3 FETCH (FLAGS ($Forwarded Work))
S: a5 OK Store completed
C: a6 STORE 3 -FLAGS (work)
S: * 3 FETCH (FLAGS ($Forwarded))
S: a6 OK Store completed
C: a7 STORE 3 FLAGS ()
S: * 3 FETCH (FLAGS ())
S: a7 OK Store completed
C: a8 STORE 3 FLAGS (\Recent)
S: /^a8 BAD /
C: a9 STORE 3 FLAGS
S: /^a9 BAD /
C: a10 STORE 4 FLAGS ()
S: /^a10 BAD /
C: a11 UID STORE 4 FLAGS ()
S: a11 OK Store completed
C: a12 STORE 1 FLAGS (\Bogus)
S: /^a12 BAD /
C: a13 FETCH 1:3 FLAGS
S: * 1 FETCH (FLAGS (\Answered \Flagged))
S: * 2 FETCH (FLAGS (\Deleted))
S: * 3 FETCH (FLAGS ())
S: a13 OK Fetch completed
