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
// `lowers` are where the layers of that op are now.
static int overlay_by_layers(const Op *op, const Field *lowers, Failure *failure)
{
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
// taken from there. Layers are named by descriptors, from their own directory: mount(2) takes a page of options, where
// 500 paths have no room.
static int overlay_in_one_text(const Op *op, const Field *lowers, Failure *failure)
{
    cleanup_free char *list = xstrdup("");
    for (uint32_t i = 0; i < lowers->count; i++) {
        // Not closed: init closes all it has before it becomes the command.
        int fd = open_layer(op, lowers->list[i], failure);
        if (fd < 0) return -1;
        char *longer = xasprintf("%s%s%d", list, *list == '\0' ? "" : ":", fd);
        free(list);
        list = longer;
    }
    cleanup_free char *options = NULL;
    const char *place = lowers->list[0];
    if (has_upper(op)) {
        int upper = open_layer(op, op->fields[1].text, failure);
        int work = upper < 0 ? -1 : open_layer(op, op->fields[2].text, failure);
        if (work < 0) return -1;
        options = xasprintf("lowerdir=%s,upperdir=%d,workdir=%d,"
                            "redirect_dir=off,metacopy=off",
                            list, upper, work);
        place = op->fields[1].text;
    } else {
        options = xasprintf("lowerdir=%s,redirect_dir=off,metacopy=off", list);
    }
    cleanup_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool mounted =
        here >= 0 && chdir("/proc/self/fd") == 0 && mount("nslab", place, "overlay", 0, options) == 0;
    int error = errno;
    if (here >= 0 && fchdir(here) < 0 && mounted) {
        mounted = false;
        error = errno;
    }
    if (!mounted) {
        fail_op(failure, op, error, "overlay");
        return -1;
    }
    int detached = call_open_tree(AT_FDCWD, place, OPEN_TREE_CLONE);
    if (detached < 0 || umount2(place, MNT_DETACH) < 0) fail_op(failure, op, errno, "overlay");
    return detached;
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

bool attach_root(int mount, Failure *failure)
{
    // Over "/", which this process does not see, since its own root is below. A detached mount cannot be
    // mounted on.
    cleanup_fd int place = open("/", O_PATH | O_CLOEXEC);
    if (call_move_mount(mount, place, 0) == 0) return true;
    fail(failure, errno, "attach the root");
    close(mount);
    return false;
}

static int mount_overlay(const Op *op, const Field *lowers, Failure *failure)
{
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
        return mount;
    }
    int mount = overlay_by_layers(op, lowers, failure);
    return mount >= 0 || failure->error != EINVAL ? mount : overlay_in_one_text(op, lowers, failure);
}

static bool find_root(const Program *program, const Op **overlay, const Op **bind, Failure *failure)
{
    // Nothing that is mounted here may reach the host, not even while it is being taken away.
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return fail(failure, errno, "make the mounts private");
    *overlay = program_find(program, OP_ROOT_OVERLAY);
    *bind = program_find(program, OP_ROOT_BIND);
    return (*overlay == NULL) != (*bind == NULL) ||
           fail(failure, 0, "a program has one ROOT_OVERLAY or ROOT_BIND");
}

int mount_root(const Program *program, Failure *failure)
{
    const Op *overlay, *bind;
    if (!find_root(program, &overlay, &bind, failure)) return -1;
    int mount = overlay != NULL ? mount_overlay(overlay, &overlay->fields[0], failure)
                                : clone_root(bind, bind->fields[0].text, AT_RECURSIVE, failure);
    return mount >= 0 && attach_root(mount, failure) ? mount : -1;
}

// The layer with the ids of the user namespace: what is root's there is inner root's here. Attached, because
// kernels before 6.15 take no detached mount as a layer; over "/", where nobody looks. The descriptor stays the
// way to it.
static int map_layer(const Op *op, const char *path, int user, Failure *failure)
{
    int mount = clone_root(op, path, 0, failure);
    if (mount < 0) return -1;
    struct mount_attr mapped = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user};
    cleanup_fd int place = open("/", O_PATH | O_CLOEXEC);
    if (call_mount_setattr(mount, 0, &mapped) < 0)
        fail_op(
            failure, op, errno,
            "%s: the kernel cannot mount this file system with the ids of a user namespace (idmapped mount)",
            path);
    else if (call_move_mount(mount, place, 0) < 0)
        fail_op(failure, op, errno, "%s", path);
    else
        return mount;
    close(mount);
    return -1;
}

static int prepare_overlay(const Op *op, int user, Failure *failure)
{
    const Field *lowers = &op->fields[0];
    Field mapped = {.list = xcalloc(lowers->count + 1, sizeof *mapped.list)};
    bool good = true;
    for (uint32_t i = 0; i < lowers->count && good; i++) {
        // Not closed: this process ends when init has been made.
        int layer = map_layer(op, lowers->list[i], user, failure);
        good = layer >= 0;
        if (good) mapped.list[mapped.count++] = xasprintf("/proc/self/fd/%d", layer);
    }
    int mount = good ? mount_overlay(op, &mapped, failure) : -1;
    // Before 5.19 overlayfs refuses such layers.
    if (good && mount < 0 && failure->error == EINVAL) {
        Failure why = *failure;
        fail_op(failure, op, 0, "%s; layers with mapped ids need Linux 5.19", why.text);
    }
    // The last one is on top. What stayed over "/" would be over the old root, locked, when init lets go of that.
    for (uint32_t i = mapped.count; i-- > 0;) {
        if (umount2(mapped.list[i], MNT_DETACH) < 0 && mount >= 0) {
            fail_op(failure, op, errno, "%s", lowers->list[i]);
            close(mount);
            mount = -1;
        }
        free(mapped.list[i]);
    }
    free(mapped.list);
    return mount;
}

int prepare_root(const Program *program, int user, Failure *failure)
{
    const Op *overlay, *bind;
    if (!find_root(program, &overlay, &bind, failure)) return -1;
    if (overlay != NULL) return prepare_overlay(overlay, user, failure);
    return clone_root(bind, bind->fields[0].text, AT_RECURSIVE, failure);
}

bool enter_root(int root, Failure *failure)
{
    // The old root ends up on top of the new one, where "." finds it: pivot_root(2), pivot_root(".", ".").
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) return fail(failure, errno, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0) return fail(failure, errno, "unmount the old root");
    if (chdir("/") < 0) return fail(failure, errno, "enter the new root");
    return true;
}
