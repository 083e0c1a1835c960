/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tests' eyes and hands inside a container: one static program in every test's root.
 *
 *   probe                      prints all that a process can see of itself, as one JSON object
 *   probe FIELD...             only these members of it
 *   probe call NR ARG... [-- NR ARG...]...
 *                              makes system calls, each result a line of JSON; an ARG is a number,
 * or a string after a colon probe thread NR ARG...     makes the system call in a second thread,
 * prints whether this one lives probe catch SIGNAL...      prints "ready", then the number of each
 * of these signals that comes probe pty                  opens a new terminal and prints the name
 * and number of its slave
 *
 * It depends on nothing that a test may take away: no /proc, no /dev, no libc at run time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define LAST_FD	     1024
#define IOPRIO_SELF  1
#define LENGTH(list) (sizeof(list) / sizeof(*(list)))

static char **arguments;
static char **environment;

/* ---- JSON ---- */

static void put_text(const char *text, size_t length)
{
	putchar('"');
	for (const char *c = text; c < text + length; c++) {
		if ((unsigned char)*c < 0x20 || *c == '"' || *c == '\\' || *c == 0x7f)
			printf("\\u%04x", (unsigned int)*c);
		else
			putchar(*c);
	}
	putchar('"');
}

static void put_string(const char *text)
{
	put_text(text, strlen(text));
}

/** The start of an element, or of a member if it has a name: a comma where one came before. */
static void put_next(int *is_first, const char *name)
{
	if (!*is_first)
		putchar(',');
	*is_first = 0;
	if (name) {
		put_string(name);
		putchar(':');
	}
}

static void put_strings(char **strings)
{
	int first = 1;

	putchar('[');
	for (; *strings; strings++) {
		put_next(&first, NULL);
		put_string(*strings);
	}
	putchar(']');
}

/** The lines of a file as an array; null where it cannot be read. */
static void put_lines(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int first = 1;

	if (!file) {
		fputs("null", stdout);
		return;
	}
	putchar('[');
	while ((length = getline(&line, &size, file)) >= 0) {
		put_next(&first, NULL);
		put_text(line, line[length - 1] == '\n' ? length - 1 : length);
	}
	putchar(']');
	free(line);
	fclose(file);
}

/** The first line of a file; null where it cannot be read. */
static void put_file(const char *path)
{
	char buffer[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));

	if (length < 0)
		fputs("null", stdout);
	else
		put_text(buffer, length - (length > 0 && buffer[length - 1] == '\n'));
	if (fd >= 0)
		close(fd);
}

static void put_link(const char *path)
{
	char target[4096];
	ssize_t length = readlink(path, target, sizeof(target));

	if (length < 0)
		fputs("null", stdout);
	else
		put_text(target, length);
}

static char file_type(mode_t mode)
{
	const char *letters = "?pc?d?b?-?l?s???";

	return letters[(mode & S_IFMT) >> 12];
}

/* ---- identity and rights ---- */

static void see_uids(void)
{
	uid_t real, effective, saved;

	getresuid(&real, &effective, &saved);
	printf("[%u,%u,%u,%u]", real, effective, saved, setfsuid(-1));
}

static void see_gids(void)
{
	gid_t real, effective, saved;

	getresgid(&real, &effective, &saved);
	printf("[%u,%u,%u,%u]", real, effective, saved, setfsgid(-1));
}

static void see_groups(void)
{
	static gid_t groups[65536];
	int count = getgroups(LENGTH(groups), groups);
	int first = 1;

	putchar('[');
	for (int i = 0; i < count; i++) {
		put_next(&first, NULL);
		printf("%u", groups[i]);
	}
	putchar(']');
}

static unsigned long long asked_bit_by_bit(int option, int argument)
{
	unsigned long long mask = 0;

	for (int bit = 0; bit < 64; bit++) {
		int set = option == PR_CAPBSET_READ ? prctl(option, bit, 0, 0, 0)
						    : prctl(option, argument, bit, 0, 0);

		if (set > 0)
			mask |= 1ULL << bit;
	}
	return mask;
}

