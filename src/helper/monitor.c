// The monitor: one small process per container, from `_start` until `end`. It makes init and reaps it, takes
// its output into the log and to attached clients, restarts it, probes its health, answers requests
// (control.h) and writes RUN/state at every change, always after the log. It waits in one place, poll(2) in
// watch(), and never for the container: what takes time (a grace period, a freezer, a slow client, a probe)
// is a deadline or a process. Rules of restarting are Docker's. Its death is the container's (leash.h), and
// what --rm asks for is done by a process that it starts at the end (run_remover).

#include "monitor.h"
#include "cgroup-kill.h"
#include "clients.h"
#include "create.h"
#include "freezer.h"
#include "health.h"
#include "log.h"
#include "memory.h"
#include "publish.h"
#include "signals.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    FIRST_DELAY_MS = 100,
    LONGEST_DELAY_MS = 60000,
    GOOD_RUN_MS = 10000, // after so long a run the delay begins anew
    FREEZE_TRY_MS = 5,
    FREEZE_MS = 10000,
    PARTIAL_MS = 100, // how long a piece of a line waits for its end before it is logged
    DEFAULT_GRACE_MS = 10000,
    HANGUP_MS = 200,             // how often a terminal that nobody has open is looked at
    TERMINAL_BYTES = 128 * 1024, // more than the kernel keeps for one: drivers/tty/tty_buffer.c
    REMOVE_MS = 5000,            // how long whoever is attached and wants to remove the container has for it
    CANNOT_START = 128,
};

typedef struct {
    const char *path;
    int dir, listener, signals;
    Program *program;
    ContainerState state;
    Leash leash;
    Init init;
    bool alive; // init has not been reaped
    Log log;
    LogStream streams[2];
    int outputs[2]; // -1: none, or its end was read. A terminal is the first.
    int input;      // of a stdin pipe, -1: none
    Clients clients;
    Health health;
    Publish publish;
    // deadlines, of now_ms(); 0: none
    uint64_t kill_at, restart_at, freeze_next, freeze_until, hangup_until, remove_at;
    uint64_t started; // now_ms() of the last start
    uint64_t delay;   // the last one before a restart
    uint64_t oom_before;
    pid_t remover; // runs, or 0
    bool stopped;  // by hand: no restart
    bool kept;     // `keep`: no removal at its next end
    bool ending;   // `end`: no more start
} Monitor;

static const uint64_t no_deadline = UINT64_MAX;

static void write_state(Monitor *monitor)
{
    // The folder may be gone (`down` with the monitor still there): nobody is left to read it.
    (void)state_write(monitor->dir, &monitor->state);
}

static void set_error(Monitor *monitor, const char *text)
{
    snprintf(monitor->state.error, sizeof monitor->state.error, "%s", text);
}

static uint64_t setting(const Monitor *monitor, uint16_t code, int field)
{
    const Op *op = program_find(monitor->program, code);
    return op == NULL ? 0 : op->fields[field].number;
}

// `oom_kill N` of memory.oom_control (v1) or memory.events (v2).
static uint64_t oom_kills(const Monitor *monitor)
{
    const Op *op = program_find(monitor->program, OP_OOM);
    cleanup_fd int fd = op == NULL ? -1 : open(op->fields[0].text, O_RDONLY | O_CLOEXEC);
    char text[512];
    ssize_t length = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, text, sizeof text - 1));
    if (length <= 0) return 0;
    text[length] = '\0';
    const char *at = strstr(text, "oom_kill ");
    return at == NULL ? 0 : strtoull(at + strlen("oom_kill "), NULL, 10);
}

static void close_output(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void close_stdio(Stdio *stdio)
{
    close_output(&stdio->in);
    close_output(&stdio->out);
    close_output(&stdio->err);
}

static bool open_pipe(int *inside, int *outside, bool to_container)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return false;
    *inside = ends[to_container ? 0 : 1];
    *outside = ends[to_container ? 1 : 0];
    return fcntl(*outside, F_SETFL, O_NONBLOCK) == 0;
}

static bool open_stdio(Monitor *monitor, Stdio *stdio)
{
    *stdio = (Stdio){-1, -1, -1};
    if (program_find(monitor->program, OP_TERMINAL) != NULL) return true;
    if (!open_pipe(&stdio->out, &monitor->outputs[0], false)) return false;
    if (!open_pipe(&stdio->err, &monitor->outputs[1], false)) return false;
    return program_find(monitor->program, OP_STDIN) == NULL || open_pipe(&stdio->in, &monitor->input, true);
}

