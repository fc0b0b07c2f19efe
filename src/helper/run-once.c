// `nslab-helper _run-once PROGRAM [EXEC]`: makes the container of the program file, lets it run and ends as
// it ends, without monitor, log or state; for tests, benchmarks and looking for mistakes. With EXEC, a second
// program file of process ops, that is run in the container once it runs, its status is the one told, and the
// container is killed. A terminal is copied to stdout.

#include "create.h"
#include "join.h"
#include "process.h"
#include "sealed.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static _Noreturn void give_up(const Failure *failure)
{
    die(EXIT_HOST, "HOST_REFUSED", NULL, "%s", failure->text);
}

static int wait_for(pid_t pid)
{
    int status;
    if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0) die_errno("wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// A terminal reads as EIO once nobody has it open any more.
static void copy_terminal(int master)
{
    char text[4096];
    for (ssize_t size; (size = TEMP_FAILURE_RETRY(read(master, text, sizeof text))) > 0;) {
        if (write(STDOUT_FILENO, text, (size_t)size) < 0) return;
    }
}

static int run_inside(const Init *init, const Program *ops)
{
    Failure failure;
    pid_t middle = fork();
    if (middle < 0) die_errno("fork");
    if (middle == 0) {
        if (!join_container(init->pidfd, ops, &failure)) give_up(&failure);
        pid_t process = fork();
        if (process < 0) die_errno("fork");
        if (process == 0) become(ops);
        exit(wait_for(process));
    }
    return wait_for(middle);
}

static int check_files(char **paths)
{
    int status = 0;
    for (char **path = paths; *path != NULL; path++) {
        Failure failure;
        cleanup_program Program *program = program_read(*path, &failure);
        if (program != NULL) {
            printf("ok %u\n", program->count);
        } else {
            printf("error %s\n", failure.text);
            status = EXIT_HOST;
        }
    }
    return status;
}

int verb_run_once(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "--check") == 0) return check_files(argv + 2);
    if (argc != 2 && argc != 3)
        die(EXIT_USAGE, "USAGE", NULL, "usage: nslab-helper _run-once PROGRAM [EXEC]");
    char *environment[] = {NULL};
    seal_self(argv, environment);
    Failure failure;
    cleanup_program Program *program = program_read(argv[1], &failure);
    if (program == NULL) give_up(&failure);
    cleanup_program Program *inside = argc == 3 ? program_read(argv[2], &failure) : NULL;
    if (argc == 3 && inside == NULL) give_up(&failure);
    Init init;
    const Stdio stdio = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    if (!create_init(program, &stdio, NULL, &init, &failure)) give_up(&failure);
    if (*init.warning != '\0') warn("%s", init.warning);
    if (TEMP_FAILURE_RETRY(write(init.gate, "", 1)) != 1) die_errno("start");
    close(init.gate);
    if (init.master >= 0 && inside == NULL) copy_terminal(init.master);
    int status;
    if (inside != NULL) {
        status = run_inside(&init, inside);
        kill(init.pid, SIGKILL);
        wait_for(init.pid);
    } else {
        status = wait_for(init.pid);
    }
    return status;
}
