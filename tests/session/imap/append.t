# APPEND: literals with and without waiting, flags, date, what is refused and when.
S: /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: a1 APPEND INBOX {155}
S: /^\+ /
C: From: Ann <ann@example.org>
C: To: Bob <bob@example.net>
C: Subject: first
C: Date: Wed, 17 Jul 1996 02:23:25 -0700
C: Message-ID: <1@example.org>
C:
C: hello world
C:
S: /^a1 OK \[APPENDUID [0-9]+ 1\] /
C: a2 APPEND INBOX (\Seen $Work) "17-Jul-1996 02:44:25 -0700" {118+}
C: From: Zoe <zoe@example.org>
C: Subject: second
C: Date: Thu, 18 Jul 1996 02:23:25 -0700
C:
C: caf=C3=A9 is not decoded here
C:
S: /^a2 OK \[APPENDUID [0-9]+ 2\] /
C: a3 APPEND nowhere {30}
S: /^a3 NO \[TRYCREATE\]/
C: a4 APPEND nowhere {6+}
C: abcd
C:
S: /^a4 NO \[TRYCREATE\]/
C: a5 APPEND INBOX {0}
S: /^a5 NO /
C: a6 APPEND INBOX
S: /^a6 BAD Syntax: APPEND /
C: a7 APPEND INBOX (\Recent) {10}
S: /^a7 BAD /
C: a8 APPEND INBOX "not a date" {10}
S: /^a8 BAD /
C: a9 APPEND INBOX {4000000000}
S: /^a9 NO \[TOOBIG\]/
C: a10 APPEND "a//b" {10}
S: /^a10 NO \[TRYCREATE\]/
C: a11 APPEND {5+}
C: INBOX {5+}
C: x:y
C:
S: /^a11 OK \[APPENDUID [0-9]+ 3\] /
C: a12 APPEND INBOX ~{5+}
C: x:y
C:
S: /^a12 OK \[APPENDUID [0-9]+ 4\] /
C: s SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work \*)] Flags that are kept
S: * 4 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] First unseen
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: * OK [UIDNEXT 5] Predicted next UID
S: /^\* OK \[MAILBOXID \(F[0-9a-f]+\)\]/
S: /^s OK \[READ-WRITE\]/
C: b1 FETCH 1:4 (FLAGS)
S: * 1 FETCH (FLAGS ())
S: * 2 FETCH (FLAGS (\Seen $Work))
S: * 3 FETCH (FLAGS ())
S: * 4 FETCH (FLAGS ())
S: b1 OK Fetch completed
C: b2 FETCH 2 INTERNALDATE
S: * 2 FETCH (INTERNALDATE "17-Jul-1996 02:44:25 -0700")
S: b2 OK Fetch completed
C: b3 APPEND INBOX {44}
S: /^\+ /
C: From: c@example.org
C: Subject: third
C:
C: bye
C:
S: * 5 EXISTS
S: /^b3 OK \[APPENDUID [0-9]+ 5\] /
C: b4 FETCH 4 BODY.PEEK[]
S: * 4 FETCH (BODY[] {5}
S: x:y
S: )
S: b4 OK Fetch completed