static void close_ends(Monitor *monitor)
{
    close_output(&monitor->outputs[0]);
    close_output(&monitor->outputs[1]);
    close_output(&monitor->input);
}

// Read anew each time: after `_start` the file is the program, whoever wrote it.
static bool load_program(Monitor *monitor, Failure *failure)
{
    cleanup_free char *path = xasprintf("%s/program", monitor->path);
    Program *program = program_read(path, failure);
    if (program == NULL) return false;
    log_close(&monitor->log);
    health_end(&monitor->health);
    program_free(monitor->program);
    monitor->program = program;
    const Op *log = program_find(program, OP_LOG);
    monitor->log = (Log){.fd = -1};
    if (log != NULL) {
        monitor->log.path = log->fields[0].text;
        monitor->log.max_bytes = log->fields[1].number;
        monitor->log.files = (uint32_t)log->fields[2].number;
    }
    return log_open(&monitor->log) || fail_op(failure, log, errno, "%s", monitor->log.path);
}

// Makes init, up to its gate.
static bool make_container(Monitor *monitor, Failure *failure)
{
    Stdio stdio;
    if (!load_program(monitor, failure)) return false;
    if (!publish_begin(&monitor->publish, monitor->program, failure)) return false;
    bool made = open_stdio(monitor, &stdio);
    if (!made) fail(failure, errno, "make pipes for the output");
    monitor->oom_before = oom_kills(monitor);
    if (made && makes_pid_namespace(monitor->program)) made = leash_hold(&monitor->leash, failure);
    if (made) made = create_init(monitor->program, &stdio, &monitor->leash, &monitor->init, failure);
    close_stdio(&stdio);
    if (!made) {
        publish_end(&monitor->publish, monitor->program);
        close_ends(monitor);
        return false;
    }
    if (monitor->init.master >= 0) {
        fcntl(monitor->init.master, F_SETFL, O_NONBLOCK);
        monitor->hangup_until = 0;
        monitor->outputs[0] = monitor->init.master;
        // Its own descriptor, so that what is typed and what is read end apart.
        monitor->input = fcntl(monitor->init.master, F_DUPFD_CLOEXEC, 0);
    }
    ContainerState *state = &monitor->state;
    monitor->alive = true;
    state->status = CREATED;
    state->pid = monitor->init.pid;
    state->start = process_start(state->pid);
    state->exit = -1;
    state->signal = 0;
    state->oom = false;
    set_error(monitor, monitor->init.warning);
    return true;
}

static void let_run(Monitor *monitor)
{
    ContainerState *state = &monitor->state;
    monitor->started = now_ms();
    write_time(state->started);
    *state->finished = '\0';
    state->status = RUNNING;
    health_begin(&monitor->health, program_find(monitor->program, OP_HEALTH), state);
    // Before it runs: no moment of the container may be older than its state. Should init have died at its
    // gate, SIGCHLD tells.
    write_state(monitor);
    (void)TEMP_FAILURE_RETRY(write(monitor->init.gate, "", 1));
    close_output(&monitor->init.gate);
    clients_answer(&monitor->clients, WAITS_START, "ok");
}

static void send_signal(const Monitor *monitor, int number)
{
    if (monitor->alive) syscall(SYS_pidfd_send_signal, monitor->init.pidfd, number, NULL, 0);
}

static void thaw(Monitor *monitor)
{
    const Op *freezer = program_find(monitor->program, OP_FREEZER);
    bool freezing = monitor->freeze_until != 0;
    monitor->freeze_until = monitor->freeze_next = 0;
    if (freezing) clients_answer(&monitor->clients, WAITS_PAUSE, "error the container is being stopped");
    if (freezer != NULL && (freezing || monitor->state.status == PAUSED)) freezer_thaw(freezer);
    if (monitor->state.status == PAUSED) {
        monitor->state.status = RUNNING;
        if (monitor->alive) write_state(monitor);
    }
}

// A pid namespace goes with its init (pid_namespaces(7)). In one that others share, what init has started
// would live on.
static void kill_rest(const Monitor *monitor)
{
    if (!makes_pid_namespace(monitor->program)) kill_cgroups(monitor->program);
}

