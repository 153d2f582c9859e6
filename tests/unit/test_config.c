/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtocsin/file.h"
#include "tests/support/temp_dir.h"

typedef struct {
    char *name, *path;
    tcn_config_list topics;
    int64_t retry_ms;
} sink;

typedef struct {
    char *listen, *note;
    int64_t port, flush_ms;
    uint64_t store_bytes;
    bool is_open;
    unsigned level;
    tcn_config_list patterns;
    tcn_config_sections sinks;
} config;

static tcn_err no_spaces(const char *text, tcn_fault *fault)
{
    return strchr(text, ' ') ? tcn_fault_set(fault, TCN_INVALID, "it has a space: take it out")
                             : TCN_OK;
}

static const tcn_config_option sink_options[] = {
    {.name = "name",
     .type = TCN_CONFIG_TITLE,
     .offset = offsetof(sink, name),
     .min = 1,
     .max = 8,
     .what = "What status calls it."},
    {.name = "path",
     .type = TCN_CONFIG_STRING,
     .offset = offsetof(sink, path),
     .what = "Where it writes."},
    {.name = "topics",
     .type = TCN_CONFIG_LIST,
     .offset = offsetof(sink, topics),
     .preset = "{\">\"}",
     .what = "What it takes."},
    {.name = "retry",
     .type = TCN_CONFIG_DURATION,
     .offset = offsetof(sink, retry_ms),
     .preset = "10s",
     .what = "Between two tries."},
};
static const tcn_config_table sink_table = {sink_options, 4, sizeof(sink)};

static const tcn_config_option options[] = {
    {.name = "listen",
     .type = TCN_CONFIG_STRING,
     .offset = offsetof(config, listen),
     .preset = "0.0.0.0",
     .min = 1,
     .max = 20,
     .check = no_spaces,
     .what = "The address that nodes reach."},
    {.name = "note",
     .type = TCN_CONFIG_STRING,
     .offset = offsetof(config, note),
     .preset = "",
     .what = "Anything."},
    {.name = "port",
     .type = TCN_CONFIG_INT,
     .offset = offsetof(config, port),
     .preset = "7100",
     .min = 1,
     .max = 65535,
     .what = "The first of three ports in a row, for emergency, session and enrolment; they must "
             "not be in use by others on this machine."},
    {.name = "flush",
     .type = TCN_CONFIG_DURATION,
     .offset = offsetof(config, flush_ms),
     .preset = "100ms",
     .min = 10,
     .max = 60000,
     .what = "How long a receipt may wait."},
    {.name = "store_size",
     .type = TCN_CONFIG_SIZE,
     .offset = offsetof(config, store_bytes),
     .preset = "512M",
     .min = 1 << 20,
     .max = (int64_t)1 << 40,
     .what = "The most that the store may grow to."},
    {.name = "open",
     .type = TCN_CONFIG_BOOL,
     .offset = offsetof(config, is_open),
     .preset = "false",
     .what = "Is enrolment open?"},
    {.name = "log_level",
     .type = TCN_CONFIG_CHOICE,
     .offset = offsetof(config, level),
     .preset = "notice",
     .choices = "error|warning|notice|info|debug",
     .what = "The least important lines that are logged."},
    {.name = "patterns",
     .type = TCN_CONFIG_LIST,
     .offset = offsetof(config, patterns),
     .preset = "{\"advisory.>\", \"alert.*\"}",
     .min = 1,
     .max = 3,
     .check = no_spaces,
     .what = "Topics."},
    {.name = "sink",
     .type = TCN_CONFIG_SECTIONS,
     .offset = offsetof(config, sinks),
     .max = 2,
     .section = &sink_table,
     .what = "Hands alerts on."},
};
static const tcn_config_table table = {options, sizeof options / sizeof *options, sizeof(config)};

static void assert_good(const char *text, config *c)
{
    tcn_fault fault = {.text = ""};
    if (tcn_config_parse("a.conf", tcn_bytes_str(text), &table, c, &fault) != TCN_OK) {
        fail_msg("%s", fault.text);
    }
}

