/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop_at GENERATION NUMBER kill|ERRNO EXEMPT COMMAND...
 *
 * Runs COMMAND. As it (0), the first process that it makes (1: of `create`, the container's init),
 * or the next one (2: of `exec`, whose first is bootstrap) enters its system call of this number,
 * the process is killed, or the call fails with ERRNO instead of being made. All kinds of calls are
 * counted together, but for those whose numbers are in EXEMPT, "1,2,3,", and what a child does
 * after its execve. Processes made later go their own way.
 *
 * Ends with the status of COMMAND, or 128 and the signal that has ended it. If the process made
 * fewer calls than that, it says so on stderr, in words that begin with "stop_at: ".
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* PTRACE_O_TRACESYSGOOD: so that the stop of a system call is not taken for a signal. */
#define SYSCALL_STOP (SIGTRAP | 0x80)
#define FOLLOW	     (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)
#define OPTIONS	     (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC)
#define EXECUTED     (SIGTRAP | PTRACE_EVENT_EXEC << 8)

#if defined(__x86_64__)
#define NUMBER(registers) ((registers).orig_rax)
#define RESULT(registers) ((registers).rax)
#elif defined(__aarch64__)
#define NUMBER(registers) ((registers).regs[8])
#define RESULT(registers) ((registers).regs[0])
#endif

struct fault {
	long left;	    /* calls up to the one that is meant */
	int error;	    /* 0: kill */
	const char *exempt; /* numbers of calls, each with a comma */
	int is_inside;	    /* between the entry of a call and its end */
	int is_failing;	    /* in the call that is to fail */
};

static void die(const char *what)
{
	fprintf(stderr, "cannot trace: %s: %s\n", what, strerror(errno));
	exit(99);
}

static struct user_regs_struct registers_of(pid_t pid)
{
	struct user_regs_struct registers;
	struct iovec place = { &registers, sizeof(registers) };

	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &place) < 0)
		die("PTRACE_GETREGSET");
	return registers;
}

static void set_registers(pid_t pid, struct user_regs_struct *registers)
{
	struct iovec place = { registers, sizeof(*registers) };

	if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &place) < 0)
		die("PTRACE_SETREGSET");
}

/* Has the kernel skip the call that the process is entering. */
static void skip_call(pid_t pid)
{
#if defined(__aarch64__)
	int none = -1;
	struct iovec place = { &none, sizeof(none) };

	if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_ARM_SYSTEM_CALL, &place) < 0)
		die("NT_ARM_SYSTEM_CALL");
#else
	struct user_regs_struct registers = registers_of(pid);

	NUMBER(registers) = (unsigned long)-1;
	set_registers(pid, &registers);
#endif
}

static int is_exempt(const char *exempt, pid_t pid)
{
	struct user_regs_struct registers;
	char name[32];
	const char *found;

	if (!*exempt)
		return 0;
	registers = registers_of(pid);
	snprintf(name, sizeof(name), "%ld,", (long)NUMBER(registers));
	found = strstr(exempt, name);
	while (found && found > exempt && found[-1] != ',')
		found = strstr(found + 1, name);
	return found != NULL;
}

/* The process is at the entry or the end of a call. */
static void at_call(struct fault *fault, pid_t pid)
{
	fault->is_inside = !fault->is_inside;
	if (!fault->is_inside && fault->is_failing) {
		struct user_regs_struct registers = registers_of(pid);

		RESULT(registers) = (unsigned long)-fault->error;
		set_registers(pid, &registers);
		fault->is_failing = 0;
	}
	if (!fault->is_inside || fault->left == 0 || is_exempt(fault->exempt, pid) ||
	    --fault->left > 0)
		return;
	if (!fault->error) {
		kill(pid, SIGKILL);
		return;
	}
	skip_call(pid);
	fault->is_failing = 1;
}

/* The command, stopped behind its execve. */
static pid_t start(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			die("PTRACE_TRACEME");
		execv(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		exit(99);
	return pid;
}

/* Lets a stopped process go on, with the signal that has stopped it if it was one. */
static void go_on(pid_t pid, int status, int is_counted)
{
	int signal = WSTOPSIG(status);

	if (status >> 16 != 0 || signal == SYSCALL_STOP || signal == SIGSTOP)
		signal = 0;
	ptrace(is_counted ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, (void *)(long)signal);
}

/*
 * Follows the command until it ends; returns how. The target is the process that is made as the
 * generation-th, by the command or by the one made before it; 0 is the command itself.
 */
static int follow(pid_t command, int generation, struct fault *fault)
{
	pid_t pid, between = 0, target = generation ? 0 : command;
	int status;

	while ((pid = waitpid(-1, &status, __WALL)) >= 0) {
		if (pid == command && !WIFSTOPPED(status))
			return status;
		if (!WIFSTOPPED(status))
			continue;
		if (target == 0 && between == 0 && pid != command && generation > 1) {
			between = pid;
		} else if (target == 0 && pid != command && pid != between) {
			target = pid; /* it has the command's options, but goes on alone */
			ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)OPTIONS);
		} else if (pid != command && pid != between &&
			   (pid != target || status >> 8 == EXECUTED)) {
			ptrace(PTRACE_DETACH, pid, NULL, NULL);
			continue;
		}
		if (pid == target && WSTOPSIG(status) == SYSCALL_STOP)
			at_call(fault, pid);
		go_on(pid, status, pid == target);
	}
	die("waitpid");
	return 0;
}

int main(int argc, char **argv)
{
	struct fault fault = { 0 };
	int generation, status;
	pid_t command;

	if (argc < 6)
		return 99;
	generation = atoi(argv[1]);
	fault.left = atol(argv[2]);
	fault.error = strcmp(argv[3], "kill") == 0 ? 0 : atoi(argv[3]);
	fault.exempt = argv[4];
	command = start(argv + 5);
	if (ptrace(PTRACE_SETOPTIONS, command, NULL,
		   (void *)(long)(OPTIONS | (generation ? FOLLOW : 0))) < 0)
		die("PTRACE_SETOPTIONS");
	ptrace(generation ? PTRACE_CONT : PTRACE_SYSCALL, command, NULL, NULL);
	status = follow(command, generation, &fault);
	if (fault.left > 0)
		fprintf(stderr, "stop_at: %ld calls fewer\n", fault.left);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
