#include "base/date.h"

#include "base/parse.h"

/* Year 1 to year 9999: what four digits can print. */
#define FIRST_SECOND (-62135596800)
#define LAST_SECOND 253402300799

enum { DAY_SECONDS = 86400, ZONE_LIMIT = 24 * 60 };

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct civil {
    int64_t year;
    int month, day; /* from 1 */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01. Years are counted from March, so that the leap day is the last of its
 * year. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = floor_div(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct civil civil_from_days(int64_t days)
{
    int64_t z = days + 719468, era = floor_div(z, 146097), d = z - era * 146097;
    int64_t of_era = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * of_era + of_era / 4 - of_era / 100);
    int m = (int)((5 * of_year + 2) / 153);

    return (struct civil){
        .year = of_era + era * 400 + (m >= 10),
        .month = m < 10 ? m + 3 : m - 9,
        .day = (int)(of_year - (153 * m + 2) / 5) + 1,
    };
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* What has been read of a date; -1: not yet. */
struct fields {
    int year, month, day, hour, minute, second, zone;
    bool has_time, has_zone, zone_is_offset;
    int half; /* of the day: 1 am, 2 pm */
};

/* 24:00:00 is the end of its day, 60 a leap second: both count on. */
static bool time_possible(const struct fields *f)
{
    if (f->half && (f->hour < 1 || f->hour > 12))
        return false;
    if (f->hour == 24)
        return f->minute == 0 && f->second == 0;
    return f->hour < 24 && f->minute <= 59 && f->second <= 60;
}

static bool finish(const struct fields *f, struct date *ret)
{
    int hour = f->hour;

    if (f->year < 1 || f->year > 9999 || f->month < 1 || f->month > 12 || f->day < 1 ||
        f->day > days_in_month(f->year, f->month) || !time_possible(f))
        return false;
    if (f->half)
        hour = hour % 12 + (f->half == 2 ? 12 : 0);
    ret->seconds = days_from_civil(f->year, f->month, f->day) * DAY_SECONDS + hour * 3600 +
                   f->minute * 60 + f->second - (int64_t)f->zone * 60;
    ret->zone_minutes = f->zone;
    return true;
}

/* Three letters or more of a name are enough ("Sept", "Tuesday"). */
static int find_name(struct span s, const char names[][4], int count)
{
    for (int i = 0; i < count; i++)
        if (s.n >= 3 && span_eq_nocase(span_head(s, 3), span_of(names[i], 3)))
            return i;
    return -1;
}

static bool is_alpha(unsigned char c)
{
    return ascii_is_alpha((char)c);
}

static bool is_digit(unsigned char c)
{
    return ascii_is_digit((char)c);
}

/* ---- RFC 5322, obsolete forms and damage ---- */

static const struct {
    char name[6];
    int minutes;
} zone_names[] = {
    {"UT",   0   },
    {"UTC",  0   },
    {"GMT",  0   },
    {"Z",    0   },
    {"EST",  -300},
    {"EDT",  -240},
    {"CST",  -360},
    {"CDT",  -300},
    {"MST",  -420},
    {"MDT",  -360},
    {"PST",  -480},
    {"PDT",  -420},
    {"WET",  0   },
    {"WEST", 60  },
    {"BST",  60  },
    {"CET",  60  },
    {"MET",  60  },
    {"MEZ",  60  },
    {"CEST", 120 },
    {"MEST", 120 },
    {"MESZ", 120 },
    {"EET",  120 },
    {"EEST", 180 },
    {"MSK",  180 },
    {"JST",  540 },
    {"KST",  540 },
    {"AEST", 600 },
    {"AEDT", 660 },
    {"NZST", 720 },
    {"NZDT", 780 },
};

static bool set_once(int *field, int v)
{
    if (*field >= 0)
        return false;
    *field = v;
    return true;
}

/* RFC 5322 section 4.3: two digits are 1950 to 2049, three count from 1900. */
static bool set_year(struct fields *f, unsigned v, size_t digits)
{
    if (digits == 2)
        v += v < 50 ? 2000 : 1900;
    else if (digits == 3)
        v += 1900;
    return set_once(&f->year, (int)v);
}

/* A word: month, half of the day, zone; names of days and all else say nothing. */
static void take_word(struct fields *f, struct span word)
{
    int month = find_name(word, month_names, 12);

    if (month >= 0 && f->month < 0) {
        f->month = month + 1;
        return;
    }
    if (f->has_time && !f->half && (span_is(word, "AM") || span_is(word, "PM"))) {
        f->half = ascii_lower(word.p[0]) == 'a' ? 1 : 2;
        return;
    }
    if (!f->has_time || f->has_zone)
        return;
    for (size_t i = 0; i < sizeof zone_names / sizeof *zone_names; i++) {
        if (span_is(word, zone_names[i].name)) {
            f->zone = zone_names[i].minutes;
            f->has_zone = true;
        }
    }
}

/* [sign]hhmm, hh:mm or hh behind the time; an impossible one counts as UTC. */
static void take_zone(struct fields *f, struct span *c, int sign)
{
    struct span digits;
    uint64_t v = 0, minutes = 0;

    if (!parse_while(c, is_digit, 1, 8, &digits))
        return;
    span_to_u64(digits, UINT64_MAX, &v);
    if (digits.n <= 2) {
        struct span rest = *c, more;
        if (parse_char(&rest, ':') && parse_while(&rest, is_digit, 2, 2, &more)) {
            span_to_u64(more, 99, &minutes);
            *c = rest;
        }
    } else {
        minutes = v % 100;
        v /= 100;
    }
    /* "GMT+0100": the number counts, not the name */
    if (f->zone_is_offset)
        return;
    f->zone_is_offset = f->has_zone = true;
    f->zone = 0;
    if (v * 60 + minutes < ZONE_LIMIT && minutes < 60)
        f->zone = sign * (int)(v * 60 + minutes);
}

/* A comment may nest and quote (RFC 5322 section 3.2.2); one that never ends reaches to the end. */
static void skip_comment(struct span *c)
{
    size_t i = 0;
    unsigned depth = 0;

    for (; i < c->n; i++) {
        if (c->p[i] == '\\') {
            i++;
        } else if (c->p[i] == '(') {
            depth++;
        } else if (c->p[i] == ')' && --depth == 0) {
            i++;
            break;
        }
    }
    *c = span_skip(*c, i);
}

static void skip_cfws(struct span *c)
{
    while (c->n) {
        if (c->p[0] == '(')
            skip_comment(c);
        else if (c->p[0] == ' ' || c->p[0] == '\t' || c->p[0] == '\r' || c->p[0] == '\n')
            *c = span_skip(*c, 1);
        else
            break;
    }
}

/* A separator with a digit behind it. Around ':' the obsolete syntax has blanks and comments. */
static bool parse_separator(struct span *c, char want)
{
    struct span at = *c;

    if (want == ':')
        skip_cfws(&at);
    if (!parse_char(&at, want))
        return false;
    if (want == ':')
        skip_cfws(&at);
    if (at.n == 0 || !ascii_is_digit(at.p[0]))
        return false;
    *c = at;
    return true;
}

/* Behind the hour and its separator: mm, perhaps seconds and a fraction of them. */
static bool take_time(struct fields *f, struct span *c, unsigned hour, char separator)
{
    uint32_t minute, second = 0;

    if (f->has_time || !parse_u32(c, 99, &minute))
        return false;
    struct span rest = *c, fraction;
    if (parse_separator(&rest, separator) && parse_u32(&rest, 99, &second)) {
        *c = rest;
        if (parse_char(&rest, '.') && parse_while(&rest, is_digit, 1, 12, &fraction))
            *c = rest;
    }
    f->has_time = true;
    f->hour = (int)hour;
    f->minute = (int)minute;
    f->second = (int)second;
    return true;
}

/* Behind "yyyy-": mm-dd of ISO 8601, with the T that may follow. */
static bool take_iso_day(struct fields *f, struct span *c, unsigned year)
{
    struct span rest = span_skip(*c, 1);
    uint32_t month, day;

    if (!parse_u32(&rest, 12, &month) || !parse_char(&rest, '-') || !parse_u32(&rest, 31, &day))
        return false;
    if (!set_once(&f->month, (int)month) || !set_once(&f->day, (int)day))
        return false;
    f->year = (int)year;
    parse_lit_nocase(&rest, "T");
    *c = rest;
    return true;
}

static bool follows(struct span c, char sign, bool (*is)(unsigned char))
{
    return c.n >= 2 && c.p[0] == sign && is((unsigned char)c.p[1]);
}

static bool is_any(unsigned char c)
{
    return true;
}

static bool take_number(struct fields *f, struct span *c)
{
    struct span digits;
    uint64_t v;

    if (!parse_while(c, is_digit, 1, 8, &digits))
        return false;
    span_to_u64(digits, UINT64_MAX, &v);

    if (digits.n <= 2 && !f->has_time) {
        bool have_day = f->day >= 0 && f->month >= 0 && f->year >= 0;
        if (parse_separator(c, ':'))
            return take_time(f, c, (unsigned)v, ':');
        if (have_day && parse_separator(c, '.'))
            return take_time(f, c, (unsigned)v, '.');
    }
    if (digits.n == 4 && f->year < 0 && f->month < 0 && f->day < 0 && follows(*c, '-', is_digit))
        return take_iso_day(f, c, (unsigned)v);
    if (digits.n <= 2 && f->day < 0) {
        f->day = (int)v;
        return true;
    }
    if (digits.n >= 2 && digits.n <= 4 && f->year < 0)
        return set_year(f, (unsigned)v, digits.n);
    /* a zone that lost its sign */
    if (digits.n == 4 && f->has_time && !f->has_zone) {
        f->has_zone = true;
        return true;
    }
    return !f->has_time || f->has_zone;
}

/*
 * Takes the pieces in whatever order they come, for mail carries every order: the right one,
 * asctime's, ISO 8601, with the weekday missing or in another language, with '-' between day and
 * month.
 */
bool date_parse_rfc5322(struct span s, struct date *ret)
{
    struct fields f = {.year = -1, .month = -1, .day = -1};
    struct span c = s, word;

    while (c.n) {
        char ch = c.p[0];
        if (ch == '(') {
            skip_comment(&c);
        } else if (ascii_is_digit(ch)) {
            if (!take_number(&f, &c))
                return false;
        } else if (ascii_is_alpha(ch)) {
            if (!parse_while(&c, is_alpha, 1, 64, &word))
                return false;
            /* a weekday, though in Spanish "mar," would be March */
            if (f.day >= 0 || !follows(c, ',', is_any))
                take_word(&f, word);
        } else if (f.has_time && (follows(c, '+', is_digit) || follows(c, '-', is_digit))) {
            c = span_skip(c, 1);
            take_zone(&f, &c, ch == '+' ? 1 : -1);
        } else {
            c = span_skip(c, 1);
        }
    }
    /* a day whose time makes no sense is still that day */
    if (!time_possible(&f))
        f.hour = f.minute = f.second = f.half = 0;
    return finish(&f, ret);
}

/* ---- printing ---- */

struct clock_time {
    struct civil day;
    int hour, minute, second, weekday;
};

static struct clock_time local_time(int64_t seconds, int zone_minutes)
{
    if (seconds < FIRST_SECOND + DAY_SECONDS)
        seconds = FIRST_SECOND + DAY_SECONDS;
    if (seconds > LAST_SECOND - DAY_SECONDS)
        seconds = LAST_SECOND - DAY_SECONDS;
    seconds += (int64_t)zone_minutes * 60;

    int64_t days = floor_div(seconds, DAY_SECONDS);
    int of_day = (int)(seconds - days * DAY_SECONDS);
    return (struct clock_time){
        .day = civil_from_days(days),
        .hour = of_day / 3600,
        .minute = of_day / 60 % 60,
        .second = of_day % 60,
        .weekday = (int)((days % 7 + 11) % 7), /* 1970-01-01 was a Thursday */
    };
}

/* A zone that four digits can print. */
static int sane_zone(int minutes)
{
    return minutes > -ZONE_LIMIT && minutes < ZONE_LIMIT ? minutes : 0;
}

static bool put_zone(struct buf *b, int zone)
{
    int m = zone < 0 ? -zone : zone;

    return buf_printf(b, " %c%02d%02d", zone < 0 ? '-' : '+', m / 60, m % 60);
}

bool date_print_rfc5322(struct buf *b, struct date d)
{
    int zone = sane_zone(d.zone_minutes);
    struct clock_time t = local_time(d.seconds, zone);

    return buf_printf(b, "%s, %d %s %04d %02d:%02d:%02d", day_names[t.weekday], t.day.day,
                      month_names[t.day.month - 1], (int)t.day.year, t.hour, t.minute, t.second) &&
           put_zone(b, zone);
}

bool date_print_imap(struct buf *b, struct date d)
{
    int zone = sane_zone(d.zone_minutes);
    struct clock_time t = local_time(d.seconds, zone);

    return buf_printf(b, "%2d-%s-%04d %02d:%02d:%02d", t.day.day, month_names[t.day.month - 1],
                      (int)t.day.year, t.hour, t.minute, t.second) &&
           put_zone(b, zone);
}

bool date_print_nntp(struct buf *b, int64_t seconds)
{
    struct clock_time t = local_time(seconds, 0);

    return buf_printf(b, "%04d%02d%02d%02d%02d%02d", (int)t.day.year, t.day.month, t.day.day,
                      t.hour, t.minute, t.second);
}

bool date_print_iso(struct buf *b, int64_t seconds)
{
    struct clock_time t = local_time(seconds, 0);

    return buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)t.day.year, t.day.month, t.day.day,
                      t.hour, t.minute, t.second);
}

