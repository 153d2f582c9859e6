/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char home[PATH_MAX];
static tcn_fault fault;

static int make_home(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(home, sizeof(home), "%s/tocsin-test-XXXXXX", base != NULL ? base : "/tmp");
    (void)umask(027); /* so that an exact mode is seen to be exact */
    return mkdtemp(home) == NULL ? -1 : 0;
}

static int remove_home(void **state)
{
    (void)state;
    char command[PATH_MAX + 16];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", home);
    return system(command);
}

/* A path in the home; good until the fourth call after. */
static const char *at(const char *name)
{
    static char paths[4][PATH_MAX + 256];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", home, name);
    return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void assert_content(const char *name, const char *expected)
{
    uint8_t *text;
    size_t len;
    assert_int_equal(tcn_file_read(at(name), 1000, &text, &len, &fault), TCN_OK);
    assert_int_equal(len, strlen(expected));
    assert_string_equal((char *)text, expected);
    free(text);
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(lstat(at(name), &st), 0);
    return st.st_mode & 07777;
}

static unsigned files_in(const char *name)
{
    unsigned count = 0;
    DIR *dir = opendir(at(name));
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    assert_int_equal(closedir(dir), 0);
    return count;
}

/* ---- reading ---- */

static void test_read_up_to_its_limit(void **state)
{
    (void)state;
    uint8_t *text;
    size_t len;
    put("ten", "0123456789", 0644);
    assert_int_equal(tcn_file_read(at("ten"), 10, &text, &len, &fault), TCN_OK);
    assert_int_equal(len, 10);
    assert_int_equal(text[10], 0);
    free(text);
    assert_int_equal(tcn_file_read(at("ten"), 9, &text, &len, &fault), TCN_TOO_LARGE);
    assert_non_null(strstr(fault.text, "ten has 10 bytes; at most 9"));
    put("empty", "", 0644);
    assert_int_equal(tcn_file_read(at("empty"), 0, &text, &len, NULL), TCN_OK);
    assert_int_equal(len, 0);
    assert_non_null(text);
    free(text);
}

static void test_read_what_is_no_file(void **state)
{
    (void)state;
    uint8_t *text = NULL;
    size_t len = 7;
    assert_int_equal(tcn_file_read(at("nothing"), 9, &text, &len, &fault), TCN_NOT_FOUND);
    assert_non_null(strstr(fault.text, "nothing: No such file"));
    put("plain", "x", 0644);
    assert_int_equal(tcn_file_read(at("plain/below"), 9, &text, &len, &fault), TCN_NOT_FOUND);
    assert_int_equal(tcn_file_read(home, 9999, &text, &len, &fault), TCN_INVALID);
    /* A FIFO without a writer must not hang us. */
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_int_equal(tcn_file_read(at("fifo"), 9, &text, &len, &fault), TCN_INVALID);
    assert_int_equal(tcn_file_read("/dev/zero", 9, &text, &len, &fault), TCN_INVALID);
    /* Its size says 0, but there is more: not read as empty. */
    assert_int_equal(tcn_file_read("/proc/self/status", 99999, &text, &len, &fault), TCN_IO);
    assert_null(text);
    assert_int_equal(len, 7);
}

static void test_read_without_permission(void **state)
{
    (void)state;
    uint8_t *text;
    size_t len;
    if (geteuid() == 0)
        skip(); /* root may read everything */
    put("closed", "x", 0);
    assert_int_equal(tcn_file_read(at("closed"), 9, &text, &len, &fault), TCN_PERMISSIONS);
}

static void test_read_a_secret(void **state)
{
    (void)state;
    uint8_t *text;
    size_t len;
    put("secret", "s3cret", 0600);
    assert_int_equal(tcn_file_read_secret(at("secret"), 9, &text, &len, &fault), TCN_OK);
    assert_string_equal((char *)text, "s3cret");
    free(text);
    const mode_t open_modes[] = {0644, 0640, 0604, 0620, 0601, 0660, 0666};
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        char remedy[64];
        assert_int_equal(chmod(at("secret"), open_modes[i]), 0);
        assert_int_equal(tcn_file_read_secret(at("secret"), 9, &text, &len, &fault),
                         TCN_PERMISSIONS);
        (void)snprintf(remedy, sizeof(remedy), "(mode %04o): run chmod 600 ",
                       (unsigned)open_modes[i]);
        assert_non_null(strstr(fault.text, remedy));
        assert_null(strstr(fault.text, "s3cret"));
    }
    assert_int_equal(chmod(at("secret"), 0400), 0);
    assert_int_equal(tcn_file_read_secret(at("secret"), 9, &text, &len, &fault), TCN_OK);
    free(text);
    assert_int_equal(symlink("secret", at("link")), 0);
    assert_int_equal(tcn_file_read_secret(at("link"), 9, &text, &len, &fault), TCN_PERMISSIONS);
    assert_non_null(strstr(fault.text, "symbolic link"));
    assert_int_equal(tcn_file_read(at("link"), 9, &text, &len, &fault), TCN_OK);
    free(text);
}

