/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of signals: signal(7). Runs in the runtime. Data, and the forms in which a signal is named
 * on a command line.
 */
#include "spec/signal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

/*
 * The kernel's last, and the first that glibc leaves to programs: that is what everybody else means
 * by SIGRTMIN, systemd by SIGRTMIN+3. musl's own is one more.
 */
#define SIGNAL_LAST	     64
#define SIGNAL_REAL_TIME_MIN 34

static const struct word words[] = {
	{ "ABRT", SIGABRT }, { "ALRM", SIGALRM }, { "BUS", SIGBUS },	   { "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD },  { "CONT", SIGCONT }, { "FPE", SIGFPE },	   { "HUP", SIGHUP },
	{ "ILL", SIGILL },   { "INT", SIGINT },	  { "IO", SIGIO },	   { "IOT", SIGABRT },
	{ "KILL", SIGKILL }, { "PIPE", SIGPIPE }, { "POLL", SIGIO },	   { "PROF", SIGPROF },
	{ "PWR", SIGPWR },   { "QUIT", SIGQUIT }, { "SEGV", SIGSEGV },	   { "STKFLT", SIGSTKFLT },
	{ "STOP", SIGSTOP }, { "SYS", SIGSYS },	  { "TERM", SIGTERM },	   { "TRAP", SIGTRAP },
	{ "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU },	   { "URG", SIGURG },
	{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "VTALRM", SIGVTALRM }, { "WINCH", SIGWINCH },
	{ "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ },
};

const struct vocabulary signal_names = VOCABULARY("signal", words);

/** "RTMIN", "RTMIN+N", "RTMAX" or "RTMAX-N", any case. */
static int find_real_time(const char *name)
{
	bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
	uint64_t distance = 0;

	if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
		return -EINVAL;
	name += 5;
	if (*name != '\0') {
		if (*name != (from_min ? '+' : '-'))
			return -EINVAL;
		if (number_unsigned(name + 1, SIGNAL_LAST - SIGNAL_REAL_TIME_MIN, &distance) < 0)
			return -EINVAL;
	}
	return from_min ? SIGNAL_REAL_TIME_MIN + (int)distance : SIGNAL_LAST - (int)distance;
}

int signal_find(const char *text)
{
	uint64_t number;

	if (number_unsigned(text, SIGNAL_LAST, &number) == 0)
		return number > 0 ? (int)number : -EINVAL;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (size_t i = 0; i < signal_names.len; i++)
		if (strcasecmp(text, words[i].name) == 0)
			return (int)words[i].value;
	return find_real_time(text);
}

void signal_name(int signal, char name[16])
{
	const char *word = word_name(&signal_names, (uint64_t)signal);

	if (word)
		(void)snprintf(name, 16, "SIG%s", word);
	else if (signal == SIGNAL_LAST)
		(void)snprintf(name, 16, "SIGRTMAX");
	else if (signal >= SIGNAL_REAL_TIME_MIN && signal < SIGNAL_LAST)
		(void)snprintf(name, 16, "SIGRTMIN%+d", signal - SIGNAL_REAL_TIME_MIN);
	else
		(void)snprintf(name, 16, "%d", signal);
}
