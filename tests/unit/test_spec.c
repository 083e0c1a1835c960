/* SPDX-License-Identifier: Apache-2.0 */
/* spec/: every table sorted, values right, words found, and what is probably meant. */
#include "unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/resource.h>

#include <hoy/state.h>

#include "spec/capability.h"
#include "spec/hook.h"
#include "spec/mount_option.h"
#include "spec/namespace.h"
#include "spec/personality.h"
#include "spec/propagation.h"
#include "spec/rlimit.h"
#include "spec/scheduler.h"
#include "spec/seccomp_name.h"
#include "spec/signal.h"
#include "spec/status.h"
#include "spec/sysctl.h"
#include "sys/compat.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Each vocabulary and how many words the specification has for it. */
static const struct {
	const struct vocabulary *vocabulary;
	size_t len;
} vocabularies[] = {
	{ &namespace_types, 8 },     { &rlimit_types, 16 },	     { &seccomp_actions, 9 },
	{ &seccomp_operators, 7 },   { &seccomp_architectures, 23 }, { &seccomp_flags, 4 },
	{ &scheduler_policies, 7 },  { &scheduler_flags, 7 },	     { &io_priority_classes, 3 },
	{ &memory_policy_modes, 7 }, { &memory_policy_flags, 3 },    { &propagation_types, 8 },
	{ &personality_domains, 2 }, { &status_names, 5 },	     { &hook_kinds, HOOK_KINDS },
	{ &signal_names, 34 },
};

static void tables_are_sorted_and_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vocabularies); i++) {
		const struct vocabulary *vocabulary = vocabularies[i].vocabulary;

		assert_int_equal(vocabulary->len, vocabularies[i].len);
		for (size_t j = 0; j < vocabulary->len; j++) {
			const struct word *word = &vocabulary->words[j];
			uint64_t value = UINT64_MAX;

			if (j > 0)
				assert_true(strcmp(word[-1].name, word->name) < 0);
			assert_true(word_find(vocabulary, word->name, &value));
			assert_true(value == word->value);
			assert_true(word_find(vocabulary, word_name(vocabulary, value), &value));
			assert_string_equal(word_nearest(vocabulary, word->name), word->name);
		}
	}
	for (size_t i = 1; i < mount_options_len; i++)
		assert_true(strcmp(mount_options[i - 1].name, mount_options[i].name) < 0);
}

static void words_are_found_exactly(void **state)
{
	uint64_t value = 77;

	(void)state;
	assert_false(word_find(&namespace_types, "Pid", &value));
	assert_false(word_find(&namespace_types, "", &value));
	assert_false(word_find(&namespace_types, "zzz", &value));
	assert_int_equal(value, 77);
	assert_null(word_name(&namespace_types, 1));
	assert_string_equal(word_nearest(&namespace_types, "nework"), "network");
	assert_string_equal(word_nearest(&namespace_types, "PID"), "pid");
	assert_null(word_nearest(&namespace_types, "net"));
	assert_null(word_nearest(&namespace_types, "something"));
}

static void assert_word(const struct vocabulary *vocabulary, const char *name, uint64_t expected)
{
	uint64_t value = ~expected;

	assert_true(word_find(vocabulary, name, &value));
	assert_true(value == expected);
}

static void values_are_the_kernels(void **state)
{
	(void)state;
	assert_word(&namespace_types, "mount", CLONE_NEWNS);
	assert_word(&namespace_types, "time", CLONE_NEWTIME);
	assert_string_equal(namespace_proc_name(CLONE_NEWNS), "mnt");
	assert_string_equal(namespace_proc_name(CLONE_NEWNET), "net");
	assert_string_equal(namespace_proc_name(CLONE_NEWUSER), "user");
	assert_null(namespace_proc_name(0));
	assert_word(&rlimit_types, "RLIMIT_NOFILE", RLIMIT_NOFILE);
	assert_word(&scheduler_policies, "SCHED_OTHER", SCHED_OTHER);
	assert_word(&scheduler_policies, "SCHED_FIFO", SCHED_FIFO);
	assert_word(&scheduler_policies, "SCHED_RR", SCHED_RR);
	assert_word(&scheduler_policies, "SCHED_BATCH", SCHED_BATCH);
	assert_word(&scheduler_policies, "SCHED_IDLE", SCHED_IDLE);
	assert_word(&propagation_types, "rslave", MS_SLAVE);
	assert_string_equal(word_name(&propagation_types, MS_SHARED), "rshared");
	assert_string_equal(hoy_status_name(HOY_CREATING), "creating");
	assert_string_equal(hoy_status_name(HOY_STOPPED), "stopped");
	assert_word(&hook_kinds, "poststop", HOOK_POSTSTOP);
}