static void test_defaults(void **state)
{
    config c;
    (void)state;
    assert_int_equal(tcn_config_defaults(&table, &c, NULL), TCN_OK);
    assert_string_equal(c.listen, "0.0.0.0");
    assert_string_equal(c.note, "");
    assert_int_equal(c.port, 7100);
    assert_int_equal(c.flush_ms, 100);
    assert_int_equal(c.store_bytes, 512u << 20);
    assert_false(c.is_open);
    assert_int_equal(c.level, 2);
    assert_int_equal(c.patterns.count, 2);
    assert_string_equal(c.patterns.items[0], "advisory.>");
    assert_string_equal(c.patterns.items[1], "alert.*");
    assert_int_equal(c.sinks.count, 0);
    tcn_config_fini(&table, &c);
    assert_null(c.listen);
    tcn_config_fini(&table, &c);
}

static void test_values(void **state)
{
    config c;
    (void)state;
    assert_good("# a comment with = and { and \" in it\n"
                "listen = \"::1\" // another\n"
                "note = 'ünï \"q\" # ${HOME}'  /* and\n more { */\n"
                "port=443\n"
                "flush = 2s\n"
                "store_size = \"3g\"\n"
                "open = yes\n"
                "log_level = debug\n"
                "patterns = {\n    one,\n    \"two.>\"\n}\n"
                "sink one { path = \"/var/a b\" topics = {\"x.*\", y} retry = 1m }\n"
                "sink \"two 2\" {\n  path = aZ09_-.:/@%\n topics = {} }\n",
                &c);
    assert_string_equal(c.listen, "::1");
    assert_string_equal(c.note, "ünï \"q\" # ${HOME}");
    assert_int_equal(c.port, 443);
    assert_int_equal(c.flush_ms, 2000);
    assert_int_equal(c.store_bytes, 3ull << 30);
    assert_true(c.is_open);
    assert_int_equal(c.level, 4);
    assert_int_equal(c.patterns.count, 2);
    assert_string_equal(c.patterns.items[1], "two.>");
    assert_int_equal(c.sinks.count, 2);
    const sink *s = c.sinks.items;
    assert_string_equal(s[0].name, "one");
    assert_string_equal(s[0].path, "/var/a b");
    assert_int_equal(s[0].topics.count, 2);
    assert_string_equal(s[0].topics.items[0], "x.*");
    assert_int_equal(s[0].retry_ms, 60000);
    assert_string_equal(s[1].name, "two 2");
    assert_string_equal(s[1].path, "aZ09_-.:/@%");
    assert_int_equal(s[1].topics.count, 0);
    assert_int_equal(s[1].retry_ms, 10000);
    tcn_config_fini(&table, &c);
}

typedef struct {
    const char *text, *error; /* what follows the path */
} refused;

