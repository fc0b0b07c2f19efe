// Who a command runs as: `-u USER[:GROUP]`. Reads /etc/passwd and /etc/group itself, since a static binary
// has no NSS (and must load no library that a node's files could replace). Numbers are parsed as whole
// strings: credentials(7).

#ifndef NSLAB_USER_H
#define NSLAB_USER_H

#include "common.h"

#include <sys/types.h>

typedef struct {
    uid_t uid;
    gid_t gid;
    char *name;  // the login name, or the number when there is none
    char *home;  // "/" when there is none
    char *shell; // NULL when there is none
    gid_t *groups;
    size_t group_count;
} User;

/// Looks up `NAME|UID[:GROUP|GID]`, or exits with an error that says which half is unknown.
void find_user(const char *text, User *out);
/// The entry of a uid in /etc/passwd; false when there is none.
bool find_uid(uid_t uid, User *out);
/// Becomes that user for good: supplementary groups, gid, uid, and HOME, USER, LOGNAME.
void become_user(const User *user);

#endif
