// `nslab shell [--lab LAB] [-u USER] NODE`: a login shell inside the node, whose prompt shows the node. The
// user's own start files are read, and no file is left behind: what the shell needs to be told is in an
// environment variable, an option, or a memfd(2) that it closes itself. The host name is not changed, because
// X11 finds its key by it (Xsecurity(7)), and `hostname` in `nslab exec` and `nslab shell` should agree.

#include "container-exec.h"
#include "enter.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

static const Command command = {
    .verb = "shell",
    .usage = "nslab shell [--lab LAB] [-w DIR] [-e NAME=VALUE]... [-u USER[:GROUP]] NODE",
    .letters = "lweu",
};

// bash reads a file of ours in place of ~/.bashrc, and the file does what a login shell does (bash(1),
// INVOCATION): a real login shell reads nothing after the user's files, which set the prompt. The host name
// in the prompt gives way to the node's; a prompt without one gets the node in front. A prompt that
// PROMPT_COMMAND makes anew each time is mended each time, after it. %d is the descriptor of this text.
static const char bash_start[] = //
    "exec %d<&-\n"
    "[ -r /etc/profile ] && . /etc/profile\n"
    "for NSLAB_FILE in ~/.bash_profile ~/.bash_login ~/.profile; do\n"
    "  [ -r \"$NSLAB_FILE\" ] && { . \"$NSLAB_FILE\"; break; }\n"
    "done\n"
    "unset NSLAB_FILE\n"
    "[ -r ~/.bash_logout ] && trap '. ~/.bash_logout' EXIT\n"
    "__nslab_prompt() {\n"
    "  local status=$?\n"
    "  [[ $PS1 == \"${__nslab_ps1-}\" ]] && return $status\n"
    "  case $PS1 in\n"
    "  *\\\\[hH]*) PS1=${PS1//\\\\[hH]/$NSLAB_NODE} ;;\n"
    "  *) PS1=\"[$NSLAB_NODE] $PS1\" ;;\n"
    "  esac\n"
    "  __nslab_ps1=$PS1\n"
    "  return $status\n"
    "}\n"
    "__nslab_prompt\n"
    "PROMPT_COMMAND+=(__nslab_prompt)\n";

// dash, ash and ksh read the file named by ENV after /etc/profile and ~/.profile when they are interactive
// (dash(1)). %d is the descriptor, %s the command that gives ENV back its old value and reads that file.
static const char posix_start[] = //
    "exec %d<&-\n"
    "%s\n"
    "case $PS1 in\n"
    "'# ') PS1=\"$(id -un)@$NSLAB_NODE\"':$PWD# ' ;;\n"
    "'$ ') PS1=\"$(id -un)@$NSLAB_NODE\"':$PWD$ ' ;;\n"
    "*) PS1=\"[$NSLAB_NODE] $PS1\" ;;\n"
    "esac\n";

// fish(1): --init-command runs after config.fish.
static const char fish_start[] = //
    "functions -q fish_prompt; and functions -c fish_prompt __nslab_prompt\n"
    "function fish_prompt\n"
    "  echo -n \"[$NSLAB_NODE] \"\n"
    "  functions -q __nslab_prompt; and __nslab_prompt\n"
    "end\n";

// A file without a name that the shell finds as /proc/self/fd/N. Not close-on-exec: the text itself closes
// it. N has one digit, for dash(1) can close no other, and is as high as can be. -1 when all are taken.
static int open_memory(void)
{
    int fd = 9;
    while (fd > STDERR_FILENO && fcntl(fd, F_GETFD) >= 0)
        fd--;
    if (fd <= STDERR_FILENO) return -1;
    int memory = memfd_create("nslab-shell", 0);
    if (memory < 0 || memory == fd) return memory;
    if (dup2(memory, fd) < 0) die_errno("make a memfd for the shell");
    close(memory);
    return fd;
}

static void write_text(int fd, const char *text)
{
    size_t length = strlen(text);
    if (TEMP_FAILURE_RETRY(write(fd, text, length)) != (ssize_t)length)
        die_errno("write to a memfd for the shell");
}

