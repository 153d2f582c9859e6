/* SPDX-License-Identifier: Apache-2.0 */
/* people.h - scripted publishers and approvers: clients of the broker that hand in alerts, upload
 * bodies and approve, and say it again until they are answered, as the command line does. */
#ifndef TOCSIN_SIM_PEOPLE_H
#define TOCSIN_SIM_PEOPLE_H

#include "net.h"
#include "sim.h"

void sim_people_init(sim *s);
sim_person *sim_person_of(sim *s, unsigned member); /* NULL: it has no script */
/* False: it has too much to do already. */
bool sim_person_add(sim *s, sim_person *person, sim_op_kind kind, unsigned alert, uint64_t due);
uint64_t sim_person_due(const sim *s, const sim_person *person);
void sim_person_act(sim *s, sim_person *person);
void sim_person_drop(sim *s, sim_person *person);

#endif
