# What a STORE made is told in whole lines, however much its messages carry: more than one buffer holds.
! set limits.line_bytes = 8000;
S: /^\* OK \[CAPABILITY /
C: l LOGIN alice secret
S: /^l OK \[CAPABILITY /
C: f1 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f1 OK \[APPENDUID [0-9]+ 1\]/
C: f2 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f2 OK \[APPENDUID [0-9]+ 2\]/
C: f3 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f3 OK \[APPENDUID [0-9]+ 3\]/
C: f4 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f4 OK \[APPENDUID [0-9]+ 4\]/
C: f5 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f5 OK \[APPENDUID [0-9]+ 5\]/
C: f6 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f6 OK \[APPENDUID [0-9]+ 6\]/
C: f7 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f7 OK \[APPENDUID [0-9]+ 7\]/
C: f8 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f8 OK \[APPENDUID [0-9]+ 8\]/
C: f9 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f9 OK \[APPENDUID [0-9]+ 9\]/
C: f10 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f10 OK \[APPENDUID [0-9]+ 10\]/
C: f11 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f11 OK \[APPENDUID [0-9]+ 11\]/
C: f12 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f12 OK \[APPENDUID [0-9]+ 12\]/
C: f13 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f13 OK \[APPENDUID [0-9]+ 13\]/
C: f14 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f14 OK \[APPENDUID [0-9]+ 14\]/
C: f15 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f15 OK \[APPENDUID [0-9]+ 15\]/
C: f16 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f16 OK \[APPENDUID [0-9]+ 16\]/
C: f17 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f17 OK \[APPENDUID [0-9]+ 17\]/
C: f18 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f18 OK \[APPENDUID [0-9]+ 18\]/
C: f19 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f19 OK \[APPENDUID [0-9]+ 19\]/
C: f20 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f20 OK \[APPENDUID [0-9]+ 20\]/
C: f21 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f21 OK \[APPENDUID [0-9]+ 21\]/
C: f22 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f22 OK \[APPENDUID [0-9]+ 22\]/
C: f23 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f23 OK \[APPENDUID [0-9]+ 23\]/
C: f24 APPEND INBOX {9}
S: /^\+ /
C: A: b
C:
C: x
S: /^f24 OK \[APPENDUID [0-9]+ 24\]/
C: s SELECT INBOX
S: /^\* FLAGS /
S: /^\* OK \[PERMANENTFLAGS /
S: * 24 EXISTS
S: * 0 RECENT
S: /^\* OK \[UNSEEN 1\]/
S: /^\* OK \[UIDVALIDITY [0-9]+\]/
S: /^\* OK \[UIDNEXT 25\]/
S: /^\* OK \[MAILBOXID /
S: /^s OK \[READ-WRITE\]/
C: a STORE 1:24 FLAGS.SILENT (k00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k01-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k02-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k03-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k04-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k05-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k06-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k07-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k08-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k09-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k10-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k11-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k12-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k13-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx k14-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx)
S: /^\* FLAGS /
S: /^\* OK \[PERMANENTFLAGS /
S: /^a OK /
C: b STORE 1:24 +FLAGS (\Seen)
S: /^\* 1 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 2 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 3 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 4 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 5 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 6 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 7 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 8 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 9 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 10 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 11 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 12 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 13 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 14 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 15 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 16 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 17 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 18 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 19 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 20 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 21 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 22 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 23 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^\* 24 FETCH \(FLAGS \(\\Seen (k[0-9][0-9]-x{95} ?){15}\)\)$/
S: /^b OK Store completed/
C: n NOOP
S: /^n OK /
