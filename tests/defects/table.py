"""
Defects, each a small change of one source file that a reviewer could miss, with the conformance
cases that must fail with it. No binary has them but those that test_defects.py builds of a copy of
the sources.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Defect:
    name: str
    # Below src/libhoy.
    file: str
    old: str
    new: str
    # Which cases of contrib/conformance are tried: a regular expression.
    cases: str


DEFECTS = [
    # ---- process ----
    Defect("umask-ignored", "init/confine.c", "(void)umask(process->umask);", "(void)umask(022);",
           r"process/umask\["),
    Defect("additional-groups-dropped", "plan/process.c",
           "process->groups_len = user->additional_gids.len;", "process->groups_len = 0;",
           r"process/user$"),
    Defect("groups-of-the-caller-kept", "init/confine.c",
           "raw_setgroups(process->groups_len, process->groups) < 0",
           "process->groups_len && raw_setgroups(process->groups_len, process->groups) < 0",
           r"process/no_group_of_the_caller"),
    Defect("environment-in-reverse", "plan/process.c", "env[--first] = (char *)entries[i - 1];",
           "env[--first] = (char *)entries[len - i];", r"process/environment"),
    Defect("path-of-the-configuration-ignored", "plan/process.c",
           "process->path = path ? path : DEFAULT_PATH;",
           "process->path = path ? DEFAULT_PATH : DEFAULT_PATH;",
           r"process/program_along_the_path"),
    Defect("score-of-0-is-none", "plan/process.c",
           "process->set_oom_score_adj = from->oom_score_adj.set;",
           "process->set_oom_score_adj = from->oom_score_adj.value != 0;", r"process/oom_score"),
    Defect("no-new-privileges-forgotten", "init/confine.c",
           "init->plan->process.no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0",
           "init->plan->process.no_new_privileges && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0",
           r"process/.*no_new_privileges"),
    Defect("hard-limit-is-the-soft-one", "init/process.c",
           "value = { limit->soft, limit->hard };", "value = { limit->soft, limit->soft };",
           r"capabilities/limit\[(NOFILE|CORE)"),
    Defect("nice-ignored", "plan/scheduling.c", "from->nice.set ? (int32_t)from->nice.value : 0;",
           "from->nice.set ? 0 : 0;", r"scheduling/nice$"),
    Defect("class-of-io-too-low", "plan/scheduling.c", "from->class << IO_PRIORITY_CLASS_SHIFT",
           "(from->class - 1) << IO_PRIORITY_CLASS_SHIFT", r"scheduling/io_class"),

    # ---- capabilities ----
    Defect("bounding-set-kept", "init/confine.c", "if (keep & CAPABILITY(capability))",
           "if (keep & CAPABILITY(capability) || capability > 20)", r"capabilities/each_set"),
    Defect("inheritable-set-forgotten", "init/confine.c", "want->inheritable & have);",
           "0 * (want->inheritable & have));", r"capabilities/each_set\[inheritable"),
    Defect("ambient-set-forgotten", "init/confine.c", "if ((ambient & CAPABILITY(capability)) &&",
           "if ((ambient & CAPABILITY(capability)) && capability > 63 &&",
           r"capabilities/each_set\[ambient"),

    # ---- paths and mounts ----
    Defect("directories-are-not-masked", "init/paths.c",
           "fd = next_mask(init->plan, S_ISDIR(st.st_mode),",
           "if (S_ISDIR(st.st_mode))\n\t\treturn 0;\n"
           "\tfd = next_mask(init->plan, S_ISDIR(st.st_mode),", r"platform/masked$"),
    Defect("read-only-paths-are-not", "init/paths.c",
           ".attr_set = MOUNT_ATTR_RDONLY, .propagation", ".attr_set = 0, .propagation",
           r"platform/readonly$"),
    Defect("root-stays-writable", "init/root.c",
           "if (root->readonly)\n\t\tattr.attr_set = MOUNT_ATTR_RDONLY;",
           "if (root->readonly)\n\t\tattr.attr_set = MOUNT_ATTR_NODIRATIME;", r"root/readonly\["),
    Defect("mounts-from-the-last-to-the-first", "init/mounts.c",
           "if (make_mount(init, i, err) < 0)",
           "if (make_mount(init, init->plan->mounts_len - 1 - i, err) < 0)",
           r"mounts/(in_order|a_later)"),
    Defect("bind-is-always-recursive", "init/mounts.c",
           "if (mount->recursive)\n\t\tflags |= AT_RECURSIVE;", "flags |= AT_RECURSIVE;",
           r"mount_options/bind_and_rbind"),
    Defect("nosuid-of-binds-forgotten", "init/mount_attributes.c",
           "add = attributes->set, recursive",
           "add = attributes->set & ~(uint64_t)MOUNT_ATTR_NOSUID, recursive",
           r"mount_options/on_a_bind\[nosuid"),
    Defect("propagation-is-never-recursive", "plan/mount_options.c",
           "reader->mount->attributes.propagation_recursive = (propagation & MS_REC) != 0;",
           "reader->mount->attributes.propagation_recursive = false;",
           r"mount_options/propagation_of_all"),

    # ---- devices ----
    Defect("mode-of-devices-ignored", "plan/devices.c",
           "from->file_mode.set ? (mode_t)from->file_mode.value & 07777 : DEVICE_MODE",
           "DEVICE_MODE", r"devices/mode"),
    Defect("owner-of-devices-ignored", "init/devices.c",
           "if (device->uid == 0 && device->gid == 0)", "if (device->uid < 1000)",
           r"devices/owner"),
    Defect("first-device-rule-wins", "cgroup/devices.c",
           "int verdict = TO_DENY;\n\n\twhile (len-- > 0) {\n",
           "int verdict = TO_DENY;\n\n"
           "\tfor (size_t last = len; last-- > 0; rules++, len = 0) {\n",
           r"devices/(the_last|one_letter)"),

    # ---- namespaces ----
    Defect("map-begins-one-too-high", "runtime/maps.c",
           "maps[i].container_id, maps[i].host_id,\n\t\t\t\tmaps[i].size);",
           "maps[i].container_id, maps[i].host_id + 1,\n\t\t\t\tmaps[i].size);",
           r"namespaces/id_maps"),
    Defect("hostname-cut-short", "init/namespaces.c", "sethostname(hostname, strlen(hostname))",
           "sethostname(hostname, strlen(hostname) - 1)", r"process/hostname"),
    Defect("sysctls-not-written", "init/procfs.c", "i < init->plan->sysctls_len; i++)",
           "i + 1 < init->plan->sysctls_len; i++)", r"platform/sysctl\["),
    Defect("clocks-one-second-off", "plan/namespaces.c",
           "(long long)offset->secs, offset->nanosecs);",
           "(long long)offset->secs + 1, offset->nanosecs);", r"namespaces/.*time_offset"),

    # ---- seccomp ----
    Defect("filter-not-loaded", "init/confine.c", "if (seccomp->len) {\n",
           "if (seccomp->len > 60000) {\n", r"seccomp/(loaded|action)"),
    Defect("errno-of-rules-ignored", "runtime/seccomp.c",
           "return action | (number->set ? (uint32_t)number->value & SECCOMP_RET_DATA : EPERM);",
           "return action | (number->set ? EPERM : EPERM);", r"seccomp/errno_of_a_rule"),
    Defect("arguments-of-rules-ignored", "runtime/seccomp.c",
           "(unsigned int)syscall->args.len, args);", "0, args);", r"seccomp/operator"),

    # ---- operations ----
    Defect("state-without-annotations", "runtime/state.c", "if (state->annotations_len > 0) {",
           "if (state->annotations_len > 1000) {", r"state/annotations"),
    Defect("delete-of-the-running", "runtime/delete.c",
           "if (status == HOY_STOPPED || (status == HOY_CREATED && !context->strict))",
           "if (status != HOY_CREATING)", r"lifecycle/delete_of"),
    Defect("kill-sends-sigterm", "runtime/kill.c", "r = process_signal(pidfd, signal);",
           "r = process_signal(pidfd, signal == 10 ? 15 : signal);",
           r"lifecycle/signals|state/an_explicit"),
    Defect("poststop-hooks-forgotten", "runtime/destroy.c", "if (record->poststop.len > 0) {",
           "if (record->poststop.len > 1000) {", r"hooks/(each|poststop)"),
    Defect("failure-of-poststart-passed-over", "runtime/start.c",
           'r = hooks_run(&container->record->poststart, "poststart", container->record->pid,\n'
           "\t\t\t      starting->log, err);",
           '(void)hooks_run(&container->record->poststart, "poststart", container->record->pid,\n'
           "\t\t\t\tstarting->log, err);", r"hooks/failure_of_poststart"),
    Defect("timeout-of-hooks-ten-times-too-long", "plan/hooks.c",
           "(int)from->timeout.value * 1000;", "(int)from->timeout.value * 10000;",
           r"hooks/a_hook_that_takes_too_long\[createRuntime"),
    Defect("hooks-in-the-wrong-status", "plan/hooks.c", '"hooks.poststart", HOY_RUNNING, false',
           '"hooks.poststart", HOY_CREATED, false', r"hooks/status_when"),
    Defect("createContainer-hooks-after-pivot", "init/init.c",
           '{ "createContainer hooks", step_create_container_hooks },\n'
           '\t{ "late read-only", step_late_readonly },\n'
           '\t{ "masked paths", step_masked_paths },\n'
           '\t{ "readonly paths", step_readonly_paths },\n\t{ "pivot", step_pivot },',
           '{ "late read-only", step_late_readonly },\n'
           '\t{ "masked paths", step_masked_paths },\n'
           '\t{ "readonly paths", step_readonly_paths },\n\t{ "pivot", step_pivot },\n'
           '\t{ "createContainer hooks", step_create_container_hooks },',
           r"hooks/(the_host|namespaces|each)"),
]
