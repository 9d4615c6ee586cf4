# OVER and HDR, old and new.
! set limits.errors = 100;
D local.test <1@x> From: a@x.test (A)\r\nNewsgroups: local.test\r\nSubject: one\r\n\tfolded\r\nMessage-ID: <1@x>\r\nDate: Tue, 24 Nov 2026 05:29:00 +0000\r\nReferences: <0@x>\r\n <00@x>\r\nX-Tab: a\tb\r\n\r\n1\r\n2\r\n
D local.test <2@x> From: b@x.test\r\nMessage-ID: <2@x>\r\n\r\ntwo\r\n
S: /^200 /
C: AUTHINFO USER alice
C: AUTHINFO PASS secret
S: /^381 /
S: /^281 /
C: GROUP local.test
S: 211 2 1 2 local.test
C: OVER
S: 224 Overview follows
S: /^1	one folded	a@x\.test \(A\)	Tue, 24 Nov 2026 05:29:00 \+0000	<1@x>	<0@x> <00@x>	([0-9]+)	2	Xref: mail\.example\.test local\.test:1$/
S: .
C: HDR :bytes
S: 225 Headers follow
S: 1 $1
S: .
C: OVER 1-
S: 224 Overview follows
S: /^1	one folded	/
S: /^2		b@x\.test		<2@x>		[0-9]+	1	Xref: mail\.example\.test local\.test:2$/
S: .
C: XOVER 2-2
S: 224 Overview follows
S: /^2	/
S: .
C: OVER 3-
S: 423 No articles in that range
C: OVER 2-1
S: 423 No articles in that range
C: OVER <2@x>
S: 224 Overview follows
S: /^0		b@x/
S: .
C: OVER <none@x>
S: 430 No article with that message-id
C: OVER x
S: 501 Usage: OVER [message-id|range]
C: OVER 1-x
S: 501 Usage: OVER [message-id|range]
C: HDR Subject 1-
S: 225 Headers follow
S: 1 one folded
S: 2 
S: .
C: XHDR subject 1
S: 221 Header follows
S: 1 one folded
S: .
C: HDR X-Tab 1
S: 225 Headers follow
S: 1 a b
S: .
C: HDR Message-ID 1-2
S: 225 Headers follow
S: 1 <1@x>
S: 2 <2@x>
S: .
C: HDR Xref 2
S: 225 Headers follow
S: 2 mail.example.test local.test:2
S: .
C: HDR :lines <1@x>
S: 225 Headers follow
S: 0 2
S: .
C: HDR From <none@x>
S: 430 No article with that message-id
C: HDR
S: 501 Usage: HDR field [message-id|range]
C: HDR :nonsense 1
S: 501 Usage: HDR field [message-id|range]
C: HDR Sub:ject 1
S: 501 Usage: HDR field [message-id|range]
C: HDR Subject 1 2
S: 501 Usage: HDR field [message-id|range]
C: HDR Subject 9-
S: 423 No articles in that range
