// Finds a process outside of the node we may be in (see outside.h). It must not cache: processes come and go.

#include "outside.h"
#include "common.h"

#include <fcntl.h>
#include <string.h>
#include <sys/types.h>

enum { MAX_ANCESTORS = 64 };

static int open_of_process(pid_t pid, const char *what, int flags)
{
    cleanup_free char *path = xasprintf("/proc/%d/%s", (int)pid, what);
    return open(path, flags | O_CLOEXEC);
}

// The fourth field of /proc/PID/stat. The second is the name, in parentheses, and may itself hold blanks and
// parentheses.
static pid_t parent_of(pid_t pid)
{
    cleanup_free char *path = xasprintf("/proc/%d/stat", (int)pid);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[512];
    ssize_t length = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, text, sizeof text - 1));
    if (length <= 0) return 0;
    text[length] = '\0';
    const char *end = strrchr(text, ')');
    int parent = 0;
    if (end == NULL || sscanf(end + 1, " %*c %d", &parent) != 1) return 0;
    return parent;
}

int open_outside(const char *what, int flags)
{
    int found = open_of_process(1, what, flags);
    int error = errno;
    if (found >= 0) return found;
    pid_t pid = getppid();
    for (int i = 0; i < MAX_ANCESTORS && pid > 1; i++) {
        int fd = open_of_process(pid, what, flags);
        if (fd >= 0) {
            if (found >= 0) close(found);
            found = fd;
        }
        pid = parent_of(pid);
    }
    errno = error;
    return found;
}
