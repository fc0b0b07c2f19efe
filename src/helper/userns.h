// User namespaces: made with a map by root from outside, so that any ids can be mapped and setgroups(2) stays
// allowed; entered as the root of the inside. user_namespaces(7). The verb `_userns` (see userns.c) makes one
// together with the network namespace that it owns.

#ifndef NSLAB_USERNS_H
#define NSLAB_USERNS_H

#include "program.h"

#include <sys/types.h>

/// A new user namespace with these maps (lines `INSIDE OUTSIDE COUNT`); -1 and the failure otherwise. The
/// caller stays where it is.
int make_user_namespace(const char *uids, const char *gids, Failure *failure);

/// Enters it and becomes root there, without further groups. There is no way back.
bool enter_user_namespace(int fd, Failure *failure);
/// The second half of that, for who has come in with setns(2) already.
bool become_inner_root(Failure *failure);

/// What an id of the inside is outside; false for one that the map does not have.
bool map_id(const char *map, uint32_t inside, uint32_t *outside);

/// The uid outside of the program's user, whether it has a user namespace or not; -1 where it has none.
uid_t outer_user(const Program *program);

#endif