static const refused cases[] = {
    {"\n# c\n\n/* x\n */ prot = 1\n", ":5: there is no option prot: did you mean port?"},
    {"log-level = info\n", ":1: there is no option log-level: did you mean log_level?"},
    {"frobnicate = 1\n", ":1: there is no option frobnicate: take it out, or see --print-config"},
    {"sink a {\n\n path = b\n topic = {}\n}", ":4: there is no option topic: did you mean topics?"},
    {"include(\"/etc/passwd\")\n", ":1: the character ( is not expected: put the value in quotes"},
    {"# c\n# c\nport = 0\n", ":3: port is out of its bounds: choose 1 to 65535"},
    {"port = 70000", ":1: port is out of its bounds: choose 1 to 65535"},
    {"port = 99999999999999999999", ":1: port is not a whole number: write digits"},
    {"port = 0x10", ":1: port is not a whole number: write digits"},
    {"port = \" 7\"", ":1: port is not a whole number: write digits"},
    {"port = \"\"", ":1: port is not a whole number: write digits"},
    {"flush = 5", ":1: flush is not a duration: write 500ms, 90s, 15m, 24h or 7d"},
    {"flush = 2h", ":1: flush is out of its bounds: choose 10 to 60000 ms"},
    {"store_size = 5X", ":1: store_size is not a size: write bytes, or 64K, 512M, 2G"},
    {"store_size = -1", ":1: store_size is not a size: write bytes, or 64K, 512M, 2G"},
    {"store_size = 1Gb", ":1: store_size is not a size: write bytes, or 64K, 512M, 2G"},
    {"store_size = 99999999999T", ":1: store_size is not a size: write bytes, or 64K, 512M, 2G"},
    {"store_size = 8000000T", ":1: store_size is out of its bounds: choose 1048576 to "
                              "1099511627776 bytes"},
    {"open = maybe", ":1: open is neither true nor false: write one of them"},
    {"log_level = loud",
     ":1: log_level is none of its values: choose error|warning|notice|info|debug"},
    {"log_level = \"error|warning\"",
     ":1: log_level is none of its values: choose error|warning|notice|info|debug"},
    {"listen = \"a b\"", ":1: listen: it has a space: take it out"},
    {"listen = \"\"", ":1: listen is too short: give 1 bytes at least"},
    {"listen = 123456789012345678901", ":1: listen is too long: give 20 bytes at most"},
    {"listen = \"a\\x1b\"", ":1: listen has a control character: take it out"},
    {"\n\npatterns = {a,\n b,\n \"c d\"}", ":5: patterns: it has a space: take it out"},
    {"patterns = {a,\n b,\n c,\n d}", ":4: there are too many patterns: give 3 at most"},
    {"patterns = {}", ": there are too few patterns: give 1 at least"},
    {"port = 1\n\nport = 1", ":3: port is set twice: leave one of them"},
    {"patterns = {a}\npatterns = {a}", ":2: patterns is set twice: leave one of them"},
    {"sink a { path = x }\nsink b { path = x\n path = y }",
     ":3: path is set twice: leave one of them"},
    {"sink a { path = x }\nsink a { path = y }",
     ":2: found duplicate title 'a': write NAME = VALUE, lists as {\"A\", \"B\"}"},
    {"sink a { path = x }\nsink b { path = y }\nsink c { path = z }",
     ":3: there are too many sink: give 2 at most"},
    {"sink a {\n}\n", ":2: sink a ends without path: add it"},
    {"sink \"\" { path = x }", ":1: name is too short: give 1 bytes at least"},
    {"sink {\n path = x }", ":1: missing title for section 'sink'"},
    {"sink a {\n path = x\n", ":1: this { has no end: add }"},
    {"port = 1 }\n", ":1: there is no { for this }: take it out"},
    {"/* x\n\n port = 1\n", ":1: the comment does not end: add */"},
    {"\nnote = \"x\nport = 1\n", ":2: the quoted text does not end on its line: add the quote"},
    {"note = \"${HOME}\"", ":1: the environment is not looked at: write the value, or use '…'"},
    {"note = ${HOME}", ":1: the character $ is not expected: put the value in quotes"},
    {"patterns = {a.*}", ":1: the character * is not expected: put the value in quotes"},
    {"patterns += {a}", ":1: the character + is not expected: put the value in quotes"},
    {"port = 7;", ":1: the character ; is not expected: put the value in quotes"},
    {"note = ünï", ":1: the character ? is not expected: put the value in quotes"},
    {"note = http://x", ":1: a comment begins within the value: put the value in quotes"},
    {"note = a#b", ":1: a comment begins within the value: put the value in quotes"},
    {"= 7", ":1: there is no name before =: write NAME = VALUE"},
    {"port == 7", ":1: there is no name before =: write NAME = VALUE"},
    {"port 7", ":1: missing equal sign after option 'port'"},
    {"port = ", ":1: premature end of file"},
    {"port = {1}", ":1: unexpected token '{'"},
    {"sink a { sink b { sink c { sink d { sink e {",
     ":1: there are too many { in each other: close one with }"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        config c;
        tcn_fault fault = {.text = ""};
        char expected[300];
        (void)snprintf(expected, sizeof expected, "dir/a.conf%s", cases[i].error);
        tcn_err err =
            tcn_config_parse("dir/a.conf", tcn_bytes_str(cases[i].text), &table, &c, &fault);
        if (err != TCN_INVALID || strncmp(fault.text, expected, strlen(expected)) != 0) {
            fail_msg("%s\ngave %d: %s\nnot   %s", cases[i].text, err, fault.text, expected);
        }
        assert_int_equal(fault.err, TCN_INVALID);
        assert_null(c.listen); /* nothing stays to be freed */
    }
    config c;
    tcn_fault fault;
    assert_int_equal(tcn_config_parse("n", tcn_bytes_of("a\0b", 3), &table, &c, &fault),
                     TCN_INVALID);
    assert_int_equal(tcn_config_parse("n", tcn_bytes_str("port = x"), &table, &c, NULL),
                     TCN_INVALID);
}

