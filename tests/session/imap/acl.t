# ACL (RFC 4314): rights of accounts, groups and all; shared mailboxes under "Other Users".
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY .* ACL RIGHTS=texk /
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN bob hunter2
S2: /^l OK /
C1: a1 NAMESPACE
S1: * NAMESPACE (("" "/")) (("Other Users/" "/")) (("Public/" "/"))
S1: a1 OK Namespace completed
C1: a2 CREATE Work/Plans
S1: /^a2 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C1: a3 GETACL Work
S1: * ACL Work alice@example.test lrswipkxteacd
S1: a3 OK Getacl completed
C1: a4 MYRIGHTS Work
S1: * MYRIGHTS Work lrswipkxteacd
S1: a4 OK Myrights completed
C1: a5 LISTRIGHTS Work bob
S1: * LISTRIGHTS Work bob "" l r s w i p k x t e a c d
S1: a5 OK Listrights completed
C1: a6 LISTRIGHTS Work alice
S1: * LISTRIGHTS Work alice lrswipkxteacd
S1: a6 OK Listrights completed
# nothing is there for others
C2: b1 SELECT "Other Users/alice@example.test/Work"
S2: /^b1 NO \[NONEXISTENT\] /
C2: b2 LIST "" "Other Users/*"
S2: b2 OK List completed
C2: b3 MYRIGHTS "Other Users/alice@example.test/Work"
S2: /^b3 NO \[NONEXISTENT\] /
# lookup only
C1: a7 SETACL Work bob l
S1: a7 OK Setacl completed
C1: a8 GETACL Work
S1: * ACL Work alice@example.test lrswipkxteacd bob@example.test l
S1: a8 OK Getacl completed
C2: b4 LIST "" "Other Users/*"
S2: * LIST (\Noselect \HasChildren) "/" "Other Users/alice@example.test"
S2: * LIST (\HasNoChildren) "/" "Other Users/alice@example.test/Work"
S2: b4 OK List completed
C2: b5 SELECT "Other Users/alice@example.test/Work"
S2: /^b5 NO \[NOPERM\] /
C2: b6 STATUS "Other Users/alice@example.test/Work" (MESSAGES)
S2: /^b6 NO \[NOPERM\] /
C2: b6a LIST "" "Other Users/*" RETURN (STATUS (MESSAGES UNSEEN SIZE UIDNEXT))
S2: /^\* LIST \(.*Other Users\/alice@example.test"$/
S2: * LIST (\HasNoChildren) "/" "Other Users/alice@example.test/Work"
S2: b6a OK List completed
C2: b7 GETACL "Other Users/alice@example.test/Work"
S2: /^b7 NO \[NOPERM\] /
C2: b8 SETACL "Other Users/alice@example.test/Work" bob lrswipkxtea
S2: /^b8 NO \[NOPERM\] /
# reading
C1: a9 SETACL Work bob +rs
S1: a9 OK Setacl completed
C1: a10 APPEND Work (\Deleted) {17}
S1: /^\+ /
C1: Subject: x
C1:
C1: y
C1:
S1: /^a10 OK /
C2: b9 LIST "" "Other Users/*" RETURN (STATUS (MESSAGES SIZE))
S2: /^\* LIST \(.*Other Users\/alice@example.test"$/
S2: * LIST (\HasNoChildren) "/" "Other Users/alice@example.test/Work"
S2: * STATUS "Other Users/alice@example.test/Work" (MESSAGES 1 SIZE 17)
S2: b9 OK List completed
C2: c1 SELECT "Other Users/alice@example.test/Work"
S2: /^\* FLAGS /
S2: * OK [PERMANENTFLAGS (\Seen)] Flags that are kept
S2* /^c1 OK \[READ-WRITE\]/
C2: c2 FETCH 1 (FLAGS RFC822.SIZE)
S2: * 1 FETCH (FLAGS (\Deleted) RFC822.SIZE 17)
S2: c2 OK Fetch completed
C2: c3 STORE 1 +FLAGS (\Seen \Answered)
S2: * 1 FETCH (FLAGS (\Seen \Deleted))
S2: c3 OK Store completed
C2: c4 STORE 1 -FLAGS (\Deleted)
S2: /^c4 NO \[NOPERM\] /
C2: c5 EXPUNGE
S2: /^c5 NO \[NOPERM\] /
C2: c6 COPY 1 INBOX
S2: /^c6 OK \[COPYUID /
C2: c7 MOVE 1 INBOX
S2: /^c7 NO \[NOPERM\] /
C2: c8 APPEND "Other Users/alice@example.test/Work" {17}
S2: /^c8 NO \[NOPERM\] /
C2: c9 COPY 1 "Other Users/alice@example.test/Work"
S2: /^c9 NO \[NOPERM\] /
C2: c10 CREATE "Other Users/alice@example.test/Work/New"
S2: /^c10 NO \[NOPERM\] /
C2: c11 DELETE "Other Users/alice@example.test/Work"
S2: /^c11 NO \[NOPERM\] /
C2: c12 RENAME "Other Users/alice@example.test/Work" "Other Users/alice@example.test/Mine"
S2: /^c12 NO \[NOPERM\] /
# CLOSE without the right to expunge does not, and that is no error
C2: c13 CLOSE
S2: c13 OK Mailbox closed
C2: c14 STATUS "Other Users/alice@example.test/Work" (MESSAGES)
S2: /^\* STATUS "Other Users\/alice@example.test\/Work" \(MESSAGES 1\)/
S2: c14 OK Status completed
C2: c15 SUBSCRIBE "Other Users/alice@example.test/Work"
S2: c15 OK Subscribed
C2: c16 LSUB "" "Other*"
S2: * LSUB () "/" "Other Users/alice@example.test/Work"
S2: c16 OK Lsub completed
C2: c17 SUBSCRIBE "Other Users/alice@example.test/Work/Plans"
S2: /^c17 NO \[NONEXISTENT\] /
# writing, through a group that bob is a member of; flags that one may not set are left out
C1: d1 SETACL Work $staff lrikxwte
S1: d1 OK Setacl completed
C1: d2 GETACL Work
S1: * ACL Work alice@example.test lrswipkxteacd $staff@example.test lrwikxtecd bob@example.test lrs
S1: d2 OK Getacl completed
C2: e1 MYRIGHTS "Other Users/alice@example.test/Work"
S2: * MYRIGHTS "Other Users/alice@example.test/Work" lrswikxtecd
S2: e1 OK Myrights completed
C2: e2 APPEND "Other Users/alice@example.test/Work" (\Flagged $Word) {17}
S2: /^\+ /
C2: Subject: x
C2:
C2: z
C2:
S2: /^e2 OK \[APPENDUID /
C2: e3 SELECT "Other Users/alice@example.test/Work"
S2* /^e3 OK \[READ-WRITE\]/
C2: e4 FETCH 2 FLAGS
S2: * 2 FETCH (FLAGS (\Flagged $Word))
S2: e4 OK Fetch completed
C2: e5 EXPUNGE
S2: * 1 EXPUNGE
S2: e5 OK Expunge completed
# a mailbox below takes over the rights
C2: e6 CREATE "Other Users/alice@example.test/Work/New"
S2: /^e6 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C1: d3 GETACL Work/New
S1: * ACL Work/New alice@example.test lrswipkxteacd $staff@example.test lrwikxtecd bob@example.test lrs
S1: d3 OK Getacl completed
C2: e7 MOVE 1 "Other Users/alice@example.test/Work/New"
S2: /^\* OK \[COPYUID /
S2: * 1 EXPUNGE
S2: e7 OK Move completed
C2: e8 RENAME "Other Users/alice@example.test/Work/New" "Other Users/alice@example.test/Work/Old"
S2: e8 OK Mailbox renamed
C2: e9 RENAME "Other Users/alice@example.test/Work/Old" Stolen
S2: /^e9 NO \[CANNOT\] /
C2: e10 DELETE "Other Users/alice@example.test/Work/Old"
S2: e10 OK Mailbox deleted
# with the mailbox open the rights go: it is as if its messages were gone
C1: f1 APPEND Work {17}
S1: /^\+ /
C1: Subject: x
C1:
C1: z
C1:
S1: /^f1 OK /
C2: g1 NOOP
S2: * 1 EXISTS
S2: g1 OK Completed
C1: f2 SETACL Work bob -r
S1: f2 OK Setacl completed
C1: f3 DELETEACL Work $staff@example.test
S1: f3 OK Deleteacl completed
C2: g2 FETCH 1 BODY.PEEK[]
S2: /^g2 NO \[NOPERM\] /
C2: g2b NOOP
S2: * 1 EXPUNGE
S2: g2b OK Completed
C2: g3 SELECT "Other Users/alice@example.test/Work"
S2: /^\* OK \[CLOSED\]/
S2: /^g3 NO \[NOPERM\] /
C1: f4 DELETEACL Work bob
S1: f4 OK Deleteacl completed
C1: f5 DELETEACL Work bob
S1: f5 OK Deleteacl completed
C2: g4 LIST "" "Other Users/%/%"
S2: g4 OK List completed
C2: g5 LSUB "" "Other*"
S2: g5 OK Lsub completed
# all; INBOX; another spelling of the name
C1: h1 SETACL INBOX anyone lr
S1: h1 OK Setacl completed
C2: h2 EXAMINE "Other Users/Alice@Example.TEST/inbox"
S2* /^h2 OK \[READ-ONLY\]/
C2: h3 LIST "" "Other Users/alice@example.test/%"
S2: * LIST (\HasNoChildren) "/" "Other Users/alice@example.test/INBOX"
S2: h3 OK List completed
# what cannot be
C1: i1 SETACL Work nobody lr
S1: /^i1 NO \[CANNOT\] /
C1: i2 SETACL Work alice l
S1: /^i2 NO \[CANNOT\] /
C1: i3 DELETEACL Work alice
S1: /^i3 NO \[CANNOT\] /
C1: i4 SETACL Work bob lrz
S1: /^i4 BAD /
C1: i5 SETACL Work -bob lr
S1: /^i5 NO \[CANNOT\] /
C1: i6 SETACL Nowhere bob lr
S1: /^i6 NO \[NONEXISTENT\] /
C1: i7 SETACL Work bob
S1: /^i7 BAD /
C1: i8 GETACL "Other Users/nobody@example.test/INBOX"
S1: /^i8 NO \[NONEXISTENT\] /
C1: i9 GETACL "Other Users/bob@example.test"
S1: /^i9 NO \[NONEXISTENT\] /
C1: i10 CREATE "Other Users/bob@example.test/Mine"
S1: /^i10 NO \[NOPERM\] /
C1: i11 RENAME INBOX "Other Users/bob@example.test/Mine"
S1: /^i11 NO \[CANNOT\] /
C1: i12 LISTRIGHTS Work
S1: /^i12 BAD /
# one's own mailboxes by the long way
C1: j1 SELECT "Other Users/alice@example.test/Work"
S1* /^j1 OK \[READ-WRITE\]/
