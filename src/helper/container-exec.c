// See container-exec.h. The caller's process stays outside: it owns the caller's terminal, passes on what is
// typed, signals and the size of the window, and gives no terminal of the host's into the container
// (CVE-2017-5226): where stdin and stdout are one, or -t asks for it, the command gets one from the
// container's devpts, elsewhere each that is one is copied through a pipe.

#include "container-exec.h"
#include "container-spawn.h"
#include "container-state.h"
#include "node.h"
#include "process.h"
#include "raw-terminal.h"
#include "sealed.h"
#include "user.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { CHUNK = 8192 };

// One way: what was read and not yet written is in `bytes`.
typedef struct {
    int from, to; // -1: this way has ended, or is not there
    size_t length, done;
    char bytes[CHUNK];
} Way;

typedef struct {
    Way in, out, err;
    int pidfd, signals;
    bool has_terminal;
} Relay;

typedef struct {
    const Options *options;
    bool shell;
} Wish;

static Op *op_of(Program *ops, uint16_t code, const char *name)
{
    for (uint32_t i = 0; i < ops->count; i++) {
        if (ops->ops[i].code == code) return &ops->ops[i];
    }
    ops->ops = xreallocarray(ops->ops, ops->count + 1, sizeof *ops->ops);
    Op *op = &ops->ops[ops->count++];
    *op = (Op){.code = code, .index = ops->count - 1, .name = name};
    return op;
}

static void set_list(Op *op, char **list, uint32_t count)
{
    op->fields[0].list = list;
    op->fields[0].count = count;
}

// In the place of the old value, where there is one: which of two a program takes is up to it.
static void set_variable(Program *ops, char *word)
{
    Op *op = op_of(ops, OP_ENV, "ENV");
    Field *env = &op->fields[0];
    size_t name = strcspn(word, "=") + 1;
    char **list = xcalloc(env->count + 2, sizeof *list);
    uint32_t count = 0;
    for (uint32_t i = 0; i < env->count; i++) {
        if (strncmp(env->list[i], word, name) != 0) list[count++] = env->list[i];
    }
    list[count++] = word;
    set_list(op, list, count);
}

static bool has_variable(const Program *ops, const char *prefix)
{
    const Op *op = program_find(ops, OP_ENV);
    for (uint32_t i = 0; op != NULL && i < op->fields[0].count; i++) {
        if (starts_with(op->fields[0].list[i], prefix)) return true;
    }
    return false;
}

static void set_user(Program *ops, const User *user)
{
    Op *op = op_of(ops, OP_USER, "USER");
    op->fields[0].number = user->uid;
    op->fields[1].number = user->gid;
    op->fields[2].data = (const uint8_t *)user->groups;
    op->fields[2].count = (uint32_t)user->group_count;
    set_variable(ops, xasprintf("HOME=%s", user->home));
}

static void drop_op(Program *ops, uint16_t code)
{
    for (uint32_t i = 0; i < ops->count; i++) {
        if (ops->ops[i].code == code) ops->ops[i].code = 0;
    }
}

// All that this machine gives, whatever the container has: become() keeps of these what it holds itself.
static void lift_limits(Program *ops)
{
    Op *caps = op_of(ops, OP_CAPS, "CAPS");
    for (int set = 0; set < 3; set++)
        caps->fields[set].number = UINT64_MAX;
    drop_op(ops, OP_SECCOMP);
    drop_op(ops, OP_NO_NEW_PRIVS);
}

// Nobody will see what it says later, so what can be known now is said now.
static void let_go(Program *ops)
{
    Failure failure;
    if (!find_executable(ops, &failure)) {
        dprintf(STDERR_FILENO, "nslab: %s\n", failure.text);
        _exit(failure.status == 0 ? EXIT_CANNOT_EXEC : failure.status);
    }
    if (dup2(STDIN_FILENO, STDERR_FILENO) < 0) _exit(EXIT_CANNOT_EXEC);
}

