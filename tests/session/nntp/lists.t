# Lists of groups and what is new in them.
! set limits.errors = 100;
D local.test <1@x> From: a@x.test\r\nSubject: one\r\nMessage-ID: <1@x>\r\n\r\n1\r\n
D local.moderated <2@x> From: a@x.test\r\nSubject: two\r\nMessage-ID: <2@x>\r\n\r\n1\r\n
D local.test <3@x> From: a@x.test\r\nSubject: three\r\nMessage-ID: <3@x>\r\n\r\n1\r\n
E local.test 1
S: /^200 /
C: AUTHINFO USER alice
C: AUTHINFO PASS secret
S: /^381 /
S: /^281 /
C: LIST
S: 215 Newsgroups follow
S: local.closed 0 1 n
S: local.moderated 1 1 m
S: local.test 2 2 y
S: .
C: LIST ACTIVE local.t*
S: 215 Newsgroups follow
S: local.test 2 2 y
S: .
C: list  active  *,!*.test
S: 215 Newsgroups follow
S: local.closed 0 1 n
S: local.moderated 1 1 m
S: .
C: LIST ACTIVE nothing
S: 215 Newsgroups follow
S: .
C: LIST ACTIVE [a]
S: 501 Usage: LIST ACTIVE [wildmat]
C: LIST FOO
S: 501 Unknown LIST keyword
C: LIST FOO bar
S: 501 Unknown LIST keyword
C: LIST COUNTS local.test
S: 215 Newsgroups follow
S: local.test 2 2 1 y
S: .
C: LIST NEWSGROUPS local.test
S: 215 Descriptions follow
S: local.test	local.test
S: .
A local.test Tests of all kinds
C: LIST NEWSGROUPS local.test
S: 215 Descriptions follow
S: local.test	Tests of all kinds
S: .
C: LIST ACTIVE.TIMES local.test
S: 215 Times follow
S: /^local\.test [0-9]+ postmaster@example\.test$/
S: .
C: LIST SUBSCRIPTIONS
S: 215 Newsgroups follow
S: local.closed
S: local.moderated
S: local.test
S: .
C: NEWGROUPS 20200101 000000 GMT
S: 231 New newsgroups follow
S: local.closed 0 1 n
S: local.moderated 1 1 m
S: local.test 2 2 y
S: .
C: NEWGROUPS 20990101 000000
S: 231 New newsgroups follow
S: .
C: NEWGROUPS 200101 000000
S* .
C: NEWGROUPS 20201301 000000
S: 501 Usage: NEWGROUPS date time [GMT]
C: NEWGROUPS 20200101
S: 501 Usage: NEWGROUPS date time [GMT]
C: NEWGROUPS 20200101 000000 CET
S: 501 Usage: NEWGROUPS date time [GMT]
C: NEWGROUPS 20200101 000000 GMT x
S: 501 Usage: NEWGROUPS date time [GMT]
C: NEWNEWS local.* 20200101 000000 GMT
S: 230 New articles follow
S: <2@x>
S: <3@x>
S: .
C: NEWNEWS local.*,!*.moderated 20200101 000000 GMT
S: 230 New articles follow
S: <3@x>
S: .
C: NEWNEWS * 20990101 000000 GMT
S: 230 New articles follow
S: .
C: NEWNEWS nothing.* 20200101 000000 GMT
S: 230 New articles follow
S: .
C: NEWNEWS * 20200101
S: 501 Usage: NEWNEWS wildmat date time [GMT]
C: NEWNEWS !!a 20200101 000000
S: 501 Usage: NEWNEWS wildmat date time [GMT]
