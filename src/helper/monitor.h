// The monitor of one container: the parent of its init, which stays when `nslab up` has ended. See monitor.c.

#ifndef NSLAB_MONITOR_H
#define NSLAB_MONITOR_H

#include <stdbool.h>

/// Makes the container of the folder and watches it until it is told to end. `path` is absolute. To `report`
/// it writes one text, `ok PID` or `error TEXT`, and closes it. With `held`, init is left at its gate.
_Noreturn void run_monitor(const char *path, bool held, int report);

#endif
