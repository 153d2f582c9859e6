/* SPDX-License-Identifier: Apache-2.0 */
/* broker.conf and agent.conf: what they set, what they refuse, and that the examples are theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/config.h"
#include "broker/config.h"
#include "libtocsin/file.h"
#include "libtocsin/home.h"
#include "libtocsin/limits.h"
#include "tests/support/temp_dir.h"

#define DAY_MS UINT64_C(86400000)

static void write_conf(const temp_dir *home, const char *name, const char *text)
{
    tcn_fault fault;
    assert_int_equal(tcn_file_write(TEMP_PATH(home, name), tcn_bytes_str(text), 0600, &fault),
                     TCN_OK);
}

static void test_a_broker_conf_with_nothing_in_it(void **state)
{
    const temp_dir *home = *state;
    tcn_broker_settings settings;
    tcn_fault fault;
    write_conf(home, TCN_HOME_BROKER_CONF, "");
    assert_int_equal(tcn_broker_settings_read(home->path, &settings, &fault), TCN_OK);
    assert_int_equal(settings.listen_session.count, 1);
    assert_string_equal(settings.listen_session.items[0], "*:7430");
    assert_string_equal(settings.listen_emergency.items[0], "*:7431");
    tcn_broker_settings_fini(&settings);
}

static void test_a_broker_conf_reaches_the_core(void **state)
{
    const temp_dir *home = *state;
    tcn_broker_settings settings;
    tcn_broker_config config;
    tcn_fault fault;
    write_conf(home, TCN_HOME_BROKER_CONF,
               "listen-session = {\"192.0.2.1:7000\", \"[2001:db8::1]:7000\"}\n"
               "listen-emergency = {\"192.0.2.1:7001\"}\n"
               "store-size = 1G\nreserve = 16M\nbody-reserve = 1M\nwindow = 128K\nkeep = 30d\n"
               "io-threads = 4\nlog-level = debug\n");
    assert_int_equal(tcn_broker_settings_read(home->path, &settings, &fault), TCN_OK);
    tcn_broker_settings_core(&settings, &config);
    assert_int_equal(settings.listen_session.count, 2);
    assert_string_equal(settings.listen_session.items[1], "[2001:db8::1]:7000");
    assert_int_equal(settings.store_bytes, 1u << 30);
    assert_int_equal(settings.io_threads, 4);
    assert_int_equal(settings.log_level, TCN_LOG_DEBUG);
    assert_int_equal(config.reserve_bytes, 16u << 20);
    assert_int_equal(config.body_reserve_bytes, 1u << 20);
    assert_int_equal(config.window_bytes, 128u << 10);
    assert_int_equal(config.keep_ms, 30 * DAY_MS);
    tcn_broker_settings_fini(&settings);
}

static void test_a_broker_conf_is_refused_with_its_line(void **state)
{
    const temp_dir *home = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"\nlisten-sesion = {\"*:1\"}\n", "broker.conf:2"},
        {"listen-session = {\"nowhere\"}\n", "broker.conf:1"},
        {"listen-session = {}\n", "broker.conf"},
        {"listen-session = {\"::1:7000\"}\n", "broker.conf:1"},
        {"\n\nwindow = 1K\n", "broker.conf:3"},
        {"log-level = loud\n", "broker.conf:1"},
        {"store-size = 64M\nreserve = 64M\n", "reserve"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tcn_broker_settings settings;
        tcn_fault fault;
        write_conf(home, TCN_HOME_BROKER_CONF, cases[i].text);
        assert_int_equal(tcn_broker_settings_read(home->path, &settings, &fault), TCN_INVALID);
        if (strstr(fault.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].text, fault.text);
    }
}

static void test_a_broker_without_a_conf_is_told(void **state)
{
    const temp_dir *home = *state;
    tcn_broker_settings settings;
    tcn_fault fault;
    assert_int_equal(tcn_broker_settings_read(home->path, &settings, &fault), TCN_NOT_FOUND);
    assert_non_null(strstr(fault.text, TCN_HOME_BROKER_CONF));
}

static void test_an_agent_needs_no_conf(void **state)
{
    const temp_dir *home = *state;
    tcn_agent_settings settings;
    tcn_agent_config config = {.version = "test"};
    char(*rows)[TCN_MAX_TOPIC_CHARS + 1] = NULL;
    tcn_fault fault;
    assert_int_equal(tcn_agent_settings_read(home->path, &settings, &fault), TCN_OK);
    assert_int_equal(tcn_agent_settings_core(&settings, &config, &rows), TCN_OK);
    assert_int_equal(config.subscriptions, 0);
    assert_string_equal(settings.socks_proxy, "");
    assert_null(tcn_agent_settings_route(&settings, "broker"));
    free(rows);
    tcn_agent_settings_fini(&settings);
}

static void test_an_agent_conf_reaches_the_core(void **state)
{
    const temp_dir *home = *state;
    tcn_agent_settings settings;
    tcn_agent_config config = {.version = "test"};
    char(*rows)[TCN_MAX_TOPIC_CHARS + 1] = NULL;
    tcn_fault fault;
    write_conf(home, TCN_HOME_AGENT_CONF,
               "subscribe = {\"advisory.>\", \"emergency.*.water\"}\n"
               "socks-proxy = \"proxy.example:1080\"\n"
               "keep = 7d\nfetch-reserve = 2M\n"
               "route broker-2 {\n"
               "  session = {\"10.0.0.1:7000\", \"10.0.0.2:7000\"}\n"
               "}\n");
    assert_int_equal(tcn_agent_settings_read(home->path, &settings, &fault), TCN_OK);
    assert_int_equal(tcn_agent_settings_core(&settings, &config, &rows), TCN_OK);
    assert_int_equal(config.subscriptions, 2);
    assert_string_equal(config.subscribe[1], "emergency.*.water");
    assert_int_equal(config.keep_ms, 7 * DAY_MS);
    assert_int_equal(config.fetch_reserve_bytes, 2u << 20);
    const tcn_agent_route *route = tcn_agent_settings_route(&settings, "broker-2");
    assert_non_null(route);
    assert_int_equal(route->session.count, 2);
    assert_string_equal(route->session.items[1], "10.0.0.2:7000");
    assert_int_equal(route->emergency.count, 0);
    assert_null(tcn_agent_settings_route(&settings, "broker-1"));
    free(rows);
    tcn_agent_settings_fini(&settings);
}

static void test_an_agent_conf_is_refused_with_its_line(void **state)
{
    const temp_dir *home = *state;
    static const char *const cases[] = {
        "subscribe = {\"Advisory.>\"}\n",      "subscribe = {\"a..b\"}\n",
        "socks-proxy = \"nowhere\"\n",         "route Broker {\n}\n",
        "route b {\n  session = {\"x\"}\n}\n", "keep = forever\n",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tcn_agent_settings settings;
        tcn_fault fault;
        write_conf(home, TCN_HOME_AGENT_CONF, cases[i]);
        assert_int_equal(tcn_agent_settings_read(home->path, &settings, &fault), TCN_INVALID);
        if (strstr(fault.text, "agent.conf:") == NULL)
            fail_msg("%s: %s", cases[i], fault.text);
    }
}

/* ---- the examples that are installed ---- */