// What a container's own file says, if it is there to be run.
static char *find_shell(const Program *ops, const User *chosen)
{
    User user = {0};
    const Op *op = program_find(ops, OP_USER);
    if (chosen != NULL) {
        user = *chosen;
    } else {
        (void)find_uid(op == NULL ? 0 : (uid_t)op->fields[0].number, &user);
    }
    return user.shell != NULL && access(user.shell, X_OK) == 0 ? user.shell : xstrdup("/bin/sh");
}

// Inside the container, while it is still root: its passwd and group files are read through no link that
// leads out.
static void adapt_ops(Program *ops, void *argument)
{
    const Wish *wish = argument;
    const Options *options = wish->options;
    User user;
    if (options->user != NULL) {
        find_user(options->user, &user);
        set_user(ops, &user);
    }
    for (size_t i = 0; i < options->env_count; i++)
        set_variable(ops, options->env[i]);
    if (options->privileged) lift_limits(ops);
    if (options->detach) let_go(ops);
    if (!wish->shell) return;
    char **argv = xcalloc(3, sizeof *argv);
    argv[0] = find_shell(ops, options->user == NULL ? NULL : &user);
    argv[1] = xstrdup("-l");
    set_list(op_of(ops, OP_ARGV, "ARGV"), argv, 2);
}

static int open_signals(void)
{
    static const int numbers[] = {SIGINT,  SIGTERM,  SIGQUIT, SIGHUP, SIGUSR1,
                                  SIGUSR2, SIGWINCH, SIGALRM, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void pass_signals(Relay *relay)
{
    struct signalfd_siginfo info;
    while (TEMP_FAILURE_RETRY(read(relay->signals, &info, sizeof info)) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGWINCH) {
            struct winsize size = terminal_size();
            if (relay->has_terminal) ioctl(relay->in.to, TIOCSWINSZ, &size);
        } else {
            // What is typed at our terminal never comes here: it is raw.
            syscall(SYS_pidfd_send_signal, relay->pidfd, (int)info.ssi_signo, NULL, 0);
        }
    }
}

static void close_way(Way *way, bool keep_to)
{
    way->from = -1;
    if (way->to > STDERR_FILENO && !keep_to) close(way->to);
    if (!keep_to) way->to = -1;
    way->length = way->done = 0;
}

// Into a pipe or terminal of the container's, which must not hold us up.
static void write_in(Relay *relay)
{
    Way *way = &relay->in;
    ssize_t written = TEMP_FAILURE_RETRY(write(way->to, way->bytes + way->done, way->length - way->done));
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) return close_way(way, relay->has_terminal);
    way->done += (size_t)written;
    if (way->done == way->length) way->length = way->done = 0;
}

static void read_in(Relay *relay)
{
    Way *way = &relay->in;
    ssize_t got = TEMP_FAILURE_RETRY(read(way->from, way->bytes, sizeof way->bytes));
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return close_way(way, relay->has_terminal);
    way->length = (size_t)got;
    write_in(relay);
}

// False when there is nothing more now.
static bool copy_out(Way *way)
{
    ssize_t got = way->from < 0 ? 0 : TEMP_FAILURE_RETRY(read(way->from, way->bytes, sizeof way->bytes));
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
        way->from = -1;
        return false;
    }
    for (ssize_t done = 0; done < got;) {
        ssize_t written = TEMP_FAILURE_RETRY(write(way->to, way->bytes + done, (size_t)(got - done)));
        if (written < 0) return true;
        done += written;
    }
    return true;
}