static void test_a_secret_must_be_ours(void **state)
{
    (void)state;
    uint8_t *text;
    size_t len;
    put("foreign", "s3cret", 0600);
    if (geteuid() != 0 || chown(at("foreign"), 1, (gid_t)-1) != 0) {
        print_message("not root: a file of another user cannot be made here\n");
        skip();
    }
    assert_int_equal(tcn_file_read_secret(at("foreign"), 9, &text, &len, &fault), TCN_PERMISSIONS);
    assert_non_null(strstr(fault.text, "belongs to user 1 and we are 0: run chown 0 "));
}

/* ---- writing ---- */

static void test_write_replaces(void **state)
{
    (void)state;
    assert_int_equal(tcn_dir_make(at("w"), 0700, &fault), TCN_OK);
    assert_int_equal(tcn_file_write(at("w/f"), tcn_bytes_str("one"), 0644, &fault), TCN_OK);
    assert_content("w/f", "one");
    assert_int_equal(mode_of("w/f"), 0644); /* whatever the umask */
    assert_int_equal(tcn_file_write(at("w/f"), tcn_bytes_str("second"), 0600, &fault), TCN_OK);
    assert_content("w/f", "second");
    assert_int_equal(mode_of("w/f"), 0600);
    assert_int_equal(tcn_file_write(at("w/f"), (tcn_bytes){NULL, 0}, 0600, &fault), TCN_OK);
    assert_content("w/f", "");
    assert_int_equal(files_in("w"), 1); /* nothing temporary is left */
}

static void test_write_replaces_a_link_not_its_target(void **state)
{
    (void)state;
    put("target", "untouched", 0644);
    assert_int_equal(symlink("target", at("alias")), 0);
    assert_int_equal(tcn_file_write(at("alias"), tcn_bytes_str("new"), 0644, &fault), TCN_OK);
    assert_content("target", "untouched");
    assert_content("alias", "new");
}

static void test_create_never_overwrites(void **state)
{
    (void)state;
    assert_int_equal(tcn_dir_make(at("c"), 0700, &fault), TCN_OK);
    assert_int_equal(tcn_file_create(at("c/f"), tcn_bytes_str("first"), 0640, &fault), TCN_OK);
    assert_int_equal(mode_of("c/f"), 0640);
    assert_int_equal(tcn_file_create(at("c/f"), tcn_bytes_str("second"), 0600, &fault),
                     TCN_CONFLICT);
    assert_non_null(strstr(fault.text, "c/f exists and is not overwritten"));
    assert_content("c/f", "first");
    /* Nor through a link that leads nowhere. */
    assert_int_equal(symlink("gone", at("c/dangling")), 0);
    assert_int_equal(tcn_file_create(at("c/dangling"), tcn_bytes_str("x"), 0600, &fault),
                     TCN_CONFLICT);
    assert_int_equal(files_in("c"), 2);
}

static void test_write_where_it_cannot(void **state)
{
    (void)state;
    char long_name[300];
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    tcn_bytes x = tcn_bytes_str("x");
    assert_int_equal(tcn_file_write(at("no/where"), x, 0600, &fault), TCN_NOT_FOUND);
    assert_int_equal(tcn_file_create(at("no/where"), x, 0600, &fault), TCN_NOT_FOUND);
    assert_int_equal(tcn_dir_make(at("d"), 0700, &fault), TCN_OK);
    assert_int_equal(tcn_dir_make(at("d/sub"), 0700, &fault), TCN_OK);
    assert_int_not_equal(tcn_file_write(at("d/sub"), x, 0600, &fault), TCN_OK); /* a directory */
    assert_int_equal(tcn_file_create(at("d/sub"), x, 0600, &fault), TCN_CONFLICT);
    memcpy(long_name, "d/", 2);
    assert_int_equal(tcn_file_write(at(long_name), x, 0600, &fault), TCN_TOO_LARGE);
    assert_int_equal(files_in("d"), 1); /* only sub: what failed left nothing */
}