/* ---- IMAP and NNTP ---- */

/* date-month "-" date-year */
static bool parse_month_year(struct span *c, struct fields *f)
{
    unsigned year;
    int month = find_name(span_head(*c, 3), month_names, 12);
    struct span rest = span_skip(*c, 3);

    if (month < 0 || !parse_char(&rest, '-') || !parse_fixed_digits(&rest, 4, &year))
        return false;
    f->month = month + 1;
    f->year = (int)year;
    *c = rest;
    return true;
}

/* time = 2DIGIT ":" 2DIGIT ":" 2DIGIT */
static bool parse_time(struct span *c, struct fields *f)
{
    unsigned hour, minute, second;

    if (!parse_fixed_digits(c, 2, &hour) || !parse_char(c, ':') ||
        !parse_fixed_digits(c, 2, &minute) || !parse_char(c, ':') ||
        !parse_fixed_digits(c, 2, &second))
        return false;
    f->hour = (int)hour;
    f->minute = (int)minute;
    f->second = (int)second;
    return hour < 24;
}

/* zone = ("+" / "-") 4DIGIT */
static bool parse_zone(struct span *c, struct fields *f)
{
    unsigned v;
    int sign = parse_char(c, '+') ? 1 : parse_char(c, '-') ? -1 : 0;

    if (!sign || !parse_fixed_digits(c, 4, &v) || v % 100 > 59 || v / 100 > 23)
        return false;
    f->zone = sign * (int)(v / 100 * 60 + v % 100);
    return true;
}

