/*
 * Loads a seccomp filter from a file and makes one system call under it, so that a test can ask the real kernel what a compiled
 * filter answers. Prints the result and errno; a filter that kills is seen as the signal SIGSYS.
 *
 * usage: seccomp-probe FILTER NR [ARG]...
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static struct sock_filter code[4096];
	long arg[6] = { 0 };
	if (argc < 3)
		return 2;
	FILE *file = fopen(argv[1], "r");
	if (file == NULL)
		return 2;
	struct sock_fprog program = { .filter = code };
	program.len = (unsigned short)fread(code, sizeof *code, 4096, file);
	fclose(file);
	long nr = strtol(argv[2], NULL, 0);
	for (int i = 3; i < argc && i < 9; i++)
		arg[i - 3] = (long)strtoull(argv[i], NULL, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
		perror("seccomp");
		return 3;
	}
	errno = 0;
	long result = syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	printf("%s %d\n", result < 0 ? "error" : "ok", result < 0 ? errno : 0);
	return 0;
}