static void see_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	syscall(SYS_capget, &header, data);
	printf("{\"ambient\":%llu", asked_bit_by_bit(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET));
	printf(",\"bounding\":%llu", asked_bit_by_bit(PR_CAPBSET_READ, 0));
	printf(",\"effective\":%llu",
	       data[0].effective | (unsigned long long)data[1].effective << 32);
	printf(",\"inheritable\":%llu",
	       data[0].inheritable | (unsigned long long)data[1].inheritable << 32);
	printf(",\"permitted\":%llu}",
	       data[0].permitted | (unsigned long long)data[1].permitted << 32);
}

static void see_no_new_privileges(void)
{
	printf("%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

/** From /proc, as prctl(PR_GET_SECCOMP) may be what the filter denies. */
static void see_seccomp(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	int mode = -1;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "Seccomp: %d", &mode);
	if (status)
		fclose(status);
	printf("%d", mode);
}

static void see_dumpable(void)
{
	printf("%d", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static void see_death_signal(void)
{
	int signal = 0;

	prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0);
	printf("%d", signal);
}

static void see_secure_bits(void)
{
	printf("%d", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
}

static void see_subreaper(void)
{
	int subreaper = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
	printf("%d", subreaper);
}

static void see_keyring(void)
{
	char text[256];
	long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	long length = syscall(SYS_keyctl, KEYCTL_DESCRIBE, id, text, sizeof(text));

	if (length < 0)
		fputs("null", stdout);
	else
		put_string(text);
}

static void see_lsm(void)
{
	put_file("/proc/self/attr/current");
}

/* ---- process ---- */

static void see_args(void)
{
	put_strings(arguments);
}

static void see_env(void)
{
	put_strings(environment);
}

static void see_cwd(void)
{
	char buffer[4096] = "";

	if (syscall(SYS_getcwd, buffer, sizeof(buffer)) < 0)
		fputs("null", stdout);
	else
		put_string(buffer);
}

static void see_umask(void)
{
	mode_t mask = umask(0);

	umask(mask);
	printf("%u", mask);
}

static void see_ids(void)
{
	printf("{\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d}", getpid(), getppid(), getpgid(0),
	       getsid(0));
}

static void see_fds(void)
{
	int first = 1;

	putchar('[');
	for (int fd = 0; fd < LAST_FD; fd++) {
		int flags = fcntl(fd, F_GETFD);
		char path[64];
		struct stat status;

		if (flags < 0 || fstat(fd, &status) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		put_next(&first, NULL);
		printf("{\"fd\":%d,\"cloexec\":%s,\"type\":\"%c\",\"uid\":%u,\"rdev\":[%u,%u],"
		       "\"target\":",
		       fd, flags & FD_CLOEXEC ? "true" : "false", file_type(status.st_mode),
		       status.st_uid, major(status.st_rdev), minor(status.st_rdev));
		put_link(path);
		putchar('}');
	}
	putchar(']');
}

static void see_rlimits(void)
{
	static const char *const names[] = { "CPU",	 "FSIZE", "DATA",   "STACK",
					     "CORE",	 "RSS",	  "NPROC",  "NOFILE",
					     "MEMLOCK",	 "AS",	  "LOCKS",  "SIGPENDING",
					     "MSGQUEUE", "NICE",  "RTPRIO", "RTTIME" };
	int first = 1;

	putchar('{');
	for (size_t i = 0; i < LENGTH(names); i++) {
		struct rlimit limit = { 0 };

		getrlimit(i, &limit);
		put_next(&first, names[i]);
		printf("[%llu,%llu]", (unsigned long long)limit.rlim_cur,
		       (unsigned long long)limit.rlim_max);
	}
	putchar('}');
}

static void see_signals(void)
{
	sigset_t blocked;
	int first = 1;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	printf("{\"blocked\":[");
	for (int signal = 1; signal < NSIG; signal++) {
		if (sigismember(&blocked, signal) == 1) {
			put_next(&first, NULL);
			printf("%d", signal);
		}
	}
	printf("],\"ignored\":[");
	first = 1;
	for (int signal = 1; signal < NSIG; signal++) {
		struct sigaction action;

		if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
			put_next(&first, NULL);
			printf("%d", signal);
		}
	}
	printf("]}");
}

static void see_scheduler(void)
{
	/* sched_setattr(2): linux/sched/types.h cannot be included beside sched.h. */
	struct {
		unsigned int size, policy;
		unsigned long long flags;
		int nice;
		unsigned int priority;
		unsigned long long runtime, deadline, period;
	} attributes = { 0 };

	syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0);
	printf("{\"policy\":%u,\"flags\":%llu,\"priority\":%u", attributes.policy, attributes.flags,
	       attributes.priority);
	printf(",\"runtime\":%llu,\"deadline\":%llu,\"period\":%llu", attributes.runtime,
	       attributes.deadline, attributes.period);
	printf(",\"nice\":%d,\"io\":%ld}", getpriority(PRIO_PROCESS, 0),
	       syscall(SYS_ioprio_get, IOPRIO_SELF, 0));
}

static void see_affinity(void)
{
	cpu_set_t cpus;
	int first = 1;

	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	putchar('[');
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &cpus)) {
			put_next(&first, NULL);
			printf("%d", cpu);
		}
	}
	putchar(']');
}

