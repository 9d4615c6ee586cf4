# POST: what is filled in, what is refused, crossposts, duplicates, moderation.
! set limits.errors = 100;
! set limits.message_bytes = 4096;
S: /^200 /
C: AUTHINFO USER alice
C: AUTHINFO PASS secret
S: /^381 /
S: /^281 /
C: POST x
S: 501 POST takes no argument
C: POST
S: 340 Send the article, end with CRLF.CRLF
C+ From: Alice <alice@example.test>\r\nSubject: hello\r\nNewsgroups: local.test\r\nX-Own: kept  as it is\r\n\r\n..stuffed\r\ntext\r\n.\r\n
S: 240 Article posted
C: GROUP local.test
S: 211 1 1 1 local.test
C: ARTICLE
S: /^220 1 (<[^ >]+@mail\.example\.test>)$/
S: Xref: mail.example.test local.test:1
S: Path: mail.example.test!.POSTED!not-for-mail
S: Message-ID: $1
S: /^Date: ..., .* \+0000$/
S: /^Injection-Info: mail\.example\.test; mail-complaints-to="postmaster@example\.test"$/
S: From: Alice <alice@example.test>
S: Subject: hello
S: Newsgroups: local.test
S: X-Own: kept  as it is
S: 
S: ..stuffed
S: text
S: .
# to two groups here and one elsewhere; its own Path, Date and Message-ID
C: POST
S: /^340 /
C+ Path: somewhere!me\r\nFrom: a@x.test\r\nSubject: cross\r\nNewsgroups: local.test, elsewhere.test,local.test,\r\n local.moderated\r\nMessage-ID: <own@x.test>\r\nDate: Tue, 24 Nov 2020 05:29:00 +0000\r\n\r\ntext\r\n.\r\n
S: 441 That newsgroup is moderated
C: POST
S: /^340 /
C+ Path: somewhere!me\r\nFrom: a@x.test\r\nSubject: cross\r\nNewsgroups: local.test, elsewhere.test,local.test\r\nMessage-ID: <own@x.test>\r\nDate: Tue, 24 Nov 2020 05:29:00 +0000\r\n\r\ntext\r\n.\r\n
S: 240 Article posted
C: ARTICLE <own@x.test>
S: 220 0 <own@x.test>
S: Xref: mail.example.test local.test:2
S: Path: mail.example.test!.POSTED!somewhere!me
S: /^Injection-Date: /
S: /^Injection-Info: /
S: From: a@x.test
S: Subject: cross
S: /^Newsgroups: /
S: Message-ID: <own@x.test>
S: Date: Tue, 24 Nov 2020 05:29:00 +0000
S: 
S: text
S: .
C: GROUP local.test
S: 211 2 1 2 local.test
# the same Message-ID again
C: POST
S: /^340 /
C+ From: a@x.test\r\nSubject: again\r\nNewsgroups: local.test\r\nMessage-ID: <own@x.test>\r\n\r\ntext\r\n.\r\n
S: 441 An article with that Message-ID has been here already
# refused
C: POST
S: /^340 /
C+ Subject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 From, Subject and Newsgroups must be there once each
C: POST
S: /^340 /
C+ From: a@x\r\nFrom: b@x\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 From, Subject and Newsgroups must be there once each
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\n\r\ntext\r\n.\r\n
S: 441 From, Subject and Newsgroups must be there once each
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\nDate: x\r\nDate: y\r\n\r\ntext\r\n.\r\n
S: 441 A field that may be there once is there twice
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\nDate: yesterday\r\n\r\ntext\r\n.\r\n
S: 441 The Date is malformed
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\nDate: Tue, 24 Nov 2099 05:29:00 +0000\r\n\r\ntext\r\n.\r\n
S: 441 The Date is in the future
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\nMessage-ID: <a@x> junk\r\n\r\ntext\r\n.\r\n
S: 441 The Message-ID is malformed
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\nMessage-ID: none\r\n\r\ntext\r\n.\r\n
S: 441 The Message-ID is malformed
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\nInjection-Info: x\r\n\r\ntext\r\n.\r\n
S: /^441 It has been injected already/
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\nXref: x y:1\r\n\r\ntext\r\n.\r\n
S: /^441 It has been injected already/
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: cmsg cancel <1@x>\r\nNewsgroups: local.test\r\nControl: cancel <1@x>\r\n\r\ntext\r\n.\r\n
S: 441 Control messages are not taken from readers
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\n.\r\n
S: 441 The article has no body
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\n.\r\n
S: 441 The article has no body
C: POST
S: /^340 /
C+ .\r\n
S: 441 From, Subject and Newsgroups must be there once each
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: elsewhere.test\r\n\r\ntext\r\n.\r\n
S: 441 None of the newsgroups is carried here
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.closed\r\n\r\ntext\r\n.\r\n
S: 441 Posting to that newsgroup is not allowed
C: POST
S: /^340 /
C+ Path: here!.POSTED!not-for-mail\r\nFrom: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 It has been injected already (.POSTED in Path)
C: POST
S: /^340 /
C+ Path: a!here!.posted.192.0.2.1!x\r\nFrom: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 It has been injected already (.POSTED in Path)
C: POST
S: /^340 /
C+ From: a@x\r\nSubject:\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A field of the header is empty
C: POST
S: /^340 /
C+ From: a@x\r\nSubject:  \t \r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A field of the header is empty
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nEmpty:\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A field of the header is empty
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\n \r\n t\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A line of the header is empty but for blanks
C: POST
S: /^340 /
C+  folded\r\nFrom: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A line of the header is empty but for blanks
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nBad header: x\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A line of the header is no field: name, colon, blank, text
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nBad : x\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A line of the header is no field: name, colon, blank, text
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\n: x\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A line of the header is no field: name, colon, blank, text
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nno colon\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A line of the header is no field: name, colon, blank, text
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNoSpace:x\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 A field of the header has no blank behind its colon
C: POST
S: /^340 /
C+ From: notanaddress\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 From is no list of addresses
C: POST
S: /^340 /
C+ From: a@x, b\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 From is no list of addresses
C: POST
S: /^340 /
C+ From: (nobody)\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 441 From is no list of addresses
# an Approved of one's own does not count
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.moderated\r\nApproved: alice\r\n\r\ntext\r\n.\r\n
S: 441 That newsgroup is moderated
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\nbare\r\n.\r\n
S: /^441 Bare CR or LF/
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\nn\x00l\r\n.\r\n
S: /^441 Bare CR or LF, or NUL/
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\n
C* 5000 x
C+ \r\n.\r\n
S: 441 Articles of more than 4096 bytes are not taken
C: GROUP local.test
S: 211 2 1 2 local.test
# a moderator's Approved does
C2: AUTHINFO USER admin
C2: AUTHINFO PASS secret
S2* 281 Logged in
C2: POST
S2: /^340 /
C2+ From: a@x\r\nSubject: s\r\nNewsgroups: local.moderated,local.test\r\nApproved: admin\r\n\r\ntext\r\n.\r\n
S2: 240 Article posted
C: GROUP local.test
S: 211 3 1 3 local.test
C: HEAD 3
S: /^221 3 /
S: /^Xref: mail\.example\.test (local\.moderated:1 local\.test:3|local\.test:3 local\.moderated:1)$/
S* .
# a Path that only looks so, two authors, a field of many lines
C: POST
S: /^340 /
C+ Path: here!POSTED!x.POSTED!y\r\nFrom: "A, a" <a@x>,\r\n b@x (B)\r\nSubject: s\r\n\tt\r\nX-Odd:  y\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 240 Article posted
