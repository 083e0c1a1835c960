/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: lines. The first byte of the first one chooses a configuration, whose places the others
 * fill in: deep into what single values mean, where a config.json of random bytes never comes.
 */
#include <string.h>

#include "base/json_write.h"
#include "base/string.h"
#include "fuzz.h"

/* '$': the next line as a string; '#': as it is; '*': all that are left, as strings. */
static const char *const templates[] = {
	/* a */ "'mounts':[{'destination':$,'type':$,'source':$,'options':[*]}]",
	/* b */ "'mounts':[{'destination':$,'source':$,'options':['bind',*]}]",
	/* c */ "'linux':{'resources':{'unified':{$:$,$:$}},'cgroupsPath':$}",
	/* d */
	"'linux':{'sysctl':{$:$,$:$},'namespaces':[{'type':'network'},{'type':'ipc'},{'type':'uts'}"
	"]}",
	/* e */
	"'linux':{'namespaces':[{'type':'user'}],'uidMappings':[{'containerID':#,'hostID':#,'size':"
	"#},"
	"{'containerID':#,'hostID':#,'size':#}],'gidMappings':[{'containerID':#,'hostID':#,'size':#"
	"}]}",
	/* f */
	"'process':{'cwd':$,'args':[$],'user':{'uid':#,'gid':#,'umask':#,'additionalGids':[#]},'"
	"env':[*]}",
	/* g */
	"'process':{'cwd':'/"
	"','args':['x'],'rlimits':[{'type':$,'soft':#,'hard':#}],'oomScoreAdj':#,"
	"'scheduler':{'policy':$,'nice':#,'runtime':#,'deadline':#,'period':#},'capabilities':{'"
	"bounding':[$]"
	",'ambient':[$]}}",
	/* h */
	"'linux':{'devices':[{'path':$,'type':$,'major':#,'minor':#,'fileMode':#}],'resources':{'"
	"devices':"
	"[{'allow':true,'type':$,'major':#,'minor':#,'access':$}]}}",
	/* i */
	"'annotations':{$:$,$:$},'hooks':{'poststop':[{'path':$,'args':[$],'env':[$],'timeout':#}]"
	"}",
	/* j */
	"'linux':{'maskedPaths':[$],'readonlyPaths':[$],'rootfsPropagation':$,'cgroupsPath':$}",
	/* k */
	"'linux':{'resources':{'memory':{'limit':#,'swap':#,'reservation':#},'cpu':{'shares':#,'"
	"quota':#,"
	"'period':#,'burst':#,'cpus':$,'mems':$},'pids':{'limit':#}}}",
	/* l */
	"'linux':{'namespaces':[{'type':$,'path':$},{'type':$},{'type':'time'}],"
	"'timeOffsets':{$:{'secs':#,'nanosecs':#}}},'hostname':$,'domainname':$",
	/* m */
	"'linux':{'intelRdt':{'closID':$,'l3CacheSchema':$,'memBwSchema':$,'schemata':[*]}}",
	/* n */
	"'linux':{'seccomp':{'defaultAction':$,'architectures':[$],'flags':[$],'syscalls':[{'names'"
	":[$],"
	"'action':$,'errnoRet':#,'args':[{'index':#,'value':#,'valueTwo':#,'op':$}]}]}}",
};

static void add_string(struct text *text, const char *line)
{
	json_quote(text, line);
}

/* @returns the next line, terminated; "" behind the last */
static const char *next_line(char **rest)
{
	const char *line = *rest ? strsep(rest, "\n") : NULL;

	return line ? line : "";
}

static void add_all(struct text *text, char **rest)
{
	for (bool is_first = true; *rest; is_first = false) {
		if (!is_first)
			text_add_char(text, ',');
		add_string(text, next_line(rest));
	}
	if (text->bytes && text->bytes[text->len - 1] == ',')
		text_add(text, "''");
}

static void fill(struct text *text, const char *template, char *rest)
{
	text_add(text, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},");
	for (; *template; template ++) {
		if (*template == '$')
			add_string(text, next_line(&rest));
		else if (*template == '#')
			text_add(text, next_line(&rest));
		else if (*template == '*')
			add_all(text, &rest);
		else
			text_add_char(text, *template == '\'' ? '"' : *template);
	}
	text_add_char(text, '}');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t count = sizeof(templates) / sizeof(*templates);
	const struct config_report report = { 0 };
	char *input = strndup((const char *)data, size), *rest = input, *json;
	const char *choice = next_line(&rest);
	struct text text = { 0 };
	struct arena arena = { 0 };
	struct hoy_error err = { 0 };
	struct config *config;

	fill(&text, templates[(unsigned char)(*choice - 'a') % count], rest);
	json = text_take(&text);
	MUST(json);
	if (config_read(fuzz_file(json, strlen(json)), "config.json", &arena, &report, &config,
			&err) == 0)
		fuzz_plan(config);
	else
		fuzz_check_error(&err);
	arena_done(&arena);
	free(json);
	free(input);
	return 0;
}
