# Rights in public folders: what all may unless something else is said, and what an administrator changes.
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN admin secret
S1: /^l OK /
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN bob hunter2
S2: /^l OK /
C1: a1 GETACL Public/local.test
S1: * ACL Public/local.test anyone lrsip
S1: a1 OK Getacl completed
C1: a2 LISTRIGHTS Public/local.test anyone
S1: * LISTRIGHTS Public/local.test anyone lr s w i p k x t e a c d
S1: a2 OK Listrights completed
C1: a3 MYRIGHTS Public/local.closed
S1: * MYRIGHTS Public/local.closed lrswipkxteacd
S1: a3 OK Myrights completed
C2: b1 MYRIGHTS Public/local.closed
S2: * MYRIGHTS Public/local.closed lrs
S2: b1 OK Myrights completed
C2: b2 MYRIGHTS Public/local.test
S2: * MYRIGHTS Public/local.test lrsip
S2: b2 OK Myrights completed
C2: b3 GETACL Public/local.test
S2: /^b3 NO \[NOPERM\] /
# who reads by NNTP is not asked who he is
C1: a4 SETACL Public/local.test anyone ""
S1: /^a4 NO \[CANNOT\] /
# one who looks after a folder
C1: a5 SETACL Public/local.closed bob lrswite
S1: a5 OK Setacl completed
C1: a6 GETACL Public/local.closed
S1: * ACL Public/local.closed bob@example.test lrswited anyone lrs
S1: a6 OK Getacl completed
C2: b4 APPEND Public/local.closed (\Flagged) {17}
S2: /^\+ /
C2: Subject: x
C2:
C2: y
C2:
S2: /^b4 OK \[APPENDUID /
C2: b5 SELECT Public/local.closed
S2* /^b5 OK \[READ-WRITE\]/
C2: b6 STORE 1 +FLAGS (\Deleted)
S2: * 1 FETCH (FLAGS (\Flagged \Deleted))
S2: b6 OK Store completed
C2: b7 EXPUNGE
S2: * 1 EXPUNGE
S2: b7 OK Expunge completed
# a folder that is no newsgroup may be hidden
C1: c1 CREATE Public/board
S1: /^c1 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C2: d1 LIST "" Public/b%
S2: * LIST (\HasNoChildren) "/" Public/board
S2: d1 OK List completed
C1: c2 SETACL Public/board anyone ""
S1: c2 OK Setacl completed
C2: d2 LIST "" Public/b%
S2: d2 OK List completed
C2: d3 EXAMINE Public/board
S2: /^\* OK \[CLOSED\]/
S2: /^d3 NO \[NONEXISTENT\] /
C1: c3 SETACL Public/board $staff lrk
S1: c3 OK Setacl completed
C2: d4 EXAMINE Public/board
S2* /^d4 OK /
C2: d5 CREATE Public/board/minutes
S2: /^d5 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C2: d6 DELETE Public/board/minutes
S2: /^d6 NO \[NOPERM\] /
C1: c4 GETACL Public/board/minutes
S1: * ACL Public/board/minutes $staff@example.test lrkc anyone ""
S1: c4 OK Getacl completed
