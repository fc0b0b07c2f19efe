// See namespaces.h.

#include "namespaces.h"
#include "userns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

static const uint64_t KNOWN = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET |
                              CLONE_NEWCGROUP | CLONE_NEWTIME | CLONE_NEWUSER;

static bool check_wishes(const Program *program, Namespaces *out, Failure *failure)
{
    const Op *made = program_find(program, OP_NAMESPACES);
    if (made == NULL) return fail(failure, 0, "the program makes no namespaces");
    out->made = made->fields[0].number;
    if ((out->made & ~KNOWN) != 0)
        return fail_op(failure, made, 0, "unknown flags %#llx", (unsigned long long)out->made);
    // What follows mounts and pivots: in the caller's own mount namespace that would be the host.
    if ((out->made & CLONE_NEWNS) == 0)
        return fail_op(failure, made, 0, "a container needs a mount namespace of its own");
    const Op *name = program_find(program, OP_HOSTNAME);
    if (name != NULL && (out->made & CLONE_NEWUTS) == 0)
        return fail_op(failure, name, EPERM, "there is no uts namespace of the container's own");
    const Op *offsets = program_find(program, OP_TIME_OFFSETS);
    if (offsets != NULL && (out->made & CLONE_NEWTIME) == 0)
        return fail_op(failure, offsets, EPERM, "there is no time namespace of the container's own");
    return true;
}

static bool check_map(const Program *program, const Namespaces *namespaces, Failure *failure)
{
    const Op *map = program_find(program, OP_ID_MAP);
    bool user = ((namespaces->made | namespaces->joined) & CLONE_NEWUSER) != 0;
    if (map == NULL && !user) return true;
    if (map == NULL) return fail(failure, 0, "a user namespace without an ID_MAP");
    if (!user) return fail_op(failure, map, 0, "there is no user namespace");
    // Its processes are numbered differently than those of the parent, who waits for init.
    if ((namespaces->joined & CLONE_NEWPID) != 0)
        return fail_op(failure, map, ENOTSUP, "a user namespace together with a joined pid namespace");
    return true;
}

static bool make_user(const Program *program, Namespaces *out, Failure *failure)
{
    if ((out->made & CLONE_NEWUSER) == 0) return true;
    const Op *map = program_find(program, OP_ID_MAP);
    Failure why;
    out->user = make_user_namespace(map->fields[0].text, map->fields[1].text, &why);
    return out->user >= 0 || fail_op(failure, map, 0, "%s", why.text);
}

static int open_namespace(const Op *op, Failure *failure)
{
    const char *path = op->fields[1].text;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        fail_op(failure, op, errno, "%s", path);
        return -1;
    }
    int type = ioctl(fd, NS_GET_NSTYPE);
    if (type >= 0 && (uint64_t)type == op->fields[0].number) return fd;
    fail_op(failure, op, 0, "%s is not a namespace of that type", path);
    close(fd);
    return -1;
}

static bool open_joined(const Program *program, Namespaces *out, Failure *failure)
{
    size_t count = 0;
    for (const Op *op = NULL; (op = program_next(program, OP_JOIN, op)) != NULL;) {
        uint64_t type = op->fields[0].number;
        bool right =
            (type & (KNOWN & ~(uint64_t)CLONE_NEWNS)) == type && type != 0 && (type & (type - 1)) == 0;
        if (!right) return fail_op(failure, op, ENOTSUP, "type %#llx", (unsigned long long)type);
        if (((out->made | out->joined) & type) != 0)
            return fail_op(failure, op, 0, "is new or joined already");
        int fd = open_namespace(op, failure);
        if (fd < 0) return false;
        out->joined |= type;
        if (type == CLONE_NEWUSER) out->user = fd;
        out->fds[count++] = fd;
        out->fds[count] = -1;
    }
    return true;
}

bool open_namespaces(const Program *program, Namespaces *out, Failure *failure)
{
    *out = (Namespaces){.user = -1, .own_pid = -1, .own_time = -1, .outer_pid = -1};
    out->fds = xcalloc(program->count + 1, sizeof *out->fds);
    out->fds[0] = -1;
    if (check_wishes(program, out, failure) && open_joined(program, out, failure) &&
        check_map(program, out, failure) && make_user(program, out, failure))
        return true;
    close_namespaces(out);
    return false;
}

