# Three wrong passwords end the session.
! kind submission
S: /^220 /
C: EHLO there
S* 250 CHUNKING
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: 535 5.7.8 Authentication failed
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: 535 5.7.8 Authentication failed
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: YWxpY2U=
S: 334 UGFzc3dvcmQ6
C: d3Jvbmc=
S: 535 5.7.8 Authentication failed
S!
V login_failures 3
