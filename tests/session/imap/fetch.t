# FETCH items; implicit \Seen; sets.
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
C: a1 FETCH 1 (UID FLAGS RFC822.SIZE)
S: * 1 FETCH (UID 1 FLAGS () RFC822.SIZE 155)
S: a1 OK Fetch completed
C: a2 FETCH 1 ENVELOPE
S: * 1 FETCH (ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700" "first" (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org")) (("Bob" NIL "bob" "example.net")) NIL NIL NIL "<1@example.org>"))
S: a2 OK Fetch completed
C: a3 FETCH 3 BODY
S: * 3 FETCH (BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1))
S: a3 OK Fetch completed
C: a4 FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]
S: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {18}
S: Subject: first
S: 
S: )
S: a4 OK Fetch completed
C: a5 FETCH 1 BODY.PEEK[TEXT]<6.5>
S: * 1 FETCH (BODY[TEXT]<6> {5}
S: world)
S: a5 OK Fetch completed
C: a6 FETCH 1 FLAGS
S: * 1 FETCH (FLAGS ())
S: a6 OK Fetch completed
C: a7 FETCH 1 BODY[1]
S: * 1 FETCH (FLAGS (\Seen) BODY[1] {13}
S: hello world
S: )
S: a7 OK Fetch completed
C: a8 FETCH 1 BODY[1]<0.2>
S: * 1 FETCH (BODY[1]<0> {2}
S: he)
S: a8 OK Fetch completed
C: a9 UID FETCH 2:* (FLAGS)
S: * 2 FETCH (UID 2 FLAGS ())
S: * 3 FETCH (UID 3 FLAGS ())
S: a9 OK Fetch completed
C: a10 UID FETCH 900:999 FLAGS
S: a10 OK Fetch completed
C: a11 UID FETCH 900:* FLAGS
S: * 3 FETCH (UID 3 FLAGS ())
S: a11 OK Fetch completed
C: a12 FETCH 4 FLAGS
S: /^a12 BAD /
C: a13 FETCH 3,1 UID
S: * 1 FETCH (UID 1)
S: * 3 FETCH (UID 3)
S: a13 OK Fetch completed
C: a14 FETCH 0 FLAGS
S: /^a14 BAD /
C: a15 FETCH 1 (FLAGS
S: /^a15 BAD /
C: a16 FETCH 1 BODY[7]
S: * 1 FETCH (BODY[7] NIL)
S: a16 OK Fetch completed
C: a17 FETCH 3 RFC822.HEADER
S: * 3 FETCH (RFC822.HEADER {39}
S: From: c@example.org
S: Subject: third
S: 
S: )
S: a17 OK Fetch completed
C: a18 FETCH 3 RFC822.TEXT
S: * 3 FETCH (FLAGS (\Seen) RFC822.TEXT {5}
S: bye
S: )
S: a18 OK Fetch completed
C: a19 FETCH 2 BINARY.SIZE[1]
S: * 2 FETCH (BINARY.SIZE[1] 31)
S: a19 OK Fetch completed
C: a20 FETCH 3 FAST
S: /^\* 3 FETCH \(FLAGS \(\\Seen\) INTERNALDATE "[^"]+" RFC822.SIZE 44\)$/
S: a20 OK Fetch completed
C: a21 FETCH 1:* NONSENSE
S: /^a21 BAD Syntax: FETCH /