// A frozen process of cgroup v1 dies only once thawed.
static void kill_all(Monitor *monitor)
{
    monitor->kill_at = 0;
    send_signal(monitor, SIGKILL);
    kill_rest(monitor);
    thaw(monitor);
}

static void take_output(Monitor *monitor, int number, const char *bytes, size_t length)
{
    log_take(&monitor->log, &monitor->streams[number], bytes, length);
    clients_send(&monitor->clients, number == 0 ? STREAM_OUT : STREAM_ERR, bytes, length);
}

// One piece; its length, 0 when there is none now.
static size_t read_output(Monitor *monitor, int number)
{
    char bytes[STREAM_MAX];
    ssize_t length = TEMP_FAILURE_RETRY(read(monitor->outputs[number], bytes, sizeof bytes));
    if (length > 0) {
        take_output(monitor, number, bytes, (size_t)length);
        return (size_t)length;
    }
    if (length < 0 && errno == EAGAIN) return 0;
    if (monitor->alive && monitor->init.master >= 0) {
        // A terminal that nobody has open reads as EIO and may be opened again; poll(2) reports its hangup
        // without end.
        monitor->hangup_until = now_ms() + HANGUP_MS;
    } else {
        close_output(&monitor->outputs[number]);
    }
    return 0;
}

static size_t room_of(int output)
{
    int pipe = fcntl(output, F_GETPIPE_SZ);
    return pipe > 0 ? (size_t)pipe : TERMINAL_BYTES;
}

// All that the container has written is in the pipes when it has ended. Who else has them open (a container
// may give them away over a socket) is not waited for, and if he writes without end, what a pipe holds is
// enough.
static void drain_outputs(Monitor *monitor)
{
    for (int number = 0; number < 2; number++) {
        size_t left = monitor->outputs[number] < 0 ? 0 : room_of(monitor->outputs[number]);
        for (size_t got = 1; left > 0 && got > 0 && monitor->outputs[number] >= 0;) {
            got = read_output(monitor, number);
            left -= got < left ? got : left;
            clients_settle(&monitor->clients);
        }
        log_flush(&monitor->log, &monitor->streams[number]);
    }
    close_ends(monitor);
}

// `--rm`. The one who is attached is quicker, because it runs already; but it may be killed.
static void plan_removal(Monitor *monitor)
{
    if (program_find(monitor->program, OP_REMOVER) == NULL || monitor->kept || monitor->ending) return;
    monitor->remove_at = now_ms() + (clients_remove(&monitor->clients) ? REMOVE_MS : 0);
}

// What the program says that removes the container. It asks us to end, as every `down` does.
static void run_remover(Monitor *monitor)
{
    const Op *op = program_find(monitor->program, OP_REMOVER);
    monitor->remove_at = 0;
    if (op == NULL || op->fields[0].count == 0 || monitor->remover > 0) return;
    monitor->remover = fork();
    if (monitor->remover != 0) return;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    setsid();
    umask(022);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    execve(op->fields[0].list[0], op->fields[0].list, op->fields[1].list);
    _exit(EXIT_NO_COMMAND);
}

static void remover_ended(Monitor *monitor, int wait_status)
{
    monitor->remover = 0;
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return;
    set_error(monitor, "it was to be removed when it had ended, and that failed: nslab rm removes it");
    write_state(monitor);
}

static bool should_restart(const Monitor *monitor)
{
    if (monitor->stopped || monitor->ending) return false;
    uint64_t most = setting(monitor, OP_RESTART, 1);
    switch (setting(monitor, OP_RESTART, 0)) {
    case RESTART_ON_FAILURE:
        return monitor->state.exit != 0 && (most == 0 || monitor->state.restarts < most);
    case RESTART_ALWAYS:
    case RESTART_UNLESS_STOPPED:
        return true;
    default:
        return false;
    }
}

static void plan_restart(Monitor *monitor)
{
    bool good_run = monitor->started != 0 && now_ms() - monitor->started >= GOOD_RUN_MS;
    if (good_run || monitor->delay == 0) {
        monitor->delay = FIRST_DELAY_MS;
    } else {
        monitor->delay = monitor->delay * 2 > LONGEST_DELAY_MS ? LONGEST_DELAY_MS : monitor->delay * 2;
    }
    monitor->restart_at = now_ms() + monitor->delay;
}

