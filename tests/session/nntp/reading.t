# Groups and articles: by number, by Message-ID, forth and back.
! set limits.errors = 100;
D local.test <1@x> From: a@x.test\r\nNewsgroups: local.test\r\nSubject: one\r\nMessage-ID: <1@x>\r\nDate: Tue, 24 Nov 2026 05:29:00 +0000\r\n\r\n.one\r\ntext\r\n
D local.test <2@x> From: b@x.test\r\nNewsgroups: local.test\r\nSubject: two\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\n\r\ntwo
D local.test <3@x> From: c@x.test\r\nSubject: three\r\nMessage-ID: <3@x>\r\n
D local.test <4@x> From: d@x.test\r\nSubject: four\r\nMessage-ID: <4@x>\r\n\r\n
D local.test <5@x> From: e@x.test\r\nSubject: five\r\nMessage-ID: <5@x>\r\n\r\n5\r\n
S: /^200 /
C: AUTHINFO USER alice
C: AUTHINFO PASS secret
S: /^381 /
S: /^281 /
C: STAT
S: 412 No newsgroup selected
C: STAT 1
S: 412 No newsgroup selected
C: NEXT
S: 412 No newsgroup selected
C: LAST
S: 412 No newsgroup selected
C: LISTGROUP
S: 412 No newsgroup selected
C: OVER
S: 412 No newsgroup selected
C: OVER 1-3
S: 412 No newsgroup selected
C: HDR Subject
S: 412 No newsgroup selected
C: GROUP no.such.group
S: 411 No such newsgroup
C: GROUP LOCAL.TEST
S: 411 No such newsgroup
C: GROUP local.moderated
S: 211 0 1 0 local.moderated
C: STAT
S: 420 No current article
C: NEXT
S: 420 No current article
C: LAST
S: 420 No current article
C: OVER
S: 420 No current article
C: LISTGROUP
S: 211 0 1 0 local.moderated list follows
S: .
C: OVER 1-
S: 423 No articles in that range
C: GROUP 	local.test 
S: 211 5 1 5 local.test
C: STAT
S: 223 1 <1@x>
C: LAST
S: 422 No previous article
C: NEXT
S: 223 2 <2@x>
C: NEXT
S: 223 3 <3@x>
C: LAST
S: 223 2 <2@x>
C: ARTICLE 1
S: 220 1 <1@x>
S: Xref: mail.example.test local.test:1
S: From: a@x.test
S: Newsgroups: local.test
S: Subject: one
S: Message-ID: <1@x>
S: Date: Tue, 24 Nov 2026 05:29:00 +0000
S: 
S: ..one
S: text
S: .
C: HEAD
S: 221 1 <1@x>
S: Xref: mail.example.test local.test:1
S: From: a@x.test
S: Newsgroups: local.test
S: Subject: one
S: Message-ID: <1@x>
S: Date: Tue, 24 Nov 2026 05:29:00 +0000
S: .
C: BODY 1
S: 222 1 <1@x>
S: ..one
S: text
S: .
# a last line without an end
C: BODY 2
S: 222 2 <2@x>
S: two
S: .
# no empty line, and nothing behind it
C: ARTICLE 3
S: 220 3 <3@x>
S: Xref: mail.example.test local.test:3
S: From: c@x.test
S: Subject: three
S: Message-ID: <3@x>
S: 
S: .
C: HEAD 3
S: 221 3 <3@x>
S: Xref: mail.example.test local.test:3
S: From: c@x.test
S: Subject: three
S: Message-ID: <3@x>
S: .
C: BODY 3
S: 222 3 <3@x>
S: .
C: ARTICLE 4
S: 220 4 <4@x>
S: Xref: mail.example.test local.test:4
S: From: d@x.test
S: Subject: four
S: Message-ID: <4@x>
S: 
S: .
C: HEAD 4
S* Message-ID: <4@x>
S: .
# by Message-ID: the current article stays
C: STAT 5
S: 223 5 <5@x>
C: ARTICLE <2@x>
S: 220 0 <2@x>
S* two
S: .
C: STAT
S: 223 5 <5@x>
C: HEAD <none@x>
S: 430 No article with that message-id
C: ARTICLE <
S: 430 No article with that message-id
C: STAT 6
S: 423 No article with that number
C: STAT 0
S: 423 No article with that number
C: STAT 99999999999
S: 501 Usage: STAT [message-id|number]
C: STAT x
S: 501 Usage: STAT [message-id|number]
C: STAT
S: 223 5 <5@x>
C: NEXT
S: 421 No next article
# somebody removes articles
E local.test 3
E local.test 5
C: STAT
S: 420 The current article is gone
C: LAST
S: 223 4 <4@x>
C: LAST
S: 223 2 <2@x>
C: NEXT
S: 223 4 <4@x>
C: NEXT
S: 421 No next article
C: STAT <3@x>
S: 430 No article with that message-id
E local.test 1
C: GROUP local.test
S: 211 2 2 5 local.test
C: STAT
S: 223 2 <2@x>
C: LISTGROUP
S: 211 2 2 5 local.test list follows
S: 2
S: 4
S: .
C: LISTGROUP local.test 3-
S: 211 2 2 5 local.test list follows
S: 4
S: .
C: LISTGROUP local.test 2
S: 211 2 2 5 local.test list follows
S: 2
S: .
C: LISTGROUP local.test 5-3
S: 211 2 2 5 local.test list follows
S: .
C: LISTGROUP local.test x
S: 501 Usage: LISTGROUP [newsgroup [range]]
C: LISTGROUP local.test 1-2 x
S: 501 Usage: LISTGROUP [newsgroup [range]]
C: LISTGROUP no.such
S: 411 No such newsgroup
# all gone: the low mark is one above the high one, numbers never come again
E local.test 2
E local.test 4
C: GROUP local.test
S: 211 0 6 5 local.test
D local.test <6@x> From: e@x.test\r\nSubject: six\r\nMessage-ID: <6@x>\r\n\r\n6\r\n
C: GROUP local.test
S: 211 1 6 6 local.test
