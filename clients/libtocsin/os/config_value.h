/* SPDX-License-Identifier: Apache-2.0 */
/* config_value.h - one value of a config file: its text judged, put into the field, freed. */
#ifndef TCN_OS_CONFIG_VALUE_H
#define TCN_OS_CONFIG_VALUE_H

#include "config.h"

#define TCN_CONFIG_WHY_SIZE 200

/* Is text good for option (for an item, if it is a list)? If not, *ret_why is "what: remedy". */
bool tcn_config_value_is_good(const tcn_config_option *option, const char *text,
                              char ret_why[static TCN_CONFIG_WHY_SIZE]);
/* Puts good text into the field of config, in place of what it holds; adds it to a list.
 * TCN_NO_MEMORY. */
TCN_CHECKED tcn_err tcn_config_value_set(const tcn_config_option *option, const char *text,
                                         void *config);
/* The same for the preset, which must be good. */
TCN_CHECKED tcn_err tcn_config_value_preset(const tcn_config_option *option, void *config);
/* Empties the field; of sections only the array itself. */
void tcn_config_value_drop(const tcn_config_option *option, void *config);

#endif
