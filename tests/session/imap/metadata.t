# METADATA (RFC 5464): annotations of mailboxes and of the server, shared and one's own.
S1: /^\* OK \[CAPABILITY /
C1: l LOGIN alice secret
S1: /^l OK \[CAPABILITY .* METADATA /
C1: a1 SETMETADATA INBOX (/private/comment "My own" /shared/comment {6}
S1: /^\+ /
C1: a"b
C1: c /shared/vendor/x/y "deep")
S1: a1 OK Setmetadata completed
C1: a2 GETMETADATA INBOX (/private/comment /SHARED/Comment /shared/vendor)
S1: * METADATA INBOX (/private/comment {6}
S1: My own /shared/comment {6}
S1: a"b
S1: c /shared/vendor NIL)
S1: a2 OK Getmetadata completed
C1: a3 GETMETADATA (DEPTH infinity) INBOX /shared/vendor
S1: * METADATA INBOX (/shared/vendor/x/y {4}
S1: deep /shared/vendor NIL)
S1: a3 OK Getmetadata completed
C1: a4 GETMETADATA INBOX (DEPTH 1 MAXSIZE 3) (/shared/vendor/x /private/comment)
S1: * METADATA INBOX (/shared/vendor/x NIL)
S1: a4 OK [METADATA LONGENTRIES 6] Getmetadata completed
C1: a5 SETMETADATA INBOX (/private/comment NIL)
S1: a5 OK Setmetadata completed
C1: a6 GETMETADATA INBOX /private/comment
S1: * METADATA INBOX (/private/comment NIL)
S1: a6 OK Getmetadata completed
C1: a7 SETMETADATA INBOX (/private/empty "")
S1: a7 OK Setmetadata completed
C1: a8 GETMETADATA INBOX /private/empty
S1: * METADATA INBOX (/private/empty {0}
S1: )
S1: a8 OK Getmetadata completed
# of the server: one's own; shared ones only the administrator's
C1: b1 SETMETADATA "" (/private/comment x)
S1: b1 BAD Syntax: SETMETADATA mailbox (entry value ...)
C1: b2 SETMETADATA "" (/private/comment "x")
S1: b2 OK Setmetadata completed
C1: b3 SETMETADATA "" (/shared/comment "x")
S1: /^b3 NO \[NOPERM\] /
S2: /^\* OK \[CAPABILITY /
C2: l LOGIN admin secret
S2: /^l OK /
C2: c1 SETMETADATA "" (/shared/admin "mailto:admin@example.test")
S2: c1 OK Setmetadata completed
C1: b4 GETMETADATA "" (/shared/admin /private/comment)
S1: * METADATA "" (/shared/admin {25}
S1: mailto:admin@example.test /private/comment {1}
S1: x)
S1: b4 OK Getmetadata completed
C2: c2 GETMETADATA "" /private/comment
S2: * METADATA "" (/private/comment NIL)
S2: c2 OK Getmetadata completed
# public folders: what newsreaders are told, too
C1: d1 SETMETADATA Public/local.test (/shared/comment "mine")
S1: /^d1 NO \[NOPERM\] /
C1: d2 SETMETADATA Public/local.test (/private/comment "mine")
S1: d2 OK Setmetadata completed
C2: d3 SETMETADATA Public/local.test (/shared/comment "For tests")
S2: d3 OK Setmetadata completed
C1: d4 GETMETADATA Public/local.test (/shared/comment)
S1: * METADATA Public/local.test (/shared/comment {9}
S1: For tests)
S1: d4 OK Getmetadata completed
# others' mailboxes: as the rights say
C2: e1 GETMETADATA "Other Users/alice@example.test/INBOX" /shared/comment
S2: /^e1 NO \[NONEXISTENT\] /
C1: e2 SETACL INBOX admin lr
S1: e2 OK Setacl completed
C2: e3 GETMETADATA "Other Users/alice@example.test/INBOX" (/shared/vendor/x/y /private/empty)
S2: * METADATA "Other Users/alice@example.test/INBOX" (/shared/vendor/x/y {4}
S2: deep /private/empty NIL)
S2: e3 OK Getmetadata completed
C2: e4 SETMETADATA "Other Users/alice@example.test/INBOX" (/shared/comment "x")
S2: /^e4 NO \[NOPERM\] /
# limits
C1: f1 SETMETADATA INBOX (/private/a "1" /private/b "2" /private/c "3")
S1: f1 OK Setmetadata completed
C1: f2 SETMETADATA Drafts (/private/long {16385}
S1: /^\+ /
C* 16385 x
C1: )
S1: f2 NO [METADATA MAXSIZE 16384] A value is too long
# bad names
C1: g1 GETMETADATA INBOX /other/comment
S1: /^g1 BAD /
C1: g2 GETMETADATA INBOX "/private/a*"
S1: /^g2 BAD /
C1: g3 GETMETADATA INBOX /private/a//b
S1: /^g3 BAD /
C1: g4 GETMETADATA INBOX /private/
S1: /^g4 BAD /
C1: g5 GETMETADATA (DEPTH 2) INBOX /private/a
S1: /^g5 BAD /
C1: g6 GETMETADATA Nowhere /private/a
S1: /^g6 NO \[NONEXISTENT\] /
C1: g7 SETMETADATA Nowhere (/private/a "x")
S1: /^g7 NO \[NONEXISTENT\] /
# a mailbox takes its annotations along; one that is made anew has none
C1: h1 CREATE Box
S1: /^h1 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C1: h2 SETMETADATA Box (/shared/comment "x")
S1: h2 OK Setmetadata completed
C1: h3 RENAME Box Other
S1: h3 OK Mailbox renamed
C1: h4 GETMETADATA Other /shared/comment
S1: * METADATA Other (/shared/comment {1}
S1: x)
S1: h4 OK Getmetadata completed
C1: h5 DELETE Other
S1: h5 OK Mailbox deleted
C1: h6 CREATE Other
S1: /^h6 OK \[MAILBOXID \(F[0-9a-f]+\)\] Mailbox created/
C1: h7 GETMETADATA Other /shared/comment
S1: * METADATA Other (/shared/comment NIL)
S1: h7 OK Getmetadata completed
