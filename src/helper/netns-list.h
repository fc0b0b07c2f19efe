// The namespaces that `_capture` and `_events` look into, as their caller lists them on stdin, and how the
// end of one is seen. A socket keeps its namespace alive, so whoever has one must let go when `nslab down`
// unmounts the pin. Lines:
//   netns NODE PIN     PIN is the path that pins it, or - for the machine's own
//   only IFNAME        of the last netns: this interface, and it must be there
//   maybe IFNAME       of the last netns: this interface, where it is there
//   others             of the last netns: all others but lo, which is what is meant without any of these
//   lines
// Whatever else a line begins with is the verb's own.

#ifndef NSLAB_NETNS_LIST_H
#define NSLAB_NETNS_LIST_H

#include "common.h"

typedef struct {
    char *ifname;
    bool must_exist;
} WantedInterface;

typedef struct {
    char *node;
    char *pin; // NULL for the machine's own
    WantedInterface *wanted;
    size_t wanted_count;
    bool has_others;
    bool is_gone;
} Netns;

typedef struct {
    Netns *items;
    size_t count;
    int own;    // the namespace that this process was in
    int mounts; // readable (POLLPRI) when the mount table has changed
} NetnsList;

/// Takes one line; false when it is none of ours. Exits when it is not well-formed.
bool netns_list_take(NetnsList *list, char *line);
/// Opens what the rest of this file needs. Call it once all lines are taken.
void netns_list_open(NetnsList *list);
/// Enters the namespace; false when its pin is dead, and then it is marked as gone.
bool netns_enter(Netns *netns);
/// Back to where the process was.
void netns_list_leave(const NetnsList *list);
/// Marks those whose pin is no namespace any more, and returns how many are newly so. Call it when `mounts`
/// says POLLPRI.
size_t netns_list_check(NetnsList *list);

/// Raises RLIMIT_NOFILE so far that many descriptors fit; exits with HOST_LIMIT where it cannot.
void allow_descriptors(size_t count);
/// From here on this process may open sockets and files no more than anybody may, but for reading where pins
/// lie: what comes from the wire is read without rights.
void give_up_most_rights(void);

#endif
