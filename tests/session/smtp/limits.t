# Lines, sizes, recipients, messages, bad commands: each has a limit and an answer.
! policy opportunistic
! set limits.line_bytes = 1000;
! set limits.message_bytes = 4096;
! set limits.recipients = 2;
! set limits.messages = 2;
! set limits.errors = 6;
S: /^220 /
C: EHLO there
S* 250 CHUNKING
C* 1000 x
C: 
S: 500 5.5.1 Unknown command
C* 1001 x
C: 
S: 500 5.5.2 Line too long
C* 200000 x
C: 
S: 500 5.5.2 Line too long
C: MAIL FROM:<a@remote.test> SIZE=4097
S: 552 5.3.4 Messages of more than 4096 bytes are not taken
C: MAIL FROM:<a@remote.test> SIZE=99999999999999999999
S: 552 5.3.4 Messages of more than 4096 bytes are not taken
C: MAIL FROM:<a@remote.test> SIZE=000000000000000000001
S: 501 5.5.4 Malformed value of SIZE
C: MAIL FROM:<a@remote.test> SIZE=1x
S: 501 5.5.4 Malformed value of SIZE
C: MAIL FROM:<a@remote.test> SIZE=4096
S: /^250 /
C: RCPT TO:<alice@example.test>
S: /^250 /
C: RCPT TO:<bob@example.test>
S: /^250 /
C: RCPT TO:<list@example.test>
S: 452 4.5.3 Too many recipients
C: DATA
S: /^354 /
C* 100 x
C: 
C* 5000 y
C: 
C: .
S: 552 5.3.4 Messages of more than 4096 bytes are not taken
C+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
C* 4090 x
C+ \r\n.\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^250 /
C+ MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n.\r\nMAIL FROM:<>\r\n
S: /^250 /
S: /^250 /
S: /^354 /
S: /^250 /
S: 421 4.7.0 mail.example.test Too many messages in one session
S!
C2: a
C2: b
C2: c
C2: d
C2: NOOP
C2: e
C2: f
C2: NOOP
S2: /^220 /
S2: 500 5.5.1 Unknown command
S2: 500 5.5.1 Unknown command
S2: 500 5.5.1 Unknown command
S2: 500 5.5.1 Unknown command
S2: 250 2.0.0 Ok
S2: 500 5.5.1 Unknown command
S2: 500 5.5.1 Unknown command
S2: 421 4.7.0 mail.example.test Too many bad commands, closing
S2!