static void test_long_path(void **state)
{
    (void)state;
    config c;
    tcn_fault fault;
    char path[1000];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(tcn_config_parse(path, tcn_bytes_str("port = x"), &table, &c, &fault),
                     TCN_INVALID);
    assert_non_null(strstr(fault.text, "ppp:1: port is not a whole number: write digits"));
}

static void test_required(void **state)
{
    static const tcn_config_option must[] = {
        {.name = "broker", .type = TCN_CONFIG_STRING, .offset = 0, .what = "Where it is."}};
    static const tcn_config_table strict = {must, 1, sizeof(char *)};
    char *broker;
    tcn_fault fault;
    (void)state;
    assert_int_equal(tcn_config_parse("a", tcn_bytes_str("# none\n"), &strict, &broker, &fault),
                     TCN_INVALID);
    assert_string_equal(fault.text, "a: broker is missing: add it");
    assert_int_equal(tcn_config_parse("a", tcn_bytes_str("broker=x"), &strict, &broker, &fault),
                     TCN_OK);
    assert_string_equal(broker, "x");
    tcn_config_fini(&strict, &broker);
}

static void write_config(const char *path, const char *text, unsigned mode)
{
    assert_int_equal(tcn_file_write(path, tcn_bytes_str(text), mode, NULL), TCN_OK);
}

static void test_files(void **state)
{
    const temp_dir *dir = *state;
    config c;
    tcn_fault fault;
    const char *path = TEMP_PATH(dir, "a.conf");
    assert_int_equal(tcn_config_read(path, &table, &c, &fault), TCN_NOT_FOUND);
    assert_non_null(strstr(fault.text, "a.conf"));
    write_config(path, "port = 9\n", 0640);
    assert_int_equal(tcn_config_read(path, &table, &c, &fault), TCN_OK);
    assert_int_equal(c.port, 9);
    tcn_config_fini(&table, &c);
    write_config(path, "port = 9\nx=1", 0640);
    assert_int_equal(tcn_config_read(path, &table, &c, &fault), TCN_INVALID);
    assert_non_null(strstr(fault.text, "a.conf:2: there is no option x"));
    write_config(path, "port = 9\n", 0660);
    assert_int_equal(tcn_config_read(path, &table, &c, &fault), TCN_PERMISSIONS);
    assert_non_null(strstr(fault.text, "chmod go-w"));
}

/* The file that is printed explains each option, and is itself a good config, as it is and with
 * each line of it that is commented out switched on. */
static void test_print_defaults(void **state)
{
    char *text = NULL;
    size_t len;
    config c;
    (void)state;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    tcn_config_print_defaults(out, &table);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "# The address that nodes reach. (text, 1 to 20 bytes long)\n"
                                 "#listen = \"0.0.0.0\"\n"));
    assert_non_null(strstr(text, "#patterns = {\"advisory.>\", \"alert.*\"}\n"));
    assert_non_null(strstr(text, "#sink NAME {\n"));
    assert_non_null(strstr(text, "must be given)\n#    path = \"\"\n"));
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        assert_true(end - line <= 100);
    }
    assert_good(text, &c);
    assert_int_equal(c.port, 7100);
    tcn_config_fini(&table, &c);
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (line[0] == '#' && line[1] != ' ') {
            line[0] = ' ';
        } else if (strncmp(line, "#    ", 5) == 0 && line[5] != ' ') {
            line[0] = ' ';
        }
    }
    assert_good(text, &c);
    assert_string_equal(c.listen, "0.0.0.0");
    assert_int_equal(c.sinks.count, 1);
    assert_int_equal(((const sink *)c.sinks.items)->retry_ms, 10000);
    tcn_config_fini(&table, &c);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_required),       TEMP_DIR_TEST(test_files),
        cmocka_unit_test(test_print_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