// Until the command has ended and all that it wrote is copied; what its children hold open is not waited for.
static void run_relay(Relay *relay)
{
    for (;;) {
        struct pollfd polled[] = {
            {.fd = relay->pidfd, .events = POLLIN},
            {.fd = relay->signals, .events = POLLIN},
            {.fd = relay->out.from, .events = POLLIN},
            {.fd = relay->err.from, .events = POLLIN},
            {.fd = relay->in.length > 0 ? -1 : relay->in.from, .events = POLLIN},
            {.fd = relay->in.length > 0 ? relay->in.to : -1, .events = POLLOUT},
        };
        if (poll(polled, sizeof polled / sizeof *polled, -1) < 0) continue;
        if (polled[1].revents != 0) pass_signals(relay);
        if (polled[2].revents != 0) copy_out(&relay->out);
        if (polled[3].revents != 0) copy_out(&relay->err);
        if (polled[4].revents != 0) read_in(relay);
        if (polled[5].revents != 0) write_in(relay);
        if (polled[0].revents == 0) continue;
        while (copy_out(&relay->out)) {
        }
        while (copy_out(&relay->err)) {
        }
        return;
    }
}

// The end for the container, and ours as one end of the way; the caller's own descriptor when it is no
// terminal.
static int open_way(int fd, Way *way)
{
    int ends[2];
    if (!isatty(fd)) return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
    if (pipe2(ends, O_CLOEXEC) < 0) die_errno("make a pipe");
    bool in = fd == STDIN_FILENO;
    *way = (Way){.from = in ? fd : ends[0], .to = in ? ends[1] : fd};
    fcntl(ends[in ? 1 : 0], F_SETFL, O_NONBLOCK);
    return ends[in ? 0 : 1];
}

_Noreturn static void end_like(pid_t pid)
{
    int status = 0;
    (void)TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
    restore_terminal();
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

// Without flags the command has a terminal when we have one, as everywhere in nslab; given, they decide.
static bool wants_terminal(const Options *options)
{
    if (options->tty || options->interactive) return options->tty;
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static bool wants_input(const Options *options)
{
    return options->interactive || !options->tty;
}

static void spawn(int pidfd, Program *ops, const SpawnOptions *options, Spawned *out)
{
    Failure failure;
    if (!spawn_in_container(pidfd, ops, options, out, &failure))
        die(EXIT_CANNOT_EXEC, "EXEC_FAILED", NULL, "%s", failure.text);
}

// Stays until the command ends, as its parent: a zombie that nobody waits for would keep the container from
// ending (pid_namespaces(7)), and not every machine's process 1 waits for others' children.
_Noreturn static void keep_detached(pid_t pid, int told)
{
    (void)!write(told, "", 1);
    cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    (void)!chdir("/");
    close_range(STDERR_FILENO + 1, ~0U, 0);
    (void)TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
    _exit(0);
}

// It says on stderr why it cannot run, and has only /dev/null from then on.
_Noreturn static void run_detached(int pidfd, Program *ops, Wish *wish)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) die_errno("make a pipe");
    pid_t keeper = fork();
    if (keeper < 0) die_errno("fork");
    if (keeper > 0) {
        char byte;
        close(ends[1]);
        if (TEMP_FAILURE_RETRY(read(ends[0], &byte, 1)) == 1) exit(0);
        end_like(keeper);
    }
    setsid();
    SpawnOptions options = {
        .stdio = {-1, -1, STDERR_FILENO}, .prepare = adapt_ops, .argument = wish, .outlives = true};
    Spawned spawned;
    spawn(pidfd, ops, &options, &spawned);
    if (!spawned.prepared) end_like(spawned.pid);
    keep_detached(spawned.pid, ends[1]);
}