void close_namespaces(Namespaces *namespaces)
{
    for (int *fd = namespaces->fds; fd != NULL && *fd >= 0; fd++)
        close(*fd);
    free(namespaces->fds);
    if ((namespaces->made & CLONE_NEWUSER) != 0 && namespaces->user >= 0) close(namespaces->user);
    if (namespaces->own_pid >= 0) close(namespaces->own_pid);
    if (namespaces->own_time >= 0) close(namespaces->own_time);
    *namespaces = (Namespaces){.user = -1, .own_pid = -1, .own_time = -1, .outer_pid = -1};
}

static bool join_for_children(const Program *program, Namespaces *namespaces, Failure *failure)
{
    bool joins = (namespaces->joined & CLONE_NEWPID) != 0;
    if (!joins && namespaces->outer_pid < 0) return true;
    namespaces->own_pid = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (namespaces->own_pid < 0) return fail(failure, errno, "/proc/self/ns/pid");
    if (!joins && setns(namespaces->outer_pid, CLONE_NEWPID) < 0)
        return fail(failure, errno, "enter the pid namespace of the leash");
    const int *fd = namespaces->fds;
    for (const Op *op = NULL; (op = program_next(program, OP_JOIN, op)) != NULL; fd++) {
        if (op->fields[0].number == CLONE_NEWPID && setns(*fd, CLONE_NEWPID) < 0)
            return fail_op(failure, op, errno, "%s", op->fields[1].text);
    }
    return true;
}

// The offsets cannot be changed any more once a process is inside: time_namespaces(7).
static bool make_time_for_children(const Program *program, Namespaces *namespaces, Failure *failure)
{
    if ((namespaces->made & CLONE_NEWTIME) == 0) return true;
    namespaces->own_time = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
    if (namespaces->own_time < 0 || unshare(CLONE_NEWTIME) < 0)
        return fail(failure, errno, "new time namespace");
    const Op *op = program_find(program, OP_TIME_OFFSETS);
    if (op == NULL) return true;
    const char *text = op->fields[0].text;
    cleanup_fd int file = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, text, strlen(text)) < 0) return fail_op(failure, op, errno, "timens_offsets");
    return true;
}

bool enter_for_children(const Program *program, Namespaces *namespaces, Failure *failure)
{
    return join_for_children(program, namespaces, failure) &&
           make_time_for_children(program, namespaces, failure);
}

bool leave_for_children(Namespaces *namespaces, Failure *failure)
{
    if (namespaces->own_pid >= 0 && setns(namespaces->own_pid, CLONE_NEWPID) < 0)
        return fail(failure, errno, "return to the pid namespace");
    if (namespaces->own_time >= 0 && setns(namespaces->own_time, CLONE_NEWTIME) < 0)
        return fail(failure, errno, "return to the time namespace");
    return true;
}

uint64_t clone_flags(const Namespaces *namespaces)
{
    return namespaces->made & ~(uint64_t)(CLONE_NEWCGROUP | CLONE_NEWTIME | CLONE_NEWUSER);
}

bool join_namespaces(const Program *program, const Namespaces *namespaces, Failure *failure)
{
    const int *fd = namespaces->fds;
    for (const Op *op = NULL; (op = program_next(program, OP_JOIN, op)) != NULL; fd++) {
        uint64_t type = op->fields[0].number;
        if (type == CLONE_NEWPID || type == CLONE_NEWUSER) continue;
        if (setns(*fd, (int)type) < 0) return fail_op(failure, op, errno, "%s", op->fields[1].text);
    }
    return true;
}

bool make_cgroup_namespace(const Namespaces *namespaces, Failure *failure)
{
    if ((namespaces->made & CLONE_NEWCGROUP) != 0 && unshare(CLONE_NEWCGROUP) < 0)
        return fail(failure, errno, "new cgroup namespace");
    return true;
}
