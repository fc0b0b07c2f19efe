// Reads and writes RUN/state (see container-state.h). The file is small and its writer is root, but a reader
// may meet any moment of it: the rename makes every moment a whole file.

#include "container-state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

enum { STATE_MAX = 64 * 1024 };

static const char *const statuses[] = {
    [CREATED] = "created",       [RUNNING] = "running", [PAUSED] = "paused",
    [RESTARTING] = "restarting", [EXITED] = "exited",
};

uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void write_time(char out[TIME_TEXT])
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t length = strftime(out, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + length, TIME_TEXT - length, ".%09ldZ", now.tv_nsec);
}

uint64_t process_start(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[1024];
    ssize_t length = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, text, sizeof text - 1));
    if (length <= 0) return 0;
    text[length] = '\0';
    // The second field is the name in parentheses and may hold anything. The blank after it begins field 3.
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

int open_process(pid_t pid, uint64_t start)
{
    if (pid <= 0 || start == 0) {
        errno = ESRCH;
        return -1;
    }
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return -1;
    // After the pidfd is open its pid is not given away, so the comparison stays true.
    // A zombie's pidfd is readable: it has ended, only nobody has reaped it yet.
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    if (process_start(pid) == start && poll(&ended, 1, 0) == 0) return fd;
    close(fd);
    errno = ESRCH;
    return -1;
}

// One line whatever the bytes are: what a command in the container says must not become a key of ours.
static void write_escaped(FILE *file, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '\n') {
            fputs("\\n", file);
        } else if (byte == '\\') {
            fputs("\\\\", file);
        } else if (byte < 0x20 || byte == 0x7f) {
            fprintf(file, "\\x%02x", byte);
        } else {
            fputc(byte, file);
        }
    }
    fputc('\n', file);
}

static void write_process(FILE *file, const char *prefix, pid_t pid, uint64_t start)
{
    if (pid == 0) return;
    fprintf(file, "%s %d\n%s %" PRIu64 "\n", *prefix == '\0' ? "pid" : prefix, (int)pid,
            *prefix == '\0' ? "start" : "monitor_start", start);
}

static void write_text_line(FILE *file, const char *key, const char *value)
{
    if (value == NULL || *value == '\0') return;
    fprintf(file, "%s ", key);
    write_escaped(file, value, strlen(value));
}

static FILE *open_temporary(int dir)
{
    int fd = openat(dir, "state.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return NULL;
    FILE *file = fdopen(fd, "w");
    if (file == NULL) close(fd);
    return file;
}

static bool replace_state(int dir, FILE *file)
{
    bool whole = fflush(file) == 0 && ferror(file) == 0;
    int error = errno;
    fclose(file);
    errno = error;
    return whole && renameat(dir, "state.new", dir, "state") == 0;
}

bool state_write(int dir, const ContainerState *state)
{
    FILE *file = open_temporary(dir);
    if (file == NULL) return false;
    fprintf(file, "status %s\n", statuses[state->status]);
    write_process(file, "", state->pid, state->start);
    write_process(file, "monitor", state->monitor, state->monitor_start);
    write_text_line(file, "created", state->created);
    write_text_line(file, "started", state->started);
    write_text_line(file, "finished", state->finished);
    if (state->exit >= 0) fprintf(file, "exit %d\nsignal %d\n", state->exit, state->signal);
    fprintf(file, "oom %d\nrestarts %u\n", state->oom, state->restarts);
    write_text_line(file, "health", state->health);
    if (state->health_log_length > 0) {
        fputs("health_log ", file);
        write_escaped(file, state->health_log, state->health_log_length);
    }
    write_text_line(file, "error", state->error);
    return replace_state(dir, file);
}

// All of the file as text, NULL when there is none.
static char *read_state_text(int dir)
{
    cleanup_fd int fd = openat(dir, "state", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return NULL;
    char *text = xcalloc(STATE_MAX + 1, 1);
    size_t length = 0;
    for (ssize_t got; length < STATE_MAX; length += (size_t)got) {
        got = TEMP_FAILURE_RETRY(read(fd, text + length, STATE_MAX - length));
        if (got <= 0) break;
    }
    return text;
}

static void read_line(ContainerState *out, const char *key, const char *value)
{
    if (strcmp(key, "status") == 0) {
        for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
            if (strcmp(value, statuses[i]) == 0) out->status = (Status)i;
        }
    }
    if (strcmp(key, "pid") == 0) out->pid = atoi(value);
    if (strcmp(key, "start") == 0) out->start = strtoull(value, NULL, 10);
    if (strcmp(key, "monitor") == 0) out->monitor = atoi(value);
    if (strcmp(key, "monitor_start") == 0) out->monitor_start = strtoull(value, NULL, 10);
    if (strcmp(key, "exit") == 0) out->exit = atoi(value);
}

bool state_read(int dir, ContainerState *out)
{
    *out = (ContainerState){.status = EXITED, .exit = -1};
    cleanup_free char *text = read_state_text(dir);
    if (text == NULL) return false;
    char *next = text;
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        char *value = strchr(line, ' ');
        if (value == NULL) continue;
        *value++ = '\0';
        read_line(out, line, value);
    }
    return true;
}

static bool is_replaced(const char *line)
{
    static const char *const keys[] = {"status ",   "pid ",  "start ",  "monitor ", "monitor_start ",
                                       "finished ", "exit ", "signal ", "error "};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (starts_with(line, keys[i])) return true;
    }
    return false;
}

void state_mark_dead(int dir, const char *why)
{
    cleanup_free char *text = read_state_text(dir);
    FILE *file = text == NULL ? NULL : open_temporary(dir);
    if (file == NULL) return;
    char time[TIME_TEXT];
    write_time(time);
    // 137: what killed it was SIGKILL, from PR_SET_PDEATHSIG or from us.
    fprintf(file, "status exited\nfinished %s\nexit 137\nsignal 9\n", time);
    write_text_line(file, "error", why);
    char *next = text;
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        if (*line != '\0' && !is_replaced(line)) fprintf(file, "%s\n", line);
    }
    (void)replace_state(dir, file);
}
