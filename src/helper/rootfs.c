// See rootfs.h. Layers are given to overlayfs one by one ("lowerdir+", Linux 6.7), because a list of them has
// no room in one page of options; older kernels get the list in one option, as descriptors, which is short.

#include "rootfs.h"
#include "mount-api.h"

#include <string.h>
#include <sys/stat.h>

// What fs_context's log says first, without "e " (error): fsopen(2), "message retrieval interface".
static void read_words(int fs, char *out, size_t size)
{
    *out = '\0';
    char text[256];
    ssize_t length;
    while ((length = read(fs, text, sizeof text - 1)) > 0) {
        text[length] = '\0';
        if (text[0] == 'e' && text[1] == ' ') {
            text[strcspn(text, "\n")] = '\0';
            snprintf(out, size, " (%.200s)", text + 2);
            return;
        }
    }
}

bool fail_fs(Failure *failure, const Op *op, int fs, const char *what)
{
    int error = errno;
    char words[256];
    read_words(fs, words, sizeof words);
    return fail_op(failure, op, error, "%s%s", what, words);
}

static bool has_upper(const Op *op)
{
    return (op->flags & ROOT_FLAG_NO_UPPER) == 0;
}

// The options are the same in both ways: a later commit or diff of the upper layer must find plain files.
static int overlay_by_layers(const Op *op, Failure *failure)
{
    const Field *lowers = &op->fields[0];
    cleanup_fd int fs = call_fsopen("overlay");
    if (fs < 0) {
        fail_op(failure, op, errno, "overlay");
        return -1;
    }
    bool good = call_fsconfig(fs, FSCONFIG_SET_STRING, "source", "nslab") == 0;
    for (uint32_t i = 0; good && i < lowers->count; i++) {
        good = call_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", lowers->list[i]) == 0;
        if (!good) fail_fs(failure, op, fs, lowers->list[i]);
    }
    if (!good) return -1;
    if (has_upper(op)) {
        const char *upper = op->fields[1].text, *work = op->fields[2].text;
        good = call_fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", upper) == 0;
        if (!good) fail_fs(failure, op, fs, upper);
        if (good) {
            good = call_fsconfig(fs, FSCONFIG_SET_STRING, "workdir", work) == 0;
            if (!good) fail_fs(failure, op, fs, work);
        }
    }
    if (!good) return -1;
    if (call_fsconfig(fs, FSCONFIG_SET_STRING, "redirect_dir", "off") < 0 ||
        call_fsconfig(fs, FSCONFIG_SET_STRING, "metacopy", "off") < 0 ||
        call_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0) {
        fail_fs(failure, op, fs, "overlay");
        return -1;
    }
    int mount = call_fsmount(fs, 0);
    if (mount < 0) fail_op(failure, op, errno, "overlay");
    return mount;
}

static int open_layer(const Op *op, const char *path, Failure *failure)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail_op(failure, op, errno, "%s", path);
    return fd;
}

// For kernels before 6.7. The mount is put where the top layer is (this mount namespace is ours alone) and
// found there.
static int overlay_in_one_text(const Op *op, Failure *failure)
{
    const Field *lowers = &op->fields[0];
    cleanup_free char *list = xstrdup("");
    for (uint32_t i = 0; i < lowers->count; i++) {
        // Not closed: init closes all it has before it becomes the command.
        int fd = open_layer(op, lowers->list[i], failure);
        if (fd < 0) return -1;
        char *longer = xasprintf("%s%s/proc/self/fd/%d", list, *list == '\0' ? "" : ":", fd);
        free(list);
        list = longer;
    }
    cleanup_free char *options = NULL;
    const char *place = lowers->list[0];
    if (has_upper(op)) {
        int upper = open_layer(op, op->fields[1].text, failure);
        int work = upper < 0 ? -1 : open_layer(op, op->fields[2].text, failure);
        if (work < 0) return -1;
        options = xasprintf("lowerdir=%s,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,"
                            "redirect_dir=off,metacopy=off",
                            list, upper, work);
        place = op->fields[1].text;
    } else {
        options = xasprintf("lowerdir=%s,redirect_dir=off,metacopy=off", list);
    }
    if (mount("nslab", place, "overlay", 0, options) < 0) {
        fail_op(failure, op, errno, "overlay");
        return -1;
    }
    return open_layer(op, place, failure);
}

// `recursive`: AT_RECURSIVE or 0.
static int clone_root(const Op *op, const char *path, unsigned recursive, Failure *failure)
{
    int mount = call_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | recursive);
    struct stat status;
    if (mount < 0) {
        fail_op(failure, op, errno, "%s", path);
    } else if (fstat(mount, &status) < 0 || !S_ISDIR(status.st_mode)) {
        fail_op(failure, op, ENOTDIR, "%s", path);
        close(mount);
        mount = -1;
    }
    return mount;
}

static int attach_root(const Op *op, int mount, Failure *failure)
{
    if (mount < 0) return -1;
    // Over "/", which this process does not see, since its own root is below. A detached mount cannot be
    // mounted on.
    cleanup_fd int place = open("/", O_PATH | O_CLOEXEC);
    if (call_move_mount(mount, place, 0) == 0) return mount;
    fail_op(failure, op, errno, "attach the root");
    close(mount);
    return -1;
}

static int mount_overlay(const Op *op, Failure *failure)
{
    const Field *lowers = &op->fields[0];
    if (lowers->count == 0) {
        fail_op(failure, op, 0, "no layers");
        return -1;
    }
    if (!has_upper(op) && lowers->count == 1) {
        // An overlay needs two layers; one that cannot be written is the same as the directory, read-only. What is mounted
        // below it is in no layer.
        int mount = clone_root(op, lowers->list[0], 0, failure);
        struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
        if (mount >= 0 && call_mount_setattr(mount, 0, &read_only) < 0) {
            fail_op(failure, op, errno, "%s", lowers->list[0]);
            close(mount);
            return -1;
        }
        return attach_root(op, mount, failure);
    }
    int mount = overlay_by_layers(op, failure);
    if (mount >= 0) return attach_root(op, mount, failure);
    return failure->error == EINVAL ? overlay_in_one_text(op, failure) : -1;
}

int mount_root(const Program *program, Failure *failure)
{
    // Nothing that is mounted here may reach the host, not even while it is being taken away.
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        fail(failure, errno, "make the mounts private");
        return -1;
    }
    const Op *overlay = program_find(program, OP_ROOT_OVERLAY);
    const Op *bind = program_find(program, OP_ROOT_BIND);
    if ((overlay == NULL) == (bind == NULL)) {
        fail(failure, 0, "a program has one ROOT_OVERLAY or ROOT_BIND");
        return -1;
    }
    if (overlay != NULL) return mount_overlay(overlay, failure);
    return attach_root(bind, clone_root(bind, bind->fields[0].text, AT_RECURSIVE, failure), failure);
}

bool enter_root(int root, Failure *failure)
{
    // The old root ends up on top of the new one, where "." finds it: pivot_root(2), pivot_root(".", ".").
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) return fail(failure, errno, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0) return fail(failure, errno, "unmount the old root");
    if (chdir("/") < 0) return fail(failure, errno, "enter the new root");
    return true;
}
