# A mailbox has 56 keywords, not more; they are matched without case.
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
C: s SELECT INBOX
S* /^s OK /
C: a1 STORE 1 FLAGS (k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 k23 k24 k25 k26 k27 k28 k29 k30 k31 k32 k33 k34 k35 k36 k37 k38 k39 k40 k41 k42 k43 k44 k45 k46 k47 k48 k49 k50 k51 k52 k53 k54 k55)
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 k23 k24 k25 k26 k27 k28 k29 k30 k31 k32 k33 k34 k35 k36 k37 k38 k39 k40 k41 k42 k43 k44 k45 k46 k47 k48 k49 k50 k51 k52 k53 k54 k55)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 k23 k24 k25 k26 k27 k28 k29 k30 k31 k32 k33 k34 k35 k36 k37 k38 k39 k40 k41 k42 k43 k44 k45 k46 k47 k48 k49 k50 k51 k52 k53 k54 k55)] Flags that are kept
S: * 1 FETCH (FLAGS (k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 k23 k24 k25 k26 k27 k28 k29 k30 k31 k32 k33 k34 k35 k36 k37 k38 k39 k40 k41 k42 k43 k44 k45 k46 k47 k48 k49 k50 k51 k52 k53 k54 k55))
S: a1 OK Store completed
C: a2 STORE 1 +FLAGS (onemore)
S* /^a2 NO \[LIMIT\]/
C: a3 SEARCH KEYWORD K55
S: * SEARCH 1
S: a3 OK Search completed
C: a4 SEARCH KEYWORD onemore
S: * SEARCH
S: a4 OK Search completed
C: a5 STORE 1 FLAGS (K3 \Seen)
S: * 1 FETCH (FLAGS (\Seen k3))
S: a5 OK Store completed
# more than any mailbox can have is no error of syntax
C: b1 STORE 1 +FLAGS (m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19 m20 m21 m22 m23 m24 m25 m26 m27 m28 m29 m30 m31 m32 m33 m34 m35 m36 m37 m38 m39 m40 m41 m42 m43 m44 m45 m46 m47 m48 m49 m50 m51 m52 m53 m54 m55 m56 m57 m58 m59)
S: b1 NO [LIMIT] Too many keywords in this mailbox
C: b2 STORE 1 +FLAGS.SILENT m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19 m20 m21 m22 m23 m24 m25 m26 m27 m28 m29 m30 m31 m32 m33 m34 m35 m36 m37 m38 m39 m40 m41 m42 m43 m44 m45 m46 m47 m48 m49 m50 m51 m52 m53 m54 m55 m56 m57 m58 m59
S: b2 NO [LIMIT] Too many keywords in this mailbox
C: b3 APPEND INBOX (m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19 m20 m21 m22 m23 m24 m25 m26 m27 m28 m29 m30 m31 m32 m33 m34 m35 m36 m37 m38 m39 m40 m41 m42 m43 m44 m45 m46 m47 m48 m49 m50 m51 m52 m53 m54 m55 m56 m57 m58 m59) {5+}
C: abc
C: 
S: /^b3 NO \[LIMIT\]/
C: b4 NOOP
S: b4 OK Completed