static void tell_exit(Monitor *monitor)
{
    char text[32];
    snprintf(text, sizeof text, "exit %d", monitor->state.exit);
    clients_answer(&monitor->clients, WAITS_NEXT, text);
    clients_end_streams(&monitor->clients, text);
    if (monitor->state.status == EXITED) clients_answer(&monitor->clients, WAITS_EXIT, text);
    clients_answer(&monitor->clients, WAITS_STOP, "ok");
    clients_answer(&monitor->clients, WAITS_START, "error the container ended before it ran");
}

// The end of a run, or of an attempt to start one. Others see it only when the log is complete.
static void end_run(Monitor *monitor)
{
    ContainerState *state = &monitor->state;
    state->pid = 0;
    monitor->kill_at = 0;
    write_time(state->finished);
    if (monitor->log.error != 0 && *state->error == '\0') {
        cleanup_free char *text = xasprintf("a part of the log is lost: %s", strerror(monitor->log.error));
        set_error(monitor, text);
    }
    bool again = should_restart(monitor);
    state->status = again ? RESTARTING : EXITED;
    // Between two runs the ports stay its own.
    if (again)
        plan_restart(monitor);
    else
        publish_end(&monitor->publish, monitor->program);
    if (state->health != NULL && !again) state->health = NULL;
    write_state(monitor);
    // Before the one who is attached is told and goes.
    if (!again) plan_removal(monitor);
    tell_exit(monitor);
}

static void init_ended(Monitor *monitor, int wait_status)
{
    ContainerState *state = &monitor->state;
    monitor->alive = false;
    kill_rest(monitor);
    // A group that stays frozen would freeze the next init, and v1 keeps it so without processes.
    thaw(monitor);
    state->signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    state->exit = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
    state->oom = oom_kills(monitor) > monitor->oom_before;
    health_end(&monitor->health);
    drain_outputs(monitor);
    close_output(&monitor->init.pidfd);
    close_output(&monitor->init.gate);
    end_run(monitor);
}

static void restart(Monitor *monitor)
{
    Failure failure;
    monitor->restart_at = 0;
    if (make_container(monitor, &failure)) {
        let_run(monitor);
        return;
    }
    monitor->started = 0;
    monitor->state.exit = CANNOT_START;
    monitor->state.signal = 0;
    set_error(monitor, failure.text);
    end_run(monitor);
}

static void reap(Monitor *monitor)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (monitor->alive && pid == monitor->init.pid) {
            init_ended(monitor, status);
        } else if (pid == monitor->publish.pid) {
            publish_ended(&monitor->publish);
        } else if (pid == monitor->health.probe && health_ended(&monitor->health, status, &monitor->state)) {
            write_state(monitor);
        } else if (pid == monitor->leash.pid) {
            // Somebody killed it, and the container with it.
            leash_lost(&monitor->leash);
        } else if (pid == monitor->remover) {
            remover_ended(monitor, status);
        }
    }
}

// The requests. Each answers, or leaves the client in a mode that is answered later.

static bool is_running(const Monitor *monitor)
{
    return monitor->state.status == RUNNING || monitor->state.status == PAUSED;
}

static void request_start(Monitor *monitor, Client *client)
{
    if (is_running(monitor)) return client_answer(client, "error the container is running");
    if (monitor->ending) return client_answer(client, "error the container is being removed");
    client->mode = WAITS_START;
    monitor->stopped = monitor->kept = false;
    monitor->remove_at = 0;
    if (monitor->state.status == CREATED) return let_run(monitor);
    monitor->delay = 0;
    monitor->state.restarts = 0;
    monitor->restart_at = 0;
    Failure failure;
    if (make_container(monitor, &failure)) return let_run(monitor);
    // The state stays as it was, but for the reason.
    publish_end(&monitor->publish, monitor->program);
    set_error(monitor, failure.text);
    monitor->state.status = EXITED;
    write_state(monitor);
    client_answer(client, "error %s", failure.text);
}

static void stop_restarting(Monitor *monitor)
{
    monitor->restart_at = 0;
    monitor->state.status = EXITED;
    publish_end(&monitor->publish, monitor->program);
    write_state(monitor);
    plan_removal(monitor);
    tell_exit(monitor);
}

static void begin_stop(Monitor *monitor, uint64_t grace, int number)
{
    monitor->stopped = true;
    // At its gate it has no handlers and nothing to save.
    if (monitor->state.status == CREATED || number == SIGKILL) return kill_all(monitor);
    send_signal(monitor, number);
    thaw(monitor);
    uint64_t end = now_ms() + grace;
    if (monitor->kill_at == 0 || end < monitor->kill_at) monitor->kill_at = end;
}

