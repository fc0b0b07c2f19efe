// See freezer.h. admin-guide/cgroup-v1/freezer-subsystem.rst, admin-guide/cgroup-v2.rst.

#include "freezer.h"

#include <fcntl.h>
#include <string.h>

static int open_file(const Op *freezer, const char *v1, const char *v2, int flags)
{
    cleanup_free char *path =
        xasprintf("%s/%s", freezer->fields[0].text, freezer->fields[1].number == 2 ? v2 : v1);
    return open(path, flags | O_CLOEXEC);
}

static bool write_state(const Op *freezer, const char *v1, const char *v2)
{
    cleanup_fd int fd = open_file(freezer, "freezer.state", "cgroup.freeze", O_WRONLY);
    const char *text = freezer->fields[1].number == 2 ? v2 : v1;
    return fd >= 0 && TEMP_FAILURE_RETRY(write(fd, text, strlen(text))) > 0;
}

bool freezer_freeze(const Op *freezer)
{
    return write_state(freezer, "FROZEN", "1");
}

bool freezer_thaw(const Op *freezer)
{
    return write_state(freezer, "THAWED", "0");
}

bool freezer_is_frozen(const Op *freezer)
{
    cleanup_fd int fd = open_file(freezer, "freezer.state", "cgroup.events", O_RDONLY);
    char text[256];
    ssize_t length = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, text, sizeof text - 1));
    if (length <= 0) return false;
    text[length] = '\0';
    if (freezer->fields[1].number == 2) return strstr(text, "frozen 1") != NULL;
    return starts_with(text, "FROZEN");
}