static void seccomp_values_are_libseccomps(void **state)
{
	(void)state;
	assert_word(&seccomp_actions, "SCMP_ACT_KILL", SCMP_ACT_KILL);
	assert_word(&seccomp_actions, "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS);
	assert_word(&seccomp_actions, "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0));
	assert_word(&seccomp_actions, "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0));
	assert_word(&seccomp_actions, "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY);
	assert_word(&seccomp_actions, "SCMP_ACT_LOG", SCMP_ACT_LOG);
	assert_word(&seccomp_actions, "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW);
	assert_word(&seccomp_actions, "SCMP_ACT_TRAP", SCMP_ACT_TRAP);
	assert_string_equal(word_name(&seccomp_actions, SCMP_ACT_KILL), "SCMP_ACT_KILL");
	assert_word(&seccomp_operators, "SCMP_CMP_NE", SCMP_CMP_NE);
	assert_word(&seccomp_operators, "SCMP_CMP_LT", SCMP_CMP_LT);
	assert_word(&seccomp_operators, "SCMP_CMP_LE", SCMP_CMP_LE);
	assert_word(&seccomp_operators, "SCMP_CMP_EQ", SCMP_CMP_EQ);
	assert_word(&seccomp_operators, "SCMP_CMP_GE", SCMP_CMP_GE);
	assert_word(&seccomp_operators, "SCMP_CMP_GT", SCMP_CMP_GT);
	assert_word(&seccomp_operators, "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ);
}

static void architectures_are_libseccomps(void **state)
{
	unsigned int unknown = 0;

	(void)state;
	for (size_t i = 0; i < seccomp_architectures.len; i++) {
		const struct word *word = &seccomp_architectures.words[i];
		char name[32];
		uint32_t token;

		/* "SCMP_ARCH_X86_64" is "x86_64" there. */
		(void)snprintf(name, sizeof(name), "%s", word->name + strlen("SCMP_ARCH_"));
		for (char *letter = name; *letter; letter++)
			if (*letter >= 'A' && *letter <= 'Z')
				*letter += 'a' - 'A';
		token = seccomp_arch_resolve_name(name);
		if (token == 0)
			unknown++;
		else
			assert_int_equal(token, word->value);
	}
	/* loongarch64, m68k, sh and sheb came with libseccomp 2.6. */
	assert_true(unknown <= 4);
}

static void capabilities(void **state)
{
	char name[CAPABILITY_NAME_SIZE];

	(void)state;
	assert_int_equal(capability_find("CAP_CHOWN"), CAP_CHOWN);
	assert_int_equal(capability_find("CAP_CHECKPOINT_RESTORE"), CAP_CHECKPOINT_RESTORE);
	assert_int_equal(capability_find("cap_net_admin"), CAP_NET_ADMIN);
	assert_int_equal(capability_find("CHOWN"), -1);
	assert_int_equal(capability_find("CAP_"), -1);
	assert_int_equal(capability_find("CAP_KILL-x"), -1);
	assert_int_equal(capability_find("CAP_KILL,CAP_SYS_ADMIN"), -1);
	assert_int_equal(capability_find("CAP_KILL "), -1);
	assert_int_equal(capability_find("CAP_KILL2"), -1);
	assert_int_equal(capability_find("0"), -1);
	assert_int_equal(capability_find(""), -1);
	assert_int_equal(capability_find("CAP_NOPE"), -1);
	assert_true(capability_count() >= 41);
	for (unsigned int i = 0; i < capability_count(); i++)
		if (capability_name(i, name))
			assert_int_equal(capability_find(name), (int)i);
	assert_true(capability_name(CAP_SYS_ADMIN, name));
	assert_string_equal(name, "CAP_SYS_ADMIN");
	assert_false(capability_name(200, name));
	assert_true(capability_nearest("CAP_SYS_ADMN", name));
	assert_string_equal(name, "CAP_SYS_ADMIN");
	assert_false(capability_nearest("SYS_ADMIN", name));
}

static void signals(void **state)
{
	const struct {
		const char *text;
		int signal;
	} rows[] = {
		{ "9", SIGKILL },
		{ "KILL", SIGKILL },
		{ "SIGKILL", SIGKILL },
		{ "sigterm", SIGTERM },
		{ "Hup", SIGHUP },
		{ "RTMIN", SIGRTMIN },
		{ "RTMIN+3", SIGRTMIN + 3 },
		{ "SIGRTMAX-2", SIGRTMAX - 2 },
		{ "rtmax", SIGRTMAX },
		{ "64", 64 },
		{ "IOT", SIGABRT },
		{ "0", -EINVAL },
		{ "65", -EINVAL },
		{ "", -EINVAL },
		{ "SIG", -EINVAL },
		{ "KILLX", -EINVAL },
		{ "-9", -EINVAL },
		{ " 9", -EINVAL },
		{ "+9", -EINVAL },
		{ "RTMIN-1", -EINVAL },
		{ "RTMAX+1", -EINVAL },
		{ "RTMIN+", -EINVAL },
		{ "RTMIN+31", -EINVAL },
		{ "SIGSIGKILL", -EINVAL },
		{ "RTMIN3", -EINVAL },
	};
	char name[16];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(signal_find(rows[i].text), rows[i].signal);
	for (int signal = 1; signal <= 64; signal++) {
		signal_name(signal, name);
		assert_int_equal(signal_find(name), signal);
	}
	signal_name(SIGABRT, name);
	assert_string_equal(name, "SIGABRT");
	signal_name(SIGRTMIN + 1, name);
	assert_string_equal(name, "SIGRTMIN+1");
}

/* Every option that config.md names, and those of mount(8) and crun that users write. */
static const char *const known_options[] = {
	"async",
	"atime",
	"bind",
	"defaults",
	"dev",
	"diratime",
	"dirsync",
	"exec",
	"iversion",
	"lazytime",
	"loud",
	"mand",
	"noatime",
	"nodev",
	"nodiratime",
	"noexec",
	"noiversion",
	"nolazytime",
	"nomand",
	"norelatime",
	"nostrictatime",
	"nosuid",
	"nosymfollow",
	"private",
	"ratime",
	"rbind",
	"rdev",
	"rdiratime",
	"relatime",
	"remount",
	"rexec",
	"ridmap",
	"idmap",
	"rnoatime",
	"rnodev",
	"rnodiratime",
	"rnoexec",
	"rnorelatime",
	"rnostrictatime",
	"rnosuid",
	"rnosymfollow",
	"ro",
	"rprivate",
	"rrelatime",
	"rro",
	"rrw",
	"rshared",
	"rslave",
	"rstrictatime",
	"rsuid",
	"rsymfollow",
	"runbindable",
	"rw",
	"shared",
	"silent",
	"slave",
	"strictatime",
	"suid",
	"symfollow",
	"sync",
	"tmpcopyup",
	"unbindable",
	"copy-symlink",
	"src-nofollow",
	"dest-nofollow",
	"idmap=uids=0-1000-10;gids=0-1000-10",
	"ridmap=uids=0-1-1",
};

/* Words that file systems take; one of them misread as an option would be lost or refused. */
static const char *const data_options[] = {
	"size=65536k",
	"mode=755",
	"gid=5",
	"uid=0",
	"lowerdir=/l",
	"upperdir=/u",
	"workdir=/w",
	"nr_inodes=10",
	"newinstance",
	"ptmxmode=0666",
	"userxattr",
	"index=off",
	"metacopy=on",
	"hidepid=2",
	"subset=pid",
	"max",
	"context=\"x\"",
	"nsdelegate",
	"memory_recursiveprot",
	"xattr",
	"noswap",
	"inode64",
	"huge=always",
	"volatile",
	"acl",
	"noacl",
	"discard",
	"i_version",
	"nouuid",
	"nodfs",
	"nossd",
	"wsync",
	"share",
	"vers=4.1",
	"soft",
	"nolock",
	"allow_other",
	"default_permissions",
	"trans=virtio",
	"quiet",
	"nocto",
	"user_xattr",
	"ro=1",
	"bindx=1",
};

static void mount_options_are_told_from_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(known_options); i++)
		assert_non_null(mount_option_find(known_options[i]));
	for (size_t i = 0; i < COUNT(data_options); i++) {
		assert_null(mount_option_find(data_options[i]));
		if (mount_option_nearest(data_options[i]))
			print_error("%s is taken for a misspelling\n", data_options[i]);
		assert_null(mount_option_nearest(data_options[i]));
	}
	assert_int_equal(mount_options_len, COUNT(known_options) - 2);
	assert_string_equal(mount_option_find("ridmap=x")->name, "ridmap");
	assert_null(mount_option_find(""));
	assert_string_equal(mount_option_nearest("nosiud"), "nosuid");
	assert_string_equal(mount_option_nearest("RO"), "ro");
	assert_string_equal(mount_option_nearest("rbnd"), "rbind");
	assert_string_equal(mount_option_nearest("nodevv"), "nodev");
}

static void assert_fold(const char *options, uint64_t set, uint64_t clear)
{
	struct mount_attributes attributes = { 0 };
	char copy[128], *word, *place = copy;

	(void)snprintf(copy, sizeof(copy), "%s", options);
	while ((word = strsep(&place, ",")))
		mount_option_fold(&attributes, mount_option_find(word));
	if (attributes.set != set || attributes.clear != clear)
		print_error("%s\n", options);
	assert_int_equal(attributes.set, set);
	assert_int_equal(attributes.clear, clear);
}

static void of_contradicting_options_the_last_holds(void **state)
{
	const uint64_t group = MOUNT_ATTR__ATIME;

	(void)state;
	assert_fold("ro", MOUNT_ATTR_RDONLY, 0);
	assert_fold("ro,rw", 0, MOUNT_ATTR_RDONLY);
	assert_fold("rw,ro", MOUNT_ATTR_RDONLY, 0);
	assert_fold("nosuid,nodev,noexec", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		    0);
	assert_fold("nosuid,dev,suid", 0, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	assert_fold("noatime", MOUNT_ATTR_NOATIME, group);
	assert_fold("noatime,strictatime", MOUNT_ATTR_STRICTATIME, group);
	assert_fold("strictatime,relatime", 0, group);
	assert_fold("noatime,atime", 0, group);
	assert_fold("strictatime,atime", MOUNT_ATTR_STRICTATIME, group);
	assert_fold("noatime,nostrictatime", MOUNT_ATTR_NOATIME, group);
	assert_fold("noatime,norelatime", MOUNT_ATTR_NOATIME, group);
	assert_fold("norelatime", 0, 0);
	assert_fold("ratime", 0, group);
	assert_fold("rnostrictatime", 0, group);
	assert_fold("noatime,ro,nodiratime",
		    MOUNT_ATTR_NOATIME | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODIRATIME, group);
	assert_fold("nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0);
	assert_fold("silent,defaults", 0, 0);
}

static void sysctls_have_paths_and_namespaces(void **state)
{
	static const struct {
		const char *key, *path;
		uint64_t type;
	} rows[] = {
		{ "net.ipv4.ip_forward", "net/ipv4/ip_forward", CLONE_NEWNET },
		{ "net/ipv4/conf/eth0.1/mtu", "net/ipv4/conf/eth0.1/mtu", CLONE_NEWNET },
		{ "net.ipv4.conf.eth0/1.mtu", "net/ipv4/conf/eth0.1/mtu", CLONE_NEWNET },
		{ "kernel.shm_rmid_forced", "kernel/shm_rmid_forced", CLONE_NEWIPC },
		{ "kernel.msgmax", "kernel/msgmax", CLONE_NEWIPC },
		{ "kernel.sem", "kernel/sem", CLONE_NEWIPC },
		{ "kernel.semx", "kernel/semx", 0 },
		{ "fs.mqueue.msg_max", "fs/mqueue/msg_max", CLONE_NEWIPC },
		{ "kernel.domainname", "kernel/domainname", CLONE_NEWUTS },
		{ "user.max_user_namespaces", "user/max_user_namespaces", CLONE_NEWUSER },
		{ "vm.swappiness", "vm/swappiness", 0 },
		{ "kernel.core_pattern", "kernel/core_pattern", 0 },
		{ "net", "net", 0 },
	};
	static const char *const bad[] = {
		"",
		".",
		"..",
		"net..x",
		"net.",
		".net",
		"net/../kernel/core_pattern",
		"/net/x",
		"net/./x",
		"net x",
		"net.x\n",
		"net.\"x",
		"net.../x/x",
	};
	char path[64];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(sysctl_path(rows[i].key, path, sizeof(path)), 0);
		assert_string_equal(path, rows[i].path);
		assert_true(sysctl_namespace(path) == rows[i].type);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(sysctl_path(bad[i], path, sizeof(path)), -EINVAL);
	assert_int_equal(sysctl_path("net.ipv4", path, 8), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(tables_are_sorted_and_whole),
		UNIT_TEST(words_are_found_exactly),
		UNIT_TEST(values_are_the_kernels),
		UNIT_TEST(seccomp_values_are_libseccomps),
		UNIT_TEST(architectures_are_libseccomps),
		UNIT_TEST(capabilities),
		UNIT_TEST(signals),
		UNIT_TEST(mount_options_are_told_from_data),
		UNIT_TEST(of_contradicting_options_the_last_holds),
		UNIT_TEST(sysctls_have_paths_and_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
