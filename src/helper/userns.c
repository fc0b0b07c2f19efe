// See userns.h. A process makes the namespace and waits; its parent, who has the rights for it, writes the maps
// through a procfs of its own (security list, 6) and keeps a descriptor of the namespace when the process is gone.

#include "userns.h"
#include "procfs.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

typedef struct {
    pid_t pid;
    int socket;
} Holder;

static _Noreturn void hold(int socket, int then)
{
    int error = unshare(CLONE_NEWUSER) < 0 ? errno : 0;
    char go;
    if (write(socket, &error, sizeof error) != (ssize_t)sizeof error || error != 0) _exit(1);
    if (TEMP_FAILURE_RETRY(read(socket, &go, 1)) != 1) _exit(1);
    // Only now, with the maps written: what the new namespace shows as files belongs to its root
    // (net_ns_get_ownership() in net/core/net_namespace.c).
    error = then != 0 && unshare(then) < 0 ? errno : 0;
    if (write(socket, &error, sizeof error) != (ssize_t)sizeof error) _exit(1);
    for (;;)
        pause();
}

static bool start_holder(int then, Holder *out, Failure *failure)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(failure, errno, "new user namespace");
    *out = (Holder){.pid = fork(), .socket = pair[0]};
    if (out->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        close(pair[0]);
        hold(pair[1], then);
    }
    int error = errno;
    close(pair[1]);
    if (out->pid >= 0) return true;
    close(pair[0]);
    return fail(failure, error, "new user namespace");
}

static void end_holder(const Holder *holder)
{
    kill(holder->pid, SIGKILL);
    TEMP_FAILURE_RETRY(waitpid(holder->pid, NULL, 0));
    close(holder->socket);
}

static bool is_done(const Holder *holder, const char *what, Failure *failure)
{
    int error = 0;
    if (TEMP_FAILURE_RETRY(read(holder->socket, &error, sizeof error)) != (ssize_t)sizeof error)
        error = ECHILD;
    if (error == ENOSPC)
        return fail(failure, error, "%s: user.max_%s_namespaces allows no more", what,
                    strcmp(what, "new user namespace") == 0 ? "user" : "net");
    return error == 0 || fail(failure, error, "%s", what);
}

static bool write_map(int proc, pid_t pid, const char *name, const char *map, Failure *failure)
{
    cleanup_free char *path = xasprintf("%d/%s", (int)pid, name);
    cleanup_fd int file = openat(proc, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    // One write(2) is the whole map, and there is no second: user_namespaces(7).
    if (file >= 0 && write(file, map, strlen(map)) == (ssize_t)strlen(map)) return true;
    return fail(failure, errno, "write %s", name);
}

static int open_of(int proc, pid_t pid, const char *name, Failure *failure)
{
    cleanup_free char *path = xasprintf("%d/ns/%s", (int)pid, name);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail(failure, errno, "open the new %s namespace", name);
    return fd;
}

// `net`: where a descriptor of a network namespace that the new one owns goes; NULL makes none.
static int make(const char *uids, const char *gids, int *net, Failure *failure)
{
    cleanup_fd int proc = mount_proc();
    if (proc < 0) {
        fail(failure, errno, "mount proc");
        return -1;
    }
    Holder holder;
    if (!start_holder(net == NULL ? 0 : CLONE_NEWNET, &holder, failure)) return -1;
    bool good = is_done(&holder, "new user namespace", failure) &&
                write_map(proc, holder.pid, "uid_map", uids, failure) &&
                write_map(proc, holder.pid, "gid_map", gids, failure);
    if (good && write(holder.socket, "", 1) != 1) good = fail(failure, errno, "new user namespace");
    good = good && is_done(&holder, "new network namespace", failure);
    int user = good ? open_of(proc, holder.pid, "user", failure) : -1;
    if (user >= 0 && net != NULL) {
        *net = open_of(proc, holder.pid, "net", failure);
        if (*net < 0) {
            close(user);
            user = -1;
        }
    }
    end_holder(&holder);
    return user;
}

int make_user_namespace(const char *uids, const char *gids, Failure *failure)
{
    return make(uids, gids, NULL, failure);
}

bool become_inner_root(Failure *failure)
{
    if (setgroups(0, NULL) < 0) return fail(failure, errno, "drop the groups in the user namespace");
    if (setresgid(0, 0, 0) < 0) return fail(failure, errno, "become group 0 of the user namespace");
    if (setresuid(0, 0, 0) < 0) return fail(failure, errno, "become user 0 of the user namespace");
    // A change of credentials sets it to fs.suid_dumpable, and we have the uid of everybody inside now, who could
    // trace us: ptrace(2).
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return fail(failure, errno, "make this process undumpable");
    return true;
}

bool enter_user_namespace(int fd, Failure *failure)
{
    if (setns(fd, CLONE_NEWUSER) < 0) return fail(failure, errno, "enter the user namespace");
    return become_inner_root(failure);
}

bool map_id(const char *map, uint32_t inside, uint32_t *outside)
{
    while (*map != '\0') {
        unsigned first, host, count;
        if (sscanf(map, "%u %u %u", &first, &host, &count) == 3 && inside >= first &&
            inside - first < count) {
            *outside = host + (inside - first);
            return true;
        }
        map += strcspn(map, "\n");
        map += strspn(map, "\n");
    }
    return false;
}

uid_t outer_user(const Program *program)
{
    const Op *user = program_find(program, OP_USER), *map = program_find(program, OP_ID_MAP);
    uint32_t uid = user == NULL ? 0 : (uint32_t)user->fields[0].number;
    if (map == NULL) return uid;
    uint32_t outside;
    return map_id(map->fields[0].text, uid, &outside) ? outside : (uid_t)-1;
}

static void pin(int fd, const char *path)
{
    cleanup_free char *source = xasprintf("/proc/self/fd/%d", fd);
    if (mount(source, path, NULL, MS_BIND, NULL) < 0) die_errno("pin a namespace at %s", path);
}

// `nslab-helper _userns USERPIN NETPIN UIDMAP GIDMAP`: makes a user namespace and a network namespace that it
// owns, and pins both at these files.
int verb_userns(int argc, char **argv)
{
    if (argc != 5) die(EXIT_USAGE, "USAGE", NULL, "usage: nslab-helper _userns USERPIN NETPIN UIDMAP GIDMAP");
    signal(SIGCHLD, SIG_DFL);
    Failure failure;
    int net = -1;
    int user = make(argv[3], argv[4], &net, &failure);
    if (user < 0) die(EXIT_HOST, "HOST_REFUSED", NULL, "%s", failure.text);
    pin(user, argv[1]);
    pin(net, argv[2]);
    return 0;
}
