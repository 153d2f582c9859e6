/* SPDX-License-Identifier: Apache-2.0 */
/* broker_test.h - what each test program of the broker's core begins with: cmocka, and a running
 * rig as *state. */
#ifndef TOCSIN_TEST_BROKER_TEST_H
#define TOCSIN_TEST_BROKER_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/broker_rig.h"

static inline int rig_setup(void **state)
{
    broker_rig *rig = malloc(sizeof(*rig));
    assert_non_null(rig);
    brig_init(rig, 1);
    brig_start(rig);
    *state = rig;
    return 0;
}

static inline int rig_teardown(void **state)
{
    broker_rig *rig = *state;
    brig_fini(rig);
    free(rig);
    return 0;
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

static inline bool same_id(const tcn_id *id, const world_alert *alert)
{
    return tcn_id_equal(id, &alert->id);
}

/* All of a lane that is on its way to a peer, receipted frame by frame as a good node does. */
static inline size_t receive_all(broker_rig *rig, tcn_peer peer, tcn_lane lane, const tcn_id *epoch,
                                 brig_alerts *ret_all)
{
    brig_alerts got;
    *ret_all = (brig_alerts){.count = 0};
    while (brig_take_alerts(rig, peer, lane, &got)) {
        for (size_t i = 0; i < got.count && ret_all->count < 64; i++)
            ret_all->id[ret_all->count++] = got.id[i];
        ret_all->at = got.at;
        brig_receipt(rig, peer, lane, got.at, epoch);
    }
    return ret_all->count;
}

static inline bool has_alert(const brig_alerts *got, const world_alert *alert)
{
    for (size_t i = 0; i < got->count; i++)
        if (same_id(&got->id[i], alert))
            return true;
    return false;
}

#endif