_Noreturn static void die_shell(const char *path)
{
    die(errno == ENOENT ? EXIT_NO_COMMAND : EXIT_CANNOT_EXEC, "EXEC_FAILED", NULL,
        "cannot run the shell %s: %s", quoted(path), strerror(errno));
}

// Comes back when there is no descriptor for the text.
static void run_bash(const char *path)
{
    int fd = open_memory();
    if (fd < 0) return;
    cleanup_free char *text = xasprintf(bash_start, fd);
    write_text(fd, text);
    cleanup_free char *file = xasprintf("/proc/self/fd/%d", fd);
    execl(path, "bash", "--rcfile", file, (char *)NULL);
    die_shell(path);
}

// The text in single quotes for a POSIX shell.
static char *shell_quoted(const char *text)
{
    char *out = xcalloc(strlen(text) * 4 + 3, 1);
    char *end = out;
    *end++ = '\'';
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            end = stpcpy(end, "'\\''");
        } else {
            *end++ = *text;
        }
    }
    *end = '\'';
    return out;
}

static bool is_posix_shell(const char *name)
{
    static const char *const names[] = {"sh", "dash", "ash", "ksh", "ksh93", "mksh"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return false;
}

static void set_env_file(void)
{
    int fd = open_memory();
    if (fd < 0) return;
    const char *old = getenv("ENV");
    cleanup_free char *value = shell_quoted(old == NULL ? "" : old);
    cleanup_free char *restore =
        old == NULL ? xstrdup("unset ENV") : xasprintf("ENV=%s; [ -r \"$ENV\" ] && . \"$ENV\"", value);
    cleanup_free char *text = xasprintf(posix_start, fd, restore);
    write_text(fd, text);
    cleanup_free char *file = xasprintf("/proc/self/fd/%d", fd);
    if (setenv("ENV", file, 1) < 0) die_errno("set ENV");
}

static void prepare_prompt(const char *path, const char *name)
{
    if (strcmp(name, "bash") == 0) run_bash(path);
    if (strcmp(name, "fish") == 0) {
        execl(path, "fish", "--login", "--init-command", fish_start, (char *)NULL);
        die_shell(path);
    }
    if (is_posix_shell(name)) set_env_file();
    // zsh(1) has no way in after the user's files. Its right prompt is free as a rule, so the node is shown
    // there.
    const char *node = getenv("NSLAB_NODE");
    cleanup_free char *right = xasprintf("[%s]", node == NULL ? "" : node);
    if (strcmp(name, "zsh") == 0 && setenv("RPROMPT", right, 1) < 0) die_errno("set RPROMPT");
}

_Noreturn static void run_shell(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (setenv("SHELL", path, 1) < 0) die_errno("set SHELL");
    // What POSIX calls interactive; any other shell has no prompt.
    if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) prepare_prompt(path, name);
    // A leading dash makes a login shell of every shell (login(1)).
    cleanup_free char *argv0 = xasprintf("-%s", name);
    execl(path, argv0, (char *)NULL);
    die_shell(path);
}

// The shell of the user's passwd entry; without one $SHELL, then /bin/sh.
static const char *choose_shell(const User *user)
{
    if (user->shell != NULL) return user->shell;
    const char *shell = getenv("SHELL");
    return shell != NULL && *shell == '/' ? shell : "/bin/sh";
}

int verb_shell(int argc, char **argv)
{
    Options options;
    parse_options(&command, argc, argv, &options);
    if (options.rest_count > 0) {
        die_usage(&command, "shell takes no command (%s); `nslab exec` runs one", quoted(options.rest[0]));
    }
    exec_in_container(&command, &options, argv, true);
    User user = {0};
    enter(&command, &options, &user);
    if (options.user == NULL) (void)find_uid(getuid(), &user);
    // As su -l does; who stays the same user stays where the lab's files are.
    bool goes_home = options.user != NULL && options.workdir == NULL;
    if (goes_home && chdir(user.home) < 0 && chdir("/") < 0) die_errno("enter /");
    run_shell(choose_shell(&user));
}
