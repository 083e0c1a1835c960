/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this build can do: the features document (features.md, features-linux.md). Runs in the
 * runtime and asks nothing of the host. Every list is printed from the table that the parser of the
 * configuration reads, so that none of them can promise what is not there.
 */
#include <hoy/features.h>

#include <seccomp.h>

#include "base/json_write.h"
#include "runtime/seccomp.h"
#include "runtime/state.h"
#include "runtime/version.h"
#include "spec/capability.h"
#include "spec/hook.h"
#include "spec/mount_option.h"
#include "spec/namespace.h"
#include "spec/scheduler.h"
#include "spec/seccomp_name.h"
#include "sys/cleanup.h"
#include "sys/error.h"

/** Annotations that hoy acts on, or that engines know to be acted on; "." at the end: a prefix. */
static const char *const unsafe_annotations[] = {
	"bundle", "org.criu.config", "org.systemd.property.", "run.oci.", NULL,
};

static const char *const build_features[] = {
	"+APPARMOR", "+CAP",	 HOY_CRIU ? "+CRIU" : "-CRIU",	       "+EBPF",
	"+SECCOMP",  "+SELINUX", HOY_STATIC ? "-SYSTEMD" : "+SYSTEMD", NULL,
};

const char *hoy_version(void)
{
	return HOY_VERSION;
}

const char *hoy_commit(void)
{
	return HOY_COMMIT;
}

const char *const *hoy_build_features(void)
{
	return build_features;
}

static void write_words(struct json_writer *writer, const char *key,
			const struct vocabulary *vocabulary)
{
	json_write_list(writer, key);
	for (size_t i = 0; i < vocabulary->len; i++)
		json_write_string(writer, NULL, vocabulary->words[i].name);
	json_write_end(writer);
}

static void write_enabled(struct json_writer *writer, const char *key, bool enabled)
{
	json_write_object(writer, key);
	json_write_bool(writer, "enabled", enabled);
	json_write_end(writer);
}

static void write_capabilities(struct json_writer *writer)
{
	char name[CAPABILITY_NAME_SIZE];

	json_write_list(writer, "capabilities");
	for (unsigned int i = 0; i < capability_count(); i++)
		if (capability_name(i, name))
			json_write_string(writer, NULL, name);
	json_write_end(writer);
}

static void write_cgroup(struct json_writer *writer)
{
	json_write_object(writer, "cgroup");
	json_write_bool(writer, "v1", false);
	json_write_bool(writer, "v2", true);
	json_write_bool(writer, "systemd", !HOY_STATIC);
	json_write_bool(writer, "systemdUser", !HOY_STATIC);
	json_write_bool(writer, "rdma", false);
	json_write_end(writer);
}

/* Those that a filter can be made for: the specification knows more than an older libseccomp. */
static void write_architectures(struct json_writer *writer)
{
	json_write_list(writer, "archs");
	for (size_t i = 0; i < seccomp_architectures.len; i++) {
		const struct word *word = &seccomp_architectures.words[i];

		if (seccomp_supports_architecture((uint32_t)word->value))
			json_write_string(writer, NULL, word->name);
	}
	json_write_end(writer);
}

static void write_seccomp(struct json_writer *writer)
{
	json_write_object(writer, "seccomp");
	json_write_bool(writer, "enabled", true);
	write_words(writer, "actions", &seccomp_actions);
	write_words(writer, "operators", &seccomp_operators);
	write_architectures(writer);
	write_words(writer, "knownFlags", &seccomp_flags);
	write_words(writer, "supportedFlags", &seccomp_flags);
	json_write_end(writer);
}

static void write_memory_policy(struct json_writer *writer)
{
	json_write_object(writer, "memoryPolicy");
	write_words(writer, "modes", &memory_policy_modes);
	write_words(writer, "flags", &memory_policy_flags);
	json_write_end(writer);
}

static void write_intel_rdt(struct json_writer *writer)
{
	json_write_object(writer, "intelRdt");
	json_write_bool(writer, "enabled", true);
	json_write_bool(writer, "schemata", true);
	json_write_bool(writer, "monitoring", true);
	json_write_end(writer);
}

static void write_linux(struct json_writer *writer)
{
	json_write_object(writer, "linux");
	write_words(writer, "namespaces", &namespace_types);
	write_capabilities(writer);
	write_cgroup(writer);
	write_seccomp(writer);
	write_enabled(writer, "apparmor", true);
	write_enabled(writer, "selinux", true);
	write_intel_rdt(writer);
	write_memory_policy(writer);
	json_write_object(writer, "mountExtensions");
	write_enabled(writer, "idmap", true);
	json_write_end(writer);
	write_enabled(writer, "netDevices", true);
	json_write_end(writer);
}

static void write_annotations(struct json_writer *writer)
{
	const struct scmp_version *version = seccomp_version();
	char text[48];

	json_write_object(writer, "annotations");
	if (version) {
		format_text(text, sizeof(text), "%u.%u.%u", version->major, version->minor,
			    version->micro);
		json_write_string(writer, "io.github.seccomp.libseccomp.version", text);
	}
	json_write_string(writer, "run.hoy.checkpoint.enabled", HOY_CRIU ? "true" : "false");
	json_write_string(writer, "run.hoy.commit", HOY_COMMIT);
	json_write_string(writer, "run.hoy.version", HOY_VERSION);
	json_write_end(writer);
}

char *hoy_features_json(void)
{
	struct json_writer writer = { .pretty = true };

	json_write_object(&writer, NULL);
	json_write_string(&writer, "ociVersionMin", "1.0.0");
	json_write_string(&writer, "ociVersionMax", SPEC_VERSION);
	json_write_list(&writer, "hooks");
	for (uint64_t kind = 0; kind < HOOK_KINDS; kind++)
		json_write_string(&writer, NULL, word_name(&hook_kinds, kind));
	json_write_end(&writer);
	json_write_list(&writer, "mountOptions");
	for (size_t i = 0; i < mount_options_len; i++)
		json_write_string(&writer, NULL, mount_options[i].name);
	json_write_end(&writer);
	write_linux(&writer);
	write_annotations(&writer);
	json_write_strings(&writer, "potentiallyUnsafeConfigAnnotations", unsafe_annotations);
	json_write_end(&writer);
	return json_write_take(&writer);
}
