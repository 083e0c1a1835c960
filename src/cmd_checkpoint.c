/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoy checkpoint, and the options that it shares with restore. Runs in the program; all else is
 * hoy_checkpoint().
 */
#include "cmd_checkpoint.h"

#include <string.h>

#include "sys/cleanup.h"
#include "sys/error.h"

#define CGROUP_MODES  "soft full strict ignore"
#define NETWORK_LOCKS "iptables nftables skip"

static struct hoy_criu_options criu;
static struct hoy_checkpoint_options line;
static const char *cgroup_mode = "soft", *network_lock, *empty_namespace;

const struct option criu_options[] = {
	{ "image-path", 0, OPTION_TEXT, &criu.image_path, "DIR",
	  "directory of the images (default: checkpoint)", NULL },
	{ "work-path", 0, OPTION_TEXT, &criu.work_path, "DIR",
	  "directory of CRIU's logs (default: that of the images)", NULL },
	{ "tcp-established", 0, OPTION_FLAG, &criu.tcp_established, NULL,
	  "allow open TCP connections", NULL },
	{ "ext-unix-sk", 0, OPTION_FLAG, &criu.ext_unix_sk, NULL,
	  "allow Unix sockets connected to the outside", NULL },
	{ "shell-job", 0, OPTION_FLAG, &criu.shell_job, NULL,
	  "allow a session or a terminal of the outside", NULL },
	{ "file-locks", 0, OPTION_FLAG, &criu.file_locks, NULL, "allow file locks", NULL },
	{ "link-remap", 0, OPTION_FLAG, &criu.link_remap, NULL,
	  "allow open files that have lost their name", NULL },
	{ "auto-dedup", 0, OPTION_FLAG, &criu.auto_dedup, NULL, "keep every page in one image only",
	  NULL },
	{ "manage-cgroups-mode", 0, OPTION_TEXT, &cgroup_mode, "MODE",
	  "soft (default), full, strict, ignore", CGROUP_MODES },
	{ "network-lock", 0, OPTION_TEXT, &network_lock, "METHOD", "iptables, nftables or skip",
	  NETWORK_LOCKS },
	{ "empty-ns", 0, OPTION_TEXT, &empty_namespace, "NAMESPACE",
	  "leave this namespace empty: network", "network" },
	OPTION_END,
};

const struct option checkpoint_options[] = {
	{ NULL, 0, OPTION_TABLE, (void *)criu_options, NULL, NULL, NULL },
	{ "leave-running", 0, OPTION_FLAG, &line.leave_running, NULL, "let the container go on",
	  NULL },
	{ "pre-dump", 0, OPTION_FLAG, &line.pre_dump, NULL,
	  "only write the memory, and let the container go on", NULL },
	{ "parent-path", 0, OPTION_TEXT, &line.parent_path, "PATH",
	  "images of an earlier --pre-dump, relative to --image-path", NULL },
	{ "page-server", 0, OPTION_TEXT, &line.page_server, "ADDRESS:PORT",
	  "send the memory to a page server of CRIU", NULL },
	{ "tcp-skip-in-flight", 0, OPTION_FLAG, &line.tcp_skip_in_flight, NULL,
	  "leave out TCP connections that are just being made", NULL },
	OPTION_END,
};

/** Which word of a list separated by blanks it is; option_parse() has seen that it is one. */
static unsigned int word_index(const char *words, const char *word)
{
	const size_t len = strlen(word);
	unsigned int index = 0;

	for (; *words; words += strcspn(words, " "), words += *words == ' ', index++)
		if (strncmp(words, word, len) == 0 && (words[len] == ' ' || !words[len]))
			break;
	return index;
}

void checkpoint_command_line(struct hoy_criu_options *ret_options)
{
	/* In the order of the enums. */
	criu.cgroups = (enum hoy_criu_cgroups)word_index(CGROUP_MODES, cgroup_mode);
	if (network_lock)
		criu.network_lock = (enum hoy_network_lock)(
			word_index(NETWORK_LOCKS, network_lock) + 1);
	criu.empty_network = empty_namespace;
	*ret_options = criu;
}

int cmd_checkpoint(const struct program *program, char **words, struct hoy_error *err)
{
	checkpoint_command_line(&line.criu);
	return hoy_checkpoint(&program->context, words[0], &line, err);
}
