/* SPDX-License-Identifier: Apache-2.0 */
/* when.c - RFC 3339 and durations. The calendar is the proleptic Gregorian one, counted by hand:
 * timegm is no standard, and gmtime may refuse or take a lock. */
#include "when.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_SECOND 1000
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR (60 * MS_PER_MINUTE)
#define MS_PER_DAY (24 * (int64_t)MS_PER_HOUR)

/* 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z. */
#define FIRST_MS INT64_C(-62135596800000)
#define LAST_MS INT64_C(253402300799999)

typedef struct {
    int year, month, day;
} date;

/* Days since 1970-01-01. Years begin in March, so that the leap day comes last; 400 years (an
 * era) have 146097 days, and 719468 lie between 0000-03-01 and 1970-01-01. */
static int64_t days_of(date d)
{
    int year = d.month <= 2 ? d.year - 1 : d.year;
    int era = year / 400, year_of_era = year % 400;
    int day_of_year = (153 * ((d.month + 9) % 12) + 2) / 5 + d.day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

/* The inverse, for days from year 1 on. */
static date date_of(int64_t days)
{
    int64_t shifted = days + 719468;
    int era = (int)(shifted / 146097), day_of_era = (int)(shifted % 146097);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int march_month = (5 * day_of_year + 2) / 153;
    date d = {
        .year = era * 400 + year_of_era,
        .month = march_month < 10 ? march_month + 3 : march_month - 9,
        .day = day_of_year - (153 * march_month + 2) / 5 + 1,
    };
    if (d.month <= 2)
        d.year++;
    return d;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static int64_t clamped(int64_t unix_ms)
{
    return unix_ms < FIRST_MS ? FIRST_MS : unix_ms > LAST_MS ? LAST_MS : unix_ms;
}

/* ---- writing ---- */

typedef struct {
    date date;
    int hour, minute, second, ms;
} parts;

static parts parts_of(int64_t unix_ms)
{
    int64_t at = clamped(unix_ms);
    int64_t days = at / MS_PER_DAY, ms = at % MS_PER_DAY;
    if (ms < 0) {
        ms += MS_PER_DAY;
        days--;
    }
    return (parts){
        .date = date_of(days),
        .hour = (int)(ms / MS_PER_HOUR),
        .minute = (int)(ms / MS_PER_MINUTE % 60),
        .second = (int)(ms / MS_PER_SECOND % 60),
        .ms = (int)(ms % MS_PER_SECOND),
    };
}

void tcn_wall_utc(tcn_wall at, char ret_text[static TCN_WALL_TEXT_SIZE])
{
    parts p = parts_of(at.unix_ms);
    (void)snprintf(ret_text, TCN_WALL_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", p.date.year,
                   p.date.month, p.date.day, p.hour, p.minute, p.second, p.ms);
}

/* Seconds east of UTC at this time; 0 when the zone is not known. */
static int offset_at(int64_t unix_ms)
{
    int64_t seconds = unix_ms / MS_PER_SECOND - (unix_ms % MS_PER_SECOND < 0);
    time_t time = (time_t)seconds;
    struct tm local;
    tzset(); /* localtime_r need not look at TZ itself */
    if ((int64_t)time != seconds || localtime_r(&time, &local) == NULL)
        return 0;
    return (int)local.tm_gmtoff;
}

void tcn_wall_local(tcn_wall at, char ret_text[static TCN_WALL_TEXT_SIZE])
{
    int64_t unix_ms = clamped(at.unix_ms);
    /* RFC 3339 offsets have no seconds; local mean times before 1900 or so do. */
    int minutes = offset_at(unix_ms) / 60;
    parts p = parts_of(unix_ms + (int64_t)minutes * MS_PER_MINUTE);
    unsigned size = (unsigned)(minutes < 0 ? -minutes : minutes);
    (void)snprintf(ret_text, TCN_WALL_TEXT_SIZE, "%04d-%02d-%02d %02d:%02d:%02d%c%02u:%02u",
                   p.date.year, p.date.month, p.date.day, p.hour, p.minute, p.second,
                   minutes < 0 ? '-' : '+', size / 60 % 100, size % 60);
}

/* ---- reading ---- */

/* Exactly count digits at *text, a value of min..max; steps over them. */
static bool take_number(const char **text, int count, int min, int max, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        char c = **text;
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
        (*text)++;
    }
    *ret_value = value;
    return value >= min && value <= max;
}

static bool take_one_of(const char **text, const char *allowed)
{
    if (**text == '\0' || strchr(allowed, **text) == NULL)
        return false;
    (*text)++;
    return true;
}

/* ".123": digits beyond milliseconds are read and dropped. */
static bool take_fraction(const char **text, int *ret_ms)
{
    int ms = 0, weight = 100, digits = 0;
    if (**text == '.') {
        (*text)++;
        for (; **text >= '0' && **text <= '9'; (*text)++, digits++) {
            ms += (**text - '0') * weight;
            weight /= 10;
        }
        if (digits == 0)
            return false;
    }
    *ret_ms = ms;
    return true;
}

/* "Z" or "+01:00": minutes east of UTC. */
static bool take_zone(const char **text, int *ret_minutes)
{
    int hours, minutes;
    char sign = **text;
    if (take_one_of(text, "Zz")) {
        *ret_minutes = 0;
        return true;
    }
    if (!take_one_of(text, "+-") || !take_number(text, 2, 0, 23, &hours) ||
        !take_one_of(text, ":") || !take_number(text, 2, 0, 59, &minutes))
        return false;
    minutes += 60 * hours;
    *ret_minutes = sign == '-' ? -minutes : minutes;
    return true;
}

tcn_err tcn_wall_parse(const char *text, tcn_wall *ret_at)
{
    parts p;
    int offset_minutes;
    bool good = take_number(&text, 4, 1, 9999, &p.date.year) && take_one_of(&text, "-") &&
                take_number(&text, 2, 1, 12, &p.date.month) && take_one_of(&text, "-") &&
                take_number(&text, 2, 1, days_in_month(p.date.year, p.date.month), &p.date.day) &&
                take_one_of(&text, "Tt ") && take_number(&text, 2, 0, 23, &p.hour) &&
                take_one_of(&text, ":") && take_number(&text, 2, 0, 59, &p.minute) &&
                take_one_of(&text, ":") && take_number(&text, 2, 0, 60, &p.second) &&
                take_fraction(&text, &p.ms) && take_zone(&text, &offset_minutes) && *text == '\0';
    if (!good)
        return TCN_INVALID;
    int64_t minute = days_of(p.date) * 24 * 60 + p.hour * 60 + p.minute - offset_minutes;
    if (p.second == 60) {
        /* Unix time has no leap seconds: the last millisecond before midnight UTC, where alone
         * one can be (RFC 3339 §5.7). */
        if ((minute + 1) % (24 * 60) != 0)
            return TCN_INVALID;
        p.second = 59;
        p.ms = 999;
    }
    int64_t unix_ms = minute * MS_PER_MINUTE + p.second * MS_PER_SECOND + p.ms;
    if (unix_ms != clamped(unix_ms))
        return TCN_INVALID; /* the offset leads out of the years 0001..9999 */
    *ret_at = (tcn_wall){unix_ms};
    return TCN_OK;
}

tcn_err tcn_duration_parse(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *word;
        int64_t ms;
    } units[] = {{"ms", 1},
                 {"s", MS_PER_SECOND},
                 {"m", MS_PER_MINUTE},
                 {"h", MS_PER_HOUR},
                 {"d", MS_PER_DAY}};
    /* Ten thousand years are more than any deadline, and far from overflow. */
    const int64_t most_ms = LAST_MS - FIRST_MS;
    int64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (*at - '0');
        if (value > most_ms)
            return TCN_INVALID;
    }
    if (at == text)
        return TCN_INVALID;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(at, units[i].word) != 0)
            continue;
        if (value > most_ms / units[i].ms)
            return TCN_INVALID;
        *ret_ms = value * units[i].ms;
        return TCN_OK;
    }
    return TCN_INVALID;
}

tcn_err tcn_deadline_parse(const char *text, tcn_wall now, tcn_wall *ret_at)
{
    int64_t ms;
    if (tcn_duration_parse(text, &ms) != TCN_OK)
        return tcn_wall_parse(text, ret_at);
    int64_t from = clamped(now.unix_ms);
    if (ms > LAST_MS - from)
        return TCN_INVALID;
    *ret_at = (tcn_wall){from + ms};
    return TCN_OK;
}
