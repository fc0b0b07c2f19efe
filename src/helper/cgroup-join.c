// See cgroup-join.h. cgroups(7), bpf(2), Documentation/admin-guide/cgroup-v2.rst "Device controller".

#include "cgroup-join.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

enum { MAX_POLICIES = 64 };

static int open_cgroup(const Op *op, long magic, Failure *failure)
{
    const char *path = op->fields[0].text;
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct statfs status;
    if (fd < 0 || fstatfs(fd, &status) < 0) {
        fail_op(failure, op, errno, "%s", path);
    } else if ((long)status.f_type != magic) {
        fail_op(failure, op, 0, "%s is not on a %s file system", path,
                magic == CGROUP2_SUPER_MAGIC ? "cgroup2" : "cgroup");
    } else {
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

static bool is_unified(const Op *op)
{
    return (op->flags & CGROUP_FLAG_V2) != 0;
}

bool open_unified(const Program *program, int *out, Failure *failure)
{
    *out = -1;
    for (const Op *op = NULL; (op = program_next(program, OP_CGROUP, op)) != NULL;) {
        if (!is_unified(op)) continue;
        *out = open_cgroup(op, CGROUP2_SUPER_MAGIC, failure);
        return *out >= 0;
    }
    return true;
}

int *open_cgroups(const Program *program, bool skip_unified, Failure *failure)
{
    int *cgroups = xcalloc(program->count + 1, sizeof *cgroups);
    size_t count = 0;
    cgroups[0] = -1;
    for (const Op *op = NULL; (op = program_next(program, OP_CGROUP, op)) != NULL;) {
        if (skip_unified && is_unified(op)) continue;
        cleanup_fd int directory =
            open_cgroup(op, is_unified(op) ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC, failure);
        int procs = directory < 0 ? -1 : openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (procs < 0) {
            if (directory >= 0) fail_op(failure, op, errno, "%s/cgroup.procs", op->fields[0].text);
            close_cgroups(cgroups);
            return NULL;
        }
        cgroups[count++] = procs;
        cgroups[count] = -1;
    }
    return cgroups;
}

void close_cgroups(int *cgroups)
{
    if (cgroups == NULL) return;
    for (int *cgroup = cgroups; *cgroup >= 0; cgroup++)
        close(*cgroup);
    free(cgroups);
}

bool join_cgroups(const Program *program, const int *cgroups, bool skip_unified, Failure *failure)
{
    for (const Op *op = NULL; (op = program_next(program, OP_CGROUP, op)) != NULL;) {
        if (skip_unified && is_unified(op)) continue;
        // "0" is the writer.
        if (TEMP_FAILURE_RETRY(write(*cgroups++, "0", 1)) < 0)
            return fail_op(failure, op, errno, "enter %s", op->fields[0].text);
    }
    return true;
}

static int call_bpf(int command, union bpf_attr *attributes)
{
    return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static int load_policy(const Field *code)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = (uint64_t)(uintptr_t)code->data;
    attributes.insn_cnt = code->count / (uint32_t)sizeof(struct bpf_insn);
    attributes.license = (uint64_t)(uintptr_t) "GPL";
    memcpy(attributes.prog_name, "nslab_devices", sizeof "nslab_devices");
    return call_bpf(BPF_PROG_LOAD, &attributes);
}

static bool list_policies(int cgroup, uint32_t *ids, uint32_t *count)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.query.target_fd = (uint32_t)cgroup;
    attributes.query.attach_type = BPF_CGROUP_DEVICE;
    attributes.query.prog_ids = (uint64_t)(uintptr_t)ids;
    attributes.query.prog_cnt = *count;
    if (call_bpf(BPF_PROG_QUERY, &attributes) < 0) return false;
    *count = attributes.query.prog_cnt;
    return true;
}

static bool detach_policy(int cgroup, uint32_t id)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_id = id;
    cleanup_fd int policy = call_bpf(BPF_PROG_GET_FD_BY_ID, &attributes);
    if (policy < 0) return false;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)policy;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    return call_bpf(BPF_PROG_DETACH, &attributes) == 0;
}

bool set_device_policy(const Program *program, Failure *failure)
{
    const Op *op = program_find(program, OP_DEVICES);
    if (op == NULL) return true;
    const char *path = op->fields[0].text;
    cleanup_fd int directory = open_cgroup(op, CGROUP2_SUPER_MAGIC, failure);
    if (directory < 0) return false;
    // An O_PATH descriptor is none for bpf(2).
    cleanup_fd int cgroup = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0) return fail_op(failure, op, errno, "%s", path);
    uint32_t old[MAX_POLICIES], count = MAX_POLICIES;
    if (!list_policies(cgroup, old, &count)) return fail_op(failure, op, errno, "%s", path);
    cleanup_fd int policy = load_policy(&op->fields[1]);
    if (policy < 0) return fail_op(failure, op, errno, "load the device policy");
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)policy;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    // All that are attached must agree, so there is no moment without a policy.
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (call_bpf(BPF_PROG_ATTACH, &attributes) < 0) return fail_op(failure, op, errno, "%s", path);
    for (uint32_t i = 0; i < count; i++) {
        if (!detach_policy(cgroup, old[i]))
            return fail_op(failure, op, errno, "%s: take the old policy away", path);
    }
    return true;
}