/* A disk that is full in the middle of the write: the old file stays, nothing temporary does. */
static void test_a_failed_write_leaves_the_old(void **state)
{
    (void)state;
    static uint8_t large[8192];
    struct rlimit before, small = {4096, RLIM_INFINITY};
    assert_int_equal(tcn_dir_make(at("full"), 0700, &fault), TCN_OK);
    assert_int_equal(tcn_file_write(at("full/f"), tcn_bytes_str("old"), 0600, &fault), TCN_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    tcn_err err = tcn_file_write(at("full/f"), tcn_bytes_of(large, sizeof(large)), 0600, &fault);
    tcn_err made = tcn_file_create(at("full/g"), tcn_bytes_of(large, sizeof(large)), 0600, &fault);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(err, TCN_IO);
    assert_int_equal(made, TCN_IO);
    assert_content("full/f", "old");
    assert_int_equal(files_in("full"), 1);
}

static void test_write_in_the_working_directory(void **state)
{
    (void)state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(home), 0);
    tcn_err err = tcn_file_write("bare", tcn_bytes_str("here"), 0600, &fault);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(err, TCN_OK);
    assert_content("bare", "here");
}

/* ---- directories and paths ---- */

static void test_dir_make(void **state)
{
    (void)state;
    assert_int_equal(tcn_dir_make(at("x/y//z/"), 0705, &fault), TCN_OK);
    assert_int_equal(mode_of("x/y/z"), 0705);
    assert_int_equal(mode_of("x"), 0750); /* 0777 and the umask */
    assert_int_equal(tcn_dir_make(at("x/y/z"), 0700, &fault), TCN_OK);
    assert_int_equal(mode_of("x/y/z"), 0705); /* what is there stays as it is */
    assert_int_equal(tcn_dir_make("/", 0700, &fault), TCN_OK);
    assert_int_equal(tcn_dir_make("", 0700, &fault), TCN_INVALID);
    put("plain-file", "x", 0644);
    assert_int_equal(tcn_dir_make(at("plain-file"), 0700, &fault), TCN_CONFLICT);
    assert_int_equal(tcn_dir_make(at("plain-file/below"), 0700, &fault), TCN_CONFLICT);
    assert_non_null(strstr(fault.text, "plain-file is there, but is not a directory"));
}

static void test_path_join(void **state)
{
    (void)state;
    char path[8];
    assert_int_equal(tcn_path_join("a", "b", path, sizeof(path)), TCN_OK);
    assert_string_equal(path, "a/b");
    assert_int_equal(tcn_path_join("a//", "b/c", path, sizeof(path)), TCN_OK);
    assert_string_equal(path, "a/b/c");
    assert_int_equal(tcn_path_join("/", "b", path, sizeof(path)), TCN_OK);
    assert_string_equal(path, "/b");
    assert_int_equal(tcn_path_join("", "b", path, sizeof(path)), TCN_OK);
    assert_string_equal(path, "b");
    assert_int_equal(tcn_path_join("abc", "def", path, sizeof(path)), TCN_OK);
    assert_string_equal(path, "abc/def");
    assert_int_equal(tcn_path_join("abc", "defg", path, sizeof(path)), TCN_TOO_LARGE);
    assert_int_equal(tcn_path_join("", "a", path, 1), TCN_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_up_to_its_limit),
        cmocka_unit_test(test_read_what_is_no_file),
        cmocka_unit_test(test_read_without_permission),
        cmocka_unit_test(test_read_a_secret),
        cmocka_unit_test(test_a_secret_must_be_ours),
        cmocka_unit_test(test_write_replaces),
        cmocka_unit_test(test_write_replaces_a_link_not_its_target),
        cmocka_unit_test(test_create_never_overwrites),
        cmocka_unit_test(test_write_where_it_cannot),
        cmocka_unit_test(test_a_failed_write_leaves_the_old),
        cmocka_unit_test(test_write_in_the_working_directory),
        cmocka_unit_test(test_dir_make),
        cmocka_unit_test(test_path_join),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
