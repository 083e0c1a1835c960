#compdef hoy
# Completion of hoy(8) for zsh, generated from the tables of the program.

_hoy_commands() {
	local -a commands=(
@COMMANDS@
	)
	_describe command commands
}

_hoy_ids() {
	local -a ids=(${(f)"$(_call_program ids hoy list -q 2>/dev/null)"})
	_describe container ids
}

_hoy_command() {
	case $words[1] in
@CASES@
	esac
}

_hoy() {
	_arguments -s -S \
@GLOBAL@			'1:command:_hoy_commands' \
			'*::: :_hoy_command'
}

_hoy "$@"
