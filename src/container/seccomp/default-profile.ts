// The system calls that a container may make when the file says nothing else: what Docker's default profile allows on x86_64 and
// arm64, sorted by what they are for. Every other call answers EPERM. What needs a capability that containers are not given by
// default is open to those that are given it (cap_add).
//
// Left out on purpose: user namespaces and mounts (unshare, clone with CLONE_NEW*, mount, fsopen, setns), keyrings, io_uring,
// userfaultfd, kexec, bpf, perf, and the socket families whose code is rarely looked at (AF_ALG, AF_VSOCK, ...).

import { constants } from 'node:os';
import type { SeccompArgument, SeccompProfile, SeccompRule } from './profile.ts';

const files = `
  access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate
  fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr
  fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch
  inotify_init inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link linkat listmount listxattr listxattrat llistxattr
  lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pipe pipe2
  pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename
  renameat renameat2 rmdir sendfile setxattr setxattrat splice stat statfs statmount statx symlink symlinkat sync
  sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev`;

const waiting = `
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
  io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit pause poll ppoll pselect6 select signalfd signalfd4
  timerfd_create timerfd_gettime timerfd_settime`;

const sockets = `
  accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto
  setsockopt shutdown socketpair`;

const memory = `
  brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect
  mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages`;

const processes = `
  execve execveat exit exit_group fork getcpu getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid
  ioprio_get ioprio_set kill pidfd_open pidfd_send_signal prctl prlimit64 rseq sched_get_priority_max
  sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield set_tid_address setpgid setpriority
  setrlimit setsid sysinfo tgkill times tkill uname vfork wait4 waitid`;

const identity = `
  capget capset getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid setgroups setregid
  setresgid setresuid setreuid setuid`;

const sandboxes = 'landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp';

const signals = `
  restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_tgsigqueueinfo sigaltstack uretprobe`;

/** adjtimex and clock_adjtime read without CAP_SYS_TIME; the kernel refuses the rest. */
const clocks = `
  adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time
  timer_create timer_delete timer_getoverrun timer_gettime timer_settime`;

const threads = `
  futex futex_requeue futex_wait futex_waitv futex_wake get_robust_list get_thread_area getrandom set_robust_list
  set_thread_area`;

const systemV = `
  mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop
  semtimedop shmat shmctl shmdt shmget`;

/** What 32-bit programs call besides: older forms, forms with wider ids, sizes and times, and the two ways through which i386 had
 *  sockets and System V. socketcall hides the family of a socket from the filter, which Docker takes for the price of its use. */
const narrow = `
  _llseek _newselect chown32 clock_adjtime64 clock_getres_time64 clock_gettime64 clock_nanosleep_time64 fadvise64_64 fchown32
  fcntl64 fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32 getgid32 getgroups32 getresgid32
  getresuid32 getuid32 io_pgetevents_time64 ipc lchown32 lstat64 mmap2 mq_timedreceive_time64 mq_timedsend_time64 ppoll_time64
  pselect6_time64 recv recvmmsg_time64 rt_sigtimedwait_time64 sched_rr_get_interval_time64 semtimedop_time64 send sendfile64
  setfsgid32 setfsuid32 setgid32 setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigprocmask sigreturn
  socketcall stat64 statfs64 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit
  utimensat_time64 waitpid`;

const always = [
  narrow,
  files,
  waiting,
  sockets,
  memory,
  processes,
  identity,
  sandboxes,
  signals,
  clocks,
  threads,
  systemV,
];

/** Calls that the capability makes safe to allow, since the kernel then lets them do what they say. */
const withCapability: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd
    setdomainname sethostname setns syslog umount umount2 unshare`,
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module finit_module init_module',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
  CAP_SYS_RAWIO: 'ioperm iopl',
  CAP_SYS_TIME: 'clock_settime clock_settime64 settimeofday stime',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYSLOG: 'syslog',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
};

/** Those of sys/socket.h below this one may be used, but for the ones below. */
const AF_MAX = 46;
const refusedFamilies: readonly number[] = [
  12, // AF_DECnet
  19, // AF_ECONET
  20, // AF_ATMSVC
  23, // AF_IRDA
  25, // AF_WANPIPE
  34, // AF_ISDN
  37, // AF_CAIF
  38, // AF_ALG
  40, // AF_VSOCK
];

/** linux/personality.h: PER_LINUX, PER_LINUX32, each with and without UNAME26, and the value that only asks. */
const personalities = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/** linux/sched.h: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const CLONE_NEW_ANY = 0x7e02_0000;

export const defaultProfile: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: constants.errno.EPERM,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    allow(always.join(' ')),
    // Before 4.8 ptrace could change a call after its filter had seen it.
    { ...allow('process_vm_readv process_vm_writev ptrace'), includes: { minKernel: '4.8' } },
    ...refusedFamilies.map((family) => refuseWhere('socket', equals(0, family))),
    allowWhere('socket', { index: 0, value: BigInt(AF_MAX), valueTwo: 0n, op: 'SCMP_CMP_LT' }),
    ...personalities.map((value) => allowWhere('personality', equals(0, value))),
    { ...allow('arch_prctl modify_ldt'), includes: { arches: ['amd64'] } },
    {
      ...allow('arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls'),
      includes: { arches: ['arm64'] },
    },
    ...Object.entries(withCapability).map(([cap, names]) => ({ ...allow(names), includes: { caps: [cap] } })),
    { ...allowWhere('clone', masked(0, CLONE_NEW_ANY)), excludes: { caps: ['CAP_SYS_ADMIN'] } },
    {
      // Its flags are in memory, which a filter cannot read. As if the kernel were older, so that libraries use clone.
      names: ['clone3'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: constants.errno.ENOSYS,
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    },
  ],
};

function allow(names: string): SeccompRule {
  return { names: names.trim().split(/\s+/), action: 'SCMP_ACT_ALLOW' };
}

function allowWhere(name: string, argument: SeccompArgument): SeccompRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [argument] };
}

function refuseWhere(name: string, argument: SeccompArgument): SeccompRule {
  return { names: [name], action: 'SCMP_ACT_ERRNO', errnoRet: constants.errno.EPERM, args: [argument] };
}

function equals(index: number, value: number): SeccompArgument {
  return { index, value: BigInt(value), valueTwo: 0n, op: 'SCMP_CMP_EQ' };
}

/** None of the bits. */
function masked(index: number, mask: number): SeccompArgument {
  return { index, value: BigInt(mask), valueTwo: 0n, op: 'SCMP_CMP_MASKED_EQ' };
}