/* date-time = date-day-fixed "-" date-month "-" date-year SP time SP zone; date-day-fixed = (SP
 * DIGIT) / 2DIGIT */
bool date_parse_imap(struct span s, struct date *ret)
{
    struct fields f = {.year = -1, .month = -1, .day = -1};
    struct span c = s;
    unsigned day;

    if (!parse_fixed_digits(&c, parse_char(&c, ' ') ? 1 : 2, &day))
        return false;
    f.day = (int)day;
    return parse_char(&c, '-') && parse_month_year(&c, &f) && parse_char(&c, ' ') &&
           parse_time(&c, &f) && parse_char(&c, ' ') && parse_zone(&c, &f) && parse_end(&c) &&
           finish(&f, ret);
}

/* date-text = 1*2DIGIT "-" date-month "-" date-year */
bool date_parse_imap_day(struct span s, int64_t *ret_day)
{
    struct fields f = {.year = -1, .month = -1, .day = -1};
    struct span c = s, digits;
    struct date d;
    uint64_t day = 0;

    if (!parse_while(&c, is_digit, 1, 2, &digits) || !span_to_u64(digits, 31, &day))
        return false;
    f.day = (int)day;
    if (!parse_char(&c, '-') || !parse_month_year(&c, &f) || !parse_end(&c) || !finish(&f, &d))
        return false;
    *ret_day = date_day(d);
    return true;
}

bool date_parse_nntp(struct span day, struct span time, int64_t now, int64_t *ret_seconds)
{
    struct fields f = {.year = -1};
    struct date d;
    uint64_t ymd, hms;

    if ((day.n != 6 && day.n != 8) || time.n != 6 || !span_to_u64(day, 99999999, &ymd) ||
        !span_to_u64(time, 235960, &hms)) /* no hour 24 */
        return false;
    f.year = (int)(ymd / 10000);
    f.month = (int)(ymd / 100 % 100);
    f.day = (int)(ymd % 100);
    if (day.n == 6) {
        /* this century up to this year, the one before for what would lie ahead */
        int year = (int)local_time(now, 0).day.year;
        f.year += year / 100 * 100;
        if (f.year > year)
            f.year -= 100;
    }
    f.hour = (int)(hms / 10000);
    f.minute = (int)(hms / 100 % 100);
    f.second = (int)(hms % 100);
    if (!finish(&f, &d))
        return false;
    *ret_seconds = d.seconds;
    return true;
}

int64_t date_day(struct date d)
{
    return floor_div(d.seconds + (int64_t)d.zone_minutes * 60, DAY_SECONDS);
}
