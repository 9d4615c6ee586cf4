#include "base/date.h"

#include "unit/unit.h"

/* Wanted times are written in ISO 8601, which has its own printer and so is a second opinion. */
static void expect_iso(int64_t seconds, const char *want)
{
    BUF_AUTO struct buf b = BUF(40);

    EXPECT(date_print_iso(&b, seconds));
    EXPECT_STR(buf_cstr(&b), want);
}

TEST(calendar)
{
    static const struct {
        int64_t seconds;
        const char *want;
    } rows[] = {
  /* from date -u -d @N */
        {0,            "1970-01-01T00:00:00Z"},
        {-1,           "1969-12-31T23:59:59Z"},
        {951782400,    "2000-02-29T00:00:00Z"},
        {951868800,    "2000-03-01T00:00:00Z"},
        {4107542399,   "2100-02-28T23:59:59Z"},
        {4107542400,   "2100-03-01T00:00:00Z"},
        {1795498140,   "2026-11-24T05:29:00Z"},
        {-2203891200,  "1900-03-01T00:00:00Z"},
        {-2203891201,  "1900-02-28T23:59:59Z"},
        {253402214399, "9999-12-30T23:59:59Z"},
        {INT64_MAX,    "9999-12-30T23:59:59Z"}, /* clamped: four digits of year */
        {INT64_MIN,    "0001-01-02T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unit_case(rows[i].want);
        expect_iso(rows[i].seconds, rows[i].want);
    }
    unit_case(NULL);
}

TEST(rfc5322)
{
    static const struct {
        const char *text, *want; /* NULL: no date */
        int zone;
    } rows[] = {
        {"Tue, 24 Nov 2026 05:29:00 +0000",                                       "2026-11-24T05:29:00Z", 0   },
        {"Fri, 21 Nov 1997 09:55:06 -0600",                                       "1997-11-21T15:55:06Z", -360},
        {"1 Jan 2000 00:00 +0530",                                                "1999-12-31T18:30:00Z", 330 },
        {" Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
         "1969-02-14T03:02:00Z",                                                                          -210},
        {"Tue, 31 Dec 2024 23:59:60 +0000",                                       "2025-01-01T00:00:00Z", 0   },
        {"Tue, 31 Dec 2024 24:00:00 +0000",                                       "2025-01-01T00:00:00Z", 0   },
        {"29 Feb 2024 10:00:00 +0000",                                            "2024-02-29T10:00:00Z", 0   },
        {"29 Feb 2023 10:00:00 +0000",                                            NULL,                   0   },
        {"31 Nov 2023 10:00:00 +0000",                                            NULL,                   0   },
        {"0 Nov 2023 10:00:00 +0000",                                             NULL,                   0   },
 /* obsolete forms, RFC 5322 sections 4.3 and A.6.2 */
        {"21 Nov 97 09:55:06 GMT",                                                "1997-11-21T09:55:06Z", 0   },
        {"21 Nov 49 09:55:06 GMT",                                                "2049-11-21T09:55:06Z", 0   },
        {"21 Nov 50 09:55:06 GMT",                                                "1950-11-21T09:55:06Z", 0   },
        {"21 Nov 103 09:55:06 GMT",                                               "2003-11-21T09:55:06Z", 0   },
        {"Wed, 9 Jan 2002 19:47:50 MST",                                          "2002-01-10T02:47:50Z", -420},
        {"Tue, 22 Jan 2002 14:35:28 UT",                                          "2002-01-22T14:35:28Z", 0   },
        {"Fri, 21 Nov 1997 09(comment (nested \\) )):   55  :  06 -0600",         "1997-11-21T15:55:06Z",
         -360                                                                                                 },
        {"Fri (day), 21 (d) Nov (m) 1997 (y) 09:55:06 (t) -0600",                 "1997-11-21T15:55:06Z", -360},
        {"21 Nov 97 09:55:06 Q",                                                  "1997-11-21T09:55:06Z", 0   },
 /* seen in real mail */
        {"Tue, 23 Feb 2010 22:16:41 -0800 (PST)",                                 "2010-02-24T06:16:41Z", -480},
        {"Wed, 15 Dec 2010 12:21:20 -0500 ",                                      "2010-12-15T17:21:20Z", -300},
        {"        Thu, 10 Jan 2002 13:59:53 -0800",                               "2002-01-10T21:59:53Z", -480},
        {"Tue, 04 Dec 2001 17:11:25 -0459",                                       "2001-12-04T22:10:25Z", -299},
        {"May 8, 2005 1:17 PM",                                                   "2005-05-08T13:17:00Z", 0   },
        {"May 8, 2005 12:17 AM",                                                  "2005-05-08T00:17:00Z", 0   },
        {"May 8, 2005 12:17 pm",                                                  "2005-05-08T12:17:00Z", 0   },
        {"Tue, 12 Oct 2010 16:21:05 H0500",                                       "2010-10-12T16:21:05Z", 0   },
        {"Sat, 20 Sep 2008 20:04:30 +0300 (\xf9\xf2\xe5\xef \xf7\xe9\xf5)",       "2008-09-20T17:04:30Z",
         180                                                                                                  },
        {"Wed, 15 Dec 2010    59:10 -0500",                                       "2010-12-15T05:00:00Z", -300}, /* the hour was lost */
        {"Mon, 30 Jun 3609 15:33:50 +0600",                                       "3609-06-30T09:33:50Z", 360 },
        {"Tue, 22 Jan 2002 14:35:28 +2500",                                       "2002-01-22T14:35:28Z", 0   },
        {"Tue, 22 Jan 2002 14:35:28 0100",                                        "2002-01-22T14:35:28Z", 0   },
        {"Tue, 22 Jan 2002 14:35:28 +01:00",                                      "2002-01-22T13:35:28Z", 60  },
        {"Tue, 22 Jan 2002 14:35:28 +1",                                          "2002-01-22T13:35:28Z", 60  },
        {"Tue, 22 Jan 2002 14:35:28 GMT+0100",                                    "2002-01-22T13:35:28Z", 60  },
        {"Tue, 22 Jan 2002 14:35:28 +0100 -0500",                                 "2002-01-22T13:35:28Z",
         60                                                                                                   }, /* the first counts */
        {"Tue, 22 Jan 2002 14:35:28 \"GMT\"",                                     "2002-01-22T14:35:28Z", 0   },
        {"Tue, 22 Jan 2002 14:35:28",                                             "2002-01-22T14:35:28Z", 0   },
        {"Tue, 22 Jan 2002",                                                      "2002-01-22T00:00:00Z", 0   },
        {"Tue,22 Jan 2002 14:35:28 -0000",                                        "2002-01-22T14:35:28Z", 0   },
        {"Tuesday, 22-Jan-02 14:35:28 GMT",                                       "2002-01-22T14:35:28Z", 0   },
        {"22 January 2002 14:35:28.123456 +0100",                                 "2002-01-22T13:35:28Z", 60  },
        {"Tue, 22 Sept 2002 14.35.28 +0100",                                      "2002-09-22T13:35:28Z", 60  },
        {"Tue Jan 22 14:35:28 2002",                                              "2002-01-22T14:35:28Z", 0   },
        {"Tue Jan 22 14:35:28 CET 2002",                                          "2002-01-22T13:35:28Z", 60  },
        {"Tue Jan 22 14:35:28 +0100 2002",                                        "2002-01-22T13:35:28Z", 60  },
        {"2002-01-22T14:35:28Z",                                                  "2002-01-22T14:35:28Z", 0   },
        {"2002-01-22 14:35:28+01:00",                                             "2002-01-22T13:35:28Z", 60  },
        {"mar, 22 ene 2002 14:35:28 +0100",                                       NULL,                   0   }, /* must not become March */
        {"mar, 22 Jan 2002 14:35:28 +0100",                                       "2002-01-22T13:35:28Z", 60  },
        {"Pn, 29 paX 2007 21:13:00 +0100",                                        NULL,                   0   },
        {"Thu,",                                                                  NULL,                   0   },
        {"",                                                                      NULL,                   0   },
        {"24.11.2026 05:29",                                                      NULL,                   0   },
        {"11/24/2026 05:29",                                                      NULL,                   0   },
        {"Tue, 22 Jan 20022 14:35:28",                                            NULL,                   0   },
        {"Tue, 22 Jan 2002 14:35:28 15:00:00",                                    NULL,                   0   },
        {"Tue, 22 Jan 0 14:35:28",                                                NULL,                   0   },
        {"(22 Jan 2002 14:35:28",                                                 NULL,                   0   },
        {"99999999999999999999 Jan 2002",                                         NULL,                   0   },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct date d = {.seconds = -7};
        bool ok = date_parse_rfc5322(span_cstr(rows[i].text), &d);

        unit_case(rows[i].text);
        EXPECT(ok == (rows[i].want != NULL));
        if (ok && rows[i].want) {
            expect_iso(d.seconds, rows[i].want);
            EXPECT_INT(d.zone_minutes, rows[i].zone);
        } else if (!ok) {
            EXPECT_INT(d.seconds, -7);
        }
    }
    unit_case(NULL);
}

TEST(printed)
{
    static const struct {
        struct date d;
        const char *mail, *imap;
    } rows[] = {
        {{1795498140, 0},   "Tue, 24 Nov 2026 05:29:00 +0000", "24-Nov-2026 05:29:00 +0000"},
        {{837596665, -420}, "Wed, 17 Jul 1996 02:44:25 -0700", "17-Jul-1996 02:44:25 -0700"},
        {{0, 330},          "Thu, 1 Jan 1970 05:30:00 +0530",  " 1-Jan-1970 05:30:00 +0530"},
        {{0, -5},           "Wed, 31 Dec 1969 23:55:00 -0005", "31-Dec-1969 23:55:00 -0005"},
        {{0, 100000},       "Thu, 1 Jan 1970 00:00:00 +0000",  " 1-Jan-1970 00:00:00 +0000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BUF_AUTO struct buf b = BUF(100);
        EXPECT(date_print_rfc5322(&b, rows[i].d));
        EXPECT_STR(buf_cstr(&b), rows[i].mail);
        buf_clear(&b);
        EXPECT(date_print_imap(&b, rows[i].d));
        EXPECT_STR(buf_cstr(&b), rows[i].imap);
    }
    BUF_AUTO struct buf small = BUF(28);
    EXPECT(!date_print_rfc5322(&small, rows[0].d));
}

TEST(random_round_trip)
{
    for (int i = 0; i < 20000; i++) {
        BUF_AUTO struct buf b = BUF(100);
        struct date d = {(int64_t)(unit_random() % 253402128000) - 2208988800 * (i % 2), 0}, back;
        /* years below 1900 print with four digits and read as such */
        d.zone_minutes = (int)(unit_random() % 2879) - 1439;
        EXPECT(date_print_rfc5322(&b, d) && date_parse_rfc5322(buf_span(&b), &back));
        EXPECT_INT(back.seconds, d.seconds);
        EXPECT_INT(back.zone_minutes, d.zone_minutes);
        buf_clear(&b);
        EXPECT(date_print_imap(&b, d) && date_parse_imap(buf_span(&b), &back));
        EXPECT_INT(back.seconds, d.seconds);
        EXPECT_INT(back.zone_minutes, d.zone_minutes);
    }
}

TEST(imap)
{
    static const char *const wrong[] = {
        "",
        "7-Jul-1996 02:44:25 -0700", /* the day is fixed: a blank or two digits */
        " 17-Jul-1996 02:44:25 -0700",
        "17-Jul-96 02:44:25 -0700",
        "17-Jux-1996 02:44:25 -0700",
        "17-July-1996 02:44:25 -0700",
        "17-Jul-1996 24:00:00 -0700",
        "17-Jul-1996 02:60:25 -0700",
        "17-Jul-1996 02:44:61 -0700",
        "17-Jul-1996 02:44 -0700",
        "17-Jul-1996 02:44:25 0700",
        "17-Jul-1996 02:44:25 -07000",
        "17-Jul-1996 02:44:25 -0760",
        "17-Jul-1996 02:44:25 -2400",
        "17-Jul-1996  02:44:25 -0700",
        "17-Jul-1996 02:44:25 -0700 ",
        "31-Jun-1996 02:44:25 -0700",
    };
    struct date d = {0, 0};

    EXPECT(date_parse_imap(SPAN("17-Jul-1996 02:44:25 -0700"), &d));
    EXPECT_INT(d.seconds, 837596665);
    EXPECT_INT(d.zone_minutes, -420);
    EXPECT(date_parse_imap(SPAN(" 7-jul-1996 02:44:25 +0000"), &d));
    expect_iso(d.seconds, "1996-07-07T02:44:25Z");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        unit_case(wrong[i]);
        EXPECT(!date_parse_imap(span_cstr(wrong[i]), &d));
    }
    unit_case(NULL);
}

TEST(imap_day)
{
    int64_t day = 77;

    EXPECT(date_parse_imap_day(SPAN("1-Feb-1994"), &day));
    EXPECT_INT(day, 8797);
    EXPECT(date_parse_imap_day(SPAN("01-FEB-1970"), &day));
    EXPECT_INT(day, 31);
    EXPECT(!date_parse_imap_day(SPAN("001-Feb-1994"), &day));
    EXPECT(!date_parse_imap_day(SPAN(" 1-Feb-1994"), &day));
    EXPECT(!date_parse_imap_day(SPAN("30-Feb-1994"), &day));
    EXPECT(!date_parse_imap_day(SPAN("1-Feb-94"), &day));
    EXPECT(!date_parse_imap_day(SPAN("1-Feb-1994x"), &day));
    EXPECT(!date_parse_imap_day(SPAN(""), &day));
    EXPECT_INT(day, 31);
    /* one second before midnight UTC it is already tomorrow in Berlin */
    EXPECT_INT(date_day((struct date){86399, 60}), 1);
    EXPECT_INT(date_day((struct date){0, -60}), -1);
}

TEST(nntp)
{
    static const struct {
        const char *day, *time, *want;
    } rows[] = {
        {"19990624", "000000", "1999-06-24T00:00:00Z"},
        {"260101",   "235959", "2026-01-01T23:59:59Z"},
        {"270101",   "000000", "1927-01-01T00:00:00Z"},
        {"991231",   "120000", "1999-12-31T12:00:00Z"},
        {"000229",   "235960", "2000-03-01T00:00:00Z"},
        {"19990624", "0000",   NULL                  },
        {"1999062",  "000000", NULL                  },
        {"19990631", "000000", NULL                  },
        {"19991301", "000000", NULL                  },
        {"19990624", "240000", NULL                  },
        {"19990624", "126000", NULL                  },
        {"1999-6-4", "000000", NULL                  },
        {"19990624", "+00000", NULL                  },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t seconds = 0;
        bool ok =
            date_parse_nntp(span_cstr(rows[i].day), span_cstr(rows[i].time), 1795498140, &seconds);
        unit_case(rows[i].day);
        EXPECT(ok == (rows[i].want != NULL));
        if (ok && rows[i].want)
            expect_iso(seconds, rows[i].want);
    }
    unit_case(NULL);
    BUF_AUTO struct buf b = BUF(20);
    EXPECT(date_print_nntp(&b, 1795498140));
    EXPECT_STR(buf_cstr(&b), "20261124052900");
}
