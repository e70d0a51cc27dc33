# SPDX-License-Identifier: Apache-2.0
#
# Completion of `dayfly` for bash. What there is, dayfly itself says (cli/page.h); this only makes the lists that a shell makes better.

_dayfly()
{
	local cur=${COMP_WORDS[COMP_CWORD]} line
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		=files) compopt -o default ;;
		=programs)
			compopt -o default
			[[ $cur == */* ]] || mapfile -t COMPREPLY < <(compgen -c -- "$cur" | sort -u)
			;;
		=functions) mapfile -t COMPREPLY < <(compgen -W "$("$1" ls -q 2>/dev/null)" -- "$cur") ;;
		=images) mapfile -t COMPREPLY < <(compgen -W "$("$1" images -q 2>/dev/null)" -- "$cur") ;;
		=commands) mapfile -t COMPREPLY < <("$1" --dayfly-complete "$cur" 2>/dev/null | cut -f 1) ;;
		*) COMPREPLY+=("${line%%$'\t'*}") ;;
		esac
	done < <("$1" --dayfly-complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -F _dayfly dayfly