static uint64_t stop_grace(const Monitor *monitor)
{
    return program_find(monitor->program, OP_STOP) == NULL ? DEFAULT_GRACE_MS : setting(monitor, OP_STOP, 1);
}

static int stop_signal(const Monitor *monitor)
{
    uint64_t number = setting(monitor, OP_STOP, 0);
    return number >= 1 && number <= 64 ? (int)number : SIGTERM;
}

// `stop [GRACE_MS [SIGNAL]]`, 0 or nothing: as the program says.
static void request_stop(Monitor *monitor, Client *client, const char *grace_text, const char *signal_text)
{
    char *end = NULL;
    uint64_t grace = grace_text == NULL ? 0 : strtoull(grace_text, &end, 10);
    bool is_default = signal_text == NULL || strcmp(signal_text, "0") == 0;
    int number = is_default ? stop_signal(monitor) : parse_signal(signal_text);
    if ((end != NULL && *end != '\0') || grace > INT32_MAX || number < 0)
        return client_answer(client, "error stop: not a time in ms or not a signal");
    if (grace == 0) grace = stop_grace(monitor);
    monitor->stopped = true;
    client->mode = WAITS_STOP;
    if (monitor->state.status == RESTARTING) return stop_restarting(monitor);
    if (monitor->state.status == EXITED) return client_answer(client, "ok");
    begin_stop(monitor, grace, number);
}

static void request_kill(Monitor *monitor, Client *client, const char *text)
{
    int number = text == NULL ? SIGKILL : parse_signal(text);
    if (number < 0) return client_answer(client, "error kill: not a signal");
    if (!is_running(monitor)) return client_answer(client, "error the container is not running");
    // As with Docker: what is meant to end it also keeps it from being restarted.
    if (number == SIGKILL || number == stop_signal(monitor)) monitor->stopped = true;
    send_signal(monitor, number);
    if (number == SIGKILL) thaw(monitor);
    client_answer(client, "ok");
}

static void request_pause(Monitor *monitor, Client *client)
{
    const Op *freezer = program_find(monitor->program, OP_FREEZER);
    if (freezer == NULL) return client_answer(client, "error the container has no freezer cgroup");
    if (monitor->state.status != RUNNING) return client_answer(client, "error the container is not running");
    if (!freezer_freeze(freezer)) return client_answer(client, "error freeze: %s", strerror(errno));
    client->mode = WAITS_PAUSE;
    if (monitor->freeze_until == 0) monitor->freeze_until = now_ms() + FREEZE_MS;
    monitor->freeze_next = now_ms();
}

static void continue_pause(Monitor *monitor)
{
    const Op *freezer = program_find(monitor->program, OP_FREEZER);
    if (freezer_is_frozen(freezer)) {
        monitor->freeze_until = monitor->freeze_next = 0;
        monitor->state.status = PAUSED;
        write_state(monitor);
        return clients_answer(&monitor->clients, WAITS_PAUSE, "ok");
    }
    if (now_ms() < monitor->freeze_until) {
        freezer_freeze(freezer);
        monitor->freeze_next = now_ms() + FREEZE_TRY_MS;
        return;
    }
    clients_answer(&monitor->clients, WAITS_PAUSE, "error the container does not freeze");
    thaw(monitor);
}

static void request_unpause(Monitor *monitor, Client *client)
{
    if (monitor->state.status != PAUSED) return client_answer(client, "error the container is not paused");
    const Op *freezer = program_find(monitor->program, OP_FREEZER);
    if (!freezer_thaw(freezer)) return client_answer(client, "error thaw: %s", strerror(errno));
    monitor->state.status = RUNNING;
    write_state(monitor);
    client_answer(client, "ok");
}

static void request_wait(const Monitor *monitor, Client *client, const char *which)
{
    bool next = which != NULL && strcmp(which, "next") == 0;
    if (monitor->state.status == EXITED && !next)
        return client_answer(client, "exit %d", monitor->state.exit);
    client->mode = next ? WAITS_NEXT : WAITS_EXIT;
}

static bool has_word(const char *first, const char *second, const char *word)
{
    return (first != NULL && strcmp(first, word) == 0) || (second != NULL && strcmp(second, word) == 0);
}

