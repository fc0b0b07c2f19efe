// Finding a node by what the user typed, through files that `nslab up` wrote. No JSON, no lock: symlinks and
// flat files.
//   /run/nslab/labs/LAB/prefix        prefix of the lab's netns names, no newline; absent means none
//   /run/nslab/labs/LAB/netns/NETNS   bind mount of a network namespace; NETNS is the prefix and the node's
//   name
//   /run/nslab/labs/LAB/containers/NODE a container; one that is in the network of another has only this

#ifndef NSLAB_NODE_H
#define NSLAB_NODE_H

#include "common.h"

typedef struct {
    char *name;  // the node's name in its file
    char *netns; // its name under /run/netns; NULL for `host`
    char *lab;   // NULL for `host` without --lab
    int labs_fd; // /run/nslab/labs, to reach what belongs to the lab without walking the path again; -1 for
                 // `host`
    int fd;      // the network namespace, or the folder of a container that has none of its own
    bool is_nested; // the caller is inside a node itself: /run/nslab is then that of a template (template.c)
} Node;

typedef struct {
    char **items;
    size_t count;
} Names;

/// The reserved name of the machine's own network namespace.
#define HOST_NODE "host"

/// Finds the node in the lab, or in all labs when lab is NULL; exits with NODE_UNKNOWN, LAB_UNKNOWN or
/// LAB_AMBIGUOUS.
void find_node(const char *verb, const char *lab, const char *typed, Node *out);
/// The labs that there are, for a list: sorted, none where there are none or the caller may not see them.
Names known_labs(void);
/// Nodes of a lab, or of all when lab is NULL: their names, and where several labs are up those of their
/// namespaces too, which say which lab.
Names known_nodes(const char *lab);
/// Those of them that are containers.
Names known_containers(const char *lab);
/// setns(2) into the node's network namespace; exits when its pin is dead.
void join_netns(const Node *node);

#endif
