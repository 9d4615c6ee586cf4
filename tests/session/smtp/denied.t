! policy opportunistic
! set deny = ["127.0.0.1"];
S!
V refused 1
