# MULTIAPPEND (RFC 3502): several messages, all or none.
S: /^\* OK \[CAPABILITY /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY .* MULTIAPPEND /
C: a1 APPEND INBOX (\Seen) "17-Jul-1996 02:44:25 -0700" {17}
S: /^\+ /
C: Subject: x
C:
C: 1
C:  (\Flagged $One) {17+}
C: Subject: y
C:
C: 2
C:  {17}
S: /^\+ /
C: Subject: z
C:
C: 3
C:
S: /^a1 OK \[APPENDUID [0-9]+ 1:3\] Append completed/
C: a2 SELECT INBOX
S* /^a2 OK /
C: a3 FETCH 1:3 (FLAGS BODY[TEXT])
S: /^\* 1 FETCH \(FLAGS \(\\Seen\) BODY\[TEXT\] \{3\}/
S: 1
S: )
S: /^\* 2 FETCH \(FLAGS \(\\Seen \\Flagged \$One\) BODY\[TEXT\] \{3\}/
S: 2
S: )
S: /^\* 3 FETCH \(FLAGS \(\\Seen\) BODY\[TEXT\] \{3\}/
S: 3
S: )
S: a3 OK Fetch completed
C: a4 FETCH 1 INTERNALDATE
S: * 1 FETCH (INTERNALDATE "17-Jul-1996 02:44:25 -0700")
S: a4 OK Fetch completed
# one that is not allowed: none is kept; what needs no asking is thrown away
C: b1 APPEND INBOX {17+}
C: Subject: x
C:
C: 1
C:  {0+}
C:  {17+}
C: Subject: z
C:
C: 3
C:
S: b1 NO [CANNOT] A message cannot be empty
C: b2 APPEND INBOX {17}
S: /^\+ /
C: Subject: x
C:
C: 1
C:  {0}
S: b2 NO [CANNOT] A message cannot be empty
C: b3 NOOP
S: b3 OK Completed
# what is no message
C: c1 APPEND INBOX {17+}
C: Subject: x
C:
C: 1
C:  (\Seen
S: c1 BAD What stands behind a message is not another one
C: c2 APPEND INBOX {17+}
C: Subject: x
C:
C: 1
C: more
S: c2 BAD What stands behind a message is not another one
# flags of all of them together must fit
C: d1 APPEND Drafts (k01 k02 k03 k04 k05 k06 k07 k08 k09 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 k23 k24 k25 k26 k27 k28 k29 k30) {17+}
C: Subject: x
C:
C: 1
C:  (l01 l02 l03 l04 l05 l06 l07 l08 l09 l10 l11 l12 l13 l14 l15 l16 l17 l18 l19 l20 l21 l22 l23 l24 l25 l26 l27 l28) {17+}
C: Subject: y
C:
C: 2
C:
S: /^d1 NO \[LIMIT\] /
C: d2 APPEND Drafts (k01 k02 k03 k04 k05 k06 k07 k08 k09 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 k23 k24 k25 k26 k27 k28) {17+}
C: Subject: x
C:
C: 1
C:  (K28 l01 l02 l03 l04 l05 l06 l07 l08 l09 l10 l11 l12 l13 l14 l15 l16 l17 l18 l19 l20 l21 l22 l23 l24 l25 l26 l27 l28) {17+}
C: Subject: y
C:
C: 2
C:
S: /^d2 OK \[APPENDUID [0-9]+ 1:2\] /
C: d3 STATUS Drafts (MESSAGES)
S: * STATUS Drafts (MESSAGES 2)
S: d3 OK Status completed
C: d4 STATUS INBOX (MESSAGES)
S: * STATUS INBOX (MESSAGES 3)
S: d4 OK Status completed
