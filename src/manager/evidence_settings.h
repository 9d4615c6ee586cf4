/* evidence_settings.h: two configurations as they are printed, compared option by option. */
#ifndef MANAGER_EVIDENCE_SETTINGS_H
#define MANAGER_EVIDENCE_SETTINGS_H

#include <jansson.h>

/*
 * Appends a row {"where", "what", "old", "new"} for each option that differs; null: there is none. Groups of a list are matched by what
 * names them (name, domain, address and port), others by their place; one that came or went is one row. Options that this version does not
 * know are compared as well as all others.
 */
void evidence_settings(json_t *rows, const char *old, const char *now);

#endif
