# Completion of hoy(8) for bash, generated from the tables of the program.

_hoy_options()
{
	case $1 in
@OPTIONS@
	esac
}

# _hoy_value "COMMAND OPTION": what the option's value is, nothing if it takes none.
_hoy_value()
{
	case $1 in
@VALUES@
	esac
}

_hoy()
{
	local word=${COMP_WORDS[COMP_CWORD]} command='' option='' value='' id='' i
	local -a root=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		# bash makes a word of its own of the "=" in --option=value.
		if [[ ${COMP_WORDS[i]} == = ]]; then
			continue
		elif [[ $value ]]; then
			[[ $command$option == --root ]] && root=(--root "${COMP_WORDS[i]}")
			value=''
		elif [[ ${COMP_WORDS[i]} == -* ]]; then
			option=${COMP_WORDS[i]}
			value=$(_hoy_value "$command $option")
		elif [[ ! $command ]]; then
			command=${COMP_WORDS[i]}
		else
			id=${COMP_WORDS[i]}
		fi
	done
	[[ $word == = ]] && word=''

	case $value in
	'') ;;
	directory)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	file)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	other) return ;;
	*)
		mapfile -t COMPREPLY < <(compgen -W "$value" -- "$word")
		return
		;;
	esac
	if [[ $word == -* && ! $id ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_hoy_options "$command")" -- "$word")
		return
	fi
	[[ $id ]] && return
	local choices=''
	case $command in
@CHOICES@
	'' | help) choices='@COMMANDS@' ;;
	@COMMANDS_WITH_ID@) choices=$(hoy "${root[@]}" list -q 2>/dev/null) ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
}

complete -F _hoy hoy