// `attach [next] [removes]`, `next`: also to one that has ended, whose next start shows what it prints.
// `ok tty` lets the client put its own terminal into raw mode and send its size.
static void request_attach(Monitor *monitor, Client *client, const char *first, const char *second)
{
    if (!monitor->alive && (monitor->ending || !has_word(first, second, "next")))
        return client_answer(client, "error the container is not running");
    bool has_terminal = program_find(monitor->program, OP_TERMINAL) != NULL;
    client_answer(client, has_terminal ? "ok tty" : "ok");
    if (client->mode == FREE) return;
    client->removes = has_word(first, second, "removes");
    client_attach(client);
}

static void request_keep(Monitor *monitor, Client *client)
{
    monitor->kept = true;
    monitor->remove_at = 0;
    client_answer(client, "ok");
}

static void request_end(Monitor *monitor, Client *client)
{
    client->mode = ENDING;
    monitor->ending = true;
    monitor->restart_at = monitor->remove_at = 0;
    if (monitor->alive) kill_all(monitor);
}

static void handle_request(Monitor *monitor, Client *client, char *text)
{
    char *verb = strsep(&text, " ");
    char *first = text == NULL ? NULL : strsep(&text, " ");
    if (first != NULL && *first == '\0') first = NULL;
    char *second = text == NULL || *text == '\0' ? NULL : text;
    if (strcmp(verb, "start") == 0) return request_start(monitor, client);
    if (strcmp(verb, "stop") == 0) return request_stop(monitor, client, first, second);
    if (strcmp(verb, "kill") == 0) return request_kill(monitor, client, first);
    if (strcmp(verb, "pause") == 0) return request_pause(monitor, client);
    if (strcmp(verb, "unpause") == 0) return request_unpause(monitor, client);
    if (strcmp(verb, "wait") == 0) return request_wait(monitor, client, first);
    if (strcmp(verb, "attach") == 0) return request_attach(monitor, client, first, second);
    if (strcmp(verb, "keep") == 0) return request_keep(monitor, client);
    if (strcmp(verb, "end") == 0) return request_end(monitor, client);
    client_answer(client, "error unknown request");
}

// What an attached client sent: the container's input, or the size of its terminal.
static void take_input(Monitor *monitor, Client *client)
{
    if (client->in_length == 0) return;
    bool is_terminal = monitor->init.master >= 0;
    size_t left = client->in_length - client->in_done;
    ssize_t written =
        monitor->input < 0 ? (ssize_t)left : write(monitor->input, client->in + client->in_done, left);
    if (written < 0 && errno == EAGAIN) return;
    // Nobody reads any more.
    if (written < 0 && errno != EINTR && !is_terminal) close_output(&monitor->input);
    client->in_done += written < 0 ? left : (size_t)written;
    if (client->in_done == client->in_length) client->in_length = client->in_done = 0;
}

static void take_packet(Monitor *monitor, Client *client, const char *bytes, size_t length)
{
    unsigned rows, columns;
    char text[32] = "";
    if (*bytes == STREAM_IN && length == 1) {
        // The end of what is typed. A terminal has no such thing.
        if (monitor->init.master < 0) close_output(&monitor->input);
    } else if (*bytes == STREAM_IN) {
        client->in_length = length - 1;
        client->in_done = 0;
        memcpy(client->in, bytes + 1, length - 1);
        take_input(monitor, client);
    } else if (*bytes == STREAM_RESIZE && monitor->init.master >= 0 && length <= sizeof text) {
        memcpy(text, bytes + 1, length - 1);
        if (sscanf(text, "resize %u %u", &rows, &columns) != 2 && sscanf(text, "%u %u", &rows, &columns) != 2)
            return;
        struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
        ioctl(monitor->input, TIOCSWINSZ, &size);
    }
}

static void read_client(Monitor *monitor, Client *client)
{
    char bytes[STREAM_MAX + 1];
    ssize_t length = TEMP_FAILURE_RETRY(recv(client->fd, bytes, sizeof bytes - 1, MSG_DONTWAIT));
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) return client_close(client);
    if (client->mode == ATTACHED) return take_packet(monitor, client, bytes, (size_t)length);
    bytes[length] = '\0';
    if (client->mode == ASKING) handle_request(monitor, client, bytes);
}

// The waiting place.

static void earlier(uint64_t *first, uint64_t deadline)
{
    if (deadline != 0 && deadline < *first) *first = deadline;
}

static uint64_t partial_deadline(const Monitor *monitor, int number)
{
    const LogStream *stream = &monitor->streams[number];
    return stream->length == 0 ? 0 : stream->since + PARTIAL_MS;
}

