# News for everybody, in clear where that is accepted; logins never are.
! policy opportunistic
! set anonymous_read = true;
! set limits.login_timeout = 1;
D local.test <1@x> From: a@x\r\nNewsgroups: local.test\r\nSubject: one\r\nMessage-ID: <1@x>\r\n\r\n.text\r\n
S: 200 mail.example.test sealpost NNTP ready
C: CAPABILITIES
S* STARTTLS
S* READER
S* .
C: HELP
S* .
C: GROUP local.test
S: 211 1 1 1 local.test
C: ARTICLE
S: 220 1 <1@x>
S* ..text
S: .
C: AUTHINFO USER alice
S: 483 No login without TLS: send STARTTLS first
C: POST
S: 480 Log in first
W 700
C: STAT
S: 223 1 <1@x>
W 700
C: STAT
S: 223 1 <1@x>
V plaintext_bytes 0
