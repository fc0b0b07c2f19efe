// See procfs.h.

#include "procfs.h"
#include "common.h"
#include "mount-api.h"

int mount_proc(void)
{
    cleanup_fd int fs = call_fsopen("proc");
    if (fs < 0 || call_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0) return -1;
    return call_fsmount(fs, 0);
}
