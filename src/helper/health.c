// See health.h. A probe is run by a child of the monitor that waits for it and for the timeout, so that
// nothing a container does (a frozen cgroup, a full pipe) can stop the monitor.

#include "health.h"
#include "container-spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { ARGV, INTERVAL, TIMEOUT, RETRIES, START_PERIOD, START_INTERVAL };
enum { EXIT_PROBE_FAILED = 125, OVERTIME_MS = 5000 };

// How the probing child says that time was up: a signal, since every exit status can be the command's.
#define TIMED_OUT_SIGNAL SIGALRM

static uint64_t setting(const Health *health, int field)
{
    return health->op->fields[field].number;
}

static bool in_start_period(const Health *health)
{
    return now_ms() - health->started < setting(health, START_PERIOD);
}

static uint64_t due(const Health *health, const ContainerState *state)
{
    bool starting = strcmp(state->health, "starting") == 0 && in_start_period(health);
    uint64_t pause =
        setting(health, starting && setting(health, START_INTERVAL) > 0 ? START_INTERVAL : INTERVAL);
    return now_ms() + (pause == 0 ? 1 : pause);
}

void health_begin(Health *health, const Op *op, ContainerState *state)
{
    *health = (Health){.op = op, .started = now_ms(), .output = -1};
    state->health_log_length = 0;
    state->health = NULL;
    if (op == NULL || op->fields[ARGV].count == 0) return;
    state->health = "starting";
    health->next = due(health, state);
}

// The probe's ops: those of exec with the probe's command.
static Program *read_ops(const char *path, const Op *health, Failure *failure)
{
    cleanup_free char *file = xasprintf("%s/exec", path);
    Program *ops = program_read(file, failure);
    if (ops == NULL) return NULL;
    ops->ops = xreallocarray(ops->ops, ops->count + 1, sizeof *ops->ops);
    for (uint32_t i = 0; i < ops->count; i++) {
        if (ops->ops[i].code == OP_ARGV) ops->ops[i].code = 0;
    }
    ops->ops[ops->count++] = (Op){.code = OP_ARGV, .name = "ARGV", .fields = {health->fields[ARGV]}};
    return ops;
}

_Noreturn static void fail_probe(const Failure *failure)
{
    (void)!write(STDOUT_FILENO, failure->text, strlen(failure->text));
    _exit(EXIT_PROBE_FAILED);
}

_Noreturn static void end_like(int status)
{
    if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
    _exit(128 + WTERMSIG(status));
}

_Noreturn static void run_probe(const Health *health, const char *path, int pidfd)
{
    Failure failure;
    Program *ops = read_ops(path, health->op, &failure);
    if (ops == NULL) fail_probe(&failure);
    SpawnOptions options = {.stdio = {-1, STDOUT_FILENO, STDOUT_FILENO}};
    Spawned probe;
    if (!spawn_in_container(pidfd, ops, &options, &probe, &failure)) fail_probe(&failure);
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, probe.pid, 0), .events = POLLIN};
    uint64_t timeout = setting(health, TIMEOUT);
    int wait = timeout == 0 || timeout > INT32_MAX ? -1 : (int)timeout;
    bool in_time = ended.fd < 0 || TEMP_FAILURE_RETRY(poll(&ended, 1, wait)) != 0;
    if (!in_time) kill(probe.pid, SIGKILL);
    int status = 0;
    (void)TEMP_FAILURE_RETRY(waitpid(probe.pid, &status, 0));
    if (in_time) end_like(status);
    signal(TIMED_OUT_SIGNAL, SIG_DFL);
    raise(TIMED_OUT_SIGNAL);
    _exit(EXIT_PROBE_FAILED);
}

// Only what the probe needs, and its output where fail_probe() writes.
static void close_others(int output, int *pidfd)
{
    int moved = fcntl(*pidfd, F_DUPFD_CLOEXEC, 64);
    if (dup2(output, STDOUT_FILENO) < 0 || dup3(moved, STDERR_FILENO + 1, O_CLOEXEC) < 0)
        _exit(EXIT_PROBE_FAILED);
    close_range(STDERR_FILENO + 2, ~0U, 0);
    *pidfd = STDERR_FILENO + 1;
}

void health_probe(Health *health, const char *path, const ContainerState *state)
{
    int ends[2];
    cleanup_fd int pidfd = open_process(state->pid, state->start);
    health->next = due(health, state);
    if (pidfd < 0 || pipe2(ends, O_CLOEXEC) < 0) return;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close_others(ends[1], &pidfd);
        sigprocmask(SIG_SETMASK, &none, NULL);
        run_probe(health, path, pidfd);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return;
    }
    // Only our end: O_NONBLOCK belongs to the open file, and the probe's end is another one.
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    health->probe = pid;
    health->probe_started = now_ms();
    health->output = ends[0];
    health->log_length = 0;
    health->next = 0;
}

void health_read(Health *health)
{
    char rest[1024];
    for (ssize_t got = 1; health->output >= 0 && got > 0;) {
        size_t room = sizeof health->log - health->log_length;
        got = room > 0 ? read(health->output, health->log + health->log_length, room)
                       : read(health->output, rest, sizeof rest);
        if (got > 0 && room > 0) health->log_length += (size_t)got;
        if (got == 0) {
            close(health->output);
            health->output = -1;
        }
        // A probe that floods is read on in the next turn.
        if (room == 0) return;
    }
}

static void note_result(Health *health, ContainerState *state, bool healthy)
{
    if (healthy) {
        health->failures = 0;
        state->health = "healthy";
    } else if (strcmp(state->health, "starting") != 0 || !in_start_period(health)) {
        if (++health->failures >= setting(health, RETRIES)) state->health = "unhealthy";
    }
}

bool health_ended(Health *health, int wait_status, ContainerState *state)
{
    health_read(health);
    if (health->output >= 0) close(health->output);
    health->output = -1;
    health->probe = 0;
    if (health->op == NULL || state->health == NULL) return false;
    if (WIFSIGNALED(wait_status)) {
        int length = snprintf(health->log, sizeof health->log, "health check exceeded timeout (%llu ms)",
                              (unsigned long long)setting(health, TIMEOUT));
        health->log_length = (size_t)length;
    }
    const char *before = state->health;
    note_result(health, state, WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0);
    bool changed = before != state->health || state->health_log_length != health->log_length ||
                   memcmp(state->health_log, health->log, health->log_length) != 0;
    memcpy(state->health_log, health->log, health->log_length);
    state->health_log_length = health->log_length;
    health->next = due(health, state);
    return changed;
}

void health_end(Health *health)
{
    if (health->probe > 0) kill(health->probe, SIGKILL);
    if (health->output >= 0) close(health->output);
    health->output = -1;
    health->next = 0;
}

uint64_t health_deadline(Health *health)
{
    if (health->probe == 0 || health->op == NULL || setting(health, TIMEOUT) == 0) return 0;
    uint64_t end = health->probe_started + setting(health, TIMEOUT) + OVERTIME_MS;
    if (now_ms() < end) return end;
    kill(health->probe, SIGKILL);
    return now_ms() + OVERTIME_MS;
}
