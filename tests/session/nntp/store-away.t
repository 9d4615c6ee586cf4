# stored is away: temporary answers, and the session goes on when it is back.
S: /^200 /
C: AUTHINFO USER alice
C: AUTHINFO PASS secret
S* 281 Logged in
C: POST
S: /^340 /
C+ From: a@x\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n
W 50
-
+
C: .
S: 240 Article posted
C: GROUP local.test
S: 211 1 1 1 local.test
