// See sealed.h. Why a detached mount is enough: opening /proc/PID/exe opens the very mount that the program
// was executed from. It is read-only, and once its last descriptor is closed it is in no mount namespace, so
// mount_setattr(2), open_tree(2) and mount(2), which all ask for a mount of the caller's namespace, refuse
// it. Against a memfd it saves the copy and its memory: all monitors share the page cache of the one file.

#include "sealed.h"
#include "common.h"
#include "mount-api.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

#define SELF "/proc/self/exe"

static int open_read_only(void)
{
    int fd = call_open_tree(AT_FDCWD, SELF, OPEN_TREE_CLONE);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    if (fd >= 0 && call_mount_setattr(fd, 0, &attributes) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static int copy_to_memory(void)
{
    cleanup_fd int self = open(SELF, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (self < 0 || fstat(self, &status) < 0) return -1;
    int copy = memfd_create("nslab-helper", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (copy < 0) copy = memfd_create("nslab-helper", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0) return -1;
    for (off_t left = status.st_size; left > 0;) {
        ssize_t sent = TEMP_FAILURE_RETRY(sendfile(copy, self, NULL, (size_t)left));
        if (sent <= 0) {
            close(copy);
            return -1;
        }
        left -= sent;
    }
    if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0) return copy;
    close(copy);
    return -1;
}

// execveat(2) of a descriptor tells the program so: the path it was executed by is /dev/fd/N.
static bool is_sealed(void)
{
    const char *path = (const char *)getauxval(AT_EXECFN);
    return path != NULL && starts_with(path, "/dev/fd/");
}

void seal_self(char **words, char **environment)
{
#ifdef __SANITIZE_ADDRESS__
    environment = environ; // has the sanitizers' options
#endif
    if (!is_sealed()) {
        size_t count = 0;
        while (words[count] != NULL)
            count++;
        char **argv = xcalloc(count + 2, sizeof *argv);
        argv[0] = xstrdup("nslab-helper");
        memcpy(argv + 1, words, count * sizeof *argv);
        int fd = open_read_only();
        if (fd >= 0) syscall(SYS_execveat, fd, "", argv, environment, AT_EMPTY_PATH);
        fd = copy_to_memory();
        if (fd >= 0) syscall(SYS_execveat, fd, "", argv, environment, AT_EMPTY_PATH);
        die_errno("run from a file that no container can write");
    }
    // Executed by descriptor, the kernel names the process after that.
    prctl(PR_SET_NAME, "nslab-helper", 0, 0, 0);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) die_errno("make this process undumpable");
}