// A frozen container is not asked how it is.
static bool may_probe(const Monitor *monitor)
{
    return monitor->state.status == RUNNING && monitor->freeze_until == 0;
}

static int next_timeout(Monitor *monitor)
{
    uint64_t first = no_deadline;
    earlier(&first, monitor->kill_at);
    earlier(&first, monitor->restart_at);
    earlier(&first, monitor->remove_at);
    earlier(&first, monitor->freeze_next);
    earlier(&first, may_probe(monitor) ? monitor->health.next : 0);
    earlier(&first, monitor->hangup_until);
    earlier(&first, monitor->publish.next);
    earlier(&first, health_deadline(&monitor->health));
    earlier(&first, clients_deadline(&monitor->clients));
    earlier(&first, partial_deadline(monitor, 0));
    earlier(&first, partial_deadline(monitor, 1));
    uint64_t now = now_ms();
    if (first == no_deadline) return -1;
    if (first <= now) return 0;
    return first - now > INT32_MAX ? INT32_MAX : (int)(first - now);
}

static bool is_due(uint64_t deadline)
{
    return deadline != 0 && deadline <= now_ms();
}

// Somebody has killed the process that listens. Should a port be somebody else's by now, it is tried again.
static void publish_again(Monitor *monitor)
{
    Failure failure;
    if (publish_begin(&monitor->publish, monitor->program, &failure)) return;
    publish_ended(&monitor->publish);
    if (strcmp(monitor->state.error, failure.text) == 0) return;
    set_error(monitor, failure.text);
    write_state(monitor);
}

static void meet_deadlines(Monitor *monitor)
{
    if (is_due(monitor->kill_at)) kill_all(monitor);
    if (is_due(monitor->restart_at)) {
        monitor->state.restarts++;
        restart(monitor);
    }
    if (is_due(monitor->remove_at)) run_remover(monitor);
    if (is_due(monitor->freeze_next)) continue_pause(monitor);
    if (is_due(monitor->hangup_until)) monitor->hangup_until = 0;
    if (is_due(monitor->publish.next)) publish_again(monitor);
    if (is_due(monitor->health.next) && may_probe(monitor))
        health_probe(&monitor->health, monitor->path, &monitor->state);
    for (int number = 0; number < 2; number++) {
        if (is_due(partial_deadline(monitor, number))) log_flush(&monitor->log, &monitor->streams[number]);
    }
}

enum {
    SIGNALS,
    LISTENER,
    OUTPUT,
    ERROR_OUTPUT,
    INPUT,
    PROBE,
    FIRST_CLIENT,
    POLLED = FIRST_CLIENT + MAX_CLIENTS
};

static void fill_polled(Monitor *monitor, struct pollfd polled[POLLED])
{
    // A client that is behind holds up the output for at most STALL_MS.
    bool stalled = clients_stalled(&monitor->clients), has_input = false;
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        const Client *client = &monitor->clients.all[i];
        short events = client->in_length > 0 ? 0 : POLLIN;
        has_input = has_input || client->in_length > 0;
        if (client->out_length > 0) events |= POLLOUT;
        polled[FIRST_CLIENT + i] =
            (struct pollfd){.fd = client->mode == FREE ? -1 : client->fd, .events = events};
    }
    polled[SIGNALS] = (struct pollfd){.fd = monitor->signals, .events = POLLIN};
    polled[LISTENER] = (struct pollfd){.fd = monitor->listener, .events = POLLIN};
    bool hung_up = monitor->hangup_until != 0;
    polled[OUTPUT] = (struct pollfd){.fd = stalled || hung_up ? -1 : monitor->outputs[0], .events = POLLIN};
    polled[ERROR_OUTPUT] = (struct pollfd){.fd = stalled ? -1 : monitor->outputs[1], .events = POLLIN};
    polled[INPUT] = (struct pollfd){.fd = has_input ? monitor->input : -1, .events = POLLOUT};
    polled[PROBE] = (struct pollfd){.fd = monitor->health.output, .events = POLLIN};
}

