# REPLACE (RFC 8508): a message in place of another, in one step.
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY .* REPLACE /
C1: a1 APPEND Drafts (\Draft) {17}
S1: /^\+ /
C1: Subject: x
C1:
C1: 1
C1:
S1: /^a1 OK \[APPENDUID [0-9]+ 1\]/
C1: a2 SELECT Drafts
S1* /^a2 OK /
C1: a3 REPLACE 1 Drafts (\Draft \Seen) {17}
S1: /^\+ /
C1: Subject: y
C1:
C1: 2
C1:
S1: /^\* OK \[APPENDUID [0-9]+ 2\] Replacement stored/
S1: * 1 EXPUNGE
S1: * 1 EXISTS
S1: a3 OK Replace completed
C1: a4 FETCH 1 (UID FLAGS BODY.PEEK[TEXT])
S1: * 1 FETCH (UID 2 FLAGS (\Seen \Draft) BODY[TEXT] {3}
S1: 2
S1: )
S1: a4 OK Fetch completed
# into another mailbox
C1: a5 UID REPLACE 2 Sent {17+}
C1: Subject: z
C1:
C1: 3
C1:
S1: /^\* OK \[APPENDUID [0-9]+ 1\] Replacement stored/
S1: * 1 EXPUNGE
S1: a5 OK Replace completed
C1: a6 STATUS Sent (MESSAGES)
S1: * STATUS Sent (MESSAGES 1)
S1: a6 OK Status completed
# what cannot be
C1: b1 REPLACE 1 Drafts {17}
S1: /^b1 BAD /
C1: b2 UID REPLACE 2 Drafts {17}
S1: b2 NO [NONEXISTENT] There is no such message
C1: b3 SELECT Sent
S1* /^b3 OK /
C1: b4 REPLACE 1 Nowhere {17}
S1: /^b4 NO \[TRYCREATE\] /
C1: b5 REPLACE 1:2 Sent {17}
S1: /^b5 BAD /
C1: b6 REPLACE 1 Sent
S1: /^b6 BAD /
C1: b7 REPLACE 1 Sent {17+}
C1: Subject: x
C1:
C1: 1
C1:  {17}
S1: b7 BAD One message replaces another
C1: b8 FETCH 1 UID
S1: * 1 FETCH (UID 1)
S1: b8 OK Fetch completed
# the message is gone meanwhile: nothing is stored
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN alice secret
S2: /^l OK /
C2: c1 SELECT Sent
S2* /^c1 OK /
C2: c2 STORE 1 +FLAGS.SILENT (\Deleted)
S2: c2 OK Store completed
C2: c3 EXPUNGE
S2: * 1 EXPUNGE
S2: c3 OK Expunge completed
C1: c4 REPLACE 1 Sent {17+}
C1: Subject: x
C1:
C1: 1
C1:
S1: /^c4 NO \[EXPUNGEISSUED\] /
C1: c5 EXAMINE Drafts
S1* /^c5 OK /
C1: c6 REPLACE 1 Drafts {17}
S1: /^c6 BAD /
# another's mailbox needs the rights to take the old one away
C2: d1 APPEND Work {17}
S2: /^d1 NO \[TRYCREATE\] /
C2: d2 CREATE Work
S2: /^d2 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C2: d3 APPEND Work {17+}
C2: Subject: x
C2:
C2: 1
C2:
S2: /^d3 OK /
C2: d4 SETACL Work bob lrsiw
S2: d4 OK Setacl completed
S3: /^\* OK \[CAPABILITY /
C3: l LOGIN bob hunter2
S3: /^l OK /
C3: e1 SELECT "Other Users/alice@example.test/Work"
S3* /^e1 OK /
C3: e2 REPLACE 1 "Other Users/alice@example.test/Work" {17+}
C3: Subject: x
C3:
C3: 2
C3:
S3: /^e2 NO \[NOPERM\] /
C2: d5 SETACL Work bob +te
S2: d5 OK Setacl completed
C3: e3 REPLACE 1 "Other Users/alice@example.test/Work" {17+}
C3: Subject: x
C3:
C3: 2
C3:
S3: /^\* OK \[APPENDUID [0-9]+ 2\] /
S3* /^e3 OK /
