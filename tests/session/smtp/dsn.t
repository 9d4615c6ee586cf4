# Requests for reports: RFC 3461.
! kind submission
! set limits.errors = 100;
S: /^220 /
C: EHLO there
S* 250 CHUNKING
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: /^235 /
C: MAIL FROM:<alice@example.test> RET=SOME
S: 501 5.5.4 Malformed value of RET
C: MAIL FROM:<alice@example.test> RET
S: 501 5.5.4 Malformed value of RET
C: MAIL FROM:<alice@example.test> ENVID=
S: 501 5.5.4 Malformed or too many parameters
C: MAIL FROM:<alice@example.test> ENVID=+0D+0AX
S: 501 5.5.4 Malformed value of ENVID
C: MAIL FROM:<alice@example.test> ENVID=a+2
S: 501 5.5.4 Malformed value of ENVID
C: MAIL FROM:<alice@example.test> RET=HDRS ENVID=QQ+2B1 BODY=8BITMIME
S: 250 2.1.0 Ok
C: RCPT TO:<a@remote.test> NOTIFY=
S: 501 5.5.4 Malformed or too many parameters
C: RCPT TO:<a@remote.test> NOTIFY=NEVER,SUCCESS
S: 501 5.5.4 Malformed value of NOTIFY
C: RCPT TO:<a@remote.test> NOTIFY=SUCCESS,
S: 501 5.5.4 Malformed value of NOTIFY
C: RCPT TO:<a@remote.test> NOTIFY=SOMETIMES
S: 501 5.5.4 Malformed value of NOTIFY
C: RCPT TO:<a@remote.test> ORCPT=a@remote.test
S: 501 5.5.4 Malformed value of ORCPT
C: RCPT TO:<a@remote.test> ORCPT=rfc822;
S: 501 5.5.4 Malformed value of ORCPT
C: RCPT TO:<a@remote.test> ORCPT=rfc/822;x
S: 501 5.5.4 Malformed value of ORCPT
C: RCPT TO:<a@remote.test> SIZE=3
S: 555 5.5.4 Unknown parameter SIZE
C: RCPT TO:<a@remote.test> NOTIFY=NEVER
S: 250 2.1.5 Ok
C: RCPT TO:<b@remote.test> NOTIFY=success,failure,delay ORCPT=rfc822;B+2Bc@remote.test
S: 250 2.1.5 Ok
C: DATA
S: /^354 /
C: Subject: x
C: .
S: /^250 /
Q
S0: from <alice@example.test> RET=HDRS 8BITMIME envid=QQ+1
S0: to <a@remote.test> orcpt= notify=1
S0: to <b@remote.test> orcpt=rfc822;B+c@remote.test notify=14
S0* Subject: x
S0: .
# RET=FULL is kept as what was said; so is silence
C: MAIL FROM:<> RET=FULL
S: 250 2.1.0 Ok
C: RCPT TO:<a@remote.test>
S: 250 2.1.5 Ok
C: DATA
S: /^354 /
C: Subject: y
C: .
S: /^250 /
Q
S0: from <> RET=FULL envid=
S0: to <a@remote.test> orcpt= notify=0
S0* Subject: y
S0: .
C: MAIL FROM:<alice@example.test>
S: 250 2.1.0 Ok
C: RCPT TO:<a@remote.test>
S: 250 2.1.5 Ok
C: DATA
S: /^354 /
C: Subject: z
C: .
S: /^250 /
Q
S0: from <alice@example.test> envid=
S0: to <a@remote.test> orcpt= notify=0
S0* Subject: z
S0: .
