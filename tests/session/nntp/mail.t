# Mail to a newsgroup's address has its fields in front of the body: they are the article's.
P local.test Return-Path: <a@x>\r\nPath: here!not-for-mail\r\nNewsgroups: local.test\r\nMessage-ID: <given@here>\r\nSubject: (no subject)\r\n|<given@here>|From: a@x\r\n\r\n.text\r\n
S: /^200 /
C: AUTHINFO USER alice
C: AUTHINFO PASS secret
S* 281 Logged in
C: GROUP local.test
S: 211 1 1 1 local.test
C: STAT
S: 223 1 <given@here>
C: ARTICLE <given@here>
S: 220 0 <given@here>
S: Return-Path: <a@x>
S: Path: here!not-for-mail
S: Newsgroups: local.test
S: Message-ID: <given@here>
S: Subject: (no subject)
S: Xref: mail.example.test local.test:1
S: From: a@x
S: 
S: ..text
S: .
C: OVER 1
S: 224 Overview follows
S: /^1	\(no subject\)	a@x		<given@here>		[0-9]+	1	Xref: mail\.example\.test local\.test:1$/
S: .
C: HDR Newsgroups 1
S: 225 Headers follow
S: 1 local.test
S: .
C: NEWNEWS * 20200101 000000
S: 230 New articles follow
S: <given@here>
S: .
