! set anonymous_read = true;
! set anonymous_post = true;
! set allow = ["127.0.0.0/8"];
S: 200 mail.example.test sealpost NNTP ready
C: POST
S: 340 Send the article, end with CRLF.CRLF
C+ From: a@x.test\r\nSubject: s\r\nNewsgroups: local.test\r\n\r\ntext\r\n.\r\n
S: 240 Article posted
C: STAT 1
S: 412 No newsgroup selected
C: GROUP local.test
S: 211 1 1 1 local.test