static void compare(const char *example, const tcn_config_table *table)
{
    char path[1024];
    uint8_t *there;
    size_t there_len, made_len;
    char *made;
    tcn_fault fault;
    snprintf(path, sizeof(path), "%s/../../deploy/examples/%s", TOCSIN_TEST_DATA, example);
    FILE *out = open_memstream(&made, &made_len);
    assert_non_null(out);
    tcn_config_print_defaults(out, table);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(tcn_file_read(path, TCN_CONFIG_MAX_BYTES, &there, &there_len, &fault), TCN_OK);
    if (!tcn_bytes_equal(tcn_bytes_of(there, there_len), tcn_bytes_of(made, made_len)))
        fail_msg("deploy/examples/%s is not what --print-config prints", example);
    free(there);
    free(made);
}

static void test_the_examples_are_what_the_programs_print(void **state)
{
    (void)state;
    compare("broker.conf", &tcn_broker_config_table);
    compare("agent.conf", &tcn_agent_config_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_a_broker_conf_with_nothing_in_it),
        TEMP_DIR_TEST(test_a_broker_conf_reaches_the_core),
        TEMP_DIR_TEST(test_a_broker_conf_is_refused_with_its_line),
        TEMP_DIR_TEST(test_a_broker_without_a_conf_is_told),
        TEMP_DIR_TEST(test_an_agent_needs_no_conf),
        TEMP_DIR_TEST(test_an_agent_conf_reaches_the_core),
        TEMP_DIR_TEST(test_an_agent_conf_is_refused_with_its_line),
        cmocka_unit_test(test_the_examples_are_what_the_programs_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