_Noreturn static void run_in(int pidfd, Program *ops, Wish *wish)
{
    static Relay relay;
    const Options *chosen = wish->options;
    relay = (Relay){.in = {-1, -1, 0, 0, ""}, .out = {-1, -1, 0, 0, ""}, .err = {-1, -1, 0, 0, ""}};
    relay.has_terminal = wants_terminal(chosen);
    if (chosen->tty && chosen->interactive && !isatty(STDIN_FILENO) && !chosen->detach)
        die(EXIT_BUG, "EXEC_FAILED", "leave out -t", "standard input is no terminal");
    if (chosen->detach) run_detached(pidfd, ops, wish);
    relay.signals = open_signals();
    struct winsize size = terminal_size();
    SpawnOptions options = {.stdio = {-1, -1, STDERR_FILENO}, .prepare = adapt_ops, .argument = wish};
    if (relay.has_terminal) {
        options.size = &size;
        if (!has_variable(ops, "TERM=")) set_variable(ops, xstrdup("TERM=xterm"));
    } else {
        if (wants_input(chosen)) options.stdio[0] = open_way(STDIN_FILENO, &relay.in);
        options.stdio[1] = open_way(STDOUT_FILENO, &relay.out);
        options.stdio[2] = open_way(STDERR_FILENO, &relay.err);
    }
    Spawned spawned;
    spawn(pidfd, ops, &options, &spawned);
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        // Ours no more: the reader of a pipe must see its end.
        if (!relay.has_terminal && options.stdio[fd] > STDERR_FILENO) close(options.stdio[fd]);
    }
    relay.pidfd = (int)syscall(SYS_pidfd_open, spawned.pid, 0);
    if (relay.pidfd < 0) die_errno("watch process %d", (int)spawned.pid);
    // No master although there was to be one: adapt_ops() has said why, and its status follows.
    if (spawned.master >= 0) {
        fcntl(spawned.master, F_SETFL, O_NONBLOCK);
        relay.in.from = wants_input(chosen) ? STDIN_FILENO : -1;
        relay.in.to = relay.out.from = spawned.master;
        relay.out.to = STDOUT_FILENO;
        if (wants_input(chosen) && isatty(STDIN_FILENO)) (void)make_terminal_raw();
    }
    run_relay(&relay);
    end_like(spawned.pid);
}

static int open_container(const Node *node)
{
    if (node->labs_fd < 0 || node->lab == NULL) return -1;
    cleanup_free char *path = xasprintf("%s/containers/%s", node->lab, node->name);
    return openat(node->labs_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static const char *status_hint(Status status)
{
    if (status == PAUSED) return "nslab unpause lets it go on";
    return status == RESTARTING ? "its restart policy will start it again" : "nslab start starts it";
}

static int open_init(const ContainerState *state, const char *name)
{
    static const char *const words[] = {"created, not started", "running", "paused", "restarting", "exited"};
    if (state->status != RUNNING)
        die(EXIT_LAB, "EXEC_FAILED", status_hint(state->status), "the container %s is not running (%s)",
            quoted(name), words[state->status]);
    int pidfd = open_process(state->pid, state->start);
    if (pidfd < 0) die(EXIT_LAB, "EXEC_FAILED", NULL, "the container %s has ended", quoted(name));
    return pidfd;
}

void exec_in_container(const Command *command, const Options *options, char **words, bool shell)
{
    // enter() says what is missing.
    if (geteuid() != 0) return;
    Node node;
    find_node(command->verb, options->lab, options->node, &node);
    cleanup_fd int dir = open_container(&node);
    ContainerState state;
    if (dir < 0 || !state_read(dir, &state)) {
        close(node.fd);
        if (node.labs_fd >= 0) close(node.labs_fd);
        return;
    }
    // What `-e NAME` found, to be found again; nothing else of the caller's.
    seal_self(words, options->env);
    int pidfd = open_init(&state, node.name);
    cleanup_free char *path = xasprintf("/proc/self/fd/%d/exec", dir);
    Failure failure;
    Program *ops = program_read(path, &failure);
    if (ops == NULL) die(EXIT_LAB, "STATE_BROKEN", "take the lab down and up again", "%s", failure.text);
    if (!shell) set_list(op_of(ops, OP_ARGV, "ARGV"), options->rest, (uint32_t)options->rest_count);
    if (options->workdir != NULL) op_of(ops, OP_CWD, "CWD")->fields[0].text = options->workdir;
    Wish wish = {.options = options, .shell = shell};
    run_in(pidfd, ops, &wish);
}