static void see_memory_policy(void)
{
	unsigned long nodes[16] = { 0 };
	int mode = -1;

	syscall(SYS_get_mempolicy, &mode, nodes, sizeof(nodes) * 8, NULL, 0);
	printf("{\"mode\":%d,\"nodes\":%lu}", mode, nodes[0]);
}

static void see_personality(void)
{
	printf("%d", personality(0xffffffff));
}

static void see_oom_score_adj(void)
{
	put_file("/proc/self/oom_score_adj");
}

static void see_terminal(void)
{
	struct winsize size = { 0 };
	char name[256] = "";
	int is_controlling = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (is_controlling >= 0)
		close(is_controlling);
	if (ttyname_r(0, name, sizeof(name)) != 0)
		name[0] = 0;
	ioctl(0, TIOCGWINSZ, &size);
	printf("{\"tty\":[%d,%d,%d],\"controlling\":%s,\"size\":[%u,%u],\"name\":", isatty(0),
	       isatty(1), isatty(2), is_controlling >= 0 ? "true" : "false", size.ws_row,
	       size.ws_col);
	put_string(name);
	putchar('}');
}

/* ---- surroundings ---- */

static void see_uname(void)
{
	struct utsname names;

	uname(&names);
	printf("{\"hostname\":");
	put_string(names.nodename);
	printf(",\"domainname\":");
	put_string(names.domainname);
	printf(",\"machine\":");
	put_string(names.machine);
	putchar('}');
}

static void see_mountinfo(void)
{
	put_lines("/proc/self/mountinfo");
}

/** The fifth field of a line of mountinfo, without its escapes; what follows it is overwritten. */
static char *mount_point(char *line)
{
	char *point = line, *to;

	for (int i = 0; i < 4 && point; i++) {
		point = strchr(point, ' ');
		point = point ? point + 1 : NULL;
	}
	if (!point)
		return NULL;
	point[strcspn(point, " ")] = 0;
	to = point;
	for (char *from = point; *from; to++) {
		unsigned int byte = (unsigned char)*from;

		from += *from == '\\' && sscanf(from + 1, "%3o", &byte) == 1 ? 4 : 1;
		*to = (char)byte;
	}
	*to = 0;
	return point;
}

/** Who may do what where something is mounted. */
static void see_mount_points(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int first = 1;

	putchar('{');
	while (file && getline(&line, &size, file) > 0) {
		char *point = mount_point(line);
		struct stat stat;

		if (!point || lstat(point, &stat) < 0)
			continue;
		put_next(&first, point);
		printf("{\"mode\":%u,\"uid\":%u,\"gid\":%u}", stat.st_mode & 07777, stat.st_uid,
		       stat.st_gid);
	}
	putchar('}');
	if (file)
		fclose(file);
	free(line);
}

/** The files of the cgroup at the root of the container's view, as far as they can be read. */
static void see_cgroup_files(void)
{
	DIR *directory = opendir("/sys/fs/cgroup");
	const struct dirent *entry;
	char path[512];
	int first = 1;

	putchar('{');
	while (directory && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", entry->d_name);
		if (entry->d_type != DT_REG || access(path, R_OK) < 0)
			continue;
		put_next(&first, entry->d_name);
		put_file(path);
	}
	putchar('}');
	if (directory)
		closedir(directory);
}

static void see_cgroup(void)
{
	put_lines("/proc/self/cgroup");
}

static void see_maps(void)
{
	printf("{\"gid\":");
	put_lines("/proc/self/gid_map");
	printf(",\"setgroups\":");
	put_file("/proc/self/setgroups");
	printf(",\"uid\":");
	put_lines("/proc/self/uid_map");
	putchar('}');
}

