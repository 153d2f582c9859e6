/* SPDX-License-Identifier: Apache-2.0 */
/* member_home.c - the files of a new home. */
#include "member_home.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libtocsin/file.h"

static tcn_err in_home(const char *home, const char *name, char ret_path[static TCN_HOME_PATH_SIZE],
                       tcn_fault *fault)
{
    if (tcn_path_join(home, name, ret_path, TCN_HOME_PATH_SIZE) == TCN_OK)
        return TCN_OK;
    return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home);
}

tcn_err tcn_member_home_make(const char *path, const char *name, const tcn_sign_public *authority,
                             tcn_member_keys *ret_keys, tcn_fault *fault)
{
    char file[TCN_HOME_PATH_SIZE];
    tcn_member_keys keys = {0};
    if (mkdir(path, 0700) != 0)
        return tcn_fault_set(fault, errno == EEXIST ? TCN_CONFLICT : TCN_IO, "cannot make %s: %s%s",
                             path, strerror(errno), errno == EEXIST ? "; move it away first" : "");
    memcpy(keys.name, name, strlen(name) + 1);
    tcn_secrets_generate(&keys.secrets);
    tcn_err err = in_home(path, TCN_HOME_MEMBER_KEYS, file, fault);
    if (err == TCN_OK)
        err = tcn_member_keys_write(file, &keys, fault);
    if (err == TCN_OK)
        err = in_home(path, TCN_HOME_AUTHORITY_PUB, file, fault);
    if (err == TCN_OK)
        err = tcn_authority_public_write(file, authority, fault);
    if (err == TCN_OK)
        *ret_keys = keys;
    else
        tcn_member_home_remove(path);
    tcn_member_keys_fini(&keys);
    return err;
}

static const char agent_conf[] =
    "# tocsin-agent: everything has a default. tocsin-agent --print-config explains every "
    "setting,\n"
    "# tocsin-agent --home DIR --check says whether this is right.\n"
    "\n"
    "# Topics to ask for; without it everything that the card grants.\n"
    "# subscribe = {\"advisory.>\", \"emergency.>\"}\n";

tcn_err tcn_agent_conf_write(const char *path, tcn_fault *fault)
{
    char file[TCN_HOME_PATH_SIZE];
    struct stat st;
    tcn_err err = in_home(path, TCN_HOME_AGENT_CONF, file, fault);
    if (err != TCN_OK || lstat(file, &st) == 0)
        return err;
    return tcn_file_create(file, tcn_bytes_str(agent_conf), 0644, fault);
}

tcn_err tcn_member_home_complete(const char *path, tcn_bytes bundle, tcn_bytes card,
                                 tcn_fault *fault)
{
    char file[TCN_HOME_PATH_SIZE];
    tcn_err err = in_home(path, TCN_HOME_BUNDLE, file, fault);
    if (err == TCN_OK)
        err = tcn_file_write(file, bundle, 0644, fault);
    if (err == TCN_OK)
        err = in_home(path, TCN_HOME_CARD, file, fault);
    if (err == TCN_OK)
        err = tcn_file_write(file, card, 0600, fault);
    return err == TCN_OK ? tcn_agent_conf_write(path, fault) : err;
}

tcn_err tcn_broker_conf_write(const char *path, const char *listen, unsigned base_port,
                              tcn_fault *fault)
{
    char file[TCN_HOME_PATH_SIZE], text[2048];
    tcn_err err = in_home(path, TCN_HOME_BROKER_CONF, file, fault);
    if (err != TCN_OK)
        return err;
    int len =
        snprintf(text, sizeof(text),
                 "# tocsin-broker: where it listens. Members learn where to reach it from the "
                 "authority's\n"
                 "# program.conf. tocsin-broker --print-config explains every setting,\n"
                 "# tocsin-broker --home DIR --check says whether this is right.\n"
                 "\n"
                 "listen-session = {\"%s:%u\"}\n"
                 "listen-emergency = {\"%s:%u\"}\n",
                 listen, base_port, listen, base_port + 1);
    if (len < 0 || (size_t)len >= sizeof(text))
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the address is too long", listen);
    return tcn_file_create(file, tcn_bytes_of(text, (size_t)len), 0644, fault);
}

void tcn_member_home_remove(const char *path)
{
    static const char *const made[] = {
        TCN_HOME_MEMBER_KEYS, TCN_HOME_AUTHORITY_PUB, TCN_HOME_BUNDLE, TCN_HOME_CARD,
        TCN_HOME_AGENT_CONF,  TCN_HOME_BROKER_CONF,   TCN_HOME_TRUST};
    char file[TCN_HOME_PATH_SIZE];
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        if (tcn_path_join(path, made[i], file, sizeof(file)) == TCN_OK)
            (void)unlink(file);
    (void)rmdir(path);
}
