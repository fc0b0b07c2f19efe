// The steps that `exec` and `shell` have in common, in their order.

#ifndef NSLAB_ENTER_H
#define NSLAB_ENTER_H

#include "options.h"
#include "user.h"

/// Finds the node, enters it, becomes the user, changes directory and sets the environment; exits on any
/// failure. `user` is filled when --user was given; NULL when the caller does not care.
void enter(const Command *command, const Options *options, User *user);

#endif
