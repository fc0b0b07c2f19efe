// See netns-list.h. The kernel tells no one that a bind mount of a namespace has gone, but every change of
// the mount table wakes who polls it: proc_pid_mounts(5).

#include "netns-list.h"
#include "outside.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

enum { NOBODY = 65534 };

_Noreturn static void die_line(const char *line)
{
    die(EXIT_USAGE, "USAGE", NULL, "a line that means nothing: %s", quoted(line));
}

static void add_netns(NetnsList *list, char *words)
{
    char *pin = strchr(words, ' ');
    if (pin == NULL || pin == words) die_line(words);
    *pin++ = '\0';
    list->items = xreallocarray(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] =
        (Netns){.node = xstrdup(words), .pin = strcmp(pin, "-") == 0 ? NULL : xstrdup(pin)};
}

static void add_wanted(NetnsList *list, const char *ifname, bool must_exist)
{
    if (list->count == 0 || *ifname == '\0') die_line(ifname);
    Netns *last = &list->items[list->count - 1];
    last->wanted = xreallocarray(last->wanted, last->wanted_count + 1, sizeof *last->wanted);
    last->wanted[last->wanted_count++] = (WantedInterface){xstrdup(ifname), must_exist};
}

bool netns_list_take(NetnsList *list, char *line)
{
    if (starts_with(line, "netns ")) {
        add_netns(list, line + strlen("netns "));
    } else if (starts_with(line, "only ")) {
        add_wanted(list, line + strlen("only "), true);
    } else if (starts_with(line, "maybe ")) {
        add_wanted(list, line + strlen("maybe "), false);
    } else if (strcmp(line, "others") == 0 && list->count > 0) {
        list->items[list->count - 1].has_others = true;
    } else {
        return false;
    }
    return true;
}

void netns_list_open(NetnsList *list)
{
    list->own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (list->own < 0) die_errno("open /proc/self/ns/net");
    list->mounts = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
    if (list->mounts < 0) die_errno("open /proc/self/mounts");
}

static bool is_namespace(const Netns *netns)
{
    struct statfs status;
    // What cannot be looked at is not said to be gone.
    if (statfs(netns->pin, &status) < 0) return errno != ENOENT && errno != ENOTDIR;
    return status.f_type == NSFS_MAGIC;
}

bool netns_enter(Netns *netns)
{
    cleanup_fd int fd = netns->pin == NULL ? open_outside("ns/net", O_RDONLY)
                                           : open(netns->pin, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && setns(fd, CLONE_NEWNET) == 0) return true;
    // EINVAL: the plain file that `ip netns del` or umount(8) leaves behind.
    if (netns->pin == NULL || (errno != ENOENT && errno != EINVAL))
        die_errno("enter the network namespace of node %s", quoted(netns->node));
    netns->is_gone = true;
    return false;
}

void netns_list_leave(const NetnsList *list)
{
    if (setns(list->own, CLONE_NEWNET) < 0) die_errno("go back to the own network namespace");
}

size_t netns_list_check(NetnsList *list)
{
    size_t gone = 0;
    for (size_t i = 0; i < list->count; i++) {
        Netns *netns = &list->items[i];
        if (netns->is_gone || netns->pin == NULL || is_namespace(netns)) continue;
        netns->is_gone = true;
        gone++;
    }
    return gone;
}

void allow_descriptors(size_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= count) return;
    // Above the hard limit only with CAP_SYS_RESOURCE, which root of a container may lack.
    const struct rlimit wanted = {.rlim_cur = count,
                                  .rlim_max = limit.rlim_max < count ? count : limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) return;
    cleanup_free char *hint = xasprintf("ulimit -n %zu, or name fewer nodes", count);
    die(EXIT_HOST, "HOST_LIMIT", hint, "this needs %zu open files, and %ju are allowed", count,
        (uintmax_t)limit.rlim_max);
}

void give_up_most_rights(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const uint32_t kept = 1u << CAP_DAC_READ_SEARCH;
    struct __user_cap_data_struct sets[2] = {{.effective = kept, .permitted = kept}};
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
        syscall(SYS_capset, &header, sets) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        die_errno("give up rights");
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
