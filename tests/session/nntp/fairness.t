# One reader asks for everything many times over; another gets an answer meanwhile.
N 400 local.test
S: /^200 /
C: AUTHINFO USER alice
C: AUTHINFO PASS secret
S* 281 Logged in
C2: AUTHINFO USER bob
C2: AUTHINFO PASS hunter2
S2* 281 Logged in
C: GROUP local.test
S: /^211 /
C* 200 OVER 1-\r\n
C2: DATE
S2: /^111 /
S: 224 Overview follows
S* .
X
V sessions 1
