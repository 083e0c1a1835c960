/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engines that `hoy install` knows, and files that are wholly ours: drop-ins beside the
 * engine's own configuration. Runs in the program; touches no file.
 */
#include "install.h"

#include <errno.h>
#include <string.h>

#include "base/string.h"
#include "sys/error.h"

/* As in the examples of contrib/engines, which a test compares with what is written. */
#define PROGRAM "/usr/bin/hoy"

static const char podman_text[] =
	"# Written by \"hoy install podman\"; --undo removes it. See containers.conf(5).\n"
	"# Later files win, so that a file 60-mine.conf beside this one can change all of it.\n"
	"[engine]\n"
	"# hoy logs in JSON, from which podman takes error messages, and runs containers without "
	"a\n"
	"# cgroup (--cgroups=disabled). A list replaces podman's own, so each repeats that one.\n"
	"runtime_supports_json = [\"hoy\", \"crun\", \"runc\", \"kata\", \"runsc\", \"youki\", "
	"\"krun\"]\n"
	"runtime_supports_nocgroup = [\"hoy\", \"crun\", \"krun\"]\n"
	"\n"
	"[engine.runtimes]\n"
	"hoy = [\"/usr/bin/hoy\"]\n";

static const char podman_default_text[] =
	"# Written by \"hoy install podman\"; --undo removes it. See containers.conf(5).\n"
	"# New containers run by hoy; those that exist keep the runtime they were made with.\n"
	"[engine]\n"
	"runtime = \"hoy\"\n";

static const char crio_text[] =
	"# Written by \"hoy install crio\"; --undo removes it. See crio.conf(5).\n"
	"[crio.runtime.runtimes.hoy]\n"
	"runtime_path = \"/usr/bin/hoy\"\n"
	"runtime_type = \"oci\"\n"
	"runtime_root = \"/run/hoy\"\n";

static const char crio_default_text[] =
	"# Written by \"hoy install crio\"; --undo removes it. See crio.conf(5).\n"
	"# Pods without a runtimeClassName run by hoy.\n"
	"[crio.runtime]\n"
	"default_runtime = \"hoy\"\n";

static const char docker_service_text[] =
	"# Written by \"hoy install docker\"; --undo removes it. See systemd.unit(5).\n"
	"# The RUN steps of docker build go by BuildKit, which does not ask for the default "
	"runtime.\n"
	"[Service]\n"
	"Environment=DOCKER_BUILDKIT_RUNC_COMMAND=/usr/bin/hoy\n";

static int apply_file(const struct install *install, const struct install_target *target,
		      const char *base, char **ret_text, struct hoy_error *err)
{
	autotext struct text text = { 0 };
	const char *from = target->text, *place;

	(void)base;
	while ((place = strstr(from, PROGRAM))) {
		text_add_bytes(&text, from, (size_t)(place - from));
		text_add(&text, install->program);
		from = place + strlen(PROGRAM);
	}
	text_add(&text, from);
	*ret_text = text_take(&text);
	return *ret_text ? 0 : fail(err, ENOMEM, "compose %s", target->path);
}

static int revert_file(const struct install_target *target, const char *now, const char *before,
		       char **ret_text, struct hoy_error *err)
{
	char *copy = before ? strdup(before) : NULL;

	(void)now;
	if (before && !copy)
		return fail(err, ENOMEM, "compose %s", target->path);
	*ret_text = copy;
	return 0;
}

static const struct install_target podman_targets[] = {
	{ "/etc/containers/containers.conf.d/50-hoy.conf", false, true, podman_text, apply_file,
	  revert_file },
	{ "/etc/containers/containers.conf.d/51-hoy-default.conf", true, true, podman_default_text,
	  apply_file, revert_file },
	{ 0 },
};

static const struct install_target containerd_targets[] = {
	{ "/etc/containerd/config.toml", false, false, NULL, containerd_apply, containerd_revert },
	{ 0 },
};

static const struct install_target crio_targets[] = {
	{ "/etc/crio/crio.conf.d/50-hoy.conf", false, true, crio_text, apply_file, revert_file },
	{ "/etc/crio/crio.conf.d/51-hoy-default.conf", true, true, crio_default_text, apply_file,
	  revert_file },
	{ 0 },
};

static const struct install_target docker_targets[] = {
	{ "/etc/docker/daemon.json", false, true, NULL, docker_apply, docker_revert },
	{ "/etc/systemd/system/docker.service.d/50-hoy.conf", true, true, docker_service_text,
	  apply_file, revert_file },
	{ 0 },
};

const struct install_engine install_engines[] = {
	{ "podman", podman_targets, NULL },
	{ "containerd", containerd_targets, "systemctl restart containerd" },
	{ "crio", crio_targets, "systemctl restart crio" },
	{ "docker", docker_targets, "systemctl daemon-reload && systemctl restart docker" },
	{ 0 },
};
