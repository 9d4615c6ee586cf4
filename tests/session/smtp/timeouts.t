# Silence ends a session, also in the middle of a command and of a message.
! policy opportunistic
! set limits.idle_timeout = 1;
! set limits.login_timeout = 3;
S: /^220 /
S: 421 4.4.2 mail.example.test Timed out, closing
S!
C2: EHLO x
S2* 250 CHUNKING
C2+ NOO
S2: 421 4.4.2 mail.example.test Timed out, closing
S2!
C3+ EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nabc\r\n
S3* /^354 /
S3: 421 4.4.2 mail.example.test Timed out, closing
S3!
# a trickle is not enough
C4: EHLO x
S4* 250 CHUNKING
C4+ N
W 600
C4+ O
W 600
S4: 421 4.4.2 mail.example.test Timed out, closing
S4!
C5+ EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nabc\r\n
S5* /^354 /
W 600
C5: x
W 600
S5: 421 4.4.2 mail.example.test Timed out, closing
S5!
# one that has begun a message may go on past the time for a login; one that only greets may not
C6: EHLO x
C7: EHLO x
C6: MAIL FROM:<>
W 800
C6: NOOP
C7: NOOP
W 800
C6: NOOP
C7: NOOP
W 800
C6: NOOP
C7: NOOP
W 800
C6: QUIT
S6* 250 CHUNKING
S6: /^250 /
S6: /^250 /
S6: /^250 /
S6: /^250 /
S6: 221 2.0.0 Bye
S6!
S7* 250 CHUNKING
S7: /^250 /
S7: /^250 /
S7: /^250 /
S7: 421 4.4.2 mail.example.test Timed out, closing
S7!
V timeouts 6