static void see_namespaces(void)
{
	static const char *const names[] = { "cgroup", "ipc",  "mnt",  "net",
					     "pid",    "time", "user", "uts" };
	int first = 1;

	putchar('{');
	for (size_t i = 0; i < LENGTH(names); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		put_next(&first, names[i]);
		put_link(path);
	}
	putchar('}');
}

static void see_clocks(void)
{
	struct timespec monotonic, boot;

	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	printf("{\"monotonic\":%lld,\"boottime\":%lld,\"offsets\":", (long long)monotonic.tv_sec,
	       (long long)boot.tv_sec);
	put_lines("/proc/self/timens_offsets");
	putchar('}');
}

static void see_interfaces(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int first = 1;

	putchar('{');
	for (int index = 1; fd >= 0 && index < 64; index++) {
		struct ifreq request = { .ifr_ifindex = index };

		if (ioctl(fd, SIOCGIFNAME, &request) < 0)
			continue;
		put_next(&first, request.ifr_name);
		ioctl(fd, SIOCGIFFLAGS, &request);
		printf("\"%s\"", request.ifr_flags & IFF_UP ? "up" : "down");
	}
	putchar('}');
	if (fd >= 0)
		close(fd);
}

static void see_tree(int *is_first, const char *directory)
{
	DIR *entries = opendir(directory);
	struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		char path[4096];
		struct stat status;

		if (entry->d_name[0] == '.' && strspn(entry->d_name, ".") == strlen(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (lstat(path, &status) < 0)
			continue;
		put_next(is_first, path);
		printf("{\"type\":\"%c\",\"mode\":%u,\"uid\":%u,\"gid\":%u,\"rdev\":[%u,%u],"
		       "\"target\":",
		       file_type(status.st_mode), status.st_mode & 07777, status.st_uid,
		       status.st_gid, major(status.st_rdev), minor(status.st_rdev));
		put_link(path);
		putchar('}');
		if (S_ISDIR(status.st_mode))
			see_tree(is_first, path);
	}
	if (entries)
		closedir(entries);
}

static void see_devices(void)
{
	int first = 1;

	putchar('{');
	see_tree(&first, "/dev");
	putchar('}');
}

/** fds comes first: those that the others open and close do not show in it. */
static const struct field {
	const char *name;
	void (*see)(void);
} fields[] = {
	{ "fds", see_fds },
	{ "affinity", see_affinity },
	{ "args", see_args },
	{ "capabilities", see_capabilities },
	{ "cgroup", see_cgroup },
	{ "cgroup_files", see_cgroup_files },
	{ "clocks", see_clocks },
	{ "cwd", see_cwd },
	{ "death_signal", see_death_signal },
	{ "devices", see_devices },
	{ "dumpable", see_dumpable },
	{ "env", see_env },
	{ "gids", see_gids },
	{ "groups", see_groups },
	{ "ids", see_ids },
	{ "interfaces", see_interfaces },
	{ "keyring", see_keyring },
	{ "lsm", see_lsm },
	{ "maps", see_maps },
	{ "memory_policy", see_memory_policy },
	{ "mount_points", see_mount_points },
	{ "mountinfo", see_mountinfo },
	{ "namespaces", see_namespaces },
	{ "no_new_privileges", see_no_new_privileges },
	{ "oom_score_adj", see_oom_score_adj },
	{ "personality", see_personality },
	{ "rlimits", see_rlimits },
	{ "scheduler", see_scheduler },
	{ "seccomp", see_seccomp },
	{ "secure_bits", see_secure_bits },
	{ "signals", see_signals },
	{ "subreaper", see_subreaper },
	{ "terminal", see_terminal },
	{ "uids", see_uids },
	{ "umask", see_umask },
	{ "uname", see_uname },
};

static int is_wanted(const char *name, char **names)
{
	if (!*names)
		return 1;
	for (; *names; names++) {
		if (strcmp(name, *names) == 0)
			return 1;
	}
	return 0;
}

static int see(char **names)
{
	int first = 1;

	putchar('{');
	for (size_t i = 0; i < LENGTH(fields); i++) {
		if (is_wanted(fields[i].name, names)) {
			put_next(&first, fields[i].name);
			fields[i].see();
		}
	}
	puts("}");
	return 0;
}

/* ---- deeds ---- */

static volatile sig_atomic_t trapped;

static void note_trap(int signal)
{
	trapped = signal;
}

/** Makes the call that the words up to "--" or the end name; returns the words after it. */
static char **call(char **words, long *ret_result, int *ret_errno)
{
	long values[7] = { 0 };

	for (size_t i = 0; *words && strcmp(*words, "--") != 0; words++) {
		if (i < LENGTH(values))
			values[i++] = **words == ':' ? (long)(*words + 1)
						     : (long)strtoull(*words, NULL, 0);
	}
	errno = 0;
	*ret_result = syscall(values[0], values[1], values[2], values[3], values[4], values[5],
			      values[6]);
	*ret_errno = *ret_result < 0 ? errno : 0;
	return *words ? words + 1 : words;
}

static int call_all(char **words)
{
	struct sigaction action = { .sa_handler = note_trap };

	sigaction(SIGSYS, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (*words) {
		long result;
		int code;

		trapped = 0;
		words = call(words, &result, &code);
		printf("{\"result\":%ld,\"errno\":\"%s\",\"trapped\":%s}\n", result,
		       code ? strerrorname_np(code) : "", trapped ? "true" : "false");
	}
	return 0;
}

static void *call_in_thread(void *words)
{
	long result;
	int code;

	call(words, &result, &code);
	puts("the thread lives");
	return NULL;
}

static int call_thread(char **words)
{
	pthread_t thread;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pthread_create(&thread, NULL, call_in_thread, words) != 0)
		return 1;
	pthread_join(thread, NULL);
	puts("the process lives");
	return 0;
}

static int catch_signals(char **words)
{
	sigset_t signals;
	int number;

	sigemptyset(&signals);
	for (; *words; words++)
		sigaddset(&signals, atoi(*words));
	sigprocmask(SIG_BLOCK, &signals, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (sigwait(&signals, &number) == 0)
		printf("%d\n", number);
	return 1;
}

/** Sends each word to $NOTIFY_SOCKET; "BARRIER=1" with a pipe whose other end it then waits for. */
static int notify(char **words)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), ends[2] = { -1, -1 };

	if (!path)
		return puts("no NOTIFY_SOCKET"), 1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return puts(strerrorname_np(errno)), 1;
	for (; *words; words++) {
		union {
			char bytes[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control = { 0 };
		struct iovec iov = { *words, strlen(*words) };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

		if (strcmp(*words, "BARRIER=1") == 0 && pipe(ends) == 0) {
			message.msg_control = &control;
			message.msg_controllen = sizeof(control);
			*CMSG_FIRSTHDR(&message) = (struct cmsghdr){ CMSG_LEN(sizeof(int)),
								     SOL_SOCKET, SCM_RIGHTS };
			memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &ends[1], sizeof(int));
		}
		if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
			return puts(strerrorname_np(errno)), 1;
	}
	if (ends[0] >= 0) {
		struct pollfd end = { .fd = ends[0] };

		close(ends[1]);
		if (poll(&end, 1, 10000) != 1)
			return puts("the barrier stands"), 1;
	}
	puts("sent");
	return 0;
}

static int open_pty(void)
{
	unsigned int number = 0;
	int unlock = 0;
	int master = open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY);
	char path[64];

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(master, TIOCGPTN, &number) < 0)
		return perror("/dev/ptmx"), 1;
	snprintf(path, sizeof(path), "/dev/pts/%u", number);
	if (open(path, O_RDWR | O_CLOEXEC | O_NOCTTY) < 0)
		return perror(path), 1;
	puts(path);
	return 0;
}

int main(int argc, char **argv, char **envp)
{
	arguments = argv;
	environment = envp;
	if (argc > 1 && strcmp(argv[1], "call") == 0)
		return call_all(argv + 2);
	if (argc > 1 && strcmp(argv[1], "thread") == 0)
		return call_thread(argv + 2);
	if (argc > 1 && strcmp(argv[1], "catch") == 0)
		return catch_signals(argv + 2);
	if (argc > 1 && strcmp(argv[1], "notify") == 0)
		return notify(argv + 2);
	if (argc > 1 && strcmp(argv[1], "pty") == 0)
		return open_pty();
	return see(argv + (argc > 0));
}