static void serve_clients(Monitor *monitor, const struct pollfd *polled)
{
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        Client *client = &monitor->clients.all[i];
        if (client->mode == FREE || polled[i].fd != client->fd) continue;
        if (client->stalled != 0) client_resume(client);
        if (client->mode != FREE && client->in_length > 0) take_input(monitor, client);
        if (client->mode != FREE && client->in_length == 0 &&
            (polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            read_client(monitor, client);
        else if (client->mode != FREE && (polled[i].revents & (POLLHUP | POLLERR)) != 0)
            client_close(client);
    }
}

// SIGTERM is what a machine that goes down sends.
static void take_signals(Monitor *monitor)
{
    struct signalfd_siginfo info;
    while (TEMP_FAILURE_RETRY(read(monitor->signals, &info, sizeof info)) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGTERM) continue;
        monitor->ending = true;
        monitor->restart_at = 0;
        if (monitor->alive) begin_stop(monitor, stop_grace(monitor), stop_signal(monitor));
    }
    reap(monitor);
}

static void watch(Monitor *monitor)
{
    struct pollfd polled[POLLED];
    forget_code();
    while (monitor->alive || !monitor->ending) {
        fill_polled(monitor, polled);
        if (poll(polled, POLLED, next_timeout(monitor)) > 0) {
            for (int number = 0; number < 2; number++) {
                if (polled[OUTPUT + number].revents != 0) read_output(monitor, number);
            }
            if (polled[PROBE].revents != 0) health_read(&monitor->health);
            if (polled[SIGNALS].revents != 0) take_signals(monitor);
            serve_clients(monitor, polled + FIRST_CLIENT);
            if (polled[LISTENER].revents != 0) clients_accept(&monitor->clients, monitor->listener);
        } else {
            // Nobody has room: whoever is late is dropped now.
            for (size_t i = 0; i < MAX_CLIENTS; i++)
                client_resume(&monitor->clients.all[i]);
        }
        meet_deadlines(monitor);
    }
}

_Noreturn static void report_and_exit(int report, const char *text)
{
    dprintf(report, "error %s", text);
    _exit(EXIT_HOST);
}

// `error[127] TEXT` where the command is not there or is no program.
_Noreturn static void report_failure(int report, const Failure *failure)
{
    if (failure->status == 0) report_and_exit(report, failure->text);
    dprintf(report, "error[%d] %s", failure->status, failure->text);
    _exit(EXIT_HOST);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Away from the terminal and the descriptors of who started us.
static void leave_caller(void)
{
    setsid();
    umask(077);
    (void)!chdir("/");
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    close_output(&null);
}

static void open_monitor(Monitor *monitor, int report)
{
    monitor->dir = open(monitor->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    monitor->signals = open_signals();
    if (monitor->dir < 0 || monitor->signals < 0) report_and_exit(report, strerror(errno));
    monitor->listener = control_listen(monitor->dir);
    if (monitor->listener >= 0) return;
    report_and_exit(report, errno == EADDRINUSE ? "its monitor is running already" : strerror(errno));
}

static void end_monitor(Monitor *monitor)
{
    publish_end(&monitor->publish, monitor->program);
    if (monitor->state.status != EXITED) {
        monitor->state.status = EXITED;
        write_state(monitor);
    }
    leash_release(&monitor->leash);
    // Whoever asks from now on is told by the state, not by a socket that nobody reads.
    unlinkat(monitor->dir, "control", 0);
    clients_answer(&monitor->clients, ENDING, "ok");
    clients_answer(&monitor->clients, WAITS_STOP, "ok");
}

void run_monitor(const char *path, bool held, int report)
{
    // Its large parts stay untouched until they are needed.
    static Monitor monitor;
    monitor.path = path;
    monitor.leash.namespace = -1;
    monitor.outputs[0] = monitor.outputs[1] = monitor.input = -1;
    monitor.log.fd = monitor.health.output = -1;
    monitor.streams[0].name = "stdout";
    monitor.streams[1].name = "stderr";
    monitor.state.status = CREATED;
    monitor.state.exit = -1;
    monitor.state.monitor = getpid();
    monitor.state.monitor_start = process_start(getpid());
    leave_caller();
    open_monitor(&monitor, report);
    write_time(monitor.state.created);
    Failure failure;
    if (!make_container(&monitor, &failure)) {
        unlinkat(monitor.dir, "control", 0);
        leash_release(&monitor.leash);
        report_failure(report, &failure);
    }
    if (held) {
        write_state(&monitor);
    } else {
        let_run(&monitor);
    }
    dprintf(report, "ok %d", (int)monitor.init.pid);
    close(report);
    watch(&monitor);
    end_monitor(&monitor);
    _exit(0);
}
